//! A PUBLISH between step 3 and step 10 of its path: what its alias stands for, and what must be settled however its way ends.

use std::sync::Arc;

use hookmq_mqtt::{Publish, ReasonCode, TopicName};

use crate::session::Session;
use crate::session::receiving::Receipt;
use crate::store::group::Promise;

/// See the module.
#[derive(Default)]
pub(super) struct Begun {
    /// The Topic Name that an alias stands for.
    pub(super) topic: Option<TopicName>,
    pub(super) unsettled: Unsettled,
}

impl Begun {
    /// Puts the Topic Name in the alias's place.
    pub(super) fn resolve<'a>(&'a self, publish: &mut Publish<'a>) {
        if let Some(topic) = &self.topic {
            publish.topic = topic;
        }
        publish.properties.topic_alias = None;
    }
}

/// Forgets a QoS 2 message whose way was cut short (the connection was taken over while a plugin was asked): it was not answered,
/// so the client sends it again, and it must not count as a duplicate then.
#[derive(Default)]
pub(super) struct Unsettled(pub(super) Option<(Arc<Session>, Receipt)>);

impl Drop for Unsettled {
    fn drop(&mut self) {
        if let Some((session, receipt)) = &self.0 {
            let reason = ReasonCode::UnspecifiedError;
            session
                .receiving()
                .settle(receipt, reason, Promise::Nothing);
        }
    }
}
