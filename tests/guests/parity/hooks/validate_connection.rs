//! `validate_connection` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::{ValidateConnection, ValidateConnectionAnswer};

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(
    edge: &impl Edge,
    event: &ValidateConnection<'_>,
) -> Result<ValidateConnectionAnswer, Raised> {
    let mut sight = Sight::new("validate_connection");
    sight.see("password", event.password());
    sight.see("secure", event.secure());
    sight.see("clean_start", event.clean_start());
    sight.see("keep_alive", event.keep_alive());
    sight.see("session_expiry_interval", event.session_expiry_interval());
    sight.see("receive_maximum", event.receive_maximum());
    sight.see("maximum_packet_size", event.maximum_packet_size());
    sight.see("topic_alias_maximum", event.topic_alias_maximum());
    sight.see(
        "request_response_information",
        event.request_response_information(),
    );
    sight.see(
        "request_problem_information",
        event.request_problem_information(),
    );
    sight.see("authentication_method", event.authentication_method());
    sight.see("authentication_data", event.authentication_data());
    sight.see("user_properties", event.user_properties());
    sight.see("will_topic", event.will_topic());
    sight.see("will_payload", event.will_payload());
    sight.see("will_qos", event.will_qos());
    sight.see("will_retain", event.will_retain());
    sight.see("will_delay_interval", event.will_delay_interval());
    sight.see("client_id", event.client_id());
    sight.see("username", event.username());
    sight.see("endpoint", event.endpoint());
    sight.see("listener", event.listener());
    sight.see("protocol_version", event.protocol_version());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if !case.is_about(&sight) {
        return Ok(ValidateConnectionAnswer::pass());
    }
    if case.raises() {
        return Err(Raised);
    }
    let mut answer = match &*case.verdict() {
        "pass" => ValidateConnectionAnswer::pass(),
        "accept" => ValidateConnectionAnswer::accept(),
        "deny" => ValidateConnectionAnswer::deny(0, ""),
        "deny_with" => ValidateConnectionAnswer::deny_with(case.why()),
        "disconnect" => ValidateConnectionAnswer::disconnect(0, ""),
        "disconnect_with" => ValidateConnectionAnswer::disconnect_with(case.why()),
        other => panic!("no verdict of this hook: {other}"),
    };
    for change in case.changes() {
        answer = match change.field() {
            "client_id" => answer.client_id(change.text()),
            "-client_id" => answer.without_client_id(),
            "username" => answer.username(change.text()),
            "-username" => answer.without_username(),
            "keep_alive" => answer.keep_alive(change.number()),
            "session_expiry_interval" => answer.session_expiry_interval(change.number()),
            "receive_maximum" => answer.receive_maximum(change.number()),
            "maximum_packet_size" => answer.maximum_packet_size(change.number()),
            "-maximum_packet_size" => answer.without_maximum_packet_size(),
            "topic_alias_maximum" => answer.topic_alias_maximum(change.number()),
            "maximum_qos" => answer.maximum_qos(change.number()),
            "response_information" => answer.response_information(change.text()),
            "-response_information" => answer.without_response_information(),
            "response_user_properties" => answer.response_user_properties(change.pairs()),
            "reason_string" => answer.reason_string(change.text()),
            "-reason_string" => answer.without_reason_string(),
            "authentication_data" => answer.authentication_data(change.bytes()),
            "-authentication_data" => answer.without_authentication_data(),
            other => panic!("no change of this hook: {other}"),
        };
    }
    Ok(answer)
}
