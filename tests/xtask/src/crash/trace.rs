//! What `shim.c` wrote down: the records of a trace, in the order of what happened.

use crate::Outcome;

const MAGIC: u64 = 0x484f_4f4b_4d51_5452;
/// Six numbers of eight bytes.
const HEAD: usize = 48;

/// One thing that was done below the store's folder. Paths begin with a slash, at that folder; it itself is the empty one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    Opened {
        fd: u64,
        inode: u64,
        is_new: bool,
        is_emptied: bool,
        is_folder: bool,
        path: &'a str,
    },
    Closed(u64),
    /// The second is another number for the first.
    Twin(u64, u64),
    Written {
        fd: u64,
        at: u64,
        bytes: &'a [u8],
    },
    Resized {
        fd: u64,
        len: u64,
    },
    SyncBegins {
        fd: u64,
        sync: u64,
        is_data: bool,
    },
    SyncEnds {
        sync: u64,
    },
    /// What a folder has, just before its sync: numbers of files and names.
    Names {
        fd: u64,
        names: Vec<(u64, &'a str)>,
    },
    Renamed(&'a str, &'a str),
    Removed(&'a str),
    MadeFolder(&'a str),
    /// Something that the trace cannot show.
    Unknown(&'a str),
}

/// All whole records; the last one may have been cut short with the process that wrote it.
///
/// # Errors
/// When there is something else than a record.
pub(super) fn records(mut bytes: &[u8]) -> Outcome<Vec<Record<'_>>> {
    let mut records = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(HEAD) {
        let mut numbers = head
            .chunks_exact(8)
            .map(|chunk| chunk.try_into().map_or(0, u64::from_le_bytes));
        let mut number = || numbers.next().unwrap_or_default();
        let (magic, kind, fd, a, b) = (number(), number(), number(), number(), number());
        if magic != MAGIC {
            return Err("the trace is no trace".into());
        }
        let Some((data, rest)) = rest.split_at_checked(usize::try_from(number())?) else {
            break;
        };
        records.push(record(u8::try_from(kind)?, fd, a, b, data)?);
        bytes = rest;
    }
    Ok(records)
}

fn record(kind: u8, fd: u64, a: u64, b: u64, data: &[u8]) -> Outcome<Record<'_>> {
    Ok(match kind {
        b'O' => Record::Opened {
            fd,
            inode: a,
            is_new: b & 1 != 0,
            is_emptied: b & 2 != 0,
            is_folder: b & 4 != 0,
            path: str::from_utf8(data)?,
        },
        b'C' => Record::Closed(fd),
        b'P' => Record::Twin(fd, a),
        b'W' => Record::Written {
            fd,
            at: a,
            bytes: data,
        },
        b'T' => Record::Resized { fd, len: a },
        b'S' => Record::SyncBegins {
            fd,
            sync: a,
            is_data: b != 0,
        },
        b'E' => Record::SyncEnds { sync: a },
        b'N' => {
            let mut names = Vec::new();
            for entry in data.split(|byte| *byte == 0).filter(|one| !one.is_empty()) {
                let (inode, name) = str::from_utf8(entry)?
                    .split_once(' ')
                    .ok_or("a name without a number")?;
                names.push((inode.parse()?, name));
            }
            Record::Names { fd, names }
        }
        b'R' => {
            let (from, to) = str::from_utf8(data)?
                .split_once('\0')
                .ok_or("a rename with one name")?;
            Record::Renamed(from, to)
        }
        b'U' => Record::Removed(str::from_utf8(data)?),
        b'M' => Record::MadeFolder(str::from_utf8(data)?),
        b'?' => Record::Unknown(str::from_utf8(data)?),
        other => return Err(format!("the trace has a record {other}").into()),
    })
}

#[cfg(test)]
pub(super) fn encoded(kind: u8, fd: u64, a: u64, b: u64, data: &[u8]) -> Vec<u8> {
    let numbers = [MAGIC, u64::from(kind), fd, a, b, data.len() as u64];
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|one| one.to_le_bytes()).collect();
    bytes.extend_from_slice(data);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_was_cut_short_is_the_end() {
        let mut bytes = encoded(b'W', 3, 512, 0, b"abc");
        bytes.extend(encoded(b'R', 0, 0, 0, b"/a\0/b"));
        let names = encoded(b'N', 4, 0, 0, b"17 a\x0018 b c\0");
        bytes.extend(&names);
        let records = records(&bytes[..bytes.len() - 1]).expect("a trace");
        assert_eq!(
            records,
            [
                Record::Written {
                    fd: 3,
                    at: 512,
                    bytes: b"abc"
                },
                Record::Renamed("/a", "/b"),
            ]
        );
        let names = super::records(&names).expect("a trace");
        let expected = vec![(17, "a"), (18, "b c")];
        assert_eq!(
            names,
            [Record::Names {
                fd: 4,
                names: expected
            }]
        );
        assert!(super::records(&[7; 100]).is_err());
    }
}
