//! Hooks that await: only the client that they are about waits, in order.

use std::sync::Arc;
use std::time::Duration;

use hookmq_broker::hook::Registration;
use hookmq_mqtt::packet::{Connect, Publish, Will};
use hookmq_mqtt::{Packet, PacketIdentifier, QoS};
use hookmq_plugin_api::typed::{
    AuthorizePublishAnswer, InterceptPublishAnswer, InterceptSubscriptionAnswer,
    InterceptWillAnswer, PrepareSessionAnswer, ValidateConnectionAnswer,
};
use hookmq_plugin_api::{Cause, Closures, Hook};
use tokio::sync::Semaphore;

use crate::support::*;

/// Messages of the client `slow` wait until a permit is given.
fn waiting(gate: &Arc<Semaphore>) -> Registration {
    let gate = Arc::clone(gate);
    plugin(
        Closures::new("waiting").on_async_intercept_publish(move |event| {
            let gate = Arc::clone(&gate);
            async move {
                if event.client_id() == Some("slow") {
                    gate.acquire().await.expect("it is never closed").forget();
                }
                InterceptPublishAnswer::pass()
            }
        }),
    )
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_awaits_keeps_its_own_client_waiting_in_order_and_nobody_else() {
    let gate = Arc::new(Semaphore::new(0));
    let server = Server::with([waiting(&gate)]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let mut slow = server.client("slow").await;
    let mut quick = server.client("quick").await;
    slow.publish(qos1("slow", "1")).await;
    slow.publish(message("slow", "2")).await;
    slow.send(Packet::PingReq).await;
    slow.gets_nothing().await;
    for n in 0..3 {
        quick.publish(qos1("quick", &n.to_string())).await;
        quick
            .gets(&format!(
                "PUBACK packet_identifier={} reason=success",
                n + 1
            ))
            .await;
        receiver
            .gets(&format!("PUBLISH topic='quick' qos=0 payload='{n}'"))
            .await;
    }
    receiver.gets_nothing().await;
    gate.add_permits(1);
    slow.gets("PUBACK packet_identifier=1 reason=success").await;
    receiver
        .gets("PUBLISH topic='slow' qos=0 payload='1'")
        .await;
    slow.gets_nothing().await;
    gate.add_permits(1);
    slow.gets("PINGRESP").await;
    receiver
        .gets("PUBLISH topic='slow' qos=0 payload='2'")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_still_receives_when_it_is_done() {
    let gate = Arc::new(Semaphore::new(0));
    let server = Server::with([waiting(&gate)]).await;
    let mut slow = server.subscriber(V5, "slow", "#", QoS::AtMostOnce).await;
    let mut quick = server.client("quick").await;
    slow.publish(qos1("t", "mine")).await;
    settle().await;
    quick.publish(message("t", "theirs")).await;
    settle().await;
    gate.add_permits(1);
    let mut lines = [slow.line().await, slow.line().await, slow.line().await];
    lines.sort();
    assert_eq!(
        lines,
        [
            "PUBACK packet_identifier=2 reason=success",
            "PUBLISH topic='t' qos=0 payload='mine'",
            "PUBLISH topic='t' qos=0 payload='theirs'"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_waits_lets_others_in() {
    let gate = Arc::new(Semaphore::new(0));
    let door = {
        let gate = Arc::clone(&gate);
        plugin(
            Closures::new("door").on_async_validate_connection(move |event| {
                let gate = Arc::clone(&gate);
                async move {
                    if event.client_id() == Some("slow") {
                        gate.acquire().await.expect("it is never closed").forget();
                    }
                    ValidateConnectionAnswer::accept()
                }
            }),
        )
    };
    let server = Server::with([door]).await;
    let mut slow = server.dial(V5);
    slow.send(Packet::Connect(Box::new(Connect::new(V5, "slow"))))
        .await;
    slow.gets_nothing().await;
    let _quick = server.client("quick").await;
    gate.add_permits(1);
    assert!(slow.line().await.starts_with("CONNACK reason=success"));
}

#[tokio::test(start_paused = true)]
async fn two_connects_of_one_name_go_one_after_the_other() {
    let gate = Arc::new(Semaphore::new(0));
    let prepare = {
        let gate = Arc::clone(&gate);
        plugin(Closures::new("prepare").on_async_prepare_session(move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.expect("it is never closed").forget();
                PrepareSessionAnswer::pass()
            }
        }))
    };
    let server = Server::with([prepare]).await;
    let mut first = server.dial(V5);
    first
        .send(Packet::Connect(Box::new(Connect::new(V5, "a"))))
        .await;
    settle().await;
    let mut second = server.dial(V5);
    second
        .send(Packet::Connect(Box::new(Connect::new(V5, "a"))))
        .await;
    second.gets_nothing().await;
    gate.add_permits(1);
    assert!(first.line().await.starts_with("CONNACK reason=success"));
    second.gets_nothing().await;
    first.gets("DISCONNECT reason=session_taken_over").await;
    gate.add_permits(1);
    assert!(second.line().await.starts_with("CONNACK reason=success"));
    assert_eq!((server.stats().sessions, server.stats().connected), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn subscriptions_and_unsubscriptions_may_await_filter_by_filter() {
    let rules = plugin(Closures::new("rules").on_async_intercept_subscription(
        |event| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            InterceptSubscriptionAnswer::pass()
                .topic_filter(format!("tenant/{}", event.topic_filter()))
        },
    ));
    let server = Server::with([rules]).await;
    let mut client = server.client("a").await;
    client.ask("x", QoS::AtMostOnce).await;
    client.publish(message("tenant/x", "behind")).await;
    assert_eq!(client.next(Duration::from_millis(999)).await, "nothing");
    client
        .gets("SUBACK packet_identifier=1 reasons=[success]")
        .await;
    client
        .gets("PUBLISH topic='tenant/x' qos=0 payload='behind'")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_takes_too_long_counts_as_an_error() {
    let slow = Registration {
        awaiting_timeout: Duration::from_secs(2),
        ..plugin(Closures::new("slow").on_async_authorize_publish(|_| async {
            std::future::pending::<()>().await;
            AuthorizePublishAnswer::accept()
        }))
    };
    let server = Server::with([slow]).await;
    let mut client = server.client("a").await;
    client.publish(qos1("t", "x")).await;
    assert_eq!(client.next(Duration::from_millis(1_990)).await, "nothing");
    client
        .gets("PUBACK packet_identifier=1 reason=implementation_specific_error")
        .await;
    let metrics = server.handle.hook_metrics();
    assert_eq!(metrics[0].error(Cause::Timeout), 1);
}

#[tokio::test(start_paused = true)]
async fn a_takeover_does_not_wait_for_a_hook_and_a_qos_2_message_is_neither_lost_nor_doubled() {
    let gate = Arc::new(Semaphore::new(0));
    let recorder = Recorder::of([Hook::AuthorizePublish]);
    let server = Server::with([waiting(&gate), recorder.registered()]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::ExactlyOnce)
        .await;
    let staying = || Connect {
        clean_start: false,
        session_expiry_interval: Some(60),
        ..Connect::new(V5, "slow")
    };
    let five = PacketIdentifier::new(5);
    let again = |dup: bool| Publish {
        packet_identifier: five,
        dup,
        ..qos2("t", "once")
    };
    let mut first = server.client_with(staying()).await;
    first.publish(again(false)).await;
    first.gets_nothing().await;

    let mut second = server.client_with(staying()).await;
    first.gets("DISCONNECT reason=session_taken_over").await;
    first.ends().await;
    receiver.gets_nothing().await;

    // Never answered, so the client sends it again.
    gate.add_permits(2);
    second.publish(again(true)).await;
    second
        .gets("PUBREC packet_identifier=5 reason=success")
        .await;
    receiver
        .gets("PUBLISH topic='t' qos=2 packet_identifier=1 payload='once'")
        .await;
    second.publish(again(true)).await;
    second
        .gets("PUBREC packet_identifier=5 reason=success")
        .await;
    second.send(Packet::PubRel(ack(5))).await;
    second
        .gets("PUBCOMP packet_identifier=5 reason=success")
        .await;
    receiver.gets_nothing().await;
    assert_eq!(recorder.lines().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_while_a_hook_awaits_leaves_nothing_behind() {
    let gate = Arc::new(Semaphore::new(0));
    let server = Server::with([waiting(&gate)]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let mut slow = server.client("slow").await;
    slow.publish(qos1("t", "last")).await;
    settle().await;
    drop(slow.stream);
    gate.add_permits(1);
    slow.served.await.expect("no panic");
    // It came whole before the connection was lost.
    receiver
        .gets("PUBLISH topic='t' qos=0 payload='last'")
        .await;
    assert_eq!((server.stats().sessions, server.stats().connected), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_hook() {
    let gate = Arc::new(Semaphore::new(0));
    let server = Server::with([waiting(&gate)]).await;
    let mut slow = server.client("slow").await;
    slow.publish(qos1("t", "x")).await;
    settle().await;
    server.handle.stop().await;
    slow.gets("DISCONNECT reason=server_shutting_down").await;
    slow.ends().await;
}

#[tokio::test(start_paused = true)]
async fn keep_alive_does_not_end_a_client_whose_packet_waits_for_a_hook() {
    let gate = Arc::new(Semaphore::new(0));
    let server = Server::with([Registration {
        awaiting_timeout: Duration::from_secs(60),
        ..waiting(&gate)
    }])
    .await;
    let mut slow = server
        .client_with(Connect {
            keep_alive: 10,
            ..Connect::new(V5, "slow")
        })
        .await;
    slow.publish(qos1("t", "x")).await;
    pass(Duration::from_secs(14)).await;
    // It speaks in time, only it is not listened to yet.
    slow.send(Packet::PingReq).await;
    pass(Duration::from_secs(10)).await;
    gate.add_permits(1);
    slow.gets("PUBACK packet_identifier=1 reason=no_matching_subscribers")
        .await;
    slow.gets("PINGRESP").await;
}

#[tokio::test(start_paused = true)]
async fn a_delayed_will_whose_hook_awaits_holds_up_nothing_else_that_is_due() {
    let slow = plugin(
        Closures::new("slow").on_async_intercept_will(|event| async move {
            if event.client_id() == Some("slow") {
                tokio::time::sleep(Duration::from_secs(4)).await;
            }
            InterceptWillAnswer::pass()
        }),
    );
    let server = Server::with([slow]).await;
    let mut watcher = server
        .subscriber(V5, "watcher", "last/#", QoS::AtMostOnce)
        .await;
    for name in ["slow", "quick"] {
        let will = Will {
            delay_interval: 10,
            ..will(&format!("last/{name}"), "bye")
        };
        let connect = Connect {
            session_expiry_interval: Some(60),
            will: Some(Box::new(will)),
            ..Connect::new(V5, name)
        };
        server.client_with(connect).await.vanishes().await;
    }
    let expiring = Connect {
        session_expiry_interval: Some(11),
        ..Connect::new(V5, "expiring")
    };
    server.client_with(expiring).await.vanishes().await;
    assert_eq!(
        watcher.next(Duration::from_secs(12)).await,
        "PUBLISH topic='last/quick' qos=0 payload='bye'"
    );
    assert_eq!(watcher.next(Duration::from_secs(2)).await, "nothing");
    assert_eq!(server.stats().sessions, 3, "one has expired in time");
    watcher
        .gets("PUBLISH topic='last/slow' qos=0 payload='bye'")
        .await;
}
