//! What came of each case, and the table that shows it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::bystander::Delays;

/// One case.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Of `ecosystem.md`'s list of tests: 28 to 40.
    pub(super) number: u8,
    pub(super) runtime: &'static str,
    pub(super) case: String,
    /// What happened.
    pub(super) outcome: String,
    pub(super) is_good: bool,
}

/// Cases that one broker was tried with.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) rows: Vec<Row>,
    pub(super) is_alive: bool,
    pub(super) delays: Option<Delays>,
    /// Bytes resident before and after.
    pub(super) rss: Option<(u64, u64)>,
    /// Bytes resident after the first round, where there are several: more in the last one is more with every round.
    pub(super) rss_first: Option<u64>,
    /// Bytes that it may have grown by.
    pub(super) may_grow: u64,
    pub(super) took: Duration,
}

impl Section {
    /// Nothing tried yet. Memory may grow by so many MiB: generous, since allocators keep what they had.
    pub(super) fn new(name: &'static str, may_grow_mib: u64) -> Self {
        Self {
            name,
            may_grow: may_grow_mib << 20,
            ..Self::default()
        }
    }

    /// One more case.
    pub(super) fn row(
        &mut self,
        number: u8,
        runtime: &'static str,
        case: impl Into<String>,
        is_good: bool,
        outcome: impl Into<String>,
    ) {
        self.rows.push(Row {
            number,
            runtime,
            case: case.into(),
            outcome: outcome.into(),
            is_good,
        });
    }

    /// What is wrong, if anything.
    pub(super) fn flaws(&self) -> Vec<String> {
        let mut flaws: Vec<String> = self
            .rows
            .iter()
            .filter(|row| !row.is_good)
            .map(|row| {
                format!(
                    "{} {} {}: {}",
                    row.number, row.runtime, row.case, row.outcome
                )
            })
            .collect();
        if !self.is_alive {
            flaws.push(format!("{}: the broker is gone", self.name));
        }
        if let Some((before, after)) = self.rss
            && after > before + self.may_grow
        {
            flaws.push(format!(
                "{}: memory grew from {} to {}, which is more than {}",
                self.name,
                mib(before),
                mib(after),
                mib(self.may_grow)
            ));
        }
        flaws
    }
}

impl fmt::Display for Section {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "== {} ({:.1} s)", self.name, self.took.as_secs_f64())?;
        for row in &self.rows {
            let mark = if row.is_good { ' ' } else { '!' };
            writeln!(
                out,
                "{mark} {}  {:<9}  {:<44}  {}",
                row.number,
                row.runtime,
                row.case,
                shortened(&row.outcome)
            )?;
        }
        let alive = if self.is_alive { "alive" } else { "GONE" };
        write!(out, "  broker {alive}")?;
        if let Some(delays) = self.delays {
            let Delays { idle, beside, then } = delays;
            write!(
                out,
                "; others' p99 {:.2} ms, idle {:.2} ms",
                ms(then),
                ms(idle)
            )?;
            if let Some(beside) = beside {
                write!(out, ", beside the same load {:.2} ms", ms(beside))?;
            }
            write!(out, " ({:.1}x)", delays.ratio())?;
        }
        if let Some((before, after)) = self.rss {
            write!(out, "; RSS {} -> {}", mib(before), mib(after))?;
        }
        writeln!(out)
    }
}

/// All parts in one table, in Markdown.
pub(super) struct Table<'a>(pub(super) &'a [Section]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "| part | numbers | cases | wrong | p99 idle | p99 same load | p99 with | ratio | RSS start | first round | end |"
        )?;
        writeln!(out, "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        let none = || "-".to_owned();
        for section in self.0 {
            let numbers: BTreeSet<u8> = section.rows.iter().map(|row| row.number).collect();
            let numbers: Vec<String> = numbers.iter().map(u8::to_string).collect();
            let n_wrong = section.rows.iter().filter(|row| !row.is_good).count();
            write!(
                out,
                "| {} | {} | {} | {n_wrong} |",
                section.name,
                numbers.join(", "),
                section.rows.len()
            )?;
            match section.delays {
                Some(delays) => write!(
                    out,
                    " {:.2} ms | {} | {:.2} ms | {:.1} |",
                    ms(delays.idle),
                    delays
                        .beside
                        .map_or_else(none, |beside| format!("{:.2} ms", ms(beside))),
                    ms(delays.then),
                    delays.ratio()
                )?,
                None => write!(out, " - | - | - | - |")?,
            }
            let (before, after) = section
                .rss
                .map_or_else(|| (none(), none()), |(a, b)| (mib(a), mib(b)));
            let first = section.rss_first.map_or_else(none, mib);
            writeln!(out, " {before} | {first} | {after} |")?;
        }
        Ok(())
    }
}

pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(super) fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// One line of bounded length.
pub(super) fn shortened(text: &str) -> String {
    let line = text.lines().collect::<Vec<_>>().join(" / ");
    match line.char_indices().nth(220) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let mut section = Section::new("loops", 1);
        section.is_alive = true;
        section.row(28, "lua", "while", true, "cut");
        assert!(section.flaws().is_empty());
        section.row(28, "lua", "repeat", false, "never cut");
        section.rss = Some((0, 2 << 20));
        section.is_alive = false;
        let flaws = section.flaws().join("\n");
        for words in ["28 lua repeat: never cut", "is gone", "0 MiB to 2 MiB"] {
            assert!(flaws.contains(words), "{flaws}");
        }
        assert!(section.to_string().contains("! 28  lua"), "{section}");
        section.rss_first = Some(1 << 20);
        let table = Table(&[section]).to_string();
        let row = "| loops | 28 | 2 | 1 | - | - | - | - | 0 MiB | 1 MiB | 2 MiB |";
        assert!(table.contains(row), "{table}");
    }
}
