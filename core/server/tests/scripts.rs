//! The scripts that ship: what their comments promise a reader who copies from them is what the binary takes.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts")
}

/// Name and text of each script that is no test.
fn scripts() -> Vec<(String, String)> {
    let files = fs::read_dir(folder()).expect("there is a folder of scripts");
    let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    names
        .filter(|name| name.ends_with(".lua") && !name.ends_with("_test.lua"))
        .map(|name| {
            let text = fs::read_to_string(folder().join(&name)).expect("scripts are UTF-8");
            (name, text)
        })
        .collect()
}

/// The comment at the top of a script, without its dashes.
fn comment(text: &str) -> Vec<&str> {
    text.lines()
        .map_while(|line| line.strip_prefix("--"))
        .collect()
}

/// The config in it: what is indented, from `[[plugin]]` on.
fn example(text: &str) -> String {
    let comment = comment(text);
    let lines = comment
        .iter()
        .skip_while(|line| line.trim() != "[[plugin]]")
        .filter_map(|line| line.strip_prefix("   "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_config_in_each_script_s_comment_is_accepted() {
    let home = tempfile::tempdir().unwrap();
    symlink(
        folder().canonicalize().unwrap(),
        home.path().join("scripts"),
    )
    .unwrap();
    let config = home.path().join("broker.toml");
    assert!(scripts().len() >= 6);
    for (name, text) in scripts() {
        let example = example(&text);
        assert!(
            example.contains(&format!("path = \"scripts/{name}\"")),
            "{name}: {example}"
        );
        fs::write(&config, &example).unwrap();
        let mut check = Command::new(env!("CARGO_BIN_EXE_hookmq"));
        let output = check
            .arg("check")
            .arg("--config")
            .arg(&config)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {errors}\n{example}");
    }
}

#[test]
fn each_default_stands_in_the_comment() {
    for (name, text) in scripts() {
        let example: toml::Table = toml::from_str(&example(&text)).unwrap();
        let given = example["plugin"][0]
            .get("config")
            .and_then(toml::Value::as_table);
        // One line per key, as scripts write it: `\tmax_bytes = 65536,`.
        let (_, declared) = text.split_once("M.config = {\n").unwrap_or_default();
        let (declared, _) = declared.split_once("\n}\n").unwrap_or_default();
        for line in declared.lines() {
            let (key, value) = line.trim().trim_end_matches(',').split_once(" = ").unwrap();
            let shown = given.and_then(|given| given.get(key));
            assert!(shown.is_some(), "{name}: the comment does not show {key}");
            // helper.lua and auth.lua show what one would change; the others show the defaults and say so.
            if text.contains("has these defaults") {
                let value = value.replace("{ ", "[").replace(" }", "]");
                assert_eq!(shown.map(ToString::to_string), Some(value), "{name}: {key}");
            }
        }
    }
}

#[test]
fn each_script_names_its_hooks_and_grants() {
    for (name, text) in scripts() {
        let comment = comment(&text).join("\n");
        let code = text.split_once("\nlocal M = {}").unwrap().1;
        for hook in [
            "validate_connection",
            "authorize_publish",
            "authorize_subscribe",
            "intercept_publish",
            "message_dropped",
        ] {
            if code.contains(&format!("function M.{hook}(")) {
                let is_named = comment.contains(hook) || name == "helper.lua";
                assert!(is_named, "{name}: the comment does not name {hook}");
            }
        }
        for (call, grant) in [("broker.publish", "\"publish\""), ("broker.kv.", "\"kv\"")] {
            assert_eq!(
                code.contains(call),
                comment.contains(grant),
                "{name}: {grant}"
            );
        }
    }
}

#[test]
fn each_script_has_tests_and_stands_in_the_readme() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for (name, _) in scripts() {
        assert!(readme.contains(&format!("[{name}]({name})")), "{name}");
        let tests = folder().join(name.replace(".lua", "_test.lua"));
        assert!(tests.is_file(), "{}", tests.display());
    }
}

/// The broker's keys expire by milliseconds, which the host of a script's own tests does not imitate.
#[test]
fn rate_limit_counts_messages_that_cost_less_than_a_millisecond() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("broker.toml");
    let script = folder().canonicalize().unwrap().join("rate_limit.lua");
    // Six bytes cost 0.6 ms; 4 000 such messages are 24 bursts.
    let text = format!(
        "[log]\nformat = \"json\"\n[[listener]]\nbind = \"127.0.0.1:0\"\n[[plugin]]\npath = {}\ngrants = [\"kv\"]\n\
         [plugin.config]\nmessages_per_second = 0\nbytes_per_second = 10000\nburst = 0.1\n",
        toml::Value::from(script.to_str().unwrap())
    );
    fs::write(&config, text).unwrap();
    let mut broker = Command::new(env!("CARGO_BIN_EXE_hookmq"));
    let mut broker = broker
        .arg("--config")
        .arg(&config)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(broker.stderr.take().unwrap()).lines();
    let port = log
        .by_ref()
        .find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("listens on 127.0.0.1:")?;
            Some(rest.split_once(',')?.0.to_owned())
        })
        .expect("the broker says where it listens");

    let mut publisher = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port, "-i", "busy", "-t", "a", "-l"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("mosquitto_pub is needed: `cargo xtask test` installs it, and so does `apt-get install mosquitto-clients`");
    let lines = "sixsix\n".repeat(4_000);
    publisher
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    assert!(publisher.wait().unwrap().success());

    let id = broker.id().to_string();
    assert!(Command::new("kill").arg(&id).status().unwrap().success());
    let rest: Vec<String> = log.map(Result::unwrap).collect();
    assert!(broker.wait().unwrap().success());
    let warning = "busy is too fast: more than 10000 bytes per second";
    assert!(rest.iter().any(|line| line.contains(warning)), "{rest:#?}");
}
