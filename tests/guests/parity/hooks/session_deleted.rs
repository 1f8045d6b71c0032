//! `session_deleted` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::SessionDeleted;

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(edge: &impl Edge, event: &SessionDeleted<'_>) -> Result<(), Raised> {
    let mut sight = Sight::new("session_deleted");
    sight.see("reason", event.reason());
    sight.see("client_id", event.client_id());
    sight.see("username", event.username());
    sight.see("session_expiry_interval", event.session_expiry_interval());
    sight.see("n_queued", event.n_queued());
    sight.see("n_subscriptions", event.n_subscriptions());
    sight.see("sequence", event.sequence());
    sight.see("timestamp", event.timestamp());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if case.is_about(&sight) && case.raises() {
        return Err(Raised);
    }
    Ok(())
}
