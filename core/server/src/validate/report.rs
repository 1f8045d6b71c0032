//! What came of a trial: findings, each said once, and a table of calls.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::quoted::{Line, Lines};

/// Something that is wrong.
#[derive(Debug)]
pub(super) struct Finding {
    /// At which hook; `None` is before or after all of them.
    pub(super) hook: Option<String>,
    /// What it was about, to go after the hook's name.
    pub(super) words: String,
    /// What happened.
    pub(super) why: String,
    /// What was on standard error before that; it is no part of what happened.
    pub(super) last_words: String,
    pub(super) weight: Weight,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// A call failed in an orderly way, on input that the broker's own limits keep away.
    Note,
    /// A call failed in an orderly way.
    Failure,
    /// The process was gone, or had to be ended.
    End,
}

/// Everything that was seen of one plugin.
#[derive(Debug)]
pub(crate) struct Report {
    path: PathBuf,
    kind: String,
    /// In the plugin's order.
    hooks: Vec<(String, HookCalls)>,
    /// With how many more were like it.
    findings: Vec<(Finding, usize)>,
    /// What was not tried.
    given_up: Vec<String>,
}

/// What came of the calls of one hook.
#[derive(Debug, Default, Clone)]
pub(super) struct HookCalls {
    n_planned: usize,
    n_failed: usize,
    verdicts: BTreeMap<String, usize>,
    slowest: Duration,
}

impl HookCalls {
    /// One call that answered.
    pub(super) fn answered(verdict: String, took: Duration) -> Self {
        Self {
            verdicts: BTreeMap::from([(verdict, 1)]),
            slowest: took,
            ..Self::default()
        }
    }

    /// One call that failed.
    pub(super) fn failed(took: Duration) -> Self {
        Self {
            n_failed: 1,
            slowest: took,
            ..Self::default()
        }
    }

    fn n_answered(&self) -> usize {
        self.verdicts.values().sum()
    }
}

impl Report {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            kind: String::new(),
            hooks: Vec::new(),
            findings: Vec::new(),
            given_up: Vec::new(),
        }
    }

    /// A child has loaded it; each one does so.
    pub(super) fn loaded(&mut self, kind: String, hooks: Vec<(String, usize)>) {
        self.kind = kind;
        if self.hooks.is_empty() {
            let hooks = hooks.into_iter().map(|(hook, n_planned)| {
                let calls = HookCalls {
                    n_planned,
                    ..HookCalls::default()
                };
                (hook, calls)
            });
            self.hooks = hooks.collect();
        }
    }

    pub(super) fn called(&mut self, hook: &str, call: HookCalls) {
        if let Some((_, calls)) = self.hooks.iter_mut().find(|(name, _)| name == hook) {
            calls.n_failed += call.n_failed;
            calls.slowest = calls.slowest.max(call.slowest);
            for (verdict, n) in call.verdicts {
                *calls.verdicts.entry(verdict).or_default() += n;
            }
        }
    }

    /// A finding. What was found before with other input is only counted.
    pub(super) fn find(&mut self, finding: Finding) {
        let known = self
            .findings
            .iter_mut()
            // A failure is not hidden behind a note, even where the plugin's words are the same.
            .find(|(known, _)| {
                known.hook == finding.hook
                    && known.why == finding.why
                    && known.weight >= finding.weight
            });
        match known {
            Some((_, n_more)) => *n_more += 1,
            None => self.findings.push((finding, 0)),
        }
    }

    pub(super) fn give_up(&mut self, why: &str) {
        self.given_up.push(why.to_owned());
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_good(&self) -> bool {
        self.count(Weight::Failure) + self.count(Weight::End) + self.given_up.len() == 0
    }

    fn count(&self, weight: Weight) -> usize {
        let like_it = self
            .findings
            .iter()
            .filter(|(finding, _)| finding.weight == weight);
        like_it.count()
    }

    /// Hooks of which only one branch was ever seen, with what it did.
    fn one_sided(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.hooks.iter().filter_map(|(hook, calls)| {
            let mut verdicts = calls.verdicts.keys();
            let (Some(only), None) = (verdicts.next(), verdicts.next()) else {
                return None;
            };
            let verb = match only.as_str() {
                "deny" => "denied",
                "drop" => "dropped",
                "disconnect" => "disconnected the client at",
                _ => return None,
            };
            (calls.n_answered() > 1).then_some((hook.as_str(), verb))
        })
    }

    fn table(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 5]> = self
            .hooks
            .iter()
            .map(|(hook, calls)| {
                let answers = calls
                    .verdicts
                    .iter()
                    .map(|(verdict, n)| format!("{verdict} {n}"))
                    .collect::<Vec<_>>()
                    .join(", ");
                let n_made = calls.n_answered() + calls.n_failed;
                [
                    hook.clone(),
                    format!("{n_made} of {}", calls.n_planned),
                    answers,
                    calls.n_failed.to_string(),
                    format!("{:.1} ms", calls.slowest.as_secs_f64() * 1_000.0),
                ]
            })
            .collect();
        let head = ["hook", "calls", "answers", "failed", "slowest"].map(str::to_owned);
        let mut widths = [0; 5];
        for row in rows.iter().chain([&head]) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in [&head].into_iter().chain(&rows) {
            let cells = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            writeln!(out, "  {}", line.trim_end())?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        for (finding, n_more) in &self.findings {
            let about = match &finding.hook {
                Some(hook) => format!("{hook} {}", finding.words),
                None => finding.words.clone(),
            };
            writeln!(out, "{path}: {about}: {}", Line(&finding.why))?;
            if !finding.last_words.is_empty() {
                writeln!(out, "    its last words: {}", Lines(&finding.last_words))?;
            }
            if finding.weight == Weight::Note {
                writeln!(
                    out,
                    "    only a note: the broker keeps such input away unless its limits are raised"
                )?;
            }
            if *n_more > 0 {
                writeln!(out, "    and so {n_more} more times, with other input")?;
            }
        }
        for why in &self.given_up {
            writeln!(out, "{path}: {why}")?;
        }
        if !self.hooks.is_empty() {
            self.table(out)?;
        }
        let one_sided: Vec<_> = self.one_sided().collect();
        for (hook, verb) in &one_sided {
            writeln!(
                out,
                "{path}: {hook}: it {verb} every call, so what it lets through was not tried"
            )?;
        }
        let findings = |n: usize| format!("{n} finding{}", if n == 1 { "" } else { "s" });
        let (n_failures, n_ends) = (self.count(Weight::Failure), self.count(Weight::End));
        let n_all = n_failures + n_ends;
        if self.is_good() {
            let what = if self.hooks.is_empty() {
                "answers no hook"
            } else if one_sided.is_empty() {
                "is good"
            } else {
                "is good as far as it was tried"
            };
            writeln!(out, "{path} ({}) {what}", self.kind)
        } else if n_ends > 0 {
            let which = match n_ends {
                _ if n_all == 1 => " that".to_owned(),
                n if n == n_all => ", each of which".to_owned(),
                n => format!(", {n} of which"),
            };
            writeln!(
                out,
                "{}{which} would have taken the broker down or held it up: do not let it in",
                findings(n_all)
            )
        } else {
            writeln!(
                out,
                "{}; in a broker each such call counts as on_error says",
                findings(n_failures)
            )
        }
    }
}
