//! Packets in one line for logs, traces and test tables: what is absent or at its default is left out.
//!
//! Passwords and authentication data are never shown, long payloads only from their start.

use std::fmt::{self, Display, Write};

use super::{
    Ack, AckProperties, Auth, ConnAck, ConnAckProperties, Connect, Disconnect, Packet, Publish,
    RetainHandling, SubAck, Subscribe, SubscriptionOptions, UnsubAck, Unsubscribe, Will,
};
use crate::property::UserPropertiesRef;
use crate::qos::QoS;
use crate::reason::ReasonCode;

/// How many bytes of a payload are shown.
const SHOWN_BYTES: usize = 64;

impl Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.packet_type().name())?;
        let mut line = Line { out: f };
        match self {
            Self::Connect(connect) => line.connect(connect),
            Self::ConnAck(connack) => line.connack(connack),
            Self::Publish(publish) => line.publish(publish),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                line.ack(ack)
            }
            Self::Subscribe(subscribe) => line.subscribe(subscribe),
            Self::SubAck(suback) => line.suback(suback),
            Self::Unsubscribe(unsubscribe) => line.unsubscribe(unsubscribe),
            Self::UnsubAck(unsuback) => line.unsuback(unsuback),
            Self::PingReq | Self::PingResp => Ok(()),
            Self::Disconnect(disconnect) => line.disconnect(disconnect),
            Self::Auth(auth) => line.auth(auth),
        }
    }
}

struct Line<'f, 'b> {
    out: &'f mut fmt::Formatter<'b>,
}

impl Line<'_, '_> {
    fn connect(&mut self, connect: &Connect) -> fmt::Result {
        write!(self.out, " {}", connect.version)?;
        self.text("client_id", Some(&connect.client_id))?;
        self.flag("clean_start", connect.clean_start)?;
        self.value("keep_alive", Some(connect.keep_alive))?;
        self.text("username", connect.username.as_deref())?;
        self.secret("password", connect.password.is_some())?;
        self.value("session_expiry_interval", connect.session_expiry_interval)?;
        self.value("receive_maximum", connect.receive_maximum)?;
        self.value("maximum_packet_size", connect.maximum_packet_size)?;
        self.unless(0, "topic_alias_maximum", connect.topic_alias_maximum)?;
        self.flag(
            "request_response_information",
            connect.request_response_information,
        )?;
        self.unless(
            true,
            "request_problem_information",
            connect.request_problem_information,
        )?;
        self.text(
            "authentication_method",
            connect.authentication_method.as_deref(),
        )?;
        self.secret("authentication_data", connect.authentication_data.is_some())?;
        self.user_properties(connect.user_properties.as_ref())?;
        connect
            .will
            .as_deref()
            .map_or(Ok(()), |will| self.will(will))
    }

    fn will(&mut self, will: &Will) -> fmt::Result {
        self.out.write_str(" will=(")?;
        write!(self.out, "topic={:?}", will.topic)?;
        self.bytes("payload", Some(&will.payload))?;
        self.value("qos", Some(will.qos))?;
        self.flag("retain", will.retain)?;
        self.unless(0, "delay_interval", will.delay_interval)?;
        self.value(
            "payload_format",
            will.payload_format.map(|format| format as u8),
        )?;
        self.value("message_expiry_interval", will.message_expiry_interval)?;
        self.text("content_type", will.content_type.as_deref())?;
        self.text("response_topic", will.response_topic.as_deref())?;
        self.bytes("correlation_data", will.correlation_data.as_deref())?;
        self.user_properties(will.user_properties.as_ref())?;
        self.out.write_char(')')
    }

    fn connack(&mut self, connack: &ConnAck) -> fmt::Result {
        self.flag("session_present", connack.session_present)?;
        self.reason(connack.reason)?;
        connack
            .properties
            .as_deref()
            .map_or(Ok(()), |properties| self.connack_properties(properties))
    }

    fn connack_properties(&mut self, properties: &ConnAckProperties) -> fmt::Result {
        self.value(
            "session_expiry_interval",
            properties.session_expiry_interval,
        )?;
        self.value("receive_maximum", properties.receive_maximum)?;
        self.unless(QoS::ExactlyOnce, "maximum_qos", properties.maximum_qos)?;
        self.unless(true, "retain_available", properties.retain_available)?;
        self.value("maximum_packet_size", properties.maximum_packet_size)?;
        self.text(
            "assigned_client_identifier",
            properties.assigned_client_identifier.as_deref(),
        )?;
        self.unless(0, "topic_alias_maximum", properties.topic_alias_maximum)?;
        self.unless(
            true,
            "wildcard_subscription_available",
            properties.wildcard_subscription_available,
        )?;
        self.unless(
            true,
            "subscription_identifiers_available",
            properties.subscription_identifiers_available,
        )?;
        self.unless(
            true,
            "shared_subscription_available",
            properties.shared_subscription_available,
        )?;
        self.value("server_keep_alive", properties.server_keep_alive)?;
        self.text(
            "response_information",
            properties.response_information.as_deref(),
        )?;
        self.text("server_reference", properties.server_reference.as_deref())?;
        self.text(
            "authentication_method",
            properties.authentication_method.as_deref(),
        )?;
        self.secret(
            "authentication_data",
            properties.authentication_data.is_some(),
        )?;
        self.text("reason_string", properties.reason_string.as_deref())?;
        self.user_properties(properties.user_properties.as_ref())
    }

    fn publish(&mut self, publish: &Publish<'_>) -> fmt::Result {
        self.text("topic", Some(publish.topic))?;
        self.value("qos", Some(publish.qos))?;
        self.flag("dup", publish.dup)?;
        self.flag("retain", publish.retain)?;
        self.value("packet_identifier", publish.packet_identifier)?;
        self.bytes("payload", Some(publish.payload))?;
        let properties = &publish.properties;
        self.value(
            "payload_format",
            properties.payload_format.map(|format| format as u8),
        )?;
        self.value(
            "message_expiry_interval",
            properties.message_expiry_interval,
        )?;
        self.value("topic_alias", properties.topic_alias)?;
        self.text("response_topic", properties.response_topic)?;
        self.bytes("correlation_data", properties.correlation_data)?;
        self.text("content_type", properties.content_type)?;
        if !properties.subscription_identifiers.is_empty() {
            self.list(
                "subscription_identifiers",
                properties.subscription_identifiers.iter(),
            )?;
        }
        self.user_properties(properties.user_properties)
    }

    fn ack(&mut self, ack: &Ack) -> fmt::Result {
        self.value("packet_identifier", Some(ack.packet_identifier))?;
        self.reason(ack.reason)?;
        match ack.properties.as_deref() {
            Some(AckProperties {
                reason_string,
                user_properties,
            }) => {
                self.text("reason_string", reason_string.as_deref())?;
                self.user_properties(user_properties.as_ref())
            }
            None => Ok(()),
        }
    }

    fn subscribe(&mut self, subscribe: &Subscribe) -> fmt::Result {
        self.value("packet_identifier", Some(subscribe.packet_identifier))?;
        self.value("subscription_identifier", subscribe.subscription_identifier)?;
        let entries = subscribe.subscriptions.iter();
        self.list(
            "filters",
            entries.map(|entry| Filter(&entry.topic_filter, entry.options)),
        )?;
        self.user_properties(subscribe.user_properties.as_ref())
    }

    fn suback(&mut self, suback: &SubAck) -> fmt::Result {
        self.value("packet_identifier", Some(suback.packet_identifier))?;
        self.list("reasons", suback.reasons.iter().map(|reason| reason.name()))?;
        self.text("reason_string", suback.reason_string.as_deref())?;
        self.user_properties(suback.user_properties.as_ref())
    }

    fn unsubscribe(&mut self, unsubscribe: &Unsubscribe) -> fmt::Result {
        self.value("packet_identifier", Some(unsubscribe.packet_identifier))?;
        self.list(
            "filters",
            unsubscribe
                .topic_filters
                .iter()
                .map(|filter| format!("{filter:?}")),
        )?;
        self.user_properties(unsubscribe.user_properties.as_ref())
    }

    fn unsuback(&mut self, unsuback: &UnsubAck) -> fmt::Result {
        self.value("packet_identifier", Some(unsuback.packet_identifier))?;
        if !unsuback.reasons.is_empty() {
            self.list(
                "reasons",
                unsuback.reasons.iter().map(|reason| reason.name()),
            )?;
        }
        self.text("reason_string", unsuback.reason_string.as_deref())?;
        self.user_properties(unsuback.user_properties.as_ref())
    }

    fn disconnect(&mut self, disconnect: &Disconnect) -> fmt::Result {
        self.reason(disconnect.reason)?;
        self.value(
            "session_expiry_interval",
            disconnect.session_expiry_interval,
        )?;
        self.text("server_reference", disconnect.server_reference.as_deref())?;
        self.text("reason_string", disconnect.reason_string.as_deref())?;
        self.user_properties(disconnect.user_properties.as_ref())
    }

    fn auth(&mut self, auth: &Auth) -> fmt::Result {
        self.reason(auth.reason)?;
        self.text(
            "authentication_method",
            auth.authentication_method.as_deref(),
        )?;
        self.secret("authentication_data", auth.authentication_data.is_some())?;
        self.text("reason_string", auth.reason_string.as_deref())?;
        self.user_properties(auth.user_properties.as_ref())
    }

    fn flag(&mut self, name: &str, set: bool) -> fmt::Result {
        if set {
            write!(self.out, " {name}")
        } else {
            Ok(())
        }
    }

    fn value(&mut self, name: &str, value: Option<impl Display>) -> fmt::Result {
        value.map_or(Ok(()), |value| write!(self.out, " {name}={value}"))
    }

    fn unless<T: Display + PartialEq>(&mut self, default: T, name: &str, value: T) -> fmt::Result {
        if value == default {
            Ok(())
        } else {
            write!(self.out, " {name}={value}")
        }
    }

    fn reason(&mut self, reason: ReasonCode) -> fmt::Result {
        write!(self.out, " reason={}", reason.name())
    }

    fn text(&mut self, name: &str, text: Option<&str>) -> fmt::Result {
        text.map_or(Ok(()), |text| write!(self.out, " {name}={text:?}"))
    }

    fn secret(&mut self, name: &str, present: bool) -> fmt::Result {
        if present {
            write!(self.out, " {name}=***")
        } else {
            Ok(())
        }
    }

    /// Text if it is text, else hexadecimal digits.
    fn bytes(&mut self, name: &str, bytes: Option<&[u8]>) -> fmt::Result {
        let Some(bytes) = bytes else { return Ok(()) };
        write!(self.out, " {name}=")?;
        let shown = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
        match std::str::from_utf8(shown) {
            Ok(text) => write!(self.out, "{text:?}")?,
            Err(_) => {
                self.out.write_str("0x")?;
                for byte in shown {
                    write!(self.out, "{byte:02x}")?;
                }
            }
        }
        if shown.len() < bytes.len() {
            write!(self.out, "...({} bytes)", bytes.len())
        } else {
            Ok(())
        }
    }

    fn list(&mut self, name: &str, items: impl Iterator<Item = impl Display>) -> fmt::Result {
        write!(self.out, " {name}=[")?;
        for (index, item) in items.enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(self.out, "{separator}{item}")?;
        }
        self.out.write_char(']')
    }

    fn user_properties(&mut self, properties: UserPropertiesRef<'_>) -> fmt::Result {
        if properties.is_empty() {
            return Ok(());
        }
        self.list(
            "user_properties",
            properties
                .iter()
                .map(|(name, value)| format!("{name:?}={value:?}")),
        )
    }
}

/// A Topic Filter with its options.
struct Filter<'a>(&'a str, SubscriptionOptions);

impl Display for Filter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(topic_filter, options) = self;
        write!(f, "{topic_filter:?} qos={}", options.qos)?;
        let mut line = Line { out: f };
        line.flag("no_local", options.no_local)?;
        line.flag("retain_as_published", options.retain_as_published)?;
        match options.retain_handling {
            RetainHandling::SendAlways => Ok(()),
            RetainHandling::SendIfNew => line.flag("send_if_new", true),
            RetainHandling::DoNotSend => line.flag("do_not_send", true),
        }
    }
}
