//! `broker.pass`, `broker.deny` and the other verdicts.

use hookmq_plugin_api::{Refusal, Verdict};
use mlua::{Lua, Value};

use super::{Args, Raw};
use crate::args::Arg;
use crate::config::Required;
use crate::context::Context;
use crate::error::Fault;
use crate::guard::place_above;
use crate::value::{pairs_from_lua, reason_code};
use crate::verdict::{Made, Weight, changes, weigh};

/// What `broker.pass()` returns.
pub(super) const PASS: Made = Made::plain(Verdict::Pass);

pub(super) fn find(name: &str) -> Option<Raw> {
    Some(match name {
        "pass" => {
            |lua, context, args| with_changes(lua, context, args, "broker.pass", Verdict::Pass)
        }
        "accept" => {
            |lua, context, args| with_changes(lua, context, args, "broker.accept", Verdict::Accept)
        }
        "deny" => |lua, context, args| refuse(lua, context, args, "broker.deny", Verdict::Deny),
        "disconnect" => |lua, context, args| {
            refuse(lua, context, args, "broker.disconnect", Verdict::Disconnect)
        },
        "drop" => drop,
        "consume" => |lua, _, _| made(lua, Made::plain(Verdict::Consume)),
        "required" => required,
        _ => return None,
    })
}

fn made(lua: &Lua, made: Made) -> Result<Value, Fault> {
    Ok(Value::UserData(lua.create_userdata(made)?))
}

fn with_changes(
    lua: &Lua,
    context: &Context,
    [table, ..]: &Args,
    function: &str,
    verdict: Verdict,
) -> Result<Value, Fault> {
    let hook = context.calling.get().hook;
    let changes = changes(function, hook, table)?;
    let weight = Weight::of(lua, context, weigh(&changes))?;
    made(
        lua,
        Made {
            verdict,
            changes,
            checked_for: hook,
            weight: Some(weight),
        },
    )
}

fn refused(
    lua: &Lua,
    context: &Context,
    refusal: Refusal,
    verdict: impl FnOnce(Box<Refusal>) -> Verdict,
) -> Result<Value, Fault> {
    let texts = [&refusal.reason_string, &refusal.server_reference];
    let texts: usize = texts
        .iter()
        .filter_map(|text| text.as_deref())
        .map(str::len)
        .sum();
    let pairs = refusal.user_properties.iter();
    let pairs: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
    let weight = Weight::of(lua, context, size_of::<Refusal>() + texts + pairs)?;
    let mut verdict = Made::plain(verdict(Box::new(refusal)));
    verdict.weight = Some(weight);
    made(lua, verdict)
}

fn refuse(
    lua: &Lua,
    context: &Context,
    [code, reason, options, ..]: &Args,
    function: &'static str,
    verdict: fn(Box<Refusal>) -> Verdict,
) -> Result<Value, Fault> {
    let code =
        reason_code(code).map_err(|fault| Fault::new(format!("{function}: {}", fault.message)))?;
    let reason = Arg {
        function,
        name: "reason_string",
        value: reason,
    }
    .short_text()?;
    let options = Arg {
        function,
        name: "options",
        value: options,
    };
    let [user_properties, server_reference] =
        options.options(["user_properties", "server_reference"])?;
    let user_properties = match &user_properties {
        Value::Nil => Vec::new(),
        value => {
            let table = Arg {
                name: "user_properties",
                value,
                ..options
            };
            pairs_from_lua("user_properties", table.table()?)?
        }
    };
    let server_reference = Arg {
        name: "server_reference",
        value: &server_reference,
        ..options
    }
    .short_text()?;
    let refusal = Refusal {
        reason_code: code,
        reason_string: reason.map(Into::into),
        user_properties,
        server_reference: server_reference.map(Into::into),
        place: place_above(lua, 1).map(Into::into),
    };
    refused(lua, context, refusal, verdict)
}

fn drop(lua: &Lua, context: &Context, [reason, ..]: &Args) -> Result<Value, Fault> {
    let reason = Arg {
        function: "broker.drop",
        name: "reason_string",
        value: reason,
    }
    .short_text()?;
    let refusal = Refusal {
        reason_string: reason.map(Into::into),
        place: place_above(lua, 1).map(Into::into),
        ..Refusal::default()
    };
    refused(lua, context, refusal, |refusal| {
        Verdict::Drop(Some(refusal))
    })
}

fn required(lua: &Lua, _: &Context, [kind, ..]: &Args) -> Result<Value, Fault> {
    let kind = Arg {
        function: "broker.required",
        name: "kind",
        value: kind,
    };
    let required = Required::of(&kind.text()?).map_err(|why| kind.fault(&why))?;
    Ok(Value::UserData(lua.create_userdata(required)?))
}
