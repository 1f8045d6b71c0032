//! The half of a Session that receives: Topic Aliases, QoS 2 identifiers, Receive Maximum.
//!
//! Serves step 3 of the path of a PUBLISH. Only the connection's own task enters.

use std::num::NonZeroU16;
use std::sync::Arc;

use hookmq_mqtt::packet::Publish;
use hookmq_mqtt::{PacketIdentifier, QoS, ReasonCode, TopicName};

use super::ProtocolError;
use super::alias::InboundAliases;
use super::received::{Answered, Received};
use super::settings::SessionSettings;
use crate::store::group::Promise;
use crate::store::journal::Ticket;
use crate::store::ledger::Ledger;

/// The right to one answer for one PUBLISH. Not `Clone`: there is one answer.
#[derive(Debug)]
#[must_use = "settle it, or the client waits for ever"]
pub(crate) struct Receipt {
    qos: QoS,
    identifier: Option<PacketIdentifier>,
}

impl Receipt {
    /// What is answered with: nothing for QoS 0.
    pub(crate) const fn answer(&self) -> Option<(QoS, PacketIdentifier)> {
        match self.identifier {
            Some(identifier) => Some((self.qos, identifier)),
            None => None,
        }
    }
}

/// What a PUBLISH is.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// A new message; its Topic Name if an alias was used.
    New(Receipt, Option<TopicName>),
    /// A QoS 2 message that came before: it is answered again, when the ticket is in the store, and not delivered [MQTT-4.3.3-10].
    Again(PacketIdentifier, ReasonCode, Ticket),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Receiving {
    settings: Arc<SessionSettings>,
    aliases: InboundAliases,
    received: Received,
    /// The line to the journal, for a Session that survives the broker.
    ledger: Option<Arc<Ledger>>,
}

impl Receiving {
    pub(crate) fn new(settings: Arc<SessionSettings>) -> Self {
        Self {
            settings,
            aliases: InboundAliases::default(),
            received: Received::default(),
            ledger: None,
        }
    }

    /// From here on the Session survives the broker; what it holds is told.
    pub(crate) fn survive(&mut self, ledger: &Arc<Ledger>) {
        self.ledger = Some(ledger.clone());
        for (identifier, answered) in self.received.iter_mut() {
            answered.is_stored = true;
            ledger.push(ledger.received(identifier, answered.reason));
        }
    }

    /// What the store knows of an earlier run, with the line to the journal.
    pub(crate) fn restore(
        &mut self,
        ledger: Arc<Ledger>,
        received: &[(PacketIdentifier, ReasonCode)],
    ) {
        self.ledger = Some(ledger);
        for (identifier, reason) in received {
            let (reason, is_stored) = (*reason, true);
            self.received
                .insert(*identifier, Answered { reason, is_stored });
        }
    }

    /// A Network Connection is up; aliases begin anew.
    pub(crate) fn attach(&mut self) {
        self.aliases = InboundAliases::new(self.settings.topic_alias_maximum);
    }

    /// The Session ends: the store forgets what it knows.
    pub(crate) fn drain(&mut self) {
        let ledger = self.ledger.take();
        for (identifier, answered) in self.received.iter_mut() {
            if let (Some(ledger), true) = (&ledger, answered.is_stored) {
                ledger.released(identifier);
            }
        }
    }

    /// Whether a PUBLISH needs this half at all: a plain QoS 0 message does not.
    pub(crate) const fn concerns(publish: &Publish<'_>) -> bool {
        publish.packet_identifier.is_some() || publish.properties.topic_alias.is_some()
    }

    /// The Topic Name behind an alias; with a Topic Name given, sets it.
    pub(crate) fn resolve(
        &mut self,
        alias: NonZeroU16,
        topic: &str,
    ) -> Result<TopicName, ProtocolError> {
        self.aliases.resolve(alias, topic)
    }

    /// Judges a PUBLISH: resolves its alias, checks Receive Maximum, finds duplicates.
    pub(crate) fn handle_publish(
        &mut self,
        publish: &Publish<'_>,
    ) -> Result<Inbound, ProtocolError> {
        let topic = match publish.properties.topic_alias {
            Some(alias) => Some(self.aliases.resolve(alias, publish.topic)?),
            None => None,
        };
        let receipt = Receipt {
            qos: publish.qos,
            identifier: publish.packet_identifier,
        };
        if publish.qos != QoS::ExactlyOnce {
            return Ok(Inbound::New(receipt, topic));
        }
        let Some(identifier) = publish.packet_identifier else {
            return Err(ProtocolError::new(
                ReasonCode::MalformedPacket,
                "MQTT-2.2.1-3",
            ));
        };
        if let Some(answered) = self.received.get(identifier) {
            let ticket = match &self.ledger {
                Some(ledger) if answered.is_stored => ledger.journal.tail(),
                _ => Ticket::NONE,
            };
            return Ok(Inbound::Again(identifier, answered.reason, ticket));
        }
        if self.received.len() >= usize::from(self.settings.receive_maximum) {
            return Err(ProtocolError::new(
                ReasonCode::ReceiveMaximumExceeded,
                "MQTT-3.3.4-9",
            ));
        }
        // Remembered before the message goes on its way, so that a copy on a new connection cannot pass beside it.
        let answered = Answered {
            reason: ReasonCode::Success,
            is_stored: false,
        };
        self.received.insert(identifier, answered);
        Ok(Inbound::New(receipt, topic))
    }

    /// The message of a receipt is answered with this reason when the ticket is in the store. A refusal ends the exchange: the identifier
    /// is free again.
    pub(crate) fn settle(
        &mut self,
        receipt: &Receipt,
        reason: ReasonCode,
        promise: Promise,
    ) -> Ticket {
        let (QoS::ExactlyOnce, Some(identifier)) = (receipt.qos, receipt.identifier) else {
            return promise.close();
        };
        if reason.is_error() {
            self.received.remove(identifier);
            return promise.close();
        }
        let (ticket, is_stored) = match (promise, &self.ledger) {
            (Promise::With(mut group), Some(ledger)) => {
                group.add(ledger.received(identifier, reason), ledger.durability());
                (group.close(), true)
            }
            (promise, _) => (promise.close(), false),
        };
        self.received
            .insert(identifier, Answered { reason, is_stored });
        ticket
    }

    /// PUBREL: the identifier may be used again. The reason for PUBCOMP [MQTT-4.3.3-11], which must wait until the store knows it: the
    /// client may use the identifier for another message then, and a store that still had it would take that for the same one again.
    pub(crate) fn handle_pubrel(&mut self, identifier: PacketIdentifier) -> (ReasonCode, Ticket) {
        let Some(answered) = self.received.remove(identifier) else {
            // It may have been released just before, on an earlier connection.
            let ticket = self
                .ledger
                .as_ref()
                .map_or(Ticket::NONE, |ledger| ledger.journal.tail());
            return (ReasonCode::PacketIdentifierNotFound, ticket);
        };
        let ticket = match &self.ledger {
            Some(ledger) if answered.is_stored => ledger.released(identifier),
            _ => Ticket::NONE,
        };
        (ReasonCode::Success, ticket)
    }
}
