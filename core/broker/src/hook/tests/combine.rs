//! How answers combine: random chains against a reference that is as plain as the words of the rule.

use std::sync::Arc;

use hookmq_plugin_api::{
    Answer, Cause, Field, Hook, Kind, OnError, Owned, PluginError, Verdict, VerdictKind,
};
use parking_lot::Mutex;
use proptest::prelude::*;

use super::{Scripted, Sheet, registered};
use crate::hook::{Decision, Filter, HookSettings, Hooks, Registration, Scope};

/// What a plugin does when it is asked.
#[derive(Debug, Clone)]
enum Reply {
    Answer(VerdictKind, Change),
    Raise,
    Panic,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    None,
    /// From 3 on it is no QoS.
    Qos(i64),
    /// The subject refuses it.
    Retain,
    /// The catalogue forbids it.
    ClientId,
}

#[derive(Debug, Clone)]
struct Player {
    priority: i32,
    reply: Reply,
    on_error: Option<OnError>,
    only_qos: Option<Vec<u8>>,
    awaits: bool,
}

fn player() -> impl Strategy<Value = Player> {
    let change = prop_oneof![
        4 => Just(Change::None),
        4 => (0_i64..4).prop_map(Change::Qos),
        1 => Just(Change::Retain),
        1 => Just(Change::ClientId),
    ];
    // Mostly those that let the chain go on, so that chains become long.
    let verdict = prop_oneof![
        6 => Just(VerdictKind::Pass),
        4 => Just(VerdictKind::Accept),
        1 => prop::sample::select(VerdictKind::ALL.to_vec()),
    ];
    let reply = prop_oneof![
        12 => (verdict, change).prop_map(|(verdict, change)| Reply::Answer(verdict, change)),
        1 => Just(Reply::Raise),
        1 => Just(Reply::Panic),
    ];
    let on_error = prop::sample::select(vec![
        None,
        Some(OnError::Pass),
        Some(OnError::Pass),
        Some(OnError::Deny),
    ]);
    let only_qos = prop::option::weighted(0.3, prop::collection::vec(0_u8..3, 1..3));
    (-1..2, reply, on_error, only_qos, any::<bool>()).prop_map(
        |(priority, reply, on_error, only_qos, awaits)| Player {
            priority,
            reply,
            on_error,
            only_qos,
            awaits,
        },
    )
}

/// What came of it: the word, who ended the chain, the final QoS, who was asked.
type Outcome = (VerdictKind, Option<String>, i64, Vec<String>);

fn name(at: usize) -> String {
    format!("player-{at}")
}

fn reference(hook: Hook, players: &[Player]) -> Outcome {
    let spec = hook.spec();
    let mut order: Vec<usize> = (0..players.len()).collect();
    order.sort_by_key(|at| (-players[*at].priority, *at));
    let (mut qos, mut asked, mut accepted) = (1, Vec::new(), false);
    for at in order {
        let player = &players[at];
        if player
            .only_qos
            .as_ref()
            .is_some_and(|only| !only.iter().any(|only| i64::from(*only) == qos))
        {
            continue;
        }
        asked.push(name(at));
        let mut failed = true;
        if let Reply::Answer(verdict, change) = &player.reply {
            let used = match verdict {
                VerdictKind::Pass | VerdictKind::Accept => true,
                VerdictKind::Drop | VerdictKind::Consume => spec.kind == Kind::Filter,
                VerdictKind::Deny | VerdictKind::Disconnect => false,
            };
            // A refusal stands without what does not fit.
            let refuses = !matches!(verdict, VerdictKind::Pass | VerdictKind::Accept);
            let good = spec.may_answer(*verdict)
                && match change {
                    Change::None => true,
                    Change::Qos(to) => refuses || *to < 3,
                    Change::Retain => spec.may_change(Field::Retain) && (refuses || !used),
                    Change::ClientId => false,
                };
            if good {
                failed = false;
                if let (true, Change::Qos(to @ 0..3)) = (used, change) {
                    qos = *to;
                }
                match verdict {
                    VerdictKind::Pass => {}
                    VerdictKind::Accept => accepted = true,
                    end => return (*end, Some(name(at)), qos, asked),
                }
            }
        }
        if failed && player.on_error.unwrap_or(spec.on_error) == OnError::Deny {
            let end = if spec.may_answer(VerdictKind::Deny) {
                VerdictKind::Deny
            } else {
                VerdictKind::Drop
            };
            return (end, Some(name(at)), qos, asked);
        }
    }
    let end = if accepted && spec.kind == Kind::Gate {
        VerdictKind::Accept
    } else {
        VerdictKind::Pass
    };
    (end, None, qos, asked)
}

fn registration(
    hook: Hook,
    at: usize,
    player: &Player,
    awaits: bool,
    asked: &Arc<Mutex<Vec<String>>>,
) -> Registration {
    let reply = player.reply.clone();
    let asked = Arc::clone(asked);
    let answer = move || {
        asked.lock().push(name(at));
        let (verdict, change) = match &reply {
            Reply::Raise => return Err(PluginError::new(Cause::Raised, "as the test wants")),
            Reply::Panic => std::panic::resume_unwind(Box::new("as the test wants")),
            Reply::Answer(verdict, change) => (verdict, change),
        };
        Ok(Answer {
            verdict: match verdict {
                VerdictKind::Pass => Verdict::Pass,
                VerdictKind::Accept => Verdict::Accept,
                VerdictKind::Deny => Verdict::deny(0x87, "no"),
                VerdictKind::Drop => Verdict::Drop(None),
                VerdictKind::Consume => Verdict::Consume,
                VerdictKind::Disconnect => Verdict::disconnect(0x98, "no"),
            },
            changes: match *change {
                Change::None => Vec::new(),
                Change::Qos(qos) => vec![(Field::Qos, Owned::Integer(qos))],
                // What comes before the wrong one must not count either.
                Change::Retain => vec![
                    (Field::Qos, Owned::Integer(0)),
                    (Field::Retain, Owned::Bool(true)),
                ],
                Change::ClientId => vec![
                    (Field::Qos, Owned::Integer(0)),
                    (Field::ClientId, "x".into()),
                ],
            },
            keep: None,
        })
    };
    let plugin = if awaits {
        let answer = Arc::new(answer);
        Scripted::awaiting(hook, move |_| {
            let answer = Arc::clone(&answer);
            Box::pin(async move {
                tokio::task::yield_now().await;
                answer()
            })
        })
    } else {
        Scripted::new(&[hook], move |_| answer())
    };
    Registration {
        priority: player.priority,
        on_error: player.on_error,
        filter: Filter {
            qos: player.only_qos.clone(),
            ..Filter::default()
        },
        ..registered(&name(at), plugin)
    }
}

fn play(hook: Hook, players: &[Player], awaiting: bool) -> Outcome {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(
        players
            .iter()
            .enumerate()
            .map(|(at, player)| registration(hook, at, player, awaiting && player.awaits, &asked))
            .collect(),
    );
    let chain = hooks.chain();
    assert_eq!(chain.listens(hook), !players.is_empty());
    assert_eq!(
        chain.awaits(hook),
        awaiting && players.iter().any(|player| player.awaits)
    );
    let mut sheet = Sheet::new(hook);
    let scope = Scope {
        client_id: "client",
        qos: Some(1),
        ..Scope::BROKER
    };
    let decision = if awaiting {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime")
            .block_on(async {
                match hook.spec().kind {
                    Kind::Gate => chain.gate_awaiting(hook, &scope, &mut sheet).await,
                    _ => chain.filter_awaiting(hook, &scope, &mut sheet).await,
                }
            })
    } else {
        match hook.spec().kind {
            Kind::Gate => chain.gate(hook, &scope, &mut sheet),
            _ => chain.filter(hook, &scope, &mut sheet),
        }
    };
    let calls: u64 = hooks.metrics().iter().map(|metrics| metrics.calls()).sum();
    let asked = asked.lock().clone();
    assert_eq!(calls, asked.len() as u64, "every call is counted once");
    let by = decision.explained().map(|why| why.plugin.to_string());
    (
        decision.kind(),
        by,
        sheet.integer(Field::Qos).expect("it has one"),
        asked,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn chains_decide_as_the_rules_say(
        hook in prop::sample::select(vec![
            Hook::AuthorizePublish, Hook::AuthorizeSubscribe, Hook::InterceptPublish, Hook::InterceptEnqueue, Hook::InterceptWill,
        ]),
        players in prop::collection::vec(player(), 0..7),
    ) {
        let expected = reference(hook, &players);
        prop_assert_eq!(&play(hook, &players, false), &expected, "inline");
        if hook.spec().awaits {
            prop_assert_eq!(&play(hook, &players, true), &expected, "awaiting");
        }
    }
}

#[test]
fn a_deny_wins_over_an_accept_before_and_after() {
    let player = |reply| Player {
        priority: 0,
        reply,
        on_error: None,
        only_qos: None,
        awaits: false,
    };
    let accept = || player(Reply::Answer(VerdictKind::Accept, Change::None));
    let deny = || player(Reply::Answer(VerdictKind::Deny, Change::None));
    for players in [[accept(), deny()], [deny(), accept()]] {
        assert_eq!(
            play(Hook::AuthorizePublish, &players, false).0,
            VerdictKind::Deny
        );
    }
}

#[test]
fn each_sees_the_changes_of_those_before() {
    let append = |level: &'static str| {
        Scripted::new(&[Hook::InterceptPublish], move |event| {
            let topic = event.get(Field::Topic).as_text().unwrap_or_default();
            Ok(Answer::pass_with(vec![(
                Field::Topic,
                format!("{topic}/{level}").into(),
            )]))
        })
    };
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(vec![
        registered("second", append("2")),
        Registration {
            priority: 9,
            ..registered("first", append("1"))
        },
        // Its filter judges the topic as it is by then.
        Registration {
            filter: Filter {
                topics: vec!["a/b/1/2".into()],
                ..Filter::default()
            },
            ..registered("third", append("3"))
        },
        Registration {
            filter: Filter {
                topics: vec!["a/b".into()],
                ..Filter::default()
            },
            ..registered("nobody", append("4"))
        },
    ]);
    let mut sheet = Sheet::new(Hook::InterceptPublish);
    let scope = Scope {
        topic: Some("a/b"),
        ..Scope::BROKER
    };
    assert_eq!(
        hooks
            .chain()
            .filter(Hook::InterceptPublish, &scope, &mut sheet),
        Decision::Pass
    );
    assert_eq!(sheet.text(Field::Topic), Some("a/b/1/2/3"));
    let asked: Vec<_> = hooks
        .metrics()
        .iter()
        .map(|seen| (seen.plugin.to_string(), seen.calls(), seen.filtered))
        .collect();
    assert_eq!(
        asked,
        [
            ("first", 1, 0),
            ("second", 1, 0),
            ("third", 1, 0),
            ("nobody", 0, 1)
        ]
        .map(|(name, calls, filtered)| (name.to_owned(), calls, filtered))
    );
}

#[test]
fn a_refusal_keeps_its_words_and_names_its_plugin() {
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(vec![registered(
        "auth",
        Scripted::new(&[Hook::AuthorizePublish], |_| {
            let Verdict::Deny(mut refusal) = Verdict::deny(0x99, "bad shape") else {
                unreachable!()
            };
            refusal.place = Some("auth.lua:7".into());
            refusal.user_properties = vec![("hint".into(), "json".into())];
            Ok(Verdict::Deny(refusal).into())
        }),
    )]);
    let decision = hooks.chain().gate(
        Hook::AuthorizePublish,
        &Scope::BROKER,
        &mut Sheet::new(Hook::AuthorizePublish),
    );
    let why = decision.explained().expect("it is a refusal");
    assert_eq!(
        why.to_string(),
        "plugin auth, authorize_publish, auth.lua:7: bad shape (0x99)"
    );
    assert_eq!(
        why.refusal.user_properties,
        [("hint".to_owned(), "json".to_owned())]
    );
    assert_eq!(why.error, None);
}

#[test]
fn an_acknowledged_message_keeps_what_the_acknowledgement_shall_say() {
    for verdict in [Verdict::Consume, Verdict::Drop(None)] {
        let hooks = Hooks::new(HookSettings::default());
        hooks.swap(vec![registered(
            "quota",
            Scripted::new(&[Hook::InterceptPublish], move |_| {
                Ok(Answer {
                    verdict: verdict.clone(),
                    changes: vec![(Field::ReasonCode, Owned::Integer(0x97))],
                    keep: None,
                })
            }),
        )]);
        let mut sheet = Sheet::new(Hook::InterceptPublish);
        hooks
            .chain()
            .filter(Hook::InterceptPublish, &Scope::BROKER, &mut sheet);
        assert_eq!(sheet.integer(Field::ReasonCode), Some(0x97));
    }
}

#[tokio::test]
async fn supplies_add_up_and_a_failing_one_brings_nothing() {
    let bring = |topic: &'static str| {
        Scripted::awaiting(Hook::LoadRetained, move |_| {
            Box::pin(async move {
                let message = vec![(Field::Topic, topic.into()), (Field::Payload, "1".into())];
                Ok(Answer::pass_with(vec![(
                    Field::Messages,
                    Owned::Records(vec![message]),
                )]))
            })
        })
    };
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(vec![
        registered("one", bring("one")),
        Registration {
            on_error: Some(OnError::Deny),
            ..registered("wrong", bring("wrong/#"))
        },
        registered("two", bring("two")),
    ]);

    /// Gathers instead of replacing.
    struct Shelf(hookmq_plugin_api::EventRecord, Vec<String>);
    impl crate::hook::Subject for Shelf {
        fn event(&self) -> &dyn hookmq_plugin_api::Event {
            &self.0
        }
        fn apply(&mut self, changes: &[(Field, Owned)]) -> Result<(), String> {
            for (_, value) in changes {
                let Owned::Records(messages) = value else {
                    return Err("no records".into());
                };
                self.1.extend(
                    messages
                        .iter()
                        .flatten()
                        .filter_map(|(_, value)| Some(value.as_value().as_text()?.to_owned())),
                );
            }
            Ok(())
        }
    }
    let mut shelf = Shelf(
        hookmq_plugin_api::EventRecord::new(Hook::LoadRetained),
        Vec::new(),
    );
    hooks.chain().supply(Hook::LoadRetained, &mut shelf).await;
    assert_eq!(shelf.1, ["one", "1", "two", "1"]);
}
