//! What is owed to whom: every acknowledged message until it has arrived, and the flaws found so far.
//!
//! It holds what is under way and nothing that has arrived: messages of one publisher arrive in their order, so a number at or below the
//! newest one that is owed no more has been there before. What it holds is bounded by the rate and by how long anybody is away.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hookmq_mqtt::QoS;

use crate::flaws::Flaws;

/// A message that a connected receiver has not got this long after its acknowledgement counts as lost, until it comes after all.
pub(super) const PATIENCE: Duration = Duration::from_secs(45);

/// A way to break the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flaw {
    /// An acknowledged message did not arrive.
    Lost,
    /// A QoS 2 message arrived twice.
    Twice,
    /// A message arrived before an older one of the same publisher.
    Order,
    /// A payload or topic that nobody sent, a wrong QoS, a missing stamp.
    Garbage,
    /// A Will did not arrive.
    Will,
    /// A Will arrived that must not, too early, or twice.
    WillAnyway,
    /// Retained messages are not those that were kept.
    Retained,
    /// A Session is there that has expired, or is not there that has not.
    Session,
    /// A message arrived after it had expired, or after its subscription had ended.
    Stale,
    /// A script that was saved is not taken.
    Reload,
    /// A packet that the standard does not allow there, a connection that ends for no reason.
    Protocol,
    /// The broker panicked, ended by itself, hung, or complains in its log.
    Broker,
}

/// Figures for the report.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) delivered: u64,
    pub(super) delivered_qos0: u64,
    pub(super) again: u64,
    pub(super) late: u64,
    pub(super) connects: u64,
    pub(super) takeovers: u64,
    pub(super) client_ids: u64,
    pub(super) topics: u64,
    pub(super) subscribed: u64,
    pub(super) wills: u64,
    pub(super) wills_cancelled: u64,
    pub(super) retained_set: u64,
    pub(super) retained_read: u64,
    pub(super) sessions_resumed: u64,
    pub(super) sessions_expired: u64,
    pub(super) messages_expired: u64,
    pub(super) reloads: u64,
}

/// See the module.
pub(super) struct Ledger {
    publishers: Vec<Published>,
    receivers: Vec<Receiver>,
    pub(super) flaws: Flaws<Flaw>,
    pub(super) counts: Counts,
}

struct Published {
    qos: QoS,
    next: u64,
}

struct Receiver {
    name: String,
    qos: QoS,
    /// Since when it is connected, if it is.
    up_since: Option<Instant>,
    /// By publisher.
    from: Vec<Flow>,
}

#[derive(Default)]
struct Flow {
    is_on: bool,
    /// Nothing from this number on may come while it is off.
    ended_at: u64,
    /// Above the newest number that came.
    end: u64,
    /// Ascending.
    owed: VecDeque<Owed>,
}

struct Owed {
    number: u64,
    acknowledged: Option<Instant>,
    is_counted_lost: bool,
}

impl Ledger {
    /// An empty one for so many publishers and receivers, each with its QoS.
    pub(super) fn new(publishers: &[QoS], receivers: &[(String, QoS)]) -> Self {
        let receiver = |(name, qos): &(String, QoS)| Receiver {
            name: name.clone(),
            qos: *qos,
            up_since: None,
            from: publishers.iter().map(|_| Flow::default()).collect(),
        };
        let published = |qos: &QoS| Published { qos: *qos, next: 0 };
        Self {
            publishers: publishers.iter().map(published).collect(),
            receivers: receivers.iter().map(receiver).collect(),
            flaws: Flaws::default(),
            counts: Counts::default(),
        }
    }

    /// The number of the publisher's next message, which is sent now.
    pub(super) fn sends(&mut self, publisher: usize) -> u64 {
        let published = &mut self.publishers[publisher];
        let number = published.next;
        published.next += 1;
        self.counts.sent += 1;
        if published.qos > QoS::AtMostOnce {
            for receiver in &mut self.receivers {
                let flow = &mut receiver.from[publisher];
                if flow.is_on && receiver.qos > QoS::AtMostOnce {
                    flow.owed.push_back(Owed {
                        number,
                        acknowledged: None,
                        is_counted_lost: false,
                    });
                }
            }
        }
        number
    }

    /// PUBACK or PUBREC has come.
    pub(super) fn is_acknowledged(&mut self, publisher: usize, number: u64) {
        self.counts.acknowledged += 1;
        let now = Instant::now();
        for receiver in &mut self.receivers {
            let flow = &mut receiver.from[publisher];
            if let Ok(at) = flow.owed.binary_search_by_key(&number, |owed| owed.number)
                && let Some(owed) = flow.owed.get_mut(at)
            {
                owed.acknowledged = Some(now);
            }
        }
    }

    /// A message has come, anew by the rules of its QoS.
    pub(super) fn delivers(&mut self, receiver: usize, publisher: usize, number: u64, qos: QoS) {
        let Some(published) = self.publishers.get(publisher) else {
            return self
                .flaws
                .add(Flaw::Garbage, format!("from a publisher {publisher}"));
        };
        let (sent_qos, next) = (published.qos, published.next);
        let receiver = &mut self.receivers[receiver];
        let (name, expected) = (receiver.name.clone(), sent_qos.min(receiver.qos));
        let flow = &mut receiver.from[publisher];
        let (newest, is_off, ended_at) = (flow.end, !flow.is_on, flow.ended_at);
        flow.end = newest.max(number + 1);
        let told = format!("{name} got {number} of publisher {publisher}");
        if qos != expected || number >= next {
            let words = format!("{told} with {qos:?}; {expected:?}, and below {next}");
            self.flaws.add(Flaw::Garbage, words);
            return;
        }
        if qos == QoS::AtMostOnce {
            self.counts.delivered_qos0 += 1;
            return;
        }
        let known = flow.owed.binary_search_by_key(&number, |owed| owed.number);
        let is_late = known.is_ok() && number < newest;
        let owed = known.ok().and_then(|at| flow.owed.remove(at));
        match owed {
            Some(owed) => {
                self.counts.delivered += 1;
                if owed.is_counted_lost {
                    self.counts.late += 1;
                    self.flaws.take_back(Flaw::Lost);
                }
                if is_late {
                    self.flaws
                        .add(Flaw::Order, format!("{told} after {}", newest - 1));
                }
            }
            // Of a subscription that begins or ends right now.
            None if number >= newest => {
                self.counts.delivered += 1;
                if is_off && number >= ended_at {
                    self.flaws
                        .add(Flaw::Stale, format!("{told}, sent after UNSUBACK"));
                }
            }
            None if expected == QoS::ExactlyOnce => {
                self.flaws.add(Flaw::Twice, format!("{told} again"));
            }
            None => self.counts.again += 1,
        }
    }

    /// The receiver's subscription to this publisher is in force: whatever is sent from now on is owed.
    pub(super) fn begins(&mut self, receiver: usize, publisher: usize) {
        self.receivers[receiver].from[publisher].is_on = true;
    }

    /// The subscription is about to be given up: nothing is owed any more.
    pub(super) fn gives_up(&mut self, receiver: usize, publisher: usize) {
        let flow = &mut self.receivers[receiver].from[publisher];
        flow.is_on = false;
        flow.ended_at = u64::MAX;
        flow.owed.clear();
    }

    /// The receiver's Session is gone, and with it what was owed.
    pub(super) fn is_forgotten(&mut self, receiver: usize) {
        let receiver = &mut self.receivers[receiver];
        let mut n_lost = 0;
        for flow in &mut receiver.from {
            let owed = flow.owed.drain(..);
            let lost = owed.filter(|owed| owed.acknowledged.is_some() && !owed.is_counted_lost);
            n_lost += lost.count() as u64;
        }
        if n_lost > 0 {
            let words = format!("{n_lost} messages with the Session of {}", receiver.name);
            self.flaws.add_many(Flaw::Lost, n_lost, words);
        }
    }

    /// UNSUBACK has come: nothing that is sent from now on may arrive.
    pub(super) fn ended(&mut self, receiver: usize, publisher: usize) {
        let next = self.publishers[publisher].next;
        self.receivers[receiver].from[publisher].ended_at = next;
    }

    /// The receiver is connected, or not.
    pub(super) fn is_up(&mut self, receiver: usize, is_up: bool) {
        let up_since = &mut self.receivers[receiver].up_since;
        *up_since = is_up.then(|| up_since.unwrap_or_else(Instant::now));
    }

    /// Messages that are acknowledged and have not arrived.
    pub(super) fn n_owed(&self) -> usize {
        let flows = self.receivers.iter().flat_map(|one| &one.from);
        let owed = flows.flat_map(|flow| &flow.owed);
        owed.filter(|owed| owed.acknowledged.is_some()).count()
    }

    /// Counts as lost what somebody who is connected has waited for so long.
    pub(super) fn look(&mut self, patience: Duration) {
        let now = Instant::now();
        let is_over = |since: Instant| now.saturating_duration_since(since) > patience;
        let mut lost = Vec::new();
        for receiver in &mut self.receivers {
            if !receiver.up_since.is_some_and(is_over) {
                continue;
            }
            for (publisher, flow) in receiver.from.iter_mut().enumerate() {
                for owed in &mut flow.owed {
                    if owed.acknowledged.is_some_and(is_over) && !owed.is_counted_lost {
                        owed.is_counted_lost = true;
                        lost.push((receiver.name.clone(), publisher, owed.number, flow.end));
                    }
                }
            }
        }
        for (name, publisher, number, end) in lost {
            let words = format!(
                "{name} does not get {number} of publisher {publisher}; below {end} something came"
            );
            self.flaws.add(Flaw::Lost, words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: QoS = QoS::ExactlyOnce;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(&[TWO], &[("r".into(), TWO)]);
        ledger.begins(0, 0);
        ledger.is_up(0, true);
        ledger
    }

    #[test]
    fn what_was_acknowledged_and_does_not_come_is_lost_until_it_comes() {
        let mut ledger = ledger();
        let (first, second) = (ledger.sends(0), ledger.sends(0));
        ledger.is_acknowledged(0, first);
        ledger.look(Duration::ZERO);
        ledger.look(Duration::ZERO);
        assert_eq!((ledger.flaws.n(Flaw::Lost), ledger.n_owed()), (1, 1));
        ledger.delivers(0, 0, first, TWO);
        ledger.delivers(0, 0, second, TWO);
        assert_eq!((ledger.flaws.n_all(), ledger.counts.late), (0, 1));
    }

    #[test]
    fn nobody_who_is_away_has_lost_anything_yet() {
        let mut ledger = ledger();
        ledger.is_up(0, false);
        let first = ledger.sends(0);
        ledger.is_acknowledged(0, first);
        ledger.look(Duration::ZERO);
        assert_eq!((ledger.flaws.n(Flaw::Lost), ledger.n_owed()), (0, 1));
    }

    #[test]
    fn a_session_that_is_forgotten_loses_what_was_owed() {
        let mut ledger = ledger();
        for number in [ledger.sends(0), ledger.sends(0)] {
            ledger.is_acknowledged(0, number);
        }
        ledger.sends(0);
        ledger.is_forgotten(0);
        assert_eq!((ledger.flaws.n(Flaw::Lost), ledger.n_owed()), (2, 0));
    }

    #[test]
    fn twice_late_and_never_sent_are_told_apart() {
        let mut ledger = ledger();
        let (first, second) = (ledger.sends(0), ledger.sends(0));
        ledger.delivers(0, 0, second, TWO);
        ledger.delivers(0, 0, first, TWO);
        assert_eq!((ledger.flaws.n(Flaw::Order), ledger.flaws.n_all()), (1, 1));
        ledger.delivers(0, 0, first, TWO);
        assert_eq!((ledger.flaws.n(Flaw::Twice), ledger.flaws.n_all()), (1, 2));
        ledger.delivers(0, 0, 7, TWO);
        assert_eq!(
            (ledger.flaws.n(Flaw::Garbage), ledger.flaws.n_all()),
            (1, 3)
        );
    }

    #[test]
    fn after_unsuback_nothing_new_may_come() {
        let mut ledger = ledger();
        let first = ledger.sends(0);
        ledger.gives_up(0, 0);
        let second = ledger.sends(0);
        ledger.ended(0, 0);
        let third = ledger.sends(0);
        ledger.delivers(0, 0, first, TWO);
        ledger.delivers(0, 0, second, TWO);
        assert_eq!(ledger.flaws.n_all(), 0);
        ledger.delivers(0, 0, third, TWO);
        assert_eq!((ledger.flaws.n(Flaw::Stale), ledger.flaws.n_all()), (1, 1));
    }
}
