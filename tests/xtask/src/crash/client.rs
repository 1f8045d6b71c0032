//! A client whose own half of the Session State survives everything: unacknowledged messages with their identifiers, identifiers of
//! QoS 2 messages that came, subscriptions. It connects again and again, resends what the standard says, and tells the book what it sees.

mod hearing;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use hookmq_mqtt::{
    Ack, Connect, Disconnect, Packet, PacketIdentifier, ProtocolVersion, Publish,
    PublishProperties, QoS, ReasonCode, Subscribe, SubscribeEntry, Unsubscribe, UserProperties,
    decode,
};

use super::book::{Book, Flaw, Tick};
use super::content::{Kind, Name};
use super::wire::{Next, Wire};
use crate::Outcome;

/// Messages under way of one publisher.
const WINDOW: usize = 24;
/// Packet identifiers that a publisher uses: few, so that each is used again soon.
const IDENTIFIERS: u16 = 60;
/// Packet identifiers above those are for SUBSCRIBE and UNSUBSCRIBE.
const ASKING: u16 = 1000;

/// See the module.
pub(super) struct Client {
    pub(super) name: String,
    version: ProtocolVersion,
    wire: Option<Wire>,
    is_up: bool,
    /// CONNACK has said that there is a Session.
    has_session: bool,
    retry_at: Instant,
    /// Whether it is to be connected.
    pub(super) is_wanted: bool,
    pub(super) publisher: Option<Publisher>,
    pub(super) receiver: Option<Receiver>,
    next_asking: u16,
    /// When CONNACK came for the first time since it was last asked.
    pub(super) greeted: Option<Instant>,
    /// Since then.
    pub(super) n_connections: usize,
}

/// The sending half.
pub(super) struct Publisher {
    number: usize,
    qos: QoS,
    inflight: VecDeque<Outgoing>,
    next_identifier: u16,
    /// Messages that it may still send for the first time.
    pub(super) allowance: usize,
}

struct Outgoing {
    identifier: PacketIdentifier,
    message: Name,
    /// PUBREC has come.
    is_received: bool,
}

/// The receiving half.
pub(super) struct Receiver {
    number: usize,
    qos: QoS,
    /// QoS 2 messages that came and were not released yet.
    received: BTreeMap<PacketIdentifier, (String, Vec<u8>)>,
    pub(super) subscriptions: Vec<Subscription>,
    /// Whether it subscribes and unsubscribes all the while.
    pub(super) is_fickle: bool,
    asked: Option<(PacketIdentifier, usize, bool)>,
}

/// One subscription.
pub(super) struct Subscription {
    filter: String,
    /// Whose messages it gets; all without.
    publisher: Option<usize>,
    is_wished: bool,
    pub(super) state: State,
}

/// Whether a subscription is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Not since then: UNSUBACK has come, or it was never asked for.
    Off(Tick),
    /// Since then: SUBACK has come.
    On(Tick),
    /// Asked, and not answered yet.
    Unknown,
}

impl Client {
    /// A client that has never connected.
    pub(super) fn new(name: &str, version: ProtocolVersion) -> Self {
        Self {
            name: name.to_owned(),
            version,
            wire: None,
            is_up: false,
            has_session: false,
            retry_at: Instant::now(),
            is_wanted: true,
            publisher: None,
            receiver: None,
            next_asking: ASKING,
            greeted: None,
            n_connections: 0,
        }
    }

    /// The same, publishing as the book's n-th publisher.
    pub(super) fn publishing(mut self, number: usize, qos: QoS) -> Self {
        self.publisher = Some(Publisher {
            number,
            qos,
            inflight: VecDeque::new(),
            next_identifier: 1,
            allowance: 0,
        });
        self
    }

    /// The same, with a subscription to all messages, as the book's n-th receiver.
    pub(super) fn receiving(mut self, number: usize, qos: QoS) -> Self {
        self.receiver = Some(Receiver {
            number,
            qos,
            received: BTreeMap::new(),
            subscriptions: vec![Subscription::new("load/#".to_owned(), None)],
            is_fickle: false,
            asked: None,
        });
        self
    }

    /// The same, with subscriptions per publisher that it makes and gives up all the while.
    pub(super) fn changing(mut self, number: usize, qos: QoS, n_publishers: usize) -> Self {
        self = self.receiving(number, qos);
        if let Some(receiver) = &mut self.receiver {
            receiver.is_fickle = true;
            receiver.subscriptions = (0..n_publishers)
                .map(|publisher| Subscription::new(format!("load/{publisher}/#"), Some(publisher)))
                .collect();
        }
        self
    }

    /// Whether CONNACK has come.
    pub(super) const fn is_up(&self) -> bool {
        self.is_up
    }

    /// Whether nothing of its own is under way.
    pub(super) fn is_quiet(&self) -> bool {
        let publisher = self.publisher.as_ref();
        let receiver = self.receiver.as_ref();
        self.is_up
            && publisher.is_none_or(|publisher| publisher.inflight.is_empty())
            && receiver.is_none_or(|receiver| {
                receiver.received.is_empty()
                    && receiver.asked.is_none()
                    && receiver
                        .subscriptions
                        .iter()
                        .all(|one| one.state != State::Unknown)
            })
    }

    /// What is under way, in words.
    pub(super) fn under_way(&self) -> String {
        let publisher = self.publisher.as_ref();
        let receiver = self.receiver.as_ref();
        let state = match (self.is_up, &self.wire) {
            (true, _) => "up",
            (false, Some(_)) => "waits for CONNACK",
            (false, None) => "away",
        };
        format!(
            "{}: {state} ({} connections since the start), {} unacknowledged, {} unreleased, {} asked",
            self.name,
            self.n_connections,
            publisher.map_or(0, |publisher| publisher.inflight.len()),
            receiver.map_or(0, |receiver| receiver.received.len()),
            receiver.map_or(0, |receiver| usize::from(receiver.asked.is_some())),
        )
    }

    /// What it must still get, by publisher: since when its subscription is in force.
    pub(super) fn owed(&self, n_publishers: usize) -> Vec<(usize, usize, Tick)> {
        let Some(receiver) = &self.receiver else {
            return Vec::new();
        };
        let mut owed = Vec::new();
        for subscription in &receiver.subscriptions {
            let State::On(since) = subscription.state else {
                continue;
            };
            for publisher in 0..n_publishers {
                if subscription.publisher.is_none_or(|one| one == publisher) {
                    owed.push((receiver.number, publisher, since));
                }
            }
        }
        owed
    }

    /// Leaves, as a client that goes away for a while: with its Session.
    pub(super) fn leave(&mut self) -> Outcome {
        if let Some(wire) = &mut self.wire {
            wire.put(&Packet::Disconnect(Disconnect::default()))?;
            wire.flush();
        }
        self.is_wanted = false;
        self.cut();
        Ok(())
    }

    /// Reads what the broker said before it was killed, to the last byte; then the connection is over.
    pub(super) fn read_to_the_end(&mut self, book: &mut Book, deadline: Instant) -> Outcome {
        while self.wire.is_some() && Instant::now() < deadline {
            if !self.read(book)? {
                std::thread::park_timeout(super::wire::LOOK);
            }
        }
        self.cut();
        Ok(())
    }

    /// Does what there is to do; whether there was anything.
    ///
    /// # Errors
    /// When it cannot say what it wants to.
    pub(super) fn step(
        &mut self,
        address: SocketAddr,
        book: &mut Book,
        rng: &mut Rng,
    ) -> Outcome<bool> {
        if self.wire.is_none() {
            if !self.is_wanted || Instant::now() < self.retry_at {
                return Ok(false);
            }
            return self.connect(address, rng).map(|()| self.wire.is_some());
        }
        let has_read = self.read(book)?;
        let mut has_sent = false;
        if self.is_up {
            has_sent |= self.ask(book, rng)?;
            has_sent |= self.publish(book)?;
        }
        // Now and then what was to be said waits for the next time, so that a kill finds all stages of every exchange.
        if rng.u8(..) >= 40
            && let Some(wire) = &mut self.wire
        {
            wire.flush();
        }
        Ok(has_read || has_sent)
    }

    fn connect(&mut self, address: SocketAddr, rng: &mut Rng) -> Outcome {
        self.retry_at = Instant::now() + Duration::from_micros(rng.u64(500..8_000));
        let Ok(mut wire) = Wire::connect(address, self.version) else {
            return Ok(());
        };
        self.n_connections += 1;
        let mut connect = Connect::new(self.version, &self.name);
        connect.clean_start = false;
        connect.session_expiry_interval =
            (self.version == ProtocolVersion::V5).then_some(24 * 3600);
        wire.put(&Packet::Connect(Box::new(connect)))?;
        wire.flush();
        self.wire = Some(wire);
        Ok(())
    }

    fn cut(&mut self) {
        self.wire = None;
        self.is_up = false;
        if let Some(receiver) = &mut self.receiver {
            // Whether it was done is not known; it is asked again.
            receiver.asked = None;
        }
    }

    /// Reads and answers what has come; whether anything had.
    fn read(&mut self, book: &mut Book) -> Outcome<bool> {
        let mut has_read = false;
        loop {
            let Some(wire) = &mut self.wire else {
                return Ok(has_read);
            };
            match wire.next() {
                Ok(Next::Packet(bytes)) => {
                    has_read = true;
                    match decode(&bytes, self.version) {
                        Ok(packet) => self.handle(&packet, book)?,
                        Err(error) => self.broken(book, &error.to_string()),
                    }
                }
                Ok(Next::Nothing) => return Ok(has_read),
                Ok(Next::Ended) => {
                    self.cut();
                    return Ok(true);
                }
                Err(error) => self.broken(book, &error.to_string()),
            }
        }
    }

    fn broken(&mut self, book: &mut Book, words: &str) {
        book.flaw(Flaw::Protocol, format!("{}: {words}", self.name));
        self.cut();
    }

    /// Subscribes to what it wishes, one thing at a time.
    fn ask(&mut self, book: &mut Book, rng: &mut Rng) -> Outcome<bool> {
        let (Some(receiver), Some(wire)) = (&mut self.receiver, &mut self.wire) else {
            return Ok(false);
        };
        if receiver.asked.is_some() {
            return Ok(false);
        }
        let n_subscriptions = receiver.subscriptions.len();
        if receiver.is_fickle && rng.u16(..) < 600 {
            let one = &mut receiver.subscriptions[rng.usize(..n_subscriptions)];
            one.is_wished = !one.is_wished;
        }
        let asks = receiver
            .subscriptions
            .iter()
            .position(|one| match one.state {
                State::On(_) => !one.is_wished,
                State::Off(_) => one.is_wished,
                State::Unknown => true,
            });
        let Some(at) = asks else {
            return Ok(false);
        };
        self.next_asking = if self.next_asking > 60_000 {
            ASKING
        } else {
            self.next_asking + 1
        };
        let Some(packet_identifier) = PacketIdentifier::new(self.next_asking) else {
            return Ok(false);
        };
        let subscription = &mut receiver.subscriptions[at];
        subscription.state = State::Unknown;
        receiver.asked = Some((packet_identifier, at, subscription.is_wished));
        book.now();
        if subscription.is_wished {
            wire.put(&Packet::Subscribe(Subscribe {
                packet_identifier,
                subscription_identifier: None,
                user_properties: UserProperties::new(),
                subscriptions: vec![SubscribeEntry {
                    topic_filter: subscription.filter.clone(),
                    options: receiver.qos.into(),
                }],
            }))?;
        } else {
            wire.put(&Packet::Unsubscribe(Unsubscribe {
                packet_identifier,
                topic_filters: vec![subscription.filter.clone()],
                user_properties: UserProperties::new(),
            }))?;
        }
        Ok(true)
    }

    fn publish(&mut self, book: &mut Book) -> Outcome<bool> {
        let (Some(publisher), Some(wire)) = (&mut self.publisher, &mut self.wire) else {
            return Ok(false);
        };
        let mut has_sent = false;
        while publisher.allowance > 0 && publisher.inflight.len() < WINDOW {
            let identifier = publisher.identifier();
            let outgoing = Outgoing {
                identifier,
                message: book.sends(publisher.number),
                is_received: false,
            };
            send(wire, publisher.qos, &outgoing, false)?;
            publisher.inflight.push_back(outgoing);
            publisher.allowance -= 1;
            has_sent = true;
        }
        Ok(has_sent)
    }

    fn put(&mut self, packet: &Packet<'_>) -> Outcome {
        self.wire.as_mut().map_or(Ok(()), |wire| wire.put(packet))
    }
}

impl Publisher {
    fn identifier(&mut self) -> PacketIdentifier {
        loop {
            let identifier =
                PacketIdentifier::new(self.next_identifier).unwrap_or(PacketIdentifier::FIRST);
            self.next_identifier = self.next_identifier % IDENTIFIERS + 1;
            if self.inflight.iter().all(|one| one.identifier != identifier) {
                return identifier;
            }
        }
    }
}

impl Subscription {
    const fn new(filter: String, publisher: Option<usize>) -> Self {
        Self {
            filter,
            publisher,
            is_wished: true,
            state: State::Off(0),
        }
    }
}

fn send(wire: &mut Wire, qos: QoS, outgoing: &Outgoing, dup: bool) -> Outcome {
    let message = outgoing.message;
    let (topic, payload) = (message.topic(), message.payload());
    wire.put(&Packet::Publish(Publish {
        dup,
        qos,
        retain: message.kind() != Kind::Load,
        topic: &topic,
        packet_identifier: Some(outgoing.identifier),
        payload: &payload,
        properties: PublishProperties::default(),
    }))
}

const fn answer(identifier: PacketIdentifier) -> Ack {
    Ack::new(identifier, ReasonCode::Success)
}
