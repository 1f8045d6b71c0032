//! Space comes back.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use hookmq_broker::store::{Change, Durability, Place, SessionNumber, Store};

use super::model::{any_delivery, any_session, message, moment, open, temporary};

/// Bytes that a folder takes on the disk.
fn size(path: &Path) -> u64 {
    let mut sum = 0;
    for entry in std::fs::read_dir(path).expect("readable") {
        let path = entry.expect("readable").path();
        // The engine takes files away meanwhile.
        let Ok(metadata) = path.metadata() else {
            continue;
        };
        sum += if metadata.is_dir() {
            size(&path)
        } else {
            metadata.blocks() * 512
        };
    }
    sum
}

/// 200 000 messages of 1 KiB through 100 queues of 100: 200 MB in, 10 MB there at any time.
#[test]
fn what_went_through_takes_no_space() {
    const LIMIT_MB: u64 = 160;
    let folder = temporary();
    let mut store = open(folder.path());
    let mut changes = (1..=100)
        .map(|number| Change::Session(any_session(number, 0).into()))
        .collect::<Vec<_>>();
    let mut here = std::collections::VecDeque::new();
    let mut largest = 0;
    for number in 0..200_000_u64 {
        let session = SessionNumber(1 + number % 100);
        // Every other message is kept apart from its queue.
        let place = Place::new(1000 + number, number % 2 == 0);
        let queued = Arc::new(message("a", vec![number as u8; 1024]));
        here.push_back((session, place, Arc::clone(&queued)));
        changes.push(Change::Queued(session, place, queued, any_delivery(0)));
        if here.len() > 10_000
            && let Some((session, place, message)) = here.pop_front()
        {
            changes.push(Change::Done(session, place, message, false));
        }
        if number % 500 == 499 {
            store
                .commit(&changes, Durability::Os, moment())
                .expect("committed");
            changes.clear();
        }
        if number % 10_000 == 9_999 {
            largest = largest.max(size(folder.path()) >> 20);
        }
    }
    assert!(largest < LIMIT_MB, "{largest} MB");
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(store.load(moment()).expect("loaded").sessions.len(), 100);
    let mut n_messages = 0;
    while let Some(queue) = store.load_queue(moment()).expect("loaded") {
        n_messages += queue.messages.len();
    }
    assert_eq!(n_messages, 10_000);
}
