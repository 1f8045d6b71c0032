//! One of those who stay: a publisher or a subscriber with what it wishes, and what it tells the ledger.

use std::time::Instant;

use hookmq_mqtt::{Disconnect, ProtocolVersion, QoS};

use super::client::{Client, Event, Parcel, Received};
use super::content::{is_new, name, payload, topic};
use super::crowd::N_PUBLISHERS;
use super::ledger::Flaw;
use super::{Ground, seconds};
use crate::Outcome;

/// How long their Sessions outlive their connections; longer than anybody is away.
const SESSION_EXPIRY: u32 = 3600;

/// How a subscriber spends its time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// It is always there.
    Stays,
    /// It is away for a while, and its queue fills; it is there for a while, and the queue is emptied.
    ComesAndGoes,
    /// It makes subscriptions and gives them up.
    Changes,
}

/// See the module.
pub(super) struct Member {
    pub(super) client: Client,
    version: ProtocolVersion,
    has_session: bool,
    /// When it connects again, or comes or goes.
    pub(super) next: Instant,
    pub(super) role: Role,
}

/// What it does.
pub(super) enum Role {
    Publishes {
        number: usize,
        qos: QoS,
        rate: f64,
        /// Messages that it may send by now.
        due: f64,
        since: Instant,
    },
    Receives {
        number: usize,
        qos: QoS,
        habit: Habit,
        subscriptions: Vec<Subscription>,
        asked: Option<(u16, usize, bool)>,
        next_change: Instant,
    },
}

/// What it is subscribed to, or wishes to be.
pub(super) struct Subscription {
    filters: Vec<String>,
    /// Whose messages it gets; all without.
    publisher: Option<usize>,
    is_wished: bool,
    /// What SUBACK or UNSUBACK has said; nothing while it is not known.
    is_on: Option<bool>,
}

impl Member {
    /// One that has never connected.
    pub(super) fn new(name: &str, version: ProtocolVersion, role: Role) -> Self {
        Self {
            client: Client::new(name.to_owned(), version).staying(SESSION_EXPIRY),
            version,
            has_session: false,
            next: Instant::now(),
            role,
        }
    }

    /// Does what there is to do; the newest stamp of the messages that came.
    ///
    /// # Errors
    /// When it cannot say what it wants to.
    pub(super) fn turn(
        &mut self,
        has_load: bool,
        n_passing: &mut u64,
        ground: &mut Ground,
    ) -> Outcome<Option<u64>> {
        self.come_and_go(has_load, ground)?;
        let mut newest = None;
        for event in self.client.step()? {
            newest = newest.max(self.handle(event, ground)?);
        }
        if self.client.is_up() {
            self.ask(has_load, n_passing, ground)?;
        }
        if has_load {
            self.publish(ground)?;
        }
        Ok(newest)
    }

    fn come_and_go(&mut self, has_load: bool, ground: &mut Ground) -> Outcome {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        let is_connected = self.client.is_connected();
        let changes = match &self.role {
            Role::Receives { habit, .. } => has_load && *habit == Habit::ComesAndGoes,
            Role::Publishes { .. } => false,
        };
        if changes && is_connected && self.client.is_up() && self.has_session {
            // Away long enough for a queue, there long enough to empty it.
            self.next = now + seconds(5.0 + 15.0 * ground.rng.f64());
            if ground.rng.bool() {
                self.client.leave(Disconnect::default())?;
            } else {
                self.client.vanish();
            }
            self.is_down(ground);
        } else if !is_connected {
            self.client.connect(ground.address)?;
            ground.ledger.counts.connects += 1;
            let there = if changes {
                4.0 + 6.0 * ground.rng.f64()
            } else {
                0.05
            };
            self.next = now + seconds(there);
        }
        Ok(())
    }

    /// Its connection is over, or another one takes it over.
    pub(super) fn is_down(&mut self, ground: &mut Ground) {
        if let Role::Receives {
            number,
            asked,
            subscriptions,
            ..
        } = &mut self.role
        {
            ground.ledger.is_up(*number, false);
            // Whether it was done is not known; it is asked again.
            if let Some((_, at, _)) = asked.take()
                && let Some(subscription) = subscriptions.get_mut(at)
            {
                subscription.is_on = None;
            }
        }
    }

    /// The stamp of a message that came.
    fn handle(&mut self, event: Event, ground: &mut Ground) -> Outcome<Option<u64>> {
        match event {
            Event::Up { session_present } => {
                if self.has_session && !session_present {
                    let words = format!("{}: there was no Session any more", self.client.name);
                    ground.ledger.flaws.add(Flaw::Session, words);
                    if let Role::Receives { number, .. } = self.role {
                        ground.ledger.is_forgotten(number);
                    }
                }
                ground.ledger.counts.sessions_resumed += u64::from(session_present);
                self.has_session = true;
                if let Role::Receives {
                    number,
                    subscriptions,
                    ..
                } = &mut self.role
                {
                    ground.ledger.is_up(*number, true);
                    if !session_present {
                        for subscription in subscriptions {
                            subscription.is_on = None;
                        }
                    }
                }
            }
            Event::Acknowledged { tag } => {
                if let Role::Publishes { number, .. } = self.role {
                    ground.ledger.is_acknowledged(number, tag);
                }
            }
            Event::Message(message) => return Ok(self.receive(&message, ground)),
            Event::Answered { identifier } => self.answered(identifier, ground),
            Event::Ended => {
                let words = format!("{}: the broker ended the connection", self.client.name);
                ground.ledger.flaws.add(Flaw::Protocol, words);
                self.is_down(ground);
            }
            Event::Broken(words) => {
                let words = format!("{}: {words}", self.client.name);
                ground.ledger.flaws.add(Flaw::Protocol, words);
            }
        }
        Ok(None)
    }

    fn receive(&self, message: &Received, ground: &mut Ground) -> Option<u64> {
        let Role::Receives { number, .. } = self.role else {
            return None;
        };
        let Some((publisher, of_publisher)) = name(&message.topic, &message.payload) else {
            let words = format!("{} got what nobody sent: {message:?}", self.client.name);
            ground.ledger.flaws.add(Flaw::Garbage, words);
            return None;
        };
        ground
            .ledger
            .delivers(number, publisher, of_publisher, message.qos);
        if self.version == ProtocolVersion::V5 && message.stamp.is_none() {
            let words = format!("{} got {} unstamped", self.client.name, message.topic);
            ground.ledger.flaws.add(Flaw::Garbage, words);
        }
        message.stamp
    }

    fn answered(&mut self, identifier: u16, ground: &mut Ground) {
        let Role::Receives {
            number,
            subscriptions,
            asked,
            ..
        } = &mut self.role
        else {
            return;
        };
        let Some((_, at, is_on)) = asked.take_if(|(asked, _, _)| *asked == identifier) else {
            return;
        };
        ground.ledger.counts.subscribed += 1;
        let Some(subscription) = subscriptions.get_mut(at) else {
            return;
        };
        subscription.is_on = Some(is_on);
        for publisher in subscription.publishers() {
            if is_on {
                ground.ledger.begins(*number, publisher);
            } else {
                ground.ledger.ended(*number, publisher);
            }
        }
    }

    /// Subscribes to what it wishes and gives up the rest, one thing at a time.
    fn ask(&mut self, has_load: bool, n_passing: &mut u64, ground: &mut Ground) -> Outcome {
        let Role::Receives {
            number,
            qos,
            habit,
            subscriptions,
            asked,
            next_change,
        } = &mut self.role
        else {
            return Ok(());
        };
        if asked.is_some() {
            return Ok(());
        }
        let now = Instant::now();
        if has_load && *habit == Habit::Changes && now >= *next_change {
            *next_change = now + seconds(0.5 * ground.rng.f64());
            let n_subscriptions = subscriptions.len();
            if let Some(one) = subscriptions.get_mut(ground.rng.usize(..n_subscriptions)) {
                one.is_wished = !one.is_wished;
                if one.is_wished {
                    // Beside it what nobody ever publishes to, in two new forms.
                    *n_passing += 1;
                    one.filters.truncate(1);
                    one.filters.push(format!("passing/{n_passing}/+/#"));
                    one.filters
                        .push(format!("$share/share-{n_passing}/passing/{n_passing}/+"));
                }
            }
        }
        let asks = subscriptions
            .iter()
            .position(|one| one.is_on != Some(one.is_wished));
        let Some((at, one)) = asks.and_then(|at| Some((at, subscriptions.get(at)?))) else {
            return Ok(());
        };
        for publisher in one.publishers() {
            ground.ledger.gives_up(*number, publisher);
        }
        let identifier = if one.is_wished {
            self.client.subscribe(&one.filters, *qos)?
        } else {
            self.client.unsubscribe(one.filters.clone())?
        };
        *asked = Some((identifier, at, one.is_wished));
        Ok(())
    }

    fn publish(&mut self, ground: &mut Ground) -> Outcome {
        let Role::Publishes {
            number,
            qos,
            rate,
            due,
            since,
        } = &mut self.role
        else {
            return Ok(());
        };
        let now = Instant::now();
        *due += *rate * now.saturating_duration_since(*since).as_secs_f64();
        // What could not be sent for a second is not made up for.
        *due = due.min(*rate);
        *since = now;
        while *due >= 1.0 && self.client.has_room() {
            *due -= 1.0;
            let of_publisher = ground.ledger.sends(*number);
            ground.ledger.counts.topics += u64::from(is_new(of_publisher));
            let parcel = Parcel {
                topic: topic(*number, of_publisher),
                payload: payload(*number, of_publisher),
                tag: of_publisher,
                ..Parcel::default()
            };
            self.client.publish(*qos, parcel)?;
        }
        Ok(())
    }
}

impl Subscription {
    /// One that is wished and not made yet, for this publisher's messages or for all.
    pub(super) const fn new(filters: Vec<String>, publisher: Option<usize>) -> Self {
        Self {
            filters,
            publisher,
            is_wished: true,
            is_on: None,
        }
    }

    fn publishers(&self) -> std::ops::Range<usize> {
        self.publisher.map_or(0..N_PUBLISHERS, |one| one..one + 1)
    }
}
