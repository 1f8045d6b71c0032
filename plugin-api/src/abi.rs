//! The C ABI of plugins, version 1: one layout for dynamic libraries and, with 32-bit pointers, for WASM core modules.
//!
//! `c/hookmq.h` is generated from these rows and from the catalogue; [`Hook`](crate::Hook) and [`Field`](crate::Field) cross as their
//! numbers, which never change and only ever grow at the end. Structs that may grow begin with their `size` in bytes as their maker
//! knows it, so that either side can be the newer one: what lies beyond `size` is not there.
//!
//! Whatever the broker lends ([`Event`], [`Value`], [`Bytes`]) is valid until the call returns. Whatever the plugin hands over is copied
//! before the function that takes it returns, so no memory ever crosses from one allocator to the other.
//!
//! This module only says what lies where. Following the pointers is the business of the native host and of the SDK.

pub mod host;
pub mod imports;

use std::ffi::c_void;

/// The version that a plugin must have been built for. A change that old plugins would not survive raises it.
pub const ABI_VERSION: u32 = 1;

/// The symbol that a plugin exports: `const hookmq_plugin *hookmq_plugin_v1(void)`; a WASM core module returns its address.
pub const ENTRY: &str = "hookmq_plugin_v1";

/// Some bytes; UTF-8 where the contract says text. `data` may be null where `len` is 0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Bytes {
    /// The first byte.
    pub data: *const u8,
    /// How many bytes.
    pub len: usize,
}

/// One User Property.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// Its name, UTF-8.
    pub name: Bytes,
    /// Its value, UTF-8.
    pub value: Bytes,
}

/// What a [`Value`] holds: the numbers of `Value::tag`.
pub mod tag {
    /// Absent; as a change: takes the property away.
    pub const NIL: u32 = 0;
    /// `integer` is 0 or 1.
    pub const BOOL: u32 = 1;
    /// `integer`.
    pub const INTEGER: u32 = 2;
    /// `bytes`, UTF-8.
    pub const TEXT: u32 = 3;
    /// `bytes`.
    pub const BYTES: u32 = 4;
    /// `list` of [`super::Pair`].
    pub const PAIRS: u32 = 5;
    /// `list` of [`super::Record`].
    pub const RECORDS: u32 = 6;
}

/// A value of any type.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Value {
    /// Which of the variants below, see [`tag`].
    pub tag: u32,
    /// 0.
    pub reserved: u32,
    /// What it holds.
    pub body: Body,
}

/// The variants of a [`Value`].
#[repr(C)]
#[derive(Clone, Copy)]
pub union Body {
    /// For [`tag::BOOL`] and [`tag::INTEGER`].
    pub integer: i64,
    /// For [`tag::TEXT`] and [`tag::BYTES`].
    pub bytes: Bytes,
    /// For [`tag::PAIRS`] and [`tag::RECORDS`].
    pub list: List,
}

/// An array of [`Pair`] or of [`Record`].
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct List {
    /// The first item.
    pub items: *const c_void,
    /// How many items.
    pub count: usize,
}

/// One entry of a records field: its parts.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// The first part.
    pub parts: *const Part,
    /// How many parts.
    pub count: usize,
}

/// One field of a [`Record`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Part {
    /// Number of the field.
    pub field: u32,
    /// 0.
    pub reserved: u32,
    /// Its value.
    pub value: Value,
}

/// One occurrence of a hook, lent for one call.
#[repr(C)]
#[derive(Debug)]
pub struct Event {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Number of the hook.
    pub hook: u32,
    /// How many plugins' publishes led here.
    pub depth: u32,
    /// How many `fields`: as many as the listen declared.
    pub count: u32,
    /// The declared fields, in the order of the declaration.
    pub fields: *const Value,
    /// What the broker needs to find any other field. In a WASM core module null: the import `get` knows the current event.
    pub context: *const c_void,
    /// What an event can be asked. In a WASM core module null: see the imports.
    pub calls: *const EventCalls,
}

/// What an event can be asked (dynamic libraries only).
#[repr(C)]
#[derive(Debug)]
pub struct EventCalls {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Any field of the hook, declared or not; valid until the handler returns. A notice, and the event of a handler that may block,
    /// has just the declared fields; any other one is absent, and the broker's log says so.
    pub get: Option<unsafe extern "C" fn(event: *const Event, field: u32, value: *mut Value)>,
    /// 1 if the payload is one JSON text, else 0.
    pub payload_is_json: Option<unsafe extern "C" fn(event: *const Event) -> i32>,
}

/// What a handler returns: the verdict's number, or a failure.
pub mod outcome {
    /// The handler panicked and the SDK caught it; see `AnswerCalls::fail`.
    pub const PANIC: i32 = -2;
    /// The handler failed; see `AnswerCalls::fail`.
    pub const ERROR: i32 = -1;
    /// No opinion, perhaps with changes.
    pub const PASS: i32 = 0;
    /// Allowed.
    pub const ACCEPT: i32 = 1;
    /// Refused, see `AnswerCalls::refuse`.
    pub const DENY: i32 = 2;
    /// Acknowledge, do not route: dropped.
    pub const DROP: i32 = 3;
    /// Acknowledge, do not route: consumed.
    pub const CONSUME: i32 = 4;
    /// Refuse and end the Network Connection, see `AnswerCalls::refuse`.
    pub const DISCONNECT: i32 = 5;
}

/// Why a plugin refuses; with deny, drop and disconnect.
#[repr(C)]
#[derive(Debug)]
pub struct Refusal {
    /// Size of this struct in bytes.
    pub size: u32,
    /// MQTT Reason Code; 0 lets the broker choose.
    pub reason_code: u32,
    /// Why, UTF-8; empty for none.
    pub reason_string: Bytes,
    /// Another server, UTF-8; empty for none.
    pub server_reference: Bytes,
    /// User Properties of the answering packet.
    pub user_properties: *const Pair,
    /// How many.
    pub user_property_count: usize,
    /// Where in the plugin's source, as in `policy.c:12`, UTF-8; empty for none.
    pub place: Bytes,
}

/// The answer that a handler makes, beside its return value (dynamic libraries only; a WASM core module calls imports).
#[repr(C)]
#[derive(Debug)]
pub struct Answer {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// The broker's own.
    pub context: *mut c_void,
    /// What can be done with it.
    pub calls: *const AnswerCalls,
}

/// What can be done with an [`Answer`].
#[repr(C)]
#[derive(Debug)]
pub struct AnswerCalls {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Says why it refuses.
    pub refuse: Option<unsafe extern "C" fn(answer: *mut Answer, refusal: *const Refusal)>,
    /// Changes a field; the last change of a field counts.
    pub change: Option<unsafe extern "C" fn(answer: *mut Answer, field: u32, value: *const Value)>,
    /// The broker may keep this accept or deny for so many milliseconds and need not ask again; `tags` name it for invalidation.
    pub keep: Option<
        unsafe extern "C" fn(answer: *mut Answer, ttl_ms: u64, tags: *const Bytes, count: usize),
    >,
    /// Why the handler failed, with [`outcome::ERROR`] or [`outcome::PANIC`].
    pub fail: Option<unsafe extern "C" fn(answer: *mut Answer, message: Bytes)>,
}

/// A handler. `instance` is what `create` made.
pub type Handler =
    unsafe extern "C" fn(instance: *mut c_void, event: *const Event, answer: *mut Answer) -> i32;

/// The handler may block (files, network): it is called on a thread of its own, and only the client whose packet it is waits. Only for
/// hooks that may await.
pub const MAY_BLOCK: u32 = 1;

/// One hook that the plugin answers.
#[repr(C)]
#[derive(Debug)]
pub struct Listen {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Number of the hook.
    pub hook: u32,
    /// [`MAY_BLOCK`] or 0.
    pub flags: u32,
    /// How many `fields`.
    pub count: u32,
    /// Numbers of the fields that the handler wants with every event.
    pub fields: *const u32,
    /// The handler. Called from any thread, from several at once. A WASM core module's is called through `hookmq_call` instead.
    pub call: Option<Handler>,
}

/// What a plugin is: what [`ENTRY`] returns. Static.
#[repr(C)]
#[derive(Debug)]
pub struct Plugin {
    /// Size of this struct in bytes.
    pub size: u32,
    /// [`ABI_VERSION`] that it was built for.
    pub abi_version: u32,
    /// Its name, UTF-8, for logs.
    pub name: Bytes,
    /// Its version, UTF-8, for logs.
    pub version: Bytes,
    /// What it listens to.
    pub listens: *const Listen,
    /// How many.
    pub listen_count: usize,
    /// Makes the instance. `config` is the `[plugin.config]` section as JSON. Returns [`outcome::PASS`], or [`outcome::ERROR`] after
    /// `HostCalls::fail`. May be absent. May be called again after `destroy`, with whatever statics hold by then.
    pub create: Option<
        unsafe extern "C" fn(host: *const Host, config: Bytes, instance: *mut *mut c_void) -> i32,
    >,
    /// Ends the instance, after the last call has returned. May be absent.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
}

/// The broker as a plugin sees it (dynamic libraries only); valid until `destroy` returns.
#[repr(C)]
#[derive(Debug)]
pub struct Host {
    /// Size of this struct in bytes.
    pub size: u32,
    /// [`ABI_VERSION`] of the broker.
    pub abi_version: u32,
    /// The broker's own.
    pub context: *const c_void,
    /// What it offers.
    pub calls: *const HostCalls,
}

/// What a [`Host`] offers by itself; the rest comes by name.
#[repr(C)]
#[derive(Debug)]
pub struct HostCalls {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Why `create` failed.
    pub fail: Option<unsafe extern "C" fn(host: *const Host, message: Bytes)>,
    /// A table of functions by its name, NUL-terminated: `hookmq.log.1`, `hookmq.publish.1`, `hookmq.disconnect.1`, `hookmq.query.1`,
    /// `hookmq.kv.1`, `hookmq.cache.1`, see [`host`]. Null for one that this broker does not know or that the plugin is not granted.
    pub extension:
        Option<unsafe extern "C" fn(host: *const Host, name: *const u8) -> *const c_void>,
    /// The words of the last host function that refused on this thread, if they fit; their length in any case.
    pub error:
        Option<unsafe extern "C" fn(host: *const Host, buffer: *mut u8, capacity: usize) -> usize>,
}
