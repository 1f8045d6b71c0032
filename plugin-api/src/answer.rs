//! What a plugin answers: a verdict in words, and the changes that travel with it.

use crate::field::Field;
use crate::value::Owned;

/// A verdict and the changes that go with it. Nothing of it is applied unless all of it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What shall happen.
    pub verdict: Verdict,
    /// New values of fields that the catalogue lets this hook change. Each field at most once; the last one counts.
    pub changes: Vec<(Field, Owned)>,
}

impl Answer {
    /// Abstain: the next plugin is asked, and the default applies at the end.
    pub const PASS: Self = Self {
        verdict: Verdict::Pass,
        changes: Vec::new(),
    };

    /// Abstain, with changes.
    #[must_use]
    pub const fn pass_with(changes: Vec<(Field, Owned)>) -> Self {
        Self {
            verdict: Verdict::Pass,
            changes,
        }
    }
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            changes: Vec::new(),
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
