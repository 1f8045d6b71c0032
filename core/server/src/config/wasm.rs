//! `[wasm]`: where compiled WASM plugins are kept.

use std::path::{Path, PathBuf};

use super::document::{Content, Node};
use super::form::{Form, quoted};
use super::reader::Section;

/// Where compiled code is kept, so that a restart does not compile again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CompileCache {
    /// In the user's own folder for what can be made again, if there is one.
    Auto,
    /// Nowhere.
    Off,
    /// Here, and nobody else may write there: what is found is run.
    Folder(PathBuf),
}

impl CompileCache {
    /// Paths start at `folder`.
    pub(super) fn read(section: &mut Section<'_>, folder: &Path) -> Self {
        match section.get("cache", &Place, Self::Auto) {
            Self::Folder(path) => Self::Folder(folder.join(path)),
            word => word,
        }
    }

    /// The folder, which need not be there yet.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Auto => user_folder().map(|folder| folder.join("hookmq").join("wasm")),
            Self::Off => None,
            Self::Folder(folder) => Some(folder.clone()),
        }
    }
}

/// As the XDG base directory specification says: a path that is not absolute counts as none.
fn user_folder() -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
}

struct Place;

impl Form for Place {
    type Value = CompileCache;

    fn allowed(&self) -> String {
        "a folder, \"auto\" or \"off\"".to_owned()
    }

    fn read(&self, node: &Node) -> Result<CompileCache, String> {
        let (Content::Text(text) | Content::Raw(text)) = &node.content else {
            return Err(String::new());
        };
        match text.trim() {
            "" => Err(String::new()),
            "auto" => Ok(CompileCache::Auto),
            "off" => Ok(CompileCache::Off),
            path => Ok(CompileCache::Folder(PathBuf::from(path))),
        }
    }

    fn show(&self, value: &CompileCache) -> String {
        match value {
            CompileCache::Auto => quoted("auto"),
            CompileCache::Off => quoted("off"),
            CompileCache::Folder(folder) => quoted(&folder.display().to_string()),
        }
    }
}
