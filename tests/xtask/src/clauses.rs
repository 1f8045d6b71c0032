//! `cargo xtask clauses`: which normative statement is shown by which test.
//!
//! `tests/golden/clauses.toml` has every statement of both standards. Tests name the ones that they show: conversations
//! and packets in a list `clauses`, Rust tests in brackets in their comments. A statement that binds the Server needs a
//! test, or a reason why there can be none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Outcome;
use crate::process::root;

/// Folders with Rust sources, and what they hold of others is left out.
const SOURCES: [&str; 4] = ["core", "plugin-api", "tests", "examples"];

/// Tests shown on a line; `--all` shows every one.
const SHOWN: usize = 2;

/// What `cargo xtask clauses` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only clauses whose number contains this, such as `3.3.1` or `v3 MQTT-4`.
    filter: Option<String>,
    /// Every test of every clause.
    #[arg(long)]
    all: bool,
}

/// Prints the table.
///
/// # Errors
/// When a clause that binds the Server has neither test nor reason, or a tag names no clause.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let clauses = read_clauses()?;
    let tags = read_tags(&root())?;
    let tests = tags.by_clause(|tag| tag.test.as_ref());
    let filter = arguments.filter.as_deref().unwrap_or_default();
    for (id, clause) in clauses
        .iter()
        .filter(|(id, _)| id.to_string().contains(filter))
    {
        let named = tests
            .get(id)
            .map(|names| words(names, arguments.all))
            .unwrap_or_default();
        let shown = match (&clause.why, named.is_empty()) {
            (_, false) => named,
            (Some(why), true) => format!("no test: {why}"),
            (None, true) if clause.side == Side::Client => "binds the Client only".to_owned(),
            (None, true) => "NO TEST".to_owned(),
        };
        println!("{:<16} {:<6} {shown}", id.to_string(), clause.side.name());
    }
    print_totals(&clauses, &tests);
    let missing = uncovered(&clauses, &tests);
    for id in &missing {
        println!(
            "no test and no reason: {id} ({})",
            clauses
                .get(id)
                .map(|clause| clause.says.as_str())
                .unwrap_or_default()
        );
    }
    let unknown = tags.unknown(&clauses);
    for (id, place) in &unknown {
        println!("no such clause: {id} in {place}");
    }
    if missing.is_empty() && unknown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} clauses without a test, {} tags without a clause",
        missing.len(),
        unknown.len()
    )
    .into())
}

/// The number of a clause; ordered as the standards have them, 5.0 first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    is_v3: bool,
    section: Vec<u32>,
    number: u32,
}

impl Id {
    /// Reads `MQTT-3.3.1-5` or `v3 MQTT-3.3.1-5` from the front of a text, and nothing but that.
    fn at_front(text: &str) -> Option<(Self, usize)> {
        let (is_v3, rest) = match text.strip_prefix("v3 ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let rest = rest.strip_prefix("MQTT-")?;
        let len = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-')
            .unwrap_or(rest.len());
        let digits = rest[..len].trim_end_matches(['.', '-']);
        let (section, number) = digits.split_once('-')?;
        let section = section
            .split('.')
            .map(str::parse)
            .collect::<Result<Vec<u32>, _>>()
            .ok()?;
        let id = Self {
            is_v3,
            section,
            number: number.parse().ok()?,
        };
        Some((id, text.len() - rest.len() + digits.len()))
    }

    fn parse(text: &str) -> Option<Self> {
        Self::at_front(text)
            .filter(|(_, len)| *len == text.len())
            .map(|(id, _)| id)
    }

    /// Every clause that a text names.
    fn all_in(text: &str) -> Vec<Self> {
        let mut found = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("MQTT-") {
            let start = if rest[..at].ends_with("v3 ") {
                at - 3
            } else {
                at
            };
            let len = match Self::at_front(&rest[start..]) {
                Some((id, len)) => {
                    found.push(id);
                    len
                }
                None => at - start + 5,
            };
            rest = &rest[start + len..];
        }
        found
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let section: Vec<String> = self.section.iter().map(u32::to_string).collect();
        write!(
            out,
            "{}MQTT-{}-{}",
            if self.is_v3 { "v3 " } else { "" },
            section.join("."),
            self.number
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Server,
    Client,
    Both,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Both => "both",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Clause {
    side: Side,
    says: String,
    why: Option<String>,
}

type Clauses = BTreeMap<Id, Clause>;

fn read_clauses() -> Outcome<Clauses> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        v5: BTreeMap<String, Clause>,
        v3: BTreeMap<String, Clause>,
    }
    let path = root().join("tests/golden/clauses.toml");
    let file: File = toml::from_str(&fs::read_to_string(&path)?)?;
    let mut clauses = Clauses::new();
    for (prefix, rows) in [("", file.v5), ("v3 ", file.v3)] {
        for (number, clause) in rows {
            let id = Id::parse(&format!("{prefix}{number}"))
                .ok_or_else(|| format!("{}: {number} is no clause", path.display()))?;
            clauses.insert(id, clause);
        }
    }
    Ok(clauses)
}

/// A clause named somewhere.
struct Tag {
    id: Id,
    place: String,
    /// The test that names it; none for the code that obeys it.
    test: Option<String>,
}

struct Tags(Vec<Tag>);

impl Tags {
    fn by_clause<'t>(
        &'t self,
        name: impl Fn(&'t Tag) -> Option<&'t String>,
    ) -> BTreeMap<Id, BTreeSet<&'t str>> {
        let mut names: BTreeMap<Id, BTreeSet<&str>> = BTreeMap::new();
        for tag in &self.0 {
            if let Some(name) = name(tag) {
                names.entry(tag.id.clone()).or_default().insert(name);
            }
        }
        names
    }

    fn unknown(&self, clauses: &Clauses) -> BTreeSet<(Id, &str)> {
        self.0
            .iter()
            .filter(|tag| !clauses.contains_key(&tag.id))
            .map(|tag| (tag.id.clone(), tag.place.as_str()))
            .collect()
    }
}

fn read_tags(root: &Path) -> Outcome<Tags> {
    let mut tags = Vec::new();
    let golden = root.join("tests/golden");
    for path in files(&golden, "toml")? {
        if path.file_name().is_some_and(|name| name != "clauses.toml") {
            tags_of_table(&path, &golden, &mut tags)?;
        }
    }
    for folder in SOURCES
        .map(|folder| root.join(folder))
        .iter()
        .filter(|folder| folder.is_dir())
    {
        for path in files(folder, "rs")? {
            // This file speaks of clauses that do not exist.
            if !path.ends_with("xtask/src/clauses.rs") {
                tags_of_source(
                    &fs::read_to_string(&path)?,
                    &shorten(&path, root),
                    &mut tags,
                );
            }
        }
    }
    Ok(Tags(tags))
}

fn shorten(path: &Path, root: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

fn files(folder: &Path, ending: &str) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                found.extend(files(&path, ending)?);
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == ending)
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Any table of tests: a list of rows, each with a name and its clauses.
fn tags_of_table(path: &Path, folder: &Path, tags: &mut Vec<Tag>) -> Outcome {
    let file: toml::Table = toml::from_str(&fs::read_to_string(path)?)?;
    let file_name = shorten(path, folder);
    for row in file
        .values()
        .filter_map(toml::Value::as_array)
        .flatten()
        .filter_map(toml::Value::as_table)
    {
        let name = row
            .get("name")
            .and_then(toml::Value::as_str)
            .unwrap_or_default();
        let place = format!("{file_name}: {name}");
        for clause in row
            .get("clauses")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
        {
            let id = clause
                .as_str()
                .and_then(Id::parse)
                .ok_or_else(|| format!("{place}: {clause} is no clause"))?;
            tags.push(Tag {
                id,
                place: place.clone(),
                test: Some(place.clone()),
            });
        }
    }
    Ok(())
}

/// Clauses in the comments above a test and inside it belong to the test, all others to the code.
fn tags_of_source(text: &str, file: &str, tags: &mut Vec<Tag>) {
    let lines: Vec<&str> = text.lines().collect();
    let mut owners: Vec<Option<&str>> = vec![None; lines.len()];
    for (at, line) in lines.iter().enumerate() {
        let attribute = line.trim_start();
        if !(attribute.starts_with("#[test]") || attribute.starts_with("#[tokio::test")) {
            continue;
        }
        let indent = &line[..line.len() - attribute.len()];
        let above = lines[..at].iter().rev().take_while(|line| {
            line.trim_start().starts_with("//") || line.trim_start().starts_with("#[")
        });
        let first = at - above.count();
        let end = lines[at..]
            .iter()
            .position(|line| line.strip_prefix(indent) == Some("}"));
        let end = end.map_or(lines.len() - 1, |end| at + end);
        let name = lines[at..end]
            .iter()
            .find_map(|line| line.split_once("fn "))
            .and_then(|(_, rest)| rest.split('(').next());
        owners[first..=end].fill(name);
    }
    for (line, owner) in lines.iter().zip(owners) {
        for id in Id::all_in(line) {
            tags.push(Tag {
                id,
                place: file.to_owned(),
                test: owner.map(|name| format!("{file}: {name}")),
            });
        }
    }
}

fn words(names: &BTreeSet<&str>, all: bool) -> String {
    let shown: Vec<&str> = names
        .iter()
        .copied()
        .take(if all { usize::MAX } else { SHOWN })
        .collect();
    let more = names.len() - shown.len();
    let rest = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    shown.join("; ") + &rest
}

/// Clauses that need a test and have none.
fn uncovered(clauses: &Clauses, tests: &BTreeMap<Id, BTreeSet<&str>>) -> Vec<Id> {
    let needed = clauses
        .iter()
        .filter(|(_, clause)| clause.side != Side::Client && clause.why.is_none());
    needed
        .map(|(id, _)| id)
        .filter(|id| !tests.contains_key(id))
        .cloned()
        .collect()
}

fn print_totals(clauses: &Clauses, tests: &BTreeMap<Id, BTreeSet<&str>>) {
    println!();
    for (name, is_v3) in [("MQTT 5.0", false), ("MQTT 3.1.1", true)] {
        let of = |wanted: &dyn Fn(&Id, &Clause) -> bool| {
            clauses
                .iter()
                .filter(|(id, clause)| id.is_v3 == is_v3 && wanted(id, clause))
                .count()
        };
        println!(
            "{name}: {} clauses; {} shown by tests; {} of the Client's without one; {} that no test can show",
            of(&|_, _| true),
            of(&|id, _| tests.contains_key(id)),
            of(&|id, clause| !tests.contains_key(id)
                && clause.side == Side::Client
                && clause.why.is_none()),
            of(&|id, clause| !tests.contains_key(id) && clause.why.is_some()),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_form() {
        let found = Id::all_in(
            "[MQTT-3.3.4-1 partial], [v3 MQTT-3.3.1-3], \"MQTT-4.2-1\", MQTT-5.0 and [MQTT-1.2.3-4, MQTT-1.2.3-5].",
        );
        let shown: Vec<String> = found.iter().map(Id::to_string).collect();
        assert_eq!(
            shown,
            [
                "MQTT-3.3.4-1",
                "v3 MQTT-3.3.1-3",
                "MQTT-4.2-1",
                "MQTT-1.2.3-4",
                "MQTT-1.2.3-5"
            ]
        );
    }

    #[test]
    fn tags_belong_to_the_test_around_them() {
        let source = "//! [MQTT-1.0.0-1]\nfn code() {\n    // [MQTT-1.0.0-2]\n}\n\n/// [MQTT-1.0.0-3]\n#[test]\nfn shows() {\n    // [MQTT-1.0.0-4]\n}\n\n// [MQTT-1.0.0-5]\n";
        let mut tags = Vec::new();
        tags_of_source(source, "file.rs", &mut tags);
        let tests: Vec<Option<&str>> = tags.iter().map(|tag| tag.test.as_deref()).collect();
        assert_eq!(
            tests,
            [
                None,
                None,
                Some("file.rs: shows"),
                Some("file.rs: shows"),
                None
            ]
        );
    }

    #[test]
    fn both_standards_are_complete() {
        let clauses = read_clauses().expect("the list can be read");
        assert_eq!(clauses.keys().filter(|id| !id.is_v3).count(), 251);
        assert_eq!(clauses.keys().filter(|id| id.is_v3).count(), 141);
    }

    #[test]
    fn every_tag_names_a_clause() {
        let clauses = read_clauses().expect("the list can be read");
        let tags = read_tags(&root()).expect("sources can be read");
        let unknown = tags.unknown(&clauses);
        assert!(
            unknown.is_empty(),
            "{:?}",
            unknown
                .iter()
                .map(|(id, place)| format!("{id} in {place}"))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn every_clause_of_the_server_has_a_test_or_a_reason() {
        let clauses = read_clauses().expect("the list can be read");
        let tags = read_tags(&root()).expect("sources can be read");
        let missing = uncovered(&clauses, &tags.by_clause(|tag| tag.test.as_ref()));
        assert!(
            missing.is_empty(),
            "{:?}",
            missing.iter().map(Id::to_string).collect::<Vec<_>>()
        );
    }
}
