//! `answer` of `types.wit`, taken from a component and judged against the catalogue.

use std::time::Duration;

use hookmq_plugin_api::{Answer, Field, Hook, HookSpec, Keep, Owned, Refusal, VerdictKind};
use wasmtime::component::{ComponentType, Lift};

use super::changes::{Change, Pair};
use crate::draft::{Draft, changeable, check_type};
use crate::error::Fault;

/// `refusal`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct RefusalIn {
    #[component(name = "reason-code")]
    reason_code: u8,
    #[component(name = "reason-string")]
    reason_string: Option<Box<str>>,
    #[component(name = "server-reference")]
    server_reference: Option<Box<str>>,
    #[component(name = "user-properties")]
    user_properties: Box<[Pair]>,
    place: Option<Box<str>>,
}

/// `verdict`.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum VerdictIn {
    #[component(name = "pass")]
    Pass,
    #[component(name = "accept")]
    Accept,
    #[component(name = "deny")]
    Deny(RefusalIn),
    #[component(name = "drop")]
    Drop(Option<RefusalIn>),
    #[component(name = "consume")]
    Consume,
    #[component(name = "disconnect")]
    Disconnect(RefusalIn),
}

/// `keep`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct KeepIn {
    #[component(name = "ttl-ms")]
    ttl_ms: u64,
    tags: Box<[Box<str>]>,
}

/// `answer`. It is moved a few times on its way out of the engine, so it is small: boxed texts and lists, no `String` and no `Vec`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct AnswerIn {
    verdict: VerdictIn,
    changes: Box<[Change]>,
    keep: Option<KeepIn>,
}

impl AnswerIn {
    /// As the contract's answer, if the hook may give it.
    #[inline]
    pub(super) fn judged(self, hook: Hook) -> Result<Answer, Fault> {
        if matches!(self.verdict, VerdictIn::Pass) && self.changes.is_empty() && self.keep.is_none()
        {
            return Ok(Answer::PASS);
        }
        self.draft(hook.spec())
    }

    #[cold]
    fn draft(self, spec: &HookSpec) -> Result<Answer, Fault> {
        let mut draft = Draft::default();
        for change in self.changes {
            let (field, value): (Field, Owned) = change.into();
            changeable(spec, field)?;
            check_type(field, &value)?;
            draft.change(field, value);
        }
        draft.keep = self.keep.map(|keep| {
            Box::new(Keep {
                ttl: Duration::from_millis(keep.ttl_ms),
                tags: keep.tags.into_vec(),
            })
        });
        let (verdict, refusal) = match self.verdict {
            VerdictIn::Pass => (VerdictKind::Pass, None),
            VerdictIn::Accept => (VerdictKind::Accept, None),
            VerdictIn::Deny(refusal) => (VerdictKind::Deny, Some(refusal)),
            VerdictIn::Drop(refusal) => (VerdictKind::Drop, refusal),
            VerdictIn::Consume => (VerdictKind::Consume, None),
            VerdictIn::Disconnect(refusal) => (VerdictKind::Disconnect, Some(refusal)),
        };
        draft.refusal = refusal.map(|refusal| Box::new(refusal.into()));
        draft.finish(spec, verdict)
    }
}

impl From<RefusalIn> for Refusal {
    fn from(refusal: RefusalIn) -> Self {
        let some = |text: Option<Box<str>>| text.filter(|text| !text.is_empty());
        Self {
            reason_code: refusal.reason_code,
            reason_string: some(refusal.reason_string),
            user_properties: refusal.user_properties.into_vec(),
            server_reference: some(refusal.server_reference),
            place: some(refusal.place),
        }
    }
}
