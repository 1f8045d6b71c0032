//! What a handler is shown, as one line of text with every field in it.

use std::fmt::Write as _;

use hookmq_plugin_api::typed::{MessageRecord, SubscriptionRecord};
use hookmq_plugin_api::view::Properties;
use hookmq_plugin_api::{Owned, Record};

/// One event, field by field.
pub(crate) struct Sight {
    hook: &'static str,
    line: String,
    seen: Vec<(&'static str, String)>,
}

impl Sight {
    /// Nothing of the event yet.
    #[must_use]
    pub(crate) fn new(hook: &'static str) -> Self {
        Self {
            hook,
            line: hook.to_owned(),
            seen: Vec::new(),
        }
    }

    /// The hook's name.
    #[must_use]
    pub(crate) const fn hook(&self) -> &'static str {
        self.hook
    }

    /// One more field.
    pub(crate) fn see(&mut self, field: &'static str, value: impl Show) {
        let shown = value.show();
        self.line.push(' ');
        self.line.push_str(field);
        self.line.push('=');
        self.line.push_str(&shown);
        self.seen.push((field, shown));
    }

    /// Whether a field has this text.
    #[must_use]
    pub(crate) fn shows(&self, field: &str, text: &str) -> bool {
        self.seen
            .iter()
            .any(|(known, shown)| *known == field && *shown == text.show())
    }

    /// All of it.
    #[must_use]
    pub(crate) fn line(&self) -> &str {
        &self.line
    }
}

/// A value in words. Bytes are shown as hexadecimal digits, so that nothing of them hides.
pub(crate) trait Show {
    /// The words.
    fn show(&self) -> String;
}

impl<T: Show> Show for Option<T> {
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "nothing".to_owned(), T::show)
    }
}

impl Show for &str {
    fn show(&self) -> String {
        format!("'{self}'")
    }
}

impl Show for &[u8] {
    fn show(&self) -> String {
        let mut shown = "0x".to_owned();
        for byte in *self {
            // Writing to a text does not fail.
            let _ = write!(shown, "{byte:02x}");
        }
        shown
    }
}

macro_rules! plain {
    ($($type:ty)*) => {
        $(impl Show for $type {
            fn show(&self) -> String {
                self.to_string()
            }
        })*
    };
}

plain!(bool u8 u16 u32 u64);

impl Show for Properties<'_> {
    fn show(&self) -> String {
        let mut list = Vec::new();
        self.for_each(|name, value| list.push(format!("{}={}", name.show(), value.show())));
        format!("[{}]", list.join(", "))
    }
}

impl Show for Vec<SubscriptionRecord> {
    fn show(&self) -> String {
        records(self.iter().cloned().map(Record::from))
    }
}

impl Show for Vec<MessageRecord> {
    fn show(&self) -> String {
        records(self.iter().cloned().map(Record::from))
    }
}

fn records(records: impl Iterator<Item = Record>) -> String {
    let shown: Vec<String> = records.map(|record| entry(&record)).collect();
    format!("[{}]", shown.join(", "))
}

fn entry(record: &Record) -> String {
    let part = |value: &Owned| match value {
        Owned::Bool(truth) => truth.show(),
        Owned::Integer(number) => number.to_string(),
        Owned::Text(text) => text.as_ref().show(),
        Owned::Bytes(bytes) => bytes.as_ref().show(),
        Owned::Pairs(pairs) => {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(name, value)| format!("{}={}", name.as_str().show(), value.as_str().show()))
                .collect();
            format!("[{}]", pairs.join(", "))
        }
        Owned::Nil | Owned::Records(_) => "nothing".to_owned(),
    };
    let parts: Vec<_> = record
        .iter()
        .map(|(field, value)| format!("{}={}", field.name(), part(value)))
        .collect();
    format!("({})", parts.join(" "))
}
