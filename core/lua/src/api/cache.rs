//! What the broker keeps of scripts' answers: `broker.cache.invalidate`, `broker.reauthorize`.

use mlua::Value;

use super::{Args, Raw};
use crate::args::Arg;
use crate::error::Fault;
use crate::value::number_to_lua;

pub(super) fn find(name: &str) -> Option<Raw> {
    Some(match name {
        "cache.invalidate" => |_, context, args| {
            let tag = tag("broker.cache.invalidate", args)?;
            Ok(count(context.host.invalidate(&tag)?))
        },
        "reauthorize" => |_, context, args| {
            let tag = tag("broker.reauthorize", args)?;
            Ok(count(context.host.reauthorize(&tag)?))
        },
        _ => return None,
    })
}

fn tag(function: &'static str, [tag, ..]: &Args) -> Result<String, Fault> {
    Arg {
        function,
        name: "tag",
        value: tag,
    }
    .text()
}

fn count(number: usize) -> Value {
    number_to_lua(i64::try_from(number).unwrap_or(i64::MAX))
}
