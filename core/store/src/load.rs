//! Reads everything but the queues: Sessions with what is theirs, and Retained Messages.

use hashbrown::HashMap;
use hookmq_broker::Message;
use hookmq_broker::store::{Moment, RestoredSession, SessionNumber};
use hookmq_mqtt::{TopicFilter, TopicName};

use crate::damage::Damage;
use crate::engine::Engine;
use crate::keyspace::{self, Kind};
use crate::record::{self, Malformed};

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) sessions: Vec<RestoredSession>,
    pub(crate) retained: Vec<Message>,
    pub(crate) damage: Damage,
}

/// Places in [`Loaded::sessions`].
type BySession = HashMap<SessionNumber, usize, ahash::RandomState>;

impl Loaded {
    /// Reads it.
    ///
    /// # Errors
    /// The engine finds damage of its own.
    pub(crate) fn read(engine: &Engine, moment: Moment) -> Result<Self, String> {
        let mut loaded = Self::default();
        let by_session = loaded.read_sessions(engine)?;
        loaded.read_subscriptions(engine, &by_session)?;
        loaded.read_received(engine, &by_session)?;
        loaded.read_retained(engine, moment)?;
        Ok(loaded)
    }

    fn read_sessions(&mut self, engine: &Engine) -> Result<BySession, String> {
        let mut by_session = BySession::default();
        for entry in engine.all(Kind::Session) {
            let (key, value) = entry?;
            let session = keyspace::session_of(&key)
                .ok_or(Malformed::Field("key"))
                .and_then(|number| {
                    record::session::read(record::open(Kind::Session as u8, &key, &value)?, number)
                });
            match session {
                Ok(session) => {
                    by_session.insert(session.number, self.sessions.len());
                    self.sessions.push(RestoredSession {
                        session,
                        subscriptions: Vec::new(),
                        received: Vec::new(),
                    });
                }
                Err(why) => self.damage.found(Kind::Session, &key, &value, why),
            }
        }
        Ok(by_session)
    }

    fn read_subscriptions(&mut self, engine: &Engine, known: &BySession) -> Result<(), String> {
        for entry in engine.all(Kind::Subscription) {
            let (key, value) = entry?;
            let subscription = (|| {
                let fields = record::open(Kind::Subscription as u8, &key, &value)?;
                let (number, head) =
                    keyspace::subscription_of(&key).ok_or(Malformed::Field("key"))?;
                let (rest, subscription) = record::subscription::read(fields)?;
                let filter = if rest.is_empty() {
                    TopicFilter::parse(head)
                } else {
                    TopicFilter::parse(&format!("{head}{rest}"))
                };
                let filter = filter.map_err(|_| Malformed::Field("Topic Filter"))?;
                Ok((number, filter, subscription))
            })();
            match subscription {
                Ok((number, filter, subscription)) => match self.session(known, number) {
                    Some(session) => session.subscriptions.push((filter, subscription)),
                    None => self.left_over(Kind::Subscription, &key),
                },
                Err(why) => self.damage.found(Kind::Subscription, &key, &value, why),
            }
        }
        Ok(())
    }

    fn read_received(&mut self, engine: &Engine, known: &BySession) -> Result<(), String> {
        for entry in engine.all(Kind::Received) {
            let (key, value) = entry?;
            let received = (|| {
                let fields = record::open(Kind::Received as u8, &key, &value)?;
                let (number, identifier) =
                    keyspace::received_of(&key).ok_or(Malformed::Field("key"))?;
                Ok((number, identifier, record::queued::read_reason(fields)?))
            })();
            match received {
                Ok((number, identifier, reason)) => match self.session(known, number) {
                    Some(session) => session.received.push((identifier, reason)),
                    None => self.left_over(Kind::Received, &key),
                },
                Err(why) => self.damage.found(Kind::Received, &key, &value, why),
            }
        }
        Ok(())
    }

    fn read_retained(&mut self, engine: &Engine, moment: Moment) -> Result<(), String> {
        for entry in engine.all(Kind::Retained) {
            let (key, value) = entry?;
            let message = (|| {
                let fields = record::open(Kind::Retained as u8, &key, &value)?;
                let topic = std::str::from_utf8(&key)
                    .ok()
                    .and_then(|topic| TopicName::parse(topic).ok())
                    .ok_or(Malformed::Field("Topic Name"))?;
                record::message::read(fields, topic, moment)
            })();
            match message {
                Ok(message) => self.retained.push(message),
                Err(why) => self.damage.found(Kind::Retained, &key, &value, why),
            }
        }
        Ok(())
    }

    fn session(
        &mut self,
        known: &BySession,
        number: SessionNumber,
    ) -> Option<&mut RestoredSession> {
        self.sessions.get_mut(*known.get(&number)?)
    }

    /// What belongs to no Session is left over from one whose record is damaged.
    fn left_over(&mut self, kind: Kind, key: &[u8]) {
        self.damage.name(format_args!(
            "{}: there is no such session",
            kind.describe(key)
        ));
        self.damage.orphan(kind, key);
    }
}
