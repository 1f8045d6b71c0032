//! What one instance may hold: bytes of memory, tables, instances.

use wasmtime::ResourceLimiter;

use crate::error::Fault;

/// Entries of one table. Compiled languages need one per function whose address is taken; each costs the host 16 bytes.
const MAX_TABLE: usize = 100_000;
/// Tables, memories and core instances of one plugin instance. A component is made of several core modules.
const MAX_ITEMS: usize = 64;

/// The limits of one store, and how much of them is used.
#[derive(Debug)]
pub(crate) struct Limits {
    memory: usize,
    memory_used: usize,
    table_used: usize,
}

impl Limits {
    pub(crate) const fn new(memory: usize) -> Self {
        Self {
            memory,
            memory_used: 0,
            table_used: 0,
        }
    }
}

impl ResourceLimiter for Limits {
    /// More than the limit ends the call at once: a guest that is merely told so would try again, or go on with half of its work done.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self
            .memory_used
            .saturating_add(desired.saturating_sub(current));
        if wanted > self.memory {
            return Err(wasmtime::Error::new(Fault::memory(format!(
                "it wants {wanted} bytes of memory and may have {}; if it needs them, raise memory in the plugin's section",
                self.memory
            ))));
        }
        self.memory_used = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self
            .table_used
            .saturating_add(desired.saturating_sub(current));
        if wanted > MAX_TABLE {
            return Err(wasmtime::Error::new(Fault::memory(format!(
                "it wants {wanted} table entries, and a plugin may have {MAX_TABLE}"
            ))));
        }
        self.table_used = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        // The broker itself adds one.
        MAX_ITEMS + 1
    }

    fn tables(&self) -> usize {
        MAX_ITEMS
    }

    fn memories(&self) -> usize {
        MAX_ITEMS
    }
}
