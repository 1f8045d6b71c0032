//! `plugin-api/c/hookmq.h`: the C ABI and the SDK for C.
//!
//! The prose and the helpers stand in `c/`; the numbers, the fields' types, the imports and the checks of the layout follow from the
//! catalogue and from `hookmq_plugin_api::abi`.

use std::fmt::Write as _;
use std::mem::{offset_of, size_of};

use hookmq_plugin_api::abi::{self, host, imports};
use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::field::FIELDS;
use hookmq_plugin_api::{Type, VerdictKind};

const HEAD: &str = include_str!("c/head.h");
const LAYOUT: &str = include_str!("c/layout.h");
const HANDLERS: &str = include_str!("c/handlers.h");
const SDK: &str = include_str!("c/sdk.h");
const JSON: &str = include_str!("c/json.h");

/// Most fields that `HOOKMQ_ON` takes; any other is one `hookmq_get` away.
const MOST_FIELDS: usize = 24;

/// The whole file.
pub(super) fn header() -> String {
    let sdk = SDK.replace("HOOKMQ_IMPORTS_HERE\n", &imports());
    let handlers = HANDLERS.to_owned() + &each() + "\n";
    [
        HEAD,
        &numbers(),
        LAYOUT,
        &layout_checks(),
        &sdk_split(&sdk, &handlers),
        JSON,
    ]
    .concat()
}

/// The handlers' macros need the types of fields, which need the values: they stand before the border.
fn sdk_split(sdk: &str, handlers: &str) -> String {
    let border = "/* ---- The border:";
    let (values, rest) = sdk.split_once(border).unwrap_or((sdk, ""));
    let fields = fields();
    format!("{values}{fields}\n/* ---- Handlers. ---- */\n\n{handlers}{border}{rest}")
}

fn define(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "#define HOOKMQ_{name} {value}");
}

fn numbers() -> String {
    let mut text = String::from(
        "/* ---- Numbers; they never change, and new ones come at the end. ---- */\n\n",
    );
    define(&mut text, "ABI_VERSION", abi::ABI_VERSION);
    text.push_str("\n/* What a handler returns. */\n");
    for verdict in VerdictKind::ALL {
        define(
            &mut text,
            &verdict.name().to_uppercase(),
            verdict_number(verdict),
        );
    }
    define(
        &mut text,
        "ERROR",
        format_args!("({})", abi::outcome::ERROR),
    );
    define(
        &mut text,
        "PANIC",
        format_args!("({})", abi::outcome::PANIC),
    );
    text.push_str("\n/* What a value holds. */\n");
    for (name, number) in [
        ("NIL", abi::tag::NIL),
        ("BOOL", abi::tag::BOOL),
        ("INTEGER", abi::tag::INTEGER),
        ("TEXT", abi::tag::TEXT),
        ("BYTES", abi::tag::BYTES),
        ("PAIRS", abi::tag::PAIRS),
        ("RECORDS", abi::tag::RECORDS),
    ] {
        define(&mut text, name, number);
    }
    text.push_str("\n/* hookmq_listen.flags, hookmq_message.flags. */\n");
    define(&mut text, "MAY_BLOCK", abi::MAY_BLOCK);
    define(&mut text, "RETAIN", host::RETAIN);
    define(&mut text, "EXPIRES", host::EXPIRES);
    text.push_str("\n/* Why a host function refused; hookmq_error has the words. */\n");
    for (name, number) in [
        ("NOT_GRANTED", host::status::NOT_GRANTED),
        ("LIMIT", host::status::LIMIT),
        ("ARGUMENT", host::status::ARGUMENT),
        ("DEPTH", host::status::DEPTH),
        ("STOPPING", host::status::STOPPING),
        ("ABSENT", host::status::ABSENT),
    ] {
        define(&mut text, name, format_args!("({number})"));
    }
    text.push_str("\n/* Levels of a log line. */\n");
    for (name, number) in [
        ("LOG_DEBUG", host::level::DEBUG),
        ("LOG_INFO", host::level::INFO),
        ("LOG_WARN", host::level::WARN),
        ("LOG_ERROR", host::level::ERROR),
    ] {
        define(&mut text, name, number);
    }
    text.push_str("\n/* When hookmq_kv_set_if writes. */\n");
    for (name, number) in [
        ("ALWAYS", host::condition::ALWAYS),
        ("IF_ABSENT", host::condition::ABSENT),
        ("IF_EQUALS", host::condition::EQUALS),
    ] {
        define(&mut text, name, number);
    }
    text.push_str("\n/* Hooks. */\nenum {\n");
    for spec in HOOKS {
        let _ = writeln!(text, "    /* {} */", spec.when);
        let _ = writeln!(
            text,
            "    hookmq_hook_{} = {},",
            spec.name, spec.hook as u32
        );
    }
    text.push_str("    hookmq_hook_count\n};\n\n/* Fields. */\nenum {\n");
    for row in FIELDS {
        let _ = writeln!(text, "    /* {} */", row.doc);
        let _ = writeln!(
            text,
            "    hookmq_field_{} = {},",
            row.name, row.field as u32
        );
    }
    text.push_str("    hookmq_field_count\n};\n\n");
    text
}

fn verdict_number(verdict: VerdictKind) -> i32 {
    match verdict {
        VerdictKind::Pass => abi::outcome::PASS,
        VerdictKind::Accept => abi::outcome::ACCEPT,
        VerdictKind::Deny => abi::outcome::DENY,
        VerdictKind::Drop => abi::outcome::DROP,
        VerdictKind::Consume => abi::outcome::CONSUME,
        VerdictKind::Disconnect => abi::outcome::DISCONNECT,
    }
}

/// How a field comes as a handler's parameter.
fn fields() -> String {
    let mut text = String::from(
        "/* Fields as parameters of a handler: their types, and how they are read. */\n",
    );
    for row in FIELDS {
        let (kind, read) = match row.kind {
            Type::Bool => ("bool", "bool"),
            Type::Integer => ("int64_t", "integer"),
            Type::Text | Type::Bytes => ("hookmq_bytes", "bytes"),
            Type::Pairs => ("hookmq_pairs", "pairs"),
            Type::Records => ("hookmq_records", "records"),
        };
        let name = row.name;
        let _ = writeln!(text, "typedef {kind} hookmq_type_{name};");
        let _ = writeln!(text, "#define HOOKMQ_READ_{name} hookmq_value_{read}");
    }
    text
}

/// What applies a macro to each argument behind the first one.
fn each() -> String {
    let names: Vec<String> = (1..=MOST_FIELDS).map(|at| format!("f{at}")).collect();
    let mut text = String::new();
    text.push_str("/* The first argument; a macro that applies another one to each of the rest; how many the rest are. */\n");
    text.push_str("#define HOOKMQ_FIRST(first, ...) first\n");
    let choices: Vec<String> = (0..=MOST_FIELDS)
        .rev()
        .map(|count| format!("HOOKMQ_EACH_{count}"))
        .collect();
    let counts: Vec<String> = (0..=MOST_FIELDS)
        .rev()
        .map(|count| count.to_string())
        .collect();
    let _ = writeln!(
        text,
        "#define HOOKMQ_LAST_(f0, {}, last, ...) last",
        names.join(", ")
    );
    let _ = writeln!(
        text,
        "#define HOOKMQ_EACH(...) HOOKMQ_LAST_(__VA_ARGS__, {}, _)",
        choices.join(", ")
    );
    let _ = writeln!(
        text,
        "#define HOOKMQ_COUNT(...) HOOKMQ_LAST_(__VA_ARGS__, {}, _)",
        counts.join(", ")
    );
    for count in 0..=MOST_FIELDS {
        let parameters: String = names
            .iter()
            .take(count)
            .map(|name| format!(", {name}"))
            .collect();
        let uses: String = names
            .iter()
            .take(count)
            .enumerate()
            .map(|(at, name)| format!(" m({at}, {name})"))
            .collect();
        let _ = writeln!(text, "#define HOOKMQ_EACH_{count}(m, f0{parameters}){uses}");
    }
    text
}

/// The imports of a WASM core module, as functions.
fn imports() -> String {
    let mut text = String::new();
    for import in imports::IMPORTS {
        let result = match import.result {
            None => "void",
            Some(imports::Number::I32) => "int32_t",
            Some(imports::Number::I64) => "int64_t",
        };
        let params: Vec<String> = import
            .params
            .iter()
            .map(|(name, kind)| format!("{}{name}", c_type(import.name, name, *kind)))
            .collect();
        let params = if params.is_empty() {
            "void".to_owned()
        } else {
            params.join(", ")
        };
        let _ = writeln!(
            text,
            "/* {} */\nHOOKMQ_C __attribute__((import_module(\"{}\"), import_name(\"{}\")))\n{result} hookmq_import_{}({params});\n",
            import.doc, import.module, import.name, import.name
        );
    }
    text
}

/// Addresses are pointers in C; lengths and numbers are what they are.
fn c_type(import: &str, param: &str, kind: imports::Number) -> &'static str {
    match (kind, param) {
        (imports::Number::I64, _) => "int64_t ",
        (_, "buffer" | "sum") => "void *",
        (
            _,
            "refusal" | "value" | "tags" | "message" | "place" | "client_id" | "reason_string"
            | "topic_filter" | "key" | "expected" | "tag",
        ) => {
            if import == "answer_refuse" {
                "const hookmq_refusal *"
            } else {
                "const void *"
            }
        }
        _ => "int32_t ",
    }
}

macro_rules! layout {
    ($($kind:ty as $name:literal { $($field:ident $(as $c_field:ident)?),* })*) => {
        [$((
            $name,
            size_of::<$kind>(),
            vec![$((c_name!($field $($c_field)?), offset_of!($kind, $field))),*],
        )),*]
    };
}

macro_rules! c_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $c_field:ident) => {
        stringify!($c_field)
    };
}

/// What the broker's own compiler says about sizes and offsets, for 64-bit pointers.
fn layout_checks() -> String {
    let rows = layout! {
        abi::Bytes as "bytes" { data, len }
        abi::Pair as "pair" { name, value }
        abi::List as "list" { items, count }
        abi::Value as "value" { tag, reserved, body }
        abi::Part as "part" { field, reserved, value }
        abi::Record as "record" { parts, count }
        abi::Event as "event" { size, hook, depth, count, fields, context, calls }
        abi::EventCalls as "event_calls" { size, reserved, get, payload_is_json }
        abi::Refusal as "refusal" { size, reason_code, reason_string, server_reference, user_properties, user_property_count, place }
        abi::Answer as "answer" { size, reserved, context, calls }
        abi::AnswerCalls as "answer_calls" { size, reserved, refuse, change, keep, fail }
        abi::Listen as "listen" { size, hook, flags, count, fields, call }
        abi::Host as "host" { size, abi_version, context, calls }
        abi::HostCalls as "host_calls" { size, reserved, fail, extension, error }
        abi::Plugin as "plugin" { size, abi_version, name, version, listens, listen_count, create, destroy }
        host::Message as "message" { size, qos, flags, message_expiry_interval, topic, payload, content_type, response_topic,
            correlation_data, user_properties, user_property_count }
        host::ClientInfo as "client_info" { size, protocol_version, keep_alive, reserved, connected_at_ms, client_id, username, endpoint,
            listener }
        host::SubscriptionInfo as "subscription_info" { topic_filter, qos, reserved }
        host::SessionInfo as "session_info" { size, connected, session_expiry_interval, reserved, n_queued, n_inflight, client_id,
            subscriptions, subscription_count }
        host::RetainedInfo as "retained_info" { topic, payload, qos, reserved }
        host::LogCalls as "log_calls" { size, reserved, log }
        host::PublishCalls as "publish_calls" { size, reserved, publish, publish_to }
        host::DisconnectCalls as "disconnect_calls" { size, reserved, disconnect }
        host::KvCalls as "kv_calls" { size, reserved, get, set, delete as erase, add }
        host::QueryCalls as "query_calls" { size, reserved, client, session, retained }
        host::CacheCalls as "cache_calls" { size, reserved, invalidate, reauthorize }
    };
    let mut text = String::from("#if UINTPTR_MAX > 0xffffffffu\n");
    for (name, size, fields) in rows {
        let _ = writeln!(text, "HOOKMQ_ASSERT(sizeof(hookmq_{name}) == {size});");
        for (field, offset) in fields {
            let _ = writeln!(
                text,
                "HOOKMQ_ASSERT(offsetof(hookmq_{name}, {field}) == {offset});"
            );
        }
    }
    text.push_str("#endif\n\n");
    text
}
