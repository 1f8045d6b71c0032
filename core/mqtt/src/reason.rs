//! Reason Codes: one enum for both versions, and where each may stand.

use std::fmt;

use crate::packet::PacketType;

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $variant:ident = $value:literal, $name:literal, [$($packet:ident)*];)+) => {
        /// A Reason Code of MQTT 5.0 (section 2.4), by the standard's name.
        ///
        /// `Success` is also Normal disconnection and Granted QoS 0, which have the same value. From 0x80 on a code
        /// says that something failed. MQTT 3.1.1 return codes are mapped to these and back by the codec.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(u8)]
        pub enum ReasonCode {
            $($(#[$doc])* $variant = $value,)+
        }

        impl ReasonCode {
            /// Every code, in the order of their values.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code with this value, if the standard names one.
            #[must_use]
            pub const fn from_u8(value: u8) -> Option<Self> {
                match value {
                    $($value => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The standard's name in snake_case: `not_authorized`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The code with this snake_case name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The packets of MQTT 5.0 that may carry this code, by the tables of chapter 3.
            #[must_use]
            pub const fn packets(self) -> &'static [PacketType] {
                match self {
                    $(Self::$variant => &[$(PacketType::$packet),*],)+
                }
            }
        }
    };
}

reason_codes! {
    /// It was done; Normal disconnection; Granted QoS 0.
    #[default]
    Success = 0x00, "success", [ConnAck PubAck PubRec PubRel PubComp SubAck UnsubAck Disconnect Auth];
    /// The subscription was accepted with at most QoS 1.
    GrantedQoS1 = 0x01, "granted_qos_1", [SubAck];
    /// The subscription was accepted with at most QoS 2.
    GrantedQoS2 = 0x02, "granted_qos_2", [SubAck];
    /// The Client leaves and wants its Will Message published.
    DisconnectWithWillMessage = 0x04, "disconnect_with_will_message", [Disconnect];
    /// The message was accepted, but nobody subscribes to its topic.
    NoMatchingSubscribers = 0x10, "no_matching_subscribers", [PubAck PubRec];
    /// There was no such subscription to remove.
    NoSubscriptionExisted = 0x11, "no_subscription_existed", [UnsubAck];
    /// The authentication goes on with another step.
    ContinueAuthentication = 0x18, "continue_authentication", [Auth];
    /// The Client starts to authenticate anew.
    ReAuthenticate = 0x19, "re_authenticate", [Auth];
    /// It failed, and the sender will not or cannot say why. The failure of a 3.1.1 SUBACK.
    UnspecifiedError = 0x80, "unspecified_error", [ConnAck PubAck PubRec SubAck UnsubAck Disconnect];
    /// The bytes could not be parsed.
    MalformedPacket = 0x81, "malformed_packet", [ConnAck Disconnect];
    /// The packet was unexpected, or has data that the protocol does not allow there.
    ProtocolError = 0x82, "protocol_error", [ConnAck Disconnect];
    /// The packet is valid but this receiver does not accept it.
    ImplementationSpecificError = 0x83, "implementation_specific_error", [ConnAck PubAck PubRec SubAck UnsubAck Disconnect];
    /// The Server does not speak the version that the Client asked for.
    UnsupportedProtocolVersion = 0x84, "unsupported_protocol_version", [ConnAck];
    /// The Client Identifier is well formed but not allowed.
    ClientIdentifierNotValid = 0x85, "client_identifier_not_valid", [ConnAck];
    /// User Name or Password are wrong.
    BadUserNameOrPassword = 0x86, "bad_user_name_or_password", [ConnAck];
    /// The Client may not do this.
    NotAuthorized = 0x87, "not_authorized", [ConnAck PubAck PubRec SubAck UnsubAck Disconnect];
    /// The Server is not available.
    ServerUnavailable = 0x88, "server_unavailable", [ConnAck];
    /// The Server is busy; try again later.
    ServerBusy = 0x89, "server_busy", [ConnAck Disconnect];
    /// The Client is banned by the operator.
    Banned = 0x8A, "banned", [ConnAck];
    /// The Server goes down.
    ServerShuttingDown = 0x8B, "server_shutting_down", [Disconnect];
    /// The authentication method is not supported or not the one in use.
    BadAuthenticationMethod = 0x8C, "bad_authentication_method", [ConnAck Disconnect];
    /// Nothing was received for one and a half times the Keep Alive.
    KeepAliveTimeout = 0x8D, "keep_alive_timeout", [Disconnect];
    /// Another connection uses the same Client Identifier now.
    SessionTakenOver = 0x8E, "session_taken_over", [Disconnect];
    /// The Topic Filter is not well formed or not accepted.
    TopicFilterInvalid = 0x8F, "topic_filter_invalid", [SubAck UnsubAck Disconnect];
    /// The Topic Name is not accepted.
    TopicNameInvalid = 0x90, "topic_name_invalid", [ConnAck PubAck PubRec Disconnect];
    /// The Packet Identifier is in use already.
    PacketIdentifierInUse = 0x91, "packet_identifier_in_use", [PubAck PubRec SubAck UnsubAck];
    /// The Packet Identifier is not known.
    PacketIdentifierNotFound = 0x92, "packet_identifier_not_found", [PubRel PubComp];
    /// More QoS 1 and 2 messages were sent at once than Receive Maximum allows.
    ReceiveMaximumExceeded = 0x93, "receive_maximum_exceeded", [Disconnect];
    /// The Topic Alias is zero, too great or unknown.
    TopicAliasInvalid = 0x94, "topic_alias_invalid", [Disconnect];
    /// The packet is larger than Maximum Packet Size allows.
    PacketTooLarge = 0x95, "packet_too_large", [ConnAck Disconnect];
    /// Messages come too fast.
    MessageRateTooHigh = 0x96, "message_rate_too_high", [Disconnect];
    /// A limit set by the implementation or the operator is reached.
    QuotaExceeded = 0x97, "quota_exceeded", [ConnAck PubAck PubRec SubAck Disconnect];
    /// The operator closed the connection.
    AdministrativeAction = 0x98, "administrative_action", [Disconnect];
    /// The payload is not what the Payload Format Indicator says.
    PayloadFormatInvalid = 0x99, "payload_format_invalid", [ConnAck PubAck PubRec Disconnect];
    /// The Server does not keep Retained Messages.
    RetainNotSupported = 0x9A, "retain_not_supported", [ConnAck Disconnect];
    /// The QoS is greater than Maximum QoS.
    QoSNotSupported = 0x9B, "qos_not_supported", [ConnAck Disconnect];
    /// Use another Server for now.
    UseAnotherServer = 0x9C, "use_another_server", [ConnAck Disconnect];
    /// Use another Server for good.
    ServerMoved = 0x9D, "server_moved", [ConnAck Disconnect];
    /// Shared Subscriptions are not supported for this Client.
    SharedSubscriptionsNotSupported = 0x9E, "shared_subscriptions_not_supported", [SubAck Disconnect];
    /// Connections come too fast.
    ConnectionRateExceeded = 0x9F, "connection_rate_exceeded", [ConnAck Disconnect];
    /// The time allowed for a connection is over.
    MaximumConnectTime = 0xA0, "maximum_connect_time", [Disconnect];
    /// Subscription Identifiers are not supported.
    SubscriptionIdentifiersNotSupported = 0xA1, "subscription_identifiers_not_supported", [SubAck Disconnect];
    /// Wildcard Subscriptions are not supported.
    WildcardSubscriptionsNotSupported = 0xA2, "wildcard_subscriptions_not_supported", [SubAck Disconnect];
}

impl ReasonCode {
    /// True from 0x80 on: the operation failed.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self as u8 >= 0x80
    }

    /// Whether a packet of this type may carry the code.
    #[must_use]
    pub fn allowed_in(self, packet_type: PacketType) -> bool {
        self.packets().contains(&packet_type)
    }

    /// The Connect Return code of MQTT 3.1.1 (table 3.1) that says nearly the same: 0 to 5.
    ///
    /// 3.1.1 has five refusals only: what has to do with rights becomes 5, what another time or another Server may
    /// solve becomes 3.
    #[must_use]
    pub const fn v311_connect_return_code(self) -> u8 {
        match self {
            Self::UnsupportedProtocolVersion => 1,
            Self::ClientIdentifierNotValid => 2,
            Self::BadUserNameOrPassword | Self::BadAuthenticationMethod => 4,
            Self::NotAuthorized
            | Self::Banned
            | Self::MalformedPacket
            | Self::ProtocolError
            | Self::TopicNameInvalid
            | Self::PacketTooLarge
            | Self::PayloadFormatInvalid
            | Self::RetainNotSupported
            | Self::QoSNotSupported => 5,
            code if code.is_error() => 3,
            _ => 0,
        }
    }

    /// The code for a Connect Return code of MQTT 3.1.1; `None` for the reserved values 6 to 255.
    #[must_use]
    pub const fn from_v311_connect_return_code(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Success,
            1 => Self::UnsupportedProtocolVersion,
            2 => Self::ClientIdentifierNotValid,
            3 => Self::ServerUnavailable,
            4 => Self::BadUserNameOrPassword,
            5 => Self::NotAuthorized,
            _ => return None,
        })
    }
}

impl From<ReasonCode> for u8 {
    fn from(reason: ReasonCode) -> Self {
        reason as Self
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02X})", self.name(), *self as u8)
    }
}

impl From<crate::qos::QoS> for ReasonCode {
    /// What SUBACK says for a granted QoS [MQTT-3.8.4-8].
    fn from(granted: crate::qos::QoS) -> Self {
        match granted {
            crate::qos::QoS::AtMostOnce => Self::Success,
            crate::qos::QoS::AtLeastOnce => Self::GrantedQoS1,
            crate::qos::QoS::ExactlyOnce => Self::GrantedQoS2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names_lead_back_to_the_code() {
        assert_eq!(ReasonCode::ALL.len(), 43);
        for code in ReasonCode::ALL {
            assert_eq!(ReasonCode::from_u8(*code as u8), Some(*code));
            assert_eq!(ReasonCode::from_name(code.name()), Some(*code));
            assert!(!code.packets().is_empty());
            assert_eq!(
                code.v311_connect_return_code() == 0,
                !code.is_error(),
                "{code}"
            );
        }
        assert!(ReasonCode::ALL.is_sorted());
        assert_eq!(
            (0..=255).filter_map(ReasonCode::from_u8).count(),
            ReasonCode::ALL.len()
        );
    }

    #[test]
    fn return_codes_of_3_1_1_lead_back() {
        for value in 0..=5 {
            let code = ReasonCode::from_v311_connect_return_code(value).expect("defined");
            assert_eq!(code.v311_connect_return_code(), value);
        }
        assert_eq!(ReasonCode::from_v311_connect_return_code(6), None);
    }
}
