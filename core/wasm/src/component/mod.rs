//! The component form: interfaces of `hookmq:plugin` in and out, in any language that makes components. The form for whoever does not
//! write C or Rust, and for hooks that are not hot.

mod answers;
mod changes;
mod event;
mod exports;
mod fields;
mod forward;
mod host;
mod imports;
mod instance;
mod query;
mod records;
mod wasi;

use std::sync::Arc;

use hookmq_plugin_api::{Hook, Listen};
use wasmtime::component::{Component, InstancePre, Linker};

pub(crate) use forward::forwarded;
pub(crate) use instance::Instance;

use crate::state::{Blueprint, State};

/// A component that was checked and is ready to be instantiated.
pub(crate) struct Form {
    blueprint: Arc<Blueprint>,
    ready: InstancePre<State>,
    exports: exports::Exports,
    listens: Vec<Listen>,
}

impl Form {
    /// Checks imports and exports, and makes a first instance.
    ///
    /// # Errors
    /// In words that say what to do.
    pub(crate) fn load(blueprint: &Arc<Blueprint>, component: &Component) -> Result<Self, String> {
        let exports = exports::read(&blueprint.engine.compiler, component)?;
        let mut linker = Linker::new(&blueprint.engine.compiler);
        let readable = imports::link(&mut linker, component, blueprint.settings.grants)?;
        let ready = linker.instantiate_pre(component).map_err(|error| {
            format!(
                "it does not fit the contract, build it with the WIT of this version: {error:#}"
            )
        })?;
        let listens = exports
            .hooks
            .iter()
            .map(|export| {
                let spec = export.hook.spec();
                let is_read = |field| export.parameter == Some(field) || readable.has(field);
                Listen {
                    hook: export.hook,
                    fields: spec
                        .fields
                        .iter()
                        .copied()
                        .filter(|field| is_read(*field))
                        .collect(),
                    awaits: false,
                }
            })
            .collect();
        let form = Self {
            blueprint: Arc::clone(blueprint),
            ready,
            exports,
            listens,
        };
        Instance::new(&form).map_err(|failure| failure.error.message)?;
        Ok(form)
    }

    pub(crate) fn listens(&self) -> &[Listen] {
        &self.listens
    }
}

/// The name behind `hookmq:plugin/` without its version, if it is of this package.
fn interface_of(name: &str) -> Option<Result<&str, String>> {
    let rest = name.strip_prefix("hookmq:plugin/")?;
    Some(match rest.split_once('@') {
        None => Ok(rest),
        Some((interface, version)) if version.starts_with("1.") => Ok(interface),
        Some((_, version)) => Err(format!(
            "it was built for version {version} of hookmq:plugin, and this broker has 1.0.0; build it with the WIT of this version"
        )),
    })
}

/// The hook of an interface's name.
fn hook_of(interface: &str) -> Option<Hook> {
    Hook::from_name(&interface.replace('-', "_"))
}
