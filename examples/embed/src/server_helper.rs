//! A broker with a login rule, eleven log lines and six events of the application: each hook is one closure.

use std::net::SocketAddr;
use std::sync::Arc;

use hookmq_broker::hook::Registration;
use hookmq_broker::{Broker, BrokerSettings, Handle, ListenerSettings, StartError};
use hookmq_plugin_api::Closures;
use hookmq_plugin_api::typed::{
    InterceptEnqueueAnswer, InterceptPublishAnswer, ValidateConnectionAnswer,
};
use tracing::info;

/// Told a Client Identifier, a Topic Name and a payload.
type OnMessage = Box<dyn Fn(&str, &str, &[u8]) + Send + Sync>;
/// Told a Client Identifier and a Topic Filter.
type OnFilter = Box<dyn Fn(&str, &str) + Send + Sync>;
/// Told a Client Identifier.
type OnClient = Box<dyn Fn(&str) + Send + Sync>;

/// What the application listens to. Each does nothing until it is set.
pub(crate) struct ServerEvents {
    /// Client Identifier, Topic Name and payload of each message that a client publishes.
    pub(crate) message_received: OnMessage,
    /// True when the broker runs, false when it has stopped.
    pub(crate) server_status: Box<dyn Fn(bool) + Send + Sync>,
    /// A client is in.
    pub(crate) client_connected: OnClient,
    /// A client is gone.
    pub(crate) client_disconnected: OnClient,
    /// A client subscribed.
    pub(crate) client_subscribed: OnFilter,
    /// A client unsubscribed.
    pub(crate) client_unsubscribed: OnFilter,
}

impl Default for ServerEvents {
    fn default() -> Self {
        Self {
            message_received: Box::new(|_, _, _| {}),
            server_status: Box::new(|_| {}),
            client_connected: Box::new(|_| {}),
            client_disconnected: Box::new(|_| {}),
            client_subscribed: Box::new(|_, _| {}),
            client_unsubscribed: Box::new(|_, _| {}),
        }
    }
}

/// A running broker.
pub(crate) struct ServerHelper {
    handle: Handle,
}

impl ServerHelper {
    /// Listens on one address; port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub(crate) async fn start(bind: SocketAddr, events: ServerEvents) -> Result<Self, StartError> {
        let settings = BrokerSettings {
            listeners: vec![ListenerSettings::new("embedded", bind)],
            ..BrokerSettings::default()
        };
        let plugin = Registration::new(
            "server-helper",
            "embedded",
            Arc::new(closures(Arc::new(events))),
        );
        let handle = Broker::new(settings).plugin(plugin).start().await?;
        Ok(Self { handle })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.handle.local_addrs().first().copied()
    }

    /// Disconnects everybody and ends.
    pub(crate) async fn stop(&self) {
        self.handle.stop().await;
    }
}

/// One closure per hook. Log lines are what operators of the first version know.
fn closures(events: Arc<ServerEvents>) -> Closures {
    let events = || Arc::clone(&events);
    let (received, started, stopped) = (events(), events(), events());
    let (connected, disconnected, subscribed, unsubscribed) =
        (events(), events(), events(), events());
    Closures::new("server-helper")
        .on_broker_started(move |_| {
            info!("服务端【IP:Port】已启用MQTT");
            (started.server_status)(true);
        })
        .on_broker_stopped(move |_| {
            info!("服务端【IP:Port】已停止MQTT");
            (stopped.server_status)(false);
        })
        .on_validate_connection(|event| {
            let (client_id, endpoint) = (event.client_id().unwrap_or_default(), event.endpoint().unwrap_or_default());
            if event.password() == Some(b"") {
                info!("客户端已验证成功.ClientId:【{client_id}】,Endpoint:【{endpoint}】");
                return ValidateConnectionAnswer::accept();
            }
            info!("客户端验证失败.ClientId:【{client_id}】,Endpoint:【{endpoint}】");
            ValidateConnectionAnswer::deny(0x86, "bad user name or password")
        })
        .on_client_connected(move |event| {
            let (client_id, endpoint) = (event.client_id().unwrap_or_default(), event.endpoint().unwrap_or_default());
            info!("客户端已连接.ClientId:【{client_id}】,Endpoint:【{endpoint}】");
            (connected.client_connected)(client_id);
        })
        .on_client_disconnected(move |event| {
            let (client_id, endpoint) = (event.client_id().unwrap_or_default(), event.endpoint().unwrap_or_default());
            let reason_code = event.reason_code();
            // The first version knew three ways to go: Clean, Takeover, and NotClean for all others.
            let disconnect_type = match event.disconnect_type() {
                known @ ("Clean" | "Takeover") => known,
                _ => "NotClean",
            };
            info!(
                "客户端已断开.ClientId:【{client_id}】,Endpoint:【{endpoint}】.ReasonCode:【{reason_code}】,DisconnectType:【{disconnect_type}】"
            );
            (disconnected.client_disconnected)(client_id);
        })
        .on_client_subscribed(move |event| {
            let client_id = event.client_id().unwrap_or_default();
            info!("客户端【{client_id}】订阅主题【{}】", event.topic_filter());
            (subscribed.client_subscribed)(client_id, event.topic_filter());
        })
        .on_client_unsubscribed(move |event| {
            let client_id = event.client_id().unwrap_or_default();
            info!("客户端【{client_id}】退订主题【{}】", event.topic_filter());
            (unsubscribed.client_unsubscribed)(client_id, event.topic_filter());
        })
        .on_intercept_publish(move |event| {
            let client_id = event.client_id().unwrap_or_default();
            info!("接收到消息:Client:【{client_id}】 Topic:【{}】 Message:【{}】", event.topic(), text(event.payload()));
            (received.message_received)(client_id, event.topic(), event.payload());
            InterceptPublishAnswer::pass()
        })
        .on_intercept_enqueue(|event| {
            let sender = event.sender_client_id().unwrap_or_default();
            info!("【InterceptingClientEnqueue】-SenderId:{sender}-Message:{}", text(event.payload()));
            InterceptEnqueueAnswer::pass()
        })
        .on_message_acknowledged(|event| {
            let client_id = event.client_id().unwrap_or_default();
            info!("【ClientAcknowledgedPublishPacket】-SenderId:{client_id}-Message:{}", text(event.payload()));
        })
        .on_message_not_consumed(|event| {
            let sender = event.sender_client_id().unwrap_or_default();
            info!("【MessageNotConsumed】-SenderId:{sender}-Message:{}", text(event.payload()));
        })
}

fn text(payload: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(payload)
}
