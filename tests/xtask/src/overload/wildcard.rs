//! `#` over a million retained messages, by clients that read and one that does not. What others see of it, and what it takes.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::host::Host;
use super::link::{Link, put_publish};
use super::witness::Witness;
use super::{Figure, Scale, Verdict, mib, ms, p99};
use crate::Outcome;

/// Clients that subscribe and read.
const READERS: usize = 3;
/// What each connection may hold besides, twice over, and some room for the allocator.
const ROOM: u64 = 64 << 20;

/// Plays it.
///
/// # Errors
/// When the broker does not serve its clients.
pub(super) async fn play(binary: &Path, scale: Scale) -> Outcome<Vec<Figure>> {
    let n_retained = scale.of(1_000_000);
    let host = Host::start(binary, "", "[retained]\nmaximum_messages = 2000000\n")?;
    fill(&host, n_retained).await?;
    let witness = Witness::start(host.address)?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut before = witness.take()?;
    let rss = host.rss();

    let mut stuck = Link::connect_narrow(host.address, "stuck").await?;
    stuck.subscribe(&["#"]).await?;
    let begun = Instant::now();
    let mut readers = Vec::new();
    for n in 0..READERS {
        let mut link = Link::connect(host.address, &format!("reader{n}")).await?;
        readers.push(tokio::spawn(async move {
            link.subscribe(&["all/#"]).await?;
            let mut n_got = 0;
            while n_got < n_retained {
                n_got += link.count().await?;
            }
            Outcome::Ok(n_got)
        }));
    }
    let mut highest = rss;
    while !readers.iter().all(tokio::task::JoinHandle::is_finished) {
        highest = highest.max(host.rss());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = begun.elapsed();
    let mut n_got = 0;
    for reader in readers {
        n_got += reader.await??;
    }
    let mut beside = witness.take()?;
    drop((witness, stuck));
    host.stop()?;
    let (before, beside) = (p99(&mut before), p99(&mut beside));
    let grown = highest - rss;
    Ok(vec![
        Figure::new(
            format!("{n_retained} messages to each of {READERS} take"),
            ms(took),
            Verdict::Shown,
        ),
        Figure::new("p99 of others before", ms(before), Verdict::Shown),
        Figure::new(
            "p99 of others meanwhile",
            ms(beside),
            Verdict::Timed(beside < Duration::from_millis(50), "< 50 ms"),
        ),
        Figure::new("memory with all retained", mib(rss), Verdict::Shown),
        Figure::new(
            "it grows by, at most",
            mib(grown),
            Verdict::Firm(grown < ROOM, "< 64 MiB"),
        ),
        Figure::new(
            "messages that came",
            n_got,
            Verdict::Firm(n_got == n_retained * READERS, "all"),
        ),
    ])
}

async fn fill(host: &Host, n_retained: usize) -> Outcome {
    let mut publisher = Link::connect(host.address, "p").await?;
    let mut bytes = BytesMut::new();
    for n in 0..n_retained {
        let topic = format!("all/{}/{}/{n}", n % 100, n % 1_000);
        put_publish(&topic, &[b'x'; 64], true, &mut bytes)?;
        if bytes.len() > 60_000 {
            publisher.put_bytes(&bytes).await?;
            bytes.clear();
        }
    }
    publisher.put_bytes(&bytes).await?;
    publisher.ping().await
}
