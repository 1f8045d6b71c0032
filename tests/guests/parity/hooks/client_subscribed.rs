//! `client_subscribed` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::ClientSubscribed;

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(edge: &impl Edge, event: &ClientSubscribed<'_>) -> Result<(), Raised> {
    let mut sight = Sight::new("client_subscribed");
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
    sight.see("sequence", event.sequence());
    sight.see("timestamp", event.timestamp());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if case.is_about(&sight) && case.raises() {
        return Err(Raised);
    }
    Ok(())
}
