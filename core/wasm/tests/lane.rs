//! Handlers that say they may block: called on a thread of their own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use common::{Guest, load_with, publish, settings};
use hookmq_plugin_api::{
    Answer, Cause, Event, EventRecord, Field, Hook, Plugin, PluginError, VerdictKind,
};
use hookmq_wasm::WasmSettings;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Accepts; with an empty topic it never ends.
fn guest() -> String {
    let topic = common::guest::value(0);
    Guest::new(Hook::ConfigReloaded, &[])
        .raw_listen(Hook::InterceptPublish as u32, 1, vec![Field::Topic as u32])
        .call(&format!(
            "(if (i32.eqz (i32.load offset=12 {topic})) (then (loop $l (br $l)))) i32.const 1"
        ))
        .wat()
}

fn event(topic: &str) -> Arc<dyn Event + Send + Sync> {
    let event: EventRecord = publish().with(Field::Topic, topic);
    Arc::new(event)
}

#[test]
fn calls_come_back_and_runaways_are_cut_by_their_own_limit() {
    let settings = WasmSettings {
        awaiting_timeout: Duration::from_millis(100),
        max_awaiting: 2,
        ..settings()
    };
    let loaded = load_with(&guest(), settings).unwrap();
    let listens = loaded.plugin.listens();
    assert!(!listens[0].awaits && listens[1].awaits);
    let ask = |topic: &str| {
        let budget = Duration::from_millis(1);
        Arc::clone(&loaded.plugin).call_awaiting(event(topic), budget)
    };
    let answer: Result<Answer, PluginError> = wait(ask("a"));
    assert_eq!(answer.unwrap().verdict.kind(), VerdictKind::Accept);
    let runaway = ask("");
    let late = ask("");
    let error = wait(runaway).unwrap_err();
    assert_eq!(error.cause, Cause::Timeout);
    let error = wait(late).unwrap_err();
    assert_eq!(error.cause, Cause::Timeout, "{error}");
    // More than can wait.
    let asked: Vec<_> = (0..9).map(|_| ask("")).collect();
    let refused = asked
        .into_iter()
        .map(wait)
        .filter(|outcome| matches!(outcome, Err(error) if error.cause == Cause::Unavailable))
        .count();
    assert!(refused >= 6, "{refused}");
    assert!(wait(ask("a")).is_ok());
    // What nobody waits for is not done, and the thread ends with the plugin.
    let gone = Arc::downgrade(&loaded.plugin);
    drop(ask("a"));
    assert!(wait(ask("a")).is_ok());
    drop(loaded);
    while gone.upgrade().is_some() {
        thread::yield_now();
    }
}
