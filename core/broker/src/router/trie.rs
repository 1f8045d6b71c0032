//! The tree of Topic Filters: which of them a Topic Name matches, and what is kept at each.
//!
//! Nodes lie in one vector and name each other by number; all edges between levels lie in one hash table keyed by
//! (parent, level). So a node costs the same 40 bytes beside its payload, whether it has one child or a million; a
//! level of up to 16 bytes needs no allocation, and `+` and `#` are two fields instead of children. Nothing here
//! recurses: the depth of a filter is the client's choice. Levels are hashed with a seed, as clients choose them too.
//! Knows nothing of subscribers or locks. Serves step 8 of the path of a PUBLISH.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::slots::{NONE, Slots};

const ROOT: u32 = 0;

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
    nodes: Slots<Node<P>>,
    /// Payloads of filters that end with `#`. Those of the others lie in their nodes, where matching has just been.
    multis: Slots<P>,
    edges: HashTable<Edge>,
    n_filters: usize,
    hasher: RandomState,
}

/// One level of one or more filters.
#[derive(Debug)]
struct Node<P> {
    /// Text of the level; empty for the root and for `+`.
    level: SmallVec<[u8; 16]>,
    parent: u32,
    /// The child `+`.
    plus: u32,
    /// Payload of the filter that ends with `#` below this level.
    multi: u32,
    /// How many children have a text of their own; a node without any needs no look into the table.
    n_literals: u32,
    /// Payload of the filter that ends here; empty if none does.
    own: P,
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
            multis: Slots::new(),
            edges: HashTable::new(),
            n_filters: 0,
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
        self.n_filters
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
        if multi && self.nodes[node].multi == NONE {
            self.nodes[node].multi = self.multis.insert(P::default());
        }
        let payload = self.payload_mut(node, multi);
        let is_new = payload.is_empty();
        let result = change(payload);
        self.n_filters += usize::from(is_new);
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
        let result = change(self.payload_mut(node, multi));
        self.drop_if_empty(node, multi);
        Some(result)
    }

    /// Shows the payload of every filter that matches `topic`, each once.
    ///
    /// Takes time in proportion to the nodes that match a beginning of the topic, whatever else is held.
    pub(super) fn for_each_match(&self, topic: &str, mut show: impl FnMut(&P)) {
        let mut show_multi = |payload: u32| {
            if payload != NONE {
                show(&self.multis[payload]);
            }
        };
        // Topics that begin with `$` are out of reach of a leading wildcard [MQTT-4.7.2-1].
        let wildcards_lead = !topic.starts_with('$');
        if wildcards_lead {
            show_multi(self.nodes[ROOT].multi);
        }
        // All nodes that match the topic so far, and with one level more.
        let mut reached: &mut SmallVec<[u32; 16]> = &mut SmallVec::new();
        let mut next: &mut SmallVec<[u32; 16]> = &mut SmallVec::new();
        reached.push(ROOT);
        for level in levels(topic) {
            let mut level_hash = None;
            for &id in &*reached {
                let node = &self.nodes[id];
                if node.n_literals > 0 {
                    let hash = *level_hash.get_or_insert_with(|| self.level_hash(level));
                    if let Some(child) = self.literal(id, level, edge_hash(id, hash)) {
                        next.push(child);
                        // `a/#` includes `a` itself, so the `#` of a node counts as soon as the node is reached.
                        show_multi(self.nodes[child].multi);
                    }
                }
                if node.plus != NONE && (wildcards_lead || id != ROOT) {
                    next.push(node.plus);
                    show_multi(self.nodes[node.plus].multi);
                }
            }
            std::mem::swap(&mut reached, &mut next);
            next.clear();
            if reached.is_empty() {
                return;
            }
        }
        for &id in &*reached {
            let own = &self.nodes[id].own;
            if !own.is_empty() {
                show(own);
            }
        }
    }

    /// Shows some filters with their payloads, beginning at place `from`; returns the place to go on from.
    ///
    /// Looks at `n_places` places, whether used or not. Places stay the same between calls unless the tree compacts.
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
            if !node.own.is_empty() {
                self.write_filter(id, false, &mut filter);
                show(&filter, &node.own);
            }
            if node.multi != NONE {
                self.write_filter(id, true, &mut filter);
                show(&filter, &self.multis[node.multi]);
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

    fn level_hash(&self, level: &[u8]) -> u64 {
        // `hash_one` would add the length, which this hasher mixes in anyway.
        let mut hasher = self.hasher.build_hasher();
        hasher.write(level);
        hasher.finish()
    }

    /// `node` has a payload, or a place for it.
    fn payload_mut(&mut self, node: u32, multi: bool) -> &mut P {
        let node = &mut self.nodes[node];
        if multi {
            &mut self.multis[node.multi]
        } else {
            &mut node.own
        }
    }

    fn find(&self, filter: &str) -> Option<(u32, bool)> {
        let mut node = ROOT;
        for level in levels(filter) {
            node = match level {
                b"#" => return (self.nodes[node].multi != NONE).then_some((node, true)),
                b"+" => self.nodes[node].plus,
                text => self.literal(node, text, edge_hash(node, self.level_hash(text)))?,
            };
            if node == NONE {
                return None;
            }
        }
        (!self.nodes[node].own.is_empty()).then_some((node, false))
    }

    fn plus_or_new(&mut self, parent: u32) -> u32 {
        if self.nodes[parent].plus == NONE {
            let child = self.nodes.insert(Node::new(parent, b""));
            self.nodes[parent].plus = child;
        }
        self.nodes[parent].plus
    }

    fn literal_or_new(&mut self, parent: u32, text: &[u8]) -> u32 {
        let hash = edge_hash(parent, self.level_hash(text));
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
        if !self.payload_mut(node, multi).is_empty() {
            return;
        }
        if multi {
            self.multis.remove(self.nodes[node].multi);
            self.nodes[node].multi = NONE;
        }
        self.n_filters -= 1;
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
                let hash = edge_hash(parent, self.level_hash(&self.nodes[node].level));
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
        if self.n_filters == 0 {
            *self = Self {
                hasher: self.hasher.clone(),
                ..Self::new()
            };
        } else if self.nodes.is_sparse() || self.multis.is_sparse() {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let new_nodes = self.nodes.compact();
        let new_multis = self.multis.compact();
        let renumber = |id: &mut u32, new: &[u32]| {
            if *id != NONE {
                *id = new[*id as usize];
            }
        };
        for node in self.nodes.places_mut() {
            renumber(&mut node.parent, &new_nodes);
            renumber(&mut node.plus, &new_nodes);
            renumber(&mut node.multi, &new_multis);
        }
        // The numbers are part of the hashes, so the table is made anew.
        self.edges = HashTable::with_capacity(self.edges.len());
        for child in 1..self.nodes.n_places() as u32 {
            let node = &self.nodes[child];
            if self.nodes[node.parent].plus != child {
                let hash = edge_hash(node.parent, self.level_hash(&node.level));
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

impl<P: Payload> Node<P> {
    fn new(parent: u32, level: &[u8]) -> Self {
        Self {
            level: SmallVec::from_slice(level),
            parent,
            plus: NONE,
            multi: NONE,
            n_literals: 0,
            own: P::default(),
        }
    }

    fn is_bare(&self) -> bool {
        self.multi == NONE && self.plus == NONE && self.n_literals == 0 && self.own.is_empty()
    }
}

impl<P: Payload> Default for Node<P> {
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

#[cfg(test)]
mod tests {
    use super::*;

    impl Payload for Vec<u8> {
        fn is_empty(&self) -> bool {
            self.is_empty()
        }
    }

    /// Hashes of edges are cut to 32 bits, so among millions of them some are equal.
    #[test]
    fn an_edge_with_the_same_hash_is_not_taken_for_another() {
        let mut trie = Trie::new();
        for filter in ["a/x", "b/x", "a/y"] {
            trie.edit(filter, |payload: &mut Vec<u8>| payload.push(1));
        }
        let edge = |parent, text: &[u8]| edge_hash(parent, trie.level_hash(text));
        let a = trie.literal(ROOT, b"a", edge(ROOT, b"a")).unwrap();
        let b = trie.literal(ROOT, b"b", edge(ROOT, b"b")).unwrap();
        assert!(trie.literal(a, b"x", edge(a, b"x")).is_some());
        assert_eq!(trie.literal(b, b"x", edge(a, b"x")), None);
        assert_eq!(trie.literal(a, b"y", edge(a, b"x")), None);
    }

    #[test]
    fn a_payload_left_empty_is_not_kept() {
        let mut trie: Trie<Vec<u8>> = Trie::new();
        trie.edit("a/+/#", |_| ());
        assert_eq!((trie.n_filters(), trie.n_nodes()), (0, 1));
        trie.edit("a/+/#", |payload| payload.push(1));
        assert_eq!(trie.edit_existing("a/+", Vec::clear), None);
        assert_eq!((trie.n_filters(), trie.n_nodes()), (1, 3));
        assert_eq!(trie.edit_existing("a/+/#", Vec::clear), Some(()));
        assert_eq!((trie.n_filters(), trie.n_nodes()), (0, 1));
    }
}
