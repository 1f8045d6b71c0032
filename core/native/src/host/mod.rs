//! The broker as a library sees it: a host that hands out tables of functions by name, those that are granted.
//!
//! Each function copies its arguments, asks [`hookmq_plugin_api::Host`], and answers with a number. Words for what was refused lie
//! ready for the thread that asked.

mod cache;
mod disconnect;
mod kv;
mod log;
mod publish;
mod query;

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use hookmq_plugin_api::abi::host::{self as tables, status};
use hookmq_plugin_api::abi::{self, ABI_VERSION, Bytes, HostCalls};
use hookmq_plugin_api::{Grant, Grants, Host, HostError};
use parking_lot::Mutex;

use crate::draft;
use crate::wire::{self, check_pointer, size};

static HOST_CALLS: HostCalls = HostCalls {
    size: size::<HostCalls>(),
    reserved: 0,
    fail: Some(fail),
    extension: Some(extension),
    error: Some(error),
};

thread_local! {
    /// Why the last function that refused on this thread did so.
    static REFUSAL: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A host that was given to a library. The library may use it until this is dropped.
pub(crate) struct Offer {
    shared: Arc<Shared>,
    /// Points to `shared`; a few bytes that are never freed, like the library itself.
    lent: *const abi::Host,
}

/// What the host's `context` points to.
struct Shared {
    host: Arc<dyn Host>,
    grants: Grants,
    /// Why `create` says that it failed.
    failure: Mutex<Option<String>>,
}

impl Offer {
    pub(crate) fn new(host: Arc<dyn Host>, grants: Grants) -> Self {
        let shared = Arc::new(Shared {
            host,
            grants,
            failure: Mutex::new(None),
        });
        let lent = Box::leak(Box::new(abi::Host {
            size: size::<abi::Host>(),
            abi_version: ABI_VERSION,
            context: Arc::as_ptr(&shared).cast(),
            calls: &raw const HOST_CALLS,
        }));
        Self { shared, lent }
    }

    pub(crate) const fn lent(&self) -> *const abi::Host {
        self.lent
    }

    pub(crate) fn host(&self) -> &dyn Host {
        self.shared.host.as_ref()
    }

    pub(crate) fn take_failure(&self) -> Option<String> {
        self.shared.failure.lock().take()
    }
}

/// Why a function refuses: a status below 0, and words.
struct Refused {
    status: i32,
    words: String,
}

impl Refused {
    fn argument(words: impl Into<String>) -> Self {
        Self {
            status: status::ARGUMENT,
            words: words.into(),
        }
    }

    fn absent(words: impl Into<String>) -> Self {
        Self {
            status: status::ABSENT,
            words: words.into(),
        }
    }
}

impl From<HostError> for Refused {
    fn from(error: HostError) -> Self {
        let status = match &error {
            HostError::NotGranted(_) => status::NOT_GRANTED,
            HostError::Limit(..) => status::LIMIT,
            HostError::Argument(..) => status::ARGUMENT,
            HostError::Depth(_) => status::DEPTH,
            HostError::Stopping => status::STOPPING,
        };
        Self {
            status,
            words: error.to_string(),
        }
    }
}

/// Asks the broker; what it refuses becomes a status, and its words are kept for [`error`].
///
/// # Safety
/// `host` is null or was lent by an [`Offer`] that is still there.
unsafe fn ask<T: From<i32>>(
    host: *const abi::Host,
    question: impl FnOnce(&dyn Host) -> Result<T, Refused>,
) -> T {
    // SAFETY: as the caller says.
    let result = match unsafe { shared(host) } {
        None => Err(Refused::argument("the host is a null pointer")),
        // Must not unwind into the library.
        Some(shared) => catch_unwind(AssertUnwindSafe(|| question(shared.host.as_ref())))
            .unwrap_or_else(|_| Err(Refused::argument("the broker panicked while it was asked"))),
    };
    result.unwrap_or_else(|refused| {
        REFUSAL.set(refused.words);
        T::from(refused.status)
    })
}

/// # Safety
/// As [`ask`].
unsafe fn shared<'a>(host: *const abi::Host) -> Option<&'a Shared> {
    check_pointer(host, "").ok()?;
    // SAFETY: lent by an offer, which holds what the context points to.
    unsafe { (*host).context.cast::<Shared>().as_ref() }
}

/// A text argument.
///
/// # Safety
/// It is there.
unsafe fn text<'a>(from: Bytes, what: &str) -> Result<&'a str, Refused> {
    // SAFETY: as the caller says.
    unsafe { wire::text(from, what) }.map_err(Refused::argument)
}

/// An argument of bytes.
///
/// # Safety
/// It is there.
unsafe fn bytes<'a>(from: Bytes, what: &str) -> Result<&'a [u8], Refused> {
    // SAFETY: as the caller says.
    unsafe { wire::bytes(from, what) }.map_err(Refused::argument)
}

/// Writes bytes to a library's buffer if they fit. Their length in any case.
///
/// # Safety
/// The buffer is null or has `capacity` writable bytes.
unsafe fn write(from: &[u8], buffer: *mut u8, capacity: usize) {
    if from.len() <= capacity && !buffer.is_null() {
        // SAFETY: it fits, and nothing of the broker's lies in a library's buffer.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), buffer, from.len()) };
    }
}

/// A length as a result.
fn length(len: usize) -> Result<i64, Refused> {
    i64::try_from(len).map_err(|_| Refused::argument("too long"))
}

unsafe extern "C" fn fail(host: *const abi::Host, message: Bytes) {
    // SAFETY: the library passes on the host that it was given.
    if let Some(shared) = unsafe { shared(host) } {
        // SAFETY: the library says where its message is.
        *shared.failure.lock() = Some(unsafe { draft::words(message) });
    }
}

unsafe extern "C" fn error(_host: *const abi::Host, buffer: *mut u8, capacity: usize) -> usize {
    REFUSAL.with_borrow(|words| {
        // SAFETY: the library says how long its buffer is.
        unsafe { write(words.as_bytes(), buffer, capacity) };
        words.len()
    })
}

unsafe extern "C" fn extension(host: *const abi::Host, name: *const u8) -> *const c_void {
    // SAFETY: the library passes on the host that it was given.
    let Some(shared) = (unsafe { shared(host) }) else {
        return ptr::null();
    };
    if name.is_null() {
        return ptr::null();
    }
    // SAFETY: not null, and the contract says that it ends with a NUL.
    let name = unsafe { CStr::from_ptr(name.cast::<c_char>()) };
    let Ok(name) = name.to_str() else {
        return ptr::null();
    };
    let granted = |grant: Grant, table: *const c_void| {
        if shared.grants.has(grant) {
            table
        } else {
            REFUSAL.set(HostError::NotGranted(grant).to_string());
            ptr::null()
        }
    };
    match name {
        tables::LOG => (&raw const log::CALLS).cast(),
        tables::PUBLISH => granted(Grant::Publish, (&raw const publish::CALLS).cast()),
        tables::DISCONNECT => granted(Grant::Disconnect, (&raw const disconnect::CALLS).cast()),
        tables::QUERY => granted(Grant::Query, (&raw const query::CALLS).cast()),
        tables::KV => granted(Grant::Kv, (&raw const kv::CALLS).cast()),
        tables::CACHE => granted(Grant::Cache, (&raw const cache::CALLS).cast()),
        _ => {
            REFUSAL.set(format!("this broker has no table \"{name}\""));
            ptr::null()
        }
    }
}
