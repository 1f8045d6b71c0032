//! Changes of one QoS 2 PUBLISH, which must reach the store together with its Packet Identifier: a message without it would be taken
//! twice after a crash, and the identifier without the message would lose it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::journal::{Journal, Ticket};
use super::{Change, Durability};

/// Collects them, and hands them to the journal when it is closed or dropped.
#[derive(Debug)]
pub(crate) struct Group {
    journal: Arc<Journal>,
    changes: Vec<Change>,
    durability: Durability,
    gate: Arc<Gate>,
}

/// Tells when a group is in the store. Receivers do not get a message before: they could get it twice.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicU64);

impl Gate {
    /// Whether the group is in the store.
    pub(crate) fn is_passed(&self, journal: &Journal) -> bool {
        match self.0.load(Ordering::Acquire) {
            0 => false,
            ticket => journal.is_committed(Ticket(ticket)),
        }
    }
}

impl Group {
    pub(crate) fn new(journal: &Arc<Journal>) -> Self {
        Self {
            journal: Arc::clone(journal),
            changes: Vec::new(),
            durability: Durability::None,
            gate: Arc::default(),
        }
    }

    /// Adds a change.
    pub(crate) fn add(&mut self, change: Change, durability: Durability) -> Arc<Gate> {
        self.changes.push(change);
        self.durability = self.durability.max(durability);
        Arc::clone(&self.gate)
    }

    /// Whether nothing is to be kept.
    pub(crate) const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Hands everything over.
    pub(crate) fn close(mut self) -> Ticket {
        self.hand_over()
    }

    fn hand_over(&mut self) -> Ticket {
        if self.changes.is_empty() {
            return Ticket::NONE;
        }
        let changes = std::mem::take(&mut self.changes);
        let ticket = self.journal.push_all(changes, self.durability);
        self.gate.0.store(ticket.0, Ordering::Release);
        ticket
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its way was cut short, and receivers must not wait for ever.
        self.hand_over();
    }
}

/// What the answer to a PUBLISH must wait for.
#[derive(Debug, Default)]
pub(crate) enum Promise {
    /// Nothing of the message is kept.
    #[default]
    Nothing,
    /// It is in this batch.
    In(Ticket),
    /// It is kept together with what the answer says.
    With(Box<Group>),
}

impl Promise {
    /// Hands over what is not yet, and gives what to wait for.
    pub(crate) fn close(self) -> Ticket {
        match self {
            Self::Nothing => Ticket::NONE,
            Self::In(ticket) => ticket,
            Self::With(group) => group.close(),
        }
    }
}
