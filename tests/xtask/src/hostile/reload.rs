//! Files that change while messages flow: numbers 36 and 37.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::built::{Runtime, compile};
use super::bystander::Bystander;
use super::flow::Flow;
use super::lab::{Broker, Lab, SECRET, sources};
use super::peer::PATIENCE;
use super::report::{Section, mib};
use crate::Outcome;

/// A file that no plugin can be loaded from, and what is said about it.
struct Broken {
    runtime: Runtime,
    case: &'static str,
    /// `None` takes the file away.
    bytes: Option<Vec<u8>>,
    words: &'static str,
}

/// Number 36: every broken file while messages flow; what ran before runs on.
///
/// # Errors
/// When there is nothing to try it on.
pub(super) fn broken() -> Outcome<Section> {
    let mut section = Section::new("broken files", 256);
    let mut lab = Lab::new("broken")?;
    install(&mut lab, &Runtime::ALL)?;
    put(&lab, &Runtime::ALL, 'a')?;
    let mut broker = lab.start()?;
    let mut bystander = Bystander::start(broker.address())?;
    let flow = Flow::start(broker.address(), Runtime::ALL.map(Runtime::word).to_vec())?;
    // The same messages, and reloads of files that are whole.
    bystander.beside(|| {
        for generation in ['b', 'a'] {
            put(&lab, &Runtime::ALL, generation)?;
            broker.reload()?;
        }
        Ok(())
    })?;
    bystander.watch()?;
    for broken in all(&lab)? {
        let file = broken.runtime.file();
        match &broken.bytes {
            Some(bytes) => lab.put(&file, bytes)?,
            None => fs::remove_file(lab.folder().join(&file))?,
        }
        let said = broker.reload()?;
        let is_refused = said.starts_with("reload refused")
            && said.contains(&file)
            && said.contains(broken.words)
            && !said.contains(SECRET);
        let before = flow.n_received();
        let goes_on = goes_on(&broker, &flow, before);
        put(&lab, &[broken.runtime], 'a')?;
        let again = broker.reload()?;
        let why = said
            .lines()
            .find(|line| line.contains(&file))
            .unwrap_or(&said);
        section.row(
            36,
            broken.runtime.word(),
            broken.case,
            is_refused && goes_on && again.starts_with("reloaded: "),
            match (goes_on, again.starts_with("reloaded: ")) {
                (true, true) => format!("refused, the old one serves: {why}"),
                (false, _) => format!("messages stopped: {why}"),
                (true, false) => format!("not taken when mended: {again}"),
            },
        );
    }
    bystander.rest()?;
    let seen = flow.stop()?;
    section.row(
        36,
        "all",
        "messages meanwhile",
        seen.is_good(),
        seen.words(),
    );
    section.delays = Some(bystander.stop()?);
    section.is_alive = broker.is_alive();
    section.rss = Some(broker.rss());
    broker.stop()?;
    Ok(section)
}

/// Whether more messages come than were on their way.
fn goes_on(broker: &Broker<'_>, flow: &Flow, before: u64) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while flow.n_received() < before + 1_000 {
        if Instant::now() > deadline {
            return false;
        }
        thread::park_timeout(Duration::from_millis(1));
    }
    broker.is_alive()
}

fn all(lab: &Lab) -> Outcome<Vec<Broken>> {
    use Runtime::{Component, Lua, Module, Native};
    let part = |bytes: &[u8], of: usize| bytes.get(..bytes.len() / of).map(<[u8]>::to_vec);
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let source = fs::read(sources().join("lua/stamp.lua"))?;
    let (module, component) = (Module.bytes('a')?, Component.bytes('a')?);
    let library = Native.bytes('a')?;
    compile(lab, "tests/hostile/native/no_plugin.c", "no_plugin.so", &[])?;
    let foreign = |at: usize, value: u8| {
        let mut bytes = library.clone();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        Some(bytes)
    };
    // The number of the machine: of what this is not.
    let machine = if cfg!(target_arch = "aarch64") {
        62
    } else {
        183
    };
    let rows = [
        (
            Lua,
            "syntax error",
            text("local M = {}\nlocal x = = 1\nreturn M\n"),
            "lua.lua:2",
        ),
        (
            Lua,
            "error in the body",
            text("local M = nil\nM.x = 1\nreturn M\n"),
            "lua.lua:2",
        ),
        (
            Lua,
            "body without end",
            text("local x = 1\nwhile true do end\n"),
            "lua.lua:2",
        ),
        (Lua, "half written", part(&source, 2), ""),
        (Lua, "empty", text(""), ""),
        (Lua, "missing", None, ""),
        (
            Lua,
            "a link to a file of the system",
            text("return require('../../../../../../etc/passwd')"),
            "",
        ),
        (Module, "truncated", part(&module, 2), ""),
        (
            Module,
            "header alone",
            module.get(..8).map(<[u8]>::to_vec),
            "",
        ),
        (Module, "empty", text(""), ""),
        (Module, "text", text("no module at all"), ""),
        (Module, "a library in its place", Some(library.clone()), ""),
        (Module, "missing", None, ""),
        (Component, "truncated", part(&component, 2), ""),
        (
            Component,
            "last byte missing",
            component.get(..component.len() - 1).map(<[u8]>::to_vec),
            "",
        ),
        (Native, "truncated", part(&library, 2), ""),
        (
            Native,
            "header alone",
            library.get(..64).map(<[u8]>::to_vec),
            "",
        ),
        (Native, "another architecture", foreign(18, machine), ""),
        (Native, "32 bits", foreign(4, 1), ""),
        (Native, "empty", text(""), ""),
        (Native, "text", text("no library at all"), ""),
        (
            Native,
            "a library that is no plugin",
            Some(fs::read(lab.folder().join("no_plugin.so"))?),
            "hookmq_plugin_v1",
        ),
        (Native, "missing", None, ""),
    ];
    Ok(rows
        .into_iter()
        .map(|(runtime, case, bytes, words)| Broken {
            runtime,
            case,
            bytes,
            words,
        })
        .collect())
}

/// What is loaded again under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Scripts and both forms of WASM.
    Most,
    /// Native plugins, which are never unmapped: what was loaded before is used again.
    Native,
    /// Native plugins whose file is another one each time, which is paid for.
    NewNative,
}

/// Number 37: so many reloads under load.
///
/// # Errors
/// When there is nothing to try it on.
pub(super) fn under_load(again: Again, n_reloads: usize) -> Outcome<Section> {
    let (name, runtimes) = match again {
        Again::Most => ("reloads of scripts and wasm", &Runtime::ALL[..3]),
        Again::Native => ("reloads of native", &Runtime::ALL[3..]),
        Again::NewNative => ("reloads of native, all of them new", &Runtime::ALL[3..]),
    };
    // A library's code and data stay, megabytes each time.
    let may_grow = if again == Again::NewNative {
        1_024
    } else {
        192
    };
    let mut section = Section::new(name, may_grow);
    let mut lab = Lab::new(&name.replace([' ', ','], "-"))?;
    install(&mut lab, runtimes)?;
    put(&lab, runtimes, 'a')?;
    let mut broker = lab.start()?;
    let mut bystander = Bystander::start(broker.address())?;
    let stamps = runtimes.iter().map(|runtime| runtime.word()).collect();
    let flow = Flow::start(broker.address(), stamps)?;
    let files: Vec<(Runtime, [Vec<u8>; 2])> = runtimes
        .iter()
        .map(|runtime| Ok((*runtime, [runtime.bytes('b')?, runtime.bytes('a')?])))
        .collect::<Outcome<_>>()?;
    let mut n_refused = 0;
    let mut before = broker.rss_now();
    bystander.watch()?;
    let started = Instant::now();
    for at in 0..n_reloads {
        for (runtime, [odd, even]) in &files {
            let mut bytes = if at.is_multiple_of(2) { odd } else { even }.clone();
            if again == Again::NewNative {
                // What stands behind a library is nothing to the loader, and makes it another file.
                bytes.extend_from_slice(&at.to_le_bytes());
            }
            lab.put(&runtime.file(), &bytes)?;
        }
        n_refused += usize::from(!broker.reload()?.starts_with("reloaded: "));
        if at == n_reloads / 10 {
            // What is kept for later ones is made by the first ones.
            before = broker.rss_now();
        }
    }
    let took = started.elapsed();
    let after = broker.rss_now();
    bystander.rest()?;
    // The same messages, and no reload: what one takes of the processors and of the disk is taken here.
    let each = took / u32::try_from(n_reloads.max(1))?;
    bystander.beside(|| {
        let started = Instant::now();
        for (runtime, [bytes, _]) in &files {
            lab.put(&format!("{}.unused", runtime.file()), bytes)?;
        }
        while started.elapsed() < each {
            std::hint::spin_loop();
        }
        Ok(())
    })?;
    let seen = flow.stop()?;
    let grown = after.saturating_sub(before) as f64 / (n_reloads * 9 / 10).max(1) as f64;
    section.row(
        37,
        if runtimes.len() > 1 {
            "lua, wasm"
        } else {
            "native"
        },
        format!("{n_reloads} {name}"),
        seen.is_good() && n_refused == 0,
        format!(
            "{n_refused} refused, {:.0} ms each; {}; memory {} -> {}, {:.0} KiB each",
            took.as_secs_f64() * 1e3 / n_reloads.max(1) as f64,
            seen.words(),
            mib(before),
            mib(after),
            grown / 1024.0
        ),
    );
    section.delays = Some(bystander.stop()?);
    section.is_alive = broker.is_alive();
    section.rss = Some((broker.rss().0, after));
    section.rss_first = Some(before);
    broker.stop()?;
    Ok(section)
}

fn install(lab: &mut Lab, runtimes: &[Runtime]) -> Outcome {
    for runtime in runtimes {
        let grants = "\ngrants = [\"publish\"]\ntopics = [\"flow/#\"]\ntimeout = \"5s\"";
        lab.plugin(
            runtime.word(),
            &runtime.file(),
            &(runtime.config() + grants),
        );
    }
    Ok(())
}

fn put(lab: &Lab, runtimes: &[Runtime], generation: char) -> Outcome {
    for runtime in runtimes {
        lab.put(&runtime.file(), &runtime.bytes(generation)?)?;
    }
    Ok(())
}
