//! What a scenario found: figures with units, and whether every message came.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// Result of one scenario against one broker.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) title: String,
    pub(super) figures: Vec<Figure>,
    pub(super) counts: Counts,
}

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// Short name with the unit: `CPU us/msg`.
    pub(super) name: &'static str,
    pub(super) value: f64,
}

/// What was sent and what came, drained after the measured time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Deliveries that were due: messages sent times receivers.
    pub(super) expected: u64,
    pub(super) received: u64,
    /// Messages that came before an earlier one of the same publisher, or twice.
    pub(super) disordered: u64,
    /// Answers with an error.
    pub(super) refused: u64,
    /// Connections that ended, with the first reason.
    pub(super) failed: Option<String>,
}

impl Counts {
    /// Deliveries that never came.
    pub(super) fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// True if every message came once, in order, and nobody complained.
    pub(super) fn is_clean(&self) -> bool {
        self.expected == self.received
            && self.disordered == 0
            && self.refused == 0
            && self.failed.is_none()
    }
}

impl Outcome {
    pub(super) fn figure(&self, name: &str) -> Option<f64> {
        self.figures
            .iter()
            .find(|figure| figure.name == name)
            .map(|figure| figure.value)
    }

    /// Several lines for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.title);
        // Writing into a String cannot fail.
        for figure in &self.figures {
            let _ = writeln!(text, "  {:<18} {:>12}", figure.name, number(figure.value));
        }
        let _ = writeln!(text, "  {}", self.counts_text());
        text
    }

    /// `2000 sent, all received in order`, or what went wrong.
    pub(super) fn counts_text(&self) -> String {
        let counts = &self.counts;
        if counts.is_clean() {
            return match counts.expected {
                0 => "no messages".to_owned(),
                expected => format!("{expected} deliveries due, all received in order"),
            };
        }
        let mut text = format!(
            "{} deliveries due, {} received, {} lost, {} out of order, {} refused",
            counts.expected,
            counts.received,
            counts.lost(),
            counts.disordered,
            counts.refused
        );
        if let Some(failed) = &counts.failed {
            let _ = write!(text, ", {failed}");
        }
        text
    }

    /// One object for programs.
    pub(super) fn json(&self) -> Value {
        let figures: Map<String, Value> = self
            .figures
            .iter()
            .map(|figure| (figure.name.to_owned(), json!(figure.value)))
            .collect();
        json!({
            "scenario": self.title,
            "figures": figures,
            "expected": self.counts.expected,
            "received": self.counts.received,
            "lost": self.counts.lost(),
            "disordered": self.counts.disordered,
            "refused": self.counts.refused,
            "failed": self.counts.failed,
        })
    }
}

/// Three significant digits, large numbers with k and M.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 9_999_500.0 => format!("{:.1}M", value / 1e6),
        size if size >= 999_500.0 => format!("{:.2}M", value / 1e6),
        size if size >= 9_950.0 => format!("{:.0}k", value / 1e3),
        size if size >= 999.5 => format!("{:.1}k", value / 1e3),
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0.000"),
            (0.1564, "0.156"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1_234.0, "1.2k"),
            (12_340.0, "12k"),
            (999_400.0, "999k"),
            (1_234_000.0, "1.23M"),
            (12_340_000.0, "12.3M"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut outcome = Outcome {
            title: "p2p".to_owned(),
            figures: Vec::new(),
            counts: Counts::default(),
        };
        outcome.counts.expected = 10;
        outcome.counts.received = 10;
        assert_eq!(
            outcome.counts_text(),
            "10 deliveries due, all received in order"
        );
        outcome.counts.received = 7;
        outcome.counts.failed = Some("closed".to_owned());
        assert!(!outcome.counts.is_clean());
        assert_eq!(
            outcome.counts_text(),
            "10 deliveries due, 7 received, 3 lost, 0 out of order, 0 refused, closed"
        );
    }
}
