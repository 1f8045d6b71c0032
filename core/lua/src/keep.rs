//! `ttl` and `tags` of a verdict: whether, and for how long, the broker may decide like events by it without asking the script.

use hookmq_plugin_api::{Hook, HookSpec, Keep, VerdictKind, catalogue::HOOKS};
use mlua::Value;

use crate::args::Arg;
use crate::error::Fault;
use crate::value::show;

/// The names under which a script says it.
pub(crate) const TTL: &str = "ttl";
/// See [`TTL`].
pub(crate) const TAGS: &str = "tags";

/// What the script said; none if it said nothing. `hook` is the one in whose call the verdict is made.
pub(crate) fn keep(
    function: &'static str,
    hook: Option<Hook>,
    ttl: &Value,
    tags: &Value,
) -> Result<Option<Box<Keep>>, Fault> {
    let keep = of_refusal(function, hook, ttl, tags)?;
    let tags = Arg {
        function,
        name: TAGS,
        value: tags,
    };
    match &keep {
        Some(keep) => keep.check().map_err(|why| tags.fault(&why))?,
        None if !(ttl.is_nil() && tags.value.is_nil()) => {
            return Err(tags.fault("the text is not UTF-8"));
        }
        None => {}
    }
    Ok(keep)
}

/// The same for a refusal, which stands even if its tags are none: it is not kept then.
pub(crate) fn of_refusal(
    function: &'static str,
    hook: Option<Hook>,
    ttl: &Value,
    tags: &Value,
) -> Result<Option<Box<Keep>>, Fault> {
    if ttl.is_nil() && tags.is_nil() {
        return Ok(None);
    }
    if let Some(hook) = hook
        && !hook.spec().keeps
    {
        return Err(Fault::new(format!("{function}: {}", not_kept(hook.spec()))));
    }
    let ttl_arg = Arg {
        function,
        name: TTL,
        value: ttl,
    };
    let ttl = if ttl.is_nil() {
        std::time::Duration::ZERO
    } else {
        ttl_arg.seconds()?
    };
    let tags_arg = Arg {
        function,
        name: TAGS,
        value: tags,
    };
    let tags = read_tags(&tags_arg)?;
    Ok(tags.map(|tags| Box::new(Keep { ttl, tags })))
}

/// A tag or a list of tags; none if one is not UTF-8.
fn read_tags(tags: &Arg<'_>) -> Result<Option<Vec<Box<str>>>, Fault> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.to_str().ok().map(|text| text.as_ref().into())),
        value => Arg { value, ..*tags }.text().map(|text| Some(text.into())),
    };
    match tags.value {
        Value::Nil => Ok(Some(Vec::new())),
        Value::String(_) => Ok(one(tags.value)?.map(|tag| vec![tag])),
        Value::Table(list) => list
            .sequence_values::<Value>()
            .map(|tag| one(&tag?))
            .collect(),
        other => Err(tags.fault(&format!(
            "a tag or a list of tags, as in {{ \"user:ann\" }}, got {}",
            show(other)
        ))),
    }
}

/// A verdict that only accept and deny can be, or none.
pub(crate) fn check(spec: &HookSpec, verdict: VerdictKind, is_kept: bool) -> Result<(), String> {
    if !is_kept || spec.may_keep(verdict) {
        Ok(())
    } else {
        Err(not_kept(spec))
    }
}

fn not_kept(spec: &HookSpec) -> String {
    let hooks: Vec<_> = HOOKS
        .iter()
        .filter(|spec| spec.keeps)
        .map(|spec| spec.name)
        .collect();
    format!(
        "a verdict of {} cannot be kept; ttl and tags go with accept and deny of {}",
        spec.name,
        hooks.join(" and ")
    )
}

/// Bytes that it holds, roughly.
pub(crate) fn weigh(keep: Option<&Keep>) -> usize {
    keep.map_or(0, |keep| {
        let tags: usize = keep
            .tags
            .iter()
            .map(|tag| size_of::<Box<str>>() + tag.len())
            .sum();
        size_of::<Keep>() + tags
    })
}
