//! One client of very many: packets out, packets in, MQTT 5.0.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use hookmq_mqtt::{
    Connect, Frame, Packet, PacketIdentifier, ProtocolVersion, Publish, PublishProperties, QoS,
    Subscribe, SubscribeEntry, UserProperties, decode, encode, encode_publish, frame,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::Outcome;

/// The largest packet of the standard.
const LARGEST: u32 = 268_435_460;
const V5: ProtocolVersion = ProtocolVersion::V5;
/// The longest that an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
pub(super) struct Link {
    stream: TcpStream,
    input: BytesMut,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// When it is not let in.
    pub(super) async fn connect(address: SocketAddr, client_id: &str) -> Outcome<Self> {
        Self::over(TcpStream::connect(address).await?, client_id).await
    }

    /// Connects by a socket that holds little of what comes.
    ///
    /// # Errors
    /// As [`Link::connect`].
    pub(super) async fn connect_narrow(address: SocketAddr, client_id: &str) -> Outcome<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(8 << 10)?;
        Self::over(socket.connect(address).await?, client_id).await
    }

    async fn over(stream: TcpStream, client_id: &str) -> Outcome<Self> {
        stream.set_nodelay(true)?;
        let mut link = Self {
            stream,
            input: BytesMut::new(),
        };
        let connect = Connect::new(V5, client_id);
        link.put(&Packet::Connect(Box::new(connect))).await?;
        match decode(&link.answer().await?, V5)? {
            Packet::ConnAck(connack) if !connack.reason.is_error() => Ok(link),
            other => Err(format!("{client_id}: {other}").into()),
        }
    }

    /// Subscribes with QoS 0.
    ///
    /// # Errors
    /// When it is refused.
    pub(super) async fn subscribe(&mut self, filters: &[&str]) -> Outcome {
        let subscriptions = filters.iter().map(|filter| SubscribeEntry {
            topic_filter: (*filter).to_owned(),
            options: QoS::AtMostOnce.into(),
        });
        let subscribe = Subscribe {
            packet_identifier: PacketIdentifier::FIRST,
            subscription_identifier: None,
            user_properties: UserProperties::new(),
            subscriptions: subscriptions.collect(),
        };
        self.put(&Packet::Subscribe(subscribe)).await?;
        match decode(&self.answer().await?, V5)? {
            Packet::SubAck(_) => Ok(()),
            other => Err(format!("no SUBACK but {other}").into()),
        }
    }

    /// Publishes with QoS 0.
    ///
    /// # Errors
    /// When the connection is over.
    pub(super) async fn publish(&mut self, topic: &str, payload: &[u8], retain: bool) -> Outcome {
        let mut bytes = BytesMut::new();
        put_publish(topic, payload, retain, &mut bytes)?;
        self.put_bytes(&bytes).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// As [`Link::publish`].
    pub(super) async fn put_bytes(&mut self, bytes: &[u8]) -> Outcome {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Sends PINGREQ and waits for the answer; nothing else may come before it.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub(super) async fn ping(&mut self) -> Outcome {
        self.put(&Packet::PingReq).await?;
        match decode(&self.answer().await?, V5)? {
            Packet::PingResp => Ok(()),
            other => Err(format!("no PINGRESP but {other}").into()),
        }
    }

    /// The next message: whether it is retained, and its payload.
    ///
    /// # Errors
    /// When something else comes, or the connection is over.
    pub(super) async fn message(&mut self) -> Outcome<(bool, Vec<u8>)> {
        match decode(&self.next().await?, V5)? {
            Packet::Publish(publish) => Ok((publish.retain, publish.payload.to_vec())),
            other => Err(format!("no PUBLISH but {other}").into()),
        }
    }

    /// How many packets have come so far, reading what there is now or comes next.
    ///
    /// # Errors
    /// When the connection is over.
    pub(super) async fn count(&mut self) -> Outcome<usize> {
        if self.stream.read_buf(&mut self.input).await? == 0 {
            return Err("the broker ended the connection".into());
        }
        let mut n = 0;
        while let Frame::Complete(len) = frame(&self.input, LARGEST)? {
            drop(self.input.split_to(len));
            n += 1;
        }
        Ok(n)
    }

    async fn put(&mut self, packet: &Packet<'_>) -> Outcome {
        let mut bytes = BytesMut::new();
        encode(packet, V5, &mut bytes)?;
        self.put_bytes(&bytes).await
    }

    async fn answer(&mut self) -> Outcome<BytesMut> {
        match tokio::time::timeout(PATIENCE, self.next()).await {
            Ok(answer) => answer,
            Err(_) => Err("no answer".into()),
        }
    }

    async fn next(&mut self) -> Outcome<BytesMut> {
        loop {
            if let Frame::Complete(len) = frame(&self.input, LARGEST)? {
                return Ok(self.input.split_to(len));
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err("the broker ended the connection".into());
            }
        }
    }
}

/// Adds a PUBLISH with QoS 0.
///
/// # Errors
/// When it is none that MQTT can say.
pub(super) fn put_publish(
    topic: &str,
    payload: &[u8],
    retain: bool,
    out: &mut BytesMut,
) -> Outcome {
    let publish = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain,
        topic,
        packet_identifier: None,
        payload,
        properties: PublishProperties::default(),
    };
    Ok(encode_publish(&publish, V5, out)?)
}
