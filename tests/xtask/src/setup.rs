//! What a command needs on the machine: looked for, installed where that is allowed, else named in a clear message.

use std::process::Command;
use std::time::Duration;

use crate::process;
use crate::{Failure, Outcome};

/// The longest that one installation may take.
const INSTALL: Duration = Duration::from_secs(300);

/// Makes sure that a program is there, from Debian's packages if it must be.
///
/// # Errors
/// When it is missing and cannot be installed; the message says what to install.
pub(crate) fn need(program: &str, packages: &[&str]) -> Outcome {
    if process::find(program).is_some() {
        return Ok(());
    }
    let wanted = packages.join(" ");
    install(packages).map_err(|why| -> Failure {
        format!("{program} is needed and missing. Install it (on Debian: apt-get install {wanted}). {why}").into()
    })?;
    if process::find(program).is_some() {
        Ok(())
    } else {
        Err(format!("{program} is still missing after apt-get install {wanted}").into())
    }
}

/// A C++ compiler: the Lua engine is built from its C++ sources.
///
/// # Errors
/// When there is none and it cannot be installed.
pub(crate) fn need_cxx() -> Outcome {
    if std::env::var_os("CXX").is_some()
        || process::find("c++").is_some()
        || process::find("clang++").is_some()
    {
        return Ok(());
    }
    need("g++", &["g++"])
}

/// Installs Debian's packages.
///
/// # Errors
/// When this is no Debian, or not by root, or the installation fails.
pub(crate) fn install(packages: &[&str]) -> Outcome {
    println!("installing {}", packages.join(" "));
    if process::find("apt-get").is_none() {
        return Err("There is no apt-get here.".into());
    }
    let id = process::capture(Command::new("id").arg("-u"), Duration::from_secs(10))?;
    if id.trim() != "0" {
        return Err("Only root may install it, so xtask did not try.".into());
    }
    let install = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages);
        process::capture(&mut command, INSTALL)
    };
    // A machine that never fetched the package lists knows no package; one that did needs no second fetch.
    if install().is_err() {
        process::capture(Command::new("apt-get").arg("update"), INSTALL)?;
        install()?;
    }
    Ok(())
}
