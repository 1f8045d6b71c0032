//! CONNACK: the terms that a client is let in on, or why it is not.

use hookmq_mqtt::packet::{ConnAck, ConnAckProperties, Connect};
use hookmq_mqtt::property::UserProperties;
use hookmq_mqtt::{PacketType, ProtocolVersion, ReasonCode};

use crate::broker::{Inner, reason_of};
use crate::client::ClientInfo;
use crate::event::connection::{SessionDraft, Terms};
use crate::hook::Explained;

impl Inner {
    pub(super) fn connack(
        &self,
        connect: &Connect,
        client: &ClientInfo,
        terms: &Terms,
        draft: &SessionDraft<'_>,
        session_present: bool,
        assigned: Option<String>,
    ) -> ConnAck {
        let mut connack = ConnAck::new(session_present, ReasonCode::Success);
        if connect.version == ProtocolVersion::V311 {
            return connack;
        }
        let settings = &self.session_settings;
        let renamed = assigned.is_some() || terms.client_id != connect.client_id;
        let expiry = draft.session_expiry_interval;
        connack.properties = Some(Box::new(ConnAckProperties {
            session_expiry_interval: (expiry != connect.session_expiry_interval.unwrap_or(0))
                .then_some(expiry),
            receive_maximum: std::num::NonZeroU16::new(settings.receive_maximum)
                .filter(|maximum| maximum.get() != u16::MAX),
            maximum_qos: terms.maximum_qos.min(settings.maximum_qos),
            retain_available: settings.retain_available,
            maximum_packet_size: std::num::NonZeroU32::new(settings.maximum_packet_size),
            assigned_client_identifier: renamed.then(|| terms.client_id.clone()),
            topic_alias_maximum: settings.topic_alias_maximum,
            reason_string: terms.reason_string.clone(),
            user_properties: terms.response_user_properties.clone(),
            server_keep_alive: (client.keep_alive != connect.keep_alive)
                .then_some(client.keep_alive),
            response_information: terms
                .response_information
                .clone()
                .filter(|_| connect.request_response_information),
            ..ConnAckProperties::default()
        }));
        connack
    }

    pub(super) fn refused_connack(
        &self,
        version: ProtocolVersion,
        explained: &Explained,
    ) -> ConnAck {
        let reason = reason_of(explained, PacketType::ConnAck);
        let properties =
            crate::event::user_properties(&explained.refusal.user_properties).unwrap_or_default();
        let mut connack = refusal(version, reason, self.told(explained), properties);
        if let (Some(server), Some(own)) =
            (&explained.refusal.server_reference, &mut connack.properties)
        {
            own.server_reference = Some(server.to_string());
        }
        connack
    }
}

/// A refusing CONNACK; Session Present is 0 [MQTT-3.2.2-6].
pub(super) fn refusal(
    version: ProtocolVersion,
    reason: ReasonCode,
    reason_string: Option<&str>,
    user_properties: UserProperties,
) -> ConnAck {
    let mut connack = ConnAck::new(false, reason);
    if version == ProtocolVersion::V5 {
        connack.properties = Some(Box::new(ConnAckProperties {
            reason_string: reason_string.map(str::to_owned),
            user_properties,
            ..ConnAckProperties::default()
        }));
    }
    connack
}
