//! A sample event of every hook, made of the catalogue alone, and what a closure plugin must make of it.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::{
    Answer, CallFuture, Cause, Closures, EventRecord, Field, Hook, Owned, Plugin, PluginError,
    Record, Type,
};

/// Long enough for anything that a test calls.
pub(crate) const BUDGET: Duration = Duration::from_secs(5);

/// The sample of a text field: its own name.
pub(crate) fn text(field: Field) -> &'static str {
    field.name()
}

/// The sample of a field of bytes.
pub(crate) fn bytes(field: Field) -> &'static [u8] {
    field.name().as_bytes()
}

/// The sample of a whole number: another one for every field, and one that fits a byte.
pub(crate) fn number<T: From<u8>>(field: Field) -> T {
    T::from(field as u8 + 1)
}

/// The sample of a field of pairs: one name twice.
pub(crate) fn pairs(field: Field) -> Vec<(String, String)> {
    ["first", "second"]
        .map(|value| (field.name().to_owned(), value.to_owned()))
        .to_vec()
}

/// The sample of a field of records, as their typed entries.
pub(crate) fn entries<T: for<'r> From<&'r Record>>(field: Field) -> Vec<T> {
    records(field).iter().map(T::from).collect()
}

fn records(field: Field) -> Vec<Record> {
    let full = field.spec().record.iter();
    let bare = full.clone().filter(|part| !part.spec().optional);
    let record = |part: &Field| (*part, value(*part));
    vec![full.map(record).collect(), bare.map(record).collect()]
}

fn value(field: Field) -> Owned {
    match field.spec().kind {
        Type::Bool => Owned::Bool(true),
        Type::Integer => Owned::Integer(number(field)),
        Type::Text => Owned::from(text(field)),
        Type::Bytes => Owned::from(bytes(field)),
        Type::Pairs => Owned::Pairs(pairs(field)),
        Type::Records => Owned::Records(records(field)),
    }
}

/// An event with every field of its hook.
pub(crate) fn event(hook: Hook) -> EventRecord {
    let mut event = EventRecord::new(hook);
    for field in hook.spec().fields {
        event.set(*field, value(*field));
    }
    event
}

/// What a notice's closure returns to show that it ran.
pub(crate) fn told() -> Result<(), &'static str> {
    Err("told")
}

/// The plugin's closure runs, and its answer is a pass with every change of the hook.
pub(crate) fn check(hook: Hook, plugin: Closures) {
    let expected = Answer::pass_with(
        hook.spec()
            .changes
            .iter()
            .map(|field| (*field, value(*field)))
            .collect(),
    );
    assert_eq!(call(hook, plugin), Ok(expected));
}

/// The plugin's closure runs; its answer is of no consequence.
pub(crate) fn check_told(hook: Hook, plugin: Closures) {
    assert_eq!(
        call(hook, plugin),
        Err(PluginError::new(Cause::Raised, "told"))
    );
}

fn call(hook: Hook, plugin: Closures) -> Result<Answer, PluginError> {
    let listen = match plugin.listens() {
        [listen] => listen.clone(),
        other => panic!("listens to {other:?}"),
    };
    assert_eq!(listen.hook, hook);
    assert_eq!(listen.fields, hook.spec().field_set());
    if listen.awaits {
        assert!(hook.spec().awaits);
        ready(Arc::new(plugin).call_awaiting(Arc::new(event(hook)), BUDGET))
    } else {
        plugin.call(&event(hook), BUDGET)
    }
}

/// The result of a future that has nothing to wait for.
pub(crate) fn ready(future: CallFuture) -> Result<Answer, PluginError> {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(reaction) => reaction,
        Poll::Pending => panic!("nothing to wait for, and yet it waits"),
    }
}

#[test]
fn every_number_of_the_sample_is_its_own() {
    assert!(hookmq_plugin_api::field::FIELDS.len() < 255);
    assert_eq!(HOOKS.len(), Hook::COUNT);
}
