//! `intercept_publish` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::{InterceptPublish, InterceptPublishAnswer};

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(
    edge: &impl Edge,
    event: &InterceptPublish<'_>,
) -> Result<InterceptPublishAnswer, Raised> {
    let mut sight = Sight::new("intercept_publish");
    sight.see("source", event.source());
    sight.see("dup", event.dup());
    sight.see("client_id", event.client_id());
    sight.see("username", event.username());
    sight.see("endpoint", event.endpoint());
    sight.see("listener", event.listener());
    sight.see("protocol_version", event.protocol_version());
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
        return Ok(InterceptPublishAnswer::pass());
    }
    if case.raises() {
        return Err(Raised);
    }
    let mut answer = match &*case.verdict() {
        "pass" => InterceptPublishAnswer::pass(),
        "accept" => InterceptPublishAnswer::accept(),
        "deny" => InterceptPublishAnswer::deny(0, ""),
        "deny_with" => InterceptPublishAnswer::deny_with(case.why()),
        "drop" => InterceptPublishAnswer::drop(),
        "drop_with" => InterceptPublishAnswer::drop_with(case.why()),
        "consume" => InterceptPublishAnswer::consume(),
        "disconnect" => InterceptPublishAnswer::disconnect(0, ""),
        "disconnect_with" => InterceptPublishAnswer::disconnect_with(case.why()),
        other => panic!("no verdict of this hook: {other}"),
    };
    for change in case.changes() {
        answer = match change.field() {
            "topic" => answer.topic(change.text()),
            "payload" => answer.payload(change.bytes()),
            "qos" => answer.qos(change.number()),
            "retain" => answer.retain(change.truth()),
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
            "reason_code" => answer.reason_code(change.number()),
            "reason_string" => answer.reason_string(change.text()),
            "-reason_string" => answer.without_reason_string(),
            "response_user_properties" => answer.response_user_properties(change.pairs()),
            other => panic!("no change of this hook: {other}"),
        };
    }
    Ok(answer)
}
