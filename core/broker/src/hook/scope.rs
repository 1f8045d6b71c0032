//! What a hook call is about, in the few values that filters judge and logs name.

use hookmq_plugin_api::{Event, Field};

/// Values for the broker's own judgement; the event itself has all of them and more for the plugin.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    /// Client Identifier; empty for what is about no client.
    pub client_id: &'a str,
    /// Name of the listener; empty for what came over none.
    pub listener: &'a str,
    /// Topic Name, or the Topic Filter of a hook about a subscription.
    pub topic: Option<&'a str>,
    /// QoS of the message or subscription.
    pub qos: Option<u8>,
    /// Payload in bytes.
    pub size: Option<usize>,
}

impl Scope<'_> {
    /// About no client and no message.
    pub const BROKER: Self = Self {
        client_id: "",
        listener: "",
        topic: None,
        qos: None,
        size: None,
    };

    /// The same as the event shows it after plugins changed something, so that later plugins are filtered by the new values.
    /// Who it is about stays: a plugin that changes the Client Identifier does not escape the others.
    pub(super) fn after<'b>(&'b self, event: &'b dyn Event) -> Scope<'b> {
        Scope {
            client_id: self.client_id,
            listener: self.listener,
            topic: self.topic.map(|topic| {
                event
                    .get(Field::Topic)
                    .as_text()
                    .or_else(|| event.get(Field::TopicFilter).as_text())
                    .unwrap_or(topic)
            }),
            qos: self.qos.map(|qos| {
                event
                    .get(Field::Qos)
                    .as_integer()
                    .and_then(|qos| u8::try_from(qos).ok())
                    .unwrap_or(qos)
            }),
            size: self.size.map(|size| {
                event
                    .get(Field::Payload)
                    .as_bytes()
                    .map(<[u8]>::len)
                    .or_else(|| usize::try_from(event.get(Field::PayloadSize).as_integer()?).ok())
                    .unwrap_or(size)
            }),
        }
    }
}
