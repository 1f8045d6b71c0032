//! `cargo xtask crash N`: a broker that is killed again and again, whatever it is at, and started again on the same folder.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use super::book::{Counts, Flaw};
use super::crowd::Crowd;
use super::lab::{self, Between, Broker, Lab, PATIENCE};
use crate::Outcome;
use crate::process::target_dir;

/// Kills after which everything must have arrived.
const SETTLE_EVERY: usize = 10;

/// What `cargo xtask crash` takes.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// How often the broker is killed.
    #[arg(value_name = "N")]
    kills: usize,
    /// What an acknowledgement promises; `none` runs without a store, to see that the losses are found.
    #[arg(long, value_enum, default_value = "os")]
    durability: Durability,
    /// Repeats the choices of an earlier run.
    #[arg(long)]
    seed: Option<u64>,
    /// Take the broker as it was built before.
    #[arg(long)]
    built: bool,
}

impl Arguments {
    /// So many kills of a broker that was built before.
    pub(super) const fn quick(kills: usize) -> Self {
        Self {
            kills,
            durability: Durability::Os,
            seed: None,
            built: true,
        }
    }
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Durability {
    /// Nothing.
    None,
    /// It survives the broker.
    Os,
    /// It survives the power.
    Disk,
}

/// What the broker is at when it is ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Under load, everybody being connected.
    Load,
    /// While it starts: before anybody was let in, as a rule.
    Start,
    /// While everybody comes back at once.
    Storm,
    /// Under load, and it is asked to stop instead.
    Stop,
}

/// What is done with the folder while no broker runs.
pub(super) trait Meanwhile {
    /// What is put between the broker and its disk.
    ///
    /// # Errors
    /// When it cannot be prepared.
    fn before(&mut self, lab: &Lab) -> Outcome<Between>;

    /// The broker is gone; `was_killed` says how.
    ///
    /// # Errors
    /// When it cannot be done.
    fn after(&mut self, lab: &Lab, was_killed: bool) -> Outcome;

    /// Whether it explains an error in the log.
    fn explains(&self, words: &str) -> bool {
        let _ = words;
        false
    }
}

/// Nothing is done.
struct Nothing;

impl Meanwhile for Nothing {
    fn before(&mut self, _: &Lab) -> Outcome<Between> {
        Ok(Vec::new())
    }

    fn after(&mut self, _: &Lab, _: bool) -> Outcome {
        Ok(())
    }
}

/// What came of a run.
pub(super) struct Ran {
    kills: usize,
    stops: usize,
    counts: Counts,
    lost: u64,
    flaws: u64,
    told: String,
    recoveries: Vec<Duration>,
    took: Duration,
}

/// The config for a store of this durability.
pub(super) fn sections(durability: Durability) -> String {
    // No queue drops anything: what is missing was lost.
    let roomy = "[session]\nmaximum_queued_messages = 1000000\nmaximum_queued_bytes = \"1GiB\"\n\n";
    let level = match durability {
        Durability::None => return roomy.to_owned(),
        Durability::Os => "os",
        Durability::Disk => "disk",
    };
    format!("{roomy}[storage]\npath = \"data\"\ndurability = \"{level}\"\n")
}

/// Kills and starts, and prints what came of it.
///
/// # Errors
/// When anything acknowledged was lost, or anything else went wrong.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let binary = if arguments.built {
        target_dir().join("debug/hookmq")
    } else {
        lab::build()?
    };
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1 << 48));
    println!(
        "crash: {} kills, durability {:?}, --seed {seed}",
        arguments.kills, arguments.durability
    );
    let mut lab = Lab::new("kills", &binary, &sections(arguments.durability))?;
    let ran = drive(&mut lab, arguments.kills, seed, &mut Nothing)?;
    ran.tell("crash", seed, &lab)
}

/// The whole run.
///
/// # Errors
/// When it cannot go on.
pub(super) fn drive(
    lab: &mut Lab,
    kills: usize,
    seed: u64,
    meanwhile: &mut dyn Meanwhile,
) -> Outcome<Ran> {
    let bar = ProgressBar::new(kills as u64).with_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} kills, {elapsed}, left {eta}  {msg}",
    )?);
    let began = Instant::now();
    let mut crowd = Crowd::new(seed);
    let mut recoveries = Vec::new();
    let (mut n_kills, mut n_stops) = (0, 0);
    let mut failed = None;
    while n_kills < kills {
        let moment = match crowd.rng.u8(..100) {
            _ if n_kills == 0 => Moment::Load,
            0..60 => Moment::Load,
            60..76 => Moment::Start,
            76..92 => Moment::Storm,
            _ => Moment::Stop,
        };
        crowd.book.cycle += 1;
        match once(lab, &mut crowd, moment, &mut recoveries, meanwhile) {
            Ok(()) => {}
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
        if moment == Moment::Stop {
            n_stops += 1;
        } else {
            n_kills += 1;
            bar.inc(1);
        }
        let counts = crowd.book.counts;
        bar.set_message(format!(
            "{} acknowledged, {} lost, {} flaws",
            counts.acknowledged,
            crowd.book.flaws.n(Flaw::Lost),
            crowd.book.flaws.n_all()
        ));
        if n_kills.is_multiple_of(SETTLE_EVERY) || n_kills == kills {
            crowd.book.cycle += 1;
            if let Err(failure) = settle(lab, &mut crowd, meanwhile) {
                failed = Some(failure);
                break;
            }
        }
    }
    bar.finish_and_clear();
    if let Some(failure) = failed {
        crowd.book.flaw(Flaw::Broker, failure);
    }
    recoveries.sort_unstable();
    Ok(Ran {
        kills: n_kills,
        stops: n_stops,
        counts: crowd.book.counts,
        lost: crowd.book.flaws.n(Flaw::Lost),
        flaws: crowd.book.flaws.n_all(),
        told: crowd.book.flaws.to_string(),
        recoveries,
        took: began.elapsed(),
    })
}

/// One start and one end.
fn once(
    lab: &mut Lab,
    crowd: &mut Crowd,
    moment: Moment,
    recoveries: &mut Vec<Duration>,
    meanwhile: &mut dyn Meanwhile,
) -> Outcome {
    let between = meanwhile.before(lab)?;
    // Those who are away stay so; now and then one comes for a while.
    let comes = crowd.rng.u8(..) < 25;
    crowd.call_the_away(comes)?;
    crowd.forget_greetings();
    let inspects = moment == Moment::Load && crowd.rng.u8(..) < 100;
    crowd.load(false);
    let broker = lab.start(&between)?;
    match moment {
        Moment::Start => {
            crowd.load(true);
            let usual = recoveries
                .last()
                .map_or(200_000, |last| last.as_micros() as u64);
            let after = Duration::from_micros(crowd.rng.u64(1_000..usual.max(2_000) * 5 / 4));
            crowd.turns(&broker, broker.began + after, |_| false)?;
        }
        Moment::Storm => {
            crowd.load(true);
            greet(crowd, &broker, recoveries)?;
            let after = Duration::from_micros(crowd.rng.u64(..40_000));
            crowd.turns(&broker, Instant::now() + after, |_| false)?;
        }
        Moment::Load | Moment::Stop => {
            if inspects {
                if !broker.listens(PATIENCE)? {
                    return Err(format!("the broker does not listen: {}", broker.words()).into());
                }
                // Before anybody resends what was not acknowledged.
                crowd.check_retained(broker.address)?;
            }
            crowd.load(true);
            // The inspector's time is not the broker's.
            let mut unused = Vec::new();
            greet(
                crowd,
                &broker,
                if inspects { &mut unused } else { recoveries },
            )?;
            let is_up = crowd.turns(&broker, Instant::now() + PATIENCE, |crowd| crowd.is_up())?;
            if !is_up {
                let (absent, words) = (crowd.absent(), broker.words());
                return Err(format!("not everybody is let in: {absent}; {words}").into());
            }
            let after = Duration::from_micros(crowd.rng.u64(5_000..300_000));
            crowd.turns(&broker, Instant::now() + after, |_| false)?;
        }
    }
    if let Some(status) = broker.ended() {
        return Err(format!("the broker ended by itself ({status}): {}", broker.words()).into());
    }
    if moment != Moment::Start {
        crowd.burst();
        let after = Duration::from_micros(crowd.rng.u64(..2_500));
        crowd.turns(&broker, Instant::now() + after, |_| false)?;
    }
    let was_killed = moment != Moment::Stop;
    if was_killed {
        broker.kill();
    } else {
        broker.stop()?;
    }
    crowd.read_to_the_end()?;
    broker.wait()?;
    complain(crowd, &broker, meanwhile);
    meanwhile.after(lab, was_killed)
}

/// A start after which everything arrives, and a stop as an operator does it.
fn settle(lab: &mut Lab, crowd: &mut Crowd, meanwhile: &mut dyn Meanwhile) -> Outcome {
    let between = meanwhile.before(lab)?;
    let broker = lab.start(&between)?;
    crowd.settle(&broker)?;
    broker.stop()?;
    crowd.read_to_the_end()?;
    complain(crowd, &broker, meanwhile);
    meanwhile.after(lab, false)
}

/// Waits until the first client is let in, and notes how long that took.
fn greet(crowd: &mut Crowd, broker: &Broker, recoveries: &mut Vec<Duration>) -> Outcome {
    let until = Instant::now() + PATIENCE;
    if !crowd.turns(broker, until, |crowd| crowd.greeted().is_some())? {
        return Err(format!("nobody is let in: {}", broker.words()).into());
    }
    if let Some(greeted) = crowd.greeted() {
        recoveries.push(greeted - broker.began);
    }
    Ok(())
}

/// What the log says that nothing explains.
fn complain(crowd: &mut Crowd, broker: &Broker, meanwhile: &dyn Meanwhile) {
    for line in broker.lines() {
        let is_flaw = match line.level.as_str() {
            "PANIC" => true,
            "ERROR" if meanwhile.explains(&line.words) => {
                crowd.book.counts.named += 1;
                false
            }
            "ERROR" => true,
            _ => false,
        };
        if is_flaw {
            crowd
                .book
                .flaw(Flaw::Broker, format!("log: {}", line.words));
        }
    }
}

impl Ran {
    /// Prints the report.
    ///
    /// # Errors
    /// When there was any flaw.
    pub(super) fn tell(&self, what: &str, seed: u64, lab: &Lab) -> Outcome {
        let Counts {
            sent,
            resent,
            acknowledged,
            delivered,
            redelivered,
            twice,
            resumed,
            subscribed,
            retained,
            named,
        } = self.counts;
        let at = |share: usize| {
            let n = self.recoveries.len();
            let at = (n * share / 100).min(n.saturating_sub(1));
            self.recoveries.get(at).copied().unwrap_or_default()
        };
        println!(
            "{what}: {} kills and {} stops in {:.0} s, --seed {seed}",
            self.kills,
            self.stops,
            self.took.as_secs_f64()
        );
        println!(
            "  sent {sent} (and {resent} again), acknowledged {acknowledged}, lost {}",
            self.lost
        );
        println!("  delivered {delivered}, QoS 2 twice {twice}, QoS 1 and DUP again {redelivered}");
        println!(
            "  sessions resumed {resumed}, SUBACK and UNSUBACK {subscribed}, retained messages seen {retained}"
        );
        if named > 0 {
            println!("  named in the log as not yet on the disk, and left out: {named}");
        }
        println!(
            "  from start to first CONNACK: p50 {:.0} ms, max {:.0} ms",
            at(50).as_secs_f64() * 1e3,
            at(100).as_secs_f64() * 1e3
        );
        if self.flaws == 0 {
            return Ok(());
        }
        Err(format!(
            "{} flaws; repeat with --seed {seed}; the folder is left in {}\n{}",
            self.flaws,
            lab.folder().display(),
            self.told
        )
        .into())
    }
}
