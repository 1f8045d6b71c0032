//! The event of the current call, lent to host functions for as long as the guest runs.
//!
//! An event borrows from the broker, and what a store holds may not borrow; so it lies beside the store, in a variable of the thread
//! that is set for one call and put back when that ends, nested calls included.

use hookmq_plugin_api::Event;

scoped_tls_hkt::scoped_thread_local!(static EVENT: for<'a> &'a (dyn Event + 'a));

/// Runs `call` with the event lent.
pub(crate) fn lending<R>(event: &dyn Event, call: impl FnOnce() -> R) -> R {
    EVENT.set(event, call)
}

/// Reads the lent event; `None` outside of a call: at load, in a start function.
pub(crate) fn with_event<R>(read: impl FnOnce(&dyn Event) -> R) -> Option<R> {
    EVENT.is_set().then(|| EVENT.with(|event| read(event)))
}
