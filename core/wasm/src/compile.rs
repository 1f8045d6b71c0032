//! From a plugin's bytes to machine code: by the compiler, or from the cache where an earlier start left it.

use std::path::Path;
use std::sync::Arc;

#[cfg(unix)]
use hookmq_plugin_api::LogLevel;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

#[cfg(unix)]
use crate::cache::Cache;
use crate::component::forwarded;
use crate::file::{File, Kind};
use crate::state::Blueprint;

/// Machine code, ready to be linked.
pub(crate) enum Code {
    Module(Module),
    Component(Component),
}

/// Compiles, or takes what the cache has.
///
/// # Errors
/// What the compiler has against it.
pub(crate) fn compile(
    blueprint: &Arc<Blueprint>,
    file: &File,
    kind: Kind,
    bytes: &[u8],
) -> Result<Code, String> {
    let engine = &blueprint.engine.compiler;
    match &blueprint.settings.cache_folder {
        Some(folder) => through_cache(blueprint, folder, file, kind, bytes),
        None => compile_anew(engine, kind, bytes),
    }
}

/// Who may write a file is told in other ways there, so nothing is kept.
#[cfg(not(unix))]
fn through_cache(
    blueprint: &Arc<Blueprint>,
    _: &Path,
    _: &File,
    kind: Kind,
    bytes: &[u8],
) -> Result<Code, String> {
    compile_anew(&blueprint.engine.compiler, kind, bytes)
}

#[cfg(unix)]
fn through_cache(
    blueprint: &Arc<Blueprint>,
    folder: &Path,
    file: &File,
    kind: Kind,
    bytes: &[u8],
) -> Result<Code, String> {
    let engine = &blueprint.engine.compiler;
    let warn = |what: &str| {
        let words = format!("the compile cache {}: {what}", folder.display());
        blueprint
            .host
            .log(LogLevel::Warn, &blueprint.file, &words, &[]);
    };
    let cache = match Cache::open(folder) {
        Ok(cache) => cache,
        Err(why) => {
            warn(&format!("it is not used, {why}"));
            return compile_anew(engine, kind, bytes);
        }
    };
    let key = key(engine, kind, file);
    match cache.get(&key) {
        Ok(Some(entry)) => match restore(engine, kind, &entry) {
            Ok(code) => return Ok(code),
            Err(error) => warn(&format!("an entry is of no use, {error:#}")),
        },
        Ok(None) => {}
        Err(why) => warn(&format!("an entry is not used, {why}")),
    }
    let code = compile_anew(engine, kind, bytes)?;
    let stored = code
        .serialize()
        .map_err(|error| format!("{error:#}"))
        .and_then(|entry| cache.put(&key, &entry));
    if let Err(why) = stored {
        warn(&format!("nothing was stored, {why}"));
    }
    Ok(code)
}

fn compile_anew(engine: &Engine, kind: Kind, bytes: &[u8]) -> Result<Code, String> {
    match kind {
        Kind::Module => Module::from_binary(engine, bytes).map(Code::Module),
        Kind::Component => {
            let forwarded = forwarded(bytes);
            let bytes = forwarded.as_deref().unwrap_or(bytes);
            Component::from_binary(engine, bytes).map(Code::Component)
        }
    }
    .map_err(|error| format!("it does not compile: {error:#}"))
}

/// One more when the broker itself makes something else of a file than before.
#[cfg(unix)]
const REVISION: u8 = 1;

/// What an entry depends on: the file, its kind, what the broker makes of it, and everything of the engine that shapes the code: version,
/// settings, processor.
#[cfg(unix)]
fn key(engine: &Engine, kind: Kind, file: &File) -> [u8; 32] {
    use std::hash::Hash as _;
    let mut hasher = crate::cache::KeyHasher::default();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    [kind as u8, REVISION].hash(&mut hasher);
    file.hash.hash(&mut hasher);
    hasher.key()
}

/// Machine code of an entry that the cache vouches for. To compile takes a second per megabyte and more, this takes milliseconds.
#[cfg(unix)]
#[expect(unsafe_code, reason = "the one call that runs what is in a file")]
fn restore(engine: &Engine, kind: Kind, entry: &[u8]) -> wasmtime::Result<Code> {
    // SAFETY: what is deserialized runs as it is, so it must be what `Code::serialize` gave. Only the broker's own user can write the
    // folder and the file, the entry's checksum holds, and its key is of this very engine, kind and plugin: all checked by `Cache`.
    unsafe {
        match kind {
            Kind::Module => Module::deserialize(engine, entry).map(Code::Module),
            Kind::Component => Component::deserialize(engine, entry).map(Code::Component),
        }
    }
}

#[cfg(unix)]
impl Code {
    fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        match self {
            Self::Module(module) => module.serialize(),
            Self::Component(component) => component.serialize(),
        }
    }
}
