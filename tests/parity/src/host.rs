//! The broker as the policy has it: a notebook for its lines, and a map with its case.

use std::time::Duration;

use hookmq_plugin_api::{
    ClientView, Grant, Host, HostError, KvCondition, LogLevel, OutgoingMessage, RetainedView,
    SessionView,
};
use parking_lot::Mutex;

use crate::policy::Edge;

/// Holds the present case, and every line that the policy wrote, in order.
#[derive(Debug, Default)]
pub struct Notebook {
    case: Mutex<String>,
    lines: Mutex<Vec<String>>,
}

impl Notebook {
    /// Begins a case.
    pub fn begin(&self, case: &str) {
        self.lines.lock().clear();
        case.clone_into(&mut self.case.lock());
    }

    /// All lines since then.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }
}

/// For the closures, which need no plugin border in between.
impl Edge for Notebook {
    fn case(&self) -> String {
        self.case.lock().clone()
    }

    fn write(&self, line: &str) {
        self.lines.lock().push(line.to_owned());
    }
}

impl Host for Notebook {
    fn log(&self, _: LogLevel, _: &str, message: &str, _: &[(String, String)]) {
        self.write(message);
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

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok((key == "case").then(|| self.case().into_bytes()))
    }

    fn kv_set(
        &self,
        _: &str,
        _: &[u8],
        _: Option<Duration>,
        _: KvCondition,
    ) -> Result<bool, HostError> {
        Ok(false)
    }

    fn kv_delete(&self, _: &str) -> Result<bool, HostError> {
        Ok(false)
    }

    fn kv_add(&self, _: &str, _: i64, _: Option<Duration>) -> Result<i64, HostError> {
        Ok(0)
    }

    fn invalidate(&self, _: &str) -> Result<usize, HostError> {
        Err(HostError::NotGranted(Grant::Cache))
    }

    fn reauthorize(&self, _: &str) -> Result<usize, HostError> {
        Err(HostError::NotGranted(Grant::Cache))
    }
}
