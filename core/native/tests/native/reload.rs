//! A library beside its successor: both answer, each with its own state, and the old one ends once, after its last call.
//!
//! A library of a file that some other test has done with is used again, so tests that look at memory have builds of their own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use hookmq_native::{NativePlugin, NativeSettings};
use hookmq_plugin_api::{Owned, Plugin};
use parking_lot::RwLock;

use crate::host::FakeHost;
use crate::{ask, build, publish};

fn counted(library: &Path, notes: &Path, copies: &Path) -> Arc<NativePlugin> {
    let settings = NativeSettings {
        config: format!("\"{}\"", notes.display()),
        copies: copies.to_owned(),
        ..NativeSettings::new("counted")
    };
    NativePlugin::load(library, settings, Arc::new(FakeHost::default())).expect("loads")
}

fn generation(plugin: &NativePlugin) -> Owned {
    let answer = ask(plugin, &publish("x")).expect("an answer");
    answer.changes.into_iter().next().expect("a change").1
}

#[test]
fn the_new_file_is_loaded_beside_the_old_one() {
    let built = build::fixture("counted.c", &["GENERATION=3"]);
    let notes = built.folder().join("notes");
    let copies = built.folder().join("copies");
    let old = counted(built.path(), &notes, &copies);
    assert!(old.is_current());
    assert_eq!(old.files(), [built.path()]);
    // The copy is gone as soon as it is loaded.
    assert_eq!(std::fs::read_dir(&copies).expect("the folder").count(), 0);
    build::compile_library(&build::source("counted.c"), built.path(), &["GENERATION=4"]);
    assert!(!old.is_current());
    let new = counted(built.path(), &notes, &copies);
    assert!(new.is_current());
    assert_eq!(generation(&old), Owned::Integer(3));
    assert_eq!(generation(&new), Owned::Integer(4));
    assert_eq!(generation(&old), Owned::Integer(3));
    drop(old);
    assert_eq!(
        std::fs::read_to_string(&notes).expect("notes"),
        "generation 3: 2 calls, 0 running\n"
    );
    assert_eq!(generation(&new), Owned::Integer(4));
    std::fs::remove_file(built.path()).expect("removed");
    assert!(!new.is_current());
    assert_eq!(generation(&new), Owned::Integer(4));
}

#[test]
fn the_same_file_twice_is_two_plugins() {
    let built = build::fixture("counted.c", &[]);
    let (one, two) = (built.folder().join("one"), built.folder().join("two"));
    let first = counted(built.path(), &one, built.folder());
    let second = counted(built.path(), &two, built.folder());
    for _ in 0..3 {
        generation(&first);
    }
    generation(&second);
    drop((first, second));
    let read = |path| std::fs::read_to_string(path).expect("notes");
    assert_eq!(read(one), "generation 1: 3 calls, 0 running\n");
    assert_eq!(read(two), "generation 1: 1 calls, 0 running\n");
}

#[test]
fn each_instance_ends_once_and_after_its_last_call_while_others_call() {
    let built = build::fixture("counted.c", &[]);
    let notes = built.folder().join("notes");
    let load = || counted(built.path(), &notes, built.folder());
    let current = RwLock::new(load());
    let is_over = AtomicBool::new(false);
    let calls = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    // As the chain does: the plugin is held for the length of a call.
                    let plugin = Arc::clone(&current.read());
                    assert_eq!(generation(&plugin), Owned::Integer(1));
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..50 {
            let before = calls.load(Ordering::Relaxed);
            *current.write() = load();
            while calls.load(Ordering::Relaxed) < before + 10 {
                thread::yield_now();
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    drop(current);
    let notes = std::fs::read_to_string(&notes).expect("notes");
    assert_eq!(notes.lines().count(), 51);
    let mut sum = 0;
    for line in notes.lines() {
        let line = line.strip_prefix("generation 1: ").expect("a note");
        let (number, rest) = line.split_once(' ').expect("a note");
        assert_eq!(rest, "calls, 0 running");
        sum += number.parse::<u64>().expect("a number");
    }
    assert_eq!(sum, calls.load(Ordering::Relaxed));
}

/// How many libraries of this folder the process has in memory.
#[cfg(target_os = "linux")]
fn mapped(copies: &Path) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the kernel's list");
    let folder = copies.display().to_string();
    let files: std::collections::BTreeSet<_> = maps
        .lines()
        .filter_map(|line| line.split_once(&folder))
        .map(|(_, file)| file)
        .collect();
    files.len()
}

#[cfg(target_os = "linux")]
#[test]
fn reloading_to_and_fro_for_ever_takes_no_more_memory() {
    let (one, two) = (
        build::fixture("counted.c", &["GENERATION=5"]),
        build::fixture("counted.c", &["GENERATION=6"]),
    );
    let notes = one.folder().join("notes");
    let copies = one.folder().join("copies");
    let mut current = counted(one.path(), &notes, &copies);
    for round in 0..50 {
        let (built, expected) = if round % 2 == 0 { (&two, 6) } else { (&one, 5) };
        // As in a reload, the new one is there before the old one ends.
        current = counted(built.path(), &notes, &copies);
        assert_eq!(generation(&current), Owned::Integer(expected));
        assert_eq!(generation(&current), Owned::Integer(expected));
    }
    // A changed config loads the same file beside itself.
    for _ in 0..50 {
        current = counted(one.path(), &notes, &copies);
    }
    drop(current);
    assert_eq!(mapped(&copies), 3);
    let notes = std::fs::read_to_string(&notes).expect("notes");
    assert_eq!(notes.lines().count(), 101);
    assert_eq!(
        notes
            .lines()
            .filter(|line| line.ends_with(": 2 calls, 0 running"))
            .count(),
        50
    );
}

#[test]
fn a_plugin_can_be_dropped_on_any_thread() {
    let built = build::fixture("counted.c", &[]);
    let notes = built.folder().join("notes");
    let plugin: Arc<dyn Plugin> = counted(built.path(), &notes, built.folder());
    thread::scope(|scope| {
        scope.spawn(move || drop(plugin));
    });
    assert!(notes.exists());
}
