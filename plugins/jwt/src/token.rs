//! A token, checked: its form, its key, its signature, its time, and whom it is from and for.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::config::Config;
use crate::keys::Keys;

/// What a good token says.
#[derive(Debug)]
pub struct Claims {
    all: Map<String, Value>,
}

impl Claims {
    /// Checks a token.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn of(token: &[u8], keys: &Keys, config: &Config) -> Result<Self, TokenError> {
        if token.len() > config.max_token {
            return Err(TokenError::TooLong(config.max_token));
        }
        // What the header says is not trusted: it names a key, and the key says how it is used.
        let header = decode_header(token).map_err(|_| TokenError::Form)?;
        if header.crit.is_some() {
            // None is understood here [RFC 7515, 4.1.11].
            return Err(TokenError::Critical);
        }
        let key = keys
            .find(header.kid.as_deref())
            .ok_or(TokenError::UnknownKey)?;
        if header.alg != key.algorithm {
            return Err(TokenError::Algorithm);
        }
        let mut validation = Validation::new(key.algorithm);
        validation.leeway = config.leeway;
        validation.validate_nbf = true;
        let mut required = vec!["exp"];
        if !config.issuer.all().is_empty() {
            validation.set_issuer(config.issuer.all());
            required.push("iss");
        }
        if !config.audience.all().is_empty() {
            validation.set_audience(config.audience.all());
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        let token = decode(token, &key.key, &validation).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => TokenError::Expired,
            ErrorKind::ImmatureSignature => TokenError::NotYet,
            ErrorKind::InvalidIssuer => TokenError::Issuer,
            ErrorKind::InvalidAudience => TokenError::Audience,
            ErrorKind::MissingRequiredClaim(claim) => TokenError::Claim(claim.clone()),
            ErrorKind::InvalidClaimFormat(claim) => TokenError::Claim(claim.clone()),
            ErrorKind::InvalidSignature => TokenError::Signature,
            _ => TokenError::Form,
        })?;
        Ok(Self { all: token.claims })
    }

    /// A claim.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }

    /// A claim that is a text and not empty.
    ///
    /// # Errors
    /// It is not there, or something else.
    pub fn text(&self, name: &str) -> Result<&str, TokenError> {
        self.get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| TokenError::Claim(name.to_owned()))
    }

    /// When the token expires, in milliseconds since 1970; leeway not included.
    #[must_use]
    pub fn expires_ms(&self) -> u64 {
        // It was checked to be there, as a number of seconds; one with a fraction is cut, which is on the safe side.
        let exp = self.get("exp");
        let seconds = exp
            .and_then(Value::as_u64)
            .or_else(|| exp.and_then(Value::as_f64).map(|seconds| seconds as u64));
        seconds.unwrap_or(0).saturating_mul(1_000)
    }
}

/// What is wrong with a token. The client is told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is longer than is looked at.
    #[error("the token has more than {0} bytes")]
    TooLong(usize),
    /// It is not three parts with a known header and claims.
    #[error("the password is no signed token")]
    Form,
    /// Its header wants something that is not known here.
    #[error("the token's header has crit, of which nothing is known")]
    Critical,
    /// It names no key, or one that there is not.
    #[error("the token's key is not known")]
    UnknownKey,
    /// Its key is for another algorithm.
    #[error("the token's algorithm is not its key's")]
    Algorithm,
    /// It was not signed with its key.
    #[error("the token's signature is not right")]
    Signature,
    /// `exp` is over.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is still to come.
    #[error("the token is not valid yet")]
    NotYet,
    /// `iss` is somebody else.
    #[error("the token's issuer is not taken here")]
    Issuer,
    /// `aud` is somebody else.
    #[error("the token is not for this broker")]
    Audience,
    /// A claim that it must have is missing or of another type.
    #[error("the token's claim \"{0}\" is missing or wrong")]
    Claim(String),
}
