//! Reads DISCONNECT.

use super::reason;
use crate::clause;
use crate::codec::properties::{Property, PropertyReader, PropertySet};
use crate::codec::reader::Reader;
use crate::error::DecodeError;
use crate::packet::Disconnect;
use crate::property::PropertyId;

const PROPERTIES: PropertySet = PropertySet::of(&[
    PropertyId::SessionExpiryInterval,
    PropertyId::ReasonString,
    PropertyId::ServerReference,
]);

pub(super) fn disconnect(reader: &mut Reader<'_>) -> Result<Disconnect, DecodeError> {
    let mut disconnect = Disconnect::default();
    // 3.1.1 says nothing here; 5.0 may leave out the properties, and also the code if it is Normal disconnection.
    if !reader.version.is_v5() || reader.is_empty() {
        return Ok(disconnect);
    }
    disconnect.reason = reason(reader, clause::DISCONNECT_REASON)?;
    if reader.is_empty() {
        return Ok(disconnect);
    }
    let mut section = PropertyReader::new(reader, PROPERTIES)?;
    while let Some(property) = section.next()? {
        match property {
            Property::SessionExpiryInterval(seconds) => {
                disconnect.session_expiry_interval = Some(seconds)
            }
            Property::ReasonString(text) => disconnect.reason_string = Some(text.to_owned()),
            Property::ServerReference(text) => disconnect.server_reference = Some(text.to_owned()),
            // User Properties are taken as a whole, others were refused.
            _ => {}
        }
    }
    disconnect.user_properties = section.user_properties().to_owned();
    Ok(disconnect)
}
