//! The half of a Session that sends: window, queue, aliases and outbox.
//!
//! Publishers deliver into it under its lock, encoding straight into the outbox; the connection's task takes the outbox and writes
//! it. Serves step 9 of the path of a PUBLISH.

mod keeping;

use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use hookmq_mqtt::packet::{Ack, Packet, Publish};
use hookmq_mqtt::{PacketIdentifier, ProtocolVersion, QoS, ReasonCode, codec};

use super::alias::{OutboundAliases, Sent};
use super::budget::{Budget, Holding};
use super::inflight::{Awaits, Inflight};
use super::outbox::Outbox;
use super::pending::{Pending, Push, Waiting};
use super::settings::{QueueFull, SessionSettings};
use crate::delivery::Delivery;
use crate::message::Message;
use crate::offer::{Joins, Offer};
use crate::store::journal::Ticket;
use crate::store::ledger::Ledger;
use crate::store::{self};

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
    /// It is lost, and its receiver, whose queue is full, is to be disconnected.
    Overflowed,
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
    outbox: Outbox,
    inflight: Inflight,
    pending: Pending,
    aliases: OutboundAliases,
    /// Unacknowledged messages of an earlier connection, not sent again yet; nothing new overtakes them.
    resend: VecDeque<PacketIdentifier>,
    /// Somebody listens to `intercept_delivery`: every message waits for the connection's task, which asks before it sends.
    hold: bool,
    n_sent: u64,
    /// The line to the journal, for a Session that survives the broker.
    ledger: Option<Arc<Ledger>>,
    /// What is queued and in flight, as the whole broker's limit knows it.
    holding: Holding,
}

impl Sending {
    pub(crate) fn new(settings: Arc<SessionSettings>, budget: Arc<Budget>) -> Self {
        Self {
            settings,
            connected: false,
            peer: Peer {
                version: ProtocolVersion::V5,
                receive_maximum: u16::MAX,
                maximum_packet_size: u32::MAX,
                topic_alias_maximum: 0,
            },
            outbox: Outbox::default(),
            inflight: Inflight::new(),
            pending: Pending::default(),
            aliases: OutboundAliases::default(),
            resend: VecDeque::new(),
            hold: false,
            n_sent: 0,
            ledger: None,
            holding: Holding::new(budget),
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
        if let Some(ledger) = self.ledger.as_ref().filter(|_| !self.resend.is_empty()) {
            // What the store was told of them may still be on its way.
            self.outbox.hold(0, ledger.journal.tail());
        }
        let mut lost = Vec::new();
        self.refill(now, &mut lost);
        lost
    }

    /// The Network Connection is gone.
    pub(crate) fn detach(&mut self) {
        self.connected = false;
        self.resend.clear();
        self.aliases = OutboundAliases::default();
        self.outbox.clear();
        self.tell_sent();
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
        } else if has_room
            && self.pending.is_empty()
            && self.has_window()
            && !self.must_be_stored_first(offer)
            && self.holding.owed(offer.message().size()) == 0
        {
            return self.send_new(offer, delivery);
        }
        self.queue(offer, delivery)
    }

    /// Moves what waits into the outbox, as far as window and outbox allow.
    pub(crate) fn refill(&mut self, now: Instant, lost: &mut Vec<Lost>) {
        self.send_again(now);
        while let Some(waiting) = self.next_sendable(now, lost) {
            self.send_taken(waiting, now, lost);
            if self.hold {
                break;
            }
        }
        self.count_held();
    }

    /// While holding: the next message that may be sent now. The connection's task asks the plugins and then sends it with
    /// [`Sending::send_waiting`].
    pub(crate) fn next_held(&mut self, now: Instant, lost: &mut Vec<Lost>) -> Option<Waiting> {
        if !self.hold {
            return None;
        }
        let next = self.take_sendable(now, lost);
        self.count_held();
        next
    }

    /// Sends a message that was taken with [`Sending::next_held`].
    pub(crate) fn send_waiting(&mut self, waiting: Waiting, now: Instant, lost: &mut Vec<Lost>) {
        self.send_taken(waiting, now, lost);
        self.count_held();
    }

    fn send_taken(&mut self, waiting: Waiting, now: Instant, lost: &mut Vec<Lost>) {
        let place = self.outbox.len();
        let (message, delivery) = (&waiting.message, &waiting.delivery);
        let identifier = self.inflight.next_identifier();
        let again = (delivery.qos != QoS::AtMostOnce).then_some((identifier, waiting.dup));
        if !self.encode(&message.as_publish(now), delivery, again) {
            self.forget(&waiting);
            lost.push(Lost {
                waiting,
                reason: DropReason::TooLarge,
            });
        } else if waiting.delivery.qos != QoS::AtMostOnce {
            let Waiting {
                message,
                delivery,
                kept,
                ..
            } = waiting;
            let kept = kept.map(|kept| kept.place);
            self.sent(place, identifier, message, delivery, kept);
        }
    }

    /// Sends another message in place of one that was taken with [`Sending::next_held`].
    pub(crate) fn send_instead(
        &mut self,
        waiting: &Waiting,
        message: &Arc<Message>,
        now: Instant,
        lost: &mut Vec<Lost>,
    ) {
        let mut changed = Waiting {
            message: Arc::clone(message),
            ..waiting.clone()
        };
        if let (Some(ledger), Some(kept)) = (&self.ledger, &mut changed.kept) {
            let place = ledger.journal.place(false);
            let changes = [
                ledger.queued(place, message, &changed.delivery),
                ledger.gone(kept.place, &waiting.message, false),
            ];
            ledger.journal.push_all(changes, ledger.durability());
            kept.place = place;
        }
        self.send_waiting(changed, now, lost);
    }

    /// Gives what may go out in exchange for an empty buffer; true if there is something to write.
    pub(crate) fn take_outbox(&mut self, into: &mut BytesMut) -> bool {
        let ledger = self.ledger.as_ref();
        let committed = || ledger.map_or(Ticket::NONE, |ledger| ledger.journal.committed());
        self.outbox.take(committed, into)
    }

    /// PUBACK: the message that is done now. `None` for an identifier that waits for none.
    pub(crate) fn handle_puback(&mut self, identifier: PacketIdentifier) -> Option<Arc<Message>> {
        self.inflight
            .get_mut(identifier)
            .filter(|slot| slot.awaits == Awaits::PubAck)?;
        self.finish(identifier)
    }

    /// PUBREC: answered with PUBREL of this reason [MQTT-4.3.3-4] when the ticket is in the store; a refusal ends the delivery and
    /// gives its message.
    pub(crate) fn handle_pubrec(
        &mut self,
        identifier: PacketIdentifier,
        reason: ReasonCode,
    ) -> Result<Option<(ReasonCode, Ticket)>, Arc<Message>> {
        match self.inflight.get_mut(identifier) {
            Some(slot) if slot.awaits == Awaits::PubRec && reason.is_error() => {
                self.finish(identifier).map_or(Ok(None), Err)
            }
            Some(slot) if slot.awaits != Awaits::PubAck => {
                let is_first = slot.awaits == Awaits::PubRec;
                slot.awaits = Awaits::PubComp;
                let ticket = match (&self.ledger, slot.kept) {
                    (Some(ledger), Some(place)) if is_first => {
                        slot.is_told = true;
                        ledger.sent(place, store::Sent::PubRel(identifier))
                    }
                    (Some(ledger), Some(_)) => ledger.journal.tail(),
                    _ => Ticket::NONE,
                };
                Ok(Some((ReasonCode::Success, ticket)))
            }
            _ if reason.is_error() => Ok(None),
            _ => Ok(Some((ReasonCode::PacketIdentifierNotFound, Ticket::NONE))),
        }
    }

    /// PUBCOMP: the message that is done now.
    pub(crate) fn handle_pubcomp(&mut self, identifier: PacketIdentifier) -> Option<Arc<Message>> {
        self.inflight
            .get_mut(identifier)
            .filter(|slot| slot.awaits == Awaits::PubComp)?;
        self.finish(identifier)
    }

    /// Queued and inflight messages whose Session ends, oldest first.
    pub(crate) fn drain(&mut self) -> Vec<Arc<Message>> {
        let mut all = Vec::with_capacity(self.inflight.len() + self.pending.len());
        for (_, slot) in self.inflight.iter() {
            self.done(slot);
            all.push(Arc::clone(&slot.message));
        }
        while let Some(waiting) = self.pending.pop() {
            self.forget(&waiting);
            all.push(waiting.message);
        }
        self.inflight = Inflight::new();
        self.count_held();
        // Who still has the Session in hand and offers to it must not leave anything behind in the store.
        self.ledger = None;
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
            let waiting = if !self.is_stored(front) {
                self.pending.pop_qos0()?
            } else if front.message.is_expired(now)
                || front.delivery.qos == QoS::AtMostOnce
                || self.has_window()
            {
                self.pending.pop()?
            } else {
                self.pending.pop_qos0()?
            };
            if waiting.message.is_expired(now) {
                self.forget(&waiting);
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
        let waiting = Waiting::new(Arc::clone(offer.message()), delivery);
        let owed = self.holding.owed(waiting.message.size());
        let settings = &self.settings;
        let (maximum, bytes) = (
            settings.maximum_queued_messages,
            settings.maximum_queued_bytes,
        );
        let pushed = self
            .pending
            .push(waiting, maximum, bytes, owed, settings.queue_full);
        if let (Some(ledger), Push::Queued | Push::Overwrote(_)) = (&self.ledger, &pushed)
            && let Some(newest) = self.pending.back_mut()
        {
            newest.kept = offer.keep(ledger, &newest.delivery, Joins::Waiting);
        }
        self.count_held();
        match pushed {
            Push::Queued => Offered::Queued,
            Push::Overwrote(oldest) => {
                oldest.iter().for_each(|waiting| self.forget(waiting));
                Offered::Overwrote(oldest)
            }
            Push::Full if self.connected && self.settings.queue_full == QueueFull::Disconnect => {
                Offered::Overflowed
            }
            Push::Full => Offered::Dropped(DropReason::QueueFull),
        }
    }

    /// Tells the whole broker's limit what is held now.
    fn count_held(&mut self) {
        self.holding
            .set(self.pending.bytes() + self.inflight.bytes());
    }

    /// Encodes a QoS 1 or 2 message at once and keeps it until it is acknowledged.
    fn send_new(&mut self, offer: &Offer<'_>, delivery: Delivery) -> Offered {
        let place = self.outbox.len();
        let identifier = self.inflight.next_identifier();
        if !self.encode(offer.publish, &delivery, Some((identifier, false))) {
            return Offered::Dropped(DropReason::TooLarge);
        }
        let ledger = self.ledger.as_ref();
        let kept = ledger.and_then(|ledger| offer.keep(ledger, &delivery, Joins::UnderWay));
        let message = Arc::clone(offer.message());
        let kept = kept.map(|kept| kept.place);
        self.sent(place, identifier, message, delivery, kept);
        self.count_held();
        Offered::Sent
    }

    /// Takes an acknowledged message out.
    fn finish(&mut self, identifier: PacketIdentifier) -> Option<Arc<Message>> {
        let slot = self.inflight.remove(identifier)?;
        self.count_held();
        self.done(&slot);
        Some(slot.message)
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
        self.outbox.reserve();
        match codec::encode_publish(&publish, version, &mut self.outbox.bytes) {
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
        self.outbox.reserve();
        encode(packet, self.peer.version, &mut self.outbox.bytes);
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
