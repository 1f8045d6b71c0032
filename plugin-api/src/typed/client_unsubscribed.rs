//! `client_unsubscribed`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;

use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, Told};
use crate::event::Event;
use crate::field::Field;
use crate::value::Value;
use crate::view;

/// A subscription was really removed: by the client, or because it lost its right; then the reason says why.
///
/// Notice `client_unsubscribed`.
#[derive(Clone, Copy)]
pub struct ClientUnsubscribed<'a> {
    event: &'a dyn Event,
}

impl<'a> ClientUnsubscribed<'a> {
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

    /// Topic Filter as the client sent it, `$share/{ShareName}/` included.
    #[must_use]
    pub fn topic_filter(&self) -> &str {
        view::text(self.get(Field::TopicFilter))
    }

    /// MQTT 5 Reason Code of the packet or event.
    #[must_use]
    pub fn reason_code(&self) -> u8 {
        view::number(self.get(Field::ReasonCode))
    }

    /// Reason String.
    #[must_use]
    pub fn reason_string(&self) -> Option<&str> {
        self.get(Field::ReasonString).as_text()
    }

    /// Name of the plugin that caused it.
    #[must_use]
    pub fn plugin(&self) -> Option<&str> {
        self.get(Field::Plugin).as_text()
    }

    /// Client Identifier of the client that this is about; absent for what no client caused.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.get(Field::ClientId).as_text()
    }

    /// Username that the client sent in CONNECT.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.get(Field::Username).as_text()
    }

    /// Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.get(Field::Endpoint).as_text()
    }

    /// Name of the listener that accepted the connection.
    #[must_use]
    pub fn listener(&self) -> Option<&str> {
        self.get(Field::Listener).as_text()
    }

    /// 4 for MQTT 3.1.1, 5 for MQTT 5.0.
    #[must_use]
    pub fn protocol_version(&self) -> Option<u8> {
        view::maybe_number(self.get(Field::ProtocolVersion))
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

impl fmt::Debug for ClientUnsubscribed<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::ClientUnsubscribed.spec().field_set();
        view::debug("ClientUnsubscribed", self.event(), fields, out)
    }
}

impl Closures {
    /// Answers `client_unsubscribed`. A subscription was really removed: by the client, or because it lost its right; then the reason says why.
    #[must_use]
    pub fn on_client_unsubscribed<R>(
        self,
        closure: impl Fn(ClientUnsubscribed<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<Told>,
    {
        self.on(Hook::ClientUnsubscribed, move |event| {
            let event = ClientUnsubscribed::new(event);
            closure(event).reply()
        })
    }
}
