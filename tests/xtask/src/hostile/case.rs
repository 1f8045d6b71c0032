//! Cases as their files list them: a comment before each, `case: NAME -> ENDINGS`. An ending is a cause of a plugin's failure, or
//! `answered` where the call may end well; several are parted by `|`.

use std::fs;
use std::time::Instant;

use serde_json::Value as Json;

use super::lab::{Broker, message, sources, text};
use super::peer::Peer;
use super::report::ms;
use crate::Outcome;

/// What begins a case.
const MARK: &str = "case: ";

/// One case of a file.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    endings: Vec<String>,
    /// The text behind it, up to the next one.
    pub(super) body: String,
}

/// What a failure counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnError {
    Deny,
    Pass,
}

impl OnError {
    /// One and the other in turn.
    pub(super) const fn of(at: usize) -> Self {
        if at.is_multiple_of(2) {
            Self::Deny
        } else {
            Self::Pass
        }
    }

    /// The word in the config.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Pass => "pass",
        }
    }
}

/// The cases of one of the fixtures' files.
///
/// # Errors
/// When it is not there, or lists none.
pub(super) fn cases(file: &str) -> Outcome<Vec<Case>> {
    let path = sources().join(file);
    let source =
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let cases = read(&source);
    if cases.is_empty() {
        return Err(format!("{} lists no case", path.display()).into());
    }
    Ok(cases)
}

fn read(source: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in source.lines() {
        let head = line
            .trim_start_matches(['-', ';', ' '])
            .strip_prefix(MARK)
            .and_then(|head| head.split_once(" -> "));
        if let Some((name, endings)) = head {
            cases.push(Case {
                name: name.trim().to_owned(),
                endings: endings.split('|').map(|word| word.trim().into()).collect(),
                body: String::new(),
            });
        } else if let Some(case) = cases.last_mut() {
            case.body.push_str(line);
            case.body.push('\n');
        }
    }
    cases
}

impl Case {
    /// Has the plugin of this name called by a message to this topic, and judges what comes of it.
    ///
    /// # Errors
    /// When the broker gives no answer at all.
    pub(super) fn try_out(
        &self,
        broker: &mut Broker<'_>,
        client: &mut Peer,
        plugin: &str,
        topic: &str,
        on_error: OnError,
    ) -> Outcome<(bool, String)> {
        let mark = broker.mark()?;
        let started = Instant::now();
        let answered = client.publish(topic, b"x")?;
        let took = ms(started.elapsed());
        let is_failure = |line: &Json| {
            text(line, "plugin") == plugin && message(line).starts_with("plugin failed")
        };
        let failure = broker.lines(mark, is_failure)?.pop();
        let ending = failure
            .as_ref()
            .map_or("answered", |line| text(line, "cause"));
        let as_said = match (&failure, on_error) {
            (None, _) => true,
            (Some(_), OnError::Deny) => answered.code == 0x83,
            (Some(_), OnError::Pass) => answered.code < 0x80,
        };
        let is_good = as_said && self.endings.iter().any(|known| known == ending);
        let words = failure
            .as_ref()
            .map_or(answered.words.as_str(), |line| message(line));
        let words = words.strip_prefix("plugin failed: ").unwrap_or(words);
        let verdict = on_error.word();
        let outcome = match ending {
            "answered" => format!("{took:.0} ms, answered {:#04x} {words}", answered.code),
            _ => format!("{took:.0} ms, {ending}, counts as {verdict}: {words}"),
        };
        let expected = self.endings.join(" or ");
        Ok(match (is_good, as_said) {
            (true, _) => (true, outcome),
            (false, true) => (false, format!("expected {expected}: {outcome}")),
            (false, false) => (
                false,
                format!("expected {verdict}, got {:#04x}: {outcome}", answered.code),
            ),
        })
    }
}

impl Case {
    /// Once more, judged by the answer alone: the broker's log says one line a second of each plugin's failures.
    ///
    /// # Errors
    /// When the broker gives no answer at all.
    pub(super) fn repeat(
        &self,
        client: &mut Peer,
        topic: &str,
        on_error: OnError,
    ) -> Outcome<(bool, String)> {
        let answered = client.publish(topic, b"x")?;
        let is_good = match on_error {
            _ if self.endings.iter().any(|ending| ending == "answered") => true,
            OnError::Deny => answered.code == 0x83,
            OnError::Pass => answered.code < 0x80,
        };
        let (took, verdict) = (ms(answered.took), on_error.word());
        Ok((
            is_good,
            format!(
                "once more: {took:.0} ms, expected {verdict}, got {:#04x}",
                answered.code
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_case_by_case() {
        let cases =
            read("head\n-- case: a b -> timeout\none\ntwo\n;; case: c -> memory | answered\n(x)\n");
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["a b", "c"]);
        assert_eq!(cases[0].body, "one\ntwo\n");
        assert_eq!(cases[1].endings, ["memory", "answered"]);
    }
}
