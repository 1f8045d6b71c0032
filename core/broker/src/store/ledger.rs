//! One Session's line to the journal. A Session without one is lost with the broker, and costs nothing here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hookmq_mqtt::{PacketIdentifier, ReasonCode};

use super::journal::{Journal, Ticket};
use super::{Change, Durability, Place, Sent, SessionNumber};
use crate::delivery::Delivery;
use crate::message::Message;

/// See the module.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) journal: Arc<Journal>,
    pub(crate) session: SessionNumber,
    /// SUBACK and the like wait for the disk: as the listener of the present connection says.
    waits_for_disk: AtomicBool,
}

impl Ledger {
    pub(crate) fn new(
        journal: &Arc<Journal>,
        session: SessionNumber,
        durability: Durability,
    ) -> Self {
        Self {
            journal: Arc::clone(journal),
            session,
            waits_for_disk: AtomicBool::new(durability == Durability::Disk),
        }
    }

    /// What SUBACK and the like promise.
    pub(crate) fn durability(&self) -> Durability {
        if self.waits_for_disk.load(Ordering::Relaxed) {
            Durability::Disk
        } else {
            Durability::Os
        }
    }

    /// The client has come by another listener.
    pub(crate) fn set_durability(&self, durability: Durability) {
        let disk = durability == Durability::Disk;
        self.waits_for_disk.store(disk, Ordering::Relaxed);
    }

    /// Tells a change of the Session's own.
    pub(crate) fn push(&self, change: Change) -> Ticket {
        self.journal.push(change, self.durability())
    }

    /// A message left the queue for good. Nobody waits for it: at worst it is sent once more after a crash.
    pub(crate) fn done(&self, place: Place, message: &Arc<Message>, was_sent: bool) {
        let change = self.gone(place, message, was_sent);
        self.journal.push(change, Durability::Os);
    }

    /// The same, to be told with something else.
    pub(crate) fn gone(&self, place: Place, message: &Arc<Message>, was_sent: bool) -> Change {
        Change::Done(self.session, place, Arc::clone(message), was_sent)
    }

    /// A message was sent, or PUBREC has come for it.
    pub(crate) fn sent(&self, place: Place, sent: Sent) -> Ticket {
        self.push(Change::Sent(self.session, place, sent))
    }

    /// A message that joins the queue.
    pub(crate) fn queued(
        &self,
        place: Place,
        message: &Arc<Message>,
        delivery: &Delivery,
    ) -> Change {
        Change::Queued(self.session, place, Arc::clone(message), delivery.clone())
    }

    /// A QoS 2 PUBLISH was taken.
    pub(crate) const fn received(
        &self,
        identifier: PacketIdentifier,
        reason: ReasonCode,
    ) -> Change {
        Change::Received(self.session, identifier, reason)
    }

    /// PUBREL has come.
    pub(crate) fn released(&self, identifier: PacketIdentifier) -> Ticket {
        self.push(Change::Released(self.session, identifier))
    }
}
