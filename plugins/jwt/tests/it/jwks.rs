//! The file of keys: what is refused at load, and what happens when it changes.

use hookmq_plugin_api::VerdictKind;
use hookmq_plugin_api::sdk::Create;
use jwt::Jwt;
use serde_json::{Value, json};

use crate::issuer::{self, b64, claims, set, token};
use crate::setup::{Setup, connect};

fn comes_in(setup: &Setup, id: &str) -> bool {
    let answer = setup.login(&connect(token(id, &claims())));
    answer.verdict.kind() == VerdictKind::Accept
}

#[test]
fn keys_that_cannot_be_used_are_told_at_load() {
    let with = |id: &str, member: &str, value: Value| {
        let mut key = issuer::public(id);
        key[member] = value;
        json!({ "keys": [key] }).to_string()
    };
    let many = json!({"keys": vec![json!({"kty": "EC"}); 257]}).to_string();
    let nested = format!(
        "{{\"keys\": [{{\"kty\": \"oct\", \"x5c\": {}",
        "[".repeat(100_000)
    );
    for (file, expected) in [
        ("", "it is no JWKS: EOF"),
        ("\0\u{fffd}", "it is no JWKS"),
        ("[]", "it is no JWKS"),
        ("{}", "it is no JWKS: missing field `keys`"),
        (&nested, "it is no JWKS: "),
        (r#"{"keys": [{}]}"#, "missing field `kty`"),
        (
            r#"{"keys": []}"#,
            "it has no key for HS256, RS256, ES256 or EdDSA",
        ),
        (
            r#"{"keys": [{"kty": "oct"}]}"#,
            "key 1: a member of its type is missing",
        ),
        (
            r#"{"keys": [{"kty": "EC", "crv": "P-521"}]}"#,
            "it has no key for",
        ),
        (
            &with("hs", "k", json!(b64([7; 31]))),
            "key 1: its secret has less than 32 bytes",
        ),
        (
            &with("hs", "k", json!("§")),
            "key 1: a member of it is not base64url",
        ),
        (&with("hs", "alg", json!("none")), "it has no key for"),
        (&with("hs", "alg", json!("RS256")), "it has no key for"),
        (&with("rs", "alg", json!("HS256")), "it has no key for"),
        (&with("rs", "alg", json!("RSA-OAEP")), "it has no key for"),
        (&with("rs", "use", json!("enc")), "it has no key for"),
        (&with("ed", "key_ops", json!(["sign"])), "it has no key for"),
        (
            &with("rs", "n", json!(b64([9; 128]))),
            "key 1: its modulus has not 2048 to 4096 bits",
        ),
        (
            &with("rs", "n", json!(b64([9; 1024]))),
            "key 1: its modulus has not 2048 to 4096 bits",
        ),
        (
            &with("rs", "e", json!(b64([9; 9]))),
            "key 1: its exponent has not 1 to 8 bytes",
        ),
        (
            &with("es", "x", json!(b64([9; 31]))),
            "key 1: a coordinate of it has not 32 bytes",
        ),
        (
            &with("es", "y", Value::Null),
            "key 1: a member of its type is missing",
        ),
        (
            &with("ed", "x", json!(b64([9; 33]))),
            "key 1: a coordinate of it has not 32 bytes",
        ),
        (&set(&["hs", "es", "hs"]), "two keys have the kid \"hs\""),
        (&many, "it has 257 keys, at most 256 fit"),
        (
            &" ".repeat(1024 * 1024 + 1),
            "it has more than 1048576 bytes",
        ),
    ] {
        let why = Setup::try_with(file, &json!({})).err().expect("refused");
        assert!(why.contains(expected), "{expected}: {why}");
    }
}

#[test]
fn wrong_configurations_are_told_at_load() {
    for (config, expected) in [
        ("{}", "missing field `jwks`"),
        (
            r#"{"jwks": "/nowhere/jwks.json"}"#,
            "jwks: /nowhere/jwks.json: No such file",
        ),
        (r#"{"jwks": "/"}"#, "jwks: /: it is no file"),
        (r#"{"jwks": "x", "isuer": "y"}"#, "unknown field `isuer`"),
        (
            r#"{"jwks": "x", "leeway": 301}"#,
            "leeway = 301: at most 300",
        ),
        (r#"{"jwks": "x", "leeway": -1}"#, "invalid value"),
        (
            r#"{"jwks": "x", "max_token": 65536}"#,
            "max_token = 65536: at most 65535",
        ),
        (
            r#"{"jwks": "x", "topics_claim": ""}"#,
            "topics_claim is empty",
        ),
    ] {
        let why = Jwt::create(config).err().expect("refused").to_string();
        assert!(why.contains(expected), "{config}: {why}");
    }
}

#[test]
fn keys_of_other_kinds_do_not_matter() {
    let mut keys: Value = serde_json::from_str(&set(&["hs"])).unwrap();
    keys["keys"].as_array_mut().unwrap().extend([
        json!({"kty": "EC", "crv": "secp256k1", "kid": "a"}),
        json!({"kty": "future", "kid": "b", "alg": "X", "more": {"deep": []}}),
    ]);
    let setup = Setup::with(&keys.to_string(), &json!({}));
    assert!(comes_in(&setup, "hs"));
}

#[test]
fn a_rotation_is_seen_by_the_next_login() {
    let setup = Setup::with(&set(&["es"]), &json!({}));
    assert!(comes_in(&setup, "es"));
    assert!(!comes_in(&setup, "es other"));
    setup.rotate(&set(&["es", "es other"]));
    assert!(comes_in(&setup, "es"));
    assert!(comes_in(&setup, "es other"));
    setup.rotate(&set(&["es other"]));
    assert!(!comes_in(&setup, "es"));
    assert!(comes_in(&setup, "es other"));
    // Another file in its place, which is how it is done well.
    let new = setup.folder.path().join("new.json");
    std::fs::write(&new, set(&["es"])).unwrap();
    std::fs::rename(new, setup.folder.path().join("jwks.json")).unwrap();
    assert!(comes_in(&setup, "es"));
    assert!(!comes_in(&setup, "es other"));
}

#[test]
fn a_broken_file_leaves_the_keys_in_use() {
    let setup = Setup::with(&set(&["es"]), &json!({}));
    for broken in ["", "{", "garbage \0", r#"{"keys": []}"#] {
        setup.rotate(broken);
        assert!(comes_in(&setup, "es"), "{broken:?}");
    }
    std::fs::remove_file(setup.folder.path().join("jwks.json")).unwrap();
    assert!(comes_in(&setup, "es"));
    setup.rotate(&set(&["es other"]));
    assert!(!comes_in(&setup, "es"));
    assert!(comes_in(&setup, "es other"));
}
