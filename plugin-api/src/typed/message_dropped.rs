//! `message_dropped`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;

use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, Told};
use crate::event::Event;
use crate::field::Field;
use crate::value::Value;
use crate::view::{self, Properties};

/// A message, or one receiver's copy of it, was lost; `reason` says why.
///
/// Notice `message_dropped`; on the hot path.
#[derive(Clone, Copy)]
pub struct MessageDropped<'a> {
    event: &'a dyn Event,
}

impl<'a> MessageDropped<'a> {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn new(event: &'a dyn Event) -> Self {
        Self { event }
    }

    /// The event as all runtimes see it.
    #[must_use]
    pub fn event(&self) -> &dyn Event {
        self.event
    }

    /// Why, as one word: queue_full, expired, too_large, no_local, quota, plugin, inflight_lost, session_ended, offline_qos0, taken_over, clean_start, disconnected.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.get(Field::Reason).as_text()
    }

    /// Name of the plugin that caused it.
    #[must_use]
    pub fn plugin(&self) -> Option<&str> {
        self.get(Field::Plugin).as_text()
    }

    /// Client Identifier of the publisher; absent for what no client published.
    #[must_use]
    pub fn sender_client_id(&self) -> Option<&str> {
        self.get(Field::SenderClientId).as_text()
    }

    /// Client Identifier of the receiving Session; for a message that was dropped before anybody was to receive it, absent.
    #[must_use]
    pub fn receiver_client_id(&self) -> &str {
        view::text(self.get(Field::ReceiverClientId))
    }

    /// Username of the receiving client.
    #[must_use]
    pub fn receiver_username(&self) -> Option<&str> {
        self.get(Field::ReceiverUsername).as_text()
    }

    /// Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
    #[must_use]
    pub fn source(&self) -> &str {
        view::text(self.get(Field::Source))
    }

    /// Topic Name.
    #[must_use]
    pub fn topic(&self) -> &str {
        view::text(self.get(Field::Topic))
    }

    /// Payload of the message, any bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        view::bytes(self.get(Field::Payload))
    }

    /// Length of the payload in bytes.
    #[must_use]
    pub fn payload_size(&self) -> u64 {
        view::number(self.get(Field::PayloadSize))
    }

    /// QoS of the message or of the subscription: 0, 1 or 2.
    #[must_use]
    pub fn qos(&self) -> u8 {
        view::number(self.get(Field::Qos))
    }

    /// RETAIN flag.
    #[must_use]
    pub fn retain(&self) -> bool {
        view::truth(self.get(Field::Retain))
    }

    /// Payload Format Indicator: 0 bytes, 1 UTF-8 text.
    #[must_use]
    pub fn payload_format(&self) -> Option<u8> {
        view::maybe_number(self.get(Field::PayloadFormat))
    }

    /// Seconds that the message still lives.
    #[must_use]
    pub fn message_expiry_interval(&self) -> Option<u32> {
        view::maybe_number(self.get(Field::MessageExpiryInterval))
    }

    /// Content Type, MIME or the application's own.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.get(Field::ContentType).as_text()
    }

    /// Topic Name for a response.
    #[must_use]
    pub fn response_topic(&self) -> Option<&str> {
        self.get(Field::ResponseTopic).as_text()
    }

    /// Handed back with the response.
    #[must_use]
    pub fn correlation_data(&self) -> Option<&[u8]> {
        self.get(Field::CorrelationData).as_bytes()
    }

    /// User Properties of the packet or message, in order; names may repeat.
    #[must_use]
    pub fn user_properties(&self) -> Properties<'_> {
        view::pairs(self.get(Field::UserProperties))
    }

    /// Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        view::number(self.get(Field::Sequence))
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn timestamp(&self) -> u64 {
        view::number(self.get(Field::Timestamp))
    }

    fn get(&self, field: Field) -> Value<'_> {
        self.event.get(field)
    }
}

impl fmt::Debug for MessageDropped<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::MessageDropped.spec().field_set();
        view::debug("MessageDropped", self.event(), fields, out)
    }
}

impl Closures {
    /// Answers `message_dropped`. A message, or one receiver's copy of it, was lost; `reason` says why.
    #[must_use]
    pub fn on_message_dropped<R>(
        self,
        closure: impl Fn(MessageDropped<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<Told>,
    {
        self.on(Hook::MessageDropped, move |event| {
            let event = MessageDropped::new(event);
            closure(event).reply()
        })
    }
}
