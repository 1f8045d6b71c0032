//! A thousand subscribers, a hundred to a topic, of which one also gets a stream of its own and stops reading. What the others see of it.
//!
//! It reads and stops in turns, so that what the machine does besides falls on both kinds. A turn's p99 is that of eight hundred
//! publications (what one of them brings is late together), and the middle turn of each kind stands for it: one stall of the machine
//! makes the p99 of a turn, and not that of the middle one.

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

/// Topics that the subscribers share.
const N_TOPICS: usize = 10;
/// Publications a second, to the topics in turn: each is read before the next one comes, by the thread that plays all clients.
const PER_SECOND: u32 = 200;
/// Rounds that count: a turn in which all read, one in which the queue of the one fills, one in which it is full,
const ROUNDS: usize = 9;
/// how long a turn is,
const TURN: Duration = Duration::from_secs(4);
/// and how long nothing is counted before it: the queue drains, the socket fills, the queue fills.
const BETWEEN: Duration = Duration::from_secs(2);

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
        link.subscribe(&[&topic(n)]).await?;
        tasks.push(tokio::spawn(tell(link, epoch, Arc::clone(&delays))));
    }
    let (reads, may_read) = watch::channel(true);
    let mut one = Link::connect_narrow(host.address, "stops").await?;
    one.subscribe(&[&topic(0), "stream"]).await?;
    tasks.push(tokio::spawn(read_in_turns(one, may_read)));
    let publisher = Link::connect(host.address, "p").await?;
    tasks.push(tokio::spawn(publish(publisher, epoch)));
    let streamer = Link::connect(host.address, "streamer").await?;
    tasks.push(tokio::spawn(stream(streamer)));
    let mut n_fewest = usize::MAX;
    let (mut reading, mut fills, mut full) = (Vec::new(), Vec::new(), Vec::new());
    // In the first round the broker takes the memory that it keeps.
    for round in 0..=ROUNDS {
        for (does_read, into) in [
            (true, &mut reading),
            (false, &mut fills),
            (false, &mut full),
        ] {
            reads.send_replace(does_read);
            tokio::time::sleep(BETWEEN).await;
            lock(&delays).clear();
            tokio::time::sleep(TURN).await;
            let mut turn = std::mem::take(&mut *lock(&delays));
            n_fewest = n_fewest.min(turn.len());
            if round > 0 {
                into.push(p99(&mut turn));
            }
        }
    }
    let is_cut_off = tasks.iter().any(tokio::task::JoinHandle::is_finished);
    for task in tasks {
        task.abort();
    }
    let n_published = PER_SECOND * u32::try_from(TURN.as_secs())?;
    let expected = usize::try_from(n_published)? * (n_subscribers / N_TOPICS - 1) * 9 / 10;
    let before = middle(&mut reading)?;
    let up = |turn: Duration| (turn.as_secs_f64() / before.as_secs_f64().max(1e-9) - 1.0) * 100.0;
    let (fills_by, full_by) = (up(middle(&mut fills)?), up(middle(&mut full)?));
    let rss = host.rss();
    host.stop()?;
    let timed = |up: f64| Verdict::Timed(up < 10.0, "< 10 %");
    Ok(vec![
        Figure::new(
            "p99 of the others in the middle turn: all read",
            spread(&reading),
            Verdict::Shown,
        ),
        Figure::new(
            "the queue of one that stopped fills",
            spread(&fills),
            Verdict::Shown,
        ),
        Figure::new("it goes up by", format!("{fills_by:.1} %"), timed(fills_by)),
        Figure::new("that queue is full", spread(&full), Verdict::Shown),
        Figure::new("it goes up by", format!("{full_by:.1} %"), timed(full_by)),
        Figure::new("memory of the broker", mib(rss), Verdict::Shown),
        Figure::new(
            "fewest messages that the others got in a turn",
            n_fewest,
            Verdict::Firm(!is_cut_off && n_fewest >= expected, "nine of ten at least"),
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

/// What the others get.
async fn publish(mut link: Link, epoch: Instant) -> Outcome {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    for n in 0.. {
        ticks.tick().await;
        let mut payload = stamp(epoch).to_vec();
        payload.resize(64, b'x');
        link.publish(&topic(n), &payload, false).await?;
    }
    Ok(())
}

/// The topic of a subscriber, or of a publication, by its number.
fn topic(n: usize) -> String {
    format!("news/{}", n % N_TOPICS)
}

/// The turn in the middle, and puts them in order.
fn middle(turns: &mut [Duration]) -> Outcome<Duration> {
    turns.sort_unstable();
    let middle = turns.get(turns.len() / 2).copied();
    middle.ok_or_else(|| "no turn".into())
}

/// The middle one of turns in order, and the outer ones.
fn spread(turns: &[Duration]) -> String {
    let at = |n: usize| turns.get(n).map_or_else(String::new, |turn| ms(*turn));
    let last = turns.len().saturating_sub(1);
    format!("{} ({} to {})", at(turns.len() / 2), at(0), at(last))
}

/// Eight megabytes a second for the one, whether it reads or not: its queue of ten thousand messages is full after five seconds.
async fn stream(mut link: Link) -> Outcome {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mut bytes = BytesMut::new();
    for _ in 0..20 {
        put_publish("stream", &[b'x'; 4096], false, &mut bytes)?;
    }
    loop {
        ticks.tick().await;
        link.put_bytes(&bytes).await?;
    }
}
