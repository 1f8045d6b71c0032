//! Whether a path still leads to the folder that was opened there. A folder that is moved away or removed takes along the files that
//! the broker has open: writing goes on without an error, and at the next start nothing of it is found.

use std::io;
use std::path::{Path, PathBuf};

use hookmq_broker::store::StoreError;

use crate::fault::failed;

/// A folder that was opened.
#[derive(Debug)]
pub(crate) struct Anchor {
    path: PathBuf,
    /// Held open, so that no other folder gets its number.
    #[cfg(unix)]
    folder: std::fs::File,
}

impl Anchor {
    /// The folder that is at this path now.
    pub(crate) fn at(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            path: path.to_owned(),
            #[cfg(unix)]
            folder: std::fs::File::open(path).map_err(|error| failed(path, error))?,
        })
    }

    /// Looks whether it is still there.
    ///
    /// # Errors
    /// It is gone, or it is another one.
    pub(crate) fn look(&self) -> Result<(), StoreError> {
        match self.is_there() {
            Ok(true) => Ok(()),
            Ok(false) => Err(failed(
                &self.path,
                "another folder stands in its place; what is written would not be found again: put the first one back, or restart the broker to go on with this one",
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(failed(
                &self.path,
                "it is gone; what is written would not be found again: put it back, or restart the broker to see what is left",
            )),
            Err(error) => Err(failed(&self.path, error)),
        }
    }

    #[cfg(unix)]
    fn is_there(&self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let identity = |it: std::fs::Metadata| (it.dev(), it.ino());
        let found = identity(std::fs::metadata(&self.path)?);
        Ok(found == identity(self.folder.metadata()?))
    }

    #[cfg(not(unix))]
    fn is_there(&self) -> io::Result<bool> {
        Ok(true)
    }
}
