//! A plugin for conversations about refusals: names say what it answers.
//!
//! The last level of a topic or filter that begins with `deny/` or `disconnect/` is the Reason Code in decimal, for a
//! user name it is what stands behind `deny/`. Every refusal has a Reason String and a User Property; everything else
//! is accepted.

use std::time::Duration;

use hookmq_plugin_api::{
    Answer, Event, Field, Hook, Listen, Plugin, PluginError, Refusal, Verdict,
};

/// The Reason String of every refusal.
pub const REASON: &str = "the rules say so";

/// See the module.
#[derive(Debug)]
pub struct Rules {
    listens: Vec<Listen>,
}

impl Default for Rules {
    fn default() -> Self {
        let hooks = [
            (Hook::ValidateConnection, Field::Username),
            (Hook::AuthorizePublish, Field::Topic),
            (Hook::AuthorizeSubscribe, Field::TopicFilter),
            (Hook::InterceptUnsubscription, Field::TopicFilter),
        ];
        let listens = hooks.map(|(hook, field)| Listen {
            hook,
            fields: [field].into_iter().collect(),
            awaits: false,
        });
        Self {
            listens: listens.into(),
        }
    }
}

impl Plugin for Rules {
    fn listens(&self) -> &[Listen] {
        &self.listens
    }

    fn call(&self, event: &dyn Event, _budget: Duration) -> Result<Answer, PluginError> {
        let field = match event.hook() {
            Hook::ValidateConnection => Field::Username,
            Hook::AuthorizePublish => Field::Topic,
            _ => Field::TopicFilter,
        };
        let name = event.get(field).as_text().unwrap_or_default();
        let (word, code) = name.split_once('/').unwrap_or((name, ""));
        let refusal = || {
            let mut refusal = Refusal::new(code.parse().unwrap_or_default(), REASON);
            refusal.user_properties = vec![("rule".to_owned(), word.to_owned())];
            Box::new(refusal)
        };
        Ok(match word {
            "deny" => Verdict::Deny(refusal()),
            "disconnect" => Verdict::Disconnect(refusal()),
            _ if event.hook() == Hook::InterceptUnsubscription => Verdict::Pass,
            _ => Verdict::Accept,
        }
        .into())
    }
}
