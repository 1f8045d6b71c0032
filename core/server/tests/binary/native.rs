//! Native plugins: built by the C compiler of this machine, run, replaced while they run, and tried while they misbehave.

use std::path::PathBuf;
use std::process::Command;

use crate::folder::{Ended, Folder, root};
use crate::running::Running;

/// Not authorized, in a CONNACK of 3.1.1.
const REFUSED: u8 = 5;

/// Whether there is a C compiler; what needs one is not tried without.
fn has_compiler() -> bool {
    let found = Command::new("cc").arg("--version").output().is_ok();
    if !found {
        eprintln!("not tried: there is no cc");
    }
    found
}

/// Builds a library in the folder, beside and renamed as build tools do.
fn build(folder: &Folder, source: &PathBuf, output: &str, flags: &[&str]) {
    let new = folder.path().join(format!("{output}.new"));
    let out = Command::new("cc")
        .args(["-shared", "-fPIC", "-fvisibility=hidden", "-O1", "-I"])
        .arg(root().join("plugin-api/c"))
        .args(flags)
        .arg("-o")
        .arg(&new)
        .arg(source)
        .output()
        .expect("cc runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    std::fs::rename(&new, folder.path().join(output)).expect("a file can be renamed");
}

/// A login that answers so.
fn login(folder: &Folder, output: &str, answer: &str) {
    folder.write(
        "login.c",
        &format!(
            "#include \"hookmq.h\"\nHOOKMQ_ON(validate_connection, client_id)\n{{\n    return {answer};\n}}\n\
             HOOKMQ_PLUGIN(\"login\", \"1.0.0\", HOOKMQ_LISTEN(validate_connection));\n"
        ),
    );
    build(folder, &folder.path().join("login.c"), output, &[]);
}

const ACCEPT: &str = "HOOKMQ_ACCEPT";
const DENY: &str = "hookmq_deny(answer, 0x87, \"not you\")";
const CONFIG: &str = "[[plugin]]\npath = \"login.so\"\n";

#[test]
fn it_runs_is_listed_and_a_new_file_is_live() {
    if !has_compiler() {
        return;
    }
    let folder = Folder::with_config(CONFIG);
    login(&folder, "login.so", DENY);
    let out = folder.run(&["plugin", "list", "-c", "broker.toml"]).good();
    assert!(
        out.contains("1. login (native)  priority 0, about everything, reads client_id"),
        "{out}"
    );
    let mut running = Running::start(&folder);
    assert_eq!(running.connect("a"), REFUSED);
    running.wait_for("login.c:");
    login(&folder, "login.so", ACCEPT);
    running.wait_for("reloaded: generation 2; new or changed: login");
    assert_eq!(running.connect("a"), 0);
}

#[test]
fn a_broken_file_leaves_the_old_one_serving() {
    if !has_compiler() {
        return;
    }
    let folder = Folder::with_config(CONFIG);
    login(&folder, "login.so", DENY);
    let mut running = Running::start(&folder);
    folder.write("login.so", "no library at all");
    let line = running.wait_for("reload refused");
    assert!(line.contains("plugin login: login.so: "), "{line}");
    assert_eq!(running.connect("a"), REFUSED);
    login(&folder, "login.so", ACCEPT);
    running.wait_for("reloaded: ");
    assert_eq!(running.connect("a"), 0);
}

/// Builds the fixture that misbehaves in these ways, and tries it.
fn misbehave(flags: &[&str]) -> Ended {
    let folder = Folder::new();
    let source = root().join("core/server/tests/fixtures/misbehave.c");
    build(&folder, &source, "bad.so", flags);
    folder.run(&["plugin", "validate", "bad.so", "--timeout", "100ms"])
}

#[test]
fn what_takes_the_process_down_is_named_with_the_input() {
    if !has_compiler() {
        return;
    }
    for (flag, words) in [
        (
            "-DDOES_SEGFAULT",
            "killed by signal 11 (segmentation fault)",
        ),
        ("-DDOES_ABORT", "killed by signal 6 (abort)"),
        ("-DDOES_OVERFLOW", "killed by signal 6 (abort)"),
        ("-DDOES_EAT", "killed by signal 11 (segmentation fault)"),
        ("-DDOES_EXIT", "ended the process with exit code 3"),
        ("-DDOES_CLEAN_EXIT", "ended the process with exit code 0"),
        // How it ends is up to whoever needs his files first.
        ("-DDOES_CLOSE", ""),
    ] {
        let ended = misbehave(&[flag]);
        assert_eq!(ended.code, 1, "{flag}: {ended:?}");
        let expected = format!("bad.so: intercept_publish with dup true: {words}");
        assert!(ended.out.contains(&expected), "{flag}\n{}", ended.out);
        assert!(
            ended.out.contains("would have taken the broker down"),
            "{}",
            ended.out
        );
        // All other calls were made, by the children after.
        assert!(
            ended
                .out
                .contains("intercept_publish  110 of 110  pass 108  2"),
            "{}",
            ended.out
        );
    }
}

#[test]
fn what_never_returns_is_ended() {
    if !has_compiler() {
        return;
    }
    for flag in ["-DDOES_LOOP", "-DDOES_SLEEP"] {
        let ended = misbehave(&[flag]);
        let expected = "bad.so: intercept_publish with dup true: did not return within 5 s";
        assert_eq!(ended.code, 1, "{flag}: {ended:?}");
        assert!(ended.out.contains(expected), "{flag}\n{}", ended.out);
    }
}

#[test]
fn what_is_answered_is_judged() {
    if !has_compiler() {
        return;
    }
    for (flag, words) in [
        ("-DDOES_UNKNOWN_VERDICT", "42"),
        ("-DDOES_FORBIDDEN_CHANGE", "cannot change field client_id"),
        ("-DDOES_NO_TEXT", "UTF-8"),
        ("-DDOES_FAIL", "the database is gone"),
        ("-DDOES_SLOW", "and its timeout is 100.0 ms"),
    ] {
        let ended = misbehave(&[flag]);
        assert_eq!(ended.code, 1, "{flag}: {ended:?}");
        let line = ended
            .out
            .lines()
            .find(|line| line.contains("intercept_publish with dup true: "));
        assert!(
            line.is_some_and(|line| line.contains(words)),
            "{flag}\n{}",
            ended.out
        );
    }
}

#[test]
fn the_beginning_and_the_end_are_tried_too_and_a_hook_that_always_dies_is_given_up() {
    if !has_compiler() {
        return;
    }
    let ended = misbehave(&["-DCREATE_SEGFAULTS"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended
            .out
            .contains("bad.so: when it is loaded: killed by signal 11"),
        "{}",
        ended.out
    );
    let ended = misbehave(&["-DCREATE_FAILS"]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.err.contains("config.limit is missing"), "{ended:?}");
    let ended = misbehave(&["-DDESTROY_ABORTS"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.out.contains("killed by signal 6 (abort)"),
        "{}",
        ended.out
    );
    let ended = misbehave(&["-DDOES_SEGFAULT", "-DALWAYS"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended
            .out
            .contains("intercept_publish is not called any more after 3 such ends"),
        "{}",
        ended.out
    );
}
