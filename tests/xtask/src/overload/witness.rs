//! Two clients that have nothing to do with what goes on: one publishes, the other tells how long each message took.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::link::Link;
use crate::Outcome;

/// Between two messages.
const PERIOD: Duration = Duration::from_millis(2);

/// See the module.
pub(super) struct Witness {
    delays: Arc<Mutex<Vec<Duration>>>,
    tasks: [JoinHandle<Outcome>; 2],
}

impl Witness {
    /// Begins.
    ///
    /// # Errors
    /// When the broker does not serve it.
    pub(super) async fn start(address: SocketAddr) -> Outcome<Self> {
        let mut subscriber = Link::connect(address, "witness-s").await?;
        subscriber.subscribe(&["witness"]).await?;
        let mut publisher = Link::connect(address, "witness-p").await?;
        let epoch = Instant::now();
        let delays = Arc::new(Mutex::default());
        let told = Arc::clone(&delays);
        let publishing = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(PERIOD);
            loop {
                ticks.tick().await;
                publisher.publish("witness", &stamp(epoch), false).await?;
            }
        });
        let receiving = tokio::spawn(async move {
            loop {
                let (_, payload) = subscriber.message().await?;
                let delay = since(epoch, &payload);
                lock(&told).push(delay);
            }
        });
        Ok(Self {
            delays,
            tasks: [publishing, receiving],
        })
    }

    /// The delays since the last call.
    ///
    /// # Errors
    /// When the broker serves it no more.
    pub(super) fn take(&self) -> Outcome<Vec<Duration>> {
        if self.tasks.iter().any(JoinHandle::is_finished) {
            return Err("the witness was cut off".into());
        }
        Ok(std::mem::take(&mut *lock(&self.delays)))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// When a message was made, as its payload.
pub(super) fn stamp(epoch: Instant) -> [u8; 16] {
    epoch.elapsed().as_nanos().to_le_bytes()
}

/// How long ago that was; the stamp is the payload's beginning.
pub(super) fn since(epoch: Instant, payload: &[u8]) -> Duration {
    let stamp = payload.first_chunk().copied().unwrap_or_default();
    let made = u64::try_from(u128::from_le_bytes(stamp)).unwrap_or(u64::MAX);
    epoch.elapsed().saturating_sub(Duration::from_nanos(made))
}

/// Nobody panics while holding it, and if so the figures are as good.
pub(super) fn lock(delays: &Mutex<Vec<Duration>>) -> std::sync::MutexGuard<'_, Vec<Duration>> {
    delays.lock().unwrap_or_else(PoisonError::into_inner)
}
