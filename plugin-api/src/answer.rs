//! What a plugin answers: a verdict in words, the changes that travel with it, and for how long it holds.

use std::time::Duration;

use crate::field::Field;
use crate::value::Owned;

/// A verdict and the changes that go with it. Nothing of it is applied unless all of it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What shall happen.
    pub verdict: Verdict,
    /// New values of fields that the catalogue lets this hook change. Each field at most once; the last one counts.
    pub changes: Vec<(Field, Owned)>,
    /// Whether the broker may decide like events by this answer, see [`Keep`].
    pub keep: Option<Box<Keep>>,
}

impl Answer {
    /// Abstain: the next plugin is asked, and the default applies at the end.
    pub const PASS: Self = Self {
        verdict: Verdict::Pass,
        changes: Vec::new(),
        keep: None,
    };

    /// Abstain, with changes.
    #[must_use]
    pub const fn pass_with(changes: Vec<(Field, Owned)>) -> Self {
        Self {
            verdict: Verdict::Pass,
            changes,
            keep: None,
        }
    }

    /// Whether it is [`Answer::PASS`] and holds no memory.
    #[must_use]
    #[inline]
    pub fn is_plain_pass(&self) -> bool {
        matches!(self.verdict, Verdict::Pass) && self.changes.capacity() == 0 && self.keep.is_none()
    }

    /// The same answer, which the broker may keep.
    #[must_use]
    pub fn kept(mut self, keep: Keep) -> Self {
        self.keep = Some(Box::new(keep));
        self
    }
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            changes: Vec::new(),
            keep: None,
        }
    }
}

/// Lets the broker decide without calling: for as long as an answer is kept, events that are the same in every field that the handler
/// declared (and in every other one that it read) get this answer, with its changes, and the plugin is not entered.
///
/// Only an accept or a deny of a hook whose row in the catalogue says [`crate::HookSpec::keeps`] may carry it; anywhere else the answer
/// is wrong ([`crate::Cause::Answer`]). Whatever else the handler decided from (a file, the time, the key-value map) is its own promise,
/// for the time that it says here. A plugin that is reloaded begins with nothing kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keep {
    /// For how long at most; the broker may forget earlier. Zero keeps nothing: then only the tags count.
    pub ttl: Duration,
    /// Names for what the answer depends on, like `user:alice`, the same ones for all plugins. [`crate::Host::invalidate`] forgets every
    /// answer with a tag; [`crate::Host::reauthorize`] also asks again about every subscription that was allowed with it. At most
    /// [`Keep::MAXIMUM_TAGS`], each of 1 to [`Keep::MAXIMUM_TAG`] bytes.
    pub tags: Vec<Box<str>>,
}

impl Keep {
    /// Tags of one answer at most.
    pub const MAXIMUM_TAGS: usize = 16;

    /// Bytes of one tag at most.
    pub const MAXIMUM_TAG: usize = 256;

    /// For this long, without tags.
    #[must_use]
    pub const fn lasting(ttl: Duration) -> Self {
        Self {
            ttl,
            tags: Vec::new(),
        }
    }

    /// With one more tag.
    #[must_use]
    pub fn tagged(mut self, tag: &str) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Whether the broker takes it.
    ///
    /// # Errors
    /// What is wrong with its tags, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.tags.len() > Self::MAXIMUM_TAGS {
            return Err(format!(
                "{} tags, at most {} fit",
                self.tags.len(),
                Self::MAXIMUM_TAGS
            ));
        }
        self.tags.iter().try_for_each(|tag| Self::check_tag(tag))
    }

    /// Whether this can be a tag.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check_tag(tag: &str) -> Result<(), String> {
        match tag.len() {
            0 => Err("a tag is empty".to_owned()),
            len if len > Self::MAXIMUM_TAG => Err(format!(
                "a tag has {len} bytes, at most {} fit",
                Self::MAXIMUM_TAG
            )),
            _ => Ok(()),
        }
    }
}

/// The decision of one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No opinion.
    Pass,
    /// Allowed by this plugin; another plugin's deny still wins.
    Accept,
    /// Refused.
    Deny(Box<Refusal>),
    /// Acknowledge, do not route; counted as dropped.
    Drop(Option<Box<Refusal>>),
    /// Acknowledge, do not route; counted as consumed by the plugin.
    Consume,
    /// Refuse and end the Network Connection of the client whose packet this is.
    Disconnect(Box<Refusal>),
}

impl Verdict {
    /// Refuse with a Reason Code and a Reason String.
    #[must_use]
    pub fn deny(reason_code: u8, reason_string: &str) -> Self {
        Self::Deny(Box::new(Refusal::new(reason_code, reason_string)))
    }

    /// Refuse and disconnect with a Reason Code and a Reason String.
    #[must_use]
    pub fn disconnect(reason_code: u8, reason_string: &str) -> Self {
        Self::Disconnect(Box::new(Refusal::new(reason_code, reason_string)))
    }

    /// Which word it is.
    #[must_use]
    pub const fn kind(&self) -> VerdictKind {
        match self {
            Self::Pass => VerdictKind::Pass,
            Self::Accept => VerdictKind::Accept,
            Self::Deny(_) => VerdictKind::Deny,
            Self::Drop(_) => VerdictKind::Drop,
            Self::Consume => VerdictKind::Consume,
            Self::Disconnect(_) => VerdictKind::Disconnect,
        }
    }
}

/// Why a plugin refused, and what the client may be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// The Reason Code for the client; 0 lets the broker choose the hook's usual one (0x87 Not authorized).
    pub reason_code: u8,
    /// Why, in words. Always logged; sent to MQTT 5 clients only where the operator allows it.
    pub reason_string: Option<Box<str>>,
    /// User Properties of the answering packet.
    pub user_properties: Vec<(String, String)>,
    /// Another server for the client to use (CONNACK and DISCONNECT).
    pub server_reference: Option<Box<str>>,
    /// Where in the plugin's source, e.g. `auth.lua:12`.
    pub place: Option<Box<str>>,
}

impl Refusal {
    /// With a code and a text, nothing else.
    #[must_use]
    pub fn new(reason_code: u8, reason_string: &str) -> Self {
        Self {
            reason_code,
            reason_string: (!reason_string.is_empty()).then(|| reason_string.into()),
            ..Self::default()
        }
    }
}

/// The words of [`Verdict`], for tables, metrics and docs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VerdictKind {
    /// [`Verdict::Pass`].
    Pass,
    /// [`Verdict::Accept`].
    Accept,
    /// [`Verdict::Deny`].
    Deny,
    /// [`Verdict::Drop`].
    Drop,
    /// [`Verdict::Consume`].
    Consume,
    /// [`Verdict::Disconnect`].
    Disconnect,
}

impl VerdictKind {
    /// All words, in order.
    pub const ALL: [Self; 6] = [
        Self::Pass,
        Self::Accept,
        Self::Deny,
        Self::Drop,
        Self::Consume,
        Self::Disconnect,
    ];

    /// The word itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Accept => "accept",
            Self::Deny => "deny",
            Self::Drop => "drop",
            Self::Consume => "consume",
            Self::Disconnect => "disconnect",
        }
    }
}
