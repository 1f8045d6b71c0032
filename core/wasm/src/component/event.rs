//! `event.wit`: the event of the current call, field by field. Only what a component imports is linked, so its imports tell which fields
//! it can read.

use std::sync::Arc;

use hookmq_plugin_api::{Event, Field, FieldSet, Type, Value};
use wasmtime::component::types::{ComponentFunc, Type as WitType};
use wasmtime::component::{LinkerInstance, Lower};
use wasmtime::{Result, StoreContextMut};

use super::fields::{FieldName, by_name};
use super::records::{AnyValue, Message, Subscription, pairs};
use crate::error::{Fault, shortened};
use crate::lent::with_event;
use crate::module::is_json;
use crate::state::State;

type Store<'a> = StoreContextMut<'a, State>;
type Linker<'a> = LinkerInstance<'a, State>;

/// Links one function, and tells which fields it can read.
///
/// # Errors
/// In words: the contract has no such function, or it is of another type.
pub(super) fn link(
    linker: &mut Linker<'_>,
    name: &str,
    function: &ComponentFunc,
) -> Result<FieldSet, String> {
    let every = || {
        hookmq_plugin_api::field::FIELDS
            .iter()
            .map(|spec| spec.field)
    };
    let (linked, fields) = match name {
        "get" => (
            linker.func_wrap(name, |_: Store<'_>, (field,): (FieldName,)| {
                let field = field.into();
                reading(|event| (AnyValue::of(field, event.get(field)),))
            }),
            every().collect(),
        ),
        "depth" => (
            linker.func_wrap(name, |_: Store<'_>, (): ()| {
                reading(|event| (event.depth(),))
            }),
            FieldSet::EMPTY,
        ),
        "payload-slice" => (
            linker.func_wrap(name, payload_slice),
            FieldSet::of(&[Field::Payload]),
        ),
        "payload-json-valid" => (
            linker.func_wrap(name, |_: Store<'_>, (): ()| {
                reading(|event| {
                    (is_json(
                        event.get(Field::Payload).as_bytes().unwrap_or_default(),
                    ),)
                })
            }),
            FieldSet::of(&[Field::Payload]),
        ),
        "user-property" => (
            linker.func_wrap(name, user_property),
            FieldSet::of(&[Field::UserProperties]),
        ),
        "fail" => (
            linker.func_wrap(name, |mut store: Store<'_>, (message,): (String,)| {
                store.data_mut().draft.failure = Some(shortened(message.as_bytes()));
                Ok(())
            }),
            FieldSet::EMPTY,
        ),
        name => {
            let field = by_name(name)
                .ok_or_else(|| format!("the interface event has no function {name}"))?;
            (
                accessor(linker, name, field, function)?,
                FieldSet::of(&[field]),
            )
        }
    };
    linked.map_err(|error| format!("{name}: {error:#}"))?;
    Ok(fields)
}

/// A look at the current event.
fn reading<R>(read: impl FnOnce(&dyn Event) -> R) -> Result<R> {
    with_event(read).ok_or_else(|| {
        wasmtime::Error::new(Fault::answer("there is no event outside of a handler"))
    })
}

fn payload_slice(_: Store<'_>, (offset, len): (u64, u64)) -> Result<(Vec<u8>,)> {
    reading(|event| {
        let payload = event.get(Field::Payload).as_bytes().unwrap_or_default();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = payload.get(start..).unwrap_or_default();
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        (rest.get(..len).unwrap_or(rest).to_vec(),)
    })
}

fn user_property(_: Store<'_>, (name,): (String,)) -> Result<(Option<String>,)> {
    reading(|event| {
        let mut found = None;
        if let Value::Pairs(pairs) = event.get(Field::UserProperties) {
            pairs.for_each(&mut |candidate, value| {
                if found.is_none() && candidate == name {
                    found = Some(value.to_owned());
                }
            });
        }
        (found,)
    })
}

/// A function that returns one field, by the field's type and the width that the component asks for.
fn accessor(
    linker: &mut Linker<'_>,
    name: &str,
    field: Field,
    function: &ComponentFunc,
) -> Result<Result<()>, String> {
    let wanted = function.results().next();
    let is_option = matches!(wanted, Some(WitType::Option(_)));
    let wanted = match wanted {
        Some(WitType::Option(inner)) => Some(inner.ty()),
        other => other,
    };
    Ok(match (field.spec().kind, wanted) {
        (Type::Bool, _) => number(linker, name, field, is_option, |value| {
            value.as_bool().unwrap_or_default()
        }),
        (Type::Integer, Some(WitType::U8)) => number(linker, name, field, is_option, whole::<u8>),
        (Type::Integer, Some(WitType::U16)) => number(linker, name, field, is_option, whole::<u16>),
        (Type::Integer, Some(WitType::U32)) => number(linker, name, field, is_option, whole::<u32>),
        (Type::Integer, Some(WitType::U64)) => number(linker, name, field, is_option, whole::<u64>),
        (Type::Text, _) => text(linker, name, field, is_option),
        (Type::Bytes, _) => bytes(linker, name, field, is_option),
        (Type::Pairs, _) => linker.func_wrap(name, move |_: Store<'_>, (): ()| {
            reading(|event| (pairs(event.get(field)),))
        }),
        (Type::Records, _) if field == Field::Messages => records::<Message>(linker, name, field),
        (Type::Records, _) => records::<Subscription>(linker, name, field),
        (Type::Integer, other) => {
            return Err(format!(
                "{name} is a whole number, and it asks for {other:?}"
            ));
        }
    })
}

fn whole<T: TryFrom<i64> + Default>(value: Value<'_>) -> T {
    value
        .as_integer()
        .and_then(|number| T::try_from(number).ok())
        .unwrap_or_default()
}

fn number<T>(
    linker: &mut Linker<'_>,
    name: &str,
    field: Field,
    is_option: bool,
    read: fn(Value<'_>) -> T,
) -> Result<()>
where
    T: Lower + Send + Sync + 'static,
{
    if is_option {
        return linker.func_wrap(name, move |_: Store<'_>, (): ()| {
            reading(|event| match event.get(field) {
                Value::Nil => (None,),
                value => (Some(read(value)),),
            })
        });
    }
    linker.func_wrap(name, move |_: Store<'_>, (): ()| {
        reading(|event| (read(event.get(field)),))
    })
}

/// Texts and bytes go through a buffer of the store, so that no call allocates.
fn text(linker: &mut Linker<'_>, name: &str, field: Field, is_option: bool) -> Result<()> {
    let read = move |store: &mut Store<'_>| {
        let spare = &mut store.data_mut().text;
        reading(|event| event.get(field).as_text().map(|text| filled(spare, text)))
    };
    if is_option {
        return linker.func_wrap(name, move |mut store: Store<'_>, (): ()| {
            Ok((read(&mut store)?,))
        });
    }
    linker.func_wrap(name, move |mut store: Store<'_>, (): ()| {
        Ok((read(&mut store)?.unwrap_or_default(),))
    })
}

/// The buffer with this text in it, shared for the length of one call.
#[inline]
pub(super) fn filled(spare: &mut Arc<String>, text: &str) -> Arc<String> {
    match Arc::get_mut(spare) {
        Some(buffer) => {
            buffer.clear();
            buffer.push_str(text);
        }
        None => *spare = Arc::new(text.to_owned()),
    }
    Arc::clone(spare)
}

fn bytes(linker: &mut Linker<'_>, name: &str, field: Field, is_option: bool) -> Result<()> {
    let read = move |store: &mut Store<'_>| {
        let spare = &mut store.data_mut().bytes;
        reading(|event| {
            event.get(field).as_bytes().map(|bytes| {
                match Arc::get_mut(spare) {
                    Some(buffer) => {
                        buffer.clear();
                        buffer.extend_from_slice(bytes);
                    }
                    None => *spare = Arc::new(bytes.to_owned()),
                }
                Arc::clone(spare)
            })
        })
    };
    if is_option {
        return linker.func_wrap(name, move |mut store: Store<'_>, (): ()| {
            Ok((read(&mut store)?,))
        });
    }
    linker.func_wrap(name, move |mut store: Store<'_>, (): ()| {
        Ok((read(&mut store)?.unwrap_or_default(),))
    })
}

fn records<T>(linker: &mut Linker<'_>, name: &str, field: Field) -> Result<()>
where
    T: Lower + for<'r> From<&'r hookmq_plugin_api::Record> + Send + Sync + 'static,
{
    linker.func_wrap(name, move |_: Store<'_>, (): ()| {
        reading(|event| match event.get(field) {
            Value::Records(records) => (records.iter().map(T::from).collect::<Vec<T>>(),),
            _ => (Vec::new(),),
        })
    })
}
