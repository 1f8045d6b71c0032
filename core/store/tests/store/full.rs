//! A disk that takes no more: acknowledged nothing, lost nothing, and it goes on when there is room, in the same process.

use std::process::Command;
use std::sync::Arc;

use hookmq_broker::store::{Change, Durability, Store};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::folder::fill;
use super::model::{Model, message, moment, open, temporary};

const IS_LIMITED: &str = "HOOKMQ_STORE_TEST_IS_LIMITED";

/// A limit on the size of files is a full disk that a test can make. It holds for a whole process, so the test starts one.
#[test]
fn a_store_goes_on_when_there_is_room_again() {
    if std::env::var_os(IS_LIMITED).is_some() {
        return go_on_when_there_is_room_again();
    }
    let test = std::env::current_exe().expect("this program");
    // The shell has the process get an error and not a signal.
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" --exact full::a_store_goes_on_when_there_is_room_again --nocapture"])
        .arg(test)
        .env(IS_LIMITED, "1")
        .status()
        .expect("started");
    assert!(status.success());
}

fn go_on_when_there_is_room_again() {
    let folder = temporary();
    let mut model = Model::default();
    let mut store = open(folder.path());
    model.check_store(&mut store);
    fill(&mut store, &mut model, 0..100);
    for round in 0..3_u64 {
        let usual = getrlimit(Resource::Fsize);
        // The journal is about that long, so that a batch is torn somewhere.
        let limit = 40_000 * (round + 1) + 1_234;
        limit_files(Some(limit));
        let mut n_batches = 0;
        let failing = loop {
            let topic = format!("full/{round}/{n_batches}");
            let change = Change::Retained(Arc::new(message(&topic, vec![1; 300])));
            match store.commit(std::slice::from_ref(&change), Durability::Disk, moment()) {
                Ok(()) => model.apply(&change),
                Err(error) => {
                    assert!(error.what.starts_with(&*folder.path().to_string_lossy()));
                    break change;
                }
            }
            n_batches += 1;
            assert!(n_batches < 10_000, "the disk is not full");
        };
        // As long as there is no room, every attempt fails and harms nothing.
        for _ in 0..3 {
            if store.reopen().is_ok() {
                let batch = std::slice::from_ref(&failing);
                let refused = store.commit(batch, Durability::Disk, moment());
                assert!(refused.is_err(), "there is no room");
            }
        }
        limit_files(usual.current);
        store.reopen().expect("there is room");
        model.commit(&mut store, &[failing]);
        fill(&mut store, &mut model, 0..10);
        store.sync().expect("synced");
    }
    drop(store);
    model.check_store(&mut open(folder.path()));
}

fn limit_files(current: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current, maximum }).expect("set");
}
