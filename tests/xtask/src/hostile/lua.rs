//! Scripts that misbehave: numbers 28, 29, 30 and 35.

use std::fs;
use std::time::Instant;

use super::bystander::Bystander;
use super::case::{Case, OnError, cases};
use super::lab::{Lab, sources};
use super::report::{Section, mib, ms};
use crate::Outcome;

/// A file of cases, the number that they stand for, and whether they may use up their plugin's memory rather than their time.
const FILES: [(&str, u8, &str); 4] = [
    ("loops", 28, "20ms"),
    ("builtins", 29, "20ms"),
    // Time enough that memory ends first.
    ("memory", 30, "5s"),
    ("answers", 35, "1s"),
];

/// A script that does no harm.
const FINE: &str = "return { intercept_publish = function() end }\n";

/// Tries all of them, each `rounds` times.
///
/// # Errors
/// When there is nothing to try them on.
pub(super) fn run(rounds: usize) -> Outcome<Section> {
    // A virtual machine of each of them, per worker, may hold 16 MiB.
    let mut section = Section::new("scripts", 768);
    let mut lab = Lab::new("scripts")?;
    let mut tried: Vec<(u8, String, OnError, Case)> = Vec::new();
    for (file, number, timeout) in FILES {
        let name = format!("{file}.lua");
        lab.put(&name, &fs::read(sources().join("lua").join(&name))?)?;
        for case in cases(&format!("lua/{name}"))? {
            let plugin = format!("{file}-{}", tried.len());
            let on_error = OnError::of(tried.len());
            lab.plugin(
                &plugin,
                &name,
                &format!(
                    "topics = [\"hostile/{plugin}\"]\ntimeout = \"{timeout}\"\non_error = \"{}\"\ngrants = [\"kv\"]\nconfig = {{ case = \"{}\" }}",
                    on_error.word(),
                    case.name
                ),
            );
            tried.push((number, plugin, on_error, case));
        }
    }
    lab.put("fine.lua", FINE.as_bytes())?;
    lab.plugin("fine", "fine.lua", "topics = [\"hostile/fine\"]");
    let mut broker = lab.start()?;
    let mut bystander = Bystander::start(broker.address())?;
    let mut client = broker.client("hostile")?;
    let (mut memory, mut delays, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    bystander.watch()?;
    for round in 0..rounds {
        memory.push(mib(broker.rss_now()));
        if round == 1 {
            section.rss_first = Some(broker.rss_now());
        }
        for (number, plugin, on_error, case) in &tried {
            let topic = format!("hostile/{plugin}");
            let started = Instant::now();
            let (is_good, outcome) = if round == 0 {
                case.try_out(&mut broker, &mut client, plugin, &topic, *on_error)?
            } else {
                case.repeat(&mut client, &topic, *on_error)?
            };
            calls.push(started.elapsed());
            // What is as it was need not be told again.
            if round == 0 || !is_good {
                section.row(*number, "lua", &case.name, is_good, outcome);
            }
        }
        delays.push(format!("{:.2}", ms(bystander.rest()?)));
    }
    section.rss = Some(broker.rss());
    bystander.beside(|| client.replay("hostile/fine", &calls))?;
    section.row(
        30,
        "all",
        "memory before each round",
        true,
        memory.join(", "),
    );
    section.row(
        28,
        "all",
        "others' p99 in each round, ms",
        true,
        delays.join(", "),
    );
    section.delays = Some(bystander.stop()?);
    section.is_alive = broker.is_alive();
    broker.stop()?;
    Ok(section)
}
