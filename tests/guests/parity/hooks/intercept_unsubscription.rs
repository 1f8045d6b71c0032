//! `intercept_unsubscription` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::{InterceptUnsubscription, InterceptUnsubscriptionAnswer};

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(
    edge: &impl Edge,
    event: &InterceptUnsubscription<'_>,
) -> Result<InterceptUnsubscriptionAnswer, Raised> {
    let mut sight = Sight::new("intercept_unsubscription");
    sight.see("topic_filter", event.topic_filter());
    sight.see("user_properties", event.user_properties());
    sight.see("client_id", event.client_id());
    sight.see("username", event.username());
    sight.see("endpoint", event.endpoint());
    sight.see("listener", event.listener());
    sight.see("protocol_version", event.protocol_version());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if !case.is_about(&sight) {
        return Ok(InterceptUnsubscriptionAnswer::pass());
    }
    if case.raises() {
        return Err(Raised);
    }
    let mut answer = match &*case.verdict() {
        "pass" => InterceptUnsubscriptionAnswer::pass(),
        "accept" => InterceptUnsubscriptionAnswer::accept(),
        "deny" => InterceptUnsubscriptionAnswer::deny(0, ""),
        "deny_with" => InterceptUnsubscriptionAnswer::deny_with(case.why()),
        "drop" => InterceptUnsubscriptionAnswer::drop(),
        "drop_with" => InterceptUnsubscriptionAnswer::drop_with(case.why()),
        "disconnect" => InterceptUnsubscriptionAnswer::disconnect(0, ""),
        "disconnect_with" => InterceptUnsubscriptionAnswer::disconnect_with(case.why()),
        other => panic!("no verdict of this hook: {other}"),
    };
    for change in case.changes() {
        answer = match change.field() {
            "topic_filter" => answer.topic_filter(change.text()),
            "reason_string" => answer.reason_string(change.text()),
            "-reason_string" => answer.without_reason_string(),
            "response_user_properties" => answer.response_user_properties(change.pairs()),
            other => panic!("no change of this hook: {other}"),
        };
    }
    Ok(answer)
}
