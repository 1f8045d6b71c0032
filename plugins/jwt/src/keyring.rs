//! The file with the keys, read again when it has changed.
//!
//! Each login looks at the file's time and size, which costs a microsecond beside a signature; nothing else ever touches the disk. A file
//! that is gone or broken is told of once, and the last good keys stay in use.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hookmq_plugin_api::sdk::log;
use parking_lot::Mutex;

use crate::keys::{Keys, KeysError};

/// Bytes of the file at most.
const MAXIMUM_FILE: u64 = 1024 * 1024;

/// Two writes within one tick of the file system's clock have the same time: what was written so shortly before it was read is read again.
const TICK: Duration = Duration::from_secs(2);

/// The keys, as they are now.
pub struct Keyring {
    path: PathBuf,
    held: Mutex<Held>,
}

struct Held {
    keys: Arc<Keys>,
    /// What the file looked like when it was last read; `None` while it could not be looked at.
    stamp: Option<Stamp>,
    /// Whether it may have been written since, unseen.
    is_fresh: bool,
    /// What was last told about it, so that it is told once.
    trouble: Option<String>,
}

#[derive(PartialEq, Eq, Clone, Copy)]
struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    file: u64,
}

impl Keyring {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or has no keys that can be used.
    pub fn open(path: &Path) -> Result<Self, KeyringError> {
        let (keys, stamp) = read(path).map_err(|why| KeyringError {
            path: path.to_owned(),
            why,
        })?;
        Ok(Self {
            path: path.to_owned(),
            held: Mutex::new(Held {
                keys: Arc::new(keys),
                is_fresh: stamp.is_fresh(),
                stamp: Some(stamp),
                trouble: None,
            }),
        })
    }

    /// The keys that the file has, or had when it was last good.
    #[must_use]
    pub fn keys(&self) -> Arc<Keys> {
        // The lock is held while the file is read: who comes meanwhile waits for what it says now.
        let mut held = self.held.lock();
        let stamp = std::fs::metadata(&self.path)
            .ok()
            .map(|found| Stamp::of(&found));
        if stamp.is_none() || stamp != held.stamp || held.is_fresh {
            held.refresh(&self.path, stamp);
        }
        Arc::clone(&held.keys)
    }
}

impl Held {
    fn refresh(&mut self, path: &Path, looked: Option<Stamp>) {
        match read(path) {
            Ok((keys, stamp)) => {
                if self.stamp != Some(stamp) || self.trouble.is_some() {
                    log::info(format!("{}: the keys are read again", path.display()));
                }
                self.keys = Arc::new(keys);
                self.is_fresh = stamp.is_fresh();
                self.stamp = Some(stamp);
                self.trouble = None;
            }
            Err(why) => {
                let trouble = why.to_string();
                if self.trouble.as_ref() != Some(&trouble) {
                    log::warn(format!(
                        "{}: {trouble}; the keys that it had stay in use",
                        path.display()
                    ));
                }
                self.stamp = looked;
                self.is_fresh = looked.is_some_and(Stamp::is_fresh);
                self.trouble = Some(trouble);
            }
        }
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        #[cfg(unix)]
        let file = std::os::unix::fs::MetadataExt::ino(found);
        #[cfg(not(unix))]
        let file = 0;
        Self {
            modified: found.modified().ok(),
            size: found.len(),
            file,
        }
    }

    fn is_fresh(self) -> bool {
        // A time in the future, or none at all, tells nothing.
        self.modified
            .and_then(|modified| modified.elapsed().ok())
            .is_none_or(|age| age < TICK)
    }
}

fn read(path: &Path) -> Result<(Keys, Stamp), ReadError> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(ReadError::NoFile);
    }
    let mut bytes = Vec::new();
    file.take(MAXIMUM_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAXIMUM_FILE {
        return Err(ReadError::TooLong);
    }
    Ok((Keys::parse(&bytes)?, Stamp::of(&found)))
}

/// Why the file gives no keys.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is no file")]
    NoFile,
    #[error("it has more than {MAXIMUM_FILE} bytes")]
    TooLong,
    #[error("{0}")]
    Keys(#[from] KeysError),
}

/// Why there are no keys to begin with.
#[derive(Debug, thiserror::Error)]
#[error("jwks: {path}: {why}", path = path.display())]
pub struct KeyringError {
    path: PathBuf,
    why: ReadError,
}
