//! What the broker offers to a plugin beside its events: tables of functions that a dynamic library gets by name
//! (`HostCalls::extension`), and the structs that they take. A WASM core module has [imports](super::imports) that take the same structs.
//!
//! Every function can be called from any thread and returns at once. Those that answer with a number give a [`status`] below 0 when
//! they were refused; `HostCalls::error` then has the words. Those that answer with a length write nothing if the buffer is too short,
//! so that the caller can come again with a longer one.

use super::{Bytes, Event, Host, Pair};

/// Name of [`LogCalls`]; every plugin has it.
pub const LOG: &str = "hookmq.log.1";
/// Name of [`PublishCalls`]; wants the grant `publish`.
pub const PUBLISH: &str = "hookmq.publish.1";
/// Name of [`DisconnectCalls`]; wants the grant `disconnect`.
pub const DISCONNECT: &str = "hookmq.disconnect.1";
/// Name of [`QueryCalls`]; wants the grant `query`.
pub const QUERY: &str = "hookmq.query.1";
/// Name of [`KvCalls`]; wants the grant `kv`.
pub const KV: &str = "hookmq.kv.1";
/// Name of [`CacheCalls`]; wants the grant `cache`.
pub const CACHE: &str = "hookmq.cache.1";

/// Why a host function refused: results below 0.
pub mod status {
    /// The plugin's section does not grant it.
    pub const NOT_GRANTED: i32 = -1;
    /// A limit was hit.
    pub const LIMIT: i32 = -2;
    /// An argument is wrong.
    pub const ARGUMENT: i32 = -3;
    /// The plugin publishes from what its own publish caused, too deep.
    pub const DEPTH: i32 = -4;
    /// The broker is stopping.
    pub const STOPPING: i32 = -5;
    /// There is nothing of that name: key, client or session.
    pub const ABSENT: i32 = -6;
}

/// Levels of a log line.
pub mod level {
    /// For whoever looks for a fault.
    pub const DEBUG: u32 = 0;
    /// For the record.
    pub const INFO: u32 = 1;
    /// Something is odd.
    pub const WARN: u32 = 2;
    /// Something failed.
    pub const ERROR: u32 = 3;
}

/// The broker's log.
#[repr(C)]
#[derive(Debug)]
pub struct LogCalls {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Writes a line. `place` is file and line in the plugin's source, or empty.
    pub log:
        Option<unsafe extern "C" fn(host: *const Host, level: u32, place: Bytes, message: Bytes)>,
}

/// [`Message::flags`]: the message shall be retained.
pub const RETAIN: u32 = 1;
/// [`Message::flags`]: `message_expiry_interval` counts.
pub const EXPIRES: u32 = 2;

/// A message that a plugin publishes.
#[repr(C)]
#[derive(Debug)]
pub struct Message {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0, 1 or 2.
    pub qos: u32,
    /// [`RETAIN`] and [`EXPIRES`].
    pub flags: u32,
    /// Seconds.
    pub message_expiry_interval: u32,
    /// Topic Name, UTF-8.
    pub topic: Bytes,
    /// Any bytes.
    pub payload: Bytes,
    /// UTF-8; absent where `data` is null.
    pub content_type: Bytes,
    /// UTF-8; absent where `data` is null.
    pub response_topic: Bytes,
    /// Any bytes; absent where `data` is null.
    pub correlation_data: Bytes,
    /// User Properties.
    pub user_properties: *const Pair,
    /// How many.
    pub user_property_count: usize,
}

/// Publishing. `event` is the event that is being handled, so that loops are found; null outside of a handler.
#[repr(C)]
#[derive(Debug)]
pub struct PublishCalls {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Publishes. 0 or a [`status`].
    pub publish: Option<
        unsafe extern "C" fn(
            host: *const Host,
            event: *const Event,
            message: *const Message,
        ) -> i32,
    >,
    /// Delivers to one client's session, whether it subscribed or not. 1, 0 if there is no such session, or a [`status`].
    pub publish_to: Option<
        unsafe extern "C" fn(
            host: *const Host,
            event: *const Event,
            client_id: Bytes,
            message: *const Message,
        ) -> i32,
    >,
}

/// Disconnecting.
#[repr(C)]
#[derive(Debug)]
pub struct DisconnectCalls {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Ends a client's Network Connection; `reason_string` may be empty. 1, 0 if it is not connected, or a [`status`].
    pub disconnect: Option<
        unsafe extern "C" fn(
            host: *const Host,
            client_id: Bytes,
            reason_code: u32,
            reason_string: Bytes,
        ) -> i32,
    >,
}

/// When a key-value write happens: `condition` of `KvCalls::set`.
pub mod condition {
    /// In any case.
    pub const ALWAYS: u32 = 0;
    /// Only if the key is absent.
    pub const ABSENT: u32 = 1;
    /// Only if the stored value equals `expected`.
    pub const EQUALS: u32 = 2;
}

/// The shared key-value map. Times are milliseconds, 0 for never.
#[repr(C)]
#[derive(Debug)]
pub struct KvCalls {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Reads. The value's length, written if it fits; or a [`status`].
    pub get: Option<
        unsafe extern "C" fn(
            host: *const Host,
            key: Bytes,
            buffer: *mut u8,
            capacity: usize,
        ) -> i64,
    >,
    /// Writes. 1, 0 if the [`condition`] did not hold, or a [`status`].
    pub set: Option<
        unsafe extern "C" fn(
            host: *const Host,
            key: Bytes,
            value: Bytes,
            expires_ms: u64,
            condition: u32,
            expected: Bytes,
        ) -> i32,
    >,
    /// Removes. 1, 0 if it was absent, or a [`status`].
    pub delete: Option<unsafe extern "C" fn(host: *const Host, key: Bytes) -> i32>,
    /// Adds to a whole number and writes the sum; the expiry counts only when the key is new. 0 or a [`status`].
    pub add: Option<
        unsafe extern "C" fn(
            host: *const Host,
            key: Bytes,
            amount: i64,
            expires_ms: u64,
            sum: *mut i64,
        ) -> i32,
    >,
}

/// A connected client, as a query writes it.
#[repr(C)]
#[derive(Debug)]
pub struct ClientInfo {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 4 for MQTT 3.1.1, 5 for 5.0.
    pub protocol_version: u32,
    /// Seconds; 0 is off.
    pub keep_alive: u32,
    /// 0.
    pub reserved: u32,
    /// Milliseconds since the epoch.
    pub connected_at_ms: u64,
    /// Client Identifier.
    pub client_id: Bytes,
    /// Username; absent where `data` is null.
    pub username: Bytes,
    /// Remote address, `ip:port`.
    pub endpoint: Bytes,
    /// Name of the listener.
    pub listener: Bytes,
}

/// A session, as a query writes it.
#[repr(C)]
#[derive(Debug)]
pub struct SessionInfo {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 1 if a Network Connection is up.
    pub connected: u32,
    /// Seconds; 0 ends with the connection, 4 294 967 295 never.
    pub session_expiry_interval: u32,
    /// 0.
    pub reserved: u32,
    /// Messages that wait.
    pub n_queued: u64,
    /// Messages sent and not yet acknowledged.
    pub n_inflight: u64,
    /// Client Identifier.
    pub client_id: Bytes,
    /// What it subscribed to.
    pub subscriptions: *const SubscriptionInfo,
    /// How many.
    pub subscription_count: usize,
}

/// A subscription of a [`SessionInfo`].
#[repr(C)]
#[derive(Debug)]
pub struct SubscriptionInfo {
    /// Topic Filter, a Shared Subscription's with its `$share/` prefix.
    pub topic_filter: Bytes,
    /// 0, 1 or 2.
    pub qos: u32,
    /// 0.
    pub reserved: u32,
}

/// A retained message, as a query writes it.
#[repr(C)]
#[derive(Debug)]
pub struct RetainedInfo {
    /// Topic Name.
    pub topic: Bytes,
    /// Any bytes.
    pub payload: Bytes,
    /// 0, 1 or 2.
    pub qos: u32,
    /// 0.
    pub reserved: u32,
}

/// Asking. Each writes a struct to the start of `buffer`, which must be aligned to 8, and behind it what the struct points to. The
/// result is the length of all of it, written if it fits; or a [`status`].
#[repr(C)]
#[derive(Debug)]
pub struct QueryCalls {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// A connected client: a [`ClientInfo`].
    pub client: Option<
        unsafe extern "C" fn(
            host: *const Host,
            client_id: Bytes,
            buffer: *mut u8,
            capacity: usize,
        ) -> i64,
    >,
    /// A session: a [`SessionInfo`].
    pub session: Option<
        unsafe extern "C" fn(
            host: *const Host,
            client_id: Bytes,
            buffer: *mut u8,
            capacity: usize,
        ) -> i64,
    >,
    /// Retained messages, at most `limit`: a [`super::List`] of [`RetainedInfo`].
    pub retained: Option<
        unsafe extern "C" fn(
            host: *const Host,
            topic_filter: Bytes,
            limit: u32,
            buffer: *mut u8,
            capacity: usize,
        ) -> i64,
    >,
}

/// What the broker keeps of earlier answers (`AnswerCalls::keep`).
#[repr(C)]
#[derive(Debug)]
pub struct CacheCalls {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Forgets the answers with this tag. How many, or a [`status`].
    pub invalidate: Option<unsafe extern "C" fn(host: *const Host, tag: Bytes) -> i64>,
    /// The same, and asks again for the subscriptions of live clients that such an answer allowed. How many, or a [`status`].
    pub reauthorize: Option<unsafe extern "C" fn(host: *const Host, tag: Bytes) -> i64>,
}
