//! WASM plugins: components and core modules that answer the broker's hooks.

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
