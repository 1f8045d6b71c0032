//! Records that cannot be read: named, put aside as they are, and out of the way.

use crate::batch::Batch;
use crate::keyspace::Kind;
use crate::record::Malformed;

/// So many are named one by one; the rest is counted.
const MAX_NAMED: usize = 1000;
/// Bytes of them that are put aside at most; the rest stays where it is, and is found again at the next start.
const MAX_BYTES: usize = 64 << 20;

/// What was found while reading.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    named: Vec<String>,
    n_unnamed: usize,
    /// As they were, and where.
    aside: Vec<(Kind, Vec<u8>, Vec<u8>)>,
    aside_bytes: usize,
    /// What is left over without the record that it belongs to.
    orphans: Vec<(Kind, Vec<u8>)>,
}

impl Damage {
    /// A record that cannot be read.
    pub(crate) fn found(&mut self, kind: Kind, key: &[u8], value: &[u8], why: Malformed) {
        self.name(format_args!("{}: {why}", kind.describe(key)));
        self.put_aside(kind, key, value);
    }

    /// Something else that is not as it should be.
    pub(crate) fn name(&mut self, what: std::fmt::Arguments<'_>) {
        if self.named.len() < MAX_NAMED {
            self.named.push(what.to_string());
        } else {
            self.n_unnamed += 1;
        }
    }

    /// A record that is of no use without another one that is missing.
    pub(crate) fn put_aside(&mut self, kind: Kind, key: &[u8], value: &[u8]) {
        let n_bytes = key.len() + value.len();
        if self.aside_bytes + n_bytes <= MAX_BYTES {
            self.aside_bytes += n_bytes;
            self.aside.push((kind, key.to_vec(), value.to_vec()));
        }
    }

    /// A record that is left over.
    pub(crate) fn orphan(&mut self, kind: Kind, key: &[u8]) {
        self.orphans.push((kind, key.to_vec()));
    }

    /// Nothing to write.
    pub(crate) const fn is_empty(&self) -> bool {
        self.aside.is_empty() && self.orphans.is_empty()
    }

    /// Moves what cannot be read out of the way, into the keyspace `bad`.
    pub(crate) fn write(&self, batch: &mut Batch) {
        for (kind, key, value) in &self.aside {
            let mut name = vec![*kind as u8];
            // A key may be as long as a key may be; its end is of no importance here.
            name.extend_from_slice(key.get(..60_000).unwrap_or(key));
            batch.put_raw(Kind::Damaged, &name, value);
            batch.remove(*kind, key);
        }
        for (kind, key) in &self.orphans {
            batch.remove(*kind, key);
        }
    }

    /// The names.
    pub(crate) fn into_names(mut self) -> Vec<String> {
        if self.n_unnamed > 0 {
            self.named.push(format!("{} records more", self.n_unnamed));
        }
        self.named
    }
}
