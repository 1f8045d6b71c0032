//! Commits that fail, before or after they were written.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use hookmq_broker::{Delivery, Identifiers, Message, Source};
use hookmq_mqtt::{QoS, TopicName};

use super::*;
use crate::engine::Fails;
use hookmq_broker::store::SessionNumber;

fn moment() -> Moment {
    Moment {
        now: Instant::now(),
        wall: SystemTime::now(),
    }
}

fn open(path: &Path) -> DiskStore {
    let mut store = DiskStore::open(path, StoreOptions::default()).expect("opened");
    store.load(moment()).expect("loaded");
    while store.load_queue(moment()).expect("loaded").is_some() {}
    store
}

fn shared() -> Arc<Message> {
    Arc::new(Message {
        topic: TopicName::parse("a").expect("valid"),
        payload: Bytes::from_static(b"shared"),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        expires_at: None,
        sender: None,
        source: Source::Client,
    })
}

fn queued(session: u64, message: &Arc<Message>) -> Change {
    let delivery = Delivery {
        qos: QoS::AtLeastOnce,
        retain: false,
        identifiers: Identifiers::new(),
    };
    let place = Place::new(10 + session, true);
    Change::Queued(SessionNumber(session), place, Arc::clone(message), delivery)
}

fn done(session: u64, message: &Arc<Message>) -> Change {
    let place = Place::new(10 + session, true);
    Change::Done(SessionNumber(session), place, Arc::clone(message), false)
}

fn n_messages(store: &DiskStore) -> usize {
    store.engine().expect("open").all(Kind::Message).count()
}

/// Commits; before that, the same fails once.
fn commit(store: &mut DiskStore, fails: Option<Fails>, changes: &[Change]) {
    if fails.is_some() {
        store.engine().expect("open").fails.set(fails);
        let failed = store.commit(changes, Durability::Os, moment());
        assert!(failed.is_err());
        store.reopen().expect("opened again");
    }
    store
        .commit(changes, Durability::Os, moment())
        .expect("committed");
}

#[test]
fn a_batch_that_is_given_again_counts_its_references_once() {
    for fails in [None, Some(Fails::Before), Some(Fails::After)] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = open(folder.path());
        let message = shared();
        let come = [1, 2, 3].map(|session| queued(session, &message));
        commit(&mut store, fails, &come);
        assert_eq!(n_messages(&store), 1);
        commit(&mut store, fails, &[done(1, &message)]);
        commit(&mut store, fails, &[done(2, &message), queued(4, &message)]);
        assert_eq!(n_messages(&store), 1, "two refer to it");
        commit(&mut store, fails, &[done(3, &message), done(4, &message)]);
        assert_eq!(n_messages(&store), 0);
        assert_eq!(store.shared.len(), 0);
    }
}

#[test]
fn nothing_is_written_between_an_error_and_the_next_opening() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path());
    commit(&mut store, None, &[queued(1, &shared())]);
    store.engine = None;
    let refused = store.commit(&[queued(2, &shared())], Durability::Os, moment());
    assert!(refused.is_err());
    assert!(store.sync().is_err());
    store.reopen().expect("opened again");
    let journal = folder.path().join("db/0.jnl").metadata().expect("there");
    assert!(journal.len() < 10_000, "a new file with what was whole");
    assert_eq!(n_messages(&store), 1);
    commit(&mut store, None, &[queued(3, &shared())]);
    assert_eq!(n_messages(&store), 2);
}

#[test]
fn a_store_that_comes_back_with_less_is_not_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = open(folder.path());
    commit(&mut store, None, &[queued(1, &shared())]);
    let journal = folder.path().join("db/0.jnl");
    let before = std::fs::read(&journal).expect("readable");
    commit(&mut store, None, &[queued(2, &shared())]);
    store.engine = None;
    let whole = std::fs::read(&journal).expect("readable");
    std::fs::write(&journal, before).expect("written");
    for _ in 0..2 {
        let refused = store.reopen().expect_err("refused");
        assert!(refused.why.contains("batches 2 to 2 are gone"), "{refused}");
    }
    std::fs::write(&journal, whole).expect("written");
    store.reopen().expect("all of it is there");
    assert_eq!(n_messages(&store), 2);
}
