//! The edge of the SDK, where pointers are followed: the only part of the crate with `unsafe`.
//!
//! [`carrier`] is one of three modules with the same functions, chosen by the target: [`native`](carrier) for a dynamic library,
//! `module` for a WASM core module, `component` for a WASM component. The first two speak [`crate::abi`] and share `lent`, `given` and
//! `found`.
#![allow(
    unsafe_code,
    reason = "here the broker's pointers are followed and the plugin's symbols are made"
)]

#[cfg(all(target_family = "wasm", any(target_env = "p2", feature = "component")))]
#[path = "component/mod.rs"]
pub mod carrier;
#[cfg(all(
    target_family = "wasm",
    not(any(target_env = "p2", feature = "component"))
))]
#[path = "module.rs"]
pub mod carrier;
#[cfg(not(target_family = "wasm"))]
#[path = "native.rs"]
pub mod carrier;

#[cfg(not(all(target_family = "wasm", any(target_env = "p2", feature = "component"))))]
mod found;
#[cfg(not(all(target_family = "wasm", any(target_env = "p2", feature = "component"))))]
mod given;
#[cfg(not(all(target_family = "wasm", any(target_env = "p2", feature = "component"))))]
mod lent;

use crate::abi::Bytes;

/// A static that holds pointers to statics.
#[derive(Debug)]
pub struct Static<T>(pub T);

// SAFETY: only made by `export!`, of structs that are never written and whose pointers lead to other such statics.
unsafe impl<T> Sync for Static<T> {}

/// The bytes of a text or of bytes, as they cross.
#[must_use]
pub const fn bytes(bytes: &[u8]) -> Bytes {
    Bytes {
        data: bytes.as_ptr(),
        len: bytes.len(),
    }
}
