//! `[plugin.config]`: which tokens are taken, and how much is remembered.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Bytes of a token unless the configuration says otherwise.
const MAXIMUM_TOKEN: usize = 8 * 1024;

/// Bytes that the password of a CONNECT can have.
const MAXIMUM_PASSWORD: usize = 65_535;

/// The longest leeway, in seconds: more is no difference of clocks.
const MAXIMUM_LEEWAY: u64 = 300;

/// What the section says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file with the keys.
    pub jwks: PathBuf,
    /// Who may have issued a token; empty: anyone whose key is in the file.
    #[serde(default)]
    pub issuer: OneOrMany,
    /// For whom a token may be; empty: only tokens that do not say.
    #[serde(default)]
    pub audience: OneOrMany,
    /// Seconds that `exp` and `nbf` may be off.
    #[serde(default = "leeway")]
    pub leeway: u64,
    /// Bytes of a token at most.
    #[serde(default = "max_token")]
    pub max_token: usize,
    /// The claim that is the user name; empty: none is.
    #[serde(default = "username_claim")]
    pub username_claim: String,
    /// The claim that the client id must equal; empty: any will do.
    #[serde(default)]
    pub client_id_claim: String,
    /// The claim with the topics.
    #[serde(default = "topics_claim")]
    pub topics_claim: String,
    /// Logins remembered at once.
    #[serde(default = "max_clients")]
    pub max_clients: usize,
    /// Seconds that the broker may decide by an answer without asking again.
    #[serde(default = "keep")]
    pub keep: u64,
}

/// A text, or a list of them.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// Not said.
    #[default]
    None,
    /// One.
    One(String),
    /// Some.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[String] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Config {
    /// Reads the section, as JSON.
    ///
    /// # Errors
    /// What is wrong, with the key.
    pub fn parse(json: &str) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_str(json)?;
        let within = |key, value, maximum| {
            if value <= maximum {
                Ok(())
            } else {
                Err(ConfigError::TooLarge {
                    key,
                    value,
                    maximum,
                })
            }
        };
        within("leeway", config.leeway, MAXIMUM_LEEWAY)?;
        within(
            "max_token",
            config.max_token as u64,
            MAXIMUM_PASSWORD as u64,
        )?;
        if config.topics_claim.is_empty() {
            return Err(ConfigError::Empty("topics_claim"));
        }
        Ok(config)
    }

    /// For how long an answer may be kept.
    #[must_use]
    pub const fn keep(&self) -> Duration {
        Duration::from_secs(self.keep)
    }
}

/// Why the section is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It does not have the form; the message names the key.
    #[error("{0}")]
    Form(#[from] serde_json::Error),
    /// A figure is out of its range.
    #[error("{key} = {value}: at most {maximum}")]
    TooLarge {
        /// Its key.
        key: &'static str,
        /// What stands there.
        value: u64,
        /// What may.
        maximum: u64,
    },
    /// A text must not be empty.
    #[error("{0} is empty")]
    Empty(&'static str),
}

const fn leeway() -> u64 {
    30
}

const fn max_token() -> usize {
    MAXIMUM_TOKEN
}

fn username_claim() -> String {
    "sub".to_owned()
}

fn topics_claim() -> String {
    "topics".to_owned()
}

const fn max_clients() -> usize {
    100_000
}

const fn keep() -> u64 {
    60
}
