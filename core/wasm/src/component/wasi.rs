//! What is there of WASI, for the languages whose runtime asks for it before any plugin code runs: an environment that is empty, no files,
//! output that goes to the log, and clocks and random bytes if they are granted. All the rest ends the call that uses it, by name.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hookmq_plugin_api::{Cause, Grant, Grants, LogLevel};
use wasmtime::component::{ComponentType, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};

use super::host::{line, random_bytes, random_number};
use crate::error::{Fault, MAX_TEXT};
use crate::state::State;

type Store<'a> = StoreContextMut<'a, State>;
type Linker<'a> = LinkerInstance<'a, State>;

/// The resources that functions of this module name. Handles are numbers, nothing is behind them.
enum Output {}
enum Input {}
enum IoError {}
enum TerminalInput {}
enum TerminalOutput {}
enum Descriptor {}

/// The handles of the two outputs.
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// `stream-error`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "writing to the log does not fail")]
    Failed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// `datetime`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct DateTime {
    seconds: u64,
    nanoseconds: u32,
}

/// Links a resource: it must be of the same type in every interface that names it.
pub(super) fn link_resource(linker: &mut Linker<'_>, name: &str) -> Result<()> {
    let kind = match name {
        "output-stream" => ResourceType::host::<Output>(),
        "input-stream" => ResourceType::host::<Input>(),
        "error" => ResourceType::host::<IoError>(),
        "terminal-input" => ResourceType::host::<TerminalInput>(),
        "terminal-output" => ResourceType::host::<TerminalOutput>(),
        "descriptor" => ResourceType::host::<Descriptor>(),
        // No function here names it, so it may be of any type.
        _ => return Ok(()),
    };
    linker.resource(name, kind, |_, _| Ok(()))
}

/// Links what there is of an interface, given without `wasi:` and version. Its resources are linked already.
pub(super) fn link(linker: &mut Linker<'_>, interface: &str, grants: Grants) -> Result<()> {
    match interface {
        "cli/environment" => environment(linker),
        "cli/exit" => linker.func_wrap("exit", |_: Store<'_>, (how,): (Result<(), ()>,)| {
            exit(how.is_ok())
        }),
        "cli/stdin" => linker.func_wrap("get-stdin", |_: Store<'_>, (): ()| {
            Ok((Resource::<Input>::new_own(0),))
        }),
        "cli/stdout" => linker.func_wrap("get-stdout", |_: Store<'_>, (): ()| {
            Ok((Resource::<Output>::new_own(STDOUT),))
        }),
        "cli/stderr" => linker.func_wrap("get-stderr", |_: Store<'_>, (): ()| {
            Ok((Resource::<Output>::new_own(STDERR),))
        }),
        "cli/terminal-stdin" => linker.func_wrap("get-terminal-stdin", |_: Store<'_>, (): ()| {
            Ok((None::<Resource<TerminalInput>>,))
        }),
        "cli/terminal-stdout" => no_terminal(linker, "get-terminal-stdout"),
        "cli/terminal-stderr" => no_terminal(linker, "get-terminal-stderr"),
        "filesystem/preopens" => linker.func_wrap("get-directories", |_: Store<'_>, (): ()| {
            Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
        }),
        "io/streams" => streams(linker),
        "clocks/wall-clock" if grants.has(Grant::Clock) => wall_clock(linker),
        "clocks/monotonic-clock" if grants.has(Grant::Clock) => monotonic_clock(linker),
        "random/random" if grants.has(Grant::Random) => {
            random(linker, ["get-random-bytes", "get-random-u64"])
        }
        "random/insecure" if grants.has(Grant::Random) => random(
            linker,
            ["get-insecure-random-bytes", "get-insecure-random-u64"],
        ),
        "random/insecure-seed" if grants.has(Grant::Random) => linker
            .func_wrap("insecure-seed", |_: Store<'_>, (): ()| {
                Ok(((random_number()?, random_number()?),))
            }),
        _ => Ok(()),
    }
}

fn environment(linker: &mut Linker<'_>) -> Result<()> {
    linker.func_wrap("get-environment", |_: Store<'_>, (): ()| {
        Ok((Vec::<(String, String)>::new(),))
    })?;
    linker.func_wrap("get-arguments", |_: Store<'_>, (): ()| {
        Ok((Vec::<String>::new(),))
    })?;
    linker.func_wrap("initial-cwd", |_: Store<'_>, (): ()| Ok((None::<String>,)))
}

fn no_terminal(linker: &mut Linker<'_>, name: &str) -> Result<()> {
    linker.func_wrap(name, |_: Store<'_>, (): ()| {
        Ok((None::<Resource<TerminalOutput>>,))
    })
}

fn exit(is_well: bool) -> Result<()> {
    let how = if is_well { "well" } else { "with a failure" };
    Err(wasmtime::Error::new(Fault {
        cause: Cause::Raised,
        message: format!("it ended itself (exit, {how})"),
    }))
}

fn streams(linker: &mut Linker<'_>) -> Result<()> {
    linker.func_wrap(
        "[method]output-stream.check-write",
        |_: Store<'_>, (_,): (Resource<Output>,)| Ok((Ok::<u64, StreamError>(MAX_TEXT as u64),)),
    )?;
    for name in [
        "[method]output-stream.write",
        "[method]output-stream.blocking-write-and-flush",
    ] {
        linker.func_wrap(
            name,
            |mut store: Store<'_>, (stream, bytes): (Resource<Output>, Vec<u8>)| {
                write(store.data_mut(), stream.rep(), &bytes);
                Ok((Ok::<(), StreamError>(()),))
            },
        )?;
    }
    for name in [
        "[method]output-stream.flush",
        "[method]output-stream.blocking-flush",
    ] {
        linker.func_wrap(name, |_: Store<'_>, (_,): (Resource<Output>,)| {
            Ok((Ok::<(), StreamError>(()),))
        })?;
    }
    for name in [
        "[method]input-stream.read",
        "[method]input-stream.blocking-read",
    ] {
        linker.func_wrap(name, |_: Store<'_>, _: (Resource<Input>, u64)| {
            Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
        })?;
    }
    Ok(())
}

/// Whole lines go to the log; the rest waits for its end, or for a line's worth of it.
fn write(state: &mut State, stream: u32, bytes: &[u8]) {
    let level = if stream == STDERR {
        LogLevel::Warn
    } else {
        LogLevel::Info
    };
    let mut pending = std::mem::take(if stream == STDERR {
        &mut state.stderr
    } else {
        &mut state.stdout
    });
    for part in bytes.split_inclusive(|byte| *byte == b'\n') {
        let room = MAX_TEXT.saturating_sub(pending.len());
        pending.extend(part.iter().take(room));
        if pending.ends_with(b"\n") || pending.len() >= MAX_TEXT {
            let text = String::from_utf8_lossy(&pending);
            line(state, level, text.trim_end());
            pending.clear();
        }
    }
    if stream == STDERR {
        state.stderr = pending;
    } else {
        state.stdout = pending;
    }
}

fn wall_clock(linker: &mut Linker<'_>) -> Result<()> {
    linker.func_wrap("now", |_: Store<'_>, (): ()| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok((DateTime {
            seconds: since.as_secs(),
            nanoseconds: since.subsec_nanos(),
        },))
    })?;
    linker.func_wrap("resolution", |_: Store<'_>, (): ()| {
        Ok((DateTime {
            seconds: 0,
            nanoseconds: 1,
        },))
    })
}

fn monotonic_clock(linker: &mut Linker<'_>) -> Result<()> {
    let started = Instant::now();
    linker.func_wrap("now", move |_: Store<'_>, (): ()| {
        Ok((u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),))
    })?;
    linker.func_wrap("resolution", |_: Store<'_>, (): ()| Ok((1_u64,)))
}

fn random(linker: &mut Linker<'_>, [bytes, number]: [&str; 2]) -> Result<()> {
    linker.func_wrap(bytes, |_: Store<'_>, (len,): (u64,)| {
        Ok((random_bytes(len)?,))
    })?;
    linker.func_wrap(number, |_: Store<'_>, (): ()| Ok((random_number()?,)))
}
