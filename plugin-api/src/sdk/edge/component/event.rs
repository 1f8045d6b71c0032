//! The event of the current call, as the [`Event`] that the typed views read.

use std::cell::RefCell;

use super::host::{self, fetch};
use crate::catalogue::Hook;
use crate::event::Event;
use crate::field::Field;
use crate::value::{Owned, Value};

/// The hook's parameter, and what was asked for beside it, kept until the call ends.
pub(super) struct Current<'a> {
    hook: Hook,
    given: Option<(Field, &'a str)>,
    #[expect(
        clippy::vec_box,
        reason = "what lies in them is lent while the list grows"
    )]
    fetched: RefCell<Vec<Box<Owned>>>,
}

impl<'a> Current<'a> {
    pub(super) const fn new(hook: Hook, given: Option<(Field, &'a str)>) -> Self {
        Self {
            hook,
            given,
            fetched: RefCell::new(Vec::new()),
        }
    }
}

impl Event for Current<'_> {
    fn hook(&self) -> Hook {
        self.hook
    }

    fn get(&self, field: Field) -> Value<'_> {
        if let Some((given, text)) = self.given
            && given == field
        {
            return Value::Text(text);
        }
        let fetched = Box::new(fetch(field));
        let place: *const Owned = &raw const *fetched;
        self.fetched.borrow_mut().push(fetched);
        // SAFETY: it lies in a box that is kept until `self` goes, and that nobody changes.
        unsafe { &*place }.as_value()
    }

    fn depth(&self) -> u8 {
        host::depth()
    }
}
