//! A loaded library as the broker sees it: hooks, files, and calls from any thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookmq_plugin_api::{
    Answer, CallFuture, Cause, Event, Hook, Host, Listen, Plugin, PluginError,
};
use tokio::sync::oneshot;

use crate::call;
use crate::copy::{Identity, Original};
use crate::error::LoadError;
use crate::instance::Instance;
use crate::library::Held;
use crate::manifest::{Handler, Manifest, by_hook};
use crate::pool::Pool;
use crate::settings::NativeSettings;

/// One loaded library, with the instance that it made. Ends the instance when it is dropped, which is after the last call: every call
/// holds it. The library itself stays in memory as long as the process, and is used again when the same file is loaded once more.
pub struct NativePlugin {
    name: String,
    own_name: String,
    own_version: String,
    original: Identity,
    listens: Vec<Listen>,
    handlers: [Option<Handler>; Hook::COUNT],
    awaiting_timeout: Duration,
    pool: Pool,
    instance: Instance,
    /// Given back when the instance has ended: fields are dropped in this order.
    _library: Held,
}

impl NativePlugin {
    /// Copies the file, loads the copy, checks what the library says of itself and makes an instance. Runs the library's own code, on
    /// this thread and without a limit. No handler is called yet.
    ///
    /// # Errors
    /// Whatever is wrong with it, in words that say what to do about it.
    pub fn load(
        path: &Path,
        settings: NativeSettings,
        host: Arc<dyn Host>,
    ) -> Result<Arc<Self>, LoadError> {
        let refuse = |why: String| LoadError::new(path, why);
        let original = Original::read(path)?;
        let library = Held::of(&original, &settings.copies)?;
        // SAFETY: the symbol's name stands for its type and for what lies behind the pointers that it returns.
        let manifest = unsafe { Manifest::ask(library.entry()) }.map_err(refuse)?;
        // SAFETY: the functions come from the library's manifest.
        let instance = unsafe {
            Instance::create(
                manifest.create,
                manifest.destroy,
                &settings.config,
                settings.grants,
                host,
            )
        }
        .map_err(refuse)?;
        Ok(Arc::new(Self {
            pool: Pool::new(&settings.name, settings.max_threads, settings.max_awaiting),
            name: settings.name,
            own_name: manifest.name,
            own_version: manifest.version,
            original: original.forgotten(),
            listens: manifest.listens,
            handlers: by_hook(manifest.handlers),
            awaiting_timeout: settings.awaiting_timeout,
            instance,
            _library: library,
        }))
    }

    /// The plugin's name in the config.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the library calls itself: name and version.
    #[must_use]
    pub fn description(&self) -> (&str, &str) {
        (&self.own_name, &self.own_version)
    }

    /// The file that it was loaded from; in a list, as with plugins that are made of several.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        vec![self.original.path().to_owned()]
    }

    /// Whether its file on disk still is the one that was loaded. Reads it.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.original.is_current()
    }

    #[inline]
    fn handler(&self, hook: Hook) -> Option<&Handler> {
        self.handlers.get(hook as usize)?.as_ref()
    }

    #[cold]
    fn error(&self, hook: Hook, cause: Cause, why: &str) -> PluginError {
        PluginError::new(cause, format!("{}: {}: {why}", self.name, hook.name()))
    }
}

impl Plugin for NativePlugin {
    fn listens(&self) -> &[Listen] {
        &self.listens
    }

    /// A native handler cannot be interrupted, so the budget is no limit here.
    #[inline]
    fn call(&self, event: &dyn Event, _budget: Duration) -> Result<Answer, PluginError> {
        let Some(handler) = self.handler(event.hook()) else {
            return Ok(Answer::PASS);
        };
        // SAFETY: both are of the same library.
        let said = unsafe { call::call(handler, &self.instance, event) };
        match said {
            None => Ok(Answer::PASS),
            Some(said) => said.map_err(|(cause, why)| self.error(event.hook(), cause, &why)),
        }
    }

    fn call_awaiting(
        self: Arc<Self>,
        event: Arc<dyn Event + Send + Sync>,
        budget: Duration,
    ) -> CallFuture {
        let hook = event.hook();
        let (reply, answer) = oneshot::channel();
        let plugin = Arc::clone(&self);
        let job = move || {
            // The client may be gone by now, or have waited long enough.
            if !reply.is_closed() {
                let _unwanted = reply.send(plugin.call(event.as_ref(), budget));
            }
        };
        let submitted = self.pool.submit(Box::new(job));
        Box::pin(async move {
            submitted.map_err(|why| self.error(hook, Cause::Unavailable, &why))?;
            match tokio::time::timeout(self.awaiting_timeout, answer).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => {
                    Err(self.error(hook, Cause::Panic, "its thread ended before it answered"))
                }
                Err(_) => {
                    let why = format!(
                        "took longer than {:?}; its thread goes on",
                        self.awaiting_timeout
                    );
                    Err(self.error(hook, Cause::Timeout, &why))
                }
            }
        })
    }
}

impl std::fmt::Debug for NativePlugin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("NativePlugin")
            .field("name", &self.name)
            .field("description", &self.description())
            .field("listens", &self.listens)
            .finish_non_exhaustive()
    }
}
