//! The HookMQ broker as a library.
//!
//! ```text
//! net      sockets: read, write, accept           broker   the verbs: connect, publish, subscribe, ...
//! session  one client's protocol state, no I/O    router   who gets a message; retained messages
//! hook     asks the plugins                       event    what plugins see, and what their changes do
//! ```
//!
//! [`Broker`] starts one; [`Handle`] talks to it. `broker/publish.rs` has the path of a message; read it first.

mod broker;
mod client;
mod delivery;
mod event;
mod handle;
pub mod hook;
mod log_limit;
mod message;
mod net;
mod offer;
pub mod router;
mod session;
pub mod settings;
pub mod store;

pub use broker::host::PluginHost;
pub use broker::load::Used;
pub use broker::sessions::DisconnectType;
pub use broker::stats::StatsView;
pub use client::ClientInfo;
pub use delivery::{Delivery, Identifiers};
pub use handle::{Broker, Handle, PublishError, StartError};
pub use message::{Message, MessageProperties, Source};
pub use session::ProtocolError;
pub use session::sending::DropReason;
pub use settings::{BrokerSettings, ListenerSettings};

/// The one clock of the broker: tokio's, so that tests can stop and move it.
pub(crate) fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}
