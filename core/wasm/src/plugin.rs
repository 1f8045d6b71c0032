//! A loaded plugin as the broker sees it: hooks, file, and calls from any thread.
//!
//! Each thread that calls it gets an instance of its own, made at the first call, kept in a thread-local, and replaced after whatever may
//! have left it in an odd state. Nothing of an instance ever crosses a thread.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hookmq_plugin_api::{Answer, CallFuture, Cause, Event, Host, Listen, Plugin, PluginError};

use crate::compile::{Code, compile};
use crate::engine::Engine;
use crate::error::{Failure, LoadError};
use crate::file::File;
use crate::lane::Lane;
use crate::live::{Form, Live};
use crate::settings::WasmSettings;
use crate::state::Blueprint;
use crate::{component, module};

/// One loaded WASM file.
pub struct WasmPlugin {
    /// Tells this plugin's instances from those of all others, earlier loads of the same file included.
    id: u64,
    /// Gone with the plugin, so that threads can tell which of their instances nobody calls any more.
    alive: Arc<()>,
    file: File,
    form: Form,
    blueprint: Arc<Blueprint>,
    lane: Lane,
}

struct Kept {
    id: u64,
    alive: Weak<()>,
    /// Borrowed while it is called.
    instance: Shared,
}

type Shared = Rc<RefCell<Live>>;

thread_local! {
    static INSTANCES: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

impl WasmPlugin {
    /// Reads, compiles and checks a file, and makes a first instance of it. Compiling takes seconds for files of megabytes, unless the
    /// compile cache has them.
    ///
    /// # Errors
    /// Whatever is wrong with it, and what to do about that.
    pub fn load(
        path: &Path,
        settings: WasmSettings,
        host: Arc<dyn Host>,
    ) -> Result<Arc<Self>, LoadError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (file, kind, bytes) = File::open(path)?;
        let wrong = |why: String| LoadError::new(path, why);
        let engine = Engine::shared().map_err(wrong)?;
        let blueprint = Arc::new(Blueprint {
            file: file.name(),
            settings,
            host,
            engine,
        });
        let code = compile(&blueprint, &file, kind, &bytes).map_err(wrong)?;
        let form = match &code {
            Code::Module(module) => module::Form::load(&blueprint, module).map(Form::Module),
            Code::Component(component) => {
                component::Form::load(&blueprint, component).map(Form::Component)
            }
        }
        .map_err(wrong)?;
        Ok(Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            alive: Arc::new(()),
            file,
            form,
            lane: Lane::new(&blueprint.settings.name, blueprint.settings.max_awaiting),
            blueprint,
        }))
    }

    /// The files it was made of: one.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        vec![self.file.path.clone()]
    }

    /// Whether its file on disk still has the bytes that were loaded. Reads it.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.file.is_current()
    }

    /// The plugin's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.blueprint.settings.name
    }

    /// This thread's instance, unless this is a call from within a call of it.
    #[inline]
    fn kept(&self) -> Option<Shared> {
        INSTANCES.with_borrow(|instances| {
            let kept = instances.iter().find(|kept| kept.id == self.id)?;
            let is_free = kept.instance.try_borrow_mut().is_ok();
            is_free.then(|| Rc::clone(&kept.instance))
        })
    }

    #[cold]
    fn instantiate(&self) -> Result<Live, PluginError> {
        match catch_unwind(AssertUnwindSafe(|| self.form.instantiate())) {
            Ok(Ok(instance)) => Ok(instance),
            Ok(Err(failure)) => {
                let message = failure.error.message;
                Err(PluginError::new(Cause::Unavailable, message))
            }
            Err(_) => Err(self.panicked()),
        }
    }

    /// A new instance. The thread keeps it, unless it has one, which is busy.
    #[cold]
    fn keep(&self) -> Result<Shared, PluginError> {
        let instance = Rc::new(RefCell::new(self.instantiate()?));
        let gone: Vec<_> = INSTANCES.with_borrow_mut(|instances| {
            let gone = instances
                .extract_if(.., |kept| kept.alive.strong_count() == 0)
                .collect();
            if !instances.iter().any(|kept| kept.id == self.id) {
                instances.push(Kept {
                    id: self.id,
                    alive: Arc::downgrade(&self.alive),
                    instance: Rc::clone(&instance),
                });
            }
            gone
        });
        drop(gone);
        Ok(instance)
    }

    /// Keeps an instance no longer that may be in an odd state: the next call makes a new one.
    #[cold]
    fn forget(instance: &Shared) {
        let gone: Vec<_> = INSTANCES.with_borrow_mut(|instances| {
            instances
                .extract_if(.., |kept| Rc::ptr_eq(&kept.instance, instance))
                .collect()
        });
        drop(gone);
    }

    fn panicked(&self) -> PluginError {
        PluginError::new(
            Cause::Panic,
            format!("{}: a host function panicked", self.blueprint.file),
        )
    }
}

impl Plugin for WasmPlugin {
    fn listens(&self) -> &[Listen] {
        self.form.listens()
    }

    fn call(&self, event: &dyn Event, budget: Duration) -> Result<Answer, PluginError> {
        let kept = match self.kept() {
            Some(kept) => kept,
            None => self.keep()?,
        };
        let mut instance = kept.borrow_mut();
        let result = catch_unwind(AssertUnwindSafe(|| {
            instance.call(&self.form, event, budget)
        }));
        match result {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Failure { error, is_broken })) => {
                if is_broken {
                    Self::forget(&kept);
                }
                Err(error)
            }
            Err(_) => {
                Self::forget(&kept);
                Err(self.panicked())
            }
        }
    }

    /// The budget of inline calls does not count here: that is what the handler asked for.
    fn call_awaiting(
        self: Arc<Self>,
        event: Arc<dyn Event + Send + Sync>,
        _: Duration,
    ) -> CallFuture {
        let plugin = Arc::clone(&self);
        let asked = Instant::now();
        let call = move || {
            let budget = plugin.blueprint.settings.awaiting_timeout;
            match budget.checked_sub(asked.elapsed()) {
                Some(left) => plugin.call(event.as_ref(), left),
                None => Err(PluginError::new(
                    Cause::Timeout,
                    format!(
                        "{}: its turn did not come within {budget:?}",
                        plugin.blueprint.file
                    ),
                )),
            }
        };
        match self.lane.call(call) {
            Ok(reply) => Box::pin(reply),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl std::fmt::Debug for WasmPlugin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("WasmPlugin")
            .field("name", &self.name())
            .field("file", &self.file.path)
            .field("listens", &self.listens())
            .finish_non_exhaustive()
    }
}
