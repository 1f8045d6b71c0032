//! Proof that one policy behaves the same in every runtime.
//!
//! [`trial`] derives from the hook catalogue what has to be tried: every hook with every field that it shows, every verdict and every
//! change. [`column`] loads the same policy as a Lua script, a WASM core module, a WASM component, a dynamic library and closures.
//! [`scenario`] lets clients do what makes the hook come, against a broker in process, and [`transcript`] writes down what everybody
//! received, what plugins were shown and what the metrics say. [`table`] compares the columns.
//!
//! A column that cannot be run is an error, a hook without a scenario does not compile, and a field or a change that no scenario
//! makes visible fails its row.

#[path = "../../guests/parity/hooks/closures.rs"]
mod closures;
pub mod column;
pub mod host;
mod lua;
#[path = "../../guests/parity/mod.rs"]
mod policy;
mod sample;
pub mod scenario;
mod stage;
pub mod table;
pub mod transcript;
pub mod trial;
mod witness;
