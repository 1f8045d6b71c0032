//! The compiler and its clock: one engine for the process, made with the first plugin and gone with the last.
//!
//! Time limits are epochs: compiled code compares a counter of the engine with its deadline at every loop edge and function entry. The
//! counter goes on by small steps, whatever the clock did meanwhile: a starved ticker makes limits longer and never shorter, so a call is
//! never cut for time that it did not have. The ticker sleeps when no deadline is near.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use wasmtime::{Config, Engine as Compiler, OptLevel};

/// The step of the clock.
const TICK: Duration = Duration::from_millis(1);
const TICKS_PER_SECOND: u64 = 1_000;
/// The longest budget that is told from a longer one: three years.
const MAX_SECONDS: u64 = 100_000_000;
/// Steps that the clock goes on by at once when the ticker was kept waiting by a busy machine.
const MAX_STEP: u64 = 3;
/// Steps behind the last deadline after which the ticker sleeps.
const IDLE_TICKS: u64 = 1_000;
/// Native stack of a guest. Worker threads have 2 MiB.
const MAX_STACK: usize = 512 * 1024;
/// Address space that is set aside for a memory where the process has little of it; then every access is compared with the length.
const SMALL_RESERVATION: u64 = 1024 * 1024;

static CURRENT: Mutex<Weak<Engine>> = Mutex::new(Weak::new());

/// The engine that all plugins of the process share.
pub(crate) struct Engine {
    pub(crate) compiler: Compiler,
    clock: Arc<Clock>,
    ticker: Thread,
}

#[derive(Debug, Default)]
struct Clock {
    ticks: AtomicU64,
    /// Until when the ticker must not sleep.
    awake_until: AtomicU64,
    is_asleep: AtomicBool,
    is_over: AtomicBool,
}

impl Engine {
    /// The one that is there, or a new one.
    ///
    /// # Errors
    /// In words: the machine is not supported, or the process gets no more threads.
    pub(crate) fn shared() -> Result<Arc<Self>, String> {
        let mut current = CURRENT.lock();
        if let Some(engine) = current.upgrade() {
            return Ok(engine);
        }
        let engine = Arc::new(Self::start()?);
        *current = Arc::downgrade(&engine);
        Ok(engine)
    }

    fn start() -> Result<Self, String> {
        let compiler = Compiler::new(&config()).map_err(|error| format!("{error:#}"))?;
        let clock = Arc::new(Clock::default());
        let ticker = {
            let clock = Arc::clone(&clock);
            let compiler = compiler.clone();
            thread::Builder::new()
                .name("hookmq-wasm-ticks".into())
                .spawn(move || clock.tick(&compiler))
                .map_err(|error| format!("no thread for the clock: {error}"))?
                .thread()
                .clone()
        };
        Ok(Self {
            compiler,
            clock,
            ticker,
        })
    }

    /// How many steps of the epoch a budget is; the clock goes on until then. To be asked right before the call.
    #[inline]
    pub(crate) fn deadline(&self, budget: Duration) -> u64 {
        let begun = budget.subsec_nanos().div_ceil(TICK.subsec_nanos());
        let ticks = budget.as_secs().min(MAX_SECONDS) * TICKS_PER_SECOND + u64::from(begun);
        // The next step may be of time before this call, so it does not count.
        let ticks = ticks + MAX_STEP;
        // The clock began at zero, and cannot come near the end of the numbers.
        let deadline = self.clock.ticks.load(Ordering::Relaxed) + ticks;
        if self.clock.awake_until.load(Ordering::Relaxed) < deadline {
            self.stay_awake(deadline);
        }
        ticks
    }

    #[cold]
    fn stay_awake(&self, deadline: u64) {
        // A whole idle time ahead, so that the line is written once in a while and not once per call.
        self.clock
            .awake_until
            .fetch_max(deadline.saturating_add(IDLE_TICKS), Ordering::SeqCst);
        if self.clock.is_asleep.swap(false, Ordering::SeqCst) {
            self.ticker.unpark();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.clock.is_over.store(true, Ordering::SeqCst);
        self.ticker.unpark();
    }
}

impl Clock {
    fn tick(&self, compiler: &Compiler) {
        while !self.is_over.load(Ordering::SeqCst) {
            let started = Instant::now();
            // Parking can end early, and a tick that came early would cut a call early.
            while started.elapsed() < TICK {
                thread::park_timeout(TICK.saturating_sub(started.elapsed()));
            }
            let passed = started.elapsed().as_micros() / TICK.as_micros();
            let step = u64::try_from(passed).unwrap_or(MAX_STEP).clamp(1, MAX_STEP);
            for _ in 0..step {
                compiler.increment_epoch();
            }
            let now = self.ticks.fetch_add(step, Ordering::SeqCst) + step;
            if now > self.awake_until.load(Ordering::SeqCst) {
                self.sleep(now);
            }
        }
    }

    fn sleep(&self, now: u64) {
        self.is_asleep.store(true, Ordering::SeqCst);
        // A call that began just now either sees that the ticker sleeps, or is seen here.
        if now <= self.awake_until.load(Ordering::SeqCst) {
            self.is_asleep.store(false, Ordering::SeqCst);
        }
        while self.is_asleep.load(Ordering::SeqCst) && !self.is_over.load(Ordering::SeqCst) {
            thread::park();
        }
    }
}

/// One configuration for all plugins. Whatever is changed here changes the key of the compile cache by itself.
fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(MAX_STACK)
        .wasm_memory64(false)
        // Costs every call of a component, and no plugin of the contract can use it.
        .concurrency_support(false)
        .gc_support(false);
    if address_space_is_limited() {
        config
            .memory_reservation(SMALL_RESERVATION)
            .memory_reservation_for_growth(SMALL_RESERVATION)
            .memory_guard_size(64 * 1024);
    }
    config
}

/// A memory takes 4 GiB of address space, which costs nothing where there is plenty: then no access needs a comparison.
fn address_space_is_limited() -> bool {
    let Ok(limits) = fs::read_to_string("/proc/self/limits") else {
        return false;
    };
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))
        .is_some_and(|limit| !limit.trim_start().starts_with("unlimited"))
}
