//! A conversation as it stands in a table, and the reading of whole files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::step::{self, Step};

/// The protocol version that a conversation is held in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.0.
    V5,
}

impl Version {
    /// `3.1.1` or `5`, as tables write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V311 => "3.1.1",
            Self::V5 => "5",
        }
    }

    /// The version with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::V311, Self::V5]
            .into_iter()
            .find(|version| version.name() == name)
    }
}

/// One conversation.
#[derive(Debug, Clone)]
pub struct Flow {
    /// The chapter: the name of the file without its ending.
    pub chapter: String,
    /// What it shows, as a sentence.
    pub name: String,
    /// The versions that it is held in.
    pub versions: Vec<Version>,
    /// The clauses that it shows: `MQTT-3.3.1-5`, or `v3 MQTT-3.3.1-5`.
    pub clauses: Vec<String>,
    /// Settings of the broker other than the defaults, by key.
    pub settings: BTreeMap<String, toml::Value>,
    /// Why other brokers may answer differently and rightly; it is only held with our own then.
    pub ours: Option<String>,
    /// What is said, in order.
    pub steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    flow: Vec<RawFlow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFlow {
    name: String,
    versions: Vec<String>,
    clauses: Vec<String>,
    #[serde(default)]
    settings: BTreeMap<String, toml::Value>,
    ours: Option<String>,
    steps: toml::Spanned<String>,
}

/// The folder with the tables.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/flows")
}

/// Every conversation of every table, in the order of file names.
///
/// # Errors
/// A sentence with file, line and what is wrong there.
pub fn load_all() -> Result<Vec<Flow>, String> {
    let folder = folder();
    let entries =
        std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    let mut flows = Vec::new();
    for file in files {
        let chapter = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        flows.extend(parse(&chapter, &text)?);
    }
    Ok(flows)
}

/// The conversations of one table.
///
/// # Errors
/// A sentence with file, line and what is wrong there.
pub fn parse(chapter: &str, text: &str) -> Result<Vec<Flow>, String> {
    let file: RawFile = toml::from_str(text).map_err(|error| format!("{chapter}.toml: {error}"))?;
    let mut names = std::collections::BTreeSet::new();
    file.flow
        .into_iter()
        .map(|raw| {
            // The text of the steps begins behind its three quotation marks, on the line that has them.
            let line = text
                .get(..raw.steps.span().start)
                .unwrap_or_default()
                .matches('\n')
                .count()
                + 1;
            let at = |line: usize, what: &str| format!("{chapter}.toml:{line}: {what}");
            if !names.insert(raw.name.clone()) {
                return Err(at(
                    line,
                    &format!("a second conversation is named {:?}", raw.name),
                ));
            }
            let versions = raw.versions.iter().map(|name| {
                Version::from_name(name)
                    .ok_or_else(|| at(line, &format!("versions are 3.1.1 and 5, not {name}")))
            });
            let steps = text
                .get(raw.steps.span())
                .filter(|literal| literal.starts_with("'''\n") || literal.starts_with("\"\"\"\n"))
                .map(|_| line + 1)
                .ok_or_else(|| {
                    at(
                        line,
                        "steps stand between ''' and ''', each on a line of its own",
                    )
                })
                .and_then(|first| {
                    step::parse(raw.steps.get_ref(), first).map_err(|(line, what)| at(line, &what))
                })?;
            Ok(Flow {
                chapter: chapter.to_owned(),
                name: raw.name,
                versions: versions.collect::<Result<_, _>>()?,
                clauses: raw.clauses,
                settings: raw.settings,
                ours: raw.ours,
                steps,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_line() {
        let table = "[[flow]]\nname = \"x\"\nversions = [\"5\"]\nclauses = []\nsteps = '''\nA connects\nA< WHAT\n'''\n";
        let error = parse("chapter", table).expect_err("there is no such packet");
        assert!(error.starts_with("chapter.toml:7: "), "{error}");
    }

    #[test]
    fn every_table_can_be_read() {
        let flows = load_all().expect("tables are well formed");
        assert!(!flows.is_empty());
        for flow in flows {
            assert!(!flow.versions.is_empty(), "{}: {}", flow.chapter, flow.name);
            let numbered = flow.clauses.iter().all(|clause| {
                clause
                    .strip_prefix("v3 ")
                    .unwrap_or(clause)
                    .starts_with("MQTT-")
            });
            assert!(
                numbered,
                "{}: {}: {:?}",
                flow.chapter, flow.name, flow.clauses
            );
        }
    }
}
