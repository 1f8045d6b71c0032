//! `broker.pass`, `broker.deny` and the other verdicts.

use hookmq_plugin_api::{Keep, Refusal, Verdict, VerdictKind};
use mlua::{Lua, Value};

use super::{Args, Raw};
use crate::args::Arg;
use crate::config::Required;
use crate::context::Context;
use crate::error::Fault;
use crate::guard::place_above;
use crate::keep::{self, TAGS, TTL};
use crate::value::{Reading, pairs_from_lua, reason_code};
use crate::verdict::{Made, Told, Weight, told, weigh};

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
        "deny" => deny,
        "disconnect" => disconnect,
        "drop" => drop,
        "consume" => |lua, context, args| {
            with_changes(lua, context, args, "broker.consume", Verdict::Consume)
        },
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
    function: &'static str,
    verdict: Verdict,
) -> Result<Value, Fault> {
    changing(lua, context, table, function, verdict, 0)
}

/// A verdict with the changes of `table`; it holds `held` bytes besides.
fn changing(
    lua: &Lua,
    context: &Context,
    table: &Value,
    function: &'static str,
    verdict: Verdict,
    held: usize,
) -> Result<Value, Fault> {
    let hook = context.calling.get().hook;
    let reading = match verdict {
        Verdict::Drop(_) | Verdict::Consume => Reading::Lenient,
        _ => Reading::Exact,
    };
    let Told { changes, ttl, tags } = told(function, hook, table, reading)?;
    let keep = keep::keep(function, hook, &ttl, &tags)?;
    if keep.is_some() && verdict.kind() != VerdictKind::Accept {
        let what = match verdict.kind() {
            VerdictKind::Pass => "no opinion",
            kind => kind.name(),
        };
        return Err(cannot_be_kept(function, what));
    }
    let weight = held + weigh(&changes) + keep::weigh(keep.as_deref());
    let weight = Weight::of(lua, context, weight)?;
    made(
        lua,
        Made {
            verdict,
            changes,
            keep,
            checked_for: hook,
            weight: Some(weight),
        },
    )
}

fn cannot_be_kept(function: &str, what: &str) -> Fault {
    Fault::new(format!(
        "{function}: {what} cannot be kept; ttl and tags go with broker.accept and broker.deny"
    ))
}

fn refused(
    lua: &Lua,
    context: &Context,
    refusal: Refusal,
    keep: Option<Box<Keep>>,
    verdict: impl FnOnce(Box<Refusal>) -> Verdict,
) -> Result<Value, Fault> {
    let weight = weight_of(&refusal) + keep::weigh(keep.as_deref());
    let weight = Weight::of(lua, context, weight)?;
    let mut verdict = Made::plain(verdict(Box::new(refusal)));
    verdict.keep = keep;
    verdict.weight = Some(weight);
    made(lua, verdict)
}

/// Bytes that a refusal holds.
fn weight_of(refusal: &Refusal) -> usize {
    let texts = [&refusal.reason_string, &refusal.server_reference];
    let texts: usize = texts
        .iter()
        .filter_map(|text| text.as_deref())
        .map(str::len)
        .sum();
    let pairs = refusal.user_properties.iter();
    let pairs: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
    size_of::<Refusal>() + texts + pairs
}

fn deny(lua: &Lua, context: &Context, args: &Args) -> Result<Value, Fault> {
    let function = "broker.deny";
    let [user_properties, server_reference, ttl, tags] =
        options(function, args).options(["user_properties", "server_reference", TTL, TAGS])?;
    let refusal = refusal(lua, function, args, &user_properties, &server_reference)?;
    let hook = context.calling.get().hook;
    let keep = keep::of_refusal(function, hook, &ttl, &tags)?;
    refused(lua, context, refusal, keep, Verdict::Deny)
}

fn disconnect(lua: &Lua, context: &Context, args: &Args) -> Result<Value, Fault> {
    let function = "broker.disconnect";
    if let [_, _, Value::Table(options), ..] = args
        && (options.contains_key(TTL)? || options.contains_key(TAGS)?)
    {
        return Err(cannot_be_kept(function, "disconnect"));
    }
    let [user_properties, server_reference] =
        options(function, args).options(["user_properties", "server_reference"])?;
    let refusal = refusal(lua, function, args, &user_properties, &server_reference)?;
    refused(lua, context, refusal, None, Verdict::Disconnect)
}

fn options<'a>(function: &'static str, [_, _, options, ..]: &'a Args) -> Arg<'a> {
    Arg {
        function,
        name: "options",
        value: options,
    }
}

fn refusal(
    lua: &Lua,
    function: &'static str,
    [code, reason, ..]: &Args,
    user_properties: &Value,
    server_reference: &Value,
) -> Result<Refusal, Fault> {
    let code =
        reason_code(code).map_err(|fault| Fault::new(format!("{function}: {}", fault.message)))?;
    let arg = |name, value| Arg {
        function,
        name,
        value,
    };
    let reason = arg("reason_string", reason).words()?;
    let user_properties = match user_properties {
        Value::Nil => Vec::new(),
        value => {
            let table = arg("user_properties", value);
            pairs_from_lua("user_properties", table.table()?, Reading::Lenient)?
        }
    };
    // A string that is none is left out, as everything that no packet can carry: the refusal stands without it.
    let server_reference = match server_reference {
        Value::String(_) => arg("server_reference", server_reference)
            .short_text()
            .unwrap_or_default(),
        other => arg("server_reference", other).short_text()?,
    };
    Ok(Refusal {
        reason_code: code,
        reason_string: reason.map(Into::into),
        user_properties,
        server_reference: server_reference.map(Into::into),
        place: place_above(lua, 1).map(Into::into),
    })
}

fn drop(lua: &Lua, context: &Context, [reason, changes, ..]: &Args) -> Result<Value, Fault> {
    let function = "broker.drop";
    let reason = Arg {
        function,
        name: "reason_string",
        value: reason,
    }
    .words()?;
    let refusal = Refusal {
        reason_string: reason.map(Into::into),
        place: place_above(lua, 1).map(Into::into),
        ..Refusal::default()
    };
    let held = weight_of(&refusal);
    let verdict = Verdict::Drop(Some(Box::new(refusal)));
    changing(lua, context, changes, function, verdict, held)
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
