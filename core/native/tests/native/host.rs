//! A broker that is not there: it records what a library does, and knows one client.

use std::collections::BTreeMap;
use std::time::Duration;

use hookmq_plugin_api::{
    ClientView, Host, HostError, KvCondition, LogLevel, OutgoingMessage, RetainedView, SessionView,
};
use parking_lot::Mutex;

/// What a library has done.
#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    pub(crate) log: Mutex<Vec<(LogLevel, String, String)>>,
    pub(crate) published: Mutex<Vec<(Option<String>, OutgoingMessage, u8)>>,
    pub(crate) disconnected: Mutex<Vec<(String, u8, Option<String>)>>,
    pub(crate) tags: Mutex<Vec<String>>,
    kv: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl FakeHost {
    /// The words of the lines that were logged since the last time.
    pub(crate) fn words(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.log.lock());
        lines.into_iter().map(|(_, _, words)| words).collect()
    }
}

impl Host for FakeHost {
    fn log(&self, level: LogLevel, place: &str, message: &str, _fields: &[(String, String)]) {
        let line = (level, place.to_owned(), message.to_owned());
        self.log.lock().push(line);
    }

    fn publish(&self, message: OutgoingMessage, depth: u8) -> Result<(), HostError> {
        if message.topic.is_empty() {
            let why = "a topic cannot be empty".to_owned();
            return Err(HostError::Argument("topic", why));
        }
        if depth > 3 {
            return Err(HostError::Depth(3));
        }
        self.published.lock().push((None, message, depth));
        Ok(())
    }

    fn publish_to(
        &self,
        client_id: &str,
        message: OutgoingMessage,
        depth: u8,
    ) -> Result<bool, HostError> {
        if client_id != "known" {
            return Ok(false);
        }
        let to = Some(client_id.to_owned());
        self.published.lock().push((to, message, depth));
        Ok(true)
    }

    fn disconnect(
        &self,
        client_id: &str,
        reason_code: u8,
        reason_string: Option<&str>,
    ) -> Result<bool, HostError> {
        let why = reason_string.map(str::to_owned);
        let mut disconnected = self.disconnected.lock();
        disconnected.push((client_id.to_owned(), reason_code, why));
        Ok(client_id == "known")
    }

    fn client(&self, client_id: &str) -> Result<Option<ClientView>, HostError> {
        Ok((client_id == "known").then(|| ClientView {
            client_id: client_id.to_owned(),
            username: Some("ann".to_owned()),
            endpoint: "127.0.0.1:1".to_owned(),
            listener: "tcp".to_owned(),
            protocol_version: 5,
            keep_alive: 60,
            connected_at_ms: 1_700_000_000_123,
        }))
    }

    fn session(&self, client_id: &str) -> Result<Option<SessionView>, HostError> {
        Ok((client_id == "known").then(|| SessionView {
            client_id: client_id.to_owned(),
            connected: true,
            session_expiry_interval: 4_294_967_295,
            n_queued: 7,
            n_inflight: 2,
            subscriptions: vec![("a/#".to_owned(), 1), ("$share/g/b".to_owned(), 2)],
        }))
    }

    fn retained(&self, topic_filter: &str, limit: usize) -> Result<Vec<RetainedView>, HostError> {
        let one = |at: u8| RetainedView {
            topic: format!("{topic_filter}{at}"),
            payload: vec![at; usize::from(at)],
            qos: at % 3,
        };
        Ok((1..=5).map(one).take(limit).collect())
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(self.kv.lock().get(key).cloned())
    }

    fn kv_set(
        &self,
        key: &str,
        value: &[u8],
        _expires_in: Option<Duration>,
        condition: KvCondition,
    ) -> Result<bool, HostError> {
        let mut kv = self.kv.lock();
        let holds = match condition {
            KvCondition::Always => true,
            KvCondition::Absent => !kv.contains_key(key),
            KvCondition::Equals(expected) => kv.get(key) == Some(&expected),
        };
        if holds {
            kv.insert(key.to_owned(), value.to_owned());
        }
        Ok(holds)
    }

    fn kv_delete(&self, key: &str) -> Result<bool, HostError> {
        Ok(self.kv.lock().remove(key).is_some())
    }

    fn kv_add(
        &self,
        key: &str,
        amount: i64,
        _expires_in: Option<Duration>,
    ) -> Result<i64, HostError> {
        let mut kv = self.kv.lock();
        let digits = kv.get(key).cloned().unwrap_or_else(|| b"0".to_vec());
        let number: i64 = String::from_utf8_lossy(&digits)
            .parse()
            .map_err(|_| HostError::Argument("key", "no number".to_owned()))?;
        let sum = number + amount;
        kv.insert(key.to_owned(), sum.to_string().into_bytes());
        Ok(sum)
    }

    fn invalidate(&self, tag: &str) -> Result<usize, HostError> {
        self.tags.lock().push(format!("invalidate {tag}"));
        Ok(3)
    }

    fn reauthorize(&self, tag: &str) -> Result<usize, HostError> {
        self.tags.lock().push(format!("reauthorize {tag}"));
        Ok(4)
    }
}
