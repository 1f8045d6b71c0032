//! `host.wit`: what a component may do beside answering. Each interface is there if it is granted.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hookmq_plugin_api::{Host, HostError, KvCondition, LogLevel, OutgoingMessage};
use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower};
use wasmtime::{Result, StoreContextMut};

use super::changes::Pair;
use crate::error::{Fault, shortened};
use crate::state::State;

type Store<'a> = StoreContextMut<'a, State>;
type Linker<'a> = LinkerInstance<'a, State>;

/// Random bytes of one call; longer keys than that are not made.
const MAX_RANDOM: u32 = 65_536;
/// Fields of one log line.
const MAX_FIELDS: usize = 64;

/// `error-kind`.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum ErrorKind {
    #[component(name = "not-granted")]
    NotGranted,
    #[component(name = "limit")]
    Limit,
    #[component(name = "argument")]
    Argument,
    #[component(name = "depth")]
    Depth,
    #[component(name = "stopping")]
    Stopping,
}

/// `host-error`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct HostErrorOut {
    kind: ErrorKind,
    message: String,
}

impl From<HostError> for HostErrorOut {
    fn from(error: HostError) -> Self {
        Self {
            message: error.to_string(),
            kind: match error {
                HostError::NotGranted(_) => ErrorKind::NotGranted,
                HostError::Limit(..) => ErrorKind::Limit,
                HostError::Argument(..) => ErrorKind::Argument,
                HostError::Depth(_) => ErrorKind::Depth,
                HostError::Stopping => ErrorKind::Stopping,
            },
        }
    }
}

/// What a host function returns.
pub(super) type Told<T> = Result<(Result<T, HostErrorOut>,)>;

pub(super) fn told<T>(result: Result<T, HostError>) -> Told<T> {
    Ok((result.map_err(HostErrorOut::from),))
}

/// `level`.
#[expect(dead_code, reason = "the derived code makes them from their numbers")]
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

pub(super) fn log(linker: &mut Linker<'_>) -> Result<()> {
    linker.func_wrap("write", write)?;
    for (name, level) in [
        ("debug", LogLevel::Debug),
        ("info", LogLevel::Info),
        ("warn", LogLevel::Warn),
        ("error", LogLevel::Error),
    ] {
        linker.func_wrap(name, move |store: Store<'_>, (message,): (String,)| {
            line(store.data(), level, &message);
            Ok(())
        })?;
    }
    Ok(())
}

/// A line without a place of its own.
pub(super) fn line(state: &State, level: LogLevel, message: &str) {
    let blueprint = &state.blueprint;
    let message = shortened(message.as_bytes());
    blueprint.host.log(level, &blueprint.file, &message, &[]);
}

fn write(
    store: Store<'_>,
    (level, place, message, fields): (Level, String, String, Vec<Pair>),
) -> Result<()> {
    if fields.len() > MAX_FIELDS {
        let words = format!(
            "log: {} fields, at most {MAX_FIELDS} are taken",
            fields.len()
        );
        return Err(wasmtime::Error::new(Fault::answer(words)));
    }
    let blueprint = &store.data().blueprint;
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (shortened(name.as_bytes()), shortened(value.as_bytes())))
        .collect();
    let place = match place.as_str() {
        "" => blueprint.file.clone(),
        place => shortened(place.as_bytes()),
    };
    let message = shortened(message.as_bytes());
    blueprint.host.log(level.into(), &place, &message, &fields);
    Ok(())
}

/// `outgoing`.
#[derive(ComponentType, Lift)]
#[component(record)]
struct Outgoing {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
    retain: bool,
    #[component(name = "message-expiry-interval")]
    message_expiry_interval: Option<u32>,
    #[component(name = "content-type")]
    content_type: Option<String>,
    #[component(name = "response-topic")]
    response_topic: Option<String>,
    #[component(name = "correlation-data")]
    correlation_data: Option<Vec<u8>>,
    #[component(name = "user-properties")]
    user_properties: Vec<Pair>,
}

impl From<Outgoing> for OutgoingMessage {
    fn from(message: Outgoing) -> Self {
        Self {
            topic: message.topic,
            payload: message.payload,
            qos: message.qos,
            retain: message.retain,
            message_expiry_interval: message.message_expiry_interval,
            content_type: message.content_type,
            response_topic: message.response_topic,
            correlation_data: message.correlation_data,
            user_properties: message.user_properties,
        }
    }
}

pub(super) fn publish(linker: &mut Linker<'_>) -> Result<()> {
    linker.func_wrap("publish", |store: Store<'_>, (message,): (Outgoing,)| {
        let state = store.data();
        told(state.blueprint.host.publish(message.into(), state.depth))
    })?;
    linker.func_wrap(
        "publish-to",
        |store: Store<'_>, (client_id, message): (String, Outgoing)| {
            let state = store.data();
            let host = &state.blueprint.host;
            told(host.publish_to(&client_id, message.into(), state.depth))
        },
    )
}

pub(super) fn disconnect(linker: &mut Linker<'_>) -> Result<()> {
    linker.func_wrap(
        "disconnect",
        |store: Store<'_>, (client_id, reason_code, reason): (String, u8, Option<String>)| {
            let host = &store.data().blueprint.host;
            let reason = reason.filter(|reason| !reason.is_empty());
            told(host.disconnect(&client_id, reason_code, reason.as_deref()))
        },
    )
}

/// `condition`.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Condition {
    #[component(name = "always")]
    Always,
    #[component(name = "absent")]
    Absent,
    #[component(name = "equals")]
    Equals(Vec<u8>),
}

pub(super) fn kv(linker: &mut Linker<'_>) -> Result<()> {
    linker.func_wrap("get", |store: Store<'_>, (key,): (String,)| {
        told(store.data().blueprint.host.kv_get(&key))
    })?;
    linker.func_wrap(
        "set",
        |store: Store<'_>,
         (key, value, expires, condition): (String, Vec<u8>, Option<u64>, Condition)| {
            let condition = match condition {
                Condition::Always => KvCondition::Always,
                Condition::Absent => KvCondition::Absent,
                Condition::Equals(value) => KvCondition::Equals(value),
            };
            let host = &store.data().blueprint.host;
            told(host.kv_set(&key, &value, expires.map(Duration::from_millis), condition))
        },
    )?;
    linker.func_wrap("delete", |store: Store<'_>, (key,): (String,)| {
        told(store.data().blueprint.host.kv_delete(&key))
    })?;
    linker.func_wrap(
        "add",
        |store: Store<'_>, (key, amount, expires): (String, i64, Option<u64>)| {
            let host = &store.data().blueprint.host;
            told(host.kv_add(&key, amount, expires.map(Duration::from_millis)))
        },
    )
}

pub(super) fn cache(linker: &mut Linker<'_>) -> Result<()> {
    fn count(
        store: &Store<'_>,
        how: impl FnOnce(&dyn Host) -> Result<usize, HostError>,
    ) -> Told<u64> {
        told(how(store.data().blueprint.host.as_ref()).map(|count| count as u64))
    }
    linker.func_wrap("invalidate", |store: Store<'_>, (tag,): (String,)| {
        count(&store, |host| host.invalidate(&tag))
    })?;
    linker.func_wrap("reauthorize", |store: Store<'_>, (tag,): (String,)| {
        count(&store, |host| host.reauthorize(&tag))
    })
}

pub(super) fn clock(linker: &mut Linker<'_>) -> Result<()> {
    let started = Instant::now();
    linker.func_wrap("now-ms", |_: Store<'_>, (): ()| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok((since.map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        }),))
    })?;
    linker.func_wrap("monotonic-ns", move |_: Store<'_>, (): ()| {
        Ok((u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),))
    })
}

pub(super) fn random(linker: &mut Linker<'_>) -> Result<()> {
    linker.func_wrap("bytes", |_: Store<'_>, (len,): (u32,)| {
        Ok((random_bytes(len.into())?,))
    })?;
    linker.func_wrap("number", |_: Store<'_>, (): ()| Ok((random_number()?,)))
}

/// As many random bytes of the operating system.
pub(super) fn random_bytes(len: u64) -> Result<Vec<u8>> {
    if len > MAX_RANDOM.into() {
        return Err(wasmtime::Error::new(Fault::answer(format!(
            "{len} random bytes at once, and at most {MAX_RANDOM} are given"
        ))));
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    getrandom::fill(&mut bytes).map_err(no_random)?;
    Ok(bytes)
}

/// The same as a number.
pub(super) fn random_number() -> Result<u64> {
    getrandom::u64().map_err(no_random)
}

fn no_random(error: getrandom::Error) -> wasmtime::Error {
    wasmtime::Error::msg(format!("the system has no random bytes: {error}"))
}
