//! The answer that a guest makes during one call, judged against the catalogue as it comes in.

use hookmq_plugin_api::{
    Answer, Cause, Field, HookSpec, Keep, Kind, Owned, Refusal, Type, Verdict, VerdictKind,
};

use crate::error::Fault;

/// Parts of an answer, until the guest says its verdict.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) changes: Vec<(Field, Owned)>,
    pub(crate) refusal: Option<Box<Refusal>>,
    pub(crate) keep: Option<Box<Keep>>,
    /// The first change or tag that is no text: a refusal stands without it, anything else is spoiled.
    unfit: Option<String>,
    /// Why the guest says that it failed.
    pub(crate) failure: Option<String>,
}

impl Draft {
    /// Whether the guest said nothing but its verdict.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.refusal.is_none()
            && self.keep.is_none()
            && self.unfit.is_none()
            && self.failure.is_none()
    }

    /// Takes a change; the last one of a field counts.
    pub(crate) fn change(&mut self, field: Field, value: Owned) {
        self.changes.retain(|(known, _)| *known != field);
        self.changes.push((field, value));
    }

    /// Notes that a part of the answer is not as it should be; the first reason is told.
    pub(crate) fn spoil(&mut self, why: String) {
        self.unfit.get_or_insert(why);
    }

    /// The answer with this verdict; the draft is empty afterwards.
    pub(crate) fn finish(
        &mut self,
        spec: &HookSpec,
        verdict: VerdictKind,
    ) -> Result<Answer, Fault> {
        let changes = std::mem::take(&mut self.changes);
        let refusal = self.refusal.take();
        let keep = self.keep.take();
        let unfit = self.unfit.take();
        if let (VerdictKind::Pass | VerdictKind::Accept, Some(why)) = (verdict, unfit) {
            return Err(Fault::answer(why));
        }
        if verdict == VerdictKind::Pass && keep.is_none() {
            return Ok(Answer::pass_with(changes));
        }
        check_verdict(spec, verdict)?;
        if keep.is_some() {
            check_keep(spec, verdict)?;
        }
        let verdict = match verdict {
            VerdictKind::Pass => Verdict::Pass,
            VerdictKind::Accept => Verdict::Accept,
            VerdictKind::Deny => Verdict::Deny(refusal.unwrap_or_default()),
            VerdictKind::Drop => Verdict::Drop(refusal),
            VerdictKind::Consume => Verdict::Consume,
            VerdictKind::Disconnect => Verdict::Disconnect(refusal.unwrap_or_default()),
        };
        let mut answer = Answer::from(verdict);
        answer.changes = changes;
        answer.keep = keep;
        Ok(answer)
    }

    /// Forgets what a call left behind.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn check_verdict(spec: &HookSpec, verdict: VerdictKind) -> Result<(), Fault> {
    if spec.may_answer(verdict) || verdict == VerdictKind::Pass {
        return Ok(());
    }
    if spec.kind == Kind::Notice {
        return Err(Fault::answer(format!(
            "it tells what has happened already, so it cannot answer {}; it can only pass",
            verdict.name()
        )));
    }
    let allowed: Vec<_> = spec.verdicts.iter().map(|verdict| verdict.name()).collect();
    Err(Fault::answer(format!(
        "it cannot answer {}; it can answer {}",
        verdict.name(),
        allowed.join(", ")
    )))
}

/// Whether the tags are tags is the broker's to judge: a refusal stands without them.
fn check_keep(spec: &HookSpec, verdict: VerdictKind) -> Result<(), Fault> {
    if spec.may_keep(verdict) {
        Ok(())
    } else {
        Err(Fault::answer(format!(
            "its answer {} cannot be kept; accept and deny of authorize_publish and authorize_subscribe can",
            verdict.name()
        )))
    }
}

/// The field of a number, if this hook may change it.
pub(crate) fn changeable(spec: &HookSpec, field: Field) -> Result<(), Fault> {
    if spec.may_change(field) {
        return Ok(());
    }
    let allowed: Vec<_> = spec.changes.iter().map(|field| field.name()).collect();
    let allowed = if allowed.is_empty() {
        "nothing".to_owned()
    } else {
        allowed.join(", ")
    };
    Err(Fault::answer(format!(
        "it cannot change {}; it can change {allowed}",
        field.name()
    )))
}

/// Whether the value has the field's type. Ranges and lengths are judged where all answers meet, in the broker.
pub(crate) fn check_type(field: Field, value: &Owned) -> Result<(), Fault> {
    let spec = field.spec();
    let fits = match (spec.kind, value) {
        (_, Owned::Nil) => spec.optional,
        (Type::Bool, Owned::Bool(_))
        | (Type::Integer, Owned::Integer(_))
        | (Type::Text, Owned::Text(_))
        | (Type::Bytes, Owned::Text(_) | Owned::Bytes(_))
        | (Type::Pairs, Owned::Pairs(_))
        | (Type::Records, Owned::Records(_)) => true,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(Fault::answer(format!(
        "{} must be {}{}, got {}",
        field.name(),
        spec.kind.name(),
        if spec.optional { " or nothing" } else { "" },
        value.type_of().map_or("nothing", Type::name)
    )))
}

/// The verdict of an outcome's number.
pub(crate) const fn verdict_of(outcome: i32) -> Option<VerdictKind> {
    use hookmq_plugin_api::abi::outcome;
    Some(match outcome {
        outcome::PASS => VerdictKind::Pass,
        outcome::ACCEPT => VerdictKind::Accept,
        outcome::DENY => VerdictKind::Deny,
        outcome::DROP => VerdictKind::Drop,
        outcome::CONSUME => VerdictKind::Consume,
        outcome::DISCONNECT => VerdictKind::Disconnect,
        _ => return None,
    })
}

/// What a handler says of its own failure.
pub(crate) fn own_failure(outcome: i32, failure: Option<String>) -> Fault {
    use hookmq_plugin_api::abi::outcome;
    let cause = match outcome {
        outcome::PANIC => Cause::Panic,
        outcome::ERROR => Cause::Raised,
        other => {
            return Fault::answer(format!(
                "it returned {other}, which is no outcome: -2 to 5 are"
            ));
        }
    };
    Fault {
        cause,
        message: failure.unwrap_or_else(|| "it failed without a word why".to_owned()),
    }
}
