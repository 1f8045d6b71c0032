//! Tests of scripts: a host that records instead of acting.

mod host;

pub use host::FakeHost;
