//! Why a connection ends: every way of ending says what the client is told and what becomes of its Session.

use hookmq_mqtt::packet::Disconnect;
use hookmq_mqtt::property::UserProperties;
use hookmq_mqtt::{DecodeError, PacketType, ReasonCode};

use crate::broker::disconnect::Ended;
use crate::broker::sessions::{DisconnectType, Kick};
use crate::broker::{Inner, reason_of};
use crate::hook::Explained;
use crate::session::ProtocolError;

/// Why a connection ends: what the client is told, and what the broker does with its Session.
#[derive(Debug)]
pub(crate) struct End {
    /// DISCONNECT for an MQTT 5 client, if it is to get one.
    pub(crate) disconnect: Option<Disconnect>,
    pub(crate) ended: Ended,
}

impl End {
    /// The broker ends it.
    pub(crate) fn by_broker(
        reason: ReasonCode,
        kind: DisconnectType,
        reason_string: Option<String>,
    ) -> Box<Self> {
        let mut disconnect = Disconnect::new(reason);
        disconnect.reason_string.clone_from(&reason_string);
        Box::new(Self {
            disconnect: Some(disconnect),
            ended: Ended {
                kind,
                reason,
                reason_string,
                user_properties: UserProperties::new(),
                forget_will: false,
                session_expiry_interval: None,
            },
        })
    }

    /// The connection was lost.
    pub(crate) fn lost() -> Box<Self> {
        let mut end = Self::by_broker(ReasonCode::UnspecifiedError, DisconnectType::NotClean, None);
        end.disconnect = None;
        end
    }

    pub(crate) fn kicked(kick: Kick) -> Box<Self> {
        let mut end = Self::by_broker(kick.reason, kick.kind, kick.reason_string);
        if let Some(disconnect) = &mut end.disconnect {
            disconnect.server_reference = kick.server_reference;
        }
        end
    }

    pub(super) fn rejected(inner: &Inner, explained: &Explained) -> Box<Self> {
        let reason = reason_of(explained, PacketType::Disconnect);
        let mut end = Self::by_broker(
            reason,
            DisconnectType::Rejected,
            inner.told(explained).map(str::to_owned),
        );
        if let Some(disconnect) = &mut end.disconnect {
            disconnect.server_reference = explained
                .refusal
                .server_reference
                .as_ref()
                .map(ToString::to_string);
            disconnect.user_properties =
                crate::event::user_properties(&explained.refusal.user_properties)
                    .unwrap_or_default();
        }
        end
    }
}

impl From<ProtocolError> for Box<End> {
    fn from(error: ProtocolError) -> Self {
        End::by_broker(
            error.reason,
            DisconnectType::NotClean,
            Some(error.to_string()),
        )
    }
}

impl From<DecodeError> for Box<End> {
    fn from(error: DecodeError) -> Self {
        End::by_broker(
            error.reason_code(),
            DisconnectType::NotClean,
            Some(error.to_string()),
        )
    }
}
