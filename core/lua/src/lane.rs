//! Handlers that wait: one thread and one VM per script, where each call is a coroutine, so that a thousand of them can wait at once.
//!
//! A slice between two waits is bounded by the call's budget, the whole call by `awaiting_timeout`. After a runaway the VM takes no new
//! calls and is gone when those that wait in it have ended.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::thread;
use std::time::Duration;

use hookmq_plugin_api::{Answer, CallFuture, Cause, Event, PluginError};
use mlua::Value;
use parking_lot::Mutex;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};

use crate::context::{Calling, Mode};
use crate::handler::{Call, Handler};
use crate::message::{Held, Slot};
use crate::sandbox::Blueprint;
use crate::vm::{Failure, Vm};

type SharedEvent = Arc<dyn Event + Send + Sync>;
type Reply = oneshot::Sender<Result<Answer, PluginError>>;

/// The way into the lane's thread, which starts with the first call.
pub(crate) struct Lane {
    blueprint: Arc<Blueprint>,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    waiting: Arc<AtomicUsize>,
}

struct Job {
    event: SharedEvent,
    budget: Duration,
    reply: Reply,
    _place: Place,
}

/// A place in the lane, given back when the call has ended.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lane {
    pub(crate) fn new(blueprint: Arc<Blueprint>) -> Self {
        Self {
            blueprint,
            jobs: Mutex::new(None),
            waiting: Arc::default(),
        }
    }

    pub(crate) fn call(&self, event: SharedEvent, budget: Duration) -> CallFuture {
        match self.submit(event, budget) {
            Ok(reply) => Box::pin(async move {
                reply.await.unwrap_or_else(|_| {
                    Err(unavailable("the handler's lane ended before it answered"))
                })
            }),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn submit(
        &self,
        event: SharedEvent,
        budget: Duration,
    ) -> Result<oneshot::Receiver<Result<Answer, PluginError>>, PluginError> {
        let most = self.blueprint.settings.max_awaiting;
        let place = Place(Arc::clone(&self.waiting));
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(unavailable(&format!("{most} handlers wait already")));
        }
        let (reply, answer) = oneshot::channel();
        let job = Job {
            event,
            budget,
            reply,
            _place: place,
        };
        let mut jobs = self.jobs.lock();
        let sender = match jobs.as_ref().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender.clone(),
            None => jobs.insert(self.start()?).clone(),
        };
        drop(jobs);
        sender
            .try_send(job)
            .map_err(|_| unavailable("the handler's lane is full"))?;
        Ok(answer)
    }

    fn start(&self) -> Result<mpsc::Sender<Job>, PluginError> {
        let (sender, receiver) = mpsc::channel(self.blueprint.settings.max_awaiting.max(1));
        let blueprint = Arc::clone(&self.blueprint);
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| unavailable(&error.to_string()))?;
        thread::Builder::new()
            .name(format!("lua-{}", blueprint.settings.name))
            .spawn(move || LocalSet::new().block_on(&runtime, serve(blueprint, receiver)))
            .map_err(|error| unavailable(&error.to_string()))?;
        Ok(sender)
    }
}

fn unavailable(words: &str) -> PluginError {
    PluginError::new(Cause::Unavailable, words)
}

/// Until the plugin is gone and its last call has ended.
async fn serve(blueprint: Arc<Blueprint>, mut jobs: mpsc::Receiver<Job>) {
    let current: Rc<RefCell<Option<Rc<Vm>>>> = Rc::default();
    let mut tasks = JoinSet::new();
    while let Some(job) = jobs.recv().await {
        // Ended tasks leave the set here, so that it does not grow.
        while tasks.try_join_next().is_some() {}
        let ready = current.borrow().clone();
        let vm = match ready {
            Some(vm) => vm,
            None => match Vm::new(&blueprint, Mode::Lane) {
                Ok((vm, _)) => Rc::clone(current.borrow_mut().insert(Rc::new(vm))),
                Err(error) => {
                    answer(job.reply, Err(unavailable(&error.to_string())));
                    continue;
                }
            },
        };
        let timeout = blueprint.settings.awaiting_timeout;
        tasks.spawn_local(run(job, vm, Rc::clone(&current), timeout));
    }
    while tasks.join_next().await.is_some() {}
}

fn answer(reply: Reply, result: Result<Answer, PluginError>) {
    // The client may be gone by now; then nobody wants the answer.
    let _unwanted = reply.send(result);
}

async fn run(job: Job, vm: Rc<Vm>, current: Rc<RefCell<Option<Rc<Vm>>>>, timeout: Duration) {
    let Job {
        event,
        budget,
        mut reply,
        _place,
    } = job;
    let result = tokio::select! {
        result = handle(&vm, event, budget, timeout) => result,
        () = reply.closed() => return,
    };
    let result = result.map_err(|failure| {
        if failure.is_broken {
            let mut current = current.borrow_mut();
            if current
                .as_ref()
                .is_some_and(|newest| Rc::ptr_eq(newest, &vm))
            {
                current.take();
            }
        }
        failure.error
    });
    answer(reply, result);
}

async fn handle(
    vm: &Rc<Vm>,
    event: SharedEvent,
    budget: Duration,
    timeout: Duration,
) -> Result<Answer, Box<Failure>> {
    let Some(handler) = vm.handler(event.hook()).cloned() else {
        return Ok(Answer::PASS);
    };
    let slot: Option<Slot> = handler
        .needs_slot
        .then(|| Rc::new(RefCell::new(Some(Held::Whole(Arc::clone(&event))))));
    let _cleared = Cleared(slot.clone());
    let future = {
        let args = handler.args(&Call {
            vm,
            event: event.as_ref(),
            slot: slot.as_ref(),
            reuse: false,
        });
        let args = match args {
            Ok(args) => args,
            Err(error) => return vm.conclude(&handler, &Err(error), false, budget),
        };
        Box::pin(handler.function.call_async::<Value>(args))
    };
    let slices = Slices {
        vm,
        calling: Calling {
            hook: Some(handler.hook),
            depth: event.depth(),
        },
        budget,
        future,
    };
    match tokio::time::timeout(timeout, slices).await {
        Ok(Slice::Done(result)) => vm.conclude(&handler, &result, false, budget),
        Ok(Slice::Over) => vm.conclude(&handler, &Ok(Value::Nil), true, budget),
        Ok(Slice::Panicked) => Err(Box::new(Failure {
            error: PluginError::new(
                Cause::Panic,
                format!("{}: a host function panicked", handler.place),
            ),
            is_broken: true,
        })),
        Err(_) => Err(waited_too_long(&handler, timeout)),
    }
}

fn waited_too_long(handler: &Handler, timeout: Duration) -> Box<Failure> {
    let words = format!(
        "{}: {} took longer than {timeout:?}, waiting included, and was stopped",
        handler.place,
        handler.hook.name()
    );
    PluginError::new(Cause::Timeout, words).into()
}

/// Empties the event's slot however the call ends.
struct Cleared(Option<Slot>);

impl Drop for Cleared {
    fn drop(&mut self) {
        if let Some(slot) = &self.0 {
            slot.borrow_mut().take();
        }
    }
}

/// A handler's coroutine, each run of it between two waits under its time limit.
struct Slices<'a, F> {
    vm: &'a Vm,
    calling: Calling,
    budget: Duration,
    future: Pin<Box<F>>,
}

enum Slice {
    Done(mlua::Result<Value>),
    Over,
    Panicked,
}

impl<F: Future<Output = mlua::Result<Value>>> Future for Slices<'_, F> {
    type Output = Slice;

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Slice> {
        let vm = self.vm;
        let outer = vm.context.calling.replace(self.calling);
        let armed = vm.guard.arm(self.budget);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let memory = &vm.context.memory;
            memory.within(&vm.lua, || self.future.as_mut().poll(task))
        }));
        // The coroutine may be dropped at any time from now on, and its end may need memory where nothing can be told that there is none.
        vm.lift();
        let is_over = vm.guard.disarm(&armed);
        vm.context.calling.set(outer);
        match polled {
            Err(_) => Poll::Ready(Slice::Panicked),
            Ok(_) if is_over => Poll::Ready(Slice::Over),
            Ok(Poll::Ready(result)) => Poll::Ready(Slice::Done(result)),
            Ok(Poll::Pending) => Poll::Pending,
        }
    }
}
