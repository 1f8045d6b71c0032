//! Answers and messages of the plugin as structs of the C ABI, valid for one call of the broker.

use std::time::Duration;

use super::bytes;
use crate::abi::{self, Bytes, outcome, tag};
use crate::answer::{Answer, Refusal, Verdict};
use crate::error::{Cause, PluginError};
use crate::host::OutgoingMessage;
use crate::value::{Owned, Record};

/// What takes an answer to the broker.
pub(super) trait Sink {
    /// See [`abi::AnswerCalls::refuse`].
    fn refuse(&self, refusal: &abi::Refusal);
    /// See [`abi::AnswerCalls::change`].
    fn change(&self, field: u32, value: &abi::Value);
    /// See [`abi::AnswerCalls::keep`].
    fn keep(&self, ttl_ms: u64, tags: &[Bytes]);
    /// See [`abi::AnswerCalls::fail`].
    fn fail(&self, message: &str);
}

/// Hands an answer over; the outcome that the handler returns. Apart from the handler, so that a call that passes does not make room for
/// it.
#[cold]
#[inline(never)]
pub(super) fn give(answer: Result<Answer, PluginError>, sink: &impl Sink) -> i32 {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            sink.fail(&error.message);
            return if error.cause == Cause::Panic {
                outcome::PANIC
            } else {
                outcome::ERROR
            };
        }
    };
    for (field, value) in &answer.changes {
        change(*field as u32, value, sink);
    }
    if let Some(keep) = &answer.keep {
        let tags: Vec<Bytes> = keep.tags.iter().map(|tag| bytes(tag.as_bytes())).collect();
        sink.keep(millis(keep.ttl), &tags);
    }
    match &answer.verdict {
        Verdict::Pass => outcome::PASS,
        Verdict::Accept => outcome::ACCEPT,
        Verdict::Consume => outcome::CONSUME,
        Verdict::Drop(None) => outcome::DROP,
        Verdict::Drop(Some(refusal)) => refused(outcome::DROP, refusal, sink),
        Verdict::Deny(refusal) => refused(outcome::DENY, refusal, sink),
        Verdict::Disconnect(refusal) => refused(outcome::DISCONNECT, refusal, sink),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn refused(outcome: i32, refusal: &Refusal, sink: &impl Sink) -> i32 {
    let user_properties = pairs(&refusal.user_properties);
    sink.refuse(&abi::Refusal {
        size: size_of::<abi::Refusal>() as u32,
        reason_code: refusal.reason_code.into(),
        reason_string: optional(refusal.reason_string.as_deref().map(str::as_bytes)),
        server_reference: optional(refusal.server_reference.as_deref().map(str::as_bytes)),
        user_properties: user_properties.as_ptr(),
        user_property_count: user_properties.len(),
        place: optional(refusal.place.as_deref().map(str::as_bytes)),
    });
    outcome
}

fn change(field: u32, value: &Owned, sink: &impl Sink) {
    match value {
        Owned::Pairs(list) => {
            let list = pairs(list);
            sink.change(field, &listed(tag::PAIRS, &list));
        }
        Owned::Records(list) => {
            let lists = Lists::of(list);
            let parts: Vec<Vec<abi::Part>> =
                list.iter().map(|record| lists.parts(record)).collect();
            let records: Vec<abi::Record> = parts
                .iter()
                .map(|parts| abi::Record {
                    parts: parts.as_ptr(),
                    count: parts.len(),
                })
                .collect();
            sink.change(field, &listed(tag::RECORDS, &records));
        }
        plain => sink.change(field, &scalar(plain)),
    }
}

/// The pairs of the records of one change, each list by the place of what it was made of.
struct Lists(Vec<(*const Owned, Vec<abi::Pair>)>);

impl Lists {
    fn of(records: &[Record]) -> Self {
        let parts = records.iter().flatten();
        Self(
            parts
                .filter_map(|(_, part)| match part {
                    Owned::Pairs(list) => Some((&raw const *part, pairs(list))),
                    _ => None,
                })
                .collect(),
        )
    }

    fn parts(&self, record: &Record) -> Vec<abi::Part> {
        let part = |(field, value): &(crate::Field, Owned)| abi::Part {
            field: *field as u32,
            reserved: 0,
            value: self
                .0
                .iter()
                .find(|(place, _)| std::ptr::eq(*place, value))
                .map_or_else(|| scalar(value), |(_, list)| listed(tag::PAIRS, list)),
        };
        record.iter().map(part).collect()
    }
}

fn listed<T>(tag: u32, list: &[T]) -> abi::Value {
    abi::Value {
        tag,
        reserved: 0,
        body: abi::Body {
            list: abi::List {
                items: list.as_ptr().cast(),
                count: list.len(),
            },
        },
    }
}

/// A value that is no list.
fn scalar(value: &Owned) -> abi::Value {
    let (tag, body) = match value {
        Owned::Bool(truth) => (
            tag::BOOL,
            abi::Body {
                integer: (*truth).into(),
            },
        ),
        Owned::Integer(number) => (tag::INTEGER, abi::Body { integer: *number }),
        Owned::Text(text) => (
            tag::TEXT,
            abi::Body {
                bytes: bytes(text.as_bytes()),
            },
        ),
        Owned::Bytes(given) => (
            tag::BYTES,
            abi::Body {
                bytes: bytes(given),
            },
        ),
        Owned::Nil | Owned::Pairs(_) | Owned::Records(_) => (tag::NIL, abi::Body { integer: 0 }),
    };
    abi::Value {
        tag,
        reserved: 0,
        body,
    }
}

fn pairs(pairs: &[(String, String)]) -> Vec<abi::Pair> {
    pairs
        .iter()
        .map(|(name, value)| abi::Pair {
            name: bytes(name.as_bytes()),
            value: bytes(value.as_bytes()),
        })
        .collect()
}

/// Bytes that can be absent.
pub(super) fn optional(given: Option<&[u8]>) -> Bytes {
    given.map_or(
        Bytes {
            data: std::ptr::null(),
            len: 0,
        },
        bytes,
    )
}

/// Lends a message for the length of a call.
pub(super) fn with_message<T>(
    message: &OutgoingMessage,
    call: impl FnOnce(&abi::host::Message) -> T,
) -> T {
    let user_properties = pairs(&message.user_properties);
    let retain = if message.retain { abi::host::RETAIN } else { 0 };
    let expires = if message.message_expiry_interval.is_some() {
        abi::host::EXPIRES
    } else {
        0
    };
    call(&abi::host::Message {
        size: size_of::<abi::host::Message>() as u32,
        qos: message.qos.into(),
        flags: retain | expires,
        message_expiry_interval: message.message_expiry_interval.unwrap_or_default(),
        topic: bytes(message.topic.as_bytes()),
        payload: bytes(&message.payload),
        content_type: optional(message.content_type.as_deref().map(str::as_bytes)),
        response_topic: optional(message.response_topic.as_deref().map(str::as_bytes)),
        correlation_data: optional(message.correlation_data.as_deref()),
        user_properties: user_properties.as_ptr(),
        user_property_count: user_properties.len(),
    })
}
