//! `cargo xtask overload`: more than the broker can take, from four sides, and what its other clients see of it.
//!
//! A reader that stops (`reader.rs`), sockets that are opened and kept silent (`silent.rs`), a wildcard over a million retained messages
//! (`wildcard.rs`), no file descriptor left (`descriptors.rs`). Bounds on time are printed as met or not: they say as much about the
//! machine as about the broker. What does not depend on time makes the command fail.

mod descriptors;
mod host;
mod link;
mod reader;
mod silent;
mod wildcard;
mod witness;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::process::build_broker;
use crate::{Outcome, setup};

/// What `cargo xtask overload` takes.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Only these; all of them where none is named.
    #[arg(value_enum)]
    scenes: Vec<Scene>,
    /// Take this broker instead of building one.
    #[arg(long, value_name = "PATH")]
    broker: Option<PathBuf>,
    /// A tenth of everything, for a quick look.
    #[arg(long)]
    small: bool,
}

/// What is too much.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Scene {
    /// One of a thousand subscribers stops reading.
    Reader,
    /// Ten thousand sockets that say nothing or one byte a second.
    Silent,
    /// `#` over a million retained messages.
    Wildcard,
    /// No file descriptor is left.
    Descriptors,
}

const ALL: [Scene; 4] = [
    Scene::Reader,
    Scene::Silent,
    Scene::Wildcard,
    Scene::Descriptors,
];

/// How much of everything there is.
#[derive(Clone, Copy)]
struct Scale(usize);

impl Scale {
    /// So many in the full run.
    fn of(self, n: usize) -> usize {
        n / self.0
    }
}

/// One line of the report.
struct Figure {
    what: String,
    value: String,
    verdict: Verdict,
}

/// What a figure says about its bound.
enum Verdict {
    /// There is none.
    Shown,
    /// It is one of time; whether it is met.
    Timed(bool, &'static str),
    /// It must hold.
    Firm(bool, &'static str),
}

impl Figure {
    fn new(what: impl Into<String>, value: impl fmt::Display, verdict: Verdict) -> Self {
        Self {
            what: what.into(),
            value: value.to_string(),
            verdict,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            value,
            verdict,
        } = self;
        write!(out, "{what:<64} {value:>12}")?;
        match verdict {
            Verdict::Shown => Ok(()),
            Verdict::Timed(true, bound) => write!(out, "   {bound}: met"),
            Verdict::Timed(false, bound) => write!(out, "   {bound}: NOT MET"),
            Verdict::Firm(true, bound) => write!(out, "   {bound}: holds"),
            Verdict::Firm(false, bound) => write!(out, "   {bound}: BROKEN"),
        }
    }
}

/// Runs it and prints the report.
///
/// # Errors
/// When a bound that does not depend on time is broken, or the broker ends.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let binary = if let Some(binary) = &arguments.broker {
        binary.canonicalize()?
    } else {
        setup::need_cxx()?;
        build_broker()?
    };
    let scale = Scale(if arguments.small { 10 } else { 1 });
    let scenes = if arguments.scenes.is_empty() {
        &ALL[..]
    } else {
        &arguments.scenes
    };
    // One thread for all clients, so that the broker has the others.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut n_broken = 0;
    for scene in scenes {
        println!("{scene:?}:");
        let figures = runtime.block_on(async {
            match scene {
                Scene::Reader => reader::play(&binary, scale).await,
                Scene::Silent => silent::play(&binary, scale).await,
                Scene::Wildcard => wildcard::play(&binary, scale).await,
                Scene::Descriptors => descriptors::play(&binary).await,
            }
        })?;
        for figure in figures {
            println!("  {figure}");
            n_broken += usize::from(matches!(figure.verdict, Verdict::Firm(false, _)));
        }
    }
    match n_broken {
        0 => Ok(()),
        n => Err(format!("{n} bounds are broken").into()),
    }
}

/// 99 of 100 took no longer.
fn p99(delays: &mut [Duration]) -> Duration {
    delays.sort_unstable();
    let at = (delays.len() * 99 / 100).min(delays.len().saturating_sub(1));
    delays.get(at).copied().unwrap_or_default()
}

/// A time with three digits or so.
fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// Bytes as MiB.
fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
