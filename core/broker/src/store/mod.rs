//! What survives: the words in which the broker tells a store what changed, and what it wants back at the next start.
//!
//! The broker keeps everything in memory and writes only; it reads once, when it starts. One thread owns the store
//! (`committer.rs`); everybody else puts changes into the journal (`journal.rs`) and, where an acknowledgement depends on them,
//! gets a ticket to wait for. What the bytes look like is the store's own business.

mod change;
pub(crate) mod committer;
pub(crate) mod group;
pub(crate) mod journal;
pub(crate) mod ledger;

use std::time::{Duration, Instant, SystemTime};

pub use self::change::{
    Change, Place, Restored, RestoredMessage, RestoredQueue, RestoredSession, Sent, SessionNumber,
    StoredSession, StoredSubscription,
};

/// What must hold before something is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Durability {
    /// Nothing: it is lost when the broker ends.
    #[default]
    None,
    /// The operating system has it: it survives the broker's end, a `kill -9` too, but not the machine's.
    Os,
    /// The disk has it: it survives a power failure.
    Disk,
}

impl Durability {
    /// Its name in a config.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Os => "os",
            Self::Disk => "disk",
        }
    }
}

/// A time on both clocks: the steady one that runs out intervals, and the wall clock that goes on while the broker does not run.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The steady clock.
    pub now: Instant,
    /// The wall clock.
    pub wall: SystemTime,
}

impl Moment {
    /// When it is `at`, by the wall clock, up to some hundred years from now.
    #[must_use]
    pub fn to_wall(self, at: Instant) -> SystemTime {
        let told = if at >= self.now {
            self.wall.checked_add((at - self.now).min(FAR))
        } else {
            self.wall.checked_sub(self.now - at)
        };
        told.unwrap_or(self.wall)
    }

    /// When it is `at` by the steady clock; `None` for a time before or behind all that it can tell.
    #[must_use]
    pub fn to_steady(self, at: SystemTime) -> Option<Instant> {
        match at.duration_since(self.wall) {
            Ok(ahead) => self.now.checked_add(ahead),
            Err(behind) => self.now.checked_sub(behind.duration()),
        }
    }
}

/// Farther than any interval of MQTT reaches, and near enough for every clock.
const FAR: Duration = Duration::from_secs(2 * u32::MAX as u64);

/// Tells the time of day. Injected, so that tests can have it jump.
pub trait WallClock: std::fmt::Debug + Send + Sync {
    /// The time of day.
    fn now(&self) -> SystemTime;
}

/// The machine's own wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct StoreError {
    /// The file, folder or record.
    pub what: String,
    /// What is wrong with it, and where it helps, what to do.
    pub why: String,
}

/// Keeps what the broker must not lose. All calls come from one thread, one after the other, and may block.
pub trait Store: Send + 'static {
    /// Everything but queued messages, as the last committed batch left it.
    ///
    /// # Errors
    /// The broker does not start.
    fn load(&mut self, moment: Moment) -> Result<Restored, StoreError>;

    /// The queue of one more Session, in the order of its places; `None` when all were given. Batches are committed between calls.
    ///
    /// # Errors
    /// The rest of the queues is not served.
    fn load_queue(&mut self, moment: Moment) -> Result<Option<RestoredQueue>, StoreError>;

    /// Writes a batch, all of it or nothing. When it returns, what `durability` says holds for it and for every batch before it.
    ///
    /// A batch that failed is given again after [`Store::reopen`], whether or not it has been written after all.
    ///
    /// # Errors
    /// Nothing is acknowledged, [`Store::reopen`] comes next.
    fn commit(
        &mut self,
        batch: &[Change],
        durability: Durability,
        moment: Moment,
    ) -> Result<(), StoreError>;

    /// Brings all that was committed to the disk. Called once a second where batches were not, and at the end.
    ///
    /// # Errors
    /// [`Store::reopen`] comes next.
    fn sync(&mut self) -> Result<(), StoreError>;

    /// Begins anew after an error, with everything in place that was committed.
    ///
    /// # Errors
    /// It is called again later.
    fn reopen(&mut self) -> Result<(), StoreError>;
}

/// How the broker keeps what must survive.
#[derive(Debug, Clone)]
pub struct StorageSettings {
    /// What an acknowledgement promises where nothing else is said. Without a store it promises nothing.
    pub durability: Durability,
    /// The same for messages of these topics; the first Topic Filter that matches decides.
    pub topics: Vec<(hookmq_mqtt::TopicFilter, Durability)>,
    /// Bytes of changes that may wait for the store. Beyond them no client that waits for it is read from until it has caught up.
    pub maximum_waiting_bytes: usize,
    /// How long to wait before a store that failed is opened again; grows to ten times as much.
    pub retry_after: Duration,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            durability: Durability::Os,
            topics: Vec::new(),
            maximum_waiting_bytes: 64 << 20,
            retry_after: Duration::from_millis(500),
        }
    }
}
