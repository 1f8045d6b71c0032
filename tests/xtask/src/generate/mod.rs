//! `cargo xtask generate`: writes everything that follows from the hook catalogue, and a test says when any of it is stale.
//!
//! The typed Rust views with their tests, the SDK's traits, the type files for Luau and Lua language servers, the WIT package, the C
//! header, and the hook reference. The catalogue is linked without its typed views, so a row can be changed although the views no
//! longer compile.

mod answer;
mod c;
mod lua;
mod luals;
mod luau;
mod page;
mod parity;
mod records;
mod reference;
mod rust;
mod sdk;
mod sections;
mod snippets;
mod views;
mod views_test;
mod wit;
mod wit_host;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use hookmq_plugin_api::catalogue::HOOKS;

use crate::Outcome;
use crate::process::root;

/// Folders in which every file is generated.
const WHOLE_FOLDERS: [&str; 5] = [
    parity::FOLDER,
    sections::FOLDER,
    "plugin-api/src/sdk/hooks",
    "plugin-api/src/typed",
    "plugin-api/wit",
];

/// Writes every generated file that differs, and removes those that are generated no longer.
///
/// # Errors
/// When a file cannot be read, written or removed.
pub(crate) fn run() -> Outcome {
    let files = files();
    for path in unknown(&files)? {
        fs::remove_file(root().join(&path))?;
        println!("removed {path}");
    }
    for path in differing(&files) {
        let place = root().join(&path);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(place, &files[&path])?;
        println!("wrote {path}");
    }
    println!("{} files are as the catalogue says", files.len());
    Ok(())
}

/// Every generated file: its path from the root, and what is in it.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (name, section) in sections::sections() {
        files.insert(format!("{}/{name}", sections::FOLDER), section);
    }
    let mut add = |path: &str, text: String| files.insert(path.to_owned(), text.into_bytes());
    for spec in HOOKS {
        add(
            &format!("plugin-api/src/typed/{}.rs", spec.name),
            rust::hook_module(spec),
        );
        add(
            &format!("plugin-api/src/sdk/hooks/{}.rs", spec.name),
            sdk::hook_module(spec),
        );
        add(
            &format!("{}/{}.rs", parity::FOLDER, spec.name),
            parity::hook_module(spec),
        );
    }
    add("plugin-api/src/typed/records.rs", records::module());
    add("plugin-api/src/typed/mod.rs", rust::index());
    add("plugin-api/src/sdk/hooks/mod.rs", sdk::index());
    add(
        "plugin-api/src/sdk/edge/component/sections.rs",
        sections::module(),
    );
    for (kind, text) in views_test::modules() {
        add(&format!("plugin-api/tests/typed/{kind}.rs"), text);
    }
    for (name, text) in [
        ("mod", parity::index()),
        ("closures", parity::closures()),
        ("plugin", parity::plugin()),
    ] {
        add(&format!("{}/{name}.rs", parity::FOLDER), text);
    }
    add("plugin-api/luau/broker.d.luau", luau::definitions());
    add("plugin-api/luau/broker.meta.lua", luals::definitions());
    for (name, text) in wit::files() {
        add(&format!("plugin-api/wit/{name}"), text);
    }
    add("plugin-api/c/hookmq.h", c::header());
    add("docs/hooks.md", reference::page());
    files
}

fn differing(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let differs =
        |path: &str, bytes: &[u8]| fs::read(root().join(path)).map_or(true, |there| there != bytes);
    files
        .iter()
        .filter(|(path, text)| differs(path, text))
        .map(|(path, _)| path.clone())
        .collect()
}

/// Files in [`WHOLE_FOLDERS`] that nothing generates.
fn unknown(files: &BTreeMap<String, Vec<u8>>) -> Outcome<Vec<String>> {
    let mut unknown = Vec::new();
    for folder in WHOLE_FOLDERS {
        let there: PathBuf = root().join(folder);
        if !there.is_dir() {
            continue;
        }
        for entry in fs::read_dir(there)? {
            let path = format!("{folder}/{}", entry?.file_name().to_string_lossy());
            if !files.contains_key(&path) {
                unknown.push(path);
            }
        }
    }
    Ok(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_as_the_catalogue_says() {
        let files = files();
        let stale = differing(&files);
        let unknown = unknown(&files).expect("the folders can be listed");
        assert!(
            stale.is_empty() && unknown.is_empty(),
            "stale: {stale:?}, no longer generated: {unknown:?}; run `cargo xtask generate`"
        );
    }
}
