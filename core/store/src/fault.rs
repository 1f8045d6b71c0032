//! What goes wrong, in words; also where the engine underneath panics.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hookmq_broker::store::StoreError;

/// `what` is the file or folder.
pub(crate) fn failed(what: &Path, why: impl Display) -> StoreError {
    StoreError {
        what: what.display().to_string(),
        why: why.to_string(),
    }
}

/// The engine's error in a few words.
pub(crate) fn explain(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
            error.to_string()
        }
        fjall::Error::Poisoned => "an earlier write failed".to_owned(),
        fjall::Error::Locked => "another process uses it".to_owned(),
        fjall::Error::InvalidVersion(_) => "it is of another version of the engine".to_owned(),
        fjall::Error::Unrecoverable => "it cannot be recovered".to_owned(),
        fjall::Error::Storage(error) => format!("a table is damaged ({error:?})"),
        fjall::Error::JournalRecovery(error) => format!("a journal is damaged ({error:?})"),
        other => format!("{other:?}"),
    }
}

/// A panic of the engine, which some damage leads to, is an error like others.
pub(crate) fn guarded<T>(
    what: &Path,
    call: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(failed(
            what,
            format_args!("the storage engine failed: {text}"),
        ))
    })
}
