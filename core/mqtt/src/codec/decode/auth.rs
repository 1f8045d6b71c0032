//! Reads AUTH.

use bytes::Bytes;

use super::reason;
use crate::clause;
use crate::codec::properties::{Property, PropertyReader, PropertySet};
use crate::codec::reader::Reader;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::packet::Auth;
use crate::property::PropertyId;

const PROPERTIES: PropertySet = PropertySet::of(&[
    PropertyId::AuthenticationMethod,
    PropertyId::AuthenticationData,
    PropertyId::ReasonString,
]);

pub(super) fn auth(reader: &mut Reader<'_>) -> Result<Auth, DecodeError> {
    if !reader.version.is_v5() {
        return Err(reader.fail(DecodeErrorKind::ReservedPacketType, 0, clause::PACKET_TYPE));
    }
    let mut auth = Auth::default();
    // Success without properties may leave out everything.
    if reader.is_empty() {
        return Ok(auth);
    }
    auth.reason = reason(reader, clause::AUTH_REASON)?;
    let offset = reader.offset();
    let mut section = PropertyReader::new(reader, PROPERTIES)?;
    while let Some(property) = section.next()? {
        match property {
            Property::AuthenticationMethod(name) => {
                auth.authentication_method = Some(name.to_owned())
            }
            Property::AuthenticationData(data) => {
                auth.authentication_data = Some(Bytes::copy_from_slice(data))
            }
            Property::ReasonString(text) => auth.reason_string = Some(text.to_owned()),
            // User Properties are taken as a whole, others were refused.
            _ => {}
        }
    }
    auth.user_properties = section.user_properties().to_owned();
    if auth.authentication_method.is_none() {
        return Err(reader.fail(
            DecodeErrorKind::AuthenticationMethodMissing,
            offset,
            clause::AUTH_METHOD,
        ));
    }
    Ok(auth)
}
