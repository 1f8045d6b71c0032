//! Stops calling what keeps failing: one breaker per plugin and hook, made of two atomics, with the time passed in.
//!
//! It counts only failures that cost the caller time or show the runtime itself broken (see [`trips`]). An error that a handler
//! raises, or a wrong answer, depends on the message at hand and is cheap: if ten of those opened the breaker, one client's odd
//! payloads would decide what happens to everyone else's.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hookmq_plugin_api::Cause;

use super::offenders::{self, Offenders};

/// How soon a breaker opens and how long it stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Consecutive failures that open it; 0 is taken as 1.
    pub failures: u32,
    /// Time until one call is let through as a probe, and again after each probe that failed or gave no answer.
    pub open_for: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 10,
            open_for: Duration::from_secs(5),
        }
    }
}

/// Whether a failure of this kind counts towards opening.
#[must_use]
pub(super) const fn trips(cause: Cause) -> bool {
    match cause {
        Cause::Timeout | Cause::Memory | Cause::Panic | Cause::Unavailable => true,
        Cause::Raised | Cause::Answer | Cause::Grant => false,
    }
}

/// What a breaker does with calls at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls are made.
    Closed,
    /// Calls are not made.
    Open,
    /// One call was let through to see; the others are not made.
    HalfOpen,
}

impl BreakerState {
    /// The word in metrics and lists.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// The right to make one call; handed back with its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permit {
    /// The breaker was closed.
    Usual,
    /// The breaker was open, and this call decides.
    Probe,
}

/// What an outcome did to the breaker, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    None,
    Opened,
    Closed,
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct Breaker {
    /// Those who are kept from it one by one.
    pub(super) offenders: Offenders,
    open_for: Duration,
    failures_to_open: u32,
    open_for_ms: u64,
    /// Consecutive failures while closed.
    failures: AtomicU32,
    /// 0 while closed; else the time from which a probe may go, times two, plus one once a probe has gone. A probe moves the
    /// time on, so one that never reports (its client left while it waited) only delays the next.
    until: AtomicU64,
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Self {
            offenders: Offenders::default(),
            open_for: settings.open_for,
            failures_to_open: settings.failures.max(1),
            open_for_ms: u64::try_from(settings.open_for.as_millis())
                .unwrap_or(u64::MAX)
                .clamp(1, u64::MAX / 8),
            failures: AtomicU32::new(0),
            until: AtomicU64::new(0),
        }
    }

    /// How long a client owes for a failed call that had this time.
    pub(super) fn span_ms(&self, budget: Duration) -> u64 {
        offenders::span_ms(self.open_for, budget)
    }

    /// Whether calls are made, all of them.
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.until.load(Relaxed) == 0
    }

    /// Whether a call may be made; `now_ms` is only asked while the breaker is not closed.
    pub(super) fn enter(&self, now_ms: impl FnOnce() -> u64) -> Option<Permit> {
        let until = self.until.load(Relaxed);
        if until == 0 {
            return Some(Permit::Usual);
        }
        let now = now_ms();
        if now < until >> 1 {
            return None;
        }
        // Of all that come at this moment one wins.
        self.until
            .compare_exchange(until, self.until_after(now) | 1, Relaxed, Relaxed)
            .is_ok()
            .then_some(Permit::Probe)
    }

    /// A call ended well.
    pub(super) fn succeed(&self, permit: Permit) -> Turn {
        match permit {
            // Loaded first: a store by every caller would move the line between cores for nothing.
            Permit::Usual => {
                if self.failures.load(Relaxed) != 0 {
                    self.failures.store(0, Relaxed);
                }
                Turn::None
            }
            Permit::Probe => {
                self.failures.store(0, Relaxed);
                self.until.store(0, Relaxed);
                Turn::Closed
            }
        }
    }

    /// A call failed in a way that [`trips`].
    pub(super) fn fail(&self, permit: Permit, now_ms: u64) -> Turn {
        match permit {
            Permit::Usual => {
                let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
                // Only from closed: calls that began before it opened change nothing more.
                let opened = failures >= self.failures_to_open
                    && self
                        .until
                        .compare_exchange(0, self.until_after(now_ms), Relaxed, Relaxed)
                        .is_ok();
                if opened { Turn::Opened } else { Turn::None }
            }
            Permit::Probe => {
                self.until.store(self.until_after(now_ms), Relaxed);
                Turn::None
            }
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        match self.until.load(Relaxed) {
            0 => BreakerState::Closed,
            until if until & 1 == 1 => BreakerState::HalfOpen,
            _ => BreakerState::Open,
        }
    }

    fn until_after(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.open_for_ms).min(u64::MAX >> 1) << 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerSettings {
            failures: 3,
            open_for: Duration::from_millis(100),
        })
    }

    #[test]
    fn it_opens_probes_once_and_closes() {
        let breaker = breaker();
        for _ in 0..2 {
            assert_eq!(breaker.fail(Permit::Usual, 10), Turn::None);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert_eq!(breaker.fail(Permit::Usual, 10), Turn::Opened);
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.enter(|| 109), None);
        assert_eq!(breaker.enter(|| 110), Some(Permit::Probe));
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert_eq!(breaker.enter(|| 110), None, "one probe at a time");
        assert_eq!(breaker.fail(Permit::Probe, 120), Turn::None);
        assert_eq!(breaker.enter(|| 219), None);
        assert_eq!(breaker.enter(|| 220), Some(Permit::Probe));
        assert_eq!(breaker.succeed(Permit::Probe), Turn::Closed);
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert_eq!(breaker.enter(|| 220), Some(Permit::Usual));
    }

    #[test]
    fn a_success_between_failures_starts_the_count_again() {
        let breaker = breaker();
        for _ in 0..10 {
            breaker.fail(Permit::Usual, 1);
            breaker.fail(Permit::Usual, 1);
            breaker.succeed(Permit::Usual);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_probe_that_never_reports_only_delays_the_next() {
        let breaker = breaker();
        for _ in 0..3 {
            breaker.fail(Permit::Usual, 0);
        }
        assert_eq!(breaker.enter(|| 100), Some(Permit::Probe));
        assert_eq!(breaker.enter(|| 199), None);
        assert_eq!(breaker.enter(|| 200), Some(Permit::Probe));
    }

    #[test]
    fn what_began_before_it_opened_does_not_close_it() {
        let breaker = breaker();
        for _ in 0..3 {
            breaker.fail(Permit::Usual, 0);
        }
        breaker.succeed(Permit::Usual);
        assert_eq!(breaker.fail(Permit::Usual, 90), Turn::None);
        assert_eq!(breaker.enter(|| 99), None);
        assert_eq!(breaker.enter(|| 100), Some(Permit::Probe));
    }

    #[test]
    fn of_many_at_once_one_is_the_probe() {
        let breaker = breaker();
        for _ in 0..3 {
            breaker.fail(Permit::Usual, 0);
        }
        let start = std::sync::Barrier::new(8);
        let probes: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        usize::from(breaker.enter(|| 150).is_some())
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic inside"))
                .sum()
        });
        assert_eq!(probes, 1);
    }

    proptest! {
        /// Against the plain words of the module: a count, a time, and whether it is open.
        #[test]
        fn it_does_what_its_words_say(steps in prop::collection::vec((0_u64..80, any::<bool>()), 1..200)) {
            let breaker = breaker();
            let (mut failures, mut open_until, mut now) = (0, None, 0);
            for (passed, fails) in steps {
                now += passed;
                let expected = match open_until {
                    None => Some(Permit::Usual),
                    Some(until) if now >= until => Some(Permit::Probe),
                    Some(_) => None,
                };
                prop_assert_eq!(breaker.enter(|| now), expected);
                let Some(permit) = expected else { continue };
                if fails {
                    breaker.fail(permit, now);
                    failures += 1;
                    if failures >= 3 {
                        open_until = Some(now + 100);
                    }
                } else {
                    breaker.succeed(permit);
                    failures = 0;
                    open_until = None;
                }
                prop_assert_eq!(breaker.state() == BreakerState::Closed, open_until.is_none());
            }
        }
    }
}
