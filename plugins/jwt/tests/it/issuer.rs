//! Who issues the tokens of the tests: one key of each kind, made when first asked for.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

pub(crate) const SECRET: &[u8; 32] = b"a secret of the tests, 32 bytes!";

/// The algorithms, with the ids of their keys.
pub(crate) const ALL: [(&str, Algorithm); 4] = [
    ("hs", Algorithm::HS256),
    ("rs", Algorithm::RS256),
    ("es", Algorithm::ES256),
    ("ed", Algorithm::EdDSA),
];

fn rsa() -> &'static rsa::RsaPrivateKey {
    static KEY: OnceLock<rsa::RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap())
}

fn ec(seed: u8) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn ed(seed: u8) -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What an attacker knows of the RSA key: its public half, as DER and as the modulus alone.
pub(crate) fn rsa_public() -> [Vec<u8>; 2] {
    use rsa::pkcs1::EncodeRsaPublicKey as _;
    let public = rsa().to_public_key();
    [
        public.to_pkcs1_der().unwrap().as_bytes().to_vec(),
        public.n().to_bytes_be(),
    ]
}

/// The other half of the P-256 key, as an attacker knows it.
pub(crate) fn ec_public() -> Vec<u8> {
    ec(1)
        .verifying_key()
        .to_encoded_point(false)
        .as_bytes()
        .to_vec()
}

/// A key that signs.
pub(crate) fn private(id: &str) -> EncodingKey {
    match id {
        "hs" => EncodingKey::from_secret(SECRET),
        "rs" => EncodingKey::from_rsa_der(rsa().to_pkcs1_der().unwrap().as_bytes()),
        "es" => EncodingKey::from_ec_der(ec(1).to_pkcs8_der().unwrap().as_bytes()),
        "es other" => EncodingKey::from_ec_der(ec(2).to_pkcs8_der().unwrap().as_bytes()),
        "ed" => EncodingKey::from_ed_der(ed(1).to_pkcs8_der().unwrap().as_bytes()),
        other => panic!("no key {other}"),
    }
}

/// A key as the set has it.
pub(crate) fn public(id: &str) -> Value {
    let point = |seed| {
        let point = ec(seed).verifying_key().to_encoded_point(false);
        (b64(point.x().unwrap()), b64(point.y().unwrap()))
    };
    match id {
        "hs" => json!({"kid": id, "kty": "oct", "k": b64(SECRET)}),
        "rs" => json!({
            "kid": id, "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": b64(rsa().n().to_bytes_be()), "e": b64(rsa().e().to_bytes_be()),
        }),
        "es" | "es other" => {
            let (x, y) = point(if id == "es" { 1 } else { 2 });
            json!({"kid": id, "kty": "EC", "crv": "P-256", "x": x, "y": y})
        }
        "ed" => json!({
            "kid": id, "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "key_ops": ["verify"],
            "x": b64(ed(1).verifying_key().as_bytes()),
        }),
        other => panic!("no key {other}"),
    }
}

/// A set of these keys.
pub(crate) fn set(ids: &[&str]) -> String {
    let keys: Vec<Value> = ids.iter().map(|id| public(id)).collect();
    json!({ "keys": keys }).to_string()
}

pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Good claims of ann, for a minute.
pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://issuer.test",
        "aud": ["hookmq", "other"],
        "sub": "ann",
        "exp": now() + 60,
        "nbf": now(),
        "topics": {"publish": ["devices/%c/#", "users/%u"], "subscribe": ["news/#"]},
    })
}

/// Good claims with others in their place; null takes one away.
pub(crate) fn claims_with(others: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in others.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    claims
}

pub(crate) fn header(algorithm: Algorithm, id: &str) -> Header {
    Header {
        kid: Some(id.to_owned()),
        ..Header::new(algorithm)
    }
}

/// A token, signed as its key is meant to.
pub(crate) fn token(id: &str, claims: &Value) -> String {
    let (_, algorithm) = ALL
        .into_iter()
        .find(|(known, _)| id.starts_with(known))
        .unwrap();
    encode(&header(algorithm, id), claims, &private(id)).unwrap()
}

/// A token with any header and any signature.
pub(crate) fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    format!(
        "{}.{}.{}",
        b64(header.to_string()),
        b64(claims.to_string()),
        b64(signature)
    )
}
