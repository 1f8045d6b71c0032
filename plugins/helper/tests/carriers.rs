//! The same events to the dynamic library, the WASM core module and the component: the same answers and the same lines.
#![allow(clippy::unwrap_used, reason = "what fails here is a test that fails")]

use std::sync::Arc;
use std::time::Duration;

use hookmq_guests::Recorder;
use hookmq_native::{NativePlugin, NativeSettings};
use hookmq_plugin_api::{
    Answer, EventRecord, Field, Hook, LogLevel, Owned, Plugin, Refusal, Verdict,
};
use hookmq_wasm::{WasmPlugin, WasmSettings};

/// One form of the plugin, and where its lines go.
struct Carrier {
    name: &'static str,
    plugin: Arc<dyn Plugin>,
    host: Arc<Recorder>,
}

impl Carrier {
    fn native(config: &str) -> Self {
        let host = Arc::new(Recorder::default());
        let settings = NativeSettings {
            config: config.to_owned(),
            ..NativeSettings::new("helper")
        };
        let path = hookmq_guests::native("helper");
        Self {
            name: "dynamic library",
            plugin: NativePlugin::load(&path, settings, Arc::clone(&host) as _).unwrap(),
            host,
        }
    }

    fn wasm(name: &'static str, config: &str) -> Self {
        let host = Arc::new(Recorder::default());
        let settings = WasmSettings {
            config: config.to_owned(),
            ..WasmSettings::new("helper")
        };
        let path = match name {
            "module" => hookmq_guests::module("helper"),
            _ => hookmq_guests::component("helper"),
        };
        Self {
            name,
            plugin: WasmPlugin::load(&path, settings, Arc::clone(&host) as _).unwrap(),
            host,
        }
    }

    fn all(config: &str) -> [Self; 3] {
        [
            Self::native(config),
            Self::wasm("module", config),
            Self::wasm("component", config),
        ]
    }

    /// The answer, and what was logged meanwhile.
    fn call(&self, event: &EventRecord) -> (Answer, Vec<String>) {
        let answer = self.plugin.call(event, Duration::from_secs(10)).unwrap();
        let lines = self.host.take();
        assert!(lines.iter().all(|(level, _)| *level == LogLevel::Info));
        (answer, lines.into_iter().map(|(_, line)| line).collect())
    }
}

/// Every event to every carrier.
fn check(config: &str, cases: &[(EventRecord, Answer, &str)]) {
    for carrier in Carrier::all(config) {
        for (event, answer, line) in cases {
            assert_eq!(
                carrier.call(event),
                (answer.clone(), vec![(*line).to_owned()]),
                "{}: {event:?}",
                carrier.name
            );
        }
    }
}

fn ann(hook: Hook) -> EventRecord {
    EventRecord::new(hook)
        .with(Field::ClientId, "ann")
        .with(Field::Endpoint, "10.0.0.7:50123")
}

fn login(username: Option<&str>, password: Option<&[u8]>) -> EventRecord {
    let mut event = ann(Hook::ValidateConnection);
    if let Some(username) = username {
        event.set(Field::Username, username.into());
    }
    if let Some(password) = password {
        event.set(Field::Password, Owned::Bytes(password.into()));
    }
    event
}

fn gone(reason_code: i64, disconnect_type: &str) -> EventRecord {
    ann(Hook::ClientDisconnected)
        .with(Field::ReasonCode, Owned::Integer(reason_code))
        .with(Field::DisconnectType, disconnect_type)
}

fn message(hook: Hook, payload: &[u8]) -> EventRecord {
    EventRecord::new(hook)
        .with(Field::Topic, "devices/a")
        .with(Field::Payload, payload)
}

fn refused(reason: &str) -> Answer {
    Verdict::Deny(Box::new(Refusal::new(0x86, reason))).into()
}

const MAY: &str = "客户端已验证成功.ClientId:【ann】,Endpoint:【10.0.0.7:50123】";
const MAY_NOT: &str = "客户端验证失败.ClientId:【ann】,Endpoint:【10.0.0.7:50123】";

#[test]
fn eleven_hooks_and_no_more() {
    let mut expected = vec![
        Hook::BrokerStarted,
        Hook::BrokerStopped,
        Hook::ClientConnected,
        Hook::ClientDisconnected,
        Hook::ClientSubscribed,
        Hook::ClientUnsubscribed,
        Hook::InterceptEnqueue,
        Hook::InterceptPublish,
        Hook::MessageAcknowledged,
        Hook::MessageNotConsumed,
        Hook::ValidateConnection,
    ];
    expected.sort_by_key(|hook| hook.name());
    for carrier in Carrier::all("{}") {
        let mut hooks: Vec<_> = carrier.plugin.listens().iter().map(|it| it.hook).collect();
        hooks.sort_by_key(|hook| hook.name());
        assert_eq!(hooks, expected, "{}", carrier.name);
    }
}

#[test]
fn the_empty_password_alone_may_come_in() {
    let deny = refused("the password is not the empty one");
    check(
        "{}",
        &[
            (login(None, Some(b"")), Verdict::Accept.into(), MAY),
            (login(Some("ann"), Some(b"")), Verdict::Accept.into(), MAY),
            (login(Some("ann"), None), deny.clone(), MAY_NOT),
            (login(None, None), deny.clone(), MAY_NOT),
            (login(None, Some(b"x")), deny.clone(), MAY_NOT),
            (login(None, Some(b" ")), deny.clone(), MAY_NOT),
            (login(None, Some(b"\0")), deny.clone(), MAY_NOT),
            (login(None, Some(b"\xff")), deny, MAY_NOT),
        ],
    );
}

#[test]
fn a_configured_login_takes_its_place() {
    let deny = refused("the user name or the password is not right");
    check(
        r#"{"username": "operator", "password": "gehëim"}"#,
        &[
            (
                login(Some("operator"), Some("gehëim".as_bytes())),
                Verdict::Accept.into(),
                MAY,
            ),
            (login(Some("operator"), Some(b"")), deny.clone(), MAY_NOT),
            (login(Some("operator"), None), deny.clone(), MAY_NOT),
            (
                login(Some("Operator"), Some("gehëim".as_bytes())),
                deny.clone(),
                MAY_NOT,
            ),
            (
                login(None, Some("gehëim".as_bytes())),
                deny.clone(),
                MAY_NOT,
            ),
            (
                login(Some("operator"), Some("gehëim ".as_bytes())),
                deny,
                MAY_NOT,
            ),
        ],
    );
}

#[test]
fn clients_come_and_go() {
    let gone_with = |code, kind| {
        format!(
            "客户端已断开.ClientId:【ann】,Endpoint:【10.0.0.7:50123】.ReasonCode:【{code}】,DisconnectType:【{kind}】"
        )
    };
    check(
        "{}",
        &[
            (
                ann(Hook::ClientConnected),
                Answer::PASS,
                "客户端已连接.ClientId:【ann】,Endpoint:【10.0.0.7:50123】",
            ),
            (gone(0, "Clean"), Answer::PASS, &gone_with(0, "Clean")),
            (
                gone(142, "Takeover"),
                Answer::PASS,
                &gone_with(142, "Takeover"),
            ),
            (
                gone(141, "NotClean"),
                Answer::PASS,
                &gone_with(141, "NotClean"),
            ),
            // Whoever is thrown out did not go cleanly.
            (
                gone(152, "Kicked"),
                Answer::PASS,
                &gone_with(152, "NotClean"),
            ),
            (
                gone(135, "Rejected"),
                Answer::PASS,
                &gone_with(135, "NotClean"),
            ),
            (
                ann(Hook::ClientSubscribed).with(Field::TopicFilter, "$share/g/devices/+/t"),
                Answer::PASS,
                "客户端【ann】订阅主题【$share/g/devices/+/t】",
            ),
            (
                ann(Hook::ClientUnsubscribed).with(Field::TopicFilter, "devices/#"),
                Answer::PASS,
                "客户端【ann】退订主题【devices/#】",
            ),
        ],
    );
}

#[test]
fn messages_pass_unchanged() {
    let text = "开 {x} %s".as_bytes();
    check(
        "{}",
        &[
            (
                message(Hook::InterceptPublish, text).with(Field::ClientId, "ann"),
                Answer::PASS,
                "接收到消息:Client:【ann】 Topic:【devices/a】 Message:【开 {x} %s】",
            ),
            (
                message(Hook::InterceptEnqueue, text)
                    .with(Field::SenderClientId, "ann")
                    .with(Field::ReceiverClientId, "bob"),
                Answer::PASS,
                "【InterceptingClientEnqueue】-SenderId:ann-Message:开 {x} %s",
            ),
            (
                message(Hook::MessageAcknowledged, b"on")
                    .with(Field::SenderClientId, "ann")
                    .with(Field::ClientId, "bob"),
                Answer::PASS,
                "【ClientAcknowledgedPublishPacket】-SenderId:bob-Message:on",
            ),
            (
                message(Hook::MessageNotConsumed, b"").with(Field::SenderClientId, "ann"),
                Answer::PASS,
                "【MessageNotConsumed】-SenderId:ann-Message:",
            ),
            // What no client sent has an empty sender.
            (
                message(Hook::InterceptPublish, b"1"),
                Answer::PASS,
                "接收到消息:Client:【】 Topic:【devices/a】 Message:【1】",
            ),
            (
                message(Hook::InterceptEnqueue, b"1"),
                Answer::PASS,
                "【InterceptingClientEnqueue】-SenderId:-Message:1",
            ),
            // What is no UTF-8 is shown as far as it is.
            (
                message(Hook::MessageNotConsumed, b"caf\xe9"),
                Answer::PASS,
                "【MessageNotConsumed】-SenderId:-Message:caf\u{fffd}",
            ),
            (
                message(Hook::InterceptPublish, b"\xe5\xbc").with(Field::ClientId, "ann"),
                Answer::PASS,
                "接收到消息:Client:【ann】 Topic:【devices/a】 Message:【\u{fffd}】",
            ),
        ],
    );
}

#[test]
fn the_broker_starts_and_stops() {
    let bound = |hook: Hook| EventRecord::new(hook).with(Field::Endpoint, "127.0.0.1:1883");
    check(
        "{}",
        &[
            (
                bound(Hook::BrokerStarted),
                Answer::PASS,
                "服务端【IP:Port】已启用MQTT",
            ),
            (
                bound(Hook::BrokerStopped),
                Answer::PASS,
                "服务端【IP:Port】已停止MQTT",
            ),
        ],
    );
    check(
        r#"{"show_address": true}"#,
        &[
            (
                bound(Hook::BrokerStarted),
                Answer::PASS,
                "服务端【127.0.0.1:1883】已启用MQTT",
            ),
            (
                bound(Hook::BrokerStopped),
                Answer::PASS,
                "服务端【127.0.0.1:1883】已停止MQTT",
            ),
        ],
    );
}

#[test]
fn a_wrong_configuration_is_refused_at_load() {
    let config = r#"{"pasword": "x"}"#.to_owned();
    let native = NativePlugin::load(
        &hookmq_guests::native("helper"),
        NativeSettings {
            config: config.clone(),
            ..NativeSettings::new("helper")
        },
        Arc::new(Recorder::default()),
    );
    let module = WasmPlugin::load(
        &hookmq_guests::module("helper"),
        WasmSettings {
            config,
            ..WasmSettings::new("helper")
        },
        Arc::new(Recorder::default()),
    );
    for why in [
        native.err().map(|error| error.to_string()),
        module.err().map(|error| error.to_string()),
    ] {
        let why = why.expect("refused");
        assert!(why.contains("unknown field `pasword`"), "{why}");
    }
}
