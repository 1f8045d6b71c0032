//! The contract between the broker and whatever answers its hooks.
//!
//! [`catalogue`] is the only source: every hook, field, verdict and default on error is a row of it, and the Luau types, the LuaLS
//! types and the hook reference are generated from those rows. A runtime (Lua, an embedding program, later WASM and native)
//! implements [`Plugin`]; the broker hands it an [`Event`] and takes an [`Answer`]. What a plugin may do besides answering is
//! [`Host`], checked against its [`Grants`].
//!
//! This crate has no dependencies, and knows neither the broker's own types nor any engine.

pub mod abi;
pub mod answer;
pub mod catalogue;
#[cfg(feature = "typed")]
pub mod closures;
pub mod error;
pub mod event;
pub mod field;
pub mod host;
pub mod plugin;
#[cfg(feature = "typed")]
pub mod sdk;
pub mod surface;
#[cfg(feature = "typed")]
pub mod typed;
pub mod value;
#[cfg(feature = "typed")]
pub mod view;

pub use answer::{Answer, Keep, Refusal, Verdict, VerdictKind};
pub use catalogue::{Hook, HookSpec, Kind, OnError};
#[cfg(feature = "typed")]
pub use closures::Closures;
pub use error::{Cause, PluginError};
pub use event::{Event, EventRecord};
pub use field::{Field, FieldSet, FieldSpec};
pub use host::{
    ClientView, Grant, Grants, Host, HostError, KvCondition, LogLevel, OutgoingMessage,
    RetainedView, SessionView,
};
pub use plugin::{CallFuture, Listen, Plugin};
pub use value::{Owned, Pairs, Record, Type, Value};
