//! What a client does about a packet that came, and what it tells the book.

use std::time::Instant;

use hookmq_mqtt::{Ack, ConnAck, Packet, PacketIdentifier, Publish, QoS, ReasonCode};

use super::{Client, State, answer, send};
use crate::Outcome;
use crate::crash::book::{Book, Flaw};

impl Client {
    pub(super) fn handle(&mut self, packet: &Packet<'_>, book: &mut Book) -> Outcome {
        match packet {
            Packet::ConnAck(connack) => return self.is_greeted(connack, book),
            Packet::PubAck(ack) => self.acknowledged(ack, QoS::AtLeastOnce, book),
            Packet::PubRec(ack) => {
                self.acknowledged(ack, QoS::ExactlyOnce, book);
                return self.put(&Packet::PubRel(answer(ack.packet_identifier)));
            }
            Packet::PubComp(ack) => {
                if let Some(publisher) = &mut self.publisher {
                    publisher.inflight.retain(|one| {
                        !(one.is_received && one.identifier == ack.packet_identifier)
                    });
                }
            }
            Packet::Publish(publish) => return self.receive(publish, book),
            Packet::PubRel(ack) => {
                if let Some(receiver) = &mut self.receiver {
                    receiver.received.remove(&ack.packet_identifier);
                }
                return self.put(&Packet::PubComp(answer(ack.packet_identifier)));
            }
            Packet::SubAck(suback) => {
                self.is_answered(suback.packet_identifier, true, &suback.reasons, book);
            }
            Packet::UnsubAck(unsuback) => {
                self.is_answered(unsuback.packet_identifier, false, &unsuback.reasons, book);
            }
            // A broker that stops says so.
            Packet::Disconnect(disconnect)
                if disconnect.reason == ReasonCode::ServerShuttingDown => {}
            other => {
                let words = format!("unexpected {other:?}");
                self.broken(book, &words);
            }
        }
        Ok(())
    }

    fn is_greeted(&mut self, connack: &ConnAck, book: &mut Book) -> Outcome {
        if connack.reason != ReasonCode::Success {
            self.broken(book, &format!("CONNECT was refused: {:?}", connack.reason));
            return Ok(());
        }
        self.greeted.get_or_insert_with(Instant::now);
        self.is_up = true;
        if connack.session_present {
            book.counts.resumed += 1;
        } else {
            if self.has_session {
                book.flaw(
                    Flaw::Forgotten,
                    format!("{}: CONNACK says that there was no Session", self.name),
                );
            }
            for (receiver, publisher, since) in self.owed(book.n_publishers()) {
                book.lose(receiver, publisher, since);
            }
            let now = book.now();
            if let Some(receiver) = &mut self.receiver {
                receiver.received.clear();
                for subscription in &mut receiver.subscriptions {
                    subscription.state = State::Off(now);
                }
            }
        }
        self.has_session = true;
        self.resend(connack.session_present, book)
    }

    /// All that was not acknowledged, in the order in which it was sent first [MQTT-4.4.0-1], [MQTT-4.6.0-1].
    fn resend(&mut self, is_resumed: bool, book: &mut Book) -> Outcome {
        let (Some(publisher), Some(wire)) = (&mut self.publisher, &mut self.wire) else {
            return Ok(());
        };
        for outgoing in &mut publisher.inflight {
            if outgoing.is_received && is_resumed {
                wire.put(&Packet::PubRel(answer(outgoing.identifier)))?;
                continue;
            }
            // To a Session that is new the message is new as well.
            outgoing.is_received = false;
            send(wire, publisher.qos, outgoing, is_resumed)?;
            book.counts.resent += 1;
        }
        Ok(())
    }

    fn acknowledged(&mut self, ack: &Ack, of: QoS, book: &mut Book) {
        let Some(publisher) = &mut self.publisher else {
            return self.broken(book, "an acknowledgement without a message");
        };
        let identifier = ack.packet_identifier;
        if ack.reason as u8 >= 0x80 || publisher.qos != of {
            return self.broken(book, &format!("answered with {of:?} {:?}", ack.reason));
        }
        let waiting = publisher.inflight.iter().position(|one| !one.is_received);
        let first = waiting.and_then(|at| publisher.inflight.get_mut(at));
        let expected = first.as_ref().map(|first| first.identifier.get());
        match first {
            Some(first) if first.identifier == identifier => {
                book.is_acknowledged(first.message);
                first.is_received = true;
                if of == QoS::AtLeastOnce {
                    publisher.inflight.pop_front();
                }
            }
            _ => {
                let is_known = publisher
                    .inflight
                    .iter()
                    .any(|one| one.identifier == identifier && one.is_received);
                // A PUBREC may come again: for a PUBLISH that was sent again.
                if !is_known {
                    let words = format!(
                        "acknowledges {} where {expected:?} is the first that waits [MQTT-4.6.0-2]",
                        identifier.get()
                    );
                    self.broken(book, &words);
                }
            }
        }
    }

    fn receive(&mut self, publish: &Publish<'_>, book: &mut Book) -> Outcome {
        let Some(receiver) = &mut self.receiver else {
            self.broken(book, "a message without a subscription");
            return Ok(());
        };
        let publisher = publish
            .topic
            .split('/')
            .nth(1)
            .and_then(|word| word.parse().ok());
        let matching = receiver
            .subscriptions
            .iter()
            .find(|one| one.publisher.is_none() || one.publisher == publisher);
        let off_since = match matching.map(|one| one.state) {
            Some(State::Off(since)) => Some(since),
            _ => None,
        };
        match (publish.qos, publish.packet_identifier) {
            (QoS::ExactlyOnce, Some(identifier)) => {
                let copy = (publish.topic.to_owned(), publish.payload.to_vec());
                match receiver.received.get(&identifier) {
                    // The same again: answered, and not delivered [MQTT-4.3.3-10].
                    Some(known) if *known == copy => book.counts.redelivered += 1,
                    Some((topic, _)) => {
                        let words = format!(
                            "identifier {} is used for another message ({topic}, then {}) before PUBREL",
                            identifier.get(),
                            publish.topic
                        );
                        book.flaw(Flaw::Protocol, format!("{}: {words}", self.name));
                    }
                    None => {
                        receiver.received.insert(identifier, copy);
                        book.delivers(
                            receiver.number,
                            publish.topic,
                            publish.payload,
                            publish.qos,
                            off_since,
                        );
                    }
                }
                self.put(&Packet::PubRec(answer(identifier)))
            }
            (qos, identifier) => {
                book.delivers(
                    receiver.number,
                    publish.topic,
                    publish.payload,
                    qos,
                    off_since,
                );
                match identifier {
                    Some(identifier) => self.put(&Packet::PubAck(answer(identifier))),
                    None => Ok(()),
                }
            }
        }
    }

    fn is_answered(
        &mut self,
        identifier: PacketIdentifier,
        is_subscribe: bool,
        reasons: &[ReasonCode],
        book: &mut Book,
    ) {
        let asked = self
            .receiver
            .as_mut()
            .and_then(|receiver| receiver.asked.take());
        let Some((_, at, _)) =
            asked.filter(|(asked, _, sub)| *asked == identifier && *sub == is_subscribe)
        else {
            return self.broken(book, "SUBACK or UNSUBACK for what was not asked");
        };
        if reasons.iter().any(|reason| *reason as u8 >= 0x80) {
            return self.broken(book, &format!("subscription refused: {reasons:?}"));
        }
        // No Subscription existed is what UNSUBACK says when the first one was lost on its way: it is over either way.
        let now = book.now();
        book.counts.subscribed += 1;
        if let Some(receiver) = &mut self.receiver
            && let Some(subscription) = receiver.subscriptions.get_mut(at)
        {
            subscription.state = if is_subscribe {
                State::On(now)
            } else {
                State::Off(now)
            };
        }
    }
}
