//! How long one connection may keep its thread in one go. What a packet costs is up to scripts, subscribers and retained messages,
//! so packets cannot be counted; the clock is read instead, where much is left to do.

use std::time::{Duration, Instant};

/// After so long the others have their turn.
const TURN: Duration = Duration::from_millis(1);
/// Quick steps between two looks at the clock.
const STRIDE: u32 = 32;
/// Steps are quick if no more than this passes between two looks at the clock.
const QUICK: Duration = Duration::from_micros(100);

/// One turn of a connection. Time is the machine's own: a clock that tests hold still says nothing about work.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// None before the first step.
    until: Option<Instant>,
    n_steps: u32,
    is_spent: bool,
    /// The last look at the clock of this turn.
    looked: Option<Instant>,
    /// Whether steps were quick when last looked at.
    are_quick: bool,
}

impl Pace {
    /// Notes a step that may be dear, for which plugins were asked or many were looked at; true if it is time to rest.
    pub(crate) fn step(&mut self) -> bool {
        let now = Instant::now();
        self.is_spent |= now >= *self.until.get_or_insert(now + TURN);
        self.is_spent
    }

    /// Notes a step of a kind that is cheap as a rule, or for which plugins were asked; true if it is time to rest. A look at the clock
    /// costs a tenth of such a step, so quick ones are looked at now and then, slow ones every time.
    pub(crate) fn quick_step(&mut self) -> bool {
        self.n_steps = self.n_steps.wrapping_add(1);
        if self.are_quick && !self.n_steps.is_multiple_of(STRIDE) {
            return self.is_spent;
        }
        self.look()
    }

    #[inline(never)]
    fn look(&mut self) -> bool {
        let now = Instant::now();
        if let Some(looked) = self.looked.replace(now) {
            self.are_quick = now - looked < QUICK;
        }
        self.is_spent |= now >= *self.until.get_or_insert(now + TURN);
        self.is_spent
    }

    /// Whether it is time to rest.
    pub(crate) const fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// The next turn begins.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            are_quick: self.are_quick,
            ..Self::default()
        };
    }

    /// For work that awaits anyway: lets the others on when it is time.
    pub(crate) async fn step_or_rest(&mut self) {
        if self.quick_step() {
            tokio::task::yield_now().await;
            self.reset();
        }
    }
}
