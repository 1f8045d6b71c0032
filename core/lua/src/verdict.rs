//! Verdicts as scripts hold them: opaque values that only `broker.pass`, `broker.deny` and the like can make.

use std::cell::Cell;
use std::rc::Rc;

use hookmq_plugin_api::{
    Answer, Cause, Field, Hook, HookSpec, Keep, Kind, Owned, PluginError, Refusal, Verdict,
    VerdictKind,
};
use mlua::{Lua, MetaMethod, Table, UserData, UserDataFields, UserDataMethods, Value};

use crate::context::Context;
use crate::error::Fault;
use crate::keep;
use crate::suggest::hint;
use crate::value::{self, Reading};

/// A verdict made by a script. It can be kept and returned many times.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) verdict: Verdict,
    pub(crate) changes: Vec<(Field, Owned)>,
    /// For how long the broker may decide by it.
    pub(crate) keep: Option<Box<Keep>>,
    /// The hook in whose call the changes were checked; another hook checks them again.
    pub(crate) checked_for: Option<Hook>,
    /// Counts what it holds against the script's memory.
    pub(crate) weight: Option<Weight>,
}

/// Bytes held outside the VM, given back when the verdict is collected.
#[derive(Debug)]
pub(crate) struct Weight {
    held: Rc<Cell<usize>>,
    bytes: usize,
}

impl Weight {
    /// Counts these bytes; garbage is collected if that is needed to stay below the limit.
    pub(crate) fn of(lua: &Lua, context: &Context, bytes: usize) -> mlua::Result<Self> {
        let held = &context.held;
        let is_over = || held.get().saturating_add(bytes) > context.memory.limit;
        if is_over() {
            lua.gc_collect()?;
        }
        if is_over() {
            return Err(mlua::Error::MemoryError("not enough memory".into()));
        }
        held.set(held.get() + bytes);
        Ok(Self {
            held: Rc::clone(held),
            bytes,
        })
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.held.set(self.held.get().saturating_sub(self.bytes));
    }
}

/// Bytes that a list of changes holds, roughly.
pub(crate) fn weigh(changes: &[(Field, Owned)]) -> usize {
    let one = |value: &Owned| match value {
        Owned::Text(text) => text.len(),
        Owned::Bytes(bytes) => bytes.len(),
        Owned::Pairs(pairs) => pairs
            .iter()
            .map(|(name, value)| name.len() + value.len() + size_of::<(String, String)>())
            .sum(),
        Owned::Records(records) => records
            .iter()
            .map(|record| weigh(record) + size_of::<Vec<(Field, Owned)>>())
            .sum(),
        Owned::Nil | Owned::Bool(_) | Owned::Integer(_) => 0,
    };
    changes
        .iter()
        .map(|(_, value)| one(value) + size_of::<(Field, Owned)>())
        .sum()
}

impl Made {
    pub(crate) const fn plain(verdict: Verdict) -> Self {
        Self {
            verdict,
            changes: Vec::new(),
            keep: None,
            checked_for: None,
            weight: None,
        }
    }
}

impl UserData for Made {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("kind", |_, this| Ok(this.verdict.kind().name()));
        fields.add_field_method_get("reason_code", |_, this| {
            Ok(refusal(&this.verdict).map(|refusal| refusal.reason_code))
        });
        fields.add_field_method_get("reason_string", |_, this| {
            Ok(refusal(&this.verdict)
                .and_then(|refusal| refusal.reason_string.as_deref().map(str::to_owned)))
        });
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| {
            Ok(format!("verdict: {}", this.verdict.kind().name()))
        });
    }
}

/// The refusal inside a verdict.
pub(crate) fn refusal(verdict: &Verdict) -> Option<&Refusal> {
    match verdict {
        Verdict::Deny(refusal) | Verdict::Disconnect(refusal) => Some(refusal),
        Verdict::Drop(refusal) => refusal.as_deref(),
        Verdict::Pass | Verdict::Accept | Verdict::Consume => None,
    }
}

/// What stands in the table of `broker.accept { qos = 0, ttl = 60 }`.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) changes: Vec<(Field, Owned)>,
    /// See [`crate::keep`].
    pub(crate) ttl: Value,
    pub(crate) tags: Value,
}

/// The changes of `broker.pass { topic = ... }`: every name a field, every value of its type and range, and, where the hook is
/// known, a field that this hook may change. Besides, what only some verdicts take: `ttl` and `tags`.
pub(crate) fn told(
    function: &str,
    hook: Option<Hook>,
    table: &Value,
    reading: Reading,
) -> Result<Told, Fault> {
    let table = match table {
        Value::Nil => return Ok(Told::default()),
        Value::Table(table) => table,
        other => {
            return Err(Fault::new(format!(
                "{function} takes a table of changes, e.g. {function} {{ topic = \"a/b\" }}, got {}",
                value::show(other)
            )));
        }
    };
    read_table(hook, table, reading)
        .map_err(|fault| Fault::new(format!("{function}: {}", fault.message)))
}

fn read_table(hook: Option<Hook>, table: &Table, reading: Reading) -> Result<Told, Fault> {
    let mut told = Told::default();
    for entry in table.pairs::<Value, Value>() {
        let (name, new) = entry?;
        let Value::String(name) = name else {
            return Err(Fault::new(format!(
                "changes are named fields, got {} as a name",
                value::show(&name)
            )));
        };
        let name = name.to_string_lossy();
        match name.as_str() {
            keep::TTL => {
                told.ttl = new;
                continue;
            }
            keep::TAGS => {
                told.tags = new;
                continue;
            }
            _ => {}
        }
        let field = Field::from_name(&name).ok_or_else(|| no_such_change(hook, &name))?;
        if let Some(hook) = hook {
            check_may_change(hook.spec(), field)?;
        }
        let new = match reading {
            Reading::Exact => value::from_lua(field, &new)?,
            // The broker has the last word on ranges, and leaves out of a refusal what is not within them.
            Reading::Lenient => value::typed(field, &new, reading)?,
        };
        told.changes.push((field, new));
    }
    Ok(told)
}

fn no_such_change(hook: Option<Hook>, name: &str) -> Fault {
    let suggestion = match hook {
        Some(hook) => hint(name, hook.spec().changes.iter().map(|field| field.name())),
        None => hint(
            name,
            hookmq_plugin_api::field::FIELDS
                .iter()
                .map(|spec| spec.name),
        ),
    };
    Fault::new(format!("there is no field \"{name}\"{suggestion}"))
}

fn check_may_change(spec: &HookSpec, field: Field) -> Result<(), Fault> {
    if spec.may_change(field) {
        return Ok(());
    }
    let allowed: Vec<_> = spec.changes.iter().map(|field| field.name()).collect();
    let allowed = if allowed.is_empty() {
        "nothing".to_owned()
    } else {
        allowed.join(", ")
    };
    Err(Fault::new(format!(
        "{} cannot change {}; it can change {allowed}",
        spec.name,
        field.name()
    )))
}

/// What a handler returned, as an answer. `place` is the handler's file and line, for errors.
pub(crate) fn answer(
    spec: &HookSpec,
    returned: &Value,
    place: &str,
) -> Result<Answer, PluginError> {
    let userdata = match returned {
        Value::Nil => return Ok(Answer::PASS),
        Value::UserData(userdata) => userdata,
        other => return Err(not_a_verdict(spec, other, place)),
    };
    let Ok(made) = userdata.borrow::<Made>() else {
        return Err(not_a_verdict(spec, returned, place));
    };
    let kind = made.verdict.kind();
    if kind == VerdictKind::Pass && made.changes.is_empty() && made.keep.is_none() {
        return Ok(Answer::PASS);
    }
    let wrong = |message: String| PluginError::new(Cause::Answer, format!("{place}: {message}"));
    if !spec.may_answer(kind) {
        return Err(wrong(unusable(spec, kind)));
    }
    if made.checked_for != Some(spec.hook) {
        for (field, _) in &made.changes {
            check_may_change(spec, *field).map_err(|fault| wrong(fault.message))?;
        }
    }
    keep::check(spec, kind, made.keep.is_some()).map_err(wrong)?;
    Ok(Answer {
        verdict: made.verdict.clone(),
        changes: made.changes.clone(),
        keep: made.keep.clone(),
    })
}

fn unusable(spec: &HookSpec, kind: VerdictKind) -> String {
    if spec.kind == Kind::Notice {
        return format!(
            "{} tells what has happened already, so it cannot answer {}; return nothing",
            spec.name,
            kind.name()
        );
    }
    let allowed: Vec<_> = spec.verdicts.iter().map(|verdict| verdict.name()).collect();
    format!(
        "{} cannot answer {}; it can answer {}",
        spec.name,
        kind.name(),
        allowed.join(", ")
    )
}

fn not_a_verdict(spec: &HookSpec, returned: &Value, place: &str) -> PluginError {
    let mut ways = vec!["nothing to pass".to_owned()];
    for verdict in spec.verdicts {
        ways.push(match verdict {
            VerdictKind::Pass => continue,
            VerdictKind::Accept => "broker.accept()".into(),
            VerdictKind::Deny => "broker.deny(\"not_authorized\", \"why\")".into(),
            VerdictKind::Drop => "broker.drop(\"why\")".into(),
            VerdictKind::Consume => "broker.consume()".into(),
            VerdictKind::Disconnect => "broker.disconnect(\"not_authorized\", \"why\")".into(),
        });
    }
    PluginError::new(
        Cause::Answer,
        format!(
            "{place}: {} (defined here) returned {}; return {}",
            spec.name,
            value::show(returned),
            ways.join(", ")
        ),
    )
}
