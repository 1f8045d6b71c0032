//! A broker that is not there: it records what a script does, keeps a key-value map, and has a clock that is set by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use hookmq_plugin_api::{
    ClientView, Grant, Grants, Host, HostError, Keep, KvCondition, LogLevel, OutgoingMessage,
    RetainedView, SessionView,
};
use parking_lot::Mutex;

/// One line that a script logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How loud.
    pub level: LogLevel,
    /// File and line.
    pub place: String,
    /// The words.
    pub message: String,
    /// Names and values.
    pub fields: Vec<(String, String)>,
}

/// One message that a script published.
#[derive(Debug, Clone)]
pub struct Published {
    /// To one client, if by `publish_to`.
    pub client_id: Option<String>,
    /// The message.
    pub message: OutgoingMessage,
    /// How many plugins' publishes led to it.
    pub depth: u8,
}

/// A host for tests of scripts and of this crate. Everything is granted unless told otherwise.
#[derive(Debug)]
pub struct FakeHost {
    grants: Grants,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    seconds: f64,
    log: Vec<LogLine>,
    published: Vec<Published>,
    disconnected: Vec<(String, u8, Option<String>)>,
    kv: BTreeMap<String, (Vec<u8>, Option<f64>)>,
    clients: Vec<ClientView>,
    sessions: Vec<SessionView>,
    retained: Vec<RetainedView>,
    invalidated: Vec<String>,
    reauthorized: Vec<String>,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self::with_grants(Grant::ALL.into_iter().collect())
    }
}

impl FakeHost {
    /// A host that grants no more than this.
    #[must_use]
    pub fn with_grants(grants: Grants) -> Self {
        Self {
            grants,
            state: Mutex::new(State {
                // 2025-01-01, so that times look like times.
                seconds: 1_735_689_600.0,
                log: Vec::new(),
                published: Vec::new(),
                disconnected: Vec::new(),
                kv: BTreeMap::new(),
                clients: Vec::new(),
                sessions: Vec::new(),
                retained: Vec::new(),
                invalidated: Vec::new(),
                reauthorized: Vec::new(),
            }),
        }
    }

    /// Seconds since the epoch, as set by hand.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.state.lock().seconds
    }

    /// Moves the clock.
    pub fn advance(&self, seconds: f64) {
        self.state.lock().seconds += seconds;
    }

    /// What was logged since the last time this was asked.
    pub fn take_log(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.state.lock().log)
    }

    /// What was published since the last time this was asked.
    pub fn take_published(&self) -> Vec<Published> {
        std::mem::take(&mut self.state.lock().published)
    }

    /// Who was disconnected since the last time this was asked: Client Identifier, Reason Code, Reason String.
    pub fn take_disconnected(&self) -> Vec<(String, u8, Option<String>)> {
        std::mem::take(&mut self.state.lock().disconnected)
    }

    /// Tags whose kept answers were taken back since the last time this was asked.
    pub fn take_invalidated(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().invalidated)
    }

    /// Tags that were to be asked about again since the last time this was asked.
    pub fn take_reauthorized(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().reauthorized)
    }

    /// Makes a client known.
    pub fn add_client(&self, client: ClientView) {
        self.state.lock().clients.push(client);
    }

    /// Makes a session known.
    pub fn add_session(&self, session: SessionView) {
        self.state.lock().sessions.push(session);
    }

    /// Makes a retained message known.
    pub fn add_retained(&self, message: RetainedView) {
        self.state.lock().retained.push(message);
    }

    fn check(&self, grant: Grant) -> Result<(), HostError> {
        if self.grants.has(grant) {
            Ok(())
        } else {
            Err(HostError::NotGranted(grant))
        }
    }
}

impl State {
    fn forget_expired(&mut self) {
        let now = self.seconds;
        self.kv
            .retain(|_, (_, expires)| expires.is_none_or(|at| at > now));
    }

    fn knows(&self, client_id: &str) -> bool {
        self.clients
            .iter()
            .any(|client| client.client_id == client_id)
            || self
                .sessions
                .iter()
                .any(|session| session.client_id == client_id)
    }
}

impl Host for FakeHost {
    fn log(&self, level: LogLevel, place: &str, message: &str, fields: &[(String, String)]) {
        self.state.lock().log.push(LogLine {
            level,
            place: place.to_owned(),
            message: message.to_owned(),
            fields: fields.to_vec(),
        });
    }

    fn publish(&self, message: OutgoingMessage, depth: u8) -> Result<(), HostError> {
        self.check(Grant::Publish)?;
        self.state.lock().published.push(Published {
            client_id: None,
            message,
            depth,
        });
        Ok(())
    }

    fn publish_to(
        &self,
        client_id: &str,
        message: OutgoingMessage,
        depth: u8,
    ) -> Result<bool, HostError> {
        self.check(Grant::Publish)?;
        let mut state = self.state.lock();
        if !state.knows(client_id) {
            return Ok(false);
        }
        state.published.push(Published {
            client_id: Some(client_id.to_owned()),
            message,
            depth,
        });
        Ok(true)
    }

    fn disconnect(
        &self,
        client_id: &str,
        reason_code: u8,
        reason_string: Option<&str>,
    ) -> Result<bool, HostError> {
        self.check(Grant::Disconnect)?;
        let mut state = self.state.lock();
        if !state
            .clients
            .iter()
            .any(|client| client.client_id == client_id)
        {
            return Ok(false);
        }
        state.disconnected.push((
            client_id.to_owned(),
            reason_code,
            reason_string.map(str::to_owned),
        ));
        Ok(true)
    }

    fn client(&self, client_id: &str) -> Result<Option<ClientView>, HostError> {
        self.check(Grant::Query)?;
        let state = self.state.lock();
        let mut clients = state.clients.iter();
        Ok(clients
            .find(|client| client.client_id == client_id)
            .cloned())
    }

    fn session(&self, client_id: &str) -> Result<Option<SessionView>, HostError> {
        self.check(Grant::Query)?;
        let state = self.state.lock();
        let mut sessions = state.sessions.iter();
        Ok(sessions
            .find(|session| session.client_id == client_id)
            .cloned())
    }

    fn retained(&self, topic_filter: &str, limit: usize) -> Result<Vec<RetainedView>, HostError> {
        self.check(Grant::Query)?;
        let state = self.state.lock();
        let matching = state
            .retained
            .iter()
            .filter(|message| crate::range::matches(topic_filter, &message.topic));
        Ok(matching.take(limit).cloned().collect())
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.check(Grant::Kv)?;
        let mut state = self.state.lock();
        state.forget_expired();
        Ok(state.kv.get(key).map(|(value, _)| value.clone()))
    }

    fn kv_set(
        &self,
        key: &str,
        value: &[u8],
        expires_in: Option<Duration>,
        condition: KvCondition,
    ) -> Result<bool, HostError> {
        self.check(Grant::Kv)?;
        let mut state = self.state.lock();
        state.forget_expired();
        let stored = state.kv.get(key).map(|(value, _)| value);
        let holds = match condition {
            KvCondition::Always => true,
            KvCondition::Absent => stored.is_none(),
            KvCondition::Equals(wanted) => stored == Some(&wanted),
        };
        if holds {
            let expires = expires_in.map(|time| state.seconds + time.as_secs_f64());
            state.kv.insert(key.to_owned(), (value.to_vec(), expires));
        }
        Ok(holds)
    }

    fn kv_delete(&self, key: &str) -> Result<bool, HostError> {
        self.check(Grant::Kv)?;
        let mut state = self.state.lock();
        state.forget_expired();
        Ok(state.kv.remove(key).is_some())
    }

    fn kv_add(
        &self,
        key: &str,
        amount: i64,
        expires_in: Option<Duration>,
    ) -> Result<i64, HostError> {
        self.check(Grant::Kv)?;
        let mut state = self.state.lock();
        state.forget_expired();
        let stored = state.kv.get(key).map(|(value, _)| value.clone());
        let number = match &stored {
            None => 0,
            Some(value) => std::str::from_utf8(value)
                .ok()
                .and_then(|digits| digits.parse::<i64>().ok())
                .ok_or_else(|| {
                    HostError::Argument("key", format!("the value of \"{key}\" is no whole number"))
                })?,
        };
        let sum = number.saturating_add(amount);
        let expires = match state.kv.get(key) {
            Some((_, expires)) => *expires,
            None => expires_in.map(|time| state.seconds + time.as_secs_f64()),
        };
        let value = sum.to_string().into_bytes();
        state.kv.insert(key.to_owned(), (value, expires));
        Ok(sum)
    }

    fn invalidate(&self, tag: &str) -> Result<usize, HostError> {
        self.check(Grant::Cache)?;
        Keep::check_tag(tag).map_err(|why| HostError::Argument("tag", why))?;
        self.state.lock().invalidated.push(tag.to_owned());
        Ok(0)
    }

    fn reauthorize(&self, tag: &str) -> Result<usize, HostError> {
        self.check(Grant::Cache)?;
        Keep::check_tag(tag).map_err(|why| HostError::Argument("tag", why))?;
        self.state.lock().reauthorized.push(tag.to_owned());
        Ok(0)
    }
}
