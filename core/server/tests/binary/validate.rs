//! `hookmq plugin validate`: what it says of plugins that are good, that fail, and that take their process with them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::folder::{Folder, root};

/// Enough for any call of a script on a busy machine.
const TIME: [&str; 2] = ["--timeout", "5s"];

fn validate(folder: &Folder, arguments: &[&str]) -> crate::folder::Ended {
    let mut all = vec!["plugin", "validate"];
    all.extend(arguments);
    folder.run(&all)
}

#[test]
fn a_good_script_is_called_with_everything_and_told_to_be_good() {
    let folder = Folder::new();
    folder.write(
        "good.lua",
        "local M = {}\nfunction M.intercept_publish(topic, payload_size)\n  if string.sub(topic, 1, 1) == \"/\" then\n    \
         return broker.deny(\"not_authorized\", \"no\")\n  end\nend\nfunction M.client_connected(client_id)\nend\nreturn M\n",
    );
    let out = validate(&folder, &["good.lua", TIME[0], TIME[1]]).good();
    assert!(out.ends_with("good.lua (lua) is good\n"), "{out}");
    let row = out
        .lines()
        .find(|line| line.contains("intercept_publish"))
        .expect("a row");
    assert!(row.contains("deny 2, pass "), "{out}");
    assert!(out.contains("client_connected"), "{out}");
}

#[test]
fn what_fails_is_named_with_the_input_and_the_line() {
    let folder = Folder::new();
    folder.write(
        "bad.lua",
        "local M = {}\nfunction M.intercept_publish(topic, client_id)\n  return broker.pass { topic = client_id .. topic }\nend\n\
         function M.validate_connection(username)\n  if username == \"\" then\n    return true\n  end\nend\nreturn M\n",
    );
    let ended = validate(&folder, &["bad.lua", TIME[0], TIME[1]]);
    assert_eq!(ended.code, 1, "{ended:?}");
    for expected in [
        "bad.lua: intercept_publish without client_id: raised: bad.lua:3: attempt to concatenate nil",
        "bad.lua: validate_connection with an empty username: answer: bad.lua:",
        "bad.lua: intercept_publish with a topic of 65535 bytes: ",
        "only a note: the broker keeps such input away",
        "each such call counts as on_error says",
    ] {
        assert!(ended.out.contains(expected), "{expected}\n{}", ended.out);
    }
}

#[test]
fn time_and_memory_have_limits() {
    let folder = Folder::new();
    folder.write(
        "loop.lua",
        "local M = {}\nfunction M.intercept_publish(dup)\n  if dup then\n    while true do end\n  end\nend\n\
         function M.authorize_publish(retain)\n  local all = {}\n  while retain do\n    \
         table.insert(all, string.rep(tostring(#all), 100000))\n  end\nend\nreturn M\n",
    );
    let ended = validate(&folder, &["loop.lua", "--timeout", "500ms"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    for expected in [
        "intercept_publish with dup true: ran out of time: loop.lua:4: ",
        "authorize_publish with retain true: memory: loop.lua:",
    ] {
        assert!(ended.out.contains(expected), "{expected}\n{}", ended.out);
    }
}

#[test]
fn grants_and_keys_come_from_the_arguments_or_from_the_config() {
    let folder = Folder::with_config(
        "[[plugin]]\npath = \"k.lua\"\ngrants = [\"kv\"]\ntimeout = \"5s\"\n[plugin.config]\nlimit = 5\n",
    );
    folder.write(
        "k.lua",
        "local M = { config = { limit = broker.required(\"number\") } }\nfunction M.client_connected(client_id, config)\n  \
         assert(config.limit == 5)\n  broker.kv.add(\"n\", 1)\nend\nreturn M\n",
    );
    let ended = validate(&folder, &["k.lua"]);
    assert_eq!((ended.code, ended.out.as_str()), (64, ""), "{ended:?}");
    assert!(ended.err.contains("config.limit"), "{ended:?}");
    let ended = validate(&folder, &["k.lua", "--set", "limit=5", TIME[0], TIME[1]]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.out.contains("grants = [\"kv\"]"), "{}", ended.out);
    validate(
        &folder,
        &[
            "k.lua", "--set", "limit=5", "--grant", "kv", TIME[0], TIME[1],
        ],
    )
    .good();
    validate(&folder, &["k.lua", "--config", "broker.toml"]).good();
    let ended = validate(&folder, &["k.lua", "--grant", "kw"]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.err.contains("there are publish, "), "{ended:?}");
}

#[test]
fn what_is_no_plugin_is_said_before_anything_is_tried() {
    let folder = Folder::new();
    folder.write("notes.txt", "hello");
    folder.write("broken.lua", "return {");
    for (file, why) in [
        (
            "notes.txt",
            "notes.txt: expected a file that ends with .lua or .luau",
        ),
        ("nowhere.lua", "nowhere.lua: there is no such file"),
        ("broken.lua", "broken.lua:1: "),
    ] {
        let ended = validate(&folder, &[file]);
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(ended.err.starts_with(why), "{ended:?}");
    }
}

/// Tries a plugin that is to be good.
fn is_good(folder: &Folder, file: &str, more: &[&str]) {
    let mut arguments = vec![file, TIME[0], TIME[1]];
    arguments.extend(more);
    let out = validate(folder, &arguments).good();
    let last = out.lines().last().unwrap_or_default();
    assert!(last.contains(") is good"), "{out}");
}

#[test]
fn the_scripts_that_ship_are_good() {
    let folder = Folder::new();
    let mut n_scripts = 0;
    for file in fs::read_dir(root().join("scripts")).expect("there are scripts") {
        let path = file.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if name.ends_with(".lua") && !name.ends_with("_test.lua") {
            let text = fs::read_to_string(&path).expect("scripts are UTF-8");
            folder.write(&name, &text);
            is_good(&folder, &name, &["--grant", "publish,kv"]);
            n_scripts += 1;
        }
    }
    assert!(n_scripts >= 6);
    // With users it does what it is for.
    let folder = Folder::with_config(
        "[[plugin]]\npath = \"auth.lua\"\n[plugin.config]\nallow_anonymous = true\n\
         [plugin.config.anonymous]\npublish = [\"#\"]\nsubscribe = [\"#\"]\n\
         [plugin.config.users.ann]\npublish = [\"devices/%c/#\", \"devices/#\"]\n\
         subscribe = [\"devices/#\"]\ndeny = [\"+/%u/serial\"]\n\
         password = \"$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\"\n",
    );
    let text = fs::read_to_string(root().join("scripts/auth.lua")).expect("it is there");
    folder.write("auth.lua", &text);
    let out = validate(
        &folder,
        &["auth.lua", "-c", "broker.toml", TIME[0], TIME[1]],
    )
    .good();
    assert!(out.ends_with("auth.lua (lua) is good\n"), "{out}");
}

#[test]
fn the_scripts_of_the_guide_the_template_s_and_the_first_one_are_good() {
    let folder = Folder::new();
    let guide = fs::read_to_string(root().join("docs/guide-lua.md")).expect("the guide");
    let blocks = guide.split("```lua\n").skip(1);
    let mut n_scripts = 0;
    for block in blocks.filter_map(|rest| rest.split("\n```").next()) {
        let first = block.lines().next().unwrap_or_default();
        if let Some(name) = first.strip_prefix("-- ")
            && name.ends_with(".lua")
            && !name.ends_with("_test.lua")
        {
            folder.write(name, block);
            is_good(&folder, name, &["--grant", "publish,kv"]);
            n_scripts += 1;
        }
    }
    assert!(n_scripts >= 5);
    let template = root().join("core/server/templates/lua/my_plugin.lua");
    let text = fs::read_to_string(template).expect("the template");
    folder.write("my_plugin.lua", &text);
    is_good(&folder, "my_plugin.lua", &[]);
    // What a broker without a config shows on its terminal.
    let source = include_str!("../../src/cli/run.rs");
    let from = source.find("  local M = {{}}").expect("the first script");
    let (hello, _) = source[from..]
        .split_once("  return M\n")
        .expect("the end of it");
    let hello = hello.replace("{{", "{").replace("}}", "}");
    folder.write("hello.lua", &format!("{hello}return M\n"));
    is_good(&folder, "hello.lua", &[]);
}

#[test]
fn the_native_plugin_that_ships_is_good() {
    if Command::new("cc").arg("--version").output().is_err() {
        eprintln!("not tried: there is no cc");
        return;
    }
    let folder = Folder::new();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-pthread", "-I"])
        .arg(root().join("plugin-api/c"))
        .arg("-o")
        .arg(folder.path().join("audit_log.so"))
        .arg(root().join("plugins/audit-log/audit_log.c"))
        .status();
    assert!(built.expect("cc runs").success());
    let file = format!("file={}", folder.path().join("audit.jsonl").display());
    is_good(&folder, "audit_log.so", &["--set", &file]);
}

/// What `cargo xtask guests` builds, with what its README shows; what is not built is not tried.
#[test]
fn the_plugins_that_ship_as_wasm_are_good() {
    if !cfg!(feature = "wasm") {
        return;
    }
    for (name, config) in [
        ("helper", "timeout = \"5s\"\n"),
        (
            "topic_rewrite",
            "[plugin.config]\nrules = [{ match = \"v1/+/#\", to = \"site/{1}/{2}\" }]\n",
        ),
        (
            "json_schema",
            "grants = [\"random\"]\n[plugin.config.schemas]\nreading = '{\"type\": \"object\"}'\n\
             [[plugin.config.rules]]\ntopics = [\"devices/#\"]\nschema = \"reading\"\n",
        ),
    ] {
        let path = root().join(format!("target/guests/module/{name}.wasm"));
        if !Path::new(&path).is_file() {
            eprintln!("not tried: {name}.wasm is not built");
            continue;
        }
        let folder = Folder::with_config(&format!("[[plugin]]\npath = \"{name}.wasm\"\n{config}"));
        fs::copy(&path, folder.path().join(format!("{name}.wasm"))).expect("a copy");
        is_good(&folder, &format!("{name}.wasm"), &["-c", "broker.toml"]);
    }
}

#[test]
fn a_message_without_a_client_identifier_comes_from_no_client() {
    let folder = Folder::new();
    folder.write(
        "own.lua",
        "local M = {}\nfunction M.intercept_publish(source, client_id)\n  if source == \"client\" then\n    \
         broker.log.debug(\"from \" .. client_id)\n  end\nend\nreturn M\n",
    );
    is_good(&folder, "own.lua", &[]);
}

#[test]
fn what_large_input_left_behind_is_not_the_next_call_s_fault() {
    let folder = Folder::new();
    // The first hook keeps what it saw until the collector comes; the second one needs little.
    folder.write(
        "rights.lua",
        "local M = {}\nfunction M.intercept_publish(payload)\n  return payload == \"a\" and broker.drop(\"a\") or nil\nend\n\
         function M.authorize_publish(topic)\n  return broker.topic.matches(\"devices/#\", topic) and broker.accept() or \
         broker.deny(\"not_authorized\", \"no\")\nend\nreturn M\n",
    );
    let out = validate(&folder, &["rights.lua", TIME[0], TIME[1]]).good();
    assert!(!out.contains("authorize_publish as usual"), "{out}");
    for line in out.lines().filter(|line| line.contains("memory: ")) {
        assert!(line.contains("needed more than its 16 MiB"), "{out}");
    }
}

#[test]
fn a_plugin_that_lets_nothing_through_is_good_only_as_far_as_it_was_tried() {
    let folder = Folder::new();
    folder.write(
        "closed.lua",
        "local M = {}\nfunction M.intercept_publish(username)\n  if username ~= \"nobody else\" then\n    \
         return broker.deny(\"not_authorized\", \"no\")\n  end\n  error(\"never seen\")\nend\nreturn M\n",
    );
    let out = validate(&folder, &["closed.lua", TIME[0], TIME[1]]).good();
    for expected in [
        "closed.lua: intercept_publish: it denied every call, so what it lets through was not tried\n",
        "closed.lua (lua) is good as far as it was tried\n",
    ] {
        assert!(out.contains(expected), "{expected}\n{out}");
    }
    // Its work is for system topics and for JSON.
    folder.write(
        "narrow.lua",
        "local M = {}\nfunction M.intercept_publish(topic, payload)\n  if string.sub(topic, 1, 1) == \"$\" then\n    \
         error(\"system\")\n  end\n  local ok, value = pcall(broker.json.decode, payload)\n  \
         if ok and type(value) == \"number\" then\n    error(\"number\")\n  end\n  return broker.drop(\"no\")\nend\nreturn M\n",
    );
    let ended = validate(&folder, &["narrow.lua", TIME[0], TIME[1]]);
    assert_eq!(ended.code, 1, "{ended:?}");
    for expected in [
        "with the topic `$SYS/broker/uptime`: raised: narrow.lua:4: system",
        "with the payload `21.5`: raised: narrow.lua:8: number",
    ] {
        assert!(ended.out.contains(expected), "{expected}\n{}", ended.out);
    }
}

#[test]
fn what_came_from_its_inputs_is_printed_escaped_and_cut() {
    let folder = Folder::new();
    folder.write(
        "loud.lua",
        "local M = {}\nfunction M.intercept_publish(topic)\n  error(\"bad topic \" .. topic)\nend\nreturn M\n",
    );
    let ended = validate(&folder, &["loud.lua", TIME[0], TIME[1]]);
    assert_eq!(ended.code, 1, "{ended:?}");
    let is_odd = |letter: char| {
        (letter.is_control() && letter != '\n') || matches!(letter, '\u{200b}'..='\u{202e}')
    };
    assert!(!ended.out.contains(is_odd), "{}", ended.out);
    assert!(ended.out.contains("\\u{1b}[31m"), "{}", ended.out);
    assert!(ended.out.contains("\\u{202e}"), "{}", ended.out);
    assert!(ended.out.contains(&format!("{}...", "x".repeat(100))));
    let longest = ended.out.lines().map(|line| line.chars().count()).max();
    assert!(longest < Some(500), "{longest:?}");
}
