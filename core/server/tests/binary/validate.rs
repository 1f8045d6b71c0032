//! `hookmq plugin validate`: what it says of plugins that are good, that fail, and that take their process with them.

use crate::folder::Folder;

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
