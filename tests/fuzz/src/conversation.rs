//! Several clients talk to one broker over memory, as the bytes say: packets whole, damaged and cut, plugins that answer anything,
//! time that passes. Nothing may panic or hang, clients get only what the standard allows, and in the end nothing is left.

use std::collections::{BTreeMap, VecDeque};
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use hookmq_broker::hook::Registration;
use hookmq_broker::settings::{QueueFull, SessionSettings};
use hookmq_broker::{Broker, BrokerSettings, Handle};
use hookmq_mqtt::packet::{
    Ack, Connect, Disconnect, Publish, PublishProperties, RetainHandling, Subscribe,
    SubscribeEntry, SubscriptionOptions, Unsubscribe, Will,
};
use hookmq_mqtt::property::UserProperties;
use hookmq_mqtt::{
    Frame, Packet, PacketIdentifier, ProtocolVersion, QoS, ReasonCode, SubscriptionIdentifier,
    TopicName, codec,
};
use hookmq_plugin_api::{
    Answer, CallFuture, Event, Field, Grant, Hook, Kind, Listen, OutgoingMessage, Owned, Plugin,
    PluginError, Refusal, Verdict, catalogue::HOOKS,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

/// Clients at once.
const N_SLOTS: usize = 4;
/// Actions of one conversation, at most.
const N_ACTIONS: usize = 400;
/// Longest Session Expiry Interval in seconds: then everything must be over.
const LONGEST_SESSION: u32 = 100;
/// Bytes on their way to a client, at most: less than some messages.
const PIPE: usize = 512;

const TOPICS: [&str; 8] = [
    "a",
    "b",
    "a/b",
    "a/b/c",
    "$SYS/x",
    "long/topic/name",
    "",
    "a/+",
];
const FILTERS: [&str; 10] = [
    "a",
    "#",
    "+/b",
    "a/#",
    "$share/g/a",
    "$share/g/#",
    "$SYS/#",
    "long/topic/name",
    "a/#/b",
    "",
];
const NAMES: [&str; 5] = ["one", "two", "three", "", "one"];

/// Holds the conversation that `data` describes.
///
/// # Panics
/// If the broker does what it must not.
pub fn run(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without sockets");
    runtime.block_on(converse(Input(data)));
}

/// Numbers from the bytes; zeros when they are used up.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// One time in so many.
    fn rarely(&mut self, n: u8) -> bool {
        self.byte() % n == n - 1
    }

    fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn qos(&mut self) -> QoS {
        self.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.byte()).collect()
    }

    fn identifier(&mut self) -> PacketIdentifier {
        PacketIdentifier::new(u16::from(self.byte() % 6) + 1).expect("not zero")
    }

    fn user_properties(&mut self, version: ProtocolVersion) -> UserProperties {
        let mut properties = UserProperties::new();
        if version == ProtocolVersion::V5 && self.rarely(4) {
            properties.push("k", "v").expect("short texts");
        }
        properties
    }
}

/// Answers by a tape of bytes; passes when it has come to its end.
struct Moody {
    listens: Vec<Listen>,
    tape: Mutex<VecDeque<u8>>,
}

impl Moody {
    fn new(input: &mut Input<'_>) -> Arc<Self> {
        // Few hooks in most conversations, so that something is left to happen.
        let mut mask = match input.byte() % 4 {
            0 => 0,
            1 => u64::MAX,
            _ => u64::from_le_bytes(std::array::from_fn(|_| input.byte())),
        };
        if input.flag() {
            mask &= mask.rotate_left(7);
        }
        let awaiting = input.byte();
        let decisions = HOOKS
            .iter()
            .filter(|spec| matches!(spec.kind, Kind::Gate | Kind::Filter));
        let listens = decisions
            .enumerate()
            .filter(|(at, _)| mask >> at & 1 == 1)
            .map(|(at, spec)| Listen {
                hook: spec.hook,
                fields: spec.field_set(),
                awaits: spec.awaits && awaiting >> (at % 8) & 1 == 1,
            })
            .collect();
        let n_answers = input.below(64);
        let tape = Mutex::new(input.bytes(n_answers).into());
        Arc::new(Self { listens, tape })
    }

    fn registered(self: Arc<Self>) -> Registration {
        Registration::new("moody", "embedded", self)
    }

    fn next(&self) -> u8 {
        let mut tape = self.tape.lock().expect("nothing panics under it");
        tape.pop_front().unwrap_or(0)
    }

    fn answer(&self, hook: Hook) -> Answer {
        let refusal = || {
            let code = self.next();
            Box::new(Refusal {
                server_reference: (code & 1 == 1).then(|| "other".into()),
                user_properties: vec![("k".to_owned(), "v".to_owned())],
                ..Refusal::new(code, "no")
            })
        };
        let verdict = match self.next() {
            240..=246 => Verdict::Drop(None),
            247 | 248 => Verdict::Consume,
            249..=252 => Verdict::Deny(refusal()),
            253.. => Verdict::Disconnect(refusal()),
            100..240 => Verdict::Accept,
            _ => Verdict::Pass,
        };
        let changes = &hook.spec().changes;
        let mut answer = Answer::from(verdict);
        if !changes.is_empty() && self.next() % 4 == 3 {
            for _ in 0..=self.next() % 3 {
                let field = changes[usize::from(self.next()) % changes.len()];
                answer.changes.push((field, self.value(field)));
            }
        }
        answer
    }

    /// Mostly of the right type, not always of the right value.
    fn value(&self, field: Field) -> Owned {
        let byte = self.next();
        match field {
            Field::SessionExpiryInterval => Owned::Integer(i64::from(byte % 100)),
            Field::Topic | Field::ResponseTopic => TOPICS[usize::from(byte) % TOPICS.len()].into(),
            Field::TopicFilter => FILTERS[usize::from(byte) % FILTERS.len()].into(),
            Field::ClientId => NAMES[usize::from(byte) % NAMES.len()].into(),
            Field::Payload => Owned::Bytes(vec![byte; usize::from(byte)].into()),
            Field::UserProperties | Field::ResponseUserProperties => {
                Owned::Pairs(vec![("k".to_owned(), "v".repeat(byte.into()))])
            }
            Field::Subscriptions => Owned::Records(vec![vec![
                (
                    Field::TopicFilter,
                    FILTERS[usize::from(byte) % FILTERS.len()].into(),
                ),
                (Field::Qos, i64::from(byte % 4).into()),
                (Field::NoLocal, (byte & 16 == 16).into()),
            ]]),
            Field::Messages => Owned::Records(vec![vec![
                (
                    Field::Topic,
                    TOPICS[usize::from(byte) % TOPICS.len()].into(),
                ),
                (Field::Qos, i64::from(byte % 3).into()),
            ]]),
            _ => match byte % 5 {
                0 => Owned::Bool(true),
                1 => "text".into(),
                2 => Owned::Nil,
                _ => Owned::Integer(i64::from(byte / 5)),
            },
        }
    }
}

impl Plugin for Moody {
    fn listens(&self) -> &[Listen] {
        &self.listens
    }

    fn call(&self, event: &dyn Event, _budget: Duration) -> Result<Answer, PluginError> {
        // What it is shown can be read.
        for field in event.hook().spec().fields {
            let value = event.get(*field);
            assert!(
                value
                    .as_text()
                    .is_none_or(|text| *field != Field::Topic || !text.is_empty()),
                "a hook was shown an empty topic"
            );
        }
        Ok(self.answer(event.hook()))
    }

    fn call_awaiting(
        self: Arc<Self>,
        event: Arc<dyn Event + Send + Sync>,
        budget: Duration,
    ) -> CallFuture {
        Box::pin(async move {
            let seconds = self.next() % 8;
            tokio::time::sleep(Duration::from_secs(seconds.into())).await;
            self.call(event.as_ref(), budget)
        })
    }
}

/// One client, with what it must be able to rely on.
struct Client {
    stream: DuplexStream,
    inbound: BytesMut,
    version: ProtocolVersion,
    maximum_packet_size: usize,
    receive_maximum: usize,
    topic_alias_maximum: u16,
    /// Topics behind the broker's aliases.
    aliases: BTreeMap<NonZeroU16, String>,
    /// QoS 1 and 2 messages that it has not acknowledged to the end.
    unacknowledged: BTreeMap<PacketIdentifier, QoS>,
    served: JoinHandle<()>,
    /// It sends nothing but what the standard allows, so the broker's answers can be judged.
    is_honest: bool,
}

impl Client {
    fn dial(handle: &Handle, version: ProtocolVersion, input: &mut Input<'_>) -> Self {
        let (stream, theirs) = tokio::io::duplex(PIPE);
        let handle = handle.clone();
        let allow_anonymous = !input.rarely(16);
        let served = tokio::spawn(async move {
            handle
                .serve(theirs, "lan", "192.0.2.1:1", allow_anonymous)
                .await;
        });
        Self {
            stream,
            inbound: BytesMut::new(),
            version,
            maximum_packet_size: usize::MAX,
            receive_maximum: usize::from(u16::MAX),
            topic_alias_maximum: 0,
            aliases: BTreeMap::new(),
            unacknowledged: BTreeMap::new(),
            served,
            is_honest: true,
        }
    }

    /// Writes what the pipe takes; a broker that does not listen to a client that does not read is right.
    async fn write(&mut self, bytes: &[u8]) {
        let within = Duration::from_millis(1);
        let written = tokio::time::timeout(within, self.stream.write_all(bytes)).await;
        if !matches!(written, Ok(Ok(()))) {
            // Part of a packet may have gone: what follows is garbage.
            self.is_honest = false;
        }
    }

    async fn send(&mut self, packet: &Packet<'_>, input: &mut Input<'_>) {
        let mut bytes = BytesMut::new();
        if codec::encode(packet, self.version, &mut bytes).is_err() {
            return;
        }
        match input.byte() {
            // Damaged.
            250 => {
                let at = input.below(bytes.len());
                bytes[at] ^= 1 << (input.byte() % 8);
                self.is_honest = false;
                self.write(&bytes).await;
            }
            // In two parts, with time between them.
            251 | 252 => {
                let at = input.below(bytes.len());
                let (one, other) = bytes.split_at(at);
                self.write(one).await;
                settle().await;
                self.write(other).await;
            }
            // Cut.
            253 => {
                let at = input.below(bytes.len());
                self.is_honest = false;
                self.write(&bytes[..at]).await;
            }
            _ => self.write(&bytes).await,
        }
    }

    /// Reads what is there and judges it; with `answers`, acknowledges it.
    async fn read(&mut self, answers: bool, input: &mut Input<'_>) {
        loop {
            while let Frame::Complete(len) =
                codec::frame(&self.inbound, u32::MAX).expect("the broker writes packets")
            {
                let frame = self.inbound.split_to(len);
                self.judge(&frame, answers, input).await;
            }
            let within = Duration::from_millis(1);
            match tokio::time::timeout(within, self.stream.read_buf(&mut self.inbound)).await {
                Ok(Ok(n)) if n > 0 => {}
                _ => return,
            }
        }
    }

    async fn judge(&mut self, frame: &[u8], answers: bool, input: &mut Input<'_>) {
        let packet = match codec::decode(frame, self.version) {
            Ok(packet) => packet,
            // A damaged CONNECT may have asked for another version.
            Err(_) if !self.is_honest => return,
            Err(error) => panic!("the broker wrote {frame:02x?}: {error}"),
        };
        let is_connack = matches!(packet, Packet::ConnAck(_));
        // [MQTT-3.1.2-24]
        assert!(
            is_connack || frame.len() <= self.maximum_packet_size,
            "{} bytes for a client that takes {}: {packet}",
            frame.len(),
            self.maximum_packet_size
        );
        match packet {
            Packet::Publish(publish) => {
                self.judge_publish(&publish);
                if let Some(identifier) = publish.packet_identifier.filter(|_| answers) {
                    let ack = Ack::new(identifier, ReasonCode::Success);
                    if publish.qos == QoS::AtLeastOnce {
                        self.unacknowledged.remove(&identifier);
                        self.send(&Packet::PubAck(ack), input).await;
                    } else {
                        self.send(&Packet::PubRec(ack), input).await;
                    }
                }
            }
            Packet::PubRel(ack) if answers => {
                let identifier = ack.packet_identifier;
                self.unacknowledged.remove(&identifier);
                let ack = Ack::new(identifier, ReasonCode::Success);
                self.send(&Packet::PubComp(ack), input).await;
            }
            _ => {}
        }
    }

    fn judge_publish(&mut self, publish: &Publish<'_>) {
        match publish.properties.topic_alias {
            // [MQTT-3.1.2-26], [MQTT-3.3.2-7]
            Some(alias) => {
                assert!(
                    alias.get() <= self.topic_alias_maximum,
                    "alias {alias} is not allowed"
                );
                if publish.topic.is_empty() {
                    assert!(
                        self.aliases.contains_key(&alias),
                        "alias {alias} was never set"
                    );
                } else {
                    self.aliases.insert(alias, publish.topic.to_owned());
                }
            }
            None => assert!(!publish.topic.is_empty()),
        }
        if let Some(identifier) = publish.packet_identifier {
            let known = self.unacknowledged.insert(identifier, publish.qos);
            if self.is_honest {
                // [MQTT-2.2.1-4], [MQTT-3.3.4-9]
                assert!(known.is_none() || publish.dup, "{identifier} is in use");
                assert!(self.unacknowledged.len() <= self.receive_maximum);
            }
        }
    }
}

/// Lets everything happen that can happen now: a clock that stands still moves only when nothing else can.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn settings(input: &mut Input<'_>) -> BrokerSettings {
    let session = SessionSettings {
        maximum_sessions: input.pick(&[1, 4, 100, 100]),
        maximum_session_expiry_interval: LONGEST_SESSION,
        maximum_inflight: input.pick(&[1, 2, 5, 1_000]),
        maximum_queued_messages: input.pick(&[1, 2, 10, 1_000]),
        maximum_queued_bytes: input.pick(&[300, 2_000, 1 << 20]),
        queue_full: input.pick(&[QueueFull::DropOldest, QueueFull::DropNewest]),
        queue_qos0_offline: input.flag(),
        outbox_bytes: input.pick(&[1, 64, 512, 1 << 16]),
        receive_maximum: input.pick(&[1, 3, 1_000, 1_000]),
        maximum_packet_size: input.pick(&[100, 1_000, 1 << 20]),
        topic_alias_maximum: input.pick(&[0, 1, 5]),
        outbound_topic_alias_maximum: input.pick(&[0, 1, 5]),
        maximum_keep_alive: input.pick(&[None, Some(10)]),
        maximum_subscriptions: input.pick(&[1, 4, 1_000]),
        maximum_qos: input.pick(&[QoS::ExactlyOnce, QoS::ExactlyOnce, QoS::AtLeastOnce]),
        retain_available: !input.rarely(8),
        ..SessionSettings::default()
    };
    BrokerSettings {
        session,
        accept_by_default: !input.rarely(8),
        tell_reasons: input.flag(),
        maximum_injected: 1 + input.below(8),
        ..BrokerSettings::default()
    }
}

fn connect(version: ProtocolVersion, input: &mut Input<'_>) -> Connect {
    let mut connect = Connect::new(version, input.pick(&NAMES));
    connect.clean_start = input.flag();
    connect.keep_alive = input.pick(&[0, 0, 5, 60]);
    if input.rarely(4) {
        connect.username = Some("ann".to_owned());
    }
    if input.rarely(3) {
        let mut will = Will::new(TopicName::parse("a/b").expect("a Topic Name"), "bye".into());
        will.qos = input.qos();
        will.retain = input.flag();
        if version == ProtocolVersion::V5 {
            will.delay_interval = input.pick(&[0, 0, 3, 1_000]);
            will.message_expiry_interval = input.pick(&[None, Some(2)]);
        }
        connect.will = Some(Box::new(will));
    }
    if version == ProtocolVersion::V5 {
        connect.session_expiry_interval = input.pick(&[None, Some(0), Some(20), Some(u32::MAX)]);
        connect.receive_maximum = NonZeroU16::new(input.pick(&[0, 1, 2, 100]));
        connect.maximum_packet_size = NonZeroU32::new(input.pick(&[0, 0, 20, 60, 500]));
        connect.topic_alias_maximum = input.pick(&[0, 1, 3]);
        connect.request_problem_information = input.flag();
        connect.user_properties = input.user_properties(version);
    }
    connect
}

async fn converse(mut input: Input<'_>) {
    let input = &mut input;
    let settings = settings(input);
    let first = Moody::new(input);
    let broker = Broker::new(settings).plugin(first.registered());
    let handle = broker.start().await.expect("there is nothing to bind");
    let host = handle.host("fuzz", Grant::ALL.into_iter().collect());
    let mut slots: [Option<Client>; N_SLOTS] = std::array::from_fn(|_| None);
    let mut gone: Vec<JoinHandle<()>> = Vec::new();
    for _ in 0..N_ACTIONS {
        if input.0.is_empty() {
            break;
        }
        let action = input.byte();
        let slot = input.below(N_SLOTS);
        match (action % 32, slots[slot].as_mut()) {
            (0, _) | (1..=20, None) => {
                gone.extend(slots[slot].take().map(|client| client.served));
                let version = input.pick(&[
                    ProtocolVersion::V311,
                    ProtocolVersion::V5,
                    ProtocolVersion::V5,
                ]);
                let mut client = Client::dial(&handle, version, input);
                let connect = connect(version, input);
                client.maximum_packet_size = connect
                    .maximum_packet_size
                    .map_or(usize::MAX, |size| size.get() as usize);
                client.receive_maximum = connect
                    .receive_maximum
                    .map_or(usize::from(u16::MAX), |maximum| maximum.get().into());
                client.topic_alias_maximum = connect.topic_alias_maximum;
                client
                    .send(&Packet::Connect(Box::new(connect)), input)
                    .await;
                if !input.rarely(6) {
                    client.read(true, input).await;
                }
                slots[slot] = Some(client);
            }
            (1..=9, Some(client)) => publish(client, input).await,
            (10..=12, Some(client)) => subscribe(client, input).await,
            (13, Some(client)) => {
                let unsubscribe = Unsubscribe {
                    packet_identifier: input.identifier(),
                    topic_filters: vec![input.pick(&FILTERS).to_owned()],
                    user_properties: input.user_properties(client.version),
                };
                client.send(&Packet::Unsubscribe(unsubscribe), input).await;
            }
            (14, Some(client)) => {
                // Also what nobody waits for.
                client.is_honest = false;
                let ack = Ack::new(
                    input.identifier(),
                    input.pick(&[ReasonCode::Success, ReasonCode::QuotaExceeded]),
                );
                let packet = match input.below(4) {
                    0 => Packet::PubAck(ack),
                    1 => Packet::PubRec(ack),
                    2 => Packet::PubRel(Ack::new(ack.packet_identifier, ReasonCode::Success)),
                    _ => Packet::PubComp(Ack::new(ack.packet_identifier, ReasonCode::Success)),
                };
                client.send(&packet, input).await;
            }
            (15, Some(client)) => client.send(&Packet::PingReq, input).await,
            (16, Some(client)) => {
                let mut disconnect = Disconnect::default();
                if client.version == ProtocolVersion::V5 {
                    disconnect.reason =
                        input.pick(&[ReasonCode::Success, ReasonCode::DisconnectWithWillMessage]);
                    disconnect.session_expiry_interval =
                        input.pick(&[None, None, Some(0), Some(30)]);
                }
                client.send(&Packet::Disconnect(disconnect), input).await;
            }
            (17, Some(client)) => {
                client.is_honest = false;
                let n = input.below(16);
                let garbage = input.bytes(n);
                client.write(&garbage).await;
            }
            (18, _) => gone.extend(slots[slot].take().map(|client| client.served)),
            (19, Some(client)) => client.read(false, input).await,
            (20, Some(client)) => client.read(true, input).await,
            (21, _) => {
                handle.disconnect(
                    input.pick(&NAMES),
                    ReasonCode::AdministrativeAction,
                    Some("enough"),
                );
            }
            (22 | 23, _) => {
                let message = OutgoingMessage {
                    topic: input.pick(&TOPICS).to_owned(),
                    payload: vec![b'p'; input.below(80)],
                    qos: input.byte() % 4,
                    retain: input.flag(),
                    message_expiry_interval: input.pick(&[None, Some(1)]),
                    ..OutgoingMessage::default()
                };
                // Whatever it says: a full queue and a bad topic are refused.
                let _ = match input.flag() {
                    true => host.publish(message, input.byte() % 10).map(|()| true),
                    false => host.publish_to(input.pick(&NAMES), message, 0),
                };
            }
            (24, _) => {
                let plugins = match input.below(3) {
                    0 => Vec::new(),
                    1 => vec![Moody::new(input).registered()],
                    _ => vec![
                        Moody::new(input).registered(),
                        Moody::new(input).registered(),
                    ],
                };
                handle.swap(plugins);
            }
            (25, _) => {
                handle.clear_retained();
            }
            (26 | 27, _) => {
                let seconds = input.pick(&[1, 5, 11, 40]);
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
            _ => settle().await,
        }
        if let Some(client) = slots[slot].as_mut()
            && input.flag()
        {
            client.read(true, input).await;
        }
    }
    for client in slots.into_iter().flatten() {
        gone.push(client.served);
    }
    end(&handle, gone).await;
}

/// Everybody is gone: every connection ends, every Session expires, and the broker holds nothing.
async fn end(handle: &Handle, gone: Vec<JoinHandle<()>>) {
    for served in gone {
        tokio::time::timeout(Duration::from_secs(600), served)
            .await
            .expect("a connection's task ends when its client is gone")
            .expect("it does not panic");
    }
    assert_eq!(handle.stats().connected, 0);
    let longest = Duration::from_secs(u64::from(LONGEST_SESSION) * 2);
    tokio::time::sleep(longest).await;
    let stats = handle.stats();
    assert_eq!(
        (stats.sessions, stats.subscriptions, stats.connected),
        (0, 0, 0),
        "{stats:?}"
    );
    handle.clear_retained();
    assert_eq!(handle.stats().retained, 0);
    handle.stop().await;
}

async fn publish(client: &mut Client, input: &mut Input<'_>) {
    let payload = vec![b'x'; input.pick(&[0, 1, 30, 200])];
    let qos = input.qos();
    let user_properties = input.user_properties(client.version);
    let mut publish = Publish {
        dup: false,
        qos,
        retain: input.rarely(4),
        topic: input.pick(&TOPICS[..6]),
        packet_identifier: (qos != QoS::AtMostOnce).then(|| input.identifier()),
        payload: &payload,
        properties: PublishProperties {
            user_properties: user_properties.as_ref(),
            ..PublishProperties::default()
        },
    };
    if client.version == ProtocolVersion::V5 {
        publish.properties.message_expiry_interval = input.pick(&[None, None, Some(0), Some(3)]);
        publish.properties.topic_alias = NonZeroU16::new(input.pick(&[0, 0, 1, 2, 7]));
        if publish.properties.topic_alias.is_some() && input.flag() {
            publish.topic = "";
        }
    }
    client.send(&Packet::Publish(publish), input).await;
    if publish.qos == QoS::ExactlyOnce && input.flag() {
        let identifier = publish.packet_identifier.expect("QoS 2 has one");
        client
            .send(
                &Packet::PubRel(Ack::new(identifier, ReasonCode::Success)),
                input,
            )
            .await;
    }
}

async fn subscribe(client: &mut Client, input: &mut Input<'_>) {
    let is_v5 = client.version == ProtocolVersion::V5;
    let subscriptions = (0..=input.below(3))
        .map(|_| SubscribeEntry {
            topic_filter: input.pick(&FILTERS).to_owned(),
            options: SubscriptionOptions {
                qos: input.qos(),
                no_local: is_v5 && input.rarely(8),
                retain_as_published: is_v5 && input.flag(),
                retain_handling: if is_v5 {
                    input.pick(&[
                        RetainHandling::SendAlways,
                        RetainHandling::SendIfNew,
                        RetainHandling::DoNotSend,
                    ])
                } else {
                    RetainHandling::SendAlways
                },
            },
        })
        .collect();
    let subscribe = Subscribe {
        packet_identifier: input.identifier(),
        subscription_identifier: SubscriptionIdentifier::new(u32::from(input.byte() % 4))
            .filter(|_| is_v5),
        user_properties: input.user_properties(client.version),
        subscriptions,
    };
    client.send(&Packet::Subscribe(subscribe), input).await;
}
