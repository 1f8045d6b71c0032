//! Clears away what nobody asks for any more: retained messages, key-value entries and kept answers whose time has passed.

use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use crate::message::Message;
use crate::store::Durability;

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

    /// Whether it is the very message that was found expired; then the store is told that it goes.
    pub(crate) fn is_to_go(&self, present: &Arc<Message>, expired: &Arc<Message>) -> bool {
        let goes = Arc::ptr_eq(present, expired);
        if goes {
            self.tell_cleared(&expired.topic, Durability::Os);
        }
        goes
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
                .clear_if(&message.topic, |present| self.is_to_go(present, &message));
        }
    }
}
