//! The keys of a JWKS (RFC 7517) that signatures can be checked with.
//!
//! Each key has one algorithm, from its own `alg` or from its type. A token is checked with its key's algorithm and no other, so that
//! what a token says of its algorithm can be wrong but cannot choose: a public key is never a secret, and nothing is unsigned.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// Keys of one set at most.
pub const MAXIMUM_KEYS: usize = 256;

/// Bytes of a shared secret at least: those of its hash [RFC 7518, 3.2].
const SHORTEST_SECRET: usize = 32;

/// Bytes of an RSA modulus: 2 048 to 4 096 bits [RFC 7518, 3.3].
const RSA_MODULUS: std::ops::RangeInclusive<usize> = 256..=512;

/// Bytes of an RSA exponent at most.
const RSA_EXPONENT: usize = 8;

/// Bytes of a coordinate of P-256, and of a key of Ed25519.
const COORDINATE: usize = 32;

/// A key and what it checks.
pub struct Key {
    id: Option<Box<str>>,
    /// The only algorithm that it is for.
    pub algorithm: Algorithm,
    /// The key.
    pub key: DecodingKey,
}

/// A set of keys, at least one.
pub struct Keys(Vec<Key>);

/// An entry of the set. Members that are not named here do not matter [RFC 7517, 4].
#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Entry>,
}

impl Keys {
    /// Reads a set. Keys for anything but signatures, and of types that are not known here, are left out [RFC 7517, 5].
    ///
    /// # Errors
    /// It is no set; a key that it is for is malformed or too weak; two have one id; none is left.
    pub fn parse(json: &[u8]) -> Result<Self, KeysError> {
        let set: Set = serde_json::from_slice(json)?;
        if set.keys.len() > MAXIMUM_KEYS {
            return Err(KeysError::TooMany(set.keys.len()));
        }
        let mut keys = Vec::new();
        for (at, entry) in set.keys.into_iter().enumerate() {
            if let Some(key) = entry
                .into_key()
                .map_err(|why| KeysError::Key { at: at + 1, why })?
            {
                keys.push(key);
            }
        }
        let mut ids = HashSet::new();
        for id in keys.iter().filter_map(|key| key.id.as_deref()) {
            if !ids.insert(id) {
                return Err(KeysError::Twice(id.to_owned()));
            }
        }
        if keys.is_empty() {
            return Err(KeysError::None);
        }
        Ok(Self(keys))
    }

    /// The key that a token names. A token that names none means the only key, where there is only one.
    #[must_use]
    pub fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (id, &*self.0) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(_), keys) => keys.iter().find(|key| key.id.as_deref() == id),
        }
    }
}

impl Entry {
    fn into_key(self) -> Result<Option<Key>, &'static str> {
        let for_signatures = self
            .purpose
            .as_deref()
            .is_none_or(|purpose| purpose == "sig")
            && self
                .key_ops
                .as_ref()
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let natural = match (self.kty.as_str(), self.crv.as_deref()) {
            ("oct", _) => Algorithm::HS256,
            ("RSA", _) => Algorithm::RS256,
            ("EC", Some("P-256")) => Algorithm::ES256,
            ("OKP", Some("Ed25519")) => Algorithm::EdDSA,
            _ => return Ok(None),
        };
        let is_natural = match self.alg.as_deref() {
            None => true,
            // RFC 9864 names the curve.
            Some("Ed25519") => natural == Algorithm::EdDSA,
            Some(name) => name.parse() == Ok(natural),
        };
        if !for_signatures || !is_natural {
            return Ok(None);
        }
        let key = match natural {
            Algorithm::HS256 => DecodingKey::from_secret(&self.secret()?),
            Algorithm::RS256 => {
                let (modulus, exponent) = self.rsa()?;
                DecodingKey::from_rsa_raw_components(&modulus, &exponent)
            }
            Algorithm::ES256 => {
                let (x, y) = (coordinate(&self.x)?, coordinate(&self.y)?);
                DecodingKey::from_ec_components(
                    &URL_SAFE_NO_PAD.encode(x),
                    &URL_SAFE_NO_PAD.encode(y),
                )
                .map_err(|_| "its coordinates are not those of a point")?
            }
            _ => DecodingKey::from_ed_der(&coordinate(&self.x)?),
        };
        Ok(Some(Key {
            id: self.kid.map(String::into_boxed_str),
            algorithm: natural,
            key,
        }))
    }

    fn secret(&self) -> Result<Vec<u8>, &'static str> {
        let secret = decoded(&self.k)?;
        if secret.len() < SHORTEST_SECRET {
            return Err("its secret has less than 32 bytes");
        }
        Ok(secret)
    }

    fn rsa(&self) -> Result<(Vec<u8>, Vec<u8>), &'static str> {
        let (mut modulus, exponent) = (decoded(&self.n)?, decoded(&self.e)?);
        // Some write the sign's zero byte along.
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        modulus.drain(..zeros);
        if !RSA_MODULUS.contains(&modulus.len()) {
            return Err("its modulus has not 2048 to 4096 bits");
        }
        if exponent.is_empty() || exponent.len() > RSA_EXPONENT {
            return Err("its exponent has not 1 to 8 bytes");
        }
        Ok((modulus, exponent))
    }
}

fn decoded(member: &Option<String>) -> Result<Vec<u8>, &'static str> {
    let text = member.as_deref().ok_or("a member of its type is missing")?;
    // Padding is wrong [RFC 7515, 2], and frequent.
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| "a member of it is not base64url")
}

fn coordinate(member: &Option<String>) -> Result<Vec<u8>, &'static str> {
    let bytes = decoded(member)?;
    if bytes.len() != COORDINATE {
        return Err("a coordinate of it has not 32 bytes");
    }
    Ok(bytes)
}

/// Why a set is refused.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It has not the form of a set.
    #[error("it is no JWKS: {0}")]
    Form(#[from] serde_json::Error),
    /// A key is not usable.
    #[error("key {at}: {why}")]
    Key {
        /// Which one, from 1.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// Two keys have one id.
    #[error("two keys have the kid \"{0}\"")]
    Twice(String),
    /// There are more than are looked at.
    #[error("it has {0} keys, at most {MAXIMUM_KEYS} fit")]
    TooMany(usize),
    /// There is nothing to check a token with.
    #[error("it has no key for HS256, RS256, ES256 or EdDSA")]
    None,
}
