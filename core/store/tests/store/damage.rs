//! Bits that flip and files that end early: the rest is served or the store is refused, and nothing wrong is ever served.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookmq_broker::store::{Change, Durability, Place, Sent, SessionNumber, Store};
use hookmq_mqtt::{PacketIdentifier, ReasonCode, TopicFilter};
use hookmq_store::{DiskStore, StoreOptions};

use super::folder::{check_refused, copy, fill};
use super::model::{
    Model, any_delivery, any_message, any_session, any_subscription, message, moment, open,
    options, temporary,
};

/// A store with something of every kind; a part of it in tables, a part in the journal.
fn filled(path: &Path) -> Model {
    let mut model = Model::default();
    let mut store = open(path);
    for round in 0..2 {
        let mut changes = Vec::new();
        for number in 1 + round * 20..=20 + round * 20 {
            let session = SessionNumber(number);
            let identifier = PacketIdentifier::new(number as u16).expect("not zero");
            changes.push(Change::Session(any_session(number, number * 31).into()));
            let filter = TopicFilter::parse("a/+/b").expect("valid");
            changes.push(Change::Subscribed(
                session,
                filter,
                any_subscription(number).into(),
            ));
            changes.push(Change::Received(session, identifier, ReasonCode::Success));
            let place = Place::new(1000 + number, false);
            let queued = Arc::new(any_message("alone", number * 7777));
            changes.push(Change::Queued(session, place, queued, any_delivery(number)));
            changes.push(Change::Sent(session, place, Sent::Publish(identifier)));
            let topic = format!("retained/{number}");
            changes.push(Change::Retained(Arc::new(any_message(&topic, number * 5))));
        }
        let shared = Arc::new(any_message("shared", 1234 + round));
        for number in 1..=10 {
            changes.push(Change::Queued(
                SessionNumber(number + round * 20),
                Place::new(2000 + round * 100 + number, true),
                Arc::clone(&shared),
                any_delivery(number),
            ));
        }
        model.commit(&mut store, &changes);
        if round == 0 {
            // Beyond what stays in memory, so that there are tables.
            for number in 0..60 {
                let large = message(&format!("large/{}", number % 3), vec![number; 50_000]);
                model.commit(&mut store, &[Change::Retained(Arc::new(large))]);
            }
        }
    }
    drop(store);
    model
}

/// Everything that can be damaged.
fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.metadata().expect("there").len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Opens a damaged store: refused by name, or what it gives is right. True if it opened with all of it.
fn check_damaged(path: &Path, model: &Model) -> bool {
    let mut model = model.clone();
    let mut store = match DiskStore::open(path, options()) {
        Ok(store) => store,
        Err(refused) => {
            assert!(
                refused.what.starts_with(&*path.to_string_lossy()),
                "{refused}"
            );
            return false;
        }
    };
    let Ok(restored) = store.load(moment()) else {
        return false;
    };
    model.check_some(&restored, false);
    let mut is_all = restored.damaged.is_empty()
        && restored.sessions.len() == model.sessions.len()
        && restored.retained.len() == model.retained.len();
    let is_told = !restored.damaged.is_empty();
    let (mut n_messages, mut n_damaged) = (0, 0);
    loop {
        match store.load_queue(moment()) {
            Ok(Some(queue)) => {
                n_messages += queue.messages.len();
                n_damaged += queue.damaged.len();
                model.check_queue(&queue, false);
            }
            Ok(None) => break,
            Err(_) => return false,
        }
    }
    is_all &= n_messages == model.queues.len();
    assert!(
        is_all || is_told || n_damaged > 0,
        "something is missing and nothing is said"
    );
    is_all
}

#[test]
fn flipped_bits_never_make_a_wrong_record() {
    let folder = temporary();
    let whole = folder.path().join("whole");
    let model = filled(&whole);
    let mut random = fastrand::Rng::with_seed(7);
    let (mut n_whole, mut n_images) = (0, 0);
    for file in files(&whole) {
        let name = file.strip_prefix(&whole).expect("below").to_owned();
        let bytes = std::fs::read(&file).expect("readable");
        // The engine's journals begin with 64 MiB of which most is empty.
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) + 1;
        for _ in 0..8 {
            let damaged = folder.path().join("damaged");
            copy(&whole, &damaged);
            let mut bytes = bytes.clone();
            let at = random.usize(..end);
            let to = (at + random.usize(1..64)).min(end);
            for byte in &mut bytes[at..to] {
                *byte ^= random.u8(1..);
            }
            std::fs::write(damaged.join(&name), &bytes).expect("written");
            n_whole += usize::from(check_damaged(&damaged, &model));
            n_images += 1;
            std::fs::remove_dir_all(&damaged).expect("removed");
        }
    }
    assert!(n_images > 50, "{n_images} images");
    assert!(
        n_whole < n_images * 3 / 4,
        "{n_whole} of {n_images} were not harmed"
    );
}

#[test]
fn files_that_end_early_never_make_a_wrong_record() {
    let folder = temporary();
    let whole = folder.path().join("whole");
    let model = filled(&whole);
    let mut random = fastrand::Rng::with_seed(8);
    for file in files(&whole) {
        let name = file.strip_prefix(&whole).expect("below").to_owned();
        let bytes = std::fs::read(&file).expect("readable");
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) + 1;
        for len in [0, random.usize(..end)] {
            let damaged = folder.path().join("damaged");
            copy(&whole, &damaged);
            std::fs::write(damaged.join(&name), &bytes[..len]).expect("written");
            check_damaged(&damaged, &model);
            std::fs::remove_dir_all(&damaged).expect("removed");
        }
    }
}

/// The engine alone would open without an error and silently drop what is behind.
#[test]
fn a_flipped_bit_inside_the_journal_is_noticed_and_the_journal_kept() {
    let folder = temporary();
    let mut model = Model::default();
    let mut store = open(folder.path());
    fill(&mut store, &mut model, 0..100);
    drop(store);
    let journal = folder.path().join("db/0.jnl");
    let mut bytes = std::fs::read(&journal).expect("readable");
    let end = bytes.iter().rposition(|&byte| byte != 0).expect("written");
    bytes[end / 3] ^= 1;
    std::fs::write(&journal, &bytes).expect("written");
    let mut store = check_refused(folder.path(), "0.jnl is damaged at byte");
    let restored = store.load(moment()).expect("loaded");
    let n_left = restored.retained.len();
    assert!((20..50).contains(&n_left), "{n_left} of 100");
    model.check_some(&restored, false);
    let kept = std::fs::read(folder.path().join("damaged/0.jnl")).expect("kept");
    assert_eq!(kept, bytes);
}

/// A journal that the engine has closed, with another one behind it.
#[test]
fn a_hole_between_journals_is_noticed() {
    let folder = temporary();
    let large = StoreOptions {
        memory_bytes: 512 << 20,
        journal_bytes: 512 << 20,
        ..StoreOptions::default()
    };
    let mut store = DiskStore::open(folder.path(), large).expect("opened");
    let mut n_batches = 0;
    // Sessions make small tables, which have the journal changed; Retained Messages stay in it.
    while !folder.path().join("db/1.jnl").exists() {
        let mut session = any_session(n_batches + 1, 0);
        session.endpoint = "x".repeat(60_000);
        let retained = message(&format!("topic/{n_batches}"), vec![1; 1000]);
        store
            .commit(
                &[
                    Change::Session(session.into()),
                    Change::Retained(Arc::new(retained)),
                ],
                Durability::Os,
                moment(),
            )
            .expect("committed");
        n_batches += 1;
        assert!(n_batches < 100_000, "the journal does not change");
    }
    let retained = message("last", "x");
    store
        .commit(
            &[Change::Retained(Arc::new(retained))],
            Durability::Os,
            moment(),
        )
        .expect("committed");
    drop(store);
    let journal = folder.path().join("db/0.jnl");
    let mut bytes = std::fs::read(&journal).expect("the first journal is still there");
    bytes[30_000_000] ^= 1;
    std::fs::write(&journal, &bytes).expect("written");
    let mut store = check_refused(folder.path(), "0.jnl is damaged at byte");
    let restored = store.load(moment()).expect("loaded");
    let last = restored
        .retained
        .iter()
        .any(|it| it.topic.as_str() == "last");
    assert!(last, "what is behind the hole is there");
}

/// Changes a record under the store's feet, as no flipped bit of the disk could: the engine's own checksums are right.
fn change_record(path: &Path, keyspace: &str, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
    let database = fjall::Database::builder(path.join("db"))
        .open()
        .expect("the engine opens");
    let keyspace = database
        .keyspace(keyspace, fjall::KeyspaceCreateOptions::default)
        .expect("the keyspace opens");
    let mut value = keyspace
        .get(key)
        .expect("readable")
        .expect("there")
        .to_vec();
    change(&mut value);
    keyspace.insert(key, value).expect("written");
}

fn key(session: u64, place: Place) -> Vec<u8> {
    [session.to_be_bytes(), place.get().to_be_bytes()].concat()
}

#[test]
fn a_damaged_record_is_named_once_and_left_out() {
    let folder = temporary();
    let mut model = filled(folder.path());
    let places = [Place::new(1001, false), Place::new(1002, false)];
    let flip = |value: &mut Vec<u8>| value[2] ^= 1;
    change_record(folder.path(), "q", &key(1, places[0]), flip);
    change_record(folder.path(), "fly", &key(2, places[1]), flip);
    change_record(folder.path(), "ret", b"retained/3", flip);
    change_record(folder.path(), "sess", &4_u64.to_be_bytes(), flip);
    // Ten queues share it.
    let shared = Place::new(2001, true).get().to_be_bytes();
    change_record(folder.path(), "msg", &shared, |value| value.truncate(3));

    let mut store = open(folder.path());
    let restored = store.load(moment()).expect("loaded");
    assert_eq!(
        restored.damaged,
        [
            "sess: session 4: its checksum is wrong",
            "sub: session 4, filter \"a/+/b\": there is no such session",
            "in2: session 4, packet identifier 4: there is no such session",
            "ret: \"retained/3\": its checksum is wrong",
        ]
    );
    model.sessions.remove(&4);
    model.subscriptions.retain(|key, _| key.0 != 4);
    model.received.retain(|key, _| key.0 != 4);
    model.retained.remove("retained/3");
    model.check_some(&restored, true);
    let shared = |place: &Place| (2000..2100).contains(&place.number());
    model
        .queues
        .retain(|(session, place), _| *session != 4 && !shared(place) && *place != places[0]);
    let (mut damaged, mut n_messages) = (Vec::new(), 0);
    while let Some(queue) = store.load_queue(moment()).expect("loaded") {
        model.check_queue(&queue, false);
        n_messages += queue.messages.len();
        damaged.extend(queue.damaged);
    }
    assert_eq!(n_messages, model.queues.len());
    assert_eq!(
        damaged,
        [
            "q: session 1, place 2002: its checksum is wrong",
            "msg: message 4003: it ends early",
            "fly: session 2, place 2004: its checksum is wrong",
        ]
    );
    drop(store);
    // Put aside, and not found again.
    if let Some(queued) = model.queues.get_mut(&(2, places[1])) {
        queued.2 = None;
    }
    model.check_store(&mut open(folder.path()));
}

#[test]
fn a_store_of_another_format_is_refused_by_its_number() {
    for (format, words) in [
        (2_u32, "written by a newer version"),
        (0, "no released version"),
    ] {
        let folder = temporary();
        drop(open(folder.path()));
        change_record(folder.path(), "meta", b"format", |value| {
            value.truncate(1);
            value.extend(format.to_be_bytes());
            // As records are: a checksum over key and content, begun with the number of the keyspace.
            let mut sum = crc32fast::Hasher::new_with_initial(0);
            sum.update(b"format");
            sum.update(value);
            value.extend(sum.finalize().to_le_bytes());
        });
        let refused = DiskStore::open(folder.path(), options()).expect_err("refused");
        assert!(
            refused.why.contains(&format!("its format is {format}")),
            "{refused}"
        );
        assert!(refused.why.contains(words), "{refused}");
    }
}
