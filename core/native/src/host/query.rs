//! `hookmq.query.1`: asking for clients, sessions and retained messages.
//!
//! An answer is a struct at the start of the library's buffer, arrays behind it, and behind those the bytes that they point to.

use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;

use hookmq_plugin_api::abi::host::{
    ClientInfo, QueryCalls, RetainedInfo, SessionInfo, SubscriptionInfo,
};
use hookmq_plugin_api::abi::{Bytes, Host, List};
use hookmq_plugin_api::{ClientView, RetainedView, SessionView};

use super::{Refused, ask, length, text};
use crate::wire::size;

pub(super) static CALLS: QueryCalls = QueryCalls {
    size: size::<QueryCalls>(),
    reserved: 0,
    client: Some(client),
    session: Some(session),
    retained: Some(retained),
};

/// Most retained messages of one answer.
const MAX_RETAINED: u32 = 1_000;

const NONE: Bytes = Bytes {
    data: ptr::null(),
    len: 0,
};

/// A library's buffer, filled from its start.
struct Buffer {
    start: *mut u8,
    capacity: usize,
    used: usize,
}

impl Buffer {
    /// If `needed` bytes fit.
    ///
    /// # Errors
    /// It is not aligned.
    fn of(start: *mut u8, capacity: usize, needed: usize) -> Result<Option<Self>, Refused> {
        if start.is_null() || needed > capacity {
            return Ok(None);
        }
        if !start.cast::<u64>().is_aligned() {
            return Err(Refused::argument("buffer: must be aligned to 8 bytes"));
        }
        Ok(Some(Self {
            start,
            capacity,
            used: 0,
        }))
    }

    /// Room for an array; `None` if the answer was counted wrongly.
    fn room<T>(&mut self, count: usize) -> Option<*mut T> {
        let end = size_of::<T>().checked_mul(count)?.checked_add(self.used)?;
        if end > self.capacity {
            return None;
        }
        // SAFETY: within the buffer.
        let place = unsafe { self.start.add(self.used) };
        self.used = end;
        Some(place.cast())
    }

    fn bytes(&mut self, from: &[u8]) -> Bytes {
        let Some(data) = self.room::<u8>(from.len()) else {
            return NONE;
        };
        // SAFETY: there is room for so many bytes, which are the library's.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), data, from.len()) };
        Bytes {
            data,
            len: from.len(),
        }
    }
}

unsafe extern "C" fn client(
    host: *const Host,
    client_id: Bytes,
    buffer: *mut u8,
    capacity: usize,
) -> i64 {
    // SAFETY: the library passes on the host that it was given, and says where its arguments and its buffer are.
    unsafe {
        ask(host, |host| {
            let client_id = text(client_id, "client_id")?;
            let view = host.client(client_id)?;
            let view = view.ok_or_else(|| absent("client", client_id))?;
            write_client(&view, buffer, capacity)
        })
    }
}

fn absent(what: &str, client_id: &str) -> Refused {
    Refused::absent(format!("there is no {what} \"{client_id}\""))
}

/// # Safety
/// The buffer has `capacity` writable bytes.
unsafe fn write_client(
    view: &ClientView,
    buffer: *mut u8,
    capacity: usize,
) -> Result<i64, Refused> {
    let username = view.username.as_deref();
    let needed = size_of::<ClientInfo>()
        + view.client_id.len()
        + username.map_or(0, str::len)
        + view.endpoint.len()
        + view.listener.len();
    if let Some(mut buffer) = Buffer::of(buffer, capacity, needed)?
        && let Some(place) = buffer.room::<ClientInfo>(1)
    {
        let info = ClientInfo {
            size: size::<ClientInfo>(),
            protocol_version: view.protocol_version.into(),
            keep_alive: view.keep_alive.into(),
            reserved: 0,
            connected_at_ms: view.connected_at_ms,
            client_id: buffer.bytes(view.client_id.as_bytes()),
            username: username.map_or(NONE, |name| buffer.bytes(name.as_bytes())),
            endpoint: buffer.bytes(view.endpoint.as_bytes()),
            listener: buffer.bytes(view.listener.as_bytes()),
        };
        // SAFETY: the start of the buffer, aligned, with room for it.
        unsafe { place.write(info) };
    }
    length(needed)
}

unsafe extern "C" fn session(
    host: *const Host,
    client_id: Bytes,
    buffer: *mut u8,
    capacity: usize,
) -> i64 {
    // SAFETY: as above.
    unsafe {
        ask(host, |host| {
            let client_id = text(client_id, "client_id")?;
            let view = host.session(client_id)?;
            let view = view.ok_or_else(|| absent("session", client_id))?;
            write_session(&view, buffer, capacity)
        })
    }
}

/// # Safety
/// As [`write_client`].
unsafe fn write_session(
    view: &SessionView,
    buffer: *mut u8,
    capacity: usize,
) -> Result<i64, Refused> {
    let subscriptions = &view.subscriptions;
    let texts: usize = subscriptions.iter().map(|(filter, _)| filter.len()).sum();
    let needed = size_of::<SessionInfo>()
        + size_of::<SubscriptionInfo>() * subscriptions.len()
        + view.client_id.len()
        + texts;
    if let Some(mut buffer) = Buffer::of(buffer, capacity, needed)?
        && let Some(place) = buffer.room::<SessionInfo>(1)
        && let Some(items) = buffer.room::<SubscriptionInfo>(subscriptions.len())
    {
        for (at, (filter, qos)) in subscriptions.iter().enumerate() {
            let item = SubscriptionInfo {
                topic_filter: buffer.bytes(filter.as_bytes()),
                qos: (*qos).into(),
                reserved: 0,
            };
            // SAFETY: there is room for so many items, aligned as sizes before them are multiples of 8.
            unsafe { items.add(at).write(item) };
        }
        let info = SessionInfo {
            size: size::<SessionInfo>(),
            connected: view.connected.into(),
            session_expiry_interval: view.session_expiry_interval,
            reserved: 0,
            n_queued: view.n_queued as u64,
            n_inflight: view.n_inflight as u64,
            client_id: buffer.bytes(view.client_id.as_bytes()),
            subscriptions: items,
            subscription_count: subscriptions.len(),
        };
        // SAFETY: the start of the buffer, aligned, with room for it.
        unsafe { place.write(info) };
    }
    length(needed)
}

unsafe extern "C" fn retained(
    host: *const Host,
    topic_filter: Bytes,
    limit: u32,
    buffer: *mut u8,
    capacity: usize,
) -> i64 {
    // SAFETY: as above.
    unsafe {
        ask(host, |host| {
            let topic_filter = text(topic_filter, "topic_filter")?;
            let messages = host.retained(topic_filter, limit.min(MAX_RETAINED) as usize)?;
            write_retained(&messages, buffer, capacity)
        })
    }
}

/// # Safety
/// As [`write_client`].
unsafe fn write_retained(
    messages: &[RetainedView],
    buffer: *mut u8,
    capacity: usize,
) -> Result<i64, Refused> {
    let data: usize = messages
        .iter()
        .map(|message| message.topic.len() + message.payload.len())
        .sum();
    let needed = size_of::<List>() + size_of::<RetainedInfo>() * messages.len() + data;
    if let Some(mut buffer) = Buffer::of(buffer, capacity, needed)?
        && let Some(place) = buffer.room::<List>(1)
        && let Some(items) = buffer.room::<RetainedInfo>(messages.len())
    {
        for (at, message) in messages.iter().enumerate() {
            let item = RetainedInfo {
                topic: buffer.bytes(message.topic.as_bytes()),
                payload: buffer.bytes(&message.payload),
                qos: message.qos.into(),
                reserved: 0,
            };
            // SAFETY: there is room for so many items, aligned as sizes before them are multiples of 8.
            unsafe { items.add(at).write(item) };
        }
        let list = List {
            items: items.cast::<c_void>(),
            count: messages.len(),
        };
        // SAFETY: the start of the buffer, aligned, with room for it.
        unsafe { place.write(list) };
    }
    length(needed)
}
