//! What the fuzz targets do with their bytes, as plain functions, so that ordinary tests drive them too.
//!
//! `cargo xtask fuzz 60` runs every target for a minute. By hand, from the root of the project:
//!
//! ```sh
//! cargo +nightly run --manifest-path tests/fuzz/Cargo.toml --example seeds
//! cargo +nightly fuzz run --fuzz-dir tests/fuzz decode -- -max_total_time=60
//! ```

pub mod conversation;
pub mod decode;
