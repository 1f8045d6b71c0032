//! Everybody who talks to the broker under test, and the turns that they take: publishers, subscribers that stay, that stay away for
//! long, and that change their minds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use hookmq_mqtt::{
    Connect, Packet, PacketIdentifier, ProtocolVersion, QoS, Subscribe, SubscribeEntry,
    UserProperties,
};

use super::book::{Book, Flaw};
use super::client::Client;
use super::content::Name;
use super::lab::{Broker, PATIENCE};
use super::wire::{LOOK, Wire};
use crate::Outcome;

const V3: ProtocolVersion = ProtocolVersion::V311;
const V5: ProtocolVersion = ProtocolVersion::V5;
const ONE: QoS = QoS::AtLeastOnce;
const TWO: QoS = QoS::ExactlyOnce;

/// Publishers, with protocol and QoS.
const PUBLISHERS: [(&str, ProtocolVersion, QoS); 4] = [
    ("publisher-3-1", V3, ONE),
    ("publisher-3-2", V3, TWO),
    ("publisher-5-1", V5, ONE),
    ("publisher-5-2", V5, TWO),
];
/// One that publishes and subscribes in one Session: its number as a publisher.
const BOTH: usize = PUBLISHERS.len();
/// All that publish.
pub(super) const N_PUBLISHERS: usize = BOTH + 1;
/// Subscribers: with protocol, QoS and habit. The last one publishes as well.
const SUBSCRIBERS: [(&str, ProtocolVersion, QoS, Habit); 9] = [
    ("live-3-1", V3, ONE, Habit::Stays),
    ("live-3-2", V3, TWO, Habit::Stays),
    ("live-5-1", V5, ONE, Habit::Stays),
    ("live-5-2", V5, TWO, Habit::Stays),
    ("away-3-2", V3, TWO, Habit::IsAway),
    ("away-5-1", V5, ONE, Habit::IsAway),
    ("fickle-3-1", V3, ONE, Habit::Changes),
    ("fickle-5-2", V5, TWO, Habit::Changes),
    ("both-5-2", V5, TWO, Habit::Stays),
];
/// Without any progress for so long, what is missing is lost.
const STANDSTILL: Duration = Duration::from_secs(10);
/// How long retained messages may take to come.
const RETAINED: Duration = Duration::from_secs(2);
/// How often a publisher is given messages to publish.
const GRANT_EVERY: Duration = Duration::from_millis(8);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    Stays,
    IsAway,
    Changes,
}

/// See the module.
pub(super) struct Crowd {
    clients: Vec<Client>,
    pub(super) book: Book,
    pub(super) rng: Rng,
    /// Since when publishers wait for messages to publish; `None` without load.
    granted: Option<Instant>,
}

impl Crowd {
    /// Clients that have never connected.
    pub(super) fn new(seed: u64) -> Self {
        let mut publishers: Vec<QoS> = PUBLISHERS.iter().map(|(_, _, qos)| *qos).collect();
        publishers.push(TWO);
        let receivers: Vec<(String, QoS)> = SUBSCRIBERS
            .iter()
            .map(|(name, _, qos, _)| ((*name).to_owned(), *qos))
            .collect();
        let mut clients = Vec::new();
        for (number, (name, version, qos)) in PUBLISHERS.iter().enumerate() {
            clients.push(Client::new(name, *version).publishing(number, *qos));
        }
        for (number, (name, version, qos, habit)) in SUBSCRIBERS.iter().enumerate() {
            let client = Client::new(name, *version);
            clients.push(match habit {
                Habit::Changes => client.changing(number, *qos, N_PUBLISHERS),
                _ => client.receiving(number, *qos),
            });
        }
        if let Some(last) = clients.pop() {
            clients.push(last.publishing(BOTH, TWO));
        }
        let mut book = Book::new(seed, &publishers, &receivers);
        for (number, (.., habit)) in SUBSCRIBERS.iter().enumerate() {
            if *habit == Habit::Changes {
                book.changes(number);
            }
        }
        Self {
            clients,
            book,
            rng: Rng::with_seed(seed),
            granted: None,
        }
    }

    /// Whether publishers publish and subscribers change from now on.
    pub(super) fn load(&mut self, is_on: bool) {
        self.granted = is_on.then(Instant::now);
        let subscribers = self.clients.iter_mut().skip(PUBLISHERS.len());
        for (client, (.., habit)) in subscribers.zip(SUBSCRIBERS) {
            if let Some(receiver) = &mut client.receiver {
                receiver.is_fickle = is_on && habit == Habit::Changes;
            }
        }
        if !is_on {
            for client in &mut self.clients {
                if let Some(publisher) = &mut client.publisher {
                    publisher.allowance = 0;
                }
            }
        }
    }

    /// Now and then one publisher is given some messages to publish: few and many, and never so many that queues grow on and on.
    fn grant(&mut self) {
        let Some(granted) = &mut self.granted else {
            return;
        };
        while granted.elapsed() > GRANT_EVERY {
            *granted += GRANT_EVERY;
            let which = self.rng.usize(..N_PUBLISHERS);
            grant(&mut self.clients, which, self.rng.usize(1..30));
        }
    }

    /// Many messages at once, so that what comes next finds them under way.
    pub(super) fn burst(&mut self) {
        for which in 0..N_PUBLISHERS {
            let n_messages = self.rng.usize(..24);
            grant(&mut self.clients, which, n_messages);
        }
    }

    /// Lets everybody do something once; whether anybody had anything to do.
    pub(super) fn turn(&mut self, address: SocketAddr) -> Outcome<bool> {
        let mut has_done = false;
        self.grant();
        // Nobody is always the first.
        let first = self.rng.usize(..self.clients.len());
        let (late, early) = self.clients.split_at_mut(first);
        for client in early.iter_mut().chain(late) {
            has_done |= client.step(address, &mut self.book, &mut self.rng)?;
        }
        Ok(has_done)
    }

    /// Takes turns until then or until it is so; whether it was. A broker that ends by itself meanwhile is a flaw.
    pub(super) fn turns(
        &mut self,
        broker: &Broker,
        until: Instant,
        mut is_so: impl FnMut(&mut Self) -> bool,
    ) -> Outcome<bool> {
        let mut n_turns = 0_u32;
        loop {
            if is_so(self) {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            n_turns += 1;
            if n_turns.is_multiple_of(64)
                && let Some(status) = broker.ended()
            {
                return Err(
                    format!("the broker ended by itself ({status}): {}", broker.words()).into(),
                );
            }
            if !self.turn(broker.address)? {
                thread::park_timeout(LOOK);
            }
        }
    }

    /// Whether everybody who is wanted is connected.
    pub(super) fn is_up(&self) -> bool {
        self.clients
            .iter()
            .all(|client| client.is_up() || !client.is_wanted)
    }

    /// Who is wanted and not connected, in words.
    pub(super) fn absent(&self) -> String {
        let absent = self
            .clients
            .iter()
            .filter(|client| client.is_wanted && !client.is_up());
        absent.map(Client::under_way).collect::<Vec<_>>().join("; ")
    }

    /// When the first CONNACK came since [`Crowd::forget_greetings`].
    pub(super) fn greeted(&self) -> Option<Instant> {
        self.clients
            .iter()
            .filter_map(|client| client.greeted)
            .min()
    }

    /// A broker is about to start.
    pub(super) fn forget_greetings(&mut self) {
        for client in &mut self.clients {
            client.greeted = None;
            client.n_connections = 0;
        }
    }

    /// Those who stay away leave, or come back.
    pub(super) fn call_the_away(&mut self, is_wanted: bool) -> Outcome {
        for (client, (.., habit)) in self
            .clients
            .iter_mut()
            .skip(PUBLISHERS.len())
            .zip(SUBSCRIBERS)
        {
            if habit == Habit::IsAway {
                if is_wanted {
                    client.is_wanted = true;
                } else {
                    client.leave()?;
                }
            }
        }
        Ok(())
    }

    /// The broker was killed: what it had said is read to the end.
    pub(super) fn read_to_the_end(&mut self) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        for client in &mut self.clients {
            client.read_to_the_end(&mut self.book, deadline)?;
        }
        Ok(())
    }

    /// Everybody comes, nobody publishes anew; ends when all that was acknowledged has arrived and nothing is under way, or nothing
    /// moves any more. Then what is missing is lost.
    pub(super) fn settle(&mut self, broker: &Broker) -> Outcome {
        self.load(false);
        self.call_the_away(true)?;
        let mut last = (0, 0);
        let mut moved = Instant::now();
        loop {
            let until = Instant::now() + Duration::from_millis(30);
            self.turns(broker, until, |_| false)?;
            let quiet = self.clients.iter().filter(|one| one.is_quiet()).count();
            if quiet == self.clients.len() && !self.is_owed() {
                break;
            }
            let now = (self.book.counts.delivered, quiet);
            if now != last {
                last = now;
                moved = Instant::now();
            }
            if moved.elapsed() > STANDSTILL {
                let under_way: Vec<String> = self
                    .clients
                    .iter()
                    .filter(|one| !one.is_quiet())
                    .map(Client::under_way)
                    .collect();
                if !under_way.is_empty() {
                    let words = format!("nothing moves any more: {}", under_way.join("; "));
                    self.book.flaw(Flaw::Broker, words);
                }
                break;
            }
        }
        for (receiver, publisher, since) in self.owed() {
            self.book.lose(receiver, publisher, since);
        }
        self.check_retained(broker.address)?;
        self.book.settle();
        Ok(())
    }

    fn owed(&self) -> Vec<(usize, usize, u64)> {
        let owed = self.clients.iter().map(|client| client.owed(N_PUBLISHERS));
        owed.flatten().collect()
    }

    fn is_owed(&self) -> bool {
        self.owed()
            .into_iter()
            .any(|(receiver, publisher, since)| self.book.is_owed(receiver, publisher, since))
    }

    /// Looks at every Retained Message, as a client that has no Session sees them.
    pub(super) fn check_retained(&mut self, address: SocketAddr) -> Outcome {
        let expected = self.book.kept();
        let mut wire = Wire::connect(address, V5)?;
        let deadline = Instant::now() + RETAINED;
        wire.put(&Packet::Connect(Box::new(Connect::new(V5, "inspector"))))?;
        let greeted = wire.wait(deadline, |packet| {
            matches!(packet, Packet::ConnAck(_)).then_some(())
        })?;
        greeted.ok_or("the inspector is not let in")?;
        wire.put(&Packet::Subscribe(Subscribe {
            packet_identifier: PacketIdentifier::FIRST,
            subscription_identifier: None,
            user_properties: UserProperties::new(),
            subscriptions: vec![SubscribeEntry {
                topic_filter: "kept/#".to_owned(),
                options: QoS::AtMostOnce.into(),
            }],
        }))?;
        let must: Vec<&String> = expected
            .iter()
            .filter(|(_, may)| !may.contains(&None))
            .map(|(topic, _)| topic)
            .collect();
        let mut got: BTreeMap<String, Option<Name>> = BTreeMap::new();
        // A moment longer than it takes to see all that must be there: for what must not.
        let mut linger = deadline;
        while Instant::now() < linger {
            let came = wire.wait(linger, |packet| match packet {
                Packet::Publish(publish) => Some((
                    publish.topic.to_owned(),
                    Name::of(publish.topic, publish.payload),
                )),
                _ => None,
            })?;
            got.extend(came);
            if linger == deadline && must.iter().all(|topic| got.contains_key(*topic)) {
                linger = deadline.min(Instant::now() + Duration::from_millis(20));
            }
        }
        self.book.counts.retained += got.len() as u64;
        for (topic, may) in &expected {
            let found = got.get(topic).copied();
            let is_good = match found {
                None => may.contains(&None),
                Some(None) => false,
                Some(name) => may.contains(&name),
            };
            if !is_good {
                let found = match found {
                    None => "nothing".to_owned(),
                    Some(None) => "bytes that nobody sent".to_owned(),
                    Some(Some(name)) => name.to_string(),
                };
                let may: Vec<String> = may
                    .iter()
                    .map(|one| one.map_or("nothing".to_owned(), |name| name.to_string()))
                    .collect();
                self.book.flaw(
                    Flaw::Retained,
                    format!("{topic} has {found}, may have {}", may.join(" or ")),
                );
            }
        }
        for topic in got.keys().filter(|topic| !expected.contains_key(*topic)) {
            self.book
                .flaw(Flaw::Retained, format!("{topic} was never retained"));
        }
        Ok(())
    }
}

fn grant(clients: &mut [Client], which: usize, n_messages: usize) {
    let mut publishers = clients
        .iter_mut()
        .filter_map(|client| client.publisher.as_mut());
    if let Some(publisher) = publishers.nth(which) {
        publisher.allowance = (publisher.allowance + n_messages).min(100);
    }
}
