//! Counts what each plugin does at each hook: answers, failures, time, notices waiting and lost.
//!
//! Counters are striped, so that workers that call the same plugin do not fight for one cache line; a stripe is two lines. The
//! clock is read for one call in [`SAMPLED_ONE_IN`] of a hot hook, chosen at random so that no rhythm of calls hides one, and for
//! every call of the others. One relaxed addition per call is all that a hot hook pays otherwise.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use hookmq_plugin_api::{Cause, Hook, VerdictKind};

use super::breaker::BreakerState;
use super::kept::KeptTally;

/// Of a hot hook's calls, one in this many is timed.
pub const SAMPLED_ONE_IN: u32 = 64;

/// Buckets of a latency histogram: bucket `n` holds calls of less than `2^n` ns and at least `2^(n-1)`; the last one all above.
pub const N_BUCKETS: usize = 40;

const N_STRIPES: usize = 8;
/// The stripe of all threads but the first ones, each of which has one to itself.
const SHARED: usize = N_STRIPES - 1;
const N_VERDICTS: usize = VerdictKind::ALL.len();
const N_CAUSES: usize = Cause::ALL.len();

#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    verdicts: [AtomicU64; N_VERDICTS],
    errors: [AtomicU64; N_CAUSES],
    filtered: AtomicU64,
    short_circuited: AtomicU64,
    slow: AtomicU64,
}

/// Counters of one plugin at one hook.
#[derive(Debug)]
pub(super) struct Metrics {
    stripes: [Stripe; N_STRIPES],
    latency: [AtomicU64; N_BUCKETS],
    latency_sum_ns: AtomicU64,
    breaker_opened: AtomicU64,
    notices_queued: AtomicU64,
    notices_dropped: AtomicU64,
}

thread_local! {
    /// This thread's stripe and its source of random bits, in one word.
    static HERE: Cell<u64> = const { Cell::new(0) };
    /// Calls until one is timed.
    static UNTIMED: Cell<u32> = const { Cell::new(0) };
}

static NEXT_STRIPE: AtomicUsize = AtomicUsize::new(0);

/// The thread's word; its lowest bits say the stripe, the others are random.
#[inline]
fn here() -> u64 {
    let word = HERE.get();
    if word == 0 { first_here() } else { word }
}

#[cold]
fn first_here() -> u64 {
    let thread = NEXT_STRIPE.fetch_add(1, Relaxed);
    let stripe = thread.min(SHARED);
    // Any odd constant will do: the threads need different, not secret, bits.
    let seed = (thread as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) & !(N_STRIPES as u64 - 1);
    let word = seed | stripe as u64;
    HERE.set(word);
    word
}

/// Calls between two that are timed, at random: every number from none to twice the mean is as likely as another.
#[cold]
fn draw_gap() -> u32 {
    const STRIPE: u64 = N_STRIPES as u64 - 1;
    let word = here();
    // A linear congruence on the bits above the stripe; its high bits are the random ones.
    let next = (word >> 3)
        .wrapping_mul(0x5851_F42D_4C95_7F2D)
        .wrapping_add(0x1405_7B7E_F767_814F);
    HERE.set((next << 3) | (word & STRIPE));
    // Below the top bits, which the shift cuts off.
    (next >> 29) as u32 % (2 * SAMPLED_ONE_IN - 1)
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            stripes: std::array::from_fn(|_| Stripe::default()),
            latency: [const { AtomicU64::new(0) }; N_BUCKETS],
            latency_sum_ns: AtomicU64::new(0),
            breaker_opened: AtomicU64::new(0),
            notices_queued: AtomicU64::new(0),
            notices_dropped: AtomicU64::new(0),
        }
    }

    #[inline]
    fn stripe(&self) -> &Stripe {
        &self.stripes[here() as usize % N_STRIPES]
    }

    /// Whether this call of a hot hook is to be timed.
    #[inline]
    pub(super) fn samples() -> bool {
        match UNTIMED.get().checked_sub(1) {
            Some(left) => {
                UNTIMED.set(left);
                false
            }
            None => {
                UNTIMED.set(draw_gap());
                true
            }
        }
    }

    #[inline]
    pub(super) fn verdict(&self, verdict: VerdictKind) {
        let stripe = here() as usize % N_STRIPES;
        let count = &self.stripes[stripe].verdicts[verdict as usize];
        if stripe < SHARED {
            // Nobody else writes here, so this needs no locked addition, which costs as much as a quick plugin.
            count.store(count.load(Relaxed) + 1, Relaxed);
        } else {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn error(&self, cause: Cause) {
        self.stripe().errors[cause as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn filtered(&self) {
        self.stripe().filtered.fetch_add(1, Relaxed);
    }

    pub(super) fn short_circuited(&self) {
        self.stripe().short_circuited.fetch_add(1, Relaxed);
    }

    pub(super) fn slow(&self) {
        self.stripe().slow.fetch_add(1, Relaxed);
    }

    pub(super) fn took(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - ns.leading_zeros()) as usize;
        self.latency[bucket.min(N_BUCKETS - 1)].fetch_add(1, Relaxed);
        self.latency_sum_ns.fetch_add(ns, Relaxed);
    }

    pub(super) fn breaker_opened(&self) {
        self.breaker_opened.fetch_add(1, Relaxed);
    }

    pub(super) fn notice_queued(&self) {
        self.notices_queued.fetch_add(1, Relaxed);
    }

    pub(super) fn notice_taken(&self) {
        self.notices_queued.fetch_sub(1, Relaxed);
    }

    pub(super) fn notice_dropped(&self) {
        self.notices_dropped.fetch_add(1, Relaxed);
    }

    pub(super) fn snapshot(
        &self,
        plugin: &Arc<str>,
        kind: &'static str,
        hook: Hook,
        breaker: BreakerState,
    ) -> HookMetrics {
        let sum = |of: &dyn Fn(&Stripe) -> &AtomicU64| {
            self.stripes
                .iter()
                .map(|stripe| of(stripe).load(Relaxed))
                .sum()
        };
        HookMetrics {
            plugin: Arc::clone(plugin),
            kind,
            hook,
            verdicts: std::array::from_fn(|at| sum(&|stripe| &stripe.verdicts[at])),
            errors: std::array::from_fn(|at| sum(&|stripe| &stripe.errors[at])),
            filtered: sum(&|stripe| &stripe.filtered),
            short_circuited: sum(&|stripe| &stripe.short_circuited),
            slow: sum(&|stripe| &stripe.slow),
            breaker,
            breaker_opened: self.breaker_opened.load(Relaxed),
            latency: std::array::from_fn(|at| self.latency[at].load(Relaxed)),
            latency_sum_ns: self.latency_sum_ns.load(Relaxed),
            notices_queued: self.notices_queued.load(Relaxed),
            notices_dropped: self.notices_dropped.load(Relaxed),
            kept: None,
        }
    }
}

/// What one plugin did at one hook since it was first registered under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookMetrics {
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// Its runtime.
    pub kind: &'static str,
    /// The hook.
    pub hook: Hook,
    /// Valid answers by verdict, in the order of [`VerdictKind::ALL`]; a notice that was taken counts as a pass.
    pub verdicts: [u64; N_VERDICTS],
    /// Failures by cause, in the order of [`Cause::ALL`].
    pub errors: [u64; N_CAUSES],
    /// Not asked, because its filter does not admit it.
    pub filtered: u64,
    /// Not asked, because the breaker was open, or for this client it had failed too often.
    pub short_circuited: u64,
    /// Synchronous calls that were timed and took longer than the budget. Of hot hooks one call in [`SAMPLED_ONE_IN`] is timed.
    pub slow: u64,
    /// What the breaker does now.
    pub breaker: BreakerState,
    /// How often the breaker has opened.
    pub breaker_opened: u64,
    /// Timed calls by duration, see [`N_BUCKETS`].
    pub latency: [u64; N_BUCKETS],
    /// Nanoseconds of all timed calls together.
    pub latency_sum_ns: u64,
    /// Notices that wait now.
    pub notices_queued: u64,
    /// Notices that were lost: the queue was full or the breaker open.
    pub notices_dropped: u64,
    /// Answers that the broker keeps; where the hook allows it.
    pub kept: Option<KeptTally>,
}

impl HookMetrics {
    /// Calls that were made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.verdicts.iter().chain(&self.errors).sum()
    }

    /// Answers with this verdict.
    #[must_use]
    pub const fn verdict(&self, verdict: VerdictKind) -> u64 {
        self.verdicts[verdict as usize]
    }

    /// Failures of this kind.
    #[must_use]
    pub const fn error(&self, cause: Cause) -> u64 {
        self.errors[cause as usize]
    }

    /// Calls that were timed.
    #[must_use]
    pub fn timed(&self) -> u64 {
        self.latency.iter().sum()
    }

    /// The duration in ns that this share of the timed calls stays below, as the upper bound of its bucket; 0 if none was timed.
    #[must_use]
    pub fn latency_quantile_ns(&self, share: f64) -> u64 {
        let wanted = (self.timed() as f64 * share.clamp(0.0, 1.0))
            .ceil()
            .max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.latency.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return 1 << bucket;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up() {
        let metrics = Metrics::new();
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        metrics.verdict(VerdictKind::Pass);
                        metrics.filtered();
                    }
                    metrics.error(Cause::Panic);
                });
            }
        });
        let seen = metrics.snapshot(
            &"p".into(),
            "embedded",
            Hook::InterceptPublish,
            BreakerState::Closed,
        );
        assert_eq!(
            (
                seen.verdict(VerdictKind::Pass),
                seen.filtered,
                seen.error(Cause::Panic)
            ),
            (12_000, 12_000, 12)
        );
        assert_eq!(seen.calls(), 12_012);
    }

    #[test]
    fn as_many_are_timed_as_said_whatever_the_rhythm() {
        for rhythm in [1, 2, 16, 48] {
            let mut timed = 0_u32;
            for call in 0..640_000 {
                let samples = Metrics::samples();
                timed += u32::from(samples && call % rhythm == 0);
            }
            let expected = 640_000 / rhythm / SAMPLED_ONE_IN;
            assert!(
                timed.abs_diff(expected) < expected / 4,
                "{timed} of {expected}"
            );
        }
    }

    #[test]
    fn durations_fall_into_powers_of_two() {
        let metrics = Metrics::new();
        for ns in [0, 1, 2, 3, 4, 1023, 1024, u64::MAX] {
            metrics.took(Duration::from_nanos(ns));
        }
        let seen = metrics.snapshot(
            &"p".into(),
            "embedded",
            Hook::InterceptPublish,
            BreakerState::Closed,
        );
        for (bucket, count) in [
            (0, 1),
            (1, 1),
            (2, 2),
            (3, 1),
            (10, 1),
            (11, 1),
            (N_BUCKETS - 1, 1),
        ] {
            assert_eq!(seen.latency[bucket], count, "{bucket}");
        }
        assert_eq!(seen.timed(), 8);
        assert_eq!(seen.latency_quantile_ns(0.5), 4);
    }
}
