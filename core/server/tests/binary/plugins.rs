//! `hookmq plugin list` and `hookmq plugin test`, and whose word counts: the operator's or the script's.

use crate::folder::Folder;

const TWO: &str = "[[plugin]]\npath = \"first.lua\"\n\n[[plugin]]\npath = \"second.lua\"\npriority = 5\ntopics = [\"b/#\"]\n";

fn two() -> Folder {
    let folder = Folder::with_config(TWO);
    folder.write(
        "first.lua",
        "local M = {}\nM.priority = 4\nM.on_error = \"pass\"\nfunction M.intercept_publish(topic) end\nreturn M\n",
    );
    folder.write(
        "second.lua",
        "local M = {}\nM.priority = 1\nM.filter = { topics = {\"a/#\"}, qos = 1 }\nfunction M.intercept_publish(topic) end\n\
         function M.client_connected(client_id) end\nreturn M\n",
    );
    folder
}

#[test]
fn the_chain_is_listed_in_the_order_of_asking() {
    let out = two().run(&["plugin", "list", "-c", "broker.toml"]).good();
    let expected = "\
client_connected (notice)
  1. second (lua)  priority 5, about topics=b/# qos=1, reads client_id
intercept_publish (filter)
  1. second (lua)  priority 5, about topics=b/# qos=1, reads topic, a failure counts as deny
  2. first (lua)  priority 4, about everything, reads topic, a failure counts as pass
";
    assert_eq!(out, expected);
}

#[test]
fn tests_of_scripts_are_run_and_counted() {
    let folder = Folder::new();
    folder.write("scripts/a.lua", "local M = {}\nfunction M.intercept_publish(topic)\n  return broker.drop()\nend\nreturn M\n");
    let good = "test(\"drops\", function(t)\n  t.eq(t.call(\"intercept_publish\", { topic = \"x\" }).kind, \"drop\")\nend)\n";
    folder.write("scripts/a_test.lua", good);
    for arguments in [
        &["plugin", "test", "scripts"][..],
        &["plugin", "test", "scripts/a.lua"],
        &["plugin", "test", "scripts/a_test.lua"],
    ] {
        let out = folder.run(arguments).good();
        assert!(out.contains("ok      drops"), "{out}");
        assert!(out.ends_with("1 passed, 0 failed\n"), "{out}");
    }
    folder.write(
        "scripts/a_test.lua",
        &format!("{good}test(\"is wrong\", function(t)\n  t.eq(1, 2)\nend)\n"),
    );
    let ended = folder.run(&["plugin", "test", "scripts"]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains("a_test.lua:5"), "{ended:?}");
    assert!(ended.out.ends_with("1 passed, 1 failed\n"), "{ended:?}");
    assert_eq!(folder.run(&["plugin", "test", "nowhere"]).code, 1);
    folder.write("filter.wasm", "");
    let ended = folder.run(&["plugin", "test", "filter.wasm"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.err.contains("hookmq plugin validate tries it"),
        "{ended:?}"
    );
}

#[test]
fn tests_run_with_the_limits_of_the_config() {
    let folder = Folder::with_config("[[plugin]]\npath = \"a.lua\"\nmemory = \"1MiB\"\n");
    folder.write(
        "a.lua",
        "local M = {}\nfunction M.intercept_publish(topic)\n  local big = string.rep(\"x\", 4 * 1024 * 1024)\nend\nreturn M\n",
    );
    folder.write(
        "a_test.lua",
        "test(\"fits\", function(t)\n  t.call(\"intercept_publish\", { topic = \"x\" })\nend)\n",
    );
    assert_eq!(folder.run(&["plugin", "test", "a.lua"]).code, 0);
    let ended = folder.run(&["plugin", "test", "-c", "broker.toml"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.out.contains("memory"), "{ended:?}");
}
