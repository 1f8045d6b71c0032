//! Reads a section of properties (section 2.2.2 of MQTT 5.0): which may stand there, how often, with which values.

use std::num::{NonZeroU16, NonZeroU32};

use super::reader::Reader;
use crate::clause;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::SubscriptionIdentifier;
use crate::packet::PacketType;
use crate::property::{PayloadFormat, PropertyId, UserPropertiesRef};
use crate::qos::QoS;
use crate::topic::TopicError;

/// A set of properties, one bit for each identifier.
#[derive(Debug, Clone, Copy)]
pub(super) struct PropertySet(u64);

impl PropertySet {
    /// The properties of a packet beside User Property, which all packets may have.
    pub(super) const fn of(mut ids: &[PropertyId]) -> Self {
        let mut bits = Self::bit(PropertyId::UserProperty);
        while let [id, rest @ ..] = ids {
            bits |= Self::bit(*id);
            ids = rest;
        }
        Self(bits)
    }

    const fn bit(id: PropertyId) -> u64 {
        1 << id as u8
    }

    const fn has(self, id: PropertyId) -> bool {
        self.0 & Self::bit(id) != 0
    }

    /// Adds the property; false if it was there.
    const fn insert(&mut self, id: PropertyId) -> bool {
        let new = !self.has(id);
        self.0 |= Self::bit(id);
        new
    }
}

/// One property with its checked value.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::enum_variant_names,
    reason = "the names are those of the standard"
)]
pub(super) enum Property<'a> {
    PayloadFormatIndicator(PayloadFormat),
    MessageExpiryInterval(u32),
    ContentType(&'a str),
    ResponseTopic(&'a str),
    CorrelationData(&'a [u8]),
    SubscriptionIdentifier(SubscriptionIdentifier),
    SessionExpiryInterval(u32),
    AssignedClientIdentifier(&'a str),
    ServerKeepAlive(u16),
    AuthenticationMethod(&'a str),
    AuthenticationData(&'a [u8]),
    RequestProblemInformation(bool),
    WillDelayInterval(u32),
    RequestResponseInformation(bool),
    ResponseInformation(&'a str),
    ServerReference(&'a str),
    ReasonString(&'a str),
    ReceiveMaximum(NonZeroU16),
    TopicAliasMaximum(u16),
    TopicAlias(NonZeroU16),
    MaximumQoS(QoS),
    RetainAvailable(bool),
    /// Taken as a whole by [`PropertyReader::user_properties`].
    UserProperty,
    MaximumPacketSize(NonZeroU32),
    WildcardSubscriptionAvailable(bool),
    SubscriptionIdentifierAvailable(bool),
    SharedSubscriptionAvailable(bool),
}

/// A section of properties being read.
#[derive(Debug)]
pub(super) struct PropertyReader<'a> {
    reader: Reader<'a>,
    whole: &'a [u8],
    allowed: PropertySet,
    seen: PropertySet,
    /// Bytes of User Properties so far, identifiers included.
    user_properties_len: usize,
}

impl<'a> PropertyReader<'a> {
    /// The section that comes next in `reader`, which may have the properties `allowed`. Always empty in 3.1.1.
    pub(super) fn new(reader: &mut Reader<'a>, allowed: PropertySet) -> Result<Self, DecodeError> {
        let section = if reader.version.is_v5() {
            let start = *reader;
            let n_bytes = reader.varint()?;
            // A section that does not fit is reported at its length.
            reader
                .section(n_bytes as usize)
                .map_err(|error| DecodeError {
                    offset: start.offset(),
                    ..error
                })?
        } else {
            reader.section(0)?
        };
        Ok(Self {
            reader: section,
            whole: section.remaining(),
            allowed,
            seen: PropertySet(0),
            user_properties_len: 0,
        })
    }

    /// The next property, or `None` at the end of the section.
    pub(super) fn next(&mut self) -> Result<Option<Property<'a>>, DecodeError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let start = self.reader.offset();
        let value = self.reader.u8()?;
        let id = PropertyId::from_u8(value).ok_or_else(|| {
            self.reader.fail(
                DecodeErrorKind::UnknownProperty(value),
                start,
                clause::PROPERTY,
            )
        })?;
        if !self.allowed.has(id) {
            return Err(self.reader.fail(
                DecodeErrorKind::PropertyNotAllowed(id),
                start,
                clause::PROPERTY,
            ));
        }
        // Only these two may repeat, the latter only where several subscriptions meet in one message.
        let repeats = id == PropertyId::UserProperty
            || (id == PropertyId::SubscriptionIdentifier
                && self.reader.packet_type == PacketType::Publish);
        if !self.seen.insert(id) && !repeats {
            return Err(self.reader.fail(
                DecodeErrorKind::DuplicateProperty(id),
                start,
                clause::property(id),
            ));
        }
        let property = self.value(id)?;
        if id == PropertyId::UserProperty {
            self.user_properties_len += self.reader.offset() - start;
        }
        Ok(Some(property))
    }

    /// The whole section, once it was read to its end.
    pub(super) fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// The User Properties, once the section was read to its end.
    pub(super) fn user_properties(&self) -> UserPropertiesRef<'a> {
        UserPropertiesRef::from_checked(self.whole, self.user_properties_len)
    }

    fn value(&mut self, id: PropertyId) -> Result<Property<'a>, DecodeError> {
        let reader = &mut self.reader;
        Ok(match id {
            PropertyId::PayloadFormatIndicator => {
                Property::PayloadFormatIndicator(match flag(reader, id)? {
                    false => PayloadFormat::Bytes,
                    true => PayloadFormat::Utf8,
                })
            }
            PropertyId::MessageExpiryInterval => Property::MessageExpiryInterval(reader.u32()?),
            PropertyId::ContentType => Property::ContentType(reader.string()?),
            PropertyId::ResponseTopic => Property::ResponseTopic(response_topic(reader)?),
            PropertyId::CorrelationData => Property::CorrelationData(reader.binary()?),
            PropertyId::SubscriptionIdentifier => {
                let start = reader.offset();
                let identifier = SubscriptionIdentifier::new(reader.varint()?);
                Property::SubscriptionIdentifier(in_range(reader, identifier, id, start)?)
            }
            PropertyId::SessionExpiryInterval => Property::SessionExpiryInterval(reader.u32()?),
            PropertyId::AssignedClientIdentifier => {
                Property::AssignedClientIdentifier(reader.string()?)
            }
            PropertyId::ServerKeepAlive => Property::ServerKeepAlive(reader.u16()?),
            PropertyId::AuthenticationMethod => Property::AuthenticationMethod(reader.string()?),
            PropertyId::AuthenticationData => Property::AuthenticationData(reader.binary()?),
            PropertyId::RequestProblemInformation => {
                Property::RequestProblemInformation(flag(reader, id)?)
            }
            PropertyId::WillDelayInterval => Property::WillDelayInterval(reader.u32()?),
            PropertyId::RequestResponseInformation => {
                Property::RequestResponseInformation(flag(reader, id)?)
            }
            PropertyId::ResponseInformation => Property::ResponseInformation(reader.string()?),
            PropertyId::ServerReference => Property::ServerReference(reader.string()?),
            PropertyId::ReasonString => Property::ReasonString(reader.string()?),
            PropertyId::ReceiveMaximum => {
                let start = reader.offset();
                let maximum = NonZeroU16::new(reader.u16()?);
                Property::ReceiveMaximum(in_range(reader, maximum, id, start)?)
            }
            PropertyId::TopicAliasMaximum => Property::TopicAliasMaximum(reader.u16()?),
            PropertyId::TopicAlias => {
                let start = reader.offset();
                let alias = NonZeroU16::new(reader.u16()?);
                Property::TopicAlias(alias.ok_or_else(|| {
                    reader.fail(DecodeErrorKind::TopicAliasZero, start, clause::TOPIC_ALIAS)
                })?)
            }
            // The absence of the property says 2, so only 0 and 1 are sent.
            PropertyId::MaximumQoS => Property::MaximumQoS(match flag(reader, id)? {
                false => QoS::AtMostOnce,
                true => QoS::AtLeastOnce,
            }),
            PropertyId::RetainAvailable => Property::RetainAvailable(flag(reader, id)?),
            PropertyId::UserProperty => {
                reader.string()?;
                reader.string()?;
                Property::UserProperty
            }
            PropertyId::MaximumPacketSize => {
                let start = reader.offset();
                let maximum = NonZeroU32::new(reader.u32()?);
                Property::MaximumPacketSize(in_range(reader, maximum, id, start)?)
            }
            PropertyId::WildcardSubscriptionAvailable => {
                Property::WildcardSubscriptionAvailable(flag(reader, id)?)
            }
            PropertyId::SubscriptionIdentifierAvailable => {
                Property::SubscriptionIdentifierAvailable(flag(reader, id)?)
            }
            PropertyId::SharedSubscriptionAvailable => {
                Property::SharedSubscriptionAvailable(flag(reader, id)?)
            }
        })
    }
}

/// A byte that is 0 or 1.
fn flag(reader: &mut Reader<'_>, id: PropertyId) -> Result<bool, DecodeError> {
    let start = reader.offset();
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(reader.fail(
            DecodeErrorKind::PropertyValue(id),
            start,
            clause::property(id),
        )),
    }
}

fn in_range<T>(
    reader: &Reader<'_>,
    value: Option<T>,
    id: PropertyId,
    start: usize,
) -> Result<T, DecodeError> {
    value.ok_or_else(|| {
        reader.fail(
            DecodeErrorKind::PropertyValue(id),
            start,
            clause::property(id),
        )
    })
}

fn response_topic<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let start = reader.offset();
    let topic = reader.topic_name(clause::RESPONSE_TOPIC)?;
    if topic.is_empty() {
        let kind = DecodeErrorKind::TopicName(TopicError::Empty);
        return Err(reader.fail(kind, start, clause::TOPIC_NAME_EMPTY));
    }
    Ok(topic)
}
