//! What host functions of the C ABI answer: numbers, refusals, and what a query wrote into a buffer.

use super::lent::{slice, text};
use crate::abi::host::{ClientInfo, RetainedInfo, SessionInfo, condition, status};
use crate::abi::{Bytes, List};
use crate::host::{ClientView, KvCondition, RetainedView, SessionView};
use crate::sdk::{Refused, Why};

/// Words of the buffer that a first try offers.
const FIRST: usize = 32;

/// A result below 0 is a refusal, with the words that `words` fetches.
pub(super) fn number<N: Into<i64> + Copy>(
    result: N,
    words: impl FnOnce() -> String,
) -> Result<i64, Refused> {
    let why = match i32::try_from(result.into()) {
        Ok(status::NOT_GRANTED) => Why::NotGranted,
        Ok(status::LIMIT) => Why::Limit,
        Ok(status::ARGUMENT) => Why::Argument,
        Ok(status::DEPTH) => Why::Depth,
        Ok(status::STOPPING) => Why::Stopping,
        Ok(..0) => Why::Argument,
        _ => return Ok(result.into()),
    };
    Err(Refused {
        why,
        message: words(),
    })
}

/// A result that is 1 or 0.
pub(super) fn truth(result: i32, words: impl FnOnce() -> String) -> Result<bool, Refused> {
    number(result, words).map(|number| number == 1)
}

/// Calls with a buffer that is long enough, aligned to 8. What it holds and its length in bytes; `None` for what there is not.
pub(super) fn written(
    mut call: impl FnMut(*mut u8, usize) -> i64,
    words: impl Fn() -> String,
) -> Result<Option<(Vec<u64>, usize)>, Refused> {
    let mut buffer = vec![0_u64; FIRST];
    loop {
        let capacity = buffer.len() * size_of::<u64>();
        let result = call(buffer.as_mut_ptr().cast(), capacity);
        if result == i64::from(status::ABSENT) {
            return Ok(None);
        }
        let needed = usize::try_from(number(result, &words)?).unwrap_or(usize::MAX);
        if needed <= capacity {
            return Ok(Some((buffer, needed)));
        }
        buffer = vec![0; needed.div_ceil(size_of::<u64>())];
    }
}

/// A text that the broker wrote, copied.
///
/// # Safety
/// It is what the broker wrote into a buffer that is still there.
unsafe fn copied(bytes: Bytes) -> String {
    // SAFETY: as above.
    unsafe { text(bytes.data, bytes.len) }.to_owned()
}

/// A [`ClientInfo`] that was [`written`].
pub(super) fn client(buffer: &[u64]) -> ClientView {
    // SAFETY: the broker wrote the struct to the start of the buffer, which is aligned for it, and its texts behind it.
    unsafe {
        let info = &*buffer.as_ptr().cast::<ClientInfo>();
        ClientView {
            client_id: copied(info.client_id),
            username: (!info.username.data.is_null()).then(|| copied(info.username)),
            endpoint: copied(info.endpoint),
            listener: copied(info.listener),
            protocol_version: u8::try_from(info.protocol_version).unwrap_or_default(),
            keep_alive: u16::try_from(info.keep_alive).unwrap_or_default(),
            connected_at_ms: info.connected_at_ms,
        }
    }
}

/// A [`SessionInfo`] that was [`written`].
pub(super) fn session(buffer: &[u64]) -> SessionView {
    // SAFETY: as in `client`.
    unsafe {
        let info = &*buffer.as_ptr().cast::<SessionInfo>();
        let subscriptions = slice(info.subscriptions, info.subscription_count);
        SessionView {
            client_id: copied(info.client_id),
            connected: info.connected != 0,
            session_expiry_interval: info.session_expiry_interval,
            n_queued: usize::try_from(info.n_queued).unwrap_or(usize::MAX),
            n_inflight: usize::try_from(info.n_inflight).unwrap_or(usize::MAX),
            subscriptions: subscriptions
                .iter()
                .map(|one| {
                    let qos = u8::try_from(one.qos).unwrap_or_default();
                    (copied(one.topic_filter), qos)
                })
                .collect(),
        }
    }
}

/// A list of [`RetainedInfo`] that was [`written`].
pub(super) fn retained(buffer: &[u64]) -> Vec<RetainedView> {
    // SAFETY: as in `client`.
    unsafe {
        let list = &*buffer.as_ptr().cast::<List>();
        slice(list.items.cast::<RetainedInfo>(), list.count)
            .iter()
            .map(|one| RetainedView {
                topic: copied(one.topic),
                payload: slice(one.payload.data, one.payload.len).to_vec(),
                qos: u8::try_from(one.qos).unwrap_or_default(),
            })
            .collect()
    }
}

/// The bytes that were [`written`].
pub(super) fn bytes(buffer: &[u64], len: usize) -> Vec<u8> {
    // SAFETY: the broker wrote so many, and `written` made sure that they fit.
    unsafe { slice(buffer.as_ptr().cast::<u8>(), len) }.to_vec()
}

/// A result that counts.
pub(super) fn count(result: i64, words: impl FnOnce() -> String) -> Result<u64, Refused> {
    number(result, words).map(|number| u64::try_from(number).unwrap_or_default())
}

/// A condition's number, and the value that it expects.
pub(super) fn condition(given: &KvCondition) -> (u32, &[u8]) {
    match given {
        KvCondition::Always => (condition::ALWAYS, &[]),
        KvCondition::Absent => (condition::ABSENT, &[]),
        KvCondition::Equals(expected) => (condition::EQUALS, expected),
    }
}
