//! AUTH: a step of extended authentication, 5.0 only.

use bytes::Bytes;

use crate::property::UserProperties;
use crate::reason::ReasonCode;

/// AUTH.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Auth {
    /// `Success`, `ContinueAuthentication` or `ReAuthenticate` [MQTT-3.15.2-1].
    pub reason: ReasonCode,
    /// The method named in CONNECT; the short form of two bytes has none.
    pub authentication_method: Option<String>,
    /// What the method exchanges.
    pub authentication_data: Option<Bytes>,
    /// Reason String, for people.
    pub reason_string: Option<String>,
    /// User Properties.
    pub user_properties: UserProperties,
}
