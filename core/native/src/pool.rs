//! Threads for handlers that may block: started when needed, ended when idle, never more than a limit.
//!
//! They are not the async runtime's, as a handler that never returns would keep that from ending.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long a thread waits for work before it ends.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// Some threads of one plugin.
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    max_threads: usize,
    max_jobs: usize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Jobs that wait or run.
    jobs: usize,
    threads: usize,
    /// Threads that wait for a job.
    idle: usize,
    is_closed: bool,
}

impl Pool {
    pub(crate) fn new(name: &str, max_threads: usize, max_jobs: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                name: format!("native-{name}"),
                max_threads: max_threads.max(1),
                max_jobs,
                state: Mutex::default(),
                wake: Condvar::new(),
            }),
        }
    }

    /// Has the job done by some thread.
    ///
    /// # Errors
    /// There are too many already, or the system gives no thread.
    pub(crate) fn submit(&self, job: Job) -> Result<(), String> {
        let shared = &self.shared;
        let mut state = shared.state.lock();
        if state.jobs >= shared.max_jobs {
            return Err(format!("{} handlers are at work already", state.jobs));
        }
        if state.waiting.len() >= state.idle && state.threads < shared.max_threads {
            let started = start(Arc::clone(shared));
            match started {
                Ok(()) => state.threads += 1,
                // The job can wait for one of those that there are.
                Err(_) if state.threads > 0 => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        state.jobs += 1;
        state.waiting.push_back(job);
        drop(state);
        shared.wake.notify_one();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state.lock().is_closed = true;
        self.shared.wake.notify_all();
    }
}

fn start(shared: Arc<Shared>) -> std::io::Result<()> {
    thread::Builder::new()
        .name(shared.name.clone())
        .spawn(move || {
            while let Some(job) = shared.next() {
                // A panic is told by the answer that never comes.
                let _panicked = catch_unwind(AssertUnwindSafe(job));
                shared.state.lock().jobs -= 1;
            }
        })
        .map(drop)
}

impl Shared {
    /// The next job; `None` when the thread shall end.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                return Some(job);
            }
            let mut is_over = state.is_closed;
            if !is_over {
                state.idle += 1;
                is_over = self.wake.wait_for(&mut state, IDLE).timed_out();
                state.idle -= 1;
            }
            if is_over && state.waiting.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }
}
