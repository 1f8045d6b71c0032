//! Libraries in memory. They are never unloaded, as nobody can know what still points into one: threads, thread-locals, exit handlers.
//!
//! So that a plugin can be reloaded for ever all the same, a library whose instance has ended is used again when the same file is loaded
//! once more; two instances never share one.

use std::path::Path;

use hookmq_plugin_api::abi::ENTRY;
use libloading::Library;
use parking_lot::Mutex;

use crate::copy::{Digest, Original};
use crate::error::LoadError;
use crate::manifest::Entry;

/// Every library that was ever loaded.
static LOADED: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());

struct Loaded {
    digest: Digest,
    entry: Entry,
    is_used: bool,
}

/// A library that nobody else uses until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    /// Where it stands in [`LOADED`], which only grows.
    at: usize,
    entry: Entry,
}

impl Held {
    /// A library of this file: one that is free, or a new one, loaded from a copy of it.
    ///
    /// # Errors
    /// The file cannot be copied or loaded, or is no plugin.
    pub(crate) fn of(original: &Original, copies: &Path) -> Result<Self, LoadError> {
        if let Some(free) = Self::free(original.digest()) {
            return Ok(free);
        }
        let copy = original.copy(copies)?;
        let entry = open(copy.path()).map_err(|why| {
            // The system's loader speaks of a file that is not there, or too short, when it means that it is another machine's.
            let why = crate::machine::why_not_here(copy.path()).unwrap_or(why);
            let own = copy.path().display().to_string();
            let why = why.replace(&format!("{own}: "), "").replace(&own, "it");
            LoadError::new(original.path(), why)
        })?;
        let mut loaded = LOADED.lock();
        loaded.push(Loaded {
            digest: original.digest(),
            entry,
            is_used: true,
        });
        Ok(Self {
            at: loaded.len() - 1,
            entry,
        })
    }

    fn free(digest: Digest) -> Option<Self> {
        let mut loaded = LOADED.lock();
        let mut all = loaded.iter_mut().enumerate();
        let (at, free) = all.find(|(_, one)| !one.is_used && one.digest == digest)?;
        free.is_used = true;
        Some(Self {
            at,
            entry: free.entry,
        })
    }

    pub(crate) const fn entry(&self) -> Entry {
        self.entry
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(mine) = LOADED.lock().get_mut(self.at) {
            mine.is_used = false;
        }
    }
}

/// Loads a library and finds what it exports.
fn open(path: &Path) -> Result<Entry, String> {
    // SAFETY: a library's start-up code runs with the broker's rights; the operator has put it into the config.
    let library = unsafe { load(path) }.map_err(|error| {
        // The error itself names the function that failed; what the system says is behind it.
        let why = std::error::Error::source(&error).map(ToString::to_string);
        why.unwrap_or_else(|| error.to_string())
    })?;
    let library = std::mem::ManuallyDrop::new(library);
    // SAFETY: the contract gives this name to a function of this type.
    let entry = unsafe { library.get::<Entry>(ENTRY) };
    entry.map(|entry| *entry).map_err(|_| {
        format!(
            "it exports no {ENTRY}, so it is no HookMQ plugin; in C, HOOKMQ_PLUGIN(...) of hookmq.h defines it"
        )
    })
}

/// # Safety
/// The library's start-up code is sound.
unsafe fn load(path: &Path) -> Result<Library, libloading::Error> {
    #[cfg(unix)]
    {
        use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
        // Now, so that a missing symbol is an error here instead of a crash at some message.
        // SAFETY: as the caller says.
        unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
    }
    #[cfg(not(unix))]
    {
        // SAFETY: as the caller says.
        unsafe { Library::new(path) }
    }
}
