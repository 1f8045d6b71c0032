//! Clients with a Will that end in every way there is, each with a new Client Identifier: whose Will must come comes once and not before
//! its time, whose must not never does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hookmq_mqtt::{Disconnect, ProtocolVersion, QoS, ReasonCode, TopicName, Will};

use super::client::{Client, Event};
use super::ledger::{Flaw, PATIENCE};
use super::{Ground, seconds};
use crate::Outcome;

/// Clients per second.
const RATE: f64 = 6.0;
/// How long one that must not come is waited for.
const SILENCE: Duration = Duration::from_secs(15);
/// Clocks of two processes and whole seconds of the standard: no Will is early by less.
const SLACK: Duration = Duration::from_millis(300);

/// How a client ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its connection just ends.
    Vanishes,
    /// It says DISCONNECT, and that the Will is to be published (MQTT 5.0).
    Wills,
    /// It says DISCONNECT.
    Leaves,
    /// It vanishes and is back before its Will Delay Interval has passed (MQTT 5.0); then it leaves.
    ComesBack,
}

/// See the module.
pub(super) struct Mortals {
    watcher: Client,
    is_watching: bool,
    living: Vec<Mortal>,
    wills: BTreeMap<u64, Owed>,
    next: Instant,
    n_mortals: u64,
}

struct Mortal {
    number: u64,
    client: Client,
    end: End,
    qos: QoS,
    delay: Duration,
    /// When it ends, once it is up; or when it comes back.
    at: Option<Instant>,
    is_back: bool,
    born: Instant,
}

/// A Will whose client has ended.
struct Owed {
    qos: QoS,
    state: State,
}

enum State {
    /// Must come, and not before; `true` if it is counted as missing.
    Due(Instant, bool),
    /// Has come then, or must not come; forgotten after a while.
    Silent(Instant),
}

impl Mortals {
    /// Nobody yet.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            watcher: Client::new("watcher-of-wills".to_owned(), ProtocolVersion::V5).staying(3600),
            is_watching: false,
            living: Vec::new(),
            wills: BTreeMap::new(),
            next: now + seconds(1.0),
            n_mortals: 0,
        }
    }

    /// Wills that must still come.
    pub(super) fn n_owed(&self) -> usize {
        let owed = self.wills.values();
        let owed = owed.filter(|owed| matches!(owed.state, State::Due(..)));
        owed.count() + self.living.len()
    }

    /// Whether the watcher has nothing under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.watcher.is_quiet()
    }

    /// Lets everybody do what there is to do; new ones come as long as there is load.
    pub(super) fn turn(&mut self, has_load: bool, ground: &mut Ground) -> Outcome {
        if !self.watcher.is_connected() {
            self.watcher.connect(ground.address)?;
        }
        for event in self.watcher.step()? {
            self.watch(event, ground)?;
        }
        let now = Instant::now();
        if has_load && self.is_watching && now >= self.next {
            self.next = now + seconds(2.0 * ground.rng.f64() / RATE);
            self.bear(ground)?;
        }
        let mut at = 0;
        while let Some(mortal) = self.living.get_mut(at) {
            match mortal.turn(ground)? {
                None => at += 1,
                Some(owed) => {
                    if matches!(owed.state, State::Silent(_)) {
                        ground.ledger.counts.wills_cancelled += 1;
                    }
                    self.wills.insert(mortal.number, owed);
                    self.living.swap_remove(at);
                }
            }
        }
        Ok(())
    }

    /// Counts what is missing, and forgets what is over.
    pub(super) fn look(&mut self, ground: &mut Ground) {
        let now = Instant::now();
        for (number, owed) in &mut self.wills {
            if let State::Due(since, is_counted @ false) = &mut owed.state
                && now > *since + PATIENCE
            {
                *is_counted = true;
                let words = format!("the Will of mortal-{number} does not come");
                ground.ledger.flaws.add(Flaw::Will, words);
            }
        }
        self.wills.retain(|_, owed| match owed.state {
            State::Due(since, _) => now < since + PATIENCE * 4,
            State::Silent(since) => now < since + SILENCE,
        });
    }

    fn bear(&mut self, ground: &mut Ground) -> Outcome {
        self.n_mortals += 1;
        let number = self.n_mortals;
        let end = match ground.rng.u8(..8) {
            0..4 => End::Vanishes,
            4 => End::Wills,
            5 | 6 => End::Leaves,
            _ => End::ComesBack,
        };
        let is_v5 = !matches!(end, End::Vanishes | End::Leaves) || ground.rng.bool();
        let version = if is_v5 {
            ProtocolVersion::V5
        } else {
            ProtocolVersion::V311
        };
        let qos = if ground.rng.bool() {
            QoS::AtLeastOnce
        } else {
            QoS::ExactlyOnce
        };
        let delay = match (is_v5, end) {
            (false, _) => 0,
            (_, End::ComesBack) => 6,
            _ if ground.rng.bool() => 0,
            _ => ground.rng.u32(1..6),
        };
        let mut client = Client::new(format!("mortal-{number}"), version);
        // A Session that ends earlier than the delay sends the Will when it ends [MQTT-3.1.3-9].
        let expiry = match end {
            End::ComesBack => 30,
            _ => ground.rng.u32(1..8),
        };
        if is_v5 {
            client = client.staying(expiry);
        }
        let topic = TopicName::parse(&format!("wills/{number}"))
            .map_err(|error| format!("a topic of a Will: {error}"))?;
        let mut will = Will::new(topic, number.to_string().into_bytes().into());
        will.qos = qos;
        will.delay_interval = delay;
        client.will = Some(will);
        client.connect(ground.address)?;
        ground.ledger.counts.client_ids += 1;
        ground.ledger.counts.topics += 1;
        self.living.push(Mortal {
            number,
            client,
            end,
            qos,
            delay: Duration::from_secs(delay.min(expiry).into()),
            at: None,
            is_back: false,
            born: Instant::now(),
        });
        Ok(())
    }

    fn watch(&mut self, event: Event, ground: &mut Ground) -> Outcome {
        match event {
            Event::Up { session_present } if self.is_watching && !session_present => {
                let words = "the watcher of Wills has no Session any more";
                ground.ledger.flaws.add(Flaw::Session, words);
                self.watcher
                    .subscribe(&["wills/#".to_owned()], QoS::ExactlyOnce)?;
            }
            Event::Up { .. } if !self.is_watching => {
                self.watcher
                    .subscribe(&["wills/#".to_owned()], QoS::ExactlyOnce)?;
            }
            Event::Answered { .. } => self.is_watching = true,
            Event::Message(message) => {
                let number = str::from_utf8(&message.payload).unwrap_or_default();
                let number = number.parse::<u64>().unwrap_or_default();
                self.judge(number, message.qos, ground);
            }
            Event::Broken(words) => ground.ledger.flaws.add(Flaw::Protocol, words),
            Event::Ended => {
                let words = "the broker ended the connection of the watcher of Wills";
                ground.ledger.flaws.add(Flaw::Protocol, words);
            }
            Event::Up { .. } | Event::Acknowledged { .. } => {}
        }
        Ok(())
    }

    fn judge(&mut self, number: u64, qos: QoS, ground: &mut Ground) {
        let now = Instant::now();
        let told = format!("the Will of mortal-{number}");
        let Some(owed) = self.wills.get_mut(&number) else {
            let words = if self.living.iter().any(|mortal| mortal.number == number) {
                format!("{told} comes while it lives")
            } else {
                format!("{told} comes, and was not to, or long ago")
            };
            return ground.ledger.flaws.add(Flaw::WillAnyway, words);
        };
        match owed.state {
            State::Due(since, is_counted) => {
                if is_counted {
                    let words = format!("{told} comes after {:?}", now - since);
                    ground.ledger.flaws.add(Flaw::Will, words);
                } else if now + SLACK < since {
                    let words = format!("{told} comes {:?} early", since - now);
                    ground.ledger.flaws.add(Flaw::WillAnyway, words);
                }
                if owed.qos != qos {
                    let words = format!("{told} comes with {qos:?}, not {:?}", owed.qos);
                    ground.ledger.flaws.add(Flaw::Garbage, words);
                }
                ground.ledger.counts.wills += 1;
                owed.state = State::Silent(now);
            }
            // At least once is not once: the watcher itself is never cut off, so nothing excuses it.
            State::Silent(_) => {
                let words = format!("{told} comes again, or was not to come");
                ground.ledger.flaws.add(Flaw::WillAnyway, words);
            }
        }
    }
}

impl Mortal {
    /// What is owed once it has ended.
    fn turn(&mut self, ground: &mut Ground) -> Outcome<Option<Owed>> {
        let now = Instant::now();
        for event in self.client.step()? {
            match event {
                Event::Up { session_present } => {
                    ground.ledger.counts.connects += 1;
                    if self.is_back && !session_present {
                        let words = format!("{} is back too late", self.client.name);
                        ground.ledger.flaws.add(Flaw::Session, words);
                    }
                    self.at = Some(now + seconds(0.2 + 2.0 * ground.rng.f64()));
                }
                Event::Ended => {
                    let words = format!("{}: the broker ended the connection", self.client.name);
                    ground.ledger.flaws.add(Flaw::Protocol, words);
                    return Ok(Some(self.silent()));
                }
                Event::Broken(words) => {
                    let words = format!("{}: {words}", self.client.name);
                    ground.ledger.flaws.add(Flaw::Protocol, words);
                }
                _ => {}
            }
        }
        if self.born.elapsed() > PATIENCE && !self.client.is_up() {
            let words = format!("{} is not let in", self.client.name);
            ground.ledger.flaws.add(Flaw::Protocol, words);
            return Ok(Some(self.silent()));
        }
        if self.at.is_none_or(|at| now < at) {
            return Ok(None);
        }
        match self.end {
            End::Vanishes => {
                self.client.vanish();
                Ok(Some(self.due()))
            }
            End::Wills => {
                let with_will = Disconnect::new(ReasonCode::DisconnectWithWillMessage);
                self.client.leave(with_will)?;
                Ok(Some(self.due()))
            }
            End::ComesBack if !self.is_back => {
                if self.client.is_up() {
                    self.client.vanish();
                    self.at = Some(now + seconds(0.5 + 2.0 * ground.rng.f64()));
                } else {
                    self.is_back = true;
                    self.at = None;
                    self.client.connect(ground.address)?;
                }
                Ok(None)
            }
            End::Leaves | End::ComesBack => {
                self.client.leave(Disconnect::default())?;
                Ok(Some(self.silent()))
            }
        }
    }

    fn due(&self) -> Owed {
        Owed {
            qos: self.qos,
            state: State::Due(Instant::now() + self.delay, false),
        }
    }

    fn silent(&self) -> Owed {
        Owed {
            qos: self.qos,
            state: State::Silent(Instant::now()),
        }
    }
}
