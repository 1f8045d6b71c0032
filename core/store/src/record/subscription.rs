//! A subscription's record; its Topic Filter is in the key, as far as a key may be long.

use hookmq_broker::store::StoredSubscription;
use hookmq_mqtt::{QoS, RetainHandling, SubscriptionIdentifier, SubscriptionOptions};

use super::queued::identifier;
use super::reader::Reader;
use super::{Malformed, writer};

/// Puts a subscription; `filter_rest` is what of the Topic Filter the key does not hold.
pub(crate) fn write(into: &mut Vec<u8>, filter_rest: &str, subscription: &StoredSubscription) {
    writer::text(into, filter_rest);
    write_asked(into, subscription.options, subscription.identifier);
    write_asked(into, subscription.asked.0, subscription.asked.1);
    writer::len(into, subscription.tags.len());
    for tag in &subscription.tags {
        writer::text(into, tag);
    }
}

/// What [`write()`] put: the rest of the Topic Filter and the subscription.
pub(crate) fn read<'a>(mut reader: Reader<'a>) -> Result<(&'a str, StoredSubscription), Malformed> {
    let filter_rest = reader.text()?;
    let (options, identifier) = read_asked(&mut reader)?;
    let asked = read_asked(&mut reader)?;
    let mut tags = Vec::new();
    for _ in 0..reader.len()? {
        tags.push(reader.text()?.into());
    }
    reader.end()?;
    Ok((
        filter_rest,
        StoredSubscription {
            options,
            identifier,
            tags,
            asked,
        },
    ))
}

fn write_asked(
    into: &mut Vec<u8>,
    options: SubscriptionOptions,
    identifier: Option<SubscriptionIdentifier>,
) {
    into.push(options.to_byte());
    let number = identifier.map_or(0, SubscriptionIdentifier::get);
    into.extend_from_slice(&number.to_be_bytes());
}

fn read_asked(
    reader: &mut Reader<'_>,
) -> Result<(SubscriptionOptions, Option<SubscriptionIdentifier>), Malformed> {
    let byte = reader.u8()?;
    let options = SubscriptionOptions {
        qos: QoS::from_u8(byte & 3).ok_or(Malformed::Field("QoS"))?,
        no_local: byte & 1 << 2 != 0,
        retain_as_published: byte & 1 << 3 != 0,
        retain_handling: RetainHandling::from_u8(byte >> 4)
            .ok_or(Malformed::Field("Retain Handling"))?,
    };
    let identifier = match reader.u32()? {
        0 => None,
        number => Some(identifier(number)?),
    };
    Ok((options, identifier))
}
