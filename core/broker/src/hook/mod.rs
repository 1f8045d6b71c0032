//! Asks the plugins: the hook engine of one broker, steps 5 and 6 of a PUBLISH and every other place where a plugin may speak.
//!
//! [`Hooks`] holds the present [`Chain`], an immutable value that a reload replaces in one store. A gate or filter is asked on the
//! caller's own thread or task; a notice is copied and told by the plugin's own thread. Every call is filtered, budgeted, timed,
//! guarded against panics and watched by a breaker, and every answer is judged against the catalogue before any of it counts.
//! Nothing here knows sessions, the router or a socket.

mod answer;
mod breaker;
mod chain;
mod clock;
mod decision;
mod exposition;
mod filter;
mod keeping;
mod kept;
mod key;
mod kv;
mod metrics;
mod notices;
mod offenders;
mod quiet;
mod registration;
mod scope;
mod seat;
mod stall;
mod tags;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;
use hookmq_plugin_api::{Event, FieldSet, Hook, Kind, Listen, Plugin};
use parking_lot::Mutex;

pub use self::answer::check as check_answer;
pub use self::breaker::{BreakerSettings, BreakerState};
pub use self::chain::{Chain, Listed, Subject};
pub use self::decision::{Decision, Explained, IMPLEMENTATION_SPECIFIC_ERROR};
pub use self::exposition::render as render_metrics;
pub use self::filter::{Filter, FilterError};
pub use self::kept::KeptTally;
pub use self::kv::{Kv, KvSettings};
pub use self::metrics::{HookMetrics, N_BUCKETS, SAMPLED_ONE_IN};
pub use self::notices::{NoticeOrder, NoticeSettings};
pub use self::registration::{DEFAULT_AWAITING_TIMEOUT, DEFAULT_BUDGET, Registration};
pub use self::scope::Scope;

use self::breaker::Breaker;
use self::clock::Clock;
use self::filter::Sieve;
use self::kept::{Kept, KeptLimits};
use self::notices::Lane;
use self::seat::{Account, Seat};
pub(crate) use self::tags::Tags;

/// How deep plugins' publishes may lead to plugins' publishes: a message at this depth is refused.
pub const MAXIMUM_DEPTH: u8 = 8;

/// What the engine can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HookSettings {
    /// Of every plugin's queue of notices.
    pub notices: NoticeSettings,
    /// Of every breaker.
    pub breaker: BreakerSettings,
    /// Of the key-value map that the plugins share.
    pub kv: KvSettings,
}

/// The hook engine of one broker.
pub struct Hooks {
    settings: HookSettings,
    clock: Clock,
    chain: Arc<ArcSwap<Chain>>,
    /// The chain's mask, for a test without touching the chain. While a swap is under way it has the hooks of both chains.
    listens: AtomicU64,
    /// The order of notices about the broker itself.
    order: NoticeOrder,
    /// Every lane that may still have something to tell. Held while swapping, so that swaps come one after the other.
    lanes: Mutex<Vec<Weak<Lane>>>,
    kv: Kv,
    /// When what stands behind a tag of kept answers last changed.
    tags: Arc<Tags>,
    /// When a tag was last asked about again.
    reauthorized: Tags,
    /// What plugins let the broker keep; of earlier generations too, as long as anybody asks those.
    kept: Mutex<Vec<Weak<Kept>>>,
}

/// A reader's own handle on the present chain: to look costs one load as long as nothing was swapped.
///
/// It keeps the chain that it saw last alive, and with it that generation's plugins, until it looks again. Keep one per worker or
/// busy connection, and none where nothing happens for hours.
pub struct ChainCache(Cache<Arc<ArcSwap<Chain>>, Arc<Chain>>);

impl ChainCache {
    /// The present chain.
    #[inline]
    pub fn load(&mut self) -> &Arc<Chain> {
        self.0.load()
    }
}

impl Hooks {
    /// Without any plugin.
    #[must_use]
    pub fn new(settings: HookSettings) -> Self {
        let empty = Chain::new(0, std::array::from_fn(|_| Vec::new()));
        Self {
            settings,
            clock: Clock::new(),
            chain: Arc::new(ArcSwap::from_pointee(empty)),
            listens: AtomicU64::new(0),
            order: NoticeOrder::default(),
            lanes: Mutex::default(),
            kv: Kv::new(settings.kv),
            tags: Arc::new(Tags::new()),
            reauthorized: Tags::new(),
            kept: Mutex::default(),
        }
    }

    /// Makes these the plugins, all at once, and returns the generation of the new chain.
    ///
    /// Calls under way end in the chain where they began. A plugin that stays (the same `Arc` under the same name) keeps its
    /// breakers and its queue of notices; a plugin that is gone is still told what is queued for it. Counters go on under
    /// the plugin's name.
    pub fn swap(&self, plugins: Vec<Registration>) -> u64 {
        let mut lanes = self.lanes.lock();
        let old = self.chain.load_full();
        let generation = old.generation() + 1;

        let mut plugins = plugins;
        // Stable, so that equal priorities keep the order of registration.
        plugins.sort_by_key(|plugin| std::cmp::Reverse(plugin.priority));
        let mut seats: [Vec<Seat>; Hook::COUNT] = std::array::from_fn(|_| Vec::new());
        let mut kept = Vec::new();
        for plugin in &plugins {
            let mut lane = None;
            for listen in merged(plugin.plugin.listens()) {
                let seat = self.seat(plugin, &listen, &old, &mut lane);
                seats[listen.hook as usize].push(seat);
            }
            kept.extend(lane);
        }

        let chain = Arc::new(Chain::new(generation, seats));
        self.listens.fetch_or(chain.mask(), Relaxed);
        self.chain.store(Arc::clone(&chain));
        self.listens.store(chain.mask(), Relaxed);

        lanes.retain(|lane| lane.strong_count() > 0);
        for lane in lanes.iter().filter_map(Weak::upgrade) {
            if !kept.iter().any(|kept| Arc::ptr_eq(kept, &lane)) {
                lane.close();
            }
        }
        for lane in &kept {
            if !lanes
                .iter()
                .any(|known| known.as_ptr() == Arc::as_ptr(lane))
            {
                lanes.push(Arc::downgrade(lane));
            }
        }
        generation
    }

    /// The present chain, for whoever asks rarely.
    #[must_use]
    pub fn chain(&self) -> Arc<Chain> {
        self.chain.load_full()
    }

    /// A handle on the present chain, for whoever asks often.
    #[must_use]
    pub fn cache(&self) -> ChainCache {
        ChainCache(Cache::new(Arc::clone(&self.chain)))
    }

    /// Tells every listener of a notice. It never waits for a plugin; if nobody listens it costs one test.
    ///
    /// `order` is of the client that this is about; without one the notice is about the broker. `event` need not have the fields
    /// `sequence` and `timestamp`: those are given here.
    #[inline]
    pub fn notify(
        &self,
        hook: Hook,
        scope: &Scope<'_>,
        event: &dyn Event,
        order: Option<&NoticeOrder>,
    ) {
        debug_assert_eq!(hook.spec().kind, Kind::Notice);
        if self.listens.load(Relaxed) & (1 << hook as u8) != 0 {
            let order = order.unwrap_or(&self.order);
            notices::tell(|| self.chain.load(), hook, scope, event, order);
        }
    }

    /// Whether any plugin answers this hook, for whoever holds no [`ChainCache`]. A swap that happens now may or may not be seen.
    #[inline]
    #[must_use]
    pub fn listens(&self, hook: Hook) -> bool {
        // The cfg compiles every hook out: what a broker without plugins pays for hooks is measured against that build.
        !cfg!(hookmq_without_hooks) && self.listens.load(Relaxed) & (1 << hook as u8) != 0
    }

    /// Waits until every notice was told, those of plugins that are gone too, or until the time is over. False if it was.
    pub async fn drain(&self, within: Duration) -> bool {
        let lanes: Vec<_> = self.lanes.lock().iter().filter_map(Weak::upgrade).collect();
        tokio::time::timeout(within, async {
            for lane in lanes {
                lane.drained().await;
            }
        })
        .await
        .is_ok()
    }

    /// What every plugin of the present chain did at every hook it answers.
    #[must_use]
    pub fn metrics(&self) -> Vec<HookMetrics> {
        self.chain.load().metrics()
    }

    /// The key-value map that the plugins share.
    #[must_use]
    pub const fn kv(&self) -> &Kv {
        &self.kv
    }

    /// Forgets every answer that is kept with this tag; returns how many there were. One that is being made now is not kept.
    pub fn invalidate(&self, tag: &str) -> usize {
        let moment = self.tags.change(tag);
        let kept: Vec<_> = self.kept.lock().iter().filter_map(Weak::upgrade).collect();
        kept.iter().map(|kept| kept.forget(tag, moment)).sum()
    }

    /// As [`Hooks::invalidate`]; besides, whoever was let in by an answer with this tag is to be asked about again: see
    /// [`Hooks::reauthorized`].
    pub(crate) fn reauthorize(&self, tag: &str) -> usize {
        let n_forgotten = self.invalidate(tag);
        self.reauthorized.change(tag);
        n_forgotten
    }

    /// Tells whoever writes down what was decided whether it has to be decided again.
    pub(crate) const fn reauthorized(&self) -> &Tags {
        &self.reauthorized
    }

    /// Forgets kept answers that no longer hold. Whoever keeps new ones does this too, a few at a time.
    pub fn sweep_kept(&self) {
        let kept: Vec<_> = self.kept.lock().iter().filter_map(Weak::upgrade).collect();
        for kept in kept {
            kept.sweep(self.clock.now_ms());
        }
    }

    /// The engine's time in milliseconds, for [`Kv`].
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn seat(
        &self,
        plugin: &Registration,
        listen: &Listen,
        old: &Chain,
        lane: &mut Option<Arc<Lane>>,
    ) -> Seat {
        let hook = listen.hook;
        let spec = hook.spec();
        let namesakes = || {
            old.seats(hook)
                .iter()
                .filter(|seat| seat.name == plugin.name)
        };
        let same = namesakes().find(|seat| is_same(&seat.plugin, &plugin.plugin));
        if spec.kind == Kind::Notice && lane.is_none() {
            *lane = Some(self.lane(plugin, old));
        }
        if let Err(error) = plugin.filter.check() {
            tracing::error!(plugin = %plugin.name, %error, "the plugin's filter is ignored");
        }
        Seat {
            hook,
            spec,
            plugin: Arc::clone(&plugin.plugin),
            name: Arc::clone(&plugin.name),
            kind: plugin.kind,
            priority: plugin.priority,
            filter: plugin.filter.to_string().into(),
            sieve: Sieve::new(&plugin.filter, hook),
            fields: listen.fields,
            sized: seat::sized(listen.fields),
            awaits: listen.awaits && spec.awaits,
            on_error: plugin.on_error.unwrap_or(spec.on_error),
            budget: plugin.budget,
            awaiting_timeout: plugin.awaiting_timeout,
            lane: lane.clone().filter(|_| spec.kind == Kind::Notice),
            breaker: same.map_or_else(
                || Arc::new(Breaker::new(self.settings.breaker)),
                |seat| Arc::clone(&seat.breaker),
            ),
            account: same.or_else(|| namesakes().next()).map_or_else(
                || Arc::new(Account::new()),
                |seat| Arc::clone(&seat.account),
            ),
            kept: spec.keeps.then(|| {
                let of = |seat: &Arc<Seat>| seat.kept.clone();
                same.and_then(of).unwrap_or_else(|| {
                    let before = namesakes().find_map(of).map(|kept| kept.tally());
                    self.kept(listen.fields, before.unwrap_or_default())
                })
            }),
            clock: self.clock,
            pace: stall::Pace::default(),
        }
    }

    /// Room for the answers of one plugin at one hook.
    fn kept(&self, declared: FieldSet, before: KeptTally) -> Arc<Kept> {
        let tags = Arc::clone(&self.tags);
        let kept = Arc::new(Kept::new(declared, tags, KeptLimits::default(), before));
        let mut all = self.kept.lock();
        all.retain(|kept| kept.strong_count() > 0);
        all.push(Arc::downgrade(&kept));
        kept
    }

    /// The plugin's queue of notices: the one it has, or a new one.
    fn lane(&self, plugin: &Registration, old: &Chain) -> Arc<Lane> {
        old.list_seats()
            .filter(|seat| seat.name == plugin.name && is_same(&seat.plugin, &plugin.plugin))
            .find_map(|seat| seat.lane.clone())
            .unwrap_or_else(|| Arc::new(Lane::new(Arc::clone(&plugin.name), self.settings.notices)))
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        for lane in self.lanes.lock().iter().filter_map(Weak::upgrade) {
            lane.close();
        }
    }
}

/// Whether it is one and the same plugin. The vtable does not count: the compiler may have made several.
fn is_same(one: &Arc<dyn Plugin>, other: &Arc<dyn Plugin>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

/// One entry per hook, even if the plugin names a hook twice.
fn merged(listens: &[Listen]) -> Vec<Listen> {
    let mut merged: Vec<Listen> = Vec::with_capacity(listens.len());
    for listen in listens {
        match merged.iter_mut().find(|known| known.hook == listen.hook) {
            Some(known) => {
                known.fields = known.fields.union(listen.fields);
                known.awaits |= listen.awaits;
            }
            None => merged.push(listen.clone()),
        }
    }
    merged
}
