//! Luau scripts that answer the broker's hooks.
//!
//! A script is one file that returns a table: functions named after hooks are its subscription, their parameters' names the fields
//! they read. [`LuaPlugin::load`] checks all of that and gives a [`hookmq_plugin_api::Plugin`]. Each thread that calls it gets a
//! sandboxed VM with a time limit ([`LuaPlugin`]'s `budget`) and a memory limit ([`LuaSettings`]); handlers that wait run as coroutines
//! in a lane of their own.
//!
//! This crate knows the contract and the engine, and nothing of the broker. `docs/guide-lua.md` is its manual,
//! [`hookmq_plugin_api::surface`] the list of what a script can call.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use hookmq_lua::{LuaPlugin, LuaSettings, testing::FakeHost};
//! use hookmq_plugin_api::{EventRecord, Field, Hook, Plugin, VerdictKind};
//!
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("prefix.lua");
//! std::fs::write(&path, r#"
//!     local M = {}
//!     function M.intercept_publish(topic)
//!         if topic:sub(1, 8) ~= "devices/" then
//!             return broker.deny("not_authorized", "publish below devices/")
//!         end
//!     end
//!     return M
//! "#)?;
//! let plugin = LuaPlugin::load(&path, LuaSettings::new("prefix"), Arc::new(FakeHost::default()))?;
//! let event = EventRecord::new(Hook::InterceptPublish).with(Field::Topic, "elsewhere");
//! let answer = plugin.call(&event, Duration::from_millis(50))?;
//! assert_eq!(answer.verdict.kind(), VerdictKind::Deny);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod api;
mod args;
mod body;
mod buffer;
mod config;
mod context;
mod error;
mod filter;
mod guard;
mod handler;
mod keep;
mod lane;
mod memory;
mod message;
mod metadata;
mod needs;
mod outline;
mod password;
mod plugin;
mod range;
mod reason;
mod sandbox;
mod settings;
mod sources;
mod suggest;
pub mod testing;
mod texts;
mod value;
mod verdict;
mod vm;

pub use error::LoadError;
pub use metadata::{Filter, Metadata};
pub use needs::Need;
pub use plugin::LuaPlugin;
pub use reason::REASON_CODES;
pub use settings::{Clock, LuaSettings};
