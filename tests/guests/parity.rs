//! The parity suite's policy as a plugin: its case comes from the key-value map, its lines go to the log.

#[path = "parity/mod.rs"]
mod policy;

use hookmq_plugin_api::sdk::{kv, log};
use policy::Edge;

/// The broker behind the SDK.
#[derive(Default)]
struct Parity;

impl Edge for Parity {
    fn case(&self) -> String {
        let case = kv::get("case").expect("the map is granted");
        String::from_utf8(case.unwrap_or_default()).expect("a case is text")
    }

    fn write(&self, line: &str) {
        log::info(line);
    }
}

#[path = "parity/hooks/plugin.rs"]
mod plugin;
