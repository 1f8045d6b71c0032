//! What a library's `create` made, until `destroy` ends it.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use hookmq_plugin_api::abi::outcome;
use hookmq_plugin_api::{Grants, Host, LogLevel};

use crate::host::Offer;
use crate::manifest::{Create, Destroy};
use crate::wire::lent;

/// An instance of a library, with the host that it was given.
pub(crate) struct Instance {
    handle: *mut c_void,
    destroy: Option<Destroy>,
    /// The library may use it until `destroy` returns.
    offer: Offer,
}

// SAFETY: the contract says that an instance is called from any thread, from several at once; the rest is the host, which is both.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl Instance {
    /// Makes an instance.
    ///
    /// # Errors
    /// What the library says why not.
    ///
    /// # Safety
    /// The functions are a library's `create` and `destroy`.
    pub(crate) unsafe fn create(
        create: Option<Create>,
        destroy: Option<Destroy>,
        config: &str,
        grants: Grants,
        host: Arc<dyn Host>,
    ) -> Result<Self, String> {
        let offer = Offer::new(host, grants);
        let mut handle = ptr::null_mut();
        if let Some(create) = create {
            // SAFETY: the library's own function; the host lives as long as the instance, the config until the call returns.
            let returned =
                unsafe { create(offer.lent(), lent(config.as_bytes()), &raw mut handle) };
            let failure = offer.take_failure();
            match returned {
                outcome::PASS => {}
                outcome::PANIC => {
                    let why = failure.unwrap_or_else(|| "without a word".to_owned());
                    return Err(format!("create panicked: {why}"));
                }
                outcome::ERROR => {
                    return Err(
                        failure.unwrap_or_else(|| "create failed, without a word why".to_owned())
                    );
                }
                other => {
                    return Err(format!("create returned {other}; 0 is well, -1 is not"));
                }
            }
        }
        Ok(Self {
            handle,
            destroy,
            offer,
        })
    }

    /// A line for the broker's log, as if the plugin had written it.
    pub(crate) fn warn(&self, words: &str) {
        self.offer.host().log(LogLevel::Warn, "", words, &[]);
    }

    pub(crate) const fn handle(&self) -> *mut c_void {
        self.handle
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the library's own function, called once: whoever calls a handler holds the plugin, so no call is left.
            unsafe { destroy(self.handle) };
        }
    }
}
