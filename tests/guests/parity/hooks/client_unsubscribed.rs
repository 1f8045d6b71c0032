//! `client_unsubscribed` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::ClientUnsubscribed;

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(edge: &impl Edge, event: &ClientUnsubscribed<'_>) -> Result<(), Raised> {
    let mut sight = Sight::new("client_unsubscribed");
    sight.see("topic_filter", event.topic_filter());
    sight.see("reason_code", event.reason_code());
    sight.see("reason_string", event.reason_string());
    sight.see("plugin", event.plugin());
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
