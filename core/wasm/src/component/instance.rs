//! One instance of a component: made for one thread, called by it alone, gone after a trap, since it cannot be entered again.

use std::time::Duration;

use hookmq_plugin_api::{Answer, Cause, Event, Field, Hook, Kind};
use wasmtime::Store;
use wasmtime::component::TypedFunc;

use super::Form;
use super::answers::AnswerIn;
use super::exports::HookExport;
use crate::error::{Failure, Fault};
use crate::failure;
use crate::lent::lending;
use crate::state::State;

/// A component's instance and the ways into it.
pub(crate) struct Instance {
    store: Store<State>,
    /// Per hook.
    handlers: Box<[Option<Handler>; Hook::COUNT]>,
}

/// The function of a hook: with or without a text, with or without an answer.
enum Handler {
    Text(Field, TypedFunc<(&'static str,), (AnswerIn,)>),
    Plain(TypedFunc<(), (AnswerIn,)>),
    TextNotice(Field, TypedFunc<(&'static str,), ()>),
    PlainNotice(TypedFunc<(), ()>),
}

impl Instance {
    /// A new instance that is ready for calls.
    pub(crate) fn new(form: &Form) -> Result<Self, Failure> {
        let blueprint = &form.blueprint;
        let budget = blueprint.settings.load_budget;
        let mut store = Store::new(&blueprint.engine.compiler, State::new(blueprint));
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(blueprint.settings.memory_limit);
        store.set_epoch_deadline(blueprint.engine.deadline(budget));
        let failed = |doing: &str, error| failure::of_call(&blueprint.file, doing, budget, &error);
        let instance = form
            .ready
            .instantiate(&mut store)
            .map_err(|error| failed("start", error))?;
        let mut handlers = Box::new([const { None }; Hook::COUNT]);
        for export in &form.exports.hooks {
            let handler = Handler::find(&instance, &mut store, export).map_err(|error| {
                let fault = Fault::answer(format!(
                    "its type is not the contract's, build it with the WIT of this version: {error:#}"
                ));
                failure::of_answer(&blueprint.file, export.hook.name(), &fault)
            })?;
            if let Some(slot) = handlers.get_mut(export.hook as usize) {
                *slot = Some(handler);
            }
        }
        if let Some(create) = &form.exports.create {
            let config = blueprint.settings.config.as_str();
            let made = instance
                .get_typed_func::<(&str,), (Result<(), String>,)>(&mut store, create)
                .and_then(|create| create.call(&mut store, (config,)))
                .map_err(|error| failed("create", failure::explained(&mut store, error)))?;
            if let (Err(why),) = made {
                let fault = Fault {
                    cause: Cause::Raised,
                    message: crate::error::shortened(why.as_bytes()),
                };
                return Err(failure::of_answer(&blueprint.file, "create", &fault));
            }
        }
        Ok(Self { store, handlers })
    }

    /// Answers an event.
    pub(crate) fn call(
        &mut self,
        form: &Form,
        event: &dyn Event,
        budget: Duration,
    ) -> Result<Answer, Failure> {
        let hook = event.hook();
        let Some(Some(handler)) = self.handlers.get(hook as usize) else {
            return Ok(Answer::PASS);
        };
        let blueprint = &form.blueprint;
        let store = &mut self.store;
        store.set_epoch_deadline(blueprint.engine.deadline(budget));
        store.data_mut().depth = event.depth();
        let judged = lending(event, || handler.call(store, hook, event));
        let said = store.data().draft.failure.is_some();
        match judged {
            Ok(Ok(answer)) if !said => Ok(answer),
            Ok(judged) => {
                let fault = match (store.data_mut().draft.failure.take(), judged) {
                    (Some(message), _) => Fault {
                        cause: Cause::Raised,
                        message,
                    },
                    (None, Err(fault)) => fault,
                    (None, Ok(answer)) => return Ok(answer),
                };
                Err(failure::of_answer(&blueprint.file, hook.name(), &fault))
            }
            Err(error) => {
                let error = failure::explained(store, error);
                Err(failure::of_call(
                    &blueprint.file,
                    hook.name(),
                    budget,
                    &error,
                ))
            }
        }
    }
}

impl Handler {
    fn find(
        instance: &wasmtime::component::Instance,
        store: &mut Store<State>,
        export: &HookExport,
    ) -> wasmtime::Result<Self> {
        let function = &export.function;
        let is_notice = export.hook.spec().kind == Kind::Notice;
        Ok(match (export.parameter, is_notice) {
            (Some(field), false) => Self::Text(field, instance.get_typed_func(store, function)?),
            (None, false) => Self::Plain(instance.get_typed_func(store, function)?),
            (Some(field), true) => {
                Self::TextNotice(field, instance.get_typed_func(store, function)?)
            }
            (None, true) => Self::PlainNotice(instance.get_typed_func(store, function)?),
        })
    }

    /// The judged answer; a failed call is the outer error.
    #[inline]
    fn call(
        &self,
        store: &mut Store<State>,
        hook: Hook,
        event: &dyn Event,
    ) -> wasmtime::Result<Result<Answer, Fault>> {
        let text = |field: Field| event.get(field).as_text().unwrap_or_default();
        let judged = |(answer,): (AnswerIn,)| answer.judged(hook);
        match self {
            Self::Text(field, function) => {
                // A function that takes a text for ever takes one for now.
                let function: TypedFunc<(&str,), (AnswerIn,)> = *function;
                function.call(store, (text(*field),)).map(judged)
            }
            Self::Plain(function) => function.call(store, ()).map(judged),
            Self::TextNotice(field, function) => {
                let function: TypedFunc<(&str,), ()> = *function;
                function.call(store, (text(*field),))?;
                Ok(Ok(Answer::PASS))
            }
            Self::PlainNotice(function) => {
                function.call(store, ())?;
                Ok(Ok(Answer::PASS))
            }
        }
    }
}
