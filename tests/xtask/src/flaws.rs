//! Broken promises that a harness finds: counted by kind, and the first ones told word for word.

use std::collections::BTreeMap;
use std::fmt;

/// Flaws that are told word for word; the rest is only counted.
const TOLD: usize = 25;

/// See the module; `F` says what kinds there are.
pub(crate) struct Flaws<F> {
    counts: BTreeMap<F, u64>,
    told: Vec<String>,
    n_shown: usize,
}

impl<F> Default for Flaws<F> {
    fn default() -> Self {
        Self {
            counts: BTreeMap::new(),
            told: Vec::new(),
            n_shown: 0,
        }
    }
}

impl<F: Copy + Ord + fmt::Debug> Flaws<F> {
    /// One more.
    pub(crate) fn add(&mut self, flaw: F, words: impl fmt::Display) {
        self.add_many(flaw, 1, words);
    }

    /// So many more, in the same words.
    pub(crate) fn add_many(&mut self, flaw: F, n: u64, words: impl fmt::Display) {
        *self.counts.entry(flaw).or_default() += n;
        if self.told.len() < TOLD {
            self.told.push(format!("{flaw:?}: {words}"));
        }
    }

    /// One was none after all.
    pub(crate) fn take_back(&mut self, flaw: F) {
        if let Some(n) = self.counts.get_mut(&flaw) {
            *n = n.saturating_sub(1);
        }
    }

    /// How many of that kind there were.
    pub(crate) fn n(&self, flaw: F) -> u64 {
        self.counts.get(&flaw).copied().unwrap_or_default()
    }

    /// How many there were.
    pub(crate) fn n_all(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Those that nobody has seen yet, word for word.
    pub(crate) fn news(&mut self) -> Vec<String> {
        let news = self.told.iter().skip(self.n_shown).cloned().collect();
        self.n_shown = self.told.len();
        news
    }
}

impl<F: fmt::Debug> fmt::Display for Flaws<F> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.told {
            writeln!(out, "{line}")?;
        }
        let kinds: Vec<String> = self
            .counts
            .iter()
            .filter(|(_, n)| **n > 0)
            .map(|(flaw, n)| format!("{flaw:?} {n}"))
            .collect();
        write!(out, "{}", kinds.join(", "))
    }
}
