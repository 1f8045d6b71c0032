//! What the functions of one VM share: whose they are, the broker behind them, and the call that is running.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use hookmq_plugin_api::{Hook, Host};

use crate::guard::Guard;
use crate::memory::Memory;
use crate::settings::Clock;

/// Whether handlers of this VM may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Called on the broker's own threads; never waits.
    Inline,
    /// The plugin's lane, where a handler is a coroutine.
    Lane,
}

/// Shared by the functions of one VM.
pub(crate) struct Context {
    pub(crate) name: String,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) clock: Clock,
    pub(crate) guard: Rc<Guard>,
    pub(crate) mode: Mode,
    pub(crate) calling: Cell<Calling>,
    /// Address of the VM's main thread, which owns the lane's coroutines; a script's own coroutines have another owner.
    pub(crate) main_thread: usize,
    /// Bytes that verdicts hold outside the VM, where its own limit does not see them.
    pub(crate) held: Rc<Cell<usize>>,
    pub(crate) memory: Memory,
    /// The message of the last refused grant, to tell it from other errors.
    pub(crate) grant_refused: RefCell<Option<String>>,
}

/// The call that a VM is in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Calling {
    /// `None` while the body runs.
    pub(crate) hook: Option<Hook>,
    /// How many plugins' publishes led here.
    pub(crate) depth: u8,
}
