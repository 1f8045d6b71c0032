//! Handlers that may block: on threads of their own, with a timeout for whoever waits, and never more than a limit.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookmq_native::{NativePlugin, NativeSettings};
use hookmq_plugin_api::{Answer, CallFuture, Cause, EventRecord, Field, Hook, Plugin, Verdict};

use crate::host::FakeHost;
use crate::{BUDGET, build};

fn blocking(built: &build::Built, change: impl FnOnce(&mut NativeSettings)) -> Arc<NativePlugin> {
    let mut settings = NativeSettings {
        awaiting_timeout: Duration::from_secs(60),
        ..NativeSettings::new("blocking")
    };
    change(&mut settings);
    NativePlugin::load(built.path(), settings, Arc::new(FakeHost::default())).expect("loads")
}

/// A call that ends when there is such a file.
fn call(plugin: &Arc<NativePlugin>, path: &Path) -> CallFuture {
    let topic = path.display().to_string();
    let event = EventRecord::new(Hook::AuthorizePublish)
        .with(Field::Topic, topic)
        .with(Field::ClientId, "me");
    Arc::clone(plugin).call_awaiting(Arc::new(event), BUDGET)
}

#[tokio::test]
async fn several_wait_at_once_and_nobody_else_does() {
    let built = build::fixture("blocking.c", &[]);
    let plugin = blocking(&built, |_| {});
    assert!(plugin.listens()[0].awaits);
    let (one, two) = (built.folder().join("one"), built.folder().join("two"));
    let first = tokio::spawn(call(&plugin, &one));
    let second = tokio::spawn(call(&plugin, &two));
    std::fs::write(&two, "").expect("written");
    let answer = second.await.expect("no panic").expect("an answer");
    assert_eq!(answer.verdict, Verdict::Accept);
    assert!(!first.is_finished());
    std::fs::write(&one, "").expect("written");
    assert!(first.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_client_waits_no_longer_than_the_timeout() {
    let built = build::fixture("blocking.c", &[]);
    let plugin = blocking(&built, |settings| {
        settings.awaiting_timeout = Duration::from_millis(20);
    });
    let never = built.folder().join("never");
    let error = call(&plugin, &never).await.expect_err("too long");
    assert_eq!(error.cause, Cause::Timeout);
    assert_eq!(
        &*error.message,
        "blocking: authorize_publish: took longer than 20ms; its thread goes on"
    );
    std::fs::write(never, "").expect("written");
}

#[tokio::test]
async fn more_than_the_limit_are_refused() {
    let built = build::fixture("blocking.c", &[]);
    let plugin = blocking(&built, |settings| {
        settings.max_awaiting = 2;
        settings.max_threads = 1;
    });
    let (one, two) = (built.folder().join("one"), built.folder().join("two"));
    let first = tokio::spawn(call(&plugin, &one));
    let second = tokio::spawn(call(&plugin, &two));
    tokio::task::yield_now().await;
    let error = call(&plugin, &one).await.expect_err("too many");
    assert_eq!(error.cause, Cause::Unavailable);
    assert_eq!(
        &*error.message,
        "blocking: authorize_publish: 2 handlers are at work already"
    );
    // With one thread the second waits for the first.
    std::fs::write(&two, "").expect("written");
    assert!(!second.is_finished());
    std::fs::write(&one, "").expect("written");
    assert!(first.await.expect("no panic").is_ok());
    assert!(second.await.expect("no panic").is_ok());
    // The places are free again as soon as the threads have said so.
    while call(&plugin, &one).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_undeclared_field_is_missed_in_the_log() {
    let built = build::fixture("blocking.c", &[]);
    let host = Arc::new(FakeHost::default());
    let settings = NativeSettings::new("blocking");
    let plugin = NativePlugin::load(built.path(), settings, Arc::clone(&host) as _).expect("loads");
    let event = EventRecord::new(Hook::AuthorizePublish).with(Field::Topic, "undeclared");
    let call = Arc::clone(&plugin).call_awaiting(Arc::new(event), BUDGET);
    assert_eq!(call.await, Ok(Answer::PASS));
    let words = host.words();
    assert!(
        words[0].starts_with("authorize_publish asks for client_id"),
        "{words:?}"
    );
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_keeps_the_plugin_until_it_ends() {
    let built = build::fixture("blocking.c", &[]);
    let plugin = blocking(&built, |settings| {
        settings.awaiting_timeout = Duration::from_millis(1);
    });
    let late = built.folder().join("late");
    let weak = Arc::downgrade(&plugin);
    call(&plugin, &late).await.expect_err("too long");
    drop(plugin);
    assert!(weak.upgrade().is_some());
    std::fs::write(&late, "").expect("written");
    while weak.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}
