//! `hookmq config`, the environment, the example, and the golden table of bad configs.

use std::fs;
use std::path::Path;

use crate::folder::{Folder, root};

#[test]
fn origins_are_default_file_and_environment() {
    let folder = Folder::new();
    folder.write(
        "broker.toml",
        "[session]\nmaximum_inflight = 20\nmaximum_qos = 1\n",
    );
    let variables = [
        ("HOOKMQ__SESSION__MAXIMUM_QOS", "0"),
        ("HOOKMQ__LISTENER__0__BIND", "[::1]:1"),
    ];
    let out = folder
        .run_with(&["config", "--config", "broker.toml"], &variables)
        .good();
    for (line, origin) in [
        ("maximum_inflight = 20", "broker.toml:2"),
        ("maximum_qos = 0", "HOOKMQ__SESSION__MAXIMUM_QOS"),
        ("bind = \"[::1]:1\"", "HOOKMQ__LISTENER__0__BIND"),
        ("receive_maximum = 1000", "default"),
    ] {
        let found = out.lines().find(|found| found.starts_with(line));
        let found = found.unwrap_or_else(|| panic!("no {line} in\n{out}"));
        assert!(found.ends_with(&format!("# {origin}")), "{found}");
    }
}

#[test]
fn every_key_can_be_set_from_the_environment() {
    // What the example shows is every key; each one is set to what it is, by its variable.
    let folder = Folder::new();
    let example = example_with_plugin(&folder);
    folder.write("broker.toml", &example);
    let shown = folder.run(&["config", "-c", "broker.toml"]).good();
    let mut variables = Vec::new();
    let mut section = String::new();
    for line in shown.lines() {
        let setting = line.split("  #").next().unwrap_or_default().trim();
        if let Some(head) = setting.strip_prefix('[') {
            let name = head
                .trim_matches(['[', ']'])
                .to_uppercase()
                .replace('.', "__");
            section = if head.starts_with('[') {
                format!("{name}__0")
            } else {
                name
            };
        } else if let Some((key, value)) = setting.split_once(" = ") {
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .unwrap_or(value);
            variables.push((
                format!(
                    "HOOKMQ__{section}__{}",
                    key.to_uppercase().replace('.', "__")
                ),
                value.to_owned(),
            ));
        }
    }
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert!(variables.len() > 50, "{variables:?}");
    let out = folder.run_with(&["config"], &variables).good();
    let strip = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| {
                line.split("  #")
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(strip(&shown), strip(&out));
    let strangers: Vec<_> = out
        .lines()
        .filter(|line| line.contains(" = ") && !line.contains("# HOOKMQ__"))
        .collect();
    assert!(strangers.is_empty(), "not set by a variable: {strangers:?}");
}

#[test]
fn the_example_shows_every_key_with_its_default() {
    let folder = Folder::new();
    let text = fs::read_to_string(root().join("examples/broker.toml")).expect("the example");
    folder.write("broker.toml", &text);
    let values = |arguments: &[&str]| -> Vec<String> {
        let out = folder.run(arguments).good();
        out.lines()
            .map(|line| {
                line.split("  # ")
                    .next()
                    .unwrap_or_default()
                    .trim_end()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(
        values(&["config", "-c", "broker.toml"]),
        values(&["config"]),
        "a default differs"
    );

    folder.write("broker.toml", &example_with_plugin(&folder));
    let out = folder.run(&["config", "-c", "broker.toml"]).good();
    let missing: Vec<_> = out
        .lines()
        .filter(|line| line.ends_with("# default"))
        .collect();
    assert!(missing.is_empty(), "the example does not show {missing:?}");
}

/// The example with its commented plugin made a real one.
fn example_with_plugin(folder: &Folder) -> String {
    let text = fs::read_to_string(root().join("examples/broker.toml")).expect("the example");
    folder.write("scripts/auth.lua", "return {}\n");
    let mut out = String::new();
    let mut in_plugin = false;
    for line in text.lines() {
        in_plugin |= line == "# [[plugin]]";
        out.push_str(if in_plugin {
            line.strip_prefix("# ").unwrap_or(line)
        } else {
            line
        });
        out.push('\n');
    }
    out
}

#[test]
fn a_scripts_keys_from_the_environment_are_toml_or_else_text() {
    let folder = Folder::with_config("[[plugin]]\npath = \"a.lua\"\n");
    folder.write("a.lua", "return {}\n");
    let variables = [
        ("HOOKMQ__PLUGIN__0__CONFIG__RETRIES", "5"),
        ("HOOKMQ__PLUGIN__0__CONFIG__PIN", "\"5\""),
        ("HOOKMQ__PLUGIN__0__CONFIG__GREETING", "good morning"),
        ("HOOKMQ__PLUGIN__0__CONFIG__DB__HOST", "a.example"),
    ];
    let out = folder
        .run_with(&["config", "-c", "broker.toml"], &variables)
        .good();
    for line in [
        "config.retries = 5 ",
        "config.pin = \"5\"",
        "config.greeting = \"good morning\"",
        "config.db.host = \"a.example\"",
    ] {
        assert!(out.contains(line), "{line}\n{out}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let folder = Folder::with_config(
        "[[plugin]]\npath = \"a.lua\"\n[plugin.config]\nuser = \"ann\"\napi_key = \"k-1\"\n[plugin.config.db]\nPassword = \"p-1\"\n",
    );
    folder.write("a.lua", "return {}\n");
    let out = folder.run(&["config", "-c", "broker.toml"]).good();
    assert!(out.contains("config.user = \"ann\""), "{out}");
    assert!(!out.contains("k-1") && !out.contains("p-1"), "{out}");
}

/// `bad_configs.txt` has configs and what is printed about each. With HOOKMQ_BLESS set, what is printed now is written there.
#[test]
fn bad_configs_are_refused_with_these_words() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/binary/bad_configs.txt");
    let text = fs::read_to_string(&table).expect("the table");
    let is_blessed = std::env::var_os("HOOKMQ_BLESS").is_some();
    let mut now = String::new();
    for case in text.split("#### ").skip(1) {
        let (title, rest) = case.split_once('\n').expect("a title");
        let (config, expected) = rest
            .split_once("----\n")
            .unwrap_or_else(|| panic!("{title}: no line of ----"));
        let folder = Folder::new();
        folder.write("broker.toml", config);
        let handler = "function M.intercept_publish(topic)\nend\nreturn M\n";
        folder.write("scripts/good.lua", &format!("local M = {{}}\n{handler}"));
        folder.write(
            "scripts/broken.lua",
            "local M = {}\nfunction M.validate_conection(username)\nend\nreturn M\n",
        );
        folder.write(
            "scripts/keys.lua",
            &format!("local M = {{}}\nM.config = {{ retries = 3 }}\n{handler}"),
        );
        folder.write("scripts/failing.lua", &format!("local M = {{}}\n{handler}"));
        folder.write(
            "scripts/failing_test.lua",
            "test(\"one is two\", function(t)\n  t.eq(1, 2)\nend)\n",
        );
        let ended = folder.run(&["check", "--config", "broker.toml"]);
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (64, ""),
            "{title}: {ended:?}"
        );
        now.push_str(&format!("#### {title}\n{config}----\n{}\n", ended.err));
        assert!(
            is_blessed || ended.err.trim_end() == expected.trim_end(),
            "{title}: it says now\n{}",
            ended.err
        );
    }
    if is_blessed {
        fs::write(&table, &now).expect("the table can be written");
    }
}
