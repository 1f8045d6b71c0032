//! The files that a script is made of: read once at load, so that every VM of it, made when and where ever, runs the same text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::outline::Outline;

/// Longest source file.
const MAX_SOURCE: u64 = 1024 * 1024;
/// Most files of one script.
const MAX_FILES: usize = 64;

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) text: String,
    pub(crate) outline: Outline,
}

/// The files of one script, by name relative to its folder.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The script's folder, with symbolic links resolved.
    folder: PathBuf,
    main: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Arc<Source>>,
    is_sealed: bool,
}

impl Sources {
    /// With the main file read.
    ///
    /// # Errors
    /// In words: it cannot be read, is too large, or is not UTF-8.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let main = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or("the path has no file name")?
            .to_owned();
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = fs::canonicalize(folder).map_err(|error| error.to_string())?;
        let sources = Self {
            folder,
            main,
            state: Mutex::default(),
        };
        sources.read(&sources.main, &sources.folder.join(&sources.main))?;
        Ok(sources)
    }

    pub(crate) fn main(&self) -> &str {
        &self.main
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Source>> {
        self.state.lock().files.get(name).cloned()
    }

    /// Whether every file on disk still has the text that was read.
    pub(crate) fn are_current(&self) -> bool {
        let state = self.state.lock();
        state.files.iter().all(|(name, source)| {
            fs::read_to_string(self.folder.join(name)).is_ok_and(|text| text == source.text)
        })
    }

    /// The paths of all files, for whoever watches them.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let state = self.state.lock();
        state
            .files
            .keys()
            .map(|name| self.folder.join(name))
            .collect()
    }

    /// All files by name, the main one first.
    pub(crate) fn all(&self) -> Vec<(String, Arc<Source>)> {
        let state = self.state.lock();
        let mut all: Vec<_> = state
            .files
            .iter()
            .map(|(name, source)| (name.clone(), Arc::clone(source)))
            .collect();
        all.sort_by_key(|(name, _)| *name != self.main);
        all
    }

    /// From now on nothing is read from disk.
    pub(crate) fn seal(&self) {
        self.state.lock().is_sealed = true;
    }

    /// A file by what a script gave to `require`: its name in the folder, and its text.
    ///
    /// # Errors
    /// In words for the script's author.
    pub(crate) fn require(&self, wanted: &str) -> Result<(String, Arc<Source>), String> {
        let name = self.resolve(wanted)?;
        if let Some(source) = self.get(&name) {
            return Ok((name, source));
        }
        if self.state.lock().is_sealed {
            return Err(format!(
                "require(\"{wanted}\"): files are read when the script is loaded; require it at the top of the script"
            ));
        }
        let source = self
            .read(&name, &self.folder.join(&name))
            .map_err(|why| format!("require(\"{wanted}\"): {name}: {why}"))?;
        Ok((name, source))
    }

    /// `lib/rules` and `./lib/rules.lua` are `lib/rules.lua`; nothing leaves the folder.
    fn resolve(&self, wanted: &str) -> Result<String, String> {
        let refuse = |why: &str| {
            Err(format!(
                "require(\"{wanted}\"): {why}; write it relative to the script's folder, as in require(\"lib/rules\")"
            ))
        };
        let mut parts = Vec::new();
        for part in Path::new(wanted).components() {
            match part {
                Component::CurDir => {}
                Component::Normal(part) => match part.to_str() {
                    Some(part) => parts.push(part),
                    None => return refuse("the name is not UTF-8"),
                },
                Component::ParentDir => return refuse("the path leaves the script's folder"),
                Component::RootDir | Component::Prefix(_) => return refuse("the path is absolute"),
            }
        }
        if parts.is_empty() || wanted.contains(['\\', '\0']) {
            return refuse("not a path");
        }
        let mut name = parts.join("/");
        if !name.ends_with(".lua") && !name.ends_with(".luau") {
            name.push_str(".lua");
        }
        if self.get(&name).is_some() {
            return Ok(name);
        }
        let path = fs::canonicalize(self.folder.join(&name))
            .map_err(|error| format!("require(\"{wanted}\"): {name}: {error}"))?;
        if !path.starts_with(&self.folder) {
            return refuse("a symbolic link leaves the script's folder");
        }
        Ok(name)
    }

    fn read(&self, name: &str, path: &Path) -> Result<Arc<Source>, String> {
        let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
        if size > MAX_SOURCE {
            return Err(format!("{size} bytes; a script may have {MAX_SOURCE}"));
        }
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let source = Arc::new(Source {
            outline: Outline::of(&text),
            text,
        });
        let mut state = self.state.lock();
        if state.files.len() >= MAX_FILES {
            return Err(format!("a script may have {MAX_FILES} files"));
        }
        state.files.insert(name.to_owned(), Arc::clone(&source));
        Ok(source)
    }
}
