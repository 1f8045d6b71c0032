//! Gives queues back, one Session's a call, while batches are committed in between.

use std::ops::Bound;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use hookmq_broker::Message;
use hookmq_broker::store::{Change, Moment, Place, RestoredMessage, Sent, SessionNumber};

use crate::damage::Damage;
use crate::engine::Engine;
use crate::keyspace::{self, Kind};
use crate::record::queued::{self, Content};
use crate::record::{self, Malformed};
use crate::shared::Shared;

/// How far the queues were given back.
#[derive(Debug)]
pub(crate) struct Queues {
    /// Sessions and places from here on are of this run, and known to who made them.
    first_new: u64,
    /// The next Session to look at.
    next: u64,
    /// Sessions of earlier runs that there still are.
    sessions: HashSet<SessionNumber, ahash::RandomState>,
    /// Shared messages that cannot be read; each is told once.
    unreadable: HashSet<u64, ahash::RandomState>,
}

/// A queue that was read.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) session: SessionNumber,
    pub(crate) messages: Vec<RestoredMessage>,
    pub(crate) damage: Damage,
}

impl Queues {
    pub(crate) fn new(first_new: u64, sessions: impl Iterator<Item = SessionNumber>) -> Self {
        Self {
            first_new,
            next: 0,
            sessions: sessions.collect(),
            unreadable: HashSet::default(),
        }
    }

    /// A batch was committed.
    pub(crate) fn committed(&mut self, batch: &[Change]) {
        for change in batch {
            if let Change::SessionEnded(number) = change {
                self.sessions.remove(number);
            }
        }
    }

    /// The next queue that is not empty; `None` if that were all.
    pub(crate) fn next(
        &mut self,
        engine: &Engine,
        shared: &mut Shared,
        moment: Moment,
    ) -> Result<Option<Queue>, String> {
        loop {
            let queue = next_session(engine, Kind::Queue, self.next)?;
            let sent = next_session(engine, Kind::Sent, self.next)?;
            let Some(session) = queue.into_iter().chain(sent).min() else {
                return Ok(None);
            };
            if session.0 >= self.first_new {
                return Ok(None);
            }
            self.next = session.0 + 1;
            let mut found = Queue {
                session,
                messages: Vec::new(),
                damage: Damage::default(),
            };
            if self.sessions.contains(&session) {
                self.read(engine, shared, moment, &mut found)?;
            } else {
                self.take_away(engine, &mut found)?;
            }
            if !found.messages.is_empty() || !found.damage.is_empty() {
                return Ok(Some(found));
            }
        }
    }

    /// Shared messages of earlier runs that no queue refers to; at most `limit`, from `from` on.
    pub(crate) fn unreferenced(
        &self,
        engine: &Engine,
        shared: &Shared,
        from: u64,
        limit: usize,
    ) -> Result<Vec<u64>, String> {
        let end = Place::new(self.first_new, false).get().to_be_bytes();
        let mut found = Vec::new();
        for entry in engine.range(Kind::Message, &from.to_be_bytes(), Bound::Excluded(&end)) {
            let (key, _) = entry?;
            if let Some(SessionNumber(number)) = keyspace::session_of(&key)
                && shared.restored(number).is_none()
            {
                found.push(number);
                if found.len() == limit {
                    break;
                }
            }
        }
        Ok(found)
    }

    fn read(
        &mut self,
        engine: &Engine,
        shared: &mut Shared,
        moment: Moment,
        found: &mut Queue,
    ) -> Result<(), String> {
        let mut sent = self.read_sent(engine, found)?;
        for entry in self.entries(engine, Kind::Queue, found.session) {
            let (key, value) = entry?;
            let entry = keyspace::place_of(&key)
                .ok_or(Malformed::Field("key"))
                .and_then(|(_, place)| {
                    let fields = record::open(Kind::Queue as u8, &key, &value)?;
                    Ok((place, queued::read(fields, moment)?))
                });
            let (place, (delivery, content)) = match entry {
                Ok(entry) => entry,
                Err(why) => {
                    found.damage.found(Kind::Queue, &key, &value, why);
                    continue;
                }
            };
            let message = match content {
                Content::Inline(message) => Arc::new(message),
                Content::Reference(number) => {
                    let message =
                        self.message(engine, shared, moment, number, &mut found.damage)?;
                    let Some(message) = message else {
                        found.damage.put_aside(Kind::Queue, &key, &value);
                        continue;
                    };
                    shared.restore(number, &message);
                    message
                }
            };
            found.messages.push(RestoredMessage {
                place,
                message,
                delivery,
                sent: sent.remove(&place),
            });
        }
        for place in sent.into_keys() {
            found
                .damage
                .orphan(Kind::Sent, &keyspace::of_place(found.session, place));
        }
        Ok(())
    }

    fn read_sent(
        &self,
        engine: &Engine,
        found: &mut Queue,
    ) -> Result<HashMap<Place, Sent, ahash::RandomState>, String> {
        let mut states = HashMap::default();
        for entry in self.entries(engine, Kind::Sent, found.session) {
            let (key, value) = entry?;
            let sent = keyspace::place_of(&key)
                .ok_or(Malformed::Field("key"))
                .and_then(|(_, place)| {
                    let fields = record::open(Kind::Sent as u8, &key, &value)?;
                    Ok((place, queued::read_sent(fields)?))
                });
            match sent {
                Ok((place, sent)) => {
                    states.insert(place, sent);
                }
                Err(why) => found.damage.found(Kind::Sent, &key, &value, why),
            }
        }
        Ok(states)
    }

    /// A message that queues share; `None` if it cannot be read, which is told the first time.
    fn message(
        &mut self,
        engine: &Engine,
        shared: &Shared,
        moment: Moment,
        number: u64,
        damage: &mut Damage,
    ) -> Result<Option<Arc<Message>>, String> {
        if let Some(message) = shared.restored(number) {
            return Ok(Some(Arc::clone(message)));
        }
        if self.unreadable.contains(&number) {
            return Ok(None);
        }
        let key = number.to_be_bytes();
        let Some(value) = engine.get(Kind::Message, &key)? else {
            damage.name(format_args!(
                "{}: it is missing",
                Kind::Message.describe(&key)
            ));
            self.unreadable.insert(number);
            return Ok(None);
        };
        let message = record::open(Kind::Message as u8, &key, &value).and_then(|mut fields| {
            let topic = record::message::read_topic(&mut fields)?;
            record::message::read(fields, topic, moment)
        });
        match message {
            Ok(message) => Ok(Some(Arc::new(message))),
            Err(why) => {
                damage.found(Kind::Message, &key, &value, why);
                self.unreadable.insert(number);
                Ok(None)
            }
        }
    }

    /// What a Session that is gone has left.
    fn take_away(&self, engine: &Engine, found: &mut Queue) -> Result<(), String> {
        for kind in [Kind::Queue, Kind::Sent] {
            for entry in self.entries(engine, kind, found.session) {
                found.damage.orphan(kind, &entry?.0);
            }
        }
        Ok(())
    }

    /// What a Session has in one of the two keyspaces, as far as it is of earlier runs.
    fn entries(
        &self,
        engine: &Engine,
        kind: Kind,
        session: SessionNumber,
    ) -> impl Iterator<Item = Result<(fjall::UserKey, fjall::UserValue), String>> + use<> {
        let start = keyspace::of_place(session, Place::from_u64(0));
        let end = keyspace::of_place(session, Place::new(self.first_new, false));
        engine.range(kind, &start, Bound::Excluded(&end))
    }
}

/// The first Session from `from` on that has something in this keyspace.
fn next_session(engine: &Engine, kind: Kind, from: u64) -> Result<Option<SessionNumber>, String> {
    let start = keyspace::of_place(SessionNumber(from), Place::from_u64(0));
    let first = engine.range(kind, &start, Bound::Unbounded).next();
    Ok(first
        .transpose()?
        .and_then(|(key, _)| keyspace::session_of(&key)))
}
