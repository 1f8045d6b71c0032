//! The scenarios of `scenarios.txt`, as rumqttc does them.

use std::pin::Pin;
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::v5::{Filter, PublishProperties, RetainForwardRule};

use crate::peer::{Options, Peer, qos_five};
use crate::{Case, Done, equal, must};

/// One scenario.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) needs_v5: bool,
    pub(crate) run: for<'a> fn(&'a Case) -> Pin<Box<dyn Future<Output = Done> + 'a>>,
}

macro_rules! scenarios {
    ($($name:ident $needs_v5:literal,)*) => {
        /// Every scenario, in the order of the report.
        pub(crate) const ALL: &[Scenario] = &[$(Scenario {
            name: stringify!($name),
            needs_v5: $needs_v5,
            run: |case| Box::pin($name(case)),
        }),*];
    };
}

scenarios! {
    connect false, qos0 false, qos1 false, qos2 false, downgrade false, order false, large false, wildcards false,
    unsubscribe false, retained false, will false, takeover false, session false, clean_start false,
    properties true, expiry true, will_delay true, shared true, options true, topic_alias true,
}

async fn connect(case: &Case) -> Done {
    let peer = case.peer().await?;
    must(!peer.welcome.session_present, "a session was present")?;
    peer.leave().await?;
    let mut nameless = case.peer_as("", Options::default()).await?;
    if case.v5 {
        must(
            nameless
                .welcome
                .assigned
                .as_ref()
                .is_some_and(|id| !id.is_empty()),
            "no assigned Client Identifier",
        )?;
    }
    nameless.subscribe(&case.topic("a"), 0).await
}

async fn at_qos(case: &Case, qos: u8) -> Done {
    let (mut receiver, mut sender) = (case.peer().await?, case.peer().await?);
    let topic = case.topic("a");
    receiver.subscribe(&topic, qos).await?;
    let all_bytes: Vec<u8> = (0..=255).collect();
    let payloads = [b"one".to_vec(), Vec::new(), "zwei ü 二".into(), all_bytes];
    for payload in &payloads {
        sender.publish(&topic, payload, qos, false).await?;
    }
    for payload in payloads {
        let message = receiver.next().await?;
        equal(message.payload, payload, "payload")?;
        equal(
            (message.qos, message.retain, message.dup),
            (qos, false, false),
            "QoS, RETAIN and DUP",
        )?;
    }
    receiver.publish(&topic, "to itself", qos, false).await?;
    receiver.expect(&["to itself"]).await?;
    receiver.expect_nothing_before(&mut sender, &topic).await
}

async fn qos0(case: &Case) -> Done {
    at_qos(case, 0).await
}

async fn qos1(case: &Case) -> Done {
    at_qos(case, 1).await
}

async fn qos2(case: &Case) -> Done {
    at_qos(case, 2).await
}

async fn downgrade(case: &Case) -> Done {
    let (mut receiver, mut sender) = (case.peer().await?, case.peer().await?);
    receiver.subscribe(&case.topic("a"), 1).await?;
    sender.publish(&case.topic("a"), "two", 2, false).await?;
    sender.publish(&case.topic("a"), "nought", 0, false).await?;
    let found = receiver.expect(&["two", "nought"]).await?;
    equal(
        found.iter().map(|message| message.qos).collect(),
        vec![1, 0],
        "QoS",
    )
}

async fn order(case: &Case) -> Done {
    let (mut receiver, mut sender) = (case.peer().await?, case.peer().await?);
    receiver.subscribe(&case.topic("#"), 2).await?;
    for qos in [1, 2] {
        let wanted: Vec<String> = (0..300).map(|n| format!("{qos}.{n}")).collect();
        for payload in &wanted {
            sender.send(&case.topic("a"), payload, qos, false).await?;
        }
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        receiver.expect(&wanted).await?;
        for _ in wanted {
            sender.published().await?;
        }
    }
    receiver
        .expect_nothing_before(&mut sender, &case.topic("a"))
        .await
}

async fn large(case: &Case) -> Done {
    let (mut receiver, mut sender) = (case.peer().await?, case.peer().await?);
    receiver.subscribe(&case.topic("a"), 2).await?;
    let payload: Vec<u8> = (0..200_000_u64).map(|n| (n * n % 251) as u8).collect();
    for qos in [0, 1, 2] {
        sender
            .publish(&case.topic("a"), &payload, qos, false)
            .await?;
        must(
            receiver.next().await?.payload == payload,
            &format!("harmed at QoS {qos}"),
        )?;
    }
    Ok(())
}

async fn wildcards(case: &Case) -> Done {
    let (mut plus, mut rest, mut sender) =
        (case.peer().await?, case.peer().await?, case.peer().await?);
    plus.subscribe(&case.topic("w/+/x"), 1).await?;
    rest.subscribe(&case.topic("w/#"), 1).await?;
    for level in ["w", "w/a", "w/a/x", "w/a/b/x", "w//x", "v/a/x", "w/b/x"] {
        sender.publish(&case.topic(level), level, 1, false).await?;
    }
    plus.expect(&["w/a/x", "w//x", "w/b/x"]).await?;
    rest.expect(&["w", "w/a", "w/a/x", "w/a/b/x", "w//x", "w/b/x"])
        .await?;
    plus.expect_nothing_before(&mut sender, &case.topic("w/z/x"))
        .await?;
    rest.expect(&["the end"]).await.map(drop)
}

async fn unsubscribe(case: &Case) -> Done {
    let (mut receiver, mut sender) = (case.peer().await?, case.peer().await?);
    receiver.subscribe(&case.topic("a"), 1).await?;
    receiver.subscribe(&case.topic("b"), 1).await?;
    receiver.unsubscribe(&case.topic("a")).await?;
    sender
        .publish(&case.topic("a"), "unwanted", 1, false)
        .await?;
    receiver
        .expect_nothing_before(&mut sender, &case.topic("b"))
        .await
}

async fn retained(case: &Case) -> Done {
    let (mut sender, mut early) = (case.peer().await?, case.peer().await?);
    early.subscribe(&case.topic("#"), 1).await?;
    sender.publish(&case.topic("a"), "old", 1, true).await?;
    sender.publish(&case.topic("a"), "kept", 1, true).await?;
    let live = early.expect(&["old", "kept"]).await?;
    must(
        live.iter().all(|message| !message.retain),
        "RETAIN was set on a live message",
    )?;
    let mut late = case.peer().await?;
    late.subscribe(&case.topic("#"), 1).await?;
    let replay = late.expect(&["kept"]).await?;
    must(
        replay
            .iter()
            .all(|message| message.retain && message.qos == 1),
        "RETAIN and QoS of the replay",
    )?;
    sender.publish(&case.topic("a"), "", 1, true).await?;
    early.expect(&[""]).await?;
    let mut last = case.peer().await?;
    last.subscribe(&case.topic("#"), 1).await?;
    last.expect_nothing_before(&mut sender, &case.topic("b"))
        .await
}

async fn will(case: &Case) -> Done {
    let mut watcher = case.peer().await?;
    watcher.subscribe(&case.topic("#"), 1).await?;
    let with_will = |topic: &str, payload, retain| Options {
        will: Some((case.topic(topic), payload, retain, 0)),
        ..Options::default()
    };
    let lost = case
        .peer_as(&case.client_id("lost"), with_will("will", "gone", false))
        .await?;
    lost.break_connection().await;
    must(
        watcher
            .expect(&["gone"])
            .await?
            .iter()
            .all(|message| message.qos == 1),
        "QoS of the will",
    )?;
    case.peer_as(
        &case.client_id("polite"),
        with_will("will", "not gone", false),
    )
    .await?
    .leave()
    .await?;
    let mut sender = case.peer().await?;
    watcher
        .expect_nothing_before(&mut sender, &case.topic("a"))
        .await?;
    let kept = case
        .peer_as(&case.client_id("kept"), with_will("kept", "for all", true))
        .await?;
    kept.break_connection().await;
    watcher.expect(&["for all"]).await?;
    let mut late = case.peer().await?;
    late.subscribe(&case.topic("kept"), 1).await?;
    must(
        late.expect(&["for all"])
            .await?
            .iter()
            .all(|message| message.retain),
        "the will was not retained",
    )?;
    sender.publish(&case.topic("kept"), "", 1, true).await
}

async fn takeover(case: &Case) -> Done {
    let mut watcher = case.peer().await?;
    watcher.subscribe(&case.topic("will"), 1).await?;
    let same = case.client_id("same");
    let will = Some((case.topic("will"), "thrown off", false, 0));
    let mut first = case
        .peer_as(
            &same,
            Options {
                will,
                ..Options::default()
            },
        )
        .await?;
    let mut second = case.peer_as(&same, Options::default()).await?;
    let (reason, why) = first.over().await?;
    // This client waits for more when a DISCONNECT ends with its Reason Code, as one without properties may; it then
    // sees only the end of the connection. The other clients insist on the code.
    must(
        reason.is_none_or(|code| case.v5 && code == 0x8E),
        &format!("the Reason Code was {reason:?} ({why})"),
    )?;
    watcher.expect(&["thrown off"]).await?;
    second.subscribe(&case.topic("a"), 1).await?;
    watcher
        .publish(&case.topic("a"), "to the second", 1, false)
        .await?;
    second.expect(&["to the second"]).await.map(drop)
}

fn stays() -> Options {
    Options {
        stays: true,
        ..Options::default()
    }
}

async fn session(case: &Case) -> Done {
    let mut sender = case.peer().await?;
    let name = case.client_id("stays");
    let mut away = case.peer_as(&name, stays()).await?;
    must(!away.welcome.session_present, "a session was present")?;
    away.subscribe(&case.topic("a"), 2).await?;
    away.leave().await?;
    for (payload, qos) in [("1 a", 1), ("2 a", 2), ("1 b", 1), ("2 b", 2)] {
        sender
            .publish(&case.topic("a"), payload, qos, false)
            .await?;
    }
    let mut back = case.peer_as(&name, stays()).await?;
    must(back.welcome.session_present, "no session was present")?;
    let found = back.expect(&["1 a", "2 a", "1 b", "2 b"]).await?;
    equal(
        found.iter().map(|message| message.qos).collect(),
        vec![1, 2, 1, 2],
        "QoS",
    )?;
    back.expect_nothing_before(&mut sender, &case.topic("a"))
        .await?;
    back.leave().await?;
    let mut again = case.peer_as(&name, stays()).await?;
    must(
        again.welcome.session_present,
        "no session was present the second time",
    )?;
    again
        .expect_nothing_before(&mut sender, &case.topic("a"))
        .await
}

async fn clean_start(case: &Case) -> Done {
    let mut sender = case.peer().await?;
    let name = case.client_id("stays");
    let mut away = case.peer_as(&name, stays()).await?;
    away.subscribe(&case.topic("a"), 1).await?;
    away.leave().await?;
    sender.publish(&case.topic("a"), "lost", 1, false).await?;
    let mut fresh = case
        .peer_as(
            &name,
            Options {
                clean: true,
                ..stays()
            },
        )
        .await?;
    must(!fresh.welcome.session_present, "a session was present")?;
    fresh.subscribe(&case.topic("b"), 1).await?;
    sender
        .publish(&case.topic("a"), "not subscribed", 1, false)
        .await?;
    fresh
        .expect_nothing_before(&mut sender, &case.topic("b"))
        .await
}

async fn properties(case: &Case) -> Done {
    let (mut receiver, mut sender) = (case.peer().await?, case.peer().await?);
    receiver.subscribe(&case.topic("a"), 2).await?;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let wanted = PublishProperties {
        payload_format_indicator: Some(1),
        response_topic: Some(case.topic("answer")),
        correlation_data: Some(b"\x00\xff id".to_vec().into()),
        user_properties: vec![
            pair("b", "1"),
            pair("a", "2"),
            pair("b", "1"),
            pair("ü", "二"),
        ],
        content_type: Some("application/json".to_owned()),
        ..PublishProperties::default()
    };
    for qos in [0, 1, 2] {
        sender
            .publish_with(&case.topic("a"), "{}", qos, false, wanted.clone())
            .await?;
        equal(
            receiver.next().await?.properties,
            wanted.clone(),
            "properties",
        )?;
    }
    Ok(())
}

async fn expiry(case: &Case) -> Done {
    let mut sender = case.peer().await?;
    let name = case.client_id("stays");
    let mut away = case.peer_as(&name, stays()).await?;
    away.subscribe(&case.topic("a"), 1).await?;
    away.leave().await?;
    let expiring = |seconds| PublishProperties {
        message_expiry_interval: Some(seconds),
        ..PublishProperties::default()
    };
    sender
        .publish_with(&case.topic("a"), "short", 1, false, expiring(1))
        .await?;
    sender
        .publish_with(&case.topic("a"), "long", 1, false, expiring(100))
        .await?;
    sender
        .publish_with(&case.topic("clock"), "ticking", 1, true, expiring(2))
        .await?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while clock_is_ticking(case, &mut sender).await? {
        must(
            Instant::now() < deadline,
            "the retained message does not expire",
        )?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut back = case.peer_as(&name, stays()).await?;
    let long = back.expect(&["long"]).await?;
    let left = long
        .first()
        .and_then(|message| message.properties.message_expiry_interval);
    must(
        left.is_some_and(|left| (90..100).contains(&left)),
        &format!("{left:?} s are left of 100 s"),
    )?;
    back.expect_nothing_before(&mut sender, &case.topic("a"))
        .await
}

/// Whether a new subscriber still gets the retained message.
async fn clock_is_ticking(case: &Case, sender: &mut Peer) -> Done<bool> {
    let mut watcher = case.peer().await?;
    watcher.subscribe(&case.topic("clock"), 1).await?;
    sender
        .publish(&case.topic("clock"), "the end", 1, false)
        .await?;
    let ticking = watcher.next().await?.payload == b"ticking";
    watcher.leave().await?;
    Ok(ticking)
}

async fn will_delay(case: &Case) -> Done {
    let (mut watcher, mut sender) = (case.peer().await?, case.peer().await?);
    watcher.subscribe(&case.topic("#"), 1).await?;
    let doomed = |name, delay| Options {
        will: Some((case.topic(name), name, false, delay)),
        ..stays()
    };
    let returning = case
        .peer_as(&case.client_id("returning"), doomed("returning", 1))
        .await?;
    let gone = case
        .peer_as(&case.client_id("gone"), doomed("gone", 2))
        .await?;
    let started = Instant::now();
    gone.break_connection().await;
    returning.break_connection().await;
    watcher
        .expect_nothing_before(&mut sender, &case.topic("a"))
        .await?;
    let back = case.peer_as(&case.client_id("returning"), stays()).await?;
    must(back.welcome.session_present, "no session was present")?;
    // The will that was to come first does not come at all.
    watcher.expect(&["gone"]).await?;
    let took = started.elapsed();
    let in_time = took >= Duration::from_millis(1800) && took < Duration::from_secs(5);
    must(in_time, &format!("a delay of 2 s took {took:.1?}"))
}

async fn shared(case: &Case) -> Done {
    let (mut one, mut other, mut sender) =
        (case.peer().await?, case.peer().await?, case.peer().await?);
    let topic = case.topic("a");
    one.subscribe(&format!("$share/group/{topic}"), 1).await?;
    other.subscribe(&format!("$share/group/{topic}"), 1).await?;
    let mut wanted: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    for payload in &wanted {
        sender.publish(&topic, payload, 1, false).await?;
    }
    // A message of their own goes the same way as those before it, and comes after them.
    let (first, second) = (
        until_own(&mut one, &mut sender, &case.topic("own1")).await?,
        until_own(&mut other, &mut sender, &case.topic("own2")).await?,
    );
    must(
        !first.is_empty() && !second.is_empty(),
        &format!("one member got everything: {first:?}, {second:?}"),
    )?;
    let mut got = [first, second].concat();
    got.sort();
    wanted.sort();
    equal(got, wanted, "all messages, once")
}

async fn until_own(member: &mut Peer, sender: &mut Peer, own: &str) -> Done<Vec<String>> {
    member.subscribe(own, 1).await?;
    sender.publish(own, "the end", 1, false).await?;
    let mut got = Vec::new();
    loop {
        let message = member.next().await?;
        if message.topic == own {
            return Ok(got);
        }
        got.push(String::from_utf8_lossy(&message.payload).into_owned());
    }
}

async fn options(case: &Case) -> Done {
    let (mut loner, mut sender) = (case.peer().await?, case.peer().await?);
    let filter = |name: &str| Filter::new(case.topic(name), qos_five(1));
    loner
        .subscribe_with(Filter {
            nolocal: true,
            ..filter("a")
        })
        .await?;
    loner.publish(&case.topic("a"), "own", 1, false).await?;
    loner
        .expect_nothing_before(&mut sender, &case.topic("a"))
        .await?;

    let mut as_published = case.peer().await?;
    as_published
        .subscribe_with(Filter {
            preserve_retain: true,
            ..filter("r")
        })
        .await?;
    sender.publish(&case.topic("r"), "kept", 1, true).await?;
    let kept = as_published.expect(&["kept"]).await?;
    must(
        kept.iter().all(|message| message.retain),
        "RETAIN was not as published",
    )?;

    let mut reader = case.peer().await?;
    let replaying = |rule| Filter {
        retain_forward_rule: rule,
        ..filter("r")
    };
    reader
        .subscribe_with(replaying(RetainForwardRule::Never))
        .await?;
    reader
        .expect_nothing_before(&mut sender, &case.topic("r"))
        .await?;
    reader.unsubscribe(&case.topic("r")).await?;
    reader
        .subscribe_with(replaying(RetainForwardRule::OnNewSubscribe))
        .await?;
    reader.expect(&["kept"]).await?;
    reader
        .subscribe_with(replaying(RetainForwardRule::OnNewSubscribe))
        .await?;
    reader
        .expect_nothing_before(&mut sender, &case.topic("r"))
        .await?;
    reader
        .subscribe_with(replaying(RetainForwardRule::OnEverySubscribe))
        .await?;
    reader.expect(&["kept"]).await?;
    sender.publish(&case.topic("r"), "", 1, true).await
}

async fn topic_alias(case: &Case) -> Done {
    let (mut receiver, mut sender) = (case.peer().await?, case.peer().await?);
    must(
        sender.welcome.topic_alias_maximum >= 1,
        "the broker grants no Topic Alias",
    )?;
    receiver.subscribe(&case.topic("#"), 1).await?;
    let (a, b) = (case.topic("a"), case.topic("b"));
    for (topic, payload) in [(a.as_str(), "1"), ("", "2"), (b.as_str(), "3"), ("", "4")] {
        let alias = PublishProperties {
            topic_alias: Some(1),
            ..PublishProperties::default()
        };
        sender.publish_with(topic, payload, 1, false, alias).await?;
    }
    let found = receiver.expect(&["1", "2", "3", "4"]).await?;
    equal(
        found.into_iter().map(|message| message.topic).collect(),
        vec![a.clone(), a, b.clone(), b],
        "topics",
    )
}
