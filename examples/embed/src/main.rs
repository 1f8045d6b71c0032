//! The broker as a library.
fn main() {}
