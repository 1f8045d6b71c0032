//! Asks a gate whose answers may be kept: what a plugin decided before about an event that looks the same to it counts as if it had
//! answered again, changes and words included, and only who has no answer kept is called.

use hookmq_plugin_api::{Answer, Event, FieldSet, Hook, PluginError, Verdict};

use super::answer;
use super::breaker::Permit;
use super::chain::{Chain, Fold, Subject};
use super::decision::Decision;
use super::kept::KeptAnswer;
use super::key::Watched;
use super::scope::Scope;
use super::seat::Seat;
use super::tags::Moment;

/// What is to be done about one plugin.
enum Step {
    /// Nothing more; a decision ends the chain.
    Over(Option<Decision>),
    /// It must be called.
    Call(Call),
}

/// A call that begins.
struct Call {
    permit: Permit,
    /// From before the call. None where nothing can be kept.
    moment: Option<Moment>,
}

impl Chain {
    pub(super) fn run_keeping(
        &self,
        hook: Hook,
        scope: &Scope<'_>,
        subject: &mut dyn Subject,
    ) -> Decision {
        let mut fold = Fold::new(hook, scope);
        for seat in self.seats(hook) {
            let end = match fold.begin(seat, subject) {
                Step::Over(end) => end,
                Step::Call(call) => {
                    let (outcome, read) = call_watched(seat, subject.event(), scope);
                    fold.settle_keeping(seat, call, outcome, read, subject)
                }
            };
            if let Some(decision) = end {
                return decision;
            }
        }
        fold.end()
    }

    pub(super) async fn run_keeping_awaiting(
        &self,
        hook: Hook,
        scope: &Scope<'_>,
        subject: &mut (dyn Subject + Send),
    ) -> Decision {
        let mut fold = Fold::new(hook, scope);
        for seat in self.seats(hook) {
            let end = match fold.begin(seat, subject) {
                Step::Over(end) => end,
                Step::Call(call) => {
                    let (outcome, read) = if seat.awaits {
                        // It has no more than a copy of what it declared.
                        let record = seat.record(subject.event());
                        (seat.call_awaiting(record).await, FieldSet::EMPTY)
                    } else {
                        call_watched(seat, subject.event(), scope)
                    };
                    fold.settle_keeping(seat, call, outcome, read, subject)
                }
            };
            if let Some(decision) = end {
                return decision;
            }
        }
        fold.end()
    }
}

/// Calls on this thread; tells what the plugin read, too.
fn call_watched(
    seat: &Seat,
    event: &dyn Event,
    scope: &Scope<'_>,
) -> (Result<Answer, PluginError>, FieldSet) {
    let watched = Watched::new(event);
    let outcome = seat.call(&watched, scope.client_id);
    (outcome, watched.read())
}

impl Fold<'_> {
    /// Decides by a kept answer if there is one. It counts even while the plugin's breaker is open.
    fn begin(&mut self, seat: &Seat, subject: &mut dyn Subject) -> Step {
        if !self.admits(seat, subject) {
            return Step::Over(None);
        }
        let mut moment = None;
        if let Some(kept) = &seat.kept {
            moment = Some(kept.moment());
            if let Some(answer) = kept.recall(subject.event(), || seat.clock.now_ms())
                && let Ok(end) = self.take(seat, &answer, subject)
            {
                return Step::Over(end);
            }
        }
        match seat.enter_for(self.scope, || subject.event()) {
            Ok(permit) => Step::Call(Call { permit, moment }),
            Err(why) => Step::Over(seat.policy(why.error())),
        }
    }

    /// Takes a kept answer as the plugin's own.
    ///
    /// # Errors
    /// Its changes do not fit this event after all; then the plugin is called.
    fn take(
        &mut self,
        seat: &Seat,
        answer: &KeptAnswer,
        subject: &mut dyn Subject,
    ) -> Result<Option<Decision>, String> {
        if let Verdict::Deny(why) = &answer.verdict {
            return Ok(Some(Decision::Deny(seat.explain((**why).clone()))));
        }
        if !answer.changes.is_empty() {
            subject.apply(&answer.changes)?;
            self.changed = true;
        }
        if !answer.tags.is_empty() {
            subject.allowed_with(&answer.tags);
        }
        self.accepted = true;
        Ok(None)
    }

    /// Takes a fresh answer, and keeps it if the plugin allows that.
    fn settle_keeping(
        &mut self,
        seat: &Seat,
        call: Call,
        mut outcome: Result<Answer, PluginError>,
        read: FieldSet,
        subject: &mut dyn Subject,
    ) -> Option<Decision> {
        // What is kept is what takes effect.
        if let Ok(answer) = &mut outcome {
            answer::fit(answer);
        }
        let Ok(Answer {
            verdict,
            keep: Some(keep),
            ..
        }) = &outcome
        else {
            return self.settle(seat, call.permit, outcome, subject);
        };
        let is_accept = matches!(verdict, Verdict::Accept);
        let tags = keep.tags.clone();
        // From the event as the plugin saw it, before its own changes.
        let keeping = match (&outcome, &seat.kept, call.moment) {
            (Ok(answer), Some(kept), Some(moment)) => kept
                .prepare(subject.event(), read, answer)
                .map(|keeping| (kept, keeping, moment)),
            _ => None,
        };
        self.was_valid = false;
        let end = self.settle(seat, call.permit, outcome, subject);
        if self.was_valid {
            if let Some((kept, keeping, moment)) = keeping {
                kept.keep(keeping, moment, seat.clock.now_ms());
            }
            if is_accept && !tags.is_empty() {
                subject.allowed_with(&tags);
            }
        }
        end
    }
}
