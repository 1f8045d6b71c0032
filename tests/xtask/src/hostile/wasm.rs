//! WASM plugins that misbehave, in both forms: numbers 28, 29, 30, 31 and 35, and those of 40 that are loaded and then called.

use std::time::Instant;

use super::bystander::Bystander;
use super::case::{Case, OnError, cases};
use super::compose::{self, Form};
use super::lab::{Broker, Lab};
use super::report::{Section, mib, ms};
use crate::Outcome;

use Form::{Component, Module};

/// A file of cases, the number that they stand for, the time that a call has, its grants, and the forms.
const FILES: [(&str, u8, &str, &str, &[Form]); 9] = [
    ("loops", 28, "20ms", ALL, &[Module, Component]),
    ("builtins", 29, "50ms", ALL, &[Module, Component]),
    ("memory", 30, "5s", ALL, &[Module, Component]),
    ("traps", 31, "20ms", ALL, &[Module, Component]),
    ("module_answers", 35, "1s", ALL, &[Module]),
    ("component_answers", 35, "1s", ALL, &[Component]),
    ("module_pointers", 40, "1s", ALL, &[Module]),
    ("component_pointers", 40, "1s", ALL, &[Component]),
    ("wasi", 40, "1s", "", &[Component]),
];
/// The imports of a module are refused unless they are granted.
pub(super) const ALL: &str =
    "\"publish\", \"disconnect\", \"query\", \"kv\", \"cache\", \"clock\", \"random\"";

/// The topic of a plugin that does no harm.
const FINE: &str = "hostile/fine";

/// One plugin of the broker.
struct Tried {
    number: u8,
    form: Form,
    plugin: String,
    on_error: OnError,
    case: Case,
}

/// Tries all of them, each `rounds` times.
///
/// # Errors
/// When there is nothing to try them on.
pub(super) fn run(rounds: usize) -> Outcome<Section> {
    let mut section = Section::new("wasm", 384);
    let mut lab = Lab::new("wasm")?;
    let tried = install(&mut lab, |_| true)?;
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
        for Tried {
            number,
            form,
            plugin,
            on_error,
            case,
        } in &tried
        {
            let topic = format!("hostile/{plugin}");
            let started = Instant::now();
            let (is_good, outcome) = if round == 0 {
                case.try_out(&mut broker, &mut client, plugin, &topic, *on_error)?
            } else {
                case.repeat(&mut client, &topic, *on_error)?
            };
            calls.push(started.elapsed());
            if round == 0 || !is_good {
                section.row(*number, form.word(), &case.name, is_good, outcome);
            }
        }
        delays.push(format!("{:.2}", ms(bystander.rest()?)));
    }
    section.rss = Some(broker.rss());
    bystander.beside(|| client.replay(FINE, &calls))?;
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

/// Number 31 in bulk: so many traps of every kind, and what stays of them.
///
/// # Errors
/// When there is nothing to try them on.
pub(super) fn traps(n_traps: usize) -> Outcome<Section> {
    let mut section = Section::new("traps", 64);
    let mut lab = Lab::new("traps")?;
    // What is counted here is what a trap leaves behind; calls that are not made leave nothing.
    lab.section("[hooks.breaker]\nfailures = 4000000000\n");
    let tried = install(&mut lab, |file| file == "traps")?;
    let mut broker = lab.start()?;
    let mut bystander = Bystander::start(broker.address())?;
    let mut client = broker.client("hostile")?;
    let n_each = n_traps.div_ceil(tried.len());
    let mut calls = Vec::new();
    let mut each = |broker: &mut Broker<'_>, n_each: usize| -> Outcome<usize> {
        calls.clear();
        let mut n_failed = 0;
        for Tried {
            plugin,
            on_error,
            case,
            ..
        } in &tried
        {
            let topic = format!("hostile/{plugin}");
            // An overrun takes its milliseconds, so there are fewer of them.
            let n = if case.name == "time used up" {
                n_each.div_ceil(20)
            } else {
                n_each
            };
            for _ in 0..n {
                let answered = client.publish(&topic, b"x")?;
                let code = answered.code;
                calls.push(answered.took);
                n_failed += usize::from(match on_error {
                    OnError::Deny => code != 0x83,
                    OnError::Pass => code >= 0x80,
                });
            }
        }
        let _alive = broker.mark()?;
        Ok(n_failed)
    };
    // What is kept for later calls is made by the first ones.
    let n_early = each(&mut broker, n_each.div_ceil(10))?;
    let before = broker.rss_now();
    bystander.watch()?;
    let started = Instant::now();
    let n_wrong = n_early + each(&mut broker, n_each)?;
    let took = started.elapsed();
    let after = broker.rss_now();
    let _all = bystander.rest()?;
    // A share of them says as much.
    calls.truncate(20_000);
    bystander.beside(|| client.replay(FINE, &calls))?;
    section.row(
        31,
        "wasm",
        format!("{} traps of {} kinds", n_each * tried.len(), tried.len()),
        n_wrong == 0,
        format!(
            "{n_wrong} did not count as on_error says; {:.0} us each, memory {} -> {}",
            took.as_secs_f64() * 1e6 / (n_each * tried.len()).max(1) as f64,
            mib(before),
            mib(after)
        ),
    );
    section.delays = Some(bystander.stop()?);
    section.is_alive = broker.is_alive();
    section.rss = Some((before, after));
    broker.stop()?;
    Ok(section)
}

/// Puts the wanted files' cases into the lab.
fn install(lab: &mut Lab, is_wanted: impl Fn(&str) -> bool) -> Outcome<Vec<Tried>> {
    let pass = "(func $case (result i32) (i32.const 0))";
    lab.put("fine.wasm", &compose::whole(Module, pass)?)?;
    lab.plugin(
        "fine",
        "fine.wasm",
        &format!("topics = [\"{FINE}\"]\ngrants = [{ALL}]"),
    );
    let mut tried = Vec::new();
    for (file, number, timeout, grants, forms) in FILES {
        if !is_wanted(file) {
            continue;
        }
        for case in cases(&format!("wasm/{file}.wat"))? {
            for form in forms {
                let plugin = format!("{file}-{}-{}", form.word(), tried.len());
                let path = format!("{plugin}.wasm");
                let bytes = compose::whole(*form, &case.body)
                    .map_err(|error| format!("{file}, {}: {error}", case.name))?;
                lab.put(&path, &bytes)?;
                let on_error = OnError::of(tried.len());
                lab.plugin(
                    &plugin,
                    &path,
                    &format!(
                        "topics = [\"hostile/{plugin}\"]\ntimeout = \"{timeout}\"\non_error = \"{}\"\ngrants = [{grants}]",
                        on_error.word()
                    ),
                );
                tried.push(Tried {
                    number,
                    form: *form,
                    plugin,
                    on_error,
                    case: case.clone(),
                });
            }
        }
    }
    Ok(tried)
}
