//! What has to be tried at each hook, derived from the catalogue.

use hookmq_plugin_api::{Field, Hook, HookSpec, Kind, Owned, VerdictKind};

use crate::sample::{self, Aim};

/// One thing to try at one hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// The hook.
    pub hook: Hook,
    /// What the policy does there.
    pub act: Act,
}

/// What the policy does at the events that a trial is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Writes down what it is shown, and lets it happen.
    See,
    /// This verdict, without words or with all that it can say.
    Answer(VerdictKind, Words),
    /// Another value of this field.
    Set(Field),
    /// Takes the field away, after a plugin before it has set it.
    Remove(Field),
    /// This verdict, which the broker may keep.
    Keep(VerdictKind),
    /// The handler fails.
    Raise,
}

/// Whether a refusal says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Nothing but the verdict.
    Bare,
    /// Everything.
    Full,
}

impl Trial {
    /// All trials of a hook.
    #[must_use]
    pub fn of(spec: &'static HookSpec) -> Vec<Self> {
        let mut acts = vec![Act::See];
        for verdict in spec.verdicts {
            acts.push(Act::Answer(*verdict, Words::Bare));
            if matches!(
                verdict,
                VerdictKind::Deny | VerdictKind::Drop | VerdictKind::Disconnect
            ) {
                acts.push(Act::Answer(*verdict, Words::Full));
            }
        }
        for field in spec.changes {
            acts.push(Act::Set(*field));
            if field.spec().optional {
                acts.push(Act::Remove(*field));
            }
        }
        for verdict in spec.verdicts {
            if spec.may_keep(*verdict) {
                acts.push(Act::Keep(*verdict));
            }
        }
        acts.push(Act::Raise);
        let hook = spec.hook;
        acts.into_iter().map(|act| Self { hook, act }).collect()
    }

    /// How many cases it stands for: each field that is shown is one.
    #[must_use]
    pub fn n_cases(&self) -> usize {
        match self.act {
            Act::See => self.hook.spec().fields.len(),
            _ => 1,
        }
    }

    /// Its name in reports: `intercept_publish: set topic`.
    #[must_use]
    pub fn name(&self) -> String {
        let act = match self.act {
            Act::See => "see all fields".to_owned(),
            Act::Answer(verdict, Words::Bare) => verdict.name().to_owned(),
            Act::Answer(verdict, Words::Full) => format!("{} with words", verdict.name()),
            Act::Set(field) => format!("set {}", field.name()),
            Act::Remove(field) => format!("remove {}", field.name()),
            Act::Keep(verdict) => format!("keep {}", verdict.name()),
            Act::Raise => "raise".to_owned(),
        };
        format!("{}: {act}", self.hook.name())
    }

    /// The trial whose effect must be another one: what happens if the policy lets it be.
    #[must_use]
    pub fn opposite(&self) -> Option<Act> {
        let spec = self.hook.spec();
        match self.act {
            Act::Set(_) => Some(Act::See),
            Act::Remove(field) if sample::aims(self.hook).iter().any(|aim| aim.field == field) => {
                Some(Act::See)
            }
            Act::Remove(field) => Some(Act::Set(field)),
            Act::Answer(verdict, _) => match verdict {
                VerdictKind::Accept => None,
                VerdictKind::Pass if spec.kind != Kind::Gate => None,
                _ => Some(Act::See),
            },
            Act::See | Act::Keep(_) | Act::Raise => None,
        }
    }

    /// The verdict that the policy gives; a gate's policy accepts if it has no reason not to.
    #[must_use]
    pub fn verdict(&self) -> VerdictKind {
        match self.act {
            Act::Answer(verdict, _) | Act::Keep(verdict) => verdict,
            Act::See | Act::Set(_) | Act::Remove(_) | Act::Raise => match self.hook.spec().kind {
                Kind::Gate => VerdictKind::Accept,
                Kind::Filter | Kind::Supply | Kind::Notice => VerdictKind::Pass,
            },
        }
    }

    /// The policy's case, in the lines that it reads.
    #[must_use]
    pub fn script(&self) -> String {
        let spec = self.hook.spec();
        let mut lines = vec![format!("hook\t{}", spec.name)];
        for Aim { field, text } in sample::aims(self.hook) {
            lines.push(format!("about\t{}\t{text}", field.name()));
        }
        let verdict = self.verdict();
        lines.push(format!("verdict\t{}", verdict.name()));
        match self.act {
            Act::Answer(VerdictKind::Drop, Words::Full) => lines.push("words\tnot today".into()),
            Act::Answer(_, Words::Full) => lines.extend([
                "code\t151".to_owned(),
                "words\tnot today".to_owned(),
                "server\tother:1883".to_owned(),
                "property\twhy\trule 7".to_owned(),
                "property\twhy\trule 8".to_owned(),
            ]),
            Act::Set(field) => set(&mut lines, field, &sample::value(self.hook, field)),
            Act::Remove(field) => lines.push(format!("remove\t{}", field.name())),
            Act::Keep(_) => lines.push("keep\t60000\ttag:a\ttag:b".to_owned()),
            Act::Raise => lines.push("raise".to_owned()),
            Act::See | Act::Answer(_, Words::Bare) => {}
        }
        lines.join("\n")
    }
}

fn set(lines: &mut Vec<String>, field: Field, value: &Owned) {
    lines.push(format!("set\t{}\t{}", field.name(), words(value)));
    if let Owned::Records(records) = value {
        for record in records {
            lines.push("entry".to_owned());
            for (part, value) in record {
                lines.push(format!("part\t{}\t{}", part.name(), words(value)));
            }
        }
    }
}

/// A value as the case has it: the type's word, and the value.
fn words(value: &Owned) -> String {
    match value {
        Owned::Nil => unreachable!("what is set has a value"),
        Owned::Bool(truth) => format!("boolean\t{truth}"),
        Owned::Integer(number) => format!("integer\t{number}"),
        Owned::Text(text) => format!("text\t{text}"),
        Owned::Bytes(bytes) => {
            let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("bytes\t{}", digits.concat())
        }
        Owned::Pairs(pairs) => {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(name, value)| format!("{name}\t{value}"))
                .collect();
            format!("pairs\t{}", pairs.join("\t"))
        }
        Owned::Records(_) => "records".to_owned(),
    }
}
