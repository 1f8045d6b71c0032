//! `query` of `host.wit`: a client, a session, retained messages.

use hookmq_plugin_api::{ClientView, RetainedView, SessionView};
use wasmtime::component::{ComponentType, LinkerInstance, Lower};
use wasmtime::{Result, StoreContextMut};

use super::host::told;
use crate::state::State;

type Store<'a> = StoreContextMut<'a, State>;

/// Retained messages that one query can give.
const MAX_RETAINED: usize = 1_000;

/// `client-view`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct ClientOut {
    #[component(name = "client-id")]
    client_id: String,
    username: Option<String>,
    endpoint: String,
    listener: String,
    #[component(name = "protocol-version")]
    protocol_version: u8,
    #[component(name = "keep-alive")]
    keep_alive: u16,
    #[component(name = "connected-at-ms")]
    connected_at_ms: u64,
}

impl From<ClientView> for ClientOut {
    fn from(view: ClientView) -> Self {
        Self {
            client_id: view.client_id,
            username: view.username,
            endpoint: view.endpoint,
            listener: view.listener,
            protocol_version: view.protocol_version,
            keep_alive: view.keep_alive,
            connected_at_ms: view.connected_at_ms,
        }
    }
}

/// `session-view`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct SessionOut {
    #[component(name = "client-id")]
    client_id: String,
    connected: bool,
    #[component(name = "session-expiry-interval")]
    session_expiry_interval: u32,
    #[component(name = "n-queued")]
    n_queued: u64,
    #[component(name = "n-inflight")]
    n_inflight: u64,
    subscriptions: Vec<(String, u8)>,
}

impl From<SessionView> for SessionOut {
    fn from(view: SessionView) -> Self {
        Self {
            client_id: view.client_id,
            connected: view.connected,
            session_expiry_interval: view.session_expiry_interval,
            n_queued: view.n_queued as u64,
            n_inflight: view.n_inflight as u64,
            subscriptions: view.subscriptions,
        }
    }
}

/// `retained-view`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct RetainedOut {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
}

impl From<RetainedView> for RetainedOut {
    fn from(view: RetainedView) -> Self {
        Self {
            topic: view.topic,
            payload: view.payload,
            qos: view.qos,
        }
    }
}

pub(super) fn link(linker: &mut LinkerInstance<'_, State>) -> Result<()> {
    linker.func_wrap("client", |store: Store<'_>, (id,): (String,)| {
        let found = store.data().blueprint.host.client(&id);
        told(found.map(|view| view.map(ClientOut::from)))
    })?;
    linker.func_wrap("session", |store: Store<'_>, (id,): (String,)| {
        let found = store.data().blueprint.host.session(&id);
        told(found.map(|view| view.map(SessionOut::from)))
    })?;
    linker.func_wrap(
        "retained",
        |store: Store<'_>, (filter, limit): (String, u32)| {
            let limit = (limit as usize).min(MAX_RETAINED);
            let found = store.data().blueprint.host.retained(&filter, limit);
            told(found.map(|views| views.into_iter().map(RetainedOut::from).collect::<Vec<_>>()))
        },
    )
}
