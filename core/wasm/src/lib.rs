//! WASM plugins that answer the broker's hooks, in two forms.
//!
//! A **core module** has the C ABI of [`hookmq_plugin_api::abi`] in its own memory: the broker writes an event's declared fields into the
//! module's inbox and calls it, which costs about a tenth of a microsecond. A **component** imports and exports interfaces of
//! `hookmq:plugin` (`plugin-api/wit`) and can be made in any language that makes components; a call costs some times as much. Both come from the
//! same Rust source, and [`WasmPlugin::load`] tells them apart by the file's first bytes.
//!
//! Nothing that a plugin does reaches beyond its instance: what it imports must be granted, its time is cut by epochs ([`Plugin::call`]'s
//! `budget`), its memory and tables have limits ([`WasmSettings`]), every address that it hands over is checked, and after a trap, a
//! time-out or a refused growth its instance is replaced. Each thread that calls a plugin has its own instance.
//!
//! This crate knows the contract and the engine, and nothing of the broker.
//!
//! [`Plugin::call`]: hookmq_plugin_api::Plugin::call
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use std::time::Duration;
//! use hookmq_plugin_api::{EventRecord, Field, Host, Hook, Plugin};
//! use hookmq_wasm::{WasmPlugin, WasmSettings};
//!
//! # fn example(host: Arc<dyn Host>) -> Result<(), Box<dyn std::error::Error>> {
//! let plugin = WasmPlugin::load("filter.wasm".as_ref(), WasmSettings::new("filter"), host)?;
//! let event = EventRecord::new(Hook::InterceptPublish).with(Field::Topic, "devices/17");
//! let answer = plugin.call(&event, Duration::from_millis(50))?;
//! println!("{}", answer.verdict.kind().name());
//! # Ok(())
//! # }
//! ```

#[cfg(unix)]
mod cache;
mod compile;
mod component;
mod draft;
mod engine;
mod error;
mod failure;
mod file;
mod lane;
mod lent;
mod limits;
mod live;
mod module;
mod plugin;
mod settings;
mod state;

pub use error::LoadError;
pub use plugin::WasmPlugin;
pub use settings::WasmSettings;
