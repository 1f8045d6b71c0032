//! `intercept_subscription` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::{InterceptSubscription, InterceptSubscriptionAnswer};

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(
    edge: &impl Edge,
    event: &InterceptSubscription<'_>,
) -> Result<InterceptSubscriptionAnswer, Raised> {
    let mut sight = Sight::new("intercept_subscription");
    sight.see("user_properties", event.user_properties());
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
        return Ok(InterceptSubscriptionAnswer::pass());
    }
    if case.raises() {
        return Err(Raised);
    }
    let mut answer = match &*case.verdict() {
        "pass" => InterceptSubscriptionAnswer::pass(),
        "accept" => InterceptSubscriptionAnswer::accept(),
        "deny" => InterceptSubscriptionAnswer::deny(0, ""),
        "deny_with" => InterceptSubscriptionAnswer::deny_with(case.why()),
        "drop" => InterceptSubscriptionAnswer::drop(),
        "drop_with" => InterceptSubscriptionAnswer::drop_with(case.why()),
        "disconnect" => InterceptSubscriptionAnswer::disconnect(0, ""),
        "disconnect_with" => InterceptSubscriptionAnswer::disconnect_with(case.why()),
        other => panic!("no verdict of this hook: {other}"),
    };
    for change in case.changes() {
        answer = match change.field() {
            "topic_filter" => answer.topic_filter(change.text()),
            "qos" => answer.qos(change.number()),
            "no_local" => answer.no_local(change.truth()),
            "retain_as_published" => answer.retain_as_published(change.truth()),
            "retain_handling" => answer.retain_handling(change.number()),
            "subscription_identifier" => answer.subscription_identifier(change.number()),
            "-subscription_identifier" => answer.without_subscription_identifier(),
            "reason_string" => answer.reason_string(change.text()),
            "-reason_string" => answer.without_reason_string(),
            "response_user_properties" => answer.response_user_properties(change.pairs()),
            other => panic!("no change of this hook: {other}"),
        };
    }
    Ok(answer)
}
