//! What of Sessions and messages survives the broker: what the journal is told, and what is made of it at the next start.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hashbrown::{HashMap, HashSet};
use hookmq_mqtt::TopicName;
use parking_lot::Mutex;

use super::Inner;
use super::sessions::{Entry, StandingWill, State, Subscription, Tagged};
use super::timers::Due;
use crate::client::ClientInfo;
use crate::message::Message;
use crate::session::{Session, SessionRef};
use crate::store::journal::{Journal, Ticket};
use crate::store::ledger::Ledger;
use crate::store::{
    Change, Durability, Moment, Restored, RestoredQueue, RestoredSession, SessionNumber,
    StoredSession,
};

/// How often it is looked whether the wall clock was set.
const LOOKS_EVERY: Duration = Duration::from_secs(2);
/// Clocks that are slowed or hurried to be right differ by less.
const SET_BY: Duration = Duration::from_secs(5);

/// Restored Sessions by their number, for their queues.
pub(crate) type ByNumber = HashMap<SessionNumber, Arc<Entry>>;

impl Inner {
    /// What the rule for a topic says.
    pub(super) fn rule_for(&self, topic: &str) -> Option<Durability> {
        self.storage
            .topics
            .iter()
            .find(|(filter, _)| filter.matches(topic))
            .map(|(_, durability)| *durability)
    }

    /// What an acknowledgement promises for a topic that no client publishes to.
    pub(crate) fn durability_of(&self, topic: &str) -> Durability {
        match self.journal.get() {
            Some(_) => self.rule_for(topic).unwrap_or(self.storage.durability),
            None => Durability::None,
        }
    }

    /// Waits until the store has come so far.
    pub(crate) async fn wait_for(&self, ticket: Ticket) {
        if let Some(journal) = self.journal.get() {
            journal.wait(ticket).await;
        }
    }

    /// Waits until the store has caught up, if it has to.
    pub(super) async fn wait_for_room(&self) {
        if let Some(journal) = self.journal.get() {
            journal.wait_for_room().await;
        }
    }

    /// The line to the journal for a Session that must survive: it has an expiry, and its listener does not say otherwise.
    pub(super) fn ledger_for(
        &self,
        session_expiry_interval: u32,
        durability: Durability,
    ) -> Option<Arc<Ledger>> {
        let journal = self.journal.get()?;
        (session_expiry_interval > 0 && durability != Durability::None)
            .then(|| Arc::new(Ledger::new(journal, journal.session_number(), durability)))
    }

    /// Tells how a Session is now. Called under its state's lock, so that the latest word is the last.
    pub(super) fn tell_session(&self, entry: &Entry, state: &State) -> Ticket {
        let (Some(ledger), Some(client)) = (&state.ledger, &state.client) else {
            return Ticket::NONE;
        };
        ledger.push(Change::Session(Box::new(StoredSession {
            number: ledger.session,
            client_id: entry.session.0.client_id().clone(),
            username: client.username.clone(),
            endpoint: client.endpoint.clone(),
            listener: client.listener.to_string(),
            version: client.version,
            keep_alive: client.keep_alive,
            session_expiry_interval: state.session_expiry_interval,
            will: state.will.as_ref().map(|will| Arc::clone(&will.will)),
            away_since: state.away_since,
        })))
    }

    /// A message was retained. Called under the lock of retained messages.
    pub(crate) fn tell_retained(&self, message: Arc<Message>, durability: Durability) -> Ticket {
        // Held until it is told, so that who clears the one that was left does so before, or not at all.
        let mut left = self.retained_left.lock();
        left.remove(message.topic.as_str());
        match (self.journal.get(), durability) {
            (None, _) => Ticket::NONE,
            // What the store may have from before is not what is retained now.
            (Some(journal), Durability::None) => {
                journal.push(
                    Change::RetainedCleared(message.topic.clone()),
                    Durability::Os,
                );
                Ticket::NONE
            }
            (Some(journal), durability) => journal.push(Change::Retained(message), durability),
        }
    }

    /// Removes every retained message; returns how many there were.
    pub(crate) fn clear_retained(&self) -> usize {
        if self.journal.get().is_none() {
            return self.retained.clear_all();
        }
        let mut topics = Vec::new();
        self.retained
            .for_each(|_, message| topics.push(message.topic.clone()));
        for topic in std::mem::take(&mut *self.retained_left.lock()) {
            self.tell_cleared(&topic, Durability::Os);
        }
        let clear = |topic: &TopicName| {
            self.retained.clear_if(topic, |_| {
                self.tell_cleared(topic, Durability::Os);
                true
            })
        };
        topics.iter().filter_map(clear).count()
    }

    /// A topic has no retained message any more. Called under the lock of retained messages.
    pub(crate) fn tell_cleared(&self, topic: &TopicName, durability: Durability) -> Ticket {
        self.journal.get().map_or(Ticket::NONE, |journal| {
            journal.push(
                Change::RetainedCleared(topic.clone()),
                durability.max(Durability::Os),
            )
        })
    }

    /// A topic that has no retained message here is cleared: the store may have one that did not fit at the start.
    pub(super) fn tell_left_cleared(&self, topic: &str, durability: Durability) -> Ticket {
        let mut left = self.retained_left.lock();
        match left.take(topic) {
            Some(topic) => self.tell_cleared(&topic, durability),
            None => Ticket::NONE,
        }
    }

    /// Takes in what the store has, but for queues.
    pub(crate) fn restore(
        &self,
        journal: &Arc<Journal>,
        restored: Restored,
        moment: Moment,
    ) -> ByNumber {
        let _ = self.journal.set(Arc::clone(journal));
        self.loaded.send_replace(0);
        self.restore_retained(restored.retained, moment);
        let maximum = self.session_settings.maximum_session_expiry_interval;
        let mut n_shortened = 0_usize;
        let mut by_number = ByNumber::default();
        for mut session in restored.sessions {
            let number = session.session.number;
            let interval = &mut session.session.session_expiry_interval;
            n_shortened += usize::from(*interval > maximum);
            *interval = maximum.min(*interval);
            by_number.insert(number, self.restore_session(journal, session, moment));
        }
        if n_shortened > 0 {
            tracing::warn!(
                "store: {n_shortened} sessions end earlier than their clients were told, {maximum} s after their connection: session.maximum_session_expiry_interval"
            );
        }
        by_number
    }

    fn restore_retained(&self, messages: Vec<Message>, moment: Moment) {
        let mut left = HashSet::new();
        let mut why = None;
        for message in messages {
            // It would take the room of one that lives.
            if message.is_expired(moment.now) {
                self.tell_cleared(&message.topic, Durability::Os);
                continue;
            }
            let message = Arc::new(message);
            let size = message.size();
            if let Err(full) = self
                .retained
                .set(&message.topic, Arc::clone(&message), size)
            {
                left.insert(message.topic.clone());
                why = Some(full);
            }
        }
        if let Some(full) = why {
            let n_left = left.len();
            tracing::warn!(%full, "store: {n_left} retained messages are left where they are");
        }
        *self.retained_left.lock() = left;
    }

    fn restore_session(
        &self,
        journal: &Arc<Journal>,
        restored: RestoredSession,
        moment: Moment,
    ) -> Arc<Entry> {
        let RestoredSession {
            session: stored,
            subscriptions,
            received,
        } = restored;
        let session = Session::new(
            stored.client_id.clone(),
            &self.session_settings,
            &self.budget,
        );
        let durability = self.storage.durability;
        let ledger = Arc::new(Ledger::new(journal, stored.number, durability));
        session.restore(ledger.clone(), &received);
        let client = Arc::new(ClientInfo {
            username: stored.username,
            endpoint: stored.endpoint,
            listener: stored.listener.into(),
            version: stored.version,
            keep_alive: stored.keep_alive,
            ..ClientInfo::named(stored.client_id)
        });
        session.set_client(Arc::clone(&client));
        let entry = Arc::new(Entry {
            session: SessionRef(Arc::new(session)),
            state: Mutex::new(State::default()),
        });
        let mut state = entry.state.lock();
        for (filter, stored) in subscriptions {
            let subscription = Subscription {
                options: stored.options,
                identifier: stored.identifier,
            };
            let (options, identifier) = stored.asked;
            let asked = Subscription {
                options,
                identifier,
            };
            self.router.subscribe(
                filter.share_name(),
                filter.filter(),
                &entry.session,
                subscription,
            );
            let tagged = Tagged::of(&stored.tags, asked);
            // The store knows it: the Session has no line to the journal yet.
            state.subscribe(&filter, subscription, tagged);
        }
        state.client = Some(client);
        state.epoch = self.next_epoch();
        state.session_expiry_interval = stored.session_expiry_interval;
        state.will = stored
            .will
            .map(|will| StandingWill::restored(&self.budget, will));
        state.away_since = stored.away_since;
        state.ledger = Some(ledger);
        if state.away_since.is_none() {
            // Its connection ended with the broker; nobody knows when that was.
            state.away_since = Some(moment.wall);
            self.tell_session(&entry, &state);
        }
        self.set_timers(&entry, &mut state, moment);
        drop(state);
        self.sessions.insert(Arc::clone(&entry));
        entry
    }

    /// Sets the timers of a Session whose client is away.
    pub(super) fn set_timers(&self, entry: &Entry, state: &mut State, moment: Moment) {
        let client_id = entry.session.0.client_id();
        let expiry = state.session_expiry_interval;
        let away_since = state.away_since.unwrap_or(moment.wall);
        // A wall clock that was set back since does not make the time longer.
        let away_since = away_since.min(moment.wall);
        let since = moment.to_steady(away_since);
        let after = |seconds: u32| {
            let interval = Duration::from_secs(seconds.into());
            match since {
                Some(since) => since.checked_add(interval),
                // So long ago that the steady clock cannot tell.
                None => moment
                    .to_steady(away_since.checked_add(interval)?)
                    .or(Some(moment.now)),
            }
        };
        if let Some(at) = state
            .will
            .as_ref()
            .and_then(|standing| after(standing.will.delay_interval.min(expiry)))
        {
            let due = Due::Will(client_id.clone(), state.epoch);
            state.timers.push(self.timers.add(at, due));
        }
        if let Some(at) = Some(expiry)
            .filter(|expiry| *expiry != u32::MAX)
            .and_then(after)
        {
            let due = Due::SessionExpiry(client_id.clone(), state.epoch);
            state.timers.push(self.timers.add(at, due));
        }
    }

    /// Takes in the next queue that the store has, or that there is none any more.
    pub(crate) fn restore_queue(&self, by_number: &mut ByNumber, queue: Option<RestoredQueue>) {
        let Some(queue) = queue else {
            // Sessions that end from here on are not to be kept by it.
            *by_number = ByNumber::default();
            self.loaded.send_replace(u64::MAX);
            return;
        };
        let number = queue.session;
        if let Some(entry) = by_number.remove(&number) {
            entry.session.0.sending().restore(queue.messages);
        }
        self.loaded.send_replace(number.0.saturating_add(1));
    }

    /// Waits until the queue of a restored Session is there.
    pub(super) async fn wait_loaded(&self, entry: &Entry) {
        let Some(number) = entry.session.0.ledger().map(|ledger| ledger.session.0) else {
            return;
        };
        let mut loaded = self.loaded.subscribe();
        // The sender lives as long as the broker.
        let _ = loaded.wait_for(|loaded| *loaded > number).await;
    }

    /// Sees that the wall clock was set while the broker runs, until the broker is gone: since when clients are away is told by it.
    pub(crate) async fn run_clock(self: Arc<Self>, since: Moment) {
        if self.journal.get().is_none() {
            return;
        }
        let mut last = since;
        loop {
            tokio::time::sleep(LOOKS_EVERY).await;
            let now = self.moment();
            // Where the clock would be, had nobody touched it.
            let expected = last.to_wall(now.now);
            let (by, is_ahead) = match now.wall.duration_since(expected) {
                Ok(ahead) => (ahead, true),
                Err(behind) => (behind.duration(), false),
            };
            if by >= SET_BY {
                tracing::info!("the wall clock was set by {by:?}");
                self.shift_away(by, is_ahead);
            }
            last = now;
        }
    }

    fn shift_away(&self, by: Duration, is_ahead: bool) {
        for entry in self.sessions.all() {
            let mut state = entry.state.lock();
            let Some(since) = state.away_since else {
                continue;
            };
            let shifted = if is_ahead {
                since.checked_add(by)
            } else {
                since.checked_sub(by)
            };
            state.away_since = Some(shifted.unwrap_or(since));
            self.tell_session(&entry, &state);
        }
    }

    /// Now, by both clocks.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            now: crate::now(),
            wall: self.wall(),
        }
    }

    pub(super) fn wall(&self) -> SystemTime {
        self.clock.now()
    }
}
