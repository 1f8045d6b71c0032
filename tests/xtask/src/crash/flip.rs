//! `cargo xtask bitflip N`: a store whose files were damaged. The broker refuses and names what is wrong, or serves what is left and
//! names what is not; it never serves anything else, crashes or hangs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use indicatif::{ProgressBar, ProgressStyle};

use super::kill::{Durability, sections};
use super::lab::{self, Broker, Lab, Line, PATIENCE};
use super::pages::Pages;
use super::power::listing;
use super::stock::Stock;
use crate::Outcome;
use crate::process::target_dir;

/// The broker refuses or listens within this, and serves within as much again.
const LIMIT: Duration = Duration::from_secs(5);
/// Images that are tried at once.
const WORKERS: usize = 2;
/// Wrong images that are told.
const TOLD: usize = 20;

/// What `cargo xtask bitflip` takes.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// How many damaged images are tried.
    #[arg(value_name = "N")]
    images: usize,
    /// Repeats the choices of an earlier run.
    #[arg(long)]
    seed: Option<u64>,
    /// Only this image of that run.
    #[arg(long, requires = "seed")]
    only: Option<usize>,
    /// Take the broker as it was built before.
    #[arg(long)]
    built: bool,
}

impl Arguments {
    /// So many images for a broker that was built before.
    pub(super) const fn quick(images: usize) -> Self {
        Self {
            images,
            seed: None,
            only: None,
            built: true,
        }
    }
}

/// A store's files by their paths.
type Files = BTreeMap<String, Pages>;

/// What came of an image.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// All is there.
    Whole,
    /// What is missing is named.
    Rest,
    /// It does not start, and says which file it is about.
    Refused,
    /// Anything else.
    Wrong(String),
}

#[derive(Default)]
struct Tally {
    whole: usize,
    rest: usize,
    refused: usize,
    /// Refused, and then, with `accept_data_loss`: served, or refused by name again.
    accepted: usize,
    refused_even_so: usize,
    wrong: Vec<String>,
    slowest: Duration,
}

/// Damages and starts, and prints what came of it.
///
/// # Errors
/// When anything was wrong.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let binary = if arguments.built {
        target_dir().join("debug/hookmq")
    } else {
        lab::build()?
    };
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1 << 48));
    println!("bitflip: {} images, --seed {seed}", arguments.images);
    let began = Instant::now();
    let (stock, sources) = prepare(&binary, seed)?;
    // Undamaged, they must be served whole: otherwise nothing here says anything.
    for (name, files) in &sources {
        let mut lab = Lab::new("flips-whole", &binary, &sections(Durability::Disk))?;
        lay(&lab, files)?;
        match judge(&mut lab, files, &stock)? {
            Came::Whole => {}
            other => return Err(format!("the {name} store is not served whole: {other:?}").into()),
        }
    }
    let bar = ProgressBar::new(arguments.images as u64).with_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} images, {elapsed}, left {eta}  {msg}",
    )?);
    let next = AtomicUsize::new(arguments.only.unwrap_or(0));
    let end = arguments.only.map_or(arguments.images, |only| only + 1);
    let tally = Mutex::new(Tally::default());
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (binary, stock, sources) = (&binary, &stock, &sources);
            let (next, tally, failed, bar) = (&next, &tally, &failed, &bar);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return;
                    }
                    let done = try_one(binary, worker, number, seed, stock, sources, tally);
                    if let Err(failure) = done {
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.get_or_insert_with(|| format!("image {number}: {failure}"));
                        return;
                    }
                    bar.inc(1);
                    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    bar.set_message(tally.words());
                }
            });
        }
    });
    bar.finish_and_clear();
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "bitflip: {} in {:.0} s, --seed {seed}",
        tally.words(),
        began.elapsed().as_secs_f64()
    );
    println!(
        "  of the refused, with accept_data_loss: served {}, refused by name again {}; the slowest image took {:.1} s",
        tally.accepted,
        tally.refused_even_so,
        tally.slowest.as_secs_f64()
    );
    if let Some(failure) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(failure.into());
    }
    if tally.wrong.is_empty() {
        return Ok(());
    }
    let told = tally.wrong.iter().take(TOLD).cloned().collect::<Vec<_>>();
    Err(format!(
        "{} images went wrong; repeat one with --seed {seed} --only IMAGE\n{}",
        tally.wrong.len(),
        told.join("\n")
    )
    .into())
}

/// Two stores of known content: one of a broker that was stopped, one of a broker that was killed.
fn prepare(binary: &Path, seed: u64) -> Outcome<(Stock, Vec<(&'static str, Files)>)> {
    let mut lab = Lab::new("flips-source", binary, &sections(Durability::Disk))?;
    let mut stock = Stock::new(seed);
    let mut sources = Vec::new();
    let broker = lab.start(&Vec::new())?;
    broker.listens(PATIENCE)?;
    stock.fill(broker.address)?;
    broker.stop()?;
    sources.push(("stopped", listing(&lab.data())?));
    // The same again, killed: the journal has no end that anybody wrote on purpose.
    let broker = lab.start(&Vec::new())?;
    broker.listens(PATIENCE)?;
    stock.touch(broker.address)?;
    broker.kill();
    broker.wait()?;
    sources.push(("killed", listing(&lab.data())?));
    Ok((stock, sources))
}

fn try_one(
    binary: &Path,
    worker: usize,
    number: usize,
    seed: u64,
    stock: &Stock,
    sources: &[(&'static str, Files)],
    tally: &Mutex<Tally>,
) -> Outcome {
    let mut rng = Rng::with_seed(seed.wrapping_add(number as u64 * 7919));
    let Some((source, files)) = sources.get(number % sources.len()) else {
        return Ok(());
    };
    let mut damaged = files.clone();
    let what = damage(&mut damaged, &mut rng);
    let name = format!("flips-{worker}");
    let began = Instant::now();
    let mut lab = Lab::new(&name, binary, &sections(Durability::Disk))?;
    lay(&lab, &damaged)?;
    let came = judge(&mut lab, files, stock)?;
    let mut again = None;
    if came == Came::Refused {
        let accept = format!("{}accept_data_loss = true\n", sections(Durability::Disk));
        let mut lab = Lab::new(&name, binary, &accept)?;
        lay(&lab, &damaged)?;
        again = Some(judge(&mut lab, files, stock)?);
    }
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.slowest = tally.slowest.max(began.elapsed());
    match came {
        Came::Whole => tally.whole += 1,
        Came::Rest => tally.rest += 1,
        Came::Refused => tally.refused += 1,
        Came::Wrong(words) => tally
            .wrong
            .push(format!("{number} ({source}; {what}): {words}")),
    }
    match again {
        None => {}
        Some(Came::Whole | Came::Rest) => tally.accepted += 1,
        Some(Came::Refused) => tally.refused_even_so += 1,
        Some(Came::Wrong(words)) => tally.wrong.push(format!(
            "{number} ({source}; {what}), with accept_data_loss: {words}"
        )),
    }
    Ok(())
}

/// Does something bad to one file; what, in words.
fn damage(files: &mut Files, rng: &mut Rng) -> String {
    let by_size = rng.bool();
    let weights: Vec<(String, usize)> = files
        .iter()
        .filter(|(_, pages)| pages.len() > 0)
        .map(|(path, pages)| {
            (
                path.clone(),
                if by_size {
                    pages.filled_pages().len()
                } else {
                    1
                },
            )
        })
        .collect();
    let total: usize = weights.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.usize(..total.max(1));
    let mut path = String::new();
    for (name, weight) in weights {
        if left < weight {
            path = name;
            break;
        }
        left -= weight;
    }
    let Some(pages) = files.get_mut(&path) else {
        return "nothing".to_owned();
    };
    let filled = pages.filled_pages();
    // Mostly where there is something; sometimes anywhere.
    let at = match filled.get(rng.usize(..filled.len().max(1))) {
        Some(page) if rng.u8(..) < 230 => (page + rng.u64(..4096)).min(pages.len() - 1),
        _ => rng.u64(..pages.len()),
    };
    let len = rng.u64(1..512).min(pages.len() - at);
    match rng.u8(..10) {
        0..4 => {
            let n_bits = rng.usize(1..=8);
            for _ in 0..n_bits {
                let at = at + rng.u64(..len);
                pages.write(at, &[pages.byte(at) ^ 1 << rng.u8(..8)]);
            }
            format!("{n_bits} bits in {len} bytes of {path} from {at} flipped")
        }
        4..6 => {
            let garbage: Vec<u8> = (0..len).map(|_| rng.u8(..)).collect();
            pages.write(at, &garbage);
            format!("{len} bytes of {path} from {at} are garbage")
        }
        6 => {
            pages.write(at, &vec![0; len as usize]);
            format!("{len} bytes of {path} from {at} are zeros")
        }
        7 | 8 => {
            pages.resize(at);
            format!("{path} ends at {at}")
        }
        _ => {
            files.remove(&path);
            format!("{path} is missing")
        }
    }
}

/// Writes an image.
fn lay(lab: &Lab, files: &Files) -> Outcome {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700).recursive(true);
    builder.create(lab.data())?;
    for (path, pages) in files {
        let path: PathBuf = lab.data().join(path);
        if let Some(folder) = path.parent() {
            builder.create(folder)?;
        }
        pages.save(&path)?;
    }
    Ok(())
}

/// Starts the broker on an image and looks at all that it serves.
fn judge(lab: &mut Lab, files: &Files, stock: &Stock) -> Outcome<Came> {
    let broker = lab.start(&Vec::new())?;
    let came = match broker.listens(LIMIT) {
        Ok(true) => served(&broker, files, stock)?,
        Ok(false) => Came::Wrong(format!("hangs: {}", broker.words())),
        Err(_) => refused(&broker, files),
    };
    broker.kill();
    broker.wait()?;
    let panic = broker
        .lines()
        .into_iter()
        .find(|line| line.level == "PANIC");
    Ok(panic.map_or(came, |line| Came::Wrong(line.words)))
}

fn refused(broker: &Broker, files: &Files) -> Came {
    let status = broker.ended();
    let code = status.and_then(|status| status.code());
    if !matches!(code, Some(code) if code != 0 && code != 101) {
        return Came::Wrong(format!("ended with {status:?}: {}", broker.words()));
    }
    let words = broker.words();
    let mut names = files.keys().flat_map(|path| path.rsplit('/'));
    if words.contains("data/") || names.any(|name| name.len() > 2 && words.contains(name)) {
        Came::Refused
    } else {
        Came::Wrong(format!("refuses without a name: {words}"))
    }
}

fn served(broker: &Broker, files: &Files, stock: &Stock) -> Outcome<Came> {
    let missing = match stock.look(broker.address, Instant::now() + LIMIT) {
        Ok(missing) => missing,
        Err(failure) => {
            // It may listen for a moment before it looks at its store.
            if broker.ended_within(Duration::from_millis(200)).is_some() {
                return Ok(refused(broker, files));
            }
            return Ok(Came::Wrong(format!("{failure}: {}", broker.words())));
        }
    };
    if let Some(wrong) = missing.wrong {
        return Ok(Came::Wrong(wrong));
    }
    let Some(what) = missing.what else {
        return Ok(Came::Whole);
    };
    let is_named = |line: &Line| {
        matches!(line.level.as_str(), "ERROR" | "WARN") && line.words.contains("store")
    };
    if broker.lines().iter().any(is_named) {
        Ok(Came::Rest)
    } else {
        Ok(Came::Wrong(format!("not named in the log: {what}")))
    }
}

impl Tally {
    fn words(&self) -> String {
        format!(
            "served whole {}, rest served and the missing named {}, refused by name {}, wrong {}",
            self.whole,
            self.rest,
            self.refused,
            self.wrong.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_changes_one_file_and_says_which() {
        let mut files = Files::new();
        for path in ["a/one", "b/two"] {
            let mut pages = Pages::default();
            pages.write(0, &[7; 9000]);
            pages.resize(100_000);
            files.insert(path.to_owned(), pages);
        }
        let mut n_changed = 0;
        for seed in 0..200 {
            let mut damaged = files.clone();
            let what = damage(&mut damaged, &mut Rng::with_seed(seed));
            let changed: Vec<&String> = files
                .keys()
                .filter(|path| damaged.get(*path) != files.get(*path))
                .collect();
            assert!(changed.len() <= 1, "{what}");
            assert!(
                changed.iter().all(|path| what.contains(path.as_str())),
                "{what}"
            );
            n_changed += changed.len();
        }
        assert!(n_changed > 150, "{n_changed}");
    }
}
