//! What a script does to the world: `broker.publish`, `publish_to`, `disconnect_client`; and `broker.time`.

use hookmq_plugin_api::OutgoingMessage;
use mlua::{Lua, Value};

use super::{Args, Raw};
use crate::args::Arg;
use crate::context::Context;
use crate::error::Fault;
use crate::range::topic_name;
use crate::value::{Reading, pairs_from_lua, reason_code};

pub(super) fn find(name: &str) -> Option<Raw> {
    Some(match name {
        "publish" => publish,
        "publish_to" => publish_to,
        "disconnect_client" => disconnect_client,
        "time" => |_, context, _| Ok(Value::Number((context.clock)())),
        _ => return None,
    })
}

fn publish(_: &Lua, context: &Context, [message, ..]: &Args) -> Result<Value, Fault> {
    let message = outgoing("broker.publish", message)?;
    context.host.publish(message, context.calling.get().depth)?;
    Ok(Value::Nil)
}

fn publish_to(_: &Lua, context: &Context, [client_id, message, ..]: &Args) -> Result<Value, Fault> {
    let client_id = Arg {
        function: "broker.publish_to",
        name: "client_id",
        value: client_id,
    }
    .text()?;
    let message = outgoing("broker.publish_to", message)?;
    let sent = context
        .host
        .publish_to(&client_id, message, context.calling.get().depth)?;
    Ok(Value::Boolean(sent))
}

fn disconnect_client(
    _: &Lua,
    context: &Context,
    [client_id, code, reason, ..]: &Args,
) -> Result<Value, Fault> {
    let function = "broker.disconnect_client";
    let client_id = Arg {
        function,
        name: "client_id",
        value: client_id,
    }
    .text()?;
    let reason = Arg {
        function,
        name: "reason_string",
        value: reason,
    }
    .optional_text()?;
    let done = context
        .host
        .disconnect(&client_id, reason_code(code)?, reason.as_deref())?;
    Ok(Value::Boolean(done))
}

/// A message from its table; unknown keys are errors.
fn outgoing(function: &'static str, value: &Value) -> Result<OutgoingMessage, Fault> {
    let message = Arg {
        function,
        name: "message",
        value,
    };
    if value.is_nil() {
        message.table()?;
    }
    let [
        topic,
        payload,
        qos,
        retain,
        expiry,
        content_type,
        response_topic,
        correlation_data,
        user_properties,
    ] = message.options([
        "topic",
        "payload",
        "qos",
        "retain",
        "message_expiry_interval",
        "content_type",
        "response_topic",
        "correlation_data",
        "user_properties",
    ])?;
    let arg = |name, value| Arg {
        function,
        name,
        value,
    };
    let topic_arg = arg("topic", &topic);
    let topic = topic_arg.text()?;
    topic_name(&topic).map_err(|why| topic_arg.fault(&why))?;
    let payload = match &payload {
        Value::Nil => Vec::new(),
        payload => arg("payload", payload).bytes()?,
    };
    let qos = match &qos {
        Value::Nil => 0,
        value => arg("qos", value)
            .whole_number()
            .ok()
            .and_then(|qos| u8::try_from(qos).ok())
            .filter(|qos| *qos <= 2)
            .ok_or_else(|| arg("qos", value).fault("must be 0, 1 or 2"))?,
    };
    let message_expiry_interval = match &expiry {
        Value::Nil => None,
        value => {
            let expiry = arg("message_expiry_interval", value);
            let seconds = u32::try_from(expiry.whole_number()?);
            Some(seconds.map_err(|_| expiry.fault("must be from 0 to 4294967295 seconds"))?)
        }
    };
    let correlation_data = match &correlation_data {
        Value::Nil => None,
        value => Some(arg("correlation_data", value).bytes()?),
    };
    let user_properties = match &user_properties {
        Value::Nil => Vec::new(),
        value => {
            let table = arg("user_properties", value);
            pairs_from_lua("user_properties", table.table()?, Reading::Exact)?
        }
    };
    Ok(OutgoingMessage {
        topic,
        payload,
        qos,
        retain: arg("retain", &retain).flag()?,
        message_expiry_interval,
        content_type: arg("content_type", &content_type).optional_text()?,
        response_topic: arg("response_topic", &response_topic).optional_text()?,
        correlation_data,
        user_properties,
    })
}
