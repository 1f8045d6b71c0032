//! The memory limit of a VM: in force while a script runs, lifted before the host makes values to hand in.
//!
//! The engine protects each step that may fail for want of memory, which costs more than making a short string. What the host makes
//! between calls is bounded by the packet that it comes from, so it is made without; a script that is over its limit by then fails at its
//! next allocation. To set the limit costs as much as a small handler, so between calls it stays as it is until the other is needed.

use std::cell::Cell;

use mlua::Lua;

/// The limit of one VM.
#[derive(Debug)]
pub(crate) struct Memory {
    /// What the script may have, as configured.
    pub(crate) limit: usize,
    /// The same, with what the VM itself takes.
    bytes: usize,
    force: Cell<Force>,
}

/// Whether a limit is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Force {
    /// The host may make what it wants.
    Lifted,
    /// Left over from the last time that a script ran.
    Left,
    /// A script runs.
    Running,
}

/// What ran is over, if only by a panic.
struct Left<'a> {
    force: &'a Cell<Force>,
    outer: Force,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.force.set(match self.outer {
            Force::Running => Force::Running,
            Force::Lifted | Force::Left => Force::Left,
        });
    }
}

impl Memory {
    /// A limit of so many bytes beyond what the VM uses now.
    pub(crate) fn beyond(lua: &Lua, limit: usize) -> Self {
        Self {
            limit,
            bytes: lua.used_memory().saturating_add(limit),
            force: Cell::new(Force::Lifted),
        }
    }

    /// Runs something with the limit in force, and leaves it there. Nests.
    ///
    /// What is left to be dropped afterwards must need nothing of the engine, as a value does; for a coroutine, [`Memory::lift`] first.
    pub(crate) fn within<R>(&self, lua: &Lua, run: impl FnOnce() -> R) -> R {
        let outer = self.force.replace(Force::Running);
        if outer == Force::Lifted {
            set(lua, self.bytes);
        }
        let _left = Left {
            force: &self.force,
            outer,
        };
        run()
    }

    /// For the host, before it makes values or ends a coroutine, which the engine does not protect: lifts the limit until a script runs.
    /// One that runs already keeps it.
    pub(crate) fn lift(&self, lua: &Lua) {
        if self.force.get() == Force::Left {
            self.force.set(Force::Lifted);
            set(lua, 0);
        }
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

fn set(lua: &Lua, limit: usize) {
    // Fails only for VMs whose allocator is not the engine's own.
    let _own = lua.set_memory_limit(limit);
}
