//! `hookmq.cache.1`: taking back answers that the broker keeps.

use hookmq_plugin_api::abi::host::CacheCalls;
use hookmq_plugin_api::abi::{Bytes, Host};

use super::{ask, length, text};
use crate::wire::size;

pub(super) static CALLS: CacheCalls = CacheCalls {
    size: size::<CacheCalls>(),
    reserved: 0,
    invalidate: Some(invalidate),
    reauthorize: Some(reauthorize),
};

unsafe extern "C" fn invalidate(host: *const Host, tag: Bytes) -> i64 {
    // SAFETY: the library passes on the host that it was given, and says where its tag is.
    unsafe { ask(host, |host| length(host.invalidate(text(tag, "tag")?)?)) }
}

unsafe extern "C" fn reauthorize(host: *const Host, tag: Bytes) -> i64 {
    // SAFETY: as above.
    unsafe { ask(host, |host| length(host.reauthorize(text(tag, "tag")?)?)) }
}
