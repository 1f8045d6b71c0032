//! Other clients while something misbehaves: a publisher and a subscriber that no plugin is asked about, and their delays.
//!
//! They share the machine's processors with the broker and with whoever sends to it, so a delay says little by itself. It is taken three
//! times: while nothing happens; beside the same load without anything that misbehaves; and beside what misbehaves. What the second and
//! the third differ in is the broker's own doing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hookmq_mqtt::{QoS, UserProperties};

use super::peer::{PATIENCE, Peer};
use crate::{Failure, Outcome};

/// Between two messages.
const PERIOD: Duration = Duration::from_millis(2);
/// Messages before anything happens, and the fewest that a figure is made of.
const BASE: usize = 500;
/// Delays that wait to be read: minutes of them.
const DELAYS: usize = 1_000_000;

/// See the module.
pub(super) struct Bystander {
    is_over: Arc<AtomicBool>,
    delays: Receiver<Duration>,
    threads: Vec<JoinHandle<Outcome>>,
    idle: Duration,
    beside: Option<Duration>,
    /// All beside what misbehaves.
    then: Vec<Duration>,
}

/// 99 of 100 messages took no longer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delays {
    /// While nothing happened.
    pub(super) idle: Duration,
    /// Beside the same load with nothing that misbehaves in it, where there is such a load.
    pub(super) beside: Option<Duration>,
    /// Beside what misbehaves.
    pub(super) then: Duration,
}

impl Delays {
    /// What the last one is compared with: the same load, else none.
    pub(super) fn base(&self) -> Duration {
        self.beside.unwrap_or(self.idle)
    }

    /// How many times its base it is.
    pub(super) fn ratio(&self) -> f64 {
        self.then.as_secs_f64() / self.base().as_secs_f64().max(1e-6)
    }
}

impl Bystander {
    /// Begins, and takes its delays while nothing happens.
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
            idle: Duration::ZERO,
            beside: None,
            then: Vec::new(),
        };
        bystander.idle = bystander.during(|| Ok(()))?;
        Ok(bystander)
    }

    /// The delays beside a load with nothing that misbehaves in it.
    ///
    /// # Errors
    /// What the load fails with, or when the broker serves nobody meanwhile.
    pub(super) fn beside(&mut self, load: impl FnMut() -> Outcome) -> Outcome {
        self.beside = Some(self.during(load)?);
        Ok(())
    }

    /// The delays beside what misbehaves, from here to [`Bystander::rest`].
    ///
    /// # Errors
    /// When the broker serves nobody.
    pub(super) fn watch(&mut self) -> Outcome {
        self.heard().map(drop)
    }

    /// What misbehaves is over, for now: what comes from here on is not counted with it, until it is watched again. The p99 of this stretch.
    ///
    /// # Errors
    /// When the broker serves nobody.
    pub(super) fn rest(&mut self) -> Outcome<Duration> {
        let heard = self.heard()?;
        self.then.extend(&heard);
        p99(heard).ok_or_else(|| "the bystander hears nothing".into())
    }

    /// Ends, and says how it went. What was not ended by [`Bystander::rest`] is ended here.
    ///
    /// # Errors
    /// When its connections did not last.
    pub(super) fn stop(mut self) -> Outcome<Delays> {
        let heard = self.heard();
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread
                .join()
                .map_err(|_| -> Failure { "a bystander had a panic".into() })??;
        }
        let heard = heard?;
        if self.then.is_empty() {
            self.then = heard;
        }
        Ok(Delays {
            idle: self.idle,
            beside: self.beside,
            then: p99(self.then.clone()).unwrap_or(self.idle),
        })
    }

    /// The load again and again, until there are enough delays to say something; and what they were.
    fn during(&mut self, mut load: impl FnMut() -> Outcome) -> Outcome<Duration> {
        self.heard()?;
        let mut heard = Vec::new();
        while heard.len() < BASE {
            load()?;
            heard.extend(self.heard()?);
        }
        p99(heard).ok_or_else(|| "the bystander hears nothing".into())
    }

    /// What has come since it was asked last, and the message after that: so that a stall at the very end counts as well.
    fn heard(&mut self) -> Outcome<Vec<Duration>> {
        let mut heard: Vec<Duration> = self.delays.try_iter().collect();
        match self.delays.recv_timeout(PATIENCE) {
            Ok(delay) => heard.push(delay),
            Err(_) => return Err("the bystander is not served any more".into()),
        }
        Ok(heard)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(p99(Vec::new()), None);
        assert_eq!(
            p99((1..=200).map(Duration::from_millis).collect()),
            Some(Duration::from_millis(199))
        );
        let ms = Duration::from_millis;
        let mut delays = Delays {
            idle: ms(1),
            beside: None,
            then: ms(6),
        };
        assert!((delays.ratio() - 6.0).abs() < 1e-9);
        delays.beside = Some(ms(3));
        assert!((delays.ratio() - 2.0).abs() < 1e-9);
    }
}
