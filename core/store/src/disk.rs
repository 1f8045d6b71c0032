//! The store on disk: what the committer thread calls.

use std::path::{Path, PathBuf};

use fjall::PersistMode;
use hookmq_broker::store::{
    Change, Durability, Moment, Place, Restored, RestoredQueue, Store, StoreError,
};

use crate::batch::Batch;
use crate::damage::Damage;
use crate::engine::Engine;
use crate::fault::{failed, guarded};
use crate::folder::{Folder, Opened};
use crate::keyspace::{COMMIT_NO, Kind, NUMBERS};
use crate::load::Loaded;
use crate::options::StoreOptions;
use crate::queues::Queues;
use crate::shared::{Overlay, Shared};
use crate::synced::Synced;

/// Numbers are reserved by so many, so that the mark is seldom written.
const RESERVED: u64 = 1 << 16;

/// Records that are taken away in one batch of the sweep.
const SWEPT_AT_ONCE: usize = 10_000;

/// Keeps everything in one folder, which no other store may have open.
#[derive(Debug)]
pub struct DiskStore {
    /// Goes before the folder's lock. `None` after an error until it is opened again.
    engine: Option<Engine>,
    folder: Folder,
    options: StoreOptions,
    synced: Synced,
    /// The last batch that was committed.
    commit_no: u64,
    /// Above every number in use; on the disk.
    numbers: u64,
    shared: Shared,
    overlay: Overlay,
    batch: Batch,
    /// Until all were given back.
    queues: Option<Queues>,
    /// What was noticed when it was opened; told with what is loaded.
    damaged: Vec<String>,
}

impl DiskStore {
    /// Opens the store in this folder, or makes it.
    ///
    /// # Errors
    /// Another store has it open; it is of a newer version; it is damaged; or a part of it is missing. Says which, and what to do.
    pub fn open(path: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        guarded(path, || {
            let mut folder = Folder::lock(path)?;
            let Opened {
                engine,
                synced,
                commit_no,
                numbers,
                damaged,
            } = folder.open(&options)?;
            Ok(Self {
                engine: Some(engine),
                folder,
                options,
                synced,
                commit_no,
                numbers,
                shared: Shared::default(),
                overlay: Overlay::default(),
                batch: Batch::default(),
                queues: None,
                damaged,
            })
        })
    }

    fn engine(&self) -> Result<&Engine, StoreError> {
        self.engine
            .as_ref()
            .ok_or_else(|| failed(self.path(), "it is to be opened again first"))
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Commits what is in `batch`, with its number.
    fn write(&mut self, mode: PersistMode) -> Result<(), StoreError> {
        let commit_no = self.commit_no + 1;
        self.batch.put(Kind::Meta, COMMIT_NO, |into| {
            into.extend_from_slice(&commit_no.to_be_bytes());
        });
        let mut numbers = self.numbers;
        if self.batch.numbers() > numbers {
            numbers = self.batch.numbers().saturating_add(RESERVED);
            self.batch.put(Kind::Meta, NUMBERS, |into| {
                into.extend_from_slice(&numbers.to_be_bytes());
            });
        }
        self.engine()?
            .commit(&self.batch, mode)
            .map_err(|why| failed(self.path(), why))?;
        self.commit_no = commit_no;
        self.numbers = numbers;
        Ok(())
    }

    /// Takes what cannot be read out of the way.
    fn clear_away(&mut self, damage: &Damage) -> Result<(), StoreError> {
        if damage.is_empty() {
            return Ok(());
        }
        self.batch.clear();
        damage.write(&mut self.batch);
        self.write(PersistMode::Buffer)
    }

    fn load_now(&mut self, moment: Moment) -> Result<Restored, StoreError> {
        let loaded = Loaded::read(self.engine()?, moment).map_err(|why| self.unreadable(why))?;
        self.clear_away(&loaded.damage)?;
        let sessions = loaded.sessions.iter().map(|it| it.session.number);
        self.queues = Some(Queues::new(self.numbers, sessions));
        self.shared
            .begin_restoring(Place::new(self.numbers, false).get());
        let mut damaged = std::mem::take(&mut self.damaged);
        damaged.extend(loaded.damage.into_names());
        Ok(Restored {
            sessions: loaded.sessions,
            retained: loaded.retained,
            first_number: self.numbers,
            damaged,
        })
    }

    fn load_queue_now(&mut self, moment: Moment) -> Result<Option<RestoredQueue>, StoreError> {
        loop {
            let (Some(queues), Some(engine)) = (&mut self.queues, &self.engine) else {
                return Ok(None);
            };
            let found = queues.next(engine, &mut self.shared, moment);
            let Some(queue) = found.map_err(|why| self.unreadable(why))? else {
                self.sweep()?;
                self.queues = None;
                self.shared.end_restoring();
                return Ok(None);
            };
            self.clear_away(&queue.damage)?;
            let damaged = queue.damage.into_names();
            if !queue.messages.is_empty() || !damaged.is_empty() {
                return Ok(Some(RestoredQueue {
                    session: queue.session,
                    messages: queue.messages,
                    damaged,
                }));
            }
        }
    }

    /// Takes shared messages away that no queue refers to: a crash may come between the last reference and the message.
    fn sweep(&mut self) -> Result<(), StoreError> {
        let mut from = 0;
        loop {
            let (Some(queues), Some(engine)) = (&self.queues, &self.engine) else {
                return Ok(());
            };
            let found = queues
                .unreferenced(engine, &self.shared, from, SWEPT_AT_ONCE)
                .map_err(|why| self.unreadable(why))?;
            let Some(last) = found.last() else {
                return Ok(());
            };
            from = last + 1;
            self.batch.clear();
            for number in found {
                self.batch.remove(Kind::Message, &number.to_be_bytes());
            }
            self.write(PersistMode::Buffer)?;
        }
    }

    fn unreadable(&self, why: String) -> StoreError {
        failed(
            self.path(),
            format_args!("{why}; restore the folder from a backup, or move it away to begin anew"),
        )
    }

    fn commit_now(
        &mut self,
        changes: &[Change],
        durability: Durability,
        moment: Moment,
    ) -> Result<(), StoreError> {
        let mode = match durability {
            Durability::None | Durability::Os => PersistMode::Buffer,
            Durability::Disk => PersistMode::SyncData,
        };
        self.folder.look_after_pause()?;
        if changes.is_empty() {
            let persisted = self.engine()?.persist(mode);
            return persisted.map_err(|why| failed(self.path(), why));
        }
        self.batch.clear();
        self.overlay.clear();
        for change in changes {
            self.batch
                .add(change, &self.shared, &mut self.overlay, moment);
        }
        self.write(mode)?;
        self.shared.apply(&mut self.overlay);
        if let Some(queues) = &mut self.queues {
            queues.committed(changes);
        }
        Ok(())
    }

    fn sync_now(&mut self) -> Result<(), StoreError> {
        let persisted = self.engine()?.persist(PersistMode::SyncData);
        persisted.map_err(|why| failed(self.path(), why))?;
        if self.synced.commit_no() != self.commit_no {
            self.synced
                .write(self.commit_no)
                .map_err(|error| failed(&self.folder.synced(), error))?;
        }
        // What was acknowledged is on the disk now, wherever the folder has gone.
        self.folder.look()?;
        self.folder.close()
    }

    fn reopen_now(&mut self) -> Result<(), StoreError> {
        self.engine = None;
        let opened = self.folder.reopen(&self.options, self.commit_no)?;
        self.engine = Some(opened.engine);
        self.synced = opened.synced;
        self.commit_no = opened.commit_no;
        self.numbers = opened.numbers;
        Ok(())
    }

    fn guard<T>(
        &mut self,
        call: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let path: PathBuf = self.path().to_owned();
        guarded(&path, || call(self))
    }
}

impl Store for DiskStore {
    fn load(&mut self, moment: Moment) -> Result<Restored, StoreError> {
        self.guard(|store| store.load_now(moment))
    }

    fn load_queue(&mut self, moment: Moment) -> Result<Option<RestoredQueue>, StoreError> {
        self.guard(|store| store.load_queue_now(moment))
    }

    fn commit(
        &mut self,
        batch: &[Change],
        durability: Durability,
        moment: Moment,
    ) -> Result<(), StoreError> {
        self.guard(|store| store.commit_now(batch, durability, moment))
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.guard(Self::sync_now)
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        self.guard(Self::reopen_now)
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        if self.engine.is_some()
            && let Err(error) = self.sync()
        {
            tracing::error!(%error, "store: what was committed last may not be on the disk");
        }
        // Its threads may make files to the last.
        self.engine = None;
        let closed = self.folder.look().and_then(|()| self.folder.close());
        if let Err(error) = closed {
            tracing::warn!(%error, "store: files may be open to others, their folder is not");
        }
    }
}

#[cfg(test)]
mod tests;
