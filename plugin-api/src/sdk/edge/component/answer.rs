//! Answers in the layout of `wit/`, kept until the next call: the broker reads them after the handler has returned.

use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::{mem, ptr};

use super::host;
use super::layout::{Maybe, lent_records, list, pairs};
use super::sections::{REMOVED, change_case};
use crate::abi::{Bytes, List, Pair};
use crate::answer::{Answer, Refusal, Verdict};
use crate::error::PluginError;
use crate::sdk::edge::bytes;
use crate::value::Owned;

/// `record refusal`.
#[repr(C)]
#[derive(Clone, Copy)]
struct LoweredRefusal {
    reason_code: u8,
    reason_string: Maybe<Bytes>,
    server_reference: Maybe<Bytes>,
    user_properties: List,
    place: Maybe<Bytes>,
}

#[repr(C)]
union VerdictBody {
    nothing: (),
    refusal: LoweredRefusal,
    maybe: Maybe<LoweredRefusal>,
}

/// `variant verdict`.
#[repr(C)]
struct LoweredVerdict {
    case: u8,
    body: VerdictBody,
}

#[repr(C)]
union ChangeBody {
    number: u32,
    bytes: Bytes,
    list: List,
}

/// `variant change`.
#[repr(C)]
struct Change {
    case: u8,
    body: ChangeBody,
}

/// `record keep`.
#[repr(C)]
#[derive(Clone, Copy)]
struct LoweredKeep {
    ttl_ms: u64,
    tags: List,
}

/// `record answer`.
#[repr(C)]
struct LoweredAnswer {
    verdict: LoweredVerdict,
    changes: List,
    keep: Maybe<LoweredKeep>,
}

/// An answer and all that it points to.
struct Lowered {
    lowered: LoweredAnswer,
    /// Behind the pointers above, and never read again.
    _answer: Answer,
    _changes: Vec<Change>,
    _pairs: Vec<Vec<Pair>>,
    _records: Vec<Vec<u64>>,
    _tags: Vec<Bytes>,
}

const EMPTY: List = List {
    items: ptr::null(),
    count: 0,
};

const fn plain(case: u8) -> LoweredAnswer {
    LoweredAnswer {
        verdict: LoweredVerdict {
            case,
            body: VerdictBody { nothing: () },
        },
        changes: EMPTY,
        keep: Maybe::NONE,
    }
}

static PASS: super::super::Static<LoweredAnswer> = super::super::Static(plain(0));

/// The last answer that needed memory.
static LAST: AtomicPtr<Lowered> = AtomicPtr::new(ptr::null_mut());

/// An answer where the broker finds it.
#[inline]
pub(super) fn lower(answer: Result<Answer, PluginError>) -> *const c_void {
    match answer {
        // The answer to most events: nothing to hand over, and nothing of it to free.
        Ok(answer) if answer.is_plain_pass() => {
            mem::forget(answer);
            (&raw const PASS.0).cast()
        }
        answer => lower_anew(answer),
    }
}

#[cold]
#[inline(never)]
fn lower_anew(answer: Result<Answer, PluginError>) -> *const c_void {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            host::fail(&error.message);
            return (&raw const PASS.0).cast();
        }
    };
    let last = Box::into_raw(Box::new(lowered(answer)));
    let before = LAST.swap(last, Ordering::Relaxed);
    if !before.is_null() {
        // SAFETY: made here, and the broker has read it before it called again.
        drop(unsafe { Box::from_raw(before) });
    }
    // SAFETY: just made.
    unsafe { (&raw const (*last).lowered).cast() }
}

fn lowered(answer: Answer) -> Lowered {
    let (mut kept, mut records) = (Vec::new(), Vec::new());
    let verdict = verdict(&answer.verdict, &mut kept);
    let changes: Vec<Change> = answer
        .changes
        .iter()
        .filter_map(|(field, value)| {
            let (case, body) = match value {
                Owned::Nil => (
                    REMOVED,
                    ChangeBody {
                        number: *field as u32,
                    },
                ),
                Owned::Bool(truth) => (
                    change_case(*field)?,
                    ChangeBody {
                        number: (*truth).into(),
                    },
                ),
                // Out of range it has no form here; the typed answers do not let it come so far.
                Owned::Integer(number) => (
                    change_case(*field)?,
                    ChangeBody {
                        number: u32::try_from(*number).unwrap_or(u32::MAX),
                    },
                ),
                Owned::Text(text) => (
                    change_case(*field)?,
                    ChangeBody {
                        bytes: bytes(text.as_bytes()),
                    },
                ),
                Owned::Bytes(given) => (
                    change_case(*field)?,
                    ChangeBody {
                        bytes: bytes(given),
                    },
                ),
                Owned::Pairs(given) => {
                    let lent = pairs(given);
                    let body = ChangeBody { list: list(&lent) };
                    kept.push(lent);
                    (change_case(*field)?, body)
                }
                Owned::Records(given) => {
                    let (memory, inside) = lent_records(given, field.spec());
                    let items = memory.as_ptr().cast();
                    let count = given.len();
                    records.push(memory);
                    kept.extend(inside);
                    let list = List { items, count };
                    (change_case(*field)?, ChangeBody { list })
                }
            };
            Some(Change { case, body })
        })
        .collect();
    let tags: Vec<Bytes> = answer
        .keep
        .iter()
        .flat_map(|keep| &keep.tags)
        .map(|tag| bytes(tag.as_bytes()))
        .collect();
    let keep = answer.keep.as_ref().map(|keep| LoweredKeep {
        ttl_ms: u64::try_from(keep.ttl.as_millis()).unwrap_or(u64::MAX),
        tags: list(&tags),
    });
    Lowered {
        lowered: LoweredAnswer {
            verdict,
            changes: list(&changes),
            keep: Maybe::of(keep),
        },
        _answer: answer,
        _changes: changes,
        _pairs: kept,
        _records: records,
        _tags: tags,
    }
}

fn verdict(verdict: &Verdict, kept: &mut Vec<Vec<Pair>>) -> LoweredVerdict {
    let refusing = |case, why: &Refusal, kept: &mut Vec<Vec<Pair>>| LoweredVerdict {
        case,
        body: VerdictBody {
            refusal: refusal(why, kept),
        },
    };
    match verdict {
        Verdict::Pass => plain(0).verdict,
        Verdict::Accept => plain(1).verdict,
        Verdict::Deny(why) => refusing(2, why, kept),
        Verdict::Drop(why) => LoweredVerdict {
            case: 3,
            body: VerdictBody {
                maybe: Maybe::of(why.as_ref().map(|why| refusal(why, kept))),
            },
        },
        Verdict::Consume => plain(4).verdict,
        Verdict::Disconnect(why) => refusing(5, why, kept),
    }
}

fn refusal(why: &Refusal, kept: &mut Vec<Vec<Pair>>) -> LoweredRefusal {
    let user_properties = pairs(&why.user_properties);
    let lent = list(&user_properties);
    kept.push(user_properties);
    LoweredRefusal {
        reason_code: why.reason_code,
        reason_string: text(why.reason_string.as_deref()),
        server_reference: text(why.server_reference.as_deref()),
        user_properties: lent,
        place: text(why.place.as_deref()),
    }
}

fn text(text: Option<&str>) -> Maybe<Bytes> {
    Maybe::of(text.map(|text| bytes(text.as_bytes())))
}
