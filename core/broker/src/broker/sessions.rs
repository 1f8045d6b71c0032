//! Client Identifier -> Session, and what the broker keeps about each beside its protocol state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

use ahash::RandomState;
use hashbrown::HashMap;
use hookmq_mqtt::packet::Will;
use hookmq_mqtt::{ClientId, ReasonCode, SubscriptionIdentifier, SubscriptionOptions, TopicFilter};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::timers::TimerKey;
use crate::client::ClientInfo;
use crate::session::SessionRef;
use crate::session::budget::{Budget, Reserved};
use crate::store::journal::Ticket;
use crate::store::ledger::Ledger;
use crate::store::{Change, StoredSubscription};

/// What a subscriber asked for; the router's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) options: SubscriptionOptions,
    pub(crate) identifier: Option<SubscriptionIdentifier>,
}

/// One Session with all that belongs to it.
pub(crate) struct Entry {
    pub(crate) session: SessionRef,
    pub(crate) state: Mutex<State>,
}

/// Beside the protocol state. Its lock is never held together with a half of the Session's.
#[derive(Default)]
pub(crate) struct State {
    /// The client's last or present connection.
    pub(crate) client: Option<Arc<ClientInfo>>,
    /// The present connection.
    pub(crate) control: Option<Arc<Control>>,
    /// Another number at every connection: a timer of an earlier one no longer counts.
    pub(crate) epoch: u64,
    /// Subscriptions held, by Topic Filter as the client sent it.
    pub(crate) subscriptions: BTreeMap<TopicFilter, Subscription>,
    /// What those of them must be asked about again that were allowed with tags.
    pub(crate) tagged: BTreeMap<TopicFilter, Arc<Tagged>>,
    /// Seconds; `u32::MAX` never expires.
    pub(crate) session_expiry_interval: u32,
    /// The Will Message of the present connection, or one that waits for its delay.
    pub(crate) will: Option<StandingWill>,
    /// What waits in the broker's timers for a client that is away.
    pub(crate) timers: Vec<TimerKey>,
    /// The Session was removed; who still holds it must not use it.
    pub(crate) is_deleted: bool,
    /// Since when the client is away, by the wall clock; `None` while it is connected.
    pub(crate) away_since: Option<SystemTime>,
    /// The line to the journal, if the Session survives the broker.
    pub(crate) ledger: Option<Arc<Ledger>>,
}

/// A Will Message that may still be sent; its bytes count against the whole broker's limit until then.
pub(crate) struct StandingWill {
    pub(crate) will: Arc<Will>,
    _bytes: Reserved,
}

impl StandingWill {
    /// None where the limit leaves no room for it.
    pub(crate) fn new(budget: &Arc<Budget>, will: Will) -> Option<Self> {
        let bytes = Reserved::new(budget, weight(&will))?;
        Some(Self {
            will: Arc::new(will),
            _bytes: bytes,
        })
    }

    /// One that was promised before.
    pub(crate) fn restored(budget: &Arc<Budget>, will: Arc<Will>) -> Self {
        Self {
            _bytes: Reserved::anyway(budget, weight(&will)),
            will,
        }
    }
}

fn weight(will: &Will) -> usize {
    size_of::<Will>()
        + will.topic.len()
        + will.payload.len()
        + will.content_type.as_ref().map_or(0, String::len)
        + will.response_topic.as_ref().map_or(0, |topic| topic.len())
        + will.correlation_data.as_ref().map_or(0, |data| data.len())
        + will.user_properties.encoded_len()
}

/// How a subscription came to be that was allowed with tags, to ask the same again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tagged {
    pub(crate) tags: Box<[Box<str>]>,
    /// As `authorize_subscribe` saw it, before anybody changed it there.
    pub(crate) asked: Subscription,
}

impl Tagged {
    /// None without tags.
    pub(crate) fn of(tags: &[Box<str>], asked: Subscription) -> Option<Self> {
        (!tags.is_empty()).then(|| Self {
            tags: tags.into(),
            asked,
        })
    }
}

impl State {
    /// Takes a subscription in, and for what it is to be asked about again.
    pub(crate) fn subscribe(
        &mut self,
        filter: &TopicFilter,
        subscription: Subscription,
        tagged: Option<Tagged>,
    ) -> Ticket {
        let mut ticket = Ticket::NONE;
        if let Some(ledger) = &self.ledger {
            let stored = Box::new(stored(subscription, tagged.as_ref()));
            ticket = ledger.push(Change::Subscribed(ledger.session, filter.clone(), stored));
        }
        self.subscriptions.insert(filter.clone(), subscription);
        match tagged {
            Some(tagged) => self.tagged.insert(filter.clone(), Arc::new(tagged)),
            None => self.tagged.remove(filter),
        };
        ticket
    }

    /// Gives a subscription up.
    pub(crate) fn unsubscribe(&mut self, filter: &TopicFilter) -> Option<(Subscription, Ticket)> {
        self.tagged.remove(filter);
        let removed = self.subscriptions.remove(filter)?;
        let ticket = self.ledger.as_ref().map_or(Ticket::NONE, |ledger| {
            ledger.push(Change::Unsubscribed(ledger.session, filter.clone()))
        });
        Some((removed, ticket))
    }

    /// From here on the Session survives the broker; its subscriptions are told.
    pub(crate) fn survive(&mut self, ledger: Arc<Ledger>) {
        for (filter, subscription) in &self.subscriptions {
            let tagged = self.tagged.get(filter).map(|tagged| &**tagged);
            let stored = Box::new(stored(*subscription, tagged));
            ledger.push(Change::Subscribed(ledger.session, filter.clone(), stored));
        }
        self.ledger = Some(ledger);
    }

    /// Whether this is still the subscription that was made then.
    pub(crate) fn holds(&self, filter: &TopicFilter, tagged: &Arc<Tagged>) -> bool {
        self.tagged
            .get(filter)
            .is_some_and(|present| Arc::ptr_eq(present, tagged))
    }
}

/// A subscription in the store's words.
fn stored(subscription: Subscription, tagged: Option<&Tagged>) -> StoredSubscription {
    let asked = tagged.map_or(subscription, |tagged| tagged.asked);
    StoredSubscription {
        options: subscription.options,
        identifier: subscription.identifier,
        tags: tagged.map_or(Vec::new(), |tagged| tagged.tags.to_vec()),
        asked: (asked.options, asked.identifier),
    }
}

/// Why the broker ends a connection.
#[derive(Debug, Clone)]
pub(crate) struct Kick {
    /// What DISCONNECT says to an MQTT 5 client.
    pub(crate) reason: ReasonCode,
    pub(crate) reason_string: Option<String>,
    pub(crate) server_reference: Option<String>,
    /// What `client_disconnected` says.
    pub(crate) kind: DisconnectType,
}

impl Kick {
    /// The broker stops.
    pub(crate) const fn shutting_down() -> Self {
        Self {
            reason: ReasonCode::ServerShuttingDown,
            reason_string: None,
            server_reference: None,
            kind: DisconnectType::Kicked,
        }
    }
}

/// How a connection ended, in MQTTnet's words and two more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectType {
    /// The client sent DISCONNECT.
    Clean,
    /// The connection was lost, timed out or broke the protocol.
    NotClean,
    /// Another connection took the Session.
    Takeover,
    /// The operator, a plugin or the embedding program ended it.
    Kicked,
    /// A plugin refused a packet with `disconnect`.
    Rejected,
}

impl DisconnectType {
    /// The word that hooks see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "Clean",
            Self::NotClean => "NotClean",
            Self::Takeover => "Takeover",
            Self::Kicked => "Kicked",
            Self::Rejected => "Rejected",
        }
    }
}

/// The handle on a running connection: ask it to end, wait until it has.
pub(crate) struct Control {
    kick: Mutex<Option<Kick>>,
    is_kicked: AtomicBool,
    kicked: Notify,
    is_gone: AtomicBool,
    gone: Notify,
    session: SessionRef,
}

impl Control {
    pub(crate) fn new(session: SessionRef) -> Self {
        Self {
            kick: Mutex::new(None),
            is_kicked: AtomicBool::new(false),
            kicked: Notify::new(),
            is_gone: AtomicBool::new(false),
            gone: Notify::new(),
            session,
        }
    }

    /// Asks the connection to end. The first reason counts.
    pub(crate) fn kick(&self, kick: Kick) {
        self.kick.lock().get_or_insert(kick);
        self.is_kicked.store(true, Ordering::Release);
        self.kicked.notify_one();
        self.session.0.wake();
    }

    /// Why it shall end, if it shall.
    pub(crate) fn kicked(&self) -> Option<Kick> {
        if self.is_kicked.load(Ordering::Acquire) {
            self.kick.lock().clone()
        } else {
            None
        }
    }

    /// Waits until it shall end.
    pub(crate) async fn wait_kicked(&self) -> Kick {
        loop {
            if let Some(kick) = self.kicked() {
                return kick;
            }
            self.kicked.notified().await;
        }
    }

    /// The connection has ended and its Session is free.
    fn set_gone(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.gone.notify_waiters();
    }

    /// Waits for that.
    pub(crate) async fn wait_gone(&self) {
        loop {
            let gone = self.gone.notified();
            tokio::pin!(gone);
            gone.as_mut().enable();
            if self.is_gone.load(Ordering::Acquire) {
                return;
            }
            gone.await;
        }
    }
}

/// Says that a connection is gone, however its task ends: a CONNECT may wait for it.
pub(crate) struct GoneAtEnd(pub(crate) Arc<Control>);

impl Drop for GoneAtEnd {
    fn drop(&mut self) {
        self.0.set_gone();
    }
}

/// All Sessions, in shards.
pub(crate) struct Sessions {
    shards: Vec<RwLock<HashMap<ClientId, Arc<Entry>, RandomState>>>,
    /// CONNECTs with the same Client Identifier go one after the other through its gate.
    gates: Vec<tokio::sync::Mutex<()>>,
    hasher: RandomState,
    n_sessions: AtomicUsize,
    n_connected: AtomicUsize,
}

const N_SHARDS: usize = 16;
const N_GATES: usize = 512;

impl Sessions {
    pub(crate) fn new() -> Self {
        let hasher = RandomState::new();
        Self {
            shards: (0..N_SHARDS)
                .map(|_| RwLock::new(HashMap::with_hasher(hasher.clone())))
                .collect(),
            gates: (0..N_GATES).map(|_| tokio::sync::Mutex::new(())).collect(),
            hasher,
            n_sessions: AtomicUsize::new(0),
            n_connected: AtomicUsize::new(0),
        }
    }

    /// Where CONNECTs with this identifier wait for each other.
    pub(crate) fn gate(&self, client_id: &str) -> &tokio::sync::Mutex<()> {
        let at = usize::try_from(self.hasher.hash_one(client_id) >> 32).unwrap_or(0) % N_GATES;
        &self.gates[at]
    }

    pub(crate) fn get(&self, client_id: &str) -> Option<Arc<Entry>> {
        self.shard(client_id).read().get(client_id).cloned()
    }

    pub(crate) fn insert(&self, entry: Arc<Entry>) {
        let client_id = entry.session.0.client_id().clone();
        if self
            .shard(&client_id)
            .write()
            .insert(client_id, entry)
            .is_none()
        {
            self.n_sessions.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Removes this very Session; one that took its name since stays.
    pub(crate) fn remove(&self, entry: &Arc<Entry>) {
        let client_id = entry.session.0.client_id();
        let mut shard = self.shard(client_id).write();
        if shard
            .get(client_id.as_str())
            .is_some_and(|present| Arc::ptr_eq(present, entry))
        {
            shard.remove(client_id.as_str());
            self.n_sessions.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// All of them; a copy, no lock is held afterwards.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.shards
            .iter()
            .flat_map(|shard| shard.read().values().cloned().collect::<Vec<_>>())
            .collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.n_sessions.load(Ordering::Relaxed)
    }

    pub(crate) fn n_connected(&self) -> usize {
        self.n_connected.load(Ordering::Relaxed)
    }

    pub(crate) fn count_connected(&self, connected: bool) {
        if connected {
            self.n_connected.fetch_add(1, Ordering::Relaxed);
        } else {
            self.n_connected.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn shard(&self, client_id: &str) -> &RwLock<HashMap<ClientId, Arc<Entry>, RandomState>> {
        let at = usize::try_from(self.hasher.hash_one(client_id)).unwrap_or(0) % N_SHARDS;
        &self.shards[at]
    }
}
