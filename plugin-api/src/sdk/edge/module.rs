//! The carrier of a WASM core module: imports of the broker, see [`crate::abi::imports`].
//!
//! A module runs on one thread at a time, and has one instance of the plugin.

use std::ffi::c_void;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::{mem, ptr};

use super::found;
use super::given::{self, Sink};
use super::lent::{Lent, text};
use crate::abi::host::level;
use crate::abi::{self, Bytes, outcome};
use crate::host::{ClientView, KvCondition, LogLevel, OutgoingMessage, RetainedView, SessionView};
use crate::sdk::export::Listener;
use crate::sdk::{Create, Refused};

#[link(wasm_import_module = "hookmq")]
unsafe extern "C" {
    #[link_name = "get"]
    fn import_get(field: u32, buffer: *mut u8, capacity: usize) -> usize;
    #[link_name = "payload_is_json"]
    fn import_payload_is_json() -> i32;
    #[link_name = "answer_refuse"]
    fn import_refuse(refusal: *const abi::Refusal);
    #[link_name = "answer_change"]
    fn import_change(field: u32, value: *const abi::Value);
    #[link_name = "answer_keep"]
    fn import_keep(ttl_ms: u64, tags: *const Bytes, count: usize);
    #[link_name = "answer_fail"]
    fn import_fail(message: *const u8, len: usize);
    #[link_name = "log"]
    fn import_log(
        level: u32,
        place: *const u8,
        place_len: usize,
        message: *const u8,
        message_len: usize,
    );
    #[link_name = "error"]
    fn import_error(buffer: *mut u8, capacity: usize) -> usize;
}

#[link(wasm_import_module = "hookmq:publish")]
unsafe extern "C" {
    #[link_name = "publish"]
    fn import_publish(message: *const abi::host::Message) -> i32;
    #[link_name = "publish_to"]
    fn import_publish_to(
        client_id: *const u8,
        client_id_len: usize,
        message: *const abi::host::Message,
    ) -> i32;
}

#[link(wasm_import_module = "hookmq:disconnect")]
unsafe extern "C" {
    #[link_name = "disconnect"]
    fn import_disconnect(
        client_id: *const u8,
        client_id_len: usize,
        reason_code: u32,
        reason_string: *const u8,
        reason_string_len: usize,
    ) -> i32;
}

#[link(wasm_import_module = "hookmq:query")]
unsafe extern "C" {
    #[link_name = "client"]
    fn import_client(client_id: *const u8, len: usize, buffer: *mut u8, capacity: usize) -> i32;
    #[link_name = "session"]
    fn import_session(client_id: *const u8, len: usize, buffer: *mut u8, capacity: usize) -> i32;
    #[link_name = "retained"]
    fn import_retained(
        topic_filter: *const u8,
        len: usize,
        limit: u32,
        buffer: *mut u8,
        capacity: usize,
    ) -> i32;
}

#[link(wasm_import_module = "hookmq:kv")]
unsafe extern "C" {
    #[link_name = "kv_get"]
    fn import_kv_get(key: *const u8, key_len: usize, buffer: *mut u8, capacity: usize) -> i32;
    #[link_name = "kv_set"]
    fn import_kv_set(
        key: *const u8,
        key_len: usize,
        value: *const u8,
        value_len: usize,
        expires_ms: u64,
        condition: u32,
        expected: *const u8,
        expected_len: usize,
    ) -> i32;
    #[link_name = "kv_delete"]
    fn import_kv_delete(key: *const u8, key_len: usize) -> i32;
    #[link_name = "kv_add"]
    fn import_kv_add(
        key: *const u8,
        key_len: usize,
        amount: i64,
        expires_ms: u64,
        sum: *mut i64,
    ) -> i32;
}

#[link(wasm_import_module = "hookmq:cache")]
unsafe extern "C" {
    #[link_name = "invalidate"]
    fn import_invalidate(tag: *const u8, len: usize) -> i64;
    #[link_name = "reauthorize"]
    fn import_reauthorize(tag: *const u8, len: usize) -> i64;
}

#[link(wasm_import_module = "hookmq:clock")]
unsafe extern "C" {
    #[link_name = "now_ms"]
    fn import_now_ms() -> u64;
    #[link_name = "monotonic_ns"]
    fn import_monotonic_ns() -> u64;
}

#[link(wasm_import_module = "hookmq:random")]
unsafe extern "C" {
    #[link_name = "fill"]
    fn import_fill(buffer: *mut u8, len: usize);
}

/// The plugin, from `hookmq_create` on.
static INSTANCE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// Where the broker writes events, and how many words of eight bytes fit.
static INBOX: AtomicPtr<u64> = AtomicPtr::new(ptr::null_mut());
static INBOX_WORDS: AtomicUsize = AtomicUsize::new(0);

/// What stands in the module's list of hooks.
#[must_use]
pub const fn listen<L: Listener>() -> abi::Listen {
    abi::Listen {
        size: size_of::<abi::Listen>() as u32,
        hook: L::HOOK as u32,
        flags: L::FLAGS,
        count: L::FIELDS.len() as u32,
        fields: L::FIELDS.as_ptr(),
        call: Some(handle::<L>),
    }
}

/// The module's description.
#[must_use]
pub const fn plugin<P: Create>(
    name: &'static str,
    version: &'static str,
    listens: &'static [abi::Listen],
) -> abi::Plugin {
    abi::Plugin {
        size: size_of::<abi::Plugin>() as u32,
        abi_version: abi::ABI_VERSION,
        name: super::bytes(name.as_bytes()),
        version: super::bytes(version.as_bytes()),
        listens: listens.as_ptr(),
        listen_count: listens.len(),
        create: None,
        destroy: None,
    }
}

/// `hookmq_create`.
///
/// # Safety
/// The broker lends the configuration.
#[must_use]
pub unsafe fn create<P: Create>(config: *const u8, len: usize) -> i32 {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        Imports.fail(&info.to_string());
    }));
    // SAFETY: as above; it is JSON, so UTF-8.
    match P::create(unsafe { text(config, len) }) {
        Ok(plugin) => {
            INSTANCE.store(Box::into_raw(Box::new(plugin)).cast(), Ordering::Relaxed);
            outcome::PASS
        }
        Err(error) => {
            Imports.fail(&error.to_string());
            outcome::ERROR
        }
    }
}

/// `hookmq_inbox`: a place for so many bytes, aligned to 8, until it is asked for a larger one.
#[must_use]
pub fn inbox(size: usize) -> *mut u8 {
    let words = size.div_ceil(size_of::<u64>());
    if words > INBOX_WORDS.load(Ordering::Relaxed) || INBOX.load(Ordering::Relaxed).is_null() {
        // The broker keeps the address, and nothing else does, so the old place could go; but it has a slice's length, and an inbox
        // grows seldom and by powers of two.
        let words = words.next_power_of_two().max(64);
        let new = vec![0_u64; words].leak();
        let old = INBOX.swap(new.as_mut_ptr(), Ordering::Relaxed);
        let old_words = INBOX_WORDS.swap(words, Ordering::Relaxed);
        if !old.is_null() {
            // SAFETY: leaked here with this length, and nobody has it any more.
            drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(old, old_words)) });
        }
    }
    INBOX.load(Ordering::Relaxed).cast()
}

/// `hookmq_call`.
///
/// # Safety
/// The broker lends the event, one of this hook.
#[must_use]
pub unsafe fn call(listens: &[abi::Listen], listen: usize, event: *const abi::Event) -> i32 {
    let Some(handler) = listens.get(listen).and_then(|listen| listen.call) else {
        Imports.fail("the module has no such hook");
        return outcome::ERROR;
    };
    // SAFETY: as above.
    unsafe { handler(INSTANCE.load(Ordering::Relaxed), event, ptr::null_mut()) }
}

unsafe extern "C" fn handle<L: Listener>(
    instance: *mut c_void,
    event: *const abi::Event,
    _answer: *mut abi::Answer,
) -> i32 {
    // SAFETY: the instance is `create`'s, if it was called, and the broker lends the event.
    let (plugin, lent) = unsafe {
        (
            instance.cast::<L::Plugin>().as_ref(),
            Lent::new(&*event, L::FIELDS, L::HOOK),
        )
    };
    let Some(plugin) = plugin else {
        Imports.fail("hookmq_create was not called");
        return outcome::ERROR;
    };
    let outcome = match L::call(plugin, &lent) {
        // The answer to most events: nothing to hand over, and nothing of it to free.
        Ok(answer) if answer.is_plain_pass() => {
            mem::forget(answer);
            outcome::PASS
        }
        answer => given::give(answer, &Imports),
    };
    lent.end();
    outcome
}

/// Takes an answer through imports.
struct Imports;

impl Sink for Imports {
    fn refuse(&self, refusal: &abi::Refusal) {
        // SAFETY: the broker copies what it needs; the same in all imports.
        unsafe { import_refuse(refusal) }
    }

    fn change(&self, field: u32, value: &abi::Value) {
        // SAFETY: see `refuse`.
        unsafe { import_change(field, value) }
    }

    fn keep(&self, ttl_ms: u64, tags: &[Bytes]) {
        // SAFETY: see `refuse`.
        unsafe { import_keep(ttl_ms, tags.as_ptr(), tags.len()) }
    }

    fn fail(&self, message: &str) {
        // SAFETY: see `refuse`.
        unsafe { import_fail(message.as_ptr(), message.len()) }
    }
}

/// A field that was not declared: a value, and behind it what it points to.
pub struct Fetched(Vec<u64>);

impl Fetched {
    pub(super) fn value(&self) -> &abi::Value {
        // SAFETY: the broker wrote one to the start, and `fetch` made sure that it fits.
        unsafe { &*self.0.as_ptr().cast() }
    }
}

#[cold]
#[inline(never)]
pub(super) fn fetch(_event: &abi::Event, field: u32) -> Option<Fetched> {
    let mut buffer = vec![0_u64; 32];
    loop {
        let capacity = buffer.len() * size_of::<u64>();
        // SAFETY: the buffer is as long as it says.
        let needed = unsafe { import_get(field, buffer.as_mut_ptr().cast(), capacity) };
        if needed < size_of::<abi::Value>() {
            return None;
        }
        if needed <= capacity {
            return Some(Fetched(buffer));
        }
        buffer = vec![0; needed.div_ceil(size_of::<u64>())];
    }
}

/// The words of the last refusal.
fn words() -> String {
    let mut buffer = vec![0; 256];
    loop {
        // SAFETY: the buffer is as long as it says.
        let needed = unsafe { import_error(buffer.as_mut_ptr(), buffer.len()) };
        if needed <= buffer.len() {
            buffer.truncate(needed);
            return String::from_utf8_lossy(&buffer).into_owned();
        }
        buffer.resize(needed, 0);
    }
}

pub(crate) fn log(level: LogLevel, place: &str, message: &str) {
    let level = match level {
        LogLevel::Debug => level::DEBUG,
        LogLevel::Info => level::INFO,
        LogLevel::Warn => level::WARN,
        LogLevel::Error => level::ERROR,
    };
    // SAFETY: see `Imports::refuse`; the same in all that follows.
    unsafe {
        import_log(
            level,
            place.as_ptr(),
            place.len(),
            message.as_ptr(),
            message.len(),
        );
    }
}

pub(crate) fn payload_is_json() -> bool {
    // SAFETY: see `log`.
    unsafe { import_payload_is_json() == 1 }
}

pub(crate) fn publish(message: &OutgoingMessage) -> Result<(), Refused> {
    // SAFETY: see `log`.
    let result = given::with_message(message, |message| unsafe { import_publish(message) });
    found::number(result, words).map(drop)
}

pub(crate) fn publish_to(client_id: &str, message: &OutgoingMessage) -> Result<bool, Refused> {
    // SAFETY: see `log`.
    let result = given::with_message(message, |message| unsafe {
        import_publish_to(client_id.as_ptr(), client_id.len(), message)
    });
    found::truth(result, words)
}

pub(crate) fn disconnect(
    client_id: &str,
    reason_code: u8,
    reason_string: Option<&str>,
) -> Result<bool, Refused> {
    let reason = reason_string.unwrap_or_default();
    // SAFETY: see `log`.
    let result = unsafe {
        import_disconnect(
            client_id.as_ptr(),
            client_id.len(),
            reason_code.into(),
            reason.as_ptr(),
            reason.len(),
        )
    };
    found::truth(result, words)
}

pub(crate) fn client(client_id: &str) -> Result<Option<ClientView>, Refused> {
    let written = found::written(
        // SAFETY: see `log`; the buffer is as long as it says.
        |to, room| unsafe { import_client(client_id.as_ptr(), client_id.len(), to, room) }.into(),
        words,
    )?;
    Ok(written.map(|(buffer, _)| found::client(&buffer)))
}

pub(crate) fn session(client_id: &str) -> Result<Option<SessionView>, Refused> {
    let written = found::written(
        // SAFETY: as in `client`.
        |to, room| unsafe { import_session(client_id.as_ptr(), client_id.len(), to, room) }.into(),
        words,
    )?;
    Ok(written.map(|(buffer, _)| found::session(&buffer)))
}

pub(crate) fn retained(topic_filter: &str, limit: u32) -> Result<Vec<RetainedView>, Refused> {
    let written = found::written(
        // SAFETY: as in `client`.
        |to, room| unsafe {
            import_retained(topic_filter.as_ptr(), topic_filter.len(), limit, to, room).into()
        },
        words,
    )?;
    Ok(written.map_or_else(Vec::new, |(buffer, _)| found::retained(&buffer)))
}

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>, Refused> {
    let written = found::written(
        // SAFETY: as in `client`.
        |to, room| unsafe { import_kv_get(key.as_ptr(), key.len(), to, room) }.into(),
        words,
    )?;
    Ok(written.map(|(buffer, len)| found::bytes(&buffer, len)))
}

pub(crate) fn kv_set(
    key: &str,
    value: &[u8],
    expires_ms: Option<u64>,
    condition: &KvCondition,
) -> Result<bool, Refused> {
    let (condition, expected) = found::condition(condition);
    // SAFETY: see `log`.
    let result = unsafe {
        import_kv_set(
            key.as_ptr(),
            key.len(),
            value.as_ptr(),
            value.len(),
            expires_ms.unwrap_or(0),
            condition,
            expected.as_ptr(),
            expected.len(),
        )
    };
    found::truth(result, words)
}

pub(crate) fn kv_delete(key: &str) -> Result<bool, Refused> {
    // SAFETY: see `log`.
    found::truth(unsafe { import_kv_delete(key.as_ptr(), key.len()) }, words)
}

pub(crate) fn kv_add(key: &str, amount: i64, expires_ms: Option<u64>) -> Result<i64, Refused> {
    let mut sum = 0;
    let expires_ms = expires_ms.unwrap_or(0);
    // SAFETY: see `log`; the sum has a place.
    let result = unsafe { import_kv_add(key.as_ptr(), key.len(), amount, expires_ms, &mut sum) };
    found::number(result, words).map(|_| sum)
}

pub(crate) fn invalidate(tag: &str) -> Result<u64, Refused> {
    // SAFETY: see `log`.
    found::count(unsafe { import_invalidate(tag.as_ptr(), tag.len()) }, words)
}

pub(crate) fn reauthorize(tag: &str) -> Result<u64, Refused> {
    // SAFETY: see `log`.
    found::count(
        unsafe { import_reauthorize(tag.as_ptr(), tag.len()) },
        words,
    )
}

pub(crate) fn now_ms() -> u64 {
    // SAFETY: see `log`.
    unsafe { import_now_ms() }
}

pub(crate) fn monotonic_ns() -> u64 {
    // SAFETY: see `log`.
    unsafe { import_monotonic_ns() }
}

pub(crate) fn random(buffer: &mut [u8]) {
    // SAFETY: see `log`; the buffer is as long as it says.
    unsafe { import_fill(buffer.as_mut_ptr(), buffer.len()) }
}
