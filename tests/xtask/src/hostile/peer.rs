//! A client that waits for every answer: MQTT 5.0 over a blocking socket, on loopback.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use hookmq_mqtt::{
    Connect, Frame, Packet, PacketIdentifier, ProtocolVersion, Publish, PublishProperties, QoS,
    Subscribe, SubscribeEntry, UserProperties, decode, encode, encode_publish, frame,
};

use crate::Outcome;

/// The longest that any answer may take; nothing that goes well takes this long.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The largest packet of the standard.
const LARGEST: u32 = 268_435_460;
const V5: ProtocolVersion = ProtocolVersion::V5;

/// See the module.
pub(super) struct Peer {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    identifier: PacketIdentifier,
    waiting: VecDeque<Received>,
}

/// A message as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Received {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) properties: Vec<(String, String)>,
}

/// How a PUBLISH was answered.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    /// The Reason Code of PUBACK; 0 for QoS 0.
    pub(super) code: u8,
    /// The Reason String, if there was one.
    pub(super) words: String,
    pub(super) took: Duration,
}

/// What a packet was, as far as it matters here.
enum Seen {
    Message(Received),
    Answer { code: u8, words: String },
    Ended(String),
}

impl Peer {
    /// Connects with a clean start.
    ///
    /// # Errors
    /// When the broker does not take the connection.
    pub(super) fn connect(address: SocketAddr, client_id: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut peer = Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            identifier: PacketIdentifier::FIRST,
            waiting: VecDeque::new(),
        };
        let connect = Connect::new(V5, client_id);
        encode(&Packet::Connect(Box::new(connect)), V5, &mut peer.output)?;
        peer.flush()?;
        match peer.answer(Instant::now() + PATIENCE)? {
            (0, _) => Ok(peer),
            (code, words) => Err(format!("{client_id} was refused: {code:#04x} {words}").into()),
        }
    }

    /// Subscribes with QoS 0, and waits for the answer.
    ///
    /// # Errors
    /// When it is refused or does not come.
    pub(super) fn subscribe(&mut self, topic_filter: &str) -> Outcome {
        let subscribe = Subscribe {
            packet_identifier: self.identifier,
            subscription_identifier: None,
            user_properties: UserProperties::new(),
            subscriptions: vec![SubscribeEntry {
                topic_filter: topic_filter.to_owned(),
                options: QoS::AtMostOnce.into(),
            }],
        };
        encode(&Packet::Subscribe(subscribe), V5, &mut self.output)?;
        self.flush()?;
        match self.answer(Instant::now() + PATIENCE)? {
            (code, _) if code < 0x80 => Ok(()),
            (code, words) => Err(format!("{topic_filter} was refused: {code:#04x} {words}").into()),
        }
    }

    /// Publishes with QoS 1, and waits for the answer.
    ///
    /// # Errors
    /// When it does not come.
    pub(super) fn publish(&mut self, topic: &str, payload: &[u8]) -> Outcome<Answered> {
        self.publish_with(topic, payload, &UserProperties::new())
    }

    /// The same with User Properties.
    ///
    /// # Errors
    /// As [`Peer::publish`].
    pub(super) fn publish_with(
        &mut self,
        topic: &str,
        payload: &[u8],
        properties: &UserProperties,
    ) -> Outcome<Answered> {
        let started = Instant::now();
        self.put(topic, payload, properties, QoS::AtLeastOnce)?;
        self.flush()?;
        let (code, words) = self.answer(started + PATIENCE)?;
        Ok(Answered {
            code,
            words,
            took: started.elapsed(),
        })
    }

    /// As much work as calls that took so long, with a harmless plugin at this topic: what its handler does not take of the processors is
    /// taken here.
    ///
    /// # Errors
    /// As [`Peer::publish`].
    pub(super) fn replay(&mut self, topic: &str, calls: &[Duration]) -> Outcome {
        for took in calls {
            let started = Instant::now();
            self.publish(topic, b"x")?;
            while started.elapsed() < *took {
                std::hint::spin_loop();
            }
        }
        Ok(())
    }

    /// Adds a message to what goes out with the next flush.
    ///
    /// # Errors
    /// When it is none that MQTT can say.
    pub(super) fn put(
        &mut self,
        topic: &str,
        payload: &[u8],
        properties: &UserProperties,
        qos: QoS,
    ) -> Outcome {
        let publish = Publish {
            dup: false,
            qos,
            retain: false,
            topic,
            packet_identifier: (qos != QoS::AtMostOnce).then_some(self.identifier),
            payload,
            properties: PublishProperties {
                user_properties: properties.as_ref(),
                ..PublishProperties::default()
            },
        };
        encode_publish(&publish, V5, &mut self.output)?;
        Ok(())
    }

    /// Sends what was put.
    ///
    /// # Errors
    /// When the broker does not take it.
    pub(super) fn flush(&mut self) -> Outcome {
        self.stream.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// The next message, if one comes by then.
    ///
    /// # Errors
    /// When the connection ends.
    pub(super) fn message(&mut self, deadline: Instant) -> Outcome<Option<Received>> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(Some(message));
            }
            match self.packet(deadline)? {
                None => return Ok(None),
                Some(Seen::Message(message)) => return Ok(Some(message)),
                Some(Seen::Answer { .. }) => {}
                Some(Seen::Ended(why)) => return Err(why.into()),
            }
        }
    }

    fn answer(&mut self, deadline: Instant) -> Outcome<(u8, String)> {
        loop {
            match self.packet(deadline)? {
                None => return Err(format!("no answer within {PATIENCE:?}").into()),
                Some(Seen::Message(message)) => self.waiting.push_back(message),
                Some(Seen::Answer { code, words }) => return Ok((code, words)),
                Some(Seen::Ended(why)) => return Err(why.into()),
            }
        }
    }

    fn packet(&mut self, deadline: Instant) -> Outcome<Option<Seen>> {
        loop {
            if let Frame::Complete(len) = frame(&self.input, LARGEST)? {
                let whole = self.input.get(..len).unwrap_or_default();
                let seen = seen(&decode(whole, V5)?);
                self.input.advance(len);
                match seen {
                    Some(seen) => return Ok(Some(seen)),
                    None => continue,
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut chunk = [0; 64 << 10];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(Some(Seen::Ended("the broker closed the connection".into()))),
                Ok(n) => self
                    .input
                    .extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(error) => {
                    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
                    if !matches!(error.kind(), Interrupted | TimedOut | WouldBlock) {
                        return Err(error.into());
                    }
                }
            }
        }
    }
}

fn seen(packet: &Packet<'_>) -> Option<Seen> {
    Some(match packet {
        Packet::Publish(publish) => Seen::Message(Received {
            topic: publish.topic.to_owned(),
            payload: publish.payload.to_vec(),
            properties: publish
                .properties
                .user_properties
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }),
        Packet::ConnAck(connack) => Seen::Answer {
            code: connack.reason as u8,
            words: String::new(),
        },
        Packet::SubAck(suback) => Seen::Answer {
            code: suback.reasons.first().map_or(0, |reason| *reason as u8),
            words: suback.reason_string.clone().unwrap_or_default(),
        },
        Packet::PubAck(puback) => Seen::Answer {
            code: puback.reason as u8,
            words: puback
                .properties
                .as_ref()
                .and_then(|properties| properties.reason_string.clone())
                .unwrap_or_default(),
        },
        Packet::Disconnect(disconnect) => Seen::Ended(format!(
            "the broker ended the connection: {:?}",
            disconnect.reason
        )),
        _ => return None,
    })
}
