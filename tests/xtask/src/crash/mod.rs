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

use crate::Outcome;

/// A part: its name, and what it does.
type Part = (&'static str, fn() -> Outcome);

/// For the test command: a share of each, of about a minute in all.
///
/// # Errors
/// When any of them finds a flaw; the message has them all.
pub(crate) fn run_quick() -> Outcome {
    let parts: [Part; 4] = [
        ("crash", || kill::run(&kill::Arguments::quick(5))),
        ("powercut", || power::run(&power::Arguments::quick(3))),
        ("bitflip", || flip::run(&flip::Arguments::quick(20))),
        ("faults", || fault::run(&fault::Arguments::quick())),
    ];
    lab::build()?;
    let mut failed = Vec::new();
    for (name, part) in parts {
        if let Err(failure) = part() {
            failed.push(format!("{name}: {failure}"));
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n").into())
    }
}
