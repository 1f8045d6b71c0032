//! What all connections share, and one file per verb. Read `publish.rs` first.
//!
//! Order of locks, never two of one row, always downwards: a gate of `sessions`, an entry's state, a shard of `sessions`, a half of
//! a Session, router, retained, what is left of it in the store, the journal, a notice order. A shard of kept answers is never taken together with another. No hook runs under any but the gate.

pub(crate) mod connect;
pub(crate) mod disconnect;
pub(crate) mod handshakes;
pub(crate) mod host;
pub(crate) mod load;
mod notices;
pub(crate) mod publish;
mod reauthorize;
mod route;
pub(crate) mod sessions;
pub(crate) mod stats;
pub(crate) mod subscribe;
pub(crate) mod surviving;
pub(crate) mod sweep;
pub(crate) mod timers;
pub(crate) mod wills;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ahash::RandomState;
use hashbrown::HashSet;
use hookmq_mqtt::{ClientId, PacketType, ReasonCode, TopicName};
use hookmq_plugin_api::{EventRecord, Field, Hook, Owned, Refusal};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use self::handshakes::{Handshakes, Unanswered};
use self::reauthorize::Reauthorizations;
use self::route::Route;
use self::sessions::{Sessions, Subscription};
use self::stats::Stats;
use self::timers::Timers;
use crate::client::ClientInfo;
use crate::event::message::Origin;
use crate::hook::{Decision, Explained, Hooks, Scope};
use crate::log_limit::{Line, LogLimit};
use crate::message::{Message, Source};
use crate::router::{CacheLimits, MatchCache, Matches, Retained, Router, Strategy};
use crate::session::budget::Budget;
use crate::session::settings::SessionSettings;
use crate::session::{Session, SessionRef};
use crate::settings::BrokerSettings;
use crate::store::journal::Journal;
use crate::store::{Durability, StorageSettings, WallClock};

/// The state behind every connection, timer and handle.
pub(crate) struct Inner {
    pub(crate) session_settings: Arc<SessionSettings>,
    /// What all Sessions together may hold.
    pub(crate) budget: Arc<Budget>,
    pub(crate) hooks: Hooks,
    pub(crate) router: Router<SessionRef, Subscription>,
    pub(crate) retained: Retained<Arc<Message>>,
    /// Topics whose retained message did not fit at the start; the store still has it. Locked under the lock of retained messages.
    retained_left: Mutex<HashSet<TopicName>>,
    pub(crate) sessions: Sessions,
    pub(crate) timers: Timers,
    reauthorizations: Reauthorizations,
    pub(crate) stats: Stats,
    /// Connections without CONNECT, of each listener; set at the start.
    pub(crate) handshakes: OnceLock<Vec<Arc<Handshakes>>>,
    /// What CONNECT packets take that are not answered yet.
    pub(crate) unanswered: Arc<Unanswered>,
    maximum_connections: usize,
    pub(crate) shared_strategy: Strategy,
    /// Whether MQTT 5 clients are told plugins' reasons.
    pub(crate) tell_reasons: bool,
    /// What a gate means when plugins listen and all of them pass.
    pub(crate) accept_by_default: bool,
    /// The way to the store, once there is one.
    pub(crate) journal: OnceLock<Arc<Journal>>,
    pub(crate) storage: StorageSettings,
    pub(crate) clock: Arc<dyn WallClock>,
    /// Queues of Sessions with a smaller number than this are loaded.
    pub(crate) loaded: watch::Sender<u64>,
    /// Messages of plugins and of the embedding program, on their way to [`Inner::publish`].
    pub(crate) injected: mpsc::Sender<Injected>,
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) endpoint: OnceLock<String>,
    epochs: AtomicU64,
    refusals: LogLimit,
    hasher: RandomState,
}

/// Refusals logged per second; all of them are counted.
const REFUSALS_PER_SECOND: u64 = 100;

/// A message that no client's connection brings.
pub(crate) struct Injected {
    pub(crate) message: Message,
    /// Only to this Session.
    pub(crate) only: Option<SessionRef>,
    /// Told when the message has taken its way.
    pub(crate) done: Option<tokio::sync::oneshot::Sender<publish::Outcome>>,
}

/// What one task needs again and again while it handles packets.
pub(crate) struct Turn {
    pub(crate) client: Option<Arc<ClientInfo>>,
    pub(crate) session: Option<SessionRef>,
    routes: MatchCache<Route>,
    matches: Matches<SessionRef, Subscription>,
    touched: Touched,
    /// What acknowledgements promise where no rule for the topic says otherwise.
    pub(crate) durability: Durability,
}

/// Sessions with new output, each once; woken at the end of a turn.
#[derive(Default)]
pub(crate) struct Touched(Vec<Arc<Session>>);

impl Touched {
    /// Notes that a Session has new output.
    pub(crate) fn touch(&mut self, session: &SessionRef) {
        if session.0.mark_output() {
            self.0.push(Arc::clone(&session.0));
        }
    }
}

impl Turn {
    pub(crate) fn new(inner: &Inner) -> Self {
        Self {
            client: None,
            session: None,
            routes: MatchCache::new(CacheLimits::default(), inner.hasher.clone()),
            matches: Matches::default(),
            touched: Touched::default(),
            durability: inner.storage.durability,
        }
    }

    /// Forgets who matched which topic: what is remembered keeps Sessions alive that have ended.
    pub(crate) fn forget_routes(&mut self) {
        self.routes.clear();
    }

    /// Wakes every touched Session's connection but this one's.
    pub(crate) fn wake_others(&mut self, own: &Arc<Session>) {
        for session in self.touched.0.drain(..) {
            if !Arc::ptr_eq(&session, own) {
                session.wake();
            }
        }
    }

    /// Wakes every touched Session's connection, once.
    pub(crate) fn wake(&mut self) {
        for session in self.touched.0.drain(..) {
            session.wake();
        }
    }
}

impl Inner {
    pub(crate) fn new(
        settings: &BrokerSettings,
        clock: Arc<dyn WallClock>,
        injected: mpsc::Sender<Injected>,
    ) -> Self {
        Self {
            session_settings: Arc::new(settings.session.clone()),
            budget: Arc::new(Budget::new(settings.maximum_queued_bytes)),
            hooks: Hooks::new(settings.hooks),
            router: Router::new(),
            retained: Retained::new(settings.retained),
            retained_left: Mutex::default(),
            sessions: Sessions::new(),
            timers: Timers::default(),
            reauthorizations: Reauthorizations::default(),
            stats: Stats::default(),
            handshakes: OnceLock::new(),
            unanswered: Arc::new(Unanswered::new(settings.maximum_handshake_bytes)),
            maximum_connections: settings.maximum_connections,
            shared_strategy: settings.shared_strategy,
            tell_reasons: settings.tell_reasons,
            accept_by_default: settings.accept_by_default,
            journal: OnceLock::new(),
            storage: settings.storage.clone(),
            clock,
            loaded: watch::Sender::new(u64::MAX),
            injected,
            stopping: watch::Sender::new(false),
            endpoint: OnceLock::new(),
            epochs: AtomicU64::new(0),
            refusals: LogLimit::new(REFUSALS_PER_SECOND),
            hasher: RandomState::new(),
        }
    }

    /// Numbers connections, so that a timer of an earlier one, or of an earlier Session of the same name, is known as such.
    pub(crate) fn next_epoch(&self) -> u64 {
        self.epochs.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A number for [`Strategy::HashPublisher`].
    pub(crate) fn hash(&self, client_id: &ClientId) -> u64 {
        self.hasher.hash_one(client_id)
    }

    /// The reason of a refusal, where the client may see it.
    pub(crate) fn told<'a>(&self, explained: &'a Explained) -> Option<&'a str> {
        explained
            .refusal
            .reason_string
            .as_deref()
            .filter(|_| self.tell_reasons)
    }

    /// Every refusal can be explained: plugin, hook, place and reason go to the log, and who wanted what: `about` is the topic
    /// or filter, empty where it is neither.
    pub(crate) fn explain(&self, explained: &Explained, origin: Origin<'_>, about: &str) {
        self.stats.refused();
        if let Line::Write { held } = self.refusals.line(self.hooks.now_ms()) {
            let client_id = origin.client_id().map_or("", ClientId::as_str);
            let source = origin.source.name();
            if held > 0 {
                tracing::info!("{held} refusals were not logged");
            }
            let username = origin.client.and_then(|client| client.username.as_deref());
            let username = username.unwrap_or_default();
            tracing::info!(
                client_id,
                username,
                topic = about,
                source,
                "refused: {explained}"
            );
        }
    }

    /// A gate that all plugins pass is decided by the setting; what the broker itself publishes is allowed.
    pub(crate) fn with_default(&self, decision: Decision, hook: Hook, source: Source) -> Decision {
        let trusted = matches!(source, Source::Broker | Source::Plugin { .. });
        match decision {
            Decision::Pass if !self.accept_by_default && !trusted => {
                Decision::Deny(Box::new(denied_by_default(hook)))
            }
            decision => decision,
        }
    }

    /// A notice about the broker itself.
    pub(crate) fn notify_broker(&self, hook: Hook, fields: Vec<(Field, Owned)>) {
        let mut event = EventRecord::new(hook);
        let endpoint = self.endpoint.get().map_or("", String::as_str);
        event.set(Field::Endpoint, endpoint.into());
        for (field, value) in fields {
            event.set(field, value);
        }
        self.hooks.notify(hook, &Scope::BROKER, &event, None);
    }

    /// A notice about one client.
    pub(crate) fn notify_client(
        &self,
        hook: Hook,
        session: &Session,
        client: &ClientInfo,
        fields: impl FnOnce() -> Vec<(Field, Owned)>,
    ) {
        if !self.hooks.listens(hook) {
            return;
        }
        let mut event = EventRecord::new(hook);
        for field in [
            Field::ClientId,
            Field::Username,
            Field::Endpoint,
            Field::Listener,
            Field::ProtocolVersion,
        ] {
            event.set(field, client.get(field).to_owned());
        }
        for (field, value) in fields() {
            event.set(field, value);
        }
        let scope = Scope {
            client_id: &client.client_id,
            listener: &client.listener,
            ..Scope::BROKER
        };
        self.hooks
            .notify(hook, &scope, &event, Some(&session.order));
    }

    /// Takes injected messages in, one after the other, until the broker is gone.
    pub(crate) async fn run_injected(self: Arc<Self>, mut queue: mpsc::Receiver<Injected>) {
        let mut turn = Turn::new(&self);
        while let Some(Injected {
            message,
            only,
            done,
        }) = queue.recv().await
        {
            self.wait_for_room().await;
            let now = crate::now();
            let sender = message
                .sender
                .as_ref()
                .map(|client_id| Arc::new(ClientInfo::named(client_id.clone())));
            let origin = Origin {
                client: sender.as_ref(),
                source: message.source,
            };
            let chain = self.hooks.chain();
            let outcome = self
                .publish(
                    &chain,
                    &mut turn,
                    origin,
                    &message.as_publish(now),
                    only.as_ref(),
                    now,
                )
                .await;
            turn.wake();
            if let Some(done) = done {
                // Whoever asked may have gone.
                let _ = done.send(outcome);
            }
        }
    }

    /// Whether a plugin may keep a Will Message waiting; then nothing else that is due waits with it.
    fn wills_may_await(&self) -> bool {
        let chain = self.hooks.chain();
        [
            Hook::InterceptWill,
            Hook::InterceptPublish,
            Hook::AuthorizePublish,
        ]
        .into_iter()
        .any(|hook| chain.awaits(hook))
    }

    /// Waits for what is due later.
    pub(crate) async fn run_timers(self: Arc<Self>) {
        let mut turn = Turn::new(&self);
        loop {
            let due = self.timers.next().await;
            if self.wills_may_await() {
                // As many tasks as Sessions are due, at most.
                let inner = Arc::clone(&self);
                tokio::spawn(async move {
                    let mut turn = Turn::new(&inner);
                    inner.handle_due(&mut turn, due).await;
                    turn.wake();
                });
                continue;
            }
            self.handle_due(&mut turn, due).await;
            turn.wake();
        }
    }
}

/// A plugin's Reason Code, if the packet that answers can carry it; else Not authorized.
pub(crate) fn reason_of(explained: &Explained, answer: PacketType) -> ReasonCode {
    ReasonCode::from_u8(explained.refusal.reason_code)
        .filter(|reason| reason.is_error() && reason.allowed_in(answer))
        .unwrap_or(ReasonCode::NotAuthorized)
}

/// Why nobody's opinion is a no.
fn denied_by_default(hook: Hook) -> Explained {
    let reason = "every plugin passed, and the default is deny: answer accept(), or set default = \"accept\" in [hooks]";
    Explained {
        plugin: "broker".into(),
        hook,
        refusal: Refusal {
            reason_string: Some(reason.into()),
            ..Refusal::default()
        },
        error: None,
    }
}
