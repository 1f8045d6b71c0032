//! Those who stay for the whole soak: publishers at a steady rate, subscribers that are there, that come and go, and that change their
//! minds. Now and then one is taken over by another connection of its own, or vanishes and comes back.

use std::time::Instant;

use hookmq_mqtt::{ProtocolVersion, QoS};

use super::member::{Habit, Member, Role, Subscription};
use super::{Ground, seconds};
use crate::Outcome;

const V3: ProtocolVersion = ProtocolVersion::V311;
const V5: ProtocolVersion = ProtocolVersion::V5;
const ZERO: QoS = QoS::AtMostOnce;
const ONE: QoS = QoS::AtLeastOnce;
const TWO: QoS = QoS::ExactlyOnce;

/// Publishers: with protocol, QoS and messages per second.
const PUBLISHERS: [(&str, ProtocolVersion, QoS, f64); 6] = [
    ("publisher-3-0", V3, ZERO, 100.0),
    ("publisher-5-0", V5, ZERO, 100.0),
    ("publisher-3-1", V3, ONE, 100.0),
    ("publisher-5-1", V5, ONE, 100.0),
    ("publisher-3-2", V3, TWO, 75.0),
    ("publisher-5-2", V5, TWO, 75.0),
];
/// Subscribers: with protocol, QoS and habit.
const RECEIVERS: [(&str, ProtocolVersion, QoS, Habit); 11] = [
    ("live-5-0", V5, ZERO, Habit::Stays),
    ("live-3-1", V3, ONE, Habit::Stays),
    ("live-3-2", V3, TWO, Habit::Stays),
    ("live-5-1", V5, ONE, Habit::Stays),
    ("live-5-2", V5, TWO, Habit::Stays),
    ("away-3-1", V3, ONE, Habit::ComesAndGoes),
    ("away-3-2", V3, TWO, Habit::ComesAndGoes),
    ("away-5-1", V5, ONE, Habit::ComesAndGoes),
    ("away-5-2", V5, TWO, Habit::ComesAndGoes),
    ("fickle-3-1", V3, ONE, Habit::Changes),
    ("fickle-5-2", V5, TWO, Habit::Changes),
];
/// How many publish.
pub(super) const N_PUBLISHERS: usize = PUBLISHERS.len();

/// See the module.
pub(super) struct Crowd {
    members: Vec<Member>,
    has_load: bool,
    next_takeover: Instant,
    next_vanishing: Instant,
    /// The newest generation of the script that a message was stamped with.
    pub(super) newest_stamp: u64,
    /// Filters that were subscribed to and are never published to.
    n_passing: u64,
}

/// Publishers for the ledger.
pub(super) fn publishers() -> Vec<QoS> {
    PUBLISHERS.iter().map(|(_, _, qos, _)| *qos).collect()
}

/// Receivers for the ledger.
pub(super) fn receivers() -> Vec<(String, QoS)> {
    RECEIVERS
        .iter()
        .map(|(name, _, qos, _)| ((*name).to_owned(), *qos))
        .collect()
}

impl Crowd {
    /// Everybody, not connected yet.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let mut members = Vec::new();
        for (number, (name, version, qos, habit)) in RECEIVERS.into_iter().enumerate() {
            let all = Subscription::new(vec!["soak/#".to_owned()], None);
            let each =
                |publisher| Subscription::new(vec![format!("soak/{publisher}/#")], Some(publisher));
            let subscriptions = match habit {
                Habit::Changes => (0..N_PUBLISHERS).map(each).collect(),
                _ => vec![all],
            };
            let role = Role::Receives {
                number,
                qos,
                habit,
                subscriptions,
                asked: None,
                next_change: now,
            };
            members.push(Member::new(name, version, role));
        }
        for (number, (name, version, qos, rate)) in PUBLISHERS.into_iter().enumerate() {
            let role = Role::Publishes {
                number,
                qos,
                rate,
                due: 0.0,
                since: now,
            };
            members.push(Member::new(name, version, role));
        }
        Self {
            members,
            has_load: true,
            next_takeover: now + seconds(5.0),
            next_vanishing: now + seconds(7.0),
            newest_stamp: 0,
            n_passing: 0,
        }
    }

    /// No more messages and no more changes: everybody comes and stays.
    pub(super) fn calm_down(&mut self) {
        self.has_load = false;
        for member in &mut self.members {
            member.next = Instant::now();
        }
    }

    /// Whether everybody is connected and nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.members.iter().all(|member| {
            let is_asking = matches!(member.role, Role::Receives { asked: Some(_), .. });
            member.client.is_quiet() && !is_asking
        })
    }

    /// Lets everybody do what there is to do.
    pub(super) fn turn(&mut self, ground: &mut Ground) -> Outcome {
        if self.has_load {
            self.disturb(ground)?;
        }
        for member in &mut self.members {
            let stamp = member.turn(self.has_load, &mut self.n_passing, ground)?;
            self.newest_stamp = self.newest_stamp.max(stamp.unwrap_or_default());
        }
        Ok(())
    }

    fn disturb(&mut self, ground: &mut Ground) -> Outcome {
        let now = Instant::now();
        if now >= self.next_takeover {
            self.next_takeover = now + seconds(0.5 + 2.0 * ground.rng.f64());
            let at = ground.rng.usize(..self.members.len());
            if let Some(member) = self.members.get_mut(at)
                && member.client.is_up()
            {
                member.client.connect(ground.address)?;
                member.is_down(ground);
                ground.ledger.counts.takeovers += 1;
            }
        }
        if now >= self.next_vanishing {
            self.next_vanishing = now + seconds(1.0 + 4.0 * ground.rng.f64());
            let at = ground.rng.usize(..self.members.len());
            if let Some(member) = self.members.get_mut(at)
                && member.client.is_up()
            {
                member.client.vanish();
                member.is_down(ground);
                member.next = now + seconds(0.3 * ground.rng.f64());
            }
        }
        Ok(())
    }
}
