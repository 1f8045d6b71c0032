//! `hookmq config`: every key with the value in force and who set it, as TOML that can be saved and used.

use std::fmt::Write;
use std::process::ExitCode;

use super::ConfigArguments;
use crate::config::{Effective, Origin};

pub(super) fn run(arguments: ConfigArguments) -> ExitCode {
    match arguments.load() {
        Ok((_, config)) => super::print(&listing(&config.effective)),
        Err(code) => code,
    }
}

fn listing(effective: &[Effective]) -> String {
    let width = effective
        .iter()
        .map(|key| line(key).chars().count())
        .max()
        .unwrap_or_default()
        .min(60);
    let mut out = String::new();
    let mut section = "";
    for key in effective {
        if key.section != section {
            let space = if section.is_empty() { "" } else { "\n" };
            // Writing to a text cannot fail.
            let _ = writeln!(out, "{space}{}", key.head);
            section = &key.section;
        }
        let _ = writeln!(out, "{:width$}  # {}", line(key), origin(&key.origin));
    }
    out
}

fn line(key: &Effective) -> String {
    match &key.value {
        Some(value) => format!("{} = {value}", key.key),
        None => format!("# {} is not set", key.key),
    }
}

fn origin(origin: &Origin) -> &str {
    match origin {
        Origin::Default => "default",
        Origin::File(place) => place,
        Origin::Environment(name) => name,
        Origin::Arguments => "command line",
    }
}
