//! What a component imports.

use std::mem::MaybeUninit;

use super::layout::{
    Maybe, list, pairs, taken_bytes, taken_list, taken_pairs, taken_records, taken_string,
};
use super::sections::RECORDS;
use crate::abi::{Bytes, List};
use crate::field::Field;
use crate::host::{ClientView, KvCondition, LogLevel, OutgoingMessage, RetainedView, SessionView};
use crate::sdk::edge::bytes;
use crate::sdk::{Refused, Why};
use crate::value::Owned;

#[link(wasm_import_module = "hookmq:plugin/event@1.0.0")]
unsafe extern "C" {
    #[link_name = "get"]
    fn import_get(field: u32, to: *mut Value);
    #[link_name = "depth"]
    fn import_depth() -> u32;
    #[link_name = "payload-json-valid"]
    fn import_payload_json_valid() -> u32;
    #[link_name = "fail"]
    fn import_fail(message: *const u8, len: usize);
}

#[link(wasm_import_module = "hookmq:plugin/log@1.0.0")]
unsafe extern "C" {
    #[link_name = "write"]
    fn import_log(
        level: u32,
        place: *const u8,
        place_len: usize,
        message: *const u8,
        message_len: usize,
        fields: *const u8,
        field_count: usize,
    );
}

#[link(wasm_import_module = "hookmq:plugin/publish@1.0.0")]
unsafe extern "C" {
    #[link_name = "publish"]
    fn import_publish(message: *const Outgoing, to: *mut Outcome<()>);
    #[link_name = "publish-to"]
    fn import_publish_to(arguments: *const Addressed, to: *mut Outcome<u8>);
}

#[link(wasm_import_module = "hookmq:plugin/disconnect@1.0.0")]
unsafe extern "C" {
    #[link_name = "disconnect"]
    fn import_disconnect(
        client_id: *const u8,
        client_id_len: usize,
        reason_code: u32,
        has_reason: u32,
        reason: *const u8,
        reason_len: usize,
        to: *mut Outcome<u8>,
    );
}

#[link(wasm_import_module = "hookmq:plugin/query@1.0.0")]
unsafe extern "C" {
    #[link_name = "client"]
    fn import_client(client_id: *const u8, len: usize, to: *mut Outcome<Maybe<Client>>);
    #[link_name = "session"]
    fn import_session(client_id: *const u8, len: usize, to: *mut Outcome<Maybe<Session>>);
    #[link_name = "retained"]
    fn import_retained(filter: *const u8, len: usize, limit: u32, to: *mut Outcome<List>);
}

#[link(wasm_import_module = "hookmq:plugin/kv@1.0.0")]
unsafe extern "C" {
    #[link_name = "get"]
    fn import_kv_get(key: *const u8, key_len: usize, to: *mut Outcome<Maybe<Bytes>>);
    #[link_name = "set"]
    fn import_kv_set(
        key: *const u8,
        key_len: usize,
        value: *const u8,
        value_len: usize,
        expires: u32,
        expires_ms: u64,
        condition: u32,
        expected: *const u8,
        expected_len: usize,
        to: *mut Outcome<u8>,
    );
    #[link_name = "delete"]
    fn import_kv_delete(key: *const u8, key_len: usize, to: *mut Outcome<u8>);
    #[link_name = "add"]
    fn import_kv_add(
        key: *const u8,
        key_len: usize,
        amount: i64,
        expires: u32,
        expires_ms: u64,
        to: *mut Outcome<i64>,
    );
}

#[link(wasm_import_module = "hookmq:plugin/cache@1.0.0")]
unsafe extern "C" {
    #[link_name = "invalidate"]
    fn import_invalidate(tag: *const u8, len: usize, to: *mut Outcome<u64>);
    #[link_name = "reauthorize"]
    fn import_reauthorize(tag: *const u8, len: usize, to: *mut Outcome<u64>);
}

#[link(wasm_import_module = "hookmq:plugin/clock@1.0.0")]
unsafe extern "C" {
    #[link_name = "now-ms"]
    fn import_now_ms() -> u64;
    #[link_name = "monotonic-ns"]
    fn import_monotonic_ns() -> u64;
}

#[link(wasm_import_module = "hookmq:plugin/random@1.0.0")]
unsafe extern "C" {
    #[link_name = "bytes"]
    fn import_random(len: u32, to: *mut Bytes);
}

/// `variant value`.
#[repr(C)]
struct Value {
    case: u8,
    body: ValueBody,
}

#[repr(C)]
union ValueBody {
    truth: u8,
    integer: i64,
    bytes: Bytes,
    list: List,
}

/// `result<T, host-error>`.
#[repr(C)]
struct Outcome<T: Copy> {
    is_err: u8,
    body: OutcomeBody<T>,
}

#[repr(C)]
union OutcomeBody<T: Copy> {
    ok: T,
    err: HostError,
}

/// `record host-error`.
#[repr(C)]
#[derive(Clone, Copy)]
struct HostError {
    kind: u8,
    message: Bytes,
}

/// `record outgoing`.
#[repr(C)]
struct Outgoing {
    topic: Bytes,
    payload: Bytes,
    qos: u8,
    retain: u8,
    message_expiry_interval: Maybe<u32>,
    content_type: Maybe<Bytes>,
    response_topic: Maybe<Bytes>,
    correlation_data: Maybe<Bytes>,
    user_properties: List,
}

/// The arguments of `publish-to`: more than fit in the call itself.
#[repr(C)]
struct Addressed {
    client_id: Bytes,
    message: Outgoing,
}

/// `record client-view`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Client {
    client_id: Bytes,
    username: Maybe<Bytes>,
    endpoint: Bytes,
    listener: Bytes,
    protocol_version: u8,
    keep_alive: u16,
    connected_at_ms: u64,
}

/// `record session-view`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Session {
    client_id: Bytes,
    connected: u8,
    session_expiry_interval: u32,
    n_queued: u64,
    n_inflight: u64,
    subscriptions: List,
}

/// `tuple<string, u8>`.
#[repr(C)]
struct Subscription {
    topic_filter: Bytes,
    qos: u8,
}

/// `record retained-view`.
#[repr(C)]
struct Retained {
    topic: Bytes,
    payload: Bytes,
    qos: u8,
}

/// What an import writes to its last argument.
fn written<T>(call: impl FnOnce(*mut T)) -> T {
    let mut place = MaybeUninit::uninit();
    call(place.as_mut_ptr());
    // SAFETY: every import that takes such a place writes to it before it returns.
    unsafe { place.assume_init() }
}

fn outcome<T: Copy>(call: impl FnOnce(*mut Outcome<T>)) -> Result<T, Refused> {
    let outcome = written(call);
    // SAFETY: the byte says which of the two was written, and a string is handed over.
    unsafe {
        if outcome.is_err == 0 {
            return Ok(outcome.body.ok);
        }
        let error = outcome.body.err;
        Err(Refused {
            why: match error.kind {
                0 => Why::NotGranted,
                1 => Why::Limit,
                3 => Why::Depth,
                4 => Why::Stopping,
                _ => Why::Argument,
            },
            message: taken_string(error.message),
        })
    }
}

/// Any field of the current event.
#[inline(never)]
pub(super) fn fetch(field: Field) -> Owned {
    // SAFETY: the number of a field is its case in the enum.
    let value = written(|to| unsafe { import_get(field as u32, to) });
    // SAFETY: the case says which variant was written, and what it points to is handed over.
    unsafe {
        match value.case {
            1 => Owned::Bool(value.body.truth != 0),
            2 => Owned::Integer(value.body.integer),
            3 => Owned::Text(taken_string(value.body.bytes).into()),
            4 => Owned::Bytes(taken_bytes(value.body.bytes).into()),
            5 => Owned::Pairs(taken_pairs(value.body.list)),
            case => RECORDS
                .iter()
                .find(|(known, _)| *known == case)
                .map_or(Owned::Nil, |(_, field)| {
                    Owned::Records(taken_records(value.body.list, field.spec()))
                }),
        }
    }
}

pub(super) fn depth() -> u8 {
    // SAFETY: takes nothing. In all that follows, too, the broker copies what it is lent before the import returns.
    u8::try_from(unsafe { import_depth() }).unwrap_or(u8::MAX)
}

pub(super) fn fail(message: &str) {
    // SAFETY: see `depth`.
    unsafe { import_fail(message.as_ptr(), message.len()) }
}

pub(crate) fn payload_is_json() -> bool {
    // SAFETY: see `depth`.
    unsafe { import_payload_json_valid() == 1 }
}

pub(crate) fn log(level: LogLevel, place: &str, message: &str) {
    let level = match level {
        LogLevel::Debug => 0,
        LogLevel::Info => 1,
        LogLevel::Warn => 2,
        LogLevel::Error => 3,
    };
    // SAFETY: see `depth`.
    unsafe {
        import_log(
            level,
            place.as_ptr(),
            place.len(),
            message.as_ptr(),
            message.len(),
            std::ptr::without_provenance(align_of::<Bytes>()),
            0,
        );
    }
}

fn with_message<T>(message: &OutgoingMessage, call: impl FnOnce(Outgoing) -> T) -> T {
    let user_properties = pairs(&message.user_properties);
    let text = |text: &Option<String>| Maybe::of(text.as_ref().map(|text| bytes(text.as_bytes())));
    call(Outgoing {
        topic: bytes(message.topic.as_bytes()),
        payload: bytes(&message.payload),
        qos: message.qos,
        retain: message.retain.into(),
        message_expiry_interval: Maybe::of(message.message_expiry_interval),
        content_type: text(&message.content_type),
        response_topic: text(&message.response_topic),
        correlation_data: Maybe::of(message.correlation_data.as_ref().map(|data| bytes(data))),
        user_properties: list(&user_properties),
    })
}

pub(crate) fn publish(message: &OutgoingMessage) -> Result<(), Refused> {
    with_message(message, |message| {
        // SAFETY: see `depth`.
        outcome(|to| unsafe { import_publish(&message, to) })
    })
}

pub(crate) fn publish_to(client_id: &str, message: &OutgoingMessage) -> Result<bool, Refused> {
    let client_id = bytes(client_id.as_bytes());
    let sent = with_message(message, |message| {
        let arguments = Addressed { client_id, message };
        // SAFETY: see `depth`.
        outcome(|to| unsafe { import_publish_to(&arguments, to) })
    })?;
    Ok(sent != 0)
}

pub(crate) fn disconnect(
    client_id: &str,
    reason_code: u8,
    reason_string: Option<&str>,
) -> Result<bool, Refused> {
    let reason = reason_string.unwrap_or_default();
    // SAFETY: see `depth`.
    let ended = outcome(|to| unsafe {
        import_disconnect(
            client_id.as_ptr(),
            client_id.len(),
            reason_code.into(),
            reason_string.is_some().into(),
            reason.as_ptr(),
            reason.len(),
            to,
        );
    })?;
    Ok(ended != 0)
}

pub(crate) fn client(client_id: &str) -> Result<Option<ClientView>, Refused> {
    // SAFETY: see `depth`.
    let found = outcome(|to| unsafe { import_client(client_id.as_ptr(), client_id.len(), to) })?;
    // SAFETY: all strings are handed over; the same below.
    Ok(found.get().map(|client| unsafe {
        ClientView {
            client_id: taken_string(client.client_id),
            username: client.username.get().map(|text| taken_string(text)),
            endpoint: taken_string(client.endpoint),
            listener: taken_string(client.listener),
            protocol_version: client.protocol_version,
            keep_alive: client.keep_alive,
            connected_at_ms: client.connected_at_ms,
        }
    }))
}

pub(crate) fn session(client_id: &str) -> Result<Option<SessionView>, Refused> {
    // SAFETY: see `depth`.
    let found = outcome(|to| unsafe { import_session(client_id.as_ptr(), client_id.len(), to) })?;
    // SAFETY: see `client`.
    Ok(found.get().map(|session| unsafe {
        SessionView {
            client_id: taken_string(session.client_id),
            connected: session.connected != 0,
            session_expiry_interval: session.session_expiry_interval,
            n_queued: usize::try_from(session.n_queued).unwrap_or(usize::MAX),
            n_inflight: usize::try_from(session.n_inflight).unwrap_or(usize::MAX),
            subscriptions: taken_list::<Subscription>(session.subscriptions)
                .into_iter()
                .map(|one| (taken_string(one.topic_filter), one.qos))
                .collect(),
        }
    }))
}

pub(crate) fn retained(topic_filter: &str, limit: u32) -> Result<Vec<RetainedView>, Refused> {
    let (filter, len) = (topic_filter.as_ptr(), topic_filter.len());
    // SAFETY: see `depth`.
    let found = outcome(|to| unsafe { import_retained(filter, len, limit, to) })?;
    // SAFETY: see `client`.
    Ok(unsafe {
        taken_list::<Retained>(found)
            .into_iter()
            .map(|one| RetainedView {
                topic: taken_string(one.topic),
                payload: taken_bytes(one.payload),
                qos: one.qos,
            })
            .collect()
    })
}

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>, Refused> {
    // SAFETY: see `depth`.
    let found = outcome(|to| unsafe { import_kv_get(key.as_ptr(), key.len(), to) })?;
    // SAFETY: see `client`.
    Ok(found.get().map(|value| unsafe { taken_bytes(value) }))
}

pub(crate) fn kv_set(
    key: &str,
    value: &[u8],
    expires_ms: Option<u64>,
    condition: &KvCondition,
) -> Result<bool, Refused> {
    let (case, expected): (u32, &[u8]) = match condition {
        KvCondition::Always => (0, &[]),
        KvCondition::Absent => (1, &[]),
        KvCondition::Equals(expected) => (2, expected),
    };
    // SAFETY: see `depth`.
    let written = outcome(|to| unsafe {
        import_kv_set(
            key.as_ptr(),
            key.len(),
            value.as_ptr(),
            value.len(),
            expires_ms.is_some().into(),
            expires_ms.unwrap_or_default(),
            case,
            expected.as_ptr(),
            expected.len(),
            to,
        );
    })?;
    Ok(written != 0)
}

pub(crate) fn kv_delete(key: &str) -> Result<bool, Refused> {
    // SAFETY: see `depth`.
    let was_there = outcome(|to| unsafe { import_kv_delete(key.as_ptr(), key.len(), to) })?;
    Ok(was_there != 0)
}

pub(crate) fn kv_add(key: &str, amount: i64, expires_ms: Option<u64>) -> Result<i64, Refused> {
    // SAFETY: see `depth`.
    outcome(|to| unsafe {
        import_kv_add(
            key.as_ptr(),
            key.len(),
            amount,
            expires_ms.is_some().into(),
            expires_ms.unwrap_or_default(),
            to,
        );
    })
}

pub(crate) fn invalidate(tag: &str) -> Result<u64, Refused> {
    // SAFETY: see `depth`.
    outcome(|to| unsafe { import_invalidate(tag.as_ptr(), tag.len(), to) })
}

pub(crate) fn reauthorize(tag: &str) -> Result<u64, Refused> {
    // SAFETY: see `depth`.
    outcome(|to| unsafe { import_reauthorize(tag.as_ptr(), tag.len(), to) })
}

pub(crate) fn now_ms() -> u64 {
    // SAFETY: see `depth`.
    unsafe { import_now_ms() }
}

pub(crate) fn monotonic_ns() -> u64 {
    // SAFETY: see `depth`.
    unsafe { import_monotonic_ns() }
}

pub(crate) fn random(buffer: &mut [u8]) {
    // SAFETY: see `depth`; the list is handed over.
    let made = unsafe {
        let len = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        taken_bytes(written(|to| import_random(len, to)))
    };
    for (to, from) in buffer.iter_mut().zip(made) {
        *to = from;
    }
}
