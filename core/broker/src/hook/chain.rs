//! The plugins of one generation, in their order per hook: an immutable value that a reload replaces as a whole.

use std::sync::Arc;

use hookmq_plugin_api::{
    Answer, Cause, Event, Field, FieldSet, Hook, Kind, OnError, Owned, PluginError, Verdict,
    VerdictKind, catalogue::HOOKS,
};

use super::answer;
use super::breaker::Permit;
use super::decision::Decision;
use super::metrics::HookMetrics;
use super::offenders;
use super::scope::Scope;
use super::seat::{Outcome, Seat, Shut};

/// What a gate, filter or supply is about: read through the event, changed by valid answers.
pub trait Subject {
    /// As it is now, with the changes so far.
    fn event(&self) -> &dyn Event;

    /// Makes changes that the catalogue allows and whose values fit their fields. All or nothing.
    ///
    /// # Errors
    /// Why these changes can not be, in words for the log. It counts as a wrong answer ([`Cause::Answer`]), but for one that ends the
    /// way here: that stands without them.
    fn apply(&mut self, changes: &[(Field, Owned)]) -> Result<(), String>;

    /// One of those who allowed it did so with these tags, see [`hookmq_plugin_api::Keep`].
    fn allowed_with(&mut self, tags: &[Box<str>]) {
        let _ = tags;
    }
}

/// See the module's words.
pub struct Chain {
    generation: u64,
    /// One bit per hook that has a listener.
    listens: u64,
    /// One bit per hook that has a listener that awaits.
    awaits: u64,
    fields: [FieldSet; Hook::COUNT],
    seats: [Box<[Arc<Seat>]>; Hook::COUNT],
}

/// One line of a resolved chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// Its runtime.
    pub kind: &'static str,
    /// Its priority.
    pub priority: i32,
    /// Its filter in one line; empty when it is asked about everything.
    pub filter: Box<str>,
    /// Whether its calls may await.
    pub awaits: bool,
    /// What its failures count as here.
    pub on_error: OnError,
}

impl Chain {
    /// Seats per hook, each list in the order of asking.
    pub(super) fn new(generation: u64, seats: [Vec<Seat>; Hook::COUNT]) -> Self {
        let mask = |wanted: &dyn Fn(&[Seat]) -> bool| {
            HOOKS.iter().zip(&seats).fold(0, |mask, (spec, seats)| {
                if wanted(seats) {
                    mask | bit(spec.hook)
                } else {
                    mask
                }
            })
        };
        let listens = mask(&|seats| !seats.is_empty());
        let awaits = mask(&|seats| seats.iter().any(|seat| seat.awaits));
        let fields = seats.each_ref().map(|seats| {
            seats
                .iter()
                .fold(FieldSet::EMPTY, |all, seat| all.union(seat.fields))
        });
        Self {
            generation,
            listens,
            awaits,
            fields,
            seats: seats.map(|seats| seats.into_iter().map(Arc::new).collect()),
        }
    }

    /// Counts the chains of one broker, from 1; 0 is the empty one that it begins with.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether any plugin answers this hook: one test, so ask it before anything is prepared.
    #[inline]
    #[must_use]
    pub const fn listens(&self, hook: Hook) -> bool {
        !cfg!(hookmq_without_hooks) && self.listens & bit(hook) != 0
    }

    /// Whether any plugin awaits at this hook; if none does, [`Chain::gate`] and [`Chain::filter`] do.
    #[inline]
    #[must_use]
    pub const fn awaits(&self, hook: Hook) -> bool {
        !cfg!(hookmq_without_hooks) && self.awaits & bit(hook) != 0
    }

    /// One bit per hook that has a listener.
    pub(super) const fn mask(&self) -> u64 {
        self.listens
    }

    /// All fields that any plugin reads at this hook.
    #[must_use]
    pub const fn fields(&self, hook: Hook) -> FieldSet {
        self.fields[hook as usize]
    }

    pub(super) fn seats(&self, hook: Hook) -> &[Arc<Seat>] {
        &self.seats[hook as usize]
    }

    /// Every seat of every hook.
    pub(super) fn list_seats(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.seats.iter().flatten()
    }

    /// Asks every listener until one refuses: a refusal wins, else an accept, else it is a pass.
    ///
    /// Answers within this call: a listener that would await is called like the others, so ask [`Chain::awaits`] first.
    pub fn gate(&self, hook: Hook, scope: &Scope<'_>, subject: &mut dyn Subject) -> Decision {
        debug_assert_eq!(hook.spec().kind, Kind::Gate);
        if hook.spec().keeps {
            self.run_keeping(hook, scope, subject)
        } else {
            self.run(hook, scope, subject, 0, None)
        }
    }

    /// As [`Chain::gate`], where listeners may await. Dropped in the middle, it leaves the changes made so far.
    pub async fn gate_awaiting(
        &self,
        hook: Hook,
        scope: &Scope<'_>,
        subject: &mut (dyn Subject + Send),
    ) -> Decision {
        debug_assert_eq!(hook.spec().kind, Kind::Gate);
        if hook.spec().keeps {
            self.run_keeping_awaiting(hook, scope, subject).await
        } else {
            self.run_awaiting(hook, scope, subject).await
        }
    }

    /// Lets every listener change the subject in turn, until one ends the chain.
    ///
    /// Answers within this call, as [`Chain::gate`].
    pub fn filter(&self, hook: Hook, scope: &Scope<'_>, subject: &mut dyn Subject) -> Decision {
        debug_assert_eq!(hook.spec().kind, Kind::Filter);
        self.run(hook, scope, subject, 0, None)
    }

    /// As [`Chain::filter`], with a scope that is made when it is needed: not for plugins that are asked about everything and pass, which
    /// is how it nearly always goes on the way of every message.
    #[inline]
    pub(crate) fn filter_within<'s>(
        &self,
        hook: Hook,
        scope: impl Fn() -> Scope<'s>,
        subject: &mut impl Subject,
    ) -> Decision {
        debug_assert_eq!(hook.spec().kind, Kind::Filter);
        let mut outcome = None;
        for (at, seat) in self.seats(hook).iter().enumerate() {
            if !seat.is_open_to_all() {
                return self.run(hook, &scope(), subject, at, None);
            }
            if !seat.passes(subject.event(), || scope().client_id, &mut outcome) {
                return self.run(hook, &scope(), subject, at, outcome);
            }
            seat.succeeded(Permit::Usual, VerdictKind::Pass);
        }
        Decision::Pass
    }

    /// As [`Chain::filter`], where listeners may await. Dropped in the middle, it leaves the changes made so far.
    pub async fn filter_awaiting(
        &self,
        hook: Hook,
        scope: &Scope<'_>,
        subject: &mut (dyn Subject + Send),
    ) -> Decision {
        debug_assert_eq!(hook.spec().kind, Kind::Filter);
        self.run_awaiting(hook, scope, subject).await
    }

    /// Lets every listener bring data; one that fails brings nothing.
    pub async fn supply(&self, hook: Hook, subject: &mut (dyn Subject + Send)) {
        debug_assert_eq!(hook.spec().kind, Kind::Supply);
        self.run_awaiting(hook, &Scope::BROKER, subject).await;
    }

    /// The resolved chain: hooks in the catalogue's order that have a listener, and who is asked in which order.
    #[must_use]
    pub fn list(&self) -> Vec<(Hook, Vec<Listed>)> {
        HOOKS
            .iter()
            .filter(|spec| self.listens(spec.hook))
            .map(|spec| {
                let listed = self.seats(spec.hook).iter().map(|seat| Listed {
                    plugin: Arc::clone(&seat.name),
                    kind: seat.kind,
                    priority: seat.priority,
                    filter: seat.filter.clone(),
                    awaits: seat.awaits,
                    on_error: seat.on_error,
                });
                (spec.hook, listed.collect())
            })
            .collect()
    }

    pub(super) fn metrics(&self) -> Vec<HookMetrics> {
        self.list_seats().map(|seat| seat.metrics()).collect()
    }

    /// Asks the listeners from one on, who has answered already if there is an outcome.
    fn run(
        &self,
        hook: Hook,
        scope: &Scope<'_>,
        subject: &mut dyn Subject,
        from: usize,
        outcome: Option<Outcome>,
    ) -> Decision {
        let mut fold = Fold::new(hook, scope);
        let mut answered = outcome;
        for seat in self.seats(hook).iter().skip(from) {
            let (permit, outcome) = match answered.take() {
                Some(outcome) => (Permit::Usual, outcome),
                None => match fold.admit(seat, subject) {
                    Admission::Filtered => continue,
                    Admission::Shut(why) => match seat.policy(why.error()) {
                        None => continue,
                        Some(decision) => return decision,
                    },
                    Admission::Call(permit) => {
                        let outcome = seat.call(subject.event(), scope.client_id);
                        (permit, outcome)
                    }
                },
            };
            if let Some(decision) = fold.settle(seat, permit, outcome, subject) {
                return decision;
            }
        }
        fold.end()
    }

    async fn run_awaiting(
        &self,
        hook: Hook,
        scope: &Scope<'_>,
        subject: &mut (dyn Subject + Send),
    ) -> Decision {
        let mut fold = Fold::new(hook, scope);
        for seat in self.seats(hook) {
            let end = match fold.admit(seat, subject) {
                Admission::Filtered => continue,
                Admission::Shut(why) => seat.policy(why.error()),
                Admission::Call(permit) => {
                    let outcome = if seat.awaits {
                        let record = seat.record(subject.event());
                        seat.call_awaiting(record).await
                    } else {
                        seat.call(subject.event(), scope.client_id)
                    };
                    fold.settle(seat, permit, outcome, subject)
                }
            };
            if let Some(decision) = end {
                return decision;
            }
        }
        fold.end()
    }
}

const fn bit(hook: Hook) -> u64 {
    1 << hook as u8
}

/// Whether a plugin is asked.
enum Admission {
    Filtered,
    Shut(Shut),
    Call(Permit),
}

/// The answers so far.
pub(super) struct Fold<'a> {
    kind: Kind,
    pub(super) scope: &'a Scope<'a>,
    /// Something was changed, so filters look at the event instead of the scope.
    pub(super) changed: bool,
    pub(super) accepted: bool,
    /// Set by an answer that says more than a plain pass, if all of it was right.
    pub(super) was_valid: bool,
}

impl<'a> Fold<'a> {
    pub(super) fn new(hook: Hook, scope: &'a Scope<'a>) -> Self {
        Self {
            kind: hook.spec().kind,
            scope,
            changed: false,
            accepted: false,
            was_valid: false,
        }
    }

    /// Whether the plugin's filter lets it be asked.
    #[inline]
    pub(super) fn admits(&self, seat: &Seat, subject: &dyn Subject) -> bool {
        let admitted = if self.changed {
            seat.sieve.admits(&self.scope.after(subject.event()))
        } else {
            seat.sieve.admits(self.scope)
        };
        if !admitted {
            seat.account.metrics.filtered();
        }
        admitted
    }

    #[inline]
    fn admit(&self, seat: &Seat, subject: &dyn Subject) -> Admission {
        if self.admits(seat, subject) {
            match seat.enter_for(self.scope, || subject.event()) {
                Ok(permit) => Admission::Call(permit),
                Err(why) => Admission::Shut(why),
            }
        } else {
            Admission::Filtered
        }
    }

    /// Takes one plugin's answer; a decision ends the chain.
    pub(super) fn settle(
        &mut self,
        seat: &Seat,
        permit: Permit,
        outcome: Outcome,
        subject: &mut dyn Subject,
    ) -> Option<Decision> {
        let taken = outcome.and_then(|mut answer| {
            answer::fit(&mut answer);
            answer::check(seat.spec, &answer)?;
            self.apply(&answer, subject)?;
            Ok(answer.verdict)
        });
        match taken {
            Ok(verdict) => {
                self.was_valid = true;
                seat.succeeded(permit, verdict.kind());
                match verdict {
                    Verdict::Pass => None,
                    Verdict::Accept => {
                        self.accepted = true;
                        None
                    }
                    Verdict::Deny(why) => Some(Decision::Deny(seat.explain(*why))),
                    Verdict::Disconnect(why) => Some(Decision::Disconnect(seat.explain(*why))),
                    Verdict::Drop(why) => Some(Decision::Drop(
                        seat.explain(why.map(|why| *why).unwrap_or_default()),
                    )),
                    Verdict::Consume => Some(Decision::Consume(seat.explain(Default::default()))),
                }
            }
            Err(error) => {
                if offenders::costs(error.cause) {
                    seat.blame(self.scope, subject.event());
                }
                seat.failed(permit, &error, self.scope.client_id);
                seat.policy(error)
            }
        }
    }

    /// The changes of an answer that lets the subject go on; of a filter also of one that acknowledges it, for what the
    /// acknowledgement says. A refusal carries its own words.
    fn apply(&mut self, answer: &Answer, subject: &mut dyn Subject) -> Result<(), PluginError> {
        let counts = match answer.verdict {
            Verdict::Pass | Verdict::Accept => true,
            Verdict::Drop(_) | Verdict::Consume => self.kind == Kind::Filter,
            Verdict::Deny(_) | Verdict::Disconnect(_) => false,
        };
        if !counts || answer.changes.is_empty() {
            return Ok(());
        }
        match subject.apply(&answer.changes) {
            Ok(()) => {
                self.changed = true;
                Ok(())
            }
            Err(why) if matches!(answer.verdict, Verdict::Pass | Verdict::Accept) => {
                Err(PluginError::new(Cause::Answer, why))
            }
            // It stands, and is acknowledged in the usual words.
            Err(_) => Ok(()),
        }
    }

    /// A chain that went through.
    pub(super) fn end(&self) -> Decision {
        if self.accepted && self.kind == Kind::Gate {
            Decision::Accept
        } else {
            Decision::Pass
        }
    }
}
