//! What each packet of a connected client does: session first, then the broker's verb, then the answer. No socket here.

mod replying;
mod subscribing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use hookmq_mqtt::packet::{Ack, Disconnect};
use hookmq_mqtt::{Packet, QoS, ReasonCode, codec};
use hookmq_plugin_api::{Field, Hook, Value};

use super::end::End;
use crate::broker::connect::Connected;
use crate::broker::disconnect::Ended;
use crate::broker::sessions::{Control, DisconnectType, Entry};
use crate::broker::subscribe::Replay;
use crate::broker::{Inner, Turn};
use crate::client::ClientInfo;
use crate::event::message::Origin;
use crate::event::packet::PacketDraft;
use crate::hook::{Chain, Decision, Scope};
use crate::message::{Message, Source};
use crate::session::ProtocolError;
use crate::session::outbox::Outbox;

/// One connected client's side of the protocol.
pub(crate) struct Protocol {
    pub(crate) inner: Arc<Inner>,
    pub(crate) entry: Arc<Entry>,
    pub(crate) client: Arc<ClientInfo>,
    pub(crate) control: Arc<Control>,
    pub(crate) turn: Turn,
    /// Answers that wait to be written.
    pub(crate) replies: BytesMut,
    /// Answers that wait for the store first, and those that must not overtake them.
    pub(crate) promises: Outbox,
    /// Retained messages that wait for the client to take them.
    pub(crate) replays: VecDeque<Replay>,
    pub(super) maximum_qos: QoS,
    pub(super) maximum_packet_size: usize,
    /// PUBLISH packets of this turn.
    pub(super) n_received: u64,
}

/// Which plugins a PUBLISH that arrives meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// None.
    Unasked,
    /// Those that are asked about the message, which all answer at once; none about the packet, none on the way to receivers.
    Asked,
    /// Any.
    Long,
}

impl Way {
    pub(crate) fn of(chain: &Chain) -> Self {
        let on_the_way = [
            Hook::InterceptInboundPacket,
            Hook::InterceptEnqueue,
            Hook::MessageEnqueued,
        ];
        let about_it = [Hook::InterceptPublish, Hook::AuthorizePublish];
        if on_the_way.into_iter().any(|hook| chain.listens(hook))
            || about_it.into_iter().any(|hook| chain.awaits(hook))
        {
            Self::Long
        } else if about_it.into_iter().any(|hook| chain.listens(hook)) {
            Self::Asked
        } else {
            Self::Unasked
        }
    }
}

/// What became of a frame.
pub(crate) enum Flow {
    /// Handled.
    Next,
    /// It may await: these bytes go to [`Protocol::handle_awaiting`].
    Await(BytesMut),
}

impl Protocol {
    pub(crate) fn new(
        inner: Arc<Inner>,
        connected: Connected,
        turn: Turn,
        maximum_packet_size: u32,
    ) -> Self {
        let Connected {
            entry,
            client,
            control,
            maximum_qos,
            durability,
            ..
        } = connected;
        let mut turn = turn;
        turn.durability = durability;
        turn.client = Some(Arc::clone(&client));
        turn.session = Some(entry.session.clone());
        Self {
            inner,
            entry,
            client,
            control,
            turn,
            replies: BytesMut::new(),
            promises: Outbox::default(),
            replays: VecDeque::new(),
            maximum_qos,
            maximum_packet_size: maximum_packet_size as usize,
            n_received: 0,
        }
    }

    /// Largest packet that the client takes [MQTT-3.1.2-24].
    pub(crate) const fn maximum_packet_size(&self) -> usize {
        self.maximum_packet_size
    }

    /// Handles one whole packet without waiting, or says that it may have to. `way` is [`Way::of`] the chain.
    pub(crate) fn handle(
        &mut self,
        chain: &Chain,
        way: Way,
        frame: &[u8],
        now: Instant,
    ) -> Result<Flow, Box<End>> {
        // The common packet is handled where it was decoded: to move it costs as much as to read its topic. One test serves for all
        // hooks on its way.
        let decoded = codec::decode(frame, self.client.version);
        match &decoded {
            Ok(Packet::Publish(publish)) if way != Way::Long => {
                self.handle_short(chain, way, publish, now)?;
                Ok(Flow::Next)
            }
            Ok(Packet::Publish(publish)) if !chain.listens(Hook::InterceptInboundPacket) => {
                self.handle_publish(chain, publish, frame, now)
            }
            _ => self.handle_rare(chain, decoded?, frame, now),
        }
    }

    #[inline(never)]
    fn handle_rare(
        &mut self,
        chain: &Chain,
        packet: Packet<'_>,
        frame: &[u8],
        now: Instant,
    ) -> Result<Flow, Box<End>> {
        if chain.listens(Hook::InterceptInboundPacket) {
            self.handle_asked(chain, packet, frame, now)
        } else {
            self.handle_packet(chain, packet, frame, now)
        }
    }

    /// Asks the plugins about a packet before it is handled.
    #[inline(never)]
    fn handle_asked(
        &mut self,
        chain: &Chain,
        packet: Packet<'_>,
        frame: &[u8],
        now: Instant,
    ) -> Result<Flow, Box<End>> {
        let mut packet = packet;
        // An alias is resolved before any hook, so that no policy judges an empty topic, and a dropped packet still sets it.
        let resolved;
        if let Packet::Publish(publish) = &mut packet
            && let Some(alias) = publish.properties.topic_alias.take()
        {
            resolved = self
                .entry
                .session
                .0
                .receiving()
                .resolve(alias, publish.topic)?;
            publish.topic = &resolved;
        }
        let client = Arc::clone(&self.client);
        let inner = Arc::clone(&self.inner);
        let mut draft = PacketDraft::new(
            Hook::InterceptInboundPacket,
            Some(&client),
            &packet,
            &inner.session_settings,
        );
        match ask_packet(chain, Hook::InterceptInboundPacket, &client, &mut draft) {
            Decision::Disconnect(explained) => {
                inner.explain(
                    &explained,
                    Origin {
                        client: Some(&client),
                        source: Source::Client,
                    },
                    "",
                );
                Err(End::rejected(&inner, &explained))
            }
            Decision::Drop(explained) => {
                tracing::debug!(client_id = %client.client_id, "{explained}");
                Ok(Flow::Next)
            }
            _ if draft.is_changed() => {
                let changed = draft.packet();
                let mut frame = BytesMut::new();
                codec::encode(&changed, client.version, &mut frame).map_err(|error| {
                    End::by_broker(
                        ReasonCode::ImplementationSpecificError,
                        DisconnectType::NotClean,
                        Some(error.to_string()),
                    )
                })?;
                self.handle_packet(chain, changed, &frame, now)
            }
            _ => self.handle_packet(chain, packet, frame, now),
        }
    }

    fn handle_packet(
        &mut self,
        chain: &Chain,
        packet: Packet<'_>,
        frame: &[u8],
        now: Instant,
    ) -> Result<Flow, Box<End>> {
        match packet {
            Packet::Publish(publish) => return self.handle_publish(chain, &publish, frame, now),
            Packet::PubAck(ack) => {
                let done = self
                    .entry
                    .session
                    .0
                    .sending()
                    .handle_puback(ack.packet_identifier);
                self.acknowledged(done, "puback", &ack, now);
            }
            Packet::PubRec(ack) => {
                let done = self
                    .entry
                    .session
                    .0
                    .sending()
                    .handle_pubrec(ack.packet_identifier, ack.reason);
                // An answer like any other: it counts when it is asked whether the client reads what it is told.
                if let Ok(Some((reason, ticket))) = done {
                    let release = Packet::PubRel(Ack::new(ack.packet_identifier, reason));
                    self.reply_after(ticket, release);
                }
                self.acknowledged(done.err(), "pubrec", &ack, now);
            }
            Packet::PubComp(ack) => {
                let done = self
                    .entry
                    .session
                    .0
                    .sending()
                    .handle_pubcomp(ack.packet_identifier);
                self.acknowledged(done, "pubcomp", &ack, now);
            }
            Packet::PubRel(ack) => {
                let (reason, ticket) = self
                    .entry
                    .session
                    .0
                    .receiving()
                    .handle_pubrel(ack.packet_identifier);
                let done = Packet::PubComp(Ack::new(ack.packet_identifier, reason));
                self.reply_after(ticket, done);
            }
            Packet::Subscribe(_) | Packet::Unsubscribe(_) => return Ok(Flow::Await(frame.into())),
            Packet::PingReq => self.reply(Packet::PingResp),
            Packet::Disconnect(disconnect) => return Err(self.handle_disconnect(disconnect)),
            // A second CONNECT [MQTT-3.1.0-2], and what only a Server sends [v3 MQTT-4.8.0-1]; AUTH without a method [MQTT-4.12.0-6].
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp
            | Packet::Auth(_) => {
                return Err(ProtocolError {
                    reason: ReasonCode::ProtocolError,
                    clause: "MQTT-3.1.0-2",
                }
                .into());
            }
        }
        Ok(Flow::Next)
    }

    /// Handles a packet that may await: the connection's next packet waits for it, nobody else does.
    pub(crate) async fn handle_awaiting(
        &mut self,
        chain: &Chain,
        frame: &[u8],
        now: Instant,
    ) -> Result<(), Box<End>> {
        match codec::decode(frame, self.client.version)? {
            Packet::Publish(publish) => self.handle_publish_awaiting(chain, publish, now).await,
            Packet::Subscribe(subscribe) => self.handle_subscribe(chain, subscribe).await,
            Packet::Unsubscribe(unsubscribe) => self.handle_unsubscribe(chain, unsubscribe).await,
            _ => Ok(()),
        }
    }

    /// A receiver's acknowledgement freed its window.
    fn acknowledged(
        &mut self,
        done: Option<Arc<Message>>,
        packet_type: &'static str,
        ack: &Ack,
        now: Instant,
    ) {
        let to = &self.entry.session;
        let mut lost = Vec::new();
        {
            let mut sending = to.0.sending();
            if sending.has_waiting() {
                sending.refill(now, &mut lost);
            }
        }
        // The connection looks at its own outbox after this packet.
        to.0.mark_output();
        for lost in &lost {
            self.inner.notify_lost(to, lost, now);
        }
        let Some(message) = done else { return };
        if self.inner.hooks.listens(Hook::MessageAcknowledged) {
            let more = [
                (Field::ClientId, Value::Text(&self.client.client_id)),
                (
                    Field::Username,
                    Value::text(self.client.username.as_deref()),
                ),
                (Field::PacketType, Value::Text(packet_type)),
                (Field::ReasonCode, Value::Integer(ack.reason as i64)),
                (Field::Completed, Value::Bool(!ack.reason.is_error())),
            ];
            let publish = message.as_publish(now);
            self.inner.notify_message(
                Hook::MessageAcknowledged,
                &publish,
                message.source,
                message.sender.as_ref(),
                Some(to),
                &more,
            );
        }
    }

    /// The client says goodbye [MQTT-3.14.4-2].
    fn handle_disconnect(&self, disconnect: Disconnect) -> Box<End> {
        let was_zero = self.entry.state.lock().session_expiry_interval == 0;
        if was_zero
            && disconnect
                .session_expiry_interval
                .is_some_and(|interval| interval > 0)
        {
            // A Session that was to end with the connection cannot be kept any more (section 3.14.2.2.2 of MQTT 5.0).
            return ProtocolError {
                reason: ReasonCode::ProtocolError,
                clause: "MQTT-3.14.2-2",
            }
            .into();
        }
        Box::new(End {
            disconnect: None,
            ended: Ended {
                kind: DisconnectType::Clean,
                reason: disconnect.reason,
                reason_string: disconnect.reason_string,
                user_properties: disconnect.user_properties,
                forget_will: disconnect.reason == ReasonCode::Success,
                session_expiry_interval: disconnect.session_expiry_interval,
            },
        })
    }

    /// Ends a turn: wakes whom it touched, and counts.
    pub(crate) fn end_turn(&mut self) {
        self.turn.wake();
        if self.n_received > 0 {
            self.inner
                .stats
                .received(std::mem::take(&mut self.n_received));
        }
    }
}

/// Asks `intercept_inbound_packet` or `intercept_outbound_packet`.
pub(crate) fn ask_packet(
    chain: &Chain,
    hook: Hook,
    client: &ClientInfo,
    draft: &mut PacketDraft<'_>,
) -> Decision {
    let (topic, qos, size) = {
        let event = hookmq_plugin_api::Event::get;
        let topic = event(draft, Field::Topic).as_text().map(str::to_owned);
        let qos = event(draft, Field::Qos)
            .as_integer()
            .and_then(|qos| u8::try_from(qos).ok());
        let size = event(draft, Field::PayloadSize)
            .as_integer()
            .and_then(|size| usize::try_from(size).ok());
        (topic, qos, size)
    };
    let scope = Scope {
        client_id: &client.client_id,
        listener: &client.listener,
        topic: topic.as_deref(),
        qos,
        size,
    };
    chain.filter(hook, &scope, draft)
}
