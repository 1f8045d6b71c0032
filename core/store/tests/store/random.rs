//! Random changes in random batches, with the store closed, dropped or opened again at random points.

use std::path::Path;
use std::sync::Arc;

use hookmq_broker::Message;
use hookmq_broker::store::{Change, Durability, Place, Sent, SessionNumber, Store};
use hookmq_mqtt::{PacketIdentifier, ReasonCode, TopicFilter, TopicName};
use hookmq_store::DiskStore;
use proptest::prelude::*;

use super::model::{
    Model, any_delivery, any_message, any_session, any_subscription, moment, open, temporary,
};

/// What happens next. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Session(u64),
    SessionAgain(usize, u64),
    SessionEnds(usize),
    Subscribe(usize, usize, u64),
    Unsubscribe(usize),
    /// To so many Sessions from one on.
    Queue(usize, usize, u64),
    Sent(usize, u16, bool),
    Done(usize),
    Receive(usize, u16, u64),
    Release(usize),
    Retain(usize, u64),
    ClearRetained(usize),
    Commit(bool),
    Sync,
    /// The engine goes and comes back.
    Reopen,
    /// Another run of the broker; what was not committed is lost. So many queues are begun to be worked off while others load.
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let at = any::<u16>().prop_map(usize::from);
    prop_oneof![
        2 => any::<u64>().prop_map(Step::Session),
        1 => (at.clone(), any::<u64>()).prop_map(|(at, seed)| Step::SessionAgain(at, seed)),
        1 => at.clone().prop_map(Step::SessionEnds),
        3 => (at.clone(), at.clone(), any::<u64>()).prop_map(|(a, b, c)| Step::Subscribe(a, b, c)),
        1 => at.clone().prop_map(Step::Unsubscribe),
        8 => (at.clone(), 1_usize..4, any::<u64>()).prop_map(|(a, b, c)| Step::Queue(a, b, c)),
        3 => (at.clone(), 1_u16.., any::<bool>()).prop_map(|(a, b, c)| Step::Sent(a, b, c)),
        6 => at.clone().prop_map(Step::Done),
        2 => (at.clone(), 1_u16..9, any::<u64>()).prop_map(|(a, b, c)| Step::Receive(a, b, c)),
        1 => at.clone().prop_map(Step::Release),
        3 => (at.clone(), any::<u64>()).prop_map(|(at, seed)| Step::Retain(at, seed)),
        1 => at.prop_map(Step::ClearRetained),
        6 => any::<bool>().prop_map(Step::Commit),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        1 => (0_usize..4).prop_map(Step::Restart),
    ]
}

/// A broker's view of it: the model as it will be when all is committed, and the changes that are not yet.
struct Broker<'a> {
    path: &'a Path,
    store: Option<DiskStore>,
    committed: Model,
    model: Model,
    pending: Vec<Change>,
    next: u64,
}

impl Broker<'_> {
    fn tell(&mut self, change: Change) {
        self.model.apply(&change);
        self.pending.push(change);
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn session(&self, at: usize) -> Option<SessionNumber> {
        let n_sessions = self.model.sessions.len();
        let key = self.model.sessions.keys().nth(at % n_sessions.max(1))?;
        Some(SessionNumber(*key))
    }

    fn store(&mut self) -> &mut DiskStore {
        self.store.as_mut().expect("open")
    }

    fn commit(&mut self, durability: Durability) {
        let pending = std::mem::take(&mut self.pending);
        self.store()
            .commit(&pending, durability, moment())
            .expect("committed");
        self.committed = self.model.clone();
    }

    fn restart(&mut self, n_early: usize) {
        self.store = None;
        self.pending.clear();
        self.model = self.committed.clone();
        let mut store = open(self.path);
        let restored = store.load(moment()).expect("loaded");
        self.model.check(&restored);
        self.next = restored.first_number;
        let mut n_early = n_early;
        let mut n_messages = 0;
        let all = self.model.queues.len();
        while let Some(queue) = store.load_queue(moment()).expect("loaded") {
            n_messages += queue.messages.len();
            self.model.check_queue(&queue, true);
            if n_early > 0 {
                n_early -= 1;
                let first = &queue.messages[0];
                let message = Arc::clone(&first.message);
                let done = Change::Done(queue.session, first.place, message, first.sent.is_some());
                self.model.commit(&mut store, &[done]);
            }
        }
        assert_eq!(n_messages, all);
        self.committed = self.model.clone();
        self.store = Some(store);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Session(seed) => {
                let number = self.number();
                self.tell(Change::Session(any_session(number, seed).into()));
            }
            Step::SessionAgain(at, seed) => {
                if let Some(session) = self.session(at) {
                    self.tell(Change::Session(any_session(session.0, seed).into()));
                }
            }
            Step::SessionEnds(at) => self.end_session(at),
            Step::Subscribe(at, filter, seed) => {
                let filters = ["a/b", "a/+", "#", "$share/g/x", "ö"];
                let filter = TopicFilter::parse(filters[filter % filters.len()]).expect("valid");
                if let Some(session) = self.session(at) {
                    let subscription = any_subscription(seed);
                    self.tell(Change::Subscribed(session, filter, subscription.into()));
                }
            }
            Step::Unsubscribe(at) => {
                let keys = &self.model.subscriptions;
                if let Some((session, filter)) = keys.keys().nth(at % keys.len().max(1)).cloned() {
                    let filter = TopicFilter::parse(&filter).expect("valid");
                    self.tell(Change::Unsubscribed(SessionNumber(session), filter));
                }
            }
            Step::Queue(at, n_queues, seed) => self.queue(at, n_queues, seed),
            Step::Sent(at, identifier, is_released) => {
                let queues = &self.model.queues;
                let Some(&(session, place)) = queues.keys().nth(at % queues.len().max(1)) else {
                    return;
                };
                let identifier = PacketIdentifier::new(identifier).expect("not zero");
                let sent = if is_released {
                    Sent::PubRel(identifier)
                } else {
                    Sent::Publish(identifier)
                };
                self.tell(Change::Sent(SessionNumber(session), place, sent));
            }
            Step::Done(at) => {
                let queues = &self.model.queues;
                if let Some(&key) = queues.keys().nth(at % queues.len().max(1)) {
                    self.done(key);
                }
            }
            Step::Receive(at, identifier, seed) => {
                let identifier = PacketIdentifier::new(identifier).expect("not zero");
                let reason = if seed & 1 == 0 {
                    ReasonCode::Success
                } else {
                    ReasonCode::NoMatchingSubscribers
                };
                if let Some(session) = self.session(at) {
                    self.tell(Change::Received(session, identifier, reason));
                }
            }
            Step::Release(at) => {
                let received = &self.model.received;
                let key = received.keys().nth(at % received.len().max(1));
                if let Some(&(session, identifier)) = key {
                    let identifier = PacketIdentifier::new(identifier).expect("not zero");
                    self.tell(Change::Released(SessionNumber(session), identifier));
                }
            }
            Step::Retain(at, seed) => {
                let topic = format!("topic/{}", at % 8);
                self.tell(Change::Retained(Arc::new(any_message(&topic, seed))));
            }
            Step::ClearRetained(at) => {
                let retained = &self.model.retained;
                let topic = retained.keys().nth(at % retained.len().max(1)).cloned();
                if let Some(topic) = topic {
                    let topic = TopicName::parse(&topic).expect("valid");
                    self.tell(Change::RetainedCleared(topic));
                }
            }
            Step::Commit(is_disk) => {
                let durability = if is_disk {
                    Durability::Disk
                } else {
                    Durability::Os
                };
                self.commit(durability);
            }
            Step::Sync => self.store().sync().expect("synced"),
            Step::Reopen => self.store().reopen().expect("opened again"),
            Step::Restart(n_early) => self.restart(n_early),
        }
    }

    fn queue(&mut self, at: usize, n_queues: usize, seed: u64) {
        let message: Arc<Message> = Arc::new(any_message("queued", seed));
        let sessions = (0..n_queues.min(self.model.sessions.len()))
            .filter_map(|offset| self.session(at + offset))
            .collect::<Vec<_>>();
        let is_shared = sessions.len() > 1;
        for session in sessions {
            let place = Place::new(self.number(), is_shared);
            let delivery = any_delivery(seed);
            self.tell(Change::Queued(
                session,
                place,
                Arc::clone(&message),
                delivery,
            ));
        }
    }

    fn done(&mut self, (session, place): (u64, Place)) {
        let (message, _, sent) = &self.model.queues[&(session, place)];
        let (message, was_sent) = (Arc::clone(message), sent.is_some());
        self.tell(Change::Done(
            SessionNumber(session),
            place,
            message,
            was_sent,
        ));
    }

    /// As the trait says: everything that is the Session's is taken back one by one before.
    fn end_session(&mut self, at: usize) {
        let Some(session) = self.session(at) else {
            return;
        };
        let keys = self.model.queues.keys().filter(|key| key.0 == session.0);
        for key in keys.copied().collect::<Vec<_>>() {
            self.done(key);
        }
        let keys = self.model.subscriptions.keys();
        for (_, filter) in keys
            .filter(|key| key.0 == session.0)
            .cloned()
            .collect::<Vec<_>>()
        {
            let filter = TopicFilter::parse(&filter).expect("valid");
            self.tell(Change::Unsubscribed(session, filter));
        }
        let keys = self.model.received.keys().filter(|key| key.0 == session.0);
        for (_, identifier) in keys.copied().collect::<Vec<_>>() {
            let identifier = PacketIdentifier::new(identifier).expect("not zero");
            self.tell(Change::Released(session, identifier));
        }
        self.tell(Change::SessionEnded(session));
    }
}

/// How many records each keyspace of the closed store holds.
fn n_records(path: &Path, keyspace: &str) -> usize {
    let database = fjall::Database::builder(path.join("db"))
        .open()
        .expect("the engine opens");
    let keyspace = database
        .keyspace(keyspace, fjall::KeyspaceCreateOptions::default)
        .expect("the keyspace opens");
    keyspace.len().expect("readable")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_was_committed_comes_back_whatever_happens(steps in prop::collection::vec(step(), 1..150)) {
        let folder = temporary();
        let mut broker = Broker {
            path: folder.path(),
            store: None,
            committed: Model::default(),
            model: Model::default(),
            pending: Vec::new(),
            next: 0,
        };
        broker.restart(0);
        for step in steps {
            broker.take(step);
        }
        broker.restart(0);
        // Everything ends, and nothing is left: no message without a queue, no state without a message.
        while !broker.model.sessions.is_empty() {
            broker.end_session(0);
        }
        broker.commit(Durability::Os);
        broker.store = None;
        for keyspace in ["sess", "sub", "q", "msg", "fly", "in2", "bad"] {
            prop_assert_eq!(n_records(folder.path(), keyspace), 0, "{}", keyspace);
        }
        prop_assert_eq!(n_records(folder.path(), "ret"), broker.model.retained.len());
    }
}
