//! The answer that a handler makes during one call, judged as it comes in.

use std::time::Duration;

use hookmq_plugin_api::abi::{self, Bytes, Refusal as Lent, outcome};
use hookmq_plugin_api::{
    Answer, Cause, Field, HookSpec, Keep, Kind, Owned, Refusal, Verdict, VerdictKind,
};

use crate::{take, wire};

/// Longest text of a library that goes into the log, in bytes.
const MAX_TEXT: usize = 8 << 10;

/// Parts of an answer, until the handler returns its verdict.
#[derive(Default)]
pub(crate) struct Draft {
    changes: Vec<(Field, Owned)>,
    refusal: Option<Box<Refusal>>,
    keep: Option<Box<Keep>>,
    /// The first change or tag that does not fit: a refusal stands without it, anything else is spoiled.
    unfit: Option<String>,
    /// Why the handler says that it failed.
    failure: Option<String>,
    /// The first thing that was wrong.
    wrong: Option<String>,
}

impl Draft {
    /// Spoils the answer; the first reason is told.
    pub(crate) fn spoil(&mut self, why: String) {
        self.wrong.get_or_insert(why);
    }

    fn try_to(&mut self, step: impl FnOnce(&mut Self) -> Result<(), String>) {
        if let Err(why) = step(self) {
            self.spoil(why);
        }
    }

    /// # Safety
    /// What the refusal points to is there.
    pub(crate) unsafe fn refuse(&mut self, refusal: *const Lent) {
        // SAFETY: as the caller says.
        self.try_to(|draft| unsafe {
            draft.refusal = Some(Box::new(read_refusal(refusal)?));
            Ok(())
        });
    }

    /// # Safety
    /// What the value points to is there.
    pub(crate) unsafe fn change(&mut self, spec: &HookSpec, number: u32, value: *const abi::Value) {
        self.try_to(|draft| {
            let field = changeable(spec, number)?;
            wire::check_pointer(value, "a change's value")?;
            // SAFETY: not null and aligned; the rest as the caller says.
            match unsafe { take::value(field, &*value) } {
                Ok(value) => {
                    draft.changes.retain(|(known, _)| *known != field);
                    draft.changes.push((field, value));
                }
                Err(why) => {
                    draft.unfit.get_or_insert(why);
                }
            }
            Ok(())
        });
    }

    /// # Safety
    /// So many tags are there, and what they point to.
    pub(crate) unsafe fn keep(&mut self, ttl_ms: u64, tags: *const Bytes, count: usize) {
        // SAFETY: as the caller says.
        match unsafe { read_keep(ttl_ms, tags, count) } {
            Ok(keep) => self.keep = Some(Box::new(keep)),
            Err(why) => {
                self.keep = None;
                self.unfit.get_or_insert(why);
            }
        }
    }

    /// # Safety
    /// The message is there.
    pub(crate) unsafe fn fail(&mut self, message: Bytes) {
        // SAFETY: as the caller says.
        self.failure = Some(unsafe { words(message) });
    }

    /// The answer with what the handler returned.
    pub(crate) fn finish(self, spec: &HookSpec, returned: i32) -> Result<Answer, (Cause, String)> {
        let cause = match returned {
            outcome::ERROR => Some(Cause::Raised),
            outcome::PANIC => Some(Cause::Panic),
            _ => None,
        };
        if let Some(cause) = cause {
            let words = self.failure.or(self.wrong);
            return Err((
                cause,
                words.unwrap_or_else(|| "it failed, without a word why".to_owned()),
            ));
        }
        let wrong = |why| (Cause::Answer, why);
        if let Some(why) = self.wrong {
            return Err(wrong(why));
        }
        let kind = verdict_of(returned).ok_or_else(|| {
            wrong(format!(
                "it returned {returned}, which is no verdict: -2 to 5 are"
            ))
        })?;
        if let (VerdictKind::Pass | VerdictKind::Accept, Some(why)) = (kind, self.unfit) {
            return Err(wrong(why));
        }
        check_verdict(spec, kind).map_err(wrong)?;
        let keeps = self.keep.is_none() || spec.may_keep(kind);
        if !keeps {
            return Err(wrong(format!("its answer {} cannot be kept", kind.name())));
        }
        let verdict = match kind {
            VerdictKind::Pass => Verdict::Pass,
            VerdictKind::Accept => Verdict::Accept,
            VerdictKind::Deny => Verdict::Deny(self.refusal.unwrap_or_default()),
            VerdictKind::Drop => Verdict::Drop(self.refusal),
            VerdictKind::Consume => Verdict::Consume,
            VerdictKind::Disconnect => Verdict::Disconnect(self.refusal.unwrap_or_default()),
        };
        Ok(Answer {
            verdict,
            changes: self.changes,
            keep: self.keep,
        })
    }
}

/// Whether the tags are tags is judged with the verdict.
///
/// # Safety
/// As [`Draft::keep`].
unsafe fn read_keep(ttl_ms: u64, tags: *const Bytes, count: usize) -> Result<Keep, String> {
    // SAFETY: as the caller says.
    let tags = unsafe { wire::items(tags, count, "its tags", Keep::MAXIMUM_TAGS) }?;
    let mut keep = Keep::lasting(Duration::from_millis(ttl_ms));
    for tag in tags {
        // SAFETY: as the caller says.
        keep = keep.tagged(unsafe { wire::text(*tag, "a tag") }?);
    }
    Ok(keep)
}

/// # Safety
/// As [`Draft::refuse`].
unsafe fn read_refusal(refusal: *const Lent) -> Result<Refusal, String> {
    let minimum = std::mem::offset_of!(Lent, place);
    // SAFETY: as the caller says.
    let lent = unsafe { wire::copied(refusal, "its refusal", minimum) }?;
    let reason_code = u8::try_from(lent.reason_code)
        .map_err(|_| format!("reason_code must be 0 to 255, got {}", lent.reason_code))?;
    // SAFETY: as the caller says.
    unsafe {
        let optional = |bytes, what| -> Result<Option<Box<str>>, String> {
            let text = wire::words(bytes, what)?;
            Ok((!text.is_empty()).then(|| text.into()))
        };
        // A name that is no text is none.
        let name = wire::bytes(lent.server_reference, "server_reference")?;
        Ok(Refusal {
            reason_code,
            reason_string: optional(lent.reason_string, "reason_string")?,
            server_reference: std::str::from_utf8(name)
                .ok()
                .filter(|name| !name.is_empty())
                .map(Into::into),
            user_properties: take::words(
                lent.user_properties,
                lent.user_property_count,
                "user_properties",
            )?,
            place: optional(lent.place, "place")?,
        })
    }
}

fn changeable(spec: &HookSpec, number: u32) -> Result<Field, String> {
    let allowed = || {
        let names: Vec<_> = spec.changes.iter().map(|field| field.name()).collect();
        if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(", ")
        }
    };
    take::field(number)
        .filter(|field| spec.may_change(*field))
        .ok_or_else(|| {
            format!(
                "it cannot change field {}; it can change {}",
                take::field_in_words(number),
                allowed()
            )
        })
}

fn check_verdict(spec: &HookSpec, verdict: VerdictKind) -> Result<(), String> {
    if spec.may_answer(verdict) || verdict == VerdictKind::Pass {
        return Ok(());
    }
    if spec.kind == Kind::Notice {
        return Err(format!(
            "it tells what has happened already, so it cannot answer {}; it can only pass",
            verdict.name()
        ));
    }
    let allowed: Vec<_> = spec.verdicts.iter().map(|verdict| verdict.name()).collect();
    Err(format!(
        "it cannot answer {}; it can answer {}",
        verdict.name(),
        allowed.join(", ")
    ))
}

/// The verdict of an outcome's number.
const fn verdict_of(returned: i32) -> Option<VerdictKind> {
    Some(match returned {
        outcome::PASS => VerdictKind::Pass,
        outcome::ACCEPT => VerdictKind::Accept,
        outcome::DENY => VerdictKind::Deny,
        outcome::DROP => VerdictKind::Drop,
        outcome::CONSUME => VerdictKind::Consume,
        outcome::DISCONNECT => VerdictKind::Disconnect,
        _ => return None,
    })
}

/// A library's own words, whatever bytes they are, as long as a log line has room for.
///
/// # Safety
/// They are there.
pub(crate) unsafe fn words(message: Bytes) -> String {
    // SAFETY: as the caller says.
    let bytes = match unsafe { wire::bytes(message, "its message") } {
        Ok(bytes) => bytes,
        Err(why) => return why,
    };
    let Some(start) = bytes.get(..MAX_TEXT) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let mut text = String::from_utf8_lossy(start).into_owned();
    text.push_str(&format!("... ({} bytes)", bytes.len()));
    text
}
