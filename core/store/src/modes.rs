//! Who may look: the owner alone.
//!
//! The folder is closed to others before anything is in it, and that is what guards. The engine makes its files as the process's mask
//! says; a library does not change the mask, so files are closed too, when the store is opened and within a second after new ones appear.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// Closes a folder, everything of the store's in it, and what is below. Links are not followed: what they lead to is somebody else's.
pub(crate) fn close(path: &Path, own: impl Fn(&OsStr) -> bool) -> io::Result<()> {
    set(path, 0o700)?;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if !own(&entry.file_name()) {
            continue;
        }
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let closed = if kind.is_dir() {
            close_all(&entry.path())
        } else if kind.is_file() {
            set(&entry.path(), 0o600)
        } else {
            Ok(())
        };
        match closed {
            // The engine takes files away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

fn close_all(path: &Path) -> io::Result<()> {
    // Behind a reference, as the function is instantiated for itself otherwise.
    let all: &dyn Fn(&OsStr) -> bool = &|_| true;
    close(path, all)
}

/// Makes a folder that only the owner may look into; closes it if it is there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    set(path, 0o700)
}

/// A folder's owner who is not the user that the broker runs as. The modes guard against everybody but the owner.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stranger {
    /// User number of the owner.
    pub(crate) owner: u32,
    /// User number of this process.
    pub(crate) own: u32,
}

/// Looks whose a folder is. Whose this process is, a file tells that it makes at `probe` and takes away.
#[cfg(unix)]
pub(crate) fn stranger(folder: &Path, probe: &Path) -> io::Result<Option<Stranger>> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    match std::fs::remove_file(probe) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    let made = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(probe)?;
    let own = made.metadata().map(|made| made.uid());
    std::fs::remove_file(probe)?;
    let (owner, own) = (std::fs::metadata(folder)?.uid(), own?);
    Ok((owner != own).then_some(Stranger { owner, own }))
}

#[cfg(not(unix))]
pub(crate) fn stranger(_folder: &Path, _probe: &Path) -> io::Result<Option<Stranger>> {
    Ok(None)
}

#[cfg(unix)]
fn set(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let now = std::fs::symlink_metadata(path)?.permissions().mode() & 0o777;
    if now == mode {
        return Ok(());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn an_owner_who_is_somebody_else_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, probe) = (folder.path(), folder.path().join("probe"));
        assert_eq!(stranger(path, &probe).expect("readable"), None);
        // Of a broker that was killed here.
        std::fs::write(&probe, "").expect("written");
        assert_eq!(stranger(path, &probe).expect("readable"), None);
        assert!(!probe.exists());
        let somebody = 65_533;
        // Only the superuser may give a folder away.
        if std::os::unix::fs::chown(path, Some(somebody), None).is_ok() {
            let found = stranger(path, &probe).expect("readable");
            let found = found.expect("somebody else");
            assert_eq!(found.owner, somebody);
            assert_ne!(found.own, somebody);
        }
    }
}
