//! A vector whose places are used again and whose values are named by number.
//!
//! The nodes of the filter tree live in it: four bytes for a link instead of eight, no allocation for each node, and
//! memory that comes back when most of it is unused.

use std::ops::{Index, IndexMut};

/// The number of no place.
pub(super) const NONE: u32 = u32::MAX;

/// Less is not worth compacting.
const COMPACT_FROM: usize = 1024;

/// Values by number, and which numbers are free.
#[derive(Debug)]
pub(super) struct Slots<T> {
    places: Vec<T>,
    unused: Vec<u32>,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            unused: Vec::new(),
        }
    }

    /// How many places are in use.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.unused.len()
    }

    /// How many places there are, in use or not.
    pub(super) fn n_places(&self) -> usize {
        self.places.len()
    }

    /// All places; those not in use hold a default value.
    pub(super) fn places_mut(&mut self) -> &mut [T] {
        &mut self.places
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(id) = self.unused.pop() {
            self[id] = value;
            return id;
        }
        let id = u32::try_from(self.places.len())
            .ok()
            .filter(|&id| id != NONE);
        if self.places.len() == self.places.capacity() {
            // Doubling would leave a quarter of the memory of a large tree unused on average.
            self.places.reserve_exact(self.places.len() / 4 + 4);
        }
        self.places.push(value);
        id.expect("2^32 nodes of 40 bytes do not fit into memory")
    }

    pub(super) fn remove(&mut self, id: u32)
    where
        T: Default,
    {
        self[id] = T::default();
        self.unused.push(id);
    }

    /// Whether it is worth compacting.
    pub(super) fn is_sparse(&self) -> bool {
        self.places.len() >= COMPACT_FROM && self.unused.len() > self.places.len() / 4 * 3
    }

    /// Closes the gaps, in order; returns the new number of each old place.
    pub(super) fn compact(&mut self) -> Vec<u32> {
        let mut new = vec![0; self.places.len()];
        for &id in &self.unused {
            new[id as usize] = NONE;
        }
        let mut kept = Vec::with_capacity(self.len());
        for (old, value) in std::mem::take(&mut self.places).into_iter().enumerate() {
            if new[old] != NONE {
                new[old] = kept.len() as u32;
                kept.push(value);
            }
        }
        self.places = kept;
        self.unused = Vec::new();
        new
    }
}

impl<T> Index<u32> for Slots<T> {
    type Output = T;

    fn index(&self, id: u32) -> &T {
        &self.places[id as usize]
    }
}

impl<T> IndexMut<u32> for Slots<T> {
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.places[id as usize]
    }
}
