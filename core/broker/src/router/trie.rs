//! The tree of Topic Filters: which of them a Topic Name matches, and what is kept at each.
//!
//! Nodes lie in one vector and name each other by number; all edges between levels lie in one hash table keyed by
//! (parent, level). So a node costs the same 48 bytes whether it has one child or a million, a level of up to 16 bytes
//! needs no allocation, and `+` and `#` are two fields instead of children. Nothing here recurses: the depth of a
//! filter is the client's choice. Levels are hashed with a seed, as clients choose them too. Knows nothing of
//! subscribers or locks. Serves step 8 of the path of a PUBLISH.

use ahash::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

/// No node, or no payload.
const NONE: u32 = u32::MAX;
const ROOT: u32 = 0;

/// Smaller trees are not worth compacting.
const COMPACT_FROM: usize = 1024;

/// What is kept at a Topic Filter.
pub(super) trait Payload: Default {
    /// Whether nothing is left in it, so that the filter may go.
    fn is_empty(&self) -> bool;
}

/// Topic Filters with a payload at each.
///
/// Filters and topics are validated by the caller: no empty string, `+` and `#` alone in their level, `#` last.
#[derive(Debug)]
pub(super) struct Trie<P> {
    nodes: Slots<Node>,
    payloads: Slots<P>,
    edges: HashTable<Edge>,
    hasher: RandomState,
}

/// One level of one or more filters.
#[derive(Debug)]
struct Node {
    /// Text of the level; empty for the root and for `+`.
    level: SmallVec<[u8; 16]>,
    parent: u32,
    /// The child `+`.
    plus: u32,
    /// Payload of the filter that ends here.
    own: u32,
    /// Payload of the filter that ends with `#` below this level.
    multi: u32,
    /// How many children have a text of their own; a node without any needs no look into the table.
    n_literals: u32,
}

/// A way from a node to its child with some text. The parent and the text are the child's own.
#[derive(Debug, Clone, Copy)]
struct Edge {
    hash: u32,
    child: u32,
}

impl<P: Payload> Trie<P> {
    pub(super) fn new() -> Self {
        let mut nodes = Slots::new();
        nodes.insert(Node::new(NONE, b""));
        Self {
            nodes,
            payloads: Slots::new(),
            edges: HashTable::new(),
            hasher: RandomState::new(),
        }
    }

    /// The seeded hasher, for maps inside the payloads.
    pub(super) fn hasher(&self) -> RandomState {
        self.hasher.clone()
    }

    /// How many nodes there are, the root included.
    pub(super) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// How many places for nodes there are, in use or not.
    #[cfg(test)]
    pub(super) fn n_places(&self) -> usize {
        self.nodes.n_places()
    }

    /// How many filters have a payload.
    pub(super) fn n_filters(&self) -> usize {
        self.payloads.len()
    }

    /// Changes the payload at `filter`, which is made if it is not there and goes if it ends up empty.
    pub(super) fn edit<R>(&mut self, filter: &str, change: impl FnOnce(&mut P) -> R) -> R {
        let mut node = ROOT;
        let mut multi = false;
        for level in levels(filter) {
            match level {
                b"#" => multi = true,
                b"+" => node = self.plus_or_new(node),
                text => node = self.literal_or_new(node, text),
            }
        }
        let held = if multi {
            self.nodes[node].multi
        } else {
            self.nodes[node].own
        };
        let payload = if held == NONE {
            self.payloads.insert(P::default())
        } else {
            held
        };
        *self.nodes[node].payload_mut(multi) = payload;
        let result = change(&mut self.payloads[payload]);
        self.drop_if_empty(node, multi);
        result
    }

    /// Changes the payload at `filter` if there is one; it goes if it ends up empty.
    pub(super) fn edit_existing<R>(
        &mut self,
        filter: &str,
        change: impl FnOnce(&mut P) -> R,
    ) -> Option<R> {
        let (node, multi) = self.find(filter)?;
        let payload = *self.nodes[node].payload_mut(multi);
        let result = change(&mut self.payloads[payload]);
        self.drop_if_empty(node, multi);
        Some(result)
    }

    /// Shows the payload of every filter that matches `topic`, each once.
    ///
    /// Takes time in proportion to the nodes that match a beginning of the topic, whatever else is held.
    pub(super) fn for_each_match(&self, topic: &str, mut show: impl FnMut(&P)) {
        let mut show_payload = |payload: u32| {
            if payload != NONE {
                show(&self.payloads[payload]);
            }
        };
        // Topics that begin with `$` are out of reach of a leading wildcard [MQTT-4.7.2-1].
        let wildcards_lead = !topic.starts_with('$');
        if wildcards_lead {
            show_payload(self.nodes[ROOT].multi);
        }
        // All nodes that match the topic so far, a level at a time.
        let mut reached: SmallVec<[u32; 16]> = SmallVec::new();
        let mut next: SmallVec<[u32; 16]> = SmallVec::new();
        reached.push(ROOT);
        for level in levels(topic) {
            let mut level_hash = None;
            for &id in &reached {
                let node = &self.nodes[id];
                if node.n_literals > 0 {
                    let hash = *level_hash.get_or_insert_with(|| self.hasher.hash_one(level));
                    if let Some(child) = self.literal(id, level, edge_hash(id, hash)) {
                        next.push(child);
                        // `a/#` includes `a` itself, so the `#` of a node counts as soon as the node is reached.
                        show_payload(self.nodes[child].multi);
                    }
                }
                if node.plus != NONE && (wildcards_lead || id != ROOT) {
                    next.push(node.plus);
                    show_payload(self.nodes[node.plus].multi);
                }
            }
            std::mem::swap(&mut reached, &mut next);
            next.clear();
            if reached.is_empty() {
                return;
            }
        }
        for &id in &reached {
            show_payload(self.nodes[id].own);
        }
    }

    /// Shows some filters with their payloads, beginning at place `from`; returns the place to go on from.
    ///
    /// Looks at `n_places` places, whether used or not. Places stay the same between calls except when the tree compacts.
    pub(super) fn visit(
        &self,
        from: usize,
        n_places: usize,
        mut show: impl FnMut(&str, &P),
    ) -> Option<usize> {
        let end = from.saturating_add(n_places).min(self.nodes.n_places());
        let mut filter = String::new();
        for place in from..end {
            let id = place as u32;
            let node = &self.nodes[id];
            for (payload, multi) in [(node.own, false), (node.multi, true)] {
                if payload != NONE {
                    self.write_filter(id, multi, &mut filter);
                    show(&filter, &self.payloads[payload]);
                }
            }
        }
        (end < self.nodes.n_places()).then_some(end)
    }

    fn literal(&self, parent: u32, level: &[u8], hash: u32) -> Option<u32> {
        let is_it = |edge: &Edge| {
            edge.hash == hash && {
                let child = &self.nodes[edge.child];
                child.parent == parent && child.level.as_slice() == level
            }
        };
        self.edges.find(spread(hash), is_it).map(|edge| edge.child)
    }

    fn find(&self, filter: &str) -> Option<(u32, bool)> {
        let mut node = ROOT;
        for level in levels(filter) {
            node = match level {
                b"#" => return (self.nodes[node].multi != NONE).then_some((node, true)),
                b"+" => self.nodes[node].plus,
                text => self.literal(node, text, edge_hash(node, self.hasher.hash_one(text)))?,
            };
            if node == NONE {
                return None;
            }
        }
        (self.nodes[node].own != NONE).then_some((node, false))
    }

    fn plus_or_new(&mut self, parent: u32) -> u32 {
        if self.nodes[parent].plus == NONE {
            let child = self.nodes.insert(Node::new(parent, b""));
            self.nodes[parent].plus = child;
        }
        self.nodes[parent].plus
    }

    fn literal_or_new(&mut self, parent: u32, text: &[u8]) -> u32 {
        let hash = edge_hash(parent, self.hasher.hash_one(text));
        if let Some(child) = self.literal(parent, text, hash) {
            return child;
        }
        let child = self.nodes.insert(Node::new(parent, text));
        self.nodes[parent].n_literals += 1;
        self.edges
            .insert_unique(spread(hash), Edge { hash, child }, |edge| spread(edge.hash));
        child
    }

    fn drop_if_empty(&mut self, node: u32, multi: bool) {
        let payload = *self.nodes[node].payload_mut(multi);
        if !self.payloads[payload].is_empty() {
            return;
        }
        self.payloads.remove(payload);
        *self.nodes[node].payload_mut(multi) = NONE;
        self.prune(node);
        self.give_memory_back();
    }

    /// Removes `node` and its ancestors as far as nothing hangs on them.
    fn prune(&mut self, mut node: u32) {
        while node != ROOT && self.nodes[node].is_bare() {
            let parent = self.nodes[node].parent;
            if self.nodes[parent].plus == node {
                self.nodes[parent].plus = NONE;
            } else {
                let hash = edge_hash(
                    parent,
                    self.hasher.hash_one(self.nodes[node].level.as_slice()),
                );
                if let Ok(edge) = self
                    .edges
                    .find_entry(spread(hash), |edge| edge.child == node)
                {
                    edge.remove();
                }
                self.nodes[parent].n_literals -= 1;
            }
            self.nodes.remove(node);
            node = parent;
        }
    }

    /// Compacts when three quarters of the places are unused, so each removal pays for a few moves at most.
    fn give_memory_back(&mut self) {
        if self.payloads.len() == 0 {
            *self = Self {
                hasher: self.hasher.clone(),
                ..Self::new()
            };
        } else if self.nodes.is_sparse() || self.payloads.is_sparse() {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let new_nodes = self.nodes.compact();
        let new_payloads = self.payloads.compact();
        let renumber = |id: &mut u32, new: &[u32]| {
            if *id != NONE {
                *id = new[*id as usize];
            }
        };
        for node in &mut self.nodes.places {
            renumber(&mut node.parent, &new_nodes);
            renumber(&mut node.plus, &new_nodes);
            renumber(&mut node.own, &new_payloads);
            renumber(&mut node.multi, &new_payloads);
        }
        // The numbers are part of the hashes, so the table is made anew.
        self.edges = HashTable::with_capacity(self.edges.len());
        for child in 1..self.nodes.n_places() as u32 {
            let node = &self.nodes[child];
            if self.nodes[node.parent].plus != child {
                let hash = edge_hash(node.parent, self.hasher.hash_one(node.level.as_slice()));
                self.edges
                    .insert_unique(spread(hash), Edge { hash, child }, |edge| spread(edge.hash));
            }
        }
    }

    fn write_filter(&self, node: u32, multi: bool, filter: &mut String) {
        let mut path: SmallVec<[u32; 16]> = SmallVec::new();
        let mut id = node;
        while id != ROOT {
            path.push(id);
            id = self.nodes[id].parent;
        }
        filter.clear();
        for (depth, &id) in path.iter().rev().enumerate() {
            if depth > 0 {
                filter.push('/');
            }
            let node = &self.nodes[id];
            if self.nodes[node.parent].plus == id {
                filter.push('+');
            } else {
                // Levels are cut from `&str` at `/`, so they are whole characters.
                filter.push_str(str::from_utf8(&node.level).unwrap_or_default());
            }
        }
        if multi {
            filter.push_str(if node == ROOT { "#" } else { "/#" });
        }
    }
}

impl Node {
    fn new(parent: u32, level: &[u8]) -> Self {
        Self {
            level: SmallVec::from_slice(level),
            parent,
            plus: NONE,
            own: NONE,
            multi: NONE,
            n_literals: 0,
        }
    }

    fn payload_mut(&mut self, multi: bool) -> &mut u32 {
        if multi {
            &mut self.multi
        } else {
            &mut self.own
        }
    }

    fn is_bare(&self) -> bool {
        self.own == NONE && self.multi == NONE && self.plus == NONE && self.n_literals == 0
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new(NONE, b"")
    }
}

fn levels(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().split(|&byte| byte == b'/')
}

/// Mixes the level's seeded hash with the parent's number; nobody can aim at collisions without the seed.
fn edge_hash(parent: u32, level_hash: u64) -> u32 {
    let mixed = level_hash ^ u64::from(parent).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let product = u128::from(mixed) * 0xd6e8_feb8_6659_fd93;
    (product as u64 ^ (product >> 64) as u64) as u32
}

/// The table wants 64 bits, of which it uses the lowest and the highest.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A vector whose places are used again.
#[derive(Debug)]
struct Slots<T> {
    places: Vec<T>,
    unused: Vec<u32>,
}

impl<T> Slots<T> {
    fn new() -> Self {
        Self {
            places: Vec::new(),
            unused: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        self.places.len() - self.unused.len()
    }

    fn n_places(&self) -> usize {
        self.places.len()
    }

    fn insert(&mut self, value: T) -> u32 {
        if let Some(id) = self.unused.pop() {
            self[id] = value;
            return id;
        }
        let id = u32::try_from(self.places.len())
            .ok()
            .filter(|&id| id != NONE);
        self.places.push(value);
        id.expect("2^32 nodes of 48 bytes do not fit into memory")
    }

    fn remove(&mut self, id: u32)
    where
        T: Default,
    {
        self[id] = T::default();
        self.unused.push(id);
    }

    fn is_sparse(&self) -> bool {
        self.places.len() >= COMPACT_FROM && self.unused.len() > self.places.len() / 4 * 3
    }

    /// Closes the gaps, in order; returns the new number of each old place.
    fn compact(&mut self) -> Vec<u32> {
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

impl<T> std::ops::Index<u32> for Slots<T> {
    type Output = T;

    fn index(&self, id: u32) -> &T {
        &self.places[id as usize]
    }
}

impl<T> std::ops::IndexMut<u32> for Slots<T> {
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.places[id as usize]
    }
}
