//! The values that cross between the broker and a plugin: borrowed on the way in, owned on the way back.

use crate::field::Field;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// True or false.
    Bool,
    /// A whole number; every MQTT number fits.
    Integer,
    /// UTF-8 text without U+0000.
    Text,
    /// Any bytes.
    Bytes,
    /// Name and value pairs in order, names may repeat: User Properties.
    Pairs,
    /// A list of records, each with the fields of [`crate::FieldSpec::record`].
    Records,
}

impl Type {
    /// The word that errors and docs use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Integer => "integer",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Pairs => "pairs",
            Self::Records => "records",
        }
    }
}

/// Name and value pairs that need no copy to be read.
pub trait Pairs {
    /// Calls `each` for every pair, in order.
    fn for_each(&self, each: &mut dyn FnMut(&str, &str));
}

impl Pairs for Vec<(String, String)> {
    fn for_each(&self, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self {
            each(name, value);
        }
    }
}

/// One entry of a [`Type::Records`] field.
pub type Record = Vec<(Field, Owned)>;

/// A field's value, borrowed from the broker for the length of one call.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// The packet or the client does not have it (a username that was not sent, a property that is absent).
    Nil,
    /// See [`Type::Bool`].
    Bool(bool),
    /// See [`Type::Integer`].
    Integer(i64),
    /// See [`Type::Text`].
    Text(&'a str),
    /// See [`Type::Bytes`].
    Bytes(&'a [u8]),
    /// See [`Type::Pairs`].
    Pairs(&'a dyn Pairs),
    /// See [`Type::Records`].
    Records(&'a [Record]),
}

impl<'a> Value<'a> {
    /// A text or nothing.
    #[must_use]
    pub fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Nil, Self::Text)
    }

    /// A whole number or nothing.
    #[must_use]
    pub fn integer(number: Option<impl Into<i64>>) -> Self {
        number.map_or(Self::Nil, |number| Self::Integer(number.into()))
    }

    /// The text, if it is one.
    #[must_use]
    pub const fn as_text(self) -> Option<&'a str> {
        if let Self::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The bytes of a text or of bytes.
    #[must_use]
    pub const fn as_bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Text(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn as_integer(self) -> Option<i64> {
        if let Self::Integer(number) = self {
            Some(number)
        } else {
            None
        }
    }

    /// The truth, if it is one.
    #[must_use]
    pub const fn as_bool(self) -> Option<bool> {
        if let Self::Bool(truth) = self {
            Some(truth)
        } else {
            None
        }
    }

    /// A copy that outlives the call.
    #[must_use]
    pub fn to_owned(self) -> Owned {
        match self {
            Self::Nil => Owned::Nil,
            Self::Bool(truth) => Owned::Bool(truth),
            Self::Integer(number) => Owned::Integer(number),
            Self::Text(text) => Owned::Text(text.into()),
            Self::Bytes(bytes) => Owned::Bytes(bytes.into()),
            Self::Pairs(pairs) => {
                let mut copy = Vec::new();
                pairs.for_each(&mut |name, value| copy.push((name.to_owned(), value.to_owned())));
                Owned::Pairs(copy)
            }
            Self::Records(records) => Owned::Records(records.to_vec()),
        }
    }
}

/// A value that a plugin made: a change, or a field of an event that outlives its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owned {
    /// Absent; as a change: removes the property.
    Nil,
    /// See [`Type::Bool`].
    Bool(bool),
    /// See [`Type::Integer`].
    Integer(i64),
    /// See [`Type::Text`].
    Text(Box<str>),
    /// See [`Type::Bytes`].
    Bytes(Box<[u8]>),
    /// See [`Type::Pairs`].
    Pairs(Vec<(String, String)>),
    /// See [`Type::Records`].
    Records(Vec<Record>),
}

impl Owned {
    /// The same value, borrowed.
    #[must_use]
    pub fn as_value(&self) -> Value<'_> {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Integer(number) => Value::Integer(*number),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Pairs(pairs) => Value::Pairs(pairs),
            Self::Records(records) => Value::Records(records),
        }
    }

    /// What it is; `None` for [`Owned::Nil`].
    #[must_use]
    pub const fn type_of(&self) -> Option<Type> {
        match self {
            Self::Nil => None,
            Self::Bool(_) => Some(Type::Bool),
            Self::Integer(_) => Some(Type::Integer),
            Self::Text(_) => Some(Type::Text),
            Self::Bytes(_) => Some(Type::Bytes),
            Self::Pairs(_) => Some(Type::Pairs),
            Self::Records(_) => Some(Type::Records),
        }
    }
}

impl From<&str> for Owned {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Owned {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&[u8]> for Owned {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<bool> for Owned {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Owned {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}
