//! `cargo xtask soak MINUTES`: a broker with a store and a script under everything at once, for long, at a moderate rate; what it loses,
//! and whether what it takes of the machine stays the same.
//!
//! One thread plays everybody (`crowd.rs` who stays, `visitors.rs` and `mortals.rs` who is new each time, `keeper.rs` what is retained),
//! a ledger (`ledger.rs`) holds what is owed, and the script is saved anew every few seconds. Nothing here grows with the time that it
//! runs, except for a few figures per minute.

mod client;
mod content;
mod crowd;
mod host;
mod keeper;
mod ledger;
mod member;
mod mortals;
mod report;
mod visitors;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use fastrand::Rng;
use indicatif::{ProgressBar, ProgressStyle};

use crate::process::build_broker;
use crate::{Outcome, setup};
use crowd::Crowd;
use host::{Host, Sample};
use keeper::Keeper;
use ledger::{Flaw, Ledger, PATIENCE};
use mortals::Mortals;
use visitors::Visitors;

/// Between two turns of those who stay; the others have one of three.
const TURN: Duration = Duration::from_millis(2);
/// Between two looks at what the broker takes of the machine.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// Between two savings of the script.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// What `cargo xtask soak` takes.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// How long.
    #[arg(value_name = "MINUTES")]
    minutes: f64,
    /// Repeats the choices of an earlier run, as far as the machine's timing lets it.
    #[arg(long)]
    seed: Option<u64>,
    /// What an acknowledgement promises.
    #[arg(long, value_enum, default_value = "os")]
    durability: Durability,
    /// Take this broker instead of building one.
    #[arg(long, value_name = "PATH")]
    broker: Option<PathBuf>,
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Durability {
    /// It survives the broker.
    Os,
    /// It survives the power.
    Disk,
}

/// What everybody shares.
struct Ground {
    address: SocketAddr,
    ledger: Ledger,
    rng: Rng,
}

/// Everybody.
struct People {
    crowd: Crowd,
    visitors: Visitors,
    mortals: Mortals,
    keeper: Keeper,
    n_turns: u64,
}

/// Saves the script and sees that it is taken.
struct Saver {
    saved: Instant,
    generation: u64,
    is_counted: bool,
}

/// Runs it and prints the report.
///
/// # Errors
/// When anything was lost or otherwise wrong, or a long run ends with a broker that grows.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let binary = if let Some(binary) = &arguments.broker {
        binary.canonicalize()?
    } else {
        setup::need_cxx()?;
        build_broker()?
    };
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1 << 48));
    let long = Duration::try_from_secs_f64(arguments.minutes * 60.0)?;
    let durability = match arguments.durability {
        Durability::Os => "os",
        Durability::Disk => "disk",
    };
    println!(
        "soak: {} minutes, durability {durability}, --seed {seed}",
        arguments.minutes
    );
    let is_interrupted = interruptible()?;
    let host = Host::start(&binary, durability)?;
    let mut ground = Ground {
        address: host.address,
        ledger: Ledger::new(&crowd::publishers(), &crowd::receivers()),
        rng: Rng::with_seed(seed),
    };
    let mut people = People {
        crowd: Crowd::new(),
        visitors: Visitors::new(),
        mortals: Mortals::new(),
        keeper: Keeper::new(),
        n_turns: 0,
    };
    let mut samples = Vec::new();
    let began = Instant::now();
    let soaked = soak(
        &host,
        &mut ground,
        &mut people,
        &mut samples,
        long,
        &is_interrupted,
    );
    let took = began.elapsed();
    let settled = soaked.and_then(|()| settle(&host, &mut ground, &mut people));
    if let Err(failure) = settled.and_then(|()| host.stop()) {
        ground.ledger.flaws.add(Flaw::Broker, failure);
    }
    for line in host.complaints() {
        ground
            .ledger
            .flaws
            .add(Flaw::Broker, format!("log: {line}"));
    }
    report::tell(&host, &ground, &samples, took)
}

/// Everything at once, until the time is over or somebody interrupts it.
fn soak(
    host: &Host,
    ground: &mut Ground,
    people: &mut People,
    samples: &mut Vec<Sample>,
    long: Duration,
    is_interrupted: &AtomicBool,
) -> Outcome {
    let bar = ProgressBar::new(long.as_secs()).with_style(ProgressStyle::with_template(
        "{bar:30} {elapsed} of it, left {eta}  {msg}",
    )?);
    report::head();
    let began = Instant::now();
    let (mut next_sample, mut next_minute) = (began, began + report::MINUTE);
    let mut before = 0;
    let mut saver = Saver {
        saved: began,
        generation: 0,
        is_counted: true,
    };
    while began.elapsed() < long && !is_interrupted.load(Ordering::Relaxed) {
        people.turn(true, ground)?;
        let now = Instant::now();
        if now >= next_sample {
            next_sample += SAMPLE_EVERY;
            if let Some(status) = host.ended() {
                let words = host.words();
                return Err(format!("the broker ended by itself ({status}): {words}").into());
            }
            let sample = host.sample(began.elapsed());
            samples.push(sample);
            ground.ledger.look(PATIENCE);
            people.mortals.look(ground);
            let at = began.elapsed().as_secs();
            for words in ground.ledger.flaws.news() {
                bar.suspend(|| println!("after {at} s: {words}"));
            }
            bar.set_position(began.elapsed().as_secs());
            bar.set_message(format!(
                "{} messages, {:.1} MB, {} lost, {} flaws",
                report::n_messages(ground),
                report::mb(sample.rss),
                ground.ledger.flaws.n(Flaw::Lost),
                ground.ledger.flaws.n_all()
            ));
        }
        if now >= next_minute {
            next_minute += report::MINUTE;
            bar.suspend(|| before = report::minute(host, ground, began.elapsed(), before));
        }
        saver.turn(host, people.crowd.newest_stamp, ground)?;
        thread::park_timeout(TURN.saturating_sub(now.elapsed()));
    }
    bar.finish_and_clear();
    if Instant::now() + TURN * 4 >= next_minute {
        report::minute(host, ground, began.elapsed(), before);
    }
    Ok(())
}

/// No more load: everybody gets what is owed, or it is lost.
fn settle(host: &Host, ground: &mut Ground, people: &mut People) -> Outcome {
    println!("settling: what is owed may still arrive");
    people.crowd.calm_down();
    people.keeper.read_now();
    let mut last = (usize::MAX, 0, 0);
    let mut moved = Instant::now();
    loop {
        people.turn(false, ground)?;
        let state = (
            ground.ledger.n_owed(),
            people.visitors.n_here(),
            people.mortals.n_owed(),
        );
        if state == (0, 0, 0) && people.is_quiet() {
            break;
        }
        // What is retained is read again and again; that is no progress.
        if state != last {
            last = state;
            moved = Instant::now();
        }
        if let Some(status) = host.ended() {
            let words = host.words();
            return Err(format!("the broker ended by itself ({status}): {words}").into());
        }
        if moved.elapsed() > PATIENCE {
            if !people.is_quiet() {
                let words =
                    format!("nothing moves any more: {state:?} of owed messages, visitors, Wills");
                ground.ledger.flaws.add(Flaw::Broker, words);
            }
            break;
        }
        thread::park_timeout(TURN);
    }
    ground.ledger.look(Duration::ZERO);
    people.mortals.look(ground);
    Ok(())
}

impl People {
    fn turn(&mut self, has_load: bool, ground: &mut Ground) -> Outcome {
        self.crowd.turn(ground)?;
        self.n_turns += 1;
        match self.n_turns % 3 {
            0 => self.visitors.turn(has_load, ground),
            1 => self.mortals.turn(has_load, ground),
            _ => self.keeper.turn(has_load, ground),
        }
    }

    fn is_quiet(&self) -> bool {
        self.crowd.is_quiet()
            && self.visitors.is_quiet()
            && self.mortals.is_quiet()
            && self.keeper.is_quiet()
    }
}

impl Saver {
    fn turn(&mut self, host: &Host, newest_stamp: u64, ground: &mut Ground) -> Outcome {
        if !self.is_counted && newest_stamp >= self.generation {
            self.is_counted = true;
            ground.ledger.counts.reloads += 1;
        }
        if self.saved.elapsed() < SAVE_EVERY {
            return Ok(());
        }
        if !self.is_counted {
            let words = format!("nothing is stamped with generation {}", self.generation);
            ground.ledger.flaws.add(Flaw::Reload, words);
        }
        self.generation += 1;
        self.saved = Instant::now();
        self.is_counted = false;
        host.save_script(self.generation)
    }
}

/// Is set by SIGINT and SIGTERM, which end the soak and not the report.
fn interruptible() -> Outcome<Arc<AtomicBool>> {
    use tokio::signal::unix::{SignalKind, signal};

    let is_interrupted = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&is_interrupted);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        set.store(true, Ordering::Relaxed);
    });
    Ok(is_interrupted)
}

/// So many seconds.
fn seconds(n: f64) -> Duration {
    Duration::from_secs_f64(n.max(0.0))
}
