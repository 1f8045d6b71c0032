//! `hookmq run`: the broker until a signal ends it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hookmq_broker::store::{Store, StoreError};
use hookmq_broker::{Broker, Handle};
use hookmq_store::{DiskStore, StoreOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{ConfigArguments, EXIT_FAILED};
use crate::config::{Config, Sources, Storage};
use crate::generation::{Generation, who_may_connect};
use crate::logging::Log;
use crate::reload::Reload;

/// How long threads that still work may hold up the end after everything was stopped.
const LINGER: Duration = Duration::from_millis(500);

pub(super) fn run(arguments: ConfigArguments) -> ExitCode {
    let (sources, config) = match arguments.load() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let log = Log::start(&config.log);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = config.workers {
        builder.worker_threads(workers);
    }
    let runtime = match builder.enable_all().thread_name("hookmq").build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start threads: {error}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    let code = runtime.block_on(serve(sources, config, log));
    runtime.shutdown_timeout(LINGER);
    code
}

async fn serve(sources: Sources, config: Config, log: Log) -> ExitCode {
    // Asked for before anything else: a stop that comes early is a clean one too, and an early SIGHUP does not kill.
    let (mut signals, hangups) =
        match Signals::new().and_then(|signals| Ok((signals, signal(SignalKind::hangup())?))) {
            Ok(signals) => signals,
            Err(error) => {
                tracing::error!("cannot wait for signals: {error}");
                return ExitCode::from(EXIT_FAILED);
            }
        };
    let mut broker = Broker::new(config.broker.clone());
    let host = |name: &str, grants| broker.host(name, grants);
    let generation = match Generation::load(&config, &Generation::default(), &host) {
        Ok(generation) => generation,
        Err(flaws) => return super::refuse(flaws),
    };
    for registration in generation.registrations() {
        broker = broker.plugin(registration);
    }
    // After the plugins: a start that fails on one of them makes no store.
    if let Some(storage) = &config.storage {
        let durability = config.broker.storage.durability;
        tracing::info!(
            "store: {}, durability {}",
            storage.path.display(),
            durability.name()
        );
        if storage.accept_data_loss {
            tracing::warn!(
                "store: accept_data_loss is meant for one start; take it out of the config"
            );
        }
        match open_store(storage).await {
            Ok(store) => broker = broker.store(store),
            Err(error) => {
                tracing::error!("storage.path: {error}");
                return ExitCode::from(EXIT_FAILED);
            }
        }
    }
    let handle = match broker.start().await {
        Ok(handle) => handle,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    announce(&sources, &config, &generation, &handle, &log);
    let effective = config.effective.clone();
    let reload = Reload {
        handle: handle.clone(),
        log,
        sources: Arc::new(sources),
        started: config,
        effective,
        generation,
    };
    let reload = tokio::spawn(reload.run(hangups));

    let name = signals.next().await;
    tracing::info!("{name}: stopping; a second signal ends it at once");
    reload.abort();
    tokio::select! {
        () = handle.stop() => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        name = signals.next() => {
            tracing::warn!("{name}: ended before everything was written out");
            std::process::exit(EXIT_FAILED.into());
        }
    }
}

/// Opens the store; reading it may take seconds, and blocks.
async fn open_store(storage: &Storage) -> Result<Box<dyn Store>, StoreError> {
    let path = storage.path.clone();
    let options = StoreOptions {
        accept_data_loss: storage.accept_data_loss,
        ..StoreOptions::default()
    };
    let opened = tokio::task::spawn_blocking(move || DiskStore::open(&path, options)).await;
    let store = opened.map_err(|error| StoreError {
        what: storage.path.display().to_string(),
        why: error.to_string(),
    })??;
    Ok(Box::new(store))
}

/// Says what runs and where; without a config also what to try next.
fn announce(
    sources: &Sources,
    config: &Config,
    generation: &Generation,
    handle: &Handle,
    log: &Log,
) {
    let version = env!("CARGO_PKG_VERSION");
    for (listener, address) in config.listeners.iter().zip(handle.local_addrs()) {
        let who = who_may_connect(&listener.settings, &generation.0);
        tracing::info!(
            "HookMQ {version} listens on {address}, listener {}: {who}",
            listener.settings.name
        );
    }
    for plugin in &generation.0 {
        tracing::info!(
            "plugin {}: {}",
            plugin.settings.name,
            plugin.settings.path.display()
        );
    }
    if sources.file.is_none() && generation.0.is_empty() && log.is_pretty {
        let program = std::env::args()
            .next()
            .unwrap_or_else(|| "hookmq".to_owned());
        let at = handle
            .local_addrs()
            .first()
            .filter(|address| address.port() != 1883)
            .map_or_else(String::new, |address| format!(" --port {}", address.port()));
        eprintln!(
            "
HookMQ {version}. Try in another terminal:

  {program} sub{at} -t 'demo/#'
  {program} pub{at} -t demo/hello -m 'it works'

Then program it: save this as hello.lua, end this broker, and start it with  {program} --plugin hello.lua
Change the file while it runs; the new version is live at once.

  local M = {{}}
  function M.intercept_publish(client_id, topic, payload)
      print(client_id or 'a plugin', 'says', payload, 'to', topic)
  end
  return M
"
        );
    }
}

/// The signals that end the broker.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
