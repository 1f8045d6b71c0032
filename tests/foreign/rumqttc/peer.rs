//! One rumqttc client with its event loop in a task, and one shape for what its two versions of the protocol tell.

use std::collections::VecDeque;
use std::time::Duration;

use rumqttc::v5::mqttbytes::v5 as five;
use rumqttc::v5::mqttbytes::v5::{
    ConnectProperties, Filter, LastWillProperties, PublishProperties,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::{Case, Done, equal};

/// One condition is waited for this long.
const WAIT: Duration = Duration::from_secs(10);

/// The largest packet in either direction.
const PACKET: u32 = 1_000_000;

/// How many requests and events may wait; no scenario has more under way.
const EVENTS: usize = 4096;

/// How a client connects.
#[derive(Default)]
pub(crate) struct Options {
    /// Keeps its session, for 300 s in 5.0.
    pub(crate) stays: bool,
    /// Begins with nothing, whatever it left.
    pub(crate) clean: bool,
    /// Topic, payload, RETAIN and, in 5.0, the delay in seconds of its will, at QoS 1.
    pub(crate) will: Option<(String, &'static str, bool, u32)>,
}

/// A message, whichever version brought it.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) properties: PublishProperties,
}

/// What the broker said to CONNECT.
#[derive(Debug, Default)]
pub(crate) struct Welcome {
    pub(crate) session_present: bool,
    pub(crate) assigned: Option<String>,
    pub(crate) topic_alias_maximum: u16,
}

#[derive(Debug)]
enum Event {
    Welcome(Welcome),
    Message(Message),
    Subscribed(Vec<Option<u8>>),
    Unsubscribed,
    /// A message is where its QoS wants it: written, acknowledged or completed.
    Published,
    /// A QoS 2 message that came is completed from this side.
    Completed,
    /// The connection is over; in 5.0 with the broker's Reason Code, if it gave one.
    Over(Option<u8>, String),
}

enum Handle {
    Three(rumqttc::AsyncClient),
    Five(rumqttc::v5::AsyncClient),
}

/// A connected client. Dropped, its socket is closed without DISCONNECT.
pub(crate) struct Peer {
    pub(crate) welcome: Welcome,
    handle: Handle,
    events: mpsc::Receiver<Event>,
    messages: VecDeque<Message>,
    others: VecDeque<Event>,
    /// QoS 2 messages that came and are not completed yet.
    open: usize,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    pub(crate) async fn connect(case: &Case, client_id: &str, options: Options) -> Done<Self> {
        let (tell, events) = mpsc::channel(EVENTS);
        let (handle, task) = if case.v5 {
            five(case, client_id, options, tell)
        } else {
            three(case, client_id, options, tell)
        };
        let mut peer = Self {
            welcome: Welcome::default(),
            handle,
            events,
            messages: VecDeque::new(),
            others: VecDeque::new(),
            open: 0,
            task,
        };
        match peer.other("CONNACK").await? {
            Event::Welcome(welcome) => peer.welcome = welcome,
            Event::Over(_, why) => return Err(format!("no CONNACK: {why}")),
            other => return Err(format!("no CONNACK but {other:?}")),
        }
        Ok(peer)
    }

    pub(crate) async fn subscribe(&mut self, topic_filter: &str, qos: u8) -> Done {
        let filter = Filter::new(topic_filter, qos_five(qos));
        self.subscribe_with(filter).await
    }

    /// Subscribes with options that only 5.0 has.
    pub(crate) async fn subscribe_with(&mut self, filter: Filter) -> Done {
        let qos = filter.qos as u8;
        match &self.handle {
            Handle::Three(client) => client
                .subscribe(filter.path, qos_three(qos))
                .await
                .map_err(text)?,
            Handle::Five(client) => client.subscribe_many([filter]).await.map_err(text)?,
        }
        match self.other("SUBACK").await? {
            Event::Subscribed(granted) => equal(granted, vec![Some(qos)], "granted"),
            other => Err(format!("no SUBACK but {other:?}")),
        }
    }

    pub(crate) async fn unsubscribe(&mut self, topic_filter: &str) -> Done {
        match &self.handle {
            Handle::Three(client) => client.unsubscribe(topic_filter).await.map_err(text)?,
            Handle::Five(client) => client.unsubscribe(topic_filter).await.map_err(text)?,
        }
        match self.other("UNSUBACK").await? {
            Event::Unsubscribed => Ok(()),
            other => Err(format!("no UNSUBACK but {other:?}")),
        }
    }

    /// Publishes and waits for what its QoS promises.
    pub(crate) async fn publish(
        &mut self,
        topic: &str,
        payload: impl AsRef<[u8]>,
        qos: u8,
        retain: bool,
    ) -> Done {
        self.send(topic, payload, qos, retain).await?;
        self.published().await
    }

    /// Hands a message to the client, which sends it when it may.
    pub(crate) async fn send(
        &mut self,
        topic: &str,
        payload: impl AsRef<[u8]>,
        qos: u8,
        retain: bool,
    ) -> Done {
        let payload = payload.as_ref().to_vec();
        match &self.handle {
            Handle::Three(client) => client
                .publish(topic, qos_three(qos), retain, payload)
                .await
                .map_err(text),
            Handle::Five(client) => client
                .publish(topic, qos_five(qos), retain, payload)
                .await
                .map_err(text),
        }
    }

    /// Publishes with properties, which only 5.0 has.
    pub(crate) async fn publish_with(
        &mut self,
        topic: &str,
        payload: &str,
        qos: u8,
        retain: bool,
        properties: PublishProperties,
    ) -> Done {
        let Handle::Five(client) = &self.handle else {
            return Err("3.1.1 has no properties".to_owned());
        };
        let payload = payload.to_owned();
        client
            .publish_with_properties(topic, qos_five(qos), retain, payload, properties)
            .await
            .map_err(text)?;
        self.published().await
    }

    /// Waits until one message that was handed over is where its QoS wants it.
    pub(crate) async fn published(&mut self) -> Done {
        match self.other("acknowledgement").await? {
            Event::Published => Ok(()),
            other => Err(format!("no acknowledgement but {other:?}")),
        }
    }

    pub(crate) async fn next(&mut self) -> Done<Message> {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Ok(message);
            }
            self.pull("message").await?;
        }
    }

    /// The next messages have these payloads; they are returned.
    pub(crate) async fn expect(&mut self, payloads: &[&str]) -> Done<Vec<Message>> {
        let mut found = Vec::new();
        while found.len() < payloads.len() {
            found.push(self.next().await?);
        }
        let texts: Vec<String> = found
            .iter()
            .map(|m| String::from_utf8_lossy(&m.payload).into_owned())
            .collect();
        equal(
            texts,
            payloads
                .iter()
                .map(|payload| (*payload).to_owned())
                .collect(),
            "payloads",
        )?;
        Ok(found)
    }

    /// What is published now is the next that comes, so nothing else was under way.
    pub(crate) async fn expect_nothing_before(
        &mut self,
        publisher: &mut Self,
        topic: &str,
    ) -> Done {
        publisher.publish(topic, "the end", 1, false).await?;
        self.expect(&["the end"]).await.map(drop)
    }

    /// Says DISCONNECT and waits until the broker has closed.
    ///
    /// The client hands out a QoS 2 message before it is completed, and its next life knows nothing of it and does not
    /// bear the PUBREL that is then sent again. So everything is completed first.
    pub(crate) async fn leave(mut self) -> Done {
        while self.open > 0 {
            self.pull("PUBREL").await?;
        }
        match &self.handle {
            Handle::Three(client) => client.disconnect().await.map_err(text)?,
            Handle::Five(client) => client.disconnect().await.map_err(text)?,
        }
        self.over().await.map(drop)
    }

    /// Waits for the end of the connection; the Reason Code of the broker's DISCONNECT, if the client could read one, and
    /// the client's own words.
    pub(crate) async fn over(&mut self) -> Done<(Option<u8>, String)> {
        match self.other("end of the connection").await? {
            Event::Over(reason, why) => Ok((reason, why)),
            other => Err(format!("no end of the connection but {other:?}")),
        }
    }

    /// Closes the socket without a word.
    pub(crate) async fn break_connection(mut self) {
        self.task.abort();
        // The socket is closed when the task is gone, with its end of the channel.
        while self.events.recv().await.is_some() {}
    }

    async fn other(&mut self, what: &str) -> Done<Event> {
        loop {
            if let Some(event) = self.others.pop_front() {
                return Ok(event);
            }
            self.pull(what).await?;
        }
    }

    async fn pull(&mut self, what: &str) -> Done {
        match tokio::time::timeout(WAIT, self.events.recv()).await {
            Ok(Some(Event::Message(message))) => {
                self.open += usize::from(message.qos == 2);
                self.messages.push_back(message);
            }
            Ok(Some(Event::Completed)) => self.open = self.open.saturating_sub(1),
            Ok(Some(event)) => self.others.push_back(event),
            Ok(None) => {
                return Err(format!(
                    "no {what}: the connection is over, {:?}",
                    self.others
                ));
            }
            Err(_) => {
                return Err(format!(
                    "no {what} within {} s, but {:?}",
                    WAIT.as_secs(),
                    self.others
                ));
            }
        }
        Ok(())
    }
}

fn three(
    case: &Case,
    client_id: &str,
    options: Options,
    tell: mpsc::Sender<Event>,
) -> (Handle, JoinHandle<()>) {
    let mut settings = rumqttc::MqttOptions::new(client_id, case.host.as_str(), case.port);
    settings.set_keep_alive(Duration::from_secs(30));
    settings.set_clean_session(options.clean || !options.stays);
    settings.set_max_packet_size(PACKET as usize, PACKET as usize);
    settings.set_inflight(10);
    if let Some((topic, payload, retain, _)) = options.will {
        settings.set_last_will(rumqttc::LastWill::new(
            topic,
            payload,
            rumqttc::QoS::AtLeastOnce,
            retain,
        ));
    }
    let (client, mut events) = rumqttc::AsyncClient::new(settings, 16);
    let task = tokio::spawn(async move {
        loop {
            let event = match events.poll().await {
                Ok(event) => said_by_three(event),
                Err(error) => Some(Event::Over(None, error.to_string())),
            };
            let over = matches!(event, Some(Event::Over(..)));
            if let Some(event) = event
                && tell.send(event).await.is_err()
            {
                return;
            }
            if over {
                return;
            }
        }
    });
    (Handle::Three(client), task)
}

fn said_by_three(event: rumqttc::Event) -> Option<Event> {
    use rumqttc::{Event::Incoming, Event::Outgoing, Packet, SubscribeReasonCode};
    Some(match event {
        Incoming(Packet::ConnAck(answer)) => Event::Welcome(Welcome {
            session_present: answer.session_present,
            ..Welcome::default()
        }),
        Incoming(Packet::Publish(publish)) => Event::Message(Message {
            topic: publish.topic,
            payload: publish.payload.to_vec(),
            qos: publish.qos as u8,
            retain: publish.retain,
            dup: publish.dup,
            properties: PublishProperties::default(),
        }),
        Incoming(Packet::SubAck(answer)) => Event::Subscribed(
            answer
                .return_codes
                .iter()
                .map(|code| match code {
                    SubscribeReasonCode::Success(qos) => Some(*qos as u8),
                    SubscribeReasonCode::Failure => None,
                })
                .collect(),
        ),
        Incoming(Packet::UnsubAck(_)) => Event::Unsubscribed,
        Incoming(Packet::PubAck(_) | Packet::PubComp(_))
        | Outgoing(rumqttc::Outgoing::Publish(0)) => Event::Published,
        Outgoing(rumqttc::Outgoing::PubComp(_)) => Event::Completed,
        _ => return None,
    })
}

fn five(
    case: &Case,
    client_id: &str,
    options: Options,
    tell: mpsc::Sender<Event>,
) -> (Handle, JoinHandle<()>) {
    let mut settings = rumqttc::v5::MqttOptions::new(client_id, case.host.as_str(), case.port);
    settings.set_keep_alive(Duration::from_secs(30));
    settings.set_clean_start(options.clean || !options.stays);
    let mut properties = ConnectProperties::new();
    properties.max_packet_size = Some(PACKET);
    properties.session_expiry_interval = options.stays.then_some(300);
    settings.set_connect_properties(properties);
    if let Some((topic, payload, retain, delay)) = options.will {
        let properties = LastWillProperties {
            delay_interval: (delay > 0).then_some(delay),
            payload_format_indicator: None,
            message_expiry_interval: None,
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        };
        let qos = qos_five(1);
        settings.set_last_will(five::LastWill::new(
            topic,
            payload,
            qos,
            retain,
            Some(properties),
        ));
    }
    let (client, mut events) = rumqttc::v5::AsyncClient::new(settings, 16);
    let task = tokio::spawn(async move {
        loop {
            // The broker's DISCONNECT comes as an error of the state.
            let event = match events.poll().await {
                Ok(event) => said_by_five(event),
                Err(error) => Some(Event::Over(reason(&error), error.to_string())),
            };
            let over = matches!(event, Some(Event::Over(..)));
            if let Some(event) = event
                && tell.send(event).await.is_err()
            {
                return;
            }
            if over {
                return;
            }
        }
    });
    (Handle::Five(client), task)
}

fn reason(error: &rumqttc::v5::ConnectionError) -> Option<u8> {
    use rumqttc::v5::{ConnectionError, StateError};
    match error {
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
            Some(*reason_code as u8)
        }
        _ => None,
    }
}

fn said_by_five(event: rumqttc::v5::Event) -> Option<Event> {
    use five::{Packet, SubscribeReasonCode};
    use rumqttc::v5::Event::{Incoming, Outgoing};
    Some(match event {
        Incoming(Packet::ConnAck(answer)) => {
            let properties = answer.properties;
            Event::Welcome(Welcome {
                session_present: answer.session_present,
                topic_alias_maximum: properties
                    .as_ref()
                    .and_then(|some| some.topic_alias_max)
                    .unwrap_or(0),
                assigned: properties.and_then(|some| some.assigned_client_identifier),
            })
        }
        Incoming(Packet::Publish(publish)) => Event::Message(Message {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload.to_vec(),
            qos: publish.qos as u8,
            retain: publish.retain,
            dup: publish.dup,
            properties: publish.properties.unwrap_or_default(),
        }),
        Incoming(Packet::SubAck(answer)) => Event::Subscribed(
            answer
                .return_codes
                .iter()
                .map(|code| match code {
                    SubscribeReasonCode::Success(qos) => Some(*qos as u8),
                    _ => None,
                })
                .collect(),
        ),
        Incoming(Packet::UnsubAck(_)) => Event::Unsubscribed,
        Incoming(Packet::PubAck(_) | Packet::PubComp(_))
        | Outgoing(rumqttc::Outgoing::Publish(0)) => Event::Published,
        Outgoing(rumqttc::Outgoing::PubComp(_)) => Event::Completed,
        _ => return None,
    })
}

fn qos_three(qos: u8) -> rumqttc::QoS {
    match qos {
        0 => rumqttc::QoS::AtMostOnce,
        1 => rumqttc::QoS::AtLeastOnce,
        _ => rumqttc::QoS::ExactlyOnce,
    }
}

pub(crate) fn qos_five(qos: u8) -> rumqttc::v5::mqttbytes::QoS {
    match qos {
        0 => rumqttc::v5::mqttbytes::QoS::AtMostOnce,
        1 => rumqttc::v5::mqttbytes::QoS::AtLeastOnce,
        _ => rumqttc::v5::mqttbytes::QoS::ExactlyOnce,
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
