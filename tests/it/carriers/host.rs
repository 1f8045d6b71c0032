//! A broker that is not there: it records what a plugin does, and knows the client `here`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use hookmq_plugin_api::{
    ClientView, Host, HostError, KvCondition, LogLevel, OutgoingMessage, RetainedView, SessionView,
};

/// What a plugin has done, in words, one line each.
#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    said: Mutex<Vec<String>>,
    kv: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl FakeHost {
    fn say(&self, line: String) {
        self.said.lock().expect("nobody panics with it").push(line);
    }

    /// What was done since the last time.
    pub(crate) fn said(&self) -> Vec<String> {
        std::mem::take(&mut *self.said.lock().expect("nobody panics with it"))
    }
}

impl Host for FakeHost {
    fn log(&self, level: LogLevel, place: &str, message: &str, fields: &[(String, String)]) {
        // The line changes with the source, the file does not.
        let file = place.split(':').next().unwrap_or_default();
        self.say(format!("{level:?} {file} {message} {fields:?}"));
    }

    fn publish(&self, message: OutgoingMessage, depth: u8) -> Result<(), HostError> {
        if message.payload.is_empty() {
            return Err(HostError::Argument("payload", "it is empty".to_owned()));
        }
        self.say(format!("publish {message:?} {depth}"));
        Ok(())
    }

    fn publish_to(
        &self,
        client_id: &str,
        message: OutgoingMessage,
        depth: u8,
    ) -> Result<bool, HostError> {
        self.say(format!("publish_to {client_id} {message:?} {depth}"));
        Ok(client_id == "here")
    }

    fn disconnect(
        &self,
        client_id: &str,
        reason_code: u8,
        reason_string: Option<&str>,
    ) -> Result<bool, HostError> {
        self.say(format!(
            "disconnect {client_id} {reason_code} {reason_string:?}"
        ));
        Ok(true)
    }

    fn client(&self, client_id: &str) -> Result<Option<ClientView>, HostError> {
        Ok((client_id == "here").then(|| ClientView {
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
        Ok((client_id == "here").then(|| SessionView {
            client_id: client_id.to_owned(),
            connected: true,
            session_expiry_interval: u32::MAX,
            n_queued: 3,
            n_inflight: 1,
            subscriptions: vec![("a/#".to_owned(), 1), ("$share/g/b".to_owned(), 2)],
        }))
    }

    fn retained(&self, topic_filter: &str, limit: usize) -> Result<Vec<RetainedView>, HostError> {
        self.say(format!("retained {topic_filter} {limit}"));
        let one = |topic: &str, payload: &[u8]| RetainedView {
            topic: topic.to_owned(),
            payload: payload.to_vec(),
            qos: 1,
        };
        Ok(vec![one("kept/a", b"1"), one("kept/b", &[7; 300])])
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(self
            .kv
            .lock()
            .expect("nobody panics with it")
            .get(key)
            .cloned())
    }

    fn kv_set(
        &self,
        key: &str,
        value: &[u8],
        expires_in: Option<Duration>,
        condition: KvCondition,
    ) -> Result<bool, HostError> {
        if key.is_empty() {
            return Err(HostError::Argument("key", "it is empty".to_owned()));
        }
        self.say(format!(
            "set {key} {} {expires_in:?} {condition:?}",
            value.len()
        ));
        let mut kv = self.kv.lock().expect("nobody panics with it");
        let holds = match &condition {
            KvCondition::Always => true,
            KvCondition::Absent => !kv.contains_key(key),
            KvCondition::Equals(expected) => kv.get(key) == Some(expected),
        };
        if holds {
            kv.insert(key.to_owned(), value.to_vec());
        }
        Ok(holds)
    }

    fn kv_delete(&self, key: &str) -> Result<bool, HostError> {
        Ok(self
            .kv
            .lock()
            .expect("nobody panics with it")
            .remove(key)
            .is_some())
    }

    fn kv_add(
        &self,
        key: &str,
        amount: i64,
        expires_in: Option<Duration>,
    ) -> Result<i64, HostError> {
        self.say(format!("add {key} {amount} {expires_in:?}"));
        Ok(amount + 1)
    }

    fn invalidate(&self, tag: &str) -> Result<usize, HostError> {
        self.say(format!("invalidate {tag}"));
        Ok(2)
    }

    fn reauthorize(&self, tag: &str) -> Result<usize, HostError> {
        self.say(format!("reauthorize {tag}"));
        Ok(3)
    }
}
