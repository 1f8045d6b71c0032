//! Remembers beside the database which batch has certainly reached the disk, so that a database that comes up with less is noticed.
//!
//! Two slots of one file are overwritten in turn, each in a block of its own: a write that is torn leaves the other slot. It must
//! never say more than is true, so it is written after the database was synced.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Apart by more than any disk tears.
const SLOT_LEN: u64 = 4096;
const MAGIC: [u8; 8] = *b"hookmqcn";
/// Magic, round, commit number, checksum.
const CONTENT_LEN: usize = 8 + 8 + 8 + 4;

/// The file.
#[derive(Debug)]
pub(crate) struct Synced {
    file: File,
    /// How often it was written; the slot is taken from its last bit.
    round: u64,
    commit_no: u64,
}

/// What the file says.
#[derive(Debug)]
pub(crate) enum Found {
    /// It says that everything up to a batch was on the disk.
    Told(Synced),
    /// Nothing that can be read.
    Nothing,
}

impl Synced {
    /// Looks into the file, if there is one.
    pub(crate) fn find(path: &Path) -> io::Result<Found> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        };
        let mut newest: Option<(u64, u64)> = None;
        for slot in 0..2 {
            let mut content = [0; CONTENT_LEN];
            match read_at(&file, &mut content, slot * SLOT_LEN) {
                Ok(()) => newest = newest.max(decode(&content)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(error),
            }
        }
        Ok(newest.map_or(Found::Nothing, |(round, commit_no)| {
            Found::Told(Self {
                file,
                round,
                commit_no,
            })
        }))
    }

    /// A new file in place of whatever was there. It has to be made durable with its folder.
    pub(crate) fn create(path: &Path, commit_no: u64) -> io::Result<Self> {
        let new = path.with_extension("new");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&new)?;
        // Both slots are there from the start, so that later writes change no file size.
        write_at(&file, &[0; 2 * SLOT_LEN as usize], 0)?;
        let mut synced = Self {
            file,
            round: 0,
            commit_no,
        };
        synced.write(commit_no)?;
        synced.write(commit_no)?;
        std::fs::rename(&new, path)?;
        Ok(synced)
    }

    /// Everything up to this batch was on the disk.
    pub(crate) const fn commit_no(&self) -> u64 {
        self.commit_no
    }

    /// Everything up to `commit_no` is on the disk.
    pub(crate) fn write(&mut self, commit_no: u64) -> io::Result<()> {
        let round = self.round + 1;
        write_at(&self.file, &encode(round, commit_no), round % 2 * SLOT_LEN)?;
        self.file.sync_data()?;
        self.round = round;
        self.commit_no = commit_no;
        Ok(())
    }
}

fn encode(round: u64, commit_no: u64) -> [u8; CONTENT_LEN] {
    let mut content = [0; CONTENT_LEN];
    let (fields, sum) = content.split_at_mut(CONTENT_LEN - 4);
    for (field, value) in
        fields
            .chunks_exact_mut(8)
            .zip([MAGIC, round.to_be_bytes(), commit_no.to_be_bytes()])
    {
        field.copy_from_slice(&value);
    }
    sum.copy_from_slice(&crc32fast::hash(fields).to_be_bytes());
    content
}

/// Round and commit number of a slot.
fn decode(content: &[u8; CONTENT_LEN]) -> Option<(u64, u64)> {
    let (fields, sum) = content.split_last_chunk::<4>()?;
    let (magic, numbers) = fields.split_first_chunk::<8>()?;
    let (round, commit_no) = numbers.split_first_chunk::<8>()?;
    let commit_no = commit_no.first_chunk::<8>()?;
    (*magic == MAGIC && crc32fast::hash(fields) == u32::from_be_bytes(*sum))
        .then(|| (u64::from_be_bytes(*round), u64::from_be_bytes(*commit_no)))
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = file;
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(into)
}

#[cfg(not(unix))]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    let mut file = file;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &Path) -> Option<u64> {
        match Synced::find(path).expect("readable") {
            Found::Told(synced) => Some(synced.commit_no()),
            Found::Nothing => None,
        }
    }

    #[test]
    fn the_last_number_is_told_and_a_torn_write_leaves_the_one_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("synced");
        assert_eq!(told(&path), None);
        let mut synced = Synced::create(&path, 7).expect("created");
        assert_eq!(told(&path), Some(7));
        for commit_no in 8..12 {
            synced.write(commit_no).expect("written");
            assert_eq!(told(&path), Some(commit_no));
            let whole = std::fs::read(&path).expect("readable");
            let slot = usize::try_from(synced.round % 2 * SLOT_LEN).expect("small");
            for byte in slot..slot + CONTENT_LEN {
                let mut torn = whole.clone();
                torn[byte] ^= 0x10;
                std::fs::write(&path, &torn).expect("written");
                assert_eq!(told(&path), Some(commit_no - 1), "byte {byte}");
            }
            std::fs::write(&path, &whole).expect("written");
        }
        std::fs::write(&path, b"short").expect("written");
        assert_eq!(told(&path), None);
    }
}
