//! The database underneath: how it is set up, written and read, and when it must not be written.

use std::ops::Bound;
use std::path::Path;
use std::time::Duration;

use fjall::config::{BlockSizePolicy, FilterPolicy};
use fjall::{
    AbstractTree, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode,
    UserValue,
};

use crate::batch::Batch;
use crate::fault::explain;
use crate::keyspace::Kind;
use crate::options::StoreOptions;

/// An open database.
pub(crate) struct Engine {
    // Goes first: the database ends when nobody has any part of it.
    keyspaces: Vec<Keyspace>,
    database: Database,
    /// The next commit is said to have failed; whether before or after it was written.
    #[cfg(test)]
    pub(crate) fails: std::cell::Cell<Option<Fails>>,
}

/// When a commit fails in a test.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fails {
    Before,
    After,
}

/// More memory than this waiting for the disk, and nothing is written before there is less.
///
/// The engine has limits of its own, at 4 and 20, and waits behind them for ever if its threads have ended with an error in the
/// meantime. One batch adds at most two, so its limits are never reached.
const MAX_SEALED: usize = 1;
/// The same for tables that were not merged yet.
const MAX_UNMERGED: usize = 17;

/// How long to wait before looking again; a table takes longer than that to write.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Bytes of a block of a table: read one after the other, at the start.
const BLOCK_LEN: u32 = 16 << 10;

/// Two: one writes tables while the other merges them.
const N_THREADS: usize = 2;

impl Engine {
    /// Opens the database of this folder, or makes it.
    pub(crate) fn open(path: &Path, options: &StoreOptions) -> Result<Self, String> {
        let database = Database::builder(path)
            .cache_size(options.cache_bytes)
            .max_journaling_size(options.journal_bytes.max(64 << 20))
            .worker_threads(N_THREADS)
            .open()
            .map_err(|error| explain(&error))?;
        let memory = options.memory_bytes.max(1 << 20);
        let keyspaces = Kind::ALL
            .into_iter()
            .map(|kind| {
                database.keyspace(kind.name(), || {
                    KeyspaceCreateOptions::default()
                        .max_memtable_size(memory / kind.memory_share())
                        // Keys are read in their order, and the few that are looked up are there.
                        .filter_policy(FilterPolicy::disabled())
                        .data_block_size_policy(BlockSizePolicy::all(BLOCK_LEN))
                })
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| explain(&error))?;
        Ok(Self {
            keyspaces,
            database,
            #[cfg(test)]
            fails: std::cell::Cell::new(None),
        })
    }

    /// Writes all of it or nothing. Empty batches write nothing and still do what `mode` says.
    pub(crate) fn commit(&self, batch: &Batch, mode: PersistMode) -> Result<(), String> {
        self.wait_for_room()?;
        let mut writes = OwnedWriteBatch::with_capacity(self.database.clone(), batch.len())
            .durability(Some(mode));
        for (kind, key, value) in batch.writes() {
            let Some(keyspace) = self.keyspaces.get(kind as usize) else {
                continue;
            };
            match value {
                Some(value) => writes.insert(keyspace, key, value),
                // Not its `remove_weak`, which is cheaper: it undoes one write of the key, and a batch that is given again after an
                // error has written it twice.
                None => writes.remove(keyspace, key),
            }
        }
        if writes.is_empty() {
            return self.persist(mode);
        }
        #[cfg(test)]
        match self.fails.take() {
            Some(Fails::Before) => return Err("it was to fail".to_owned()),
            Some(Fails::After) => {
                writes.commit().map_err(|error| explain(&error))?;
                return Err("it was to fail".to_owned());
            }
            None => {}
        }
        writes.commit().map_err(|error| explain(&error))
    }

    /// Does what `mode` says for all that was committed.
    pub(crate) fn persist(&self, mode: PersistMode) -> Result<(), String> {
        self.database.persist(mode).map_err(|error| explain(&error))
    }

    /// The value of a key.
    pub(crate) fn get(&self, kind: Kind, key: &[u8]) -> Result<Option<UserValue>, String> {
        let Some(keyspace) = self.keyspaces.get(kind as usize) else {
            return Ok(None);
        };
        keyspace
            .get(key)
            .map_err(|error| format!("{}: {}", kind.name(), explain(&error)))
    }

    /// Keys and values from `from` to before `to`, in order.
    pub(crate) fn range(
        &self,
        kind: Kind,
        from: &[u8],
        to: Bound<&[u8]>,
    ) -> impl Iterator<Item = Result<(fjall::UserKey, UserValue), String>> + use<> {
        self.keyspaces
            .get(kind as usize)
            .map(|keyspace| keyspace.range::<&[u8], _>((Bound::Included(from), to)))
            .into_iter()
            .flatten()
            .map(move |entry| {
                entry
                    .into_inner()
                    .map_err(|error| format!("{}: {}", kind.name(), explain(&error)))
            })
    }

    /// Everything of a kind.
    pub(crate) fn all(
        &self,
        kind: Kind,
    ) -> impl Iterator<Item = Result<(fjall::UserKey, UserValue), String>> + use<> {
        self.range(kind, &[], Bound::Unbounded)
    }

    /// Moves everything from the journals into tables.
    pub(crate) fn flush(&self) -> Result<(), String> {
        for keyspace in &self.keyspaces {
            keyspace
                .rotate_memtable()
                .map_err(|error| explain(&error))?;
            self.wait_until(|| keyspace.sealed_memtable_count() == 0)?;
        }
        self.wait_until(|| self.database.journal_count() == 1)
    }

    fn wait_for_room(&self) -> Result<(), String> {
        self.wait_until(|| {
            self.keyspaces.iter().all(|keyspace| {
                keyspace.sealed_memtable_count() <= MAX_SEALED
                    && keyspace.tree.l0_run_count() <= MAX_UNMERGED
            })
        })
    }

    /// Waits for the engine's threads, unless they have failed.
    fn wait_until(&self, is_so: impl Fn() -> bool) -> Result<(), String> {
        while !is_so() {
            self.persist(PersistMode::Buffer)?;
            std::thread::park_timeout(LOOK_AGAIN);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
