//! Two clients that have nothing to do with what goes on: one publishes, the other tells how long each message took. On a thread of
//! their own, so that what the other clients have to do does not count.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::link::Link;
use crate::Outcome;

/// Between two messages.
const PERIOD: Duration = Duration::from_millis(2);

/// See the module. Dropped, they end.
pub(super) struct Witness {
    delays: Arc<Mutex<Vec<Duration>>>,
    thread: JoinHandle<Outcome>,
    _goes_on: oneshot::Sender<()>,
}

impl Witness {
    /// Begins.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub(super) fn start(address: SocketAddr) -> Outcome<Self> {
        let delays = Arc::new(Mutex::default());
        let told = Arc::clone(&delays);
        let (goes_on, over) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new().spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    outcome = talk(address, &told) => outcome,
                    _ = over => Ok(()),
                }
            })
        })?;
        Ok(Self {
            delays,
            thread,
            _goes_on: goes_on,
        })
    }

    /// The delays since the last call.
    ///
    /// # Errors
    /// When the broker serves it no more.
    pub(super) fn take(&self) -> Outcome<Vec<Duration>> {
        if self.thread.is_finished() {
            return Err("the witness was cut off".into());
        }
        Ok(std::mem::take(&mut *lock(&self.delays)))
    }
}

async fn talk(address: SocketAddr, delays: &Mutex<Vec<Duration>>) -> Outcome {
    let mut subscriber = Link::connect(address, "witness-s").await?;
    subscriber.subscribe(&["witness"]).await?;
    let mut publisher = Link::connect(address, "witness-p").await?;
    let epoch = Instant::now();
    let publishing = async {
        let mut ticks = tokio::time::interval(PERIOD);
        loop {
            ticks.tick().await;
            publisher.publish("witness", &stamp(epoch), false).await?;
        }
    };
    let receiving = async {
        loop {
            let (_, payload) = subscriber.message().await?;
            lock(delays).push(since(epoch, &payload));
        }
    };
    tokio::select! {
        outcome = publishing => outcome,
        outcome = receiving => outcome,
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
