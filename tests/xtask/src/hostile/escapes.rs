//! Number 40: attempts to get at what a plugin was not granted. What is tried by a call of a WASM plugin is in its own part.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

use hookmq_plugin_api::abi::imports::IMPORTS;

use super::built::compile;
use super::bystander::Bystander;
use super::compose::{self, Form};
use super::lab::{Lab, SECRET, sources};
use super::peer::PATIENCE;
use super::report::Section;
use crate::Outcome;

/// Every function of WASI, preview 1.
const WASI: [&str; 46] = [
    "args_get",
    "args_sizes_get",
    "environ_get",
    "environ_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_get",
    "fd_prestat_dir_name",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "sched_yield",
    "random_get",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];
/// Imports that are nobody's.
const OTHERS: [(&str, &str); 6] = [
    ("env", "system"),
    ("env", "dlopen"),
    ("hookmq", "exec"),
    ("hookmq:admin", "stop"),
    ("wasi_unstable", "path_open"),
    ("wasix_32v1", "proc_spawn"),
];
/// A function of every interface that a component must be granted, as the machine sees it.
const INTERFACES: [(&str, &str, &str); 7] = [
    ("publish", "publish", "(param i32 i32)"),
    (
        "disconnect",
        "disconnect",
        "(param i32 i32 i32 i32 i32 i32 i32)",
    ),
    ("query", "client", "(param i32 i32 i32)"),
    ("kv", "delete", "(param i32 i32 i32)"),
    ("cache", "invalidate", "(param i32 i32 i32)"),
    ("clock", "now-ms", "(result i64)"),
    ("random", "number", "(result i64)"),
];
/// A handler that passes.
const PASS: &str = "(func $case (result i32) (i32.const 0))";
/// Scripts that are refused before they run, with what refuses them.
const SCRIPTS: [(&str, &str); 5] = [
    ("require('../secret')", "leaves the script's folder"),
    ("require('/etc/passwd')", "the path is absolute"),
    ("require('outside/secret')", "a symbolic link leaves"),
    ("require('linked')", "a symbolic link leaves"),
    ("io.open('secret.txt')", ""),
];

/// Makes all attempts.
///
/// # Errors
/// When there is nothing to make them on.
pub(super) fn run() -> Outcome<Section> {
    let mut section = Section::new("escapes", 256);
    let mut lab = Lab::new("escapes")?;
    lab.put("secret.txt", SECRET.as_bytes())?;
    let outside = Lab::new("escapes-outside")?;
    outside.put("secret.lua", format!("return '{SECRET}'").as_bytes())?;
    symlink(outside.folder(), lab.folder().join("outside"))?;
    symlink(
        outside.folder().join("secret.lua"),
        lab.folder().join("linked.lua"),
    )?;
    lab.put("escapes.lua", &fs::read(sources().join("lua/escapes.lua"))?)?;
    lab.plugin(
        "escapes",
        "escapes.lua",
        "topics = [\"escape/lua\"]\ntimeout = \"5s\"",
    );
    compile(
        &lab,
        "tests/hostile/native/ungranted.c",
        "ungranted.so",
        &[],
    )?;
    lab.plugin("ungranted", "ungranted.so", "topics = [\"escape/native\"]");
    // What is refused at load is added later, while this broker runs.
    let mut next = Lab::beside(&lab);
    let mut broker = lab.start()?;
    let mut bystander = Bystander::start(broker.address())?;
    let before = files(&lab)?;
    bystander.watch()?;
    let started = Instant::now();

    let mut subscriber = broker.client("escapes-s")?;
    subscriber.subscribe("escape/#")?;
    let mut client = broker.client("escapes-p")?;
    let answered = client.publish("escape/lua", b"x")?;
    let results = subscriber.message(Instant::now() + PATIENCE)?;
    let results = results
        .filter(|_| answered.code < 0x80)
        .ok_or("the script's report does not come")?;
    let results: Vec<serde_json::Value> = serde_json::from_slice(&results.payload)?;
    for result in results {
        let words = super::lab::text(&result, "words");
        let has_escaped = result.get("escaped") != Some(&false.into()) || words.contains(SECRET);
        let words = match words {
            "nil" | "false" => "gets nothing",
            words => words,
        };
        section.row(
            40,
            "lua",
            super::lab::text(&result, "name"),
            !has_escaped,
            words,
        );
    }
    let answered = client.publish("escape/native", b"x")?;
    section.row(
        40,
        "native",
        "tables that are not granted (9)",
        answered.code < 0x80,
        if answered.code < 0x80 {
            "NULL, each of them"
        } else {
            &answered.words
        },
    );
    let after = files(&lab)?;
    section.row(
        40,
        "all",
        "files of the folder",
        before == after && fs::read(lab.folder().join("secret.txt"))? == SECRET.as_bytes(),
        format!("{} as before", after.len()),
    );

    let refused = at_load(&mut next)?;
    next.configure()?;
    let said = broker.reload()?;
    for (plugin, runtime, case, words) in refused {
        let line = said
            .lines()
            .find(|line| line.contains(&format!("plugin {plugin}:")));
        let is_refused = said.starts_with("reload refused")
            && line.is_some_and(|line| line.contains(words.as_str()) && !line.contains(SECRET));
        let line = line
            .and_then(|line| line.split_once(": "))
            .map_or("was let in", |(_, why)| why);
        section.row(40, runtime, case, is_refused, line);
    }
    let _p99 = bystander.rest()?;
    let took = started.elapsed();
    bystander.beside(|| client.replay("nobody/asks", &[took]))?;
    section.delays = Some(bystander.stop()?);
    section.is_alive = broker.is_alive();
    section.rss = Some(broker.rss());
    broker.stop()?;
    Ok(section)
}

fn files(lab: &Lab) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(lab.folder())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// A plugin's name, its runtime, what it tries, and words that refuse it.
type Refused = (String, &'static str, String, String);

fn at_load(lab: &mut Lab) -> Outcome<Vec<Refused>> {
    let mut refused: Vec<Refused> = Vec::new();
    let mut add =
        |runtime: &'static str, case: String, words: &str, ending: &str, bytes: &[u8]| -> Outcome {
            let plugin = format!("attempt{}", refused.len());
            let file = format!("{plugin}.{ending}");
            lab.put(&file, bytes)?;
            lab.plugin(&plugin, &file, "");
            refused.push((plugin, runtime, case, words.to_owned()));
            Ok(())
        };
    for (script, words) in SCRIPTS {
        let source = format!(
            "local got = {script}\nreturn {{ intercept_publish = function() print(got) end }}"
        );
        add(
            "lua",
            format!("at load: {script}"),
            words,
            "lua",
            source.as_bytes(),
        )?;
    }
    for name in WASI {
        let import = format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func $attempt))\n");
        add(
            "module",
            format!("WASI {name}"),
            name,
            "wasm",
            &compose::module(&import, &with_log())?,
        )?;
    }
    for (module, name) in OTHERS {
        let import = format!("(import \"{module}\" \"{name}\" (func $attempt))\n");
        add(
            "module",
            format!("{name} of {module}"),
            name,
            "wasm",
            &compose::module(&import, &with_log())?,
        )?;
    }
    for import in IMPORTS.iter().filter(|import| import.grant.is_some()) {
        let text = compose::import(import);
        let case = format!("{} that is not granted", import.name);
        add(
            "module",
            case,
            "grants",
            "wasm",
            &compose::module(&text, &with_log())?,
        )?;
    }
    for (interface, function, kind) in INTERFACES {
        let zeros = kind
            .matches("i32")
            .map(|_| "(i32.const 1024)")
            .collect::<String>();
        let call = if kind.contains("result") {
            "(drop (call $attempt))".to_owned()
        } else {
            format!("(call $attempt {zeros})")
        };
        let case = format!(
            "(import \"hookmq:plugin/{interface}@1.0.0\" \"{function}\" (func $attempt {kind}))\n(func $case (result i32) {call} (i32.const 0))"
        );
        let bytes = compose::whole(Form::Component, &case)?;
        add(
            "component",
            format!("{interface} that is not granted"),
            "grants",
            "wasm",
            &bytes,
        )?;
    }
    Ok(refused)
}

/// A case that passes, with the log that the frame uses.
fn with_log() -> String {
    let log = IMPORTS
        .iter()
        .find(|import| import.name == "log")
        .map(compose::import);
    format!("{}{PASS}", log.unwrap_or_default())
}
