//! How much the store takes, and how fast it opens.
//!
//! ```text
//! cargo run --release -p hookmq-store --example commit_rate [FOLDER] [SECONDS] [what: raw|rates|fan|open]
//! ```
//!
//! Prints batches and messages a second for batches of 1, 64 and 1000 messages that come, while those of the batch before go, at both
//! durabilities; the rate of `fdatasync` of the same disk beside it; and the time to open a store of 1 M queued messages, 100 k Retained
//! Messages and 100 k subscriptions. The folder is emptied first.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hookmq_broker::store::{
    Change, Durability, Moment, Place, SessionNumber, Store, StoredSession, StoredSubscription,
};
use hookmq_broker::{Delivery, Identifiers, Message, Source};
use hookmq_mqtt::{ClientId, ProtocolVersion, QoS, SubscriptionOptions, TopicFilter, TopicName};
use hookmq_store::{DiskStore, StoreOptions};

const PAYLOAD_LEN: usize = 256;
const N_SESSIONS: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().map_or_else(
        || std::env::temp_dir().join("hookmq-commit-rate"),
        PathBuf::from,
    );
    let seconds = args.next().map_or(Ok(3), |text| text.parse())?;
    let what = args.next();
    let is_wanted = |part: &str| what.as_deref().is_none_or(|only| only == part);
    let time = Duration::from_secs(seconds);
    if is_wanted("raw") {
        println!(
            "fdatasync after an append of {PAYLOAD_LEN} bytes: {:.0} a second",
            raw_rate(&folder, time)?
        );
    }
    if is_wanted("rates") {
        println!(
            "durability  batch  batches/s  messages/s  CPU us/message  of them this thread  folder MB"
        );
        for durability in [Durability::Os, Durability::Disk] {
            for n_messages in [1, 64, 1000] {
                rate(&folder, durability, n_messages, time)?;
            }
        }
    }
    if is_wanted("fan") {
        for n_queues in [10, 1000] {
            fan_out(&folder, n_queues, time)?;
        }
    }
    if is_wanted("open") {
        open_time(&folder)?;
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn raw_rate(folder: &Path, time: Duration) -> Result<f64, Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let mut file = File::create(folder.join("raw"))?;
    let started = Instant::now();
    let mut n_syncs = 0.0;
    while started.elapsed() < time {
        file.write_all(&[7; PAYLOAD_LEN])?;
        file.sync_data()?;
        n_syncs += 1.0;
    }
    Ok(n_syncs / started.elapsed().as_secs_f64())
}

fn rate(
    folder: &Path,
    durability: Durability,
    n_messages: u64,
    time: Duration,
) -> Result<(), Box<dyn Error>> {
    let mut store = empty(folder)?;
    let started = Instant::now();
    let cpu = Cpu::now();
    let (mut n_batches, mut number) = (0_u32, 1000);
    let mut here: Vec<Change> = Vec::new();
    let mut making = Duration::ZERO;
    while started.elapsed() < time {
        let make = Instant::now();
        let mut batch = Vec::with_capacity(here.len() * 2);
        for change in here.drain(..) {
            if let Change::Queued(session, place, message, _) = change {
                batch.push(Change::Done(session, place, message, false));
            }
        }
        for _ in 0..n_messages {
            number += 1;
            let queued = Change::Queued(
                SessionNumber(1 + number % N_SESSIONS),
                Place::new(number, false),
                message("sensor/1/temperature", number),
                delivery(),
            );
            batch.push(queued.clone());
            here.push(queued);
        }
        making += make.elapsed();
        store.commit(&batch, durability, moment())?;
        n_batches += 1;
    }
    let passed = started.elapsed().as_secs_f64();
    let spent = cpu.since();
    let n = f64::from(n_batches) * n_messages as f64;
    println!(
        "{:10}  {n_messages:5}  {:9.0}  {:10.0}  {:14.1}  {:19.1}  {:9}",
        format!("{durability:?}"),
        f64::from(n_batches) / passed,
        n / passed,
        spent.process * 1e6 / n,
        (spent.thread - making.as_secs_f64()) * 1e6 / n,
        size(folder)? >> 20,
    );
    Ok(())
}

fn fan_out(folder: &Path, n_queues: u64, time: Duration) -> Result<(), Box<dyn Error>> {
    let mut store = empty(folder)?;
    let started = Instant::now();
    let cpu = Cpu::now();
    let (mut n_entries, mut number) = (0.0, 1000);
    let mut here: Vec<Change> = Vec::new();
    while started.elapsed() < time {
        let mut batch = Vec::new();
        for change in here.drain(..) {
            if let Change::Queued(session, place, message, _) = change {
                batch.push(Change::Done(session, place, message, false));
            }
        }
        for _ in 0..1000 / n_queues {
            let message = message("news", number);
            for session in 1..=n_queues {
                number += 1;
                let queued = Change::Queued(
                    SessionNumber(session),
                    Place::new(number, true),
                    Arc::clone(&message),
                    delivery(),
                );
                batch.push(queued.clone());
                here.push(queued);
                n_entries += 1.0;
            }
        }
        store.commit(&batch, Durability::Os, moment())?;
    }
    let passed = started.elapsed().as_secs_f64();
    println!(
        "one message for {n_queues} queues, Os: {:.0} entries a second, {:.1} us CPU each",
        n_entries / passed,
        cpu.since().process * 1e6 / n_entries
    );
    Ok(())
}

fn open_time(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut store = empty(folder)?;
    let started = Instant::now();
    let mut number = 10_000;
    let mut batch = Vec::new();
    for round in 0..1000 {
        for at in 0..100 {
            let topic = format!("retained/{round}/{at}");
            batch.push(Change::Retained(message(&topic, round)));
            let filter = TopicFilter::parse(&format!("a/{at}/+"))?;
            let subscription = StoredSubscription {
                options: SubscriptionOptions::default(),
                identifier: None,
                tags: Vec::new(),
                asked: (SubscriptionOptions::default(), None),
            };
            batch.push(Change::Subscribed(
                SessionNumber(1 + round),
                filter,
                subscription.into(),
            ));
        }
        for session in 1..=1000 {
            number += 1;
            batch.push(Change::Queued(
                SessionNumber(session),
                Place::new(number, false),
                message("sensor/1/temperature", number),
                delivery(),
            ));
        }
        batch.push(Change::Session(session(1 + round).into()));
        store.commit(&batch, Durability::Disk, moment())?;
        batch.clear();
    }
    println!(
        "1.2 M records written in {:.1} s, {} MB",
        started.elapsed().as_secs_f64(),
        size(folder)? >> 20
    );
    drop(store);
    let started = Instant::now();
    let mut store = DiskStore::open(folder, StoreOptions::default())?;
    let opened = started.elapsed();
    let restored = store.load(moment())?;
    let loaded = started.elapsed();
    let mut n_queued = 0;
    let mut kept = Vec::new();
    while let Some(queue) = store.load_queue(moment())? {
        n_queued += queue.messages.len();
        kept.push(queue);
    }
    println!(
        "opened after {:.2} s; {} sessions and {} retained messages after {:.2} s; {n_queued} queued messages after {:.2} s; {} MB of memory",
        opened.as_secs_f64(),
        restored.sessions.len(),
        restored.retained.len(),
        loaded.as_secs_f64(),
        started.elapsed().as_secs_f64(),
        resident()? >> 20,
    );
    Ok(())
}

fn empty(folder: &Path) -> Result<DiskStore, Box<dyn Error>> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let mut store = DiskStore::open(folder, StoreOptions::default())?;
    store.load(moment())?;
    while store.load_queue(moment())?.is_some() {}
    Ok(store)
}

fn moment() -> Moment {
    Moment {
        now: Instant::now(),
        wall: SystemTime::now(),
    }
}

fn message(topic: &str, seed: u64) -> Arc<Message> {
    // Not always the same, and not to be made smaller.
    let mut random = fastrand::Rng::with_seed(seed);
    let mut payload = vec![0; PAYLOAD_LEN];
    random.fill(&mut payload);
    Arc::new(Message {
        topic: TopicName::parse(topic).expect("a Topic Name"),
        payload: payload.into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        expires_at: None,
        sender: Some(ClientId::from("publisher-1")),
        source: Source::Client,
    })
}

fn delivery() -> Delivery {
    Delivery {
        qos: QoS::AtLeastOnce,
        retain: false,
        identifiers: Identifiers::new(),
    }
}

fn session(number: u64) -> StoredSession {
    StoredSession {
        number: SessionNumber(number),
        client_id: ClientId::from(format!("client-{number}")),
        username: None,
        endpoint: "127.0.0.1:50000".to_owned(),
        listener: "default".to_owned(),
        version: ProtocolVersion::V5,
        keep_alive: 60,
        session_expiry_interval: u32::MAX,
        will: None,
        away_since: Some(SystemTime::now()),
    }
}

/// Seconds of processor time.
struct Cpu {
    process: f64,
    thread: f64,
}

impl Cpu {
    fn now() -> Self {
        let spent = |path: &str| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let fields = text.rsplit(')').next().unwrap_or_default();
            let mut ticks = fields.split_whitespace().skip(11);
            let mut next = || ticks.next().and_then(|it| it.parse().ok()).unwrap_or(0.0);
            (next() + next()) / 100.0
        };
        Self {
            process: spent("/proc/self/stat"),
            thread: spent("/proc/thread-self/stat"),
        }
    }

    fn since(&self) -> Self {
        let now = Self::now();
        Self {
            process: now.process - self.process,
            thread: now.thread - self.thread,
        }
    }
}

/// Bytes that the folder takes on the disk.
fn size(folder: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() {
            size(&entry.path())?
        } else {
            std::os::unix::fs::MetadataExt::blocks(&metadata) * 512
        };
    }
    Ok(sum)
}

fn resident() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = text.split_whitespace().nth(1).unwrap_or("0").parse()?;
    Ok(pages * 4096)
}
