//! What the drivers say, line by line, and the table that is made of it.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::fs;

use serde::Deserialize;

use super::clients::Client;
use crate::Outcome;
use crate::process::root;

/// One thing that every client shows.
pub(super) struct Scenario {
    /// A word, as the drivers say it.
    pub(super) name: String,
    /// The versions of the protocol in which it is shown.
    pub(super) versions: Vec<String>,
}

impl Scenario {
    /// The list in `tests/foreign/scenarios.txt`, or one of it.
    ///
    /// # Errors
    /// When the file cannot be read, or has no such scenario.
    pub(super) fn read_all(only: Option<&str>) -> Outcome<Vec<Self>> {
        let text = fs::read_to_string(root().join("tests/foreign/scenarios.txt"))?;
        let scenarios: Vec<Self> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let name = words.next()?.to_owned();
                let versions = words.next()?.split(',').map(str::to_owned).collect();
                Some(Self { name, versions })
            })
            .filter(|scenario| only.is_none_or(|only| only == scenario.name))
            .collect();
        if scenarios.is_empty() {
            Err("scenarios.txt has no such scenario".into())
        } else {
            Ok(scenarios)
        }
    }
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// The broker did what it should.
    Pass,
    /// It did not.
    Fail,
    /// The client has no means to try; the detail says what it lacks.
    Skip,
}

/// One scenario, by one client, in one version.
pub(super) struct Check {
    client: Client,
    said: Said,
}

#[derive(Deserialize)]
struct Said {
    scenario: String,
    version: String,
    verdict: Verdict,
    #[serde(default)]
    milliseconds: u64,
    #[serde(default)]
    detail: String,
}

impl Check {
    /// What a driver said; nothing if the line is not of that form.
    pub(super) fn parse(client: Client, line: &str) -> Option<Self> {
        serde_json::from_str(line)
            .ok()
            .map(|said| Self { client, said })
    }

    /// A check that failed without the driver's word.
    pub(super) fn failed(client: Client, scenario: &str, version: &str, why: &str) -> Self {
        let said = Said {
            scenario: scenario.to_owned(),
            version: version.to_owned(),
            verdict: Verdict::Fail,
            milliseconds: 0,
            detail: why.to_owned(),
        };
        Self { client, said }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Said {
            scenario,
            version,
            verdict,
            milliseconds,
            detail,
        } = &self.said;
        let word = match verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::Skip => "skip",
        };
        write!(
            out,
            "{word}  {:9}  {version:5}  {scenario:12}",
            self.client.name()
        )?;
        if *verdict != Verdict::Skip {
            write!(out, "{milliseconds:6} ms")?;
        }
        if detail.is_empty() {
            Ok(())
        } else {
            write!(out, "  {}", detail.replace('\n', "\n        "))
        }
    }
}

/// Every check of a run.
#[derive(Default)]
pub(super) struct Report {
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn enter(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// How a check went; the worst, if a driver spoke twice.
    pub(super) fn verdict(&self, client: Client, scenario: &str, version: &str) -> Option<Verdict> {
        let mut verdicts = self
            .checks
            .iter()
            .filter(|check| {
                check.client == client
                    && check.said.scenario == scenario
                    && check.said.version == version
            })
            .map(|check| check.said.verdict);
        let first = verdicts.next()?;
        Some(
            verdicts
                .find(|verdict| *verdict == Verdict::Fail)
                .unwrap_or(first),
        )
    }

    /// Whether a client has a check with this verdict.
    pub(super) fn any(&self, client: Client, verdict: Verdict) -> bool {
        self.checks
            .iter()
            .any(|check| check.client == client && check.said.verdict == verdict)
    }

    pub(super) fn failed(&self) -> usize {
        self.count(Verdict::Fail)
    }

    /// The line that says how all went. `more` is a failure that is no check of a client.
    pub(super) fn closing_line(&self, more: bool) -> String {
        let failed = self.failed() + usize::from(more);
        format!(
            "{} passed, {failed} failed, {} skipped",
            self.count(Verdict::Pass),
            self.count(Verdict::Skip)
        )
    }

    /// Scenarios by clients and versions, then why checks failed or were skipped.
    pub(super) fn table(&self, scenarios: &[Scenario]) -> String {
        let clients: Vec<Client> = Client::ALL
            .into_iter()
            .filter(|client| self.checks.iter().any(|check| check.client == *client))
            .collect();
        let mut text = format!("{:12}", "");
        for client in &clients {
            let _ = write!(text, "  {:^12}", client.name());
        }
        let _ = write!(text, "\n{:12}", "");
        for _ in &clients {
            let _ = write!(text, "  3.1.1  {:^5}", "5.0");
        }
        for scenario in scenarios {
            let _ = write!(text, "\n{:12}", scenario.name);
            for client in &clients {
                for version in ["3.1.1", "5.0"] {
                    let cell = match self.verdict(*client, &scenario.name, version) {
                        Some(Verdict::Pass) => "ok",
                        Some(Verdict::Fail) => "FAIL",
                        Some(Verdict::Skip) => "-",
                        None => "",
                    };
                    let _ = write!(text, "  {cell:^5}");
                }
            }
        }
        let mut text: String = text
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect();
        let reasons: BTreeSet<String> = self
            .checks
            .iter()
            .filter(|check| check.said.verdict != Verdict::Pass)
            .map(|check| format!("{check}\n"))
            .collect();
        text.extend(reasons);
        text
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.checks
            .iter()
            .filter(|check| check.said.verdict == verdict)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(verdict: &str) -> Check {
        let line = format!(
            r#"{{"scenario": "will", "version": "5.0", "verdict": "{verdict}", "detail": "why"}}"#
        );
        Check::parse(Client::Paho, &line).expect("a check")
    }

    #[test]
    fn a_line_that_is_no_check_is_noise() {
        for line in [
            "",
            "Traceback",
            "{}",
            r#"{"scenario": "will", "version": "5.0", "verdict": "maybe"}"#,
        ] {
            assert!(Check::parse(Client::Paho, line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_failure_outweighs_what_was_said_before_it() {
        let mut report = Report::default();
        assert_eq!(report.verdict(Client::Paho, "will", "5.0"), None);
        report.enter(said("pass"));
        assert_eq!(
            report.verdict(Client::Paho, "will", "5.0"),
            Some(Verdict::Pass)
        );
        report.enter(said("fail"));
        assert_eq!(
            report.verdict(Client::Paho, "will", "5.0"),
            Some(Verdict::Fail)
        );
        assert_eq!(report.verdict(Client::Mqttjs, "will", "5.0"), None);
        assert_eq!(report.closing_line(true), "1 passed, 2 failed, 0 skipped");
    }

    #[test]
    fn the_table_has_a_cell_for_each_client_and_version_and_the_reasons_below() {
        let mut report = Report::default();
        report.enter(said("skip"));
        let scenarios = [Scenario {
            name: "will".to_owned(),
            versions: vec!["5.0".to_owned()],
        }];
        let table = report.table(&scenarios);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0].trim(), "paho-mqtt");
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>(),
            ["3.1.1", "5.0"]
        );
        assert_eq!(
            lines[2].split_whitespace().collect::<Vec<_>>(),
            ["will", "-"]
        );
        assert_eq!(lines[3], "skip  paho-mqtt  5.0    will          why");
    }

    #[test]
    fn the_list_of_scenarios_is_whole() {
        let all = Scenario::read_all(None).expect("the list is read");
        assert!(all.len() >= 20, "{}", all.len());
        assert!(all.iter().all(|scenario| {
            scenario
                .versions
                .iter()
                .all(|version| version == "3.1.1" || version == "5.0")
        }));
        assert!(Scenario::read_all(Some("no such")).is_err());
    }
}
