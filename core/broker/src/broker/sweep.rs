//! Clears away what nobody asks for any more: retained messages, key-value entries and kept answers whose time has passed.

use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use crate::message::Message;

/// How often.
const PERIOD: Duration = Duration::from_secs(30);

impl Inner {
    /// Sweeps until the broker is gone. A sweep walks the retained messages, so it runs beside the packet path.
    pub(crate) async fn run_sweeps(self: Arc<Self>) {
        loop {
            tokio::time::sleep(PERIOD).await;
            let now = crate::now();
            let inner = Arc::clone(&self);
            let swept = tokio::task::spawn_blocking(move || inner.sweep(now)).await;
            if let Err(error) = swept {
                tracing::error!(%error, "a sweep failed");
            }
        }
    }

    fn sweep(&self, now: std::time::Instant) {
        self.hooks.kv().sweep(self.hooks.now_ms());
        self.hooks.sweep_kept();
        let mut expired: Vec<Arc<Message>> = Vec::new();
        self.retained.for_each(|_, message| {
            if message.is_expired(now) {
                expired.push(Arc::clone(message));
            }
        });
        for message in expired {
            // Unless another has come meanwhile.
            self.retained
                .clear_if(&message.topic, |present| Arc::ptr_eq(present, &message));
        }
    }
}
