//! The folder goes away under a store that has it open: nothing is acknowledged that would not be found again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookmq_broker::store::{Change, Durability, Store, StoreError};
use hookmq_store::DiskStore;

use super::folder::{copy, fill};
use super::model::{Model, message, moment, open, temporary};

fn commit(store: &mut DiskStore) -> Result<(), StoreError> {
    let retained = Change::Retained(Arc::new(message("later", "x")));
    store.commit(&[retained], Durability::Os, moment())
}

/// What is committed cannot be brought to the disk, nor anything be committed, and the store says why.
fn check_noticed(store: &mut DiskStore, place: &Path, words: &str) {
    let failed = store.sync().expect_err("nothing would be found again");
    assert_eq!(failed.what, place.display().to_string());
    assert!(failed.why.contains(words), "{failed}");
    check_fails(store, place, words);
}

/// Every attempt fails, and names `place` and what is wrong with it.
fn check_fails(store: &mut DiskStore, place: &Path, words: &str) {
    let check = |failed: Result<(), StoreError>| {
        let failed = failed.expect_err("nothing would be found again");
        assert_eq!(failed.what, place.display().to_string());
        assert!(failed.why.contains(words), "{failed}");
    };
    for _ in 0..2 {
        check(commit(store));
        check(store.reopen());
    }
}

/// A store of ten batches, and a copy of it beside.
fn a_store_and_a_copy(folder: &Path) -> (DiskStore, Model, PathBuf, PathBuf) {
    let (path, copied) = (folder.join("data"), folder.join("copy"));
    let mut model = Model::default();
    let mut store = open(&path);
    fill(&mut store, &mut model, 0..10);
    store.sync().expect("synced");
    copy(&path, &copied);
    (store, model, path, copied)
}

#[test]
fn another_folder_in_its_place_is_noticed_and_not_touched() {
    let folder = temporary();
    let (mut store, mut model, path, copied) = a_store_and_a_copy(folder.path());
    let mut before = model.clone();
    fill(&mut store, &mut model, 10..15);
    let moved = folder.path().join("moved");
    std::fs::rename(&path, &moved).expect("renamed");
    std::fs::rename(&copied, &path).expect("renamed");
    check_noticed(&mut store, &path, "another folder stands in its place");
    std::fs::rename(&path, &copied).expect("renamed");
    check_fails(&mut store, &path, "it is gone");
    // Put back.
    std::fs::rename(&moved, &path).expect("renamed");
    store.reopen().expect("it is there again");
    fill(&mut store, &mut model, 15..20);
    store.sync().expect("synced");
    drop(store);
    model.check_store(&mut open(&path));
    before.check_store(&mut open(&copied));
}

/// The other one has all that was committed, and would pass for the first.
#[test]
fn a_whole_copy_is_another_folder_too() {
    let folder = temporary();
    let (mut store, _, path, copied) = a_store_and_a_copy(folder.path());
    std::fs::remove_dir_all(&path).expect("removed");
    copy(&copied, &path);
    check_noticed(&mut store, &path, "another folder stands in its place");
}

#[test]
fn a_database_that_is_removed_or_changed_is_noticed() {
    let folder = temporary();
    let (mut store, _, path, copied) = a_store_and_a_copy(folder.path());
    let database = path.join("db");
    std::fs::remove_dir_all(&database).expect("removed");
    check_noticed(&mut store, &database, "it is gone");
    copy(&copied.join("db"), &database);
    check_fails(&mut store, &database, "another folder stands in its place");
    drop(store);
    // Its owner restored it; a new broker goes on with it.
    let mut store = open(&path);
    let restored = store.load(moment()).expect("loaded");
    assert_eq!(restored.retained.len(), 10);
}

/// A batch may be the first for hours.
#[test]
fn the_first_batch_is_not_written_into_a_folder_that_has_gone() {
    let folder = temporary();
    let path = folder.path().join("data");
    let mut store = open(&path);
    std::fs::rename(&path, folder.path().join("moved")).expect("renamed");
    let failed = commit(&mut store).expect_err("nothing would be found again");
    assert_eq!(failed.what, path.display().to_string());
    assert!(failed.why.contains("it is gone"), "{failed}");
}
