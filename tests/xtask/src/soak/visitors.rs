//! Clients that come once, each with a new Client Identifier and topics of its own: some for a moment, some with a Session that outlives
//! their connection, that holds what is published meanwhile, and that ends in time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hookmq_mqtt::{Disconnect, ProtocolVersion, QoS};

use super::client::{Client, Event, Parcel};
use super::ledger::{Flaw, PATIENCE};
use super::{Ground, seconds};
use crate::Outcome;

/// New visitors per second.
const RATE: f64 = 10.0;
/// Visitors at once; no more come before some have gone.
const VISITORS: usize = 400;
/// Session Expiry Interval, in seconds.
const EXPIRY: u32 = 6;
/// When they come back to a Session that is still there,
const SOON: Duration = Duration::from_millis(2_500);
/// and when to one that must have ended.
const LATE: Duration = Duration::from_secs(EXPIRY as u64 + 4);
/// Message Expiry Interval of what must not arrive, in seconds: over when they come back.
const BRIEF: u32 = 1;

/// What was published to a visitor.
const SELF: &[u8] = b"self";
const FIRST: &[u8] = b"first";
const BRIEFLY: &[u8] = b"briefly";
const LAST: &[u8] = b"last";
const TOO_LATE: &[u8] = b"too late";

/// What a visitor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Is there, subscribes, publishes to itself, and gets that.
    Arrives,
    /// Has left its Session behind, and things are published to it.
    Away,
    /// Is back, and gets them.
    Returns,
    /// Has left again, for longer than its Session lasts.
    Expires,
    /// Is back, and there is nothing.
    Starts,
}

/// See the module.
pub(super) struct Visitors {
    postmen: [Client; 2],
    here: BTreeMap<u64, Visitor>,
    next: Instant,
    n_visitors: u64,
}

struct Visitor {
    client: Client,
    qos: QoS,
    /// Whether its Session outlives its connection.
    stays: bool,
    stage: Stage,
    /// Since when it is in this stage.
    since: Instant,
    /// PUBACKs that the postman waits for.
    n_posted: usize,
    /// When all of them had come.
    posted: Option<Instant>,
    /// When it left.
    left: Instant,
    has_self: bool,
    is_answered: bool,
    /// It came back when its Session had ended, as one of the two was held up: nothing is owed to it.
    is_late: bool,
    got: Vec<Vec<u8>>,
}

impl Visitors {
    /// Nobody yet.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let postman = |name: &str| Client::new(name.to_owned(), ProtocolVersion::V5).staying(3600);
        Self {
            postmen: [postman("postman-1"), postman("postman-2")],
            here: BTreeMap::new(),
            next: now + seconds(1.0),
            n_visitors: 0,
        }
    }

    /// How many are on their way.
    pub(super) fn n_here(&self) -> usize {
        self.here.len()
    }

    /// Whether the postmen have nothing under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.postmen.iter().all(Client::is_quiet)
    }

    /// Lets everybody do what there is to do; new ones come as long as there is load.
    pub(super) fn turn(&mut self, has_load: bool, ground: &mut Ground) -> Outcome {
        for postman in &mut self.postmen {
            if !postman.is_connected() {
                postman.connect(ground.address)?;
            }
            for event in postman.step()? {
                match event {
                    Event::Acknowledged { tag } => {
                        ground.ledger.counts.acknowledged += 1;
                        if let Some(visitor) = self.here.get_mut(&tag) {
                            visitor.n_posted = visitor.n_posted.saturating_sub(1);
                            if visitor.n_posted == 0 {
                                visitor.posted = Some(Instant::now());
                            }
                        }
                    }
                    Event::Ended => {
                        let words = "the broker ended a postman's connection";
                        ground.ledger.flaws.add(Flaw::Protocol, words);
                    }
                    Event::Broken(words) => ground.ledger.flaws.add(Flaw::Protocol, words),
                    _ => {}
                }
            }
        }
        let now = Instant::now();
        if has_load && now >= self.next && self.here.len() < VISITORS {
            self.next = now + seconds(2.0 * ground.rng.f64() / RATE);
            self.welcome(ground)?;
        }
        let mut gone = Vec::new();
        for (number, visitor) in &mut self.here {
            if !visitor.turn(*number, &mut self.postmen, ground)? {
                gone.push(*number);
            }
        }
        for number in gone {
            self.here.remove(&number);
        }
        Ok(())
    }

    fn welcome(&mut self, ground: &mut Ground) -> Outcome {
        self.n_visitors += 1;
        let number = self.n_visitors;
        let stays = ground.rng.bool();
        let version = if stays || ground.rng.bool() {
            ProtocolVersion::V5
        } else {
            ProtocolVersion::V311
        };
        let mut client = Client::new(format!("visitor-{number}"), version);
        if stays {
            client = client.staying(EXPIRY);
        }
        client.connect(ground.address)?;
        ground.ledger.counts.client_ids += 1;
        ground.ledger.counts.topics += 1;
        let now = Instant::now();
        let qos = if ground.rng.bool() {
            QoS::AtLeastOnce
        } else {
            QoS::ExactlyOnce
        };
        self.here.insert(
            number,
            Visitor {
                client,
                qos,
                stays,
                stage: Stage::Arrives,
                since: now,
                n_posted: 0,
                posted: None,
                left: now,
                has_self: false,
                is_answered: false,
                is_late: false,
                got: Vec::new(),
            },
        );
        Ok(())
    }
}

impl Visitor {
    /// Whether it goes on.
    fn turn(
        &mut self,
        number: u64,
        postmen: &mut [Client; 2],
        ground: &mut Ground,
    ) -> Outcome<bool> {
        for event in self.client.step()? {
            match event {
                Event::Up { session_present } => self.is_up(number, session_present, ground)?,
                Event::Answered { .. } => {
                    let is_here = self.stage == Stage::Arrives || self.stage == Stage::Starts;
                    if is_here && !self.is_answered {
                        self.is_answered = true;
                        ground.ledger.counts.subscribed += 1;
                        self.publish_to_itself(number)?;
                    }
                }
                Event::Acknowledged { .. } => {
                    self.has_self = true;
                    ground.ledger.counts.acknowledged += 1;
                }
                Event::Message(message) => {
                    ground.ledger.counts.delivered += 1;
                    // What was sent to a connection that had just ended was on its way in time, and is sent again [MQTT-4.4.0-1].
                    if !(message.dup && message.payload == BRIEFLY) {
                        self.got.push(message.payload);
                    }
                }
                Event::Ended => {
                    let words = format!("{}: the broker ended the connection", self.client.name);
                    ground.ledger.flaws.add(Flaw::Protocol, words);
                    return Ok(false);
                }
                Event::Broken(words) => {
                    let words = format!("{}: {words}", self.client.name);
                    ground.ledger.flaws.add(Flaw::Protocol, words);
                }
            }
        }
        if self.is_late {
            return Ok(false);
        }
        if self.since.elapsed() > PATIENCE {
            // What is missing was acknowledged, or it is not even let in.
            let words = format!(
                "{} {:?}: got {} messages, subscribed {}, own acknowledged {}, {} not posted",
                self.client.name,
                self.stage,
                self.got.len(),
                self.is_answered,
                self.has_self,
                self.n_posted
            );
            ground.ledger.flaws.add(Flaw::Lost, words);
            return Ok(false);
        }
        match self.stage {
            Stage::Arrives | Stage::Starts => self.stays_a_while(number, postmen, ground),
            Stage::Away => {
                if self.posted.is_some_and(|posted| posted.elapsed() > SOON) {
                    self.enters(Stage::Returns);
                    self.client.connect(ground.address)?;
                }
                Ok(true)
            }
            Stage::Returns => self.gets_its_post(number, postmen, ground),
            Stage::Expires => {
                if self.left.elapsed() > LATE {
                    self.enters(Stage::Starts);
                    self.client.connect(ground.address)?;
                }
                Ok(true)
            }
        }
    }

    fn is_up(&mut self, number: u64, session_present: bool, ground: &mut Ground) -> Outcome {
        ground.ledger.counts.connects += 1;
        let away = self.left.elapsed();
        let wrong = match self.stage {
            Stage::Arrives => session_present.then_some("has a Session already"),
            Stage::Returns => {
                ground.ledger.counts.sessions_resumed += u64::from(session_present);
                self.is_late = !session_present;
                let is_early = away < Duration::from_secs(EXPIRY.into());
                (!session_present && is_early).then_some("has no Session any more")
            }
            Stage::Starts => {
                ground.ledger.counts.sessions_expired += u64::from(!session_present);
                session_present.then_some("has a Session that has expired")
            }
            Stage::Away | Stage::Expires => None,
        };
        if let Some(wrong) = wrong {
            let words = format!("{} {wrong} after {away:?}", self.client.name);
            ground.ledger.flaws.add(Flaw::Session, words);
        }
        if matches!(self.stage, Stage::Arrives | Stage::Starts) {
            let filters = [format!("visit/{number}/#")];
            self.client.subscribe(&filters, self.qos)?;
        }
        Ok(())
    }

    fn publish_to_itself(&mut self, number: u64) -> Outcome {
        let parcel = Parcel {
            topic: format!("visit/{number}/self"),
            payload: SELF.to_vec(),
            ..Parcel::default()
        };
        self.client.publish(self.qos, parcel)
    }

    /// Until its own message was acknowledged and has come.
    fn stays_a_while(
        &mut self,
        number: u64,
        postmen: &mut [Client; 2],
        ground: &mut Ground,
    ) -> Outcome<bool> {
        if self.got.first().is_some_and(|first| first != SELF) || self.got.len() > 1 {
            let words = format!(
                "{} {:?} gets {}",
                self.client.name,
                self.stage,
                self.texts()
            );
            ground.ledger.flaws.add(Flaw::Stale, words);
            return Ok(false);
        }
        if self.got.is_empty() || !self.has_self || !self.client.is_quiet() {
            return Ok(true);
        }
        if !self.stays || self.stage == Stage::Starts {
            if ground.rng.u8(..4) == 0 {
                self.client.unsubscribe(vec![format!("visit/{number}/#")])?;
                self.client.step()?;
            }
            // A Session that was left with an expiry is left behind by half of them, and ends by itself.
            let mut disconnect = Disconnect::default();
            if self.stage == Stage::Starts && ground.rng.bool() {
                disconnect.session_expiry_interval = Some(0);
            }
            if ground.rng.bool() {
                self.client.leave(disconnect)?;
            } else {
                self.client.vanish();
            }
            return Ok(false);
        }
        if postmen.iter().any(|postman| !postman.has_room()) {
            return Ok(true);
        }
        self.goes(ground)?;
        self.enters(Stage::Away);
        for (name, payload, expiry) in [
            ("first", FIRST, Some(3_600)),
            ("briefly", BRIEFLY, Some(BRIEF)),
            ("last", LAST, None),
        ] {
            self.post(number, name, payload, expiry, postmen, ground)?;
        }
        Ok(true)
    }

    fn gets_its_post(
        &mut self,
        number: u64,
        postmen: &mut [Client; 2],
        ground: &mut Ground,
    ) -> Outcome<bool> {
        let has = |payload: &[u8]| self.got.iter().any(|got| got == payload);
        if !has(FIRST) || !has(LAST) || !self.client.is_quiet() {
            return Ok(true);
        }
        if self.got.len() > 2 {
            let flaw = if has(BRIEFLY) {
                Flaw::Stale
            } else {
                Flaw::Twice
            };
            let words = format!("{} returns to {}", self.client.name, self.texts());
            ground.ledger.flaws.add(flaw, words);
        } else {
            ground.ledger.counts.messages_expired += 1;
        }
        // Half of them let their Session expire and are never seen again.
        let is_the_end = ground.rng.bool();
        if !is_the_end && postmen.iter().any(|postman| !postman.has_room()) {
            return Ok(true);
        }
        self.goes(ground)?;
        if is_the_end {
            return Ok(false);
        }
        self.enters(Stage::Expires);
        self.post(number, "late", TOO_LATE, None, postmen, ground)?;
        Ok(true)
    }

    fn goes(&mut self, ground: &mut Ground) -> Outcome {
        if ground.rng.bool() {
            self.client.leave(Disconnect::default())?;
        } else {
            self.client.vanish();
        }
        self.left = Instant::now();
        Ok(())
    }

    fn enters(&mut self, stage: Stage) {
        self.stage = stage;
        self.since = Instant::now();
        self.posted = None;
        self.has_self = false;
        self.is_answered = false;
        self.got.clear();
    }

    /// One postman for one visitor, so that what is posted keeps its order.
    fn post(
        &mut self,
        number: u64,
        name: &str,
        payload: &[u8],
        expiry: Option<u32>,
        postmen: &mut [Client; 2],
        ground: &mut Ground,
    ) -> Outcome {
        let (qos, at) = match number % 2 {
            0 => (QoS::AtLeastOnce, 0),
            _ => (QoS::ExactlyOnce, 1),
        };
        if let Some(postman) = postmen.get_mut(at) {
            let parcel = Parcel {
                topic: format!("visit/{number}/{name}"),
                payload: payload.to_vec(),
                expiry,
                tag: number,
                ..Parcel::default()
            };
            postman.publish(qos, parcel)?;
            self.n_posted += 1;
            ground.ledger.counts.sent += 1;
        }
        Ok(())
    }

    fn texts(&self) -> String {
        let texts = self.got.iter().map(|got| String::from_utf8_lossy(got));
        texts.collect::<Vec<_>>().join(", ")
    }
}
