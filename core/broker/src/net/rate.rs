//! How many connections a listener takes each second.

use std::time::{Duration, Instant};

/// A token bucket: a second's worth may come at once.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: u32,
    tokens: f64,
    counted: Instant,
}

impl Rate {
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            per_second,
            tokens: per_second.into(),
            counted: now,
        }
    }

    /// Takes one, or says how long it is until there is one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let per_second = f64::from(self.per_second);
        let passed = now.saturating_duration_since(self.counted).as_secs_f64();
        self.counted = now;
        self.tokens = (self.tokens + passed * per_second).min(per_second);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        // Rounded up, so that who waits so long finds one.
        let wait = Duration::from_secs_f64((1.0 - self.tokens) / per_second);
        Err(wait + Duration::from_micros(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_at_once_and_then_one_at_a_time() {
        let start = Instant::now();
        let mut rate = Rate::new(10, start);
        let at = |ms| start + Duration::from_millis(ms);
        assert!((0..10).all(|_| rate.take(at(0)).is_ok()));
        let wait = rate.take(at(0)).unwrap_err();
        assert!(wait > Duration::from_millis(99) && wait < Duration::from_millis(101));
        assert!(rate.take(at(0) + wait).is_ok());
        assert!(rate.take(at(150)).is_err());
        // However long nobody came, no more than a second's worth comes at once.
        assert_eq!(
            (0..30).filter(|_| rate.take(at(60_000)).is_ok()).count(),
            10
        );
    }
}
