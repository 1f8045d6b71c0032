//! The client that stays: connects in the background, comes back after a loss, subscribes again.
//!
//! It logs in Chinese, word for word as the helper class that it stands in for; failures are logged and never returned
//! as errors. Lines at `info` say what was done, at `warn` what was refused or failed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hookmq_mqtt::{QoS, ReasonCode, TopicFilter};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::error::Lost;
use crate::event::{Event, Events};
use crate::message::Message;
use crate::options::ConnectOptions;

/// How long after a loss the next attempt begins.
const RECONNECT_AFTER: Duration = Duration::from_millis(30);

/// Keep Alive in seconds.
const KEEP_ALIVE: u16 = 10;

/// A client that reconnects by itself. Cheap to clone; all clones are one client. When the last is dropped it ends.
#[derive(Clone)]
pub struct ClientHelper {
    helper: Arc<Helper>,
}

struct Helper {
    shared: Arc<Shared>,
    /// The task that connects and reconnects, between `start` and `disconnect`.
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// What an application does with a message.
type Listener = Box<dyn Fn(&Message) + Send + Sync>;

struct Shared {
    client_id: String,
    on_message: Option<Listener>,
    state: Mutex<State>,
    connected: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    options: Option<ConnectOptions>,
    /// There from the first connection on, also after its loss; `None` after `disconnect`.
    client: Option<Client>,
    /// Topic -> subscribed while connected?
    topics: BTreeMap<String, bool>,
}

impl Default for ClientHelper {
    fn default() -> Self {
        Self::new(&format!("hookmq-{:016x}", fastrand::u64(..)))
    }
}

impl ClientHelper {
    /// A helper with this Client Identifier that is not connected yet.
    #[must_use]
    pub fn new(client_id: &str) -> Self {
        Self::build(client_id, None)
    }

    /// As [`Self::new`], with a listener for messages; it is called after the message is logged, one at a time.
    #[must_use]
    pub fn with_listener(
        client_id: &str,
        on_message: impl Fn(&Message) + Send + Sync + 'static,
    ) -> Self {
        Self::build(client_id, Some(Box::new(on_message)))
    }

    fn build(client_id: &str, on_message: Option<Listener>) -> Self {
        let shared = Shared {
            client_id: client_id.to_owned(),
            on_message,
            state: Mutex::default(),
            connected: watch::Sender::new(false),
        };
        let helper = Helper {
            shared: Arc::new(shared),
            task: tokio::sync::Mutex::new(None),
        };
        Self {
            helper: Arc::new(helper),
        }
    }

    /// True while connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        *self.shared().connected.borrow()
    }

    /// True while not connected.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        !self.is_connected()
    }

    /// Waits until the helper is connected.
    pub async fn connected(&self) {
        self.wait_for(true).await;
    }

    /// Waits until the helper is not connected.
    pub async fn disconnected(&self) {
        self.wait_for(false).await;
    }

    /// Address and port of the last start; `None` before.
    #[must_use]
    pub fn server(&self) -> Option<(String, u16)> {
        let state = self.shared().state.lock();
        state
            .options
            .as_ref()
            .map(|options| (options.host.clone(), options.port))
    }

    /// Connects in the background, with Clean Start and a Keep Alive of 10 s; an existing client is disconnected first.
    /// An empty address or a port outside 1 to 65 535 is refused with a warning.
    pub async fn start(&self, ip: &str, port: i32) {
        let port = u16::try_from(port).ok().filter(|port| *port > 0);
        let (Some(port), false) = (port, ip.trim().is_empty()) else {
            tracing::warn!("MQTT服务端的IP或端口无效");
            return;
        };
        let mut options = ConnectOptions::new(ip.trim(), port);
        options.connect.client_id = self.shared().client_id.clone();
        options.connect.keep_alive = KEEP_ALIVE;
        let mut task = self.helper.task.lock().await;
        end(self.shared(), &mut task).await;
        self.shared().state.lock().options = Some(options.clone());
        *task = Some(tokio::spawn(stay(
            Arc::clone(self.shared()),
            options,
            Begin::Fresh,
        )));
    }

    /// Disconnects and stays so.
    pub async fn disconnect(&self) {
        let mut task = self.helper.task.lock().await;
        if end(self.shared(), &mut task).await {
            tracing::info!("关闭MQTT客户端成功!");
        } else {
            tracing::warn!("MQTT客户端未启动");
        }
    }

    /// Connects again with the options of the last start, in the background; an existing client is disconnected first.
    pub async fn connect(&self) {
        let options = self.shared().state.lock().options.clone();
        let Some(options) = options else {
            tracing::warn!("MQTT客户端未启动");
            return;
        };
        let mut task = self.helper.task.lock().await;
        end(self.shared(), &mut task).await;
        *task = Some(tokio::spawn(stay(
            Arc::clone(self.shared()),
            options,
            Begin::Again,
        )));
    }

    /// The same as [`Self::connect`].
    pub async fn reconnect(&self) {
        self.connect().await;
    }

    /// Subscribes with QoS 1 and remembers the topic, also while not connected: it is subscribed at the next connection.
    /// A topic that is subscribed already, or that is no Topic Filter, is refused with a warning.
    pub async fn subscribe(&self, topic: &str) {
        if let Err(error) = TopicFilter::parse(topic) {
            tracing::warn!("主题【{topic}】无效:{error}");
            return;
        }
        let client = {
            let mut state = self.shared().state.lock();
            if state.topics.get(topic) == Some(&true) {
                tracing::warn!("主题【{topic}】已订阅");
                return;
            }
            let client = self.shared().connected_client(&state);
            state.topics.insert(topic.to_owned(), client.is_some());
            client
        };
        if let Some(client) = client {
            self.shared().subscribe(&client, topic).await;
        }
    }

    /// Subscribes to each of the topics.
    pub async fn subscribe_all(&self, topics: &[&str]) {
        for topic in topics {
            self.subscribe(topic).await;
        }
    }

    /// Unsubscribes. With `remove` the topic is forgotten, otherwise it stays known as not subscribed and comes back
    /// with the next connection. An unknown topic is refused with a warning.
    pub async fn unsubscribe(&self, topic: &str, remove: bool) {
        let client = {
            let mut state = self.shared().state.lock();
            match state.topics.get_mut(topic) {
                None => {
                    tracing::warn!("主题【{topic}】未订阅");
                    return;
                }
                Some(_) if remove => drop(state.topics.remove(topic)),
                Some(subscribed) => *subscribed = false,
            }
            self.shared().connected_client(&state)
        };
        if let Some(client) = client
            && let Err(error) = client.unsubscribe(vec![topic.to_owned()]).await
        {
            tracing::warn!("退订主题【{topic}】失败:{error}");
        }
    }

    /// Unsubscribes from each of the topics.
    pub async fn unsubscribe_all(&self, topics: &[&str], remove: bool) {
        for topic in topics {
            self.unsubscribe(topic, remove).await;
        }
    }

    /// What the cache says; false when unknown.
    #[must_use]
    pub fn is_subscribed(&self, topic: &str) -> bool {
        self.shared().state.lock().topics.get(topic) == Some(&true)
    }

    /// Publishes with QoS 1. An empty or blank message, and one while there is no client, is refused with a warning.
    pub async fn publish(&self, topic: &str, message: &str) {
        if message.trim().is_empty() {
            tracing::warn!("发布的消息为空");
            return;
        }
        let client = self.shared().state.lock().client.clone();
        let Some(client) = client else {
            tracing::warn!("MQTT客户端未启动");
            return;
        };
        let to_send = Message::new(topic, message.to_owned()).qos(QoS::AtLeastOnce);
        match client.publish(to_send).await {
            Ok(published) => {
                let reason = published.reason.name();
                tracing::info!("发布消息-主题:{topic},消息:{message},结果: {reason}");
            }
            Err(crate::ClientError::Refused(refusal)) => {
                let reason = refusal.reason.name();
                tracing::info!("发布消息-主题:{topic},消息:{message},结果: {reason}");
            }
            Err(error) => tracing::warn!("发布消息失败-主题:{topic}:{error}"),
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.helper.shared
    }

    async fn wait_for(&self, connected: bool) {
        // The sender lives as long as this helper.
        let _ = self
            .shared()
            .connected
            .subscribe()
            .wait_for(|it| *it == connected)
            .await;
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().take() {
            task.abort();
        }
    }
}

impl Shared {
    fn connected_client(&self, state: &State) -> Option<Client> {
        if *self.connected.borrow() {
            state.client.clone()
        } else {
            None
        }
    }

    async fn subscribe(&self, client: &Client, topic: &str) {
        let Err(error) = client.subscribe_to(topic, QoS::AtLeastOnce).await else {
            return;
        };
        tracing::warn!("订阅主题【{topic}】失败:{error}");
        if let Some(subscribed) = self.state.lock().topics.get_mut(topic) {
            *subscribed = false;
        }
    }

    /// On connected.
    async fn on_connected(&self, client: &Client) {
        let topics: Vec<_> = {
            let mut state = self.state.lock();
            state.client = Some(client.clone());
            self.connected.send_replace(true);
            state
                .topics
                .values_mut()
                .for_each(|subscribed| *subscribed = true);
            state.topics.keys().cloned().collect()
        };
        tracing::info!("连接到MQTT服务端成功.{}", client.client_id());
        for topic in topics {
            self.subscribe(client, &topic).await;
        }
    }

    fn on_message(&self, message: &Message) {
        tracing::info!(
            "接收消息:{}\nQoS={}\n客户端={}\n主题:{}",
            message.text(),
            message.qos,
            self.client_id,
            message.topic
        );
        if let Some(on_message) = &self.on_message {
            on_message(message);
        }
    }
}

/// Whether the next connection is the first of a start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    Fresh,
    Again,
}

/// Ends the task and the connection, if there are any.
async fn end(shared: &Shared, task: &mut Option<JoinHandle<()>>) -> bool {
    let Some(task) = task.take() else {
        return false;
    };
    task.abort();
    // Aborted or at its end; either way it changes nothing any more.
    let _ = task.await;
    let client = shared.state.lock().client.take();
    shared.connected.send_replace(false);
    if let Some(client) = client
        && client.is_connected()
        && let Err(error) = client
            .disconnect_with(hookmq_mqtt::Disconnect::new(ReasonCode::Success))
            .await
    {
        tracing::warn!("断开MQTT服务端失败:{error}");
    }
    true
}

/// Connects, serves, and connects again after each loss, until it is aborted.
async fn stay(shared: Arc<Shared>, options: ConnectOptions, mut begin: Begin) {
    let mut last_error = String::new();
    loop {
        match Client::connect(options.clone()).await {
            Ok((client, events)) => {
                last_error.clear();
                let lost = serve(&shared, client, events, begin).await;
                tracing::debug!(%lost, "lost the server");
                tracing::warn!("已断开到MQTT服务端的连接.尝试重新连接");
            }
            Err(error) => {
                // Thirty attempts a second that fail for the same reason are one line.
                let error = error.to_string();
                if error != last_error {
                    tracing::warn!("连接MQTT服务端失败:{error}");
                    last_error = error;
                }
            }
        }
        begin = Begin::Again;
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

/// One connection from CONNACK to its loss.
async fn serve(shared: &Shared, client: Client, mut events: Events, begin: Begin) -> Lost {
    // Messages are read while the topics are subscribed to, or a full queue of them would hold up the answers.
    let connected = async {
        shared.on_connected(&client).await;
        if begin == Begin::Again {
            tracing::info!("连接MQTT服务端成功!");
        }
    };
    let read = async {
        loop {
            match events.next().await {
                Some(Event::Message(message)) => shared.on_message(&message),
                Some(Event::Lost(lost)) => break lost,
                None => break Lost::Closed,
            }
        }
    };
    let (lost, ()) = tokio::join!(read, connected);
    shared.connected.send_replace(false);
    lost
}
