//! Every field that any hook has: one name, one type, one meaning everywhere.

use crate::value::Type;

/// What a field holds and means.
#[derive(Debug)]
pub struct FieldSpec {
    /// The field.
    pub field: Field,
    /// One snake_case word, the same in every runtime.
    pub name: &'static str,
    /// What it holds.
    pub kind: Type,
    /// Whether it can be absent.
    pub optional: bool,
    /// The meaning, with unit and range.
    pub doc: &'static str,
    /// For [`Type::Records`]: the fields of one record.
    pub record: &'static [Field],
}

macro_rules! fields {
    ($($variant:ident $name:ident $kind:ident $presence:ident $doc:literal $([$($part:ident)*])?;)*) => {
        /// The name of a field. A closed list: an unknown name is an error at load.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Field {
            $(#[doc = $doc] $variant,)*
        }

        /// One row per field, in the order of [`Field`].
        pub static FIELDS: &[FieldSpec] = &[
            $(FieldSpec {
                field: Field::$variant,
                name: stringify!($name),
                kind: Type::$kind,
                optional: presence!($presence),
                doc: $doc,
                record: &[$($(Field::$part),*)?],
            },)*
        ];
    };
}

macro_rules! presence {
    (always) => {
        false
    };
    (optional) => {
        true
    };
}

fields! {
    ClientId client_id Text optional "Client Identifier of the client that this is about; absent for what no client caused.";
    Username username Text optional "Username that the client sent in CONNECT.";
    Password password Bytes optional "Password that the client sent in CONNECT.";
    Endpoint endpoint Text optional "Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.";
    Listener listener Text optional "Name of the listener that accepted the connection.";
    ProtocolVersion protocol_version Integer optional "4 for MQTT 3.1.1, 5 for MQTT 5.0.";
    Secure secure Bool always "Whether the Network Connection is encrypted.";
    CleanStart clean_start Bool always "Clean Start (3.1.1: Clean Session).";
    KeepAlive keep_alive Integer always "Keep Alive in seconds, 0 to 65 535; 0 is off. Where it may be changed: sent as Server Keep Alive.";
    SessionExpiryInterval session_expiry_interval Integer always "Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.";
    SessionPresent session_present Bool always "Whether the Session existed before this CONNECT.";
    ReceiveMaximum receive_maximum Integer always "QoS 1 and 2 messages that the client takes at once unacknowledged, 1 to 65 535.";
    MaximumPacketSize maximum_packet_size Integer optional "Largest packet that the client takes, in bytes; absent: no limit of its own.";
    TopicAliasMaximum topic_alias_maximum Integer always "Topic Aliases that the client takes, 0 to 65 535.";
    MaximumQos maximum_qos Integer always "Highest QoS that the client may publish with: 0, 1 or 2.";
    RequestResponseInformation request_response_information Bool always "Whether the client wants Response Information.";
    RequestProblemInformation request_problem_information Bool always "Whether the client wants Reason Strings and User Properties on failures.";
    ResponseInformation response_information Text optional "Response Information for CONNACK, if the client asked for it.";
    AuthenticationMethod authentication_method Text optional "Authentication Method of CONNECT.";
    AuthenticationData authentication_data Bytes optional "Authentication Data; changed: sent back.";
    UserProperties user_properties Pairs always "User Properties of the packet or message, in order; names may repeat.";
    ResponseUserProperties response_user_properties Pairs always "User Properties of the answering packet.";
    WillTopic will_topic Text optional "Topic Name of the Will Message.";
    WillPayload will_payload Bytes optional "Payload of the Will Message.";
    WillQos will_qos Integer optional "QoS of the Will Message.";
    WillRetain will_retain Bool optional "RETAIN of the Will Message.";
    WillDelayInterval will_delay_interval Integer optional "Seconds between the end of the Network Connection and the Will Message.";
    Topic topic Text always "Topic Name.";
    Payload payload Bytes always "Payload of the message, any bytes.";
    PayloadSize payload_size Integer always "Length of the payload in bytes.";
    Qos qos Integer always "QoS of the message or of the subscription: 0, 1 or 2.";
    Retain retain Bool always "RETAIN flag.";
    Dup dup Bool always "DUP flag as received.";
    PayloadFormat payload_format Integer optional "Payload Format Indicator: 0 bytes, 1 UTF-8 text.";
    MessageExpiryInterval message_expiry_interval Integer optional "Seconds that the message still lives.";
    ContentType content_type Text optional "Content Type, MIME or the application's own.";
    ResponseTopic response_topic Text optional "Topic Name for a response.";
    CorrelationData correlation_data Bytes optional "Handed back with the response.";
    Source source Text always "Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.";
    SenderClientId sender_client_id Text optional "Client Identifier of the publisher; absent for what no client published.";
    ReceiverClientId receiver_client_id Text always "Client Identifier of the receiving Session; for a message that was dropped before anybody was to receive it, absent.";
    ReceiverUsername receiver_username Text optional "Username of the receiving client.";
    TopicFilter topic_filter Text always "Topic Filter as the client sent it, `$share/{ShareName}/` included.";
    ShareName share_name Text optional "Share Name of a Shared Subscription.";
    NoLocal no_local Bool always "No Local: do not send the client its own messages.";
    RetainAsPublished retain_as_published Bool always "Retain As Published: keep the RETAIN flag.";
    RetainHandling retain_handling Integer always "Retain Handling: 0 send retained messages, 1 only for a new subscription, 2 never.";
    SubscriptionIdentifier subscription_identifier Integer optional "Subscription Identifier, 1 to 268 435 455.";
    ReasonCode reason_code Integer always "MQTT 5 Reason Code of the packet or event.";
    ReasonString reason_string Text optional "Reason String.";
    Reason reason Text optional "Why, as one word: queue_full, expired, too_large, no_local, quota, plugin, inflight_lost, session_ended, offline_qos0, taken_over, clean_start, disconnected.";
    DisconnectType disconnect_type Text always "Clean, NotClean, Takeover, Kicked or Rejected.";
    Dropped dropped Bool always "Whether the message was dropped instead of being enqueued.";
    Completed completed Bool always "Whether the delivery ended well.";
    AllReceiversFiltered all_receivers_filtered Bool always "There were receivers, and plugins filtered every one of them.";
    PacketType packet_type Text always "Name of the control packet in lower case: connect, publish, puback, ...";
    PacketIdentifier packet_identifier Integer optional "Packet Identifier, 1 to 65 535.";
    Change change Text always "What happened to the retained message: set, replaced or removed.";
    NMessages n_messages Integer always "How many messages.";
    NQueued n_queued Integer always "Messages that wait in the Session.";
    NSubscriptions n_subscriptions Integer always "Subscriptions that the Session holds.";
    Plugin plugin Text optional "Name of the plugin that caused it.";
    Generation generation Integer always "Number of the plugin set, one more at every reload.";
    Sequence sequence Integer always "Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.";
    Timestamp timestamp Integer always "Milliseconds since 1970-01-01 UTC.";
    Subscriptions subscriptions Records always "Subscriptions of the Session." [TopicFilter Qos NoLocal RetainAsPublished RetainHandling SubscriptionIdentifier];
    Messages messages Records always "Messages, oldest first; those of an answer are added to what is there." [Topic Payload Qos Retain PayloadFormat MessageExpiryInterval ContentType ResponseTopic CorrelationData UserProperties SenderClientId];
}

impl Field {
    /// The row of this field.
    #[must_use]
    pub fn spec(self) -> &'static FieldSpec {
        &FIELDS[self as usize]
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// By name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        FIELDS
            .iter()
            .find(|spec| spec.name == name)
            .map(|spec| spec.field)
    }
}

/// A set of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldSet(u128);

impl FieldSet {
    /// No field.
    pub const EMPTY: Self = Self(0);

    /// These fields.
    #[must_use]
    pub const fn of(fields: &[Field]) -> Self {
        let mut set = 0;
        let mut at = 0;
        while at < fields.len() {
            set |= 1 << fields[at] as u8;
            at += 1;
        }
        Self(set)
    }

    /// With one more.
    #[must_use]
    pub const fn with(self, field: Field) -> Self {
        Self(self.0 | 1 << field as u8)
    }

    /// With all of the other.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it is in.
    #[must_use]
    pub const fn has(self, field: Field) -> bool {
        self.0 & (1 << field as u8) != 0
    }

    /// Whether none is in.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All that are in, in the order of [`Field`].
    pub fn iter(self) -> impl Iterator<Item = Field> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let first = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            FIELDS.get(first).map(|spec| spec.field)
        })
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        fields.into_iter().fold(Self::EMPTY, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_the_row_of_its_number_and_fits_the_set() {
        assert!(FIELDS.len() <= 128);
        for (at, spec) in FIELDS.iter().enumerate() {
            assert_eq!(spec.field as usize, at, "{}", spec.name);
            assert_eq!(Field::from_name(spec.name), Some(spec.field));
            assert_eq!(
                spec.kind == Type::Records,
                !spec.record.is_empty(),
                "{}",
                spec.name
            );
        }
    }

    #[test]
    fn a_set_gives_its_fields_back_in_order() {
        let all: FieldSet = FIELDS.iter().map(|spec| spec.field).collect();
        assert!(all.iter().eq(FIELDS.iter().map(|spec| spec.field)));
        let some = FieldSet::of(&[Field::Topic, Field::ClientId]);
        assert_eq!(
            some.iter().collect::<Vec<_>>(),
            [Field::ClientId, Field::Topic]
        );
        assert_eq!(FieldSet::EMPTY.iter().next(), None);
    }
}
