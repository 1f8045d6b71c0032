//! Time limits: one counter for the process, and per VM a deadline that Luau's interrupt compares with it.
//!
//! The counter goes on by small steps, whatever the clock did meanwhile: a starved ticker makes limits longer and never shorter, so a
//! call is never cut for time that it did not have. The ticker sleeps when nothing was called for a second.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use mlua::{Lua, VmState};

/// Ticks that the ticker has counted.
static TICKS: AtomicU64 = AtomicU64::new(0);
/// What the ticker knows of the scripts: one of the three below.
static WORK: AtomicU8 = AtomicU8::new(NONE);
/// Nothing ran since the last tick. Set by the ticker.
const NONE: u8 = 0;
/// Something runs. Set by whoever runs a script.
const SOME: u8 = 1;
/// Nothing ran for so long that the ticker waits to be woken. Set by the ticker.
const ASLEEP: u8 = 2;
static TICKER: OnceLock<Thread> = OnceLock::new();

/// A wake-up of a thread costs microseconds, and budgets are tens of milliseconds.
const TICK: Duration = Duration::from_millis(2);
/// Ticks that the counter goes on by at once when the ticker was kept waiting by a busy machine.
const MAX_STEP: u64 = 3;
/// Ticks without work after which the ticker sleeps.
const IDLE_TICKS: u32 = 500;

/// The words that a script sees when its time is over; the host goes by [`Guard::tripped`], not by them.
pub(crate) const OVER_BUDGET: &str = "over its time budget";

/// The time limit of one VM.
#[derive(Debug)]
pub(crate) struct Guard {
    deadline: Cell<u64>,
    tripped: Cell<bool>,
    place: RefCell<Option<String>>,
}

/// What [`Guard::arm`] replaced; given back to [`Guard::disarm`], so that calls can nest.
#[derive(Debug)]
pub(crate) struct Armed {
    deadline: u64,
    tripped: bool,
}

impl Guard {
    pub(crate) fn new() -> Self {
        start_ticker();
        Self {
            deadline: Cell::new(u64::MAX),
            tripped: Cell::new(false),
            place: RefCell::new(None),
        }
    }

    /// Makes the VM ask this guard at every call, return and loop edge.
    pub(crate) fn attach(self: &Rc<Self>, lua: &Lua) {
        let guard = Rc::clone(self);
        lua.set_interrupt(move |lua| {
            if TICKS.load(Ordering::Relaxed) <= guard.deadline.get() {
                stay_awake();
                return Ok(VmState::Continue);
            }
            guard.trip(lua);
            Err(mlua::Error::runtime(OVER_BUDGET))
        });
    }

    /// Starts a time limit; an outer one that ends sooner stays in force.
    pub(crate) fn arm(&self, budget: Duration) -> Armed {
        stay_awake();
        // The next step of the counter may be of time before this call, so it does not count.
        let ticks = ticks(budget).saturating_add(MAX_STEP);
        let deadline = TICKS.load(Ordering::Relaxed).saturating_add(ticks);
        let outer = self.deadline.get();
        self.deadline.set(deadline.min(outer));
        Armed {
            deadline: outer,
            tripped: self.tripped.replace(false),
        }
    }

    /// Ends a time limit and tells whether it was hit.
    pub(crate) fn disarm(&self, armed: &Armed) -> bool {
        self.deadline.set(armed.deadline);
        self.tripped.replace(armed.tripped)
    }

    /// For host functions that work long: whether the time is over.
    pub(crate) fn is_over(&self) -> bool {
        let over = TICKS.load(Ordering::Relaxed) > self.deadline.get();
        if over {
            self.tripped.set(true);
        }
        over
    }

    /// Where the script was when its time ended, as file and line.
    pub(crate) fn take_place(&self) -> Option<String> {
        self.place.borrow_mut().take()
    }

    #[cold]
    fn trip(&self, lua: &Lua) {
        if !self.tripped.replace(true) {
            *self.place.borrow_mut() = place_above(lua, 0);
        }
    }
}

/// File and line of the innermost script function at `level` or above it.
pub(crate) fn place_above(lua: &Lua, level: usize) -> Option<String> {
    (level..level + 16).find_map(|level| {
        lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let file = source.source.as_deref()?.strip_prefix('@')?;
            Some(format!("{file}:{}", frame.current_line()?))
        })?
    })
}

/// How many ticks a budget has, rounded up; without the division of 128 bits that `Duration` would take.
fn ticks(budget: Duration) -> u64 {
    const NANOSECONDS: u32 = TICK.subsec_nanos();
    const PER_SECOND: u64 = 1_000_000_000 / NANOSECONDS as u64;
    let seconds = budget.as_secs().saturating_mul(PER_SECOND);
    seconds.saturating_add(budget.subsec_nanos().div_ceil(NANOSECONDS).into())
}

fn stay_awake() {
    if WORK.load(Ordering::Relaxed) != SOME {
        tell_ticker();
    }
}

#[cold]
fn tell_ticker() {
    if WORK.swap(SOME, Ordering::Relaxed) == ASLEEP
        && let Some(ticker) = TICKER.get()
    {
        ticker.unpark();
    }
}

fn start_ticker() {
    TICKER.get_or_init(|| {
        thread::Builder::new()
            .name("hookmq-lua-ticks".into())
            .spawn(tick)
            .expect("the operating system gives the process one more thread")
            .thread()
            .clone()
    });
}

fn tick() {
    let mut idle = 0;
    loop {
        let started = Instant::now();
        // Parking can end early, and a tick that came early would cut a call early.
        while started.elapsed() < TICK {
            thread::park_timeout(TICK.saturating_sub(started.elapsed()));
        }
        let passed = started.elapsed().as_micros() / TICK.as_micros();
        let step = u64::try_from(passed).unwrap_or(MAX_STEP).clamp(1, MAX_STEP);
        TICKS.fetch_add(step, Ordering::Relaxed);
        if WORK.swap(NONE, Ordering::Relaxed) == SOME {
            idle = 0;
            continue;
        }
        idle += 1;
        if idle >= IDLE_TICKS {
            idle = 0;
            // Fails if something runs by now.
            let _asleep = WORK.compare_exchange(NONE, ASLEEP, Ordering::Relaxed, Ordering::Relaxed);
            while WORK.load(Ordering::Relaxed) == ASLEEP {
                thread::park();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spinning_script_is_cut_and_the_guard_forgets() {
        let lua = Lua::new();
        let guard = Rc::new(Guard::new());
        guard.attach(&lua);
        let armed = guard.arm(Duration::from_millis(5));
        let result = lua.load("while true do end").set_name("@spin.lua").exec();
        assert!(result.is_err());
        assert!(guard.disarm(&armed));
        assert_eq!(guard.take_place().as_deref(), Some("spin.lua:1"));
        let armed = guard.arm(Duration::from_millis(500));
        lua.load("for _ = 1, 1000 do end").exec().unwrap();
        assert!(!guard.disarm(&armed));
    }

    #[test]
    fn a_budget_is_rounded_up_to_ticks() {
        for (budget, expected) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (TICK, 1),
            (TICK + Duration::from_nanos(1), 2),
            (Duration::from_millis(1_999), 1_000),
            (Duration::from_secs(3), 1_500),
            (Duration::MAX, u64::MAX),
        ] {
            assert_eq!(ticks(budget), expected, "{budget:?}");
        }
    }

    #[test]
    fn an_inner_limit_cannot_outlive_the_outer_one() {
        let guard = Guard::new();
        let outer = guard.arm(Duration::from_millis(1));
        let inner = guard.arm(Duration::from_secs(60));
        while !guard.is_over() {
            thread::yield_now();
        }
        assert!(guard.disarm(&inner));
        guard.disarm(&outer);
        assert!(!guard.is_over());
    }
}
