//! A message while it is handed to its receivers: encoded straight from the borrowed form, kept at most once, told to the journal once
//! for each queue that must survive.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;
use std::time::Instant;

use hookmq_mqtt::packet::Publish;
use hookmq_mqtt::{ClientId, QoS, TopicName};

use crate::delivery::Delivery;
use crate::message::{Message, Source};
use crate::store::group::{Gate, Group, Promise};
use crate::store::journal::{Journal, Ticket};
use crate::store::ledger::Ledger;
use crate::store::{Durability, Place};

/// See the module.
pub(crate) struct Offer<'a> {
    /// The final form, QoS and RETAIN as published.
    pub(crate) publish: &'a Publish<'a>,
    /// When it was received.
    pub(crate) now: Instant,
    topic: &'a TopicName,
    sender: Option<&'a ClientId>,
    source: Source,
    kept: OnceCell<Arc<Message>>,
    /// What its acknowledgement promises.
    durability: Durability,
    /// Several queues may get the very same message.
    is_shared: bool,
    ticket: Cell<Ticket>,
    group: Option<Box<RefCell<Group>>>,
    /// It stands in for this one at one receiver, and what is kept of it belongs there.
    instead_of: Option<&'a Self>,
}

/// Where the store has a message, or will have it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) place: Place,
    /// It may not be sent before it is there.
    pub(crate) gate: Option<Arc<Gate>>,
}

/// How a message joins a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joins {
    /// It waits.
    Waiting,
    /// It is sent at the same time.
    UnderWay,
}

impl<'a> Offer<'a> {
    pub(crate) const fn new(
        publish: &'a Publish<'a>,
        topic: &'a TopicName,
        sender: Option<&'a ClientId>,
        source: Source,
        now: Instant,
    ) -> Self {
        Self {
            publish,
            now,
            topic,
            sender,
            source,
            kept: OnceCell::new(),
            durability: Durability::None,
            is_shared: false,
            ticket: Cell::new(Ticket::NONE),
            group: None,
            instead_of: None,
        }
    }

    /// What plugins made of a message for one receiver.
    pub(crate) const fn instead(
        other: &'a Self,
        publish: &'a Publish<'a>,
        topic: &'a TopicName,
    ) -> Self {
        let mut own = Self::new(publish, topic, other.sender, other.source, other.now);
        own.durability = other.durability;
        own.instead_of = Some(other);
        own
    }

    /// A message that is kept already; `publish` is its [`Message::as_publish`].
    pub(crate) fn of(message: &'a Arc<Message>, publish: &'a Publish<'a>, now: Instant) -> Self {
        let offer = Self::new(
            publish,
            &message.topic,
            message.sender.as_ref(),
            message.source,
            now,
        );
        // The cell is new, so it takes the value.
        let _ = offer.kept.set(Arc::clone(message));
        offer
    }

    /// Another source for this handing over.
    pub(crate) const fn set_source(&mut self, source: Source) {
        self.source = source;
    }

    /// What its acknowledgement promises, and whether several queues may get it.
    pub(crate) const fn set_durability(&mut self, durability: Durability, is_shared: bool) {
        self.durability = durability;
        self.is_shared = is_shared;
    }

    /// What is kept of it must reach the store together with the answer to its QoS 2 PUBLISH.
    pub(crate) fn set_grouped(&mut self, journal: &Arc<Journal>) {
        self.group = Some(Box::new(RefCell::new(Group::new(journal))));
    }

    /// The kept form, made at the first call.
    pub(crate) fn message(&self) -> &Arc<Message> {
        self.kept.get_or_init(|| {
            Arc::new(Message::keep(
                self.publish,
                self.topic,
                self.sender,
                self.source,
                self.now,
            ))
        })
    }

    pub(crate) const fn sender(&self) -> Option<&'a ClientId> {
        self.sender
    }

    pub(crate) const fn source(&self) -> Source {
        self.source
    }

    pub(crate) const fn durability(&self) -> Durability {
        self.durability
    }

    /// Whether a queue that must survive gets it later than now: see [`Offer::set_grouped`].
    pub(crate) const fn is_grouped(&self) -> bool {
        match self.instead_of {
            Some(other) => other.group.is_some(),
            None => self.group.is_some(),
        }
    }

    /// Tells the journal that a queue has it; `None` if that need not survive.
    pub(crate) fn keep(&self, ledger: &Ledger, delivery: &Delivery, how: Joins) -> Option<Kept> {
        if self.durability == Durability::None || delivery.qos == QoS::AtMostOnce {
            return None;
        }
        let place = ledger.journal.place(self.is_shared);
        let change = ledger.queued(place, self.message(), delivery);
        let whole = self.instead_of.unwrap_or(self);
        let gate = match &whole.group {
            Some(group) => Some(group.borrow_mut().add(change, self.durability)),
            None => {
                let journal = &ledger.journal;
                whole.wait_for(match how {
                    Joins::UnderWay if delivery.qos == QoS::AtLeastOnce => {
                        journal.push_live(change, self.durability)
                    }
                    _ => journal.push(change, self.durability),
                });
                None
            }
        };
        Some(Kept { place, gate })
    }

    /// Its acknowledgement waits for this as well.
    pub(crate) fn wait_for(&self, ticket: Ticket) {
        self.ticket.set(self.ticket.get().max(ticket));
    }

    /// What its acknowledgement must wait for.
    pub(crate) fn promise(self) -> Promise {
        match (self.group, self.ticket.get()) {
            // Batches are numbered in order: what it has waited for lies in this one or before.
            (Some(group), _) if !group.borrow().is_empty() => {
                Promise::With(Box::new(group.into_inner()))
            }
            (_, Ticket::NONE) => Promise::Nothing,
            (_, ticket) => Promise::In(ticket),
        }
    }
}
