//! A broker that is not there: it records what a plugin does.

use std::collections::BTreeMap;
use std::time::Duration;

use hookmq_plugin_api::{
    ClientView, Host, HostError, KvCondition, LogLevel, OutgoingMessage, RetainedView, SessionView,
};
use parking_lot::Mutex;

#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    pub(crate) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) log: Vec<(LogLevel, String, String)>,
    pub(crate) published: Vec<(Option<String>, OutgoingMessage, u8)>,
    pub(crate) disconnected: Vec<(String, u8, Option<String>)>,
    pub(crate) kv: BTreeMap<String, Vec<u8>>,
    pub(crate) tags: Vec<String>,
    /// Makes every log call panic.
    pub(crate) panics: bool,
}

impl FakeHost {
    /// The messages that were logged.
    pub(crate) fn logged(&self) -> Vec<String> {
        let state = self.state.lock();
        state.log.iter().map(|(_, _, text)| text.clone()).collect()
    }
}

impl Host for FakeHost {
    fn log(&self, level: LogLevel, place: &str, message: &str, _: &[(String, String)]) {
        let mut state = self.state.lock();
        assert!(!state.panics, "a host that panics");
        state.log.push((level, place.into(), message.into()));
    }

    fn publish(&self, message: OutgoingMessage, depth: u8) -> Result<(), HostError> {
        if message.topic.is_empty() {
            return Err(HostError::Argument("topic", "it is empty".into()));
        }
        if depth > 3 {
            return Err(HostError::Depth(3));
        }
        self.state.lock().published.push((None, message, depth));
        Ok(())
    }

    fn publish_to(
        &self,
        client_id: &str,
        message: OutgoingMessage,
        depth: u8,
    ) -> Result<bool, HostError> {
        let known = client_id == "ann";
        if known {
            let to = Some(client_id.to_owned());
            self.state.lock().published.push((to, message, depth));
        }
        Ok(known)
    }

    fn disconnect(
        &self,
        client_id: &str,
        reason_code: u8,
        reason_string: Option<&str>,
    ) -> Result<bool, HostError> {
        let known = client_id == "ann";
        if known {
            self.state.lock().disconnected.push((
                client_id.into(),
                reason_code,
                reason_string.map(str::to_owned),
            ));
        }
        Ok(known)
    }

    fn client(&self, client_id: &str) -> Result<Option<ClientView>, HostError> {
        Ok((client_id == "ann").then(|| ClientView {
            client_id: "ann".into(),
            username: None,
            endpoint: "127.0.0.1:1".into(),
            listener: "main".into(),
            protocol_version: 5,
            keep_alive: 60,
            connected_at_ms: 1_735_689_600_000,
        }))
    }

    fn session(&self, client_id: &str) -> Result<Option<SessionView>, HostError> {
        Ok((client_id == "ann").then(|| SessionView {
            client_id: "ann".into(),
            connected: true,
            session_expiry_interval: 7,
            n_queued: 2,
            n_inflight: 1,
            subscriptions: vec![("a/#".into(), 1), ("$share/g/b".into(), 2)],
        }))
    }

    fn retained(&self, topic_filter: &str, limit: usize) -> Result<Vec<RetainedView>, HostError> {
        if topic_filter.is_empty() {
            return Err(HostError::Argument("topic_filter", "it is empty".into()));
        }
        let message = |topic: &str| RetainedView {
            topic: topic.into(),
            payload: topic.as_bytes().into(),
            qos: 1,
        };
        Ok([message("r/1"), message("r/2")]
            .into_iter()
            .take(limit)
            .collect())
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(self.state.lock().kv.get(key).cloned())
    }

    fn kv_set(
        &self,
        key: &str,
        value: &[u8],
        _: Option<Duration>,
        condition: KvCondition,
    ) -> Result<bool, HostError> {
        let mut state = self.state.lock();
        let stored = state.kv.get(key);
        let holds = match condition {
            KvCondition::Always => true,
            KvCondition::Absent => stored.is_none(),
            KvCondition::Equals(wanted) => stored == Some(&wanted),
        };
        if holds {
            state.kv.insert(key.to_owned(), value.to_vec());
        }
        Ok(holds)
    }

    fn kv_delete(&self, key: &str) -> Result<bool, HostError> {
        Ok(self.state.lock().kv.remove(key).is_some())
    }

    fn kv_add(&self, key: &str, amount: i64, _: Option<Duration>) -> Result<i64, HostError> {
        let mut state = self.state.lock();
        let stored = state.kv.get(key).map_or(Ok(0), |value| {
            String::from_utf8_lossy(value)
                .parse::<i64>()
                .map_err(|_| HostError::Argument("key", "no number".into()))
        })?;
        let sum = stored + amount;
        state
            .kv
            .insert(key.to_owned(), sum.to_string().into_bytes());
        Ok(sum)
    }

    fn invalidate(&self, tag: &str) -> Result<usize, HostError> {
        self.state.lock().tags.push(tag.to_owned());
        Ok(1)
    }

    fn reauthorize(&self, tag: &str) -> Result<usize, HostError> {
        if tag.is_empty() {
            return Err(HostError::Argument("tag", "it is empty".into()));
        }
        self.state.lock().tags.push(tag.to_owned());
        Ok(2)
    }
}
