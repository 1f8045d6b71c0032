//! `retained_cleared` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::RetainedCleared;

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(edge: &impl Edge, event: &RetainedCleared<'_>) -> Result<(), Raised> {
    let mut sight = Sight::new("retained_cleared");
    sight.see("n_messages", event.n_messages());
    sight.see("sequence", event.sequence());
    sight.see("timestamp", event.timestamp());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if case.is_about(&sight) && case.raises() {
        return Err(Raised);
    }
    Ok(())
}
