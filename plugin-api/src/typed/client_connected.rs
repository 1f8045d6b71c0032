//! `client_connected`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;

use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, Told};
use crate::event::Event;
use crate::field::Field;
use crate::value::Value;
use crate::view::{self, Properties};

/// CONNACK was sent.
///
/// Notice `client_connected`.
#[derive(Clone, Copy)]
pub struct ClientConnected<'a> {
    event: &'a dyn Event,
}

impl<'a> ClientConnected<'a> {
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

    /// Whether the Session existed before this CONNECT.
    #[must_use]
    pub fn session_present(&self) -> bool {
        view::truth(self.get(Field::SessionPresent))
    }

    /// Clean Start (3.1.1: Clean Session).
    #[must_use]
    pub fn clean_start(&self) -> bool {
        view::truth(self.get(Field::CleanStart))
    }

    /// Keep Alive in seconds, 0 to 65 535; 0 is off. Where it may be changed: sent as Server Keep Alive.
    #[must_use]
    pub fn keep_alive(&self) -> u16 {
        view::number(self.get(Field::KeepAlive))
    }

    /// Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
    #[must_use]
    pub fn session_expiry_interval(&self) -> u32 {
        view::number(self.get(Field::SessionExpiryInterval))
    }

    /// User Properties of the packet or message, in order; names may repeat.
    #[must_use]
    pub fn user_properties(&self) -> Properties<'_> {
        view::pairs(self.get(Field::UserProperties))
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

impl fmt::Debug for ClientConnected<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::ClientConnected.spec().field_set();
        view::debug("ClientConnected", self.event(), fields, out)
    }
}

impl Closures {
    /// Answers `client_connected`. CONNACK was sent.
    #[must_use]
    pub fn on_client_connected<R>(
        self,
        closure: impl Fn(ClientConnected<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<Told>,
    {
        self.on(Hook::ClientConnected, move |event| {
            let event = ClientConnected::new(event);
            closure(event).reply()
        })
    }
}
