//! Those who stay for the whole soak: publishers at a steady rate, subscribers that are there, that come and go, and that change their
//! minds. Now and then one is taken over by another connection of its own, or vanishes and comes back.

use std::time::Instant;

use hookmq_mqtt::{Disconnect, ProtocolVersion, QoS};

use super::client::{Client, Event, Parcel, Received};
use super::ledger::Flaw;
use super::{Ground, seconds};
use crate::Outcome;

const V3: ProtocolVersion = ProtocolVersion::V311;
const V5: ProtocolVersion = ProtocolVersion::V5;
const ZERO: QoS = QoS::AtMostOnce;
const ONE: QoS = QoS::AtLeastOnce;
const TWO: QoS = QoS::ExactlyOnce;

/// Publishers: with protocol, QoS and messages per second.
const PUBLISHERS: [(&str, ProtocolVersion, QoS, f64); 6] = [
    ("publisher-3-0", V3, ZERO, 100.0),
    ("publisher-5-0", V5, ZERO, 100.0),
    ("publisher-3-1", V3, ONE, 100.0),
    ("publisher-5-1", V5, ONE, 100.0),
    ("publisher-3-2", V3, TWO, 75.0),
    ("publisher-5-2", V5, TWO, 75.0),
];
/// Subscribers: with protocol, QoS and habit.
const RECEIVERS: [(&str, ProtocolVersion, QoS, Habit); 11] = [
    ("live-5-0", V5, ZERO, Habit::Stays),
    ("live-3-1", V3, ONE, Habit::Stays),
    ("live-3-2", V3, TWO, Habit::Stays),
    ("live-5-1", V5, ONE, Habit::Stays),
    ("live-5-2", V5, TWO, Habit::Stays),
    ("away-3-1", V3, ONE, Habit::ComesAndGoes),
    ("away-3-2", V3, TWO, Habit::ComesAndGoes),
    ("away-5-1", V5, ONE, Habit::ComesAndGoes),
    ("away-5-2", V5, TWO, Habit::ComesAndGoes),
    ("fickle-3-1", V3, ONE, Habit::Changes),
    ("fickle-5-2", V5, TWO, Habit::Changes),
];
/// One message of so many goes to a topic that was never used before.
const ONE_IS_NEW: u64 = 8;
/// Topics of each publisher that are used again and again.
const SLOTS: u64 = 20;
/// How long their Sessions outlive their connections; longer than anybody is away.
const SESSION_EXPIRY: u32 = 3600;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    Stays,
    ComesAndGoes,
    Changes,
}

/// See the module.
pub(super) struct Crowd {
    members: Vec<Member>,
    has_load: bool,
    next_takeover: Instant,
    next_vanishing: Instant,
    /// The newest generation of the script that a message was stamped with.
    pub(super) newest_stamp: u64,
    /// Filters that were subscribed to and are never published to.
    n_passing: u64,
}

struct Member {
    client: Client,
    version: ProtocolVersion,
    has_session: bool,
    is_wanted: bool,
    /// When it connects again, or comes or goes.
    next: Instant,
    role: Role,
}

enum Role {
    Publishes {
        number: usize,
        qos: QoS,
        rate: f64,
        /// Messages that it may send by now.
        due: f64,
        since: Instant,
    },
    Receives {
        number: usize,
        qos: QoS,
        habit: Habit,
        subscriptions: Vec<Subscription>,
        asked: Option<(u16, usize, bool)>,
        next_change: Instant,
    },
}

struct Subscription {
    filters: Vec<String>,
    /// Whose messages it gets; all without.
    publisher: Option<usize>,
    is_wished: bool,
    /// What SUBACK or UNSUBACK has said; nothing while it is not known.
    is_on: Option<bool>,
}

/// Publishers for the ledger.
pub(super) fn publishers() -> Vec<QoS> {
    PUBLISHERS.iter().map(|(_, _, qos, _)| *qos).collect()
}

/// Receivers for the ledger.
pub(super) fn receivers() -> Vec<(String, QoS)> {
    RECEIVERS
        .iter()
        .map(|(name, _, qos, _)| ((*name).to_owned(), *qos))
        .collect()
}

impl Crowd {
    /// Everybody, not connected yet.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let member = |name: &str, version, role| Member {
            client: Client::new(name.to_owned(), version).staying(SESSION_EXPIRY),
            version,
            has_session: false,
            is_wanted: true,
            next: now,
            role,
        };
        let mut members = Vec::new();
        for (number, (name, version, qos, habit)) in RECEIVERS.into_iter().enumerate() {
            let all = Subscription::new(vec!["soak/#".to_owned()], None);
            let each =
                |publisher| Subscription::new(vec![format!("soak/{publisher}/#")], Some(publisher));
            let subscriptions = match habit {
                Habit::Changes => (0..PUBLISHERS.len()).map(each).collect(),
                _ => vec![all],
            };
            let role = Role::Receives {
                number,
                qos,
                habit,
                subscriptions,
                asked: None,
                next_change: now,
            };
            members.push(member(name, version, role));
        }
        for (number, (name, version, qos, rate)) in PUBLISHERS.into_iter().enumerate() {
            let role = Role::Publishes {
                number,
                qos,
                rate,
                due: 0.0,
                since: now,
            };
            members.push(member(name, version, role));
        }
        Self {
            members,
            has_load: true,
            next_takeover: now + seconds(5.0),
            next_vanishing: now + seconds(7.0),
            newest_stamp: 0,
            n_passing: 0,
        }
    }

    /// No more messages and no more changes: everybody comes and stays.
    pub(super) fn calm_down(&mut self) {
        self.has_load = false;
        for member in &mut self.members {
            member.is_wanted = true;
            member.next = Instant::now();
        }
    }

    /// Whether everybody is connected and nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.members.iter().all(|member| {
            let is_asking = matches!(member.role, Role::Receives { asked: Some(_), .. });
            member.client.is_quiet() && !is_asking
        })
    }

    /// Lets everybody do what there is to do.
    pub(super) fn turn(&mut self, ground: &mut Ground) -> Outcome {
        if self.has_load {
            self.disturb(ground)?;
        }
        for member in &mut self.members {
            member.come_and_go(self.has_load, ground)?;
            for event in member.client.step()? {
                let stamp = member.handle(event, ground)?;
                self.newest_stamp = self.newest_stamp.max(stamp.unwrap_or_default());
            }
            if member.client.is_up() {
                member.ask(self.has_load, &mut self.n_passing, ground)?;
            }
            if self.has_load {
                member.publish(ground)?;
            }
        }
        Ok(())
    }

    fn disturb(&mut self, ground: &mut Ground) -> Outcome {
        let now = Instant::now();
        if now >= self.next_takeover {
            self.next_takeover = now + seconds(0.5 + 2.0 * ground.rng.f64());
            let at = ground.rng.usize(..self.members.len());
            if let Some(member) = self.members.get_mut(at)
                && member.client.is_up()
            {
                member.client.connect(ground.address)?;
                member.is_down(ground);
                ground.ledger.counts.takeovers += 1;
            }
        }
        if now >= self.next_vanishing {
            self.next_vanishing = now + seconds(1.0 + 4.0 * ground.rng.f64());
            let at = ground.rng.usize(..self.members.len());
            if let Some(member) = self.members.get_mut(at)
                && member.client.is_up()
            {
                member.client.vanish();
                member.is_down(ground);
                member.next = now + seconds(0.3 * ground.rng.f64());
            }
        }
        Ok(())
    }
}

impl Member {
    fn come_and_go(&mut self, has_load: bool, ground: &mut Ground) -> Outcome {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        let is_connected = self.client.is_connected();
        let changes = match &self.role {
            Role::Receives { habit, .. } => has_load && *habit == Habit::ComesAndGoes,
            Role::Publishes { .. } => false,
        };
        if changes && is_connected && self.client.is_up() && self.has_session {
            // Away long enough for a queue, there long enough to empty it.
            self.next = now + seconds(5.0 + 15.0 * ground.rng.f64());
            if ground.rng.bool() {
                self.client.leave(Disconnect::default())?;
            } else {
                self.client.vanish();
            }
            self.is_down(ground);
        } else if !is_connected {
            self.client.connect(ground.address)?;
            ground.ledger.counts.connects += 1;
            let there = if changes {
                4.0 + 6.0 * ground.rng.f64()
            } else {
                0.05
            };
            self.next = now + seconds(there);
        }
        Ok(())
    }

    fn is_down(&mut self, ground: &mut Ground) {
        if let Role::Receives {
            number,
            asked,
            subscriptions,
            ..
        } = &mut self.role
        {
            ground.ledger.is_up(*number, false);
            // Whether it was done is not known; it is asked again.
            if let Some((_, at, _)) = asked.take()
                && let Some(subscription) = subscriptions.get_mut(at)
            {
                subscription.is_on = None;
            }
        }
    }

    /// The stamp of a message that came.
    fn handle(&mut self, event: Event, ground: &mut Ground) -> Outcome<Option<u64>> {
        match event {
            Event::Up { session_present } => {
                if self.has_session && !session_present {
                    let words = format!("{}: there was no Session any more", self.client.name);
                    ground.ledger.flaw(Flaw::Session, words);
                    if let Role::Receives { number, .. } = self.role {
                        ground.ledger.is_forgotten(number);
                    }
                }
                ground.ledger.counts.sessions_resumed += u64::from(session_present);
                self.has_session = true;
                if let Role::Receives {
                    number,
                    subscriptions,
                    ..
                } = &mut self.role
                {
                    ground.ledger.is_up(*number, true);
                    if !session_present {
                        for subscription in subscriptions {
                            subscription.is_on = None;
                        }
                    }
                }
            }
            Event::Acknowledged { tag } => {
                if let Role::Publishes { number, .. } = self.role {
                    ground.ledger.is_acknowledged(number, tag);
                }
            }
            Event::Message(message) => return Ok(self.receive(&message, ground)),
            Event::Answered { identifier } => self.answered(identifier, ground),
            Event::Ended => {
                let words = format!("{}: the broker ended the connection", self.client.name);
                ground.ledger.flaw(Flaw::Protocol, words);
                self.is_down(ground);
            }
            Event::Broken(words) => {
                let words = format!("{}: {words}", self.client.name);
                ground.ledger.flaw(Flaw::Protocol, words);
            }
        }
        Ok(None)
    }

    fn receive(&self, message: &Received, ground: &mut Ground) -> Option<u64> {
        let Role::Receives { number, .. } = self.role else {
            return None;
        };
        let Some((publisher, of_publisher)) = name(&message.topic, &message.payload) else {
            let words = format!("{} got what nobody sent: {message:?}", self.client.name);
            ground.ledger.flaw(Flaw::Garbage, words);
            return None;
        };
        ground
            .ledger
            .delivers(number, publisher, of_publisher, message.qos);
        if self.version == V5 && message.stamp.is_none() {
            let words = format!("{} got {} unstamped", self.client.name, message.topic);
            ground.ledger.flaw(Flaw::Garbage, words);
        }
        message.stamp
    }

    fn answered(&mut self, identifier: u16, ground: &mut Ground) {
        let Role::Receives {
            number,
            subscriptions,
            asked,
            ..
        } = &mut self.role
        else {
            return;
        };
        let Some((_, at, is_on)) = asked.take_if(|(asked, _, _)| *asked == identifier) else {
            return;
        };
        ground.ledger.counts.subscribed += 1;
        let Some(subscription) = subscriptions.get_mut(at) else {
            return;
        };
        subscription.is_on = Some(is_on);
        for publisher in subscription.publishers() {
            if is_on {
                ground.ledger.begins(*number, publisher);
            } else {
                ground.ledger.ended(*number, publisher);
            }
        }
    }

    /// Subscribes to what it wishes and gives up the rest, one thing at a time.
    fn ask(&mut self, has_load: bool, n_passing: &mut u64, ground: &mut Ground) -> Outcome {
        let Role::Receives {
            number,
            qos,
            habit,
            subscriptions,
            asked,
            next_change,
        } = &mut self.role
        else {
            return Ok(());
        };
        if asked.is_some() {
            return Ok(());
        }
        let now = Instant::now();
        if has_load && *habit == Habit::Changes && now >= *next_change {
            *next_change = now + seconds(0.5 * ground.rng.f64());
            let n_subscriptions = subscriptions.len();
            if let Some(one) = subscriptions.get_mut(ground.rng.usize(..n_subscriptions)) {
                one.is_wished = !one.is_wished;
                if one.is_wished {
                    // Beside it what nobody ever publishes to, in two new forms.
                    *n_passing += 1;
                    one.filters.truncate(1);
                    one.filters.push(format!("passing/{n_passing}/+/#"));
                    one.filters
                        .push(format!("$share/share-{n_passing}/passing/{n_passing}/+"));
                }
            }
        }
        let asks = subscriptions
            .iter()
            .position(|one| one.is_on != Some(one.is_wished));
        let Some((at, one)) = asks.and_then(|at| Some((at, subscriptions.get(at)?))) else {
            return Ok(());
        };
        for publisher in one.publishers() {
            ground.ledger.gives_up(*number, publisher);
        }
        let identifier = if one.is_wished {
            self.client.subscribe(&one.filters, *qos)?
        } else {
            self.client.unsubscribe(one.filters.clone())?
        };
        *asked = Some((identifier, at, one.is_wished));
        Ok(())
    }

    fn publish(&mut self, ground: &mut Ground) -> Outcome {
        let Role::Publishes {
            number,
            qos,
            rate,
            due,
            since,
        } = &mut self.role
        else {
            return Ok(());
        };
        let now = Instant::now();
        *due += *rate * now.saturating_duration_since(*since).as_secs_f64();
        // What could not be sent for a second is not made up for.
        *due = due.min(*rate);
        *since = now;
        while *due >= 1.0 && self.client.has_room() {
            *due -= 1.0;
            let of_publisher = ground.ledger.sends(*number);
            ground.ledger.counts.topics += u64::from(of_publisher.is_multiple_of(ONE_IS_NEW));
            let parcel = Parcel {
                topic: topic(*number, of_publisher),
                payload: payload(*number, of_publisher),
                tag: of_publisher,
                ..Parcel::default()
            };
            self.client.publish(*qos, parcel)?;
        }
        Ok(())
    }
}

impl Subscription {
    const fn new(filters: Vec<String>, publisher: Option<usize>) -> Self {
        Self {
            filters,
            publisher,
            is_wished: true,
            is_on: None,
        }
    }

    fn publishers(&self) -> std::ops::Range<usize> {
        self.publisher
            .map_or(0..PUBLISHERS.len(), |one| one..one + 1)
    }
}

/// The topic of a publisher's message.
fn topic(publisher: usize, number: u64) -> String {
    if number.is_multiple_of(ONE_IS_NEW) {
        format!("soak/{publisher}/new/{number}")
    } else {
        format!("soak/{publisher}/{}", number % SLOTS)
    }
}

/// Its payload: its name, and as many bytes as follow from it.
fn payload(publisher: usize, number: u64) -> Vec<u8> {
    let mut payload = format!("{publisher} {number} ").into_bytes();
    let mixed = (number ^ (publisher as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let more = match mixed % 64 {
        0 => 4_000,
        1..8 => 700,
        _ => 20 + mixed % 100,
    };
    let filler = b'a' + (mixed % 26) as u8;
    payload.resize(payload.len() + more as usize, filler);
    payload
}

/// The name of what came, if it is whole and in its place.
fn name(of_topic: &str, of_payload: &[u8]) -> Option<(usize, u64)> {
    let head = of_payload.get(..of_payload.len().min(40))?;
    let mut words = head.split(|byte| *byte == b' ');
    let mut word = || str::from_utf8(words.next()?).ok();
    let (publisher, number) = (word()?.parse().ok()?, word()?.parse().ok()?);
    (payload(publisher, number) == of_payload && topic(publisher, number) == of_topic)
        .then_some((publisher, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_bytes_and_its_topic() {
        for number in 0..200 {
            let (topic, mut payload) = (topic(3, number), payload(3, number));
            assert_eq!(name(&topic, &payload), Some((3, number)));
            assert_eq!(name("soak/2/9", &payload), None);
            payload.pop();
            assert_eq!(name(&topic, &payload), None);
        }
    }
}
