//! Number 33: hooks that wait for half a minute. Their client waits, nobody else does; the breaker opens, and closes by itself.

use std::fs;
use std::time::{Duration, Instant};

use super::built::compile;
use super::bystander::Bystander;
use super::lab::{Lab, message, sources, text};
use super::peer::PATIENCE;
use super::report::{Section, ms};
use crate::Outcome;

/// Failures that open the breaker.
const FAILURES: usize = 3;
/// How long the broker waits for an answer.
const WAIT: Duration = Duration::from_millis(400);

/// Tries it in the runtimes that can wait.
///
/// # Errors
/// When there is nothing to try it on.
pub(super) fn run() -> Outcome<Section> {
    let mut section = Section::new("waiting", 128);
    let mut lab = Lab::new("waiting")?;
    lab.section(&format!(
        "[hooks.breaker]\nfailures = {FAILURES}\nopen_for = \"500ms\"\n"
    ));
    lab.put("lua.lua", &fs::read(sources().join("lua/blocks.lua"))?)?;
    compile(&lab, "tests/hostile/native/blocks.c", "native.so", &[])?;
    for (name, file) in [("lua", "lua.lua"), ("native", "native.so")] {
        lab.plugin(
            name,
            file,
            &format!(
                "topics = [\"waits/{name}\"]\nawaiting_timeout = \"{}ms\"",
                WAIT.as_millis()
            ),
        );
    }
    let mut broker = lab.start()?;
    let bystander = Bystander::start(broker.address())?;
    for runtime in ["lua", "native"] {
        let topic = format!("waits/{runtime}");
        let mark = broker.mark()?;
        let of = |words: &'static str| {
            move |line: &serde_json::Value| {
                text(line, "plugin") == runtime && message(line).contains(words)
            }
        };
        let mut waiting = broker.client("waiting")?;
        let mut other = broker.client("other")?;
        let (mut slowest, mut n_refused) = (Duration::ZERO, 0);
        let mut of_other = Duration::ZERO;
        for at in 0..FAILURES {
            let answered = std::thread::scope(|scope| -> Outcome<_> {
                let blocked = scope.spawn(|| {
                    waiting
                        .publish(&topic, b"block")
                        .map_err(|error| error.to_string())
                });
                if at == 0 {
                    of_other = other.publish(&topic, b"fine")?.took;
                }
                Ok(blocked.join().map_err(|_| "a client had a panic")??)
            })?;
            slowest = slowest.max(answered.took);
            n_refused += usize::from(answered.code == 0x83 && answered.took >= WAIT);
        }
        section.row(
            33,
            runtime,
            "a hook that waits 30 s",
            n_refused == FAILURES,
            format!(
                "{n_refused} of {FAILURES} cut, after {:.0} ms at most; another client at the same hook: {:.1} ms",
                ms(slowest),
                ms(of_other)
            ),
        );
        let opened = broker.wait_for(
            mark,
            "that the breaker opened",
            of("failed too often in a row"),
        );
        section.row(
            33,
            runtime,
            "the breaker opens",
            opened.is_ok(),
            opened.map_or_else(|error| error.to_string(), |line| message(&line).to_owned()),
        );
        let started = Instant::now();
        let mut n_asked = 0;
        let closed = loop {
            n_asked += 1;
            if other.publish(&topic, b"fine")?.code < 0x80 {
                break true;
            }
            if started.elapsed() > PATIENCE {
                break false;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        };
        section.row(
            33,
            runtime,
            "and closes without a restart",
            closed
                && broker
                    .wait_for(mark, "that it closed", of("answers again"))
                    .is_ok(),
            format!(
                "after {:.0} ms and {n_asked} messages",
                ms(started.elapsed())
            ),
        );
    }
    section.delays = Some(bystander.stop()?);
    section.is_alive = broker.is_alive();
    section.rss = Some(broker.rss());
    // With handlers that still sleep.
    let started = Instant::now();
    broker.stop()?;
    section.row(
        33,
        "all",
        "a stop while handlers still sleep",
        true,
        format!("{:.0} ms", ms(started.elapsed())),
    );
    Ok(section)
}
