//! What a plugin asks of the broker.

use hookmq_plugin_api::{Field, Grants};

use crate::{CARRIERS, Carrier, every, load, publish};

#[test]
fn log_lines_carry_their_place() {
    for loaded in every("witness", "{}") {
        loaded.call(&publish("log")).expect("it answers");
        let said = loaded.host.said();
        assert_eq!(said.len(), 1, "{:?}: {said:?}", loaded.carrier);
        assert!(said[0].starts_with("Info "), "{said:?}");
        assert!(said[0].contains("witness.rs a line of the log"), "{said:?}");
    }
}

#[test]
fn messages_are_published_whole() {
    let event = publish("publish").with(Field::Payload, &b"text"[..]);
    let mut seen = Vec::new();
    for loaded in every("witness", "{}") {
        assert_eq!(loaded.payload(&event), "false", "{:?}", loaded.carrier);
        let said = loaded.host.said();
        assert!(
            said[0].contains("published") && said[0].contains("text/plain"),
            "{said:?}"
        );
        assert!(said[1].starts_with("publish_to nobody"), "{said:?}");
        seen.push(said);
    }
    assert!(seen.iter().all(|said| *said == seen[0]), "{seen:?}");
}

#[test]
fn a_refusal_tells_why() {
    for loaded in every("witness", "{}") {
        let error = loaded.call(&publish("publish")).expect_err("no payload");
        assert!(
            error.message.contains("payload: it is empty"),
            "{:?}: {error:?}",
            loaded.carrier
        );
    }
}

#[test]
fn clients_are_disconnected() {
    for loaded in every("witness", "{}") {
        assert_eq!(loaded.payload(&publish("disconnect other")), "true");
        let expected = ["disconnect other 152 Some(\"by a test\")"];
        assert_eq!(loaded.host.said(), expected, "{:?}", loaded.carrier);
    }
}

#[test]
fn queries_are_answered_alike() {
    let seen: Vec<_> = every("witness", "{}")
        .iter()
        .map(|loaded| {
            let seen = loaded.payload(&publish("query"));
            // What does not fit into the first buffer is asked for again.
            let said = loaded.host.said();
            assert!(
                said.iter().all(|line| line == "retained kept/# 10"),
                "{said:?}"
            );
            seen
        })
        .collect();
    assert!(
        seen[0].contains("connected_at_ms: 1700000000123"),
        "{seen:?}"
    );
    assert!(seen[0].contains("(\"$share/g/b\", 2)"), "{seen:?}");
    assert!(seen[0].contains("kept/b"), "{seen:?}");
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}

#[test]
fn the_shared_map_is_used_alike() {
    for loaded in every("witness", "{}") {
        let expected = "Some([118, 97, 108, 117, 101]) true None false 6 true false";
        assert_eq!(
            loaded.payload(&publish("kv")),
            expected,
            "{:?}",
            loaded.carrier
        );
        let said = [
            "set key 5 None Always",
            "set long 5000 Some(9s) Absent",
            "set key 5 None Equals([110, 111])",
            "add sum 5 None",
        ];
        assert_eq!(loaded.host.said(), said, "{:?}", loaded.carrier);
    }
}

#[test]
fn kept_answers_are_taken_back() {
    for loaded in every("witness", "{}") {
        assert_eq!(
            loaded.payload(&publish("cache")),
            "2 3",
            "{:?}",
            loaded.carrier
        );
        let said = ["invalidate user:a", "reauthorize user:a"];
        assert_eq!(loaded.host.said(), said, "{:?}", loaded.carrier);
    }
}

#[test]
fn the_time_goes_on_and_chance_varies() {
    for loaded in every("witness", "{}") {
        let seen = loaded.payload(&publish("clock"));
        let (now, goes_on) = seen.split_once(' ').expect("two words");
        assert!(
            now.parse::<u64>().is_ok_and(|now| now > 1_600_000_000_000),
            "{seen}"
        );
        assert_eq!(goes_on, "true", "{:?}", loaded.carrier);
        assert_eq!(
            loaded.payload(&publish("random")),
            "true",
            "{:?}",
            loaded.carrier
        );
    }
}

#[test]
fn what_is_not_granted_is_not_there() {
    for carrier in CARRIERS {
        let loaded = load("witness", carrier, "{}", Grants::NONE);
        if carrier == Carrier::Native {
            // A library finds out when it asks.
            let loaded = loaded.expect("it loads");
            let error = loaded.call(&publish("kv")).expect_err("not granted");
            assert!(error.message.contains("hookmq.kv.1"), "{error:?}");
        } else {
            let why = loaded
                .map(drop)
                .expect_err("it imports what is not granted");
            assert!(why.contains("grants"), "{carrier:?}: {why}");
        }
        // The filter imports nothing that would need a grant.
        load("prefix", carrier, "{}", Grants::NONE).expect("it loads");
    }
}
