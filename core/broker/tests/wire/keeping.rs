//! `authorize_publish` and `authorize_subscribe` whose answers are kept: what the wire sees of it, and what taking them back does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hookmq_broker::BrokerSettings;
use hookmq_broker::hook::Registration;
use hookmq_mqtt::packet::{Connect, Subscribe, SubscribeEntry, Unsubscribe};
use hookmq_mqtt::property::UserProperties;
use hookmq_mqtt::{Packet, QoS};
use hookmq_plugin_api::typed::{AuthorizePublishAnswer, AuthorizeSubscribeAnswer};
use hookmq_plugin_api::{
    Answer, Closures, Event, Field, FieldSet, Grant, Grants, Hook, Host, Keep, Listen, Owned,
    Plugin, PluginError, Verdict,
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::support::*;

type Rule = Box<dyn Fn(&dyn Event) -> Answer + Send + Sync>;

/// A policy that is a function of who and what, can be replaced by another, and counts how often it is asked.
struct Policy {
    listens: Vec<Listen>,
    rule: Mutex<Rule>,
    calls: AtomicUsize,
}

impl Policy {
    fn at(hook: Hook, rule: impl Fn(&dyn Event) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        let what = match hook {
            Hook::AuthorizePublish => Field::Topic,
            _ => Field::TopicFilter,
        };
        let listens = vec![Listen {
            hook,
            fields: FieldSet::of(&[Field::ClientId, Field::Qos, what]),
            awaits: false,
        }];
        Arc::new(Self {
            listens,
            rule: Mutex::new(Box::new(rule)),
            calls: AtomicUsize::new(0),
        })
    }

    fn becomes(&self, rule: impl Fn(&dyn Event) -> Answer + Send + Sync + 'static) {
        *self.rule.lock() = Box::new(rule);
    }

    fn registered(self: &Arc<Self>) -> Registration {
        Registration::new("policy", "embedded", Arc::clone(self) as Arc<dyn Plugin>)
    }

    fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }
}

impl Plugin for Policy {
    fn listens(&self) -> &[Listen] {
        &self.listens
    }

    fn call(&self, event: &dyn Event, _budget: Duration) -> Result<Answer, PluginError> {
        self.calls.fetch_add(1, SeqCst);
        Ok((self.rule.lock())(event))
    }
}

fn keep() -> Keep {
    Keep::lasting(Duration::from_secs(60)).tagged("tag")
}

fn accept() -> Answer {
    Answer::from(Verdict::Accept).kept(keep())
}

fn accept_with(qos: i64) -> Answer {
    Answer {
        changes: vec![(Field::Qos, Owned::Integer(qos))],
        ..accept()
    }
}

fn deny() -> Answer {
    Answer::from(Verdict::Deny(Box::new(refusal(0x97)))).kept(keep())
}

fn cache(server: &Server) -> Arc<dyn Host> {
    server.handle.host("admin", Grants::NONE.with(Grant::Cache))
}

fn notices() -> (Arc<Recorder>, Registration) {
    let recorder = Recorder::of([Hook::ClientUnsubscribed]);
    let registered = Registration {
        name: "notices".into(),
        ..recorder.registered()
    };
    (recorder, registered)
}

/// Waits, with the clock held still, until a session holds so many subscriptions.
async fn holds(server: &Server, client_id: &str, n: usize) {
    let host = server.handle.host("query", Grants::NONE.with(Grant::Query));
    let held = || {
        host.session(client_id)
            .expect("granted")
            .expect("a session")
            .subscriptions
            .len()
    };
    until(|| held() == n)
        .await
        .unwrap_or_else(|()| panic!("{client_id} holds {}, not {n}", held()));
}

#[tokio::test(start_paused = true)]
async fn a_kept_accept_lets_messages_pass_without_asking_again_until_its_time_is_over() {
    let policy = Policy::at(Hook::AuthorizePublish, |_| accept());
    let server = Server::with([policy.registered()]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let mut sender = server.client("sender").await;
    for n in 0..5 {
        let payload = "x".repeat(n);
        sender.publish(message("a", &payload)).await;
        let told = if n == 0 {
            "PUBLISH topic='a' qos=0 payload=''".to_owned()
        } else {
            format!("PUBLISH topic='a' qos=0 payload='{payload}'")
        };
        assert_eq!(receiver.line().await, told);
    }
    assert_eq!(policy.calls(), 1);
    sender.publish(message("b", "x")).await;
    receiver.gets("PUBLISH topic='b' qos=0 payload='x'").await;
    assert_eq!(policy.calls(), 2);
    pass(Duration::from_secs(61)).await;
    sender.publish(message("a", "x")).await;
    receiver.gets("PUBLISH topic='a' qos=0 payload='x'").await;
    assert_eq!(policy.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_kept_deny_says_the_same_words_again() {
    let policy = Policy::at(Hook::AuthorizePublish, |_| deny());
    let server = Server::with([policy.registered()]).await;
    let mut sender = server.client("sender").await;
    for n in 1..4 {
        sender.publish(qos1("a", "x")).await;
        sender
            .gets(&format!("PUBACK packet_identifier={n} reason=quota_exceeded reason_string='not today' user_properties=['why'='rule 7']"))
            .await;
    }
    assert_eq!(policy.calls(), 1);
    assert_eq!(server.stats().refused, 3);
}

#[tokio::test(start_paused = true)]
async fn another_plugins_deny_wins_over_a_kept_accept() {
    let policy = Policy::at(Hook::AuthorizePublish, |_| accept());
    let denying = Closures::new("quota")
        .on_authorize_publish(|_| AuthorizePublishAnswer::deny(0x97, "too much"));
    let server = Server::with([policy.registered(), plugin(denying)]).await;
    let mut sender = server.client("sender").await;
    for n in 1..3 {
        sender.publish(qos1("a", "x")).await;
        sender
            .gets(&format!(
                "PUBACK packet_identifier={n} reason=quota_exceeded reason_string='too much'"
            ))
            .await;
    }
    assert_eq!(policy.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn changes_that_travel_with_an_accept_are_made_again() {
    let policy = Policy::at(Hook::AuthorizePublish, |_| accept_with(0));
    let server = Server::with([policy.registered()]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::ExactlyOnce)
        .await;
    let mut sender = server.client("sender").await;
    for n in 1..3 {
        sender.publish(qos1("a", "x")).await;
        sender
            .gets(&format!("PUBACK packet_identifier={n} reason=success"))
            .await;
        receiver.gets("PUBLISH topic='a' qos=0 payload='x'").await;
    }
    assert_eq!(policy.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_closure_is_asked_for_every_difference_unless_it_says_what_it_reads() {
    for (fields, expected) in [(None, 2), (Some([Field::Topic]), 1)] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let mut closures = Closures::new("rules").on_authorize_publish(move |event| {
            counted.fetch_add(1, SeqCst);
            match event.topic() {
                "a" => AuthorizePublishAnswer::accept().keep(keep()),
                _ => AuthorizePublishAnswer::pass(),
            }
        });
        if let Some(fields) = fields {
            closures = closures.reading(Hook::AuthorizePublish, &fields);
        }
        let server = Server::with([plugin(closures)]).await;
        let mut sender = server.client("sender").await;
        for payload in ["x", "xx"] {
            sender.publish(qos1("a", payload)).await;
            let _ = sender.line().await;
        }
        assert_eq!(calls.load(SeqCst), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_is_asked_again() {
    let policy = Policy::at(Hook::AuthorizePublish, |_| accept());
    let server = Server::with([policy.registered()]).await;
    let host = cache(&server);
    let mut sender = server.client("sender").await;
    sender.publish(qos1("a", "x")).await;
    sender
        .gets("PUBACK packet_identifier=1 reason=no_matching_subscribers")
        .await;
    policy.becomes(|_| deny());
    assert_eq!(host.invalidate("another"), Ok(0));
    sender.publish(qos1("a", "x")).await;
    sender
        .gets("PUBACK packet_identifier=2 reason=no_matching_subscribers")
        .await;
    assert_eq!(policy.calls(), 1);
    assert_eq!(host.invalidate("tag"), Ok(1));
    sender.publish(qos1("a", "x")).await;
    let line = sender.line().await;
    assert!(
        line.starts_with("PUBACK packet_identifier=3 reason=quota_exceeded"),
        "{line}"
    );
    assert_eq!(policy.calls(), 2);
    assert!(host.invalidate("").is_err() && host.reauthorize(&"x".repeat(257)).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_lost_its_right_goes_and_the_reason_is_told() {
    let policy = Policy::at(Hook::AuthorizeSubscribe, |_| accept());
    let (notices, told) = notices();
    let server = Server::with([policy.registered(), told]).await;
    let host = cache(&server);
    let mut client = server
        .subscriber(V5, "client", "a/#", QoS::AtLeastOnce)
        .await;
    client.subscribe("b/#", QoS::AtMostOnce).await;
    let mut sender = server.client("sender").await;
    policy.becomes(|event| match event.get(Field::TopicFilter).as_text() {
        Some("a/#") => deny(),
        _ => accept(),
    });
    // Not yet, and not for another tag.
    assert_eq!(host.reauthorize("another"), Ok(0));
    settle().await;
    sender.publish(message("a/1", "x")).await;
    client.gets("PUBLISH topic='a/1' qos=0 payload='x'").await;
    assert_eq!(host.reauthorize("tag"), Ok(2));
    holds(&server, "client", 1).await;
    notices
        .saw(&["client_unsubscribed topic_filter='a/#' reason_code=151 reason_string='not today' plugin='policy' client_id='client' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5 sequence=1"])
        .await;
    sender.publish(message("a/1", "x")).await;
    sender.publish(message("b/1", "x")).await;
    client.gets("PUBLISH topic='b/1' qos=0 payload='x'").await;
    // The connection stays, and asking again is answered with the refusal, which was kept.
    client.ask("a/#", QoS::AtMostOnce).await;
    let line = client.line().await;
    assert!(line.contains("reasons=[quota_exceeded]"), "{line}");
    // The client's own farewell says that nothing was wrong.
    notices.clear();
    client.unsubscribe("b/#").await;
    client
        .gets("UNSUBACK packet_identifier=4 reasons=[success]")
        .await;
    notices
        .saw(&["client_unsubscribed topic_filter='b/#' reason_code=0 client_id='client' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5 sequence=2"])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_away_loses_its_right_too() {
    let policy = Policy::at(Hook::AuthorizeSubscribe, |_| accept());
    let server = Server::with([policy.registered()]).await;
    let mut connect = Connect::new(V5, "client");
    connect.clean_start = false;
    connect.session_expiry_interval = Some(1_000);
    let mut client = server.client_with(connect.clone()).await;
    client.subscribe("a/#", QoS::AtLeastOnce).await;
    client.subscribe("$share/g/b", QoS::AtLeastOnce).await;
    client.vanishes().await;
    policy.becomes(|_| deny());
    cache(&server).reauthorize("tag").expect("granted");
    holds(&server, "client", 0).await;
    let mut sender = server.client("sender").await;
    for topic in ["a/1", "b"] {
        sender.publish(qos1(topic, "x")).await;
        let line = sender.line().await;
        assert!(line.ends_with("reason=no_matching_subscribers"), "{line}");
    }
    let mut client = server.client_with(connect).await;
    client.gets_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn another_qos_is_granted_up_and_down_from_what_was_asked_for() {
    let policy = Policy::at(Hook::AuthorizeSubscribe, |_| accept_with(0));
    let server = Server::with([policy.registered()]).await;
    let host = cache(&server);
    let mut client = server.client("client").await;
    client.ask("a", QoS::AtLeastOnce).await;
    client
        .gets("SUBACK packet_identifier=1 reasons=[success]")
        .await;
    let mut sender = server.client("sender").await;
    for (step, answer, expected) in [
        (1, accept(), "qos=1"),
        (2, accept_with(0), "qos=0"),
        (3, accept_with(1), "qos=1"),
    ] {
        let seen = policy.calls();
        policy.becomes(move |event| {
            assert_eq!(
                event.get(Field::Qos).as_integer(),
                Some(1),
                "as first asked"
            );
            answer.clone()
        });
        host.reauthorize("tag").expect("granted");
        until(|| policy.calls() > seen).await.expect("it is asked");
        settle().await;
        sender.publish(qos1("a", "x")).await;
        let _ = sender.line().await;
        let line = client.line().await;
        assert!(line.contains(expected), "step {step}: {line}");
        if expected == "qos=1" {
            client.puback(step / 2 + 1).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_disconnects_is_obeyed() {
    let policy = Policy::at(Hook::AuthorizeSubscribe, |_| accept());
    let server = Server::with([policy.registered()]).await;
    let mut client = server.subscriber(V5, "client", "a", QoS::AtMostOnce).await;
    policy.becomes(|_| Verdict::disconnect(0x87, "go away").into());
    cache(&server).reauthorize("tag").expect("granted");
    client
        .gets("DISCONNECT reason=not_authorized reason_string='go away'")
        .await;
    client.ends().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_client_gave_up_or_asked_anew_is_left_alone() {
    let policy = Policy::at(Hook::AuthorizeSubscribe, |event| {
        match event.get(Field::Qos).as_integer() {
            Some(0) => accept(),
            // Without a tag nobody asks again.
            _ => Verdict::Accept.into(),
        }
    });
    let server = Server::with([policy.registered()]).await;
    let mut client = server.subscriber(V5, "client", "a", QoS::AtMostOnce).await;
    client.subscribe("b", QoS::AtMostOnce).await;
    client.subscribe("b", QoS::AtLeastOnce).await;
    client.unsubscribe("a").await;
    client
        .gets("UNSUBACK packet_identifier=4 reasons=[success]")
        .await;
    let calls = policy.calls();
    policy.becomes(|_| deny());
    cache(&server).reauthorize("tag").expect("granted");
    settle().await;
    assert_eq!(policy.calls(), calls);
    holds(&server, "client", 1).await;
}

#[tokio::test(start_paused = true)]
async fn retained_messages_on_their_way_stop_when_the_right_goes() {
    const N: usize = 3_000;
    let policy = Policy::at(Hook::AuthorizeSubscribe, |_| accept());
    let server = Server::with([policy.registered()]).await;
    let mut sender = server.client("sender").await;
    for n in 0..N {
        sender.publish(retained(&format!("a/{n}"), "x")).await;
    }
    until(|| server.stats().retained == N)
        .await
        .expect("all are retained");
    let mut client = server.dial_from(V5, ENDPOINT, true, 1_024);
    let connect = Connect::new(V5, "client");
    client.send(Packet::Connect(Box::new(connect))).await;
    let line = client.line().await;
    assert!(line.starts_with("CONNACK"), "{line}");
    client.subscribe("a/#", QoS::AtMostOnce).await;
    settle().await;
    policy.becomes(|_| deny());
    cache(&server).reauthorize("tag").expect("granted");
    holds(&server, "client", 0).await;
    let mut n = 0;
    while client.line().await.starts_with("PUBLISH") {
        n += 1;
    }
    assert!(n > 0 && n < N / 2, "{n} came after the right had gone");
}

/// Answers as it was right when it was asked, after a permit is given.
fn slow(gate: &Arc<Semaphore>, is_allowed: &Arc<AtomicUsize>) -> Registration {
    let (gate, is_allowed) = (Arc::clone(gate), Arc::clone(is_allowed));
    plugin(
        Closures::new("slow").on_async_authorize_subscribe(move |_| {
            let (gate, allowed) = (Arc::clone(&gate), is_allowed.load(SeqCst) > 0);
            async move {
                gate.acquire().await.expect("it is never closed").forget();
                if allowed {
                    AuthorizeSubscribeAnswer::accept().keep(keep())
                } else {
                    AuthorizeSubscribeAnswer::deny(0x87, "not any more").keep(keep())
                }
            }
        }),
    )
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_decided_while_its_right_goes_does_not_survive() {
    let (gate, is_allowed) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(1)));
    let server = Server::with([slow(&gate, &is_allowed)]).await;
    let mut client = server.client("client").await;
    client.ask("a", QoS::AtMostOnce).await;
    settle().await;
    // The plugin has made up its mind; now it turns out wrong, and nothing is there yet that could be asked about again.
    is_allowed.store(0, SeqCst);
    assert_eq!(cache(&server).reauthorize("tag"), Ok(0));
    settle().await;
    gate.add_permits(1);
    client
        .gets("SUBACK packet_identifier=1 reasons=[success]")
        .await;
    gate.add_permits(1);
    holds(&server, "client", 0).await;
    // Nor was the earlier answer kept: it is the later one that is.
    client.ask("a", QoS::AtMostOnce).await;
    client
        .gets("SUBACK packet_identifier=2 reasons=[not_authorized] reason_string='not any more'")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_gives_up_while_it_is_asked_about_is_not_told_twice() {
    let (gate, is_allowed) = (Arc::new(Semaphore::new(1)), Arc::new(AtomicUsize::new(1)));
    let (notices, told) = notices();
    let server = Server::with([slow(&gate, &is_allowed), told]).await;
    let mut client = server.subscriber(V5, "client", "a", QoS::AtMostOnce).await;
    is_allowed.store(0, SeqCst);
    cache(&server).reauthorize("tag").expect("granted");
    settle().await;
    client.unsubscribe("a").await;
    client
        .gets("UNSUBACK packet_identifier=2 reasons=[success]")
        .await;
    gate.add_permits(1);
    settle().await;
    assert_eq!(notices.wait(1).await.len(), 1);
    assert!(
        notices.lines()[0].contains("reason_code=0 "),
        "{:?}",
        notices.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_was_made_anew_while_the_old_one_is_asked_about_stays() {
    let (gate, is_allowed) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(1)));
    let rule = {
        let (gate, is_allowed) = (Arc::clone(&gate), Arc::clone(&is_allowed));
        Closures::new("rule").on_async_authorize_subscribe(move |_| {
            let (gate, allowed) = (Arc::clone(&gate), is_allowed.load(SeqCst) > 0);
            async move {
                if allowed {
                    return AuthorizeSubscribeAnswer::accept().keep(keep());
                }
                gate.acquire().await.expect("it is never closed").forget();
                AuthorizeSubscribeAnswer::deny(0x87, "not then")
            }
        })
    };
    let (notices, told) = notices();
    let server = Server::with([plugin(rule), told]).await;
    let mut client = server.subscriber(V5, "client", "a", QoS::AtMostOnce).await;
    is_allowed.store(0, SeqCst);
    cache(&server).reauthorize("tag").expect("granted");
    settle().await;
    is_allowed.store(1, SeqCst);
    client.subscribe("a", QoS::AtLeastOnce).await;
    gate.add_permits(1);
    until(|| gate.available_permits() == 0)
        .await
        .expect("the earlier question is answered");
    settle().await;
    holds(&server, "client", 1).await;
    assert_eq!(notices.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn many_subscriptions_go_while_others_are_served() {
    const EACH: usize = 500;
    let policy = Policy::at(Hook::AuthorizeSubscribe, |_| accept());
    let settings = BrokerSettings {
        accept_by_default: true,
        ..BrokerSettings::default()
    };
    let server = Server::start(settings, [policy.registered()]).await;
    let mut clients = Vec::new();
    for number in 0..20 {
        let mut client = server.client(&format!("client {number}")).await;
        let packet_identifier = client.identifier();
        let subscriptions = (0..EACH).map(|n| SubscribeEntry {
            topic_filter: format!("{number}/{n}/#"),
            options: QoS::AtMostOnce.into(),
        });
        client
            .send(Packet::Subscribe(Subscribe {
                packet_identifier,
                subscription_identifier: None,
                user_properties: UserProperties::new(),
                subscriptions: subscriptions.collect(),
            }))
            .await;
        let line = client.line().await;
        assert!(line.starts_with("SUBACK"), "{line:.200}");
        clients.push(client);
    }
    policy.becomes(|event| {
        // Time goes by for whoever has a clock: long enough that the others must have their turn.
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_micros(20) {}
        match event.get(Field::ClientId).as_text() {
            Some("client 7") => accept(),
            _ => deny(),
        }
    });
    let before = policy.calls();
    assert_eq!(cache(&server).reauthorize("tag"), Ok(20 * EACH));
    let mut other = server.client("other").await;
    let mut n_pings = 0;
    while policy.calls() < before + 20 * EACH {
        other.send(Packet::PingReq).await;
        other.gets("PINGRESP").await;
        n_pings += 1;
    }
    assert!(n_pings > 10, "{n_pings} answers while it went on");
    for number in 0..20 {
        let left = if number == 7 { EACH } else { 0 };
        holds(&server, &format!("client {number}"), left).await;
    }
    // They can be given up still.
    let seventh = &mut clients[7];
    let packet_identifier = seventh.identifier();
    seventh
        .send(Packet::Unsubscribe(Unsubscribe {
            packet_identifier,
            topic_filters: vec!["7/0/#".to_owned()],
            user_properties: UserProperties::new(),
        }))
        .await;
    seventh
        .gets("UNSUBACK packet_identifier=2 reasons=[success]")
        .await;
}
