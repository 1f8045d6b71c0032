//! `intercept_inbound_packet` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::{InterceptInboundPacket, InterceptInboundPacketAnswer};

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(
    edge: &impl Edge,
    event: &InterceptInboundPacket<'_>,
) -> Result<InterceptInboundPacketAnswer, Raised> {
    let mut sight = Sight::new("intercept_inbound_packet");
    sight.see("packet_type", event.packet_type());
    sight.see("packet_identifier", event.packet_identifier());
    sight.see("topic", event.topic());
    sight.see("payload", event.payload());
    sight.see("payload_size", event.payload_size());
    sight.see("qos", event.qos());
    sight.see("retain", event.retain());
    sight.see("dup", event.dup());
    sight.see("reason_code", event.reason_code());
    sight.see("user_properties", event.user_properties());
    sight.see("client_id", event.client_id());
    sight.see("username", event.username());
    sight.see("endpoint", event.endpoint());
    sight.see("listener", event.listener());
    sight.see("protocol_version", event.protocol_version());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if !case.is_about(&sight) {
        return Ok(InterceptInboundPacketAnswer::pass());
    }
    if case.raises() {
        return Err(Raised);
    }
    let mut answer = match &*case.verdict() {
        "pass" => InterceptInboundPacketAnswer::pass(),
        "drop" => InterceptInboundPacketAnswer::drop(),
        "drop_with" => InterceptInboundPacketAnswer::drop_with(case.why()),
        "disconnect" => InterceptInboundPacketAnswer::disconnect(0, ""),
        "disconnect_with" => InterceptInboundPacketAnswer::disconnect_with(case.why()),
        other => panic!("no verdict of this hook: {other}"),
    };
    for change in case.changes() {
        answer = match change.field() {
            "topic" => answer.topic(change.text()),
            "payload" => answer.payload(change.bytes()),
            "retain" => answer.retain(change.truth()),
            "user_properties" => answer.user_properties(change.pairs()),
            other => panic!("no change of this hook: {other}"),
        };
    }
    Ok(answer)
}
