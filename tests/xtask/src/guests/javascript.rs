//! JavaScript plugins: components, each with a JavaScript engine inside.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{STEP, carrier, files, folder, is_fresh, place, stem};
use crate::process::{self, root};
use crate::{Outcome, setup};

/// Builds every plugin of `tests/guests/js`.
///
/// # Errors
/// When Node.js or npm is missing and cannot be installed, or a plugin does not build.
pub(super) fn build() -> Outcome {
    let sources = root().join("tests/guests/js");
    let contract = files(&root().join("plugin-api/wit"), "wit")?;
    let world = sources.join("world.wit");
    let component = carrier("component")?;
    for source in files(&sources, "js")? {
        let name = stem(&source);
        let to = component.join(format!("{name}.wasm"));
        let mut inputs = contract.clone();
        inputs.extend([
            source.clone(),
            world.clone(),
            sources.join("package-lock.json"),
        ]);
        if is_fresh(&to, &inputs)? {
            continue;
        }
        let tools = folder().join("js");
        prepare(&sources, &tools)?;
        let wit = tools.join("wit");
        lay_out(&wit, &world, &contract)?;
        let mut command = Command::new("node");
        command
            .current_dir(&tools)
            .arg("node_modules/.bin/componentize-qjs")
            .args(["--sync", "--stub-wasi", "--opt-size", "--world", &name]);
        command.arg("--wit").arg(&wit);
        command.arg("--js").arg(&source);
        let new = to.with_extension("new");
        command.arg("--output").arg(&new);
        process::capture(&mut command, STEP)?;
        place(&new, &to)?;
    }
    Ok(())
}

/// The compiler, beside what it makes.
fn prepare(sources: &Path, tools: &Path) -> Outcome {
    let wanted = fs::read_to_string(sources.join("package-lock.json"))?;
    let done = tools.join("node_modules/installed.json");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    setup::need("node", &["nodejs"])?;
    setup::need("npm", &["npm"])?;
    println!(
        "installing the JavaScript compiler into {}",
        tools.display()
    );
    fs::create_dir_all(tools)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(name), tools.join(name))?;
    }
    let mut install = Command::new("npm");
    // Not `npm ci`: the lock file cannot name bindings for other systems that the package lists and that were never published.
    install.current_dir(tools).args([
        "install",
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
    ]);
    process::capture(&mut install, STEP)?;
    fs::write(done, wanted)?;
    Ok(())
}

/// The plugins' worlds, with the contract as their dependency.
fn lay_out(wit: &Path, world: &Path, contract: &[std::path::PathBuf]) -> Outcome {
    let dependency = wit.join("deps/hookmq-plugin");
    fs::create_dir_all(&dependency)?;
    fs::copy(world, wit.join("world.wit"))?;
    for file in contract {
        fs::copy(file, dependency.join(file.file_name().unwrap_or_default()))?;
    }
    Ok(())
}
