//! One plugin at one hook: the guarded call. Whatever the plugin does, what comes out is an answer or a typed error, counted and
//! timed, and a breaker that knows of it.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookmq_plugin_api::{
    Answer, Cause, Event, EventRecord, Field, FieldSet, Hook, HookSpec, Kind, OnError, Plugin,
    PluginError, Refusal, Type, VerdictKind, field::FIELDS,
};

use super::breaker::{self, Breaker, Permit, Turn};
use super::clock::Clock;
use super::decision::{Decision, Explained, IMPLEMENTATION_SPECIFIC_ERROR, OneLine};
use super::filter::Sieve;
use super::kept::Kept;
use super::metrics::{HookMetrics, Metrics};
use super::notices::Lane;
use super::quiet::Quiet;
use super::scope::Scope;
use super::stall::Pace;

/// What a call came to: an answer, which may still be wrong, or the plugin's error, or [`Cause::Panic`].
pub(super) type Outcome = Result<Answer, PluginError>;

/// See the module's words.
pub(super) struct Seat {
    pub(super) hook: Hook,
    pub(super) spec: &'static HookSpec,
    pub(super) plugin: Arc<dyn Plugin>,
    pub(super) name: Arc<str>,
    pub(super) kind: &'static str,
    pub(super) priority: i32,
    /// The filter as lists show it.
    pub(super) filter: Box<str>,
    pub(super) sieve: Sieve,
    /// What the handler reads.
    pub(super) fields: FieldSet,
    /// Those of the fields whose size is not fixed.
    pub(super) sized: Box<[Field]>,
    pub(super) awaits: bool,
    pub(super) on_error: OnError,
    pub(super) budget: Duration,
    pub(super) awaiting_timeout: Duration,
    /// Of a notice.
    pub(super) lane: Option<Arc<Lane>>,
    pub(super) breaker: Arc<Breaker>,
    pub(super) account: Arc<Account>,
    /// Answers that the plugin lets the broker keep; where the hook allows it.
    pub(super) kept: Option<Arc<Kept>>,
    pub(super) clock: Clock,
    pub(super) pace: Pace,
}

/// What outlives a reload under the same name: counters, and the log's limits.
pub(super) struct Account {
    pub(super) metrics: Metrics,
    errors: Quiet,
    slow: Quiet,
    full: Quiet,
    offenders: Quiet,
}

impl Account {
    pub(super) fn new() -> Self {
        Self {
            metrics: Metrics::new(),
            errors: Quiet::default(),
            slow: Quiet::default(),
            full: Quiet::default(),
            offenders: Quiet::default(),
        }
    }
}

/// Those of the fields whose values have no fixed size.
pub(super) fn sized(fields: FieldSet) -> Box<[Field]> {
    FIELDS
        .iter()
        .filter(|spec| fields.has(spec.field) && !matches!(spec.kind, Type::Bool | Type::Integer))
        .map(|spec| spec.field)
        .collect()
}

/// Why a plugin is not asked, although it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shut {
    /// The breaker is open.
    Breaker,
    /// Who caused the event is an offender.
    Offender,
}

impl Shut {
    /// As a failure, which is what it counts as.
    #[cold]
    pub(super) fn error(self) -> PluginError {
        PluginError::new(
            Cause::Unavailable,
            match self {
                Self::Breaker => "the breaker is open after repeated failures",
                Self::Offender => {
                    "not asked: for what this client sent it ran out of time or memory too often"
                }
            },
        )
    }
}

impl Seat {
    /// The right to call, unless the breaker is open, which is counted.
    #[inline]
    pub(super) fn enter(&self) -> Option<Permit> {
        let permit = self.breaker.enter(|| self.clock.now_ms());
        if permit.is_none() {
            self.account.metrics.short_circuited();
        }
        permit
    }

    /// The right to call about this event, unless the breaker is open or who caused the event is an offender, which is counted.
    ///
    /// # Errors
    /// Why not.
    #[inline]
    pub(super) fn enter_for<'e>(
        &self,
        scope: &Scope<'_>,
        event: impl FnOnce() -> &'e dyn Event,
    ) -> Result<Permit, Shut> {
        if self.breaker.offenders.any() && self.is_spared(scope, event()) {
            self.account.metrics.short_circuited();
            return Err(Shut::Offender);
        }
        self.enter().ok_or(Shut::Breaker)
    }

    #[cold]
    fn is_spared(&self, scope: &Scope<'_>, event: &dyn Event) -> bool {
        let offenders = &self.breaker.offenders;
        let span = self.breaker.span_ms(self.budget);
        offenders
            .culprit(scope, event)
            .is_some_and(|culprit| offenders.has(culprit, self.clock.now_ms(), span))
    }

    /// A call about this event cost more than it may.
    #[cold]
    pub(super) fn blame(&self, scope: &Scope<'_>, event: &dyn Event) {
        let offenders = &self.breaker.offenders;
        let span = self.breaker.span_ms(self.budget);
        let now = self.clock.now_ms();
        if let Some(culprit) = offenders.culprit(scope, event)
            && offenders.blame(culprit, now, span)
            && let Some(held_back) = self.account.offenders.speak(now)
        {
            tracing::warn!(
                plugin = %self.name,
                hook = self.spec.name,
                client_id = scope.client_id,
                counts_as = self.on_error.name(),
                held_back,
                "the plugin ran out of time or memory too often for what one client sent, and is not asked about it for a while"
            );
        }
    }

    /// Whether it is called about whatever happens, as things are: no filter, no open breaker, no offenders.
    #[inline]
    pub(super) fn is_open_to_all(&self) -> bool {
        self.sieve.is_open() && self.breaker.is_closed() && !self.breaker.offenders.any()
    }

    /// Calls the plugin on this thread. True for a pass without more, by far the most frequent answer; any other outcome is put where
    /// it is wanted. Looked at where it was made, as to carry it further costs as much as a quick plugin.
    #[inline]
    pub(super) fn passes<'s>(
        &self,
        event: &dyn Event,
        client_id: impl FnOnce() -> &'s str,
        outcome: &mut Option<Outcome>,
    ) -> bool {
        if self.spec.hot && !Metrics::samples() {
            self.passes_by::<false>(event, client_id, outcome)
        } else {
            self.passes_by::<true>(event, client_id, outcome)
        }
    }

    /// By the clock or without: two functions, as the one that calls without has nothing to keep for afterwards.
    #[inline]
    fn passes_by<'s, const TIMED: bool>(
        &self,
        event: &dyn Event,
        client_id: impl FnOnce() -> &'s str,
        outcome: &mut Option<Outcome>,
    ) -> bool {
        let started = TIMED.then(Instant::now);
        // The plugin is shared and keeps itself in order: what it does not unwind safely is its own loss.
        let guarded = catch_unwind(AssertUnwindSafe(|| {
            let answered = self.pace.watched(|| self.plugin.call(event, self.budget));
            let passes = answered.as_ref().is_ok_and(Answer::is_plain_pass);
            if passes {
                // It holds nothing, as was just seen; to look again at every part of it costs a tenth of a quick plugin.
                std::mem::forget(answered);
            } else {
                *outcome = Some(answered);
            }
            passes
        }));
        let passes = guarded.unwrap_or_else(|panic| {
            *outcome = Some(Err(panicked(panic.as_ref())));
            false
        });
        if let Some(started) = started {
            self.took(started.elapsed(), client_id());
        }
        passes
    }

    /// The same, for who wants the answer whatever it is.
    pub(super) fn call(&self, event: &dyn Event, client_id: &str) -> Outcome {
        let mut outcome = None;
        self.passes(event, || client_id, &mut outcome);
        outcome.unwrap_or(Ok(Answer::PASS))
    }

    #[cold]
    fn took(&self, time: Duration, client_id: &str) {
        self.account.metrics.took(time);
        if time > self.budget {
            self.was_slow(time, client_id);
        }
    }

    /// Calls the plugin and awaits its answer, at most as long as the registration says.
    ///
    /// # Errors
    /// The plugin's own, [`Cause::Panic`] or [`Cause::Timeout`].
    pub(super) async fn call_awaiting(&self, event: EventRecord) -> Result<Answer, PluginError> {
        let started = Instant::now();
        let plugin = Arc::clone(&self.plugin);
        let budget = self.budget;
        let begun = catch_unwind(AssertUnwindSafe(move || {
            plugin.call_awaiting(Arc::new(event), budget)
        }));
        let outcome = match begun {
            Err(panic) => Err(panicked(panic.as_ref())),
            Ok(mut call) => {
                // Once ready it is not polled again, so a panic inside is the end of it.
                let guarded = poll_fn(move |context| {
                    catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context))).unwrap_or_else(
                        |panic| std::task::Poll::Ready(Err(panicked(panic.as_ref()))),
                    )
                });
                tokio::time::timeout(self.awaiting_timeout, guarded)
                    .await
                    .unwrap_or_else(|_| {
                        let limit = self.awaiting_timeout.as_millis();
                        Err(PluginError::new(
                            Cause::Timeout,
                            format!("no answer within {limit} ms"),
                        ))
                    })
            }
        };
        self.account.metrics.took(started.elapsed());
        outcome
    }

    /// A copy of what the handler reads.
    pub(super) fn record(&self, event: &dyn Event) -> EventRecord {
        EventRecord::copy_of(event, self.fields)
    }

    /// A call ended with a valid answer.
    #[inline(always)]
    pub(super) fn succeeded(&self, permit: Permit, verdict: VerdictKind) {
        self.account.metrics.verdict(verdict);
        if self.breaker.succeed(permit) == Turn::Closed {
            tracing::info!(plugin = %self.name, hook = self.spec.name, "the plugin answers again");
        }
    }

    /// A call failed: counts it, logs it, tells the breaker.
    #[cold]
    pub(super) fn failed(&self, permit: Permit, error: &PluginError, client_id: &str) {
        let now = self.clock.now_ms();
        self.account.metrics.error(error.cause);
        if let Some(held_back) = self.account.errors.speak(now) {
            tracing::warn!(
                plugin = %self.name,
                hook = self.spec.name,
                client_id,
                cause = error.cause.name(),
                counts_as = self.on_error.name(),
                held_back,
                "plugin failed: {}",
                OneLine(&error.message)
            );
        }
        let turn = if breaker::trips(error.cause) {
            self.breaker.fail(permit, now)
        } else {
            // The runtime is well enough to say what is wrong.
            self.breaker.succeed(permit)
        };
        if turn == Turn::Opened {
            self.account.metrics.breaker_opened();
            tracing::error!(
                plugin = %self.name,
                hook = self.spec.name,
                counts_as = self.on_error.name(),
                "the plugin failed too often in a row and is not called for a while"
            );
        }
    }

    #[cold]
    fn was_slow(&self, time: Duration, client_id: &str) {
        self.account.metrics.slow();
        if let Some(held_back) = self.account.slow.speak(self.clock.now_ms()) {
            tracing::warn!(
                plugin = %self.name,
                hook = self.spec.name,
                client_id,
                took_us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
                budget_us = u64::try_from(self.budget.as_micros()).unwrap_or(u64::MAX),
                held_back,
                "plugin took longer than its budget"
            );
        }
    }

    /// A notice found the queue full.
    #[cold]
    pub(super) fn lost_notice(&self, client_id: &str) {
        self.account.metrics.notice_dropped();
        if let Some(held_back) = self.account.full.speak(self.clock.now_ms()) {
            tracing::warn!(
                plugin = %self.name,
                hook = self.spec.name,
                client_id,
                held_back,
                "the plugin's queue of notices is full; the newest are dropped"
            );
        }
    }

    /// What a failure makes of a gate or filter: `None` lets the chain go on.
    #[cold]
    pub(super) fn policy(&self, error: PluginError) -> Option<Decision> {
        match (self.on_error, self.spec.kind) {
            (OnError::Pass, _) | (_, Kind::Notice | Kind::Supply) => None,
            (OnError::Deny, Kind::Gate | Kind::Filter) => {
                let mut why = self.explain(Refusal {
                    reason_code: IMPLEMENTATION_SPECIFIC_ERROR,
                    ..Refusal::default()
                });
                why.error = Some(error);
                // Some hooks have no client to refuse to; there the message is not let through.
                Some(if self.spec.may_answer(VerdictKind::Deny) {
                    Decision::Deny(why)
                } else {
                    Decision::Drop(why)
                })
            }
        }
    }

    pub(super) fn explain(&self, refusal: Refusal) -> Box<Explained> {
        Box::new(Explained {
            plugin: Arc::clone(&self.name),
            hook: self.hook,
            refusal,
            error: None,
        })
    }

    pub(super) fn metrics(&self) -> HookMetrics {
        let counted =
            self.account
                .metrics
                .snapshot(&self.name, self.kind, self.hook, self.breaker.state());
        HookMetrics {
            kept: self.kept.as_ref().map(|kept| kept.tally()),
            ..counted
        }
    }
}

/// A panic as a failure of the plugin.
#[cold]
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> PluginError {
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the panic has no words");
    PluginError::new(Cause::Panic, words)
}
