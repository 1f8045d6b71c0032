//! What a decision was made from, as bytes: two events with the same key look the same to the plugin that the key was made for.
//!
//! The fields of a key are those that the plugin declares and those that it was seen to read besides. The bytes name each field, its
//! type and its length, so that no two different readings give the same bytes; they are compared whole, a hash alone decides nothing.

use std::cell::Cell;

use hookmq_plugin_api::{Event, Field, FieldSet, Hook, Value};

/// Bytes of a key at most: an event with more in its fields is rare, and asked about every time.
const MAXIMUM_KEY: usize = 4096;

/// Appends the event's key; false, and nothing of use appended, if it would be too long or one of the fields cannot be compared.
pub(super) fn write(
    event: &dyn Event,
    fields: impl Iterator<Item = Field>,
    out: &mut Vec<u8>,
) -> bool {
    for field in fields {
        out.push(field as u8);
        let written = match event.get(field) {
            Value::Nil => {
                out.push(0);
                true
            }
            Value::Bool(truth) => {
                out.extend_from_slice(&[1, truth.into()]);
                true
            }
            Value::Integer(number) => {
                out.push(2);
                out.extend_from_slice(&number.to_le_bytes());
                true
            }
            Value::Text(text) => {
                out.push(3);
                write_bytes(text.as_bytes(), out)
            }
            Value::Bytes(bytes) => {
                out.push(4);
                write_bytes(bytes, out)
            }
            Value::Pairs(pairs) => {
                out.push(5);
                let mut fits = true;
                pairs.for_each(&mut |name, value| {
                    out.push(1);
                    fits = fits
                        && write_bytes(name.as_bytes(), out)
                        && write_bytes(value.as_bytes(), out);
                });
                out.push(0);
                fits
            }
            // Whole sessions and lists of messages: no hook that keeps has them.
            Value::Records(_) => false,
        };
        if !written || out.len() > MAXIMUM_KEY {
            return false;
        }
    }
    true
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    match u32::try_from(bytes.len()) {
        Ok(len) if out.len() + bytes.len() <= MAXIMUM_KEY => {
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(bytes);
            true
        }
        _ => false,
    }
}

/// An event that notes what is read of it.
pub(super) struct Watched<'a> {
    event: &'a dyn Event,
    read: Cell<FieldSet>,
}

impl<'a> Watched<'a> {
    pub(super) const fn new(event: &'a dyn Event) -> Self {
        Self {
            event,
            read: Cell::new(FieldSet::EMPTY),
        }
    }

    /// What was read so far.
    pub(super) const fn read(&self) -> FieldSet {
        self.read.get()
    }
}

impl Event for Watched<'_> {
    fn hook(&self) -> Hook {
        self.event.hook()
    }

    fn get(&self, field: Field) -> Value<'_> {
        self.read.set(self.read.get().with(field));
        self.event.get(field)
    }

    fn depth(&self) -> u8 {
        self.event.depth()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookmq_plugin_api::{EventRecord, Owned};
    use std::collections::HashSet;

    fn key(event: &EventRecord, fields: &[Field]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        write(event, FieldSet::of(fields).iter(), &mut out).then_some(out)
    }

    fn record() -> EventRecord {
        EventRecord::new(Hook::AuthorizePublish)
    }

    #[test]
    fn readings_that_differ_in_anything_give_different_keys() {
        let fields = &[
            Field::ClientId,
            Field::Username,
            Field::UserProperties,
            Field::Topic,
            Field::Qos,
            Field::Retain,
        ];
        let pairs = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(a, b)| ((*a).into(), (*b).into()));
            Owned::Pairs(pairs.collect())
        };
        let events = [
            record(),
            record().with(Field::ClientId, "a"),
            record().with(Field::Username, "a"),
            record().with(Field::ClientId, ""),
            record().with(Field::ClientId, "ab"),
            record()
                .with(Field::ClientId, "a")
                .with(Field::Username, "b"),
            record()
                .with(Field::ClientId, "ab")
                .with(Field::Username, ""),
            record()
                .with(Field::ClientId, "")
                .with(Field::Username, "ab"),
            record().with(Field::Topic, "a/b"),
            record().with(Field::Topic, b"a/b".as_slice()),
            record().with(Field::Topic, "a/b\u{1}"),
            record().with(Field::Qos, 0),
            record().with(Field::Qos, 1),
            record().with(Field::Qos, 256),
            record().with(Field::Qos, false),
            record().with(Field::Retain, false),
            record().with(Field::Retain, true),
            record().with(Field::UserProperties, pairs(&[])),
            record().with(Field::UserProperties, pairs(&[("a", "b")])),
            record().with(Field::UserProperties, pairs(&[("a", ""), ("b", "")])),
            record().with(Field::UserProperties, pairs(&[("a", "b"), ("c", "d")])),
            record().with(Field::UserProperties, pairs(&[("c", "d"), ("a", "b")])),
            record().with(Field::UserProperties, pairs(&[("ab", "")])),
        ];
        let keys: HashSet<_> = events.iter().map(|event| key(event, fields)).collect();
        assert_eq!(keys.len(), events.len());
        assert!(!keys.contains(&None));
    }

    #[test]
    fn keys_of_different_fields_are_never_the_same() {
        let event = record()
            .with(Field::ClientId, "a")
            .with(Field::Username, "a");
        let sets: [&[Field]; 4] = [
            &[],
            &[Field::ClientId],
            &[Field::Username],
            &[Field::ClientId, Field::Username],
        ];
        let keys: HashSet<_> = sets.iter().map(|fields| key(&event, fields)).collect();
        assert_eq!(keys.len(), sets.len());
    }

    #[test]
    fn fields_that_are_not_in_the_key_do_not_count() {
        let one = record().with(Field::ClientId, "a").with(Field::Qos, 0);
        let other = record().with(Field::ClientId, "a").with(Field::Qos, 1);
        assert_eq!(
            key(&one, &[Field::ClientId]),
            key(&other, &[Field::ClientId])
        );
    }

    #[test]
    fn what_is_too_long_or_a_list_of_records_has_no_key() {
        let long = "x".repeat(MAXIMUM_KEY);
        let fields = &[Field::Topic, Field::UserProperties];
        for event in [
            record().with(Field::Topic, &*long),
            record().with(
                Field::UserProperties,
                Owned::Pairs(vec![(long.clone(), String::new())]),
            ),
            record().with(Field::Topic, Owned::Records(Vec::new())),
        ] {
            assert_eq!(key(&event, fields), None);
        }
    }

    #[test]
    fn a_watched_event_tells_what_was_read() {
        let event = record().with(Field::Topic, "a/b");
        let watched = Watched::new(&event);
        assert_eq!(watched.get(Field::Topic).as_text(), Some("a/b"));
        assert_eq!(watched.get(Field::Username).as_text(), None);
        assert_eq!(
            watched.read(),
            FieldSet::of(&[Field::Topic, Field::Username])
        );
        assert_eq!(watched.hook(), Hook::AuthorizePublish);
    }
}
