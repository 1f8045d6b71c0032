//! What is on its way: identifiers, answers awaited, QoS 2 messages received. No I/O.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU16;

use bytes::{Bytes, BytesMut};
use hookmq_mqtt::codec;
use hookmq_mqtt::{
    Ack, ConnAck, Connect, Packet, PacketIdentifier, ProtocolVersion, Publish, QoS, ReasonCode,
    SubAck, UnsubAck,
};

use crate::client::{Answer, Published, Request};
use crate::error::{ClientError, Lost, Refusal};
use crate::message::Message;

/// Protocol state of one connection.
pub(crate) struct State {
    version: ProtocolVersion,
    /// What is to be written.
    pub(crate) outbox: BytesMut,
    limits: Limits,
    next: PacketIdentifier,
    awaited: HashMap<PacketIdentifier, Awaited>,
    /// QoS 1 and 2 messages sent and not finished; at most the server's Receive Maximum [MQTT-4.9.0-2].
    n_inflight: usize,
    /// QoS 2 messages received and not released; the server keeps to our Receive Maximum.
    received: HashSet<PacketIdentifier>,
    /// Topic Aliases set by the server, at most as many as CONNECT allows.
    aliases: HashMap<NonZeroU16, String>,
    topic_alias_maximum: u16,
}

/// What the server takes.
struct Limits {
    receive_maximum: usize,
    maximum_packet_size: Option<u32>,
    maximum_qos: QoS,
    retain_available: bool,
}

/// The packet that an identifier waits for.
enum Awaited {
    PubAck(Answer<Published>),
    PubRec(Answer<Published>),
    PubComp(Answer<Published>, Box<Published>),
    SubAck(Answer<SubAck>),
    UnsubAck(Answer<UnsubAck>),
}

impl State {
    pub(crate) fn new(connect: &Connect, connack: &ConnAck) -> Self {
        let properties = connack.properties.as_deref();
        Self {
            version: connect.version,
            outbox: BytesMut::new(),
            limits: Limits {
                receive_maximum: properties
                    .and_then(|it| it.receive_maximum)
                    .map_or(usize::from(u16::MAX), |maximum| maximum.get().into()),
                maximum_packet_size: properties
                    .and_then(|it| it.maximum_packet_size)
                    .map(std::num::NonZero::get),
                maximum_qos: properties.map_or(QoS::ExactlyOnce, |it| it.maximum_qos),
                retain_available: properties.is_none_or(|it| it.retain_available),
            },
            next: PacketIdentifier::FIRST,
            awaited: HashMap::new(),
            n_inflight: 0,
            received: HashSet::new(),
            aliases: HashMap::new(),
            topic_alias_maximum: connect.topic_alias_maximum,
        }
    }

    pub(crate) fn version(&self) -> ProtocolVersion {
        self.version
    }

    pub(crate) fn ping(&mut self) {
        // PINGREQ can always be written.
        let _ = codec::encode(&Packet::PingReq, self.version, &mut self.outbox);
    }

    /// Writes any packet into the outbox, if the server takes one so large [MQTT-3.2.2-15].
    pub(crate) fn say(&mut self, packet: &Packet<'_>) -> Result<(), ClientError> {
        if let Some(maximum) = self.limits.maximum_packet_size {
            let n_bytes = codec::packet_len(packet, self.version)?;
            if n_bytes > maximum as usize {
                return Err(ClientError::TooLarge { n_bytes, maximum });
            }
        }
        Ok(codec::encode(packet, self.version, &mut self.outbox)?)
    }

    /// Begins a request. Gives it back if it has to wait until an earlier message is answered.
    pub(crate) fn request(&mut self, request: Request) -> Option<Request> {
        // The answers' receivers may be gone: a caller may stop waiting.
        match request {
            Request::Publish(message, answer) => {
                if message.qos == QoS::AtMostOnce {
                    let said = self.say_publish(&message, None);
                    let _ = answer.send(said.map(|()| Published {
                        reason: ReasonCode::Success,
                        properties: None,
                    }));
                    return None;
                }
                if self.n_inflight >= self.limits.receive_maximum {
                    return Some(Request::Publish(message, answer));
                }
                let Some(identifier) = self.free_identifier() else {
                    return Some(Request::Publish(message, answer));
                };
                match self.say_publish(&message, Some(identifier)) {
                    Ok(()) => {
                        self.n_inflight += 1;
                        let awaited = if message.qos == QoS::AtLeastOnce {
                            Awaited::PubAck(answer)
                        } else {
                            Awaited::PubRec(answer)
                        };
                        self.awaited.insert(identifier, awaited);
                    }
                    Err(error) => drop(answer.send(Err(error))),
                }
            }
            Request::Subscribe(mut subscribe, answer) => {
                let Some(identifier) = self.free_identifier() else {
                    return Some(Request::Subscribe(subscribe, answer));
                };
                subscribe.packet_identifier = identifier;
                match self.say(&Packet::Subscribe(subscribe)) {
                    Ok(()) => drop(self.awaited.insert(identifier, Awaited::SubAck(answer))),
                    Err(error) => drop(answer.send(Err(error))),
                }
            }
            Request::Unsubscribe(mut unsubscribe, answer) => {
                let Some(identifier) = self.free_identifier() else {
                    return Some(Request::Unsubscribe(unsubscribe, answer));
                };
                unsubscribe.packet_identifier = identifier;
                match self.say(&Packet::Unsubscribe(unsubscribe)) {
                    Ok(()) => drop(self.awaited.insert(identifier, Awaited::UnsubAck(answer))),
                    Err(error) => drop(answer.send(Err(error))),
                }
            }
            // The connection answers it.
            Request::Disconnect(..) => return Some(request),
        }
        None
    }

    /// Handles one whole packet; a message that is new is returned.
    ///
    /// # Errors
    /// The connection has to end.
    pub(crate) fn handle(&mut self, frame: &Bytes) -> Result<Option<Message>, Lost> {
        match codec::decode(frame, self.version).map_err(Lost::Malformed)? {
            Packet::Publish(publish) => return self.handle_publish(&publish, frame),
            Packet::PubAck(ack) => match self.take(ack.packet_identifier)? {
                Awaited::PubAck(answer) => {
                    self.n_inflight -= 1;
                    let _ = answer.send(published(ack));
                }
                _ => return Err(Lost::Protocol("PUBACK answers something else")),
            },
            Packet::PubRec(ack) => self.handle_pubrec(ack)?,
            Packet::PubComp(ack) => match self.take(ack.packet_identifier)? {
                Awaited::PubComp(answer, first) => {
                    self.n_inflight -= 1;
                    let _ = answer.send(if ack.reason.is_error() {
                        Err(ClientError::Refused(ack.into()))
                    } else {
                        Ok(*first)
                    });
                }
                _ => return Err(Lost::Protocol("PUBCOMP answers something else")),
            },
            Packet::PubRel(ack) => {
                let reason = if self.received.remove(&ack.packet_identifier) {
                    ReasonCode::Success
                } else {
                    ReasonCode::PacketIdentifierNotFound
                };
                self.answer(Packet::PubComp(Ack::new(ack.packet_identifier, reason)))?;
            }
            Packet::SubAck(suback) => match self.take(suback.packet_identifier)? {
                Awaited::SubAck(answer) => drop(answer.send(Ok(suback))),
                _ => return Err(Lost::Protocol("SUBACK answers something else")),
            },
            Packet::UnsubAck(unsuback) => match self.take(unsuback.packet_identifier)? {
                Awaited::UnsubAck(answer) => drop(answer.send(Ok(unsuback))),
                _ => return Err(Lost::Protocol("UNSUBACK answers something else")),
            },
            Packet::PingResp => {}
            Packet::Disconnect(disconnect) => {
                return Err(Lost::Disconnected(Refusal::from(disconnect)));
            }
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Auth(_) => return Err(Lost::Protocol("an unexpected packet")),
        }
        Ok(None)
    }

    /// Fails everything that still waits.
    pub(crate) fn fail_all(&mut self, lost: &Lost) {
        for (_, awaited) in self.awaited.drain() {
            match awaited {
                Awaited::PubAck(answer) | Awaited::PubRec(answer) | Awaited::PubComp(answer, _) => {
                    drop(answer.send(Err(lost.clone().into())));
                }
                Awaited::SubAck(answer) => drop(answer.send(Err(lost.clone().into()))),
                Awaited::UnsubAck(answer) => drop(answer.send(Err(lost.clone().into()))),
            }
        }
    }

    /// Answers a request that was never begun.
    pub(crate) fn fail(request: Request, error: ClientError) {
        match request {
            Request::Publish(_, answer) => drop(answer.send(Err(error))),
            Request::Subscribe(_, answer) => drop(answer.send(Err(error))),
            Request::Unsubscribe(_, answer) => drop(answer.send(Err(error))),
            Request::Disconnect(_, answer) => drop(answer.send(Err(error))),
        }
    }

    fn say_publish(
        &mut self,
        message: &Message,
        identifier: Option<PacketIdentifier>,
    ) -> Result<(), ClientError> {
        if message.qos > self.limits.maximum_qos {
            return Err(ClientError::QoS(self.limits.maximum_qos));
        }
        if message.retain && !self.limits.retain_available {
            return Err(ClientError::Retain);
        }
        self.say(&Packet::Publish(message.publish(identifier)))
    }

    fn handle_publish(
        &mut self,
        publish: &Publish<'_>,
        frame: &Bytes,
    ) -> Result<Option<Message>, Lost> {
        let topic = self.resolve(publish)?;
        match (publish.qos, publish.packet_identifier) {
            (QoS::AtLeastOnce, Some(identifier)) => {
                self.answer(Packet::PubAck(Ack::new(identifier, ReasonCode::Success)))?;
            }
            (QoS::ExactlyOnce, Some(identifier)) => {
                let is_new = self.received.insert(identifier);
                self.answer(Packet::PubRec(Ack::new(identifier, ReasonCode::Success)))?;
                if !is_new {
                    // Answered again and not handed on again [MQTT-4.3.3-10].
                    return Ok(None);
                }
            }
            _ => {}
        }
        Ok(Some(Message::received(publish, topic, frame)))
    }

    fn handle_pubrec(&mut self, ack: Ack) -> Result<(), Lost> {
        let identifier = ack.packet_identifier;
        match self.take(identifier)? {
            Awaited::PubRec(answer) if ack.reason.is_error() => {
                self.n_inflight -= 1;
                drop(answer.send(Err(ClientError::Refused(ack.into()))));
                Ok(())
            }
            Awaited::PubRec(answer) => {
                let first = Published {
                    reason: ack.reason,
                    properties: ack.properties,
                };
                self.awaited
                    .insert(identifier, Awaited::PubComp(answer, Box::new(first)));
                self.answer(Packet::PubRel(Ack::new(identifier, ReasonCode::Success)))
            }
            _ => Err(Lost::Protocol("PUBREC answers something else")),
        }
    }

    /// The Topic Name of a PUBLISH, its alias looked up or set (section 3.3.2.3.4 of MQTT 5.0).
    fn resolve(&mut self, publish: &Publish<'_>) -> Result<String, Lost> {
        let Some(alias) = publish.properties.topic_alias else {
            return Ok(publish.topic.to_owned());
        };
        if alias.get() > self.topic_alias_maximum {
            return Err(Lost::Protocol(
                "the topic alias is greater than was allowed",
            ));
        }
        if publish.topic.is_empty() {
            let known = self.aliases.get(&alias);
            return known
                .cloned()
                .ok_or(Lost::Protocol("the topic alias is unknown"));
        }
        self.aliases.insert(alias, publish.topic.to_owned());
        Ok(publish.topic.to_owned())
    }

    /// Answers of a few bytes, whatever the server's limits are.
    fn answer(&mut self, packet: Packet<'_>) -> Result<(), Lost> {
        codec::encode(&packet, self.version, &mut self.outbox)
            .map_err(|_| Lost::Protocol("an answer cannot be written"))
    }

    fn take(&mut self, identifier: PacketIdentifier) -> Result<Awaited, Lost> {
        self.awaited
            .remove(&identifier)
            .ok_or(Lost::Protocol("an answer to nothing"))
    }

    /// An identifier that nothing waits for; `None` while all 65 535 are in use [MQTT-2.2.1-3].
    fn free_identifier(&mut self) -> Option<PacketIdentifier> {
        if self.awaited.len() >= usize::from(u16::MAX) {
            return None;
        }
        while self.awaited.contains_key(&self.next) {
            self.next = self.next.next();
        }
        let identifier = self.next;
        self.next = identifier.next();
        Some(identifier)
    }
}

fn published(ack: Ack) -> Result<Published, ClientError> {
    if ack.reason.is_error() {
        Err(ClientError::Refused(ack.into()))
    } else {
        Ok(Published {
            reason: ack.reason,
            properties: ack.properties,
        })
    }
}
