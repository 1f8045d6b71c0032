//! How a record looks: its version, its fields, and a checksum over them and the key.
//!
//! One file per kind of record. Whatever comes back from the disk is doubted: a length never allocates more than there are bytes,
//! and a record that does not fit is told as [`Malformed`], never served.

pub(crate) mod message;
pub(crate) mod queued;
pub(crate) mod reader;
pub(crate) mod session;
pub(crate) mod subscription;
pub(crate) mod writer;

use reader::Reader;

/// The version that is written. Older ones would be read beside it, by their number.
const VERSION: u8 = 1;

/// Bytes of the checksum at the end.
const CHECKSUM_LEN: usize = 4;

/// Why a record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it is of version {0}, which is not known")]
    Version(u8),
    #[error("it ends early")]
    Short,
    #[error("it goes on behind its end")]
    Long,
    #[error("it has a bad {0}")]
    Field(&'static str),
}

/// Appends a record to `into`: `fields` puts its fields. `kind` keeps records of different keyspaces apart.
pub(crate) fn write(into: &mut Vec<u8>, kind: u8, key: &[u8], fields: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.push(VERSION);
    fields(into);
    let checksum = checksum(kind, key, into.get(start..).unwrap_or_default());
    into.extend_from_slice(&checksum.to_le_bytes());
}

/// The fields of a record, if it is whole.
pub(crate) fn open<'a>(kind: u8, key: &[u8], record: &'a [u8]) -> Result<Reader<'a>, Malformed> {
    let (content, told) = record
        .split_last_chunk::<CHECKSUM_LEN>()
        .ok_or(Malformed::Short)?;
    if checksum(kind, key, content) != u32::from_le_bytes(*told) {
        return Err(Malformed::Checksum);
    }
    match content.split_first() {
        Some((&VERSION, fields)) => Ok(Reader::new(fields)),
        Some((&other, _)) => Err(Malformed::Version(other)),
        None => Err(Malformed::Short),
    }
}

fn checksum(kind: u8, key: &[u8], content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(u32::from(kind));
    hasher.update(key);
    hasher.update(content);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_flipped_bit_is_noticed() {
        let mut record = Vec::new();
        write(&mut record, 3, b"key", |fields| fields.extend(b"fields"));
        assert!(open(3, b"key", &record).is_ok());
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(3, b"key", &flipped).err(), Some(Malformed::Checksum));
        }
        assert!(open(4, b"key", &record).is_err(), "another keyspace");
        assert!(open(3, b"kez", &record).is_err(), "another key");
        for end in 0..record.len() {
            assert!(open(3, b"key", &record[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_version_of_the_future_is_told() {
        let mut record = vec![9];
        let sum = checksum(0, b"", &record);
        record.extend(sum.to_le_bytes());
        assert_eq!(open(0, b"", &record).err(), Some(Malformed::Version(9)));
    }
}
