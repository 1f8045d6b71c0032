//! `cargo xtask powercut N`: as `crash`, and of what was not synced the disk has lost some, any, or all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fastrand::Rng;

use super::disk::{Disk, Names};
use super::kill::{Durability, Meanwhile, drive, sections};
use super::lab::{self, Between, Lab};
use super::pages::Pages;
use super::trace::records;
use crate::Outcome;
use crate::process::{self, root, target_dir};

/// How long a sync takes at most, in microseconds.
const DELAY: u32 = 3_000;

/// What `cargo xtask powercut` takes.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// How often the power goes.
    #[arg(value_name = "N")]
    cuts: usize,
    /// What an acknowledgement promises; anything but `disk` is to see that the losses are found.
    #[arg(long, value_enum, default_value = "disk")]
    durability: Durability,
    /// A file's name is kept only by the sync of its folder, as POSIX has it; without, by any sync, as ext4 does.
    #[arg(long)]
    strict: bool,
    /// Syncs do nothing: to see that the losses are found.
    #[arg(long)]
    lying: bool,
    /// Repeats the choices of an earlier run.
    #[arg(long)]
    seed: Option<u64>,
    /// Take the broker as it was built before.
    #[arg(long)]
    built: bool,
}

impl Arguments {
    /// So many cuts of a broker that was built before.
    pub(super) const fn quick(cuts: usize) -> Self {
        Self {
            cuts,
            durability: Durability::Disk,
            strict: false,
            lying: false,
            seed: None,
            built: true,
        }
    }
}

/// The disk between the broker and its folder.
struct Power {
    shim: PathBuf,
    names: Names,
    is_lying: bool,
    rng: Rng,
    disk: Option<Disk>,
}

/// Cuts and starts, and prints what came of it.
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
        "powercut: {} cuts, durability {:?}, --seed {seed}",
        arguments.cuts, arguments.durability
    );
    let mut lab = Lab::new("power", &binary, &sections(arguments.durability))?;
    let mut power = Power {
        shim: build_shim()?,
        names: if arguments.strict {
            Names::Strict
        } else {
            Names::Journal
        },
        is_lying: arguments.lying,
        rng: Rng::with_seed(seed ^ 0x70_0e4),
        disk: None,
    };
    let ran = drive(&mut lab, arguments.cuts, seed, &mut power)?;
    ran.tell("powercut", seed, &lab)
}

/// Compiles what stands between the broker and its disk.
///
/// # Errors
/// When there is no C compiler, or it refuses.
pub(super) fn build_shim() -> Outcome<PathBuf> {
    let folder = target_dir().join("suites/crash");
    fs::create_dir_all(&folder)?;
    let shim = folder.join("shim.so");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command
        .args([
            "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread", "-o",
        ])
        .arg(&shim)
        .arg(root().join("tests/xtask/src/crash/shim.c"));
    process::capture(&mut command, Duration::from_secs(60))?;
    Ok(shim)
}

impl Power {
    fn trace(lab: &Lab) -> PathBuf {
        lab.folder().join("trace")
    }
}

impl Meanwhile for Power {
    fn before(&mut self, lab: &Lab) -> Outcome<Between> {
        let trace = Self::trace(lab);
        if trace.exists() {
            fs::remove_file(&trace)?;
        }
        self.disk = Some(Disk::read(&lab.data(), self.names, self.is_lying)?);
        let root = fs::canonicalize(lab.folder())?.join("data");
        let value = |path: &Path| path.to_string_lossy().into_owned();
        Ok(vec![
            ("LD_PRELOAD".to_owned(), value(&self.shim)),
            ("HOOKMQ_SHIM_ROOT".to_owned(), value(&root)),
            (
                "HOOKMQ_SHIM_TRACE".to_owned(),
                value(&fs::canonicalize(lab.folder())?.join("trace")),
            ),
            ("HOOKMQ_SHIM_DELAY".to_owned(), DELAY.to_string()),
        ])
    }

    fn after(&mut self, lab: &Lab, was_killed: bool) -> Outcome {
        let Some(mut disk) = self.disk.take() else {
            return Ok(());
        };
        let bytes = fs::read(Self::trace(lab)).unwrap_or_default();
        for record in records(&bytes)? {
            disk.take(&record)?;
        }
        let image = lab.folder().join("image");
        if image.exists() {
            fs::remove_dir_all(&image)?;
        }
        if was_killed {
            disk.save_cut(&image, &mut self.rng)?;
            if lab.data().exists() {
                fs::remove_dir_all(lab.data())?;
            }
            fs::rename(&image, lab.data())?;
            return Ok(());
        }
        // Nothing was cut: here it shows whether the trace has everything.
        disk.save_all(&image)?;
        let (real, traced) = (listing(&lab.data())?, listing(&image)?);
        for (path, pages) in &real {
            match traced.get(path) {
                None => return Err(format!("the trace does not know {path}").into()),
                Some(traced) if traced != pages => {
                    return Err(format!("the trace does not know what {path} has").into());
                }
                Some(_) => {}
            }
        }
        match traced.keys().find(|path| !real.contains_key(*path)) {
            Some(path) => Err(format!("the trace does not know that {path} is gone").into()),
            None => Ok(()),
        }
    }

    /// What had not reached the disk is torn, and may be said to be.
    fn explains(&self, words: &str) -> bool {
        ["had not been brought to the disk", "is kept as it was in"]
            .iter()
            .any(|known| words.contains(known))
    }
}

/// Every file below a folder.
///
/// # Errors
/// When one cannot be read.
pub(super) fn listing(folder: &Path) -> Outcome<BTreeMap<String, Pages>> {
    let mut files = BTreeMap::new();
    if !folder.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            let below = listing(&entry.path())?;
            files.extend(
                below
                    .into_iter()
                    .map(|(path, pages)| (format!("{name}/{path}"), pages)),
            );
        } else {
            files.insert(name, Pages::read(&entry.path())?);
        }
    }
    Ok(files)
}
