//! Each kind of change, one after the other.

use std::sync::Arc;
use std::time::Duration;

use hookmq_broker::store::{Change, Durability, Moment, Place, Sent, SessionNumber, Store};
use hookmq_mqtt::{PacketIdentifier, ReasonCode, TopicFilter, TopicName};

use super::model::{
    Model, any_delivery, any_message, any_session, any_subscription, message, moment, open,
    temporary,
};

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text).expect("valid")
}

fn identifier(number: u16) -> PacketIdentifier {
    PacketIdentifier::new(number).expect("not zero")
}

#[test]
fn everything_comes_back_as_it_was() {
    let folder = temporary();
    let mut model = Model::default();
    let mut store = open(folder.path());
    model.check_store(&mut store);
    let mut changes = Vec::new();
    for number in 1..=64 {
        let session = SessionNumber(number);
        changes.push(Change::Session(any_session(number, number * 7).into()));
        for text in ["a/b", "+/#", "$share/group/a/+", "ö/ü"] {
            changes.push(Change::Subscribed(
                session,
                filter(text),
                any_subscription(number).into(),
            ));
        }
        changes.push(Change::Received(
            session,
            identifier(number as u16),
            ReasonCode::Success,
        ));
        let message = Arc::new(any_message("queued/alone", number * 1234));
        let place = Place::new(100 + number, false);
        changes.push(Change::Queued(
            session,
            place,
            message,
            any_delivery(number),
        ));
        if number % 2 == 0 {
            let sent = Sent::Publish(identifier(number as u16));
            changes.push(Change::Sent(session, place, sent));
        }
        if number % 4 == 0 {
            let sent = Sent::PubRel(identifier(number as u16));
            changes.push(Change::Sent(session, place, sent));
        }
        let topic = format!("retained/{number}");
        changes.push(Change::Retained(Arc::new(any_message(&topic, number * 99))));
    }
    model.commit(&mut store, &changes);
    drop(store);
    let mut store = open(folder.path());
    model.check_store(&mut store);
    // The same, given again.
    model.commit(&mut store, &changes);
    drop(store);
    model.check_store(&mut open(folder.path()));
}

#[test]
fn what_is_taken_back_is_gone() {
    let folder = temporary();
    let mut model = Model::default();
    let mut store = open(folder.path());
    let session = SessionNumber(1);
    let place = Place::new(2, false);
    let queued = Arc::new(message("a", "b"));
    let come = [
        Change::Session(any_session(1, 7).into()),
        Change::Subscribed(session, filter("a"), any_subscription(1).into()),
        Change::Received(session, identifier(9), ReasonCode::Success),
        Change::Queued(session, place, Arc::clone(&queued), any_delivery(1)),
        Change::Sent(session, place, Sent::Publish(identifier(1))),
        Change::Retained(Arc::new(message("r", "b"))),
    ];
    let go = [
        Change::Done(session, place, queued, true),
        Change::Released(session, identifier(9)),
        Change::Unsubscribed(session, filter("a")),
        Change::SessionEnded(session),
        Change::RetainedCleared(TopicName::parse("r").expect("valid")),
    ];
    model.commit(&mut store, &come);
    model.commit(&mut store, &go);
    // Both in one batch: the later one counts.
    model.commit(&mut store, &[&come[..], &go].concat());
    drop(store);
    assert!(model.sessions.is_empty() && model.queues.is_empty() && model.retained.is_empty());
    model.check_store(&mut open(folder.path()));
}

#[test]
fn the_longest_names_fit() {
    let folder = temporary();
    let mut model = Model::default();
    let mut store = open(folder.path());
    let long = "x".repeat(65_535);
    let other = format!("{}y", "x".repeat(65_534));
    let retained = message(&long, vec![1; 100_000]);
    model.commit(
        &mut store,
        &[
            Change::Session(any_session(1, 0).into()),
            Change::Subscribed(SessionNumber(1), filter(&long), any_subscription(1).into()),
            Change::Subscribed(SessionNumber(1), filter(&other), any_subscription(2).into()),
            Change::Retained(Arc::new(retained)),
        ],
    );
    drop(store);
    let mut store = open(folder.path());
    model.check_store(&mut store);
    model.commit(
        &mut store,
        &[Change::Unsubscribed(SessionNumber(1), filter(&long))],
    );
    drop(store);
    model.check_store(&mut open(folder.path()));
}

/// [MQTT-3.3.2-5], [MQTT-3.3.2-6]
#[test]
fn a_message_expires_while_nothing_runs() {
    let folder = temporary();
    let mut store = open(folder.path());
    let mut short = message("a", "b");
    short.expires_at = Some(moment().now + Duration::from_secs(60));
    store
        .commit(
            &[
                Change::Session(any_session(1, 0).into()),
                Change::Queued(
                    SessionNumber(1),
                    Place::new(2, false),
                    Arc::new(short),
                    any_delivery(0),
                ),
            ],
            Durability::Disk,
            moment(),
        )
        .expect("committed");
    drop(store);
    for (later, left) in [(50, 10), (60, 0), (100_000, 0)] {
        // The steady clock of another run begins elsewhere.
        let moment = Moment {
            now: moment().now + Duration::from_secs(7),
            wall: moment().wall + Duration::from_secs(later),
        };
        let mut store = open(folder.path());
        store.load(moment).expect("loaded");
        let queue = store.load_queue(moment).expect("loaded").expect("a queue");
        let expires_at = queue.messages[0].message.expires_at.expect("it expires");
        assert_eq!(expires_at, moment.now + Duration::from_secs(left));
        assert_eq!(queue.messages[0].message.is_expired(moment.now), left == 0);
    }
    // A clock that was put back gives no more than there was.
    let back = Moment {
        now: moment().now,
        wall: moment().wall - Duration::from_secs(3_600),
    };
    let mut store = open(folder.path());
    store.load(back).expect("loaded");
    let queue = store.load_queue(back).expect("loaded").expect("a queue");
    let expires_at = queue.messages[0].message.expires_at.expect("it expires");
    assert_eq!(expires_at, back.now + Duration::from_secs(60));
}

#[test]
fn numbers_are_never_given_twice() {
    let folder = temporary();
    let mut highest = 0;
    for _ in 0..4 {
        let mut store = open(folder.path());
        let first = store.load(moment()).expect("loaded").first_number;
        assert!(first > highest, "{first} after {highest}");
        // A queue entry that comes and goes leaves nothing but the mark.
        let place = Place::new(first + 70_000, false);
        let message = Arc::new(message("a", "b"));
        for change in [
            Change::Queued(
                SessionNumber(first),
                place,
                Arc::clone(&message),
                any_delivery(0),
            ),
            Change::Done(SessionNumber(first), place, message, false),
        ] {
            store
                .commit(&[change], Durability::Os, moment())
                .expect("committed");
        }
        highest = place.number();
    }
}

#[test]
fn batches_are_committed_while_queues_are_given_back() {
    let folder = temporary();
    let mut model = Model::default();
    let mut store = open(folder.path());
    let shared = Arc::new(message("a", "shared"));
    let mut changes = Vec::new();
    for number in 1..=3 {
        changes.push(Change::Session(any_session(number, 0).into()));
        for place in [Place::new(10 + number, true), Place::new(20 + number, true)] {
            changes.push(Change::Queued(
                SessionNumber(number),
                place,
                Arc::clone(&shared),
                any_delivery(number),
            ));
        }
    }
    model.commit(&mut store, &changes);
    drop(store);
    let mut store = open(folder.path());
    let restored = store.load(moment()).expect("loaded");
    model.check(&restored);
    // Done with the first queue and with the third Session before they are given back; and something new.
    let first = store
        .load_queue(moment())
        .expect("loaded")
        .expect("a queue");
    model.check_queue(&first, true);
    assert!(Arc::ptr_eq(
        &first.messages[0].message,
        &first.messages[1].message
    ));
    let new = Place::new(restored.first_number + 1, false);
    let mut changes = first
        .messages
        .iter()
        .map(|it| Change::Done(first.session, it.place, Arc::clone(&it.message), false))
        .collect::<Vec<_>>();
    changes.push(Change::SessionEnded(SessionNumber(3)));
    changes.push(Change::Queued(
        SessionNumber(2),
        new,
        Arc::new(message("new", "")),
        any_delivery(0),
    ));
    model.commit(&mut store, &changes);
    model.queues.retain(|(session, _), _| *session != 3);
    let second = store
        .load_queue(moment())
        .expect("loaded")
        .expect("a queue");
    assert_eq!(second.session, SessionNumber(2));
    assert_eq!(second.messages.len(), 2, "the new one is not given");
    assert_eq!(&*second.messages[0].message.payload, b"shared");
    let third = store.load_queue(moment()).expect("loaded");
    assert!(third.is_none(), "the third Session is gone");
    drop(store);
    model.check_store(&mut open(folder.path()));
}
