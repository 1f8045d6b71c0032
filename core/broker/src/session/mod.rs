//! One client's protocol state, with or without a Network Connection. Reads no clock, spawns nothing, awaits nothing.
//!
//! A [`Session`] is shared: the connection's task and the publishers that deliver to it enter its halves in turn, each under its own
//! short lock. No hook, no `.await` and no second session's lock runs under them.

mod alias;
pub(crate) mod budget;
pub(crate) mod buffers;
mod inflight;
pub(crate) mod outbox;
pub(crate) mod pending;
mod received;
pub(crate) mod receiving;
pub(crate) mod sending;
pub(crate) mod settings;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use arc_swap::ArcSwapOption;
use futures_util::task::AtomicWaker;
use hookmq_mqtt::{ClientId, PacketIdentifier, ReasonCode};
use parking_lot::{Mutex, MutexGuard};

use self::budget::Budget;
use self::receiving::Receiving;
use self::sending::Sending;
use self::settings::SessionSettings;
use crate::client::ClientInfo;
use crate::hook::NoticeOrder;
use crate::store::ledger::Ledger;

/// The client broke the protocol: DISCONNECT with the reason, then close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} [{clause}]", reason.name())]
pub struct ProtocolError {
    /// What DISCONNECT says.
    pub reason: ReasonCode,
    /// The statement that was broken.
    pub clause: &'static str,
}

impl ProtocolError {
    pub(crate) const fn new(reason: ReasonCode, clause: &'static str) -> Self {
        Self { reason, clause }
    }
}

/// See the module. Two handles are equal if they are the same Session.
pub(crate) struct Session {
    client_id: ClientId,
    /// Order and numbers of the notices about this client.
    pub(crate) order: NoticeOrder,
    sending: Mutex<Sending>,
    receiving: Mutex<Receiving>,
    client: ArcSwapOption<ClientInfo>,
    waker: AtomicWaker,
    has_output: AtomicBool,
    connected: AtomicBool,
    /// It survives the broker; both halves have a copy.
    ledger: OnceLock<Arc<Ledger>>,
}

impl Session {
    pub(crate) fn new(
        client_id: ClientId,
        settings: &Arc<SessionSettings>,
        budget: &Arc<Budget>,
    ) -> Self {
        Self {
            client_id,
            order: NoticeOrder::default(),
            sending: Mutex::new(Sending::new(Arc::clone(settings), Arc::clone(budget))),
            receiving: Mutex::new(Receiving::new(Arc::clone(settings))),
            client: ArcSwapOption::empty(),
            waker: AtomicWaker::new(),
            has_output: AtomicBool::new(false),
            connected: AtomicBool::new(false),
            ledger: OnceLock::new(),
        }
    }

    /// The line to the journal, if the Session survives the broker.
    pub(crate) fn ledger(&self) -> Option<&Arc<Ledger>> {
        self.ledger.get()
    }

    /// From here on the Session survives the broker.
    pub(crate) fn survive(&self, ledger: Arc<Ledger>) {
        self.receiving().survive(&ledger);
        self.sending().survive(&ledger);
        // Whoever set it before set the same.
        let _ = self.ledger.set(ledger);
    }

    /// The Session has survived the broker; its queue comes later.
    pub(crate) fn restore(&self, ledger: Arc<Ledger>, received: &[(PacketIdentifier, ReasonCode)]) {
        self.receiving().restore(ledger.clone(), received);
        self.sending().set_ledger(ledger.clone());
        let _ = self.ledger.set(ledger);
    }

    pub(crate) const fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// The client's present connection, else its last.
    pub(crate) fn client(&self) -> Option<Arc<ClientInfo>> {
        self.client.load_full()
    }

    pub(crate) fn set_client(&self, client: Arc<ClientInfo>) {
        self.client.store(Some(client));
    }

    /// Whether a Network Connection is up, without the lock: a moment's answer.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    pub(crate) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    pub(crate) fn sending(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock()
    }

    pub(crate) fn receiving(&self) -> MutexGuard<'_, Receiving> {
        self.receiving.lock()
    }

    /// Notes that the outbox has something; true for the first to note it since the connection looked, who must then call
    /// [`Session::wake`].
    pub(crate) fn mark_output(&self) -> bool {
        !self.has_output.load(Ordering::Relaxed) && !self.has_output.swap(true, Ordering::AcqRel)
    }

    /// Wakes the connection's task.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// The connection's task asks whether the outbox has something, and is woken when it has.
    pub(crate) fn poll_output(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        self.has_output.swap(false, Ordering::AcqRel)
    }
}

/// A Session as the router's key.
#[derive(Clone)]
pub(crate) struct SessionRef(pub(crate) Arc<Session>);

impl fmt::Debug for SessionRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Session({})", self.0.client_id)
    }
}

impl PartialEq for SessionRef {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SessionRef {}

impl Hash for SessionRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

#[cfg(test)]
mod tests;
