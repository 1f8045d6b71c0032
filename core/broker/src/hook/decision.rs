//! What the plugins decided together, and the words that explain a refusal.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use hookmq_plugin_api::{Hook, PluginError, Refusal, VerdictKind};

/// Reason Code 0x83, Implementation specific error: what a client is told when a plugin's failure counts as a refusal.
pub const IMPLEMENTATION_SPECIFIC_ERROR: u8 = 0x83;

/// The outcome of a gate or filter. Only what the catalogue lets the hook answer can come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// No plugin had an opinion.
    Pass,
    /// Gates only: at least one allowed it and none refused.
    Accept,
    /// Acknowledge, do not route; counts as dropped.
    Drop(Box<Explained>),
    /// Acknowledge, do not route; counts as consumed.
    Consume(Box<Explained>),
    /// Refuse.
    Deny(Box<Explained>),
    /// Refuse and end the Network Connection.
    Disconnect(Box<Explained>),
}

impl Decision {
    /// Which word it is.
    #[must_use]
    pub const fn kind(&self) -> VerdictKind {
        match self {
            Self::Pass => VerdictKind::Pass,
            Self::Accept => VerdictKind::Accept,
            Self::Drop(_) => VerdictKind::Drop,
            Self::Consume(_) => VerdictKind::Consume,
            Self::Deny(_) => VerdictKind::Deny,
            Self::Disconnect(_) => VerdictKind::Disconnect,
        }
    }

    /// Who ended the chain and why; `None` for pass and accept.
    #[must_use]
    pub const fn explained(&self) -> Option<&Explained> {
        match self {
            Self::Pass | Self::Accept => None,
            Self::Drop(why) | Self::Consume(why) | Self::Deny(why) | Self::Disconnect(why) => {
                Some(why)
            }
        }
    }
}

/// Which plugin refused, at which hook, where in its source, and why.
///
/// `Display` is one line for the log: `plugin auth, authorize_publish, auth.lua:12: not your topic (0x87)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// The hook.
    pub hook: Hook,
    /// What the client may be told. Of a failure it is 0x83 without words: those are for the log alone.
    pub refusal: Refusal,
    /// The failure, if the refusal is none of the plugin's own.
    pub error: Option<PluginError>,
}

impl Explained {
    /// The Reason Code that the plugin chose, or the hook's usual one where it left the choice to the broker.
    #[must_use]
    pub const fn reason_code_or(&self, usual: u8) -> u8 {
        if self.refusal.reason_code == 0 {
            usual
        } else {
            self.refusal.reason_code
        }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "plugin {}, {}", self.plugin, self.hook.name())?;
        if let Some(place) = &self.refusal.place {
            write!(out, ", {}", OneLine(place))?;
        }
        match (&self.error, &self.refusal.reason_string) {
            (Some(error), _) => write!(
                out,
                ": failed, {}: {}",
                error.cause.name(),
                OneLine(&error.message)
            )?,
            (None, Some(reason)) => write!(out, ": {}", OneLine(reason))?,
            (None, None) => {}
        }
        match self.refusal.reason_code {
            0 => Ok(()),
            code => write!(out, " (0x{code:02X})"),
        }
    }
}

/// Text of a plugin, and through it perhaps of a client, that cannot begin a new line in a log or move a terminal's cursor.
pub(super) struct OneLine<'a>(pub(super) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(out, "{}", character.escape_default())?;
            } else {
                out.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookmq_plugin_api::Cause;

    #[test]
    fn a_refusal_reads_as_one_line() {
        let mut why = Explained {
            plugin: "auth".into(),
            hook: Hook::AuthorizePublish,
            refusal: Refusal {
                place: Some("auth.lua:12".into()),
                ..Refusal::new(0x87, "not your topic:\nroot\u{1b}[2J")
            },
            error: None,
        };
        assert_eq!(
            why.to_string(),
            "plugin auth, authorize_publish, auth.lua:12: not your topic:\\nroot\\u{1b}[2J (0x87)"
        );
        why.refusal = Refusal::default();
        assert_eq!(why.to_string(), "plugin auth, authorize_publish");
        assert_eq!(why.reason_code_or(0x87), 0x87);
        why.refusal.reason_code = IMPLEMENTATION_SPECIFIC_ERROR;
        why.error = Some(PluginError::new(Cause::Timeout, "over 50 ms"));
        assert_eq!(
            why.to_string(),
            "plugin auth, authorize_publish: failed, timeout: over 50 ms (0x83)"
        );
        assert_eq!(why.reason_code_or(0x87), 0x83);
    }
}
