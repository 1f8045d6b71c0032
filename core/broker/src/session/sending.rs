//! The half of a Session that sends: window, queue, aliases and outbox.
//!
//! Publishers deliver into it under its lock, encoding straight into the outbox; the connection's task takes the outbox and writes
//! it. Serves step 9 of the path of a PUBLISH.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use hookmq_mqtt::packet::{Ack, Packet, Publish};
use hookmq_mqtt::{PacketIdentifier, ProtocolVersion, QoS, ReasonCode, codec};

use super::alias::{OutboundAliases, Sent};
use super::buffers;
use super::inflight::{Awaits, Inflight};
use super::pending::{Pending, Push, Waiting};
use super::settings::SessionSettings;
use crate::delivery::Delivery;
use crate::message::{Message, Offer};

/// What a Topic Alias beside its Topic Name adds at most: the property, and a byte more for each of two lengths.
const ALIAS_BYTES: usize = 5;

/// What became of a message for one receiver.
#[derive(Debug)]
pub(crate) enum Offered {
    /// Encoded into the outbox.
    Sent,
    /// It waits.
    Queued,
    /// It waits, and the oldest ones were dropped for it.
    Overwrote(Vec<Waiting>),
    /// It is lost for this receiver.
    Dropped(DropReason),
}

/// Why a message is lost; hooks and metrics see the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The receiver's queue is full.
    QueueFull,
    /// The Message Expiry Interval has passed.
    Expired,
    /// Larger than the receiver's Maximum Packet Size [MQTT-3.1.2-25].
    TooLarge,
    /// QoS 0 for a client that is away.
    OfflineQos0,
    /// A plugin dropped it.
    Plugin,
    /// The Session ended before it was delivered.
    SessionEnded,
}

impl DropReason {
    /// All reasons, in order.
    pub const ALL: [Self; 6] = [
        Self::QueueFull,
        Self::Expired,
        Self::TooLarge,
        Self::OfflineQos0,
        Self::Plugin,
        Self::SessionEnded,
    ];

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Expired => "expired",
            Self::TooLarge => "too_large",
            Self::OfflineQos0 => "offline_qos0",
            Self::Plugin => "plugin",
            Self::SessionEnded => "session_ended",
        }
    }
}

/// A message that left the queue without being sent.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) waiting: Waiting,
    pub(crate) reason: DropReason,
}

/// What a client allows in CONNECT.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) version: ProtocolVersion,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet_size: u32,
    pub(crate) topic_alias_maximum: u16,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Sending {
    settings: Arc<SessionSettings>,
    connected: bool,
    peer: Peer,
    outbox: BytesMut,
    inflight: Inflight,
    pending: Pending,
    aliases: OutboundAliases,
    /// Unacknowledged messages of an earlier connection, not sent again yet; nothing new overtakes them.
    resend: VecDeque<PacketIdentifier>,
    /// Somebody listens to `intercept_delivery`: every message waits for the connection's task, which asks before it sends.
    hold: bool,
    n_sent: u64,
}

impl Sending {
    pub(crate) fn new(settings: Arc<SessionSettings>) -> Self {
        Self {
            settings,
            connected: false,
            peer: Peer {
                version: ProtocolVersion::V5,
                receive_maximum: u16::MAX,
                maximum_packet_size: u32::MAX,
                topic_alias_maximum: 0,
            },
            outbox: BytesMut::new(),
            inflight: Inflight::new(),
            pending: Pending::default(),
            aliases: OutboundAliases::default(),
            resend: VecDeque::new(),
            hold: false,
            n_sent: 0,
        }
    }

    /// A Network Connection is up. What was sent and not acknowledged is sent again, with DUP, in the old order
    /// [MQTT-4.4.0-1, MQTT-4.6.0-1]; what waited follows. Both as the new connection's window and the outbox allow.
    pub(crate) fn attach(&mut self, peer: Peer, hold: bool, now: Instant) -> Vec<Lost> {
        self.connected = true;
        self.peer = peer;
        self.hold = hold;
        let allowed = if peer.version == ProtocolVersion::V5 {
            peer.topic_alias_maximum
        } else {
            0
        };
        self.aliases = OutboundAliases::new(allowed, self.settings.outbound_topic_alias_maximum);
        self.outbox.clear();
        self.resend = self
            .inflight
            .iter()
            .map(|(identifier, _)| identifier)
            .collect();
        let mut lost = Vec::new();
        self.refill(now, &mut lost);
        lost
    }

    /// The Network Connection is gone.
    pub(crate) fn detach(&mut self) {
        self.connected = false;
        self.resend.clear();
        self.aliases = OutboundAliases::default();
        buffers::give(std::mem::take(&mut self.outbox));
    }

    /// Whether every message waits for the connection's task, see [`Sending::next_held`].
    pub(crate) fn set_hold(&mut self, hold: bool) {
        self.hold = hold;
    }

    /// Hands a message over: encoded at once where that is possible, else it waits or is lost.
    pub(crate) fn offer(&mut self, offer: &Offer<'_>, delivery: Delivery) -> Offered {
        if !self.connected {
            if delivery.qos == QoS::AtMostOnce && !self.settings.queue_qos0_offline {
                return Offered::Dropped(DropReason::OfflineQos0);
            }
            return self.queue(offer, delivery);
        }
        let has_room = self.outbox.len() < self.settings.outbox_bytes && !self.hold;
        if delivery.qos == QoS::AtMostOnce {
            if has_room && !self.pending.has_qos0() {
                return match self.encode(offer.publish, &delivery, None) {
                    true => Offered::Sent,
                    false => Offered::Dropped(DropReason::TooLarge),
                };
            }
        } else if has_room && self.pending.is_empty() && self.has_window() {
            return match self.send_kept(offer.publish, offer.message(), delivery) {
                true => Offered::Sent,
                false => Offered::Dropped(DropReason::TooLarge),
            };
        }
        self.queue(offer, delivery)
    }

    /// Moves what waits into the outbox, as far as window and outbox allow.
    pub(crate) fn refill(&mut self, now: Instant, lost: &mut Vec<Lost>) {
        self.send_again(now);
        while let Some(waiting) = self.next_sendable(now, lost) {
            self.send_waiting(waiting, now, lost);
            if self.hold {
                return;
            }
        }
    }

    /// While holding: the next message that may be sent now. The connection's task asks the plugins and then sends it with
    /// [`Sending::send_waiting`].
    pub(crate) fn next_held(&mut self, now: Instant, lost: &mut Vec<Lost>) -> Option<Waiting> {
        if self.hold {
            self.take_sendable(now, lost)
        } else {
            None
        }
    }

    /// Sends a message that was taken with [`Sending::next_held`].
    pub(crate) fn send_waiting(&mut self, waiting: Waiting, now: Instant, lost: &mut Vec<Lost>) {
        let message = Arc::clone(&waiting.message);
        let sent = if waiting.delivery.qos == QoS::AtMostOnce {
            self.encode(&message.as_publish(now), &waiting.delivery, None)
        } else {
            self.send_kept(&message.as_publish(now), &message, waiting.delivery.clone())
        };
        if !sent {
            lost.push(Lost {
                waiting,
                reason: DropReason::TooLarge,
            });
        }
    }

    /// Swaps the outbox with an empty buffer; true if there is something to write.
    pub(crate) fn take_outbox(&mut self, into: &mut BytesMut) -> bool {
        if self.outbox.is_empty() {
            return false;
        }
        std::mem::swap(&mut self.outbox, into);
        true
    }

    /// PUBACK: the message that is done now. `None` for an identifier that waits for none.
    pub(crate) fn handle_puback(&mut self, identifier: PacketIdentifier) -> Option<Arc<Message>> {
        self.inflight
            .get_mut(identifier)
            .filter(|slot| slot.awaits == Awaits::PubAck)?;
        self.inflight.remove(identifier).map(|slot| slot.message)
    }

    /// PUBREC: answered with PUBREL of this reason [MQTT-4.3.3-4]; a refusal ends the delivery and gives its message.
    pub(crate) fn handle_pubrec(
        &mut self,
        identifier: PacketIdentifier,
        reason: ReasonCode,
    ) -> Result<Option<ReasonCode>, Arc<Message>> {
        match self.inflight.get_mut(identifier) {
            Some(slot) if slot.awaits == Awaits::PubRec && reason.is_error() => {
                let refused = self.inflight.remove(identifier).map(|slot| slot.message);
                refused.map_or(Ok(None), Err)
            }
            Some(slot) if slot.awaits != Awaits::PubAck => {
                slot.awaits = Awaits::PubComp;
                Ok(Some(ReasonCode::Success))
            }
            _ if reason.is_error() => Ok(None),
            _ => Ok(Some(ReasonCode::PacketIdentifierNotFound)),
        }
    }

    /// PUBCOMP: the message that is done now.
    pub(crate) fn handle_pubcomp(&mut self, identifier: PacketIdentifier) -> Option<Arc<Message>> {
        self.inflight
            .get_mut(identifier)
            .filter(|slot| slot.awaits == Awaits::PubComp)?;
        self.inflight.remove(identifier).map(|slot| slot.message)
    }

    /// Queued and inflight messages whose Session ends, oldest first.
    pub(crate) fn drain(&mut self) -> Vec<Arc<Message>> {
        let mut all: Vec<_> = self
            .inflight
            .iter()
            .map(|(_, slot)| Arc::clone(&slot.message))
            .collect();
        while let Some(waiting) = self.pending.pop() {
            all.push(waiting.message);
        }
        self.inflight = Inflight::new();
        all
    }

    /// The topic behind an alias that was set on this connection.
    pub(crate) fn topic_of(&self, alias: NonZeroU16) -> Option<Box<str>> {
        self.aliases.topic_of(alias).map(Box::from)
    }

    /// Messages that wait.
    pub(crate) fn n_queued(&self) -> usize {
        self.pending.len()
    }

    /// Messages sent and not yet acknowledged.
    pub(crate) fn n_inflight(&self) -> usize {
        self.inflight.len()
    }

    /// PUBLISH packets encoded since the last call.
    pub(crate) fn take_n_sent(&mut self) -> u64 {
        std::mem::take(&mut self.n_sent)
    }

    /// Whether a message could move on with the outbox empty.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.pending.is_empty() || !self.resend.is_empty()
    }

    /// Sends again, with DUP, what an earlier connection left unacknowledged, within this connection's window and outbox.
    fn send_again(&mut self, now: Instant) {
        let window = self.window();
        while self.connected
            && self.outbox.len() < self.settings.outbox_bytes
            && self.inflight.len() - self.resend.len().min(self.inflight.len()) < window
            && let Some(identifier) = self.resend.pop_front()
        {
            let Some(slot) = self.inflight.get_mut(identifier) else {
                continue;
            };
            if slot.awaits == Awaits::PubComp {
                self.put(&Packet::PubRel(Ack::new(identifier, ReasonCode::Success)));
                continue;
            }
            let (message, delivery) = (Arc::clone(&slot.message), slot.delivery.clone());
            // One that is too large for this connection is never acknowledged on it; it stays for another.
            self.encode(
                &message.as_publish(now),
                &delivery,
                Some((identifier, true)),
            );
        }
    }

    fn next_sendable(&mut self, now: Instant, lost: &mut Vec<Lost>) -> Option<Waiting> {
        if self.hold {
            None
        } else {
            self.take_sendable(now, lost)
        }
    }

    /// The oldest waiting message that window and outbox let through; QoS 0 ones may pass those that wait for the window.
    fn take_sendable(&mut self, now: Instant, lost: &mut Vec<Lost>) -> Option<Waiting> {
        while self.connected && self.outbox.len() < self.settings.outbox_bytes {
            let front = self.pending.front()?;
            let waiting = if front.message.is_expired(now)
                || front.delivery.qos == QoS::AtMostOnce
                || self.has_window()
            {
                self.pending.pop()?
            } else {
                self.pending.pop_qos0()?
            };
            if waiting.message.is_expired(now) {
                lost.push(Lost {
                    waiting,
                    reason: DropReason::Expired,
                });
                continue;
            }
            return Some(waiting);
        }
        None
    }

    fn queue(&mut self, offer: &Offer<'_>, delivery: Delivery) -> Offered {
        let waiting = Waiting {
            message: Arc::clone(offer.message()),
            delivery,
        };
        let settings = &self.settings;
        let (maximum, bytes) = (
            settings.maximum_queued_messages,
            settings.maximum_queued_bytes,
        );
        match self
            .pending
            .push(waiting, maximum, bytes, settings.queue_full)
        {
            Push::Queued => Offered::Queued,
            Push::Overwrote(oldest) => Offered::Overwrote(oldest),
            Push::Full => Offered::Dropped(DropReason::QueueFull),
        }
    }

    /// Encodes a QoS 1 or 2 message and keeps it until it is acknowledged; false if it is too large for the client.
    fn send_kept(
        &mut self,
        publish: &Publish<'_>,
        message: &Arc<Message>,
        delivery: Delivery,
    ) -> bool {
        let identifier = self.inflight.next_identifier();
        if !self.encode(publish, &delivery, Some((identifier, false))) {
            return false;
        }
        self.inflight.push(Arc::clone(message), delivery);
        true
    }

    /// Encodes into the outbox, for QoS 1 and 2 with identifier and DUP; false if it is too large for the client.
    fn encode(
        &mut self,
        publish: &Publish<'_>,
        delivery: &Delivery,
        again: Option<(PacketIdentifier, bool)>,
    ) -> bool {
        let mut publish = outgoing(*publish, delivery);
        if let Some((identifier, dup)) = again {
            publish.packet_identifier = Some(identifier);
            publish.dup = dup;
        }
        let version = self.peer.version;
        let mut alias_fits = true;
        if self.peer.maximum_packet_size != u32::MAX {
            let len = codec::publish_len(&publish, version);
            let maximum = self.peer.maximum_packet_size as usize;
            if len > maximum {
                return false;
            }
            alias_fits = len + ALIAS_BYTES <= maximum;
        }
        match if alias_fits {
            self.aliases.send(publish.topic)
        } else {
            Sent::Name
        } {
            Sent::Name => {}
            Sent::First(alias) => publish.properties.topic_alias = Some(alias),
            Sent::Alias(alias) => {
                publish.properties.topic_alias = Some(alias);
                publish.topic = "";
            }
        }
        if self.outbox.capacity() == 0 {
            self.outbox = buffers::take();
        }
        match codec::encode_publish(&publish, version, &mut self.outbox) {
            Ok(()) => {
                self.n_sent += 1;
                true
            }
            Err(error) => {
                tracing::warn!(topic = publish.topic, %error, "a message could not be encoded");
                false
            }
        }
    }

    fn put(&mut self, packet: &Packet<'_>) {
        if self.outbox.capacity() == 0 {
            self.outbox = buffers::take();
        }
        encode(packet, self.peer.version, &mut self.outbox);
    }

    /// Whether a new QoS 1 or 2 message may be sent.
    fn has_window(&self) -> bool {
        let bytes = self.settings.maximum_queued_bytes;
        self.resend.is_empty() && self.inflight.has_room(self.window(), bytes)
    }

    fn window(&self) -> usize {
        usize::from(
            self.peer
                .receive_maximum
                .min(self.settings.maximum_inflight),
        )
    }
}

/// The message as this receiver gets it.
fn outgoing<'a>(mut publish: Publish<'a>, delivery: &'a Delivery) -> Publish<'a> {
    publish.dup = false;
    publish.packet_identifier = None;
    publish.qos = delivery.qos;
    publish.retain = delivery.retain;
    publish.properties.topic_alias = None;
    publish.properties.subscription_identifiers = delivery.identifiers.as_slice().into();
    publish
}

/// Acknowledgements without texts always fit.
fn encode(packet: &Packet<'_>, version: ProtocolVersion, out: &mut BytesMut) {
    if let Err(error) = codec::encode(packet, version, out) {
        tracing::error!(%error, "a packet of the broker's own could not be encoded");
    }
}
