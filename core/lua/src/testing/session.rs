//! `t`: what one test can do with the script that it tests.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hookmq_plugin_api::{
    Answer, ClientView, EventRecord, Field, Hook, Host, Owned, Plugin, RetainedView, SessionView,
    Type,
};
use mlua::{Function, Lua, Table, Value};

use super::host::{FakeHost, LogLine, Published};
use crate::args::Arg;
use crate::error::Fault;
use crate::plugin::LuaPlugin;
use crate::settings::LuaSettings;
use crate::suggest::hint;
use crate::value::{Reading, pairs_to_lua, to_lua, typed, whole_number};
use crate::verdict::refusal;

/// Tests that a file declared: name and body.
pub(super) type Tests = Rc<RefCell<Vec<(String, Function)>>>;

/// One test's script and host. The script is loaded at its first use, so that a test can set the config before.
pub(super) struct Session {
    script: PathBuf,
    budget: Duration,
    host: Arc<FakeHost>,
    state: RefCell<State>,
}

struct State {
    settings: LuaSettings,
    plugin: Option<Arc<LuaPlugin>>,
    log: Vec<LogLine>,
    published: Vec<Published>,
    disconnected: Vec<(String, u8, Option<String>)>,
    invalidated: Vec<String>,
    reauthorized: Vec<String>,
}

impl Session {
    pub(super) fn new(
        script: PathBuf,
        settings: LuaSettings,
        budget: Duration,
        host: Arc<FakeHost>,
    ) -> Rc<Self> {
        Rc::new(Self {
            script,
            budget,
            host,
            state: RefCell::new(State {
                settings,
                plugin: None,
                log: Vec::new(),
                published: Vec::new(),
                disconnected: Vec::new(),
                invalidated: Vec::new(),
                reauthorized: Vec::new(),
            }),
        })
    }

    /// Makes `t` and the global `test`.
    pub(super) fn install(self: &Rc<Self>, lua: &Lua) -> mlua::Result<(Table, Tests)> {
        let raw = lua.create_table()?;
        for (name, function) in FUNCTIONS {
            let session = Rc::clone(self);
            let function = *function;
            raw.raw_set(
                *name,
                lua.create_function(move |lua, (a, b): (Value, Value)| {
                    match function(&session, lua, &a, &b) {
                        Ok(value) => Ok((true, value)),
                        Err(Fault {
                            raise: Some(error), ..
                        }) => Err(error),
                        Err(fault) => Ok((false, Value::String(lua.create_string(fault.message)?))),
                    }
                })?,
            )?;
        }
        let t: Table = lua
            .load(include_str!("testing.luau"))
            .set_name("=test")
            .call(raw)?;
        let tests = Tests::default();
        let list = Rc::clone(&tests);
        let test = lua.create_function(move |_, (name, body): (String, Function)| {
            list.borrow_mut().push((name, body));
            Ok(())
        })?;
        lua.globals().set("test", test)?;
        Ok((t, tests))
    }

    fn plugin(&self) -> Result<Arc<LuaPlugin>, Fault> {
        let mut state = self.state.borrow_mut();
        if let Some(plugin) = &state.plugin {
            return Ok(Arc::clone(plugin));
        }
        let host = Arc::clone(&self.host) as Arc<dyn Host>;
        let plugin = LuaPlugin::load(&self.script, state.settings.clone(), host)
            .map_err(|error| Fault::new(error.to_string()))?;
        Ok(Arc::clone(state.plugin.insert(plugin)))
    }

    fn answer(&self, event: EventRecord, hook: Hook) -> Result<Answer, Fault> {
        let plugin = self.plugin()?;
        let listen = plugin.listens().iter().find(|listen| listen.hook == hook);
        let Some(listen) = listen else {
            return Err(Fault::new(format!(
                "the script does not answer {}",
                hook.name()
            )));
        };
        let budget = plugin.metadata().timeout.unwrap_or(self.budget);
        let result = if listen.awaits {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .map_err(|error| Fault::new(error.to_string()))?;
            runtime.block_on(plugin.call_awaiting(Arc::new(event), budget))
        } else {
            plugin.call(&event, budget)
        };
        result.map_err(|error| Fault::new(error.to_string()))
    }
}

type TestFunction = fn(&Session, &Lua, &Value, &Value) -> Result<Value, Fault>;

/// The part of `t` that is about the script and its host.
const FUNCTIONS: &[(&str, TestFunction)] = &[
    ("call", call),
    ("config", config),
    ("loaded", loaded),
    ("advance", advance),
    ("log", log),
    ("published", published),
    ("disconnected", disconnected),
    ("invalidated", invalidated),
    ("reauthorized", reauthorized),
    ("add_client", add_client),
    ("add_session", add_session),
    ("add_retained", add_retained),
];

fn call(session: &Session, lua: &Lua, name: &Value, fields: &Value) -> Result<Value, Fault> {
    let name = arg("call", "hook", name).text()?;
    let hook = Hook::from_name(&name).ok_or_else(|| {
        let hooks = hookmq_plugin_api::catalogue::HOOKS
            .iter()
            .map(|spec| spec.name);
        Fault::new(format!("there is no hook \"{name}\"{}", hint(&name, hooks)))
    })?;
    let event = event(session, hook, fields)?;
    let answer = session.answer(event, hook)?;
    Ok(Value::Table(answer_table(lua, &answer)?))
}

/// An event with the given fields. What the broker always fills is filled here too: false, 0, empty.
fn event(session: &Session, hook: Hook, fields: &Value) -> Result<EventRecord, Fault> {
    let mut event = EventRecord::new(hook);
    for field in hook.spec().fields {
        if let Some(value) = usual(session, *field) {
            event.set(*field, value);
        }
    }
    if fields.is_nil() {
        return Ok(event);
    }
    let fields = arg("call", "fields", fields).table()?.clone();
    set_fields(&mut event, hook, &fields)?;
    let is_sized = fields.contains_key("payload_size")?;
    if !is_sized && hook.spec().fields.contains(&Field::PayloadSize) {
        let size = payload_size(&fields)?;
        event.set(Field::PayloadSize, Owned::Integer(size));
    }
    Ok(event)
}

fn payload_size(fields: &Table) -> Result<i64, Fault> {
    let size = match fields.get::<Value>("payload")? {
        Value::String(payload) => payload.as_bytes().len(),
        Value::Buffer(payload) => payload.len(),
        _ => 0,
    };
    Ok(i64::try_from(size).unwrap_or(i64::MAX))
}

fn set_fields(event: &mut EventRecord, hook: Hook, fields: &Table) -> Result<(), Fault> {
    for entry in fields.pairs::<String, Value>() {
        let (name, value) = entry?;
        if let ("client", Value::Table(client)) = (name.as_str(), &value) {
            set_fields(event, hook, client)?;
            continue;
        }
        let known = hook.spec().fields;
        let field = known
            .iter()
            .find(|field| field.name() == name)
            .ok_or_else(|| {
                let names = known.iter().map(|field| field.name());
                Fault::new(format!(
                    "{} has no field \"{name}\"{}",
                    hook.name(),
                    hint(&name, names)
                ))
            })?;
        event.set(*field, typed(*field, &value, Reading::Exact)?);
    }
    Ok(())
}

/// What the broker fills in always.
#[expect(
    clippy::cast_possible_truncation,
    reason = "milliseconds since the epoch"
)]
fn usual(session: &Session, field: Field) -> Option<Owned> {
    let spec = field.spec();
    if spec.optional {
        return None;
    }
    Some(match (field, spec.kind) {
        (Field::Timestamp, _) => Owned::Integer((session.host.seconds() * 1_000.0) as i64),
        (Field::Sequence, _) => Owned::Integer(1),
        (Field::Source, _) => Owned::from("client"),
        (_, Type::Bool) => Owned::Bool(false),
        (_, Type::Integer) => Owned::Integer(0),
        (_, Type::Text) => Owned::from(""),
        (_, Type::Bytes) => Owned::Bytes(Box::default()),
        (_, Type::Pairs) => Owned::Pairs(Vec::new()),
        (_, Type::Records) => Owned::Records(Vec::new()),
    })
}

fn answer_table(lua: &Lua, answer: &Answer) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("kind", answer.verdict.kind().name())?;
    if let Some(refusal) = refusal(&answer.verdict) {
        let code = (refusal.reason_code != 0).then_some(refusal.reason_code);
        table.raw_set("reason_code", code)?;
        table.raw_set("reason_string", refusal.reason_string.as_deref())?;
        table.raw_set("server_reference", refusal.server_reference.as_deref())?;
        table.raw_set("place", refusal.place.as_deref())?;
        if !refusal.user_properties.is_empty() {
            table.raw_set(
                "user_properties",
                pairs_to_lua(lua, &refusal.user_properties)?,
            )?;
        }
    }
    let changes = lua.create_table()?;
    for (field, value) in &answer.changes {
        let value = match value {
            Owned::Nil => Value::NULL,
            value => to_lua(lua, value.as_value())?,
        };
        changes.raw_set(field.name(), value)?;
    }
    table.raw_set("changes", changes)?;
    if let Some(keep) = &answer.keep {
        table.raw_set("ttl", keep.ttl.as_secs_f64())?;
        let tags = keep.tags.iter().map(|tag| &**tag);
        table.raw_set("tags", lua.create_sequence_from(tags)?)?;
    }
    Ok(table)
}

fn config(session: &Session, _: &Lua, table: &Value, _: &Value) -> Result<Value, Fault> {
    let config = to_json(table, 0)?;
    let mut state = session.state.borrow_mut();
    state.settings.config = config;
    state.plugin = None;
    drop(state);
    session.plugin()?;
    Ok(Value::Nil)
}

fn to_json(value: &Value, depth: usize) -> Result<serde_json::Value, Fault> {
    use serde_json::Value as Json;
    if depth > 16 {
        return Err(Fault::new("t.config: nested too deep"));
    }
    Ok(match value {
        Value::Boolean(truth) => Json::Bool(*truth),
        Value::String(text) => Json::String(text.to_string_lossy()),
        Value::Number(number) => match whole_number(value) {
            Some(number) => number.into(),
            None => (*number).into(),
        },
        Value::Integer(number) => (*number).into(),
        Value::Table(table) if table.raw_len() > 0 => {
            let mut list = Vec::new();
            for item in table.sequence_values::<Value>() {
                list.push(to_json(&item?, depth + 1)?);
            }
            Json::Array(list)
        }
        Value::Table(table) => {
            let mut map = serde_json::Map::new();
            for entry in table.pairs::<String, Value>() {
                let (name, value) = entry?;
                map.insert(name, to_json(&value, depth + 1)?);
            }
            Json::Object(map)
        }
        other => {
            return Err(arg("config", "a value", other).fault("cannot stand in a config"));
        }
    })
}

/// `t.plugin`: what the script says of itself.
fn loaded(session: &Session, lua: &Lua, _: &Value, _: &Value) -> Result<Value, Fault> {
    let plugin = session.plugin()?;
    let metadata = plugin.metadata();
    let table = lua.create_table()?;
    table.raw_set("name", plugin.name())?;
    table.raw_set("version", metadata.version.as_deref())?;
    table.raw_set("description", metadata.description.as_deref())?;
    #[expect(clippy::cast_precision_loss, reason = "Luau numbers are doubles")]
    let priority = metadata.priority.map(|priority| priority as f64);
    table.raw_set("priority", priority)?;
    let hooks = lua.create_table()?;
    for listen in plugin.listens() {
        hooks.raw_push(listen.hook.name())?;
    }
    table.raw_set("hooks", hooks)?;
    Ok(Value::Table(table))
}

fn advance(session: &Session, _: &Lua, seconds: &Value, _: &Value) -> Result<Value, Fault> {
    let seconds = arg("advance", "seconds", seconds).seconds()?;
    session.host.advance(seconds.as_secs_f64());
    Ok(Value::Nil)
}

fn log(session: &Session, lua: &Lua, _: &Value, _: &Value) -> Result<Value, Fault> {
    let mut state = session.state.borrow_mut();
    state.log.extend(session.host.take_log());
    let list = lua.create_table()?;
    for line in &state.log {
        let entry = lua.create_table()?;
        entry.raw_set("level", format!("{:?}", line.level).to_lowercase())?;
        entry.raw_set("message", line.message.as_str())?;
        entry.raw_set("place", line.place.as_str())?;
        let fields = lua.create_table()?;
        for (name, value) in &line.fields {
            fields.raw_set(name.as_str(), value.as_str())?;
        }
        entry.raw_set("fields", fields)?;
        list.raw_push(entry)?;
    }
    Ok(Value::Table(list))
}

fn published(session: &Session, lua: &Lua, _: &Value, _: &Value) -> Result<Value, Fault> {
    let mut state = session.state.borrow_mut();
    state.published.extend(session.host.take_published());
    let list = lua.create_table()?;
    for published in &state.published {
        list.raw_push(published_table(lua, published)?)?;
    }
    Ok(Value::Table(list))
}

fn published_table(lua: &Lua, published: &Published) -> mlua::Result<Table> {
    let message = &published.message;
    let table = lua.create_table()?;
    table.raw_set("client_id", published.client_id.as_deref())?;
    table.raw_set("topic", message.topic.as_str())?;
    table.raw_set("payload", lua.create_string(&message.payload)?)?;
    table.raw_set("qos", message.qos)?;
    table.raw_set("retain", message.retain)?;
    table.raw_set("message_expiry_interval", message.message_expiry_interval)?;
    table.raw_set("content_type", message.content_type.as_deref())?;
    table.raw_set("response_topic", message.response_topic.as_deref())?;
    if let Some(data) = &message.correlation_data {
        table.raw_set("correlation_data", lua.create_string(data)?)?;
    }
    table.raw_set(
        "user_properties",
        pairs_to_lua(lua, &message.user_properties)?,
    )?;
    Ok(table)
}

fn disconnected(session: &Session, lua: &Lua, _: &Value, _: &Value) -> Result<Value, Fault> {
    let mut state = session.state.borrow_mut();
    state.disconnected.extend(session.host.take_disconnected());
    let list = lua.create_table()?;
    for (client_id, code, reason) in &state.disconnected {
        let entry = lua.create_table()?;
        entry.raw_set("client_id", client_id.as_str())?;
        entry.raw_set("reason_code", *code)?;
        entry.raw_set("reason_string", reason.as_deref())?;
        list.raw_push(entry)?;
    }
    Ok(Value::Table(list))
}

fn invalidated(session: &Session, lua: &Lua, _: &Value, _: &Value) -> Result<Value, Fault> {
    let mut state = session.state.borrow_mut();
    state.invalidated.extend(session.host.take_invalidated());
    let tags = state.invalidated.iter().map(String::as_str);
    Ok(Value::Table(lua.create_sequence_from(tags)?))
}

fn reauthorized(session: &Session, lua: &Lua, _: &Value, _: &Value) -> Result<Value, Fault> {
    let mut state = session.state.borrow_mut();
    state.reauthorized.extend(session.host.take_reauthorized());
    let tags = state.reauthorized.iter().map(String::as_str);
    Ok(Value::Table(lua.create_sequence_from(tags)?))
}

fn add_client(session: &Session, _: &Lua, client: &Value, _: &Value) -> Result<Value, Fault> {
    let client = arg("add_client", "client", client);
    let [client_id, username, endpoint, listener, protocol_version] = client.options([
        "client_id",
        "username",
        "endpoint",
        "listener",
        "protocol_version",
    ])?;
    let text = |name, value: &Value, usual: &str| {
        arg("add_client", name, value)
            .optional_text()
            .map(|text| text.unwrap_or_else(|| usual.to_owned()))
    };
    session.host.add_client(ClientView {
        client_id: arg("add_client", "client_id", &client_id).text()?,
        username: arg("add_client", "username", &username).optional_text()?,
        endpoint: text("endpoint", &endpoint, "127.0.0.1:50000")?,
        listener: text("listener", &listener, "test")?,
        protocol_version: whole_number(&protocol_version)
            .and_then(|version| u8::try_from(version).ok())
            .unwrap_or(5),
        keep_alive: 60,
        connected_at_ms: 0,
    });
    Ok(Value::Nil)
}

fn add_session(session: &Session, _: &Lua, given: &Value, _: &Value) -> Result<Value, Fault> {
    let [client_id, connected] =
        arg("add_session", "session", given).options(["client_id", "connected"])?;
    session.host.add_session(SessionView {
        client_id: arg("add_session", "client_id", &client_id).text()?,
        connected: arg("add_session", "connected", &connected).flag()?,
        session_expiry_interval: 0,
        n_queued: 0,
        n_inflight: 0,
        subscriptions: Vec::new(),
    });
    Ok(Value::Nil)
}

fn add_retained(session: &Session, _: &Lua, message: &Value, _: &Value) -> Result<Value, Fault> {
    let [topic, payload] = arg("add_retained", "message", message).options(["topic", "payload"])?;
    session.host.add_retained(RetainedView {
        topic: arg("add_retained", "topic", &topic).text()?,
        payload: arg("add_retained", "payload", &payload).bytes()?,
        qos: 0,
    });
    Ok(Value::Nil)
}

fn arg<'a>(function: &'static str, name: &'static str, value: &'a Value) -> Arg<'a> {
    Arg {
        function,
        name,
        value,
    }
}
