//! `cargo xtask hostile`: plugins that misbehave on purpose, against a broker that runs, with what came of each.
//!
//! The sources are under `tests/hostile`, a folder per runtime. Everything goes over loopback, has an end, and is ended by its number.
//! Delays and memory are printed; what fails the run is only what no busy machine can cause: a broker that is gone, a call that is
//! not cut, a failure that does not count as `on_error` says, a message that is lost, memory far beyond its bound.

mod built;
mod bystander;
mod case;
mod compose;
mod escapes;
mod flow;
mod lab;
mod lua;
mod native;
mod peer;
mod reload;
mod report;
mod sizes;
mod waiting;
mod wasm;

use std::time::Instant;

use reload::Again;
use report::{Section, Table};

use crate::{Outcome, guests};

/// What `cargo xtask hostile` takes.
#[derive(clap::Args, Default)]
#[group(skip)]
pub(crate) struct Arguments {
    /// A bounded share, for every test run.
    #[arg(long)]
    quick: bool,
    /// Take the broker and the plugins as they were built before.
    #[arg(long)]
    built: bool,
    /// The broker as it is meant to run, for the figures.
    #[arg(long)]
    release: bool,
    /// Only these parts.
    #[arg(value_name = "PART")]
    parts: Vec<String>,
}

/// One part: its name, and what it does; `true` is for the quick share.
type Part = (&'static str, fn(bool) -> Outcome<Section>);

const PARTS: [Part; 11] = [
    ("scripts", |quick| lua::run(if quick { 1 } else { 20 })),
    ("wasm", |quick| wasm::run(if quick { 1 } else { 20 })),
    ("traps", |quick| {
        wasm::traps(if quick { 10_000 } else { 100_000 })
    }),
    ("native", native::run),
    ("waiting", |_| waiting::run()),
    ("sizes", |quick| sizes::run(if quick { 1 } else { 20 })),
    ("broken", |_| reload::broken()),
    ("reload", |quick| {
        reload::under_load(Again::Most, if quick { 50 } else { 1_000 })
    }),
    ("reload-native", |quick| {
        reload::under_load(Again::Native, if quick { 50 } else { 1_000 })
    }),
    ("reload-new", |quick| {
        reload::under_load(Again::NewNative, if quick { 10 } else { 50 })
    }),
    ("escapes", |_| escapes::run()),
];

/// Tries everything and prints the table.
///
/// # Errors
/// When anything went wrong; the message names it.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    lab::choose(arguments.release);
    if !arguments.built {
        lab::build()?;
        guests::prepare_for_tests()?;
    }
    try_out(arguments, true)
}

/// For the test command, which has built the plugins: the quick share, without what went well.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_quick() -> Outcome {
    lab::build()?;
    let arguments = Arguments {
        quick: true,
        ..Arguments::default()
    };
    try_out(&arguments, false)
}

fn try_out(arguments: &Arguments, is_whole: bool) -> Outcome {
    let known = PARTS.map(|(name, _)| name);
    if let Some(unknown) = arguments
        .parts
        .iter()
        .find(|part| !known.contains(&part.as_str()))
    {
        return Err(format!("there is no part {unknown}; there are {}", known.join(", ")).into());
    }
    let is_wanted =
        |name: &str| arguments.parts.is_empty() || arguments.parts.iter().any(|part| part == name);
    let started = Instant::now();
    let mut flaws = Vec::new();
    let mut sections = Vec::new();
    for (name, part) in PARTS.iter().filter(|(name, _)| is_wanted(name)) {
        let started = Instant::now();
        match part(arguments.quick) {
            Ok(mut section) => {
                section.took = started.elapsed();
                flaws.extend(section.flaws());
                if is_whole {
                    print!("{section}");
                }
                sections.push(section);
            }
            Err(failure) => flaws.push(format!("{name}: {failure}")),
        }
    }
    let took = started.elapsed().as_secs();
    let n_cases: usize = sections.iter().map(|section| section.rows.len()).sum();
    print!("\n{}\n", Table(&sections));
    if flaws.is_empty() {
        println!("{n_cases} cases in {took} s, and the broker served on");
        return Ok(());
    }
    let n_flaws = flaws.len();
    Err(format!(
        "{n_flaws} of {n_cases} cases went wrong:\n{}",
        flaws.join("\n")
    )
    .into())
}
