//! Numbers 32 and 39: panics, ends of the process, and plugins that publish from their own hook.

use std::time::Instant;

use super::built::{Runtime, compile};
use super::bystander::Bystander;
use super::lab::{Lab, message, text};
use super::peer::PATIENCE;
use super::report::Section;
use crate::Outcome;

/// One way of the fixture to misbehave: the number that it stands for, how it is built, and what `plugin validate` says of it.
struct End {
    number: u8,
    case: &'static str,
    flag: &'static str,
    words: &'static str,
    /// Takes seconds, or all memory that there is.
    is_slow: bool,
}

const fn end(number: u8, case: &'static str, flag: &'static str, words: &'static str) -> End {
    End {
        number,
        case,
        flag,
        words,
        is_slow: false,
    }
}

impl End {
    /// The file in the lab.
    fn output(&self) -> String {
        format!("{}.so", self.flag.trim_start_matches("-D").to_lowercase())
    }
}

/// The source of all of them.
const MISBEHAVES: &str = "core/server/tests/fixtures/misbehave.c";
const ENDS: [End; 10] = [
    End {
        is_slow: true,
        ..end(28, "endless loop", "-DDOES_LOOP", "did not return within")
    },
    End {
        is_slow: true,
        ..end(30, "memory bomb", "-DDOES_EAT", "killed by signal")
    },
    end(
        32,
        "segmentation fault",
        "-DDOES_SEGFAULT",
        "killed by signal 11 (segmentation fault)",
    ),
    end(32, "abort", "-DDOES_ABORT", "killed by signal 6 (abort)"),
    end(
        32,
        "exit(3)",
        "-DDOES_EXIT",
        "ended the process with exit code 3",
    ),
    end(32, "stack used up", "-DDOES_OVERFLOW", "killed by signal"),
    end(35, "verdict 42", "-DDOES_UNKNOWN_VERDICT", "42"),
    end(
        35,
        "change of a field that is fixed",
        "-DDOES_FORBIDDEN_CHANGE",
        "cannot change field client_id",
    ),
    end(35, "topic that is no text", "-DDOES_NO_TEXT", "UTF-8"),
    end(
        35,
        "failure in words",
        "-DDOES_FAIL",
        "the database is gone",
    ),
];
/// What stands for it in the report's first lines.
const DUPLICATE: &str = "intercept_publish with dup true";
/// The ways of the Rust plugin to panic, by their topics.
const PANICS: [&str; 3] = ["panic", "panic with a number", "overflow"];
/// What its topics begin with here.
const KINDS: [&str; 4] = ["panic", "panic with a number", "overflow", "again"];
/// Publishes that one publish may cause in a row.
const DEPTH: usize = 8;

/// Native plugins that would take a process down, tried as an operator would, while a broker runs; panics in the broker itself.
///
/// # Errors
/// When there is nothing to try it on.
pub(super) fn run(is_quick: bool) -> Outcome<Section> {
    let mut section = Section::new("native", 128);
    let mut lab = Lab::new("native")?;
    for runtime in Runtime::ALL {
        lab.put(&runtime.file(), &runtime.bytes('a')?)?;
    }
    for runtime in Runtime::ALL {
        // The broker's log says one line a second of each plugin's failures, so each case has a plugin of its own.
        for kind in KINDS {
            lab.plugin(
                &format!("{kind}-{}", runtime.word()),
                &runtime.file(),
                &format!(
                    "{}\ntopics = [\"{kind}/{}\"]\ngrants = [\"publish\"]\non_error = \"pass\"",
                    runtime.config(),
                    runtime.word()
                ),
            );
        }
    }
    let ends: Vec<&End> = ENDS
        .iter()
        .filter(|end| !is_quick || !end.is_slow)
        .collect();
    for end in &ends {
        compile(&lab, MISBEHAVES, &end.output(), &[end.flag])?;
    }
    let mut broker = lab.start()?;
    let mut bystander = Bystander::start(broker.address())?;
    // Plugins that do nothing wrong, tried and called as the others are.
    let fine = Runtime::Native.file();
    bystander.beside(|| {
        let mut client = broker.client("fine")?;
        for _ in 0..PANICS.len() * 2 {
            client.publish("fine", b"x")?;
        }
        lab.command(&["plugin", "validate", &fine, "--timeout", "100ms"])
            .map(drop)
    })?;
    bystander.watch()?;
    let mut client = broker.client("hostile")?;
    for runtime in &Runtime::ALL[1..] {
        for kind in PANICS {
            let mark = broker.mark()?;
            let name = runtime.word();
            let plugin = format!("{kind}-{name}");
            let answered = client.publish(&format!("{kind}/{name}"), b"x")?;
            let line = broker.wait_for(mark, "that the plugin failed", |line| {
                text(line, "plugin") == plugin && message(line).starts_with("plugin failed")
            });
            let again = client.publish(&format!("{kind}/{name}"), b"x")?;
            // A panic of a WASM plugin without words is a trap like any other.
            let is_good = line.as_ref().is_ok_and(|line| {
                let cause = text(line, "cause");
                cause == "panic" || (cause == "raised" && *runtime != Runtime::Native)
            }) && answered.code < 0x80
                && again.code < 0x80;
            section.row(
                32,
                name,
                kind,
                is_good,
                line.map_or_else(
                    |error| error.to_string(),
                    |line| format!("{}: {}", text(&line, "cause"), message(&line)),
                ),
            );
        }
    }
    for runtime in Runtime::ALL {
        again(&mut section, &mut broker, runtime)?;
    }
    for end in ends {
        let output = end.output();
        let started = Instant::now();
        let (code, said) = lab.command(&["plugin", "validate", &output, "--timeout", "100ms"])?;
        let line = said.lines().find(|line| line.contains(DUPLICATE));
        section.row(
            end.number,
            "validate",
            end.case,
            code == Some(1)
                && line.is_some_and(|line| line.contains(end.words))
                && broker.is_alive(),
            format!(
                "{} ms, exit code {code:?}: {}",
                started.elapsed().as_millis(),
                line.unwrap_or(&said)
            ),
        );
    }
    section.delays = Some(bystander.stop()?);
    section.is_alive = broker.is_alive();
    section.rss = Some(broker.rss());
    broker.stop()?;
    Ok(section)
}

/// Number 39: every message is published again by the hook that sees it.
fn again(section: &mut Section, broker: &mut super::lab::Broker<'_>, runtime: Runtime) -> Outcome {
    let name = runtime.word();
    let topic = format!("again/{name}");
    let plugin = format!("again-{name}");
    let mark = broker.mark()?;
    let mut subscriber = broker.client("again-s")?;
    subscriber.subscribe(&topic)?;
    let mut client = broker.client("again-p")?;
    client.publish(&topic, b"x")?;
    let is_alarm = |line: &serde_json::Value| {
        text(line, "plugin") == plugin && message(line).starts_with("plugin failed")
    };
    let alarm = broker.wait_for(mark, "that the plugin failed", is_alarm);
    let mut n_messages = 0;
    while n_messages <= DEPTH && subscriber.message(Instant::now() + PATIENCE)?.is_some() {
        n_messages += 1;
    }
    // Whatever else would be published is behind this one.
    client.publish("again/end", b"")?;
    subscriber.subscribe("again/end")?;
    client.publish("again/end", b"")?;
    while let Some(message) = subscriber.message(Instant::now() + PATIENCE)? {
        if message.topic == "again/end" {
            break;
        }
        n_messages += 1;
    }
    let n_alarms = broker.lines(mark, is_alarm)?.len();
    section.row(
        39,
        name,
        "publishes from its own hook",
        n_messages == DEPTH + 1 && n_alarms == 1,
        format!(
            "{n_messages} messages, {n_alarms} alarm: {}",
            alarm.map_or_else(|error| error.to_string(), |line| message(&line).to_owned())
        ),
    );
    Ok(())
}
