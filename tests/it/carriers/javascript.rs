//! `tests/guests/js/filter.js`: a component that no line of Rust was written for.

use hookmq_plugin_api::{Answer, EventRecord, Field, Grants, Hook, Owned, Refusal, Verdict};

use crate::{Carrier, Loaded, load, publish};

fn filter(config: &str) -> Result<Loaded, String> {
    load("filter", Carrier::Component, config, Grants::NONE)
}

#[test]
fn it_listens_to_what_it_exports() {
    let loaded = filter("{}").expect("it loads");
    let mut hooks: Vec<Hook> = loaded.plugin.listens().iter().map(|one| one.hook).collect();
    hooks.sort();
    assert_eq!(hooks, [Hook::ClientConnected, Hook::InterceptPublish]);
}

#[test]
fn it_refuses_with_all_that_a_refusal_can_say() {
    let loaded = filter("{}").expect("it loads");
    let refused = |who: &str| Refusal {
        user_properties: vec![("by".to_owned(), "filter.js".to_owned())],
        ..Refusal::new(0x87, &format!("{who} may only publish below devices/"))
    };
    let answer = loaded.call(&publish("elsewhere").with(Field::ClientId, "ann"));
    let expected = Verdict::Deny(Box::new(refused("ann")));
    assert_eq!(answer, Ok(expected.into()));
    let answer = loaded.call(&publish("elsewhere"));
    let expected = Verdict::Deny(Box::new(refused("nobody")));
    assert_eq!(answer, Ok(expected.into()));
    assert_eq!(loaded.call(&publish("devices/a")), Ok(Answer::PASS));
}

#[test]
fn it_changes_what_it_reads() {
    let loaded = filter("{}").expect("it loads");
    let event = publish("devices/a/command")
        .with(Field::Payload, &b"stop now"[..])
        .with(Field::PayloadSize, 8);
    let expected = Answer::pass_with(vec![
        (Field::Topic, "devices/a/inbox".into()),
        (Field::Payload, Owned::from(&b"stop of 8"[..])),
        (Field::Qos, Owned::Integer(1)),
        (Field::ContentType, Owned::Nil),
    ]);
    assert_eq!(loaded.call(&event), Ok(expected));
}

#[test]
fn it_takes_its_configuration() {
    let loaded = filter("{\"prefix\": \"site/\"}").expect("it loads");
    assert_eq!(loaded.call(&publish("site/a")), Ok(Answer::PASS));
    let why = filter("{\"prefix\": 7}").map(drop).expect_err("no text");
    assert!(why.contains("prefix must be a text"), "{why}");
}

#[test]
fn it_logs_a_notice_and_survives_its_own_failure() {
    let loaded = filter("{}").expect("it loads");
    let event = EventRecord::new(Hook::ClientConnected).with(Field::ClientId, "ann");
    assert_eq!(loaded.call(&event), Ok(Answer::PASS));
    let said = loaded.host.said();
    assert!(
        said.len() == 1 && said[0].contains("ann is here"),
        "{said:?}"
    );
    loaded
        .call(&publish("devices/broken"))
        .expect_err("it throws");
    assert_eq!(loaded.call(&publish("devices/a")), Ok(Answer::PASS));
}
