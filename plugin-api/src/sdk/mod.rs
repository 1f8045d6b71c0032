//! The SDK: a plugin is one Rust source file, and the target it is built for says what it becomes.
//!
//! ```
//! use hookmq_plugin_api::sdk::*;
//!
//! #[derive(Default)]
//! struct DevicesOnly;
//!
//! impl OnInterceptPublish for DevicesOnly {
//!     fn intercept_publish(&self, event: InterceptPublish<'_>) -> InterceptPublishAnswer {
//!         if event.topic().starts_with("devices/") {
//!             InterceptPublishAnswer::pass()
//!         } else {
//!             InterceptPublishAnswer::deny(0x87, "only devices/ may be published to")
//!         }
//!     }
//! }
//!
//! hookmq_plugin_api::export!(DevicesOnly: intercept_publish(topic));
//! ```
//!
//! | built for | is |
//! |---|---|
//! | the machine's own target, as a `cdylib` | a dynamic library behind the C ABI of [`crate::abi`] |
//! | `wasm32-unknown-unknown` | a WASM core module: the same structs in its own memory, the quickest form of WASM |
//! | `wasm32-wasip2`, or `wasm32-unknown-unknown` with the feature `component` and an encoder behind it | a WASM component of `wit/` |
//!
//! [`export!`](crate::export) names the hooks and, in brackets, the fields that their handlers read: those travel with the event. Any
//! other field of the hook can be read all the same, it is only fetched when asked for. A hook or a field that there is not does not
//! compile. A handler returns its answer, nothing, or a `Result` of either ([`Reply`]); for the latter the trait is named with the type:
//! `impl OnInterceptPublish<Result<InterceptPublishAnswer, MyError>> for ...`.
//!
//! A plugin with a configuration implements [`Create`] instead of `Default`. A panic fails the call and nothing else; in WASM it also
//! costs the instance, and with it what the plugin remembered.
//!
//! Texts from the broker are taken for the UTF-8 that they are: the broker holds them as such, and a component's are checked on the way.

#[doc(hidden)]
pub mod edge;

mod broker;
pub mod cache;
pub mod clock;
mod create;
#[doc(hidden)]
pub mod export;
pub mod hooks;
pub mod kv;
pub mod log;
pub mod random;
mod refused;

pub use crate::answer::{Keep, Refusal};
pub use crate::closures::{Reply, Told};
pub use crate::host::{ClientView, KvCondition, OutgoingMessage, RetainedView, SessionView};
pub use crate::typed::*;
pub use crate::view::Properties;
pub use broker::{client, disconnect, payload_is_json, publish, publish_to, retained, session};
pub use create::Create;
pub use hooks::on::*;
pub use refused::{Refused, Why};
