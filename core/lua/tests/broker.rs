//! A script and a broker together: verdicts that are kept, and a script that takes them back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::sync::Arc;

use hookmq_broker::hook::{HookMetrics, Registration};
use hookmq_broker::{Broker, BrokerSettings, Handle, Message, Source};
use hookmq_lua::{LuaPlugin, LuaSettings};
use hookmq_mqtt::{QoS, TopicName};
use hookmq_plugin_api::{Grant, Grants, Hook, VerdictKind};

const SCRIPT: &str = r#"
local M = {}

function M.authorize_publish(topic)
    local keep = { ttl = 600, tags = "rights" }
    if broker.kv.get("open/" .. topic) then
        return broker.accept(keep)
    end
    return broker.deny("not_authorized", "closed", keep)
end

function M.intercept_publish(topic, payload)
    if topic == "open" then
        broker.kv.set("open/" .. payload, "yes")
        broker.log.info("forgotten: " .. broker.cache.invalidate("rights"))
        return broker.consume()
    end
end

return M
"#;

async fn publish(handle: &Handle, topic: &str, payload: &str) -> bool {
    let message = Message {
        topic: TopicName::parse(topic).unwrap(),
        payload: payload.to_owned().into(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: None,
        expires_at: None,
        sender: None,
        source: Source::Broker,
    };
    handle.publish(message).await.is_ok()
}

fn seen(handle: &Handle) -> HookMetrics {
    let metrics = handle.hook_metrics();
    let mut rows = metrics.into_iter();
    rows.find(|row| row.hook == Hook::AuthorizePublish).unwrap()
}

#[tokio::test]
async fn a_script_is_asked_once_and_again_when_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rights.lua");
    fs::write(&path, SCRIPT).unwrap();
    let broker = Broker::new(BrokerSettings::default());
    let grants: Grants = [Grant::Kv, Grant::Cache].into_iter().collect();
    let host = broker.host("rights", grants);
    let plugin = LuaPlugin::load(&path, LuaSettings::new("rights"), Arc::clone(&host)).unwrap();
    let registration = Registration::new("rights", "lua", plugin);
    let handle = broker.plugin(registration).start().await.unwrap();
    for _ in 0..4 {
        assert!(!publish(&handle, "a", "x").await);
    }
    assert_eq!(seen(&handle).verdict(VerdictKind::Deny), 1);
    let kept = seen(&handle).kept.unwrap();
    assert_eq!((kept.hits, kept.entries), (3, 1));
    assert!(publish(&handle, "open", "a").await);
    assert_eq!(seen(&handle).kept.unwrap().entries, 0);
    for _ in 0..4 {
        assert!(publish(&handle, "a", "x").await);
    }
    assert!(!publish(&handle, "b", "x").await);
    assert_eq!(seen(&handle).calls(), 3);
    assert_eq!(seen(&handle).kept.unwrap().hits, 6);
    handle.stop().await;
}
