//! The names and numbers that MQTT gives to clients, packets and subscriptions.

use std::borrow::Borrow;
use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::ops::Deref;
use std::sync::Arc;

/// Client Identifier: the name of a Session. Cheap to clone.
///
/// The text is UTF-8 without U+0000 when it came off the wire; how long it may be is the broker's setting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Arc<str>);

/// Share Name of a Shared Subscription: at least one character, none of `/`, `+`, `#` [MQTT-4.8.2-1, MQTT-4.8.2-2].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareName(Arc<str>);

impl ClientId {
    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ClientId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for ClientId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl ShareName {
    /// Checks the characters of a Share Name; `None` if it is empty or has `/`, `+`, `#` or U+0000.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains(['/', '+', '#', '\0'])).then(|| Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_newtype {
    ($($name:ident)+) => {$(
        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        // Sound because the derived Hash, Eq and Ord are those of the text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    )+};
}

text_newtype!(ClientId ShareName);

/// Packet Identifier: 1 to 65 535, never zero [MQTT-2.2.1-3, MQTT-2.2.1-4].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketIdentifier(NonZeroU16);

impl PacketIdentifier {
    /// The first identifier, 1.
    pub const FIRST: Self = Self(NonZeroU16::MIN);

    /// `None` for zero.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// The identifier after this one; 1 comes after 65 535.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.0.checked_add(1) {
            Some(number) => Self(number),
            None => Self::FIRST,
        }
    }
}

/// Subscription Identifier: 1 to 268 435 455 (section 3.8.2.1.2 of MQTT 5.0).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionIdentifier(NonZeroU32);

impl SubscriptionIdentifier {
    /// The greatest identifier: what a Variable Byte Integer can hold.
    pub const MAX: u32 = crate::varint::MAX;

    /// `None` for zero and for numbers greater than [`Self::MAX`].
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(valid) if number <= Self::MAX => Some(Self(valid)),
            _ => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

macro_rules! number_newtype {
    ($($name:ident)+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.get())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.get())
            }
        }
    )+};
}

number_newtype!(PacketIdentifier SubscriptionIdentifier);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_map_by_client_id_is_searched_by_text() {
        let map = HashMap::from([(ClientId::from("a"), 1)]);
        assert_eq!(map.get("a"), Some(&1));
        assert_eq!(map.get("b"), None);
    }

    #[test]
    fn numbers_outside_their_range_do_not_exist() {
        assert_eq!(PacketIdentifier::new(0), None);
        assert_eq!(
            PacketIdentifier::new(u16::MAX).map(PacketIdentifier::next),
            Some(PacketIdentifier::FIRST)
        );
        assert_eq!(SubscriptionIdentifier::new(0), None);
        assert_eq!(SubscriptionIdentifier::new(268_435_456), None);
        assert_eq!(
            SubscriptionIdentifier::new(268_435_455).map(SubscriptionIdentifier::get),
            Some(268_435_455)
        );
    }

    /// [MQTT-4.8.2-1], [MQTT-4.8.2-2]
    #[test]
    fn share_names_have_no_wildcards_and_no_slash() {
        for bad in ["", "a/b", "+", "a#", "\0"] {
            assert_eq!(ShareName::new(bad), None, "{bad:?}");
        }
        assert_eq!(ShareName::new("consumers").as_deref(), Some("consumers"));
    }
}
