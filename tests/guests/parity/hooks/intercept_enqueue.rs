//! `intercept_enqueue` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::{InterceptEnqueue, InterceptEnqueueAnswer};

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(
    edge: &impl Edge,
    event: &InterceptEnqueue<'_>,
) -> Result<InterceptEnqueueAnswer, Raised> {
    let mut sight = Sight::new("intercept_enqueue");
    sight.see("sender_client_id", event.sender_client_id());
    sight.see("receiver_client_id", event.receiver_client_id());
    sight.see("receiver_username", event.receiver_username());
    sight.see("source", event.source());
    sight.see("topic", event.topic());
    sight.see("payload", event.payload());
    sight.see("payload_size", event.payload_size());
    sight.see("qos", event.qos());
    sight.see("retain", event.retain());
    sight.see("payload_format", event.payload_format());
    sight.see("message_expiry_interval", event.message_expiry_interval());
    sight.see("content_type", event.content_type());
    sight.see("response_topic", event.response_topic());
    sight.see("correlation_data", event.correlation_data());
    sight.see("user_properties", event.user_properties());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if !case.is_about(&sight) {
        return Ok(InterceptEnqueueAnswer::pass());
    }
    if case.raises() {
        return Err(Raised);
    }
    let mut answer = match &*case.verdict() {
        "pass" => InterceptEnqueueAnswer::pass(),
        "drop" => InterceptEnqueueAnswer::drop(),
        "drop_with" => InterceptEnqueueAnswer::drop_with(case.why()),
        "disconnect" => InterceptEnqueueAnswer::disconnect(0, ""),
        "disconnect_with" => InterceptEnqueueAnswer::disconnect_with(case.why()),
        other => panic!("no verdict of this hook: {other}"),
    };
    for change in case.changes() {
        answer = match change.field() {
            "topic" => answer.topic(change.text()),
            "payload" => answer.payload(change.bytes()),
            "qos" => answer.qos(change.number()),
            "payload_format" => answer.payload_format(change.number()),
            "-payload_format" => answer.without_payload_format(),
            "message_expiry_interval" => answer.message_expiry_interval(change.number()),
            "-message_expiry_interval" => answer.without_message_expiry_interval(),
            "content_type" => answer.content_type(change.text()),
            "-content_type" => answer.without_content_type(),
            "response_topic" => answer.response_topic(change.text()),
            "-response_topic" => answer.without_response_topic(),
            "correlation_data" => answer.correlation_data(change.bytes()),
            "-correlation_data" => answer.without_correlation_data(),
            "user_properties" => answer.user_properties(change.pairs()),
            other => panic!("no change of this hook: {other}"),
        };
    }
    Ok(answer)
}
