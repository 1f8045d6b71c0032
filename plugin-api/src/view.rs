//! What the typed views of [`crate::typed`] stand on: holding an event, and reading one field of it as a Rust type.
//!
//! A field that the catalogue calls always present reads as empty, 0 or false if an event lacks it after all; an optional one
//! reads as `None`.

use std::fmt;
use std::sync::Arc;

use crate::answer::Answer;
use crate::event::Event;
use crate::field::{Field, FieldSet};
use crate::value::{Owned, Pairs, Record, Value};

/// An event that outlives its call, for handlers that await.
pub type SharedEvent = Arc<dyn Event + Send + Sync>;

/// Whatever gives access to an event: a borrow for the length of one call, or a share of it.
pub trait EventRef {
    /// The event itself.
    fn event(&self) -> &dyn Event;
}

impl EventRef for &dyn Event {
    fn event(&self) -> &dyn Event {
        *self
    }
}

impl EventRef for SharedEvent {
    fn event(&self) -> &dyn Event {
        self.as_ref()
    }
}

/// User Properties, read where they lie.
#[derive(Clone, Copy)]
pub struct Properties<'a>(Option<&'a dyn Pairs>);

impl Properties<'_> {
    /// Calls `each` for every pair, in order.
    pub fn for_each(&self, mut each: impl FnMut(&str, &str)) {
        if let Some(pairs) = self.0 {
            pairs.for_each(&mut each);
        }
    }

    /// The first value of this name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<String> {
        let mut found = None;
        self.for_each(|candidate, value| {
            if found.is_none() && candidate == name {
                found = Some(value.to_owned());
            }
        });
        found
    }

    /// A copy that outlives the call.
    #[must_use]
    pub fn to_vec(&self) -> Vec<(String, String)> {
        let mut copy = Vec::new();
        self.for_each(|name, value| copy.push((name.to_owned(), value.to_owned())));
        copy
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = out.debug_list();
        self.for_each(|name, value| {
            list.entry(&(name, value));
        });
        list.finish()
    }
}

pub(crate) fn text(value: Value<'_>) -> &str {
    value.as_text().unwrap_or_default()
}

pub(crate) fn bytes(value: Value<'_>) -> &[u8] {
    value.as_bytes().unwrap_or_default()
}

/// `None` also for a number that the type cannot hold, which no valid event has.
pub(crate) fn maybe_number<T: TryFrom<i64>>(value: Value<'_>) -> Option<T> {
    value
        .as_integer()
        .and_then(|number| T::try_from(number).ok())
}

pub(crate) fn number<T: TryFrom<i64> + Default>(value: Value<'_>) -> T {
    maybe_number(value).unwrap_or_default()
}

pub(crate) fn truth(value: Value<'_>) -> bool {
    value.as_bool().unwrap_or_default()
}

pub(crate) fn pairs(value: Value<'_>) -> Properties<'_> {
    match value {
        Value::Pairs(pairs) => Properties(Some(pairs)),
        _ => Properties(None),
    }
}

pub(crate) fn records<T: for<'r> From<&'r Record>>(value: Value<'_>) -> Vec<T> {
    match value {
        Value::Records(records) => records.iter().map(T::from).collect(),
        _ => Vec::new(),
    }
}

/// One field of a record.
pub(crate) fn part(record: &Record, field: Field) -> Value<'_> {
    record
        .iter()
        .find(|(name, _)| *name == field)
        .map_or(Value::Nil, |(_, value)| value.as_value())
}

/// A record without the parts that are absent.
pub(crate) fn record<const N: usize>(parts: [(Field, Owned); N]) -> Record {
    parts
        .into_iter()
        .filter(|(_, value)| *value != Owned::Nil)
        .collect()
}

pub(crate) fn owned_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Owned
where
    N: Into<String>,
    V: Into<String>,
{
    Owned::Pairs(
        pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
    )
}

/// A value that can be absent.
pub(crate) fn owned<T: Into<Owned>>(value: Option<T>) -> Owned {
    value.map_or(Owned::Nil, T::into)
}

pub(crate) fn owned_bytes(bytes: impl AsRef<[u8]>) -> Owned {
    Owned::Bytes(bytes.as_ref().into())
}

pub(crate) fn owned_records<T: Into<Record>>(records: impl IntoIterator<Item = T>) -> Owned {
    Owned::Records(records.into_iter().map(T::into).collect())
}

/// An answer with one more change; the last one of a field counts.
pub(crate) fn changed(mut answer: Answer, field: Field, value: Owned) -> Answer {
    answer.changes.retain(|(known, _)| *known != field);
    answer.changes.push((field, value));
    answer
}

/// All present fields of an event; secrets are only named.
pub(crate) fn debug(
    name: &str,
    event: &dyn Event,
    fields: FieldSet,
    out: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let mut view = out.debug_struct(name);
    for field in fields.iter() {
        match (field, event.get(field)) {
            (_, Value::Nil) => {}
            (Field::Password | Field::AuthenticationData, _) => {
                view.field(field.name(), &format_args!("(not shown)"));
            }
            (_, value) => {
                view.field(field.name(), &value.to_owned());
            }
        }
    }
    view.finish()
}
