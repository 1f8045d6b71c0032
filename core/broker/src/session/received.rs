//! Packet Identifiers of QoS 2 messages received and not yet released by PUBREL.
//!
//! At most `receive_maximum` of them. They survive reconnects and end with the Session.

use std::collections::BTreeMap;

use hookmq_mqtt::{PacketIdentifier, ReasonCode};

/// The identifiers, each with the Reason Code of its first PUBREC.
#[derive(Debug, Default)]
pub(super) struct Received(BTreeMap<PacketIdentifier, Answered>);

/// How a message was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub(super) reason: ReasonCode,
    /// The store knows of it, or will.
    pub(super) is_stored: bool,
}

impl Received {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The answer that was given, if the message came before.
    pub(super) fn get(&self, identifier: PacketIdentifier) -> Option<Answered> {
        self.0.get(&identifier).copied()
    }

    pub(super) fn insert(&mut self, identifier: PacketIdentifier, answered: Answered) {
        self.0.insert(identifier, answered);
    }

    /// What it was, if it was there.
    pub(super) fn remove(&mut self, identifier: PacketIdentifier) -> Option<Answered> {
        self.0.remove(&identifier)
    }

    /// All of them, to note what the store knows.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (PacketIdentifier, &mut Answered)> {
        self.0
            .iter_mut()
            .map(|(identifier, answered)| (*identifier, answered))
    }
}
