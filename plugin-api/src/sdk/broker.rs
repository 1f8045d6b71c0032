//! What a plugin asks of the broker beside its events: publishing, disconnecting, looking things up.

use super::Refused;
use super::edge::carrier;
use crate::host::{ClientView, OutgoingMessage, RetainedView, SessionView};

/// Publishes a message, which goes through every hook like any other, with the source `plugin`. Wants the grant `publish`.
///
/// # Errors
/// Not granted, invalid topic, too large, too deep, queue full, stopping.
pub fn publish(message: &OutgoingMessage) -> Result<(), Refused> {
    carrier::publish(message)
}

/// Delivers to one client's session, whether it subscribed or not; false if there is no such session. Wants the grant `publish`.
///
/// # Errors
/// As [`publish`].
pub fn publish_to(client_id: &str, message: &OutgoingMessage) -> Result<bool, Refused> {
    carrier::publish_to(client_id, message)
}

/// Ends a client's Network Connection; false if it is not connected. Wants the grant `disconnect`.
///
/// # Errors
/// Not granted; a Reason Code that DISCONNECT does not have.
pub fn disconnect(
    client_id: &str,
    reason_code: u8,
    reason_string: Option<&str>,
) -> Result<bool, Refused> {
    carrier::disconnect(client_id, reason_code, reason_string)
}

/// A connected client. Wants the grant `query`.
///
/// # Errors
/// Not granted.
pub fn client(client_id: &str) -> Result<Option<ClientView>, Refused> {
    carrier::client(client_id)
}

/// A session, connected or not. Wants the grant `query`.
///
/// # Errors
/// Not granted.
pub fn session(client_id: &str) -> Result<Option<SessionView>, Refused> {
    carrier::session(client_id)
}

/// Retained messages whose topic matches the filter, at most `limit`. Wants the grant `query`.
///
/// # Errors
/// Not granted; an invalid filter.
pub fn retained(topic_filter: &str, limit: u32) -> Result<Vec<RetainedView>, Refused> {
    carrier::retained(topic_filter, limit)
}

/// Whether the payload of the current event is one JSON text. The broker looks itself, so that a payload that is only to be JSON need not
/// be read. False outside of a handler.
#[must_use]
pub fn payload_is_json() -> bool {
    carrier::payload_is_json()
}
