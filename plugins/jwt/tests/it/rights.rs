//! Who somebody is, and what that lets it do.

use hookmq_plugin_api::{Answer, EventRecord, Field, Hook};
use serde_json::json;

use crate::issuer::{claims, claims_with, now, set, token};
use crate::setup::{Setup, accept, connect, deny, expired, not_granted};

#[test]
fn topics_come_from_the_claims() {
    let setup = Setup::new();
    setup.login(&connect(token("es", &claims())));
    for (topic, expected) in [
        ("devices/pump-1/t", accept()),
        ("users/ann", accept()),
        ("devices/pump-2/t", not_granted()),
        ("users/bob", not_granted()),
        ("news/today", not_granted()),
        ("$SYS/x", not_granted()),
    ] {
        assert_eq!(setup.publish("pump-1", topic), expected, "{topic}");
    }
    for (filter, expected) in [
        ("news/#", accept()),
        ("news/+/x", accept()),
        ("$share/g/news/x", accept()),
        ("#", not_granted()),
        ("+/today", not_granted()),
        ("$share/g/#", not_granted()),
        ("devices/pump-1/t", not_granted()),
    ] {
        assert_eq!(setup.subscribe("pump-1", filter), expected, "{filter}");
    }
    // Others are none of its business.
    assert_eq!(setup.publish("pump-2", "devices/pump-2/t"), Answer::PASS);
    assert_eq!(setup.subscribe("pump-2", "#"), Answer::PASS);
    let by_a_plugin = EventRecord::new(Hook::AuthorizePublish).with(Field::Topic, "x");
    assert_eq!(
        hookmq_plugin_api::sdk::hooks::authorize_publish::call(&setup.plugin, &by_a_plugin),
        Ok(Answer::PASS)
    );
}

#[test]
fn no_claim_grants_nothing() {
    let setup = Setup::new();
    setup.login(&connect(token(
        "es",
        &claims_with(&json!({"topics": null})),
    )));
    assert_eq!(setup.publish("pump-1", "users/ann"), not_granted());
    assert_eq!(setup.subscribe("pump-1", "news/#"), not_granted());
}

#[test]
fn names_must_be_the_tokens() {
    let setup = Setup::with(&set(&["es"]), &json!({"client_id_claim": "cid"}));
    let login = |client_id: &str, username: &str, cid: &str| {
        let token = token("es", &claims_with(&json!({ "cid": cid })));
        let event = connect(token)
            .with(Field::ClientId, client_id)
            .with(Field::Username, username);
        setup.login(&event)
    };
    // Nothing to change where it is the same.
    assert_eq!(login("pump-1", "ann", "pump-1"), accept());
    assert_eq!(login("pump-1", "", "pump-1").verdict, accept().verdict);
    assert_eq!(
        login("pump-1", "bob", "pump-1"),
        deny(0x87, "the user name is not the token's")
    );
    assert_eq!(
        login("pump-2", "ann", "pump-1"),
        deny(0x87, "the client id is not the token's")
    );
    // A refused login takes nothing from whoever is in.
    assert_eq!(setup.publish("pump-1", "users/ann"), accept());
    assert_eq!(setup.publish("pump-2", "users/ann"), Answer::PASS);
}

#[test]
fn a_will_must_be_granted_when_it_is_set() {
    let setup = Setup::new();
    let event = connect(token("es", &claims())).with(Field::WillTopic, "alarms/pump-1");
    assert_eq!(
        setup.login(&event),
        deny(0x87, "the token does not grant the will's topic")
    );
    let event = connect(token("es", &claims())).with(Field::WillTopic, "devices/pump-1/gone");
    assert_eq!(setup.login(&event).verdict, accept().verdict);
    // It is judged again when it goes out, and its client has left by then.
    setup.leave("10.0.0.7:50123", "NotClean", 0x8d);
    assert_eq!(setup.publish("pump-1", "devices/pump-1/gone"), accept());
    assert_eq!(setup.publish("pump-1", "alarms/pump-1"), not_granted());
}

#[test]
fn who_leaves_is_forgotten() {
    let setup = Setup::new();
    setup.login(&connect(token("es", &claims())));
    setup.leave("10.0.0.9:1", "Takeover", 0x8e);
    assert_eq!(setup.publish("pump-1", "users/ann"), accept());
    setup.leave("10.0.0.7:50123", "NotClean", 0x8d);
    assert_eq!(setup.publish("pump-1", "users/ann"), Answer::PASS);
    let event = connect(token("es", &claims())).with(Field::WillTopic, "devices/pump-1/gone");
    setup.login(&event);
    setup.leave("10.0.0.7:50123", "Clean", 0);
    assert_eq!(setup.publish("pump-1", "users/ann"), Answer::PASS);
}

#[test]
fn a_token_that_expires_grants_nothing_more() {
    let setup = Setup::new();
    let short = claims_with(&json!({"exp": now() + 2}));
    let answer = setup.login(&connect(token("hs", &short)));
    assert_eq!(answer.verdict, accept().verdict);
    let started = std::time::Instant::now();
    while setup.publish("pump-1", "users/ann") != expired() {
        assert!(started.elapsed().as_secs() < 10);
        std::thread::yield_now();
    }
    assert_eq!(setup.subscribe("pump-1", "news/#"), expired());
    // Until it comes with a new one.
    setup.login(&connect(token("hs", &claims())));
    assert_eq!(setup.subscribe("pump-1", "news/#"), accept());
}

#[test]
fn there_is_room_for_so_many() {
    let setup = Setup::with(&set(&["es"]), &json!({"max_clients": 2}));
    let login = |client_id: &str| {
        setup.login(&connect(token("es", &claims())).with(Field::ClientId, client_id))
    };
    assert_eq!(login("a").verdict, accept().verdict);
    assert_eq!(login("b").verdict, accept().verdict);
    assert_eq!(login("c"), deny(0x97, "too many clients are in"));
    assert_eq!(login("b").verdict, accept().verdict);
}
