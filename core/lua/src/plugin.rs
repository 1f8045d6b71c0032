//! A loaded script as the broker sees it: hooks, metadata, files, and calls from any thread.
//!
//! Each thread that calls it gets a VM of its own, made at the first call, kept in a thread-local, and replaced after a time or
//! memory limit was hit. Nothing of a VM ever crosses a thread.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use hookmq_plugin_api::{Answer, CallFuture, Cause, Event, Host, Listen, Plugin, PluginError};

use crate::context::Mode;
use crate::error::LoadError;
use crate::lane::Lane;
use crate::metadata::Metadata;
use crate::needs::{self, Need};
use crate::sandbox::Blueprint;
use crate::settings::LuaSettings;
use crate::sources::Sources;
use crate::vm::Vm;

/// One loaded script.
pub struct LuaPlugin {
    /// Tells this script's VMs from those of all others, earlier loads of the same file included.
    id: u64,
    /// Gone with the plugin, so that threads can tell which of their VMs nobody calls any more.
    alive: Arc<()>,
    blueprint: Arc<Blueprint>,
    listens: Vec<Listen>,
    metadata: Metadata,
    lane: Lane,
}

struct Kept {
    id: u64,
    alive: Weak<()>,
    vm: Rc<Vm>,
}

thread_local! {
    static VMS: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

impl LuaPlugin {
    /// Reads, runs and checks a script. Nothing is called yet.
    ///
    /// # Errors
    /// Whatever is wrong with it, with file, line and what to write instead.
    pub fn load(
        path: &Path,
        settings: LuaSettings,
        host: Arc<dyn Host>,
    ) -> Result<Arc<Self>, LoadError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let sources = Sources::open(path)
            .map_err(|why| LoadError::new(path.display().to_string(), 0, why))?;
        let blueprint = Arc::new(Blueprint {
            settings,
            host,
            sources,
        });
        let (vm, declared) = Vm::new(&blueprint, Mode::Inline)?;
        blueprint.sources.seal();
        let listens = vm
            .handlers()
            .map(|handler| {
                let spec = handler.hook.spec();
                Listen {
                    hook: handler.hook,
                    fields: handler.fields(),
                    awaits: spec.awaits && (!spec.hot || declared.awaits.contains(&handler.hook)),
                }
            })
            .collect();
        Ok(Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            alive: Arc::new(()),
            lane: Lane::new(Arc::clone(&blueprint)),
            listens,
            metadata: declared.metadata,
            blueprint,
        }))
    }

    /// What the script says of itself; the operator's config wins over it.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The files it was made of, the main one and what it requires.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.blueprint.sources.paths()
    }

    /// Whether its files on disk still have the text that was loaded. Reads them.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.blueprint.sources.are_current()
    }

    /// What it will ask the broker for that needs a grant, as far as its source shows it.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        needs::of(&self.blueprint.sources)
    }

    /// The plugin's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.blueprint.settings.name
    }

    fn vm(&self) -> Result<Rc<Vm>, PluginError> {
        let kept = VMS.with_borrow(|vms| {
            vms.iter()
                .find(|kept| kept.id == self.id)
                .map(|kept| Rc::clone(&kept.vm))
        });
        match kept {
            Some(vm) => Ok(vm),
            None => self.new_vm(),
        }
    }

    #[cold]
    fn new_vm(&self) -> Result<Rc<Vm>, PluginError> {
        let (vm, _) = Vm::new(&self.blueprint, Mode::Inline)
            .map_err(|error| PluginError::new(Cause::Unavailable, error.to_string()))?;
        let vm = Rc::new(vm);
        VMS.with_borrow_mut(|vms| {
            vms.retain(|kept| kept.alive.strong_count() > 0);
            vms.push(Kept {
                id: self.id,
                alive: Arc::downgrade(&self.alive),
                vm: Rc::clone(&vm),
            });
        });
        Ok(vm)
    }

    #[cold]
    fn discard_vm(&self) {
        // The VM may still be in an outer call; that call holds it to its end.
        let gone: Vec<_> =
            VMS.with_borrow_mut(|vms| vms.extract_if(.., |kept| kept.id == self.id).collect());
        drop(gone);
    }
}

impl Plugin for LuaPlugin {
    fn listens(&self) -> &[Listen] {
        &self.listens
    }

    fn call(&self, event: &dyn Event, budget: Duration) -> Result<Answer, PluginError> {
        let vm = self.vm()?;
        match catch_unwind(AssertUnwindSafe(|| vm.call(event, budget))) {
            Ok(Ok(None)) => Ok(Answer::PASS),
            Ok(Ok(Some(answer))) => Ok(answer),
            Ok(Err(failure)) => {
                if failure.is_broken {
                    self.discard_vm();
                }
                Err(failure.error)
            }
            Err(_) => {
                self.discard_vm();
                Err(PluginError::new(
                    Cause::Panic,
                    format!(
                        "{}: a host function panicked",
                        self.blueprint.sources.main()
                    ),
                ))
            }
        }
    }

    fn call_awaiting(
        self: Arc<Self>,
        event: Arc<dyn Event + Send + Sync>,
        budget: Duration,
    ) -> CallFuture {
        self.lane.call(event, budget)
    }
}

impl std::fmt::Debug for LuaPlugin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("LuaPlugin")
            .field("name", &self.name())
            .field("listens", &self.listens)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}
