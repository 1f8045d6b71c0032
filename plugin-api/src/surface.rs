//! The `broker` table of Lua scripts: what a script can call, beside its hooks. The Lua host registers its functions from this list, and
//! the type files for editors are generated from it.

use crate::field::{Field, FieldSet};
use crate::host::Grant;

/// What a handler's `client` shows, where the hook has it.
pub const CLIENT_FIELDS: FieldSet = FieldSet::of(&[
    Field::ClientId,
    Field::Username,
    Field::Endpoint,
    Field::Listener,
    Field::ProtocolVersion,
    Field::Secure,
]);

/// One function of the `broker` table.
#[derive(Debug)]
pub struct Function {
    /// Its name inside `broker`; a dot leads into a table: `kv.get`.
    pub name: &'static str,
    /// Its parameters, in order.
    pub params: &'static [Param],
    /// The Luau type of its result; empty for none.
    pub result: &'static str,
    /// What the plugin's section must grant.
    pub grant: Option<Grant>,
    /// Whether it waits, so that only handlers that await can call it.
    pub awaits: bool,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

/// One parameter of a [`Function`], or one field of a [`Shape`].
#[derive(Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Its Luau type.
    pub kind: &'static str,
    /// Whether it can be left out.
    pub optional: bool,
}

/// A named value that is no function.
#[derive(Debug)]
pub struct Constant {
    /// Its name.
    pub name: &'static str,
    /// Its Luau type.
    pub kind: &'static str,
    /// What it is.
    pub doc: &'static str,
}

/// A table or an object that the signatures name.
#[derive(Debug)]
pub struct Shape {
    /// Its name.
    pub name: &'static str,
    /// What it has.
    pub fields: &'static [Param],
    /// Whether only the broker makes it, so that a table with the same fields is none.
    pub is_opaque: bool,
    /// What it is.
    pub doc: &'static str,
}

/// A name for a longer type: name, Luau type, meaning.
pub static ALIASES: &[(&str, &str, &str)] = &[
    (
        "ReasonCode",
        "number | string",
        "A Reason Code, or the standard's name of it: 0x87 or \"not_authorized\".",
    ),
    (
        "UserProperties",
        "{ [string | number]: any }",
        "User Properties as a handler gets them: p.name is the first value of that name, p[1] is { name, value }.",
    ),
    (
        "Pairs",
        "UserProperties | { [string]: string } | { { string } }",
        "User Properties as a script gives them: by name, or as a list of { name, value } where order or repeated names matter.",
    ),
    ("LogFields", "{ [string]: any }", "Fields of a log line."),
];

/// Tables and objects that the signatures name.
pub static SHAPES: &[Shape] = &[
    Shape {
        name: "Verdict",
        fields: &[
            p("kind", "string"),
            opt("reason_code", "number"),
            opt("reason_string", "string"),
        ],
        is_opaque: true,
        doc: "What a handler answers; made by broker.pass, broker.deny and the like.",
    },
    Shape {
        name: "None",
        fields: &[],
        is_opaque: true,
        doc: "The type of broker.none, which stands for absent.",
    },
    Shape {
        name: "Filter",
        fields: &[
            opt("topics", "string | { string }"),
            opt("clients", "string | { string }"),
            opt("listeners", "string | { string }"),
            opt("qos", "number | { number }"),
            opt("min_size", "number"),
            opt("max_size", "number"),
        ],
        is_opaque: false,
        doc: "Events that a script wants: by topic filter, client identifier, listener, QoS, payload size in bytes.",
    },
    Shape {
        name: "RefusalOptions",
        fields: &[
            opt("user_properties", "Pairs"),
            opt("server_reference", "string"),
        ],
        is_opaque: false,
        doc: "What a refusal can say beside code and reason.",
    },
    Shape {
        name: "DenyOptions",
        fields: &[
            opt("user_properties", "Pairs"),
            opt("server_reference", "string"),
            opt("ttl", "number"),
            opt("tags", "string | { string }"),
        ],
        is_opaque: false,
        doc: "What a deny can say beside code and reason; ttl and tags as in Keep.",
    },
    Shape {
        name: "Keep",
        fields: &[opt("ttl", "number"), opt("tags", "string | { string }")],
        is_opaque: false,
        doc: "For how many seconds the broker may decide like events by this answer without calling, and what it depends on; only authorize_publish and authorize_subscribe.",
    },
    Shape {
        name: "KvOptions",
        fields: &[
            opt("expires_in", "number"),
            opt("only_if_absent", "boolean"),
            opt("only_if", "string"),
        ],
        is_opaque: false,
        doc: "How a key is written; expires_in in seconds.",
    },
    Shape {
        name: "OutgoingMessage",
        fields: &[
            p("topic", "string"),
            opt("payload", "string | buffer"),
            opt("qos", "number"),
            opt("retain", "boolean"),
            opt("message_expiry_interval", "number"),
            opt("content_type", "string"),
            opt("response_topic", "string"),
            opt("correlation_data", "string"),
            opt("user_properties", "Pairs"),
        ],
        is_opaque: false,
        doc: "A message to publish.",
    },
    Shape {
        name: "ClientView",
        fields: &[
            p("client_id", "string"),
            opt("username", "string"),
            p("endpoint", "string"),
            p("listener", "string"),
            p("protocol_version", "number"),
            p("keep_alive", "number"),
            p("connected_at", "number"),
        ],
        is_opaque: false,
        doc: "A connected client; connected_at in seconds since 1970-01-01 UTC.",
    },
    Shape {
        name: "SessionView",
        fields: &[
            p("client_id", "string"),
            p("connected", "boolean"),
            p("session_expiry_interval", "number"),
            p("n_queued", "number"),
            p("n_inflight", "number"),
            p("subscriptions", "{ { topic_filter: string, qos: number } }"),
        ],
        is_opaque: false,
        doc: "A session, connected or not.",
    },
    Shape {
        name: "RetainedView",
        fields: &[
            p("topic", "string"),
            p("payload", "string"),
            p("qos", "number"),
        ],
        is_opaque: false,
        doc: "A retained message.",
    },
];

/// What a handler's parameters can be named beside fields of its hook.
pub static PARAMETERS: &[Constant] = &[
    Constant {
        name: "msg",
        kind: "any",
        doc: "The event as one object with all fields of the hook, valid during the call; its types are the `...Event`s.",
    },
    Constant {
        name: "client",
        kind: "Client",
        doc: "The client that the event is about, as one object; only where the hook has such fields.",
    },
    Constant {
        name: "config",
        kind: "{ [string]: any }",
        doc: "The plugin's configuration: what the script declares as `config`, with what the operator set.",
    },
    Constant {
        name: "payload_buffer",
        kind: "buffer",
        doc: "The payload in a reused buffer, cheaper than a string when it is large; `payload_size` tells how much of it counts.",
    },
];

/// What the table that a script returns can have beside handlers. Anything else in it is an error at load.
pub static METADATA: &[Constant] = &[
    Constant {
        name: "priority",
        kind: "number",
        doc: "Plugins with a higher one are asked first.",
    },
    Constant {
        name: "timeout",
        kind: "string",
        doc: "Time that one call may take, as in \"50ms\"; units are us, ms and s.",
    },
    Constant {
        name: "on_error",
        kind: "\"deny\" | \"pass\"",
        doc: "What a failure counts as, instead of each hook's own rule.",
    },
    Constant {
        name: "filter",
        kind: "Filter",
        doc: "Which events the script is asked about at all.",
    },
    Constant {
        name: "config",
        kind: "{ [string]: any }",
        doc: "Keys that the operator can set, with their defaults; broker.required(kind) where there is none.",
    },
    Constant {
        name: "awaits",
        kind: "string | { string }",
        doc: "Hot hooks whose handlers await; handlers of other hooks that may await need no word.",
    },
    Constant {
        name: "version",
        kind: "string",
        doc: "The script's own version.",
    },
    Constant {
        name: "description",
        kind: "string",
        doc: "What the script does, in a sentence.",
    },
];

/// Values of the `broker` table.
pub static CONSTANTS: &[Constant] = &[
    Constant {
        name: "name",
        kind: "string",
        doc: "Name of this plugin in the broker's config.",
    },
    Constant {
        name: "none",
        kind: "None",
        doc: "Stands for absent in a table of changes: removes the property. The same value as broker.json.null.",
    },
    Constant {
        name: "json.null",
        kind: "None",
        doc: "JSON's null.",
    },
];

const fn p(name: &'static str, kind: &'static str) -> Param {
    Param {
        name,
        kind,
        optional: false,
    }
}

const fn opt(name: &'static str, kind: &'static str) -> Param {
    Param {
        name,
        kind,
        optional: true,
    }
}

macro_rules! surface {
    ($($name:literal ($($param:expr),*) -> $result:literal $(grant $grant:ident)? $(awaits $awaits:literal)? : $doc:literal;)*) => {
        /// Every function of the `broker` table, in the order of the guide.
        pub static FUNCTIONS: &[Function] = &[
            $(Function {
                name: $name,
                params: &[$($param),*],
                result: $result,
                grant: surface!(@grant $($grant)?),
                awaits: surface!(@awaits $($awaits)?),
                doc: $doc,
            },)*
        ];
    };
    (@grant) => { None };
    (@grant $grant:ident) => { Some(Grant::$grant) };
    (@awaits) => { false };
    (@awaits $awaits:literal) => { $awaits };
}

surface! {
    "pass"(opt("changes", "Changes")) -> "Verdict":
        "No opinion, the next plugin is asked; with changes, they are applied. Returning nothing is the same as broker.pass().";
    "accept"(opt("changes", "Acceptance")) -> "Verdict":
        "Allowed by this plugin; another plugin's deny still wins. With ttl, the broker need not ask again for so many seconds.";
    "deny"(opt("reason_code", "ReasonCode"), opt("reason_string", "string"), opt("options", "DenyOptions")) -> "Verdict":
        "Refused. The reason code is a number or the standard's name, as in \"not_authorized\"; left out, the broker chooses.";
    "drop"(opt("reason_string", "string"), opt("changes", "Changes")) -> "Verdict":
        "Acknowledged but not routed; counted as dropped. Of the changes only those to the acknowledgement have an effect.";
    "consume"(opt("changes", "Changes")) -> "Verdict":
        "Acknowledged but not routed; counted as consumed by this plugin. Changes as with drop.";
    "disconnect"(opt("reason_code", "ReasonCode"), opt("reason_string", "string"), opt("options", "RefusalOptions")) -> "Verdict":
        "Refused, and the Network Connection of the client whose packet this is ends. See disconnect_client to end another's.";
    "log.debug"(p("message", "string"), opt("fields", "LogFields")) -> "":
        "Writes to the broker's log, for whoever looks for a fault.";
    "log.info"(p("message", "string"), opt("fields", "LogFields")) -> "":
        "Writes to the broker's log. print does the same.";
    "log.warn"(p("message", "string"), opt("fields", "LogFields")) -> "":
        "Writes to the broker's log: something is odd.";
    "log.error"(p("message", "string"), opt("fields", "LogFields")) -> "":
        "Writes to the broker's log: something failed.";
    "kv.get"(p("key", "string")) -> "string?" grant Kv:
        "The value of a key in the map that all plugins' VMs share.";
    "kv.set"(p("key", "string"), p("value", "string | number"), opt("options", "KvOptions")) -> "boolean" grant Kv:
        "Writes a key, for expires_in seconds if given; false if only_if_absent or only_if (the value it must have now) did not hold.";
    "kv.add"(p("key", "string"), opt("amount", "number"), opt("options", "KvOptions")) -> "number" grant Kv:
        "Adds to a whole number (absent counts as 0) in one step and returns the sum; expires_in counts from when the key is new.";
    "kv.delete"(p("key", "string")) -> "boolean" grant Kv:
        "Removes a key; false if it was absent.";
    "json.encode"(p("value", "any")) -> "string":
        "A Lua value as JSON. An empty table is an object unless broker.json.array marked it.";
    "json.decode"(p("text", "string | buffer")) -> "any":
        "JSON as a Lua value; null is broker.json.null. An error tells line and column.";
    "json.valid"(p("text", "string | buffer"), opt("size", "number")) -> "boolean":
        "Whether it is JSON. Takes a payload_buffer with its size too.";
    "json.array"(opt("list", "{ any }")) -> "{ any }":
        "Marks a table as a JSON array, so that it is one even when empty; without an argument a new one.";
    "base64.encode"(p("bytes", "string | buffer")) -> "string":
        "Base64 with the standard alphabet and padding.";
    "base64.decode"(p("text", "string")) -> "string?":
        "The bytes, or nil if it is not base64.";
    "hash.sha256"(p("bytes", "string | buffer")) -> "string":
        "SHA-256 in hexadecimal.";
    "hash.hmac_sha256"(p("key", "string"), p("bytes", "string | buffer")) -> "string":
        "HMAC-SHA-256 in hexadecimal.";
    "hash.equal"(p("left", "string"), p("right", "string")) -> "boolean":
        "Compares in a time that does not depend on where they differ.";
    "password.verify"(p("password", "string?"), p("hash", "string")) -> "boolean" awaits true:
        "Whether a password fits a hash: argon2 ($argon2id$...), bcrypt ($2b$...) or mosquitto_passwd's PBKDF2 ($7$...).";
    "sleep"(p("seconds", "number")) -> "" awaits true:
        "Waits; others go on meanwhile.";
    "publish"(p("message", "OutgoingMessage")) -> "" grant Publish:
        "Publishes a message. It goes through every hook like any other, with source = \"plugin\".";
    "publish_to"(p("client_id", "string"), p("message", "OutgoingMessage")) -> "boolean" grant Publish:
        "Delivers to one client's session, whether it subscribed or not; false if there is no such session.";
    "disconnect_client"(p("client_id", "string"), opt("reason_code", "ReasonCode"), opt("reason_string", "string")) -> "boolean" grant Disconnect:
        "Ends a client's Network Connection; false if it is not connected.";
    "cache.invalidate"(p("tag", "string")) -> "number" grant Cache:
        "Forgets every answer that is kept with this tag, whichever plugin gave it; returns how many.";
    "reauthorize"(p("tag", "string")) -> "number" grant Cache:
        "The same, and the broker asks again about every subscription that was allowed with this tag; one that is refused now is removed.";
    "client"(p("client_id", "string")) -> "ClientView?" grant Query:
        "A connected client.";
    "session"(p("client_id", "string")) -> "SessionView?" grant Query:
        "A session, connected or not.";
    "retained"(p("topic_filter", "string"), opt("limit", "number")) -> "{ RetainedView }" grant Query:
        "Retained messages that match, at most limit (100 unless told, 1000 at most).";
    "topic.matches"(p("topic_filter", "string"), p("topic", "string")) -> "boolean":
        "Whether a topic filter matches a topic, by the standard's rules; what is a filter instead of a topic is an error.";
    "topic.overlaps"(p("topic_filter", "string"), p("other", "string")) -> "boolean":
        "Whether there is a topic that both filters match; of a Shared Subscription the filter behind the Share Name counts.";
    "topic.covers"(p("topic_filter", "string"), p("other", "string")) -> "boolean":
        "Whether the first filter matches every topic that the other one matches; shared ones as with overlaps.";
    "topic.levels"(p("topic", "string")) -> "{ string }":
        "The levels of a topic.";
    "time"() -> "number":
        "Seconds since 1970-01-01 UTC, with a fraction.";
    "required"(p("kind", "string")) -> "any":
        "In the config table of a script: a key without a default, which the operator must set; kind is its type.";
}
