//! The core form: a module with the C ABI in its own memory ([`hookmq_plugin_api::abi`]). The cheapest form, for the hot hooks.

mod calls;
mod exports;
mod imports;
mod instance;
mod layout;
mod listens;
mod queries;
mod reader;
mod writer;

use std::sync::Arc;

use hookmq_plugin_api::{Field, Hook, Listen};
use wasmtime::{InstancePre, Linker, Module};

pub(crate) use imports::is_json;
pub(crate) use instance::Instance;

use crate::state::{Blueprint, State};

/// A module that was checked and is ready to be instantiated.
pub(crate) struct Form {
    blueprint: Arc<Blueprint>,
    ready: InstancePre<State>,
    handlers: Handlers,
}

/// What the module listens to.
struct Handlers {
    listens: Vec<Listen>,
    /// The declared fields in the order of the declaration, per listen.
    fields: Vec<Box<[Field]>>,
    /// Per hook, which listen; [`NONE`] for none.
    of_hook: [u8; Hook::COUNT],
}

const NONE: u8 = u8::MAX;

impl Handlers {
    const fn none() -> Self {
        Self {
            listens: Vec::new(),
            fields: Vec::new(),
            of_hook: [NONE; Hook::COUNT],
        }
    }

    /// Number and fields of the hook's handler, if it has one.
    #[inline]
    fn of(&self, hook: Hook) -> Option<(u8, &[Field])> {
        let index = self.of_hook.get(hook as usize).copied()?;
        let fields = self.fields.get(usize::from(index))?;
        Some((index, fields))
    }
}

impl Form {
    /// Checks imports and exports, makes a first instance and reads from it what the module listens to.
    ///
    /// # Errors
    /// In words that say what to do.
    pub(crate) fn load(blueprint: &Arc<Blueprint>, module: &Module) -> Result<Self, String> {
        exports::check_imports(module, blueprint.settings.grants)?;
        exports::check_exports(module)?;
        let mut linker = Linker::new(&blueprint.engine.compiler);
        imports::link(&mut linker, blueprint.settings.grants)
            .map_err(|error| format!("{error:#}"))?;
        let ready = linker
            .instantiate_pre(module)
            .map_err(|error| format!("{error:#}"))?;
        let mut form = Self {
            blueprint: Arc::clone(blueprint),
            ready,
            handlers: Handlers::none(),
        };
        let mut first = Instance::started(&form).map_err(|failure| failure.error.message)?;
        form.handlers = first.listens()?;
        first
            .create(&form)
            .map_err(|failure| failure.error.message)?;
        Ok(form)
    }

    pub(crate) fn listens(&self) -> &[Listen] {
        &self.handlers.listens
    }
}
