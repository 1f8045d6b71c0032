//! Packet Identifiers of QoS 2 messages received and not yet released by PUBREL.
//!
//! At most `receive_maximum` of them. They survive reconnects and end with the Session.

use std::collections::BTreeMap;

use hookmq_mqtt::{PacketIdentifier, ReasonCode};

/// The identifiers, each with the Reason Code of its first PUBREC.
#[derive(Debug, Default)]
pub(super) struct Received(BTreeMap<PacketIdentifier, ReasonCode>);

impl Received {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The answer that was given, if the message came before.
    pub(super) fn get(&self, identifier: PacketIdentifier) -> Option<ReasonCode> {
        self.0.get(&identifier).copied()
    }

    pub(super) fn insert(&mut self, identifier: PacketIdentifier, reason: ReasonCode) {
        self.0.insert(identifier, reason);
    }

    /// True if it was there.
    pub(super) fn remove(&mut self, identifier: PacketIdentifier) -> bool {
        self.0.remove(&identifier).is_some()
    }
}
