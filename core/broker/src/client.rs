//! Who a connected client is, as hooks and queries see it. Made at CONNECT, never changed.

use std::time::SystemTime;

use hookmq_mqtt::{ClientId, ProtocolVersion};
use hookmq_plugin_api::{Field, Value};

/// Identity and terms of one Network Connection.
#[derive(Debug, Clone)]
pub struct ClientInfo {
    /// Client Identifier.
    pub client_id: ClientId,
    /// Username, if it sent one.
    pub username: Option<String>,
    /// Remote address, `ip:port`.
    pub endpoint: String,
    /// Name of the listener.
    pub listener: std::sync::Arc<str>,
    /// Protocol version.
    pub version: ProtocolVersion,
    /// Keep Alive in force, in seconds; 0 is off.
    pub keep_alive: u16,
    /// Whether Reason Strings and User Properties may be sent on failures [MQTT-3.1.2-29].
    pub request_problem_information: bool,
    /// When it connected.
    pub connected_at: SystemTime,
}

impl ClientInfo {
    /// Of a client that is only known by name: the sender of a message that no connection brought.
    pub(crate) fn named(client_id: ClientId) -> Self {
        Self {
            client_id,
            username: None,
            endpoint: String::new(),
            listener: "".into(),
            version: ProtocolVersion::V5,
            keep_alive: 0,
            request_problem_information: false,
            connected_at: SystemTime::UNIX_EPOCH,
        }
    }

    /// The fields that tell who the client is.
    pub(crate) fn get(&self, field: Field) -> Value<'_> {
        match field {
            Field::ClientId => Value::Text(&self.client_id),
            Field::Username => Value::text(self.username.as_deref()),
            Field::Endpoint => Value::Text(&self.endpoint),
            Field::Listener => Value::Text(&self.listener),
            Field::ProtocolVersion => Value::Integer(protocol_number(self.version)),
            _ => Value::Nil,
        }
    }
}

/// Protocol Level of CONNECT [MQTT-3.1.2-2].
pub(crate) const fn protocol_number(version: ProtocolVersion) -> i64 {
    match version {
        ProtocolVersion::V311 => 4,
        ProtocolVersion::V5 => 5,
    }
}
