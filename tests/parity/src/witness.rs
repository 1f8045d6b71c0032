//! The plugin beside the policy: the same closure-like code in every run, which writes down all notices and, before the policy is
//! asked to take a field away, sets it.

use std::sync::Arc;
use std::time::Duration;

use hookmq_broker::hook::Registration;
use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::{
    Answer, Event, EventRecord, Field, FieldSet, Kind, Listen, Plugin, PluginError, Value, Verdict,
};
use parking_lot::Mutex;

use crate::sample::{self, Aim};
use crate::trial::{Act, Trial};

/// Its name.
pub(crate) const NAME: &str = "witness";

/// Hears every notice.
pub(crate) struct Witness {
    listens: Vec<Listen>,
    lines: Mutex<Vec<String>>,
}

impl Witness {
    pub(crate) fn new() -> Arc<Self> {
        let listens = HOOKS
            .iter()
            .filter(|spec| spec.kind == Kind::Notice)
            .map(|spec| Listen {
                hook: spec.hook,
                fields: spec.field_set(),
                awaits: false,
            });
        Arc::new(Self {
            listens: listens.collect(),
            lines: Mutex::default(),
        })
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }
}

impl Plugin for Witness {
    fn listens(&self) -> &[Listen] {
        &self.listens
    }

    fn call(&self, event: &dyn Event, _: Duration) -> Result<Answer, PluginError> {
        let spec = event.hook().spec();
        let fields: FieldSet = spec.fields.iter().copied().collect();
        let record = EventRecord::copy_of(event, fields);
        let shown: Vec<_> = spec
            .fields
            .iter()
            .filter(|field| !matches!(record.get(**field), Value::Nil))
            .map(|field| format!("{}={:?}", field.name(), record.get(*field).to_owned()))
            .collect();
        self.lines
            .lock()
            .push(format!("{} {}", spec.name, shown.join(" ")));
        Ok(Answer::PASS)
    }
}

/// Sets one field, on the events that the trial is about.
struct Setter {
    listen: [Listen; 1],
    field: Field,
}

impl Plugin for Setter {
    fn listens(&self) -> &[Listen] {
        &self.listen
    }

    fn call(&self, event: &dyn Event, _: Duration) -> Result<Answer, PluginError> {
        let hook = event.hook();
        let is_meant = sample::aims(hook)
            .iter()
            .all(|Aim { field, text }| event.get(*field).as_text() == Some(text));
        let mut answer = Answer::from(match hook.spec().kind {
            Kind::Gate => Verdict::Accept,
            _ => Verdict::Pass,
        });
        if is_meant {
            let value = sample::value(hook, self.field);
            answer.changes.push((self.field, value));
        }
        Ok(answer)
    }
}

/// The plugin that comes before the policy, where the trial needs one.
pub(crate) fn before(trial: Trial) -> Option<Registration> {
    let Act::Remove(field) = trial.act else {
        return None;
    };
    // What tells the events of the trial apart has to stay.
    if sample::aims(trial.hook)
        .iter()
        .any(|aim| aim.field == field)
    {
        return None;
    }
    let setter = Setter {
        listen: [Listen {
            hook: trial.hook,
            fields: trial.hook.spec().field_set(),
            awaits: false,
        }],
        field,
    };
    Some(Registration {
        priority: 100,
        ..Registration::new("before", "embedded", Arc::new(setter))
    })
}
