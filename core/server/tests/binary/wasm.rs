//! WASM plugins: run, replaced while they run, and tried while they misbehave, which costs nobody anything.

use std::path::PathBuf;
use std::process::Command;

use crate::folder::{Ended, Folder, root};
use crate::running::Running;

/// Not authorized, in a CONNACK of 3.1.1.
const REFUSED: u8 = 5;

/// The first of these programs that is there.
fn one_of(programs: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| programs.iter().map(move |program| folder.join(program)))
        .find(|program| program.is_file())
}

/// A C compiler that knows WASM, and its linker; what needs them is not tried without.
fn compiler() -> Option<(PathBuf, PathBuf)> {
    let found = one_of(&["clang", "clang-19", "clang-16"]).zip(one_of(&[
        "wasm-ld",
        "wasm-ld-19",
        "wasm-ld-16",
    ]));
    if found.is_none() {
        eprintln!("not tried: there is no clang with wasm-ld");
    }
    found
}

/// Builds a plugin of this source, beside and renamed as build tools do.
fn build((clang, linker): &(PathBuf, PathBuf), folder: &Folder, output: &str, source: &str) {
    folder.write("plugin.c", &format!("#include \"hookmq.h\"\n{source}"));
    let new = folder.path().join(format!("{output}.new"));
    let out = Command::new(clang)
        .args(["--target=wasm32", "-O2", "-ffreestanding", "-mbulk-memory"])
        .args(["-nostdlib", "-Wl,--no-entry", "-Wno-fuse-ld-path"])
        .arg(format!("-fuse-ld={}", linker.display()))
        .arg("-I")
        .arg(root().join("plugin-api/c"))
        .arg("-o")
        .arg(&new)
        .arg(folder.path().join("plugin.c"))
        .output()
        .expect("clang runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    std::fs::rename(&new, folder.path().join(output)).expect("a file can be renamed");
}

/// A login that answers so.
fn login(answer: &str) -> String {
    format!(
        "HOOKMQ_ON(validate_connection, client_id)\n{{\n    return {answer};\n}}\n\
         HOOKMQ_PLUGIN(\"login\", \"1.0.0\", HOOKMQ_LISTEN(validate_connection));\n"
    )
}

const ACCEPT: &str = "HOOKMQ_ACCEPT";
const DENY: &str = "hookmq_deny(answer, 0x87, \"not you\")";
const CONFIG: &str = "[[plugin]]\npath = \"login.wasm\"\n[wasm]\ncache = \"compiled\"\n";

#[test]
fn it_runs_is_listed_and_a_new_file_is_live() {
    let Some(compiler) = compiler() else { return };
    let folder = Folder::with_config(CONFIG);
    build(&compiler, &folder, "login.wasm", &login(DENY));
    let out = folder.run(&["plugin", "list", "-c", "broker.toml"]).good();
    assert!(
        out.contains("1. login (wasm)  priority 0, about everything, reads client_id"),
        "{out}"
    );
    let mut running = Running::start(&folder);
    assert_eq!(running.connect("a"), REFUSED);
    running.wait_for("not you (0x87)");
    build(&compiler, &folder, "login.wasm", &login(ACCEPT));
    running.wait_for("reloaded: generation 2; new or changed: login");
    assert_eq!(running.connect("a"), 0);
    folder.write("login.wasm", "no module at all");
    let line = running.wait_for("reload refused");
    assert!(line.contains("plugin login: login.wasm: "), "{line}");
    assert_eq!(running.connect("a"), 0);
}

#[test]
fn what_was_compiled_is_kept_where_the_config_says() {
    let Some(compiler) = compiler() else { return };
    let folder = Folder::with_config(CONFIG);
    build(&compiler, &folder, "login.wasm", &login(DENY));
    folder.run(&["check", "-c", "broker.toml"]).good();
    let kept = std::fs::read_dir(folder.path().join("compiled")).expect("a folder");
    assert!(kept.count() > 0);
    folder.run(&["check", "-c", "broker.toml"]).good();
}

#[test]
fn what_is_not_granted_is_refused_with_what_to_write() {
    let Some(compiler) = compiler() else { return };
    let folder = Folder::with_config(CONFIG);
    let source = "HOOKMQ_ON(client_connected, client_id)\n{\n    hookmq_kv_set(client_id, client_id, 0);\n    return HOOKMQ_PASS;\n}\n\
                  HOOKMQ_PLUGIN(\"kv\", \"1.0.0\", HOOKMQ_LISTEN(client_connected));\n";
    build(&compiler, &folder, "login.wasm", source);
    let ended = folder.run(&["check", "-c", "broker.toml"]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.err.contains("grants = [\"kv\"]"), "{ended:?}");
    let ended = folder.run(&["plugin", "validate", "login.wasm"]);
    assert_eq!(ended.code, 64, "{ended:?}");
    folder
        .run(&[
            "plugin",
            "validate",
            "login.wasm",
            "--grant",
            "kv",
            "--timeout",
            "5s",
        ])
        .good();
}

/// Builds a handler of this body and tries it.
fn validate(compiler: &(PathBuf, PathBuf), body: &str) -> Ended {
    let folder = Folder::with_config(CONFIG);
    let source = format!(
        "HOOKMQ_ON(intercept_publish, dup, topic)\n{{\n    if (dup) {{\n        {body}\n    }}\n    return HOOKMQ_PASS;\n}}\n\
         HOOKMQ_PLUGIN(\"bad\", \"1.0.0\", HOOKMQ_LISTEN(intercept_publish));\n"
    );
    build(compiler, &folder, "bad.wasm", &source);
    folder.run(&["plugin", "validate", "bad.wasm", "--timeout", "1s"])
}

#[test]
fn nothing_that_it_does_is_more_than_a_failed_call() {
    let Some(compiler) = compiler() else { return };
    let good = validate(&compiler, "return HOOKMQ_ACCEPT;").good();
    assert!(good.ends_with("bad.wasm (wasm) is good\n"), "{good}");
    for (body, words) in [
        ("__builtin_trap();", "raised: "),
        ("for (volatile int at = 0;; at++) {\n}", "ran out of time: "),
        ("return 42;", "answer: "),
        (
            "hookmq_change_text(answer, hookmq_field_client_id, topic);",
            "answer: ",
        ),
        (
            "hookmq_change_text(answer, hookmq_field_topic, hookmq_slice((void *)0x7fffff00, 1 << 30));",
            "answer: ",
        ),
        (
            "return hookmq_fail(answer, \"the table is empty\");",
            "the table is empty",
        ),
    ] {
        let ended = validate(&compiler, body);
        assert_eq!(ended.code, 1, "{body}: {ended:?}");
        let line = ended
            .out
            .lines()
            .find(|line| line.starts_with("bad.wasm: intercept_publish with dup true: "));
        assert!(
            line.is_some_and(|line| line.contains(words)),
            "{body}\n{}",
            ended.out
        );
        assert!(
            ended.out.contains("each such call counts as on_error says"),
            "{body}\n{}",
            ended.out
        );
    }
}
