//! What a plugin may do besides answering, and what it must be granted for it.

use std::fmt;
use std::time::Duration;

/// A right that the operator gives to a plugin in its config section (`grants = ["publish", "kv"]`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Grant {
    /// Publish messages, to topics or to one client.
    Publish,
    /// Disconnect clients.
    Disconnect,
    /// Ask for clients, sessions and retained messages.
    Query,
    /// The shared key-value map.
    Kv,
    /// Take back answers that the broker keeps, and have it ask again.
    Cache,
    /// The time, for WebAssembly, which has none by itself.
    Clock,
    /// Random bytes, for WebAssembly, which has none by itself.
    Random,
}

impl Grant {
    /// All grants, in order.
    pub const ALL: [Self; 7] = [
        Self::Publish,
        Self::Disconnect,
        Self::Query,
        Self::Kv,
        Self::Cache,
        Self::Clock,
        Self::Random,
    ];

    /// The word in the config.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Disconnect => "disconnect",
            Self::Query => "query",
            Self::Kv => "kv",
            Self::Cache => "cache",
            Self::Clock => "clock",
            Self::Random => "random",
        }
    }

    /// From the word in the config.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }
}

/// A set of grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grants(u8);

impl Grants {
    /// Nothing granted.
    pub const NONE: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, grant: Grant) -> Self {
        Self(self.0 | 1 << grant as u8)
    }

    /// Whether it is granted.
    #[must_use]
    pub const fn has(self, grant: Grant) -> bool {
        self.0 & (1 << grant as u8) != 0
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        grants.into_iter().fold(Self::NONE, Self::with)
    }
}

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For whoever looks for a fault.
    Debug,
    /// For the record.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

/// A message that a plugin publishes. It goes through every hook like any other, with `source = "plugin"`.
#[derive(Debug, Clone, Default)]
pub struct OutgoingMessage {
    /// The Topic Name.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether it shall be retained.
    pub retain: bool,
    /// Seconds.
    pub message_expiry_interval: Option<u32>,
    /// MIME type or the like.
    pub content_type: Option<String>,
    /// Where a response shall go.
    pub response_topic: Option<String>,
    /// Handed back with the response.
    pub correlation_data: Option<Vec<u8>>,
    /// User Properties.
    pub user_properties: Vec<(String, String)>,
}

/// A connected client, as a query shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientView {
    /// Client Identifier.
    pub client_id: String,
    /// Username, if it sent one.
    pub username: Option<String>,
    /// Remote address, `ip:port`.
    pub endpoint: String,
    /// Name of the listener.
    pub listener: String,
    /// 4 for MQTT 3.1.1, 5 for 5.0.
    pub protocol_version: u8,
    /// Seconds; 0 is off.
    pub keep_alive: u16,
    /// Milliseconds since the epoch.
    pub connected_at_ms: u64,
}

/// A session, connected or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Client Identifier.
    pub client_id: String,
    /// Whether a Network Connection is up.
    pub connected: bool,
    /// Seconds; 0 ends with the connection, 4 294 967 295 never.
    pub session_expiry_interval: u32,
    /// Messages that wait.
    pub n_queued: usize,
    /// Messages sent and not yet acknowledged.
    pub n_inflight: usize,
    /// Topic Filters held, Shared Subscriptions with their `$share/` prefix, each with its QoS.
    pub subscriptions: Vec<(String, u8)>,
}

/// A retained message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetainedView {
    /// The Topic Name.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
}

/// When a key-value write happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvCondition {
    /// In any case.
    Always,
    /// Only if the key is absent.
    Absent,
    /// Only if the stored value equals this one (compare and set).
    Equals(Vec<u8>),
}

/// Why a host call was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostError {
    /// The plugin's section does not grant it.
    NotGranted(Grant),
    /// A limit was hit: which one, and its figure.
    Limit(&'static str, u64),
    /// An argument is wrong: which one, and why.
    Argument(&'static str, String),
    /// The plugin publishes from what its own publish caused, too deep.
    Depth(u8),
    /// The broker is stopping.
    Stopping,
}

impl fmt::Display for HostError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted(grant) => {
                write!(
                    out,
                    "not granted: add grants = [\"{}\"] to the plugin's section",
                    grant.name()
                )
            }
            Self::Limit(what, limit) => write!(out, "{what}: the limit is {limit}"),
            Self::Argument(name, why) => write!(out, "{name}: {why}"),
            Self::Depth(limit) => write!(
                out,
                "a plugin's publish led to another one more than {limit} deep"
            ),
            Self::Stopping => write!(out, "the broker is stopping"),
        }
    }
}

impl std::error::Error for HostError {}

/// The broker as one plugin sees it. Every method returns at once; grants are checked inside.
pub trait Host: Send + Sync + 'static {
    /// Writes to the broker's log. `place` is file and line. A plugin's lines are limited per second.
    fn log(&self, level: LogLevel, place: &str, message: &str, fields: &[(String, String)]);

    /// Publishes; `depth` is the current event's [`crate::Event::depth`].
    ///
    /// # Errors
    /// Not granted, invalid topic, too large, too deep, queue full, stopping.
    fn publish(&self, message: OutgoingMessage, depth: u8) -> Result<(), HostError>;

    /// Delivers to one client's session, whether it subscribed or not. False if there is no such session.
    ///
    /// # Errors
    /// As [`Host::publish`].
    fn publish_to(
        &self,
        client_id: &str,
        message: OutgoingMessage,
        depth: u8,
    ) -> Result<bool, HostError>;

    /// Ends a client's Network Connection. False if it is not connected.
    ///
    /// # Errors
    /// Not granted; a Reason Code that DISCONNECT does not have.
    fn disconnect(
        &self,
        client_id: &str,
        reason_code: u8,
        reason_string: Option<&str>,
    ) -> Result<bool, HostError>;

    /// A connected client.
    ///
    /// # Errors
    /// Not granted.
    fn client(&self, client_id: &str) -> Result<Option<ClientView>, HostError>;

    /// A session.
    ///
    /// # Errors
    /// Not granted.
    fn session(&self, client_id: &str) -> Result<Option<SessionView>, HostError>;

    /// Retained messages whose topic matches the filter, at most `limit`.
    ///
    /// # Errors
    /// Not granted; an invalid filter.
    fn retained(&self, topic_filter: &str, limit: usize) -> Result<Vec<RetainedView>, HostError>;

    /// Reads the shared map.
    ///
    /// # Errors
    /// Not granted.
    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError>;

    /// Writes the shared map; false if the condition did not hold.
    ///
    /// # Errors
    /// Not granted; over the map's limits.
    fn kv_set(
        &self,
        key: &str,
        value: &[u8],
        expires_in: Option<Duration>,
        condition: KvCondition,
    ) -> Result<bool, HostError>;

    /// Removes a key; false if it was absent.
    ///
    /// # Errors
    /// Not granted.
    fn kv_delete(&self, key: &str) -> Result<bool, HostError>;

    /// Adds to a whole number (absent counts as 0) in one step, and returns the sum. An expiry is set only when the key is new.
    ///
    /// # Errors
    /// Not granted; the stored value is no number; over the map's limits.
    fn kv_add(
        &self,
        key: &str,
        amount: i64,
        expires_in: Option<Duration>,
    ) -> Result<i64, HostError>;

    /// Forgets every answer that is kept with this tag (see [`crate::Keep`]), whichever plugin gave it, and returns how many there were.
    /// An answer that is being made meanwhile is used once, and not kept.
    ///
    /// # Errors
    /// Not granted; no tag can be so long, or empty.
    fn invalidate(&self, tag: &str) -> Result<usize, HostError>;

    /// As [`Host::invalidate`]; then the broker asks again, on its own time, about every subscription that was allowed with this tag, of
    /// clients connected or not. One that is refused now is removed, and one that is allowed with another QoS gets that.
    ///
    /// # Errors
    /// As [`Host::invalidate`].
    fn reauthorize(&self, tag: &str) -> Result<usize, HostError>;
}
