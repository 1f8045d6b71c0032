//! Both halves of a Session against a model client, without sockets or tasks: what is acknowledged arrives once, in order, whatever
//! is lost between any two steps.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use hookmq_mqtt::codec::{self, Frame};
use hookmq_mqtt::packet::{Ack, Publish};
use hookmq_mqtt::{Packet, PacketIdentifier, ProtocolVersion, QoS, ReasonCode, TopicName};
use proptest::prelude::*;

use super::Session;
use super::budget::Budget;
use super::receiving::Inbound;
use super::sending::{DropReason, Offered, Peer};
use super::settings::{QueueFull, SessionSettings};
use crate::delivery::Delivery;
use crate::message::{Message, Source};
use crate::offer::Offer;
use crate::store::group::Promise;

/// A small message.
pub(super) fn message(topic: &str, qos: QoS) -> Arc<Message> {
    numbered(topic, qos, b"payload")
}

fn numbered(topic: &str, qos: QoS, payload: &[u8]) -> Arc<Message> {
    Arc::new(Message {
        topic: TopicName::parse(topic).unwrap(),
        payload: Bytes::copy_from_slice(payload),
        qos,
        retain: false,
        properties: None,
        expires_at: None,
        sender: None,
        source: Source::Client,
    })
}

/// Bytes that all Sessions together may hold.
fn budget(maximum: usize) -> Arc<Budget> {
    Arc::new(Budget::new(maximum))
}

/// A receiving client that keeps the protocol, on a wire that can be cut anywhere.
struct Client {
    session: Session,
    now: Instant,
    version: ProtocolVersion,
    window: u16,
    /// Packets on their way to the client.
    wire: VecDeque<BytesMut>,
    /// Packets on their way to the broker.
    back: VecDeque<Reply>,
    /// QoS 2 identifiers received and not released.
    received: Vec<PacketIdentifier>,
    delivered: Vec<String>,
    connected: bool,
}

#[derive(Debug, Clone, Copy)]
#[expect(clippy::enum_variant_names, reason = "the packets' names")]
enum Reply {
    PubAck(PacketIdentifier),
    PubRec(PacketIdentifier),
    PubComp(PacketIdentifier),
}

impl Client {
    fn new(version: ProtocolVersion, window: u16, settings: SessionSettings) -> Self {
        Self::within(version, window, settings, &budget(usize::MAX))
    }

    fn within(
        version: ProtocolVersion,
        window: u16,
        settings: SessionSettings,
        budget: &Arc<Budget>,
    ) -> Self {
        let session = Session::new("c".into(), &Arc::new(settings), budget);
        let mut client = Self {
            session,
            now: Instant::now(),
            version,
            window,
            wire: VecDeque::new(),
            back: VecDeque::new(),
            received: Vec::new(),
            delivered: Vec::new(),
            connected: false,
        };
        client.connect();
        client
    }

    fn connect(&mut self) {
        let peer = Peer {
            version: self.version,
            receive_maximum: self.window,
            maximum_packet_size: u32::MAX,
            topic_alias_maximum: 3,
        };
        self.session.sending().attach(peer, false, self.now);
        self.connected = true;
        self.pump();
    }

    /// Everything on the wire is lost, both ways.
    fn cut(&mut self) {
        self.session.sending().detach();
        self.wire.clear();
        self.back.clear();
        self.connected = false;
    }

    fn offer(&mut self, qos: QoS, payload: &str) -> Offered {
        let message = numbered("a/topic", qos, payload.as_bytes());
        let publish = message.as_publish(self.now);
        let offered = self.session.sending().offer(
            &Offer::of(&message, &publish, self.now),
            Delivery::plain(qos),
        );
        self.pump();
        offered
    }

    /// The connection's task takes the outbox to the wire.
    fn pump(&mut self) {
        let mut bytes = BytesMut::new();
        self.session.sending().refill(self.now, &mut Vec::new());
        if !self.session.sending().take_outbox(&mut bytes) {
            return;
        }
        while let Ok(Frame::Complete(len)) = codec::frame(&bytes, u32::MAX) {
            self.wire.push_back(bytes.split_to(len));
        }
        assert!(bytes.is_empty());
    }

    /// The client takes one packet off the wire.
    fn receive(&mut self) {
        let Some(frame) = self.wire.pop_front() else {
            return;
        };
        match codec::decode(&frame, self.version).unwrap() {
            Packet::Publish(publish) => self.receive_publish(&publish),
            Packet::PubRel(ack) => {
                self.received
                    .retain(|identifier| *identifier != ack.packet_identifier);
                self.back.push_back(Reply::PubComp(ack.packet_identifier));
            }
            other => panic!("{other:?}"),
        }
    }

    fn receive_publish(&mut self, publish: &Publish<'_>) {
        let text = String::from_utf8(publish.payload.to_vec()).unwrap();
        let Some(identifier) = publish.packet_identifier else {
            return self.delivered.push(text);
        };
        if publish.qos == QoS::AtLeastOnce {
            // Delivered again only if it says that it may be.
            assert!(publish.dup || !self.delivered.contains(&text));
            if !self.delivered.contains(&text) {
                self.delivered.push(text);
            }
            return self.back.push_back(Reply::PubAck(identifier));
        }
        if !self.received.contains(&identifier) {
            self.received.push(identifier);
            self.delivered.push(text);
        }
        assert!(
            self.received.len() <= usize::from(self.window),
            "Receive Maximum"
        );
        self.back.push_back(Reply::PubRec(identifier));
    }

    /// The broker takes one acknowledgement off the wire.
    fn acknowledge(&mut self) {
        let Some(reply) = self.back.pop_front() else {
            return;
        };
        match reply {
            Reply::PubAck(identifier) => drop(self.session.sending().handle_puback(identifier)),
            Reply::PubRec(identifier) => {
                let answer = self
                    .session
                    .sending()
                    .handle_pubrec(identifier, ReasonCode::Success);
                if let Ok(Some((reason, _))) = answer {
                    let mut frame = BytesMut::new();
                    let release = Packet::PubRel(Ack::new(identifier, reason));
                    codec::encode(&release, self.version, &mut frame).unwrap();
                    self.wire.push_back(frame);
                }
            }
            Reply::PubComp(identifier) => drop(self.session.sending().handle_pubcomp(identifier)),
        }
        self.pump();
    }

    fn run_dry(&mut self) {
        if !self.connected {
            self.connect();
        }
        while !self.wire.is_empty() || !self.back.is_empty() {
            self.receive();
            self.acknowledge();
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Offer,
    Receive,
    Acknowledge,
    Cut,
    Connect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Offer),
        4 => Just(Step::Receive),
        4 => Just(Step::Acknowledge),
        1 => Just(Step::Cut),
        1 => Just(Step::Connect),
    ];
    proptest::collection::vec(step, 0..200)
}

fn check_delivery(qos: QoS, version: ProtocolVersion, window: u16, steps: &[Step]) {
    let mut client = Client::new(version, window, SessionSettings::default());
    let mut expected = Vec::new();
    for step in steps {
        match step {
            Step::Offer => {
                let payload = expected.len().to_string();
                client.offer(qos, &payload);
                expected.push(payload);
            }
            Step::Receive => client.receive(),
            Step::Acknowledge => client.acknowledge(),
            Step::Cut => client.cut(),
            Step::Connect if !client.connected => client.connect(),
            Step::Connect => {}
        }
    }
    client.run_dry();
    assert_eq!(client.delivered, expected);
    assert_eq!(client.session.sending().n_inflight(), 0);
    assert_eq!(client.session.sending().n_queued(), 0);
}

proptest! {
    // [MQTT-4.3.3-1] to [MQTT-4.3.3-7], [MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-3.3.4-7]
    #[test]
    fn qos_2_arrives_exactly_once_and_in_order_whatever_is_cut(steps in steps(), window in 1_u16..5) {
        check_delivery(QoS::ExactlyOnce, ProtocolVersion::V5, window, &steps);
        check_delivery(QoS::ExactlyOnce, ProtocolVersion::V311, window, &steps);
    }

    // [MQTT-4.3.2-1], [MQTT-4.3.2-2], [MQTT-4.6.0-1]
    #[test]
    fn qos_1_arrives_and_in_order_whatever_is_cut(steps in steps(), window in 1_u16..5) {
        check_delivery(QoS::AtLeastOnce, ProtocolVersion::V5, window, &steps);
        check_delivery(QoS::AtLeastOnce, ProtocolVersion::V311, window, &steps);
    }
}

fn publish(identifier: u16, qos: QoS) -> Publish<'static> {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: "t",
        packet_identifier: PacketIdentifier::new(identifier),
        payload: b"",
        properties: hookmq_mqtt::PublishProperties::default(),
    }
}

// [MQTT-4.3.3-10], [MQTT-4.3.3-12]
#[test]
fn a_qos_2_message_that_came_before_is_answered_and_not_delivered_until_it_is_released() {
    let session = Session::new(
        "c".into(),
        &Arc::new(SessionSettings::default()),
        &budget(usize::MAX),
    );
    let mut receiving = session.receiving();
    let Ok(Inbound::New(receipt, None)) = receiving.handle_publish(&publish(7, QoS::ExactlyOnce))
    else {
        panic!("new")
    };
    let _ = receiving.settle(&receipt, ReasonCode::Success, Promise::Nothing);
    assert!(matches!(
        receiving.handle_publish(&publish(7, QoS::ExactlyOnce)),
        Ok(Inbound::Again(_, ReasonCode::Success, _))
    ));
    let identifier = PacketIdentifier::new(7).unwrap();
    assert_eq!(receiving.handle_pubrel(identifier).0, ReasonCode::Success);
    assert_eq!(
        receiving.handle_pubrel(identifier).0,
        ReasonCode::PacketIdentifierNotFound
    );
    assert!(matches!(
        receiving.handle_publish(&publish(7, QoS::ExactlyOnce)),
        Ok(Inbound::New(..))
    ));
}

#[test]
fn a_refused_qos_2_message_frees_its_identifier() {
    let session = Session::new(
        "c".into(),
        &Arc::new(SessionSettings::default()),
        &budget(usize::MAX),
    );
    let mut receiving = session.receiving();
    let Ok(Inbound::New(receipt, None)) = receiving.handle_publish(&publish(7, QoS::ExactlyOnce))
    else {
        panic!("new")
    };
    let _ = receiving.settle(&receipt, ReasonCode::NotAuthorized, Promise::Nothing);
    assert!(matches!(
        receiving.handle_publish(&publish(7, QoS::ExactlyOnce)),
        Ok(Inbound::New(..))
    ));
}

// [MQTT-3.3.4-9]
#[test]
fn more_qos_2_messages_than_receive_maximum_are_a_protocol_error() {
    let settings = SessionSettings {
        receive_maximum: 2,
        ..SessionSettings::default()
    };
    let session = Session::new("c".into(), &Arc::new(settings), &budget(usize::MAX));
    let mut receiving = session.receiving();
    for identifier in 1..=2 {
        let Ok(Inbound::New(receipt, None)) =
            receiving.handle_publish(&publish(identifier, QoS::ExactlyOnce))
        else {
            panic!("new")
        };
        let _ = receiving.settle(&receipt, ReasonCode::Success, Promise::Nothing);
    }
    let error = receiving
        .handle_publish(&publish(3, QoS::ExactlyOnce))
        .unwrap_err();
    assert_eq!(error.reason, ReasonCode::ReceiveMaximumExceeded);
}

#[test]
fn a_full_queue_drops_by_its_rule() {
    for (rule, kept) in [
        (QueueFull::DropOldest, ["1", "2"]),
        (QueueFull::DropNewest, ["0", "1"]),
    ] {
        let settings = SessionSettings {
            maximum_queued_messages: 2,
            queue_full: rule,
            ..SessionSettings::default()
        };
        let mut client = Client::new(ProtocolVersion::V5, 10, settings);
        client.cut();
        client.offer(QoS::AtLeastOnce, "0");
        client.offer(QoS::AtLeastOnce, "1");
        match (rule, client.offer(QoS::AtLeastOnce, "2")) {
            (QueueFull::DropOldest, Offered::Overwrote(oldest)) => assert_eq!(oldest.len(), 1),
            (QueueFull::DropNewest, Offered::Dropped(DropReason::QueueFull)) => {}
            (rule, other) => panic!("{rule:?}: {other:?}"),
        }
        client.run_dry();
        assert_eq!(client.delivered, kept);
    }
}

#[test]
fn the_whole_brokers_limit_takes_from_those_who_hold_most() {
    let size = numbered("a/topic", QoS::AtLeastOnce, b"0").size();
    let whole = budget(size * 12);
    let mut clients = [QueueFull::DropOldest, QueueFull::DropNewest].map(|queue_full| {
        let settings = SessionSettings {
            queue_full,
            ..SessionSettings::default()
        };
        let mut client = Client::within(ProtocolVersion::V5, 2, settings, &whole);
        client.cut();
        client
    });
    let [greedy, other] = &mut clients;
    for n in 0..8 {
        greedy.offer(QoS::AtLeastOnce, &n.to_string());
    }
    assert_eq!(whole.used(), size * 6, "half is for others");
    for _ in 0..4 {
        assert!(matches!(
            other.offer(QoS::AtLeastOnce, "x"),
            Offered::Queued
        ));
    }
    assert!(matches!(
        other.offer(QoS::AtLeastOnce, "x"),
        Offered::Dropped(DropReason::QueueFull)
    ));
    // Now it is one of two, and comes down to its share with what it gets.
    match greedy.offer(QoS::AtLeastOnce, "9") {
        Offered::Overwrote(oldest) => assert_eq!(oldest.len(), 2),
        other => panic!("{other:?}"),
    }
    greedy.run_dry();
    assert_eq!(greedy.delivered.last().map(String::as_str), Some("9"));
    assert_eq!(whole.used(), size * 4);
    drop(clients);
    assert_eq!(whole.used(), 0);
}

#[test]
fn what_is_in_flight_counts_until_it_is_acknowledged() {
    let size = numbered("a/topic", QoS::ExactlyOnce, b"0").size();
    let whole = budget(size * 2);
    let settings = SessionSettings {
        queue_full: QueueFull::Disconnect,
        ..SessionSettings::default()
    };
    let mut client = Client::within(ProtocolVersion::V5, 10, settings, &whole);
    assert!(matches!(client.offer(QoS::ExactlyOnce, "0"), Offered::Sent));
    assert_eq!(whole.used(), size);
    assert!(matches!(
        client.offer(QoS::ExactlyOnce, "1"),
        Offered::Overflowed
    ));
    assert!(matches!(client.offer(QoS::AtMostOnce, "2"), Offered::Sent));
    client.receive();
    client.receive();
    client.acknowledge();
    assert_eq!(whole.used(), size, "PUBREC is not the end");
    client.run_dry();
    assert_eq!(whole.used(), 0);
    client.cut();
    client.offer(QoS::ExactlyOnce, "3");
    assert!(matches!(
        client.offer(QoS::ExactlyOnce, "4"),
        Offered::Dropped(DropReason::QueueFull)
    ));
    client.session.sending().drain();
    assert_eq!(whole.used(), 0);
}

#[test]
fn a_client_that_acknowledges_nothing_holds_no_more_bytes_than_its_queue() {
    let payload = "x".repeat(600);
    let settings = SessionSettings {
        maximum_queued_bytes: 1_000,
        maximum_queued_messages: 1,
        ..SessionSettings::default()
    };
    let mut client = Client::new(ProtocolVersion::V5, 1_000, settings);
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert!(matches!(client.offer(qos, &payload), Offered::Sent));
    }
    assert!(matches!(
        client.offer(QoS::AtLeastOnce, &payload),
        Offered::Queued
    ));
    assert_eq!(client.session.sending().n_inflight(), 2);
    // The first acknowledgement makes room for it.
    client.receive();
    client.acknowledge();
    assert_eq!(client.session.sending().n_queued(), 0);
    assert_eq!(client.session.sending().n_inflight(), 2);
}

#[test]
fn qos_0_for_a_client_that_is_away_is_dropped_unless_it_shall_wait() {
    for (queue_qos0_offline, delivered) in [(false, 0), (true, 1)] {
        let mut client = Client::new(
            ProtocolVersion::V5,
            10,
            SessionSettings {
                queue_qos0_offline,
                ..SessionSettings::default()
            },
        );
        client.cut();
        client.offer(QoS::AtMostOnce, "0");
        client.run_dry();
        assert_eq!(client.delivered.len(), delivered);
    }
}

#[test]
fn qos_0_may_pass_what_waits_for_the_window() {
    let mut client = Client::new(ProtocolVersion::V5, 1, SessionSettings::default());
    client.offer(QoS::AtLeastOnce, "1");
    client.offer(QoS::AtLeastOnce, "2");
    client.offer(QoS::AtMostOnce, "0");
    while !client.wire.is_empty() {
        client.receive();
    }
    assert_eq!(client.delivered, ["1", "0"]);
    client.run_dry();
    assert_eq!(client.delivered, ["1", "0", "2"]);
}
