//! `load_retained` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::{LoadRetained, LoadRetainedAnswer};

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(
    edge: &impl Edge,
    event: &LoadRetained<'_>,
) -> Result<LoadRetainedAnswer, Raised> {
    let mut sight = Sight::new("load_retained");
    sight.see("n_messages", event.n_messages());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if !case.is_about(&sight) {
        return Ok(LoadRetainedAnswer::pass());
    }
    if case.raises() {
        return Err(Raised);
    }
    let mut answer = match &*case.verdict() {
        "pass" => LoadRetainedAnswer::pass(),
        other => panic!("no verdict of this hook: {other}"),
    };
    for change in case.changes() {
        answer = match change.field() {
            "messages" => answer.messages(change.messages()),
            other => panic!("no change of this hook: {other}"),
        };
    }
    Ok(answer)
}
