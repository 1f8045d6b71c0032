//! The folder of a store: whose it is, what is in it, and whether all of it is there.
//!
//! ```text
//! lock      held as long as the store is open
//! synced    the last batch that has certainly reached the disk (synced.rs)
//! db/       the database
//! damaged/  journals and databases that were not whole, as they were found
//! ```

mod taking;

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fjall::PersistMode;
use hookmq_broker::store::StoreError;

use self::taking::is_own;
use crate::anchor::Anchor;
use crate::batch::Batch;
use crate::engine::Engine;
use crate::fault::failed;
use crate::journals::{Journals, sync_folder};
use crate::keyspace::{COMMIT_NO, FORMAT, Kind, NUMBERS};
use crate::options::StoreOptions;
use crate::synced::{Found, Synced};
use crate::{aside, migrate, modes, record, tables};

/// See the module.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked.
    _lock: File,
    /// The folder itself, and the database once it is open.
    anchors: Vec<Anchor>,
    /// When it was last seen that both are where they were.
    looked: Option<Instant>,
}

/// How long a pause is before the first batch after it is preceded by a look; in between the folder is looked at once a second, when
/// batches are brought to the disk.
const PAUSE: Duration = Duration::from_secs(2);

/// A store that is there as a whole, or as far as its owner puts up with.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    pub(crate) synced: Synced,
    pub(crate) commit_no: u64,
    pub(crate) numbers: u64,
    /// What is missing, in words.
    pub(crate) damaged: Vec<String>,
}

impl Folder {
    /// Closes what is the store's to others.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        modes::close(&self.path, is_own).map_err(|error| failed(&self.path, error))
    }

    /// Looks whether the folder and its database are still the ones that were opened.
    ///
    /// # Errors
    /// One of them is gone, or another one stands in its place.
    pub(crate) fn look(&mut self) -> Result<(), StoreError> {
        self.looked = None;
        self.anchors.iter().try_for_each(Anchor::look)?;
        self.looked = Some(Instant::now());
        Ok(())
    }

    /// The same, if nobody has looked for a while.
    pub(crate) fn look_after_pause(&mut self) -> Result<(), StoreError> {
        match self.looked {
            Some(at) if at.elapsed() < PAUSE => Ok(()),
            _ => self.look(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file beside the database.
    pub(crate) fn synced(&self) -> PathBuf {
        self.path.join("synced")
    }

    fn database(&self) -> PathBuf {
        self.path.join("db")
    }

    /// Opens what is in the folder, or makes it.
    pub(crate) fn open(&mut self, options: &StoreOptions) -> Result<Opened, StoreError> {
        let mut damaged = Vec::new();
        let mut synced = self.find_synced(options, &mut damaged)?;
        let journals = match self.find_journals(options, synced.as_ref(), &mut damaged)? {
            Some(journals) => journals,
            None => {
                self.create(options)?;
                synced = self.find_synced(options, &mut damaged)?;
                Journals::read(&self.database())?
            }
        };
        let synced_no = synced.as_ref().map_or(0, Synced::commit_no);
        let has_hole = self.look_at_journals(options, &journals, synced_no, &mut damaged)?;
        let mut opened = self.open_database(options, synced, damaged)?;
        if opened.commit_no < synced_no {
            let lost = synced_no - opened.commit_no;
            let (first, last) = (opened.commit_no + 1, synced_no);
            self.put_up_with(
                options,
                &mut opened.damaged,
                format!("{lost} batches are lost that were on the disk, {first} to {last}"),
            )?;
        }
        if has_hole {
            // What is left of the journals does not follow one upon the other, which would be noticed again at the next start.
            let flushed = opened.engine.flush();
            flushed.map_err(|why| failed(&self.database(), why))?;
        }
        // What is there now is all that can be asked for from here on.
        let persisted = opened.engine.persist(PersistMode::SyncAll);
        persisted.map_err(|why| failed(&self.database(), why))?;
        if opened.synced.commit_no() != opened.commit_no {
            let path = self.synced();
            opened.synced = Synced::create(&path, opened.commit_no)
                .and_then(|synced| sync_folder(&self.path).map(|()| synced))
                .map_err(|error| failed(&path, error))?;
        }
        self.close()?;
        self.anchors.push(Anchor::at(&self.database())?);
        Ok(opened)
    }

    /// Opens the database once more after an error; everything up to `commit_no` has to be there.
    pub(crate) fn reopen(
        &mut self,
        options: &StoreOptions,
        commit_no: u64,
    ) -> Result<Opened, StoreError> {
        self.look()?;
        let journals = Journals::read(&self.database())?;
        if without_beginning(&self.database(), &journals)?.is_some()
            || journals.last_commit_no.is_some_and(|last| last < commit_no)
            || journals.fault.as_ref().is_some_and(|fault| fault.is_inside)
        {
            let last = journals.last_commit_no.unwrap_or_default();
            return Err(failed(
                &self.database(),
                lost_while_running(last, commit_no),
            ));
        }
        if let Err(error) = journals.renew() {
            // On a disk that is still nearly full there is no room for a copy.
            tracing::warn!(%error, "store: the journal is used on as it is");
        }
        journals.cut()?;
        let mut damaged = Vec::new();
        let synced = self.find_synced(options, &mut damaged)?;
        let opened = self.open_database(options, synced, damaged)?;
        if opened.commit_no < commit_no {
            return Err(failed(
                &self.database(),
                lost_while_running(opened.commit_no, commit_no),
            ));
        }
        Ok(opened)
    }

    /// What the database's journals hold; `None` if there is no database that could be gone on with.
    fn find_journals(
        &self,
        options: &StoreOptions,
        synced: Option<&Synced>,
        damaged: &mut Vec<String>,
    ) -> Result<Option<Journals>, StoreError> {
        let database = self.database();
        let told = synced.map_or(0, Synced::commit_no);
        let lost = match told {
            0 => "everything that was in it".to_owned(),
            told => format!("everything that {told} batches wrote"),
        };
        if !database.exists() {
            taking::refuse_dangling(&database)?;
            if told > 0 {
                let what = format!("the folder db is missing, and with it {lost}");
                self.put_up_with(options, damaged, what)?;
            }
            return Ok(None);
        }
        tables::check(&database)?;
        let journals = Journals::read(&database)?;
        let Some(what) = without_beginning(&database, &journals)? else {
            return Ok(Some(journals));
        };
        // Without its format and its numbers nobody can tell what the rest is.
        self.put_up_with(options, damaged, format!("{what}, and with it {lost}"))?;
        let folder = self.path.join("damaged");
        let aside = aside::free_path(&folder, OsStr::new("db"))
            .and_then(|aside| {
                std::fs::rename(&database, &aside)?;
                sync_folder(&folder)?;
                sync_folder(&self.path)?;
                Ok(aside)
            })
            .map_err(|error| failed(&database, error))?;
        damaged.push(format!(
            "the folder db is kept as it was in {}, and a new one is begun",
            aside.display()
        ));
        Ok(None)
    }

    fn find_synced(
        &self,
        options: &StoreOptions,
        damaged: &mut Vec<String>,
    ) -> Result<Option<Synced>, StoreError> {
        let path = self.synced();
        match Synced::find(&path).map_err(|error| failed(&path, error))? {
            Found::Told(synced) => Ok(Some(synced)),
            Found::Nothing => {
                if self.database().exists() {
                    self.put_up_with(
                        options,
                        damaged,
                        "the file synced is missing or damaged, so nobody can tell whether the last batches are there".to_owned(),
                    )?;
                }
                Ok(None)
            }
        }
    }

    /// Makes a database beside its place and moves it there when it is whole, so that a crash leaves all of it or nothing.
    fn create(&self, options: &StoreOptions) -> Result<(), StoreError> {
        let new = self.path.join("db.new");
        let create = || {
            if new.exists() {
                std::fs::remove_dir_all(&new).map_err(|error| failed(&new, error))?;
            }
            modes::make_folder(&new).map_err(|error| failed(&new, error))?;
            let engine = Engine::open(&new, options).map_err(|why| failed(&new, why))?;
            let mut batch = Batch::default();
            batch.put(Kind::Meta, FORMAT, |into| {
                into.extend_from_slice(&migrate::FORMAT.to_be_bytes());
            });
            batch.put(Kind::Meta, COMMIT_NO, |into| {
                into.extend_from_slice(&[0; 8])
            });
            batch.put(Kind::Meta, NUMBERS, |into| {
                into.extend_from_slice(&1_u64.to_be_bytes());
            });
            engine
                .commit(&batch, PersistMode::SyncAll)
                .map_err(|why| failed(&new, why))
        };
        create()?;
        let synced = self.synced();
        let place = || {
            Synced::create(&synced, 0)?;
            // The engine makes folders in this one and leaves it to the file system to keep them.
            sync_folder(&new.join("keyspaces"))?;
            sync_folder(&new)?;
            std::fs::rename(&new, self.database())?;
            sync_folder(&self.path)?;
            self.path
                .canonicalize()?
                .parent()
                .map_or(Ok(()), sync_folder)
        };
        place().map_err(|error| failed(&self.path, error))
    }

    /// True if the journals had a hole.
    fn look_at_journals(
        &self,
        options: &StoreOptions,
        journals: &Journals,
        synced_no: u64,
        damaged: &mut Vec<String>,
    ) -> Result<bool, StoreError> {
        let Some(fault) = &journals.fault else {
            return Ok(false);
        };
        let (name, at) = (fault.path.display(), fault.at);
        let n_batches = fault.n_batches;
        let is_short = journals.last_commit_no.is_some_and(|last| last < synced_no);
        if fault.is_inside || is_short {
            // A file that was cut does not tell what was behind.
            let last = journals.last_commit_no.unwrap_or(synced_no);
            let n_lost = (n_batches as u64).max(synced_no.saturating_sub(last));
            self.put_up_with(
                options,
                damaged,
                format!("{name} is damaged at byte {at}, and about {n_lost} batches behind it cannot be read"),
            )?;
        } else if n_batches > 0 {
            damaged.push(format!(
                "{name} from byte {at} on, about {n_batches} batches that had not been brought to the disk"
            ));
        } else {
            tracing::info!("store: {name} ends in a batch that was not finished; it is left out");
        }
        if n_batches > 0
            && let Some(aside) = journals.keep_aside(&self.path.join("damaged"))?
        {
            damaged.push(format!("{name} is kept as it was in {}", aside.display()));
        }
        journals.cut()?;
        Ok(fault.is_inside)
    }

    fn open_database(
        &self,
        options: &StoreOptions,
        synced: Option<Synced>,
        damaged: Vec<String>,
    ) -> Result<Opened, StoreError> {
        let path = self.database();
        let open = || {
            let engine = Engine::open(&path, options)?;
            let format = meta(&engine, FORMAT, |fields| fields.u32())?;
            for step in migrate::plan(format, migrate::FORMAT, migrate::STEPS)? {
                tracing::info!("store: {}", step.what);
                (step.run)(&engine)?;
            }
            let commit_no = meta(&engine, COMMIT_NO, |fields| fields.u64())?;
            let numbers = meta(&engine, NUMBERS, |fields| fields.u64())?;
            Ok((engine, commit_no, numbers))
        };
        let (engine, commit_no, numbers) = open().map_err(|why: String| failed(&path, why))?;
        let synced = match synced {
            Some(synced) => synced,
            None => Synced::create(&self.synced(), commit_no)
                .map_err(|error| failed(&self.synced(), error))?,
        };
        Ok(Opened {
            engine,
            synced,
            commit_no,
            numbers,
            damaged,
        })
    }

    /// Something is lost: refused, unless the owner puts up with it.
    fn put_up_with(
        &self,
        options: &StoreOptions,
        damaged: &mut Vec<String>,
        what: String,
    ) -> Result<(), StoreError> {
        if options.accept_data_loss {
            damaged.push(what);
            return Ok(());
        }
        Err(failed(
            &self.path,
            format_args!(
                "{what}; restore the folder from a backup, or set accept_data_loss = true for one start to go on without"
            ),
        ))
    }
}

/// What has become of the batch that the database was made with, if it is in no table either.
fn without_beginning(database: &Path, journals: &Journals) -> Result<Option<String>, StoreError> {
    match journals.without_beginning(database) {
        Some(what) if !tables::has_any(database, Kind::Meta)? => Ok(Some(what)),
        _ => Ok(None),
    }
}

fn lost_while_running(found: u64, told: u64) -> String {
    format!(
        "batches {} to {told} are gone that were committed before the error; restart the broker to see what is left",
        found + 1
    )
}

/// A number in `meta`.
fn meta<T>(
    engine: &Engine,
    key: &[u8],
    read: impl FnOnce(&mut record::reader::Reader<'_>) -> Result<T, record::Malformed>,
) -> Result<T, String> {
    let name = || Kind::Meta.describe(key);
    let value = engine
        .get(Kind::Meta, key)?
        .ok_or_else(|| format!("{}: {}", name(), tables::MISSING))?;
    let mut fields =
        record::open(Kind::Meta as u8, key, &value).map_err(|why| format!("{}: {why}", name()))?;
    read(&mut fields).map_err(|why| format!("{}: {why}", name()))
}
