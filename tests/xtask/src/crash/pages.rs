//! The bytes of one file, kept by page, so that files of many zeros are small here and on the disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::Outcome;

/// Bytes of a page.
pub(super) const PAGE: usize = 4096;
const ZEROS: [u8; PAGE] = [0; PAGE];

/// See the module. Pages that are not there are zeros.
#[derive(Debug, Clone, Default)]
pub(super) struct Pages {
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    len: u64,
}

impl Pages {
    /// A file as it is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let bytes = fs::read(path)?;
        let mut pages = Self {
            pages: BTreeMap::new(),
            len: bytes.len() as u64,
        };
        for (number, chunk) in bytes.chunks(PAGE).enumerate() {
            if chunk != &ZEROS[..chunk.len()] {
                let mut page = Box::new(ZEROS);
                page[..chunk.len()].copy_from_slice(chunk);
                pages.pages.insert(number as u64, page);
            }
        }
        Ok(pages)
    }

    /// Writes it as a new file that only its owner may read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn save(&self, path: &Path) -> Outcome {
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.set_len(self.len)?;
        for (number, page) in self.filled() {
            let at = number * PAGE as u64;
            let n_bytes = (self.len.saturating_sub(at)).min(PAGE as u64) as usize;
            file.write_all_at(&page[..n_bytes], at)?;
        }
        Ok(())
    }

    /// Its length in bytes.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// The byte there.
    pub(super) fn byte(&self, at: u64) -> u8 {
        let page = self.pages.get(&(at / PAGE as u64));
        page.map_or(0, |page| page[(at % PAGE as u64) as usize])
    }

    /// Where the pages begin that are not all zeros.
    pub(super) fn filled_pages(&self) -> Vec<u64> {
        self.filled()
            .map(|(number, _)| number * PAGE as u64)
            .collect()
    }

    /// Writes, and lengthens it where that reaches beyond its end.
    pub(super) fn write(&mut self, mut at: u64, mut bytes: &[u8]) {
        self.len = self.len.max(at + bytes.len() as u64);
        while !bytes.is_empty() {
            let within = (at % PAGE as u64) as usize;
            let (now, rest) = bytes.split_at(bytes.len().min(PAGE - within));
            let page = self
                .pages
                .entry(at / PAGE as u64)
                .or_insert_with(|| Box::new(ZEROS));
            page[within..within + now.len()].copy_from_slice(now);
            at += now.len() as u64;
            bytes = rest;
        }
    }

    /// Cuts it off or lengthens it with zeros.
    pub(super) fn resize(&mut self, len: u64) {
        self.len = len;
        let last = len / PAGE as u64;
        self.pages.retain(|number, _| *number <= last);
        if let Some(page) = self.pages.get_mut(&last) {
            page[(len % PAGE as u64) as usize..].fill(0);
        }
    }

    fn filled(&self) -> impl Iterator<Item = (&u64, &Box<[u8; PAGE]>)> {
        self.pages.iter().filter(|(_, page)| ***page != ZEROS)
    }
}

impl PartialEq for Pages {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.filled().eq(other.filled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_a_file_would_be() {
        let mut pages = Pages::default();
        let mut plain = Vec::new();
        let mut rng = fastrand::Rng::with_seed(4);
        for _ in 0..300 {
            if rng.u8(..) < 40 {
                let len = rng.usize(..20_000);
                plain.resize(len, 0);
                pages.resize(len as u64);
            } else {
                let at = rng.usize(..20_000);
                let bytes: Vec<u8> = (0..rng.usize(1..9000)).map(|_| rng.u8(..3)).collect();
                plain.resize(plain.len().max(at + bytes.len()), 0);
                plain[at..at + bytes.len()].copy_from_slice(&bytes);
                pages.write(at as u64, &bytes);
            }
        }
        let path = std::env::temp_dir().join(format!("xtask-pages-{}", std::process::id()));
        pages.save(&path).expect("written");
        assert!(fs::read(&path).expect("there") == plain);
        assert!(Pages::read(&path).expect("there") == pages);
        fs::remove_file(path).expect("ours");
    }
}
