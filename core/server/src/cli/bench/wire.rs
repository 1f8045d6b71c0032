//! The load generator's own cheap way to speak MQTT: packets encoded beforehand, frames found by their length.
//!
//! A broker may need 0.2 us for a message, so the generator must need less. Nothing is decoded but the few bytes that
//! are looked at.

use std::io;
use std::net::SocketAddr;

use bytes::BytesMut;
use hookmq_mqtt::codec;
use hookmq_mqtt::{
    Connect, Packet, PacketIdentifier, ProtocolVersion, Publish, PublishProperties, QoS, Subscribe,
    SubscribeEntry, UserProperties,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::BenchError;

/// Start of every payload: publisher (4 bytes), sequence number (4), time at which it was due (8, ns).
pub(super) const STAMP_BYTES: usize = 16;

pub(super) const PUBLISH: u8 = 3;
pub(super) const PUBACK: u8 = 4;
pub(super) const PUBREC: u8 = 5;
pub(super) const PUBREL: u8 = 6;
pub(super) const PUBCOMP: u8 = 7;

/// What all connections of a run share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) address: SocketAddr,
    pub(super) version: ProtocolVersion,
    pub(super) qos: QoS,
    /// Sessions outlive their connections.
    pub(super) persistent: bool,
}

impl Dialect {
    /// Connects with Clean Start.
    pub(super) async fn connect(self, client_id: &str) -> Result<TcpStream, BenchError> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut out = BytesMut::new();
        let mut connect = Connect::new(self.version, client_id);
        connect.session_expiry_interval = self.persistent.then_some(3_600);
        codec::encode(&Packet::Connect(Box::new(connect)), self.version, &mut out)?;
        stream.write_all(&out).await?;
        let answer = read_frame(&mut stream).await?;
        // Fixed header, flags, code.
        match answer.get(..4) {
            Some([0x20, _, _, 0]) => Ok(stream),
            Some([0x20, _, _, code]) => Err(BenchError::Refused {
                what: "CONNECT",
                code: *code,
            }),
            _ => Err(BenchError::Unexpected("CONNACK")),
        }
    }

    /// Subscribes, in packets of at most 1000 filters.
    pub(super) async fn subscribe(
        self,
        stream: &mut TcpStream,
        filters: &[String],
    ) -> Result<(), BenchError> {
        for filters in filters.chunks(1_000) {
            let subscribe = Subscribe {
                packet_identifier: PacketIdentifier::FIRST,
                subscription_identifier: None,
                user_properties: UserProperties::new(),
                subscriptions: filters
                    .iter()
                    .map(|filter| SubscribeEntry {
                        topic_filter: filter.clone(),
                        options: self.qos.into(),
                    })
                    .collect(),
            };
            let mut out = BytesMut::new();
            codec::encode(&Packet::Subscribe(subscribe), self.version, &mut out)?;
            stream.write_all(&out).await?;
            let answer = read_frame(stream).await?;
            match codec::decode(&answer, self.version) {
                Ok(Packet::SubAck(suback)) => {
                    if let Some(reason) = suback.reasons.iter().find(|reason| reason.is_error()) {
                        return Err(BenchError::Refused {
                            what: "SUBSCRIBE",
                            code: *reason as u8,
                        });
                    }
                }
                _ => return Err(BenchError::Unexpected("SUBACK")),
            }
        }
        Ok(())
    }
}

/// Reads exactly one packet; nothing behind it is expected yet.
async fn read_frame(stream: &mut TcpStream) -> Result<Vec<u8>, BenchError> {
    let mut frame = vec![0; 2];
    stream.read_exact(&mut frame).await?;
    while frame.last().is_some_and(|byte| *byte >= 0x80) && frame.len() < 5 {
        frame.push(stream.read_u8().await?);
    }
    let (remaining, header) = remaining_length(&frame).ok_or(BenchError::Unexpected("a packet"))?;
    frame.resize(header + remaining, 0);
    stream
        .read_exact(frame.get_mut(header..).unwrap_or_default())
        .await?;
    Ok(frame)
}

/// Remaining Length, and the bytes of the fixed header; `None` while it is not whole.
#[inline]
fn remaining_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (i, byte) in bytes.get(1..)?.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 2));
        }
    }
    None
}

/// Bytes read and not yet looked at.
pub(super) struct Input {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// Room for a read of `n_bytes`; grows if a packet is larger.
    pub(super) fn new(n_bytes: usize) -> Self {
        Self {
            buf: vec![0; n_bytes],
            start: 0,
            end: 0,
        }
    }

    /// Reads what there is; false if there is nothing.
    pub(super) fn fill(&mut self, stream: &TcpStream) -> io::Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buf.len() {
            self.buf.resize(self.buf.len() * 2, 0);
        }
        match stream.try_read(self.buf.get_mut(self.end..).unwrap_or_default()) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n_bytes) => {
                self.end += n_bytes;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The next whole packet.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Frame<'_>> {
        let bytes = self.buf.get(self.start..self.end)?;
        let (remaining, header) = remaining_length(bytes)?;
        let first = *bytes.first()?;
        let body = bytes.get(header..header + remaining)?;
        self.start += header + remaining;
        Some(Frame { first, body })
    }
}

/// A whole packet: first byte, and what comes after the fixed header.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    first: u8,
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    #[inline]
    pub(super) fn packet_type(self) -> u8 {
        self.first >> 4
    }

    /// Packet Identifier of an answer.
    #[inline]
    pub(super) fn identifier(self) -> Option<[u8; 2]> {
        self.body.first_chunk().copied()
    }

    /// True if an answer says that something failed.
    #[inline]
    pub(super) fn is_refusal(self) -> bool {
        self.body.get(2).is_some_and(|reason| *reason >= 0x80)
    }

    /// Packet Identifier, if QoS is 1 or 2, and the stamp of a PUBLISH.
    #[inline]
    pub(super) fn publish(self, version: ProtocolVersion) -> Option<(Option<[u8; 2]>, Stamp)> {
        let topic_len = usize::from(u16::from_be_bytes(*self.body.first_chunk()?));
        let mut rest: &'a [u8] = self.body.get(2 + topic_len..)?;
        let mut identifier = None;
        if self.first & 0b0110 != 0 {
            identifier = Some(*rest.first_chunk()?);
            rest = rest.get(2..)?;
        }
        if version.is_v5() {
            let (n_bytes, after) = match *rest.first()? {
                short @ 0..0x80 => (usize::from(short), 1),
                low => (usize::from(low & 0x7f) | usize::from(*rest.get(1)?) << 7, 2),
            };
            rest = rest.get(after + n_bytes..)?;
        }
        let stamp = rest.first_chunk::<STAMP_BYTES>()?;
        let (publisher, stamp) = stamp.split_first_chunk()?;
        let (sequence, due) = stamp.split_first_chunk()?;
        let stamp = Stamp {
            publisher: u32::from_le_bytes(*publisher),
            sequence: u32::from_le_bytes(*sequence),
            due_ns: u64::from_le_bytes(*due.first_chunk()?),
        };
        Some((identifier, stamp))
    }

    /// QoS of a PUBLISH.
    #[inline]
    pub(super) fn qos(self) -> u8 {
        self.first >> 1 & 0b11
    }
}

/// What a payload starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) publisher: u32,
    pub(super) sequence: u32,
    pub(super) due_ns: u64,
}

/// Writes an answer of two bytes of body into `out`.
#[inline]
pub(super) fn put_answer(out: &mut Vec<u8>, packet_type: u8, identifier: [u8; 2]) {
    let flags = if packet_type == PUBREL { 0b0010 } else { 0 };
    out.extend_from_slice(&[packet_type << 4 | flags, 2, identifier[0], identifier[1]]);
}

/// Encoded PUBLISH packets of equal length, sent again and again with new stamps.
pub(super) struct Ring {
    bytes: Vec<u8>,
    /// Bytes of one packet.
    stride: usize,
    /// Where the payload begins in a packet.
    payload_at: usize,
    n_packets: usize,
    n_sent: u32,
}

impl Ring {
    /// One packet per topic, all topics of one length, as many packets as `n_packets` says. Identifiers run from 1 to
    /// `n_identifiers` and begin again.
    pub(super) fn new(
        dialect: Dialect,
        publisher: u32,
        topics: &[String],
        n_packets: usize,
        n_identifiers: u16,
        payload_bytes: usize,
    ) -> Result<Self, BenchError> {
        let mut payload = vec![b'x'; payload_bytes.max(STAMP_BYTES)];
        payload.splice(..STAMP_BYTES, [0; STAMP_BYTES]);
        payload.splice(..4, publisher.to_le_bytes());
        let mut bytes = BytesMut::new();
        let mut identifier = PacketIdentifier::FIRST;
        for topic in topics.iter().cycle().take(n_packets) {
            let publish = Publish {
                dup: false,
                qos: dialect.qos,
                retain: false,
                topic,
                packet_identifier: (dialect.qos != QoS::AtMostOnce).then_some(identifier),
                payload: &payload,
                properties: PublishProperties::default(),
            };
            codec::encode_publish(&publish, dialect.version, &mut bytes)?;
            identifier = if identifier.get() >= n_identifiers {
                PacketIdentifier::FIRST
            } else {
                identifier.next()
            };
        }
        let stride = bytes.len() / n_packets;
        if stride * n_packets != bytes.len() {
            return Err(BenchError::Unexpected("topics of one length"));
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            stride,
            payload_at: stride - payload.len(),
            n_packets,
            n_sent: 0,
        })
    }

    /// The next `n` packets with their stamps. `n` divides the number of packets in the ring.
    pub(super) fn next(&mut self, n: usize, due_ns: u64) -> std::ops::Range<usize> {
        let from = self.n_sent as usize % self.n_packets * self.stride;
        let to = from + n * self.stride;
        for packet in self
            .bytes
            .get_mut(from..to)
            .unwrap_or_default()
            .chunks_exact_mut(self.stride)
        {
            let Some(stamp) = packet.get_mut(self.payload_at + 4..self.payload_at + STAMP_BYTES)
            else {
                continue;
            };
            stamp[..4].copy_from_slice(&self.n_sent.to_le_bytes());
            stamp[4..].copy_from_slice(&due_ns.to_le_bytes());
            self.n_sent = self.n_sent.wrapping_add(1);
        }
        from..to
    }

    pub(super) fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(version: ProtocolVersion, qos: QoS) -> Dialect {
        Dialect {
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            version,
            qos,
            persistent: false,
        }
    }

    #[test]
    fn what_the_ring_writes_the_input_reads() {
        for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                let topics = ["a/1".to_owned(), "a/2".to_owned()];
                let mut ring =
                    Ring::new(dialect(version, qos), 7, &topics, 4, 4, 200).expect("valid");
                let mut input = Input::new(8);
                for round in 0..3_u32 {
                    let range = ring.next(2, 99);
                    let bytes = ring.bytes(range).to_vec();
                    // Every packet is valid to the strict decoder, too.
                    let whole = match codec::frame(&bytes, u32::MAX) {
                        Ok(codec::Frame::Complete(n_bytes)) => n_bytes,
                        other => panic!("{other:?}"),
                    };
                    assert!(matches!(
                        codec::decode(&bytes[..whole], version),
                        Ok(Packet::Publish(_))
                    ));
                    input.buf = bytes.clone();
                    (input.start, input.end) = (0, bytes.len());
                    for i in 0..2 {
                        let frame = input.next().expect("whole");
                        assert_eq!((frame.packet_type(), frame.qos()), (PUBLISH, qos as u8));
                        let (identifier, stamp) = frame.publish(version).expect("a publish");
                        assert_eq!(
                            stamp,
                            Stamp {
                                publisher: 7,
                                sequence: round * 2 + i,
                                due_ns: 99
                            }
                        );
                        let expected = (round * 2 + i) % 4 + 1;
                        let expected = u16::try_from(expected).expect("small").to_be_bytes();
                        assert_eq!(identifier, (qos != QoS::AtMostOnce).then_some(expected));
                    }
                    assert!(input.next().is_none());
                }
            }
        }
    }

    #[test]
    fn half_a_packet_is_no_packet() {
        let mut input = Input::new(8);
        input.buf = vec![0x30, 0x85, 0x01, 0, 1, b'a'];
        for end in 0..=6 {
            (input.start, input.end) = (0, end);
            assert!(input.next().is_none(), "{end}");
        }
    }
}
