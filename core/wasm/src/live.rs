//! The two forms of a plugin behind one name: ready to be instantiated, and as an instance.

use std::time::Duration;

use hookmq_plugin_api::{Answer, Event, Listen};

use crate::error::Failure;
use crate::module;

/// A checked plugin.
pub(crate) enum Form {
    Module(module::Form),
}

/// An instance of it, on one thread.
pub(crate) enum Live {
    Module(module::Instance),
}

impl Form {
    pub(crate) fn listens(&self) -> &[Listen] {
        match self {
            Self::Module(form) => form.listens(),
        }
    }

    pub(crate) fn instantiate(&self) -> Result<Live, Failure> {
        match self {
            Self::Module(form) => module::Instance::new(form).map(Live::Module),
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
        }
    }
}
