//! Notices: order per client, what is copied, full queues, failures.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use hookmq_plugin_api::{
    Answer, Cause, Event, EventRecord, Field, FieldSet, Hook, PluginError, Value, Verdict,
    VerdictKind,
};
use parking_lot::Mutex;

use super::{Scripted, integer, registered};
use crate::hook::{
    BreakerSettings, Filter, HookSettings, Hooks, NoticeOrder, NoticeSettings, Registration, Scope,
};

const WAIT: Duration = Duration::from_secs(60);

fn enqueued(client_id: &str, number: i64) -> EventRecord {
    EventRecord::new(Hook::MessageEnqueued)
        .with(Field::ReceiverClientId, client_id)
        .with(Field::PayloadSize, number)
        .with(Field::Payload, b"0123456789".as_slice())
}

fn scope(client_id: &str) -> Scope<'_> {
    Scope {
        client_id,
        ..Scope::BROKER
    }
}

type Heard = Arc<Mutex<Vec<EventRecord>>>;

/// Writes down what it is told, all fields.
fn listener(hooks: &[Hook]) -> (Arc<Scripted>, Heard) {
    let heard = Heard::default();
    let into = Arc::clone(&heard);
    let plugin = Scripted::new(hooks, move |event| {
        into.lock()
            .push(EventRecord::copy_of(event, event.hook().spec().field_set()));
        Ok(Answer::PASS)
    });
    (plugin, heard)
}

/// Says when it is called, and then waits until the test lets it go on.
fn blocked(hook: Hook) -> (Arc<Scripted>, Heard, Receiver<()>, SyncSender<()>) {
    let heard = Heard::default();
    let into = Arc::clone(&heard);
    let (entered, enters) = sync_channel(1000);
    let (lets_go, go) = sync_channel::<()>(1000);
    let go = Mutex::new(go);
    let plugin = Scripted::new(&[hook], move |event| {
        into.lock()
            .push(EventRecord::copy_of(event, event.hook().spec().field_set()));
        entered.send(()).ok();
        // An error is the test's end, which lets everything go.
        go.lock().recv().ok();
        Ok(Answer::PASS)
    });
    (plugin, heard, enters, lets_go)
}

fn numbers(heard: &Heard, field: Field) -> Vec<i64> {
    heard
        .lock()
        .iter()
        .map(|event| integer(event, field))
        .collect()
}

#[tokio::test]
async fn each_plugin_hears_of_each_client_in_order_without_gaps() {
    const N_PUBLISHERS: i64 = 4;
    const N_NOTICES: i64 = 500;
    let hooks = Hooks::new(HookSettings::default());
    let (all, by_all) = listener(&[Hook::MessageEnqueued]);
    let (some, by_some) = listener(&[Hook::MessageEnqueued, Hook::ClientConnected]);
    hooks.swap(vec![
        registered("all", all),
        Registration {
            filter: Filter {
                clients: vec!["b".into()],
                ..Filter::default()
            },
            ..registered("some", some)
        },
    ]);
    let orders = [("a", NoticeOrder::default()), ("b", NoticeOrder::default())];
    std::thread::scope(|threads| {
        for publisher in 0..N_PUBLISHERS {
            let (hooks, orders) = (&hooks, &orders);
            threads.spawn(move || {
                for number in 0..N_NOTICES {
                    for (client, order) in orders {
                        let event = enqueued(client, publisher * N_NOTICES + number);
                        hooks.notify(Hook::MessageEnqueued, &scope(client), &event, Some(order));
                    }
                }
            });
        }
    });
    assert!(hooks.drain(WAIT).await);
    for (heard, clients) in [(by_all, vec!["a", "b"]), (by_some, vec!["b"])] {
        let mut of_client: HashMap<String, Vec<(i64, i64)>> = HashMap::new();
        for event in heard.lock().iter() {
            let client = event
                .get(Field::ReceiverClientId)
                .as_text()
                .expect("it was set")
                .to_owned();
            of_client.entry(client).or_default().push((
                integer(event, Field::Sequence),
                integer(event, Field::PayloadSize),
            ));
            assert!(
                integer(event, Field::Timestamp) > 1_600_000_000_000,
                "milliseconds since 1970"
            );
        }
        let mut names: Vec<_> = of_client.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, clients);
        for told in of_client.values() {
            let sequence: Vec<_> = told.iter().map(|(sequence, _)| *sequence).collect();
            assert_eq!(sequence, (1..=N_PUBLISHERS * N_NOTICES).collect::<Vec<_>>());
            for publisher in 0..N_PUBLISHERS {
                let own: Vec<_> = told
                    .iter()
                    .map(|(_, number)| *number)
                    .filter(|number| number / N_NOTICES == publisher)
                    .collect();
                assert!(own.is_sorted(), "one publisher's messages stay in order");
            }
        }
    }
}

#[tokio::test]
async fn only_declared_fields_are_copied() {
    let heard = Heard::default();
    let into = Arc::clone(&heard);
    let plugin = Scripted::reading(
        &[Hook::MessageEnqueued],
        |_| FieldSet::of(&[Field::PayloadSize, Field::Sequence]),
        move |event| {
            into.lock().push(EventRecord::copy_of(
                event,
                Hook::MessageEnqueued.spec().field_set(),
            ));
            Ok(Answer::PASS)
        },
    );
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(vec![registered("lean", plugin)]);
    hooks.notify(Hook::MessageEnqueued, &scope("a"), &enqueued("a", 10), None);
    assert!(hooks.drain(WAIT).await);
    let expected = EventRecord::new(Hook::MessageEnqueued)
        .with(Field::PayloadSize, 10)
        .with(Field::Sequence, 1);
    assert_eq!(*heard.lock(), [expected]);
}

#[tokio::test]
async fn nobody_is_told_when_nobody_listens() {
    let hooks = Hooks::new(HookSettings::default());
    let order = NoticeOrder::default();
    let (plugin, heard) = listener(&[Hook::ClientConnected]);
    hooks.swap(vec![registered("p", plugin)]);
    assert!(!hooks.listens(Hook::MessageEnqueued));
    hooks.notify(
        Hook::MessageEnqueued,
        &scope("a"),
        &enqueued("a", 0),
        Some(&order),
    );
    hooks.notify(
        Hook::ClientConnected,
        &scope("a"),
        &EventRecord::new(Hook::ClientConnected),
        Some(&order),
    );
    assert!(hooks.drain(WAIT).await);
    assert_eq!(
        numbers(&heard, Field::Sequence),
        [1],
        "what it does not listen to takes no number"
    );
}

#[tokio::test]
async fn a_full_queue_drops_the_newest_and_leaves_a_gap() {
    for settings in [
        NoticeSettings {
            n_notices: 3,
            bytes: 1 << 20,
        },
        // Ten bytes of payload and one of the client's name.
        NoticeSettings {
            n_notices: 1000,
            bytes: 33,
        },
    ] {
        let hooks = Hooks::new(HookSettings {
            notices: settings,
            ..HookSettings::default()
        });
        let (plugin, heard, enters, lets_go) = blocked(Hook::MessageEnqueued);
        hooks.swap(vec![registered("busy", plugin)]);
        let tell = |number| {
            hooks.notify(
                Hook::MessageEnqueued,
                &scope("a"),
                &enqueued("a", number),
                None,
            )
        };
        tell(0);
        enters.recv_timeout(WAIT).expect("the first is being told");
        for number in 1..=5 {
            tell(number);
        }
        let seen = &hooks.metrics()[0];
        assert_eq!((seen.notices_queued, seen.notices_dropped), (3, 2));
        for _ in 0..4 {
            lets_go.send(()).expect("the plugin lives");
        }
        assert!(hooks.drain(WAIT).await);
        tell(6);
        lets_go.send(()).expect("the plugin lives");
        assert!(hooks.drain(WAIT).await);
        assert_eq!(numbers(&heard, Field::PayloadSize), [0, 1, 2, 3, 6]);
        assert_eq!(numbers(&heard, Field::Sequence), [1, 2, 3, 4, 7]);
        let seen = &hooks.metrics()[0];
        assert_eq!(
            (
                seen.notices_queued,
                seen.notices_dropped,
                seen.verdict(VerdictKind::Pass)
            ),
            (0, 2, 5)
        );
    }
}

#[tokio::test]
async fn a_busy_plugin_keeps_no_other_waiting() {
    let hooks = Hooks::new(HookSettings::default());
    let (stuck, _, enters, lets_go) = blocked(Hook::MessageEnqueued);
    let (quick, heard) = listener(&[Hook::MessageEnqueued]);
    hooks.swap(vec![registered("stuck", stuck), registered("quick", quick)]);
    for number in 0..10 {
        hooks.notify(
            Hook::MessageEnqueued,
            &scope("a"),
            &enqueued("a", number),
            None,
        );
    }
    enters.recv_timeout(WAIT).expect("it is being told");
    assert!(
        !hooks.drain(Duration::ZERO).await,
        "one of them has not ended"
    );
    while heard.lock().len() < 10 {
        std::thread::yield_now();
    }
    drop(lets_go);
    assert!(hooks.drain(WAIT).await);
}

#[tokio::test]
async fn failures_and_answers_of_notices_are_counted_and_change_nothing() {
    let hooks = Hooks::new(HookSettings {
        breaker: BreakerSettings {
            failures: 2,
            open_for: Duration::from_secs(3600),
        },
        ..HookSettings::default()
    });
    let plugin = Scripted::new(&[Hook::MessageEnqueued], |event| {
        match event.get(Field::PayloadSize) {
            Value::Integer(0) => Ok(Answer::PASS),
            Value::Integer(1) => Ok(Verdict::Consume.into()),
            Value::Integer(2) => Err(PluginError::new(Cause::Raised, "by the test")),
            _ => std::panic::resume_unwind(Box::new("by the test")),
        }
    });
    hooks.swap(vec![registered("p", plugin)]);
    for number in 0..10 {
        hooks.notify(
            Hook::MessageEnqueued,
            &scope("a"),
            &enqueued("a", number),
            None,
        );
    }
    assert!(hooks.drain(WAIT).await);
    let seen = &hooks.metrics()[0];
    assert_eq!(seen.verdict(VerdictKind::Pass), 1);
    assert_eq!(
        (
            seen.error(Cause::Answer),
            seen.error(Cause::Raised),
            seen.error(Cause::Panic)
        ),
        (1, 1, 2)
    );
    assert_eq!(
        (seen.notices_dropped, seen.short_circuited),
        (5, 5),
        "the breaker opened at the second panic"
    );
}

#[tokio::test]
async fn a_notice_in_a_notice_is_told_too() {
    let hooks = Arc::new(Hooks::new(HookSettings::default()));
    let (inner, heard) = (Arc::downgrade(&hooks), Heard::default());
    let into = Arc::clone(&heard);
    let plugin = Scripted::new(&[Hook::MessageEnqueued], move |event: &dyn Event| {
        into.lock().push(EventRecord::copy_of(
            event,
            FieldSet::of(&[Field::PayloadSize]),
        ));
        let number = integer(event, Field::PayloadSize);
        if let (Some(hooks), true) = (inner.upgrade(), number > 0) {
            hooks.notify(
                Hook::MessageEnqueued,
                &scope("a"),
                &enqueued("a", number - 1),
                None,
            );
        }
        Ok(Answer::PASS)
    });
    hooks.swap(vec![registered("p", plugin)]);
    hooks.notify(Hook::MessageEnqueued, &scope("a"), &enqueued("a", 3), None);
    assert!(hooks.drain(WAIT).await);
    assert_eq!(numbers(&heard, Field::PayloadSize), [3, 2, 1, 0]);
}
