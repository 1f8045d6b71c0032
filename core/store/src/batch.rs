//! Turns changes into what is written: one buffer for all keys and values, and of every key the last word only.
//!
//! The engine stamps all of a batch with one number, so that two writes of one key in one batch would be at odds.

use std::ops::Range;

use hashbrown::HashTable;
use hookmq_broker::store::{Change, Moment};

use crate::keyspace::{self, Kind};
use crate::record;
use crate::shared::{Overlay, Shared};

/// What one batch writes. Kept and cleared from batch to batch, so that its buffers are made once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    writes: Vec<Write>,
    /// Places in `writes` by kind and key.
    by_key: HashTable<usize>,
    hasher: ahash::RandomState,
    /// Above every number that this batch uses.
    numbers: u64,
}

#[derive(Debug, Clone)]
struct Write {
    kind: Kind,
    key: Range<usize>,
    /// `None` takes the key away.
    value: Option<Range<usize>>,
}

/// The buffers of a batch that was large are given back beyond this.
const KEPT_BYTES: usize = 16 << 20;

impl Batch {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.writes.clear();
        self.by_key.clear();
        self.numbers = 0;
    }

    /// How many keys are written.
    pub(crate) fn len(&self) -> usize {
        self.writes.len()
    }

    /// Above every number that this batch uses.
    pub(crate) const fn numbers(&self) -> u64 {
        self.numbers
    }

    /// Writes a record.
    pub(crate) fn put(&mut self, kind: Kind, key: &[u8], fields: impl FnOnce(&mut Vec<u8>)) {
        let value = self.bytes.len();
        record::write(&mut self.bytes, kind as u8, key, fields);
        let value = value..self.bytes.len();
        self.write(kind, key, Some(value));
    }

    /// Writes bytes that are no record.
    pub(crate) fn put_raw(&mut self, kind: Kind, key: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        let value = start..self.bytes.len();
        self.write(kind, key, Some(value));
    }

    /// Takes a record away.
    pub(crate) fn remove(&mut self, kind: Kind, key: &[u8]) {
        self.write(kind, key, None);
    }

    /// Keys with their values; without one where they are taken away.
    pub(crate) fn writes(&self) -> impl Iterator<Item = (Kind, &[u8], Option<&[u8]>)> {
        let slice = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.writes.iter().map(move |write| {
            (
                write.kind,
                slice(&write.key),
                write.value.as_ref().map(slice),
            )
        })
    }

    /// Adds what a change makes of the store.
    pub(crate) fn add(
        &mut self,
        change: &Change,
        shared: &Shared,
        overlay: &mut Overlay,
        moment: Moment,
    ) {
        match change {
            Change::Session(session) => {
                self.uses(session.number.0);
                self.put(
                    Kind::Session,
                    &keyspace::of_session(session.number),
                    |into| {
                        record::session::write(into, session);
                    },
                );
            }
            Change::SessionEnded(number) => {
                self.remove(Kind::Session, &keyspace::of_session(*number))
            }
            Change::Subscribed(number, filter, subscription) => {
                let (key, rest) = keyspace::of_subscription(*number, filter);
                self.put(Kind::Subscription, &key, |into| {
                    record::subscription::write(into, rest, subscription);
                });
            }
            Change::Unsubscribed(number, filter) => {
                self.remove(
                    Kind::Subscription,
                    &keyspace::of_subscription(*number, filter).0,
                );
            }
            Change::Queued(number, place, message, delivery) => {
                self.uses(place.number());
                let key = keyspace::of_place(*number, *place);
                if place.is_shared() {
                    let joined = overlay.join(shared, message, *place);
                    if joined.is_first {
                        self.put(Kind::Message, &joined.number.to_be_bytes(), |into| {
                            record::writer::text(into, &message.topic);
                            record::message::write(into, message, moment);
                        });
                    }
                    self.put(Kind::Queue, &key, |into| {
                        record::queued::write_reference(into, delivery, joined.number);
                    });
                } else {
                    self.put(Kind::Queue, &key, |into| {
                        record::queued::write_inline(into, delivery, message, moment);
                    });
                }
            }
            Change::Sent(number, place, sent) => {
                self.put(Kind::Sent, &keyspace::of_place(*number, *place), |into| {
                    record::queued::write_sent(into, *sent);
                });
            }
            Change::Done(number, place, message, was_sent) => {
                let key = keyspace::of_place(*number, *place);
                self.remove(Kind::Queue, &key);
                if *was_sent {
                    self.remove(Kind::Sent, &key);
                }
                if place.is_shared()
                    && let Some(last) = overlay.leave(shared, message)
                {
                    self.remove(Kind::Message, &last.to_be_bytes());
                }
            }
            Change::Received(number, identifier, reason) => {
                self.put(
                    Kind::Received,
                    &keyspace::of_received(*number, *identifier),
                    |into| into.push(*reason as u8),
                );
            }
            Change::Released(number, identifier) => {
                self.remove(Kind::Received, &keyspace::of_received(*number, *identifier));
            }
            Change::Retained(message) => {
                self.put(Kind::Retained, message.topic.as_bytes(), |into| {
                    record::message::write(into, message, moment);
                });
            }
            Change::RetainedCleared(topic) => self.remove(Kind::Retained, topic.as_bytes()),
        }
    }

    fn uses(&mut self, number: u64) {
        self.numbers = self.numbers.max(number.saturating_add(1));
    }

    fn write(&mut self, kind: Kind, key: &[u8], value: Option<Range<usize>>) {
        let Self {
            bytes,
            writes,
            by_key,
            hasher,
            ..
        } = self;
        let of = |write: &Write| {
            (
                write.kind as u8,
                bytes.get(write.key.clone()).unwrap_or_default(),
            )
        };
        let hash = hasher.hash_one((kind as u8, key));
        let known = by_key.find(hash, |&at| {
            writes
                .get(at)
                .is_some_and(|write| of(write) == (kind as u8, key))
        });
        if let Some(write) = known.and_then(|&at| writes.get_mut(at)) {
            write.value = value;
            return;
        }
        by_key.insert_unique(hash, writes.len(), |&at| {
            writes.get(at).map_or(0, |write| hasher.hash_one(of(write)))
        });
        let start = bytes.len();
        bytes.extend_from_slice(key);
        writes.push(Write {
            kind,
            key: start..start + key.len(),
            value,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_about_a_key_counts() {
        let mut batch = Batch::default();
        for round in 0..3 {
            batch.put_raw(Kind::Retained, b"a", b"one");
            batch.put_raw(Kind::Session, b"a", b"other kind");
            batch.remove(Kind::Retained, b"b");
            batch.put_raw(Kind::Retained, b"a", b"two");
            batch.put_raw(Kind::Retained, b"b", b"back");
            batch.remove(Kind::Session, b"a");
            let writes = batch.writes().collect::<Vec<_>>();
            assert_eq!(
                writes,
                [
                    (Kind::Retained, &b"a"[..], Some(&b"two"[..])),
                    (Kind::Session, b"a", None),
                    (Kind::Retained, b"b", Some(b"back")),
                ],
                "{round}"
            );
            batch.clear();
            assert_eq!(batch.len(), 0);
        }
    }
}
