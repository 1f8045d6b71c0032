//! Verdicts and changes arrive as they were given.

use hookmq_plugin_api::{Answer, EventRecord, Field, Hook, Owned, Refusal, Verdict};

use crate::{every, publish};

#[test]
fn every_verdict_arrives() {
    let full = Refusal {
        user_properties: vec![("why".to_owned(), "tested".to_owned())],
        server_reference: Some("other:1883".into()),
        place: Some("witness.rs:1".into()),
        ..Refusal::new(0x97, "no quota")
    };
    for loaded in every("witness", "{}") {
        for (topic, verdict) in [
            ("pass", Verdict::Pass),
            ("accept", Verdict::Accept),
            ("deny", Verdict::Deny(Box::new(full.clone()))),
            ("drop", Verdict::Drop(None)),
            (
                "drop with",
                Verdict::Drop(Some(Box::new(Refusal::new(0, "dropped")))),
            ),
            ("consume", Verdict::Consume),
            ("disconnect", Verdict::disconnect(0x98, "leave")),
        ] {
            let answer = loaded.call(&publish(topic));
            assert_eq!(answer, Ok(Answer::from(verdict)), "{:?}", loaded.carrier);
        }
    }
}

#[test]
fn every_type_of_change_arrives() {
    let pairs = |name: &str, values: &[&str]| {
        let pair = |value: &&str| (name.to_owned(), (*value).to_owned());
        Owned::Pairs(values.iter().map(pair).collect())
    };
    let expected = vec![
        (Field::Topic, "changed/topic".into()),
        (Field::Payload, Owned::from(&[0_u8, 1, 2, 255][..])),
        (Field::Qos, Owned::Integer(2)),
        (Field::Retain, Owned::Bool(true)),
        (Field::PayloadFormat, Owned::Integer(1)),
        (Field::MessageExpiryInterval, Owned::Integer(70_000)),
        (Field::ContentType, "text/plain".into()),
        (Field::ResponseTopic, Owned::Nil),
        (Field::CorrelationData, Owned::from(&b"id"[..])),
        (Field::UserProperties, pairs("a", &["1", "2"])),
    ];
    for loaded in every("witness", "{}") {
        let answer = loaded.call(&publish("change"));
        let expected = Answer::pass_with(expected.clone());
        assert_eq!(answer, Ok(expected), "{:?}", loaded.carrier);
    }
}

#[test]
fn records_go_in_and_come_back() {
    let subscription = |filter: &str, qos| {
        vec![
            (Field::TopicFilter, Owned::from(filter)),
            (Field::Qos, Owned::Integer(qos)),
            (Field::NoLocal, Owned::Bool(false)),
            (Field::RetainAsPublished, Owned::Bool(true)),
            (Field::RetainHandling, Owned::Integer(2)),
        ]
    };
    let held = vec![subscription("a/#", 1), subscription("$share/g/b", 2)];
    let event =
        EventRecord::new(Hook::PrepareSession).with_records(Field::Subscriptions, held.clone());
    for loaded in every("witness", "{}") {
        let answer = loaded.call(&event).expect("it answers");
        let [subscriptions, messages] = answer.changes.as_slice() else {
            panic!("{:?}: {answer:?}", loaded.carrier);
        };
        let Owned::Records(records) = &subscriptions.1 else {
            panic!("{subscriptions:?}");
        };
        assert_eq!(records[..2], held, "{:?}", loaded.carrier);
        let part = |field| {
            let found = records[2].iter().find(|(known, _)| *known == field);
            found.map(|(_, value)| value.clone())
        };
        assert_eq!(part(Field::TopicFilter), Some("added/#".into()));
        assert_eq!(part(Field::SubscriptionIdentifier), Some(Owned::Integer(7)));
        let expected = Owned::Records(vec![vec![
            (Field::Topic, "waiting".into()),
            (Field::Payload, Owned::from(&b"text"[..])),
            (Field::Qos, Owned::Integer(0)),
            (Field::Retain, Owned::Bool(false)),
            (
                Field::UserProperties,
                Owned::Pairs(vec![("c".to_owned(), "3".to_owned())]),
            ),
        ]]);
        assert_eq!(
            *messages,
            (Field::Messages, expected),
            "{:?}",
            loaded.carrier
        );
    }
}

trait WithRecords {
    fn with_records(self, field: Field, records: Vec<hookmq_plugin_api::Record>) -> Self;
}

impl WithRecords for EventRecord {
    fn with_records(mut self, field: Field, records: Vec<hookmq_plugin_api::Record>) -> Self {
        self.set(field, Owned::Records(records));
        self
    }
}
