//! The numbers by which hooks, fields and verdicts cross the C ABI: libraries that were built years ago rely on them.

use hookmq_plugin_api::abi;
use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::field::FIELDS;

const GOLDEN: &str = include_str!("golden/numbers.txt");

fn golden(kind: &str) -> Vec<(usize, &'static str)> {
    GOLDEN
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split(' ');
            (words.next() == Some(kind)).then(|| {
                let number = words.next().expect("a number").parse();
                (number.expect("a number"), words.next().expect("a name"))
            })
        })
        .collect()
}

fn check(kind: &str, names: &[&'static str]) {
    let golden = golden(kind);
    for (number, name) in &golden {
        assert_eq!(
            names.get(*number),
            Some(name),
            "{kind} {number} was {name} when it was published; add new rows at the end of the catalogue's list"
        );
    }
    assert_eq!(
        names.get(golden.len()..),
        Some(&[][..]),
        "append these to plugin-api/tests/golden/numbers.txt, with their numbers"
    );
}

#[test]
fn hooks_keep_their_numbers() {
    let names: Vec<_> = HOOKS.iter().map(|spec| spec.name).collect();
    check("hook", &names);
    for (at, spec) in HOOKS.iter().enumerate() {
        assert_eq!(spec.hook as usize, at);
    }
}

#[test]
fn fields_keep_their_numbers() {
    let names: Vec<_> = FIELDS.iter().map(|spec| spec.name).collect();
    check("field", &names);
}

#[test]
fn the_numbers_of_the_protocol_itself_stand() {
    use abi::host::{condition, level, status};
    use abi::{outcome, tag};
    assert_eq!(abi::ABI_VERSION, 1);
    assert_eq!(
        [
            outcome::PANIC,
            outcome::ERROR,
            outcome::PASS,
            outcome::ACCEPT,
            outcome::DENY,
            outcome::DROP,
            outcome::CONSUME,
            outcome::DISCONNECT
        ],
        [-2, -1, 0, 1, 2, 3, 4, 5]
    );
    assert_eq!(
        [
            tag::NIL,
            tag::BOOL,
            tag::INTEGER,
            tag::TEXT,
            tag::BYTES,
            tag::PAIRS,
            tag::RECORDS
        ],
        [0, 1, 2, 3, 4, 5, 6]
    );
    assert_eq!(
        [
            status::NOT_GRANTED,
            status::LIMIT,
            status::ARGUMENT,
            status::DEPTH,
            status::STOPPING,
            status::ABSENT
        ],
        [-1, -2, -3, -4, -5, -6]
    );
    assert_eq!(
        [level::DEBUG, level::INFO, level::WARN, level::ERROR],
        [0, 1, 2, 3]
    );
    assert_eq!(
        [condition::ALWAYS, condition::ABSENT, condition::EQUALS],
        [0, 1, 2]
    );
}
