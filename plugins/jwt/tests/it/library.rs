//! The dynamic library, with a broker's grants: what may be kept, and what is taken back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookmq_native::{NativePlugin, NativeSettings};
use hookmq_plugin_api::{
    Answer, EventRecord, Field, Grant, Grants, Hook, LogLevel, Plugin, VerdictKind,
};
use serde_json::json;

use crate::issuer::{claims, claims_with, now, set, token};
use crate::setup::{config, connect, publish};
use hookmq_guests::Recorder;

const BUDGET: Duration = Duration::from_secs(10);

struct Library {
    plugin: Arc<NativePlugin>,
    host: Arc<Recorder>,
    folder: tempfile::TempDir,
}

impl Library {
    fn new(grants: Grants) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jwks.json"), set(&["es"])).unwrap();
        let host = Arc::new(Recorder::default());
        let settings = NativeSettings {
            config: config(&folder, &json!({})),
            grants,
            ..NativeSettings::new("jwt")
        };
        let path = hookmq_guests::native("jwt");
        Self {
            plugin: NativePlugin::load(&path, settings, Arc::clone(&host) as _).unwrap(),
            host,
            folder,
        }
    }

    /// A login may block, so it has a thread of its own.
    async fn login(&self, event: EventRecord) -> Answer {
        let plugin: Arc<dyn Plugin> = Arc::clone(&self.plugin) as _;
        plugin.call_awaiting(Arc::new(event), BUDGET).await.unwrap()
    }

    fn call(&self, event: &EventRecord) -> Answer {
        self.plugin.call(event, BUDGET).unwrap()
    }
}

#[tokio::test]
async fn answers_are_kept_no_longer_than_the_token_lives() {
    let library = Library::new(Grants::NONE.with(Grant::Cache));
    library.host.take_tags();
    let answer = library.login(connect(token("es", &claims()))).await;
    assert_eq!(answer.verdict.kind(), VerdictKind::Accept);
    // What was kept for whoever had this client id before.
    assert_eq!(library.host.take_tags(), ["invalidate jwt:pump-1"]);
    let allowed = library.call(&publish("pump-1", "users/ann"));
    assert_eq!(allowed.verdict.kind(), VerdictKind::Accept);
    let keep = allowed.keep.unwrap();
    assert_eq!(*keep.tags, ["jwt:pump-1".into()]);
    assert!(keep.ttl > Duration::from_secs(30) && keep.ttl <= Duration::from_secs(60));
    let refused = library.call(&publish("pump-1", "users/bob"));
    assert_eq!(refused.verdict.kind(), VerdictKind::Deny);
    assert_eq!(*refused.keep.unwrap().tags, ["jwt:pump-1".into()]);
    // Who is not known is asked about each time.
    assert_eq!(library.call(&publish("bob", "x")), Answer::PASS);

    library.call(
        &EventRecord::new(Hook::ClientDisconnected)
            .with(Field::ClientId, "pump-1")
            .with(Field::Endpoint, "10.0.0.7:50123")
            .with(Field::DisconnectType, "Clean"),
    );
    assert_eq!(library.host.take_tags(), ["invalidate jwt:pump-1"]);
}

#[tokio::test]
async fn an_expiry_is_told() {
    let library = Library::new(Grants::NONE.with(Grant::Cache));
    let short = claims_with(&json!({"exp": now() + 2}));
    let answer = library.login(connect(token("es", &short))).await;
    assert_eq!(answer.verdict.kind(), VerdictKind::Accept);
    library.host.take_tags();
    let started = Instant::now();
    // Any event will do, of any client.
    let tags = loop {
        library.call(&publish("bob", "x"));
        let tags = library.host.take_tags();
        if !tags.is_empty() {
            break tags;
        }
        assert!(started.elapsed() < BUDGET);
        tokio::task::yield_now().await;
    };
    assert_eq!(tags, ["reauthorize jwt:pump-1"]);
}

#[tokio::test]
async fn without_the_grant_nothing_is_kept() {
    let library = Library::new(Grants::NONE);
    library.login(connect(token("es", &claims()))).await;
    let allowed = library.call(&publish("pump-1", "users/ann"));
    assert_eq!(allowed.verdict.kind(), VerdictKind::Accept);
    assert_eq!(allowed.keep, None);
    assert_eq!(library.host.take_tags(), [""; 0]);
}

#[tokio::test]
async fn a_broken_file_is_told_of_once() {
    let library = Library::new(Grants::NONE);
    std::fs::write(library.folder.path().join("jwks.json"), "{").unwrap();
    for _ in 0..3 {
        let answer = library.login(connect(token("es", &claims()))).await;
        assert_eq!(answer.verdict.kind(), VerdictKind::Accept);
    }
    let lines = library.host.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].0, LogLevel::Warn);
    assert!(
        lines[0].1.contains("the keys that it had stay in use"),
        "{lines:?}"
    );
}
