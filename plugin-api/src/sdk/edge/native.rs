//! The carrier of a dynamic library: function tables that the broker hands over at `create`.
//!
//! A library is loaded once per plugin and generation, so what it knows of its broker lies in statics of its own.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_void};
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Read;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use std::{mem, ptr};

use super::given::{self, Sink};
use super::lent::{Lent, text};
use super::{bytes, found};
use crate::abi::host::{
    self, CacheCalls, DisconnectCalls, KvCalls, LogCalls, PublishCalls, QueryCalls,
};
use crate::abi::{self, Bytes, outcome};
use crate::error::{Cause, PluginError};
use crate::host::{ClientView, KvCondition, LogLevel, OutgoingMessage, RetainedView, SessionView};
use crate::sdk::export::Listener;
use crate::sdk::{Create, Refused, Why};

/// The broker, from `create` to `destroy`.
static HOST: AtomicPtr<abi::Host> = AtomicPtr::new(ptr::null_mut());

/// What a thread is at.
struct Here {
    /// The event that it handles, so that what is published meanwhile knows its depth.
    event: Cell<*const abi::Event>,
    /// Whether its panic is caught here.
    is_guarded: Cell<bool>,
}

thread_local! {
    // Both in one, as a library has to ask for the place of each.
    static HERE: Here = const {
        Here {
            event: Cell::new(ptr::null()),
            is_guarded: Cell::new(false),
        }
    };
    /// What the last caught panic said.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What stands in the library's list of hooks.
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

/// The library's description.
#[must_use]
pub const fn plugin<P: Create>(
    name: &'static str,
    version: &'static str,
    listens: &'static [abi::Listen],
) -> abi::Plugin {
    abi::Plugin {
        size: size_of::<abi::Plugin>() as u32,
        abi_version: abi::ABI_VERSION,
        name: bytes(name.as_bytes()),
        version: bytes(version.as_bytes()),
        listens: listens.as_ptr(),
        listen_count: listens.len(),
        create: Some(create::<P>),
        destroy: Some(destroy::<P>),
    }
}

unsafe extern "C" fn create<P: Create>(
    host: *const abi::Host,
    config: Bytes,
    instance: *mut *mut c_void,
) -> i32 {
    install_hook();
    let made = if HOST
        .compare_exchange(
            ptr::null_mut(),
            host.cast_mut(),
            Ordering::AcqRel,
            Ordering::Acquire,
        )
        .is_err()
    {
        Err("this copy of the library has an instance already".to_owned())
    } else {
        // SAFETY: the broker lends the configuration for this call; it is JSON, so UTF-8.
        let config = unsafe { text(config.data, config.len) };
        let create = || P::create(config).map_err(|error| error.to_string());
        let made = HERE.with(|here| here.guarded(create));
        made.unwrap_or_else(|error| Err(error.message.into()))
            .inspect_err(|_| HOST.store(ptr::null_mut(), Ordering::Release))
    };
    match made {
        Ok(plugin) => {
            // SAFETY: the broker's place for the instance.
            unsafe { *instance = Box::into_raw(Box::new(plugin)).cast() };
            outcome::PASS
        }
        Err(why) => {
            // SAFETY: the broker is there, at least during this call.
            unsafe {
                if let Some(fail) = (*(*host).calls).fail {
                    fail(host, bytes(why.as_bytes()));
                }
            }
            outcome::ERROR
        }
    }
}

unsafe extern "C" fn destroy<P: Create>(instance: *mut c_void) {
    // SAFETY: `create` made it so, and no call comes after this one.
    let plugin = unsafe { Box::from_raw(instance.cast::<P>()) };
    // A panic in a destructor has no one to hear of it.
    let _ = HERE.with(|here| here.guarded(|| drop(plugin)));
    HOST.store(ptr::null_mut(), Ordering::Release);
}

unsafe extern "C" fn handle<L: Listener>(
    instance: *mut c_void,
    event: *const abi::Event,
    answer: *mut abi::Answer,
) -> i32 {
    // SAFETY: `create` made the instance, and the broker lends event and answer for this call. Instances are shared between threads,
    // which `Listener::Plugin` allows.
    let (plugin, lent, sink) = unsafe {
        (
            &*instance.cast::<L::Plugin>(),
            Lent::new(&*event, L::FIELDS, L::HOOK),
            Reply(answer),
        )
    };
    HERE.with(|here| {
        let before = here.event.replace(event);
        let mut outcome = outcome::PASS;
        let caught = here.guarded(|| match L::call(plugin, &lent) {
            // The answer to most events: nothing to hand over, and nothing of it to free.
            Ok(answer) if answer.is_plain_pass() => mem::forget(answer),
            answer => outcome = given::give(answer, &sink),
        });
        if let Err(error) = caught {
            outcome = given::give(Err(error), &sink);
        }
        here.event.set(before);
        lent.end();
        outcome
    })
}

impl Here {
    /// Runs the plugin's code and catches its panic: across the border it would end the broker.
    #[inline]
    fn guarded<T>(&self, run: impl FnOnce() -> T) -> Result<T, PluginError> {
        let before = self.is_guarded.replace(true);
        let result = catch_unwind(AssertUnwindSafe(run));
        self.is_guarded.set(before);
        result.map_err(|payload| {
            // Dropping the payload can panic in its turn; it is small and this is rare.
            mem::forget::<Box<dyn Any + Send>>(payload);
            PluginError::new(Cause::Panic, PANIC.take())
        })
    }
}

/// Panics that are caught are told in the broker's log instead of on standard error.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if HERE.with(|here| here.is_guarded.get()) {
                PANIC.replace(info.to_string());
            } else {
                before(info);
            }
        }));
    });
}

/// Takes an answer through the broker's table.
struct Reply(*mut abi::Answer);

impl Reply {
    fn calls(&self) -> &abi::AnswerCalls {
        // SAFETY: the broker lends the answer for the call that made this.
        unsafe { &*(*self.0).calls }
    }
}

impl Sink for Reply {
    fn refuse(&self, refusal: &abi::Refusal) {
        if let Some(refuse) = self.calls().refuse {
            // SAFETY: the broker copies what it needs; the same below.
            unsafe { refuse(self.0, refusal) };
        }
    }

    fn change(&self, field: u32, value: &abi::Value) {
        if let Some(change) = self.calls().change {
            // SAFETY: as above.
            unsafe { change(self.0, field, value) };
        }
    }

    fn keep(&self, ttl_ms: u64, tags: &[Bytes]) {
        if let Some(keep) = self.calls().keep {
            // SAFETY: as above.
            unsafe { keep(self.0, ttl_ms, tags.as_ptr(), tags.len()) };
        }
    }

    fn fail(&self, message: &str) {
        if let Some(fail) = self.calls().fail {
            // SAFETY: as above.
            unsafe { fail(self.0, bytes(message.as_bytes())) };
        }
    }
}

/// A field that was not declared.
pub struct Fetched(abi::Value);

impl Fetched {
    pub(super) const fn value(&self) -> &abi::Value {
        &self.0
    }
}

/// The event that this thread handles; null outside of any.
fn event_here() -> *const abi::Event {
    HERE.with(|here| here.event.get())
}

pub(super) fn fetch(event: &abi::Event, field: u32) -> Option<Fetched> {
    let mut value = abi::Value {
        tag: abi::tag::NIL,
        reserved: 0,
        body: abi::Body { integer: 0 },
    };
    // SAFETY: the broker's function, asked about its own event; what it writes is lent as long as the event.
    unsafe { ((*event.calls).get?)(event, field, &mut value) };
    Some(Fetched(value))
}

/// A function of one of the broker's tables, and the host to call it with.
fn call<T: 'static, F>(
    name: &CStr,
    function: impl FnOnce(&'static T) -> Option<F>,
) -> Result<(F, *const abi::Host), Refused> {
    let host = HOST.load(Ordering::Acquire).cast_const();
    // SAFETY: the broker is there from `create` to `destroy`, its tables as long, and a table has the type that goes with its name.
    let table = unsafe {
        host.as_ref()
            .and_then(|host| (*host.calls).extension)
            .map(|extension| extension(host, name.as_ptr().cast()))
            .and_then(|table| table.cast::<T>().as_ref())
    };
    table
        .and_then(function)
        .map(|function| (function, host))
        .ok_or_else(|| Refused {
            why: Why::NotGranted,
            message: format!(
                "the broker does not offer {} to this plugin: is it granted?",
                name.to_string_lossy()
            ),
        })
}

/// The words of the last refusal on this thread.
fn words() -> String {
    let host = HOST.load(Ordering::Acquire).cast_const();
    let mut buffer = vec![0; 256];
    loop {
        // SAFETY: as in `call`; the buffer is as long as it says.
        let needed = unsafe {
            host.as_ref()
                .and_then(|host| (*host.calls).error)
                .map_or(0, |error| error(host, buffer.as_mut_ptr(), buffer.len()))
        };
        if needed <= buffer.len() {
            buffer.truncate(needed);
            return String::from_utf8_lossy(&buffer).into_owned();
        }
        buffer.resize(needed, 0);
    }
}

pub(crate) fn log(level: LogLevel, place: &str, message: &str) {
    let level = match level {
        LogLevel::Debug => host::level::DEBUG,
        LogLevel::Info => host::level::INFO,
        LogLevel::Warn => host::level::WARN,
        LogLevel::Error => host::level::ERROR,
    };
    if let Ok((log, host)) = call(c"hookmq.log.1", |calls: &LogCalls| calls.log) {
        // SAFETY: the broker's function with its own host; it copies what it needs. The same in all that follows.
        unsafe {
            log(
                host,
                level,
                bytes(place.as_bytes()),
                bytes(message.as_bytes()),
            )
        };
    }
}

pub(crate) fn payload_is_json() -> bool {
    // SAFETY: the event is lent as long as its handler runs, which is when this is set.
    unsafe {
        event_here().as_ref().is_some_and(|event| {
            (*event.calls)
                .payload_is_json
                .is_some_and(|ask| ask(event) == 1)
        })
    }
}

pub(crate) fn publish(message: &OutgoingMessage) -> Result<(), Refused> {
    let (publish, host) = call(c"hookmq.publish.1", |calls: &PublishCalls| calls.publish)?;
    // SAFETY: see `log`.
    let result = given::with_message(message, |message| unsafe {
        publish(host, event_here(), message)
    });
    found::number(result, words).map(drop)
}

pub(crate) fn publish_to(client_id: &str, message: &OutgoingMessage) -> Result<bool, Refused> {
    let (publish_to, host) = call(c"hookmq.publish.1", |calls: &PublishCalls| calls.publish_to)?;
    // SAFETY: see `log`.
    let result = given::with_message(message, |message| unsafe {
        publish_to(host, event_here(), bytes(client_id.as_bytes()), message)
    });
    found::truth(result, words)
}

pub(crate) fn disconnect(
    client_id: &str,
    reason_code: u8,
    reason_string: Option<&str>,
) -> Result<bool, Refused> {
    let (disconnect, host) = call(c"hookmq.disconnect.1", |calls: &DisconnectCalls| {
        calls.disconnect
    })?;
    let reason_string = bytes(reason_string.unwrap_or_default().as_bytes());
    // SAFETY: see `log`.
    let result = unsafe {
        disconnect(
            host,
            bytes(client_id.as_bytes()),
            reason_code.into(),
            reason_string,
        )
    };
    found::truth(result, words)
}

pub(crate) fn client(client_id: &str) -> Result<Option<ClientView>, Refused> {
    let (client, host) = call(c"hookmq.query.1", |calls: &QueryCalls| calls.client)?;
    let id = bytes(client_id.as_bytes());
    // SAFETY: see `log`; the buffer is as long as it says.
    let written = found::written(|to, room| unsafe { client(host, id, to, room) }, words)?;
    Ok(written.map(|(buffer, _)| found::client(&buffer)))
}

pub(crate) fn session(client_id: &str) -> Result<Option<SessionView>, Refused> {
    let (session, host) = call(c"hookmq.query.1", |calls: &QueryCalls| calls.session)?;
    let id = bytes(client_id.as_bytes());
    // SAFETY: as in `client`.
    let written = found::written(|to, room| unsafe { session(host, id, to, room) }, words)?;
    Ok(written.map(|(buffer, _)| found::session(&buffer)))
}

pub(crate) fn retained(topic_filter: &str, limit: u32) -> Result<Vec<RetainedView>, Refused> {
    let (retained, host) = call(c"hookmq.query.1", |calls: &QueryCalls| calls.retained)?;
    let filter = bytes(topic_filter.as_bytes());
    let written = found::written(
        // SAFETY: as in `client`.
        |to, room| unsafe { retained(host, filter, limit, to, room) },
        words,
    )?;
    Ok(written.map_or_else(Vec::new, |(buffer, _)| found::retained(&buffer)))
}

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>, Refused> {
    let (get, host) = call(c"hookmq.kv.1", |calls: &KvCalls| calls.get)?;
    let key = bytes(key.as_bytes());
    // SAFETY: as in `client`.
    let written = found::written(|to, room| unsafe { get(host, key, to, room) }, words)?;
    Ok(written.map(|(buffer, len)| found::bytes(&buffer, len)))
}

pub(crate) fn kv_set(
    key: &str,
    value: &[u8],
    expires_ms: Option<u64>,
    condition: &KvCondition,
) -> Result<bool, Refused> {
    let (set, host) = call(c"hookmq.kv.1", |calls: &KvCalls| calls.set)?;
    let (condition, expected) = found::condition(condition);
    let expires_ms = expires_ms.unwrap_or(0);
    // SAFETY: see `log`.
    let result = unsafe {
        set(
            host,
            bytes(key.as_bytes()),
            bytes(value),
            expires_ms,
            condition,
            bytes(expected),
        )
    };
    found::truth(result, words)
}

pub(crate) fn kv_delete(key: &str) -> Result<bool, Refused> {
    let (delete, host) = call(c"hookmq.kv.1", |calls: &KvCalls| calls.delete)?;
    // SAFETY: see `log`.
    found::truth(unsafe { delete(host, bytes(key.as_bytes())) }, words)
}

pub(crate) fn kv_add(key: &str, amount: i64, expires_ms: Option<u64>) -> Result<i64, Refused> {
    let (add, host) = call(c"hookmq.kv.1", |calls: &KvCalls| calls.add)?;
    let key = bytes(key.as_bytes());
    let mut sum = 0;
    // SAFETY: see `log`; the sum has a place.
    let result = unsafe { add(host, key, amount, expires_ms.unwrap_or(0), &mut sum) };
    found::number(result, words).map(|_| sum)
}

pub(crate) fn invalidate(tag: &str) -> Result<u64, Refused> {
    let (invalidate, host) = call(c"hookmq.cache.1", |calls: &CacheCalls| calls.invalidate)?;
    // SAFETY: see `log`.
    found::count(unsafe { invalidate(host, bytes(tag.as_bytes())) }, words)
}

pub(crate) fn reauthorize(tag: &str) -> Result<u64, Refused> {
    let (reauthorize, host) = call(c"hookmq.cache.1", |calls: &CacheCalls| calls.reauthorize)?;
    // SAFETY: see `log`.
    found::count(unsafe { reauthorize(host, bytes(tag.as_bytes())) }, words)
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}

pub(crate) fn monotonic_ns() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let since = START.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn random(buffer: &mut [u8]) {
    let filled = File::open("/dev/urandom").and_then(|mut source| source.read_exact(buffer));
    if filled.is_err() {
        // Where there is no such file: keys that the standard library has of the operating system, and SipHash does not tell them.
        for part in buffer.chunks_mut(8) {
            let number = RandomState::new().build_hasher().finish().to_le_bytes();
            part.copy_from_slice(&number[..part.len()]);
        }
    }
}
