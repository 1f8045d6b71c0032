//! Starting a broker, talking to it, stopping it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hookmq_mqtt::ReasonCode;
use hookmq_plugin_api::{Event, Field, Grants, Hook, Host, Owned, Record, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::broker::connect::Gateway;
use crate::broker::host::PluginHost;
use crate::broker::sessions::Kick;
use crate::broker::stats::StatsView;
use crate::broker::surviving::ByNumber;
use crate::broker::{Injected, Inner};
use crate::hook::{HookMetrics, Listed, Registration, Subject};
use crate::message::{Message, Source};
use crate::net::connection;
use crate::net::listener::Listener;
use crate::settings::BrokerSettings;
use crate::store::committer::Committer;
use crate::store::journal::Journal;
use crate::store::{Store, StoreError, SystemClock, WallClock};

/// A broker that does not listen yet: the time to load plugins.
pub struct Broker {
    settings: BrokerSettings,
    inner: Arc<Inner>,
    injected: mpsc::Receiver<Injected>,
    plugins: Vec<Registration>,
    store: Option<Box<dyn Store>>,
}

/// A running broker. Cheap to clone; the broker runs until [`Handle::stop`].
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
    running: Arc<Running>,
}

struct Running {
    addresses: Vec<SocketAddr>,
    stop_within: Duration,
    /// Listeners; they end by themselves when the broker stops.
    listeners: parking_lot::Mutex<Vec<JoinHandle<()>>>,
    /// Timers and injected messages; ended at the very last.
    workers: Vec<JoinHandle<()>>,
    /// Writes to the store; ends when the journal is closed and empty.
    committer: parking_lot::Mutex<Option<oneshot::Receiver<()>>>,
}

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be bound.
    #[error("listener {name}: cannot listen on {bind}: {error}")]
    Bind {
        /// Name of the listener.
        name: String,
        /// Its address.
        bind: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// What the store has cannot be read.
    #[error("store: {0}")]
    Store(#[from] StoreError),
}

/// Why a message of the embedding program was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The broker is stopping.
    #[error("the broker is stopping")]
    Stopping,
    /// A plugin or a limit refused it.
    #[error("refused: {}", reason.name())]
    Refused {
        /// Why.
        reason: ReasonCode,
    },
}

impl Broker {
    /// A broker with these settings. Nothing is bound and nothing runs yet.
    #[must_use]
    pub fn new(settings: BrokerSettings) -> Self {
        Self::with_clock(settings, Arc::new(SystemClock))
    }

    /// [`Broker::new`] with another wall clock, for tests: it tells how long the broker did not run. While it runs, time is tokio's.
    #[must_use]
    pub fn with_clock(settings: BrokerSettings, clock: Arc<dyn WallClock>) -> Self {
        let (sender, injected) = mpsc::channel(settings.maximum_injected.max(1));
        let inner = Arc::new(Inner::new(&settings, clock, sender));
        Self {
            settings,
            inner,
            injected,
            plugins: Vec::new(),
            store: None,
        }
    }

    /// Keeps in this store what must survive the broker, as [`BrokerSettings::storage`] says. Without one nothing does.
    #[must_use]
    pub fn store(mut self, store: Box<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// The broker as a plugin of this name may use it.
    #[must_use]
    pub fn host(&self, plugin: &str, grants: Grants) -> Arc<dyn Host> {
        Arc::new(PluginHost::new(&self.inner, plugin.into(), grants))
    }

    /// Adds a plugin. Equal priorities are asked in the order of this call.
    #[must_use]
    pub fn plugin(mut self, registration: Registration) -> Self {
        self.plugins.push(registration);
        self
    }

    /// Restores what the store has, loads retained messages, binds every listener and runs. Queues of the store are loaded while clients
    /// are served.
    ///
    /// # Errors
    /// [`StartError::Bind`] names the listener, [`StartError::Store`] what cannot be read; nothing runs then.
    pub async fn start(self) -> Result<Handle, StartError> {
        let Self {
            settings,
            inner,
            injected,
            plugins,
            store,
        } = self;
        inner.hooks.swap(plugins);
        let restored = match store {
            Some(store) => Some(restore(&inner, store).await?),
            None => None,
        };
        load_retained(&inner).await;
        let mut bound = Vec::with_capacity(settings.listeners.len());
        for listener in &settings.listeners {
            let failed = |error| StartError::Bind {
                name: listener.name.clone(),
                bind: listener.bind,
                error,
            };
            let socket = Listener::bind(listener).map_err(failed)?;
            let address = socket.local_addr().map_err(failed)?;
            bound.push((socket, address));
        }
        let addresses: Vec<_> = bound.iter().map(|(_, address)| *address).collect();
        if let Some(first) = addresses.first() {
            // Set once, here.
            let _ = inner.endpoint.set(first.to_string());
        }
        let room = Arc::new(Semaphore::new(
            settings
                .maximum_connections
                .clamp(1, Semaphore::MAX_PERMITS),
        ));
        // Set once, here.
        let _ = inner.handshakes.set(
            bound
                .iter()
                .map(|(listener, _)| Arc::clone(&listener.handshakes))
                .collect(),
        );
        // Before anybody can come in: a plugin sees its start first.
        inner.notify_broker(Hook::BrokerStarted, Vec::new());
        let committer = match restored {
            Some((committer, by_number)) => Some(write_to_store(&inner, committer, by_number)?),
            None => None,
        };
        let listeners = bound
            .into_iter()
            .map(|(socket, _)| tokio::spawn(socket.run(Arc::clone(&inner), Arc::clone(&room))))
            .collect();
        let workers = vec![
            tokio::spawn(Arc::clone(&inner).run_injected(injected)),
            tokio::spawn(Arc::clone(&inner).run_timers()),
            tokio::spawn(Arc::clone(&inner).run_sweeps()),
            tokio::spawn(Arc::clone(&inner).watch_load()),
            tokio::spawn(Arc::clone(&inner).run_reauthorizations()),
            tokio::spawn(Arc::clone(&inner).run_clock(inner.moment())),
        ];
        let running = Running {
            addresses,
            stop_within: settings.stop_within,
            listeners: parking_lot::Mutex::new(listeners),
            workers,
            committer: parking_lot::Mutex::new(committer),
        };
        Ok(Handle {
            inner,
            running: Arc::new(running),
        })
    }
}

impl Handle {
    /// The bound addresses, in the order of the settings.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.running.addresses
    }

    /// The broker as a plugin of this name may use it.
    #[must_use]
    pub fn host(&self, plugin: &str, grants: Grants) -> Arc<dyn Host> {
        Arc::new(PluginHost::new(&self.inner, plugin.into(), grants))
    }

    /// Replaces all plugins at once; returns the number of the new generation. No connection notices.
    pub fn swap(&self, plugins: Vec<Registration>) -> u64 {
        let generation = self.inner.hooks.swap(plugins);
        let hold = self.inner.hooks.listens(Hook::InterceptDelivery);
        for entry in self.inner.sessions.all() {
            entry.session.0.sending().set_hold(hold);
            entry.session.0.mark_output();
            entry.session.0.wake();
        }
        let generation_field = i64::try_from(generation).unwrap_or(i64::MAX);
        self.inner.notify_broker(
            Hook::ConfigReloaded,
            vec![(Field::Generation, generation_field.into())],
        );
        generation
    }

    /// Publishes a message of the embedding program. It takes the way of every message, hooks included. Returns when what must survive of
    /// it does.
    ///
    /// # Errors
    /// [`PublishError`]: the broker stops, or a plugin or limit refuses it.
    pub async fn publish(&self, message: Message) -> Result<(), PublishError> {
        let (done, outcome) = oneshot::channel();
        let injected = Injected {
            message,
            only: None,
            done: Some(done),
        };
        self.inner
            .injected
            .send(injected)
            .await
            .map_err(|_| PublishError::Stopping)?;
        let outcome = outcome.await.map_err(|_| PublishError::Stopping)?;
        if outcome.reason.is_error() {
            return Err(PublishError::Refused {
                reason: outcome.reason,
            });
        }
        self.inner.wait_for(outcome.promise.close()).await;
        Ok(())
    }

    /// Ends a client's Network Connection; false if it has none.
    pub fn disconnect(
        &self,
        client_id: &str,
        reason: ReasonCode,
        reason_string: Option<&str>,
    ) -> bool {
        self.inner
            .disconnect_client(client_id, reason, reason_string)
    }

    /// Removes every retained message; returns how many there were.
    pub fn clear_retained(&self) -> usize {
        let n_messages = self.inner.clear_retained();
        let count = i64::try_from(n_messages).unwrap_or(i64::MAX);
        self.inner.notify_broker(
            Hook::RetainedCleared,
            vec![(Field::NMessages, count.into())],
        );
        n_messages
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> StatsView {
        self.inner.stats.view(&self.inner)
    }

    /// What every plugin's hooks did.
    #[must_use]
    pub fn hook_metrics(&self) -> Vec<HookMetrics> {
        self.inner.hooks.metrics()
    }

    /// Which plugins answer each hook, in order.
    #[must_use]
    pub fn plugins(&self) -> Vec<(Hook, Vec<Listed>)> {
        self.inner.hooks.chain().list()
    }

    /// Serves one connection over any stream, as if a listener of this name had accepted it; returns when it has ended.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        stream: S,
        listener: &str,
        endpoint: &str,
        allow_anonymous: bool,
    ) {
        let gateway = Gateway {
            listener: listener.into(),
            endpoint: endpoint.to_owned(),
            allow_anonymous,
            durability: None,
        };
        connection::run(Arc::clone(&self.inner), stream, gateway, None).await;
    }

    /// Stops: no new connections, DISCONNECT 0x8B for everybody, queues written out, notices told.
    pub async fn stop(&self) {
        if self.inner.stopping.send_replace(true) {
            return;
        }
        self.inner.notify_broker(Hook::BrokerStopping, Vec::new());
        let listeners = std::mem::take(&mut *self.running.listeners.lock());
        for listener in listeners {
            // It ends by itself; a panic in it has ended it too.
            let _ = listener.await;
        }
        let mut leaving = Vec::new();
        for entry in self.inner.sessions.all() {
            let control = entry.state.lock().control.clone();
            if let Some(control) = control {
                control.kick(Kick::shutting_down());
                leaving.push(control);
            }
        }
        let all_gone = async {
            for control in &leaving {
                control.wait_gone().await;
            }
        };
        if tokio::time::timeout(self.running.stop_within, all_gone)
            .await
            .is_err()
        {
            tracing::warn!(
                "some connections did not end within {:?}",
                self.running.stop_within
            );
        }
        for worker in &self.running.workers {
            worker.abort();
        }
        if let Some(journal) = self.inner.journal.get() {
            journal.close();
        }
        let committer = self.running.committer.lock().take();
        if let Some(committer) = committer {
            // It does not wait for a store that fails; one that works, however slowly, gets as long as clients got.
            match tokio::time::timeout(self.running.stop_within, committer).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => tracing::error!("store: the thread that writes has failed"),
                Err(_) => tracing::error!(
                    "store: not done within {:?}; what was not acknowledged may not be kept",
                    self.running.stop_within
                ),
            }
        }
        self.inner.notify_broker(Hook::BrokerStopped, Vec::new());
        self.inner.hooks.drain(self.running.stop_within).await;
    }
}

/// Takes in what a store has; queues follow when the committer runs.
async fn restore(
    inner: &Arc<Inner>,
    mut store: Box<dyn Store>,
) -> Result<(Committer, ByNumber), StoreError> {
    let moment = inner.moment();
    let loaded = tokio::task::spawn_blocking(move || {
        let restored = store.load(moment);
        restored.map(|restored| (store, restored))
    });
    let (store, restored) = loaded.await.map_err(|error| StoreError {
        what: "loading".to_owned(),
        why: error.to_string(),
    })??;
    for damaged in &restored.damaged {
        tracing::error!("store: damaged: {damaged}");
    }
    let (sessions, retained) = (restored.sessions.len(), restored.retained.len());
    let settings = &inner.storage;
    let journal = Arc::new(Journal::new(
        restored.first_number,
        settings.maximum_waiting_bytes,
    ));
    let by_number = inner.restore(&journal, restored, moment);
    tracing::info!(sessions, retained, "store: restored");
    let committer = Committer {
        store,
        journal,
        clock: Arc::clone(&inner.clock),
        retry_after: settings.retry_after,
        unwritten: Default::default(),
        hopes: Default::default(),
        last_failure: None,
    };
    Ok((committer, by_number))
}

/// Starts the thread that writes to the store; what it gives is told when it has ended.
fn write_to_store(
    inner: &Arc<Inner>,
    committer: Committer,
    by_number: ByNumber,
) -> Result<oneshot::Receiver<()>, StoreError> {
    let (ended, has_ended) = oneshot::channel();
    let inner = Arc::clone(inner);
    std::thread::Builder::new()
        .name("hookmq-store".to_owned())
        .spawn(move || {
            let mut by_number = by_number;
            committer.run(|queue| inner.restore_queue(&mut by_number, queue));
            // Nobody waits for it if the broker was not stopped.
            let _ = ended.send(());
        })
        .map_err(|error| StoreError {
            what: "its thread".to_owned(),
            why: error.to_string(),
        })?;
    Ok(has_ended)
}

/// `load_retained`: what plugins supply before the first client comes.
async fn load_retained(inner: &Inner) {
    let chain = inner.hooks.chain();
    if !chain.listens(Hook::LoadRetained) {
        return;
    }
    let mut supply = RetainedSupply {
        inner,
        messages: Vec::new(),
    };
    chain.supply(Hook::LoadRetained, &mut supply).await;
    for message in supply.messages {
        let message = Arc::new(message);
        let size = message.size();
        let told = Arc::clone(&message);
        let durability = inner.durability_of(&message.topic);
        let tell = || {
            // Nobody waits for it.
            inner.tell_retained(told, durability);
        };
        if let Err(full) = inner
            .retained
            .set_and(&message.topic, Arc::clone(&message), size, tell)
        {
            tracing::warn!(topic = %message.topic, %full, "load_retained: a message was not retained");
        }
    }
}

struct RetainedSupply<'a> {
    inner: &'a Inner,
    messages: Vec<Message>,
}

impl Event for RetainedSupply<'_> {
    fn hook(&self) -> Hook {
        Hook::LoadRetained
    }

    fn get(&self, field: Field) -> Value<'_> {
        match field {
            Field::NMessages => {
                // Those that the store had, too.
                let n_messages = self.inner.retained.len() + self.messages.len();
                Value::Integer(i64::try_from(n_messages).unwrap_or(i64::MAX))
            }
            _ => Value::Nil,
        }
    }
}

impl Subject for RetainedSupply<'_> {
    fn event(&self) -> &dyn Event {
        self
    }

    fn apply(&mut self, changes: &[(Field, Owned)]) -> Result<(), String> {
        let mut loaded = Vec::new();
        for (field, value) in changes {
            let (Field::Messages, Owned::Records(records)) = (field, value) else {
                return Err(format!("{}: may not be changed here", field.name()));
            };
            for record in records as &Vec<Record> {
                let mut message =
                    crate::event::connection::message(record, &self.inner.session_settings)?;
                message.retain = true;
                message.source = Source::Plugin { depth: 0 };
                if message.payload.is_empty() {
                    return Err(format!(
                        "messages: the retained message of {} has no payload",
                        message.topic
                    ));
                }
                loaded.push(message);
            }
        }
        self.messages.append(&mut loaded);
        Ok(())
    }
}
