//! Sees that files were saved: by the system's events where there are any, by looking at times and sizes elsewhere.
//!
//! Folders are watched, not files: editors write a new file and rename it over the old one, and orchestrators swap a symbolic link.
//! Whether anything really changed is for the reload to find out; this only says that it is worth a look.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::config::Watch;

/// Quiet time after an event: an editor's truncate and write are one save.
const QUIET: Duration = Duration::from_millis(60);
/// No longer than this after the first event, however busy the folder is.
const LONGEST: Duration = Duration::from_millis(400);
/// How often files are looked at where the system reports nothing.
const POLL: Duration = Duration::from_millis(500);

/// Watches a changing set of files.
pub(crate) struct Files {
    /// What the events' thread may know.
    shared: Arc<Shared>,
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    /// How the files were when [`Files::changed`] last returned, which is before they were read; `None` of those that are new here.
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
    mode: Watch,
}

#[derive(Default)]
struct Shared {
    files: Mutex<BTreeSet<PathBuf>>,
    changed: Notify,
}

/// What tells one version of a file from another without reading it.
type Stamp = Option<(SystemTime, u64)>;

impl Files {
    /// Watches nothing yet.
    pub(crate) fn new(mode: Watch) -> Self {
        let shared = Arc::new(Shared::default());
        let watcher = if mode == Watch::Auto {
            events(&shared)
        } else {
            None
        };
        let mode = if mode == Watch::Auto && watcher.is_none() {
            Watch::Poll
        } else {
            mode
        };
        Self {
            shared,
            watcher,
            folders: BTreeSet::new(),
            stamps: BTreeMap::new(),
            mode,
        }
    }

    /// From now on these are the files.
    pub(crate) fn watch(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        let mut all = BTreeSet::new();
        for file in files {
            // A link's folder tells of a new link, its target's folder of a new text.
            all.extend(std::fs::canonicalize(&file).ok());
            all.extend(std::path::absolute(&file).ok());
        }
        let links = all
            .iter()
            .flat_map(|file| file.ancestors())
            .filter(|path| is_link(path));
        let folders = all
            .iter()
            .map(PathBuf::as_path)
            .chain(links)
            .filter_map(|path| path.parent().map(Path::to_path_buf));
        let folders: BTreeSet<_> = folders.collect();
        self.stamps = all
            .iter()
            .map(|file| (file.clone(), self.stamps.get(file).copied().flatten()))
            .collect();
        *self.shared.files.lock() = all;
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for gone in self.folders.difference(&folders) {
            // A folder that is gone is not watched any more anyway.
            let _ = watcher.unwatch(gone);
        }
        let mut watched = BTreeSet::new();
        for folder in &folders {
            // Watched again even if known: the folder may be a new one of the same name.
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(folder.clone());
                }
                Err(error) => {
                    tracing::warn!(
                        "{}: changes are not seen as they happen: {error}",
                        folder.display()
                    );
                    self.mode = Watch::Poll;
                }
            }
        }
        if watched.difference(&self.folders).next().is_some() {
            // Something may have been saved there between its being read and its being watched.
            self.shared.changed.notify_one();
        }
        self.folders = watched;
    }

    /// Waits until something was saved, and then until it is quiet.
    pub(crate) async fn changed(&mut self) {
        self.until_quiet().await;
        for (file, known) in &mut self.stamps {
            *known = Some(stamp(file));
        }
    }

    async fn until_quiet(&self) {
        match self.mode {
            Watch::Off => std::future::pending().await,
            Watch::Auto => self.shared.changed.notified().await,
            // Both: some folders may have events.
            Watch::Poll => tokio::select! {
                () = self.shared.changed.notified() => {}
                () = self.poll() => {}
            },
        }
        let latest = Instant::now() + LONGEST;
        loop {
            let quiet = (Instant::now() + QUIET).min(latest);
            if timeout_at(quiet, self.shared.changed.notified())
                .await
                .is_err()
            {
                return;
            }
            if Instant::now() >= latest {
                return;
            }
        }
    }

    async fn poll(&self) {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if self
                .stamps
                .iter()
                .any(|(file, known)| *known != Some(stamp(file)))
            {
                return;
            }
        }
    }
}

fn stamp(file: &Path) -> Stamp {
    let data = std::fs::metadata(file).ok()?;
    Some((data.modified().ok()?, data.len()))
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|data| data.is_symlink())
}

/// The system's events, if it has any.
fn events(shared: &Arc<Shared>) -> Option<RecommendedWatcher> {
    let for_events = Arc::clone(shared);
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let is_worth_a_look = match event {
            Ok(event) => concerns(&event, &for_events.files.lock()),
            // Events may have been lost.
            Err(_) => true,
        };
        if is_worth_a_look {
            for_events.changed.notify_one();
        }
    });
    watcher
        .inspect_err(|error| {
            tracing::warn!("saved files are seen only by looking every {POLL:?}: {error}");
        })
        .ok()
}

fn concerns(event: &Event, files: &BTreeSet<PathBuf>) -> bool {
    match event.kind {
        // Reading a file, as the reload does, is no change.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        EventKind::Access(_) => return false,
        _ => {}
    }
    event.need_rescan()
        || event.paths.iter().any(|path| {
            files.contains(path)
                // A link or a folder that was swapped may stand between us and the file.
                || is_link(path)
                || files.iter().any(|file| file.starts_with(path))
        })
}
