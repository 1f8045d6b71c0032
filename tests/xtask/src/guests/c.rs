//! C plugins: one source is a dynamic library, and a WASM core module where it needs no C library.

use std::path::Path;
use std::process::Command;

use super::{STEP, carrier, files, is_fresh, place, stem};
use crate::process::{self, root};
use crate::{Outcome, setup};

/// Compilers that know WASM, the first one found is taken; Debian 12 has them under their versions.
const CLANG: [&str; 3] = ["clang", "clang-19", "clang-16"];
const LINKER: [&str; 3] = ["wasm-ld", "wasm-ld-19", "wasm-ld-16"];

/// Builds every C plugin of `tests/guests`.
///
/// # Errors
/// When a compiler is missing and cannot be installed, or a plugin does not compile.
pub(super) fn build() -> Outcome {
    let sources = files(&root().join("tests/guests"), "c")?;
    if sources.is_empty() {
        return Ok(());
    }
    setup::need("cc", &["gcc", "libc6-dev"])?;
    let clang = one_of(&CLANG, &["clang-16"])?;
    let linker = one_of(&LINKER, &["lld-16"])?;
    let header = root().join("plugin-api/c/hookmq.h");
    for source in sources {
        let name = stem(&source);
        let library = carrier("native")?.join(format!(
            "{}{name}{}",
            std::env::consts::DLL_PREFIX,
            std::env::consts::DLL_SUFFIX
        ));
        let module = carrier("module")?.join(format!("{name}.wasm"));
        let inputs = [source.clone(), header.clone()];
        if !is_fresh(&library, &inputs)? {
            let mut command = Command::new("cc");
            command.args(["-std=c11", "-O2", "-shared", "-fPIC", "-fvisibility=hidden"]);
            compile(&mut command, &source, &library)?;
        }
        if !is_fresh(&module, &inputs)? {
            let mut command = Command::new(clang);
            command.args([
                "--target=wasm32",
                "-std=c11",
                "-O2",
                "-ffreestanding",
                "-mbulk-memory",
                "-nostdlib",
                "-Wl,--no-entry",
                "-Wl,--strip-all",
                // Newer compilers would rather have the linker by name.
                "-Wno-unknown-warning-option",
                "-Wno-fuse-ld-path",
            ]);
            let linker = process::find(linker).unwrap_or_default();
            command.arg(format!("-fuse-ld={}", linker.display()));
            compile(&mut command, &source, &module)?;
        }
    }
    Ok(())
}

fn compile(command: &mut Command, source: &Path, to: &Path) -> Outcome {
    command.current_dir(root()).args([
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-Iplugin-api/c",
    ]);
    let new = to.with_extension("new");
    command.arg("-o").arg(&new).arg(source);
    process::capture(command, STEP)?;
    place(&new, to)
}

/// The first of these programs that is there; else the packages that bring the last one.
fn one_of(programs: &[&'static str], packages: &[&str]) -> Outcome<&'static str> {
    let there = |program: &&&str| process::find(program).is_some();
    if let Some(program) = programs.iter().find(there) {
        return Ok(program);
    }
    let last = programs.last().copied().unwrap_or_default();
    setup::need(last, packages)?;
    Ok(last)
}
