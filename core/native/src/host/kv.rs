//! `hookmq.kv.1`: the shared key-value map.

use std::time::Duration;

use hookmq_plugin_api::KvCondition;
use hookmq_plugin_api::abi::host::{KvCalls, condition};
use hookmq_plugin_api::abi::{Bytes, Host};

use super::{Refused, ask, bytes, length, text, write};
use crate::wire::{check_pointer, size};

pub(super) static CALLS: KvCalls = KvCalls {
    size: size::<KvCalls>(),
    reserved: 0,
    get: Some(get),
    set: Some(set),
    delete: Some(delete),
    add: Some(add),
};

const fn expires_in(expires_ms: u64) -> Option<Duration> {
    if expires_ms == 0 {
        None
    } else {
        Some(Duration::from_millis(expires_ms))
    }
}

unsafe extern "C" fn get(host: *const Host, key: Bytes, buffer: *mut u8, capacity: usize) -> i64 {
    // SAFETY: the library passes on the host that it was given, and says where its key and its buffer are.
    unsafe {
        ask(host, |host| {
            let key = text(key, "key")?;
            let value = host
                .kv_get(key)?
                .ok_or_else(|| Refused::absent(format!("there is no key \"{key}\"")))?;
            write(&value, buffer, capacity);
            length(value.len())
        })
    }
}

unsafe extern "C" fn set(
    host: *const Host,
    key: Bytes,
    value: Bytes,
    expires_ms: u64,
    when: u32,
    expected: Bytes,
) -> i32 {
    // SAFETY: the library passes on the host that it was given, and says where its arguments are.
    unsafe {
        ask(host, |host| {
            let when = match when {
                condition::ALWAYS => KvCondition::Always,
                condition::ABSENT => KvCondition::Absent,
                condition::EQUALS => KvCondition::Equals(bytes(expected, "expected")?.to_owned()),
                other => {
                    return Err(Refused::argument(format!(
                        "condition: must be 0, 1 or 2, got {other}"
                    )));
                }
            };
            let (key, value) = (text(key, "key")?, bytes(value, "value")?);
            let is_written = host.kv_set(key, value, expires_in(expires_ms), when)?;
            Ok(is_written.into())
        })
    }
}

unsafe extern "C" fn delete(host: *const Host, key: Bytes) -> i32 {
    // SAFETY: as above.
    unsafe {
        ask(host, |host| {
            let was_there = host.kv_delete(text(key, "key")?)?;
            Ok(was_there.into())
        })
    }
}

unsafe extern "C" fn add(
    host: *const Host,
    key: Bytes,
    amount: i64,
    expires_ms: u64,
    sum: *mut i64,
) -> i32 {
    // SAFETY: as above; the place for the sum is checked to be one.
    unsafe {
        ask(host, |host| {
            let key = text(key, "key")?;
            check_pointer(sum, "sum").map_err(Refused::argument)?;
            let result = host.kv_add(key, amount, expires_in(expires_ms))?;
            sum.write(result);
            Ok(0)
        })
    }
}
