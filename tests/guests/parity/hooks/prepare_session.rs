//! `prepare_session` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::{PrepareSession, PrepareSessionAnswer};

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(
    edge: &impl Edge,
    event: &PrepareSession<'_>,
) -> Result<PrepareSessionAnswer, Raised> {
    let mut sight = Sight::new("prepare_session");
    sight.see("session_present", event.session_present());
    sight.see("session_expiry_interval", event.session_expiry_interval());
    sight.see("will_delay_interval", event.will_delay_interval());
    sight.see("n_queued", event.n_queued());
    sight.see("subscriptions", event.subscriptions());
    sight.see("client_id", event.client_id());
    sight.see("username", event.username());
    sight.see("endpoint", event.endpoint());
    sight.see("listener", event.listener());
    sight.see("protocol_version", event.protocol_version());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if !case.is_about(&sight) {
        return Ok(PrepareSessionAnswer::pass());
    }
    if case.raises() {
        return Err(Raised);
    }
    let mut answer = match &*case.verdict() {
        "pass" => PrepareSessionAnswer::pass(),
        "deny" => PrepareSessionAnswer::deny(0, ""),
        "deny_with" => PrepareSessionAnswer::deny_with(case.why()),
        other => panic!("no verdict of this hook: {other}"),
    };
    for change in case.changes() {
        answer = match change.field() {
            "subscriptions" => answer.subscriptions(change.subscriptions()),
            "messages" => answer.messages(change.messages()),
            "session_expiry_interval" => answer.session_expiry_interval(change.number()),
            "will_delay_interval" => answer.will_delay_interval(change.number()),
            "-will_delay_interval" => answer.without_will_delay_interval(),
            other => panic!("no change of this hook: {other}"),
        };
    }
    Ok(answer)
}
