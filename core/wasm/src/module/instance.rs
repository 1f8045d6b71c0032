//! One instance of a module: made for one thread, called by it alone, gone after a trap.

use std::time::Duration;

use hookmq_plugin_api::{Answer, Event, Field, Hook, VerdictKind};
use wasmtime::{Memory, Store, TypedFunc};

use super::writer::write_event;
use super::{Form, Handlers, listens};
use crate::draft::{own_failure, verdict_of};
use crate::error::{Failure, Fault};
use crate::failure;
use crate::lent::lending;
use crate::state::State;

/// The smallest inbox that is asked for: most events fit.
const SMALL_INBOX: usize = 4 << 10;

/// A module's instance and the way into it.
pub(crate) struct Instance {
    store: Store<State>,
    memory: Memory,
    call: TypedFunc<(u32, u32), i32>,
    inbox: TypedFunc<u32, u32>,
    create: Option<TypedFunc<(u32, u32), i32>>,
    plugin: u32,
    /// Where the guest wants events: offset and length, which lie within its memory.
    window: (usize, usize),
}

impl Instance {
    /// A new instance that is ready for calls.
    pub(crate) fn new(form: &Form) -> Result<Self, Failure> {
        let mut instance = Self::started(form)?;
        instance.create(form)?;
        Ok(instance)
    }

    /// A new instance whose start functions have run.
    pub(super) fn started(form: &Form) -> Result<Self, Failure> {
        let blueprint = &form.blueprint;
        let budget = blueprint.settings.load_budget;
        let mut store = Store::new(&blueprint.engine.compiler, State::new(blueprint));
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(blueprint.engine.deadline(budget));
        let made = form
            .ready
            .instantiate(&mut store)
            .and_then(|instance| Self::open(store, instance));
        made.map_err(|error| failure::of_call(&blueprint.file, "start", budget, &error))
    }

    fn open(
        mut store: Store<State>,
        instance: wasmtime::Instance,
    ) -> Result<Self, wasmtime::Error> {
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| wasmtime::Error::msg("it exports no memory"))?;
        store.data_mut().memory = Some(memory);
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
            initialize.call(&mut store, ())?;
        }
        let entry =
            instance.get_typed_func::<(), u32>(&mut store, hookmq_plugin_api::abi::ENTRY)?;
        let plugin = entry.call(&mut store, ())?;
        let create = instance.get_func(&mut store, "hookmq_create");
        Ok(Self {
            memory,
            call: instance.get_typed_func(&mut store, "hookmq_call")?,
            inbox: instance.get_typed_func(&mut store, "hookmq_inbox")?,
            create: create.map(|create| create.typed(&store)).transpose()?,
            plugin,
            window: (0, 0),
            store,
        })
    }

    /// What the module says that it listens to.
    pub(super) fn listens(&self) -> Result<Handlers, String> {
        listens::read(self.memory.data(&self.store), self.plugin)
    }

    /// Hands over the config.
    pub(super) fn create(&mut self, form: &Form) -> Result<(), Failure> {
        let Some(create) = self.create.clone() else {
            return Ok(());
        };
        let blueprint = &form.blueprint;
        let budget = blueprint.settings.load_budget;
        self.store
            .set_epoch_deadline(blueprint.engine.deadline(budget));
        let config = blueprint.settings.config.as_bytes();
        let outcome = self
            .enlarge(config.len())
            .and_then(|()| {
                let (start, _) = self.window;
                self.memory.write(&mut self.store, start, config)?;
                create.call(&mut self.store, (address(start), address(config.len())))
            })
            .map_err(|error| {
                let error = failure::explained(&mut self.store, error);
                failure::of_call(&blueprint.file, "create", budget, &error)
            })?;
        if outcome == hookmq_plugin_api::abi::outcome::PASS {
            self.store.data_mut().draft.clear();
            return Ok(());
        }
        let words = self.store.data_mut().draft.failure.take();
        let fault = own_failure(outcome, words);
        Err(failure::of_answer(&blueprint.file, "create", &fault))
    }

    /// Answers an event.
    pub(crate) fn call(
        &mut self,
        form: &Form,
        event: &dyn Event,
        budget: Duration,
    ) -> Result<Answer, Failure> {
        let hook = event.hook();
        let Some((index, fields)) = form.handlers.of(hook) else {
            return Ok(Answer::PASS);
        };
        let engine = &form.blueprint.engine;
        self.store.set_epoch_deadline(engine.deadline(budget));
        match self.answer(hook, index, fields, event) {
            Ok(outcome) => self.conclude(form, hook, outcome),
            Err(error) => {
                let error = failure::explained(&mut self.store, error);
                let file = &form.blueprint.file;
                Err(failure::of_call(file, hook.name(), budget, &error))
            }
        }
    }

    #[inline]
    fn answer(
        &mut self,
        hook: Hook,
        index: u8,
        fields: &[Field],
        event: &dyn Event,
    ) -> Result<i32, wasmtime::Error> {
        let needed = self.write(hook, fields, event);
        if needed > self.window.1 {
            self.enlarge(needed)?;
            if self.write(hook, fields, event) > self.window.1 {
                return Err(wasmtime::Error::new(Fault::answer(
                    "the event changed while it was written",
                )));
            }
        }
        let (start, _) = self.window;
        lending(event, || {
            self.call
                .call(&mut self.store, (index.into(), address(start)))
        })
    }

    /// Notes which event it is, and writes it into the inbox; returns how many bytes it needs.
    #[inline]
    fn write(&mut self, hook: Hook, fields: &[Field], event: &dyn Event) -> usize {
        let depth = event.depth();
        let (memory, state) = self.memory.data_and_store_mut(&mut self.store);
        state.hook = Some(hook);
        state.depth = depth;
        let (start, len) = self.window;
        let window = memory.get_mut(start..start + len).unwrap_or_default();
        write_event(window, address(start), (hook, depth), event, fields)
    }

    /// Asks the guest for a larger inbox.
    #[cold]
    fn enlarge(&mut self, needed: usize) -> Result<(), wasmtime::Error> {
        let fault = |words: String| Err(wasmtime::Error::new(Fault::answer(words)));
        if needed <= self.window.1 {
            return Ok(());
        }
        let len = needed.max(SMALL_INBOX).checked_next_power_of_two();
        let Some(asked) = len.and_then(|len| u32::try_from(len).ok()) else {
            return Err(wasmtime::Error::new(Fault::memory(format!(
                "an event of {needed} bytes is more than its memory can hold"
            ))));
        };
        let start = self.inbox.call(&mut self.store, asked)?;
        let memory = self.memory.data(&self.store);
        let end = (start as usize).saturating_add(asked as usize);
        if start == 0 {
            return Err(wasmtime::Error::new(Fault::memory(format!(
                "hookmq_inbox has no room for an event of {asked} bytes"
            ))));
        }
        if end > memory.len() {
            return fault(format!(
                "hookmq_inbox gave {asked} bytes at {start:#x}, which do not lie within its memory of {} bytes",
                memory.len()
            ));
        }
        if !start.is_multiple_of(8) {
            return fault(format!(
                "hookmq_inbox gave {start:#x}, which is not aligned to 8"
            ));
        }
        self.window = (start as usize, asked as usize);
        Ok(())
    }

    #[inline]
    fn conclude(&mut self, form: &Form, hook: Hook, outcome: i32) -> Result<Answer, Failure> {
        let draft = &mut self.store.data_mut().draft;
        let result = match verdict_of(outcome) {
            Some(VerdictKind::Pass) if draft.is_empty() => return Ok(Answer::PASS),
            Some(verdict) => draft.finish(hook.spec(), verdict),
            None => Err(own_failure(outcome, draft.failure.take())),
        };
        draft.clear();
        result.map_err(|fault| failure::of_answer(&form.blueprint.file, hook.name(), &fault))
    }
}

/// Offsets and lengths within a 32-bit memory.
#[expect(
    clippy::cast_possible_truncation,
    reason = "within a 32-bit memory, which was checked"
)]
const fn address(at: usize) -> u32 {
    at as u32
}
