//! What was promised and what was kept: every message that was sent, who acknowledged it when, and who got it how often.
//!
//! It knows no connection. Clients tell it what they see; it judges.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use hookmq_mqtt::QoS;

use super::content::{Kind, Name, kept_topic};
use crate::flaws::Flaws;

/// A point in the order of all that happens.
pub(super) type Tick = u64;

/// A way to break the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flaw {
    /// An acknowledged message did not arrive.
    Lost,
    /// A QoS 2 message arrived twice.
    Twice,
    /// A message arrived before an older one of the same publisher.
    Order,
    /// A payload or topic that nobody sent.
    Garbage,
    /// A Session, a subscription or its end was forgotten.
    Forgotten,
    /// A topic's Retained Message is none that it may be.
    Retained,
    /// A packet that the standard does not allow there.
    Protocol,
    /// The broker panicked, ended by itself, did not start, hung, or complains in its log.
    Broker,
}

/// See the module.
pub(super) struct Book {
    pub(super) run: u64,
    pub(super) tick: Tick,
    /// Starts of the broker so far.
    pub(super) cycle: usize,
    publishers: Vec<Published>,
    receivers: Vec<Took>,
    pub(super) flaws: Flaws<Flaw>,
    pub(super) counts: Counts,
}

/// Figures for the report.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) resent: u64,
    pub(super) acknowledged: u64,
    pub(super) delivered: u64,
    pub(super) redelivered: u64,
    pub(super) twice: u64,
    pub(super) resumed: u64,
    pub(super) subscribed: u64,
    pub(super) retained: u64,
    /// Lines of the log about what was left out, where that is explained.
    pub(super) named: u64,
}

struct Published {
    qos: QoS,
    /// Number of the first message in `messages`.
    first: u64,
    messages: Vec<Message>,
    /// Numbers of the retained messages of each slot, the last acknowledged one and those after it.
    kept: BTreeMap<u64, Vec<u64>>,
}

struct Message {
    kind: Kind,
    sent: Tick,
    acknowledged: bool,
    /// Starts of the broker when it was first sent, and when it was acknowledged.
    cycles: (usize, usize),
}

struct Took {
    name: String,
    qos: QoS,
    /// It gives its subscription up and takes it again. What was published between, and is published again after a kill, comes to it late and
    /// for the first time, which is as it should be.
    changes: bool,
    /// By publisher.
    from: Vec<Seen>,
}

#[derive(Default, Clone)]
struct Seen {
    /// Above the newest number that arrived.
    end: u64,
    numbers: BTreeSet<u64>,
}

impl Book {
    /// An empty one for so many publishers and receivers, each with its QoS.
    pub(super) fn new(run: u64, publishers: &[QoS], receivers: &[(String, QoS)]) -> Self {
        let published = |qos: &QoS| Published {
            qos: *qos,
            first: 0,
            messages: Vec::new(),
            kept: BTreeMap::new(),
        };
        let took = |(name, qos): &(String, QoS)| Took {
            name: name.clone(),
            qos: *qos,
            changes: false,
            from: vec![Seen::default(); publishers.len()],
        };
        Self {
            run,
            tick: 1,
            cycle: 0,
            publishers: publishers.iter().map(published).collect(),
            receivers: receivers.iter().map(took).collect(),
            flaws: Flaws::default(),
            counts: Counts::default(),
        }
    }

    /// This receiver gives its subscription up now and then.
    pub(super) fn changes(&mut self, receiver: usize) {
        self.receivers[receiver].changes = true;
    }

    /// How many publishers there are.
    pub(super) const fn n_publishers(&self) -> usize {
        self.publishers.len()
    }

    /// The next point in time.
    pub(super) fn now(&mut self) -> Tick {
        self.tick += 1;
        self.tick
    }

    /// The publisher's next message, sent for the first time.
    pub(super) fn sends(&mut self, publisher: usize) -> Name {
        let sent = self.now();
        let published = &mut self.publishers[publisher];
        let number = published.first + published.messages.len() as u64;
        let name = Name {
            run: self.run,
            publisher,
            number,
        };
        if let Kind::Kept(slot) | Kind::Clear(slot) = name.kind() {
            published.kept.entry(slot).or_default().push(number);
        }
        published.messages.push(Message {
            kind: name.kind(),
            sent,
            acknowledged: false,
            cycles: (self.cycle, 0),
        });
        self.counts.sent += 1;
        name
    }

    /// PUBACK or PUBREC has come.
    pub(super) fn is_acknowledged(&mut self, name: Name) {
        self.tick += 1;
        let published = &mut self.publishers[name.publisher];
        let at = name.number.checked_sub(published.first);
        let message = at.and_then(|at| published.messages.get_mut(at as usize));
        if let Some(message) = message
            && !message.acknowledged
        {
            message.acknowledged = true;
            message.cycles.1 = self.cycle;
            self.counts.acknowledged += 1;
            if let Kind::Kept(slot) | Kind::Clear(slot) = message.kind
                && let Some(numbers) = published.kept.get_mut(&slot)
            {
                numbers.retain(|number| *number >= name.number);
            }
        }
    }

    /// A message has come, anew by the rules of its QoS; `is_dup` says what the packet said. `off_since` is when its subscription
    /// ended for sure, if it is known to be over.
    pub(super) fn delivers(
        &mut self,
        receiver: usize,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        off_since: Option<Tick>,
    ) {
        self.tick += 1;
        let whose = self.receivers[receiver].name.clone();
        let known = Name::of(topic, payload)
            .filter(|name| name.run == self.run && name.publisher < self.publishers.len());
        let Some(name) = known else {
            let head = String::from_utf8_lossy(payload.get(..40).unwrap_or(payload)).into_owned();
            self.flaw(
                Flaw::Garbage,
                format!(
                    "{whose} got {} bytes that nobody sent at {topic}: {head:?}",
                    payload.len()
                ),
            );
            return;
        };
        let published = &self.publishers[name.publisher];
        let at = name.number.checked_sub(published.first);
        let message = at.and_then(|at| published.messages.get(at as usize));
        let first_sent = message.map_or(0, |message| message.sent);
        let cycles = message.map_or((0, 0), |message| message.cycles);
        let expected = published.qos.min(self.receivers[receiver].qos);
        let end = published.first + published.messages.len() as u64;
        let changes = self.receivers[receiver].changes;
        let seen = &mut self.receivers[receiver].from[name.publisher];
        let is_new = name.number >= seen.end || {
            // What was forgotten at a settlement had arrived.
            name.number >= published.first && !seen.numbers.contains(&name.number)
        };
        let newest = seen.end.saturating_sub(1);
        let is_late = is_new && name.number < seen.end && !changes;
        seen.end = seen.end.max(name.number + 1);
        seen.numbers.insert(name.number);
        if name.number >= end {
            self.flaw(
                Flaw::Garbage,
                format!("{whose} got {name}, which was not sent yet"),
            );
        }
        if qos != expected {
            self.flaw(
                Flaw::Protocol,
                format!("{whose} got {name} with {qos:?} instead of {expected:?}"),
            );
        }
        if let Some(since) = off_since
            && first_sent > since
        {
            self.flaw(
                Flaw::Forgotten,
                format!("{whose} got {name}, sent after UNSUBACK"),
            );
        }
        if is_late {
            self.flaw(
                Flaw::Order,
                format!("{whose} got {name} after number {newest}"),
            );
        }
        if is_new {
            self.counts.delivered += 1;
        } else if expected == QoS::ExactlyOnce {
            self.counts.twice += 1;
            let (first, then) = cycles;
            let now = self.cycle;
            self.flaw(
                Flaw::Twice,
                format!("{whose} got {name} (sent in start {first}, acknowledged in {then}) again in {now}"),
            );
        } else {
            self.counts.redelivered += 1;
        }
    }

    /// Whether the receiver must still get messages of this publisher, with a subscription in force since then.
    pub(super) fn is_owed(&self, receiver: usize, publisher: usize, since: Tick) -> bool {
        let published = &self.publishers[publisher];
        let seen = &self.receivers[receiver].from[publisher];
        // The newest first: what is missing is mostly on its way.
        let messages = published.messages.iter().enumerate().rev();
        messages
            .take_while(|(_, message)| message.sent > since)
            .any(|(at, message)| {
                message.acknowledged
                    && message.kind == Kind::Load
                    && !seen.numbers.contains(&(published.first + at as u64))
            })
    }

    /// Writes down what is missing as lost, once.
    pub(super) fn lose(&mut self, receiver: usize, publisher: usize, since: Tick) {
        let missing: Vec<u64> = self.missing(receiver, publisher, since).collect();
        // In one line what was sent and acknowledged between the same starts.
        let mut lines: BTreeMap<(usize, usize), Vec<u64>> = BTreeMap::new();
        for number in missing {
            let published = &self.publishers[publisher];
            let message = &published.messages[(number - published.first) as usize];
            lines.entry(message.cycles).or_default().push(number);
        }
        let qos = self.publishers[publisher].qos;
        for ((sent, acknowledged), numbers) in lines {
            let receiver = &mut self.receivers[receiver];
            receiver.from[publisher].numbers.extend(&numbers);
            let newest = receiver.from[publisher].end.saturating_sub(1);
            let words = format!(
                "[start {}] {} never got {} of publisher {publisher} ({qos:?}; sent in start {sent}, acknowledged in {acknowledged}; newest that came: {newest})",
                self.cycle,
                receiver.name,
                ranges(&numbers)
            );
            self.flaws.add_many(Flaw::Lost, numbers.len() as u64, words);
        }
    }

    fn missing(
        &self,
        receiver: usize,
        publisher: usize,
        since: Tick,
    ) -> impl Iterator<Item = u64> + '_ {
        let published = &self.publishers[publisher];
        let seen = &self.receivers[receiver].from[publisher];
        let messages = published.messages.iter().zip(published.first..);
        messages
            .filter(move |(message, _)| {
                message.acknowledged && message.kind == Kind::Load && message.sent > since
            })
            .map(|(_, number)| number)
            .filter(|number| !seen.numbers.contains(number))
    }

    /// Everything has arrived that had to: forgets it.
    pub(super) fn settle(&mut self) {
        for published in &mut self.publishers {
            published.first += published.messages.len() as u64;
            published.messages.clear();
        }
        for receiver in &mut self.receivers {
            for seen in &mut receiver.from {
                seen.numbers.clear();
            }
        }
    }

    /// Topics that may have been retained, each with the payloads that it may have; `None` among them says that it may have none.
    pub(super) fn kept(&self) -> BTreeMap<String, Vec<Option<Name>>> {
        let mut all = BTreeMap::new();
        for (publisher, published) in self.publishers.iter().enumerate() {
            for (slot, numbers) in &published.kept {
                let name = |number: u64| Name {
                    run: self.run,
                    publisher,
                    number,
                };
                let mut may: Vec<Option<Name>> = numbers
                    .iter()
                    .map(|number| name(*number))
                    .map(|name| (!matches!(name.kind(), Kind::Clear(_))).then_some(name))
                    .collect();
                let is_acknowledged = numbers.first().is_some_and(|first| {
                    let message = first
                        .checked_sub(published.first)
                        .and_then(|at| published.messages.get(at as usize));
                    message.is_none_or(|message| message.acknowledged)
                });
                if !is_acknowledged {
                    may.push(None);
                }
                all.insert(kept_topic(publisher, *slot), may);
            }
        }
        all
    }

    /// Writes down a flaw.
    pub(super) fn flaw(&mut self, flaw: Flaw, words: impl fmt::Display) {
        self.flaws
            .add(flaw, format_args!("[start {}] {words}", self.cycle));
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "number {} of publisher {}",
            self.number, self.publisher
        )
    }
}

/// Ascending numbers in short.
fn ranges(numbers: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let words = |(first, last): &(u64, u64)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    };
    let words: Vec<String> = ranges.iter().map(words).collect();
    format!("{} messages ({})", numbers.len(), words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: QoS = QoS::ExactlyOnce;

    fn book() -> Book {
        Book::new(
            5,
            &[TWO],
            &[("r".into(), TWO), ("once".into(), QoS::AtLeastOnce)],
        )
    }

    fn arrives(book: &mut Book, receiver: usize, name: Name, qos: QoS) {
        book.delivers(receiver, &name.topic(), &name.payload(), qos, None);
    }

    #[test]
    fn what_was_acknowledged_and_does_not_arrive_is_lost() {
        let mut book = book();
        let (first, second) = (book.sends(0), book.sends(0));
        book.is_acknowledged(first);
        book.is_acknowledged(second);
        arrives(&mut book, 0, first, TWO);
        assert!(book.is_owed(0, 0, 0));
        let now = book.now();
        assert!(!book.is_owed(0, 0, now), "subscribed afterwards");
        book.lose(0, 0, 0);
        assert_eq!(
            (book.flaws.n(Flaw::Lost), book.is_owed(0, 0, 0)),
            (1, false)
        );
        let third = book.sends(0);
        assert!(!book.is_owed(0, 0, 0), "not acknowledged: {third}");
    }

    #[test]
    fn twice_late_and_never_sent_are_told_apart() {
        let mut book = book();
        let (first, second) = (book.sends(0), book.sends(0));
        arrives(&mut book, 0, second, TWO);
        arrives(&mut book, 0, first, TWO);
        assert_eq!(book.flaws.n(Flaw::Order), 1);
        arrives(&mut book, 0, first, TWO);
        assert_eq!((book.flaws.n(Flaw::Twice), book.flaws.n_all()), (1, 2));
        arrives(&mut book, 1, first, QoS::AtLeastOnce);
        arrives(&mut book, 1, first, QoS::AtLeastOnce);
        assert_eq!((book.counts.redelivered, book.flaws.n_all()), (1, 2));
        book.delivers(1, "load/0/0", b"what", QoS::AtLeastOnce, None);
        assert_eq!(book.flaws.n(Flaw::Garbage), 1);
        book.settle();
        arrives(&mut book, 0, second, TWO);
        assert_eq!(
            book.flaws.n(Flaw::Twice),
            2,
            "forgotten, yet it had arrived"
        );
    }

    #[test]
    fn a_topic_retains_the_last_acknowledged_or_a_later_one() {
        let mut book = book();
        let mut kept = Vec::new();
        while kept.len() < 4 {
            let name = book.sends(0);
            if name.kind() == Kind::Kept(0) {
                kept.push(name);
            }
        }
        let topic = kept_topic(0, 0);
        assert_eq!(book.kept()[&topic].last(), Some(&None), "nothing yet");
        book.is_acknowledged(kept[1]);
        assert!(!book.kept()[&topic].contains(&Some(kept[0])));
        assert!(book.kept()[&topic].contains(&Some(kept[1])));
        assert!(book.kept()[&topic].contains(&Some(kept[3])));
        assert_eq!(
            book.kept()[&topic].contains(&None),
            (0..)
                .map(|number| Name { number, ..kept[0] })
                .take_while(|name| name.number <= kept[3].number + 50)
                .filter(|name| name.number > kept[1].number && name.number <= kept[3].number)
                .any(|name| name.kind() == Kind::Clear(0))
        );
    }
}
