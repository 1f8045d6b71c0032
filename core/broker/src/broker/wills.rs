//! Will Messages: when they go out, and when not any more.

use std::sync::Arc;

use hookmq_mqtt::packet::Will;
use hookmq_plugin_api::Hook;

use super::sessions::Entry;
use super::{Inner, Turn};
use crate::client::ClientInfo;
use crate::event::message::{MessageDraft, Origin};
use crate::hook::Scope;
use crate::message::{Message, Source};
use crate::session::sending::DropReason;

impl Inner {
    /// Publishes the Will Message, if there is one: once [MQTT-3.1.2-8, MQTT-3.1.2-10].
    pub(crate) async fn send_will(&self, turn: &mut Turn, entry: &Arc<Entry>) {
        let (will, client) = {
            let mut state = entry.state.lock();
            (state.will.take(), state.client.clone())
        };
        let (Some(will), Some(client)) = (will, client) else {
            return;
        };
        self.publish_will(turn, &will.will, &client).await;
        // Told when it is on its way: a broker that ends between sends it once more at its next start, rather than never.
        self.tell_session(entry, &entry.state.lock());
    }

    async fn publish_will(&self, turn: &mut Turn, will: &Will, client: &Arc<ClientInfo>) {
        let now = crate::now();
        let chain = self.hooks.chain();
        let message = Message::from_will(will, &client.client_id, now);
        let origin = Origin {
            client: Some(client),
            source: Source::Will,
        };
        let publish = message.as_publish(now);
        let mut draft = MessageDraft::new(
            Hook::InterceptWill,
            origin,
            &publish,
            &self.session_settings,
        )
        .with_will_delay(will.delay_interval);
        if chain.listens(Hook::InterceptWill) {
            let scope = Scope {
                client_id: &client.client_id,
                listener: &client.listener,
                topic: Some(&message.topic),
                qos: Some(message.qos as u8),
                size: Some(message.payload.len()),
            };
            let decision = if chain.awaits(Hook::InterceptWill) {
                chain
                    .filter_awaiting(Hook::InterceptWill, &scope, &mut draft)
                    .await
            } else {
                chain.filter(Hook::InterceptWill, &scope, &mut draft)
            };
            if let Some(explained) = decision.explained() {
                tracing::debug!(%explained, "a will was dropped");
                let publish = draft.publish();
                self.notify_dropped(
                    &publish,
                    Source::Will,
                    Some(&client.client_id),
                    None,
                    DropReason::Plugin,
                    Some(explained),
                );
                return;
            }
        }
        // No one can be told how it went: the client is gone.
        self.publish(&chain, turn, origin, &draft.publish(), None, now)
            .await;
    }

    /// The client is back before the Will Delay Interval has passed [MQTT-3.1.3-9].
    pub(crate) fn cancel_will(&self, entry: &Entry) {
        entry.state.lock().will = None;
    }
}
