//! The file of a library, and the copy of it that is loaded: so the file can be replaced while the library is in use, and the same file
//! can be loaded again beside itself.

use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::elf;
use crate::error::LoadError;

/// The longest file of a library.
const MAX_SIZE: u64 = 512 * 1024 * 1024;

/// What a file is known by: its length, and a hash of all of it.
pub(crate) type Digest = (usize, u64);

/// A library's file, read.
pub(crate) struct Original {
    identity: Identity,
    file: Vec<u8>,
}

/// A library's file as it was when it was read.
#[derive(Debug)]
pub(crate) struct Identity {
    path: PathBuf,
    digest: Digest,
}

/// The copy on disk; removed when this goes.
#[derive(Debug)]
pub(crate) struct Copy {
    path: PathBuf,
}

impl Original {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, is cut off or too long.
    pub(crate) fn read(path: &Path) -> Result<Self, LoadError> {
        let refuse = |why: String| LoadError::new(path, why);
        let size = fs::metadata(path)
            .map_err(|error| refuse(error.to_string()))?
            .len();
        if size > MAX_SIZE {
            return Err(refuse(format!(
                "{size} bytes; a library may have {MAX_SIZE}"
            )));
        }
        let file = fs::read(path).map_err(|error| refuse(error.to_string()))?;
        elf::check_is_whole(&file).map_err(refuse)?;
        let identity = Identity {
            path: path.to_owned(),
            digest: digest(&file),
        };
        Ok(Self { identity, file })
    }

    /// Writes a copy under a name that was never used before.
    ///
    /// # Errors
    /// The folder for copies cannot be written.
    pub(crate) fn copy(&self, folder: &Path) -> Result<Copy, LoadError> {
        let path = self.path();
        Copy::write(path, folder, &self.file).map_err(|error| {
            LoadError::new(
                path,
                format!(
                    "cannot be copied to {}: {error}; native plugins are loaded from copies",
                    folder.display()
                ),
            )
        })
    }

    /// The file, as it was given.
    pub(crate) fn path(&self) -> &Path {
        &self.identity.path
    }

    pub(crate) const fn digest(&self) -> Digest {
        self.identity.digest
    }

    /// Without what was in it.
    pub(crate) fn forgotten(self) -> Identity {
        self.identity
    }
}

impl Identity {
    /// The file, as it was given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file still is what was read.
    pub(crate) fn is_current(&self) -> bool {
        fs::read(&self.path).is_ok_and(|file| digest(&file) == self.digest)
    }
}

fn digest(file: &[u8]) -> Digest {
    let mut hasher = DefaultHasher::new();
    file.hash(&mut hasher);
    (file.len(), hasher.finish())
}

impl Copy {
    fn write(original: &Path, folder: &Path, file: &[u8]) -> std::io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        fs::create_dir_all(folder)?;
        let folder = fs::canonicalize(folder)?;
        let stem = original.file_stem().unwrap_or_default().to_string_lossy();
        let ending = original.extension().unwrap_or_default().to_string_lossy();
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{stem}-{}-{number}.{ending}", std::process::id());
            let path = folder.join(name);
            let mut options = OpenOptions::new();
            // Never through a link or into a file that somebody else has put there.
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o700);
            match options.open(&path) {
                Ok(mut target) => {
                    let copy = Self { path };
                    target.write_all(file)?;
                    return Ok(copy);
                }
                // Left behind by a process of the same number.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Where a library that is in use cannot be removed (Windows), its copy stays until the folder is cleaned.
        let _still_in_use = fs::remove_file(&self.path);
    }
}
