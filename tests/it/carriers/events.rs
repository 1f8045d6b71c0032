//! What a handler reads: declared fields, other ones, absent ones, and the configuration.

use hookmq_plugin_api::{Answer, EventRecord, Field, Hook, Owned};

use crate::{every, publish};

#[test]
fn a_hook_is_listened_to_with_its_declared_fields() {
    for loaded in every("witness", "{}") {
        let mut hooks: Vec<Hook> = loaded.plugin.listens().iter().map(|one| one.hook).collect();
        hooks.sort();
        let expected = [
            Hook::PrepareSession,
            Hook::ClientConnected,
            Hook::ClientDisconnected,
            Hook::InterceptPublish,
        ];
        assert_eq!(hooks, expected, "{:?}", loaded.carrier);
    }
}

#[test]
fn declared_fields_and_others_read_the_same() {
    let event = publish("read")
        .with(Field::ClientId, "me")
        .with(Field::ContentType, "text/é")
        .with(Field::Qos, 2)
        .with(Field::Retain, true)
        .with(Field::Payload, &[1_u8, 0, 255][..])
        .with(Field::PayloadSize, 3)
        .with(
            Field::UserProperties,
            Owned::Pairs(vec![("k".to_owned(), String::new())]),
        );
    for loaded in every("witness", "{}") {
        assert_eq!(
            loaded.payload(&event),
            "Some(\"me\") None Some(\"text/é\") 2 true [1, 0, 255] [(\"k\", \"\")] None 3",
            "{:?}",
            loaded.carrier
        );
        assert_eq!(
            loaded.payload(&publish("read")),
            "None None None 0 false [] [] None 0",
            "{:?}",
            loaded.carrier
        );
    }
}

#[test]
fn a_large_payload_is_read_whole() {
    let large = vec![b'x'; 300_000];
    let event = publish("read").with(Field::Payload, &large[..]);
    for loaded in every("witness", "{}") {
        let seen = loaded.payload(&event);
        assert_eq!(seen.matches("120").count(), 300_000, "{:?}", loaded.carrier);
    }
}

#[test]
fn whether_a_payload_is_json_is_the_brokers_to_say() {
    for loaded in every("witness", "{}") {
        for (payload, expected) in [("{\"a\": [1]}", "true"), ("{\"a\": [1}", "false")] {
            let event = publish("json").with(Field::Payload, payload.as_bytes());
            assert_eq!(loaded.payload(&event), expected, "{:?}", loaded.carrier);
        }
    }
}

#[test]
fn the_configuration_arrives_and_can_be_refused() {
    for loaded in every("witness", "{\"key\": \"wert ü\"}") {
        assert_eq!(loaded.payload(&publish("config")), "{\"key\": \"wert ü\"}");
    }
    for carrier in crate::CARRIERS {
        let refused =
            |config| crate::load("witness", carrier, config, crate::everything()).map(drop);
        let why = refused("\"refuse\"").expect_err("it refuses");
        assert!(
            why.contains("this configuration is refused"),
            "{carrier:?}: {why}"
        );
        let why = refused("\"panic\"").expect_err("it panics");
        assert!(
            why.contains("this configuration panics"),
            "{carrier:?}: {why}"
        );
    }
}

#[test]
fn a_notice_is_told() {
    let event = EventRecord::new(Hook::ClientConnected)
        .with(Field::ClientId, "me")
        .with(Field::CleanStart, true);
    for loaded in every("witness", "{}") {
        assert_eq!(
            loaded.call(&event),
            Ok(Answer::PASS),
            "{:?}",
            loaded.carrier
        );
        let said = loaded.host.said();
        assert_eq!(said.len(), 1, "{:?}: {said:?}", loaded.carrier);
        assert!(
            said[0].starts_with("Warn ") && said[0].contains("Some(\"me\") true"),
            "{said:?}"
        );
    }
}

#[test]
fn the_prefix_filter_works_in_every_carrier() {
    for loaded in every("prefix", "{}") {
        assert_eq!(loaded.call(&publish("devices/a")), Ok(Answer::PASS));
        let answer = loaded.call(&publish("elsewhere"));
        let expected = hookmq_plugin_api::Verdict::deny(0x87, "only devices/ may be published to");
        assert_eq!(answer, Ok(expected.into()), "{:?}", loaded.carrier);
    }
}
