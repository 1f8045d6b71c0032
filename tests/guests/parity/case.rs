//! One case: which events of which hook it is about, and what the policy answers to them.
//!
//! It comes as lines of words with a tab between them, so that every language reads it without help:
//!
//! ```text
//! hook <name>                  about <field> <text>
//! verdict <word>               code <number>         words <text>     server <text>     property <name> <value>
//! raise                        keep <ms> <tag>...
//! set <field> <type> <value>   remove <field>        entry            part <field> <type> <value>
//! ```

use hookmq_plugin_api::typed::{MessageRecord, SubscriptionRecord};
use hookmq_plugin_api::{Field, Keep, Owned, Record, Refusal};

use super::Sight;

/// See the module's words.
#[derive(Default)]
pub(crate) struct Case {
    hook: String,
    about: Vec<(String, String)>,
    verdict: String,
    refusal: Option<Refusal>,
    raises: bool,
    keep: Option<Keep>,
    changes: Vec<Change>,
}

/// One field's new value.
pub(crate) struct Change {
    field: String,
    value: Owned,
}

/// The handler's own failure.
pub(crate) struct Raised;

impl std::fmt::Display for Raised {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "as the case wants it")
    }
}

impl Case {
    /// Reads a case. A line that it does not know is a mistake of the suite.
    ///
    /// # Panics
    /// On such a line: the call then fails, and the suite shows it.
    #[must_use]
    pub(crate) fn read(text: &str) -> Self {
        let mut case = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split('\t').collect();
            match words.as_slice() {
                ["hook", name] => case.hook = (*name).to_owned(),
                ["about", field, text] => case.about.push(((*field).into(), (*text).into())),
                ["verdict", word] => case.verdict = (*word).to_owned(),
                ["code", number] => {
                    case.refusal().reason_code = number.parse().expect("a Reason Code")
                }
                ["words", text] => case.refusal().reason_string = Some((*text).into()),
                ["server", text] => case.refusal().server_reference = Some((*text).into()),
                ["property", name, value] => {
                    let pair = ((*name).to_owned(), (*value).to_owned());
                    case.refusal().user_properties.push(pair);
                }
                ["raise"] => case.raises = true,
                ["keep", ms, tags @ ..] => {
                    let ttl = std::time::Duration::from_millis(ms.parse().expect("a time"));
                    let keep = Keep::lasting(ttl);
                    case.keep = Some(tags.iter().fold(keep, |keep, tag| keep.tagged(tag)));
                }
                ["set", field, value @ ..] => case.changes.push(Change {
                    field: (*field).to_owned(),
                    value: owned(value),
                }),
                ["remove", field] => case.changes.push(Change {
                    field: format!("-{field}"),
                    value: Owned::Nil,
                }),
                ["entry"] => case.records().push(Record::new()),
                ["part", field, value @ ..] => {
                    let field = Field::from_name(field).expect("a field");
                    let record = case.records().last_mut().expect("an entry");
                    record.push((field, owned(value)));
                }
                _ => panic!("not a line of a case: {line}"),
            }
        }
        case
    }

    fn refusal(&mut self) -> &mut Refusal {
        self.refusal.get_or_insert_default()
    }

    fn records(&mut self) -> &mut Vec<Record> {
        match self.changes.last_mut() {
            Some(Change {
                value: Owned::Records(records),
                ..
            }) => records,
            _ => panic!("an entry of nothing"),
        }
    }

    /// Whether it is about this event.
    #[must_use]
    pub(crate) fn is_about(&self, sight: &Sight) -> bool {
        self.hook == sight.hook()
            && self
                .about
                .iter()
                .all(|(field, text)| sight.shows(field, text))
    }

    /// Whether the handler shall fail.
    #[must_use]
    pub(crate) const fn raises(&self) -> bool {
        self.raises
    }

    /// The verdict's word; with `_with` if it says why.
    #[must_use]
    pub(crate) fn verdict(&self) -> String {
        let with = if self.refusal.is_some() { "_with" } else { "" };
        format!("{}{with}", self.verdict)
    }

    /// Why.
    #[must_use]
    pub(crate) fn why(&self) -> Refusal {
        self.refusal.clone().unwrap_or_default()
    }

    /// For how long the answer holds.
    #[must_use]
    pub(crate) fn keep(&self) -> Option<Keep> {
        self.keep.clone()
    }

    /// What the answer changes, in order.
    #[must_use]
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }
}

impl Change {
    /// The field's name, with a minus in front if it is taken away.
    #[must_use]
    pub(crate) fn field(&self) -> &str {
        &self.field
    }

    /// # Panics
    /// The same as all that follow: when the case gives a value of another type.
    #[must_use]
    pub(crate) fn truth(&self) -> bool {
        self.value.as_value().as_bool().expect("a boolean")
    }

    /// The number, in the type that the change takes.
    ///
    /// # Panics
    /// See [`Change::truth`].
    #[must_use]
    pub(crate) fn number<T: TryFrom<i64>>(&self) -> T {
        let number = self.value.as_value().as_integer().expect("a number");
        T::try_from(number)
            .ok()
            .expect("a number that the type holds")
    }

    /// # Panics
    /// See [`Change::truth`].
    #[must_use]
    pub(crate) fn text(&self) -> &str {
        self.value.as_value().as_text().expect("a text")
    }

    /// # Panics
    /// See [`Change::truth`].
    #[must_use]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.value.as_value().as_bytes().expect("bytes")
    }

    /// # Panics
    /// See [`Change::truth`].
    #[must_use]
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        match &self.value {
            Owned::Pairs(pairs) => pairs.clone(),
            _ => panic!("{} takes pairs", self.field),
        }
    }

    /// # Panics
    /// See [`Change::truth`].
    #[must_use]
    pub(crate) fn subscriptions(&self) -> Vec<SubscriptionRecord> {
        self.entries().iter().map(Into::into).collect()
    }

    /// # Panics
    /// See [`Change::truth`].
    #[must_use]
    pub(crate) fn messages(&self) -> Vec<MessageRecord> {
        self.entries().iter().map(Into::into).collect()
    }

    fn entries(&self) -> &[Record] {
        match &self.value {
            Owned::Records(records) => records,
            _ => panic!("{} takes records", self.field),
        }
    }
}

/// A type's word and the value.
fn owned(words: &[&str]) -> Owned {
    match words {
        ["boolean", truth] => Owned::Bool(*truth == "true"),
        ["integer", number] => Owned::Integer(number.parse().expect("a number")),
        ["text", text] => (*text).into(),
        ["bytes", hex] => Owned::Bytes(
            (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("two digits"))
                .collect(),
        ),
        ["pairs", texts @ ..] => Owned::Pairs(
            texts
                .chunks_exact(2)
                .map(|pair| (pair[0].to_owned(), pair[1].to_owned()))
                .collect(),
        ),
        ["records"] => Owned::Records(Vec::new()),
        _ => panic!("not a value: {words:?}"),
    }
}
