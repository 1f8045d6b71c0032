//! `authorize_publish` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::{AuthorizePublish, AuthorizePublishAnswer};

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(
    edge: &impl Edge,
    event: &AuthorizePublish<'_>,
) -> Result<AuthorizePublishAnswer, Raised> {
    let mut sight = Sight::new("authorize_publish");
    sight.see("topic", event.topic());
    sight.see("payload_size", event.payload_size());
    sight.see("qos", event.qos());
    sight.see("retain", event.retain());
    sight.see("source", event.source());
    sight.see("client_id", event.client_id());
    sight.see("username", event.username());
    sight.see("endpoint", event.endpoint());
    sight.see("listener", event.listener());
    sight.see("protocol_version", event.protocol_version());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if !case.is_about(&sight) {
        return Ok(AuthorizePublishAnswer::pass());
    }
    if case.raises() {
        return Err(Raised);
    }
    let mut answer = match &*case.verdict() {
        "pass" => AuthorizePublishAnswer::pass(),
        "accept" => AuthorizePublishAnswer::accept(),
        "deny" => AuthorizePublishAnswer::deny(0, ""),
        "deny_with" => AuthorizePublishAnswer::deny_with(case.why()),
        "drop" => AuthorizePublishAnswer::drop(),
        "drop_with" => AuthorizePublishAnswer::drop_with(case.why()),
        "disconnect" => AuthorizePublishAnswer::disconnect(0, ""),
        "disconnect_with" => AuthorizePublishAnswer::disconnect_with(case.why()),
        other => panic!("no verdict of this hook: {other}"),
    };
    for change in case.changes() {
        answer = match change.field() {
            "qos" => answer.qos(change.number()),
            "retain" => answer.retain(change.truth()),
            other => panic!("no change of this hook: {other}"),
        };
    }
    if let Some(keep) = case.keep() {
        answer = answer.keep(keep);
    }
    Ok(answer)
}
