//! One call of a handler: the event lent to it, and the answer that it makes meanwhile.
//!
//! The way of an answer that says nothing takes no lock and no memory: the declared fields lie in an array on the stack.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hookmq_plugin_api::abi::{self, AnswerCalls, Bytes, EventCalls, Refusal, outcome};
use hookmq_plugin_api::{Answer, Cause, Event, Field, Value};

use crate::draft::Draft;
use crate::instance::Instance;
use crate::lend::{self, Shelf};
use crate::manifest::{Handler, MAX_FIELDS};
use crate::take;
use crate::wire::{NIL, check_pointer, size};

thread_local! {
    /// How many plugins' publishes led to the call that this thread is in.
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

/// How deep the call is that this thread is in; 0 outside of any.
pub(crate) fn depth() -> u8 {
    DEPTH.get()
}

/// What the two `context` pointers of a call point to.
struct Call<'a> {
    event: &'a dyn Event,
    handler: &'a Handler,
    instance: &'a Instance,
    /// There is none as long as the handler has not said anything.
    draft: RefCell<Option<Box<Draft>>>,
    shelf: RefCell<Shelf>,
}

static EVENT_CALLS: EventCalls = EventCalls {
    size: size::<EventCalls>(),
    reserved: 0,
    get: Some(get),
    payload_is_json: Some(payload_is_json),
};

static ANSWER_CALLS: AnswerCalls = AnswerCalls {
    size: size::<AnswerCalls>(),
    reserved: 0,
    refuse: Some(refuse),
    change: Some(change),
    keep: Some(keep),
    fail: Some(fail),
};

/// What a handler said: an answer, or the cause of its failure and words that do not yet say whose they are.
pub(crate) type Said = Result<Answer, (Cause, String)>;

/// Calls a handler. `None` is a pass of which it said nothing more.
///
/// # Safety
/// `instance` is what the handler's library made.
#[inline]
pub(crate) unsafe fn call(
    handler: &Handler,
    instance: &Instance,
    event: &dyn Event,
) -> Option<Said> {
    let mut call = Call {
        event,
        handler,
        instance,
        draft: RefCell::default(),
        shelf: RefCell::default(),
    };
    let mut fields = [const { MaybeUninit::<abi::Value>::uninit() }; MAX_FIELDS];
    for (slot, field) in fields.iter_mut().zip(&handler.fields) {
        lend::put(slot, event.get(*field), call.shelf.get_mut());
    }
    let depth = event.depth();
    let context = (&raw const call).cast::<c_void>();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most MAX_FIELDS, see the manifest"
    )]
    let lent = abi::Event {
        size: size::<abi::Event>(),
        hook: handler.spec.hook as u32,
        depth: depth.into(),
        count: handler.fields.len() as u32,
        fields: fields.as_ptr().cast(),
        context,
        calls: &raw const EVENT_CALLS,
    };
    let mut answer = abi::Answer {
        size: size::<abi::Answer>(),
        reserved: 0,
        context: context.cast_mut(),
        calls: &raw const ANSWER_CALLS,
    };
    let outer = DEPTH.replace(depth);
    // SAFETY: the library declared this function as a handler; the event and the answer live until it returns, as the contract says,
    // and the caller vouches for the instance.
    let returned = unsafe { (handler.call)(instance.handle(), &raw const lent, &raw mut answer) };
    DEPTH.set(outer);
    // Asked for, as a call that needs nothing of either pays for no more than the question.
    let is_used = call.shelf.get_mut().is_used() || call.draft.get_mut().is_some();
    if !is_used && returned == outcome::PASS {
        std::mem::forget(call);
        return None;
    }
    let draft = call.draft.take();
    Some(finish(draft, handler, returned))
}

#[cold]
fn finish(draft: Option<Box<Draft>>, handler: &Handler, returned: i32) -> Said {
    draft.unwrap_or_default().finish(handler.spec, returned)
}

impl Call<'_> {
    /// A field that was not declared. Unless the handler is called with the very event, it is not there.
    fn field(&self, number: u32) -> Value<'_> {
        let Some(field) = take::field(number) else {
            return Value::Nil;
        };
        let value = self.event.get(field);
        if self.handler.is_apart
            && matches!(value, Value::Nil)
            && !self.handler.fields.contains(&field)
            && self.handler.spec.fields.contains(&field)
        {
            self.missed(field);
        }
        value
    }

    /// Says once that a handler asks for what it cannot have.
    #[cold]
    fn missed(&self, field: Field) {
        let mut missed = self.handler.missed.lock();
        if !missed.has(field) {
            *missed = missed.with(field);
            drop(missed);
            self.instance.warn(&format!(
                "{} asks for {}, which it does not declare; notices and handlers that may block have the declared fields alone",
                self.handler.spec.name,
                field.name()
            ));
        }
    }

    fn draft(&self, step: impl FnOnce(&mut Draft)) {
        step(self.draft.borrow_mut().get_or_insert_default());
    }

    #[cold]
    fn spoil(&self, why: String) {
        self.draft(|draft| draft.spoil(why));
    }

    /// Runs a step that must not unwind into the library.
    fn guarded<R>(&self, otherwise: R, step: impl FnOnce() -> R) -> R {
        catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| {
            self.spoil("the broker panicked while it was asked".to_owned());
            otherwise
        })
    }
}

/// The call that an event belongs to.
///
/// # Safety
/// `event` is null or was lent by [`call`], which has not returned yet.
unsafe fn of_event<'a>(event: *const abi::Event) -> Option<&'a Call<'a>> {
    check_pointer(event, "").ok()?;
    // SAFETY: lent by `call`, so its context is a `Call` that lives until the handler returns.
    unsafe { (*event).context.cast::<Call<'a>>().as_ref() }
}

/// The call that an answer belongs to.
///
/// # Safety
/// `answer` is null or was lent by [`call`], which has not returned yet.
unsafe fn of_answer<'a>(answer: *mut abi::Answer) -> Option<&'a Call<'a>> {
    check_pointer(answer, "").ok()?;
    // SAFETY: lent by `call`, so its context is a `Call` that lives until the handler returns.
    unsafe { (*answer).context.cast::<Call<'a>>().as_ref() }
}

unsafe extern "C" fn get(event: *const abi::Event, field: u32, value: *mut abi::Value) {
    // SAFETY: the library passes on the event that it was lent.
    let Some(call) = (unsafe { of_event(event) }) else {
        return;
    };
    if let Err(why) = check_pointer(value, "the place for a field") {
        return call.spoil(why);
    }
    let found = call.guarded(NIL, || {
        lend::value(call.field(field), &mut call.shelf.borrow_mut())
    });
    // SAFETY: not null and aligned, and the library owns it.
    unsafe { value.write(found) };
}

unsafe extern "C" fn payload_is_json(event: *const abi::Event) -> i32 {
    // SAFETY: the library passes on the event that it was lent.
    let Some(call) = (unsafe { of_event(event) }) else {
        return 0;
    };
    call.guarded(0, || {
        let payload = call.field(Field::Payload as u32);
        let payload = payload.as_bytes().unwrap_or_default();
        serde_json::from_slice::<serde::de::IgnoredAny>(payload)
            .is_ok()
            .into()
    })
}

unsafe extern "C" fn refuse(answer: *mut abi::Answer, refusal: *const Refusal) {
    // SAFETY: the library passes on the answer that it was lent.
    if let Some(call) = unsafe { of_answer(answer) } {
        // SAFETY: the library says what its refusal points to.
        call.draft(|draft| unsafe { draft.refuse(refusal) });
    }
}

unsafe extern "C" fn change(answer: *mut abi::Answer, field: u32, value: *const abi::Value) {
    // SAFETY: the library passes on the answer that it was lent.
    if let Some(call) = unsafe { of_answer(answer) } {
        // SAFETY: the library says what its value points to.
        call.draft(|draft| unsafe { draft.change(call.handler.spec, field, value) });
    }
}

unsafe extern "C" fn keep(answer: *mut abi::Answer, ttl_ms: u64, tags: *const Bytes, count: usize) {
    // SAFETY: the library passes on the answer that it was lent.
    if let Some(call) = unsafe { of_answer(answer) } {
        // SAFETY: the library says where its tags are.
        call.draft(|draft| unsafe { draft.keep(ttl_ms, tags, count) });
    }
}

unsafe extern "C" fn fail(answer: *mut abi::Answer, message: Bytes) {
    // SAFETY: the library passes on the answer that it was lent.
    if let Some(call) = unsafe { of_answer(answer) } {
        // SAFETY: the library says where its message is.
        call.draft(|draft| unsafe { draft.fail(message) });
    }
}
