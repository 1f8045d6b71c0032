//! Tokens: those that are taken, and many that must not be.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookmq_plugin_api::{Field, Owned, VerdictKind};
use jsonwebtoken::{Algorithm, EncodingKey, encode};
use serde_json::{Value, json};

use crate::issuer::{
    self, b64, claims, claims_with, ec_public, forged, header, now, private, rsa_public, token,
};
use crate::setup::{Setup, connect};

const FORM: &str = "the password is no signed token";
const ALGORITHM: &str = "the token's algorithm is not its key's";
const SIGNATURE: &str = "the token's signature is not right";
const UNKNOWN: &str = "the token's key is not known";

#[test]
fn every_algorithm_comes_in() {
    let setup = Setup::new();
    for (id, algorithm) in issuer::ALL {
        let answer = setup.login(&connect(token(id, &claims())));
        assert_eq!(answer.verdict.kind(), VerdictKind::Accept, "{algorithm:?}");
        // What the token proves becomes the user name.
        assert_eq!(answer.changes, [(Field::Username, Owned::from("ann"))]);
    }
}

#[test]
fn an_unsigned_token_is_none() {
    let setup = Setup::new();
    for alg in ["none", "None", "NONE", "", "HS257", "ES256K"] {
        for id in ["hs", "rs", "es", "ed"] {
            let header = json!({"alg": alg, "kid": id});
            assert_eq!(setup.refusal(forged(&header, &claims(), b"")), FORM);
            assert_eq!(setup.refusal(forged(&header, &claims(), b"x")), FORM);
        }
    }
    // With the right words and no signature.
    for (id, algorithm) in issuer::ALL {
        let header = json!({"alg": format!("{algorithm:?}"), "kid": id});
        assert_eq!(setup.refusal(forged(&header, &claims(), b"")), SIGNATURE);
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let setup = Setup::new();
    let [der, modulus] = rsa_public();
    let jwk = issuer::public("rs").to_string().into_bytes();
    for (id, known) in [
        ("rs", der),
        ("rs", modulus),
        ("rs", jwk),
        ("es", ec_public()),
        ("ed", issuer::public("ed").to_string().into_bytes()),
    ] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let key = EncodingKey::from_secret(&known);
            let token = encode(&header(algorithm, id), &claims(), &key).unwrap();
            assert_eq!(setup.refusal(token), ALGORITHM);
        }
    }
}

#[test]
fn a_key_has_one_algorithm() {
    let setup = Setup::new();
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let token = encode(&header(algorithm, "rs"), &claims(), &private("rs")).unwrap();
        assert_eq!(setup.refusal(token), ALGORITHM);
    }
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = encode(&header(algorithm, "hs"), &claims(), &private("hs")).unwrap();
        assert_eq!(setup.refusal(token), ALGORITHM);
    }
    // Signed well, and said to be by another key.
    let token = encode(&header(Algorithm::ES256, "rs"), &claims(), &private("es")).unwrap();
    assert_eq!(setup.refusal(token), ALGORITHM);
}

#[test]
fn another_key_does_not_sign_for_it() {
    let setup = Setup::new();
    let other = encode(
        &header(Algorithm::ES256, "es"),
        &claims(),
        &private("es other"),
    );
    assert_eq!(setup.refusal(other.unwrap()), SIGNATURE);
    // One that it brings along itself.
    let mut own = serde_json::to_value(header(Algorithm::ES256, "es")).unwrap();
    own["jwk"] = issuer::public("es other");
    own["jku"] = json!("https://attacker.test/jwks.json");
    assert_eq!(setup.refusal(forged(&own, &claims(), &[1; 64])), SIGNATURE);
    // What is zero all over fits nothing.
    let zero = json!({"alg": "ES256", "kid": "es"});
    assert_eq!(setup.refusal(forged(&zero, &claims(), &[0; 64])), SIGNATURE);
}

#[test]
fn a_changed_token_is_noticed() {
    let setup = Setup::new();
    for (id, _) in issuer::ALL {
        let good = token(id, &claims());
        let parts: Vec<&str> = good.split('.').collect();
        let [header, _, signature] = *parts else {
            panic!("{good}");
        };
        let other = b64(claims_with(&json!({"sub": "root"})).to_string());
        assert_eq!(
            setup.refusal(format!("{header}.{other}.{signature}")),
            SIGNATURE
        );
        let mut short = URL_SAFE_NO_PAD.decode(signature).unwrap();
        short.pop();
        let [header, claims] = [parts[0], parts[1]];
        assert_eq!(
            setup.refusal(format!("{header}.{claims}.{}", b64(short))),
            SIGNATURE
        );
    }
}

#[test]
fn an_unknown_key_is_not_guessed() {
    let setup = Setup::new();
    for id in ["", "nobody", "RS", "../rs", "hs\0"] {
        let token = encode(&header(Algorithm::HS256, id), &claims(), &private("hs")).unwrap();
        assert_eq!(setup.refusal(token), UNKNOWN);
    }
    let nameless = encode(
        &jsonwebtoken::Header::new(Algorithm::HS256),
        &claims(),
        &private("hs"),
    )
    .unwrap();
    assert_eq!(setup.refusal(&nameless), UNKNOWN);
    // Where there is only one, it is meant.
    let only = Setup::with(&issuer::set(&["hs"]), &json!({}));
    let answer = only.login(&connect(nameless));
    assert_eq!(answer.verdict.kind(), VerdictKind::Accept);
}

#[test]
fn claims_must_be_right() {
    let setup = Setup::new();
    for (others, expected) in [
        (json!({"exp": now() - 1}), "the token has expired"),
        (json!({"exp": 0}), "the token has expired"),
        (
            json!({"exp": null}),
            "the token's claim \"exp\" is missing or wrong",
        ),
        (
            json!({"exp": "9999999999"}),
            "the token's claim \"exp\" is missing or wrong",
        ),
        (
            json!({"exp": -1}),
            "the token's claim \"exp\" is missing or wrong",
        ),
        (json!({"nbf": now() + 60}), "the token is not valid yet"),
        (
            json!({"nbf": "now"}),
            "the token's claim \"nbf\" is missing or wrong",
        ),
        (
            json!({"iss": "https://other.test"}),
            "the token's issuer is not taken here",
        ),
        (
            json!({"iss": null}),
            "the token's claim \"iss\" is missing or wrong",
        ),
        (json!({"aud": "other"}), "the token is not for this broker"),
        (
            json!({"aud": ["a", "b"]}),
            "the token is not for this broker",
        ),
        (json!({"aud": []}), "the token is not for this broker"),
        (
            json!({"aud": null}),
            "the token's claim \"aud\" is missing or wrong",
        ),
        (
            json!({"sub": null}),
            "the token's claim \"sub\" is missing or wrong",
        ),
        (
            json!({"sub": ""}),
            "the token's claim \"sub\" is missing or wrong",
        ),
        (
            json!({"sub": 7}),
            "the token's claim \"sub\" is missing or wrong",
        ),
        (
            json!({"topics": ["#"]}),
            "the token's topics are not {publish: [...], subscribe: [...]}",
        ),
        (
            json!({"topics": {"publish": ["a#"]}}),
            "\"a#\" in the token's topics is no topic filter",
        ),
    ] {
        assert_eq!(
            setup.refusal(token("hs", &claims_with(&others))),
            expected,
            "{others}"
        );
    }
    // A little late is not too late.
    let lenient = Setup::with(&issuer::set(&["hs"]), &json!({"leeway": 60}));
    for others in [json!({"exp": now() - 30}), json!({"nbf": now() + 30})] {
        let answer = lenient.login(&connect(token("hs", &claims_with(&others))));
        assert_eq!(answer.verdict.kind(), VerdictKind::Accept, "{others}");
    }
}

#[test]
fn an_audience_that_is_not_configured_is_not_ours() {
    let setup = Setup::with(&issuer::set(&["hs"]), &json!({"audience": []}));
    assert_eq!(
        setup.refusal(token("hs", &claims())),
        "the token is not for this broker"
    );
    let answer = setup.login(&connect(token("hs", &claims_with(&json!({"aud": null})))));
    assert_eq!(answer.verdict.kind(), VerdictKind::Accept);
}

#[test]
fn what_must_be_understood_is_not() {
    let setup = Setup::new();
    let mut header = header(Algorithm::HS256, "hs");
    header.crit = Some(vec!["b64".to_owned()]);
    let token = encode(&header, &claims(), &private("hs")).unwrap();
    assert_eq!(
        setup.refusal(token),
        "the token's header has crit, of which nothing is known"
    );
}

#[test]
fn passwords_that_are_no_tokens() {
    let setup = Setup::new();
    let nested = "[".repeat(3_000);
    for password in [
        &b""[..],
        b".",
        b"..",
        b"...",
        b"a.b.c",
        b"\xff\xfe.\x00.\x80",
        b"eyJhbGciOiJIUzI1NiJ9",
        b64(&nested).as_bytes(),
        format!("{}.{}.", b64(&nested), b64(&nested)).as_bytes(),
        format!("{}.{}.x", b64("{}"), b64("{}")).as_bytes(),
        format!("{}.{}.x", b64("null"), b64("null")).as_bytes(),
        format!("{}.{}.x", b64(r#"{"alg":["HS256"],"kid":{}}"#), b64("{}")).as_bytes(),
    ] {
        assert_eq!(setup.refusal(password), FORM, "{password:?}");
    }
    // None at all.
    let mut event = connect("");
    event.set(Field::Password, Owned::Nil);
    assert_eq!(setup.login(&event).verdict.kind(), VerdictKind::Deny);
    // Signed, and not claims.
    for claims in [json!([]), json!("x"), Value::Null] {
        let token = encode(&header(Algorithm::HS256, "hs"), &claims, &private("hs")).unwrap();
        assert_eq!(setup.refusal(token), FORM, "{claims}");
    }
}

#[test]
fn long_tokens_are_not_looked_at() {
    let long = claims_with(&json!({"filler": "x".repeat(48_000)}));
    let long = token("hs", &long);
    assert!(long.len() > 64_000 && long.len() < 65_536);
    let setup = Setup::new();
    assert_eq!(setup.refusal(&long), "the token has more than 8192 bytes");
    assert_eq!(
        setup.refusal(vec![b'.'; 65_535]),
        "the token has more than 8192 bytes"
    );
    let patient = Setup::with(&issuer::set(&["hs"]), &json!({"max_token": 65_535}));
    let answer = patient.login(&connect(&long));
    assert_eq!(answer.verdict.kind(), VerdictKind::Accept);
    assert_eq!(patient.refusal(vec![b'.'; 65_535]), FORM);
}
