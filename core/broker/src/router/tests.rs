//! The router against a list of subscriptions and the standard's own wording, over random histories.

mod shapes;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proptest::{prelude::*, strategy::Strategy as Strategy_, test_runner::Config};

use super::*;

/// Topic Filter matching by the letter of section 4.7, level by level.
pub(super) fn naive_match(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && (filter.starts_with('#') || filter.starts_with('+')) {
        return false;
    }
    let filter: Vec<&str> = filter.split('/').collect();
    let topic: Vec<&str> = topic.split('/').collect();
    let equal = |levels: &[&str]| {
        levels
            .iter()
            .zip(&topic)
            .all(|(wanted, held)| *wanted == "+" || wanted == held)
    };
    match filter.split_last() {
        Some((&"#", parents)) => topic.len() >= parents.len() && equal(parents),
        _ => topic.len() == filter.len() && equal(&filter),
    }
}

/// Few words, so that filters and topics meet; empty levels, `$`, and levels that are beginnings of one another.
pub(super) fn level() -> impl Strategy_<Value = &'static str> {
    prop::sample::select(
        &[
            "a",
            "b",
            "ab",
            "",
            "$s",
            "a!",
            "a level of more than sixteen bytes",
            "é",
        ][..],
    )
}

pub(super) fn topic() -> impl Strategy_<Value = String> {
    prop::collection::vec(level(), 1..5).prop_map(|levels| not_empty(levels.join("/")))
}

pub(super) fn filter() -> impl Strategy_<Value = String> {
    let wild = prop_oneof![3 => level(), 2 => Just("+")];
    (prop::collection::vec(wild, 0..5), any::<bool>()).prop_map(|(mut levels, multi)| {
        levels.extend(multi.then_some("#"));
        not_empty(levels.join("/"))
    })
}

/// Filters and topics have at least one character [MQTT-4.7.3-1].
fn not_empty(text: String) -> String {
    if text.is_empty() {
        "/".to_owned()
    } else {
        text
    }
}

/// As many cases as a debug run can afford in a second or two; `PROPTEST_CASES` says otherwise.
pub(super) fn cases(in_release: u32) -> Config {
    let cases = if cfg!(debug_assertions) {
        in_release / 50
    } else {
        in_release
    };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default(),
        None => Config::with_cases(cases),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Subscribe(Option<&'static str>, String, u8, u32),
    Unsubscribe(Option<&'static str>, String, u8),
    /// The n-th of what is there.
    UnsubscribeHeld(usize),
    Publish(String),
}

fn step() -> impl Strategy_<Value = Step> {
    let share_name = || prop::sample::select(&[None, None, Some("x"), Some("y")][..]);
    prop_oneof![
        4 => (share_name(), filter(), 0u8..4, any::<u32>()).prop_map(|(s, f, k, v)| Step::Subscribe(s, f, k, v)),
        1 => (share_name(), filter(), 0u8..4).prop_map(|(s, f, k)| Step::Unsubscribe(s, f, k)),
        2 => any::<usize>().prop_map(Step::UnsubscribeHeld),
        4 => topic().prop_map(Step::Publish),
    ]
}

type Model = BTreeMap<(Option<&'static str>, String, u8), u32>;

fn check_history(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let router = Router::new();
    let mut model = Model::new();
    let mut matches = Matches::new();
    for step in steps {
        let generation = router.generation();
        match step {
            Step::Subscribe(share_name, filter, key, value) => {
                let old = router.subscribe(share_name, &filter, &key, value);
                prop_assert_eq!(old, model.insert((share_name, filter, key), value));
                prop_assert_ne!(router.generation(), generation);
            }
            Step::Unsubscribe(share_name, filter, key) => {
                let old = router.unsubscribe(share_name, &filter, &key);
                prop_assert_eq!(old, model.remove(&(share_name, filter, key)));
                prop_assert_eq!(router.generation() != generation, old.is_some());
            }
            Step::UnsubscribeHeld(n) => {
                let Some(held) = model.keys().nth(n % model.len().max(1)).cloned() else {
                    continue;
                };
                let (share_name, filter, key) = &held;
                prop_assert_eq!(
                    router.unsubscribe(*share_name, filter, key),
                    model.remove(&held)
                );
            }
            Step::Publish(topic) => {
                prop_assert_eq!(router.matches(&topic, &mut matches), generation);
                check_matches(&model, &topic, &matches)?;
            }
        }
        check_counts(&model, router.counts())?;
    }
    let mut shown = BTreeMap::new();
    router.for_each_subscription(|entry| {
        shown.insert(
            (
                entry.share_name.clone(),
                entry.filter.to_string(),
                entry.key,
            ),
            entry.value,
        );
    });
    let expected: BTreeMap<_, _> = model
        .iter()
        .map(|((s, f, k), v)| ((s.map(Arc::from), f.clone(), *k), *v))
        .collect();
    prop_assert_eq!(shown, expected);
    for (share_name, filter, key) in model.keys() {
        prop_assert!(router.unsubscribe(*share_name, filter, key).is_some());
    }
    prop_assert_eq!(
        router.counts(),
        RouterCounts {
            n_nodes: 1,
            ..RouterCounts::default()
        }
    );
    Ok(())
}

fn check_matches(
    model: &Model,
    topic: &str,
    matches: &Matches<u8, u32>,
) -> Result<(), TestCaseError> {
    let matching = || {
        model
            .iter()
            .filter(|((_, filter, _), _)| naive_match(filter, topic))
    };
    let mut plain = matches.plain.clone();
    plain.sort_unstable();
    let mut expected: Vec<_> = matching()
        .filter(|((share_name, ..), _)| share_name.is_none())
        .map(|((.., k), v)| (*k, *v))
        .collect();
    expected.sort_unstable();
    prop_assert_eq!(plain, expected);

    let mut shared: Vec<_> = matches
        .shared
        .iter()
        .map(|group| (group.share_name().to_owned(), sorted(group)))
        .collect();
    shared.sort_unstable();
    let mut groups: BTreeMap<(&str, &str), Vec<(u8, u32)>> = BTreeMap::new();
    for ((share_name, filter, key), value) in matching() {
        if let Some(share_name) = share_name {
            groups
                .entry((share_name, filter))
                .or_default()
                .push((*key, *value));
        }
    }
    let mut expected: Vec<_> = groups
        .into_iter()
        .map(|((name, _), members)| (name.to_owned(), members))
        .collect();
    expected.sort_unstable();
    prop_assert_eq!(shared, expected);
    Ok(())
}

fn sorted(group: &Group<u8, u32>) -> Vec<(u8, u32)> {
    let mut members = group.members();
    members.sort_unstable();
    members
}

fn check_counts(model: &Model, counts: RouterCounts) -> Result<(), TestCaseError> {
    prop_assert_eq!(counts.n_subscriptions, model.len());
    let filters: BTreeSet<_> = model.keys().map(|(_, filter, _)| filter).collect();
    prop_assert_eq!(counts.n_filters, filters.len());
    let groups: BTreeSet<_> = model
        .keys()
        .filter_map(|(s, filter, _)| s.map(|s| (s, filter)))
        .collect();
    prop_assert_eq!(counts.n_shared_groups, groups.len());
    Ok(())
}

proptest! {
    #![proptest_config(cases(100_000))]

    /// [MQTT-4.7.2-1] [MQTT-4.7.3-4] [MQTT-3.8.4-3] [MQTT-3.10.4-1] [MQTT-3.10.4-2]
    #[test]
    fn any_history_matches_what_the_standard_says(steps in prop::collection::vec(step(), 0..25)) {
        check_history(steps)?;
    }
}

fn matching(router: &Router<u32, ()>, topic: &str) -> Vec<u32> {
    let mut matches = Matches::new();
    router.matches(topic, &mut matches);
    let mut keys: Vec<u32> = matches.plain.iter().map(|(key, ())| *key).collect();
    keys.sort_unstable();
    keys
}

/// The examples of section 4.7, word by word.
#[test]
fn examples_of_the_standard_hold() {
    let check = |filter: &str, topic: &str, expected: bool| {
        let router = Router::new();
        router.subscribe(None, filter, &1, ());
        assert_eq!(
            !matching(&router, topic).is_empty(),
            expected,
            "{filter} {topic}"
        );
        assert_eq!(naive_match(filter, topic), expected, "{filter} {topic}");
    };
    check("sport/tennis/player1/#", "sport/tennis/player1", true);
    check(
        "sport/tennis/player1/#",
        "sport/tennis/player1/ranking",
        true,
    );
    check(
        "sport/tennis/player1/#",
        "sport/tennis/player1/score/wimbledon",
        true,
    );
    check("sport/#", "sport", true);
    check("#", "sport/tennis", true);
    check("sport/tennis/+", "sport/tennis/player1", true);
    check("sport/tennis/+", "sport/tennis/player1/ranking", false);
    check("sport/+", "sport", false);
    check("sport/+", "sport/", true);
    check("+/+", "/finance", true);
    check("/+", "/finance", true);
    check("+", "/finance", false);
    check("+/tennis/#", "sport/tennis", true);
    check("#", "$SYS/uptime", false);
    check("+/monitor/Clients", "$SYS/monitor/Clients", false);
    check("$SYS/#", "$SYS", true);
    check("$SYS/#", "$SYS/uptime", true);
    check("$SYS/monitor/+", "$SYS/monitor/Clients", true);
    check("a/+/$b", "a/$c/$b", true);
    check("ACCOUNTS", "Accounts", false);
    check("/", "/", true);
    check("+/+", "/", true);
}
