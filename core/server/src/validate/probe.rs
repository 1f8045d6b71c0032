//! The child: loads the plugin and calls it. Whatever the plugin does to the process, the parent sees it.
//!
//! The parent's socket is the standard input: a job comes over it, lines go back. The process ends itself when the parent is gone or
//! when it has lived too long.

use std::io::{BufWriter, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hookmq_broker::hook::{DEFAULT_BUDGET, check_answer};
use hookmq_lua::testing::FakeHost;
use hookmq_plugin_api::{Cause, EventRecord, Hook, Listen, Plugin, PluginError, VerdictKind};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::runtime::Runtime as Executor;

use super::hostile::{Case, cases};
use super::wire::{Answered, Job, Line, Step};
use super::{LOADING, TOTAL};
use crate::runtime::{Program, Runtime};

/// Threads that call a hook at once, and how often each of them does.
const THREADS: usize = 4;
const CALLS: usize = 250;
/// How often it is looked whether the parent is still there.
const LOOK: Duration = Duration::from_millis(500);
/// Stack of a broker's worker.
const STACK: usize = 2 << 20;
/// Memory of a process with a native plugin in it, which nothing else bounds.
const MEMORY: u64 = 1 << 30;

/// Runs the job of standard input.
pub(crate) fn main() -> ExitCode {
    // On a thread like those that call plugins in a broker.
    let worker = thread::Builder::new().stack_size(STACK).spawn(run);
    let done = worker.and_then(|worker| {
        worker
            .join()
            .unwrap_or_else(|_| Err(std::io::Error::other("the calling thread panicked")))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot try the plugin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> std::io::Result<()> {
    let parent = parent_id();
    let mut socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut text = Vec::new();
    socket.read_to_end(&mut text)?;
    let job: Job = serde_json::from_slice(&text)?;
    socket.shutdown(Shutdown::Read)?;
    // A plugin that reads its standard input finds nothing there.
    let nothing = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    bound(&job);
    thread::Builder::new().spawn(move || watch(parent))?;
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut probe = Probe {
        out: BufWriter::new(socket),
        host: Arc::new(FakeHost::with_grants(
            job.load_settings().grants.into_iter().collect(),
        )),
        executor,
        job,
    };
    probe.run()
}

/// What the system can hold it to. A limit that cannot be set is one less; the parent's clock is the last one.
fn bound(job: &Job) {
    let limit = |most| Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    let _ = setrlimit(Resource::Core, limit(0));
    let _ = setrlimit(Resource::Cpu, limit(TOTAL.as_secs()));
    if Runtime::of(&job.path) == Some(Runtime::Native) {
        let _ = setrlimit(Resource::Data, limit(reserved().saturating_add(MEMORY)));
    }
}

/// Bytes that count as data already: the allocator reserves far more than it uses.
fn reserved() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    kilobytes.map_or(0, |number| number.trim().parse().unwrap_or(0)) << 10
}

/// Ends the process when nobody waits for it any more.
fn watch(parent: u32) {
    let deadline = Instant::now() + TOTAL + LOOK;
    while parent_id() == parent && Instant::now() < deadline {
        thread::park_timeout(LOOK);
    }
    std::process::abort();
}

/// What a call answered, and how long it took.
type Outcome = (Result<VerdictKind, PluginError>, Duration);

struct Probe {
    out: BufWriter<UnixStream>,
    host: Arc<FakeHost>,
    executor: Executor,
    job: Job,
}

impl Probe {
    fn run(&mut self) -> std::io::Result<()> {
        self.begin(Step::Load, None, "when it is loaded", LOADING)?;
        let program = match self.load() {
            Ok(program) => program,
            Err(why) => return self.tell(&Line::Refused(why)),
        };
        let listens = program.listens().to_vec();
        let hooks = listens
            .iter()
            .map(|listen| (listen.hook.name().to_owned(), cases(listen.hook).len()));
        self.tell(&Line::Loaded {
            kind: program.kind().to_owned(),
            hooks: hooks.collect(),
        })?;
        let budget = self.budget(&program);
        let mut program = program;
        let mut plugin = program.plugin();
        for (at, listen) in listens.iter().enumerate() {
            for (number, case) in cases(listen.hook).into_iter().enumerate() {
                let step = Step::Case(at, number);
                if self.is_due(step, listen.hook) {
                    let within = patience(listen, budget, self.job.awaiting_timeout);
                    self.tell(&Line::Begin {
                        step,
                        hook: Some(listen.hook.name().to_owned()),
                        words: case.words(),
                        is_beyond: case.is_beyond(),
                        within,
                    })?;
                    let event = case.event();
                    let mut outcome = self.call_timely(&plugin, listen, &event, budget);
                    // What earlier, larger input left behind is not this call's fault: once more, with nothing behind it.
                    if is_out_of_memory(&outcome)
                        && let Ok(fresh) = self.load()
                    {
                        plugin = fresh.plugin();
                        program = fresh;
                        outcome = self.call_timely(&plugin, listen, &event, budget);
                    }
                    self.judge(outcome, listen, budget)?;
                }
            }
        }
        for (at, listen) in listens.iter().enumerate() {
            let step = Step::Threads(at);
            if self.is_due(step, listen.hook) {
                let words = format!("from {THREADS} threads at once");
                let within = patience(listen, budget, self.job.awaiting_timeout) + LOADING;
                self.begin(step, Some(listen.hook), &words, within)?;
                self.call_at_once(&plugin, listen, budget)?;
            }
        }
        if self.job.from <= Step::Reload {
            let words = "when it is loaded again beside itself and the first one ends";
            self.begin(Step::Reload, None, words, LOADING * 2)?;
            let second = match self.load() {
                Ok(second) => second,
                Err(why) => {
                    return self.ended(
                        Answered::Failed(format!("a second load is refused: {why}")),
                        Duration::ZERO,
                    );
                }
            };
            drop((plugin, program));
            let plugin = second.plugin();
            if let Some(listen) = listens
                .iter()
                .find(|listen| self.is_due(Step::Reload, listen.hook))
            {
                // A call like those before: what it fails with, they may have failed with.
                let within = patience(listen, budget, self.job.awaiting_timeout);
                let words = "after it was loaded again";
                self.begin(Step::Reload, Some(listen.hook), words, within)?;
                let event = Case::usual(listen.hook).event();
                let outcome = self.call_timely(&plugin, listen, &event, budget);
                self.judge(outcome, listen, budget)?;
            }
            self.begin(Step::End, None, "when it ends", LOADING)?;
            drop((plugin, second));
        }
        self.tell(&Line::Done)
    }

    fn load(&self) -> Result<Program, String> {
        let host = Arc::clone(&self.host);
        Program::load(
            &self.job.name,
            &self.job.path,
            &self.job.load_settings(),
            self.job.compile_cache.as_deref(),
            host,
        )
        .map_err(|failure| failure.text)
    }

    fn budget(&self, program: &Program) -> Duration {
        self.job
            .timeout
            .or(program.said().timeout)
            .unwrap_or(DEFAULT_BUDGET)
    }

    fn is_due(&self, step: Step, hook: Hook) -> bool {
        step >= self.job.from && !self.job.skip.iter().any(|name| name == hook.name())
    }

    /// One call. What ran out of time is tried once more, as it may have been the machine's fault.
    fn call_timely(
        &self,
        plugin: &Arc<dyn Plugin>,
        listen: &Listen,
        event: &EventRecord,
        budget: Duration,
    ) -> Outcome {
        let first = self.call_once(plugin, listen, event, budget);
        if is_late(&first, listen, budget) {
            return self.call_once(plugin, listen, event, budget);
        }
        first
    }

    /// Tells the parent what came of a call.
    fn judge(
        &mut self,
        outcome: Outcome,
        listen: &Listen,
        budget: Duration,
    ) -> std::io::Result<()> {
        let late = is_late(&outcome, listen, budget);
        let (outcome, took) = outcome;
        // What it did is not looked at, and must not pile up.
        self.host.take_log();
        self.host.take_published();
        self.host.take_disconnected();
        let answered = match outcome {
            Err(error) if error.cause == Cause::Timeout => {
                Answered::Failed(format!("ran out of time: {}", error.message))
            }
            Err(error) => Answered::Failed(error.to_string()),
            Ok(_) if late => Answered::Failed(format!(
                "took {}, and its timeout is {}",
                milliseconds(took),
                milliseconds(budget)
            )),
            Ok(verdict) => Answered::Verdict(verdict.name().to_owned()),
        };
        self.ended(answered, took)
    }

    fn call_once(
        &self,
        plugin: &Arc<dyn Plugin>,
        listen: &Listen,
        event: &EventRecord,
        budget: Duration,
    ) -> Outcome {
        // The broker copies what a waiting handler reads before it calls.
        let copy = listen
            .awaits
            .then(|| Arc::new(EventRecord::copy_of(event, listen.fields)));
        let started = Instant::now();
        let answer = match copy {
            None => plugin.call(event, budget),
            Some(event) => self.executor.block_on(async {
                let call = Arc::clone(plugin).call_awaiting(event, budget);
                let limit = self.job.awaiting_timeout;
                tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
                    let words = format!("no answer within {}", milliseconds(limit));
                    Err(PluginError::new(Cause::Timeout, words))
                })
            }),
        };
        let took = started.elapsed();
        let verdict = answer.and_then(|answer| {
            check_answer(listen.hook.spec(), &answer)?;
            Ok(answer.verdict.kind())
        });
        (verdict, took)
    }

    /// The usual event from several threads, as the broker's workers do it. Failures were told by the cases; here it is the process
    /// that counts.
    fn call_at_once(
        &mut self,
        plugin: &Arc<dyn Plugin>,
        listen: &Listen,
        budget: Duration,
    ) -> std::io::Result<()> {
        let started = Instant::now();
        if !listen.awaits {
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        let event = Case::usual(listen.hook).event();
                        for _ in 0..CALLS {
                            if plugin.call(&event, budget).is_err() {
                                return;
                            }
                        }
                    });
                }
            });
        }
        self.host.take_log();
        self.host.take_published();
        self.host.take_disconnected();
        self.ended(Answered::Verdict("at once".to_owned()), started.elapsed())
    }

    fn begin(
        &mut self,
        step: Step,
        hook: Option<Hook>,
        words: &str,
        within: Duration,
    ) -> std::io::Result<()> {
        self.tell(&Line::Begin {
            step,
            hook: hook.map(|hook| hook.name().to_owned()),
            words: words.to_owned(),
            is_beyond: false,
            within,
        })
    }

    fn ended(&mut self, answer: Answered, took: Duration) -> std::io::Result<()> {
        self.tell(&Line::Called { answer, took })
    }

    /// Flushed, because the next thing may be the last one.
    fn tell(&mut self, line: &Line) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

/// How long a call may last before the process is given up: enough for two of them, on a machine that is busy.
fn patience(listen: &Listen, budget: Duration, awaiting_timeout: Duration) -> Duration {
    let one = if listen.awaits {
        awaiting_timeout.max(budget)
    } else {
        budget
    };
    one * 3 + Duration::from_secs(5)
}

/// Whether it ran out of time. A waiting handler's time is judged by who awaits it.
fn is_late((outcome, took): &Outcome, listen: &Listen, budget: Duration) -> bool {
    match outcome {
        Ok(_) => !listen.awaits && *took > budget,
        Err(error) => error.cause == Cause::Timeout,
    }
}

fn is_out_of_memory((outcome, _): &Outcome) -> bool {
    matches!(outcome, Err(error) if error.cause == Cause::Memory)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}
