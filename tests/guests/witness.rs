//! Uses all that the SDK has, for the tests of the carriers: what a handler does is asked for by the topic.

use std::error::Error;
use std::time::Duration;

use hookmq_plugin_api::sdk::*;

struct Witness {
    config: String,
}

impl Create for Witness {
    fn create(config: &str) -> Result<Self, Box<dyn Error>> {
        if config.contains("refuse") {
            return Err("this configuration is refused".into());
        }
        if config.contains("panic") {
            panic!("this configuration panics");
        }
        Ok(Self {
            config: config.to_owned(),
        })
    }
}

type Answered = Result<InterceptPublishAnswer, Box<dyn Error>>;

impl OnInterceptPublish<Answered> for Witness {
    fn intercept_publish(&self, event: InterceptPublish<'_>) -> Answered {
        let pass = InterceptPublishAnswer::pass;
        Ok(match event.topic() {
            "pass" => pass(),
            "accept" => InterceptPublishAnswer::accept(),
            "deny" => InterceptPublishAnswer::deny_with(Refusal {
                user_properties: vec![("why".into(), "tested".into())],
                server_reference: Some("other:1883".into()),
                place: Some("witness.rs:1".into()),
                ..Refusal::new(0x97, "no quota")
            }),
            "drop" => InterceptPublishAnswer::drop(),
            "drop with" => InterceptPublishAnswer::drop_with(Refusal::new(0, "dropped")),
            "consume" => InterceptPublishAnswer::consume(),
            "disconnect" => InterceptPublishAnswer::disconnect(0x98, "leave"),
            "change" => pass()
                .topic("changed/topic")
                .payload([0, 1, 2, 255])
                .qos(2)
                .retain(true)
                .payload_format(1)
                .message_expiry_interval(70_000)
                .content_type("text/plain")
                .without_response_topic()
                .correlation_data("id")
                .user_properties([("a", "1"), ("a", "2")]),
            // Declared, not declared, and absent, in one text.
            "read" => pass().payload(format!(
                "{:?} {:?} {:?} {} {} {:?} {:?} {:?} {}",
                event.client_id(),
                event.username(),
                event.content_type(),
                event.qos(),
                event.retain(),
                event.payload(),
                event.user_properties(),
                event.message_expiry_interval(),
                event.payload_size(),
            )),
            "config" => pass().payload(&self.config),
            "json" => pass().payload(payload_is_json().to_string()),
            "error" => return Err("the handler failed".into()),
            "panic" => panic!("the handler panicked"),
            "log" => {
                log::info("a line of the log");
                pass()
            }
            "publish" => {
                publish(&OutgoingMessage {
                    topic: "published".into(),
                    payload: event.payload().to_vec(),
                    qos: 1,
                    content_type: Some("text/plain".into()),
                    user_properties: vec![("b".into(), "2".into())],
                    ..OutgoingMessage::default()
                })?;
                let sent = publish_to("nobody", &OutgoingMessage::default())?;
                pass().payload(sent.to_string())
            }
            "disconnect other" => {
                pass().payload(disconnect("other", 0x98, Some("by a test"))?.to_string())
            }
            "query" => pass().payload(format!(
                "{:?} {:?} {:?} {:?}",
                client("here")?,
                client("nobody")?,
                session("here")?,
                retained("kept/#", 10)?,
            )),
            "kv" => {
                kv::set("key", "value")?;
                let long = "v".repeat(5_000);
                kv::set_if(
                    "long",
                    &long,
                    Some(Duration::from_secs(9)),
                    &KvCondition::Absent,
                )?;
                let unchanged =
                    kv::set_if("key", "other", None, &KvCondition::Equals(b"no".to_vec()))?;
                pass().payload(format!(
                    "{:?} {} {:?} {unchanged} {} {} {}",
                    kv::get("key")?,
                    kv::get("long")? == Some(long.into_bytes()),
                    kv::get("absent")?,
                    kv::add("sum", 5, None)?,
                    kv::delete("key")?,
                    kv::delete("key")?,
                ))
            }
            "cache" => pass().payload(format!(
                "{} {}",
                cache::invalidate("user:a")?,
                cache::reauthorize("user:a")?
            )),
            "clock" => {
                let (now, before) = (clock::now_ms(), clock::monotonic_ns());
                pass().payload(format!("{now} {}", clock::monotonic_ns() >= before))
            }
            "random" => pass().payload(format!("{}", random::number() != random::number())),
            _ => pass(),
        })
    }
}

impl OnPrepareSession for Witness {
    fn prepare_session(&self, event: PrepareSession<'_>) -> PrepareSessionAnswer {
        let mut subscriptions = event.subscriptions();
        subscriptions.push(SubscriptionRecord {
            topic_filter: "added/#".into(),
            qos: 1,
            subscription_identifier: Some(7),
            ..SubscriptionRecord::default()
        });
        PrepareSessionAnswer::pass()
            .subscriptions(subscriptions)
            .messages([MessageRecord {
                topic: "waiting".into(),
                payload: b"text".to_vec(),
                user_properties: vec![("c".into(), "3".into())],
                ..MessageRecord::default()
            }])
    }
}

impl OnClientConnected for Witness {
    fn client_connected(&self, event: ClientConnected<'_>) {
        log::warn(format!("{:?} {}", event.client_id(), event.clean_start()));
    }
}

impl OnClientDisconnected<Result<(), String>> for Witness {
    fn client_disconnected(&self, event: ClientDisconnected<'_>) -> Result<(), String> {
        Err(format!("{} is no reason", event.reason_code()))
    }
}

hookmq_plugin_api::export!(Witness:
    intercept_publish(topic, client_id, user_properties) may_block,
    prepare_session(subscriptions),
    client_connected(client_id),
    client_disconnected(),
);
