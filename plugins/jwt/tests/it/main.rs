//! Tokens made here, good ones and hostile ones, against the plugin and against its library.
#![allow(clippy::unwrap_used, reason = "what fails here is a test that fails")]

mod hostile;
mod issuer;
mod jwks;
mod library;
mod rights;
mod setup;
