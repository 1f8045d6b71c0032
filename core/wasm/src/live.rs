//! The two forms of a plugin behind one name: ready to be instantiated, and as an instance.

use std::time::Duration;

use hookmq_plugin_api::{Answer, Event, Listen};

use crate::error::Failure;
use crate::{component, module};

/// A checked plugin.
pub(crate) enum Form {
    Module(module::Form),
    Component(component::Form),
}

/// An instance of it, on one thread.
pub(crate) enum Live {
    Module(Box<module::Instance>),
    Component(Box<component::Instance>),
}

impl Form {
    pub(crate) fn listens(&self) -> &[Listen] {
        match self {
            Self::Module(form) => form.listens(),
            Self::Component(form) => form.listens(),
        }
    }

    pub(crate) fn instantiate(&self) -> Result<Live, Failure> {
        match self {
            Self::Module(form) => module::Instance::new(form).map(Box::new).map(Live::Module),
            Self::Component(form) => component::Instance::new(form)
                .map(Box::new)
                .map(Live::Component),
        }
    }
}

impl Live {
    #[inline]
    pub(crate) fn call(
        &mut self,
        form: &Form,
        event: &dyn Event,
        budget: Duration,
    ) -> Result<Answer, Failure> {
        match (self, form) {
            (Self::Module(instance), Form::Module(form)) => instance.call(form, event, budget),
            (Self::Component(instance), Form::Component(form)) => {
                instance.call(form, event, budget)
            }
            // An instance is found by its plugin's number, and a plugin has one form.
            _ => Ok(Answer::PASS),
        }
    }
}
