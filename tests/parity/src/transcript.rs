//! One trial in one runtime, written down.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookmq_broker::hook::Registration;
use hookmq_plugin_api::{
    Answer, Cause, Event, Hook, Kind, Listen, Plugin, PluginError, VerdictKind,
};

use crate::column::Column;
use crate::sample::{self, Aim};
use crate::scenario;
use crate::trial::Trial;
use crate::witness::{self, Witness};

/// The policy's name in logs and metrics.
const POLICY: &str = "policy";

/// The last notice of all.
const LAST: Hook = Hook::BrokerStopped;

/// Longer than any of a trial's calls takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was said and seen; times and ports are left out, as they are never the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// What the clients sent and received.
    pub wire: Vec<String>,
    /// What the policy was shown.
    pub shown: Vec<String>,
    /// The notices that the plugin beside it was told.
    pub told: Vec<String>,
    /// The policy's counters.
    pub metrics: Vec<String>,
}

impl Transcript {
    /// Holds one trial.
    ///
    /// # Panics
    /// When the broker cannot start, or is not done after a minute.
    #[must_use]
    pub fn of(trial: Trial, column: &Column) -> Self {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime")
            .block_on(play(trial, column))
    }

    /// Whether the world looks the same: what clients received and what was told, whatever the policy itself saw and counted.
    #[must_use]
    pub fn has_same_effect(&self, other: &Self) -> bool {
        self.wire == other.wire && self.told == other.told
    }

    /// All lines.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("wire", &self.wire),
            ("shown", &self.shown),
            ("told", &self.told),
            ("metrics", &self.metrics),
        ]
        .into_iter()
        .flat_map(|(part, lines)| lines.iter().map(move |line| (part, line.as_str())))
    }

    /// The first lines in which it differs from the other one.
    #[must_use]
    pub fn difference(&self, other: &Self) -> String {
        let (mine, theirs): (Vec<_>, Vec<_>) = (self.lines().collect(), other.lines().collect());
        let at = (0..mine.len().max(theirs.len())).find(|at| mine.get(*at) != theirs.get(*at));
        at.map_or_else(
            || "no difference".to_owned(),
            |at| {
                let show = |line: Option<&(&str, &str)>| {
                    line.map_or_else(|| "-".to_owned(), |(part, line)| format!("{part}: {line}"))
                };
                format!("{}\n      {}", show(mine.get(at)), show(theirs.get(at)))
            },
        )
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines()
            .try_for_each(|(part, line)| writeln!(out, "{part:8}{line}"))
    }
}

async fn play(trial: Trial, column: &Column) -> Transcript {
    column.notebook.begin(&trial.script());
    let witness = Witness::new();
    let mut plugins = vec![
        Registration {
            // Whatever else the machine does, no call is over its time.
            budget: PATIENCE,
            ..Registration::new(POLICY, "policy", column.at(trial.hook, LAST))
        },
        Registration::new(witness::NAME, "embedded", Arc::clone(&witness) as _),
    ];
    plugins.extend(witness::before(trial));
    if trial.hook.spec().kind == Kind::Gate {
        plugins.push(Registration::new(
            "doorman",
            "embedded",
            Doorman::at(trial.hook),
        ));
    }
    let mut stage = scenario::start(trial.hook, plugins).await;
    scenario::play(trial.hook, &mut stage).await;
    let wire = stage.ends().await;
    let metrics = || stage.handle.hook_metrics();
    // Notices are told on threads of their own, in order: once the last one is counted, all are.
    let begun = Instant::now();
    while metrics().iter().any(|row| {
        row.hook == LAST && [POLICY, witness::NAME].contains(&&*row.plugin) && row.calls() == 0
    }) {
        assert!(
            begun.elapsed() < PATIENCE,
            "{}: the notices do not end",
            trial.name()
        );
        std::thread::yield_now();
    }
    let rows = metrics();
    let counted = rows
        .iter()
        .filter(|row| &*row.plugin == POLICY && row.hook == trial.hook)
        .map(|row| {
            let verdicts = VerdictKind::ALL.map(|kind| (kind.name(), row.verdict(kind)));
            let causes = Cause::ALL.map(|cause| (cause.name(), row.error(cause)));
            let counts: Vec<_> = verdicts
                .into_iter()
                .chain(causes)
                .filter(|(_, n)| *n > 0)
                .map(|(word, n)| format!("{word}={n}"))
                .collect();
            format!(
                "{} calls={} {}",
                row.hook.name(),
                row.calls(),
                counts.join(" ")
            )
        })
        .collect();
    let bound = stage.bound().map(|bound| bound.to_string());
    let clean = |lines: Vec<String>| comparable(lines, bound.as_deref());
    Transcript {
        wire,
        shown: clean(column.notebook.lines()),
        told: clean(witness.lines()),
        metrics: counted,
    }
}

/// The lines without what is never the same twice: times, ports, and in which order the receivers of one message are served, and with
/// it who of them has which number. The numbers themselves stay, as the last line.
fn comparable(lines: Vec<String>, bound: Option<&str>) -> Vec<String> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut clean: Vec<String> = lines
        .into_iter()
        .map(|line| {
            let line = match bound {
                Some(bound) => line.replace(bound, "bound"),
                None => line,
            };
            let line = with_word(&line, "timestamp=", "now", |ms| ms > 1_700_000_000_000);
            with_word(&line, "sequence=", "n", |number| {
                numbers.push(number);
                number > 0
            })
        })
        .collect();
    clean.sort_unstable();
    numbers.sort_unstable();
    if !numbers.is_empty() {
        clean.push(format!("sequences {numbers:?}"));
    }
    clean
}

/// The line with a word for the number behind `mark`, if the number is as it should be.
fn with_word(line: &str, mark: &str, word: &str, is_right: impl FnOnce(u64) -> bool) -> String {
    let Some(at) = line.find(mark) else {
        return line.to_owned();
    };
    let (before, after) = line.split_at(at + mark.len());
    let is_digit = |letter: char| letter.is_ascii_digit();
    let start = after.find(is_digit).unwrap_or(0);
    let end = after[start..]
        .find(|letter| !is_digit(letter))
        .map_or(after.len(), |len| start + len);
    if after[start..end].parse().is_ok_and(is_right) {
        format!("{before}{}{word}{}", &after[..start], &after[end..])
    } else {
        line.to_owned()
    }
}

/// Lets happen what the trial is not about, where the broker as shipped refuses what nobody accepts.
struct Doorman([Listen; 1]);

impl Doorman {
    fn at(hook: Hook) -> Arc<dyn Plugin> {
        Arc::new(Self([Listen {
            hook,
            fields: hook.spec().field_set(),
            awaits: false,
        }]))
    }
}

impl Plugin for Doorman {
    fn listens(&self) -> &[Listen] {
        &self.0
    }

    fn call(&self, event: &dyn Event, _: Duration) -> Result<Answer, PluginError> {
        let is_meant = sample::aims(event.hook())
            .iter()
            .all(|Aim { field, text }| event.get(*field).as_text() == Some(text));
        Ok(if is_meant {
            Answer::PASS
        } else {
            hookmq_plugin_api::Verdict::Accept.into()
        })
    }
}
