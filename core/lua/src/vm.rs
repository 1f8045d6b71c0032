//! One virtual machine: a sandbox with the script's body run in it, and its handlers ready to be called.

use std::cell::{Cell, RefCell};
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hookmq_plugin_api::{Answer, Cause, Event, EventRecord, Hook, PluginError};
use mlua::{Lua, Value};

use crate::body::{read_table, run_body};
use crate::buffer::Buffers;
use crate::context::{Calling, Context, Mode};
use crate::error::{LoadError, first_lines, placed};
use crate::guard::Guard;
use crate::handler::{Call, Handler};
use crate::message::{Held, Slot};
use crate::metadata::Declared;
use crate::sandbox::{Blueprint, sandbox};
use crate::texts::Texts;
use crate::verdict;

/// Calls of one VM inside each other, which happens when a host function leads to another hook at once.
const MAX_NESTING: u8 = 8;

/// A VM with its handlers.
pub(crate) struct Vm {
    // Handles into the VM go before the VM itself.
    handlers: Vec<Option<Rc<Handler>>>,
    pub(crate) config: Rc<Value>,
    pub(crate) buffers: Buffers,
    pub(crate) texts: Texts,
    pub(crate) context: Rc<Context>,
    pub(crate) guard: Rc<Guard>,
    nesting: Cell<u8>,
    pub(crate) lua: Lua,
}

/// Why a call of a VM gave no answer, and whether the VM must go.
pub(crate) struct Failure {
    pub(crate) error: PluginError,
    pub(crate) is_broken: bool,
}

impl From<PluginError> for Box<Failure> {
    fn from(error: PluginError) -> Self {
        Self::new(Failure {
            error,
            is_broken: false,
        })
    }
}

impl Vm {
    /// Makes a VM and runs the body.
    pub(crate) fn new(
        blueprint: &Arc<Blueprint>,
        mode: Mode,
    ) -> Result<(Self, Declared), LoadError> {
        let main = blueprint.sources.main();
        let broken = |error: mlua::Error| LoadError::new(main, 0, first_lines(&error.to_string()));
        let (lua, context, guard) = sandbox(blueprint, mode).map_err(broken)?;
        let armed = guard.arm(blueprint.settings.body_budget);
        let table = context
            .memory
            .within(&lua, || run_body(&lua, blueprint, &guard, &armed))?;
        context.memory.lift(&lua);
        let built = read_table(&lua, blueprint, &table);
        guard.disarm(&armed);
        let (handlers, declared) = built?;
        let vm = Self {
            handlers,
            config: Rc::new(declared.config.clone().map_or(Value::Nil, Value::Table)),
            buffers: Buffers::default(),
            texts: Texts::default(),
            context,
            guard,
            nesting: Cell::new(0),
            lua,
        };
        // What handlers share is in locals and in broker.kv; a stray global would be one VM's own.
        vm.lua.globals().set_readonly(true);
        Ok((vm, declared))
    }

    pub(crate) fn handlers(&self) -> impl Iterator<Item = &Handler> {
        self.handlers.iter().flatten().map(AsRef::as_ref)
    }

    pub(crate) fn handler(&self, hook: Hook) -> Option<&Rc<Handler>> {
        self.handlers.get(hook as usize)?.as_ref()
    }

    /// Lifts the memory limit before the host makes values, see [`crate::memory::Memory::lift`].
    pub(crate) fn lift(&self) {
        self.context.memory.lift(&self.lua);
    }

    /// Answers an event on this thread; `None` where it passes.
    pub(crate) fn call(
        &self,
        event: &dyn Event,
        budget: Duration,
    ) -> Result<Option<Answer>, Box<Failure>> {
        let Some(handler) = self.handler(event.hook()) else {
            return Ok(None);
        };
        let nesting = self.nesting.get();
        if nesting >= MAX_NESTING {
            let words = format!("{}: called inside itself too deep", handler.place);
            return Err(PluginError::new(Cause::Unavailable, words).into());
        }
        self.nesting.set(nesting + 1);
        let outer = self.context.calling.replace(Calling {
            hook: Some(handler.hook),
            depth: event.depth(),
        });
        let slot: Option<Slot> = handler.needs_slot.then(|| {
            let copy = EventRecord::copy_of(event, handler.shown);
            Rc::new(RefCell::new(Some(Held::Copy(Rc::new(copy)))))
        });
        let armed = self.guard.arm(budget);
        let result = handler.call(&Call {
            vm: self,
            event,
            slot: slot.as_ref(),
            reuse: nesting == 0,
        });
        let is_over = self.guard.disarm(&armed);
        if let Some(slot) = slot {
            slot.borrow_mut().take();
        }
        self.context.calling.set(outer);
        self.nesting.set(nesting);
        if !is_over && matches!(result, Ok(Value::Nil)) {
            // Holds nothing, and the engine's values take a call to find that out.
            mem::forget(result);
            return Ok(None);
        }
        self.conclude(handler, &result, is_over, budget).map(Some)
    }

    /// What a handler's end means.
    pub(crate) fn conclude(
        &self,
        handler: &Handler,
        result: &mlua::Result<Value>,
        is_over: bool,
        budget: Duration,
    ) -> Result<Answer, Box<Failure>> {
        // A script at its limit may still say something, and what it leaves behind is dropped.
        self.lift();
        if is_over {
            return Err(self.over_budget(handler, budget));
        }
        match result {
            Ok(Value::Nil) => Ok(Answer::PASS),
            Ok(returned) => {
                let spec = handler.hook.spec();
                Ok(verdict::answer(spec, returned, &handler.place)?)
            }
            Err(error) => Err(self.failure(handler, error)),
        }
    }

    #[cold]
    fn over_budget(&self, handler: &Handler, budget: Duration) -> Box<Failure> {
        let place = self.guard.take_place();
        let place = place.as_deref().unwrap_or(&handler.place);
        let words = format!(
            "{place}: {} ran longer than its {budget:?} and was stopped",
            handler.hook.name()
        );
        Box::new(Failure {
            error: PluginError::new(Cause::Timeout, words),
            is_broken: true,
        })
    }

    #[cold]
    fn failure(&self, handler: &Handler, error: &mlua::Error) -> Box<Failure> {
        let words = first_lines(&error.to_string());
        if is_out_of_memory(error) || self.context.memory.is_over(&self.lua) {
            let words = format!(
                "{}: {} needed more than its {} of memory",
                handler.place,
                handler.hook.name(),
                self.context.memory.in_words()
            );
            return Box::new(Failure {
                error: PluginError::new(Cause::Memory, words),
                is_broken: true,
            });
        }
        let refused = self.context.grant_refused.borrow_mut().take();
        let cause = match refused {
            Some(refused) if words.contains(&refused) => Cause::Grant,
            _ => Cause::Raised,
        };
        let mut words = if placed(&words).is_some() {
            words
        } else {
            format!("{}: {words}", handler.place)
        };
        if words.contains("attempt to modify a readonly table") {
            words.push_str(
                " (globals and the config are read-only after load; keep state in a local above the functions, or in broker.kv)",
            );
        }
        PluginError::new(cause, words).into()
    }
}

fn is_out_of_memory(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::MemoryError(_) => true,
        mlua::Error::CallbackError { cause, .. } => is_out_of_memory(cause),
        mlua::Error::RuntimeError(words) => words.contains("not enough memory"),
        _ => false,
    }
}
