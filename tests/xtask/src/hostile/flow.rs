//! Messages at a steady rate, each with its number: what arrives is checked for order, loss, doubles and stamps.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hookmq_mqtt::{QoS, UserProperties};

use super::peer::{PATIENCE, Peer, Received};
use crate::{Failure, Outcome};

/// Messages that are on their way at once.
const WINDOW: u64 = 400;
/// Messages of one write.
const BATCH: u64 = 20;
/// Messages per second. A broker or a machine that is slower makes it less, and the figures say so.
const RATE: u64 = 20_000;
const TOPIC: &str = "flow/of/messages";

/// See the module.
pub(super) struct Flow {
    shared: Arc<Shared>,
    started: Instant,
    publishing: JoinHandle<Outcome<u64>>,
    receiving: JoinHandle<Outcome<Seen>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    n_sent: AtomicU64,
    n_received: AtomicU64,
}

/// What arrived.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) n_messages: u64,
    pub(super) n_lost: u64,
    pub(super) n_doubled: u64,
    /// Messages that lack a stamp or have one twice.
    pub(super) n_unstamped: u64,
    /// Messages with stamps of two generations.
    pub(super) n_mixed: u64,
    /// Messages per generation.
    pub(super) generations: BTreeMap<String, u64>,
    pub(super) rate: f64,
}

impl Flow {
    /// Begins; every message is to have one stamp of each of these.
    ///
    /// # Errors
    /// When the broker does not serve it.
    pub(super) fn start(address: SocketAddr, stamps: Vec<&'static str>) -> Outcome<Self> {
        let mut subscriber = Peer::connect(address, "flow-s")?;
        subscriber.subscribe("flow/#")?;
        let publisher = Peer::connect(address, "flow-p")?;
        let shared = Arc::new(Shared::default());
        let (of_publisher, of_subscriber) = (Arc::clone(&shared), Arc::clone(&shared));
        Ok(Self {
            shared,
            started: Instant::now(),
            publishing: thread::spawn(move || publish(publisher, &of_publisher)),
            receiving: thread::spawn(move || receive(subscriber, &of_subscriber, &stamps)),
        })
    }

    /// Ends, once all that was sent has come or nothing comes any more.
    ///
    /// # Errors
    /// When a connection did not last.
    pub(super) fn stop(self) -> Outcome<Seen> {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let took = self.started.elapsed();
        let panicked = |_| -> Failure { "a client had a panic".into() };
        let n_sent = self.publishing.join().map_err(panicked)??;
        let mut seen = self.receiving.join().map_err(panicked)??;
        seen.n_lost += n_sent.saturating_sub(seen.n_messages + seen.n_lost);
        seen.rate = seen.n_messages as f64 / took.as_secs_f64();
        Ok(seen)
    }

    /// How many messages have come.
    pub(super) fn n_received(&self) -> u64 {
        self.shared.n_received.load(Ordering::Relaxed)
    }
}

fn publish(mut publisher: Peer, shared: &Shared) -> Outcome<u64> {
    let none = UserProperties::new();
    let started = Instant::now();
    let (mut n_sent, mut progress) = (0_u64, (0, started));
    let mut payload = [b'x'; 64];
    while !shared.is_over.load(Ordering::SeqCst) {
        let n_received = shared.n_received.load(Ordering::Relaxed);
        if n_received != progress.0 {
            progress = (n_received, Instant::now());
        }
        if n_sent.saturating_sub(n_received) > WINDOW - BATCH {
            if progress.1.elapsed() > PATIENCE {
                // What is missing is counted at the end.
                break;
            }
            thread::park_timeout(Duration::from_micros(200));
            continue;
        }
        let due = Duration::from_micros(n_sent.saturating_mul(1_000_000 / RATE));
        let early = due.saturating_sub(started.elapsed());
        if !early.is_zero() {
            thread::park_timeout(early);
            continue;
        }
        for _ in 0..BATCH {
            let (number, _) = payload.split_at_mut(8);
            number.copy_from_slice(&n_sent.to_le_bytes());
            publisher.put(TOPIC, &payload, &none, QoS::AtMostOnce)?;
            n_sent += 1;
        }
        publisher.flush()?;
        shared.n_sent.store(n_sent, Ordering::SeqCst);
    }
    // Kept open until all has come.
    let deadline = Instant::now() + PATIENCE;
    while shared.n_received.load(Ordering::Relaxed) < n_sent && Instant::now() < deadline {
        thread::park_timeout(Duration::from_millis(1));
    }
    Ok(n_sent)
}

fn receive(mut subscriber: Peer, shared: &Shared, stamps: &[&str]) -> Outcome<Seen> {
    let mut seen = Seen::default();
    let mut next = 0;
    let mut quiet = Instant::now();
    loop {
        match subscriber.message(Instant::now() + Duration::from_millis(50))? {
            Some(message) => {
                quiet = Instant::now();
                seen.add(&message, &mut next, stamps);
                shared.n_received.store(next, Ordering::Relaxed);
            }
            None if !shared.is_over.load(Ordering::SeqCst) => quiet = Instant::now(),
            // Once more after the last one, for a message that comes twice.
            None if next >= shared.n_sent.load(Ordering::SeqCst) => return Ok(seen),
            None if quiet.elapsed() > PATIENCE => return Ok(seen),
            None => {}
        }
    }
}

impl Seen {
    fn add(&mut self, message: &Received, next: &mut u64, stamps: &[&str]) {
        let number = message
            .payload
            .first_chunk()
            .map_or(0, |number| u64::from_le_bytes(*number));
        if number < *next {
            self.n_doubled += 1;
            return;
        }
        self.n_lost += number - *next;
        *next = number + 1;
        self.n_messages += 1;
        let is_stamped = stamps.len() == message.properties.len()
            && stamps.iter().all(|stamp| {
                message
                    .properties
                    .iter()
                    .filter(|(name, _)| name == stamp)
                    .count()
                    == 1
            });
        self.n_unstamped += u64::from(!is_stamped);
        if let Some((_, first)) = message.properties.first() {
            let is_mixed = message
                .properties
                .iter()
                .any(|(_, generation)| generation != first);
            self.n_mixed += u64::from(is_mixed);
            *self.generations.entry(first.clone()).or_default() += 1;
        }
    }

    /// Whether every message came once, with every stamp once, of one generation.
    pub(super) fn is_good(&self) -> bool {
        self.n_messages > 0 && self.n_lost + self.n_doubled + self.n_unstamped + self.n_mixed == 0
    }

    /// All figures.
    pub(super) fn words(&self) -> String {
        let generations: Vec<String> = self
            .generations
            .iter()
            .map(|(generation, n)| format!("{generation} {n}"))
            .collect();
        format!(
            "{} messages at {:.0}/s: {} lost, {} doubled, {} not stamped once, {} of two generations ({})",
            self.n_messages,
            self.rate,
            self.n_lost,
            self.n_doubled,
            self.n_unstamped,
            self.n_mixed,
            generations.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_counted() {
        let message = |number: u64, stamps: &[(&str, &str)]| Received {
            topic: TOPIC.into(),
            payload: number.to_le_bytes().into(),
            properties: stamps
                .iter()
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect(),
        };
        let mut seen = Seen::default();
        let mut next = 0;
        let good = [("lua", "a"), ("native", "a")];
        for (number, stamps) in [
            (0, &good[..]),
            (1, &good),
            (1, &good),
            (4, &good),
            (5, &good[..1]),
            (6, &[("lua", "a"), ("native", "b")]),
            (7, &[("lua", "a"), ("lua", "a")]),
        ] {
            seen.add(&message(number, stamps), &mut next, &["lua", "native"]);
        }
        let figures = [
            seen.n_messages,
            seen.n_doubled,
            seen.n_lost,
            seen.n_unstamped,
            seen.n_mixed,
        ];
        assert_eq!(figures, [6, 1, 2, 2, 1]);
        assert!(!seen.is_good());
    }
}
