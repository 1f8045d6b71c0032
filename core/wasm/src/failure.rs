//! What ended a call, in words: the guest's trap, a limit, or a fault that a host function found, and where in the guest it was.

use std::fmt::Write as _;
use std::time::Duration;

use hookmq_plugin_api::{Cause, PluginError};
use wasmtime::{Store, Trap, WasmBacktrace};

use crate::error::{Failure, Fault, shortened};
use crate::state::State;

/// Frames of the guest that an error names.
const FRAMES: usize = 3;

/// A failed call. `doing` is the hook or the phase of loading, `budget` the time that it had.
pub(crate) fn of_call(
    file: &str,
    doing: &str,
    budget: Duration,
    error: &wasmtime::Error,
) -> Failure {
    let Fault { cause, message } = fault_of(budget, error);
    let message = format!("{file}: {doing}: {message}{}", frames(error));
    Failure {
        error: PluginError::new(cause, message),
        is_broken: true,
    }
}

/// A failure that left the instance whole: the guest said so itself, or its answer is wrong.
pub(crate) fn of_answer(file: &str, doing: &str, fault: &Fault) -> Failure {
    Failure {
        error: PluginError::new(fault.cause, format!("{file}: {doing}: {}", fault.message)),
        // What a caught panic left behind is anybody's guess.
        is_broken: fault.cause == Cause::Panic,
    }
}

/// An error with the guest's own words, if it said any before it gave up: then that is a panic that its language's edge caught.
pub(crate) fn explained(store: &mut Store<State>, error: wasmtime::Error) -> wasmtime::Error {
    let gave_up = matches!(
        error.downcast_ref::<Trap>(),
        Some(Trap::UnreachableCodeReached)
    );
    match store.data_mut().draft.failure.take() {
        Some(message) if gave_up => error.context(Fault {
            cause: Cause::Panic,
            message,
        }),
        _ => error,
    }
}

fn fault_of(budget: Duration, error: &wasmtime::Error) -> Fault {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.clone();
    }
    let raised = |message: String| Fault {
        cause: Cause::Raised,
        message,
    };
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Fault {
            cause: Cause::Timeout,
            message: format!("it took longer than {budget:?} and was stopped"),
        },
        Some(Trap::StackOverflow) => raised("its calls went too deep, the stack is used up".into()),
        Some(Trap::UnreachableCodeReached) => {
            raised("it gave up (unreachable: a panic or an abort of its language)".into())
        }
        Some(trap) => {
            let words = trap.to_string();
            raised(words.strip_prefix("wasm trap: ").unwrap_or(&words).into())
        }
        None => untyped(&error.root_cause().to_string()),
    }
}

/// What the engine says in words alone: a component's import that is not there, or data that its types do not allow.
fn untyped(words: &str) -> Fault {
    let missing = words
        .strip_prefix("unknown import: `")
        .and_then(|rest| rest.split('`').next());
    match missing {
        Some(import) => {
            let way = if import.starts_with("wasi:clocks/") {
                "add grants = [\"clock\"] to the plugin's section"
            } else if import.starts_with("wasi:random/") {
                "add grants = [\"random\"] to the plugin's section"
            } else {
                "a plugin has no files, network or processes of its own"
            };
            Fault {
                cause: Cause::Raised,
                message: format!("it calls {import}, which is not there: {way}"),
            }
        }
        None => Fault::answer(shortened(words.as_bytes())),
    }
}

/// `, in inner, called by outer`; nothing where the guest has no frames.
fn frames(error: &wasmtime::Error) -> String {
    let mut words = String::new();
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return words;
    };
    for (index, frame) in backtrace.frames().iter().take(FRAMES).enumerate() {
        words.push_str(if index == 0 { ", in " } else { ", called by " });
        match frame.func_name() {
            Some(name) => words.push_str(&shortened(plain(name).as_bytes())),
            None => {
                // Writing to a string does not fail.
                let _written = write!(words, "function {}", frame.func_index());
            }
        }
    }
    words
}

/// `core::panicking::panic` of `_ZN4core9panicking5panic17h0123456789abcdefE`; any other name as it is.
fn plain(name: &str) -> String {
    let parts = || {
        let mut rest = name.strip_prefix("_ZN")?.strip_suffix('E')?;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let len: usize = rest.get(..digits)?.parse().ok()?;
            let end = digits.checked_add(len)?;
            parts.push(rest.get(digits..end)?);
            rest = rest.get(end..)?;
        }
        // The last part is a hash.
        parts.pop();
        Some(parts.join("::"))
    };
    parts()
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mangled_names_read_as_paths() {
        for (name, expected) in [
            (
                "_ZN4core9panicking5panic17h0123456789abcdefE",
                "core::panicking::panic",
            ),
            ("hookmq_call", "hookmq_call"),
            ("_ZN", "_ZN"),
            ("_ZN99xE", "_ZN99xE"),
            ("_ZN18446744073709551616xE", "_ZN18446744073709551616xE"),
            ("_ZN18446744073709551615xE", "_ZN18446744073709551615xE"),
        ] {
            assert_eq!(plain(name), expected);
        }
    }
}
