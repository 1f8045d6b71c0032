//! What hooks see: views of the broker's own types under the catalogue's names, and what a plugin's changes do to them.
//!
//! A *draft* is a thing that plugins may change: it shows its current form as an [`Event`](hookmq_plugin_api::Event) and takes
//! changes all or nothing.

pub(crate) mod connection;
pub(crate) mod message;
pub(crate) mod packet;
pub(crate) mod subscription;

use hookmq_mqtt::property::{UserProperties, UserPropertiesRef};
use hookmq_plugin_api::{Owned, Pairs};

/// User Properties as plugins read them.
pub(crate) struct UserPairs<'a>(pub(crate) UserPropertiesRef<'a>);

impl Pairs for UserPairs<'_> {
    fn for_each(&self, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self.0.iter() {
            each(name, value);
        }
    }
}

/// User Properties that a draft owns, as plugins read them.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnedPairs(pub(crate) UserProperties);

impl Pairs for OwnedPairs {
    fn for_each(&self, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self.0.iter() {
            each(name, value);
        }
    }
}

/// User Properties from what a plugin answered.
pub(crate) fn user_properties(pairs: &[(String, String)]) -> Result<UserProperties, String> {
    let mut properties = UserProperties::new();
    for (name, value) in pairs {
        properties
            .push(name, value)
            .map_err(|error| format!("user property \"{name}\": {error}"))?;
    }
    Ok(properties)
}

/// The wrong type for a field, in words. The chain has checked types already, so this is the second line.
pub(crate) fn wrong(field: hookmq_plugin_api::Field, value: &Owned) -> String {
    let got = value.type_of().map_or("nil", hookmq_plugin_api::Type::name);
    format!(
        "{}: {} expected, got {got}",
        field.name(),
        field.spec().kind.name()
    )
}

/// Reads a change as the field's type.
macro_rules! change {
    ($field:expr, $value:expr, text) => {
        match $value {
            hookmq_plugin_api::Owned::Text(text) => Some(text.to_string()),
            hookmq_plugin_api::Owned::Nil => None,
            other => return Err(crate::event::wrong($field, other)),
        }
    };
    ($field:expr, $value:expr, bytes) => {
        match $value {
            hookmq_plugin_api::Owned::Bytes(bytes) => Some(bytes::Bytes::copy_from_slice(bytes)),
            hookmq_plugin_api::Owned::Text(text) => {
                Some(bytes::Bytes::copy_from_slice(text.as_bytes()))
            }
            hookmq_plugin_api::Owned::Nil => None,
            other => return Err(crate::event::wrong($field, other)),
        }
    };
    ($field:expr, $value:expr, bool) => {
        match $value {
            hookmq_plugin_api::Owned::Bool(truth) => *truth,
            other => return Err(crate::event::wrong($field, other)),
        }
    };
    ($field:expr, $value:expr, integer $kind:ty) => {
        match $value {
            hookmq_plugin_api::Owned::Integer(number) => {
                <$kind>::try_from(*number).map_err(|_| {
                    format!(
                        "{}: {number} is out of range, 0 to {}",
                        $field.name(),
                        <$kind>::MAX
                    )
                })?
            }
            other => return Err(crate::event::wrong($field, other)),
        }
    };
    ($field:expr, $value:expr, qos) => {
        match $value {
            hookmq_plugin_api::Owned::Integer(number) => u8::try_from(*number)
                .ok()
                .and_then(|number| hookmq_mqtt::QoS::try_from(number).ok())
                .ok_or_else(|| format!("{}: {number} is no QoS: 0, 1 or 2", $field.name()))?,
            other => return Err(crate::event::wrong($field, other)),
        }
    };
    ($field:expr, $value:expr, pairs) => {
        match $value {
            hookmq_plugin_api::Owned::Pairs(pairs) => crate::event::user_properties(pairs)?,
            hookmq_plugin_api::Owned::Nil => hookmq_mqtt::property::UserProperties::new(),
            other => return Err(crate::event::wrong($field, other)),
        }
    };
}
pub(crate) use change;
