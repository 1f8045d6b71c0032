//! Retained Messages against a plain map and the naive matcher.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    super::tests::{cases, filter, naive_match, topic},
    *,
};

const UNLIMITED: RetainedLimits = RetainedLimits {
    n_messages: usize::MAX,
    n_bytes: usize::MAX,
};

fn all(retained: &Retained<String>, filter: &str, budget: Budget) -> Vec<String> {
    let mut cursor = Cursor::new(filter);
    let mut found = Vec::new();
    // Two visits for each topic are more than enough to get somewhere.
    for _ in 0..=2 * retained.len() + 2 {
        let before = found.len();
        let progress = retained.collect_matching(&mut cursor, budget, &mut found);
        assert!(found.len() - before <= budget.n_messages);
        if progress == Progress::Done {
            return found;
        }
    }
    panic!("{filter} comes to no end");
}

fn sorted(mut topics: Vec<String>) -> Vec<String> {
    topics.sort_unstable();
    topics
}

#[derive(Debug, Clone)]
enum Step {
    Set(String, usize),
    Clear(String),
    Read(String, usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (topic(), 0usize..100).prop_map(|(topic, n_bytes)| Step::Set(topic, n_bytes)),
        1 => topic().prop_map(Step::Clear),
        2 => (filter(), 1usize..4, 1usize..20).prop_map(|(f, n_messages, n_visits)| Step::Read(f, n_messages, n_visits)),
    ]
}

proptest! {
    #![proptest_config(cases(50_000))]

    /// [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-9] [MQTT-4.7.2-1]
    #[test]
    fn any_history_reads_as_the_standard_says(steps in prop::collection::vec(step(), 0..40)) {
        let retained = Retained::new(UNLIMITED);
        let mut model: BTreeMap<String, usize> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Set(topic, n_bytes) => {
                    let old = retained.set(&topic, topic.clone(), n_bytes);
                    prop_assert_eq!(old, Ok(model.insert(topic.clone(), n_bytes).map(|_| topic)));
                }
                Step::Clear(topic) => {
                    let known = model.remove(&topic).is_some();
                    prop_assert_eq!(retained.clear(&topic), known.then_some(topic.clone()));
                    prop_assert_eq!(retained.get(&topic), None);
                }
                Step::Read(filter, n_messages, n_visits) => {
                    let found = all(&retained, &filter, Budget { n_messages, n_visits });
                    let expected = model.keys().filter(|topic| naive_match(&filter, topic)).cloned().collect();
                    prop_assert_eq!(sorted(found), sorted(expected), "{}", filter);
                }
            }
            prop_assert_eq!(retained.len(), model.len());
            prop_assert_eq!(retained.n_bytes(), model.values().sum::<usize>());
        }
        let mut shown = Vec::new();
        retained.for_each(|topic, message| {
            assert_eq!(topic, message);
            shown.push(topic.to_owned());
        });
        prop_assert_eq!(sorted(shown), model.keys().cloned().collect::<Vec<_>>());
    }

    /// What stays from beginning to end is read once, what comes and goes at most once.
    #[test]
    fn a_reader_keeps_its_place_while_messages_change(
        staying in prop::collection::btree_set(topic(), 0..30),
        changes in prop::collection::vec((topic(), any::<bool>()), 0..60),
        filter in filter(),
    ) {
        let retained = Retained::new(UNLIMITED);
        for topic in &staying {
            retained.set(topic, topic.clone(), 1).unwrap();
        }
        let mut cursor = Cursor::new(&filter);
        let mut found = Vec::new();
        let mut changes = changes.into_iter().filter(|(topic, _)| !staying.contains(topic));
        loop {
            let budget = Budget { n_messages: 1, n_visits: 3 };
            if retained.collect_matching(&mut cursor, budget, &mut found) == Progress::Done {
                break;
            }
            match changes.next() {
                Some((topic, true)) => drop(retained.set(&topic, topic.clone(), 1)),
                Some((topic, false)) => drop(retained.clear(&topic)),
                None => {}
            }
        }
        let found = sorted(found);
        prop_assert!(found.windows(2).all(|pair| pair[0] != pair[1]), "{:?} was read twice", found);
        prop_assert!(found.iter().all(|topic| naive_match(&filter, topic)));
        for topic in staying.iter().filter(|topic| naive_match(&filter, topic)) {
            prop_assert!(found.contains(topic), "{} was not read", topic);
        }
    }
}

#[test]
fn limits_are_named_and_leave_everything_as_it_was() {
    let retained = Retained::new(RetainedLimits {
        n_messages: 2,
        n_bytes: 100,
    });
    assert_eq!(retained.set("a", 1, 60), Ok(None));
    assert_eq!(
        retained.set("b", 2, 50),
        Err(RetainedFull::Bytes { limit: 100 })
    );
    assert_eq!(
        retained.set("b", 2, usize::MAX),
        Err(RetainedFull::Bytes { limit: 100 })
    );
    assert_eq!(retained.set("b", 2, 40), Ok(None));
    assert_eq!(
        retained.set("c", 3, 0),
        Err(RetainedFull::Messages { limit: 2 })
    );
    // A replacement counts instead of what it replaces.
    assert_eq!(
        retained.set("a", 4, 61),
        Err(RetainedFull::Bytes { limit: 100 })
    );
    assert_eq!((retained.get("a"), retained.get("c")), (Some(1), None));
    assert_eq!(retained.set("a", 5, 10), Ok(Some(1)));
    assert_eq!((retained.len(), retained.n_bytes()), (2, 50));
    assert_eq!(retained.clear_if("a", |message| *message == 1), None);
    assert_eq!(retained.clear_if("a", |message| *message == 5), Some(5));
    assert_eq!(
        (retained.clear_all(), retained.len(), retained.n_bytes()),
        (1, 0, 0)
    );
    assert_eq!(retained.set("c", 6, 100), Ok(None));
    let said = RetainedFull::Messages { limit: 2 }.to_string();
    assert_eq!(said, "the limit of 2 retained messages is reached");
}

/// A thousand devices with a hundred values each: the one value wanted of each device is found by leaps.
#[test]
fn a_wildcard_in_the_middle_does_not_look_at_every_topic() {
    let retained = Retained::new(UNLIMITED);
    for n in 0..100_000 {
        let topic = format!("devices/{:03}/value{:02}", n / 100, n % 100);
        retained.set(&topic, topic.clone(), 1).unwrap();
    }
    let check = |filter: &str, expected: usize, n_visits: usize| {
        let mut found = Vec::new();
        let budget = Budget {
            n_messages: usize::MAX,
            n_visits,
        };
        let progress = retained.collect_matching(&mut Cursor::new(filter), budget, &mut found);
        assert_eq!(
            (found.len(), progress),
            (expected, Progress::Done),
            "{filter}"
        );
    };
    check("devices/+/value50", 1000, 3 * 1000);
    check("devices/+/none", 0, 2 * 1000 + 1);
    check("+/500/+", 100, 110);
    check("devices/500/#", 100, 101);
    check("devices/500/value50", 1, 3);
    check("other/#", 0, 1);
    check("devices/+", 0, 1001);
    check("#", 100_000, 100_000);
}

#[test]
fn the_place_survives_the_end_of_the_topic_it_names() {
    let retained = Retained::new(UNLIMITED);
    for topic in ["a", "b", "c", "d"] {
        retained.set(topic, topic.to_owned(), 1).unwrap();
    }
    let mut cursor = Cursor::new("+");
    let mut found = Vec::new();
    let budget = Budget {
        n_messages: 2,
        n_visits: 100,
    };
    assert_eq!(
        retained.collect_matching(&mut cursor, budget, &mut found),
        Progress::More
    );
    retained.clear("c");
    retained.clear("b");
    assert_eq!(
        retained.collect_matching(&mut cursor, budget, &mut found),
        Progress::Done
    );
    assert_eq!(found, ["a", "b", "d"]);
    assert_eq!(
        retained.collect_matching(&mut cursor, budget, &mut found),
        Progress::Done
    );
    assert_eq!(found.len(), 3);
}

#[test]
fn topics_of_the_greatest_length_are_kept_and_found() {
    let retained = Retained::new(UNLIMITED);
    let slashes = "/".repeat(65_535);
    let deep = format!("{}x", "a/".repeat(32_767));
    for topic in [&slashes, &deep] {
        retained.set(topic, topic.clone(), 1).unwrap();
    }
    let generous = Budget {
        n_messages: 10,
        n_visits: 10,
    };
    assert_eq!(
        all(&retained, "#", generous),
        [slashes.clone(), deep.clone()]
    );
    assert_eq!(
        all(&retained, &format!("+{}", "/+".repeat(32_767)), generous),
        [&*deep]
    );
    assert_eq!(
        all(&retained, &format!("+{}", "/+".repeat(65_534)), generous),
        Vec::<String>::new()
    );
    assert_eq!(all(&retained, &slashes, generous), [&*slashes]);
}
