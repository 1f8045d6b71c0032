//! A thousand subscribers of one topic, of which one also gets a stream of its own and stops reading. What the others see of it.
//!
//! It reads and stops in turns, and each turn's delays are compared with those of the other kind, so that what the machine does besides
//! falls on both.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::sync::watch;

use super::host::Host;
use super::link::{Link, put_publish};
use super::witness::{lock, since, stamp};
use super::{Figure, Scale, Verdict, mib, ms, p99};
use crate::Outcome;

/// Messages for everybody: so few that reading them is no work for the thread that plays all clients.
const PER_SECOND: u64 = 5;
/// Pairs of turns.
const ROUNDS: usize = 5;
/// How long a turn is,
const TURN: Duration = Duration::from_secs(4);
/// and how long nothing is counted after the one has stopped or gone on: its socket fills, then its queue.
const BETWEEN: Duration = Duration::from_secs(4);

/// Plays it.
///
/// # Errors
/// When the broker does not serve its clients.
pub(super) async fn play(binary: &Path, scale: Scale) -> Outcome<Vec<Figure>> {
    let n_subscribers = scale.of(1_000);
    let host = Host::start(binary, "", "")?;
    let epoch = Instant::now();
    let delays: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let mut tasks = Vec::new();
    for n in 1..n_subscribers {
        let mut link = Link::connect(host.address, &format!("s{n}")).await?;
        link.subscribe(&["news"]).await?;
        tasks.push(tokio::spawn(tell(link, epoch, Arc::clone(&delays))));
    }
    let (reads, may_read) = watch::channel(true);
    let mut one = Link::connect_narrow(host.address, "stops").await?;
    one.subscribe(&["news", "stream"]).await?;
    tasks.push(tokio::spawn(read_in_turns(one, may_read)));
    let publisher = Link::connect(host.address, "p").await?;
    tasks.push(tokio::spawn(publish(publisher, epoch)));
    let streamer = Link::connect(host.address, "streamer").await?;
    tasks.push(tokio::spawn(stream(streamer)));
    let (mut reading, mut stopped) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (does_read, into) in [(true, &mut reading), (false, &mut stopped)] {
            reads.send_replace(does_read);
            tokio::time::sleep(BETWEEN).await;
            lock(&delays).clear();
            tokio::time::sleep(TURN).await;
            into.append(&mut lock(&delays));
        }
    }
    let is_cut_off = tasks.iter().any(tokio::task::JoinHandle::is_finished);
    for task in tasks {
        task.abort();
    }
    let n_each = ROUNDS * usize::try_from(PER_SECOND * TURN.as_secs())?;
    let expected = (n_subscribers - 1) * n_each * 9 / 10;
    let (n_reading, n_stopped) = (reading.len(), stopped.len());
    let (before, after) = (p99(&mut reading), p99(&mut stopped));
    let up = (after.as_secs_f64() / before.as_secs_f64().max(1e-9) - 1.0) * 100.0;
    let rss = host.rss();
    host.stop()?;
    Ok(vec![
        Figure::new(
            "p99 of the others while all read",
            ms(before),
            Verdict::Shown,
        ),
        Figure::new(
            "p99 of the others while one does not read",
            ms(after),
            Verdict::Shown,
        ),
        Figure::new(
            "it goes up by",
            format!("{up:.1} %"),
            Verdict::Timed(up < 10.0, "< 10 %"),
        ),
        Figure::new("memory of the broker", mib(rss), Verdict::Shown),
        Figure::new(
            "messages that the others got meanwhile",
            format!("{n_reading}+{n_stopped}"),
            Verdict::Firm(
                !is_cut_off && n_reading.min(n_stopped) >= expected,
                "nine of ten at least",
            ),
        ),
    ])
}

/// One of those who read.
async fn tell(mut link: Link, epoch: Instant, delays: Arc<Mutex<Vec<Duration>>>) -> Outcome {
    loop {
        let (_, payload) = link.message().await?;
        let delay = since(epoch, &payload);
        lock(&delays).push(delay);
    }
}

/// The one that stops.
async fn read_in_turns(mut link: Link, mut may_read: watch::Receiver<bool>) -> Outcome {
    loop {
        may_read.wait_for(|reads| *reads).await?;
        link.count().await?;
    }
}

/// What everybody gets.
async fn publish(mut link: Link, epoch: Instant) -> Outcome {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(PER_SECOND)?);
    loop {
        ticks.tick().await;
        let mut payload = stamp(epoch).to_vec();
        payload.resize(64, b'x');
        link.publish("news", &payload, false).await?;
    }
}

/// Four megabytes a second for the one, whether it reads or not.
async fn stream(mut link: Link) -> Outcome {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mut bytes = BytesMut::new();
    for _ in 0..10 {
        put_publish("stream", &[b'x'; 4096], false, &mut bytes)?;
    }
    loop {
        ticks.tick().await;
        link.put_bytes(&bytes).await?;
    }
}
