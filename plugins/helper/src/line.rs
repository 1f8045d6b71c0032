//! The lines of the log, as operators of the classic helper know them, one function each.
//!
//! A payload is shown as text as far as it is UTF-8.

/// A client may come in.
#[must_use]
pub fn validated(client_id: &str, endpoint: &str) -> String {
    format!("客户端已验证成功.ClientId:【{client_id}】,Endpoint:【{endpoint}】")
}

/// A client may not.
#[must_use]
pub fn refused(client_id: &str, endpoint: &str) -> String {
    format!("客户端验证失败.ClientId:【{client_id}】,Endpoint:【{endpoint}】")
}

/// A client is connected.
#[must_use]
pub fn connected(client_id: &str, endpoint: &str) -> String {
    format!("客户端已连接.ClientId:【{client_id}】,Endpoint:【{endpoint}】")
}

/// A client is gone. The helper knows three ways to go: Clean, Takeover, and NotClean for all others.
#[must_use]
pub fn disconnected(
    client_id: &str,
    endpoint: &str,
    reason_code: u8,
    disconnect_type: &str,
) -> String {
    let kind = match disconnect_type {
        "Clean" | "Takeover" => disconnect_type,
        _ => "NotClean",
    };
    format!(
        "客户端已断开.ClientId:【{client_id}】,Endpoint:【{endpoint}】.ReasonCode:【{reason_code}】,DisconnectType:【{kind}】"
    )
}

/// A client has subscribed.
#[must_use]
pub fn subscribed(client_id: &str, topic_filter: &str) -> String {
    format!("客户端【{client_id}】订阅主题【{topic_filter}】")
}

/// A client has unsubscribed.
#[must_use]
pub fn unsubscribed(client_id: &str, topic_filter: &str) -> String {
    format!("客户端【{client_id}】退订主题【{topic_filter}】")
}

/// A message came in.
#[must_use]
pub fn received(client_id: &str, topic: &str, payload: &[u8]) -> String {
    let message = String::from_utf8_lossy(payload);
    format!("接收到消息:Client:【{client_id}】 Topic:【{topic}】 Message:【{message}】")
}

/// A copy of a message is about to wait for one receiver.
#[must_use]
pub fn enqueued(sender_client_id: &str, payload: &[u8]) -> String {
    let message = String::from_utf8_lossy(payload);
    format!("【InterceptingClientEnqueue】-SenderId:{sender_client_id}-Message:{message}")
}

/// A receiver has acknowledged a message.
#[must_use]
pub fn acknowledged(client_id: &str, payload: &[u8]) -> String {
    let message = String::from_utf8_lossy(payload);
    format!("【ClientAcknowledgedPublishPacket】-SenderId:{client_id}-Message:{message}")
}

/// Nobody received a message.
#[must_use]
pub fn not_consumed(sender_client_id: &str, payload: &[u8]) -> String {
    let message = String::from_utf8_lossy(payload);
    format!("【MessageNotConsumed】-SenderId:{sender_client_id}-Message:{message}")
}

/// The broker is up.
#[must_use]
pub fn started(address: &str) -> String {
    format!("服务端【{address}】已启用MQTT")
}

/// The broker is down.
#[must_use]
pub fn stopped(address: &str) -> String {
    format!("服务端【{address}】已停止MQTT")
}
