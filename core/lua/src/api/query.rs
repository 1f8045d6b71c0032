//! What a script asks: clients, sessions, retained messages, and how filters lie to topics and to each other.

use hookmq_plugin_api::{ClientView, RetainedView, SessionView};
use mlua::{Lua, Table, Value};

use super::{Args, Raw};
use crate::args::{Arg, string};
use crate::context::Context;
use crate::error::Fault;
use crate::{filter, range};

/// Retained messages that one query gives unless told otherwise, and at most.
const RETAINED: (usize, usize) = (100, 1_000);

pub(super) fn find(name: &str) -> Option<Raw> {
    Some(match name {
        "client" => client,
        "session" => session,
        "retained" => retained,
        "topic.matches" => matches,
        "topic.overlaps" => overlaps,
        "topic.covers" => covers,
        "topic.levels" => levels,
        _ => return None,
    })
}

fn text(function: &'static str, name: &'static str, value: &Value) -> Result<String, Fault> {
    Arg {
        function,
        name,
        value,
    }
    .text()
}

fn client(lua: &Lua, context: &Context, [client_id, ..]: &Args) -> Result<Value, Fault> {
    let client_id = text("broker.client", "client_id", client_id)?;
    match context.host.client(&client_id)? {
        Some(view) => Ok(Value::Table(client_table(lua, &view)?)),
        None => Ok(Value::Nil),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since the epoch are below 2^53"
)]
fn client_table(lua: &Lua, view: &ClientView) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("client_id", view.client_id.as_str())?;
    table.raw_set("username", view.username.as_deref())?;
    table.raw_set("endpoint", view.endpoint.as_str())?;
    table.raw_set("listener", view.listener.as_str())?;
    table.raw_set("protocol_version", view.protocol_version)?;
    table.raw_set("keep_alive", view.keep_alive)?;
    table.raw_set("connected_at", view.connected_at_ms as f64 / 1_000.0)?;
    Ok(table)
}

fn session(lua: &Lua, context: &Context, [client_id, ..]: &Args) -> Result<Value, Fault> {
    let client_id = text("broker.session", "client_id", client_id)?;
    match context.host.session(&client_id)? {
        Some(view) => Ok(Value::Table(session_table(lua, &view)?)),
        None => Ok(Value::Nil),
    }
}

fn session_table(lua: &Lua, view: &SessionView) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("client_id", view.client_id.as_str())?;
    table.raw_set("connected", view.connected)?;
    table.raw_set("session_expiry_interval", view.session_expiry_interval)?;
    table.raw_set("n_queued", view.n_queued)?;
    table.raw_set("n_inflight", view.n_inflight)?;
    let subscriptions = lua.create_table()?;
    for (topic_filter, qos) in &view.subscriptions {
        let entry = lua.create_table()?;
        entry.raw_set("topic_filter", topic_filter.as_str())?;
        entry.raw_set("qos", *qos)?;
        subscriptions.raw_push(entry)?;
    }
    table.raw_set("subscriptions", subscriptions)?;
    Ok(table)
}

fn retained(lua: &Lua, context: &Context, [filter, limit, ..]: &Args) -> Result<Value, Fault> {
    let filter = Arg {
        function: "broker.retained",
        name: "topic_filter",
        value: filter,
    };
    let limit_arg = Arg {
        function: "broker.retained",
        name: "limit",
        value: limit,
    };
    let limit = match limit {
        Value::Nil => RETAINED.0,
        _ => usize::try_from(limit_arg.whole_number()?)
            .ok()
            .filter(|limit| (1..=RETAINED.1).contains(limit))
            .ok_or_else(|| limit_arg.fault("must be from 1 to 1000"))?,
    };
    let name = filter.text()?;
    range::topic_filter(&name).map_err(|why| filter.fault(&why))?;
    let list = lua.create_table()?;
    for view in context.host.retained(&name, limit)? {
        list.raw_push(retained_table(lua, &view)?)?;
    }
    Ok(Value::Table(list))
}

fn retained_table(lua: &Lua, view: &RetainedView) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("topic", view.topic.as_str())?;
    table.raw_set("payload", lua.create_string(&view.payload)?)?;
    table.raw_set("qos", view.qos)?;
    Ok(table)
}

fn matches(_: &Lua, _: &Context, [filter, topic, ..]: &Args) -> Result<Value, Fault> {
    const FUNCTION: &str = "broker.topic.matches";
    let filter = filter_text(FUNCTION, "topic_filter", filter)?;
    let name = topic_text(FUNCTION, topic)?;
    // To say "no" would let a subscriber to # have what a script means to keep from it.
    if filter::is_filter(&name) {
        let topic = Arg {
            function: FUNCTION,
            name: "topic",
            value: topic,
        };
        return Err(topic.fault(
            "this is a filter, no topic; compare filters with broker.topic.overlaps or broker.topic.covers",
        ));
    }
    Ok(Value::Boolean(range::matches(&filter, &name)))
}

fn overlaps(_: &Lua, _: &Context, [filter, other, ..]: &Args) -> Result<Value, Fault> {
    const FUNCTION: &str = "broker.topic.overlaps";
    let filter = filter_text(FUNCTION, "topic_filter", filter)?;
    let other = filter_text(FUNCTION, "other", other)?;
    Ok(Value::Boolean(filter::overlaps(&filter, &other)))
}

fn covers(_: &Lua, _: &Context, [filter, other, ..]: &Args) -> Result<Value, Fault> {
    const FUNCTION: &str = "broker.topic.covers";
    let filter = filter_text(FUNCTION, "topic_filter", filter)?;
    let other = filter_text(FUNCTION, "other", other)?;
    Ok(Value::Boolean(filter::covers(&filter, &other)))
}

fn filter_text(function: &'static str, name: &'static str, value: &Value) -> Result<String, Fault> {
    let filter = Arg {
        function,
        name,
        value,
    };
    let text = filter.text()?;
    range::topic_filter(&text).map_err(|why| filter.fault(&why))?;
    Ok(text)
}

/// A text as long as a topic can be.
fn topic_text(function: &'static str, value: &Value) -> Result<String, Fault> {
    let topic = Arg {
        function,
        name: "topic",
        value,
    };
    let text = topic.text()?;
    range::check_length(text.len()).map_err(|why| topic.fault(&why))?;
    Ok(text)
}

fn levels(lua: &Lua, _: &Context, [topic, ..]: &Args) -> Result<Value, Fault> {
    let topic = topic_text("broker.topic.levels", topic)?;
    let list = lua.create_table()?;
    for level in topic.split('/') {
        list.raw_push(string(lua, level)?)?;
    }
    Ok(Value::Table(list))
}
