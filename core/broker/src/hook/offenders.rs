//! Whose events make a plugin run out of time or memory: each such client is not asked about for a while, so that it cannot slow
//! everybody who shares the plugin, nor open the breaker for them.
//!
//! Every failure is a debt of one span of time, which the clock pays back. [`ALLOWED`] of them may stand at once; whoever owes more is
//! an offender until a span is paid. So an offender that goes on costs one failed call per span, and the others' events are no reason to
//! forget what it owes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use ahash::RandomState;
use hookmq_plugin_api::{Cause, Event, Field, Hook};
use parking_lot::Mutex;

use super::scope::Scope;

/// Failures that a client may have within their spans before it is an offender.
const ALLOWED: u64 = 2;

/// Clients that are remembered at most; each has cost a failed call not long ago.
const MAXIMUM: usize = 1024;

/// A span is so many times the time that a call may take: no client costs more than a hundredth of a thread for long.
const SHARE: u32 = 100;

/// Whether a failure of this kind cost time that others waited for.
pub(super) const fn costs(cause: Cause) -> bool {
    match cause {
        Cause::Timeout | Cause::Memory => true,
        // Of these a plugin is as guilty as a client, and they are over soon.
        Cause::Panic | Cause::Unavailable | Cause::Raised | Cause::Answer | Cause::Grant => false,
    }
}

/// The span of one failure.
pub(super) fn span_ms(open_for: Duration, budget: Duration) -> u64 {
    let span = open_for.max(budget.saturating_mul(SHARE));
    u64::try_from(span.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, u64::MAX / 8)
}

/// A client to blame, as a number that nobody can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Culprit(u64);

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Offenders {
    random: RandomState,
    /// When the last debt is paid; 0 while there is none. All that the others' calls look at.
    until: AtomicU64,
    /// When each client's debt is paid.
    debts: Mutex<HashMap<Culprit, u64>>,
}

impl Offenders {
    /// Who made this event what it is, if it is known.
    ///
    /// A client's address counts too: before it is let in, anybody can come with its name.
    pub(super) fn culprit(&self, scope: &Scope<'_>, event: &dyn Event) -> Option<Culprit> {
        let text = |field| event.get(field).as_text().unwrap_or_default();
        let hook = event.hook();
        let (client_id, address) = if hook == Hook::InterceptOutboundPacket {
            // The client is who gets the packet, and who caused it is not known.
            return None;
        } else if hook.spec().fields.contains(&Field::SenderClientId) {
            (text(Field::SenderClientId), "")
        } else {
            let endpoint = text(Field::Endpoint);
            let address = endpoint
                .rsplit_once(':')
                .map_or(endpoint, |(address, _)| address);
            (scope.client_id, address)
        };
        (!client_id.is_empty()).then(|| Culprit(self.random.hash_one((client_id, address))))
    }

    /// Whether anybody owes anything: ask this before a culprit is looked for.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.until.load(Relaxed) != 0
    }

    /// Whether this client is an offender now.
    pub(super) fn has(&self, culprit: Culprit, now_ms: u64, span_ms: u64) -> bool {
        let mut debts = self.debts.lock();
        if now_ms >= self.until.load(Relaxed) {
            debts.clear();
            self.until.store(0, Relaxed);
            return false;
        }
        debts
            .get(&culprit)
            .is_some_and(|paid| paid.saturating_sub(now_ms) > ALLOWED * span_ms)
    }

    /// A call about this client failed. Whether that makes it an offender.
    pub(super) fn blame(&self, culprit: Culprit, now_ms: u64, span_ms: u64) -> bool {
        let mut debts = self.debts.lock();
        if debts.len() >= MAXIMUM && !debts.contains_key(&culprit) {
            debts.retain(|_, paid| *paid > now_ms);
            if debts.len() >= MAXIMUM {
                // Who owes least is the least loss.
                let least = debts.iter().min_by_key(|(_, paid)| **paid);
                if let Some(least) = least.map(|(culprit, _)| *culprit) {
                    debts.remove(&least);
                }
            }
        }
        let paid = debts.entry(culprit).or_insert(0);
        // Calls that were under way at once owe no more than one span too much.
        *paid = (*paid)
            .max(now_ms)
            .saturating_add(span_ms)
            .min(now_ms.saturating_add((ALLOWED + 1) * span_ms));
        let is_offender = paid.saturating_sub(now_ms) > ALLOWED * span_ms;
        self.until.fetch_max(*paid, Relaxed);
        is_offender
    }
}

#[cfg(test)]
mod tests {
    use hookmq_plugin_api::EventRecord;
    use proptest::prelude::*;

    use super::*;

    const SPAN: u64 = 1000;

    fn owes(offenders: &Offenders, culprit: u64, now: u64) -> bool {
        offenders.has(Culprit(culprit), now, SPAN)
    }

    fn blame(offenders: &Offenders, culprit: u64, now: u64) -> bool {
        offenders.blame(Culprit(culprit), now, SPAN)
    }

    #[test]
    fn the_third_failure_makes_an_offender_that_costs_one_call_per_span() {
        let offenders = Offenders::default();
        assert!(!offenders.any());
        assert!(!blame(&offenders, 1, 100));
        assert!(!blame(&offenders, 1, 110));
        assert!(!owes(&offenders, 1, 120));
        assert!(blame(&offenders, 1, 120));
        assert!(owes(&offenders, 1, 120) && owes(&offenders, 1, 1_099));
        assert!(!owes(&offenders, 2, 120), "nobody else");
        assert!(!owes(&offenders, 1, 1_100), "one is paid");
        assert!(blame(&offenders, 1, 1_100), "and the next is one too many");
        assert!(owes(&offenders, 1, 2_099) && !owes(&offenders, 1, 2_100));
        assert!(!owes(&offenders, 1, 4_100));
        assert!(!offenders.any(), "all is paid, and nobody pays for looking");
    }

    #[test]
    fn calls_at_once_owe_no_more_than_one_after_the_other() {
        let offenders = Offenders::default();
        for _ in 0..50 {
            blame(&offenders, 1, 100);
        }
        assert!(owes(&offenders, 1, 1_099) && !owes(&offenders, 1, 1_100));
    }

    #[test]
    fn as_many_are_remembered_as_fit_and_those_that_owe_most() {
        let offenders = Offenders::default();
        for _ in 0..3 {
            blame(&offenders, u64::MAX, 1);
        }
        for culprit in 0..5_000 {
            blame(&offenders, culprit, 2);
        }
        assert_eq!(offenders.debts.lock().len(), MAXIMUM);
        assert!(owes(&offenders, u64::MAX, 2));
        blame(&offenders, 9_999, 2_900);
        assert_eq!(offenders.debts.lock().len(), 2, "what is paid goes first");
    }

    #[test]
    fn who_is_to_blame() {
        let offenders = Offenders::default();
        let of = |hook, client_id, fields: &[(Field, &str)]| {
            let mut event = EventRecord::new(hook);
            for (field, value) in fields {
                event.set(*field, (*value).into());
            }
            let scope = Scope {
                client_id,
                ..Scope::BROKER
            };
            offenders.culprit(&scope, &event)
        };
        let publish = |client_id, endpoint| {
            of(
                Hook::InterceptPublish,
                client_id,
                &[(Field::Endpoint, endpoint)],
            )
        };
        let ann = publish("ann", "10.0.0.1:4000");
        assert!(ann.is_some());
        assert_eq!(ann, publish("ann", "10.0.0.1:4001"));
        assert_ne!(ann, publish("ann", "10.0.0.2:4000"), "who says to be ann");
        assert_ne!(ann, publish("bob", "10.0.0.1:4000"));
        assert_eq!(publish("", "10.0.0.1:4000"), None, "nobody in particular");
        let enqueue = |sender| {
            of(
                Hook::InterceptEnqueue,
                "receiver",
                &[(Field::SenderClientId, sender)],
            )
        };
        assert!(enqueue("ann").is_some());
        assert_ne!(enqueue("ann"), enqueue("receiver"));
        assert_eq!(of(Hook::InterceptEnqueue, "receiver", &[]), None);
        assert_eq!(of(Hook::InterceptOutboundPacket, "receiver", &[]), None);
    }

    #[test]
    fn a_span_is_long_beside_the_call() {
        let (second, ms) = (Duration::from_secs(1), Duration::from_millis(1));
        assert_eq!(span_ms(5 * second, 50 * ms), 5_000);
        assert_eq!(span_ms(5 * second, second), 100_000);
        assert_eq!(span_ms(Duration::MAX, Duration::MAX), u64::MAX / 8);
        assert_eq!(span_ms(Duration::ZERO, Duration::ZERO), 1);
    }

    proptest! {
        /// However clients come and go, each costs at most as many failed calls as spans have passed, and those that it may owe.
        #[test]
        fn nobody_costs_more_than_its_share(steps in prop::collection::vec((0_u64..400, 0_u64..4), 1..300)) {
            let offenders = Offenders::default();
            let (mut now, mut costs) = (1, [0_u64; 4]);
            for (passed, culprit) in steps {
                now += passed;
                if !owes(&offenders, culprit, now) {
                    blame(&offenders, culprit, now);
                    costs[usize::try_from(culprit).unwrap()] += 1;
                }
                for cost in costs {
                    prop_assert!(cost <= now / SPAN + ALLOWED + 1);
                }
            }
        }
    }
}
