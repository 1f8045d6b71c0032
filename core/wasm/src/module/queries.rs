//! Imports that ask the broker: a client, a session, retained messages. Each writes a struct and what it points to.

use hookmq_plugin_api::{ClientView, RetainedView, SessionView};
use wasmtime::{Caller, Linker, Result};

use super::calls::{absent, refused};
use super::imports::{fault, length, parts, writer};
use super::layout::size;
use super::reader::Reader;
use super::writer::Writer;
use crate::state::State;

/// Retained messages that one query can give.
const MAX_RETAINED: usize = 1_000;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker
        .func_wrap("hookmq:query", "client", client)?
        .func_wrap("hookmq:query", "session", session)?
        .func_wrap("hookmq:query", "retained", retained)?;
    Ok(())
}

fn client(
    mut caller: Caller<'_, State>,
    id: u32,
    id_len: u32,
    buffer: u32,
    capacity: u32,
) -> Result<i32> {
    let (memory, state) = parts(&mut caller)?;
    let id = Reader::new(memory)
        .str("client_id", id, id_len)
        .map_err(fault)?;
    match state.blueprint.host.client(id) {
        Ok(Some(view)) => {
            let mut writer = writer(memory, "client", buffer, capacity)?;
            write_client(&mut writer, &view);
            length("client", writer.needed())
        }
        Ok(None) => Ok(absent(state, "there is no such client")),
        Err(error) => Ok(refused(state, &error)),
    }
}

fn write_client(writer: &mut Writer<'_>, view: &ClientView) {
    let at = writer.reserve(size::CLIENT_INFO as usize, 8);
    writer.put_u32(at, size::CLIENT_INFO);
    writer.put_u32(at + 4, view.protocol_version.into());
    writer.put_u32(at + 8, view.keep_alive.into());
    writer.put_u32(at + 12, 0);
    writer.put_u64(at + 16, view.connected_at_ms);
    writer.put_bytes(at + 24, view.client_id.as_bytes());
    match &view.username {
        Some(username) => writer.put_bytes(at + 32, username.as_bytes()),
        None => writer.put_u64(at + 32, 0),
    }
    writer.put_bytes(at + 40, view.endpoint.as_bytes());
    writer.put_bytes(at + 48, view.listener.as_bytes());
}

fn session(
    mut caller: Caller<'_, State>,
    id: u32,
    id_len: u32,
    buffer: u32,
    capacity: u32,
) -> Result<i32> {
    let (memory, state) = parts(&mut caller)?;
    let id = Reader::new(memory)
        .str("client_id", id, id_len)
        .map_err(fault)?;
    match state.blueprint.host.session(id) {
        Ok(Some(view)) => {
            let mut writer = writer(memory, "session", buffer, capacity)?;
            write_session(&mut writer, &view);
            length("session", writer.needed())
        }
        Ok(None) => Ok(absent(state, "there is no such session")),
        Err(error) => Ok(refused(state, &error)),
    }
}

fn write_session(writer: &mut Writer<'_>, view: &SessionView) {
    let at = writer.reserve(size::SESSION_INFO as usize, 8);
    writer.put_u32(at, size::SESSION_INFO);
    writer.put_u32(at + 4, view.connected.into());
    writer.put_u32(at + 8, view.session_expiry_interval);
    writer.put_u32(at + 12, 0);
    writer.put_u64(at + 16, view.n_queued as u64);
    writer.put_u64(at + 24, view.n_inflight as u64);
    writer.put_bytes(at + 32, view.client_id.as_bytes());
    let each = size::SUBSCRIPTION_INFO as usize;
    let items = writer.reserve(view.subscriptions.len().saturating_mul(each), 4);
    writer.put_u32(at + 40, writer.address(items));
    writer.put_u32(at + 44, count(view.subscriptions.len()));
    for (index, (topic_filter, qos)) in view.subscriptions.iter().enumerate() {
        let at = items + index * each;
        writer.put_bytes(at, topic_filter.as_bytes());
        writer.put_u32(at + 8, (*qos).into());
        writer.put_u32(at + 12, 0);
    }
}

fn retained(
    mut caller: Caller<'_, State>,
    filter: u32,
    filter_len: u32,
    limit: u32,
    buffer: u32,
    capacity: u32,
) -> Result<i32> {
    let (memory, state) = parts(&mut caller)?;
    let filter = Reader::new(memory)
        .str("topic_filter", filter, filter_len)
        .map_err(fault)?;
    let limit = (limit as usize).min(MAX_RETAINED);
    match state.blueprint.host.retained(filter, limit) {
        Ok(views) => {
            let mut writer = writer(memory, "retained", buffer, capacity)?;
            write_retained(&mut writer, &views);
            length("retained", writer.needed())
        }
        Err(error) => Ok(refused(state, &error)),
    }
}

fn write_retained(writer: &mut Writer<'_>, views: &[RetainedView]) {
    let at = writer.reserve(size::LIST as usize, 8);
    let each = size::RETAINED_INFO as usize;
    let items = writer.reserve(views.len().saturating_mul(each), 4);
    writer.put_u32(at, writer.address(items));
    writer.put_u32(at + 4, count(views.len()));
    for (index, view) in views.iter().enumerate() {
        let at = items + index * each;
        writer.put_bytes(at, view.topic.as_bytes());
        writer.put_bytes(at + 8, &view.payload);
        writer.put_u32(at + 16, view.qos.into());
        writer.put_u32(at + 20, 0);
    }
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}
