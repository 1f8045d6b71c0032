//! A broker that is not there, for the tests of the plugins: it keeps what they log and which tags they take back. It can nothing else.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hookmq_plugin_api::{
    ClientView, Grant, Host, HostError, KvCondition, LogLevel, OutgoingMessage, RetainedView,
    SessionView,
};

/// What was logged, and what was asked for.
#[derive(Debug, Default)]
pub struct Recorder {
    lines: Mutex<Vec<(LogLevel, String)>>,
    tags: Mutex<Vec<String>>,
}

impl Recorder {
    /// The lines since the last time.
    pub fn take(&self) -> Vec<(LogLevel, String)> {
        std::mem::take(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The tags since the last time: `invalidate x`, `reauthorize x`.
    pub fn take_tags(&self) -> Vec<String> {
        std::mem::take(&mut self.tags.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Host for Recorder {
    fn log(&self, level: LogLevel, _: &str, message: &str, _: &[(String, String)]) {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((level, message.to_owned()));
    }

    fn publish(&self, _: OutgoingMessage, _: u8) -> Result<(), HostError> {
        Err(HostError::NotGranted(Grant::Publish))
    }

    fn publish_to(&self, _: &str, _: OutgoingMessage, _: u8) -> Result<bool, HostError> {
        Err(HostError::NotGranted(Grant::Publish))
    }

    fn disconnect(&self, _: &str, _: u8, _: Option<&str>) -> Result<bool, HostError> {
        Err(HostError::NotGranted(Grant::Disconnect))
    }

    fn client(&self, _: &str) -> Result<Option<ClientView>, HostError> {
        Err(HostError::NotGranted(Grant::Query))
    }

    fn session(&self, _: &str) -> Result<Option<SessionView>, HostError> {
        Err(HostError::NotGranted(Grant::Query))
    }

    fn retained(&self, _: &str, _: usize) -> Result<Vec<RetainedView>, HostError> {
        Err(HostError::NotGranted(Grant::Query))
    }

    fn kv_get(&self, _: &str) -> Result<Option<Vec<u8>>, HostError> {
        Err(HostError::NotGranted(Grant::Kv))
    }

    fn kv_set(
        &self,
        _: &str,
        _: &[u8],
        _: Option<Duration>,
        _: KvCondition,
    ) -> Result<bool, HostError> {
        Err(HostError::NotGranted(Grant::Kv))
    }

    fn kv_delete(&self, _: &str) -> Result<bool, HostError> {
        Err(HostError::NotGranted(Grant::Kv))
    }

    fn kv_add(&self, _: &str, _: i64, _: Option<Duration>) -> Result<i64, HostError> {
        Err(HostError::NotGranted(Grant::Kv))
    }

    fn invalidate(&self, tag: &str) -> Result<usize, HostError> {
        self.tags
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(format!("invalidate {tag}"));
        Ok(0)
    }

    fn reauthorize(&self, tag: &str) -> Result<usize, HostError> {
        self.tags
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(format!("reauthorize {tag}"));
        Ok(0)
    }
}
