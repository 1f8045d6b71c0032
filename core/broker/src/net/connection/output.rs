//! Step 11 of the path of a PUBLISH, the output half of a connection's turn: answers, then the Session's outbox, then retained
//! messages, as socket, store and plugins let them through.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use hookmq_plugin_api::Hook;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Connection;
use crate::broker::Inner;
use crate::event::message::{MessageDraft, Origin, Receiver};
use crate::hook::{Chain, Decision, Scope};
use crate::net::end::End;
use crate::net::outbound::Outbound;
use crate::offer::Offer;
use crate::session::buffers;
use crate::session::pending::Waiting;
use crate::session::sending::DropReason;
use crate::store::journal::Ticket;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// Step 11, as far as socket and store let it.
    pub(super) fn poll_output(&mut self, context: &mut Context<'_>) -> Result<(), Box<End>> {
        loop {
            let committed = self.committed();
            self.write_out(context)?;
            let Some(journal) = self.protocol.inner.journal.get() else {
                return Ok(());
            };
            if self.waits_for_store() {
                journal.wake_me(context, &mut self.asked);
                self.looks_again = true;
            }
            // It may have come further since it was looked at: then nothing waits any more, and nothing was written either.
            if self.committed() == committed {
                return Ok(());
            }
            self.looks_again = true;
        }
    }

    /// How far the store has come.
    fn committed(&self) -> Ticket {
        let journal = self.protocol.inner.journal.get();
        journal.map_or(Ticket::NONE, |journal| journal.committed())
    }

    /// Whether something can go on only when the store has come further.
    pub(super) fn waits_for_store(&self) -> bool {
        self.opening > self.committed()
            || !self.protocol.promises.is_empty()
            || self.session_waits_for_store()
    }

    fn session_waits_for_store(&self) -> bool {
        let session = &self.protocol.entry.session.0;
        session.ledger().is_some() && session.sending().waits_for_store()
    }

    /// Answers, then the Session's outbox, then retained messages, as the socket takes them.
    fn write_out(&mut self, context: &mut Context<'_>) -> Result<(), Box<End>> {
        let mut look = self.protocol.entry.session.0.poll_output(context.waker());
        if self.opening > self.committed() {
            // Nothing comes before CONNACK.
            if look {
                self.protocol.entry.session.0.mark_output();
            }
            return Ok(());
        }
        // What waited for the store may go on, and nobody else says so.
        look |= std::mem::take(&mut self.looks_again);
        loop {
            self.protocol.keep_promises();
            if !self.pace.is_spent() {
                self.admit_unasked();
            }
            if self.unasked.is_empty() && !self.protocol.replies.is_empty() {
                let mut replies = std::mem::take(&mut self.protocol.replies);
                self.admit(&mut replies);
                buffers::give(replies);
            }
            if self.write.is_empty() && self.unasked.is_empty() && look && !self.pace.is_spent() {
                look = self.take_outbox();
            }
            if self.write.is_empty() {
                if self.pace.is_spent() {
                    if look {
                        self.protocol.entry.session.0.mark_output();
                    }
                    return Ok(());
                }
                if look || !self.unasked.is_empty() {
                    // What a plugin let through is in the outbox now, or plugins dropped all that was taken.
                    continue;
                }
                if self.protocol.replays.is_empty() || !self.protocol.promises.is_empty() {
                    return Ok(());
                }
                let chain = self.protocol.inner.hooks.chain();
                self.protocol.replay(&chain, crate::now());
                // They noted output for this very Session, whose task goes on by itself: were it woken besides, it would be run again and
                // again before anybody's sockets are looked at.
                let own = &self.protocol.entry.session.0;
                self.protocol.turn.wake_others(own);
                own.poll_output(context.waker());
                self.pace.step();
                look = true;
                continue;
            }
            match Pin::new(&mut self.stream).poll_write(context, &self.write) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Err(End::lost()),
                Poll::Ready(Ok(written)) => {
                    self.write.advance(written);
                    if self.write.is_empty() {
                        buffers::give(std::mem::take(&mut self.write));
                    }
                }
                Poll::Pending => {
                    // Looked at again when the socket takes more.
                    if look {
                        self.protocol.entry.session.0.mark_output();
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Takes what publishers have encoded, and lets what waits move up; true if there may be more.
    pub(super) fn take_outbox(&mut self) -> bool {
        let session = Arc::clone(&self.protocol.entry.session.0);
        let now = crate::now();
        let mut lost = Vec::new();
        let mut taken = BytesMut::new();
        let (has_output, n_sent, more) = {
            let mut sending = session.sending();
            if sending.has_waiting() {
                sending.refill(now, &mut lost);
            }
            let has_output = sending.take_outbox(&mut taken);
            if has_output && sending.has_waiting() {
                sending.refill(now, &mut lost);
            }
            (has_output, sending.take_n_sent(), sending.has_waiting())
        };
        for lost in &lost {
            self.protocol
                .inner
                .notify_lost(&self.protocol.entry.session, lost, now);
        }
        if n_sent > 0 {
            self.protocol.inner.stats.sent(n_sent);
        }
        let held = more && self.deliver_held(now);
        if has_output {
            self.admit(&mut taken);
            buffers::give(taken);
        }
        has_output || held
    }

    /// `intercept_delivery`: asked message by message, before it is encoded, by the one task that may send. True if any was sent.
    fn deliver_held(&mut self, now: Instant) -> bool {
        let inner = Arc::clone(&self.protocol.inner);
        let chain = inner.hooks.chain();
        let to = self.protocol.entry.session.clone();
        to.0.sending()
            .set_hold(chain.listens(Hook::InterceptDelivery));
        let mut n_sent = 0;
        loop {
            let mut lost = Vec::new();
            let next = to.0.sending().next_held(now, &mut lost);
            for lost in &lost {
                inner.notify_lost(&to, lost, now);
            }
            let Some(waiting) = next else {
                return n_sent > 0;
            };
            n_sent += 1;
            self.deliver_one(&inner, &chain, waiting, now);
            if self.pace.step() {
                return true;
            }
        }
    }

    fn deliver_one(&mut self, inner: &Inner, chain: &Chain, waiting: Waiting, now: Instant) {
        let to = &self.protocol.entry.session;
        let client = &self.protocol.client;
        let message = Arc::clone(&waiting.message);
        let mut copy = message.as_publish(now);
        (copy.qos, copy.retain) = (waiting.delivery.qos, waiting.delivery.retain);
        let origin = Origin {
            client: None,
            source: message.source,
        };
        let receiver = Receiver {
            client_id: &client.client_id,
            username: client.username.as_deref(),
        };
        let mut draft = MessageDraft::new(
            Hook::InterceptDelivery,
            origin,
            &copy,
            &inner.session_settings,
        )
        .sent_by(message.sender.as_ref())
        .for_receiver(receiver);
        let scope = Scope {
            client_id: &client.client_id,
            listener: &client.listener,
            topic: Some(copy.topic),
            qos: Some(copy.qos as u8),
            size: Some(copy.payload.len()),
        };
        let mut lost = Vec::new();
        match chain.filter(Hook::InterceptDelivery, &scope, &mut draft) {
            Decision::Drop(explained)
            | Decision::Deny(explained)
            | Decision::Disconnect(explained) => {
                to.0.sending().forget(&waiting);
                inner.notify_dropped(
                    &copy,
                    message.source,
                    message.sender.as_ref(),
                    Some(to),
                    DropReason::Plugin,
                    Some(&explained),
                );
            }
            _ if draft.is_changed() => {
                let publish = draft.publish();
                let Ok(topic) = hookmq_mqtt::TopicName::parse(publish.topic) else {
                    return;
                };
                let own = Offer::new(
                    &publish,
                    &topic,
                    message.sender.as_ref(),
                    message.source,
                    now,
                );
                to.0.sending()
                    .send_instead(&waiting, own.message(), now, &mut lost);
            }
            _ => to.0.sending().send_waiting(waiting, now, &mut lost),
        }
        for lost in &lost {
            inner.notify_lost(to, lost, now);
        }
    }

    /// Takes packets for the socket, or for plugins that listen to every one of them.
    pub(super) fn admit(&mut self, packets: &mut BytesMut) {
        let listens = self
            .protocol
            .inner
            .hooks
            .listens(Hook::InterceptOutboundPacket);
        if listens || !self.unlearned.is_empty() || !self.unasked.is_empty() {
            self.unasked.extend_from_slice(packets);
            self.admit_unasked();
        } else if self.write.is_empty() {
            std::mem::swap(&mut self.write, packets);
        } else {
            self.write.extend_from_slice(packets);
        }
    }

    /// `intercept_outbound_packet`: asks about packets, as many as a turn has time for, and at least one.
    pub(super) fn admit_unasked(&mut self) {
        if self.unasked.is_empty() {
            return;
        }
        let inner = &self.protocol.inner;
        let chain = inner.hooks.chain();
        let outbound = Outbound {
            inner,
            client: &self.protocol.client,
            session: Some(&self.protocol.entry.session.0),
            maximum_packet_size: self.protocol.maximum_packet_size(),
        };
        let (packets, unlearned) = (&mut self.unasked, &mut self.unlearned);
        while outbound.admit_one(&chain, packets, unlearned, &mut self.write) {
            if self.pace.step() {
                return;
            }
        }
        self.unasked = BytesMut::new();
    }
}
