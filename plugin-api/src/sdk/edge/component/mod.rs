//! The carrier of a WASM component: the interfaces of `wit/` by the canonical ABI, written out here so that a plugin needs no more than
//! its target.
//!
//! The component's type travels in custom sections of the module, one for all imports and one per hook that `export!` names; whatever
//! turns the module into a component merges them. So its exports are just its hooks, and an import is there if it is used.
//!
//! A component runs on one thread at a time, and has one instance of the plugin.

mod answer;
mod event;
mod host;
mod layout;
mod parameter;
mod sections;

use std::ffi::c_void;
use std::panic::PanicHookInfo;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::abi::Bytes;
use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::error::PluginError;
use crate::event::Event;
use crate::field::Field;
use crate::sdk::Create;
use crate::sdk::export::Listener;

use self::event::Current;
pub(crate) use self::host::*;
use self::parameter::Parameter;
pub use self::parameter::allocate;
pub use self::sections::*;

/// The plugin, from `create` on.
static INSTANCE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// A hook's handler.
pub type Handler<P> = fn(&P, &dyn Event) -> Result<Answer, PluginError>;

/// What `create` returns: `result<_, string>`.
#[repr(C)]
#[derive(Debug)]
pub struct Created {
    is_err: u8,
    message: Bytes,
}

/// Has no part in a component, whose exports say what it listens to; but what it names must be there.
pub const fn listen<L: Listener>() {
    let _ = (L::HOOK, L::FIELDS);
}

/// `setup.create`.
///
/// # Safety
/// The configuration is a string that the broker handed over.
#[must_use]
pub unsafe fn create<P: Create>(config: *mut u8, len: usize) -> *const Created {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        fail(&info.to_string());
    }));
    // SAFETY: as above.
    let config = unsafe { Parameter::new(config, len) };
    let (is_err, message) = match P::create(config.text()) {
        Ok(plugin) => {
            INSTANCE.store(Box::into_raw(Box::new(plugin)).cast(), Ordering::Relaxed);
            (0, "".into())
        }
        Err(error) => (1, error.to_string()),
    };
    // This happens once in an instance's life.
    let message = super::bytes(message.leak().as_bytes());
    Box::leak(Box::new(Created { is_err, message }))
}

/// A hook that is answered.
///
/// # Safety
/// `P` is the plugin of [`create`]; `data` and `len` are the parameter as the broker handed it over, if the hook has one.
#[must_use]
pub unsafe fn answered<P>(
    hook: Hook,
    parameter: Option<Field>,
    data: *mut u8,
    len: usize,
    handler: Handler<P>,
) -> *const c_void {
    // SAFETY: as above.
    answer::lower(unsafe { call(hook, parameter, data, len, handler) })
}

/// A hook that is only told of.
///
/// # Safety
/// As [`answered`].
pub unsafe fn told<P>(
    hook: Hook,
    parameter: Option<Field>,
    data: *mut u8,
    len: usize,
    handler: Handler<P>,
) {
    // SAFETY: as above.
    if let Err(error) = unsafe { call(hook, parameter, data, len, handler) } {
        fail(&error.message);
    }
}

unsafe fn call<P>(
    hook: Hook,
    parameter: Option<Field>,
    data: *mut u8,
    len: usize,
    handler: Handler<P>,
) -> Result<Answer, PluginError> {
    // SAFETY: the caller's; a hook with a parameter has a string there, and any other one has no bytes.
    let text = unsafe { Parameter::new(data, len) };
    let given = parameter.map(|field| (field, text.text()));
    // SAFETY: `create` stored a `P`.
    let plugin = unsafe { INSTANCE.load(Ordering::Relaxed).cast::<P>().as_ref() };
    let plugin = plugin.ok_or_else(|| {
        PluginError::new(
            crate::error::Cause::Unavailable,
            "create was not called".to_owned(),
        )
    })?;
    handler(plugin, &Current::new(hook, given))
}
