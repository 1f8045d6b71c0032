//! Other clients while something misbehaves: a publisher and a subscriber that no plugin is asked about, and their delays.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hookmq_mqtt::{QoS, UserProperties};

use super::peer::{PATIENCE, Peer};
use crate::{Failure, Outcome};

/// Between two messages.
const PERIOD: Duration = Duration::from_millis(2);
/// Messages of one round.
const ROUND: usize = 150;
/// Rounds before anything misbehaves.
const BASE: usize = 3;
/// Delays that wait to be read.
const DELAYS: usize = 100_000;

/// See the module.
pub(super) struct Bystander {
    is_over: Arc<AtomicBool>,
    delays: Receiver<Duration>,
    threads: Vec<JoinHandle<Outcome>>,
    base: Duration,
    seen: Vec<Duration>,
}

/// 99 of 100 messages took no longer: the median of the rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delays {
    pub(super) base: Duration,
    pub(super) then: Duration,
}

impl Bystander {
    /// Begins, and takes its base.
    ///
    /// # Errors
    /// When the broker does not serve it.
    pub(super) fn start(address: SocketAddr) -> Outcome<Self> {
        let mut subscriber = Peer::connect(address, "bystander-s")?;
        subscriber.subscribe("bystander")?;
        let publisher = Peer::connect(address, "bystander-p")?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (told, delays) = sync_channel(DELAYS);
        let epoch = Instant::now();
        let over = Arc::clone(&is_over);
        let publishing = thread::spawn(move || publish(publisher, epoch, &over));
        let over = Arc::clone(&is_over);
        let receiving = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let Some(message) = subscriber.message(Instant::now() + PERIOD * 10)? else {
                    continue;
                };
                let due = message.payload.try_into().map_or(0, u64::from_le_bytes);
                let delay = epoch.elapsed().saturating_sub(Duration::from_nanos(due));
                // Nobody reads any more at the end.
                let _ = told.try_send(delay);
            }
            Ok(())
        });
        let mut bystander = Self {
            is_over,
            delays,
            threads: vec![publishing, receiving],
            base: Duration::ZERO,
            seen: Vec::new(),
        };
        let mut rounds = Vec::new();
        for _ in 0..BASE {
            let round: Vec<Duration> = (0..ROUND)
                .map_while(|_| bystander.delays.recv_timeout(PATIENCE).ok())
                .collect();
            rounds.push(p99(round).ok_or("the bystander hears nothing")?);
        }
        bystander.base = median(rounds).unwrap_or_default();
        Ok(bystander)
    }

    /// Ends, and says how it went since its base.
    ///
    /// # Errors
    /// When its connections did not last.
    pub(super) fn stop(mut self) -> Outcome<Delays> {
        let is_served = self.is_served();
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread
                .join()
                .map_err(|_| -> Failure { "a bystander had a panic".into() })??;
        }
        if !is_served {
            return Err("the bystander is not served any more".into());
        }
        let rounds = self.seen.chunks(ROUND).filter_map(|round| {
            (round.len() == ROUND || self.seen.len() < ROUND)
                .then(|| p99(round.to_vec()))
                .flatten()
        });
        let then = median(rounds.collect()).unwrap_or(self.base);
        Ok(Delays {
            base: self.base,
            then,
        })
    }

    /// Whether a message comes even now.
    fn is_served(&mut self) -> bool {
        loop {
            match self.delays.try_recv() {
                Ok(delay) => self.seen.push(delay),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        let next = self.delays.recv_timeout(PATIENCE);
        self.seen.extend(next.ok());
        next.is_ok()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Each message says when it was due, so that a stall counts for all that it held up.
fn publish(mut publisher: Peer, epoch: Instant, is_over: &AtomicBool) -> Outcome {
    let none = UserProperties::new();
    let mut due = epoch.elapsed();
    while !is_over.load(Ordering::Relaxed) {
        let nanoseconds = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
        publisher.put(
            "bystander",
            &nanoseconds.to_le_bytes(),
            &none,
            QoS::AtMostOnce,
        )?;
        publisher.flush()?;
        due += PERIOD;
        thread::park_timeout(due.saturating_sub(epoch.elapsed()));
    }
    Ok(())
}

fn p99(mut delays: Vec<Duration>) -> Option<Duration> {
    delays.sort_unstable();
    delays.get(delays.len() * 99 / 100).copied()
}

fn median(mut figures: Vec<Duration>) -> Option<Duration> {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_rounds() {
        let ms = |ms: &[u64]| ms.iter().copied().map(Duration::from_millis).collect();
        assert_eq!(p99(ms(&[])), None);
        assert_eq!(
            p99((1..=200).map(Duration::from_millis).collect()),
            Some(Duration::from_millis(199))
        );
        assert_eq!(median(ms(&[9, 1, 5])), Some(Duration::from_millis(5)));
    }
}
