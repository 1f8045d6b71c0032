//! Native plugins: dynamic libraries behind a C ABI (`plugin-api/c/hookmq.h`).
//!
//! [`NativePlugin::load`] copies the file, loads the copy, checks what the library says of itself and makes an instance;
//! [`hookmq_plugin_api::Plugin`] is the rest. A handler is called with the fields that it declared, borrowed from the broker, and what it
//! hands over is copied and judged like bytes from the network.
//!
//! A library has the broker's own rights: it can crash the process, hang a thread, and read all memory. What is checked here catches
//! mistakes, not malice. An exception or a panic must not leave it; an SDK catches it and answers `outcome::PANIC`. A handler cannot be
//! stopped either: one that may take long says so (`MAY_BLOCK`) and gets a thread of its own and a timeout for its client.
//!
//! This is the one crate of the broker with unsafe code: it follows pointers that a library hands over, and calls its functions. Every
//! such step stands in a block with its reason.
#![allow(
    unsafe_code,
    reason = "the C ABI: pointers from a library, and calls of its functions"
)]

mod call;
mod copy;
mod draft;
mod elf;
mod error;
mod host;
mod instance;
mod lend;
mod library;
mod machine;
mod manifest;
mod plugin;
mod pool;
mod settings;
mod take;
mod wire;

pub use error::LoadError;
pub use plugin::NativePlugin;
pub use settings::NativeSettings;
