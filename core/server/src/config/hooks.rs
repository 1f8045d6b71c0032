//! `[hooks]`: the hook engine's rules and limits.

use std::time::Duration;

use hookmq_broker::hook::{BreakerSettings, HookSettings, KvSettings, NoticeSettings};

use super::form::{Choice, Flag, Size, Span, Whole};
use super::reader::Section;
use super::session::size;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hooks {
    /// Whether a gate that every plugin passes means accept.
    pub(super) accept_by_default: bool,
    /// Whether MQTT 5 clients are told plugins' reasons.
    pub(super) tell_reasons: bool,
    pub(super) engine: HookSettings,
}

/// `default` is what the broker's own settings say.
pub(super) fn read(section: &mut Section<'_>, default: Hooks) -> Hooks {
    Hooks {
        accept_by_default: section.get(
            "default",
            &Choice(&[("deny", false), ("accept", true)]),
            default.accept_by_default,
        ),
        tell_reasons: section.get("tell_reasons", &Flag, default.tell_reasons),
        engine: HookSettings {
            notices: section.section("notices", |section| {
                notices(section, default.engine.notices)
            }),
            breaker: section.section("breaker", |section| {
                breaker(section, default.engine.breaker)
            }),
            kv: section.section("kv", |section| kv(section, default.engine.kv)),
        },
    }
}

fn notices(section: &mut Section<'_>, default: NoticeSettings) -> NoticeSettings {
    NoticeSettings {
        n_notices: section.get("maximum_notices", &Whole(1..=usize::MAX), default.n_notices),
        bytes: size(
            section,
            "maximum_bytes",
            &Size(1024..=u64::MAX),
            default.bytes,
        ),
    }
}

fn breaker(section: &mut Section<'_>, default: BreakerSettings) -> BreakerSettings {
    BreakerSettings {
        failures: section.get("failures", &Whole(1..=u32::MAX), default.failures),
        open_for: section.get(
            "open_for",
            &Span(Duration::from_millis(1)..=Duration::from_secs(86_400)),
            default.open_for,
        ),
    }
}

fn kv(section: &mut Section<'_>, default: KvSettings) -> KvSettings {
    let bytes = Size(0..=u64::MAX);
    KvSettings {
        n_entries: section.get("maximum_entries", &Whole(0..=usize::MAX), default.n_entries),
        bytes: size(section, "maximum_bytes", &bytes, default.bytes),
        key_bytes: size(section, "maximum_key_bytes", &bytes, default.key_bytes),
        value_bytes: size(section, "maximum_value_bytes", &bytes, default.value_bytes),
    }
}
