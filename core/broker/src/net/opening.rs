//! The first packet of a connection: CONNECT is read, judged and answered before anything else.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use hookmq_mqtt::codec::{self, Frame};
use hookmq_mqtt::packet::{ConnAck, Connect};
use hookmq_mqtt::{DecodeError, Packet, ProtocolVersion};
use hookmq_plugin_api::Hook;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::connection::FAREWELL;
use super::outbound::{Outbound, Unlearned};
use super::packets::{Protocol, ask_packet};
use crate::broker::connect::Gateway;
use crate::broker::handshakes::{Handshake, UnansweredConnect};
use crate::broker::{Inner, Turn};
use crate::client::ClientInfo;
use crate::event::packet::PacketDraft;
use crate::hook::{Chain, Decision};
use crate::store::journal::Ticket;

/// Reads CONNECT, asks who it is and prepares the answer; a refusal is written here. `None` if nobody came in.
pub(super) async fn introduce<S: AsyncRead + AsyncWrite + Unpin + Send>(
    inner: &Arc<Inner>,
    stream: &mut S,
    gateway: &Gateway,
    handshake: Option<Handshake>,
) -> Option<(Protocol, BytesMut, BytesMut, Ticket)> {
    let mut inbound = BytesMut::new();
    let mut unanswered = inner.unanswered.begin();
    let settings = &inner.session_settings;
    let mut stopping = inner.stopping.subscribe();
    let evicted = async {
        match &handshake {
            Some(handshake) => handshake.evicted().await,
            None => std::future::pending().await,
        }
    };
    let read = tokio::select! {
        // A CONNECT that has come counts, whatever else has.
        biased;
        read = tokio::time::timeout(settings.connect_timeout, read_connect(stream, &mut inbound, settings.maximum_packet_size, &mut unanswered)) => read,
        _ = stopping.wait_for(|stopping| *stopping) => return None,
        () = evicted => {
            tracing::debug!(endpoint = gateway.endpoint, listener = %gateway.listener, "gave way before CONNECT was there");
            return None;
        }
    };
    drop(handshake);
    let connect = match read {
        Ok(Ok(Some(connect))) => connect,
        Ok(Ok(None)) => return None,
        Ok(Err(Unread::NoRoom)) => {
            tracing::info!(endpoint = gateway.endpoint, listener = %gateway.listener, "not let in: limits.maximum_handshake_bytes");
            return None;
        }
        Ok(Err(Unread::Malformed(error))) => {
            tracing::info!(endpoint = gateway.endpoint, listener = %gateway.listener, %error, "not let in");
            refuse_undecoded(stream, &inbound, &error).await;
            return None;
        }
        Err(_) => {
            tracing::info!(
                endpoint = gateway.endpoint,
                "no CONNECT within {:?}",
                settings.connect_timeout
            );
            return None;
        }
    };
    let version = connect.version;
    let maximum_packet_size = connect
        .maximum_packet_size
        .map_or(u32::MAX, std::num::NonZeroU32::get);
    let chain = inner.hooks.chain();
    if chain.listens(Hook::InterceptInboundPacket) {
        let stranger = ClientInfo {
            listener: Arc::clone(&gateway.listener),
            endpoint: gateway.endpoint.clone(),
            version,
            ..ClientInfo::named(connect.client_id.as_str().into())
        };
        let packet = Packet::Connect(connect.clone());
        let mut draft = PacketDraft::new(
            Hook::InterceptInboundPacket,
            Some(&stranger),
            &packet,
            settings,
        );
        match ask_packet(&chain, Hook::InterceptInboundPacket, &stranger, &mut draft) {
            Decision::Pass | Decision::Accept | Decision::Consume(_) => {}
            Decision::Drop(explained)
            | Decision::Deny(explained)
            | Decision::Disconnect(explained) => {
                tracing::info!(endpoint = gateway.endpoint, "{explained}");
                return None;
            }
        }
    }
    let mut turn = Turn::new(inner);
    let answer = inner.connect(&chain, &mut turn, &connect, gateway).await;
    drop(unanswered);
    turn.wake();
    let connected = match answer {
        Ok(connected) => connected,
        Err(refusal) => {
            let stranger = ClientInfo {
                listener: Arc::clone(&gateway.listener),
                endpoint: gateway.endpoint.clone(),
                version,
                ..ClientInfo::named(connect.client_id.as_str().into())
            };
            let bytes = encode_connack(inner, &chain, &stranger, refusal, maximum_packet_size);
            let _ = tokio::time::timeout(FAREWELL, write_and_close(stream, &bytes)).await;
            return None;
        }
    };
    let connack = encode_connack(
        inner,
        &chain,
        &connected.client,
        connected.connack.clone(),
        maximum_packet_size,
    );
    let opening = connected.ticket;
    let protocol = Protocol::new(Arc::clone(inner), connected, turn, maximum_packet_size);
    Some((protocol, inbound, connack, opening))
}

/// Why there is no CONNECT.
enum Unread {
    Malformed(DecodeError),
    /// It takes more memory than is left for those that nobody knows.
    NoRoom,
}

impl From<DecodeError> for Unread {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

/// Reads until one whole packet is there; it must be CONNECT [MQTT-3.1.0-1]. `None` if the peer went.
async fn read_connect<S: AsyncRead + Unpin>(
    stream: &mut S,
    inbound: &mut BytesMut,
    maximum_packet_size: u32,
    unanswered: &mut UnansweredConnect,
) -> Result<Option<Box<Connect>>, Unread> {
    loop {
        // Judged before it is read whole: nobody unknown makes the broker keep another packet.
        if let Some(first) = inbound.first()
            && first >> 4 != 1
        {
            return Ok(None);
        }
        if let Frame::Complete(len) = codec::frame(inbound, maximum_packet_size)? {
            // Taken off only when it is understood: a refusal looks at what there is.
            let frame = inbound.get(..len).unwrap_or_default();
            let connect = match codec::decode(frame, ProtocolVersion::V5)? {
                Packet::Connect(connect) => Some(connect),
                _ => None,
            };
            inbound.advance(len);
            return Ok(connect);
        }
        match stream.read_buf(inbound).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) if !unanswered.grow(inbound.capacity()) => return Err(Unread::NoRoom),
            Ok(_) => {}
        }
    }
}

/// A CONNECT that cannot be read is answered where the peer can understand it [MQTT-3.1.2-2, MQTT-3.1.4-1].
async fn refuse_undecoded<S: AsyncWrite + Unpin>(
    stream: &mut S,
    inbound: &[u8],
    error: &DecodeError,
) {
    let version = match error.v3_like() {
        Some(true) => ProtocolVersion::V311,
        Some(false) => ProtocolVersion::V5,
        // 3.1.1 has no word for a malformed CONNECT and closes [v3 MQTT-3.1.4-1].
        None if says_v5(inbound) => ProtocolVersion::V5,
        None => return,
    };
    let mut bytes = BytesMut::new();
    if codec::encode(
        &Packet::ConnAck(ConnAck::new(false, error.reason_code())),
        version,
        &mut bytes,
    )
    .is_ok()
    {
        let _ = tokio::time::timeout(FAREWELL, write_and_close(stream, &bytes)).await;
    }
}

/// Whether a CONNECT, well formed or not, is one of 5.0: name and version follow the fixed header.
fn says_v5(inbound: &[u8]) -> bool {
    let mut length = inbound.iter().skip(1).take(4);
    let after_length = length.position(|byte| *byte < 0x80).map(|at| at + 2);
    after_length
        .and_then(|at| inbound.get(at..))
        .is_some_and(|rest| rest.starts_with(b"\x00\x04MQTT\x05"))
}

async fn write_and_close<S: AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &[u8],
) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.shutdown().await
}

/// Explanations that would make it larger than the client takes are left out [MQTT-3.2.2-19, MQTT-3.2.2-20].
fn encode_connack(
    inner: &Inner,
    chain: &Chain,
    client: &ClientInfo,
    mut connack: ConnAck,
    maximum_packet_size: u32,
) -> BytesMut {
    let fits = codec::packet_len(&Packet::ConnAck(connack.clone()), client.version)
        .is_ok_and(|len| len <= maximum_packet_size as usize);
    if let Some(properties) = connack.properties.as_mut().filter(|_| !fits) {
        properties.reason_string = None;
        properties.user_properties = hookmq_mqtt::UserProperties::new();
    }
    let mut bytes = BytesMut::new();
    if let Err(error) = codec::encode(&Packet::ConnAck(connack), client.version, &mut bytes) {
        tracing::error!(%error, "CONNACK could not be encoded");
    }
    if chain.listens(Hook::InterceptOutboundPacket) {
        let mut admitted = BytesMut::new();
        let outbound = Outbound {
            inner,
            client,
            session: None,
            maximum_packet_size: usize::MAX,
        };
        let mut unlearned = Unlearned::default();
        while outbound.admit_one(chain, &mut bytes, &mut unlearned, &mut admitted) {}
        return admitted;
    }
    bytes
}
