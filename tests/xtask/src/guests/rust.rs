//! Rust plugins: the examples of `hookmq-guests`, and the crates under `plugins`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{STEP, carrier, folder, write};
use crate::process::{self, cargo, root};
use crate::{Failure, Outcome, setup};

/// The target of both WASM carriers.
const WASM: &str = "wasm32-unknown-unknown";

/// Debian's compiler for WASM: program, package.
const DEBIAN: [(&str, &str); 4] = [
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/bin/wasm-ld-19", "lld-19"),
    (
        "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
        "rust-web-src",
    ),
];

/// What compiles Rust to WASM.
pub(super) enum Toolchain {
    /// The compiler in use, which has the target.
    Own,
    /// Debian's, which builds the standard library as well.
    Debian,
}

impl Toolchain {
    /// What there is, else what can be installed.
    ///
    /// # Errors
    /// When there is nothing; the message says what to install.
    pub(super) fn choose(debian: bool) -> Outcome<Self> {
        if !debian {
            if has_target()? {
                return Ok(Self::Own);
            }
            if process::find("rustup").is_some() {
                println!("installing the target {WASM}");
                let mut add = Command::new("rustup");
                add.current_dir(root()).args(["target", "add", WASM]);
                if process::capture(&mut add, STEP).is_ok() && has_target()? {
                    return Ok(Self::Own);
                }
            }
        }
        let missing: Vec<&str> = DEBIAN
            .into_iter()
            .filter(|(file, _)| !Path::new(file).exists())
            .map(|(_, package)| package)
            .collect();
        if !missing.is_empty() {
            setup::install(&missing).map_err(|why| -> Failure {
                format!(
                    "Rust plugins are built for WASM, and nothing here can: run `rustup target add {WASM}`, or on Debian `apt-get install {}`. {why}",
                    missing.join(" ")
                )
                .into()
            })?;
        }
        Ok(Self::Debian)
    }

    fn cargo(&self) -> Command {
        match self {
            Self::Own => cargo(),
            Self::Debian => {
                let mut command = Command::new("/usr/bin/cargo");
                command.current_dir(root());
                for left in ["RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "RUSTFLAGS"] {
                    command.env_remove(left);
                }
                command.env("RUSTC", "/usr/bin/rustc");
                // Only so may a stable compiler build its own standard library.
                command.env("RUSTC_BOOTSTRAP", "1");
                command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19");
                command.env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort");
                command
            }
        }
    }

    /// Where it builds: what one compiler made is nothing to another one.
    fn target_dir(&self) -> PathBuf {
        folder().join(match self {
            Self::Own => "build",
            Self::Debian => "build-debian",
        })
    }
}

fn has_target() -> Outcome<bool> {
    let mut ask = Command::new("rustc");
    ask.current_dir(root())
        .args(["--print", "target-libdir", "--target", WASM]);
    Ok(process::capture(&mut ask, STEP).is_ok_and(|place| Path::new(place.trim()).is_dir()))
}

/// Builds every Rust plugin for every carrier.
///
/// # Errors
/// When one does not compile.
pub(super) fn build(toolchain: &Toolchain) -> Outcome {
    let examples = examples()?;
    let natives = crates("native")?;
    let native = native(&natives)?;
    for name in examples.iter().chain(&natives) {
        let file = format!(
            "{}{}{}",
            std::env::consts::DLL_PREFIX,
            name.replace('-', "_"),
            std::env::consts::DLL_SUFFIX
        );
        copy(&native, &file, &carrier("native")?.join(&file), Ok)?;
    }
    for (name, features) in [("module", None), ("component", Some("component"))] {
        let crates = crates(name)?;
        let built = wasm(toolchain, &crates, features)?;
        for plugin in examples.iter().chain(&crates) {
            let file = format!("{}.wasm", plugin.replace('-', "_"));
            let to = carrier(name)?.join(&file);
            let encode = |module: Vec<u8>| match features {
                None => Ok(module),
                Some(_) => component(&module).map_err(|why| format!("{plugin}: {why}").into()),
            };
            copy(&built, &file, &to, encode)?;
        }
    }
    Ok(())
}

/// The plugins of `hookmq-guests`.
fn examples() -> Outcome<Vec<String>> {
    let manifest = fs::read_to_string(root().join("tests/guests/Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse()?;
    let examples = manifest.get("example").and_then(toml::Value::as_array);
    Ok(examples
        .into_iter()
        .flatten()
        .filter_map(|example| example.get("name")?.as_str().map(str::to_owned))
        .collect())
}

/// The workspace's crates under `plugins`, which have the names of their folders, as far as they are for this carrier. A manifest may say
/// which carriers it is for (`[package.metadata.hookmq] carriers`); others are for all.
fn crates(carrier: &str) -> Outcome<Vec<String>> {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml"))?.parse()?;
    let members = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("members")?.as_array());
    let mut crates = Vec::new();
    for member in members.into_iter().flatten() {
        let Some(name) = member
            .as_str()
            .and_then(|member| member.strip_prefix("plugins/"))
        else {
            continue;
        };
        let own = root().join("plugins").join(name).join("Cargo.toml");
        let own: toml::Table = fs::read_to_string(own)?.parse()?;
        let carriers = own
            .get("package")
            .and_then(|package| package.get("metadata")?.get("hookmq")?.get("carriers"))
            .and_then(toml::Value::as_array);
        if carriers.is_none_or(|all| all.iter().any(|one| one.as_str() == Some(carrier))) {
            crates.push(name.to_owned());
        }
    }
    Ok(crates)
}

/// Builds guests and crates. Two calls of cargo: examples would bring the crates' own test dependencies along.
fn cargo_build(
    toolchain: &Toolchain,
    crates: &[String],
    options: &[&str],
    target: &Path,
) -> Outcome {
    let build = |what: &[&str]| {
        let mut command = toolchain.cargo();
        command.args(["build", "--quiet"]).args(what).args(options);
        command.arg("--target-dir").arg(target);
        for (key, value) in [("LTO", "fat"), ("STRIP", "symbols"), ("DEBUG", "none")] {
            command.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
        }
        process::run(&mut command)
    };
    build(&["--package", "hookmq-guests", "--examples"])?;
    if crates.is_empty() {
        return Ok(());
    }
    let mut packages = vec!["--lib"];
    for package in crates {
        packages.extend(["--package", package]);
    }
    build(&packages)
}

/// Dynamic libraries, in the profile of the tests. Where they are.
fn native(crates: &[String]) -> Outcome<PathBuf> {
    let target = folder().join("build");
    cargo_build(&Toolchain::Own, crates, &[], &target)?;
    Ok(target.join("debug"))
}

/// Core modules, small and quick. Where they are.
fn wasm(toolchain: &Toolchain, crates: &[String], feature: Option<&str>) -> Outcome<PathBuf> {
    let target = toolchain.target_dir();
    let feature = feature.map(|feature| format!("hookmq-plugin-api/{feature}"));
    let mut options = vec!["--release", "--target", WASM];
    if let Some(feature) = &feature {
        options.extend(["--features", feature]);
    }
    cargo_build(toolchain, crates, &options, &target)?;
    Ok(target.join(WASM).join("release"))
}

/// A module with its type sections as a component.
fn component(module: &[u8]) -> Outcome<Vec<u8>> {
    let encoded = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode());
    encoded.map_err(|why| format!("{why:#}").into())
}

/// Copies a plugin that cargo made as a library or as an example.
fn copy(
    from: &Path,
    file: &str,
    to: &Path,
    change: impl FnOnce(Vec<u8>) -> Outcome<Vec<u8>>,
) -> Outcome {
    let place = [from.join("examples").join(file), from.join(file)];
    let place = place
        .iter()
        .find(|place| place.is_file())
        .ok_or_else(|| format!("cargo made no {file} in {}", from.display()))?;
    write(to, &change(fs::read(place)?)?)
}
