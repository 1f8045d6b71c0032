//! `client_disconnected` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::ClientDisconnected;

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(edge: &impl Edge, event: &ClientDisconnected<'_>) -> Result<(), Raised> {
    let mut sight = Sight::new("client_disconnected");
    sight.see("reason_code", event.reason_code());
    sight.see("reason_string", event.reason_string());
    sight.see("disconnect_type", event.disconnect_type());
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
