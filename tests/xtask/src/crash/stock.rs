//! A store's content that is known to the last byte: Sessions that are away with their subscriptions and queues, and Retained
//! Messages. It is put in through a broker, and looked at through one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use hookmq_mqtt::{
    Ack, Connect, Disconnect, Packet, PacketIdentifier, ProtocolVersion, Publish,
    PublishProperties, QoS, ReasonCode, Subscribe, SubscribeEntry, UserProperties, decode,
};

use super::content::{Kind, Name};
use super::lab::PATIENCE;
use super::wire::{LOOK, Next, Wire};
use crate::Outcome;

/// Publishers, each with its own topics.
const PUBLISHERS: usize = 4;
/// Messages of each.
const MESSAGES: u64 = 90;
/// Messages of each after a restart.
const MORE: u64 = 20;
/// Sessions: one for each publisher's messages, and these for all.
const FOR_ALL: usize = 2;
/// Of the Session that is served in part: so many messages.
const SERVED: usize = 120;
/// From here on messages are the ones that are sent to see what still works.
const PROBES: u64 = 1_000_000;
/// Nothing comes any more when nothing has come for so long.
const SILENCE: Duration = Duration::from_millis(1_500);

/// See the module.
pub(super) struct Stock {
    run: u64,
    sessions: Vec<Session>,
    /// What each topic retains.
    retained: BTreeMap<String, Name>,
    /// What topics retained before; and what was cleared.
    overwritten: BTreeSet<Name>,
}

struct Session {
    name: String,
    version: ProtocolVersion,
    /// Whose messages it gets; all without.
    publisher: Option<usize>,
    queued: Vec<Name>,
    /// What it has had and acknowledged.
    had: BTreeSet<Name>,
}

/// What a broker does not serve that it should.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// In words.
    pub(super) what: Option<String>,
    /// It serves something that was never there.
    pub(super) wrong: Option<String>,
}

/// A Session's client, looking.
struct Looking<'a> {
    session: &'a Session,
    wire: Wire,
    is_resumed: bool,
    got: BTreeSet<Name>,
    again: usize,
    probes: BTreeSet<usize>,
}

impl Stock {
    /// What is to be put in.
    pub(super) fn new(run: u64) -> Self {
        let session = |number: usize, publisher: Option<usize>| Session {
            name: format!("stock-{number}"),
            version: version(number),
            publisher,
            queued: Vec::new(),
            had: BTreeSet::new(),
        };
        let own = (0..PUBLISHERS).map(|number| session(number, Some(number)));
        let all = (PUBLISHERS..PUBLISHERS + FOR_ALL).map(|number| session(number, None));
        Self {
            run,
            sessions: own.chain(all).collect(),
            retained: BTreeMap::new(),
            overwritten: BTreeSet::new(),
        }
    }

    /// Puts it in: everything is acknowledged when this returns.
    ///
    /// # Errors
    /// When the broker does not do its part.
    pub(super) fn fill(&mut self, address: SocketAddr) -> Outcome {
        for session in &self.sessions {
            let mut wire = session.connect(address)?.0;
            wire.put(&subscribe(&session.filter(), QoS::ExactlyOnce))?;
            wire.wait(Instant::now() + PATIENCE, |packet| {
                matches!(packet, Packet::SubAck(_)).then_some(())
            })?
            .ok_or("no SUBACK")?;
            leave(&mut wire)?;
        }
        self.publish(address, 0..MESSAGES)?;
        // One has had the first part of its queue, and no more.
        if let Some(session) = self.sessions.last_mut() {
            session.take_some(address)?;
        }
        Ok(())
    }

    /// Adds some more after a restart.
    ///
    /// # Errors
    /// As [`Stock::fill`].
    pub(super) fn touch(&mut self, address: SocketAddr) -> Outcome {
        // What the first part put in is judged alike in both stores, so this adds only what nobody is owed: topics without listeners.
        let mut wire = Wire::connect(address, ProtocolVersion::V5)?;
        greet(&mut wire, "toucher", true)?;
        for number in 0..MORE {
            let identifier = identifier(number as usize);
            wire.put(&Packet::Publish(Publish {
                dup: false,
                qos: QoS::AtLeastOnce,
                retain: true,
                topic: "touched",
                packet_identifier: Some(identifier),
                payload: &vec![b'x'; 1_000],
                properties: PublishProperties::default(),
            }))?;
            wire.wait(Instant::now() + PATIENCE, |packet| {
                matches!(packet, Packet::PubAck(_)).then_some(())
            })?
            .ok_or("no PUBACK")?;
        }
        leave(&mut wire)
    }

    fn publish(&mut self, address: SocketAddr, numbers: std::ops::Range<u64>) -> Outcome {
        for publisher in 0..PUBLISHERS {
            let mut wire = Wire::connect(address, version(publisher))?;
            greet(&mut wire, "filler", true)?;
            let qos = if publisher % 2 == 0 {
                QoS::AtLeastOnce
            } else {
                QoS::ExactlyOnce
            };
            for number in numbers.clone() {
                let name = Name {
                    run: self.run,
                    publisher,
                    number,
                };
                wire.put(&publish(
                    &name,
                    qos,
                    &name.topic(),
                    &name.payload(),
                    identifier(number as usize),
                ))?;
                self.was_published(name);
            }
            let mut n_done = 0;
            while n_done < numbers.end - numbers.start {
                let received = wire
                    .wait(Instant::now() + PATIENCE, |packet| match packet {
                        Packet::PubAck(_) | Packet::PubComp(_) => Some(None),
                        Packet::PubRec(ack) => Some(Some(ack.packet_identifier)),
                        _ => None,
                    })?
                    .ok_or("no acknowledgement")?;
                match received {
                    None => n_done += 1,
                    Some(identifier) => {
                        wire.put(&Packet::PubRel(Ack::new(identifier, ReasonCode::Success)))?;
                    }
                }
            }
            leave(&mut wire)?;
        }
        Ok(())
    }

    fn was_published(&mut self, name: Name) {
        match name.kind() {
            Kind::Load => {
                for session in &mut self.sessions {
                    if session.publisher.is_none_or(|one| one == name.publisher) {
                        session.queued.push(name);
                    }
                }
            }
            Kind::Kept(_) => {
                let old = self.retained.insert(name.topic(), name);
                self.overwritten.extend(old);
            }
            Kind::Clear(_) => {
                let old = self.retained.remove(&name.topic());
                self.overwritten.extend(old);
            }
        }
    }

    /// Looks at everything that a broker serves.
    ///
    /// # Errors
    /// When it does not serve, or is not done by then.
    pub(super) fn look(&self, address: SocketAddr, deadline: Instant) -> Outcome<Missing> {
        let mut missing = Missing::default();
        let mut all = Vec::new();
        for session in &self.sessions {
            let (wire, is_resumed) = session.connect(address)?;
            all.push(Looking {
                session,
                wire,
                is_resumed,
                got: BTreeSet::new(),
                again: 0,
                probes: BTreeSet::new(),
            });
        }
        self.probe(address)?;
        let mut last = Instant::now();
        loop {
            let mut has_come = false;
            for looking in &mut all {
                has_come |= looking.read(self.run, &mut missing)?;
            }
            if missing.wrong.is_some() {
                return Ok(missing);
            }
            if has_come {
                last = Instant::now();
            } else {
                thread::park_timeout(LOOK);
            }
            // A probe comes behind all that was queued.
            let is_done = |looking: &Looking<'_>| {
                !looking.is_resumed || looking.probes.len() == looking.n_probes()
            };
            if (all.iter().all(is_done) && last.elapsed() > Duration::from_millis(30))
                || last.elapsed() > SILENCE
            {
                break;
            }
            if Instant::now() > deadline {
                return Err("not done within its time".into());
            }
        }
        let found = all.iter().find_map(Looking::misses);
        missing.what = found;
        if missing.what.is_none() {
            self.look_at_retained(address, &mut missing)?;
        } else {
            let mut only_wrong = Missing::default();
            self.look_at_retained(address, &mut only_wrong)?;
            missing.wrong = only_wrong.wrong;
        }
        Ok(missing)
    }

    /// A message for every subscription.
    fn probe(&self, address: SocketAddr) -> Outcome {
        let mut wire = Wire::connect(address, ProtocolVersion::V5)?;
        greet(&mut wire, "prober", true)?;
        for publisher in 0..PUBLISHERS {
            let name = self.probe_of(publisher);
            let packet = (name.topic(), name.payload());
            wire.put(&publish(
                &name,
                QoS::AtLeastOnce,
                &packet.0,
                &packet.1,
                identifier(publisher),
            ))?;
        }
        let mut n_done = 0;
        while n_done < PUBLISHERS {
            wire.wait(Instant::now() + PATIENCE, |packet| {
                matches!(packet, Packet::PubAck(_)).then_some(())
            })?
            .ok_or("a new message is not acknowledged")?;
            n_done += 1;
        }
        leave(&mut wire)
    }

    const fn probe_of(&self, publisher: usize) -> Name {
        Name {
            run: self.run,
            publisher,
            number: PROBES,
        }
    }

    fn look_at_retained(&self, address: SocketAddr, missing: &mut Missing) -> Outcome {
        let mut wire = Wire::connect(address, ProtocolVersion::V5)?;
        greet(&mut wire, "looker", true)?;
        wire.put(&subscribe("kept/#", QoS::AtMostOnce))?;
        let mut left = self.retained.clone();
        let mut stale = None;
        let deadline = Instant::now() + Duration::from_millis(700);
        while Instant::now() < deadline && !left.is_empty() {
            let came = wire.wait(deadline, |packet| match packet {
                Packet::Publish(publish) => Some((
                    publish.topic.to_owned(),
                    Name::of(publish.topic, publish.payload),
                )),
                _ => None,
            })?;
            let Some((topic, name)) = came else {
                break;
            };
            match name {
                Some(name) if self.retained.get(&topic) == Some(&name) => {
                    left.remove(&topic);
                }
                Some(name) if self.overwritten.contains(&name) => {
                    left.remove(&topic);
                    stale = Some(format!("{topic} retains an older message, {name}"));
                }
                _ => {
                    missing.wrong = Some(format!("{topic} retains what was never there"));
                    return Ok(());
                }
            }
        }
        if let Some((topic, name)) = left.first_key_value() {
            missing.what = Some(format!(
                "{} retained messages, {topic} ({name}) among them",
                left.len()
            ));
        } else if stale.is_some() {
            missing.what = stale;
        }
        Ok(())
    }
}

impl Session {
    fn filter(&self) -> String {
        self.publisher
            .map_or("load/#".to_owned(), |one| format!("load/{one}/#"))
    }

    /// Connects; whether the Session is there.
    fn connect(&self, address: SocketAddr) -> Outcome<(Wire, bool)> {
        let mut wire = Wire::connect(address, self.version)?;
        let is_resumed = greet(&mut wire, &self.name, false)?;
        Ok((wire, is_resumed))
    }

    /// Takes and acknowledges the first messages.
    fn take_some(&mut self, address: SocketAddr) -> Outcome {
        let (mut wire, _) = self.connect(address)?;
        let mut n_done = 0;
        let mut came = Vec::new();
        while n_done < SERVED {
            let (name, done) = wire
                .wait(Instant::now() + PATIENCE, |packet| match packet {
                    Packet::Publish(publish) => Some((
                        Name::of(publish.topic, publish.payload),
                        Answer::of(publish),
                    )),
                    Packet::PubRel(ack) => Some((None, Answer::Comp(ack.packet_identifier))),
                    _ => None,
                })?
                .ok_or("a queue stands still")?;
            if let Some(name) = name {
                if came.len() == SERVED {
                    // Not answered: it is under way when the client leaves.
                    continue;
                }
                came.push(name);
            }
            n_done += usize::from(!matches!(done, Answer::Rec(_)));
            done.put(&mut wire)?;
        }
        // So that all of it has arrived before the client leaves.
        wire.put(&Packet::PingReq)?;
        wire.wait(Instant::now() + PATIENCE, |packet| {
            matches!(packet, Packet::PingResp).then_some(())
        })?
        .ok_or("no PINGRESP")?;
        self.had.extend(&came);
        self.queued.retain(|name| !self.had.contains(name));
        leave(&mut wire)
    }
}

enum Answer {
    Nothing,
    Ack(PacketIdentifier),
    Rec(PacketIdentifier),
    Comp(PacketIdentifier),
}

impl Answer {
    const fn of(publish: &Publish<'_>) -> Self {
        match (publish.qos, publish.packet_identifier) {
            (QoS::AtLeastOnce, Some(identifier)) => Self::Ack(identifier),
            (QoS::ExactlyOnce, Some(identifier)) => Self::Rec(identifier),
            _ => Self::Nothing,
        }
    }

    fn put(&self, wire: &mut Wire) -> Outcome {
        let ack = |identifier: &PacketIdentifier| Ack::new(*identifier, ReasonCode::Success);
        match self {
            Self::Nothing => Ok(()),
            Self::Ack(identifier) => wire.put(&Packet::PubAck(ack(identifier))),
            Self::Rec(identifier) => wire.put(&Packet::PubRec(ack(identifier))),
            Self::Comp(identifier) => wire.put(&Packet::PubComp(ack(identifier))),
        }
    }
}

impl Looking<'_> {
    /// Reads what has come; whether anything had.
    fn read(&mut self, run: u64, missing: &mut Missing) -> Outcome<bool> {
        let mut has_come = false;
        loop {
            self.wire.flush();
            let bytes = match self.wire.next()? {
                Next::Packet(bytes) => bytes,
                Next::Nothing => return Ok(has_come),
                Next::Ended => {
                    return Err(format!("{} is thrown out", self.session.name).into());
                }
            };
            has_come = true;
            match decode(&bytes, self.session.version)? {
                Packet::Publish(publish) => {
                    Answer::of(&publish).put(&mut self.wire)?;
                    self.came(run, publish.topic, publish.payload, missing);
                }
                Packet::PubRel(ack) => Answer::Comp(ack.packet_identifier).put(&mut self.wire)?,
                _ => {}
            }
        }
    }

    fn came(&mut self, run: u64, topic: &str, payload: &[u8], missing: &mut Missing) {
        let whose = &self.session.name;
        let is_own = |name: &Name| {
            name.run == run
                && self
                    .session
                    .publisher
                    .is_none_or(|one| one == name.publisher)
        };
        match Name::of(topic, payload).filter(is_own) {
            Some(name) if name.number == PROBES => {
                self.probes.insert(name.publisher);
            }
            Some(name) if name.number < MESSAGES && name.kind() == Kind::Load => {
                self.again += usize::from(self.session.had.contains(&name));
                self.got.insert(name);
            }
            _ => {
                missing.wrong = Some(format!(
                    "{whose} got {} bytes at {topic} that were never there for it",
                    payload.len()
                ));
            }
        }
    }

    fn n_probes(&self) -> usize {
        self.session.publisher.map_or(PUBLISHERS, |_| 1)
    }

    fn misses(&self) -> Option<String> {
        let whose = &self.session.name;
        if !self.is_resumed {
            return Some(format!("the session of {whose}"));
        }
        let queued = &self.session.queued;
        let n_missing = queued
            .iter()
            .filter(|name| !self.got.contains(name))
            .count();
        if n_missing > 0 {
            return Some(format!(
                "{n_missing} of {} messages for {whose}",
                queued.len()
            ));
        }
        if self.probes.len() < self.n_probes() {
            return Some(format!("a subscription of {whose}"));
        }
        (self.again > 0).then(|| format!("that {whose} had had {} messages", self.again))
    }
}

/// CONNECT and its answer; whether there was a Session.
pub(super) fn greet(wire: &mut Wire, client_id: &str, clean_start: bool) -> Outcome<bool> {
    let mut connect = Connect::new(wire.version(), client_id);
    connect.clean_start = clean_start;
    connect.session_expiry_interval =
        (!clean_start && wire.version() == ProtocolVersion::V5).then_some(24 * 3600);
    wire.put(&Packet::Connect(Box::new(connect)))?;
    let answer = wire.wait(Instant::now() + PATIENCE, |packet| match packet {
        Packet::ConnAck(connack) => Some((connack.reason, connack.session_present)),
        _ => None,
    })?;
    match answer {
        Some((ReasonCode::Success, is_resumed)) => Ok(is_resumed),
        Some((reason, _)) => Err(format!("{client_id} is refused: {reason:?}").into()),
        None => Err(format!("{client_id} is not answered").into()),
    }
}

/// SUBSCRIBE to one filter.
pub(super) fn subscribe(filter: &str, qos: QoS) -> Packet<'static> {
    Packet::Subscribe(Subscribe {
        packet_identifier: PacketIdentifier::FIRST,
        subscription_identifier: None,
        user_properties: UserProperties::new(),
        subscriptions: vec![SubscribeEntry {
            topic_filter: filter.to_owned(),
            options: qos.into(),
        }],
    })
}

/// DISCONNECT.
pub(super) fn leave(wire: &mut Wire) -> Outcome {
    wire.put(&Packet::Disconnect(Disconnect::default()))?;
    wire.flush();
    Ok(())
}

fn publish<'a>(
    name: &Name,
    qos: QoS,
    topic: &'a str,
    payload: &'a [u8],
    identifier: PacketIdentifier,
) -> Packet<'a> {
    Packet::Publish(Publish {
        dup: false,
        qos,
        retain: name.kind() != Kind::Load,
        topic,
        packet_identifier: Some(identifier),
        payload,
        properties: PublishProperties::default(),
    })
}

fn identifier(number: usize) -> PacketIdentifier {
    let number = u16::try_from(number % 60_000 + 1).unwrap_or(1);
    PacketIdentifier::new(number).unwrap_or(PacketIdentifier::FIRST)
}

const fn version(number: usize) -> ProtocolVersion {
    if number.is_multiple_of(2) {
        ProtocolVersion::V311
    } else {
        ProtocolVersion::V5
    }
}
