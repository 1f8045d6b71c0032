//! What a soak says: a line per minute, and the figures at the end.

use std::time::Duration;

use super::Ground;
use super::host::{Host, Sample, slope};
use super::ledger::Flaw;
use crate::Outcome;

/// Between two lines of the table.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// The longest warm-up, in which the broker may grow: caches and tables fill up to their limits. Of a short run it is a third.
const WARM_UP: Duration = Duration::from_secs(600);
/// From so long on a run is judged by its growth,
const JUDGED_FROM: Duration = Duration::from_secs(20 * 60);
/// which may be this many bytes per minute.
const MAX_SLOPE: f64 = 1e6;

/// The head of the table.
pub(super) fn head() {
    println!(
        "{:>6} {:>10} {:>7} {:>8} {:>9} {:>5} {:>7} {:>8} {:>8} {:>6} {:>6}",
        "minute",
        "messages",
        "per s",
        "RSS MB",
        "store MB",
        "fds",
        "threads",
        "ids",
        "topics",
        "lost",
        "flaws"
    );
}

/// One line of the table; how many messages there were.
pub(super) fn minute(host: &Host, ground: &Ground, at: Duration, before: u64) -> u64 {
    let sample = host.sample(at);
    let counts = ground.ledger.counts;
    let messages = n_messages(ground);
    println!(
        "{:>6.0} {messages:>10} {:>7} {:>8.1} {:>9.1} {:>5} {:>7} {:>8} {:>8} {:>6} {:>6}",
        at.as_secs_f64() / 60.0,
        (messages - before) / MINUTE.as_secs(),
        mb(sample.rss),
        mb(sample.folder),
        sample.fds,
        sample.threads,
        counts.client_ids,
        counts.topics,
        ground.ledger.flaws.n(Flaw::Lost),
        ground.ledger.flaws.n_all()
    );
    messages
}

/// Prints the report.
///
/// # Errors
/// When there was any flaw, or growth in a run that is long enough.
pub(super) fn tell(host: &Host, ground: &Ground, samples: &[Sample], took: Duration) -> Outcome {
    let ledger = &ground.ledger;
    let counts = ledger.counts;
    let warm_up = WARM_UP.min(took / 3);
    let grows = slope(samples, warm_up, |sample| sample.rss);
    println!(
        "soak: {:.1} minutes; {} connections of {} client ids and more, {} takeovers, {} topics, {} reloads",
        took.as_secs_f64() / 60.0,
        counts.connects,
        counts.client_ids,
        counts.takeovers,
        counts.topics,
        counts.reloads
    );
    println!(
        "  sent {}, acknowledged {}, delivered {} and {} with QoS 0, QoS 1 again {}, late {}",
        counts.sent,
        counts.acknowledged,
        counts.delivered,
        counts.delivered_qos0,
        counts.again,
        counts.late
    );
    println!(
        "  lost {}, QoS 2 twice {}; Wills: {} came, {} did not, {} withheld, {} came anyway",
        ledger.flaws.n(Flaw::Lost),
        ledger.flaws.n(Flaw::Twice),
        counts.wills,
        ledger.flaws.n(Flaw::Will),
        counts.wills_cancelled,
        ledger.flaws.n(Flaw::WillAnyway)
    );
    println!(
        "  SUBACK and UNSUBACK {}; retained {} set, {} read; sessions {} resumed, {} expired; messages expired {}",
        counts.subscribed,
        counts.retained_set,
        counts.retained_read,
        counts.sessions_resumed,
        counts.sessions_expired,
        counts.messages_expired
    );
    println!(
        "  growth after {:.1} minutes of warm-up: RSS {:+.3} MB/min, store {:+.3} MB/min, descriptors {:+.3}/min",
        warm_up.as_secs_f64() / 60.0,
        grows / 1e6,
        slope(samples, warm_up, |sample| sample.folder) / 1e6,
        slope(samples, warm_up, |sample| sample.fds)
    );
    if ledger.flaws.n_all() > 0 {
        return Err(format!(
            "{} flaws; the folder is left in {}\n{}",
            ledger.flaws.n_all(),
            host.folder().display(),
            ledger.flaws
        )
        .into());
    }
    if took >= JUDGED_FROM && grows >= MAX_SLOPE {
        return Err(format!(
            "the broker grows by {:.2} MB per minute after {:.1} minutes",
            grows / 1e6,
            warm_up.as_secs_f64() / 60.0
        )
        .into());
    }
    Ok(())
}

/// Messages so far, sent and delivered.
pub(super) fn n_messages(ground: &Ground) -> u64 {
    let counts = ground.ledger.counts;
    counts.sent + counts.delivered + counts.delivered_qos0
}

/// In millions.
pub(super) fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
