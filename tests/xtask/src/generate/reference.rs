//! `docs/hooks.md`: the hook reference.

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::surface::{METADATA, PARAMETERS};
use hookmq_plugin_api::{Field, FieldSpec, HookSpec, Kind, OnError, Type, VerdictKind};

use super::page::{Page, listed};
use super::rust::camel;
use super::snippets;

/// The whole page.
pub(super) fn page() -> String {
    let mut page = Page::default();
    page.line("<!-- Generated from plugin-api/src/catalogue.rs by `cargo xtask generate`: change the catalogue instead. -->");
    page.line(INTRODUCTION);
    page.gap();
    page.line("| Parameter beside fields | Meaning |\n|---|---|");
    for parameter in PARAMETERS {
        page.line(format!("| `{}` | {} |", parameter.name, parameter.doc));
    }
    page.gap();
    page.line("| In the returned table, beside handlers | Type | Meaning |\n|---|---|---|");
    for key in METADATA {
        let kind = key.kind.replace('|', "\\|");
        page.line(format!("| `{}` | `{kind}` | {} |", key.name, key.doc));
    }
    page.gap();
    page.line(FAILURES);
    page.gap();
    page.line(KEEPING);
    page.gap();
    page.line("| Hook | Kind | May await | Hot | Kept | A failure counts as | MQTTnet event |");
    page.line("|---|---|---|---|---|---|---|");
    for spec in HOOKS {
        page.line(format!(
            "| [`{name}`](#{name}) | {} | {} | {} | {} | {} | {} |",
            spec.kind.name(),
            if spec.awaits { "yes" } else { "" },
            if spec.hot { "yes" } else { "" },
            if spec.keeps { "yes" } else { "" },
            if spec.kind == Kind::Notice {
                ""
            } else {
                spec.on_error.name()
            },
            spec.mqttnet.unwrap_or(""),
            name = spec.name,
        ));
    }
    for spec in HOOKS {
        page.gap();
        hook(&mut page, spec);
    }
    page.text()
}

fn hook(page: &mut Page, spec: &HookSpec) {
    page.line(format!("## {}", spec.name));
    page.gap();
    page.line(spec.when);
    page.gap();
    page.line(format!("- Kind: {}", kind(spec)));
    if spec.kind != Kind::Notice {
        page.line(format!("- Answers: {}", answers(spec)));
        page.line(format!(
            "- A failure of the plugin counts as {}.",
            match spec.on_error {
                OnError::Deny => "a deny",
                OnError::Pass => "a pass without changes",
            }
        ));
        page.line(match (spec.awaits, spec.hot) {
            (true, false) => {
                "- The handler may await; only this client's packets wait meanwhile."
            }
            (true, true) => {
                "- The handler may await if it says so (in Lua in `M.awaits`, in Rust as `on_async_...`); only this client's packets wait meanwhile."
            }
            (false, _) => "- The handler cannot await.",
        });
    }
    if spec.keeps {
        page.line("- `accept` and `deny` may be kept: [without a call](#deciding-without-a-call).");
    }
    if spec.hot {
        page.line("- Comes per packet, message or receiver: read few fields.");
    }
    if let Some(event) = spec.mqttnet {
        page.line(format!("- In MQTTnet: `{event}`"));
    }
    page.line(format!(
        "- In Rust: `Closures::on_{}`, with the view `{}`{}",
        spec.name,
        camel(spec.name),
        if spec.kind == Kind::Notice {
            String::new()
        } else {
            format!(" and the answer `{}Answer`", camel(spec.name))
        }
    ));
    page.gap();
    fields(page, spec);
    if let Some(example) = snippets::of(spec.hook) {
        page.gap();
        page.line("```lua");
        page.line(example);
        page.line("```");
    }
}

fn kind(spec: &HookSpec) -> &'static str {
    match spec.kind {
        Kind::Gate => "gate; every plugin is asked until one denies.",
        Kind::Filter => "filter; each plugin sees the changes of those before it.",
        Kind::Notice => "notice; told after the fact, answers nothing.",
        Kind::Supply => "supply; asked for data.",
    }
}

fn answers(spec: &HookSpec) -> String {
    let words: Vec<String> = spec
        .verdicts
        .iter()
        .map(|verdict| format!("`{}`", verdict.name()))
        .collect();
    // What is dropped or consumed is acknowledged, and the acknowledgement can be changed.
    let changing = match spec.kind {
        Kind::Filter => &VerdictKind::ALL[..],
        _ => &[VerdictKind::Pass, VerdictKind::Accept],
    };
    let changing: Vec<String> = changing
        .iter()
        .filter(|verdict| !matches!(verdict, VerdictKind::Deny | VerdictKind::Disconnect))
        .filter(|verdict| spec.may_answer(**verdict))
        .map(|verdict| verdict.name().to_owned())
        .collect();
    if spec.changes.is_empty() {
        format!("{}.", listed(&words, "or"))
    } else {
        format!(
            "{}; changes travel with {}.",
            listed(&words, "or"),
            listed(&changing, "and")
        )
    }
}

fn fields(page: &mut Page, spec: &HookSpec) {
    let changes = !spec.changes.is_empty();
    page.line(if changes {
        "| Field | Type | Read | Change | Meaning |\n|---|---|---|---|---|"
    } else {
        "| Field | Type | Read | Meaning |\n|---|---|---|---|"
    });
    let only_changed = spec
        .changes
        .iter()
        .filter(|field| !spec.fields.contains(field));
    for field in spec.fields.iter().chain(only_changed) {
        let row = field.spec();
        let change = match (changes, spec.may_change(*field)) {
            (false, _) => "",
            (true, false) => "  |",
            (true, true) => " yes |",
        };
        page.line(format!(
            "| `{}` | {} | {} |{change} {} |",
            row.name,
            row.kind.name(),
            read(spec, row),
            row.doc
        ));
    }
    let mut known: Vec<Field> = Vec::new();
    for field in spec.fields.iter().chain(spec.changes) {
        let row = field.spec();
        if row.kind != Type::Records || known.contains(field) {
            continue;
        }
        known.push(*field);
        let parts: Vec<String> = row
            .record
            .iter()
            .map(|part| format!("`{}`", part.name()))
            .collect();
        page.gap();
        page.line(format!(
            "Each entry of `{}` has {}.",
            row.name,
            listed(&parts, "and")
        ));
    }
}

/// What a packet has only if it is a PUBLISH.
const OF_A_PUBLISH: [Field; 6] = [
    Field::Topic,
    Field::Payload,
    Field::PayloadSize,
    Field::Qos,
    Field::Retain,
    Field::Dup,
];

fn read(spec: &HookSpec, row: &FieldSpec) -> &'static str {
    if spec.fields.contains(&Field::PacketType) && OF_A_PUBLISH.contains(&row.field) {
        return "in a PUBLISH";
    }
    match (spec.fields.contains(&row.field), row.optional) {
        (false, _) => "no",
        (true, false) => "always",
        (true, true) => "if present",
    }
}

const INTRODUCTION: &str = "\
# Hooks

A hook is a point in the broker's life where plugins are asked or told. Its name says which: verb first means that the broker waits
for a decision (`validate_connection`), subject and past participle means that it already happened (`client_connected`), `load_...`
supplies data. The name is the same everywhere: the Lua function, the method of an embedding program, the metric label.

| Kind | How several plugins combine |
|---|---|
| gate | every listener is asked until one denies; a deny always wins, else an accept; if all pass, the listener's default applies |
| filter | in order, each sees the changes of those before; drop, consume, deny and disconnect end the chain |
| notice | all are told, after the fact, in order per client; nothing waits for them |
| supply | asked for data when the broker starts |

| Answer | Meaning |
|---|---|
| `pass` | no opinion, maybe with changes; in Lua, returning nothing is the same |
| `accept` | allowed by this plugin; another plugin's deny still wins |
| `deny` | refused, with a Reason Code and a reason |
| `drop` | acknowledged, goes no further, counted as dropped |
| `consume` | acknowledged, goes no further, counted as consumed by the plugin |
| `disconnect` | refused, and the client's Network Connection ends |

A Lua handler names the fields that it reads as its parameters, in any order; fields that it does not name are not even made. Changes
travel with the answer (`return broker.pass { topic = \"a/b\" }`) and are checked like input from the network: nothing of an answer is
applied unless all of it is valid, but a refusal stands without what does not fit. `broker.none` takes an optional field away. In the examples `M` is the table that the script returns.";

const FAILURES: &str = "\
Under \"A failure counts as\" stands what an error, a timeout or an exceeded memory limit of a plugin means, unless the plugin's section
says otherwise. A notice has no such default: a handler that fails is logged and counted, and nothing else happens.

A hook of a plugin that runs out of time or memory three times for what one client sends is not asked about that client for a while (`open_for` of
`[hooks.breaker]`, 5 s, or a hundred times the `timeout` if that is more; then one call shows whether it still does): that counts as a failure too, and the
others are served. Ten such failures in a row, whoever they are for, and it is asked about nobody for as long.";

const KEEPING: &str = "\
## Deciding without a call

An `accept` or `deny` of the hooks marked \"kept\" below may carry a time to live and tags. As long as it lives, events that are the same in
**every field that the handler declares**, and in every other field that it was seen to read, get the same answer, with its changes and its
reason, and the plugin is not entered. In Lua the declared fields are the handler's parameters, and what it asks `msg` and `client` for, so name few: a
handler that takes `topic` and `client_id` is asked once per client and topic; one that takes `payload_size` too, once per size. A closure of an
embedding program declares all fields of the hook unless `Closures::reading` says fewer.
The broker compares fields, nothing else: what else a handler decides from (its config, a file, the time, `broker.kv`) it answers for itself, with
a short time to live, or with a tag that somebody takes back.

- Where the fields to compare are more than 4 KiB together, nothing is kept, and nothing says so: the plugin is asked every time.
- A kept answer combines with other plugins' answers as a fresh one: another plugin's deny still wins, the plugin's filter is still asked first.
- A tag names what an answer depends on, like `user:ann`, for all plugins alike. `broker.cache.invalidate(tag)` forgets every answer with
  the tag; one that is just being made is used once and not kept. `broker.reauthorize(tag)` does the same, and then the broker asks all plugins
  again about every subscription that was allowed with the tag, of clients connected or not: one that is denied now is removed
  (plugins hear why through `client_unsubscribed`; MQTT has no packet for this, so the client is not told and stays connected), after `disconnect` its
  connection ends too, with the code and the reason, and an `accept` with another `qos` takes effect. Messages that wait
  for the client already are still delivered.
- An answer with tags and without a time to live is not kept, but its subscription can be asked about again.
- A reload of the plugin forgets its answers. The broker keeps at most 100 000 of them and 32 MiB per plugin and hook, and drops what was not used lately.
  `hookmq_hook_kept_hits_total`, `..._misses_total`, `..._entries` and `..._bytes` tell what it is worth. So far only an
  embedding program can read these metrics: `Handle::hook_metrics`, and `hook::render_metrics` writes them as text for Prometheus.

## All hooks";
