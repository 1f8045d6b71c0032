//! `client_connected` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::ClientConnected;

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(edge: &impl Edge, event: &ClientConnected<'_>) -> Result<(), Raised> {
    let mut sight = Sight::new("client_connected");
    sight.see("session_present", event.session_present());
    sight.see("clean_start", event.clean_start());
    sight.see("keep_alive", event.keep_alive());
    sight.see("session_expiry_interval", event.session_expiry_interval());
    sight.see("user_properties", event.user_properties());
    sight.see("client_id", event.client_id());
    sight.see("username", event.username());
    sight.see("endpoint", event.endpoint());
    sight.see("listener", event.listener());
    sight.see("protocol_version", event.protocol_version());
    sight.see("sequence", event.sequence());
    sight.see("timestamp", event.timestamp());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if case.is_about(&sight) && case.raises() {
        return Err(Raised);
    }
    Ok(())
}
