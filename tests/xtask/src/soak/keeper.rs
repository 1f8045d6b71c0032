//! Retained messages, set, replaced, cleared and left to expire, on topics that stay and on topics that are new; read back by clients that
//! are new as well.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use hookmq_mqtt::{Disconnect, ProtocolVersion, QoS};

use super::client::{Client, Event, Parcel};
use super::ledger::{Flaw, PATIENCE};
use super::{Ground, seconds};
use crate::Outcome;

/// Messages per second.
const RATE: f64 = 30.0;
/// Topics that are set and cleared again and again.
const SLOTS: u64 = 64;
/// New topics that are kept at once; the oldest is cleared then.
const NEW: usize = 200;
/// Message Expiry Interval of some, in seconds.
const BRIEF: u32 = 5;
/// Around its expiry a message may be there or not.
const SLACK: Duration = Duration::from_secs(2);
/// Between two readings.
const READ_EVERY: f64 = 10.0;
/// After all that must be there has come: for what must not.
const LINGER: Duration = Duration::from_millis(300);

/// See the module.
pub(super) struct Keeper {
    client: Client,
    kept: BTreeMap<String, Kept>,
    new: VecDeque<String>,
    next: Instant,
    next_reading: Instant,
    reader: Option<Reader>,
    n_messages: u64,
    n_readers: u64,
}

/// What a topic retains.
#[derive(Clone, Copy)]
struct Kept {
    number: u64,
    expires: Option<Instant>,
}

struct Reader {
    client: Client,
    since: Instant,
    got: BTreeMap<String, u64>,
    /// When all that must be there was.
    complete: Option<Instant>,
}

impl Keeper {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            client: Client::new("keeper".to_owned(), ProtocolVersion::V5).staying(3600),
            kept: BTreeMap::new(),
            new: VecDeque::new(),
            next: now + seconds(1.0),
            next_reading: now + seconds(READ_EVERY),
            reader: None,
            n_messages: 0,
            n_readers: 0,
        }
    }

    /// Whether nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.client.is_quiet() && self.reader.is_none()
    }

    /// One more reading, as soon as it can be.
    pub(super) fn read_now(&mut self) {
        self.next_reading = Instant::now();
    }

    /// Does what there is to do; sets and clears as long as there is load.
    pub(super) fn turn(&mut self, has_load: bool, ground: &mut Ground) -> Outcome {
        if !self.client.is_connected() {
            self.client.connect(ground.address)?;
        }
        for event in self.client.step()? {
            match event {
                Event::Ended => {
                    let words = "the broker ended the keeper's connection";
                    ground.ledger.flaws.add(Flaw::Protocol, words);
                }
                Event::Broken(words) => ground.ledger.flaws.add(Flaw::Protocol, words),
                _ => {}
            }
        }
        let now = Instant::now();
        if self.reader.is_some() {
            return self.read(ground);
        }
        if now >= self.next_reading {
            // What is under way would be there or not.
            if self.client.is_up() && self.client.is_idle() {
                self.next_reading = now + seconds(READ_EVERY);
                self.send_reader(ground)?;
            }
        } else if has_load && now >= self.next && self.client.has_room() {
            self.next = now + seconds(2.0 * ground.rng.f64() / RATE);
            self.keep(ground)?;
        }
        Ok(())
    }

    fn keep(&mut self, ground: &mut Ground) -> Outcome {
        self.n_messages += 1;
        let number = self.n_messages;
        let slot = ground.rng.u64(..SLOTS);
        let (topic, is_clear, expiry) = match ground.rng.u8(..10) {
            0..5 => (format!("kept/{slot}"), false, None),
            5 => (format!("kept/{slot}"), true, None),
            6 => (format!("kept/brief/{number}"), false, Some(BRIEF)),
            _ if self.new.len() < NEW => (format!("kept/new/{number}"), false, None),
            _ => (self.new.pop_front().unwrap_or_default(), true, None),
        };
        if is_clear {
            self.kept.remove(&topic);
        } else {
            let expires = expiry.map(|expiry| Instant::now() + Duration::from_secs(expiry.into()));
            self.kept.insert(topic.clone(), Kept { number, expires });
            if topic.starts_with("kept/new/") {
                self.new.push_back(topic.clone());
            }
            if topic.len() > "kept/00".len() {
                ground.ledger.counts.topics += 1;
            }
        }
        ground.ledger.counts.retained_set += 1;
        let payload = match is_clear {
            true => Vec::new(),
            false => format!("{number} is kept").into_bytes(),
        };
        let qos = if ground.rng.bool() {
            QoS::AtLeastOnce
        } else {
            QoS::ExactlyOnce
        };
        let parcel = Parcel {
            topic,
            payload,
            retain: true,
            expiry,
            tag: number,
        };
        self.client.publish(qos, parcel)
    }

    fn send_reader(&mut self, ground: &mut Ground) -> Outcome {
        // What expired long ago must not be seen again, and is not looked for for ever.
        let now = Instant::now();
        self.kept
            .retain(|_, kept| kept.expires.is_none_or(|expires| now < expires + SLACK));
        self.n_readers += 1;
        let mut client = Client::new(format!("reader-{}", self.n_readers), ProtocolVersion::V5);
        client.connect(ground.address)?;
        ground.ledger.counts.client_ids += 1;
        ground.ledger.counts.connects += 1;
        self.reader = Some(Reader {
            client,
            since: now,
            got: BTreeMap::new(),
            complete: None,
        });
        Ok(())
    }

    fn read(&mut self, ground: &mut Ground) -> Outcome {
        let Some(reader) = &mut self.reader else {
            return Ok(());
        };
        for event in reader.client.step()? {
            match event {
                Event::Up { .. } => {
                    let filters = ["kept/#".to_owned()];
                    reader.client.subscribe(&filters, QoS::AtLeastOnce)?;
                }
                Event::Message(message) => {
                    let text = str::from_utf8(&message.payload).unwrap_or_default();
                    let number = text.strip_suffix(" is kept");
                    let number = number.and_then(|number| number.parse().ok());
                    if !message.retain || number.is_none() {
                        let words = format!("read {message:?}");
                        ground.ledger.flaws.add(Flaw::Retained, words);
                    }
                    let before = reader.got.insert(message.topic, number.unwrap_or(0));
                    if before.is_some() {
                        ground
                            .ledger
                            .flaws
                            .add(Flaw::Retained, "a topic was read twice");
                    }
                    ground.ledger.counts.retained_read += 1;
                }
                Event::Ended => {
                    let words = "the broker ended the reader's connection";
                    ground.ledger.flaws.add(Flaw::Protocol, words);
                    self.reader = None;
                    return Ok(());
                }
                Event::Broken(words) => ground.ledger.flaws.add(Flaw::Protocol, words),
                Event::Acknowledged { .. } | Event::Answered { .. } => {}
            }
        }
        let now = Instant::now();
        let is_late = reader.since.elapsed() > PATIENCE;
        if reader.complete.is_none() {
            let mut all = self.kept.iter();
            let is_there = all.all(|(topic, kept)| {
                let is_brief = kept.expires.is_some_and(|expires| now + SLACK > expires);
                is_brief || reader.got.contains_key(topic)
            });
            reader.complete = (is_there || is_late).then_some(now);
        }
        if reader.complete.is_some_and(|since| now >= since + LINGER) {
            reader.client.leave(Disconnect::default())?;
            judge(&self.kept, reader, ground);
            self.reader = None;
        }
        Ok(())
    }
}

fn judge(kept: &BTreeMap<String, Kept>, reader: &Reader, ground: &mut Ground) {
    for (topic, kept) in kept {
        let may_be_gone = kept
            .expires
            .is_some_and(|expires| Instant::now() + SLACK > expires);
        match reader.got.get(topic) {
            Some(number) if *number == kept.number => {}
            None if may_be_gone => ground.ledger.counts.messages_expired += 1,
            found => {
                let words = format!("{topic} has {found:?}, not {}", kept.number);
                ground.ledger.flaws.add(Flaw::Retained, words);
            }
        }
    }
    for topic in reader.got.keys().filter(|topic| !kept.contains_key(*topic)) {
        let words = format!("{topic} was cleared, or has expired");
        ground.ledger.flaws.add(Flaw::Retained, words);
    }
}
