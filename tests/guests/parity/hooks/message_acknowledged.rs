//! `message_acknowledged` in the policy.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::MessageAcknowledged;

use crate::policy::{Case, Edge, Raised, Sight};

/// Writes down what it is shown, and answers as the case says.
pub(crate) fn handle(edge: &impl Edge, event: &MessageAcknowledged<'_>) -> Result<(), Raised> {
    let mut sight = Sight::new("message_acknowledged");
    sight.see("client_id", event.client_id());
    sight.see("username", event.username());
    sight.see("sender_client_id", event.sender_client_id());
    sight.see("packet_type", event.packet_type());
    sight.see("reason_code", event.reason_code());
    sight.see("completed", event.completed());
    sight.see("topic", event.topic());
    sight.see("payload", event.payload());
    sight.see("payload_size", event.payload_size());
    sight.see("qos", event.qos());
    sight.see("retain", event.retain());
    sight.see("payload_format", event.payload_format());
    sight.see("message_expiry_interval", event.message_expiry_interval());
    sight.see("content_type", event.content_type());
    sight.see("response_topic", event.response_topic());
    sight.see("correlation_data", event.correlation_data());
    sight.see("user_properties", event.user_properties());
    sight.see("sequence", event.sequence());
    sight.see("timestamp", event.timestamp());
    edge.write(sight.line());
    let case = Case::read(&edge.case());
    if case.is_about(&sight) && case.raises() {
        return Err(Raised);
    }
    Ok(())
}
