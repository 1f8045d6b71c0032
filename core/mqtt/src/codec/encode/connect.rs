//! Writes CONNECT.

use super::sink::Sink;
use crate::error::EncodeError;
use crate::packet::{Connect, Will};
use crate::property::PropertyId;
use crate::version::ProtocolVersion;

pub(super) fn connect(connect: &Connect, sink: &mut dyn Sink) -> Result<(), EncodeError> {
    let version = connect.version;
    sink.string("protocol name", "MQTT")?;
    sink.u8(version.level());
    sink.u8(connect_flags(connect)?);
    sink.u16(connect.keep_alive);
    sink.properties(version, |sink| properties(connect, sink))?;
    sink.string("client identifier", &connect.client_id)?;
    if let Some(will) = &connect.will {
        sink.properties(version, |sink| will_properties(will, sink))?;
        sink.string("will topic", will.topic.as_str())?;
        sink.binary("will payload", &will.payload)?;
    }
    if let Some(username) = &connect.username {
        sink.string("user name", username)?;
    }
    if let Some(password) = &connect.password {
        sink.binary("password", password)?;
    }
    Ok(())
}

fn connect_flags(connect: &Connect) -> Result<u8, EncodeError> {
    if connect.version == ProtocolVersion::V311
        && connect.password.is_some()
        && connect.username.is_none()
    {
        return Err(EncodeError::NotInThisVersion {
            what: "a password without a user name",
        });
    }
    let will = match &connect.will {
        Some(will) => 1 << 2 | (will.qos as u8) << 3 | u8::from(will.retain) << 5,
        None => 0,
    };
    Ok(u8::from(connect.clean_start) << 1
        | will
        | u8::from(connect.password.is_some()) << 6
        | u8::from(connect.username.is_some()) << 7)
}

fn properties(connect: &Connect, sink: &mut dyn Sink) -> Result<(), EncodeError> {
    if connect.authentication_data.is_some() && connect.authentication_method.is_none() {
        return Err(EncodeError::AuthenticationMethodMissing);
    }
    if let Some(seconds) = connect.session_expiry_interval {
        sink.four_byte_property(PropertyId::SessionExpiryInterval, seconds);
    }
    if let Some(maximum) = connect.receive_maximum {
        sink.two_byte_property(PropertyId::ReceiveMaximum, maximum.get());
    }
    if let Some(maximum) = connect.maximum_packet_size {
        sink.four_byte_property(PropertyId::MaximumPacketSize, maximum.get());
    }
    if connect.topic_alias_maximum != 0 {
        sink.two_byte_property(PropertyId::TopicAliasMaximum, connect.topic_alias_maximum);
    }
    if connect.request_response_information {
        sink.byte_property(PropertyId::RequestResponseInformation, 1);
    }
    if !connect.request_problem_information {
        sink.byte_property(PropertyId::RequestProblemInformation, 0);
    }
    sink.user_properties(&connect.user_properties);
    sink.string_property(
        PropertyId::AuthenticationMethod,
        connect.authentication_method.as_deref(),
    )?;
    sink.binary_property(
        PropertyId::AuthenticationData,
        connect.authentication_data.as_deref(),
    )
}

fn will_properties(will: &Will, sink: &mut dyn Sink) -> Result<(), EncodeError> {
    if will.delay_interval != 0 {
        sink.four_byte_property(PropertyId::WillDelayInterval, will.delay_interval);
    }
    if let Some(format) = will.payload_format {
        sink.byte_property(PropertyId::PayloadFormatIndicator, format as u8);
    }
    if let Some(seconds) = will.message_expiry_interval {
        sink.four_byte_property(PropertyId::MessageExpiryInterval, seconds);
    }
    sink.string_property(PropertyId::ContentType, will.content_type.as_deref())?;
    sink.string_property(PropertyId::ResponseTopic, will.response_topic.as_deref())?;
    sink.binary_property(
        PropertyId::CorrelationData,
        will.correlation_data.as_deref(),
    )?;
    sink.user_properties(&will.user_properties);
    Ok(())
}
