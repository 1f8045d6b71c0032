//! The policy in Lua: `policy.lua` with a handler per hook of the catalogue, which names its fields as parameters.

use std::fmt::Write as _;

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::{HookSpec, Kind};

/// One in so many fields of a decision is read through `msg`, the others are parameters.
const THROUGH_MSG: usize = 3;

/// The whole script.
pub(crate) fn script() -> String {
    let mut script = include_str!("policy.lua").to_owned();
    for spec in HOOKS {
        handler(&mut script, spec);
    }
    script.push_str("\nreturn M\n");
    script
}

fn handler(script: &mut String, spec: &HookSpec) {
    let mut parameters = Vec::new();
    let mut sights = String::new();
    for (at, field) in spec.fields.iter().enumerate() {
        let row = field.spec();
        let through_msg = spec.kind != Kind::Notice && at % THROUGH_MSG == THROUGH_MSG - 1;
        let value = if through_msg {
            format!("msg.{}", row.name)
        } else {
            parameters.push(row.name);
            row.name.to_owned()
        };
        let presence = if row.optional { "optional" } else { "always" };
        // Writing to a text does not fail.
        let _ = writeln!(
            sights,
            "\tsee(sight, {:?}, {:?}, {presence:?}, {value})",
            row.name,
            row.kind.name()
        );
    }
    if sights.contains("msg.") {
        parameters.push("msg");
    }
    let _ = write!(
        script,
        "\nfunction M.{name}({parameters})\n\tlocal sight = {{ hook = {name:?}, line = {{ {name:?} }} }}\n{sights}\treturn decide(sight)\nend\n",
        name = spec.name,
        parameters = parameters.join(", ")
    );
}
