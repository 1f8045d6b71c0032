//! What survives, tried on a broker that runs: `cargo xtask crash` kills it, `powercut` takes what its disk had not yet,
//! `bitflip` damages its files, `faults` has its disk fail.
//!
//! Clients that lose nothing themselves (`client.rs`, `crowd.rs`) tell a book (`book.rs`) what they send and see, and the book judges.
//! Everything goes over loopback, is bounded in time, and prints the seed that repeats its choices; how the machine divides time
//! between the processes is not repeated.

mod book;
mod client;
mod content;
mod crowd;
mod disk;
pub(crate) mod fault;
pub(crate) mod flip;
pub(crate) mod kill;
mod lab;
mod pages;
pub(crate) mod power;
mod stock;
mod trace;
pub(crate) mod wire;
