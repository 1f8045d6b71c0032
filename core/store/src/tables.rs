//! Checks the engine's tables before the engine trusts them.
//!
//! Each keyspace has a list of its tables with a checksum of every one, and a file `current` with the checksum of that list. The engine
//! checks the blocks that it reads, but not the list, and takes a keyspace without `current` away as one that was not finished; a list
//! with a flipped bit would silently leave out a table, and a length in it may be any number. So everything is read once here, which
//! costs little: what the tables hold is read next.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hookmq_broker::store::StoreError;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::fault::failed;
use crate::keyspace::Kind;

/// A table of a list.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    number: u64,
    checksum: u128,
}

/// Reads all tables of the database in this folder and compares their checksums.
///
/// # Errors
/// The first file that is missing or is not what it was.
pub(crate) fn check(database: &Path) -> Result<(), StoreError> {
    // Without its mark the engine takes a database for a new one.
    let mark = database.join("version");
    if !mark.exists() {
        return Err(failed(&mark, explain(&io::ErrorKind::NotFound.into())));
    }
    // The engine's own list of keyspaces comes first.
    for number in 0..=Kind::ALL.len() {
        let folder = database.join("keyspaces").join(number.to_string());
        for (path, checksum) in tables(&folder)? {
            let found = checksum_of(&path).map_err(|error| failed(&path, explain(&error)))?;
            if found != checksum {
                return Err(damaged(&path));
            }
        }
    }
    Ok(())
}

/// Whether any of a keyspace is in tables; else all of it is in the journals.
pub(crate) fn has_any(database: &Path, kind: Kind) -> Result<bool, StoreError> {
    // Behind the engine's own list.
    let number = kind as usize + 1;
    let folder = database.join("keyspaces").join(number.to_string());
    Ok(!tables(&folder)?.is_empty())
}

/// The tables of a keyspace, with what their checksums should be.
fn tables(folder: &Path) -> Result<Vec<(PathBuf, u128)>, StoreError> {
    let current = folder.join("current");
    let read = |path: &Path| std::fs::read(path).map_err(|error| failed(path, explain(&error)));
    let mut fields = &*read(&current)?;
    let (number, checksum) = u64_of(&mut fields)
        .zip(u128_of(&mut fields))
        .filter(|_| fields == [0])
        .ok_or_else(|| damaged(&current))?;
    let list = folder.join(format!("v{number}"));
    let content = read(&list)?;
    if xxh3_128(&content) != checksum {
        return Err(damaged(&list));
    }
    let tables = section(&content, b"tables")
        .and_then(list_of)
        .ok_or_else(|| failed(&list, "it is not what this version of the engine writes"))?;
    Ok(tables
        .into_iter()
        .map(|table| {
            let path = folder.join("tables").join(table.number.to_string());
            (path, table.checksum)
        })
        .collect())
}

/// A part of an archive, which ends in a list of its parts and where that begins.
fn section<'a>(archive: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    // "SFA!", version, kind of checksum, checksum of the list of parts; its place and length.
    let (_, end) = archive.split_last_chunk::<16>()?;
    let contents = archive.get(as_index(u64_of(&mut &end[..])?)?..)?;
    let mut fields = contents.strip_prefix(b"TOC!")?;
    for _ in 0..u32_of(&mut fields)? {
        let (start, len) = u64_of(&mut fields).zip(u64_of(&mut fields))?;
        let name_len = u16::from_le_bytes(take(&mut fields)?);
        let (this, rest) = fields.split_at_checked(usize::from(name_len))?;
        fields = rest;
        if this == name {
            return archive.get(as_index(start)?..)?.get(..as_index(len)?);
        }
    }
    None
}

/// Levels of runs of tables.
fn list_of(mut fields: &[u8]) -> Option<Vec<Table>> {
    let mut tables = Vec::new();
    for _ in 0..u8::from_le_bytes(take(&mut fields)?) {
        for _ in 0..u8::from_le_bytes(take(&mut fields)?) {
            for _ in 0..u32_of(&mut fields)? {
                let number = u64_of(&mut fields)?;
                let _kind_of_checksum: [u8; 1] = take(&mut fields)?;
                let checksum = u128_of(&mut fields)?;
                let _sequence_number = u64_of(&mut fields)?;
                tables.push(Table { number, checksum });
            }
        }
    }
    Some(tables)
}

fn checksum_of(path: &Path) -> io::Result<u128> {
    let mut file = File::open(path)?;
    let mut checksum = Xxh3::new();
    let mut window = vec![0; 1 << 18];
    loop {
        let n_read = file.read(&mut window)?;
        if n_read == 0 {
            return Ok(checksum.digest128());
        }
        checksum.update(window.get(..n_read).unwrap_or_default());
    }
}

/// What to do about a part that is gone and cannot be done without.
pub(crate) const MISSING: &str =
    "it is missing; restore the folder from a backup, or move it away to begin anew";

fn damaged(path: &Path) -> StoreError {
    failed(
        path,
        "it is damaged: its checksum is wrong; restore the folder from a backup, or move it away to begin anew",
    )
}

fn explain(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        MISSING.to_owned()
    } else {
        error.to_string()
    }
}

fn as_index(number: u64) -> Option<usize> {
    usize::try_from(number).ok()
}

fn u32_of(fields: &mut &[u8]) -> Option<u32> {
    take(fields).map(u32::from_le_bytes)
}

fn u64_of(fields: &mut &[u8]) -> Option<u64> {
    take(fields).map(u64::from_le_bytes)
}

fn u128_of(fields: &mut &[u8]) -> Option<u128> {
    take(fields).map(u128::from_le_bytes)
}

fn take<const N: usize>(fields: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = fields.split_first_chunk()?;
    *fields = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use crate::options::StoreOptions;

    #[test]
    fn every_file_that_counts_is_checked() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::open(folder.path(), &StoreOptions::default()).expect("opened");
        let mut batch = crate::batch::Batch::default();
        for number in 0..1000_u32 {
            batch.put_raw(Kind::Retained, &number.to_be_bytes(), &[7; 100]);
        }
        engine
            .commit(&batch, fjall::PersistMode::SyncAll)
            .expect("committed");
        engine.flush().expect("flushed");
        drop(engine);
        check(folder.path()).expect("whole");
        assert!(has_any(folder.path(), Kind::Retained).expect("whole"));
        assert!(!has_any(folder.path(), Kind::Session).expect("whole"));
        let retained = folder
            .path()
            .join(format!("keyspaces/{}", Kind::ALL.len() - 1));
        let names = tables(&retained).expect("whole");
        assert!(!names.is_empty(), "there is a table");
        let mut paths = vec![retained.join("current")];
        paths.extend(names.into_iter().map(|(path, _)| path));
        for path in paths {
            let whole = std::fs::read(&path).expect("readable");
            for at in [0, 8, whole.len() / 2, whole.len() - 1] {
                let mut flipped = whole.clone();
                flipped[at] ^= 4;
                std::fs::write(&path, flipped).expect("written");
                assert!(check(folder.path()).is_err(), "{path:?} byte {at}");
            }
            std::fs::remove_file(&path).expect("removed");
            let missing = check(folder.path()).expect_err("missing");
            assert_eq!(missing.what, path.display().to_string());
            std::fs::write(&path, whole).expect("written");
        }
        check(folder.path()).expect("whole again");
    }
}
