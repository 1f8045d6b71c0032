//! One client of the soak: its connection and its half of the Session State. It says what happened to it; others judge.
//!
//! Nothing here blocks, and everything is bounded: a client has at most [`WINDOW`] messages under way.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hookmq_mqtt::{
    Ack, Connect, Disconnect, Packet, PacketIdentifier, ProtocolVersion, Publish,
    PublishProperties, QoS, ReasonCode, Subscribe, SubscribeEntry, Unsubscribe, UserProperties,
    Will, decode,
};

use crate::Outcome;
use crate::crash::wire::{Next, Wire};

/// Messages under way of one client, sent and not yet acknowledged.
pub(super) const WINDOW: usize = 32;
/// Packet identifiers up to this are for PUBLISH, those above for SUBSCRIBE and UNSUBSCRIBE.
const IDENTIFIERS: u16 = 200;
/// Packets read in one step, so that nobody who gets much holds up the others.
const PACKETS_AT_ONCE: usize = 300;
/// How long the broker may take to end a connection that was taken over.
const TAKING_OVER: Duration = Duration::from_secs(20);

/// See the module.
pub(super) struct Client {
    pub(super) name: String,
    version: ProtocolVersion,
    /// What CONNECT says about the Session, and the Will.
    pub(super) clean_start: bool,
    pub(super) session_expiry: Option<u32>,
    pub(super) will: Option<Will>,
    wire: Option<Wire>,
    /// A connection that another one of the same client took over, and since when; read to its end before the new one is.
    old: Option<(Wire, Instant)>,
    is_up: bool,
    inflight: VecDeque<Outgoing>,
    next_identifier: u16,
    next_asking: u16,
    /// QoS 2 messages that came and were not released yet.
    received: BTreeSet<PacketIdentifier>,
    events: Vec<Event>,
}

/// A message to send.
#[derive(Debug, Clone, Default)]
pub(super) struct Parcel {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
    /// Message Expiry Interval in seconds.
    pub(super) expiry: Option<u32>,
    /// Comes back with [`Event::Acknowledged`].
    pub(super) tag: u64,
}

struct Outgoing {
    identifier: PacketIdentifier,
    qos: QoS,
    parcel: Parcel,
    /// PUBREC has come.
    is_received: bool,
}

/// What happened to a client.
#[derive(Debug)]
pub(super) enum Event {
    /// CONNACK.
    Up { session_present: bool },
    /// PUBACK or PUBREC.
    Acknowledged { tag: u64 },
    /// A message, anew by the rules of its QoS.
    Message(Received),
    /// SUBACK or UNSUBACK for what was asked with this identifier.
    Answered { identifier: u16 },
    /// The connection is over, and the client did not end it.
    Ended,
    /// Something that the standard does not allow.
    Broken(String),
}

/// A message that came.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// Sent before, on an earlier connection.
    pub(super) dup: bool,
    /// The value of the User Property that the script sets.
    pub(super) stamp: Option<u64>,
}

impl Client {
    /// A client that has never connected: its Session ends with its connection.
    pub(super) fn new(name: String, version: ProtocolVersion) -> Self {
        Self {
            name,
            version,
            clean_start: true,
            session_expiry: None,
            will: None,
            wire: None,
            old: None,
            is_up: false,
            inflight: VecDeque::new(),
            next_identifier: 1,
            next_asking: IDENTIFIERS,
            received: BTreeSet::new(),
            events: Vec::new(),
        }
    }

    /// The same with a Session that outlives its connections for so many seconds; in MQTT 3.1.1 for ever.
    pub(super) fn staying(mut self, seconds: u32) -> Self {
        self.clean_start = false;
        self.session_expiry = (self.version == ProtocolVersion::V5).then_some(seconds);
        self
    }

    /// Whether CONNACK has come.
    pub(super) const fn is_up(&self) -> bool {
        self.is_up
    }

    /// Whether there is a connection, or one on its way.
    pub(super) const fn is_connected(&self) -> bool {
        self.wire.is_some()
    }

    /// Whether no message of its own is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.inflight.is_empty()
    }

    /// Whether nothing is under way in either direction.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_up && self.inflight.is_empty() && self.received.is_empty() && self.old.is_none()
    }

    /// Whether it may send one more message.
    pub(super) fn has_room(&self) -> bool {
        self.is_up && self.inflight.len() < WINDOW
    }

    /// Connects; a connection that it has already is taken over.
    ///
    /// # Errors
    /// When CONNECT cannot be said.
    pub(super) fn connect(&mut self, address: SocketAddr) -> Outcome {
        let Ok(mut wire) = Wire::connect(address, self.version) else {
            // Nobody listens: the next try comes, and a broker that is gone is noticed elsewhere.
            return Ok(());
        };
        let mut connect = Connect::new(self.version, &self.name);
        connect.clean_start = self.clean_start;
        connect.session_expiry_interval = self.session_expiry;
        connect.will = self.will.clone().map(Box::new);
        wire.put(&Packet::Connect(Box::new(connect)))?;
        wire.flush();
        self.is_up = false;
        if let Some(old) = self.wire.replace(wire) {
            self.old = Some((old, Instant::now()));
        }
        Ok(())
    }

    /// Leaves with DISCONNECT.
    ///
    /// # Errors
    /// When it cannot be said.
    pub(super) fn leave(&mut self, disconnect: Disconnect) -> Outcome {
        if let Some(wire) = &mut self.wire {
            wire.put(&Packet::Disconnect(disconnect))?;
            wire.flush();
        }
        self.vanish();
        Ok(())
    }

    /// Is gone without a word.
    pub(super) fn vanish(&mut self) {
        self.wire = None;
        self.old = None;
        self.is_up = false;
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When it cannot be said.
    pub(super) fn publish(&mut self, qos: QoS, parcel: Parcel) -> Outcome {
        let Some(wire) = &mut self.wire else {
            return Ok(());
        };
        if qos == QoS::AtMostOnce {
            return send(wire, self.version, qos, None, &parcel, false);
        }
        let identifier = loop {
            let identifier =
                PacketIdentifier::new(self.next_identifier).unwrap_or(PacketIdentifier::FIRST);
            self.next_identifier = self.next_identifier % IDENTIFIERS + 1;
            if self.inflight.iter().all(|one| one.identifier != identifier) {
                break identifier;
            }
        };
        send(wire, self.version, qos, Some(identifier), &parcel, false)?;
        self.inflight.push_back(Outgoing {
            identifier,
            qos,
            parcel,
            is_received: false,
        });
        Ok(())
    }

    /// Subscribes; the identifier comes back with [`Event::Answered`].
    ///
    /// # Errors
    /// When it cannot be said.
    pub(super) fn subscribe(&mut self, filters: &[String], qos: QoS) -> Outcome<u16> {
        let (number, packet_identifier) = self.asking();
        let entry = |filter: &String| SubscribeEntry {
            topic_filter: filter.clone(),
            options: qos.into(),
        };
        self.put(&Packet::Subscribe(Subscribe {
            packet_identifier,
            subscription_identifier: None,
            user_properties: UserProperties::new(),
            subscriptions: filters.iter().map(entry).collect(),
        }))?;
        Ok(number)
    }

    /// Gives subscriptions up; as [`Client::subscribe`].
    ///
    /// # Errors
    /// When it cannot be said.
    pub(super) fn unsubscribe(&mut self, filters: Vec<String>) -> Outcome<u16> {
        let (number, packet_identifier) = self.asking();
        self.put(&Packet::Unsubscribe(Unsubscribe {
            packet_identifier,
            topic_filters: filters,
            user_properties: UserProperties::new(),
        }))?;
        Ok(number)
    }

    /// Reads and answers what has come, sends what is to go out, and says what happened.
    ///
    /// # Errors
    /// When an answer cannot be said.
    pub(super) fn step(&mut self) -> Outcome<Vec<Event>> {
        if let Some((mut old, since)) = self.old.take() {
            let is_over = self.read(&mut old)?;
            old.flush();
            if !is_over && since.elapsed() < TAKING_OVER {
                self.old = Some((old, since));
                return Ok(std::mem::take(&mut self.events));
            }
            if !is_over {
                self.broken("a connection that was taken over goes on".to_owned());
            }
            self.is_up = false;
        }
        if let Some(mut wire) = self.wire.take() {
            let is_over = self.read(&mut wire)?;
            wire.flush();
            if is_over {
                self.is_up = false;
                self.events.push(Event::Ended);
            } else {
                self.wire = Some(wire);
            }
        }
        Ok(std::mem::take(&mut self.events))
    }

    /// Whether the connection is over.
    fn read(&mut self, wire: &mut Wire) -> Outcome<bool> {
        for _ in 0..PACKETS_AT_ONCE {
            match wire.next() {
                Ok(Next::Packet(bytes)) => match decode(&bytes, self.version) {
                    Ok(packet) => self.handle(wire, &packet)?,
                    Err(error) => {
                        self.broken(error.to_string());
                        return Ok(true);
                    }
                },
                Ok(Next::Nothing) => return Ok(false),
                Ok(Next::Ended) => return Ok(true),
                Err(error) => {
                    self.broken(error.to_string());
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn handle(&mut self, wire: &mut Wire, packet: &Packet<'_>) -> Outcome {
        match packet {
            Packet::ConnAck(connack) if connack.reason == ReasonCode::Success => {
                self.is_up = true;
                self.events.push(Event::Up {
                    session_present: connack.session_present,
                });
                self.resend(wire, connack.session_present)?;
            }
            Packet::ConnAck(connack) => self.broken(format!("CONNACK {:?}", connack.reason)),
            Packet::Publish(publish) => self.receive(wire, publish)?,
            Packet::PubAck(ack) => self.acknowledged(ack, QoS::AtLeastOnce),
            Packet::PubRec(ack) => {
                self.acknowledged(ack, QoS::ExactlyOnce);
                wire.put(&Packet::PubRel(answer(ack.packet_identifier)))?;
            }
            Packet::PubRel(ack) => {
                self.received.remove(&ack.packet_identifier);
                wire.put(&Packet::PubComp(answer(ack.packet_identifier)))?;
            }
            Packet::PubComp(ack) => {
                let identifier = ack.packet_identifier;
                let known = self.inflight.iter().position(|one| {
                    one.identifier == identifier && one.is_received && one.qos == QoS::ExactlyOnce
                });
                if let Some(at) = known {
                    self.inflight.remove(at);
                }
            }
            Packet::SubAck(suback) => {
                self.answered(suback.packet_identifier, &suback.reasons);
            }
            Packet::UnsubAck(unsuback) => {
                self.answered(unsuback.packet_identifier, &unsuback.reasons);
            }
            // What a connection is told that another one takes over.
            Packet::Disconnect(disconnect) if disconnect.reason == ReasonCode::SessionTakenOver => {
            }
            other => self.broken(format!("{other:?}")),
        }
        Ok(())
    }

    fn receive(&mut self, wire: &mut Wire, publish: &Publish<'_>) -> Outcome {
        let is_new = match (publish.qos, publish.packet_identifier) {
            (QoS::ExactlyOnce, Some(identifier)) => {
                wire.put(&Packet::PubRec(answer(identifier)))?;
                // Known: the same again, answered and not delivered [MQTT-4.3.3-10].
                self.received.insert(identifier)
            }
            (_, Some(identifier)) => {
                wire.put(&Packet::PubAck(answer(identifier)))?;
                true
            }
            (_, None) => true,
        };
        if is_new {
            let mut properties = publish.properties.user_properties.iter();
            let stamp = properties.find(|(name, _)| *name == "generation");
            self.events.push(Event::Message(Received {
                topic: publish.topic.to_owned(),
                payload: publish.payload.to_vec(),
                qos: publish.qos,
                retain: publish.retain,
                dup: publish.dup,
                stamp: stamp.and_then(|(_, value)| value.parse().ok()),
            }));
        }
        Ok(())
    }

    fn acknowledged(&mut self, ack: &Ack, qos: QoS) {
        if ack.reason as u8 >= 0x80 {
            return self.broken(format!("{qos:?} answered with {:?}", ack.reason));
        }
        let identifier = ack.packet_identifier;
        let known = self
            .inflight
            .iter()
            .position(|one| one.identifier == identifier && one.qos == qos);
        let Some((at, outgoing)) = known.and_then(|at| Some((at, self.inflight.get_mut(at)?)))
        else {
            return self.broken(format!("{} acknowledged unasked", identifier.get()));
        };
        if !outgoing.is_received {
            outgoing.is_received = true;
            let tag = outgoing.parcel.tag;
            self.events.push(Event::Acknowledged { tag });
        }
        if qos == QoS::AtLeastOnce {
            self.inflight.remove(at);
        }
    }

    /// All that was not acknowledged, in the order in which it was sent first [MQTT-4.4.0-1], [MQTT-4.6.0-1].
    fn resend(&mut self, wire: &mut Wire, session_present: bool) -> Outcome {
        if !session_present {
            self.received.clear();
        }
        for outgoing in &mut self.inflight {
            if outgoing.is_received && session_present {
                wire.put(&Packet::PubRel(answer(outgoing.identifier)))?;
            } else {
                // To a Session that is new the message is new as well.
                outgoing.is_received = false;
                send(
                    wire,
                    self.version,
                    outgoing.qos,
                    Some(outgoing.identifier),
                    &outgoing.parcel,
                    session_present,
                )?;
            }
        }
        Ok(())
    }

    fn answered(&mut self, identifier: PacketIdentifier, reasons: &[ReasonCode]) {
        if reasons.iter().any(|reason| *reason as u8 >= 0x80) {
            return self.broken(format!("subscription refused: {reasons:?}"));
        }
        self.events.push(Event::Answered {
            identifier: identifier.get(),
        });
    }

    fn asking(&mut self) -> (u16, PacketIdentifier) {
        self.next_asking = if self.next_asking > 60_000 {
            IDENTIFIERS + 1
        } else {
            self.next_asking + 1
        };
        let identifier = PacketIdentifier::new(self.next_asking).unwrap_or(PacketIdentifier::FIRST);
        (self.next_asking, identifier)
    }

    fn put(&mut self, packet: &Packet<'_>) -> Outcome {
        self.wire.as_mut().map_or(Ok(()), |wire| wire.put(packet))
    }

    fn broken(&mut self, words: String) {
        self.events.push(Event::Broken(words));
    }
}

fn send(
    wire: &mut Wire,
    version: ProtocolVersion,
    qos: QoS,
    packet_identifier: Option<PacketIdentifier>,
    parcel: &Parcel,
    dup: bool,
) -> Outcome {
    let expiry = parcel.expiry.filter(|_| version == ProtocolVersion::V5);
    wire.put(&Packet::Publish(Publish {
        dup,
        qos,
        retain: parcel.retain,
        topic: &parcel.topic,
        packet_identifier,
        payload: &parcel.payload,
        properties: PublishProperties {
            message_expiry_interval: expiry,
            ..PublishProperties::default()
        },
    }))
}

const fn answer(identifier: PacketIdentifier) -> Ack {
    Ack::new(identifier, ReasonCode::Success)
}
