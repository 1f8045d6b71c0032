//! The memory limit of a VM: in force while a script runs, lifted while the host hands values in and out.
//!
//! The engine protects each step that may fail for want of memory, which costs more than making a short string. What the host makes
//! between calls is bounded by the packet that it comes from, so it is made without; a script that is over its limit by then fails at its
//! next allocation.

use std::cell::Cell;

use mlua::Lua;

/// The limit of one VM.
#[derive(Debug)]
pub(crate) struct Memory {
    /// What the script may have, as configured.
    pub(crate) limit: usize,
    /// The same, with what the VM itself takes.
    bytes: usize,
    /// Whether a script runs.
    is_on: Cell<bool>,
}

impl Memory {
    /// A limit of so many bytes beyond what the VM uses now.
    pub(crate) fn beyond(lua: &Lua, limit: usize) -> Self {
        Self {
            limit,
            bytes: lua.used_memory().saturating_add(limit),
            is_on: Cell::new(false),
        }
    }

    /// Runs something with the limit in force. Nests.
    pub(crate) fn within<R>(&self, lua: &Lua, run: impl FnOnce() -> R) -> R {
        let outer = self.is_on.replace(true);
        // Setting it fails only for VMs whose allocator is not the engine's own.
        let _own = lua.set_memory_limit(self.bytes);
        let result = run();
        if !outer {
            let _own = lua.set_memory_limit(0);
        }
        self.is_on.set(outer);
        result
    }

    /// The limit, as a config says it.
    pub(crate) fn in_words(&self) -> String {
        match self.limit {
            limit if limit != 0 && limit.is_multiple_of(1 << 20) => format!("{} MiB", limit >> 20),
            limit if limit != 0 && limit.is_multiple_of(1 << 10) => format!("{} KiB", limit >> 10),
            limit => format!("{limit} bytes"),
        }
    }

    /// Whether more is in use than allowed.
    pub(crate) fn is_over(&self, lua: &Lua) -> bool {
        lua.used_memory() > self.bytes
    }
}
