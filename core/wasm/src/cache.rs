//! The compile cache: a folder of the broker's user alone, with one file per plugin, compiler and processor.
//!
//! An entry runs as machine code, so nothing of it is used unless the folder and the file belong to us and nobody else can write them, and
//! its header names the key that was asked for and the checksum of all that follows. What fails a check is compiled anew and replaced.

use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::hash::Hasher;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// The first bytes of an entry; the digit is the version of its layout.
const MAGIC: &[u8; 16] = b"hookmq compiled1";
const ENDING: &str = "compiled";
/// Entries that are kept; more are of plugins that were edited often.
const MAX_ENTRIES: usize = 64;

/// An open cache.
pub(crate) struct Cache {
    folder: PathBuf,
    user: u32,
}

impl Cache {
    /// Makes the folder if it is absent, and checks that it is ours.
    ///
    /// # Errors
    /// In words: why it cannot be used.
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| error.to_string())?;
        let found = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
        if !found.is_dir() {
            return Err("it is no folder".into());
        }
        // A file that we make is ours: that tells who we are.
        let (probe, path) = create(folder)?;
        let made = probe.metadata().map_err(|error| error.to_string());
        let _removed = fs::remove_file(path);
        let cache = Self {
            folder: folder.to_owned(),
            user: made?.uid(),
        };
        cache.is_ours(&found)?;
        Ok(cache)
    }

    fn is_ours(&self, found: &Metadata) -> Result<(), String> {
        if found.uid() != self.user {
            return Err(format!(
                "it belongs to user {}, and this is user {}",
                found.uid(),
                self.user
            ));
        }
        if found.mode() & 0o077 != 0 {
            return Err(format!(
                "others have rights to it (mode {:o}); take them away with chmod go=",
                found.mode() & 0o777
            ));
        }
        Ok(())
    }

    fn path(&self, key: &[u8; 32]) -> PathBuf {
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(name).with_extension(ENDING)
    }

    /// The entry of a key, if there is one.
    ///
    /// # Errors
    /// In words: there is one, and it fails a check.
    pub(crate) fn get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>, String> {
        let path = self.path(key);
        let Ok(found) = fs::symlink_metadata(&path) else {
            return Ok(None);
        };
        if !found.is_file() {
            return Err("it is no plain file".into());
        }
        self.is_ours(&found)?;
        let mut bytes = fs::read(&path).map_err(|error| error.to_string())?;
        let header = MAGIC.len() + 64;
        let content = bytes.get(header..).ok_or("it is cut off")?;
        let checksum: [u8; 32] = Sha256::digest(content).into();
        let expected = [&MAGIC[..], key, &checksum].concat();
        if bytes.get(..header) != Some(&expected[..]) {
            return Err("it is damaged".into());
        }
        bytes.drain(..header);
        Ok(Some(bytes))
    }

    /// Stores an entry, whole or not at all.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn put(&self, key: &[u8; 32], entry: &[u8]) -> Result<(), String> {
        let (mut file, path) = create(&self.folder)?;
        let checksum: [u8; 32] = Sha256::digest(entry).into();
        let written = [&MAGIC[..], key, &checksum, entry]
            .into_iter()
            .try_for_each(|part| file.write_all(part))
            .and_then(|()| fs::rename(&path, self.path(key)));
        if written.is_err() {
            let _removed = fs::remove_file(&path);
        }
        self.forget_oldest();
        written.map_err(|error| error.to_string())
    }

    /// What cannot be removed stays: the cache works without.
    fn forget_oldest(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut entries: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();
        entries.sort_unstable();
        let surplus = entries.len().saturating_sub(MAX_ENTRIES);
        for (_, path) in entries.into_iter().take(surplus) {
            let _removed = fs::remove_file(path);
        }
    }
}

/// A new file that only we can read and write.
fn create(folder: &Path) -> Result<(fs::File, PathBuf), String> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("{}-{number}.new", process::id()));
    // Left by a process of the same number that was killed.
    let _removed = fs::remove_file(&path);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| error.to_string())?;
    Ok((file, path))
}

/// Makes a key of whatever can be hashed.
#[derive(Default)]
pub(crate) struct KeyHasher(Sha256);

impl KeyHasher {
    pub(crate) fn key(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest: [u8; 32] = self.0.clone().finalize().into();
        digest
            .iter()
            .take(8)
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const KEY: [u8; 32] = [7; 32];

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn what_was_stored_comes_back_and_only_that() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("cache");
        let cache = Cache::open(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(cache.get(&KEY), Ok(None));
        cache.put(&KEY, b"code").unwrap();
        assert_eq!(cache.get(&KEY), Ok(Some(b"code".to_vec())));
        assert_eq!(cache.get(&[8; 32]), Ok(None));
        assert_eq!(mode(&cache.path(&KEY)), 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left");
        cache.put(&KEY, b"other").unwrap();
        assert_eq!(cache.get(&KEY), Ok(Some(b"other".to_vec())));
    }

    #[test]
    fn an_entry_with_any_bit_changed_is_not_used() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("cache");
        let cache = Cache::open(&folder).unwrap();
        cache.put(&KEY, b"some machine code").unwrap();
        let path = cache.path(&KEY);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert!(cache.get(&KEY).is_err(), "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert!(cache.get(&KEY).is_err(), "cut at {at}");
        }
        // Another plugin's whole entry under this one's name.
        cache.put(&[8; 32], b"some machine code").unwrap();
        fs::rename(cache.path(&[8; 32]), &path).unwrap();
        assert!(cache.get(&KEY).is_err());
    }

    #[test]
    fn what_others_could_write_is_not_used() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("cache");
        let cache = Cache::open(&folder).unwrap();
        cache.put(&KEY, b"code").unwrap();
        let path = cache.path(&KEY);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(cache.get(&KEY).unwrap_err().contains("620"));
        fs::remove_file(&path).unwrap();
        let elsewhere = outer.path().join("elsewhere");
        fs::write(&elsewhere, b"").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(cache.get(&KEY).unwrap_err().contains("plain file"));
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let why = Cache::open(&folder).err().unwrap();
        assert!(why.contains("755"), "{why}");
    }

    #[test]
    fn old_entries_go() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("cache");
        let cache = Cache::open(&folder).unwrap();
        for number in 0..=MAX_ENTRIES {
            let number = u8::try_from(number).unwrap();
            cache.put(&[number; 32], b"code").unwrap();
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), MAX_ENTRIES);
    }
}
