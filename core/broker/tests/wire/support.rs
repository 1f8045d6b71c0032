//! A broker without sockets, clients that speak its codec, and plugins that write down what they see.
//!
//! Packets and events are compared as one line of text each, with everything in them, so that nothing goes unnoticed.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use hookmq_broker::hook::Registration;
use hookmq_broker::{Broker, BrokerSettings, Handle, StatsView};
use hookmq_mqtt::packet::{
    Ack, Connect, Publish, PublishProperties, Subscribe, SubscribeEntry, SubscriptionOptions,
    Unsubscribe, Will,
};
use hookmq_mqtt::property::UserProperties;
use hookmq_mqtt::{
    Frame, Packet, PacketIdentifier, ProtocolVersion, QoS, ReasonCode, TopicName, codec,
};
use hookmq_plugin_api::{
    Answer, Closures, Event, EventRecord, Field, Hook, Listen, Owned, Plugin, PluginError, Refusal,
    Value,
};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

pub(crate) const V3: ProtocolVersion = ProtocolVersion::V311;
pub(crate) const V5: ProtocolVersion = ProtocolVersion::V5;

/// How long a client waits for a packet; it passes only while nothing else can happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Where every client seems to come from.
pub(crate) const ENDPOINT: &str = "192.0.2.7:50000";

/// A broker in process.
pub(crate) struct Server {
    pub(crate) handle: Handle,
}

impl Server {
    /// With default settings, except that a gate which all pass accepts.
    pub(crate) async fn with(plugins: impl IntoIterator<Item = Registration>) -> Self {
        Self::start(lenient(), plugins).await
    }

    pub(crate) async fn start(
        settings: BrokerSettings,
        plugins: impl IntoIterator<Item = Registration>,
    ) -> Self {
        let broker = plugins
            .into_iter()
            .fold(Broker::new(settings), Broker::plugin);
        Self {
            handle: broker
                .start()
                .await
                .expect("nothing to bind, nothing to fail"),
        }
    }

    /// A connection on which nothing was said yet.
    pub(crate) fn dial(&self, version: ProtocolVersion) -> Client {
        self.dial_from(version, ENDPOINT, true, 1 << 20)
    }

    pub(crate) fn dial_from(
        &self,
        version: ProtocolVersion,
        endpoint: &str,
        allow_anonymous: bool,
        room: usize,
    ) -> Client {
        let (stream, theirs) = tokio::io::duplex(room);
        let (handle, endpoint) = (self.handle.clone(), endpoint.to_owned());
        let served = tokio::spawn(async move {
            handle
                .serve(theirs, "lan", &endpoint, allow_anonymous)
                .await
        });
        Client {
            stream,
            inbound: BytesMut::new(),
            version,
            served,
            identifier: 0,
        }
    }

    /// An MQTT 5 client that is in.
    pub(crate) async fn client(&self, client_id: &str) -> Client {
        self.client_with(Connect::new(V5, client_id)).await
    }

    pub(crate) async fn client_v3(&self, client_id: &str) -> Client {
        self.client_with(Connect::new(V3, client_id)).await
    }

    pub(crate) async fn client_with(&self, connect: Connect) -> Client {
        let mut client = self.dial(connect.version);
        client.send(Packet::Connect(Box::new(connect))).await;
        let line = client.line().await;
        assert!(
            line.starts_with("CONNACK") && line.contains("reason=success"),
            "{line}"
        );
        client
    }

    /// A client that subscribed to this filter.
    pub(crate) async fn subscriber(
        &self,
        version: ProtocolVersion,
        client_id: &str,
        filter: &str,
        qos: QoS,
    ) -> Client {
        let mut client = self.client_with(Connect::new(version, client_id)).await;
        client.subscribe(filter, qos).await;
        client
    }

    /// CONNACK, as a line, of a connection that is refused.
    pub(crate) async fn refused(&self, connect: Connect) -> String {
        let mut client = self.dial(connect.version);
        client.send(Packet::Connect(Box::new(connect))).await;
        let line = client.line().await;
        client.ends().await;
        line
    }

    pub(crate) fn stats(&self) -> StatsView {
        self.handle.stats()
    }

    /// How often a plugin failed at a hook.
    pub(crate) fn n_errors(&self, plugin: &str, hook: Hook) -> u64 {
        let metrics = self.handle.hook_metrics();
        metrics
            .iter()
            .filter(|row| &*row.plugin == plugin && row.hook == hook)
            .map(|row| row.errors.iter().sum::<u64>())
            .sum()
    }
}

/// Settings in which a gate that all plugins pass accepts.
pub(crate) fn lenient() -> BrokerSettings {
    BrokerSettings {
        accept_by_default: true,
        ..BrokerSettings::default()
    }
}

/// A plugin of closures, registered.
pub(crate) fn plugin(closures: Closures) -> Registration {
    let name = closures.name().to_owned();
    Registration::new(&name, "embedded", Arc::new(closures))
}

/// The other end of a connection.
pub(crate) struct Client {
    pub(crate) stream: DuplexStream,
    inbound: BytesMut,
    pub(crate) version: ProtocolVersion,
    /// The broker's task for this connection.
    pub(crate) served: JoinHandle<()>,
    identifier: u16,
}

impl Client {
    pub(crate) async fn send(&mut self, packet: Packet<'_>) {
        let mut bytes = BytesMut::new();
        codec::encode(&packet, self.version, &mut bytes).expect("a packet that can be said");
        self.send_bytes(&bytes).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .await
            .expect("the broker still reads");
    }

    /// The next packet as a line, or `end` for the end of the connection, or `nothing` if none comes.
    pub(crate) async fn next(&mut self, within: Duration) -> String {
        loop {
            if let Frame::Complete(len) =
                codec::frame(&self.inbound, u32::MAX).expect("the broker writes packets")
            {
                let line = codec::decode(&self.inbound[..len], self.version)
                    .expect("the broker writes valid packets")
                    .to_string();
                self.inbound.advance(len);
                return line.replace('"', "'");
            }
            match tokio::time::timeout(within, self.stream.read_buf(&mut self.inbound)).await {
                Ok(Ok(0) | Err(_)) if self.inbound.is_empty() => return "end".to_owned(),
                Ok(Ok(0) | Err(_)) => {
                    panic!("the connection ended within a packet: {:?}", self.inbound)
                }
                Ok(Ok(_)) => {}
                Err(_) => return "nothing".to_owned(),
            }
        }
    }

    pub(crate) async fn line(&mut self) -> String {
        self.next(PATIENCE).await
    }

    /// The next packet is this one.
    #[track_caller]
    pub(crate) fn gets(&mut self, expected: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let got = self.line().await;
            assert!(
                got == expected,
                "at {place}:\n     got {got:.2000}\nexpected {expected:.2000}"
            );
        }
    }

    /// Everything has been done that can be done, and nothing came.
    #[track_caller]
    pub(crate) fn gets_nothing(&mut self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let got = self.next(Duration::from_millis(1)).await;
            assert!(got == "nothing", "at {place}: got {got:.2000}");
        }
    }

    /// The broker closes the connection without another word, and its task ends.
    #[track_caller]
    pub(crate) fn ends(mut self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let got = self.line().await;
            assert!(got == "end", "at {place}: got {got:.2000}");
            self.served
                .await
                .expect("the connection's task does not panic");
        }
    }

    /// Says goodbye, and waits until the broker is done with it.
    pub(crate) async fn leaves(mut self) {
        self.send(Packet::Disconnect(Default::default())).await;
        self.ends().await;
    }

    /// Is lost without a word.
    pub(crate) async fn vanishes(self) {
        drop(self.stream);
        self.served
            .await
            .expect("the connection's task does not panic");
    }

    pub(crate) fn identifier(&mut self) -> PacketIdentifier {
        self.identifier += 1;
        PacketIdentifier::new(self.identifier).expect("tests are short")
    }

    /// Sends SUBSCRIBE for one filter; SUBACK is still to come.
    pub(crate) async fn ask(&mut self, filter: &str, options: impl Into<SubscriptionOptions>) {
        let packet_identifier = self.identifier();
        let subscriptions = vec![SubscribeEntry {
            topic_filter: filter.to_owned(),
            options: options.into(),
        }];
        let subscribe = Subscribe {
            packet_identifier,
            subscription_identifier: None,
            user_properties: UserProperties::new(),
            subscriptions,
        };
        self.send(Packet::Subscribe(subscribe)).await;
    }

    pub(crate) async fn subscribe(
        &mut self,
        filter: &str,
        options: impl Into<SubscriptionOptions>,
    ) {
        self.ask(filter, options).await;
        let line = self.line().await;
        assert!(
            line.starts_with("SUBACK") && (line.contains("granted") || line.contains("success")),
            "{line}"
        );
    }

    pub(crate) async fn unsubscribe(&mut self, filter: &str) {
        let packet_identifier = self.identifier();
        let topic_filters = vec![filter.to_owned()];
        self.send(Packet::Unsubscribe(Unsubscribe {
            packet_identifier,
            topic_filters,
            user_properties: UserProperties::new(),
        }))
        .await;
    }

    /// Sends a PUBLISH, with a Packet Identifier if its QoS wants one.
    pub(crate) async fn publish(&mut self, mut publish: Publish<'_>) {
        if publish.qos != QoS::AtMostOnce && publish.packet_identifier.is_none() {
            publish.packet_identifier = Some(self.identifier());
        }
        self.send(Packet::Publish(publish)).await;
    }

    pub(crate) async fn puback(&mut self, identifier: u16) {
        self.send(Packet::PubAck(ack(identifier))).await;
    }
}

pub(crate) fn ack(identifier: u16) -> Ack {
    Ack::new(
        PacketIdentifier::new(identifier).expect("not zero"),
        ReasonCode::Success,
    )
}

/// A PUBLISH with QoS 0.
pub(crate) fn message<'a>(topic: &'a str, payload: &'a str) -> Publish<'a> {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic,
        packet_identifier: None,
        payload: payload.as_bytes(),
        properties: PublishProperties::default(),
    }
}

pub(crate) fn qos1<'a>(topic: &'a str, payload: &'a str) -> Publish<'a> {
    Publish {
        qos: QoS::AtLeastOnce,
        ..message(topic, payload)
    }
}

pub(crate) fn qos2<'a>(topic: &'a str, payload: &'a str) -> Publish<'a> {
    Publish {
        qos: QoS::ExactlyOnce,
        ..message(topic, payload)
    }
}

pub(crate) fn retained<'a>(topic: &'a str, payload: &'a str) -> Publish<'a> {
    Publish {
        retain: true,
        ..message(topic, payload)
    }
}

pub(crate) fn will(topic: &str, payload: &str) -> Will {
    Will::new(
        TopicName::parse(topic).expect("a Topic Name"),
        payload.to_owned().into(),
    )
}

pub(crate) fn pairs(list: &[(&str, &str)]) -> UserProperties {
    let mut properties = UserProperties::new();
    for (name, value) in list {
        properties.push(name, value).expect("short texts");
    }
    properties
}

/// A refusal that says everything a refusal can say.
pub(crate) fn refusal(reason_code: u8) -> Refusal {
    Refusal {
        user_properties: vec![("why".to_owned(), "rule 7".to_owned())],
        server_reference: Some("other:1883".into()),
        ..Refusal::new(reason_code, "not today")
    }
}

/// What a [`Recorder`] answers.
type Rule = Box<dyn Fn(&dyn Event) -> Answer + Send + Sync>;

/// A plugin that writes down all fields of what it is asked and told, and answers by a closure.
pub(crate) struct Recorder {
    listens: Vec<Listen>,
    events: Mutex<Vec<EventRecord>>,
    answer: Rule,
}

impl Recorder {
    /// It passes everything.
    pub(crate) fn of(hooks: impl IntoIterator<Item = Hook>) -> Arc<Self> {
        Self::answering(hooks, |_| Answer::PASS)
    }

    pub(crate) fn answering(
        hooks: impl IntoIterator<Item = Hook>,
        answer: impl Fn(&dyn Event) -> Answer + Send + Sync + 'static,
    ) -> Arc<Self> {
        let listens = hooks
            .into_iter()
            .map(|hook| Listen {
                hook,
                fields: hook.spec().field_set(),
                awaits: false,
            })
            .collect();
        Arc::new(Self {
            listens,
            events: Mutex::default(),
            answer: Box::new(answer),
        })
    }

    pub(crate) fn registered(self: &Arc<Self>) -> Registration {
        Registration::new("recorder", "embedded", Arc::clone(self) as Arc<dyn Plugin>)
    }

    /// All events so far, a line each: `hook field=value ...`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.events
            .lock()
            .iter()
            .map(|event| line_of(event))
            .collect()
    }

    /// Waits for so many events and gives them. Other threads tell notices, so the clock must not move meanwhile.
    #[track_caller]
    pub(crate) fn wait(&self, n: usize) -> impl Future<Output = Vec<String>> {
        let place = std::panic::Location::caller();
        async move {
            until(|| self.events.lock().len() >= n)
                .await
                .unwrap_or_else(|()| {
                    panic!("at {place}: {n} events expected, {:#?}", self.lines())
                });
            self.lines()
        }
    }

    /// Exactly these events came, in this order.
    #[track_caller]
    pub(crate) fn saw<'a>(&'a self, expected: &'a [&'a str]) -> impl Future<Output = ()> + 'a {
        let place = std::panic::Location::caller();
        let wait = self.wait(expected.len());
        async move {
            let got = wait.await;
            assert!(
                got == expected,
                "at {place}:\n{}",
                difference(&got, expected)
            );
        }
    }

    /// Forgets what it saw.
    pub(crate) fn clear(&self) {
        self.events.lock().clear();
    }
}

fn difference(got: &[String], expected: &[&str]) -> String {
    let mut text = String::new();
    for at in 0..got.len().max(expected.len()) {
        let (got, expected) = (
            got.get(at).map_or("-", String::as_str),
            expected.get(at).copied().unwrap_or("-"),
        );
        let mark = if got == expected { ' ' } else { '!' };
        let _ = writeln!(
            text,
            "{mark}     got {got:.2000}\n{mark}expected {expected:.2000}"
        );
    }
    text
}

impl Plugin for Recorder {
    fn listens(&self) -> &[Listen] {
        &self.listens
    }

    fn call(&self, event: &dyn Event, _budget: Duration) -> Result<Answer, PluginError> {
        self.events
            .lock()
            .push(EventRecord::copy_of(event, event.hook().spec().field_set()));
        Ok((self.answer)(event))
    }
}

/// Waits, in real time and with the clock held still, until something is so.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) -> Result<(), ()> {
    let begun = std::time::Instant::now();
    while !is_so() {
        if begun.elapsed() > Duration::from_secs(10) {
            return Err(());
        }
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    Ok(())
}

/// Lets time pass, when everything that can be done has been done.
pub(crate) async fn pass(time: Duration) {
    // The runtime moves a held clock only when it is idle.
    tokio::time::sleep(time).await;
}

/// Lets everything happen that can happen without time passing.
pub(crate) async fn settle() {
    pass(Duration::from_millis(1)).await;
}

/// `hook field=value ...`, in the catalogue's order of fields, without those that are absent. The time of a notice is only
/// looked at, since it is never the same.
pub(crate) fn line_of(event: &dyn Event) -> String {
    let spec = event.hook().spec();
    let mut line = spec.name.to_owned();
    for field in spec.fields {
        let value = event.get(*field);
        if *field == Field::Timestamp {
            assert!(
                value.as_integer().is_some_and(|at| at > 1_700_000_000_000),
                "{}: no time",
                spec.name
            );
        } else if !matches!(value, Value::Nil) {
            let _ = write!(line, " {}={}", field.name(), shown(value));
        }
    }
    line
}

fn shown(value: Value<'_>) -> String {
    match value {
        Value::Nil => "nil".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => format!("'{text}'"),
        Value::Bytes(bytes) => format!("'{}'", bytes.escape_ascii()),
        Value::Pairs(pairs) => {
            let mut list = Vec::new();
            pairs.for_each(&mut |name, value| list.push(format!("{name}={value}")));
            format!("[{}]", list.join(", "))
        }
        Value::Records(records) => {
            let record = |record: &Vec<(Field, Owned)>| {
                let parts: Vec<_> = record
                    .iter()
                    .map(|(field, value)| format!("{}={}", field.name(), shown(value.as_value())))
                    .collect();
                format!("({})", parts.join(" "))
            };
            format!(
                "[{}]",
                records.iter().map(record).collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// A client whose Session stays.
pub(crate) fn staying(version: ProtocolVersion, client_id: &str) -> Connect {
    let mut connect = Connect::new(version, client_id);
    connect.clean_start = false;
    if version == V5 {
        connect.session_expiry_interval = Some(3600);
    }
    connect
}

/// As [`until`]; it has to become so.
pub(crate) async fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    assert!(until(is_so).await.is_ok(), "{what}");
}
