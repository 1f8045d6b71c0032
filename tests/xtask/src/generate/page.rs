//! A text that grows line by line.

/// The text so far.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// One line, or several, at this depth of four spaces each; blank lines stay without spaces.
    pub(super) fn at(&mut self, depth: usize, lines: impl AsRef<str>) {
        for line in lines.as_ref().lines() {
            if !line.is_empty() {
                self.0.push_str(&"    ".repeat(depth));
                self.0.push_str(line);
            }
            self.0.push('\n');
        }
    }

    /// A line at the margin.
    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        self.at(0, line);
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.0.push('\n');
    }

    /// The whole text.
    pub(super) fn text(self) -> String {
        self.0
    }
}

/// A list in words: `a`, `a and b`, `a, b and c`.
pub(super) fn listed<S: AsRef<str>>(items: &[S], last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [rest @ .., end] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", rest.join(", "), end.as_ref())
        }
    }
}
