//! What a store should hold, in plain maps, and words to make changes with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use hookmq_broker::store::{
    Change, Durability, Moment, Place, Restored, RestoredQueue, Sent, SessionNumber, Store,
    StoredSession, StoredSubscription,
};
use hookmq_broker::{Delivery, Identifiers, Message, MessageProperties, Source};
use hookmq_mqtt::packet::Will;
use hookmq_mqtt::{
    ClientId, PayloadFormat, ProtocolVersion, QoS, ReasonCode, RetainHandling,
    SubscriptionIdentifier, SubscriptionOptions, TopicName, UserProperties,
};
use hookmq_store::{DiskStore, StoreOptions};

/// A folder in memory, where there is one: a store syncs often, and these tests lose no power.
pub(crate) fn temporary() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.expect("a folder")
}

/// Small enough that tables are written in tests.
pub(crate) fn options() -> StoreOptions {
    StoreOptions {
        memory_bytes: 1 << 20,
        ..StoreOptions::default()
    }
}

pub(crate) fn open(path: &Path) -> DiskStore {
    DiskStore::open(path, options()).expect("the store opens")
}

/// One moment for a whole test, to the microsecond, so that times come back as they were.
pub(crate) fn moment() -> Moment {
    static NOW: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    Moment {
        now: *NOW.get_or_init(Instant::now),
        wall: SystemTime::UNIX_EPOCH + Duration::from_micros(1_800_000_000_123_456),
    }
}

type Queued = (Arc<Message>, Delivery, Option<Sent>);

/// What there is.
#[derive(Debug, Default, Clone)]
pub(crate) struct Model {
    pub(crate) sessions: BTreeMap<u64, StoredSession>,
    pub(crate) subscriptions: BTreeMap<(u64, String), StoredSubscription>,
    pub(crate) queues: BTreeMap<(u64, Place), Queued>,
    pub(crate) received: BTreeMap<(u64, u16), ReasonCode>,
    pub(crate) retained: BTreeMap<String, Arc<Message>>,
    pub(crate) highest: u64,
}

impl Model {
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Session(session) => {
                self.highest = self.highest.max(session.number.0);
                self.sessions
                    .insert(session.number.0, StoredSession::clone(session));
            }
            Change::SessionEnded(number) => {
                self.sessions.remove(&number.0);
            }
            Change::Subscribed(number, filter, subscription) => {
                self.subscriptions.insert(
                    (number.0, filter.as_str().to_owned()),
                    StoredSubscription::clone(subscription),
                );
            }
            Change::Unsubscribed(number, filter) => {
                self.subscriptions
                    .remove(&(number.0, filter.as_str().to_owned()));
            }
            Change::Queued(number, place, message, delivery) => {
                self.highest = self.highest.max(place.number());
                self.queues.insert(
                    (number.0, *place),
                    (Arc::clone(message), delivery.clone(), None),
                );
            }
            Change::Sent(number, place, sent) => {
                if let Some(queued) = self.queues.get_mut(&(number.0, *place)) {
                    queued.2 = Some(*sent);
                }
            }
            Change::Done(number, place, ..) => {
                self.queues.remove(&(number.0, *place));
            }
            Change::Received(number, identifier, reason) => {
                self.received.insert((number.0, identifier.get()), *reason);
            }
            Change::Released(number, identifier) => {
                self.received.remove(&(number.0, identifier.get()));
            }
            Change::Retained(message) => {
                self.retained
                    .insert(message.topic.to_string(), Arc::clone(message));
            }
            Change::RetainedCleared(topic) => {
                self.retained.remove(topic.as_str());
            }
        }
    }

    /// Sessions, their parts and Retained Messages are what they should be.
    pub(crate) fn check(&self, restored: &Restored) {
        assert_eq!(restored.damaged, Vec::<String>::new());
        self.check_some(restored, true);
    }

    /// What there is, is what it should be; with `is_all`, nothing is missing.
    pub(crate) fn check_some(&self, restored: &Restored, is_all: bool) {
        let (mut n_subscriptions, mut n_received) = (0, 0);
        for session in &restored.sessions {
            let number = session.session.number.0;
            assert_eq!(Some(&session.session), self.sessions.get(&number));
            for (filter, subscription) in &session.subscriptions {
                let key = (number, filter.as_str().to_owned());
                assert_eq!(Some(subscription), self.subscriptions.get(&key), "{key:?}");
                n_subscriptions += 1;
            }
            for (identifier, reason) in &session.received {
                let key = (number, identifier.get());
                assert_eq!(Some(reason), self.received.get(&key), "{key:?}");
                n_received += 1;
            }
        }
        for message in &restored.retained {
            let expected = self.retained.get(message.topic.as_str());
            assert_same(message, expected.expect("a retained message"));
        }
        assert!(restored.first_number > self.highest);
        if is_all {
            assert_eq!(restored.sessions.len(), self.sessions.len());
            assert_eq!(n_subscriptions, self.subscriptions.len());
            assert_eq!(n_received, self.received.len());
            assert_eq!(restored.retained.len(), self.retained.len());
        }
    }

    /// A queue is what it should be; with `is_all`, nothing is missing. Its messages are taken over, to be done with later.
    pub(crate) fn check_queue(&mut self, queue: &RestoredQueue, is_all: bool) {
        let number = queue.session.0;
        let mut before = None;
        for found in &queue.messages {
            let key = (number, found.place);
            let expected = self.queues.get_mut(&key).expect("a queued message");
            assert_same(&found.message, &expected.0);
            assert_eq!(found.delivery, expected.1);
            if is_all || found.sent.is_some() {
                assert_eq!(found.sent, expected.2);
            }
            assert!(before < Some(found.place), "in order");
            before = Some(found.place);
            expected.0 = Arc::clone(&found.message);
        }
        if is_all {
            assert_eq!(queue.damaged, Vec::<String>::new());
            let here = (number, Place::from_u64(0))..=(number, Place::from_u64(u64::MAX));
            assert_eq!(queue.messages.len(), self.queues.range(here).count());
        }
    }

    /// Loads everything and compares.
    pub(crate) fn check_store(&mut self, store: &mut DiskStore) {
        self.check(&store.load(moment()).expect("loaded"));
        let mut n_messages = 0;
        while let Some(queue) = store.load_queue(moment()).expect("loaded") {
            n_messages += queue.messages.len();
            self.check_queue(&queue, true);
        }
        assert_eq!(n_messages, self.queues.len());
    }

    /// Commits to both.
    pub(crate) fn commit(&mut self, store: &mut DiskStore, changes: &[Change]) {
        store
            .commit(changes, Durability::Os, moment())
            .expect("committed");
        for change in changes {
            self.apply(change);
        }
    }
}

pub(crate) fn assert_same(found: &Message, expected: &Message) {
    assert_eq!(found.topic, expected.topic);
    assert_eq!(found.payload, expected.payload);
    assert_eq!(found.qos, expected.qos);
    assert_eq!(found.retain, expected.retain);
    assert_eq!(found.expires_at, expected.expires_at);
    assert_eq!(found.sender, expected.sender);
    assert_eq!(found.source, expected.source);
    let words = |message: &Message| {
        message.properties.as_ref().map(|own| {
            (
                own.payload_format,
                own.content_type.clone(),
                own.response_topic.clone(),
                own.correlation_data.clone(),
                own.user_properties.clone(),
            )
        })
    };
    assert_eq!(words(found), words(expected));
}

pub(crate) fn message(topic: &str, payload: impl Into<Bytes>) -> Message {
    Message {
        topic: TopicName::parse(topic).expect("valid"),
        payload: payload.into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        expires_at: None,
        sender: None,
        source: Source::Client,
    }
}

/// A message whose every field depends on `seed`.
pub(crate) fn any_message(topic: &str, seed: u64) -> Message {
    let bit = |at: u32| seed >> at & 1 == 1;
    let mut user_properties = UserProperties::new();
    for number in 0..seed >> 3 & 3 {
        let value = format!("{seed} ö");
        user_properties
            .push(&format!("name{number}"), &value)
            .expect("short");
    }
    let properties = MessageProperties {
        payload_format: match seed % 3 {
            0 => None,
            1 => Some(PayloadFormat::Bytes),
            _ => Some(PayloadFormat::Utf8),
        },
        content_type: bit(5).then(|| "text/plain".to_owned()),
        response_topic: bit(6).then(|| "a/b".to_owned()),
        correlation_data: bit(7).then(|| Bytes::copy_from_slice(&seed.to_be_bytes())),
        user_properties,
    };
    Message {
        payload: vec![seed as u8; (seed as usize >> 8) % 300].into(),
        qos: QoS::from_u8((seed % 3) as u8).expect("0 to 2"),
        retain: bit(1),
        properties: bit(2).then(|| Box::new(properties)),
        expires_at: bit(4).then(|| moment().now + Duration::from_secs(1 + seed % 100_000)),
        sender: bit(0).then(|| ClientId::from("sender")),
        source: match seed % 5 {
            0 => Source::Client,
            1 => Source::Will,
            2 => Source::Plugin { depth: 3 },
            3 => Source::Broker,
            _ => Source::Retained,
        },
        ..message(topic, "")
    }
}

pub(crate) fn any_delivery(seed: u64) -> Delivery {
    Delivery {
        qos: if seed & 1 == 0 {
            QoS::AtLeastOnce
        } else {
            QoS::ExactlyOnce
        },
        retain: seed & 2 != 0,
        identifiers: (0..seed % 4)
            .filter_map(|n| SubscriptionIdentifier::new(1 + n as u32 * 90_000_000))
            .collect::<Identifiers>(),
    }
}

pub(crate) fn any_session(number: u64, seed: u64) -> StoredSession {
    let bit = |at: u32| seed >> at & 1 == 1;
    let will = any_message("will/topic", seed);
    let own = any_message("will", seed | 4).properties.expect("set");
    StoredSession {
        number: SessionNumber(number),
        client_id: ClientId::from(format!("client {number}")),
        username: bit(0).then(|| "user".to_owned()),
        endpoint: "127.0.0.1:1883".to_owned(),
        listener: "default".to_owned(),
        version: if bit(1) {
            ProtocolVersion::V5
        } else {
            ProtocolVersion::V311
        },
        keep_alive: seed as u16,
        session_expiry_interval: seed as u32,
        will: bit(2).then(|| {
            Arc::new(Will {
                topic: will.topic,
                payload: will.payload,
                qos: will.qos,
                retain: will.retain,
                delay_interval: seed as u32,
                payload_format: own.payload_format,
                message_expiry_interval: bit(3).then_some(seed as u32),
                content_type: own.content_type,
                response_topic: own.response_topic,
                correlation_data: own.correlation_data,
                user_properties: own.user_properties,
            })
        }),
        away_since: bit(4).then(|| moment().wall - Duration::from_secs(seed % 1000)),
    }
}

pub(crate) fn any_subscription(seed: u64) -> StoredSubscription {
    let options = SubscriptionOptions {
        qos: QoS::from_u8((seed % 3) as u8).expect("0 to 2"),
        no_local: seed & 1 != 0,
        retain_as_published: seed & 2 != 0,
        retain_handling: RetainHandling::from_u8((seed / 7 % 3) as u8).expect("0 to 2"),
    };
    StoredSubscription {
        options,
        identifier: SubscriptionIdentifier::new((seed % 5) as u32),
        tags: (0..seed % 3).map(|n| format!("tag {n}").into()).collect(),
        asked: (
            SubscriptionOptions::default(),
            SubscriptionIdentifier::new((seed % 2) as u32),
        ),
    }
}
