//! Handlers that say they take long: one thread per plugin, started with the first such call, so that only the clients whose packets they
//! are wait. They compute, as a guest has nothing to wait for, and more threads would take the processor from everybody else's packets.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::task::{Context, Poll, Waker};
use std::thread;

use hookmq_plugin_api::{Answer, Cause, PluginError};
use parking_lot::Mutex;

/// What a call gave.
pub(crate) type Outcome = Result<Answer, PluginError>;
type Job = Box<dyn FnOnce() + Send>;

/// The way into the lane's thread.
pub(crate) struct Lane {
    name: String,
    max_waiting: usize,
    jobs: Mutex<Option<SyncSender<Job>>>,
}

impl Lane {
    pub(crate) fn new(name: &str, max_waiting: usize) -> Self {
        Self {
            name: format!("wasm-{name}"),
            max_waiting,
            jobs: Mutex::new(None),
        }
    }

    /// Has the call made by the lane's thread.
    ///
    /// # Errors
    /// Too many wait already, or the system gives no thread.
    pub(crate) fn call(
        &self,
        call: impl FnOnce() -> Outcome + Send + 'static,
    ) -> Result<Reply, PluginError> {
        let (asker, reply) = reply();
        let job: Job = Box::new(move || {
            // Nobody is told of a call whose client is gone.
            if Arc::strong_count(&asker.0) > 1 {
                let outcome = call();
                asker.answer(outcome);
            }
        });
        let mut jobs = self.jobs.lock();
        let sender = match jobs.as_ref() {
            Some(sender) => sender.clone(),
            None => jobs.insert(self.start()?).clone(),
        };
        drop(jobs);
        match sender.try_send(job) {
            Ok(()) => Ok(reply),
            Err(TrySendError::Full(_)) => Err(unavailable(format!(
                "{} handlers wait already",
                self.max_waiting
            ))),
            Err(TrySendError::Disconnected(_)) => Err(unavailable("its thread has ended".into())),
        }
    }

    fn start(&self) -> Result<SyncSender<Job>, PluginError> {
        let (sender, receiver) = sync_channel(self.max_waiting);
        thread::Builder::new()
            .name(self.name.clone())
            .spawn(move || serve(&receiver))
            .map_err(|error| unavailable(error.to_string()))?;
        Ok(sender)
    }
}

/// Until the plugin is gone. A call does not panic: what panics in it is caught where it is made.
fn serve(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        job();
    }
}

fn unavailable(words: String) -> PluginError {
    PluginError::new(Cause::Unavailable, words)
}

#[derive(Default)]
struct Slot {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
    is_over: bool,
}

/// The answering end. Dropped without an answer, it says that there will be none.
struct Asker(Arc<Mutex<Slot>>);

/// The outcome of a call in the lane, once it is there.
pub(crate) struct Reply(Arc<Mutex<Slot>>);

fn reply() -> (Asker, Reply) {
    let slot = Arc::new(Mutex::new(Slot::default()));
    (Asker(Arc::clone(&slot)), Reply(slot))
}

impl Asker {
    fn answer(&self, outcome: Outcome) {
        self.0.lock().outcome = Some(outcome);
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        let mut slot = self.0.lock();
        slot.is_over = true;
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Future for Reply {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Outcome> {
        let mut slot = self.0.lock();
        if !slot.is_over {
            slot.waker = Some(task.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(slot.outcome.take().unwrap_or_else(|| {
            Err(unavailable(
                "the handler's thread ended before it answered".into(),
            ))
        }))
    }
}
