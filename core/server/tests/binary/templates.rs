//! `hookmq plugin new`: what it writes is built, tested and run by the commands that its README has.

use std::path::Path;
use std::process::Command;

use crate::folder::Folder;

/// Runs shell lines in a folder, with the binary that is tested in front of the path.
pub(crate) fn shell_in(folder: &Path, lines: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_hookmq"));
    let path = format!(
        "{}:{}",
        binary.parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let out = Command::new("sh")
        .args(["-c", lines])
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .expect("a shell");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(out.status.success(), "{lines}\n{text}");
    text
}

/// The same in the new plugin's folder.
fn shell(folder: &Folder, lines: &str) -> String {
    shell_in(&folder.path().join("my-guard"), lines)
}

/// Whether Rust can be built for this form of WASM here.
pub(crate) fn has_target(target: &str) -> bool {
    let out = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output();
    let found =
        out.is_ok_and(|out| Path::new(String::from_utf8_lossy(&out.stdout).trim()).is_dir());
    if !found {
        eprintln!("not tried: there is no {target}");
    }
    found
}

fn new(lang: &str) -> Folder {
    let folder = Folder::new();
    let out = folder
        .run(&["plugin", "new", "my-guard", "--lang", lang])
        .good();
    assert!(out.contains("my-guard/README.md"), "{out}");
    folder
}

/// Whether a program is there at all, perhaps with a version in its name; what needs it is not tried where it is missing.
pub(crate) fn has(program: &str) -> bool {
    let found = ["", "-19", "-16"].iter().any(|version| {
        let named = format!("{program}{version}");
        Command::new(named).arg("--version").output().is_ok()
    });
    if !found {
        eprintln!("not tried: there is no {program}");
    }
    found
}

#[test]
fn a_new_script_passes_its_tests_and_is_good() {
    let folder = new("lua");
    assert!(shell(&folder, "hookmq plugin test").contains("3 passed, 0 failed"));
    let out = shell(&folder, "hookmq plugin validate my_guard.lua --timeout 5s");
    assert!(out.contains("my_guard.lua (lua) is good"), "{out}");
    let out = shell(&folder, "hookmq check --config broker.toml");
    assert!(
        out.contains("my-guard  my_guard.lua  intercept_publish"),
        "{out}"
    );
}

#[test]
fn a_new_c_plugin_passes_its_tests() {
    if !has("cc") || !has("make") {
        return;
    }
    let folder = new("c");
    let out = shell(
        &folder,
        "make test CFLAGS='-std=c11 -Wall -Wextra -Wpedantic -Werror'",
    );
    assert!(out.contains("4 passed"), "{out}");
    shell(&folder, "make");
    let out = shell(&folder, "hookmq plugin validate my_guard.so --timeout 5s");
    assert!(out.contains("my_guard.so (native) is good"), "{out}");
    if cfg!(feature = "wasm") && has("wasm-ld") && has("clang") {
        shell(&folder, "make my_guard.wasm");
        let out = shell(&folder, "hookmq plugin validate my_guard.wasm --timeout 5s");
        assert!(out.contains("my_guard.wasm (wasm) is good"), "{out}");
    }
    let out = shell(&folder, "hookmq check --config broker.toml");
    assert!(
        out.contains("my-guard  my_guard.so  intercept_publish"),
        "{out}"
    );
}

#[test]
fn a_new_rust_plugin_passes_its_tests_and_is_good_as_library_and_as_wasm() {
    let folder = new("rust");
    // Shared between runs, so that the SDK is built once.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-rust");
    let cargo = |command: &str| {
        format!(
            "CARGO_TARGET_DIR='{}' {} {command} --offline --quiet",
            target.display(),
            env!("CARGO")
        )
    };
    let out = shell(&folder, &cargo("test"));
    assert!(out.contains("1 passed"), "{out}");
    shell(&folder, &cargo("native"));
    let library = target.join("release/libmy_guard.so");
    let out = shell(
        &folder,
        &format!(
            "hookmq plugin validate '{}' --timeout 5s",
            library.display()
        ),
    );
    assert!(out.contains("libmy_guard.so (native) is good"), "{out}");
    if !cfg!(feature = "wasm") {
        return;
    }
    for (wasm, command) in [
        ("wasm32-unknown-unknown", "wasm"),
        ("wasm32-wasip2", "build --release --target wasm32-wasip2"),
    ] {
        if has_target(wasm) {
            shell(&folder, &cargo(command));
            let module = target.join(wasm).join("release/my_guard.wasm");
            let out = shell(
                &folder,
                &format!("hookmq plugin validate '{}' --timeout 5s", module.display()),
            );
            assert!(out.contains("my_guard.wasm (wasm) is good"), "{out}");
        }
    }
}

#[test]
fn a_new_javascript_plugin_has_the_whole_contract_and_passes_its_tests() {
    let folder = new("javascript");
    let contract = crate::folder::root().join("plugin-api/wit");
    for file in std::fs::read_dir(contract).expect("a folder") {
        let file = file.expect("a file").path();
        let copy = folder
            .path()
            .join("my-guard/wit/deps/hookmq-plugin")
            .join(file.file_name().expect("a name"));
        assert_eq!(
            std::fs::read(&copy).ok(),
            std::fs::read(&file).ok(),
            "{}",
            copy.display()
        );
    }
    if has("node") {
        let out = shell(&folder, "node --import ./hookmq.mock.js --test");
        assert!(out.contains("# pass 3"), "{out}");
    }
    // The compiler comes from elsewhere, so that only a run that says so gets it.
    if std::env::var_os("HOOKMQ_ONLINE").is_some() && has("npm") && cfg!(feature = "wasm") {
        shell(&folder, "npm install && npm run build");
        let out = shell(&folder, "hookmq plugin validate my_guard.wasm --timeout 5s");
        assert!(out.contains("my_guard.wasm (wasm) is good"), "{out}");
    }
}

#[test]
fn without_the_sdk_it_says_what_is_missing() {
    let ended = Folder::new().run(&["plugin", "new", "x", "--lang", "rust", "--api", "nowhere"]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.err.contains("--api"), "{ended:?}");
}

#[test]
fn a_folder_that_is_there_and_a_name_that_is_none_are_left_alone() {
    let folder = new("lua");
    let ended = folder.run(&["plugin", "new", "my-guard", "--lang", "lua"]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.err.contains("my-guard is there already"), "{ended:?}");
    for name in ["../x", "A", "1a", ""] {
        let ended = folder.run(&["plugin", "new", name, "--lang", "lua"]);
        assert_eq!(ended.code, 64, "{name}: {ended:?}");
    }
}
