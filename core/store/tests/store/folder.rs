//! Whose the folder is, and what happens when a part of it is missing.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookmq_broker::store::{Change, Durability, Place, SessionNumber, Store};
use hookmq_store::{DiskStore, StoreOptions};

use super::model::{Model, any_delivery, any_session, message, moment, open, options, temporary};

/// Everything below a folder, itself included.
fn all_below(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("readable") {
            found.extend(all_below(&entry.expect("readable").path()));
        }
    }
    found
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("created");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).expect("copied");
        }
    }
}

/// One retained message a batch.
pub(crate) fn fill(store: &mut DiskStore, model: &mut Model, batches: std::ops::Range<usize>) {
    for number in batches {
        let retained = message(&format!("topic/{number}"), vec![number as u8; 100]);
        model.commit(store, &[Change::Retained(Arc::new(retained))]);
    }
}

#[test]
fn only_the_owner_may_look() {
    let folder = temporary();
    let path = folder.path().join("new/data");
    let mut store = open(&path);
    // Enough for new journals and tables.
    for number in 0..3_000 {
        let large = message(&format!("topic/{}", number % 100), vec![7; 30_000]);
        store
            .commit(
                &[Change::Retained(Arc::new(large))],
                Durability::Os,
                moment(),
            )
            .expect("committed");
    }
    store.sync().expect("synced");
    drop(store);
    drop(open(&path));
    for path in all_below(&path) {
        let metadata = path.metadata().expect("there");
        let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path:?}");
    }
}

#[test]
fn a_folder_that_was_open_to_others_is_closed() {
    let folder = temporary();
    let path = folder.path().join("data");
    std::fs::create_dir(&path).expect("created");
    let open_to_all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&path, open_to_all).expect("set");
    let _store = open(&path);
    let mode = path.metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_second_broker_is_refused_by_the_folders_name() {
    let folder = temporary();
    let store = open(folder.path());
    let refused = DiskStore::open(folder.path(), options()).expect_err("locked");
    assert_eq!(refused.what, folder.path().display().to_string());
    assert!(refused.why.contains("another broker"), "{refused}");
    drop(store);
    open(folder.path());
}

#[test]
fn a_folder_that_cannot_be_is_refused_by_name() {
    let folder = temporary();
    let path = folder.path().join("file");
    std::fs::write(&path, "text").expect("written");
    let refused = DiskStore::open(&path, options()).expect_err("a file");
    assert_eq!(refused.what, path.display().to_string());
}

#[test]
fn a_link_to_nothing_is_refused_as_that() {
    let folder = temporary();
    let (path, target) = (folder.path().join("data"), folder.path().join("later"));
    std::os::unix::fs::symlink(&target, &path).expect("linked");
    for below in [path.clone(), path.join("below")] {
        let refused = DiskStore::open(&below, options()).expect_err("nothing is there");
        assert_eq!(refused.what, path.display().to_string());
        assert!(
            refused.why.contains("a symbolic link to nothing"),
            "{refused}"
        );
        assert!(refused.why.contains("later is not there"), "{refused}");
    }
    std::fs::create_dir(&target).expect("created");
    drop(open(&path));
    let database = target.join("db");
    std::fs::rename(&database, folder.path().join("elsewhere")).expect("renamed");
    std::os::unix::fs::symlink("../nothing", &database).expect("linked");
    let refused = DiskStore::open(&path, options()).expect_err("nothing is there");
    assert_eq!(refused.what, path.join("db").display().to_string());
    assert!(
        refused.why.contains("a symbolic link to nothing"),
        "{refused}"
    );
}

#[test]
fn a_creation_that_was_interrupted_is_begun_anew() {
    let folder = temporary();
    let half = folder.path().join("db.new/keyspaces");
    std::fs::create_dir_all(&half).expect("created");
    std::fs::write(folder.path().join("db.new/0.jnl"), "").expect("written");
    let mut model = Model::default();
    model.check_store(&mut open(folder.path()));
    assert!(!folder.path().join("db.new").exists());
}

/// A kill: nothing is closed, and what the operating system has is there.
#[test]
fn what_was_committed_outlives_the_process() {
    let folder = temporary();
    let (live, copied) = (folder.path().join("live"), folder.path().join("copy"));
    let mut model = Model::default();
    let mut store = open(&live);
    fill(&mut store, &mut model, 0..50);
    copy(&live, &copied);
    model.check_store(&mut open(&copied));
    // A batch that was not finished.
    let journal = std::fs::read(live.join("db/0.jnl")).expect("readable");
    let end = journal
        .iter()
        .rposition(|&byte| byte != 0)
        .expect("written");
    fill(&mut store, &mut model.clone(), 50..51);
    let whole = std::fs::read(live.join("db/0.jnl")).expect("readable");
    let last = whole.iter().rposition(|&byte| byte != 0).expect("written");
    for cut in [end + 2, end + 20, last - 5, last] {
        let torn = folder.path().join(format!("torn{cut}"));
        copy(&live, &torn);
        let mut bytes = whole.clone();
        bytes[cut..].fill(0);
        std::fs::write(torn.join("db/0.jnl"), &bytes).expect("written");
        model.check_store(&mut open(&torn));
    }
}

/// Whether opening is refused, and with acceptance goes on and says what is lost, once.
pub(crate) fn check_refused(path: &Path, words: &str) -> DiskStore {
    let refused = DiskStore::open(path, options()).expect_err("refused");
    assert!(refused.to_string().contains(words), "{refused}");
    assert!(refused.why.contains("accept_data_loss"), "{refused}");
    // Being refused has changed nothing.
    let again = DiskStore::open(path, options()).expect_err("refused");
    assert_eq!(again.to_string(), refused.to_string());
    let accepting = StoreOptions {
        accept_data_loss: true,
        ..options()
    };
    let mut store = DiskStore::open(path, accepting).expect("accepted");
    let restored = store.load(moment()).expect("loaded");
    let told = restored.damaged.join("\n");
    assert!(told.contains(words), "{told}");
    drop(store);
    let mut store = open(path);
    let restored = store.load(moment()).expect("loaded");
    assert_eq!(restored.damaged, Vec::<String>::new());
    store
}

#[test]
fn batches_that_were_on_the_disk_and_are_missing_are_noticed() {
    let folder = temporary();
    let (path, old) = (folder.path().join("data"), folder.path().join("old"));
    let mut model = Model::default();
    let mut store = open(&path);
    fill(&mut store, &mut model, 0..10);
    store.sync().expect("synced");
    copy(&path.join("db"), &old);
    fill(&mut store, &mut model, 10..13);
    drop(store);
    // The disk gives back what it had before.
    std::fs::remove_dir_all(path.join("db")).expect("removed");
    copy(&old, &path.join("db"));
    check_refused(&path, "3 batches are lost that were on the disk, 11 to 13");
}

#[test]
fn a_database_that_is_gone_is_noticed() {
    let folder = temporary();
    let mut store = open(folder.path());
    fill(&mut store, &mut Model::default(), 0..10);
    drop(store);
    std::fs::remove_dir_all(folder.path().join("db")).expect("removed");
    check_refused(folder.path(), "the folder db is missing");
}

/// All of a young store is in its first journal.
#[test]
fn a_first_journal_that_is_gone_or_cut_is_the_loss_of_everything() {
    let cut = |journal: &Path, len| {
        let file = std::fs::File::options().write(true).open(journal);
        file.and_then(|file| file.set_len(len)).expect("cut");
    };
    let flip = |journal: &Path| {
        let mut bytes = std::fs::read(journal).expect("readable");
        bytes[40] ^= 1;
        std::fs::write(journal, bytes).expect("written");
    };
    type Harm<'a> = &'a dyn Fn(&Path);
    let harms: [(&str, Harm<'_>); 4] = [
        ("missing", &|it| std::fs::remove_file(it).expect("removed")),
        ("empty", &|it| cut(it, 0)),
        ("damaged at byte 0", &|it| cut(it, 50)),
        ("damaged at byte 0", &flip),
    ];
    for (words, harm) in harms {
        let folder = temporary();
        let mut store = open(folder.path());
        fill(&mut store, &mut Model::default(), 0..10);
        drop(store);
        harm(&folder.path().join("db/0.jnl"));
        let harmed = std::fs::read(folder.path().join("db/0.jnl")).ok();
        // A name that is taken.
        std::fs::create_dir_all(folder.path().join("damaged/db")).expect("created");
        let words = format!("db/0.jnl is {words}, and with it everything that 10 batches wrote");
        let mut store = check_refused(folder.path(), &words);
        let aside = folder.path().join("damaged/db.1");
        assert!(aside.join("keyspaces/1/current").exists(), "all of it");
        assert_eq!(std::fs::read(aside.join("0.jnl")).ok(), harmed);
        let mut model = Model::default();
        model.check_store(&mut store);
        fill(&mut store, &mut model, 0..3);
        drop(store);
        model.check_store(&mut open(folder.path()));
    }
}

#[test]
fn a_file_of_numbers_that_is_gone_is_noticed() {
    let folder = temporary();
    let mut store = open(folder.path());
    fill(&mut store, &mut Model::default(), 0..10);
    drop(store);
    std::fs::remove_file(folder.path().join("synced")).expect("removed");
    let mut store = check_refused(folder.path(), "the file synced is missing or damaged");
    let restored = store.load(moment()).expect("loaded");
    assert_eq!(restored.retained.len(), 10);
}

#[test]
fn what_is_left_of_a_session_without_a_record_is_taken_away() {
    let folder = temporary();
    let mut store = open(folder.path());
    let session = SessionNumber(1);
    let shared = Arc::new(message("a", "b"));
    let place = Place::new(5, true);
    let changes = [
        Change::Session(any_session(1, 0).into()),
        Change::Queued(session, place, shared, any_delivery(0)),
        Change::SessionEnded(session),
    ];
    store
        .commit(&changes, Durability::Os, moment())
        .expect("committed");
    drop(store);
    let mut store = open(folder.path());
    store.load(moment()).expect("loaded");
    assert!(store.load_queue(moment()).expect("loaded").is_none());
    drop(store);
    let database = fjall::Database::builder(folder.path().join("db"))
        .open()
        .expect("the engine opens");
    for name in ["q", "msg"] {
        let keyspace = database
            .keyspace(name, fjall::KeyspaceCreateOptions::default)
            .expect("the keyspace opens");
        assert!(keyspace.is_empty().expect("readable"), "{name}");
    }
}
