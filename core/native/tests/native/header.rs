//! One source, every compiler: C11 and C++17, and a WASM core module where there is a compiler for it.

use crate::build::{self, run};

const SOURCES: [&str; 5] = ["calls.c", "config.c", "counted.c", "module.c", "tables.c"];

fn is_there(compiler: &str) -> bool {
    std::process::Command::new(compiler)
        .arg("--version")
        .output()
        .is_ok()
}

fn check(compiler: &str, arguments: &[&str], source: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out");
    if let Err(words) = run(compiler, arguments, &build::source(source), &output) {
        panic!("{compiler} {arguments:?} {source}:\n{words}");
    }
}

#[test]
fn as_c11() {
    for source in SOURCES {
        for compiler in ["cc", "clang", "clang-16"] {
            if compiler == "cc" || is_there(compiler) {
                check(compiler, &["-std=c11", "-O2", "-shared", "-fPIC"], source);
            }
        }
    }
}

#[test]
fn as_cpp17() {
    for source in SOURCES {
        // C++ has no <stdatomic.h> before C++23.
        if source == "counted.c" {
            continue;
        }
        for compiler in ["g++", "clang++", "clang++-16"] {
            if is_there(compiler) {
                let arguments = ["-x", "c++", "-std=c++17", "-O2", "-shared", "-fPIC"];
                check(compiler, &arguments, source);
            }
        }
    }
}

#[test]
fn as_a_wasm_core_module() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.c");
    std::fs::write(&empty, "extern int nothing;").expect("written");
    let flags = [
        "--target=wasm32",
        "-std=c11",
        "-O2",
        "-ffreestanding",
        "-mbulk-memory",
        "-c",
    ];
    for compiler in ["clang", "clang-16"] {
        // A clang without this target cannot say so but by failing.
        if run(compiler, &flags, &empty, &folder.path().join("empty.o")).is_ok() {
            check(compiler, &flags, "module.c");
        }
    }
}
