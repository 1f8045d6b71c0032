//! A broker with few file descriptors, and more clients than that. Who is in is served; who is not comes in when there is room; the
//! config stays what it was.

use std::path::Path;
use std::time::{Duration, Instant};

use super::host::Host;
use super::link::Link;
use super::witness::Witness;
use super::{Figure, Verdict, ms, p99};
use crate::Outcome;

/// What the broker may open.
const DESCRIPTORS: u32 = 256;
/// Who is not in by then waits for a descriptor.
const MOMENT: Duration = Duration::from_millis(500);

/// Plays it.
///
/// # Errors
/// When the broker ends, or does not say what it should.
pub(super) async fn play(binary: &Path) -> Outcome<Vec<Figure>> {
    let host = Host::start_with(binary, "", "[log]\nlevel = \"info\"\n", Some(DESCRIPTORS))?;
    let witness = Witness::start(host.address)?;
    let mut inside = Vec::new();
    loop {
        let client_id = format!("c{}", inside.len());
        let connecting = Link::connect(host.address, &client_id);
        match tokio::time::timeout(MOMENT, connecting).await {
            Ok(link) => inside.push(link?),
            Err(_) => break,
        }
        if inside.len() > DESCRIPTORS as usize {
            return Err("the broker has more descriptors than it may".into());
        }
    }
    host.says("accepting rests").await?;
    let n_inside = inside.len();
    witness.take()?;
    let waiting = {
        let address = host.address;
        tokio::spawn(async move { Link::connect(address, "waiting").await })
    };
    // A config that cannot be opened now.
    host.reload("[log]\nlevel = \"debug\"\n")?;
    host.says("reload refused, what ran before runs on").await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for link in &mut inside {
        link.ping().await?;
    }
    let mut delays = witness.take()?;
    let n_served = delays.len();
    let is_kept_out = !waiting.is_finished();
    inside.truncate(n_inside / 2);
    let begun = Instant::now();
    waiting.await??;
    let comes_in = begun.elapsed();
    host.says("accepting goes on").await?;
    host.reload("[log]\nlevel = \"debug\"\n")?;
    host.says("log level is now debug").await?;
    let n_rests = host.log().matches("accepting rests").count();
    drop((witness, inside));
    host.stop()?;
    Ok(vec![
        Figure::new(
            format!("clients in with {DESCRIPTORS} descriptors"),
            n_inside,
            Verdict::Shown,
        ),
        Figure::new(
            "p99 of those who are in, while nobody else gets in",
            ms(p99(&mut delays)),
            Verdict::Shown,
        ),
        Figure::new(
            "messages that they got meanwhile",
            n_served,
            Verdict::Firm(is_kept_out && n_served > 100, "they are served"),
        ),
        Figure::new(
            "who waits is in, once there is room, after",
            ms(comes_in),
            Verdict::Timed(comes_in < Duration::from_secs(1), "< 1 s"),
        ),
        Figure::new(
            "lines in the log about it",
            n_rests,
            Verdict::Firm(n_rests <= 3, "a few"),
        ),
        Figure::new(
            "a reload meanwhile is refused, a later one is not",
            "yes",
            Verdict::Firm(true, "both"),
        ),
    ])
}
