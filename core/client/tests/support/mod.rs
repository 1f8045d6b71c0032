//! What the tests of this crate share: a broker in the process, and the log lines of the crate.

#![allow(dead_code, reason = "each test program uses its part")]

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use hookmq_broker::{Broker, BrokerSettings, Handle, ListenerSettings};
use hookmq_client::ConnectOptions;
use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// A broker on a free loopback port.
pub(crate) async fn broker() -> Handle {
    broker_with(BrokerSettings::default()).await
}

pub(crate) async fn broker_with(settings: BrokerSettings) -> Handle {
    broker_on(settings, 0).await
}

pub(crate) async fn broker_on(settings: BrokerSettings, port: u16) -> Handle {
    let bind = SocketAddr::from(([127, 0, 0, 1], port));
    let listeners = vec![ListenerSettings::new("test", bind)];
    Broker::new(BrokerSettings {
        listeners,
        ..settings
    })
    .start()
    .await
    .expect("the port is free")
}

pub(crate) fn port(broker: &Handle) -> u16 {
    broker.local_addrs()[0].port()
}

pub(crate) fn options(broker: &Handle) -> ConnectOptions {
    ConnectOptions::new("127.0.0.1", port(broker))
}

/// Ends a test that waits for what never comes.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(value) => value,
        Err(_) => panic!("never happened: {what}"),
    }
}

/// The lines that `hookmq_client` logs on this thread, each as `LEVEL text`.
pub(crate) struct Logs {
    lines: watch::Receiver<Vec<String>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Logs {
    pub(crate) fn capture() -> Self {
        let (sender, lines) = watch::channel(Vec::new());
        let subscriber = tracing_subscriber::registry().with(Capture(sender));
        Self {
            lines,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// Waits until the line is there, `n_times` at least.
    pub(crate) async fn wait_for(&mut self, line: &str, n_times: usize) {
        let there = |lines: &Vec<String>| lines.iter().filter(|it| *it == line).count() >= n_times;
        let found = tokio::time::timeout(Duration::from_secs(20), self.lines.wait_for(there))
            .await
            .is_ok();
        assert!(found, "no {n_times} x {line:?} in {:#?}", self.all());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    pub(crate) fn last(&self) -> String {
        self.all().last().cloned().unwrap_or_default()
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        self.all().iter().filter(|it| *it == line).count()
    }
}

struct Capture(watch::Sender<Vec<String>>);

impl<S: tracing::Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if !metadata.target().starts_with("hookmq_client")
            || *metadata.level() > tracing::Level::INFO
        {
            return;
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0
            .send_modify(|lines| lines.push(format!("{} {}", metadata.level(), text.0)));
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
