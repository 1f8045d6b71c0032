//! The part of the WIT package that does not follow from the catalogue: what a plugin can call, and its set-up.

/// Interfaces that every plugin may import.
pub(super) const ALWAYS: [&str; 3] = ["types", "event", "log"];

/// Interfaces that the plugin's section must grant, under the same word.
pub(super) const GRANTED: [&str; 7] = [
    "publish",
    "disconnect",
    "query",
    "kv",
    "cache",
    "clock",
    "random",
];

/// `host.wit`, without its head.
pub(super) const TEXT: &str = r#"
/// Exported by a plugin that has a configuration or something to prepare. It is called before the first event, once in every
/// instance: the broker has one per worker, so what an instance remembers is its own, and `kv` is what all share.
interface setup {
    /// Takes the `[plugin.config]` section as JSON; an error refuses the plugin at load.
    create: func(config: string) -> result<_, string>;
}

/// The broker's log. A plugin's lines are limited per second.
interface log {
    enum level {
        /// For whoever looks for a fault.
        debug,
        /// For the record.
        info,
        /// Something is odd.
        warn,
        /// Something failed.
        error,
    }

    /// With a place in the plugin's source, as in `filter.rs:12` (empty: unknown), and fields.
    write: func(level: level, place: string, message: string, fields: list<tuple<string, string>>);

    debug: func(message: string);
    info: func(message: string);
    warn: func(message: string);
    error: func(message: string);
}

/// Messages of the plugin's own. They go through every hook like any other, with the source `plugin`.
interface publish {
    use types.{host-error, pair};

    record outgoing {
        topic: string,
        payload: list<u8>,
        /// 0, 1 or 2.
        qos: u8,
        retain: bool,
        /// Seconds.
        message-expiry-interval: option<u32>,
        content-type: option<string>,
        response-topic: option<string>,
        correlation-data: option<list<u8>>,
        user-properties: list<pair>,
    }

    /// To whoever subscribed.
    publish: func(message: outgoing) -> result<_, host-error>;

    /// To one client's session, whether it subscribed or not; false if there is no such session.
    publish-to: func(client-id: string, message: outgoing) -> result<bool, host-error>;
}

/// Ends Network Connections.
interface disconnect {
    use types.{host-error};

    /// False if the client is not connected.
    disconnect: func(client-id: string, reason-code: u8, reason-string: option<string>) -> result<bool, host-error>;
}

/// What the broker knows.
interface query {
    use types.{host-error};

    /// A connected client.
    record client-view {
        client-id: string,
        username: option<string>,
        /// `ip:port`.
        endpoint: string,
        listener: string,
        /// 4 for MQTT 3.1.1, 5 for 5.0.
        protocol-version: u8,
        /// Seconds; 0 is off.
        keep-alive: u16,
        /// Milliseconds since 1970-01-01 UTC.
        connected-at-ms: u64,
    }

    /// A session, connected or not.
    record session-view {
        client-id: string,
        connected: bool,
        /// Seconds; 0 ends with the connection, 4 294 967 295 never.
        session-expiry-interval: u32,
        n-queued: u64,
        n-inflight: u64,
        /// Topic Filters, Shared Subscriptions with their `$share/` prefix, each with its QoS.
        subscriptions: list<tuple<string, u8>>,
    }

    /// A retained message.
    record retained-view {
        topic: string,
        payload: list<u8>,
        qos: u8,
    }

    client: func(client-id: string) -> result<option<client-view>, host-error>;

    session: func(client-id: string) -> result<option<session-view>, host-error>;

    /// Retained messages whose topic matches, at most `limit`.
    retained: func(topic-filter: string, limit: u32) -> result<list<retained-view>, host-error>;
}

/// The map that all plugins share.
interface kv {
    use types.{host-error};

    variant condition {
        always,
        /// Only if the key is absent.
        absent,
        /// Only if the stored value equals this one.
        equals(list<u8>),
    }

    get: func(key: string) -> result<option<list<u8>>, host-error>;

    /// False if the condition did not hold.
    set: func(key: string, value: list<u8>, expires-in-ms: option<u64>, condition: condition) -> result<bool, host-error>;

    /// False if it was absent.
    delete: func(key: string) -> result<bool, host-error>;

    /// Adds to a whole number in one step (absent counts as 0) and returns the sum. An expiry is set only when the key is new.
    add: func(key: string, amount: s64, expires-in-ms: option<u64>) -> result<s64, host-error>;
}

/// Answers that the broker keeps, see `keep`.
interface cache {
    use types.{host-error};

    /// Forgets every kept answer with this tag; how many there were.
    invalidate: func(tag: string) -> result<u64, host-error>;

    /// The same, and asks again about every live subscription that was allowed with this tag: one that lost its right is removed.
    /// How many subscriptions are asked about.
    reauthorize: func(tag: string) -> result<u64, host-error>;
}

/// The time.
interface clock {
    /// Milliseconds since 1970-01-01 UTC.
    now-ms: func() -> u64;

    /// Nanoseconds since some moment; never goes back.
    monotonic-ns: func() -> u64;
}

/// Random numbers, fit for secrets.
interface random {
    /// At most 64 KiB at once.
    bytes: func(len: u32) -> list<u8>;

    number: func() -> u64;
}
"#;
