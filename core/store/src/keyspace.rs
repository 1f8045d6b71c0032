//! The keyspaces, and what their keys look like. Numbers are big-endian, so that order is by time.

use hookmq_broker::store::{Place, SessionNumber};
use hookmq_mqtt::{PacketIdentifier, TopicFilter};
use sha2::{Digest, Sha256};

/// The kinds of record. The number goes into each record's checksum and must not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Name -> number: format, commit number, numbers in use.
    Meta = 0,
    /// Session number -> Session.
    Session = 1,
    /// Session number, Topic Filter -> subscription.
    Subscription = 2,
    /// Session number, place -> delivery with message or reference.
    Queue = 3,
    /// Number -> message that several queues share.
    Message = 4,
    /// Session number, place -> what was sent of it.
    Sent = 5,
    /// Session number, Packet Identifier -> how it was answered.
    Received = 6,
    /// Topic Name -> Retained Message.
    Retained = 7,
    /// Kind, key -> what was there and could not be read.
    Damaged = 8,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Meta,
        Self::Session,
        Self::Subscription,
        Self::Queue,
        Self::Message,
        Self::Sent,
        Self::Received,
        Self::Retained,
        Self::Damaged,
    ];

    /// Its name in the database.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Session => "sess",
            Self::Subscription => "sub",
            Self::Queue => "q",
            Self::Message => "msg",
            Self::Sent => "fly",
            Self::Received => "in2",
            Self::Retained => "ret",
            Self::Damaged => "bad",
        }
    }

    /// How much may be gathered in memory before it goes into tables, as a part of what a queue may.
    pub(crate) const fn memory_share(self) -> u64 {
        match self {
            Self::Queue | Self::Message | Self::Retained => 1,
            _ => 4,
        }
    }

    /// A record of it in words.
    pub(crate) fn describe(self, key: &[u8]) -> String {
        let number = |at: usize| key.get(at..).and_then(<[u8]>::first_chunk).copied();
        let session = number(0).map(u64::from_be_bytes);
        match (self, session) {
            (Self::Session, Some(session)) => format!("sess: session {session}"),
            (Self::Subscription, Some(session)) => {
                let filter = key.get(8..60).or(key.get(8..)).unwrap_or_default();
                let filter = String::from_utf8_lossy(filter);
                format!("sub: session {session}, filter {filter:?}")
            }
            (Self::Queue | Self::Sent, Some(session)) => {
                let place = number(8).map_or(0, u64::from_be_bytes);
                format!("{}: session {session}, place {place}", self.name())
            }
            (Self::Received, Some(session)) => {
                let identifier = key.last_chunk().copied().map_or(0, u16::from_be_bytes);
                format!("in2: session {session}, packet identifier {identifier}")
            }
            (Self::Message, Some(number)) => format!("msg: message {number}"),
            _ => {
                let text = String::from_utf8_lossy(key.get(..60).unwrap_or(key));
                format!("{}: {text:?}", self.name())
            }
        }
    }
}

/// The last committed batch.
pub(crate) const COMMIT_NO: &[u8] = b"commit_no";
/// Above every number in use.
pub(crate) const NUMBERS: &[u8] = b"numbers";
/// The format of everything.
pub(crate) const FORMAT: &[u8] = b"format";

/// As much of a Topic Filter as a key holds: a key ends at 65 535 bytes, and so does a Topic Filter.
const FILTER_IN_KEY: usize = 60_000;

pub(crate) fn of_session(session: SessionNumber) -> [u8; 8] {
    session.0.to_be_bytes()
}

pub(crate) fn of_place(session: SessionNumber, place: Place) -> [u8; 16] {
    let mut key = [0; 16];
    let (first, second) = key.split_at_mut(8);
    first.copy_from_slice(&session.0.to_be_bytes());
    second.copy_from_slice(&place.get().to_be_bytes());
    key
}

pub(crate) fn of_received(session: SessionNumber, identifier: PacketIdentifier) -> [u8; 10] {
    let mut key = [0; 10];
    let (first, second) = key.split_at_mut(8);
    first.copy_from_slice(&session.0.to_be_bytes());
    second.copy_from_slice(&identifier.get().to_be_bytes());
    key
}

/// The key of a subscription, and what of its Topic Filter is left for the value.
pub(crate) fn of_subscription(session: SessionNumber, filter: &TopicFilter) -> (Vec<u8>, &str) {
    let filter = filter.as_str();
    let mut key = Vec::with_capacity(8 + filter.len());
    key.extend_from_slice(&session.0.to_be_bytes());
    let (head, rest) = filter.split_at(filter.floor_char_boundary(FILTER_IN_KEY));
    key.extend_from_slice(head.as_bytes());
    if !rest.is_empty() {
        // No Topic Filter has U+0000, so no other key ends like this.
        key.push(0);
        key.extend_from_slice(&Sha256::digest(rest.as_bytes()));
    }
    (key, rest)
}

/// The Session and the part of the Topic Filter that are in the key of a subscription.
pub(crate) fn subscription_of(key: &[u8]) -> Option<(SessionNumber, &str)> {
    let (number, filter) = key.split_first_chunk()?;
    let end = filter.iter().position(|&byte| byte == 0);
    let head = filter.get(..end.unwrap_or(filter.len()))?;
    Some((
        SessionNumber(u64::from_be_bytes(*number)),
        std::str::from_utf8(head).ok()?,
    ))
}

pub(crate) fn session_of(key: &[u8]) -> Option<SessionNumber> {
    let number = key.first_chunk()?;
    Some(SessionNumber(u64::from_be_bytes(*number)))
}

pub(crate) fn place_of(key: &[u8]) -> Option<(SessionNumber, Place)> {
    let (session, place) = key.split_first_chunk()?;
    let place = <[u8; 8]>::try_from(place).ok()?;
    Some((
        SessionNumber(u64::from_be_bytes(*session)),
        Place::from_u64(u64::from_be_bytes(place)),
    ))
}

pub(crate) fn received_of(key: &[u8]) -> Option<(SessionNumber, PacketIdentifier)> {
    let (session, identifier) = key.split_first_chunk()?;
    let identifier = <[u8; 2]>::try_from(identifier).ok()?;
    Some((
        SessionNumber(u64::from_be_bytes(*session)),
        PacketIdentifier::new(u16::from_be_bytes(identifier))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_filters_have_keys_of_their_own() {
        let longest = |end: &str| {
            let text = format!("{}{end}", "ö".repeat((65_535 - end.len()) / 2));
            TopicFilter::parse(&text).expect("valid")
        };
        let (one, another) = (longest("/1"), longest("/2"));
        let (key, rest) = of_subscription(SessionNumber(7), &one);
        assert!(key.len() <= usize::from(u16::MAX));
        assert_ne!(key, of_subscription(SessionNumber(7), &another).0);
        let (session, head) = subscription_of(&key).expect("whole");
        assert_eq!(session, SessionNumber(7));
        assert_eq!(format!("{head}{rest}"), one.as_str());
    }

    #[test]
    fn keys_lead_back_and_say_in_words_what_they_are() {
        let (session, place) = (SessionNumber(3), Place::new(9, true));
        let key = of_place(session, place);
        assert_eq!(place_of(&key), Some((session, place)));
        assert_eq!(Kind::Queue.describe(&key), "q: session 3, place 19");
        let identifier = PacketIdentifier::new(500).expect("not zero");
        let key = of_received(session, identifier);
        assert_eq!(received_of(&key), Some((session, identifier)));
        assert_eq!(
            Kind::Received.describe(&key),
            "in2: session 3, packet identifier 500"
        );
        assert_eq!(Kind::Retained.describe(b"a/b"), "ret: \"a/b\"");
        assert_eq!(Kind::Session.describe(b"x"), "sess: \"x\"");
    }
}
