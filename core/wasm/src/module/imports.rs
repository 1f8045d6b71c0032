//! The functions that a core module can import: what they read from its memory and write to it. The list with every parameter is
//! [`hookmq_plugin_api::abi::imports`].

use std::borrow::Cow;
use std::time::Duration;

use hookmq_plugin_api::{Field, Grant, Grants, Keep, LogLevel, Owned, Refusal, Type};
use wasmtime::{Caller, Linker, Result};

use super::layout::size;
use super::reader::{Reader, field_of};
use super::writer::Writer;
use super::{calls, queries};
use crate::draft::{changeable, check_type};
use crate::error::{Fault, shortened};
use crate::lent::with_event;
use crate::state::State;

/// The prefix that the imports' modules share.
pub(super) const MODULE: &str = "hookmq";

/// Everything that a module with these grants can import.
pub(super) fn link(linker: &mut Linker<State>, grants: Grants) -> Result<()> {
    linker
        .func_wrap(MODULE, "get", get)?
        .func_wrap(MODULE, "payload_slice", payload_slice)?
        .func_wrap(MODULE, "payload_is_json", payload_is_json)?
        .func_wrap(MODULE, "answer_refuse", refuse)?
        .func_wrap(MODULE, "answer_change", change)?
        .func_wrap(MODULE, "answer_keep", keep)?
        .func_wrap(MODULE, "answer_fail", fail)?
        .func_wrap(MODULE, "log", log)?
        .func_wrap(MODULE, "error", error)?;
    if grants.has(Grant::Query) {
        queries::link(linker)?;
    }
    calls::link(linker, grants)
}

/// The memory that a host function works on, and the store's state.
pub(super) fn parts<'a>(
    caller: &'a mut Caller<'_, State>,
) -> Result<(&'a mut [u8], &'a mut State)> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        // A start function runs before anything is known of the instance.
        None => caller
            .get_export("memory")
            .and_then(wasmtime::Extern::into_memory)
            .ok_or_else(|| fault(Fault::answer("it exports no memory")))?,
    };
    Ok(memory.data_and_store_mut(caller))
}

pub(super) fn fault(fault: Fault) -> wasmtime::Error {
    wasmtime::Error::new(fault)
}

/// The part of the memory that a guest offers to be written to.
pub(super) fn window<'a>(
    memory: &'a mut [u8],
    what: &str,
    at: u32,
    len: u32,
) -> Result<&'a mut [u8]> {
    let n_bytes = memory.len();
    if len == 0 {
        return Ok(&mut []);
    }
    memory
        .get_mut(at as usize..(at as usize).saturating_add(len as usize))
        .ok_or_else(|| {
            fault(Fault::answer(format!(
                "{what}: {len} bytes at {at:#x} do not lie within its memory of {n_bytes} bytes"
            )))
        })
}

/// The same for structs, which must be aligned.
pub(super) fn writer<'a>(
    memory: &'a mut [u8],
    what: &str,
    at: u32,
    len: u32,
) -> Result<Writer<'a>> {
    if !at.is_multiple_of(8) {
        return Err(fault(Fault::answer(format!(
            "{what}: its buffer at {at:#x} is not aligned to 8"
        ))));
    }
    Ok(Writer::new(window(memory, what, at, len)?, at))
}

/// A length as the guest takes it. One that does not fit is of data that cannot be handed over.
pub(super) fn length(what: &str, len: usize) -> Result<i32> {
    i32::try_from(len).map_err(|_| {
        fault(Fault::answer(format!(
            "{what}: {len} bytes are more than a plugin can take"
        )))
    })
}

fn no_event(what: &str) -> wasmtime::Error {
    fault(Fault::answer(format!(
        "{what}: there is no event outside of a handler"
    )))
}

fn get(mut caller: Caller<'_, State>, field: u32, buffer: u32, capacity: u32) -> Result<i32> {
    let (memory, _) = parts(&mut caller)?;
    let field = field_of("get", field).map_err(fault)?;
    with_event(|event| {
        let mut writer = writer(memory, "get", buffer, capacity)?;
        let at = writer.reserve(size::VALUE as usize, 8);
        writer.value(at, event.get(field));
        length("get", writer.needed())
    })
    .unwrap_or_else(|| Err(no_event("get")))
}

fn payload_slice(mut caller: Caller<'_, State>, offset: u32, buffer: u32, len: u32) -> Result<i32> {
    let (memory, _) = parts(&mut caller)?;
    let window = window(memory, "payload_slice", buffer, len)?;
    with_event(|event| {
        let payload = event.get(Field::Payload).as_bytes().unwrap_or_default();
        let rest = payload.get(offset as usize..).unwrap_or_default();
        let n_bytes = rest.len().min(window.len());
        for (to, from) in window.iter_mut().zip(rest) {
            *to = *from;
        }
        length("payload_slice", n_bytes)
    })
    .unwrap_or_else(|| Err(no_event("payload_slice")))
}

fn payload_is_json(_: Caller<'_, State>) -> Result<i32> {
    with_event(|event| {
        let payload = event.get(Field::Payload).as_bytes().unwrap_or_default();
        Ok(is_json(payload).into())
    })
    .unwrap_or_else(|| Err(no_event("payload_is_json")))
}

/// Whether these bytes are one JSON text.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

fn refuse(mut caller: Caller<'_, State>, at: u32) -> Result<()> {
    let (memory, state) = parts(&mut caller)?;
    state.draft.refusal = Some(Box::new(refusal(memory, at).map_err(fault)?));
    Ok(())
}

fn refusal(memory: &[u8], at: u32) -> Result<Refusal, Fault> {
    let what = "answer_refuse";
    let mut reader = Reader::lenient(memory);
    reader.sized(what, at, size::REFUSAL)?;
    let reason_code = reader.u32(what, at + 4)?;
    let reason_code = u8::try_from(reason_code)
        .map_err(|_| Fault::answer(format!("{what}: {reason_code} is no Reason Code")))?;
    let some = |text: Cow<'_, str>| (!text.is_empty()).then(|| text.into());
    let reason_string = some(reader.words("reason_string", at + 8)?);
    // A name that is no text is none.
    let name = reader.bytes("server_reference", at + 16)?;
    let server_reference = str::from_utf8(name).ok().map(Cow::Borrowed).and_then(some);
    let (pairs, count) = (reader.u32(what, at + 24)?, reader.u32(what, at + 28)?);
    let user_properties = reader.pairs("user_properties", pairs, count)?;
    // It came to the end of the struct later than the others.
    let place = if reader.u32(what, at)? >= size::REFUSAL + 8 {
        some(reader.words("place", at + size::REFUSAL)?)
    } else {
        None
    };
    Ok(Refusal {
        reason_code,
        reason_string,
        server_reference,
        user_properties,
        place,
    })
}

fn change(mut caller: Caller<'_, State>, field: u32, value: u32) -> Result<()> {
    let (memory, state) = parts(&mut caller)?;
    let field = field_of("answer_change", field).map_err(fault)?;
    let hook = state.hook.ok_or_else(|| no_event("answer_change"))?;
    changeable(hook.spec(), field).map_err(fault)?;
    let mut reader = Reader::lenient(memory);
    let value = reader.value(field.name(), value).map_err(fault)?;
    // C has one way to write bytes and texts; what the field is decides.
    let value = match (field.spec().kind, value) {
        (Type::Bytes, Owned::Text(text)) => Owned::Bytes(text.into_boxed_bytes()),
        (_, value) => value,
    };
    check_type(field, &value).map_err(fault)?;
    match reader.unfit() {
        None => state.draft.change(field, value),
        Some(why) => state.draft.spoil(why),
    }
    Ok(())
}

fn keep(mut caller: Caller<'_, State>, ttl_ms: u64, tags: u32, count: u32) -> Result<()> {
    let (memory, state) = parts(&mut caller)?;
    let mut reader = Reader::lenient(memory);
    let tags = reader.texts("answer_keep", tags, count).map_err(fault)?;
    state.draft.keep = None;
    match reader.unfit() {
        None => {
            let ttl = Duration::from_millis(ttl_ms);
            state.draft.keep = Some(Box::new(Keep { ttl, tags }));
        }
        Some(why) => state.draft.spoil(why),
    }
    Ok(())
}

fn fail(mut caller: Caller<'_, State>, at: u32, len: u32) -> Result<()> {
    let (memory, state) = parts(&mut caller)?;
    let message = Reader::new(memory)
        .slice("answer_fail", at, len)
        .map_err(fault)?;
    state.draft.failure = Some(shortened(message));
    Ok(())
}

fn log(
    mut caller: Caller<'_, State>,
    level: u32,
    place: u32,
    place_len: u32,
    message: u32,
    message_len: u32,
) -> Result<()> {
    use hookmq_plugin_api::abi::host::level as number;
    let level = match level {
        number::DEBUG => LogLevel::Debug,
        number::INFO => LogLevel::Info,
        number::WARN => LogLevel::Warn,
        number::ERROR => LogLevel::Error,
        other => {
            return Err(fault(Fault::answer(format!(
                "log: {other} is no level: 0 to 3 are"
            ))));
        }
    };
    let (memory, state) = parts(&mut caller)?;
    let reader = Reader::new(memory);
    let place = reader.slice("log", place, place_len).map_err(fault)?;
    let message = reader.slice("log", message, message_len).map_err(fault)?;
    let blueprint = &state.blueprint;
    let place = match place {
        [] => blueprint.file.clone(),
        place => shortened(place),
    };
    blueprint.host.log(level, &place, &shortened(message), &[]);
    Ok(())
}

fn error(mut caller: Caller<'_, State>, buffer: u32, capacity: u32) -> Result<i32> {
    let (memory, state) = parts(&mut caller)?;
    if let Some(place) = window(memory, "error", buffer, capacity)?.get_mut(..state.refused.len()) {
        place.copy_from_slice(state.refused.as_bytes());
    }
    length("error", state.refused.len())
}
