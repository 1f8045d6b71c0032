//! `authorize_subscribe` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::{AuthorizeSubscribe, AuthorizeSubscribeAnswer};

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(
    edge: &impl Edge,
    event: &AuthorizeSubscribe<'_>,
) -> Result<AuthorizeSubscribeAnswer, Raised> {
    let mut sight = Sight::new("authorize_subscribe");
    sight.see("topic_filter", event.topic_filter());
    sight.see("share_name", event.share_name());
    sight.see("qos", event.qos());
    sight.see("no_local", event.no_local());
    sight.see("retain_as_published", event.retain_as_published());
    sight.see("retain_handling", event.retain_handling());
    sight.see("subscription_identifier", event.subscription_identifier());
    sight.see("client_id", event.client_id());
    sight.see("username", event.username());
    sight.see("endpoint", event.endpoint());
    sight.see("listener", event.listener());
    sight.see("protocol_version", event.protocol_version());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if !case.is_about(&sight) {
        return Ok(AuthorizeSubscribeAnswer::pass());
    }
    if case.raises() {
        return Err(Raised);
    }
    let mut answer = match &*case.verdict() {
        "pass" => AuthorizeSubscribeAnswer::pass(),
        "accept" => AuthorizeSubscribeAnswer::accept(),
        "deny" => AuthorizeSubscribeAnswer::deny(0, ""),
        "deny_with" => AuthorizeSubscribeAnswer::deny_with(case.why()),
        "disconnect" => AuthorizeSubscribeAnswer::disconnect(0, ""),
        "disconnect_with" => AuthorizeSubscribeAnswer::disconnect_with(case.why()),
        other => panic!("no verdict of this hook: {other}"),
    };
    for change in case.changes() {
        answer = match change.field() {
            "qos" => answer.qos(change.number()),
            "retain_handling" => answer.retain_handling(change.number()),
            other => panic!("no change of this hook: {other}"),
        };
    }
    if let Some(keep) = case.keep() {
        answer = answer.keep(keep);
    }
    Ok(answer)
}
