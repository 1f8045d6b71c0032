//! Password hashes: argon2, bcrypt, and the PBKDF2 of mosquitto's password files. No clock, no Lua.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha512;
use subtle::ConstantTimeEq as _;

/// Bounds on what a hash may ask of the machine; a hash is data and may come from anywhere.
const MAX_ARGON2_KIB: u32 = 256 * 1024;
const MAX_ARGON2_PASSES: u32 = 32;
const MAX_BCRYPT_COST: u32 = 15;
const MAX_PBKDF2_ROUNDS: u32 = 2_000_000;

/// Whether the password fits the hash.
///
/// # Errors
/// A hash of an unknown kind, malformed, or asking for too much.
pub(crate) fn verify(password: &[u8], hash: &str) -> Result<bool, String> {
    if hash.starts_with("$argon2") {
        argon2(password, hash)
    } else if ["$2a$", "$2b$", "$2x$", "$2y$"]
        .iter()
        .any(|kind| hash.starts_with(kind))
    {
        bcrypt(password, hash)
    } else if let Some(parts) = hash.strip_prefix("$7$") {
        pbkdf2(password, parts)
    } else {
        Err("unknown kind of hash; known are $argon2id$, $argon2i$, $argon2d$, $2b$ (bcrypt) and $7$ (mosquitto_passwd)".into())
    }
}

fn argon2(password: &[u8], hash: &str) -> Result<bool, String> {
    use argon2::password_hash::{Error, PasswordVerifier as _, phc::PasswordHash};
    let malformed = |error| format!("not an argon2 hash: {error}");
    let parsed = PasswordHash::new(hash).map_err(|error| malformed(error.to_string()))?;
    let params = argon2::Params::try_from(&parsed).map_err(|error| malformed(error.to_string()))?;
    if params.m_cost() > MAX_ARGON2_KIB || params.t_cost() > MAX_ARGON2_PASSES {
        return Err(format!(
            "the hash asks for too much: at most m={MAX_ARGON2_KIB} and t={MAX_ARGON2_PASSES}"
        ));
    }
    match argon2::Argon2::default().verify_password(password, &parsed) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(malformed(error.to_string())),
    }
}

fn bcrypt(password: &[u8], hash: &str) -> Result<bool, String> {
    let cost = hash.get(4..6).and_then(|cost| cost.parse::<u32>().ok());
    if cost.is_none_or(|cost| cost > MAX_BCRYPT_COST) {
        return Err(format!(
            "the bcrypt cost must be a number up to {MAX_BCRYPT_COST}"
        ));
    }
    bcrypt::verify(password, hash).map_err(|error| format!("not a bcrypt hash: {error}"))
}

/// `rounds$salt$hash`, as mosquitto_passwd 2 writes it: PBKDF2-HMAC-SHA512, 64 bytes.
fn pbkdf2(password: &[u8], parts: &str) -> Result<bool, String> {
    let malformed = || "not a hash of mosquitto_passwd: $7$rounds$salt$hash".to_owned();
    let mut parts = parts.split('$');
    let (Some(rounds), Some(salt), Some(hash), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed());
    };
    let rounds: u32 = rounds.parse().map_err(|_| malformed())?;
    if rounds == 0 || rounds > MAX_PBKDF2_ROUNDS {
        return Err(format!("rounds must be from 1 to {MAX_PBKDF2_ROUNDS}"));
    }
    let salt = STANDARD.decode(salt).map_err(|_| malformed())?;
    let expected = STANDARD.decode(hash).map_err(|_| malformed())?;
    let keyed = Hmac::<Sha512>::new_from_slice(password).map_err(|_| malformed())?;
    let mut first = keyed.clone();
    first.update(&salt);
    first.update(&1u32.to_be_bytes());
    let mut last = first.finalize().into_bytes();
    let mut result = last;
    for _ in 1..rounds {
        let mut next = keyed.clone();
        next.update(&last);
        last = next.finalize().into_bytes();
        for (sum, part) in result.iter_mut().zip(&last) {
            *sum ^= part;
        }
    }
    Ok(result.as_slice().ct_eq(&expected).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_hash_accepts_its_password_and_no_other() {
        for hash in [
            // argon2id, "password", from the reference implementation's test vectors.
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie",
        ] {
            let right: &[u8] = if hash.starts_with("$argon2") {
                b"password"
            } else {
                b"correctbatteryhorsestapler"
            };
            assert_eq!(verify(right, hash), Ok(true), "{hash}");
            assert_eq!(verify(b"wrong", hash), Ok(false), "{hash}");
        }
    }

    #[test]
    fn mosquitto_hashes_are_pbkdf2() {
        // Python: hashlib.pbkdf2_hmac("sha512", b"secret", b"saltsaltsalt", 101).
        assert!(verify(b"secret", "$7$101$c2FsdHNhbHRzYWx0$?").is_err());
        assert_eq!(verify(b"secret", MOSQUITTO), Ok(true));
        assert_eq!(verify(b"Secret", MOSQUITTO), Ok(false));
    }

    const MOSQUITTO: &str = "$7$101$c2FsdHNhbHRzYWx0$Hd71hnNoKcARd6Fkl1rUE+opfs3V78ZJB2AgXXC1kaKQiWfi5S5qX7D1mY5b+bIzvyidWMnS8VA+YAsAygq9EA==";

    #[test]
    fn greedy_and_unknown_hashes_are_errors() {
        assert!(verify(b"x", "plain").is_err());
        assert!(
            verify(
                b"x",
                "$2b$31$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie"
            )
            .is_err()
        );
        assert!(verify(b"x", "$7$4000000000$c2FsdA==$c2FsdA==").is_err());
        assert!(
            verify(
                b"x",
                "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
            )
            .is_err()
        );
    }
}
