//! Reads PUBACK, PUBREC, PUBREL and PUBCOMP, and the Reason String and User Properties that answers share.

use super::reason;
use crate::clause::Clause;
use crate::codec::properties::{Property, PropertyReader, PropertySet};
use crate::codec::reader::Reader;
use crate::error::DecodeError;
use crate::packet::{Ack, AckProperties};
use crate::property::PropertyId;
use crate::reason::ReasonCode;

const PROPERTIES: PropertySet = PropertySet::of(&[PropertyId::ReasonString]);

/// `reasons` is the clause that lists the Reason Codes of the packet.
pub(super) fn ack(reader: &mut Reader<'_>, reasons: Clause) -> Result<Ack, DecodeError> {
    let packet_identifier = reader.packet_identifier()?;
    let mut ack = Ack::new(packet_identifier, ReasonCode::Success);
    // 5.0 may leave out the properties, and also the code if it is Success.
    if reader.version.is_v5() && !reader.is_empty() {
        ack.reason = reason(reader, reasons)?;
        if !reader.is_empty() {
            let properties = properties(reader)?;
            ack.properties = (properties != AckProperties::default()).then(|| Box::new(properties));
        }
    }
    Ok(ack)
}

/// A section with Reason String and User Properties only.
pub(super) fn properties(reader: &mut Reader<'_>) -> Result<AckProperties, DecodeError> {
    let mut properties = AckProperties::default();
    let mut section = PropertyReader::new(reader, PROPERTIES)?;
    while let Some(property) = section.next()? {
        if let Property::ReasonString(text) = property {
            properties.reason_string = Some(text.to_owned());
        }
    }
    properties.user_properties = section.user_properties().to_owned();
    Ok(properties)
}
