//! The binary as a black box: what it prints, what it answers, how it ends.

mod check;
mod config;
mod folder;
mod guides;
mod logs;
mod messages;
mod native;
mod plugins;
mod reload;
mod running;
mod stop;
mod storage;
mod templates;
mod validate;
#[cfg(feature = "wasm")]
mod wasm;
