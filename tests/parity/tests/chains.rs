//! Chains of plugins of all runtimes, at random, against the rule of how answers combine, written as plainly as its words.

use std::sync::Arc;

use hookmq_broker::hook::{HookSettings, Hooks, Registration, Scope, Subject};
use hookmq_parity::column::{Column, Runtime};
use hookmq_plugin_api::{Event, EventRecord, Field, Hook, Kind, OnError, Owned, VerdictKind};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

const HOOKS: [Hook; 5] = [
    Hook::AuthorizePublish,
    Hook::AuthorizeSubscribe,
    Hook::InterceptPublish,
    Hook::InterceptEnqueue,
    Hook::InterceptWill,
];

/// Instances of the policy in each runtime, so that a chain can have several of one kind.
const INSTANCES: usize = 2;

/// What a plugin does when it is asked.
#[derive(Debug, Clone, Copy)]
struct Player {
    /// Which of the loaded plugins it is.
    column: usize,
    priority: i32,
    on_error: Option<OnError>,
    raises: bool,
    verdict: VerdictKind,
    /// From 3 on it is no QoS.
    qos: Option<i64>,
    /// The subject refuses it.
    retain: bool,
}

fn player() -> impl Strategy<Value = Player> {
    // Mostly those that let the chain go on, so that chains become long.
    let verdict = prop_oneof![
        6 => Just(VerdictKind::Pass),
        4 => Just(VerdictKind::Accept),
        2 => prop::sample::select(VerdictKind::ALL.to_vec()),
    ];
    let on_error = prop::sample::select(vec![
        None,
        Some(OnError::Pass),
        Some(OnError::Pass),
        Some(OnError::Deny),
    ]);
    (
        -1..2,
        on_error,
        prop::bool::weighted(0.1),
        verdict,
        prop::option::of(0_i64..4),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(priority, on_error, raises, verdict, qos, retain)| {
            // A refusal has its own words and no changes; scripts cannot even say them.
            let refuses = matches!(verdict, VerdictKind::Deny | VerdictKind::Disconnect);
            Player {
                column: 0,
                priority,
                on_error,
                raises,
                verdict,
                qos: qos.filter(|_| !refuses),
                retain: retain && !refuses,
            }
        })
}

/// Players in the order of registration, each of them another one of the loaded plugins.
fn chain() -> impl Strategy<Value = Vec<Player>> {
    let all: Vec<usize> = (0..Runtime::ALL.len() * INSTANCES).collect();
    (
        prop::collection::vec(player(), 0..7),
        Just(all).prop_shuffle(),
    )
        .prop_map(|(mut players, columns)| {
            for (player, column) in players.iter_mut().zip(columns) {
                player.column = column;
            }
            players
        })
}

/// The word, the final QoS, and who was asked with which QoS.
type Outcome = (VerdictKind, i64, Vec<(usize, i64)>);

/// The rule: a gate asks until one denies, and a deny wins over an accept; a filter folds until one ends the chain; nothing of a wrong
/// answer counts, and a failure counts as the plugin's `on_error` or the hook's. What ends the chain stands without what does not fit.
fn reference(hook: Hook, players: &[Player]) -> Outcome {
    let spec = hook.spec();
    let mut order: Vec<&Player> = players.iter().collect();
    order.sort_by_key(|player| -player.priority);
    let (mut qos, mut asked, mut accepted) = (1, Vec::new(), false);
    for player in order {
        asked.push((player.column, qos));
        let goes_on = matches!(player.verdict, VerdictKind::Pass | VerdictKind::Accept);
        // A gate that ends uses no changes; a filter does, for the acknowledgement of what it drops or consumes.
        let is_used = goes_on || spec.kind == Kind::Filter;
        let is_right = !player.raises
            && spec.may_answer(player.verdict)
            && (!goes_on || player.qos.is_none_or(|qos| qos < 3))
            && !(player.retain && (goes_on || !spec.may_change(Field::Retain)));
        if !is_right {
            match player.on_error.unwrap_or(spec.on_error) {
                OnError::Pass => continue,
                OnError::Deny if spec.may_answer(VerdictKind::Deny) => {
                    return (VerdictKind::Deny, qos, asked);
                }
                OnError::Deny => return (VerdictKind::Drop, qos, asked),
            }
        }
        // The subject takes all changes or, with `retain`, none.
        let taken = player
            .qos
            .filter(|qos| is_used && !player.retain && *qos < 3);
        qos = taken.unwrap_or(qos);
        accepted |= player.verdict == VerdictKind::Accept;
        if !goes_on {
            return (player.verdict, qos, asked);
        }
    }
    match spec.kind {
        Kind::Gate if accepted => (VerdictKind::Accept, qos, asked),
        _ => (VerdictKind::Pass, qos, asked),
    }
}

/// The same from the broker's chain.
fn play(hook: Hook, players: &[Player], columns: &[Column]) -> Outcome {
    let hooks = Hooks::new(HookSettings::default());
    let registered = players.iter().map(|player| {
        let column = &columns[player.column];
        column.notebook.begin(&case(hook, player));
        Registration {
            priority: player.priority,
            on_error: player.on_error,
            budget: std::time::Duration::from_secs(60),
            ..Registration::new(
                &format!("player-{}", player.column),
                column.runtime.name(),
                column.at(hook, hook),
            )
        }
    });
    hooks.swap(registered.collect());
    let mut sheet = Sheet(
        EventRecord::new(hook)
            .with(Field::Topic, "a/b")
            .with(Field::Qos, 1)
            .with(Field::Retain, false),
    );
    let chain = hooks.chain();
    let decision = match hook.spec().kind {
        Kind::Gate => chain.gate(hook, &Scope::BROKER, &mut sheet),
        _ => chain.filter(hook, &Scope::BROKER, &mut sheet),
    };
    let mut asked = Vec::new();
    for (_, listed) in chain.list() {
        for listed in listed {
            let column = listed
                .plugin
                .strip_prefix("player-")
                .and_then(|at| at.parse::<usize>().ok())
                .expect("it was named so");
            let lines = columns[column].notebook.lines();
            assert!(lines.len() <= 1, "asked once at most: {lines:?}");
            asked.extend(lines.iter().map(|line| (column, qos_of(line))));
        }
    }
    let n_calls: u64 = hooks.metrics().iter().map(|row| row.calls()).sum();
    assert_eq!(n_calls, asked.len() as u64, "every call is counted once");
    let qos = sheet.0.get(Field::Qos).as_integer().expect("it has one");
    (decision.kind(), qos, asked)
}

/// What the player does, in the words of the policy.
fn case(hook: Hook, player: &Player) -> String {
    let mut lines = vec![
        format!("hook\t{}", hook.name()),
        format!("verdict\t{}", player.verdict.name()),
    ];
    lines.extend(player.qos.map(|qos| format!("set\tqos\tinteger\t{qos}")));
    if player.retain {
        lines.push("set\tretain\tboolean\ttrue".to_owned());
    }
    if player.raises {
        lines.push("raise".to_owned());
    }
    lines.join("\n")
}

fn qos_of(line: &str) -> i64 {
    line.split(" qos=")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .and_then(|qos| qos.parse().ok())
        .expect("every one of these hooks shows a QoS")
}

/// A subject that is a record. It never takes `retain = true`: the part of a broker that knows better than the catalogue.
struct Sheet(EventRecord);

impl Subject for Sheet {
    fn event(&self) -> &dyn Event {
        &self.0
    }

    fn apply(&mut self, changes: &[(Field, Owned)]) -> Result<(), String> {
        if changes.contains(&(Field::Retain, Owned::Bool(true))) {
            return Err("retain is not available".into());
        }
        for (field, value) in changes {
            self.0.set(*field, value.clone());
        }
        Ok(())
    }
}

#[test]
fn mixed_chains_decide_as_the_rule_says() {
    // Policies that panic on purpose say so on standard error otherwise.
    std::panic::set_hook(Box::new(|_| {}));
    let folder = tempfile::tempdir().expect("a folder");
    let columns: Vec<Column> = (0..INSTANCES)
        .flat_map(|_| Runtime::ALL)
        .map(|runtime| Column::load(runtime, folder.path()).expect("the policy is loaded"))
        .collect();
    let columns = Arc::new(columns);
    let outcome = TestRunner::new(ProptestConfig {
        // The columns live in this process.
        failure_persistence: None,
        ..ProptestConfig::with_cases(2_000)
    })
    .run(
        &(prop::sample::select(HOOKS.to_vec()), chain()),
        |(hook, players)| {
            let (expected, got) = (reference(hook, &players), play(hook, &players, &columns));
            if got == expected {
                Ok(())
            } else {
                Err(TestCaseError::fail(format!(
                    "got {got:?}, expected {expected:?}"
                )))
            }
        },
    );
    let _ = std::panic::take_hook();
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
