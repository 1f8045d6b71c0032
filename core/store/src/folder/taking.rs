//! Takes a folder for this process alone, if it can be a store's.

use std::ffi::OsStr;
use std::fs::{OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use hookmq_broker::store::StoreError;

use super::Folder;
use crate::anchor::Anchor;
use crate::fault::failed;
use crate::modes;

/// Names in the folder that are the store's; a file system puts `lost+found` into its own.
pub(super) fn is_own(name: &OsStr) -> bool {
    ["lock", "synced", "synced.new", "db", "db.new", "damaged"]
        .iter()
        .any(|own| name == *own)
        || name == "lost+found"
}

impl Folder {
    /// Takes a folder for this process alone; makes it if there is none.
    pub(crate) fn lock(path: &Path) -> Result<Self, StoreError> {
        Self::refuse_others(path)?;
        modes::make_folder(path).map_err(|error| failed(path, error))?;
        let lock_path = path.join("lock");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options
            .open(&lock_path)
            .map_err(|error| failed(&lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => {
                warn_of_owner(path);
                Ok(Self {
                    path: path.to_owned(),
                    _lock: lock,
                    anchors: vec![Anchor::at(path)?],
                    looked: None,
                })
            }
            Err(TryLockError::WouldBlock) => Err(failed(
                path,
                "another broker has this folder open; each broker needs one of its own",
            )),
            Err(TryLockError::Error(error)) => Err(failed(&lock_path, error)),
        }
    }

    /// A folder that is there must be a store, or empty: everything in it is closed to others.
    fn refuse_others(path: &Path) -> Result<(), StoreError> {
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return refuse_dangling(path),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(failed(path, "it is no folder"));
            }
            Err(error) => return Err(failed(path, error)),
        };
        for entry in entries {
            let name = entry.map_err(|error| failed(path, error))?.file_name();
            if !is_own(&name) {
                return Err(failed(
                    path,
                    format_args!(
                        "{} is in it, which is not the store's; give it a folder of its own",
                        name.display()
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// A link to nothing is no place for a folder: nobody knows where it should be, and what it leads to may only not be there yet.
pub(super) fn refuse_dangling(path: &Path) -> Result<(), StoreError> {
    let link = path.ancestors().find(|it| it.is_symlink() && !it.exists());
    let Some(link) = link else {
        return Ok(());
    };
    let target = std::fs::read_link(link).map_err(|error| failed(link, error))?;
    Err(failed(
        link,
        format_args!(
            "it is a symbolic link to nothing: {} is not there",
            target.display()
        ),
    ))
}

fn warn_of_owner(path: &Path) {
    match modes::stranger(path, &path.join("synced.new")) {
        Ok(None) => {}
        Ok(Some(stranger)) => tracing::warn!(
            "store: {} belongs to user {}, and the broker runs as user {}: its owner can open it to others",
            path.display(),
            stranger.owner,
            stranger.own,
        ),
        // A disk that takes no file is told of where one is needed.
        Err(error) => tracing::debug!(%error, "store: nobody knows whose the folder is"),
    }
}
