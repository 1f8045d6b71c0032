//! The broker as one plugin sees it: what it may do besides answering. Grants are checked here, in one place.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hookmq_mqtt::{PacketType, QoS, ReasonCode, TopicFilter, TopicName};
use hookmq_plugin_api::{
    ClientView, Grant, Grants, Host, HostError, Keep, KvCondition, LogLevel, OutgoingMessage,
    RetainedView, SessionView,
};

use super::sessions::{DisconnectType, Kick};
use super::{Injected, Inner};
use crate::client::{ClientInfo, protocol_number};
use crate::hook::MAXIMUM_DEPTH;
use crate::log_limit::{Line, LogLimit};
use crate::message::{Message, MessageProperties, Source};
use crate::router::{Budget, Cursor, Progress};
use crate::session::SessionRef;

/// Longest text and binary data that a packet can carry, in bytes.
const MAXIMUM_TEXT: usize = 65_535;
/// Retained messages that one query gives at most.
const MAXIMUM_RETAINED_PER_QUERY: usize = 10_000;
/// Topics that one query looks at, at most: some milliseconds.
const MAXIMUM_VISITS_PER_QUERY: usize = 100_000;

/// One plugin's handle on the broker. Holds the broker weakly: a plugin does not keep it alive.
pub struct PluginHost {
    inner: Weak<Inner>,
    plugin: Arc<str>,
    grants: Grants,
    lines: LogLimit,
}

/// Lines that one plugin may log per second; the others are counted.
const LINES_PER_SECOND: u64 = 1_000;

impl PluginHost {
    pub(crate) fn new(inner: &Arc<Inner>, plugin: Arc<str>, grants: Grants) -> Self {
        Self {
            inner: Arc::downgrade(inner),
            plugin,
            grants,
            lines: LogLimit::new(LINES_PER_SECOND),
        }
    }

    /// The broker, if the right is granted and it still runs.
    fn with(&self, grant: Grant) -> Result<Arc<Inner>, HostError> {
        if !self.grants.has(grant) {
            return Err(HostError::NotGranted(grant));
        }
        self.inner.upgrade().ok_or(HostError::Stopping)
    }

    fn inject(
        inner: &Inner,
        message: OutgoingMessage,
        only: Option<SessionRef>,
        depth: u8,
    ) -> Result<(), HostError> {
        if depth >= MAXIMUM_DEPTH {
            return Err(HostError::Depth(MAXIMUM_DEPTH));
        }
        let message = message_of(inner, message, depth + 1)?;
        inner
            .injected
            .try_send(Injected {
                message,
                only,
                done: None,
            })
            .map_err(|error| match error {
                tokio::sync::mpsc::error::TrySendError::Full(_) => HostError::Limit(
                    "messages published by plugins that wait",
                    inner.injected.max_capacity() as u64,
                ),
                tokio::sync::mpsc::error::TrySendError::Closed(_) => HostError::Stopping,
            })
    }
}

impl Host for PluginHost {
    fn log(&self, level: LogLevel, place: &str, message: &str, fields: &[(String, String)]) {
        let plugin = &*self.plugin;
        match self.lines.line(now_ms()) {
            Line::Hold => return,
            Line::Write { held: 0 } => {}
            Line::Write { held } => {
                tracing::warn!(target: "plugin", plugin, "{held} lines were not logged: over {LINES_PER_SECOND} a second");
            }
        }
        let fields = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ");
        let space = if fields.is_empty() { "" } else { " " };
        match level {
            LogLevel::Debug => {
                tracing::debug!(target: "plugin", plugin, place, "{message}{space}{fields}")
            }
            LogLevel::Info => {
                tracing::info!(target: "plugin", plugin, place, "{message}{space}{fields}")
            }
            LogLevel::Warn => {
                tracing::warn!(target: "plugin", plugin, place, "{message}{space}{fields}")
            }
            LogLevel::Error => {
                tracing::error!(target: "plugin", plugin, place, "{message}{space}{fields}")
            }
        }
    }

    fn publish(&self, message: OutgoingMessage, depth: u8) -> Result<(), HostError> {
        let inner = self.with(Grant::Publish)?;
        Self::inject(&inner, message, None, depth)
    }

    fn publish_to(
        &self,
        client_id: &str,
        message: OutgoingMessage,
        depth: u8,
    ) -> Result<bool, HostError> {
        let inner = self.with(Grant::Publish)?;
        match inner.sessions.get(client_id) {
            Some(entry) => {
                Self::inject(&inner, message, Some(entry.session.clone()), depth).map(|()| true)
            }
            None => Ok(false),
        }
    }

    fn disconnect(
        &self,
        client_id: &str,
        reason_code: u8,
        reason_string: Option<&str>,
    ) -> Result<bool, HostError> {
        let inner = self.with(Grant::Disconnect)?;
        let reason = match reason_code {
            0 => ReasonCode::AdministrativeAction,
            code => ReasonCode::from_u8(code)
                .filter(|reason| reason.is_error() && reason.allowed_in(PacketType::Disconnect))
                .ok_or_else(|| {
                    HostError::Argument(
                        "reason_code",
                        format!("0x{code:02x} is none of DISCONNECT"),
                    )
                })?,
        };
        Ok(inner.disconnect_client(client_id, reason, reason_string))
    }

    fn client(&self, client_id: &str) -> Result<Option<ClientView>, HostError> {
        let inner = self.with(Grant::Query)?;
        Ok(inner.sessions.get(client_id).and_then(|entry| {
            let state = entry.state.lock();
            state.control.as_ref()?;
            state.client.as_deref().map(client_view)
        }))
    }

    fn session(&self, client_id: &str) -> Result<Option<SessionView>, HostError> {
        let inner = self.with(Grant::Query)?;
        Ok(inner.sessions.get(client_id).map(|entry| {
            let (connected, session_expiry_interval, subscriptions) = {
                let state = entry.state.lock();
                let subscriptions = state
                    .subscriptions
                    .iter()
                    .map(|(filter, subscription)| {
                        (filter.as_str().to_owned(), subscription.options.qos as u8)
                    })
                    .collect();
                (
                    state.control.is_some(),
                    state.session_expiry_interval,
                    subscriptions,
                )
            };
            let sending = entry.session.0.sending();
            SessionView {
                client_id: client_id.to_owned(),
                connected,
                session_expiry_interval,
                n_queued: sending.n_queued(),
                n_inflight: sending.n_inflight(),
                subscriptions,
            }
        }))
    }

    fn retained(&self, topic_filter: &str, limit: usize) -> Result<Vec<RetainedView>, HostError> {
        let inner = self.with(Grant::Query)?;
        let filter = TopicFilter::parse(topic_filter)
            .map_err(|error| HostError::Argument("topic_filter", error.to_string()))?;
        let mut cursor = Cursor::new(filter.filter());
        let mut found = Vec::new();
        let budget = Budget {
            n_messages: limit.min(MAXIMUM_RETAINED_PER_QUERY),
            n_visits: MAXIMUM_VISITS_PER_QUERY,
        };
        match inner
            .retained
            .collect_matching(&mut cursor, budget, &mut found)
        {
            Progress::More | Progress::Done => {}
        }
        let now = crate::now();
        Ok(found
            .into_iter()
            .filter(|message| !message.is_expired(now))
            .map(|message| RetainedView {
                topic: message.topic.to_string(),
                payload: message.payload.to_vec(),
                qos: message.qos as u8,
            })
            .collect())
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        let inner = self.with(Grant::Kv)?;
        Ok(inner.hooks.kv().get(key, inner.hooks.now_ms()))
    }

    fn kv_set(
        &self,
        key: &str,
        value: &[u8],
        expires_in: Option<Duration>,
        condition: KvCondition,
    ) -> Result<bool, HostError> {
        let inner = self.with(Grant::Kv)?;
        inner
            .hooks
            .kv()
            .set(key, value, expires_in, &condition, inner.hooks.now_ms())
    }

    fn kv_delete(&self, key: &str) -> Result<bool, HostError> {
        let inner = self.with(Grant::Kv)?;
        Ok(inner.hooks.kv().delete(key, inner.hooks.now_ms()))
    }

    fn kv_add(
        &self,
        key: &str,
        amount: i64,
        expires_in: Option<Duration>,
    ) -> Result<i64, HostError> {
        let inner = self.with(Grant::Kv)?;
        inner
            .hooks
            .kv()
            .add(key, amount, expires_in, inner.hooks.now_ms())
    }

    fn invalidate(&self, tag: &str) -> Result<usize, HostError> {
        let inner = self.with(Grant::Cache)?;
        Keep::check_tag(tag).map_err(|why| HostError::Argument("tag", why))?;
        Ok(inner.hooks.invalidate(tag))
    }

    fn reauthorize(&self, tag: &str) -> Result<usize, HostError> {
        let inner = self.with(Grant::Cache)?;
        Keep::check_tag(tag).map_err(|why| HostError::Argument("tag", why))?;
        Ok(inner.reauthorize(tag))
    }
}

impl Inner {
    /// Ends a client's Network Connection; false if it has none.
    pub(crate) fn disconnect_client(
        &self,
        client_id: &str,
        reason: ReasonCode,
        reason_string: Option<&str>,
    ) -> bool {
        let control = self
            .sessions
            .get(client_id)
            .and_then(|entry| entry.state.lock().control.clone());
        let Some(control) = control else { return false };
        control.kick(Kick {
            reason,
            reason_string: reason_string.map(str::to_owned),
            server_reference: None,
            kind: DisconnectType::Kicked,
        });
        true
    }
}

/// A plugin's message in the broker's form.
fn message_of(inner: &Inner, message: OutgoingMessage, depth: u8) -> Result<Message, HostError> {
    let settings = &inner.session_settings;
    settings
        .check_topic(&message.topic)
        .map_err(|why| HostError::Argument("topic", why))?;
    let topic = TopicName::parse(&message.topic)
        .map_err(|error| HostError::Argument("topic", error.to_string()))?;
    let limit = settings.maximum_packet_size;
    if message.payload.len() > limit as usize {
        return Err(HostError::Limit("payload", limit.into()));
    }
    let qos = QoS::try_from(message.qos)
        .map_err(|_| HostError::Argument("qos", format!("{} is not 0, 1 or 2", message.qos)))?;
    let user_properties = crate::event::user_properties(&message.user_properties)
        .map_err(|why| HostError::Argument("user_properties", why))?;
    if let Some(content_type) = &message.content_type {
        check_text("content_type", content_type)?;
    }
    if let Some(response_topic) = &message.response_topic {
        TopicName::check(response_topic)
            .map_err(|error| HostError::Argument("response_topic", error.to_string()))?;
    }
    if message
        .correlation_data
        .as_ref()
        .is_some_and(|data| data.len() > MAXIMUM_TEXT)
    {
        let why = format!("over {MAXIMUM_TEXT} bytes");
        return Err(HostError::Argument("correlation_data", why));
    }
    let properties = MessageProperties {
        payload_format: None,
        content_type: message.content_type,
        response_topic: message.response_topic,
        correlation_data: message.correlation_data.map(Into::into),
        user_properties,
    };
    let now = crate::now();
    let expires_at = message
        .message_expiry_interval
        .and_then(|seconds| now.checked_add(Duration::from_secs(seconds.into())));
    Ok(Message {
        topic,
        payload: message.payload.into(),
        qos,
        retain: message.retain,
        properties: Some(Box::new(properties)),
        expires_at,
        sender: None,
        source: Source::Plugin { depth },
    })
}

/// A text that a packet can carry [MQTT-1.5.4-2].
fn check_text(name: &'static str, text: &str) -> Result<(), HostError> {
    if text.len() > MAXIMUM_TEXT {
        return Err(HostError::Argument(
            name,
            format!("over {MAXIMUM_TEXT} bytes"),
        ));
    }
    if text.contains('\0') {
        return Err(HostError::Argument(name, "has U+0000".to_owned()));
    }
    Ok(())
}

pub(crate) fn client_view(client: &ClientInfo) -> ClientView {
    ClientView {
        client_id: client.client_id.to_string(),
        username: client.username.clone(),
        endpoint: client.endpoint.clone(),
        listener: client.listener.to_string(),
        protocol_version: u8::try_from(protocol_number(client.version)).unwrap_or(0),
        keep_alive: client.keep_alive,
        connected_at_ms: millis(client.connected_at),
    }
}

fn now_ms() -> u64 {
    millis(SystemTime::now())
}

fn millis(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
