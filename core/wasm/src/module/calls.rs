//! Imports that need a grant and answer with a number: publish, disconnect, the key-value map, kept answers, clock, random bytes.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hookmq_plugin_api::abi::host::{EXPIRES, RETAIN, condition, status};
use hookmq_plugin_api::{Grant, Grants, Host, HostError, KvCondition, OutgoingMessage};
use wasmtime::{Caller, Linker, Result};

use super::imports::{fault, length, parts, window};
use super::layout::size;
use super::reader::Reader;
use crate::error::Fault;
use crate::state::State;

/// Random bytes of one call; longer keys than that are not made.
const MAX_RANDOM: u32 = 65_536;

pub(super) fn link(linker: &mut Linker<State>, grants: Grants) -> Result<()> {
    if grants.has(Grant::Publish) {
        linker
            .func_wrap("hookmq:publish", "publish", publish)?
            .func_wrap("hookmq:publish", "publish_to", publish_to)?;
    }
    if grants.has(Grant::Disconnect) {
        linker.func_wrap("hookmq:disconnect", "disconnect", disconnect)?;
    }
    if grants.has(Grant::Kv) {
        linker
            .func_wrap("hookmq:kv", "kv_get", kv_get)?
            .func_wrap("hookmq:kv", "kv_set", kv_set)?
            .func_wrap("hookmq:kv", "kv_delete", kv_delete)?
            .func_wrap("hookmq:kv", "kv_add", kv_add)?;
    }
    if grants.has(Grant::Cache) {
        linker
            .func_wrap(
                "hookmq:cache",
                "invalidate",
                |caller: Caller<'_, State>, tag, len| {
                    forget(caller, tag, len, |host, tag| host.invalidate(tag))
                },
            )?
            .func_wrap(
                "hookmq:cache",
                "reauthorize",
                |caller: Caller<'_, State>, tag, len| {
                    forget(caller, tag, len, |host, tag| host.reauthorize(tag))
                },
            )?;
    }
    if grants.has(Grant::Clock) {
        let started = Instant::now();
        linker
            .func_wrap("hookmq:clock", "now_ms", || {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
            })?
            .func_wrap("hookmq:clock", "monotonic_ns", move || {
                u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
            })?;
    }
    if grants.has(Grant::Random) {
        linker.func_wrap("hookmq:random", "fill", random)?;
    }
    Ok(())
}

/// A refusal as its number; the guest can ask for the words.
pub(super) fn refused(state: &mut State, error: &HostError) -> i32 {
    state.refused = error.to_string();
    match error {
        HostError::NotGranted(_) => status::NOT_GRANTED,
        HostError::Limit(..) => status::LIMIT,
        HostError::Argument(..) => status::ARGUMENT,
        HostError::Depth(_) => status::DEPTH,
        HostError::Stopping => status::STOPPING,
    }
}

/// Nothing of that name.
pub(super) fn absent(state: &mut State, what: &str) -> i32 {
    state.refused.clear();
    state.refused.push_str(what);
    status::ABSENT
}

/// 1 or 0, or why not.
fn truth(state: &mut State, result: Result<bool, HostError>) -> i32 {
    match result {
        Ok(truth) => truth.into(),
        Err(error) => refused(state, &error),
    }
}

fn message(reader: &mut Reader<'_>, at: u32) -> Result<OutgoingMessage, Fault> {
    let what = "publish";
    reader.sized(what, at, size::MESSAGE)?;
    let flags = reader.u32(what, at + 8)?;
    let (pairs, count) = (reader.u32(what, at + 56)?, reader.u32(what, at + 60)?);
    let expiry = reader.u32(what, at + 12)?;
    Ok(OutgoingMessage {
        // The broker judges it, as it does any message.
        qos: u8::try_from(reader.u32(what, at + 4)?).unwrap_or(u8::MAX),
        retain: flags & RETAIN != 0,
        message_expiry_interval: (flags & EXPIRES != 0).then_some(expiry),
        topic: reader.text("topic", at + 16)?.to_owned(),
        payload: reader.bytes("payload", at + 24)?.to_owned(),
        content_type: reader
            .maybe_text("content_type", at + 32)?
            .map(str::to_owned),
        response_topic: reader
            .maybe_text("response_topic", at + 40)?
            .map(str::to_owned),
        correlation_data: reader
            .maybe_bytes("correlation_data", at + 48)?
            .map(<[u8]>::to_vec),
        user_properties: reader.pairs("user_properties", pairs, count)?,
    })
}

fn publish(mut caller: Caller<'_, State>, at: u32) -> Result<i32> {
    let (memory, state) = parts(&mut caller)?;
    let message = message(&mut Reader::new(memory), at).map_err(fault)?;
    let result = state.blueprint.host.publish(message, state.depth);
    Ok(match result {
        Ok(()) => 0,
        Err(error) => refused(state, &error),
    })
}

fn publish_to(mut caller: Caller<'_, State>, client: u32, len: u32, at: u32) -> Result<i32> {
    let (memory, state) = parts(&mut caller)?;
    let mut reader = Reader::new(memory);
    let client_id = reader.str("client_id", client, len).map_err(fault)?;
    let message = message(&mut reader, at).map_err(fault)?;
    let result = state
        .blueprint
        .host
        .publish_to(client_id, message, state.depth);
    Ok(truth(state, result))
}

fn disconnect(
    mut caller: Caller<'_, State>,
    client: u32,
    client_len: u32,
    reason_code: u32,
    reason: u32,
    reason_len: u32,
) -> Result<i32> {
    let (memory, state) = parts(&mut caller)?;
    let mut reader = Reader::new(memory);
    let client_id = reader.str("client_id", client, client_len).map_err(fault)?;
    let reason = reader
        .str("reason_string", reason, reason_len)
        .map_err(fault)?;
    let Ok(reason_code) = u8::try_from(reason_code) else {
        let why = format!("{reason_code} is no Reason Code");
        return Ok(refused(state, &HostError::Argument("reason_code", why)));
    };
    let reason = (!reason.is_empty()).then_some(reason);
    let result = state
        .blueprint
        .host
        .disconnect(client_id, reason_code, reason);
    Ok(truth(state, result))
}

fn kv_get(
    mut caller: Caller<'_, State>,
    key: u32,
    key_len: u32,
    buffer: u32,
    capacity: u32,
) -> Result<i32> {
    let (memory, state) = parts(&mut caller)?;
    let key = Reader::new(memory)
        .str("key", key, key_len)
        .map_err(fault)?;
    match state.blueprint.host.kv_get(key) {
        Ok(Some(value)) => {
            if let Some(place) = window(memory, "kv_get", buffer, capacity)?.get_mut(..value.len())
            {
                place.copy_from_slice(&value);
            }
            length("kv_get", value.len())
        }
        Ok(None) => Ok(absent(state, "there is no such key")),
        Err(error) => Ok(refused(state, &error)),
    }
}

#[expect(clippy::too_many_arguments, reason = "the import's own parameters")]
fn kv_set(
    mut caller: Caller<'_, State>,
    key: u32,
    key_len: u32,
    value: u32,
    value_len: u32,
    expires_ms: u64,
    when: u32,
    expected: u32,
    expected_len: u32,
) -> Result<i32> {
    let (memory, state) = parts(&mut caller)?;
    let mut reader = Reader::new(memory);
    let key = reader.str("key", key, key_len).map_err(fault)?;
    let value = reader.slice("value", value, value_len).map_err(fault)?;
    let expected = reader
        .slice("expected", expected, expected_len)
        .map_err(fault)?;
    let when = match when {
        condition::ALWAYS => KvCondition::Always,
        condition::ABSENT => KvCondition::Absent,
        condition::EQUALS => KvCondition::Equals(expected.to_vec()),
        other => {
            let why = format!("{other} is none: 0 to 2 are");
            return Ok(refused(state, &HostError::Argument("condition", why)));
        }
    };
    let result = state
        .blueprint
        .host
        .kv_set(key, value, expiry(expires_ms), when);
    Ok(truth(state, result))
}

fn expiry(milliseconds: u64) -> Option<Duration> {
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}

fn kv_delete(mut caller: Caller<'_, State>, key: u32, key_len: u32) -> Result<i32> {
    let (memory, state) = parts(&mut caller)?;
    let key = Reader::new(memory)
        .str("key", key, key_len)
        .map_err(fault)?;
    let result = state.blueprint.host.kv_delete(key);
    Ok(truth(state, result))
}

fn kv_add(
    mut caller: Caller<'_, State>,
    key: u32,
    key_len: u32,
    amount: i64,
    expires_ms: u64,
    sum: u32,
) -> Result<i32> {
    let (memory, state) = parts(&mut caller)?;
    // Before the map is changed: else a bad address would lose the sum.
    window(memory, "sum", sum, 8)?;
    let key = Reader::new(memory)
        .str("key", key, key_len)
        .map_err(fault)?;
    match state.blueprint.host.kv_add(key, amount, expiry(expires_ms)) {
        Ok(total) => {
            window(memory, "sum", sum, 8)?.copy_from_slice(&total.to_le_bytes());
            Ok(0)
        }
        Err(error) => Ok(refused(state, &error)),
    }
}

fn forget(
    mut caller: Caller<'_, State>,
    tag: u32,
    len: u32,
    how: impl Fn(&dyn Host, &str) -> Result<usize, HostError>,
) -> Result<i64> {
    let (memory, state) = parts(&mut caller)?;
    let tag = Reader::new(memory).str("tag", tag, len).map_err(fault)?;
    Ok(match how(state.blueprint.host.as_ref(), tag) {
        Ok(count) => i64::try_from(count).unwrap_or(i64::MAX),
        Err(error) => refused(state, &error).into(),
    })
}

fn random(mut caller: Caller<'_, State>, buffer: u32, len: u32) -> Result<()> {
    if len > MAX_RANDOM {
        return Err(fault(Fault::answer(format!(
            "fill: {len} random bytes at once, and at most {MAX_RANDOM} are given"
        ))));
    }
    let (memory, _) = parts(&mut caller)?;
    let window = window(memory, "fill", buffer, len)?;
    getrandom::fill(window)
        .map_err(|error| wasmtime::Error::msg(format!("the system has no random bytes: {error}")))
}
