//! Looks at the engine's journals before the engine does.
//!
//! The engine takes a journal up to the first batch that does not fit and cuts off the rest, as after a write that a crash has torn.
//! If a bit has flipped in the middle, that silently drops everything behind it. Here it is noticed, before anything is cut.

use std::fs::{File, OpenOptions};
use std::hash::Hasher;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use hookmq_broker::store::StoreError;

use crate::fault::failed;
use crate::keyspace::{COMMIT_NO, Kind};
use crate::{aside, record};

/// What the journals of a database hold.
#[derive(Debug, Default)]
pub(crate) struct Journals {
    /// In the order of writing.
    paths: Vec<PathBuf>,
    /// Bytes of the last one that are whole.
    end: u64,
    /// The last batch that is whole, with all before it.
    pub(crate) last_commit_no: Option<u64>,
    /// The first batch of all; number 0 is the one that a database is made with.
    first_commit_no: Option<u64>,
    /// There is nothing in the first journal.
    is_first_empty: bool,
    /// The first place that is not.
    pub(crate) fault: Option<Fault>,
}

/// Where a journal does not go on as it should.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The journal.
    pub(crate) path: PathBuf,
    /// Bytes that are whole.
    pub(crate) at: u64,
    /// Batches behind it that were written to their end.
    pub(crate) n_batches: usize,
    /// It is not the end of all that was written: what is behind it would be served without it.
    pub(crate) is_inside: bool,
}

impl Journals {
    /// Reads all journals of the database in this folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, StoreError> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
            let path = entry.map_err(|error| failed(folder, error))?.path();
            if path.extension().is_some_and(|ext| ext == "jnl")
                && let Some(number) = path
                    .file_stem()
                    .and_then(|stem| stem.to_str()?.parse().ok())
            {
                found.push((number, path));
            }
        }
        found.sort_by_key(|&(number, _): &(u64, _)| number);
        let mut journals = Self {
            paths: found.into_iter().map(|(_, path)| path).collect(),
            ..Self::default()
        };
        for path in journals.paths.clone() {
            journals
                .read_one(&path)
                .map_err(|error| failed(&path, error))?;
            if journals.paths.first() == Some(&path) {
                journals.is_first_empty = journals.end == 0 && journals.fault.is_none();
            }
        }
        Ok(journals)
    }

    /// What has become of the batch that the database in `folder` was made with, in words; `None` if it is here.
    pub(crate) fn without_beginning(&self, folder: &Path) -> Option<String> {
        if self.first_commit_no == Some(0) {
            return None;
        }
        let first = folder.join("0.jnl");
        let name = first.display();
        Some(match &self.fault {
            _ if !self.paths.contains(&first) => format!("{name} is missing"),
            _ if self.is_first_empty => format!("{name} is empty"),
            Some(fault) if fault.path == first => {
                format!("{name} is damaged at byte {}", fault.at)
            }
            _ => format!("{name} does not begin with the first batch"),
        })
    }

    /// Cuts off what is not whole.
    pub(crate) fn cut(&self) -> Result<(), StoreError> {
        let Some(fault) = &self.fault else {
            return Ok(());
        };
        OpenOptions::new()
            .write(true)
            .open(&fault.path)
            .and_then(|file| {
                if file.metadata()?.len() > fault.at {
                    file.set_len(fault.at)?;
                }
                file.sync_all()
            })
            .map_err(|error| failed(&fault.path, error))
    }

    /// Keeps the journal that is not whole as it is, in `folder`; says where.
    pub(crate) fn keep_aside(&self, folder: &Path) -> Result<Option<PathBuf>, StoreError> {
        let Some(fault) = &self.fault else {
            return Ok(None);
        };
        let name = fault.path.file_name().unwrap_or_default();
        let aside = aside::free_path(folder, name).map_err(|error| failed(folder, error))?;
        std::fs::copy(&fault.path, &aside).map_err(|error| failed(&aside, error))?;
        Ok(Some(aside))
    }

    /// Writes the whole part of the last journal into a new file in its place.
    ///
    /// After a failed sync nobody knows what of the old file is on the disk, and a failed engine may still hold it open with bytes that
    /// it wants to write.
    pub(crate) fn renew(&self) -> Result<(), StoreError> {
        let Some(path) = self.paths.last() else {
            return Ok(());
        };
        let new = path.with_extension("renewed");
        let renewed = File::open(path).and_then(|old| {
            let mut copy = File::create(&new)?;
            io::copy(&mut old.take(self.end), &mut copy)?;
            copy.sync_all()?;
            std::fs::rename(&new, path)?;
            path.parent().map_or(Ok(()), sync_folder)
        });
        renewed.map_err(|error| {
            // It is of no use; the next attempt makes it again.
            let _ = std::fs::remove_file(&new);
            failed(path, error)
        })
    }

    fn read_one(&mut self, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let left = file.metadata()?.len();
        let mut reader = Batches {
            reader: BufReader::with_capacity(1 << 18, file),
            left,
            bytes: Vec::new(),
        };
        let mut at = 0;
        let mut before = reader.left;
        while let Some(commit_no) = reader.batch()? {
            let follows = commit_no
                .is_none_or(|this| self.last_commit_no.is_none_or(|last| this == last + 1));
            if let Some(fault) = &mut self.fault {
                fault.is_inside = true;
                fault.n_batches += 1;
            } else if follows {
                self.last_commit_no = commit_no.or(self.last_commit_no);
                self.first_commit_no = self.first_commit_no.or(commit_no);
            } else {
                self.fault = Some(Fault {
                    path: path.to_owned(),
                    at,
                    n_batches: 1,
                    is_inside: true,
                });
            }
            at += before - reader.left;
            before = reader.left;
        }
        self.end = at;
        if let Some(n_batches) = rest(path, at)?
            && self.fault.is_none()
        {
            self.fault = Some(Fault {
                path: path.to_owned(),
                at,
                n_batches,
                is_inside: false,
            });
        }
        Ok(())
    }
}

/// Makes names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// Ends every batch.
const TRAILER: &[u8] = b"FJL\x03";

/// How many batches end behind `at`; `None` if there is nothing but zeros, which the engine puts there beforehand.
fn rest(path: &Path, at: u64) -> io::Result<Option<usize>> {
    use std::io::Seek;
    let mut file = File::open(path)?;
    file.seek(io::SeekFrom::Start(at))?;
    let mut window = vec![0; 1 << 20];
    // The last bytes of a window may begin a trailer.
    let mut kept = 0;
    let mut is_empty = true;
    let mut n_batches = 0;
    loop {
        let n_read = match window.get_mut(kept..) {
            Some(free) => file.read(free)?,
            None => 0,
        };
        let filled = window.get(..kept + n_read).unwrap_or_default();
        if n_read == 0 {
            return Ok((!is_empty).then_some(n_batches));
        }
        if !is_zero(filled) {
            is_empty = false;
            n_batches += filled
                .windows(TRAILER.len())
                .filter(|at| *at == TRAILER)
                .count();
        }
        let tail = filled.len().saturating_sub(TRAILER.len() - 1);
        let end = filled.len();
        window.copy_within(tail..end, 0);
        kept = end - tail;
    }
}

/// Compared by blocks: most of a young journal is empty.
fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes
        .chunks(ZEROS.len())
        .all(|block| ZEROS.starts_with(block))
}

/// Walks the batches of a journal.
struct Batches {
    reader: BufReader<File>,
    /// Bytes of the file that were not read yet: no length is believed beyond them.
    left: u64,
    bytes: Vec<u8>,
}

/// What the engine's journals are made of.
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const VALUE: u8 = 0;

impl Batches {
    /// The next batch: its commit number, if it has one. `None` if there is no whole one.
    fn batch(&mut self) -> io::Result<Option<Option<u64>>> {
        if !self.take(1 + 4 + 8)? || self.bytes.first() != Some(&START) {
            return Ok(None);
        }
        let n_items = self.bytes.get(1..).and_then(<[u8]>::first_chunk);
        let n_items = n_items.map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let mut checksum = xxhash_rust::xxh3::Xxh3::new();
        let mut commit_no = None;
        for _ in 0..n_items {
            match self.item()? {
                None => return Ok(None),
                Some(found) => commit_no = found.or(commit_no),
            }
            checksum.update(&self.bytes);
        }
        if !self.take(1 + 8 + TRAILER.len())? {
            return Ok(None);
        }
        let is_whole = self.bytes.first() == Some(&END)
            && self.bytes.get(1..9) == Some(&checksum.finish().to_le_bytes())
            && self.bytes.ends_with(TRAILER);
        Ok(is_whole.then_some(commit_no))
    }

    /// Reads an item into `bytes`; the commit number, if it is that.
    fn item(&mut self) -> io::Result<Option<Option<u64>>> {
        if !self.take(1)? {
            return Ok(None);
        }
        match self.bytes.first() {
            Some(&CLEAR) => return Ok(self.take_more(8)?.then_some(None)),
            Some(&ITEM) => {}
            _ => return Ok(None),
        }
        // Type, compression, keyspace, key length, value length, value length as it is there.
        if !self.take_more(1 + 1 + 8 + 2 + 4 + 4)? {
            return Ok(None);
        }
        let key_len = self.bytes.get(11..).and_then(<[u8]>::first_chunk);
        let key_len = key_len.map_or(0, |bytes| usize::from(u16::from_le_bytes(*bytes)));
        let value_len = self.bytes.get(17..).and_then(<[u8]>::first_chunk);
        let value_len = value_len.map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize);
        let header_len = self.bytes.len();
        if !self.take_more(key_len + value_len)? {
            return Ok(None);
        }
        let Some((key, value)) = self
            .bytes
            .get(header_len..)
            .and_then(|content| content.split_at_checked(key_len))
        else {
            return Ok(None);
        };
        let is_commit_no = key == COMMIT_NO && self.bytes.get(1) == Some(&VALUE);
        Ok(Some(if is_commit_no {
            record::open(Kind::Meta as u8, key, value)
                .and_then(|mut fields| fields.u64())
                .ok()
        } else {
            None
        }))
    }

    /// Reads so many bytes into `bytes`; false if there are fewer.
    fn take(&mut self, len: usize) -> io::Result<bool> {
        self.bytes.clear();
        self.take_more(len)
    }

    fn take_more(&mut self, len: usize) -> io::Result<bool> {
        if len as u64 > self.left {
            return Ok(false);
        }
        let start = self.bytes.len();
        self.bytes.resize(start + len, 0);
        let into = self.bytes.get_mut(start..).unwrap_or_default();
        self.reader.read_exact(into)?;
        self.left -= len as u64;
        Ok(true)
    }
}
