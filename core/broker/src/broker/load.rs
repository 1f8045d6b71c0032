//! How near the broker is to turning something away: for each limit the part of it that is used, and the greatest of them.

use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use crate::session::settings::QueueFull;

/// How often the log's watch looks.
const PERIOD: Duration = Duration::from_secs(1);
/// Warned of from here,
const HIGH: f64 = 0.8;
/// until it is below this.
const LOW: f64 = 0.7;

/// How much of one limit is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    /// The limit, as the key that sets it.
    pub limit: &'static str,
    /// 0 is nothing, 1 all of it. More where a limit is lower than what was there already.
    pub part: f64,
}

impl Used {
    fn new(limit: &'static str, used: usize, maximum: usize) -> Self {
        // Sizes are far below what an f64 tells exactly, and a last digit does not matter.
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let part = match (used, maximum) {
            (0, _) => 0.0,
            (_, 0) => 1.0,
            (used, maximum) => used as f64 / maximum as f64,
        };
        Self { limit, part }
    }
}

impl Inner {
    /// Every limit that the whole broker can reach.
    pub(super) fn used(&self) -> Vec<Used> {
        let retained = self.retained.limits();
        let unstored = self
            .journal
            .get()
            .map_or(0, |journal| journal.waiting_bytes());
        let handshakes = self
            .handshakes
            .get()
            .into_iter()
            .flatten()
            .map(|of_one| (of_one.len(), of_one.maximum()))
            .map(|(n, maximum)| Used::new("listener.maximum_handshakes", n, maximum))
            .max_by(|one, other| one.part.total_cmp(&other.part));
        let mut all = vec![
            Used::new(
                "limits.maximum_queued_bytes",
                self.budget.used(),
                self.budget.maximum(),
            ),
            Used::new(
                "storage.maximum_waiting_bytes",
                unstored,
                self.storage.maximum_waiting_bytes,
            ),
            Used::new(
                "limits.maximum_handshake_bytes",
                self.unanswered.used(),
                self.unanswered.maximum(),
            ),
            Used::new(
                "limits.maximum_connections",
                self.sessions.n_connected(),
                self.maximum_connections,
            ),
            Used::new(
                "session.maximum_sessions",
                self.sessions.len(),
                self.session_settings.maximum_sessions,
            ),
            Used::new(
                "retained.maximum_messages",
                self.retained.len(),
                retained.n_messages,
            ),
            Used::new(
                "retained.maximum_bytes",
                self.retained.n_bytes(),
                retained.n_bytes,
            ),
        ];
        all.extend(handshakes);
        all
    }

    /// Whether publishers shall be slowed down, so that receivers catch up before something that was acknowledged is lost: where the
    /// operator has the oldest go, that is what makes room.
    pub(crate) fn slows_publishers(&self) -> bool {
        self.session_settings.queue_full != QueueFull::DropOldest && self.budget.is_short()
    }

    /// Says in the log when the load becomes high, and when it is over, until the broker is gone.
    pub(crate) async fn watch_load(self: Arc<Self>) {
        let mut is_high = false;
        loop {
            tokio::time::sleep(PERIOD).await;
            let Some(Used { limit, part }) = nearest(&self.used()) else {
                continue;
            };
            let percent = part * 100.0;
            if part >= HIGH && !is_high {
                is_high = true;
                tracing::warn!(
                    limit,
                    "load is high: {percent:.0} % of {limit} is used; at 100 % something is turned away"
                );
            } else if part < LOW && is_high {
                is_high = false;
                tracing::info!(
                    limit,
                    "load is low again: no more than {percent:.0} % of any limit is used"
                );
            }
        }
    }
}

/// The limit of which most is used.
pub(super) fn nearest(all: &[Used]) -> Option<Used> {
    all.iter()
        .copied()
        .max_by(|one, other| one.part.total_cmp(&other.part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_the_one_of_which_most_is_used() {
        let all = [
            Used::new("a", 1, 10),
            Used::new("b", 3, 4),
            Used::new("c", 0, 0),
        ];
        assert_eq!(
            nearest(&all),
            Some(Used {
                limit: "b",
                part: 0.75
            })
        );
        let none_allowed = Used::new("d", 1, 0);
        assert!((none_allowed.part - 1.0).abs() < f64::EPSILON);
        assert_eq!(nearest(&[]), None);
    }
}
