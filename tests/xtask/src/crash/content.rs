//! What message is the n-th of a publisher: its topic and every byte of its payload follow from its name, so that one that arrives
//! can be told from one that was never sent.

use fastrand::Rng;

/// Topics of each publisher.
const SLOTS: u64 = 3;
/// One message of so many is retained, and nobody who is judged for it subscribes to it.
const ONE_IS_KEPT: u64 = 10;
/// One retained message of so many is empty and clears its topic.
const ONE_CLEARS: u64 = 7;

/// Names a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name {
    /// Of the whole run, so that what an earlier one left is not taken for this one's.
    pub(super) run: u64,
    pub(super) publisher: usize,
    pub(super) number: u64,
}

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// For subscribers.
    Load,
    /// Retained in this slot.
    Kept(u64),
    /// Clears this slot.
    Clear(u64),
}

impl Name {
    /// What it is for.
    pub(super) const fn kind(self) -> Kind {
        if self.number % ONE_IS_KEPT != ONE_IS_KEPT - 1 {
            return Kind::Load;
        }
        let nth = self.number / ONE_IS_KEPT;
        if nth % ONE_CLEARS == ONE_CLEARS - 1 {
            Kind::Clear(nth % SLOTS)
        } else {
            Kind::Kept(nth % SLOTS)
        }
    }

    /// Its Topic Name.
    pub(super) fn topic(self) -> String {
        match self.kind() {
            Kind::Load => format!("load/{}/{}", self.publisher, self.number % SLOTS),
            Kind::Kept(slot) | Kind::Clear(slot) => kept_topic(self.publisher, slot),
        }
    }

    /// Its payload.
    pub(super) fn payload(self) -> Vec<u8> {
        if matches!(self.kind(), Kind::Clear(_)) {
            return Vec::new();
        }
        let Self {
            run,
            publisher,
            number,
        } = self;
        let mut payload = format!("{run} {publisher} {number} ").into_bytes();
        let mut rng = Rng::with_seed(run ^ (publisher as u64) << 48 ^ number << 8);
        let more = match rng.u8(..) {
            0..4 => rng.usize(4_000..9_000),
            4..40 => rng.usize(500..2_000),
            _ => rng.usize(10..200),
        };
        let head = payload.len();
        payload.resize(head + more, 0);
        rng.fill(&mut payload[head..]);
        payload
    }

    /// The name of what arrived, if it is whole and in its place.
    pub(super) fn of(topic: &str, payload: &[u8]) -> Option<Self> {
        let head = payload.get(..payload.len().min(64))?;
        let mut words = head.split(|byte| *byte == b' ');
        let mut word = || str::from_utf8(words.next()?).ok();
        let name = Self {
            run: word()?.parse().ok()?,
            publisher: word()?.parse().ok()?,
            number: word()?.parse().ok()?,
        };
        (name.payload() == payload && name.topic() == topic).then_some(name)
    }
}

/// The topic of a publisher's retained messages.
pub(super) fn kept_topic(publisher: usize, slot: u64) -> String {
    format!("kept/{publisher}/{slot}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_bytes_and_its_topic() {
        for number in 0..200 {
            let name = Name {
                run: 77,
                publisher: 2,
                number,
            };
            let mut payload = name.payload();
            if payload.is_empty() {
                assert!(matches!(name.kind(), Kind::Clear(_)));
                continue;
            }
            assert_eq!(Name::of(&name.topic(), &payload), Some(name));
            assert_eq!(Name::of("load/2/9", &payload), None);
            if let Some(last) = payload.last_mut() {
                *last ^= 1;
            }
            assert_eq!(Name::of(&name.topic(), &payload), None);
            payload.pop();
            assert_eq!(Name::of(&name.topic(), &payload), None);
        }
    }
}
