//! What a broker is built from. Each part has its own settings; this gathers them.

use std::net::SocketAddr;
use std::time::Duration;

pub use crate::hook::{HookSettings, KvSettings, NoticeSettings};
pub use crate::router::{RetainedLimits, Strategy as SharedStrategy};
pub use crate::session::settings::{QueueFull, SessionSettings};
pub use crate::store::{Durability, StorageSettings};

/// One address to listen on.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// Its name in logs, hooks and filters.
    pub name: String,
    /// Address and port; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Whether clients may connect while no plugin answers `validate_connection`.
    pub allow_anonymous: bool,
    /// What acknowledgements to its clients promise, if not what [`BrokerSettings::storage`] says.
    pub durability: Option<Durability>,
    /// Connections at once that have not said CONNECT yet. For one more the oldest of them gives way.
    pub maximum_handshakes: usize,
    /// Connections taken each second, and as many at once; more wait unaccepted. `None` takes any number.
    pub maximum_connect_rate: Option<u32>,
}

impl ListenerSettings {
    /// A listener that allows anonymous clients only on loopback.
    #[must_use]
    pub fn new(name: &str, bind: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            bind,
            allow_anonymous: bind.ip().is_loopback(),
            durability: None,
            maximum_handshakes: 10_000,
            maximum_connect_rate: None,
        }
    }
}

/// Settings of a whole broker.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// Where it listens.
    pub listeners: Vec<ListenerSettings>,
    /// Sessions and their connections.
    pub session: SessionSettings,
    /// The hook engine.
    pub hooks: HookSettings,
    /// Retained messages.
    pub retained: RetainedLimits,
    /// What survives the broker, where [`crate::Broker::store`] gives it a store.
    pub storage: StorageSettings,
    /// How one member of a Shared Subscription is chosen.
    pub shared_strategy: SharedStrategy,
    /// Network Connections at once; more wait unanswered.
    pub maximum_connections: usize,
    /// Bytes of messages that all Sessions hold, queued and in flight, each message counted for every Session that holds it. Half of it
    /// is kept for Sessions that hold less than their share; the others' queues are full by [`SessionSettings::queue_full`].
    pub maximum_queued_bytes: usize,
    /// Bytes of CONNECT packets that are not whole or not answered yet, of all connections together; the first 4 KiB of each do not
    /// count. A connection that needs more is closed.
    pub maximum_handshake_bytes: usize,
    /// Whether MQTT 5 clients are told plugins' reasons as Reason Strings.
    pub tell_reasons: bool,
    /// Whether a gate that all plugins pass means accept. As shipped it means deny.
    pub accept_by_default: bool,
    /// Messages of plugins and of the embedding program that wait at once.
    pub maximum_injected: usize,
    /// How long a stop waits for queues to drain and connections to close.
    pub stop_within: Duration,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            session: SessionSettings::default(),
            hooks: HookSettings::default(),
            retained: RetainedLimits {
                n_messages: 1_000_000,
                n_bytes: 512 << 20,
            },
            storage: StorageSettings::default(),
            shared_strategy: SharedStrategy::default(),
            maximum_connections: 100_000,
            maximum_queued_bytes: 1 << 30,
            maximum_handshake_bytes: 64 << 20,
            tell_reasons: true,
            accept_by_default: false,
            maximum_injected: 10_000,
            stop_within: Duration::from_secs(5),
        }
    }
}
