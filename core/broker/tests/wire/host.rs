//! What a plugin may do besides answering: publish, disconnect, look; within its grants.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hookmq_broker::BrokerSettings;
use hookmq_broker::hook::MAXIMUM_DEPTH;
use hookmq_mqtt::packet::{Connect, Publish};
use hookmq_mqtt::{Packet, QoS};
use hookmq_plugin_api::{
    Answer, Grant, Grants, Hook, Host, HostError, KvCondition, OutgoingMessage,
};
use parking_lot::Mutex;

use crate::support::*;

fn all() -> Grants {
    Grant::ALL.into_iter().collect()
}

fn outgoing(topic: &str, payload: &str) -> OutgoingMessage {
    OutgoingMessage {
        topic: topic.to_owned(),
        payload: payload.into(),
        ..OutgoingMessage::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugins_message_takes_the_way_of_every_message() {
    let recorder = Recorder::of([
        Hook::InterceptPublish,
        Hook::AuthorizePublish,
        Hook::InterceptEnqueue,
    ]);
    // As shipped, and no plugin accepts: what a plugin publishes is trusted.
    let server = Server::start(BrokerSettings::default(), [recorder.registered()]).await;
    let host = server.handle.host("alarm", all());
    let mut receiver = server.subscriber(V5, "r", "#", QoS::AtLeastOnce).await;
    recorder.clear();
    let message = OutgoingMessage {
        qos: 1,
        retain: true,
        message_expiry_interval: Some(60),
        content_type: Some("c".to_owned()),
        response_topic: Some("re".to_owned()),
        correlation_data: Some(b"7".to_vec()),
        user_properties: vec![("k".to_owned(), "v".to_owned())],
        ..outgoing("alarm", "x")
    };
    host.publish(message, 0).expect("it is granted");
    receiver
        .gets(
            "PUBLISH topic='alarm' qos=1 packet_identifier=1 payload='x' message_expiry_interval=60 response_topic='re' correlation_data='7' \
             content_type='c' user_properties=['k'='v']",
        )
        .await;
    let rest = "message_expiry_interval=60 content_type='c' response_topic='re' correlation_data='7' user_properties=[k=v]";
    recorder
        .saw(&[
            &format!("intercept_publish source='plugin' dup=false topic='alarm' payload='x' payload_size=1 qos=1 retain=true {rest}"),
            "authorize_publish topic='alarm' payload_size=1 qos=1 retain=true source='plugin'",
            &format!("intercept_enqueue receiver_client_id='r' source='plugin' topic='alarm' payload='x' payload_size=1 qos=1 retain=false {rest}"),
        ])
        .await;
    assert_eq!(server.stats().retained, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_to_one_client_reaches_it_whatever_it_subscribed_to_and_nobody_else() {
    let server = Server::with([]).await;
    let host = server.handle.host("alarm", all());
    let mut one = server.client("one").await;
    let mut other = server.subscriber(V5, "other", "#", QoS::ExactlyOnce).await;
    let message = OutgoingMessage {
        qos: 2,
        retain: true,
        ..outgoing("note", "x")
    };
    assert_eq!(host.publish_to("one", message.clone(), 0), Ok(true));
    one.gets("PUBLISH topic='note' qos=2 packet_identifier=1 payload='x'")
        .await;
    other.gets_nothing().await;
    assert_eq!(host.publish_to("nobody", message, 0), Ok(false));
    assert_eq!(server.stats().retained, 0);
}

#[tokio::test(start_paused = true)]
async fn every_call_needs_its_grant() {
    let server = Server::with([]).await;
    for grant in Grant::ALL {
        let others: Grants = Grant::ALL
            .into_iter()
            .filter(|other| *other != grant)
            .collect();
        let host = server.handle.host("poor", others);
        let refused = HostError::NotGranted(grant);
        match grant {
            Grant::Publish => {
                assert_eq!(host.publish(outgoing("t", "x"), 0), Err(refused.clone()));
                assert_eq!(host.publish_to("a", outgoing("t", "x"), 0), Err(refused));
            }
            Grant::Disconnect => assert_eq!(host.disconnect("a", 0, None), Err(refused)),
            Grant::Query => {
                assert_eq!(host.client("a"), Err(refused.clone()));
                assert_eq!(host.session("a"), Err(refused.clone()));
                assert_eq!(host.retained("#", 1), Err(refused));
            }
            Grant::Kv => {
                assert_eq!(host.kv_get("k"), Err(refused.clone()));
                assert_eq!(
                    host.kv_set("k", b"v", None, KvCondition::Always),
                    Err(refused.clone())
                );
                assert_eq!(host.kv_delete("k"), Err(refused.clone()));
                assert_eq!(host.kv_add("k", 1, None), Err(refused));
            }
            Grant::Cache => {
                assert_eq!(host.invalidate("tag"), Err(refused.clone()));
                assert_eq!(host.reauthorize("tag"), Err(refused));
            }
            // What WebAssembly imports; the broker has no part in it.
            Grant::Clock | Grant::Random => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_is_refused_like_one_from_the_network() {
    let server = Server::with([]).await;
    let host = server.handle.host("wrong", all());
    let long = "x".repeat(65_536);
    let argument = |message: OutgoingMessage| match host.publish(message, 0) {
        Err(HostError::Argument(name, _)) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(argument(outgoing("a/#", "x")), "topic");
    assert_eq!(argument(outgoing("", "x")), "topic");
    assert_eq!(argument(outgoing("nul\0", "x")), "topic");
    assert_eq!(argument(outgoing(&"l/".repeat(200), "x")), "topic");
    assert_eq!(
        argument(OutgoingMessage {
            qos: 3,
            ..outgoing("t", "x")
        }),
        "qos"
    );
    assert_eq!(
        argument(OutgoingMessage {
            response_topic: Some("a/+".to_owned()),
            ..outgoing("t", "x")
        }),
        "response_topic"
    );
    assert_eq!(
        argument(OutgoingMessage {
            content_type: Some(long.clone()),
            ..outgoing("t", "x")
        }),
        "content_type"
    );
    assert_eq!(
        argument(OutgoingMessage {
            content_type: Some("nul\0".to_owned()),
            ..outgoing("t", "x")
        }),
        "content_type"
    );
    assert_eq!(
        argument(OutgoingMessage {
            correlation_data: Some(long.clone().into_bytes()),
            ..outgoing("t", "x")
        }),
        "correlation_data"
    );
    assert_eq!(
        argument(OutgoingMessage {
            user_properties: vec![(long, String::new())],
            ..outgoing("t", "x")
        }),
        "user_properties"
    );
    let large = OutgoingMessage {
        payload: vec![0; (2 << 20) + 1],
        ..outgoing("t", "")
    };
    assert_eq!(
        host.publish(large, 0),
        Err(HostError::Limit("payload", 2 << 20))
    );
}

/// Publishes again for every message it is told of; gives what the last call said.
async fn storm(hook: Hook) -> (usize, Option<HostError>) {
    let host: Arc<OnceLock<Arc<dyn Host>>> = Arc::default();
    let refused: Arc<Mutex<Option<HostError>>> = Arc::default();
    let storm = {
        let (host, refused) = (Arc::clone(&host), Arc::clone(&refused));
        Recorder::answering([hook], move |event| {
            if let Some(host) = host.get()
                && let Err(error) = host.publish(outgoing("echo", "x"), event.depth())
            {
                *refused.lock() = Some(error);
            }
            Answer::PASS
        })
    };
    let server = Server::with([storm.registered()]).await;
    assert!(host.set(server.handle.host("storm", all())).is_ok());
    let mut receiver = server.subscriber(V5, "r", "echo", QoS::AtMostOnce).await;
    let mut sender = server.client("s").await;
    sender.publish(message("echo", "x")).await;
    until(|| refused.lock().is_some())
        .await
        .expect("it comes to an end");
    let mut n_received = 0;
    while receiver.next(Duration::from_millis(1)).await != "nothing" {
        n_received += 1;
    }
    let refused = refused.lock().clone();
    (n_received, refused)
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_publishes_from_its_own_hook_comes_to_an_end() {
    for hook in [
        Hook::InterceptPublish,
        Hook::AuthorizePublish,
        Hook::InterceptEnqueue,
        Hook::MessageEnqueued,
    ] {
        let (n_received, refused) = storm(hook).await;
        assert_eq!(refused, Some(HostError::Depth(MAXIMUM_DEPTH)), "{hook:?}");
        assert_eq!(
            n_received,
            usize::from(MAXIMUM_DEPTH) + 1,
            "{hook:?}: the client's own, and one per depth"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_be_published_is_bounded() {
    let settings = BrokerSettings {
        maximum_injected: 2,
        ..lenient()
    };
    let server = Server::start(settings, []).await;
    let host = server.handle.host("flood", all());
    // Nothing else runs between these calls.
    let outcomes: Vec<_> = (0..5)
        .map(|_| host.publish(outgoing("t", "x"), 0))
        .collect();
    assert!(outcomes[..2].iter().all(Result::is_ok), "{outcomes:?}");
    assert!(
        matches!(outcomes[4], Err(HostError::Limit(_, 2))),
        "{outcomes:?}"
    );
    settle().await;
    assert_eq!(host.publish(outgoing("t", "x"), 0), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_plugin_can_end_a_connection_with_a_fitting_reason() {
    let server = Server::with([]).await;
    let host = server.handle.host("door", all());
    for (code, word) in [
        (0, "administrative_action"),
        (0x98, "administrative_action"),
        (0x97, "quota_exceeded"),
        (0x89, "server_busy"),
    ] {
        let mut client = server.client("a").await;
        assert_eq!(host.disconnect("a", code, Some("enough")), Ok(true));
        client
            .gets(&format!("DISCONNECT reason={word} reason_string='enough'"))
            .await;
        client.ends().await;
    }
    let old = server.client_v3("a").await;
    assert_eq!(host.disconnect("a", 0, None), Ok(true));
    old.ends().await;
    assert_eq!(host.disconnect("a", 0, None), Ok(false));
    for code in [0x86, 0x10, 0x01, 0xFF] {
        assert!(
            matches!(
                host.disconnect("a", code, None),
                Err(HostError::Argument("reason_code", _))
            ),
            "0x{code:02x}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn queries_show_clients_sessions_and_retained_messages() {
    let server = Server::with([]).await;
    let host = server.handle.host("look", all());
    assert_eq!((host.client("a"), host.session("a")), (Ok(None), Ok(None)));
    let connect = Connect {
        username: Some("ann".to_owned()),
        keep_alive: 30,
        session_expiry_interval: Some(60),
        ..Connect::new(V5, "a")
    };
    let mut client = server.client_with(connect).await;
    client.subscribe("t/#", QoS::AtLeastOnce).await;
    let mut sender = server.client("s").await;
    sender
        .publish(Publish {
            retain: true,
            ..qos1("t/1", "one")
        })
        .await;
    sender.publish(retained("t/2", "two")).await;
    sender.send(Packet::PingReq).await;
    settle().await;

    let view = host.client("a").expect("granted").expect("it is connected");
    assert_eq!(
        (
            view.client_id.as_str(),
            view.username.as_deref(),
            view.endpoint.as_str()
        ),
        ("a", Some("ann"), ENDPOINT)
    );
    assert_eq!(
        (
            view.listener.as_str(),
            view.protocol_version,
            view.keep_alive
        ),
        ("lan", 5, 30)
    );
    let view = host.session("a").expect("granted").expect("it exists");
    assert_eq!(
        (
            view.connected,
            view.session_expiry_interval,
            view.n_queued,
            view.n_inflight
        ),
        (true, 60, 0, 1)
    );
    assert_eq!(view.subscriptions, [("t/#".to_owned(), 1)]);
    let mut found = host.retained("t/+", 10).expect("granted");
    found.sort_by(|one, other| one.topic.cmp(&other.topic));
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.topic.as_str(), one.payload.as_slice(), one.qos))
        .collect();
    assert_eq!(
        found,
        [("t/1", b"one".as_slice(), 1), ("t/2", b"two".as_slice(), 0)]
    );
    assert_eq!(host.retained("#", 1).expect("granted").len(), 1);
    assert!(matches!(
        host.retained("a/#/b", 1),
        Err(HostError::Argument("topic_filter", _))
    ));

    client.vanishes().await;
    assert_eq!(host.client("a"), Ok(None));
    sender.publish(qos1("t/3", "x")).await;
    settle().await;
    let view = host.session("a").expect("granted").expect("it stays");
    assert_eq!(
        (view.connected, view.n_queued, view.n_inflight),
        (false, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn plugins_share_a_map_of_keys() {
    let server = Server::with([]).await;
    let (one, other) = (
        server.handle.host("one", all()),
        server.handle.host("other", all()),
    );
    assert_eq!(one.kv_set("k", b"1", None, KvCondition::Absent), Ok(true));
    assert_eq!(
        other.kv_set("k", b"2", None, KvCondition::Absent),
        Ok(false)
    );
    assert_eq!(
        other.kv_set("k", b"2", None, KvCondition::Equals(b"1".to_vec())),
        Ok(true)
    );
    assert_eq!(one.kv_get("k"), Ok(Some(b"2".to_vec())));
    assert_eq!(
        (one.kv_add("n", 2, None), other.kv_add("n", 3, None)),
        (Ok(2), Ok(5))
    );
    assert_eq!(
        (one.kv_delete("k"), one.kv_delete("k")),
        (Ok(true), Ok(false))
    );
}

#[tokio::test(start_paused = true)]
async fn after_the_stop_and_the_end_of_a_broker_its_host_says_so() {
    let server = Server::with([]).await;
    let host = server.handle.host("late", all());
    server.handle.stop().await;
    settle().await;
    assert_eq!(
        host.publish(outgoing("t", "x"), 0),
        Err(HostError::Stopping)
    );
    drop(server);
    settle().await;
    assert_eq!(host.client("a"), Err(HostError::Stopping));
}
