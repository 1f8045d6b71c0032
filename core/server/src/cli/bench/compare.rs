//! Several brokers in interleaved rounds, each freshly started, so that a noisy minute hits all of them alike.

use std::fmt::Write;
use std::str::FromStr;

use serde_json::json;

use super::args::BenchArgs;
use super::report::{Outcome, number};

/// A broker to compare: `NAME=PORT:COMMAND`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) command: String,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || "a peer is NAME=PORT:COMMAND".to_owned();
        let (name, rest) = text.split_once('=').ok_or_else(shape)?;
        let (port, command) = rest.split_once(':').ok_or_else(shape)?;
        let port = port
            .parse()
            .map_err(|_| format!("{port:?} is not a port; {}", shape()))?;
        if name.is_empty() || command.trim().is_empty() {
            return Err(shape());
        }
        Ok(Self {
            name: name.to_owned(),
            port,
            command: command.to_owned(),
        })
    }
}

/// The outcomes of one scenario: by peer, then by round.
pub(super) struct Comparison {
    pub(super) title: String,
    pub(super) rounds: Vec<(String, Vec<Result<Outcome, String>>)>,
}

impl Comparison {
    /// True if every round of every peer was clean.
    pub(super) fn is_clean(&self) -> bool {
        self.rounds
            .iter()
            .flat_map(|(_, outcomes)| outcomes)
            .all(|it| it.as_ref().is_ok_and(|it| it.counts.is_clean()))
    }

    /// A table in Markdown: medians, in brackets the ratio to the first peer, `~` where rounds differ by more than 15 %.
    pub(super) fn text(&self) -> String {
        let mut text = format!("\n| {} |", self.title);
        for (name, _) in &self.rounds {
            let _ = write!(text, " {name} |");
        }
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(self.rounds.len()));
        text.push('\n');
        for figure in self.figure_names() {
            let _ = write!(text, "| {figure} |");
            let first = self
                .rounds
                .first()
                .and_then(|(_, outcomes)| Median::of(figure, outcomes));
            for (_, outcomes) in &self.rounds {
                match Median::of(figure, outcomes) {
                    Some(median) => {
                        let ratio = first
                            .as_ref()
                            .map(|first| median.value / first.value)
                            .filter(|it| it.is_finite());
                        let _ = write!(text, " {}", number(median.value));
                        if let Some(ratio) = ratio {
                            let _ = write!(text, " ({ratio:.2})");
                        }
                        text.push_str(if median.is_noisy { "~ |" } else { " |" });
                    }
                    None => text.push_str(" - |"),
                }
            }
            text.push('\n');
        }
        for (name, outcomes) in &self.rounds {
            for (round, outcome) in outcomes.iter().enumerate() {
                match outcome {
                    Ok(outcome) if outcome.counts.is_clean() => {}
                    Ok(outcome) => drop(writeln!(
                        text,
                        "{name}, round {}: {}",
                        round + 1,
                        outcome.counts_text()
                    )),
                    Err(error) => drop(writeln!(text, "{name}, round {}: {error}", round + 1)),
                }
            }
        }
        text
    }

    /// Every round as an object.
    pub(super) fn json(&self) -> serde_json::Value {
        let peers: Vec<_> = self
            .rounds
            .iter()
            .map(|(name, outcomes)| {
                let rounds: Vec<_> = outcomes
                    .iter()
                    .map(|outcome| match outcome {
                        Ok(outcome) => outcome.json(),
                        Err(error) => json!({ "failed": error }),
                    })
                    .collect();
                json!({ "peer": name, "rounds": rounds })
            })
            .collect();
        json!({ "scenario": self.title, "peers": peers })
    }

    fn figure_names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for outcome in self
            .rounds
            .iter()
            .flat_map(|(_, outcomes)| outcomes)
            .flatten()
        {
            for figure in &outcome.figures {
                if !names.contains(&figure.name) {
                    names.push(figure.name);
                }
            }
        }
        names
    }
}

impl BenchArgs {
    /// The arguments for one peer of a comparison.
    pub(super) fn for_peer(&self, peer: &Peer) -> Self {
        Self {
            port: peer.port,
            spawn: Some(peer.command.clone()),
            ..self.clone()
        }
    }
}

struct Median {
    value: f64,
    is_noisy: bool,
}

impl Median {
    fn of(figure: &str, outcomes: &[Result<Outcome, String>]) -> Option<Self> {
        let mut values: Vec<f64> = outcomes
            .iter()
            .flatten()
            .filter_map(|outcome| outcome.figure(figure))
            .filter(|it| it.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        let (lowest, highest) = (values.first().copied()?, values.last().copied()?);
        let middle = values.len() / 2;
        let value = match values.len() % 2 {
            0 => f64::midpoint(*values.get(middle - 1)?, *values.get(middle)?),
            _ => *values.get(middle)?,
        };
        Some(Self {
            value,
            is_noisy: highest - lowest > 0.15 * value.abs(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::{Counts, Figure};
    use super::*;

    #[test]
    fn a_peer_is_name_port_and_command() {
        let peer: Peer = "mosquitto=1890:mosquitto -c /etc/a=b:c"
            .parse()
            .expect("valid");
        assert_eq!((peer.name.as_str(), peer.port), ("mosquitto", 1890));
        assert_eq!(peer.command, "mosquitto -c /etc/a=b:c");
        for bad in ["", "a", "a=1", "a=x:b", "=1:b", "a=1: "] {
            assert!(bad.parse::<Peer>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_table_has_medians_ratios_and_what_went_wrong() {
        let outcome = |value| {
            let figures = vec![Figure {
                name: "msg/s",
                value,
            }];
            Ok(Outcome {
                title: "p2p".to_owned(),
                figures,
                counts: Counts::default(),
            })
        };
        let mut lossy = outcome(200.0);
        if let Ok(lossy) = &mut lossy {
            lossy.counts.expected = 1;
        }
        let comparison = Comparison {
            title: "p2p".to_owned(),
            rounds: vec![
                (
                    "a".to_owned(),
                    vec![outcome(99.0), outcome(101.0), outcome(100.0)],
                ),
                (
                    "b".to_owned(),
                    vec![outcome(300.0), lossy, Err("gone".to_owned())],
                ),
            ],
        };
        assert!(!comparison.is_clean());
        assert_eq!(
            comparison.text(),
            "\n| p2p | a | b |\n|---|---|---|\n| msg/s | 100 (1.00) | 250 (2.50)~ |\n\
             b, round 2: 1 deliveries due, 0 received, 1 lost, 0 out of order, 0 refused\nb, round 3: gone\n"
        );
    }
}
