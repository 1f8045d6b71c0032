//! DISCONNECT: the last packet of a connection, and why.

use crate::property::UserProperties;
use crate::reason::ReasonCode;

/// DISCONNECT.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Disconnect {
    /// Why; `Success` is Normal disconnection. 3.1.1 has no other and does not send it.
    pub reason: ReasonCode,
    /// A new Session Expiry Interval in seconds, from Client to Server only [MQTT-3.14.2-2]. 5.0 only.
    pub session_expiry_interval: Option<u32>,
    /// Reason String, for people. 5.0 only.
    pub reason_string: Option<String>,
    /// User Properties. 5.0 only.
    pub user_properties: UserProperties,
    /// Another Server to use, from Server to Client only. 5.0 only.
    pub server_reference: Option<String>,
}

impl Disconnect {
    /// A DISCONNECT without properties.
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        Self {
            reason,
            session_expiry_interval: None,
            reason_string: None,
            user_properties: UserProperties::new(),
            server_reference: None,
        }
    }
}
