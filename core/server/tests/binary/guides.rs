//! The guides: what they tell to type is typed, and what they show as whole plugins is built.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::folder::{Folder, root};
use crate::templates::{has, has_target, shell_in};

/// The blocks of one language, in order.
fn blocks(guide: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("docs").join(guide)).expect("the guide");
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match &mut block {
            None if line == format!("```{language}") => block = Some(String::new()),
            Some(_) if line == "```" => blocks.extend(block.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
            None => {}
        }
    }
    assert!(!blocks.is_empty(), "{guide} has no {language}");
    blocks
}

/// Types a block of commands. The broker itself is only checked, and what is installed once is there already.
fn type_in(folder: &Folder, block: &str) -> String {
    let lines: Vec<_> = block
        .lines()
        .filter(|line| !line.starts_with("rustup "))
        .map(|line| line.replace("hookmq --config", "hookmq check --config"))
        .map(|line| {
            // On a busy machine, calls with large input may take their time.
            if line.contains("plugin validate") {
                format!("{line} --timeout 5s")
            } else {
                line
            }
        })
        .collect();
    shell_in(folder.path(), &format!("set -e\n{}", lines.join("\n")))
}

#[test]
fn the_commands_of_the_native_guide_work_as_pasted() {
    if has("cc") && has("make") {
        let out = type_in(&Folder::new(), &blocks("guide-native.md", "sh")[0]);
        assert!(out.contains("my_guard.so (native) is good"), "{out}");
        assert!(out.contains("broker.toml is good"), "{out}");
    }
}

#[test]
fn the_commands_of_the_rust_guide_work_as_pasted() {
    if cfg!(feature = "wasm") && has_target("wasm32-unknown-unknown") {
        let out = type_in(&Folder::new(), &blocks("guide-rust.md", "sh")[0]);
        assert!(out.contains("my_guard.wasm (wasm) is good"), "{out}");
        assert!(out.contains("broker.toml is good"), "{out}");
    }
}

#[test]
fn the_commands_of_the_wasm_guide_work_as_pasted() {
    if !cfg!(feature = "wasm") {
        return;
    }
    let blocks = blocks("guide-wasm.md", "sh");
    // The compiler of JavaScript comes from elsewhere, so that only a run that says so gets it.
    if std::env::var_os("HOOKMQ_ONLINE").is_some() && has("npm") {
        let out = type_in(&Folder::new(), &blocks[0]);
        assert!(out.contains("my_guard.wasm (wasm) is good"), "{out}");
        assert!(out.contains("broker.toml is good"), "{out}");
    }
    if has("clang") && has("wasm-ld") && has("make") {
        let out = type_in(&Folder::new(), &blocks[1]);
        assert!(out.contains("my_filter.wasm (wasm) is good"), "{out}");
    }
}

#[test]
fn the_javascript_plugins_of_the_guide_pass_their_tests() {
    if !has("node") {
        return;
    }
    let shown = blocks("guide-wasm.md", "js");
    let [whole, second, its_test] = shown.as_slice() else {
        panic!("{} blocks", shown.len());
    };
    let folder = Folder::new();
    folder
        .run(&["plugin", "new", "my-guard", "--lang", "javascript"])
        .good();
    let new = fs::read_to_string(folder.path().join("my-guard/my_guard.js")).expect("a file");
    assert_eq!(&new, whole, "the guide shows the plugin that is made");
    folder.write("my-guard/my_guard.js", second);
    folder.write("my-guard/my_guard.test.js", its_test);
    let out = shell_in(
        &folder.path().join("my-guard"),
        "node --import ./hookmq.mock.js --test",
    );
    assert!(out.contains("# pass 1"), "{out}");
}

#[test]
fn the_c_plugins_of_the_guide_build_without_a_warning_and_are_loaded() {
    if !has("cc") {
        return;
    }
    let folder = Folder::new();
    for (at, source) in blocks("guide-native.md", "c").iter().enumerate() {
        let name = format!("shown{at}");
        folder.write(&format!("{name}.c"), source);
        let header = root().join("plugin-api/c");
        shell_in(
            folder.path(),
            &format!(
                "cc -std=c11 -O2 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -I '{}' -o {name}.so {name}.c",
                header.display()
            ),
        );
        shell_in(
            folder.path(),
            &format!("hookmq plugin validate {name}.so --timeout 5s"),
        );
    }
}

#[test]
fn the_rust_plugins_of_the_guide_build_without_a_warning() {
    let folder = Folder::new();
    let api = root().join("plugin-api").canonicalize().expect("the SDK");
    let mut manifest = format!(
        "[package]\nname = \"shown\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
         hookmq-plugin-api = {{ path = \"{}\" }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n",
        api.display()
    );
    folder.write("src/lib.rs", "");
    for (at, source) in blocks("guide-rust.md", "rust").iter().enumerate() {
        folder.write(&format!("examples/shown{at}.rs"), source);
        manifest.push_str(&format!(
            "[[example]]\nname = \"shown{at}\"\ncrate-type = [\"cdylib\"]\n"
        ));
    }
    folder.write("Cargo.toml", &manifest);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shown");
    let out = Command::new(env!("CARGO"))
        .args(["check", "--examples", "--offline", "--quiet"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTFLAGS", "-Dwarnings")
        .output()
        .expect("cargo runs");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}
