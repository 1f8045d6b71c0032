//! Tries a plugin before it is let in: in a process of its own, with every hook that it answers, on input that nobody hopes for.
//!
//! ```text
//! hostile   the events              probe   the child that makes the calls      wire   what parent and child say to each other
//! course    the parent's account of one child        report  what is printed of it all     quoted  texts that may come from inputs
//! ```
//!
//! A child that dies or hangs is a finding; the next one goes on behind the call that was the end of it. Everything is bounded: each
//! step, the number of children, and the whole.

mod course;
mod hostile;
pub(crate) mod probe;
pub(crate) mod quoted;
mod report;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::config::LoadSettings;

use self::course::{Child, End};
use self::wire::{Answered, Job, Line, Step};

pub(crate) use self::report::Report;
use self::report::{Finding, HookCalls, Weight};

/// Time of a load, compilation of a large WASM component included.
const LOADING: Duration = Duration::from_secs(60);
/// Time of everything.
const TOTAL: Duration = Duration::from_secs(300);
/// Children that one hook may cost before it is not called any more.
const DEATHS: usize = 3;

/// What is to be tried.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) load: LoadSettings,
    /// Where compiled code is kept.
    pub(crate) compile_cache: Option<PathBuf>,
    /// Time of one call; `None` leaves it to the plugin and the default.
    pub(crate) timeout: Option<Duration>,
}

/// A plugin that cannot be tried: it was refused when it was loaded, or there is no process to try it in.
#[derive(Debug)]
pub(crate) enum Untried {
    /// The runtime's words.
    Refused(String),
    /// The system's.
    Failed(std::io::Error),
}

impl From<std::io::Error> for Untried {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error)
    }
}

/// What is under way in a child.
struct Now {
    step: Step,
    hook: Option<String>,
    words: String,
    is_beyond: bool,
}

/// Tries it.
///
/// # Errors
/// It could not be tried.
pub(crate) fn run(trial: &Trial) -> Result<Report, Untried> {
    let mut job = Job {
        path: trial.path.clone(),
        name: trial.name.clone(),
        grants: trial
            .load
            .grants
            .iter()
            .map(|grant| grant.name().to_owned())
            .collect(),
        memory: trial.load.memory,
        awaiting_timeout: trial.load.awaiting_timeout,
        maximum_awaiting: trial.load.maximum_awaiting,
        config: trial.load.config.clone(),
        compile_cache: trial.compile_cache.clone(),
        timeout: trial.timeout,
        from: Step::Load,
        skip: Vec::new(),
    };
    let mut report = Report::new(&trial.path);
    let mut deaths: BTreeMap<Option<String>, usize> = BTreeMap::new();
    let deadline = Instant::now() + TOTAL;
    loop {
        let mut now = None;
        let end = follow(&job, deadline, &mut report, &mut now)?;
        let Some(why) = end.words() else {
            return Ok(report);
        };
        let Some(Now {
            step, hook, words, ..
        }) = now
        else {
            return Err(Untried::Failed(std::io::Error::other(why)));
        };
        if let (Step::Case(..), Some(hook)) = (step, &hook) {
            report.called(hook, HookCalls::failed(Duration::ZERO));
        }
        report.find(Finding {
            hook: hook.clone(),
            words,
            why,
            last_words: end.last_words().to_owned(),
            weight: Weight::End,
        });
        if Instant::now() >= deadline {
            report.give_up("the time for all of it is over");
            return Ok(report);
        }
        let deaths = deaths.entry(hook.clone()).or_default();
        *deaths += 1;
        // Where to go on: behind the call that was the end. Without a load there is nothing to go on with.
        job.from = match step {
            Step::Load => return Ok(report),
            Step::Case(at, case) => Step::Case(at, case + 1),
            Step::Threads(at) => Step::Threads(at + 1),
            Step::Reload | Step::End => return Ok(report),
        };
        if let Some(hook) = hook
            && *deaths >= DEATHS
        {
            report.give_up(&format!(
                "{hook} is not called any more after {DEATHS} such ends"
            ));
            job.skip.push(hook);
        }
    }
}

/// One child from its start to its end.
fn follow(
    job: &Job,
    deadline: Instant,
    report: &mut Report,
    now: &mut Option<Now>,
) -> Result<End, Untried> {
    let mut child = Child::start(job)?;
    let mut within = LOADING;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(line) = child.next(within.min(left)) else {
            return Ok(child.end(within));
        };
        match line {
            Line::Begin {
                step,
                hook,
                words,
                is_beyond,
                within: time,
            } => {
                within = time;
                *now = Some(Now {
                    step,
                    hook,
                    words,
                    is_beyond,
                });
            }
            Line::Refused(why) => {
                child.end(within);
                return Err(Untried::Refused(why));
            }
            Line::Loaded { kind, hooks } => report.loaded(kind, hooks),
            Line::Called { answer, took } => {
                let Some(Now {
                    step,
                    hook,
                    words,
                    is_beyond,
                }) = now
                else {
                    continue;
                };
                let failure = match answer {
                    Answered::Verdict(verdict) => {
                        if let (Step::Case(..), Some(hook)) = (*step, hook.as_ref()) {
                            report.called(hook, HookCalls::answered(verdict, took));
                        }
                        continue;
                    }
                    Answered::Failed(why) => why,
                };
                if let (Step::Case(..), Some(hook)) = (*step, hook.as_ref()) {
                    report.called(hook, HookCalls::failed(took));
                }
                report.find(Finding {
                    hook: hook.clone(),
                    words: words.clone(),
                    why: failure,
                    last_words: String::new(),
                    weight: if *is_beyond {
                        Weight::Note
                    } else {
                        Weight::Failure
                    },
                });
            }
            Line::Done => {
                *now = Some(Now {
                    step: Step::End,
                    hook: None,
                    words: "at the end of the process".to_owned(),
                    is_beyond: false,
                });
                within = LOADING;
            }
        }
    }
}
