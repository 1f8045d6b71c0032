//! The hook catalogue: one row per hook point, the only source of what a hook is called, when it comes, what it carries, what a
//! plugin may answer and change, and what happens when the plugin fails.
//!
//! Verb first is a decision: the broker waits (`validate_connection`). Subject and past participle is a notice: after the fact,
//! in order per client, never on the packet path (`client_connected`). `load_...` supplies data.

use crate::answer::VerdictKind;
use crate::field::{Field, FieldSet};

/// How answers combine, and whether the broker waits for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Every listener is asked until one denies; a deny always wins, else an accept; the listener's default if all pass.
    Gate,
    /// A fold in order: each sees the changes of those before; drop, consume, deny and disconnect end the chain.
    Filter,
    /// All are told, after the fact.
    Notice,
    /// Asked for data at start.
    Supply,
}

impl Kind {
    /// The word that docs use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Filter => "filter",
            Self::Notice => "notice",
            Self::Supply => "supply",
        }
    }
}

/// What a failure of the plugin counts as: error, timeout, memory limit, trap, open breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnError {
    /// As a deny.
    Deny,
    /// As a pass without changes.
    Pass,
}

impl OnError {
    /// The word in the config.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Pass => "pass",
        }
    }
}

/// One row of the catalogue.
#[derive(Debug)]
pub struct HookSpec {
    /// The hook.
    pub hook: Hook,
    /// One snake_case word: Lua function, WIT interface, C slot, config key, metric label.
    pub name: &'static str,
    /// How answers combine.
    pub kind: Kind,
    /// When it comes.
    pub when: &'static str,
    /// The MQTTnet event that it is one to one with.
    pub mqttnet: Option<&'static str>,
    /// What a handler may read.
    pub fields: &'static [Field],
    /// What a handler may change.
    pub changes: &'static [Field],
    /// What a handler may answer.
    pub verdicts: &'static [VerdictKind],
    /// What a failure counts as, unless the plugin's section says otherwise.
    pub on_error: OnError,
    /// Whether the call may await.
    pub awaits: bool,
    /// Whether it comes per packet, message or receiver.
    pub hot: bool,
    /// Whether an accept or a deny may carry [`crate::answer::Keep`], so that the broker decides like events without calling.
    pub keeps: bool,
    /// The version of the contract that brought it.
    pub since: &'static str,
}

impl HookSpec {
    /// The fields as a set.
    #[must_use]
    pub const fn field_set(&self) -> FieldSet {
        FieldSet::of(self.fields)
    }

    /// Whether a handler may change the field.
    #[must_use]
    pub fn may_change(&self, field: Field) -> bool {
        self.changes.contains(&field)
    }

    /// Whether an answer with this verdict may be kept.
    #[must_use]
    pub const fn may_keep(&self, verdict: VerdictKind) -> bool {
        self.keeps && matches!(verdict, VerdictKind::Accept | VerdictKind::Deny)
    }

    /// Whether a handler may answer so.
    #[must_use]
    pub fn may_answer(&self, verdict: VerdictKind) -> bool {
        self.verdicts.contains(&verdict)
    }
}

macro_rules! catalogue {
    ($($variant:ident $name:ident $kind:ident {
        when: $when:literal,
        $(mqttnet: $mqttnet:literal,)?
        fields: [$($field:ident)*] $(+ $group:ident)*,
        $(changes: [$($change:ident)*],)?
        $(verdicts: [$($verdict:ident)*],)?
        $(on_error: $on_error:ident,)?
        $(awaits: $awaits:literal,)?
        $(hot: $hot:literal,)?
        $(keeps: $keeps:literal,)?
    })*) => {
        /// A hook point. A closed list: an unknown name is an error at load.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Hook {
            $(#[doc = $when] $variant,)*
        }

        /// One row per hook, in the order of [`Hook`].
        pub static HOOKS: &[HookSpec] = &[
            $(HookSpec {
                hook: Hook::$variant,
                name: stringify!($name),
                kind: Kind::$kind,
                when: $when,
                mqttnet: option!($($mqttnet)?),
                fields: {
                    const LISTS: &[&[Field]] = &[&[$(Field::$field),*], $($group),*];
                    const ALL: [Field; total(LISTS)] = joined(LISTS);
                    &ALL
                },
                changes: &[$($(Field::$change),*)?],
                verdicts: &[$($(VerdictKind::$verdict),*)?],
                on_error: or!(OnError::Pass, $(OnError::$on_error)?),
                awaits: or!(false, $($awaits)?),
                hot: or!(false, $($hot)?),
                keeps: or!(false, $($keeps)?),
                since: "1.0",
            },)*
        ];
    };
}

macro_rules! option {
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

macro_rules! or {
    ($default:expr,) => {
        $default
    };
    ($default:expr, $value:expr) => {
        $value
    };
}

const fn total(lists: &[&[Field]]) -> usize {
    let mut sum = 0;
    let mut at = 0;
    while at < lists.len() {
        sum += lists[at].len();
        at += 1;
    }
    sum
}

const fn joined<const N: usize>(lists: &[&[Field]]) -> [Field; N] {
    let mut all = [Field::ClientId; N];
    let mut to = 0;
    let mut list = 0;
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            all[to] = lists[list][at];
            to += 1;
            at += 1;
        }
        list += 1;
    }
    all
}

/// Who the client is.
const CLIENT: &[Field] = &[
    Field::ClientId,
    Field::Username,
    Field::Endpoint,
    Field::Listener,
    Field::ProtocolVersion,
];

/// What an Application Message carries.
const MESSAGE: &[Field] = &[
    Field::Topic,
    Field::Payload,
    Field::PayloadSize,
    Field::Qos,
    Field::Retain,
    Field::PayloadFormat,
    Field::MessageExpiryInterval,
    Field::ContentType,
    Field::ResponseTopic,
    Field::CorrelationData,
    Field::UserProperties,
];

/// From whom to whom.
const ROUTE: &[Field] = &[
    Field::SenderClientId,
    Field::ReceiverClientId,
    Field::ReceiverUsername,
    Field::Source,
];

/// What a subscription asks for.
const SUBSCRIPTION: &[Field] = &[
    Field::TopicFilter,
    Field::ShareName,
    Field::Qos,
    Field::NoLocal,
    Field::RetainAsPublished,
    Field::RetainHandling,
    Field::SubscriptionIdentifier,
];

/// What every notice carries.
const NOTICE: &[Field] = &[Field::Sequence, Field::Timestamp];

/// What a session notice carries.
const SESSION: &[Field] = &[
    Field::ClientId,
    Field::Username,
    Field::SessionExpiryInterval,
    Field::NQueued,
    Field::NSubscriptions,
];

catalogue! {
    BrokerStarted broker_started Notice {
        when: "All listeners are bound.",
        mqttnet: "StartedAsync",
        fields: [Endpoint] + NOTICE,
    }
    BrokerStopping broker_stopping Notice {
        when: "A stop was asked for; clients are being disconnected, and nothing can be published any more.",
        fields: [Endpoint] + NOTICE,
    }
    BrokerStopped broker_stopped Notice {
        when: "The last client is gone.",
        mqttnet: "StoppedAsync",
        fields: [Endpoint] + NOTICE,
    }
    ConfigReloaded config_reloaded Notice {
        when: "A new set of plugins or a new configuration is live.",
        fields: [Generation] + NOTICE,
    }
    ValidateConnection validate_connection Gate {
        when: "CONNECT is decoded and CONNACK not yet sent.",
        mqttnet: "ValidatingConnectionAsync",
        fields: [Password Secure CleanStart KeepAlive SessionExpiryInterval ReceiveMaximum MaximumPacketSize TopicAliasMaximum
            RequestResponseInformation RequestProblemInformation AuthenticationMethod AuthenticationData UserProperties
            WillTopic WillPayload WillQos WillRetain WillDelayInterval] + CLIENT,
        changes: [ClientId Username KeepAlive SessionExpiryInterval ReceiveMaximum MaximumPacketSize TopicAliasMaximum MaximumQos
            ResponseInformation ResponseUserProperties ReasonString AuthenticationData],
        verdicts: [Pass Accept Deny Disconnect],
        on_error: Deny,
        awaits: true,
    }
    PrepareSession prepare_session Filter {
        when: "The connection is allowed; its Session is about to be created or resumed.",
        mqttnet: "PreparingSessionAsync",
        fields: [SessionPresent SessionExpiryInterval WillDelayInterval NQueued Subscriptions] + CLIENT,
        changes: [Subscriptions Messages SessionExpiryInterval WillDelayInterval],
        verdicts: [Pass Deny],
        awaits: true,
    }
    ClientConnected client_connected Notice {
        when: "CONNACK was sent.",
        mqttnet: "ClientConnectedAsync",
        fields: [SessionPresent CleanStart KeepAlive SessionExpiryInterval UserProperties] + CLIENT + NOTICE,
    }
    ClientDisconnected client_disconnected Notice {
        when: "The Network Connection of a connected client is gone.",
        mqttnet: "ClientDisconnectedAsync",
        fields: [ReasonCode ReasonString DisconnectType SessionExpiryInterval UserProperties] + CLIENT + NOTICE,
    }
    SessionCreated session_created Notice {
        when: "A new Session exists.",
        fields: [] + SESSION + NOTICE,
    }
    SessionResumed session_resumed Notice {
        when: "A client came back to its Session.",
        fields: [] + SESSION + NOTICE,
    }
    SessionTakenOver session_taken_over Notice {
        when: "A second connection with the same Client Identifier took the Session.",
        fields: [Endpoint] + SESSION + NOTICE,
    }
    SessionOffline session_offline Notice {
        when: "The Network Connection is gone and the Session stays.",
        fields: [] + SESSION + NOTICE,
    }
    SessionExpired session_expired Notice {
        when: "The Session Expiry Interval has passed.",
        fields: [] + SESSION + NOTICE,
    }
    SessionDeleted session_deleted Notice {
        when: "The Session State is removed.",
        mqttnet: "SessionDeletedAsync",
        fields: [Reason] + SESSION + NOTICE,
    }
    InterceptSubscription intercept_subscription Filter {
        when: "Once per Topic Filter of a SUBSCRIBE, in the packet's order, Shared Subscriptions too.",
        mqttnet: "InterceptingSubscriptionAsync",
        fields: [UserProperties] + SUBSCRIPTION + CLIENT,
        changes: [TopicFilter Qos NoLocal RetainAsPublished RetainHandling SubscriptionIdentifier ReasonString ResponseUserProperties],
        verdicts: [Pass Accept Deny Drop Disconnect],
        on_error: Deny,
        awaits: true,
    }
    AuthorizeSubscribe authorize_subscribe Gate {
        when: "After intercept_subscription, on the final Topic Filter.",
        fields: [] + SUBSCRIPTION + CLIENT,
        changes: [Qos RetainHandling],
        verdicts: [Pass Accept Deny Disconnect],
        on_error: Deny,
        awaits: true,
        keeps: true,
    }
    ClientSubscribed client_subscribed Notice {
        when: "The subscription is active.",
        mqttnet: "ClientSubscribedTopicAsync",
        fields: [] + SUBSCRIPTION + CLIENT + NOTICE,
    }
    InterceptUnsubscription intercept_unsubscription Filter {
        when: "Once per Topic Filter of an UNSUBSCRIBE, in the packet's order.",
        mqttnet: "InterceptingUnsubscriptionAsync",
        fields: [TopicFilter UserProperties] + CLIENT,
        changes: [TopicFilter ReasonString ResponseUserProperties],
        verdicts: [Pass Accept Deny Drop Disconnect],
        awaits: true,
    }
    ClientUnsubscribed client_unsubscribed Notice {
        when: "A subscription was really removed: by the client, or because it lost its right; then the reason says why.",
        mqttnet: "ClientUnsubscribedTopicAsync",
        fields: [TopicFilter ReasonCode ReasonString Plugin] + CLIENT + NOTICE,
    }
    InterceptInboundPacket intercept_inbound_packet Filter {
        when: "A packet is decoded, CONNECT included.",
        mqttnet: "InterceptingInboundPacketAsync",
        fields: [PacketType PacketIdentifier Topic Payload PayloadSize Qos Retain Dup ReasonCode UserProperties] + CLIENT,
        changes: [Topic Payload Retain UserProperties],
        verdicts: [Pass Drop Disconnect],
        hot: true,
    }
    InterceptOutboundPacket intercept_outbound_packet Filter {
        when: "A packet is about to be written, a refusing CONNACK included.",
        mqttnet: "InterceptingOutboundPacketAsync",
        fields: [PacketType PacketIdentifier Topic Payload PayloadSize Qos Retain Dup ReasonCode UserProperties] + CLIENT,
        changes: [Topic Payload Retain UserProperties],
        verdicts: [Pass Drop],
        hot: true,
    }
    InterceptPublish intercept_publish Filter {
        when: "A message has arrived: from a client, as a will, from a plugin or an embedding program.",
        mqttnet: "InterceptingPublishAsync",
        fields: [Source Dup] + CLIENT + MESSAGE,
        changes: [Topic Payload Qos Retain PayloadFormat MessageExpiryInterval ContentType ResponseTopic CorrelationData
            UserProperties ReasonCode ReasonString ResponseUserProperties],
        verdicts: [Pass Accept Deny Drop Consume Disconnect],
        on_error: Deny,
        awaits: true,
        hot: true,
    }
    AuthorizePublish authorize_publish Gate {
        when: "After intercept_publish, on the final message; wills too.",
        fields: [Topic PayloadSize Qos Retain Source] + CLIENT,
        changes: [Qos Retain],
        verdicts: [Pass Accept Deny Drop Disconnect],
        on_error: Deny,
        awaits: true,
        hot: true,
        keeps: true,
    }
    InterceptEnqueue intercept_enqueue Filter {
        when: "Once per receiver, before the message is handed to its Session; retained messages too.",
        mqttnet: "InterceptingClientEnqueueAsync",
        fields: [] + ROUTE + MESSAGE,
        changes: [Topic Payload Qos PayloadFormat MessageExpiryInterval ContentType ResponseTopic CorrelationData UserProperties],
        verdicts: [Pass Drop Disconnect],
        hot: true,
    }
    InterceptDelivery intercept_delivery Filter {
        when: "A PUBLISH for one receiver leaves its queue.",
        fields: [] + ROUTE + MESSAGE,
        changes: [Topic Payload PayloadFormat MessageExpiryInterval ContentType ResponseTopic CorrelationData UserProperties],
        verdicts: [Pass Drop],
        hot: true,
    }
    MessageEnqueued message_enqueued Notice {
        when: "After each attempt to hand a message to a Session; `dropped` tells how it ended.",
        mqttnet: "ApplicationMessageEnqueuedOrDroppedAsync",
        fields: [Dropped Reason] + ROUTE + MESSAGE + NOTICE,
        hot: true,
    }
    MessageOverwritten message_overwritten Notice {
        when: "The oldest message of a full queue made room for a new one.",
        mqttnet: "QueuedApplicationMessageOverwrittenAsync",
        fields: [] + ROUTE + MESSAGE + NOTICE,
    }
    MessageNotConsumed message_not_consumed Notice {
        when: "No Session received the message.",
        mqttnet: "ApplicationMessageNotConsumedAsync",
        fields: [SenderClientId Source AllReceiversFiltered] + MESSAGE + NOTICE,
    }
    MessageDropped message_dropped Notice {
        when: "A message, or one receiver's copy of it, was lost; `reason` says why.",
        fields: [Reason Plugin] + ROUTE + MESSAGE + NOTICE,
        hot: true,
    }
    MessageExpired message_expired Notice {
        when: "A waiting message was dropped because its Message Expiry Interval has passed.",
        fields: [] + ROUTE + MESSAGE + NOTICE,
    }
    MessageAcknowledged message_acknowledged Notice {
        when: "The receiver sent PUBACK or PUBCOMP, or a PUBREC that refuses.",
        mqttnet: "ClientAcknowledgedPublishPacketAsync",
        fields: [ClientId Username SenderClientId PacketType ReasonCode Completed] + MESSAGE + NOTICE,
        hot: true,
    }
    LoadRetained load_retained Supply {
        when: "At start, before listeners are bound, when what the store has is restored; `n_messages` are retained by then.",
        mqttnet: "LoadingRetainedMessageAsync",
        fields: [NMessages],
        changes: [Messages],
        verdicts: [Pass],
        awaits: true,
    }
    RetainedChanged retained_changed Notice {
        when: "A retained message was set, replaced or removed.",
        mqttnet: "RetainedMessageChangedAsync",
        fields: [Change SenderClientId] + MESSAGE + NOTICE,
    }
    RetainedCleared retained_cleared Notice {
        when: "All retained messages were removed at once.",
        mqttnet: "RetainedMessagesClearedAsync",
        fields: [NMessages] + NOTICE,
    }
    InterceptWill intercept_will Filter {
        when: "A Will Message is due, before it takes the way of every message.",
        fields: [WillDelayInterval] + CLIENT + MESSAGE,
        changes: [Topic Payload Qos Retain PayloadFormat MessageExpiryInterval ContentType ResponseTopic CorrelationData UserProperties],
        verdicts: [Pass Drop],
        awaits: true,
    }
}

impl Hook {
    /// The row of this hook.
    #[must_use]
    pub fn spec(self) -> &'static HookSpec {
        &HOOKS[self as usize]
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// By name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        HOOKS
            .iter()
            .find(|spec| spec.name == name)
            .map(|spec| spec.hook)
    }

    /// How many hooks there are.
    pub const COUNT: usize = 35;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_hooks() {
        assert_eq!(HOOKS.len(), Hook::COUNT);
        assert!(HOOKS.len() <= 64, "a chain's mask is a u64");
        for (at, spec) in HOOKS.iter().enumerate() {
            assert_eq!(spec.hook as usize, at);
            assert_eq!(Hook::from_name(spec.name), Some(spec.hook));
        }
    }

    #[test]
    fn mqttnet_has_its_twenty_two_events() {
        let mut events: Vec<_> = HOOKS.iter().filter_map(|spec| spec.mqttnet).collect();
        events.sort_unstable();
        events.dedup();
        assert_eq!(events.len(), 22);
    }

    #[test]
    fn notices_answer_nothing_and_decisions_can_pass() {
        for spec in HOOKS {
            match spec.kind {
                Kind::Notice => {
                    assert!(
                        spec.verdicts.is_empty() && spec.changes.is_empty() && !spec.awaits,
                        "{}",
                        spec.name
                    );
                    assert!(spec.fields.contains(&Field::Sequence), "{}", spec.name);
                }
                Kind::Gate | Kind::Filter | Kind::Supply => {
                    assert!(spec.may_answer(VerdictKind::Pass), "{}", spec.name);
                }
            }
        }
    }

    #[test]
    fn only_gates_let_their_answers_be_kept() {
        let keeping: Vec<_> = HOOKS.iter().filter(|spec| spec.keeps).collect();
        assert!(!keeping.is_empty());
        for spec in keeping {
            assert_eq!(spec.kind, Kind::Gate, "{}", spec.name);
            assert!(spec.may_keep(VerdictKind::Accept) && spec.may_keep(VerdictKind::Deny));
            assert!(!spec.may_keep(VerdictKind::Pass) && !spec.may_keep(VerdictKind::Disconnect));
            // A key made of these would hardly ever come again.
            assert!(!spec.fields.contains(&Field::Payload), "{}", spec.name);
        }
    }

    #[test]
    fn fields_do_not_repeat() {
        for spec in HOOKS {
            for (at, field) in spec.fields.iter().enumerate() {
                assert!(
                    !spec.fields[..at].contains(field),
                    "{} has {} twice",
                    spec.name,
                    field.name()
                );
            }
        }
    }
}
