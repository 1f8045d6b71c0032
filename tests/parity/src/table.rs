//! All trials in all runtimes, compared, and the table of it.

use std::collections::HashMap;
use std::fmt;

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::{Cause, Field, Hook, Type};

use crate::column::{Column, Runtime};
use crate::sample;
use crate::transcript::Transcript;
use crate::trial::{Act, Trial};

/// Every other column is compared with this one.
const REFERENCE: Runtime = Runtime::Closure;

/// What came out.
#[derive(Debug, Default)]
pub struct Report {
    /// A row per hook, in the catalogue's order.
    pub rows: Vec<Row>,
    /// What is wrong, one by one.
    pub failures: Vec<String>,
}

/// One hook.
#[derive(Debug)]
pub struct Row {
    /// The hook.
    pub hook: Hook,
    /// One cell per [`Runtime::ALL`].
    pub cells: Vec<Cell>,
}

/// One hook in one runtime.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    /// Cases that are as they should be.
    pub n_passed: usize,
    /// All cases.
    pub n_cases: usize,
}

impl Cell {
    fn add(&mut self, other: Self) {
        self.n_passed += other.n_passed;
        self.n_cases += other.n_cases;
    }
}

/// Tries every hook whose name contains `filter`.
///
/// # Errors
/// When a runtime cannot load the policy: there is no table with a column left out.
pub fn run(filter: &str) -> Result<Report, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut columns = Vec::new();
    for runtime in Runtime::ALL {
        let column = Column::load(runtime, folder.path())
            .map_err(|why| format!("{}: {why}", runtime.name()))?;
        if column.hooks().count() != Hook::COUNT {
            return Err(format!("{}: it does not answer every hook", runtime.name()));
        }
        columns.push(column);
    }
    let mut report = Report::default();
    for spec in HOOKS.iter().filter(|spec| spec.name.contains(filter)) {
        let trials = Trial::of(spec);
        let played: Vec<HashMap<String, Transcript>> = columns
            .iter()
            .map(|column| {
                let play = |trial: &Trial| (trial.name(), Transcript::of(*trial, column));
                trials.iter().map(play).collect()
            })
            .collect();
        let reference = Runtime::ALL.iter().position(|known| *known == REFERENCE);
        let reference = &played[reference.expect("it is one of them")];
        let cells = columns.iter().zip(&played).map(|(column, own)| {
            let mut cell = Cell::default();
            for trial in &trials {
                cell.add(judge(
                    *trial,
                    column.runtime,
                    own,
                    reference,
                    &mut report.failures,
                ));
            }
            cell
        });
        let cells = cells.collect();
        report.rows.push(Row {
            hook: spec.hook,
            cells,
        });
    }
    Ok(report)
}

/// How many cases of one trial are as they should be.
fn judge(
    trial: Trial,
    runtime: Runtime,
    own: &HashMap<String, Transcript>,
    reference: &HashMap<String, Transcript>,
    failures: &mut Vec<String>,
) -> Cell {
    let n_cases = trial.n_cases();
    let (name, mut wrong) = (trial.name(), Vec::new());
    let (mine, theirs) = (&own[&name], &reference[&name]);
    let mut n_passed = n_cases;
    if mine != theirs {
        n_passed = 0;
        wrong.push(format!(
            "differs from {}:\n      {}",
            REFERENCE.name(),
            mine.difference(theirs)
        ));
    }
    if trial.act == Act::See {
        for field in unseen(trial.hook, mine) {
            n_passed = n_passed.saturating_sub(1);
            wrong.push(format!("no event has a {}", field.name()));
        }
    }
    if let Some(act) = trial.opposite() {
        let opposite = Trial { act, ..trial }.name();
        if !is_invisible(trial) && mine.has_same_effect(&own[&opposite]) {
            n_passed = 0;
            wrong.push(format!("has no effect: the world is as in {opposite}"));
        }
    }
    if let Some(why) = uncounted(trial, mine) {
        n_passed = 0;
        wrong.push(format!("{why}: {:?}", mine.metrics));
    }
    let columns = wrong
        .into_iter()
        .map(|wrong| format!("{name}: {}: {wrong}", runtime.name()));
    failures.extend(columns);
    Cell { n_passed, n_cases }
}

/// Fields that no event of the trial shows: an optional one that is always absent, another one that is always empty.
fn unseen(hook: Hook, transcript: &Transcript) -> Vec<Field> {
    let is_seen = |field: Field| {
        let spec = field.spec();
        let empty: &[&str] = match (spec.optional, spec.kind) {
            (true, _) => &["nothing"],
            (_, Type::Bool) => &["false"],
            (_, Type::Integer) => &["0"],
            (_, Type::Text) => &["''"],
            (_, Type::Bytes) => &["0x"],
            (_, Type::Pairs | Type::Records) => &["[]"],
        };
        let mark = format!(" {}=", spec.name);
        transcript.shown.iter().any(|line| {
            line.split_once(&mark)
                .and_then(|(_, rest)| rest.split(' ').next())
                .is_some_and(|value| !empty.contains(&value))
        })
    };
    hook.spec()
        .fields
        .iter()
        .copied()
        .filter(|field| is_seen(*field) == sample::is_beyond_reach(*field))
        .collect()
}

/// Changes that reach nobody's eyes.
fn is_invisible(trial: Trial) -> bool {
    match trial.act {
        Act::Set(field) | Act::Remove(field) => sample::is_beyond_reach(field),
        _ => false,
    }
}

/// What the policy's counters lack, or should not have.
fn uncounted(trial: Trial, transcript: &Transcript) -> Option<String> {
    let has = |word: &str| {
        let mark = format!(" {word}=");
        transcript.metrics.iter().any(|line| line.contains(&mark))
    };
    let expected = match trial.act {
        Act::Raise => Cause::Raised.name(),
        Act::Remove(field) if sample::must_stay(trial.hook, field) => Cause::Answer.name(),
        Act::Answer(..) | Act::Keep(_) | Act::See | Act::Set(_) | Act::Remove(_) => {
            trial.verdict().name()
        }
    };
    if !has(expected) {
        return Some(format!("{expected} is not in the metrics"));
    }
    Cause::ALL
        .into_iter()
        .map(Cause::name)
        .find(|cause| *cause != expected && has(cause))
        .map(|cause| format!("{cause} is in the metrics"))
}

impl Report {
    /// The cells of these rows, added up per column.
    fn total(&self, is_counted: impl Fn(&Row) -> bool) -> Vec<Cell> {
        let mut total = vec![Cell::default(); Runtime::ALL.len()];
        for row in self.rows.iter().filter(|row| is_counted(row)) {
            for (sum, cell) in total.iter_mut().zip(&row.cells) {
                sum.add(*cell);
            }
        }
        total
    }

    /// Whether every case of every column is as it should be.
    #[must_use]
    pub fn is_perfect(&self) -> bool {
        self.failures.is_empty()
            && !self.rows.is_empty()
            && self
                .total(|_| true)
                .iter()
                .all(|cell| cell.n_passed == cell.n_cases && cell.n_cases > 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:26}{:44}", "hook", "MQTTnet event")?;
        for runtime in Runtime::ALL {
            write!(out, "{:>12}", runtime.name())?;
        }
        writeln!(out)?;
        for row in &self.rows {
            let spec = row.hook.spec();
            write!(out, "{:26}{:44}", spec.name, spec.mqttnet.unwrap_or("-"))?;
            for cell in &row.cells {
                write!(out, "{:>12}", format!("{}/{}", cell.n_passed, cell.n_cases))?;
            }
            writeln!(out)?;
        }
        let is_mqttnet = |row: &Row| row.hook.spec().mqttnet.is_some();
        let groups = [
            (
                "MQTTnet's events",
                self.total(is_mqttnet),
                self.rows.iter().filter(|row| is_mqttnet(row)).count(),
            ),
            (
                "the other hooks",
                self.total(|row| !is_mqttnet(row)),
                self.rows.iter().filter(|row| !is_mqttnet(row)).count(),
            ),
        ];
        for (name, cells, n_hooks) in groups {
            write!(out, "{:70}", format!("{name} ({n_hooks})"))?;
            for cell in cells {
                let percent = if cell.n_cases == 0 {
                    "-".to_owned()
                } else {
                    format!(
                        "{:.1} %",
                        cell.n_passed as f64 * 100.0 / cell.n_cases as f64
                    )
                };
                write!(out, "{percent:>12}")?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Words;
    use hookmq_plugin_api::VerdictKind;

    fn transcript(wire: &str, shown: &str, metrics: &str) -> Transcript {
        Transcript {
            wire: vec![wire.to_owned()],
            shown: vec![shown.to_owned()],
            told: Vec::new(),
            metrics: vec![metrics.to_owned()],
        }
    }

    fn judged(act: Act, own: Transcript, reference: Transcript) -> (Cell, String) {
        let trial = Trial {
            hook: Hook::ConfigReloaded,
            act,
        };
        let see = Trial {
            act: Act::See,
            ..trial
        };
        let usual = transcript("usual", "", "pass=1");
        let with =
            |own: Transcript| HashMap::from([(see.name(), usual.clone()), (trial.name(), own)]);
        let mut failures = Vec::new();
        let (own, reference) = (with(own), with(reference));
        let cell = judge(trial, Runtime::Lua, &own, &reference, &mut failures);
        (cell, failures.join("\n"))
    }

    #[test]
    fn a_row_without_a_fault_passes() {
        let seen = || {
            transcript(
                "",
                "config_reloaded generation=2 sequence=1 timestamp=now",
                " pass=1",
            )
        };
        let (cell, failures) = judged(Act::See, seen(), seen());
        assert_eq!((cell.n_passed, cell.n_cases, &*failures), (3, 3, ""));
    }

    #[test]
    fn what_differs_or_is_not_shown_or_does_nothing_or_is_not_counted_fails() {
        let seen = |generation: &str| {
            let shown = format!("config_reloaded generation={generation} sequence=1 timestamp=now");
            transcript("", &shown, " pass=1")
        };
        let (cell, failures) = judged(Act::See, seen("3"), seen("2"));
        assert_eq!(cell.n_passed, 0);
        assert!(failures.contains("differs from closure"), "{failures}");

        let (cell, failures) = judged(Act::See, seen("0"), seen("0"));
        assert_eq!(cell.n_passed, 2);
        assert!(failures.contains("no event has a generation"), "{failures}");

        let drop = Act::Answer(VerdictKind::Drop, Words::Bare);
        let dropped = |wire: &str, metrics: &str| transcript(wire, "", metrics);
        let (cell, failures) = judged(
            drop,
            dropped("usual", " drop=1"),
            dropped("usual", " drop=1"),
        );
        assert_eq!(cell.n_passed, 0);
        assert!(failures.contains("has no effect"), "{failures}");

        let (cell, failures) = judged(
            drop,
            dropped("other", " pass=1"),
            dropped("other", " pass=1"),
        );
        assert_eq!(cell.n_passed, 0);
        assert!(
            failures.contains("drop is not in the metrics"),
            "{failures}"
        );

        let (cell, failures) = judged(
            drop,
            dropped("other", " drop=1"),
            dropped("other", " drop=1"),
        );
        assert_eq!((cell.n_passed, &*failures), (1, ""));
    }

    #[test]
    fn every_verdict_and_every_change_of_the_catalogue_is_tried() {
        for spec in HOOKS {
            let trials = Trial::of(spec);
            let tries = |act: Act| {
                trials.contains(&Trial {
                    hook: spec.hook,
                    act,
                })
            };
            assert!(tries(Act::See) && tries(Act::Raise), "{}", spec.name);
            for verdict in spec.verdicts {
                assert!(tries(Act::Answer(*verdict, Words::Bare)), "{}", spec.name);
            }
            for field in spec.changes {
                assert!(tries(Act::Set(*field)), "{}", spec.name);
                assert_eq!(
                    tries(Act::Remove(*field)),
                    field.spec().optional,
                    "{}",
                    spec.name
                );
            }
        }
    }

    #[test]
    fn a_report_of_nothing_is_not_perfect() {
        assert!(!Report::default().is_perfect());
    }
}
