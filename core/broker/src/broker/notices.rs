//! Notices about messages: what was lost and why, what was overwritten, what nobody consumed. All of it after the fact.

use std::time::Instant;

use hookmq_mqtt::{ClientId, Publish};
use hookmq_plugin_api::{Field, Hook, Value};

use super::Inner;
use crate::event::message::{MessageNotice, Receiver};
use crate::hook::{Explained, Scope};
use crate::message::Source;
use crate::offer::Offer;
use crate::session::SessionRef;
use crate::session::pending::Waiting;
use crate::session::sending::{DropReason, Lost};

impl Inner {
    pub(crate) fn notify_lost(&self, to: &SessionRef, lost: &Lost, now: Instant) {
        let message = &lost.waiting.message;
        let publish = message.as_publish(now);
        if lost.reason == DropReason::Expired {
            self.notify_message(
                Hook::MessageExpired,
                &publish,
                message.source,
                message.sender.as_ref(),
                Some(to),
                &[],
            );
        }
        self.notify_dropped(
            &publish,
            message.source,
            message.sender.as_ref(),
            Some(to),
            lost.reason,
            None,
        );
    }

    pub(super) fn notify_overwritten(&self, to: &SessionRef, waiting: &Waiting, now: Instant) {
        let message = &waiting.message;
        let publish = message.as_publish(now);
        self.notify_message(
            Hook::MessageOverwritten,
            &publish,
            message.source,
            message.sender.as_ref(),
            Some(to),
            &[],
        );
        self.notify_dropped(
            &publish,
            message.source,
            message.sender.as_ref(),
            Some(to),
            DropReason::QueueFull,
            None,
        );
    }

    pub(super) fn notify_not_consumed(&self, offer: &Offer<'_>, all_receivers_filtered: bool) {
        self.stats.not_consumed();
        if self.hooks.listens(Hook::MessageNotConsumed) {
            let more = [(
                Field::AllReceiversFiltered,
                Value::Bool(all_receivers_filtered),
            )];
            self.notify_message(
                Hook::MessageNotConsumed,
                offer.publish,
                offer.source(),
                offer.sender(),
                None,
                &more,
            );
        }
    }

    /// A message, or one receiver's copy, is lost: counted by reason, and told.
    pub(crate) fn notify_dropped(
        &self,
        publish: &Publish<'_>,
        source: Source,
        sender: Option<&ClientId>,
        to: Option<&SessionRef>,
        reason: DropReason,
        by: Option<&Explained>,
    ) {
        self.stats.dropped(reason);
        if self.hooks.listens(Hook::MessageDropped) {
            let more = [
                (Field::Reason, Value::Text(reason.name())),
                (
                    Field::Plugin,
                    Value::text(by.map(|explained| &*explained.plugin)),
                ),
            ];
            self.notify_message(Hook::MessageDropped, publish, source, sender, to, &more);
        }
    }

    /// A notice about a message, in the order of its receiver, else of its sender.
    pub(crate) fn notify_message(
        &self,
        hook: Hook,
        publish: &Publish<'_>,
        source: Source,
        sender: Option<&ClientId>,
        to: Option<&SessionRef>,
        more: &[(Field, Value<'_>)],
    ) {
        let client = to.and_then(|to| to.0.client());
        let receiver = to.map(|to| Receiver {
            client_id: to.0.client_id(),
            username: client
                .as_ref()
                .and_then(|client| client.username.as_deref()),
        });
        let notice = MessageNotice::new(hook, *publish, source, sender, receiver, more);
        let about = receiver.map(|receiver| receiver.client_id).or(sender);
        let scope = Scope {
            client_id: about.map_or("", ClientId::as_str),
            listener: client.as_ref().map_or("", |client| &client.listener),
            topic: Some(publish.topic),
            qos: Some(publish.qos as u8),
            size: Some(publish.payload.len()),
        };
        let of_sender = || sender.and_then(|sender| self.sessions.get(sender));
        match to {
            Some(to) => self.hooks.notify(hook, &scope, &notice, Some(&to.0.order)),
            None => match of_sender() {
                Some(entry) => {
                    self.hooks
                        .notify(hook, &scope, &notice, Some(&entry.session.0.order))
                }
                None => self.hooks.notify(hook, &scope, &notice, None),
            },
        }
    }
}
