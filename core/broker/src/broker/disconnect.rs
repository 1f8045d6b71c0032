//! The end of a Network Connection, and of a Session.

use std::sync::Arc;

use hookmq_mqtt::ReasonCode;
use hookmq_mqtt::property::UserProperties;
use hookmq_plugin_api::{Field, Hook, Owned};

use super::sessions::{Control, DisconnectType, Entry};
use super::timers::Due;
use super::{Inner, Turn};
use crate::client::ClientInfo;
use crate::session::sending::DropReason;
use crate::store::{Change, Moment};

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) kind: DisconnectType,
    /// Of the DISCONNECT that was sent or received; Unspecified error for a lost connection.
    pub(crate) reason: ReasonCode,
    pub(crate) reason_string: Option<String>,
    pub(crate) user_properties: UserProperties,
    /// The client said goodbye without wanting its Will Message sent [MQTT-3.14.4-3].
    pub(crate) forget_will: bool,
    /// What DISCONNECT changed it to [MQTT-3.14.2-2].
    pub(crate) session_expiry_interval: Option<u32>,
}

impl Inner {
    /// A client is gone, its Session detached; it stays, ends, or waits for its expiry.
    pub(crate) async fn disconnected(
        &self,
        turn: &mut Turn,
        entry: &Arc<Entry>,
        client: &Arc<ClientInfo>,
        control: &Arc<Control>,
        ended: Ended,
    ) {
        let now = crate::now();
        let (expiry, will) = {
            let mut state = entry.state.lock();
            if !state
                .control
                .as_ref()
                .is_some_and(|present| Arc::ptr_eq(present, control))
            {
                return;
            }
            if let Some(interval) = ended.session_expiry_interval {
                state.session_expiry_interval =
                    interval.min(self.session_settings.maximum_session_expiry_interval);
            }
            if ended.forget_will {
                state.will = None;
            }
            let will = state.will.as_ref().map(|will| Arc::clone(&will.will));
            (state.session_expiry_interval, will)
        };
        self.sessions.count_connected(false);
        self.notify_client(Hook::ClientDisconnected, &entry.session.0, client, || {
            vec![
                (Field::ReasonCode, i64::from(ended.reason as u8).into()),
                (
                    Field::ReasonString,
                    ended.reason_string.clone().map_or(Owned::Nil, Owned::from),
                ),
                (Field::DisconnectType, ended.kind.name().into()),
                (Field::SessionExpiryInterval, i64::from(expiry).into()),
                (
                    Field::UserProperties,
                    hookmq_plugin_api::Value::Pairs(&crate::event::OwnedPairs(
                        ended.user_properties.clone(),
                    ))
                    .to_owned(),
                ),
            ]
        });
        if expiry == 0 {
            // The Session ends with its connection, and with it the Will's delay [MQTT-3.1.3-9].
            self.send_will(turn, entry).await;
            let reason = match ended.kind {
                DisconnectType::Takeover => "taken_over",
                _ => "disconnected",
            };
            self.end_session(turn, entry, reason).await;
            return;
        }
        if will.as_ref().is_some_and(|will| will.delay_interval == 0) {
            self.send_will(turn, entry).await;
        }
        self.notify_session(Hook::SessionOffline, entry, Vec::new());
        let moment = Moment {
            now,
            wall: self.wall(),
        };
        let mut state = entry.state.lock();
        state.away_since = Some(moment.wall);
        self.set_timers(entry, &mut state, moment);
        self.tell_session(entry, &state);
        // From here on a CONNECT of the same client need not wait for this connection.
        state.control = None;
    }

    /// What a timer brought.
    pub(crate) async fn handle_due(&self, turn: &mut Turn, due: Due) {
        let (client_id, epoch) = match &due {
            Due::SessionExpiry(client_id, epoch) | Due::Will(client_id, epoch) => {
                (client_id, *epoch)
            }
        };
        // A CONNECT that is on its way decides first.
        let _gate = self.sessions.gate(client_id).lock().await;
        let Some(entry) = self.sessions.get(client_id) else {
            return;
        };
        let still_away = {
            let state = entry.state.lock();
            state.epoch == epoch && state.control.is_none()
        };
        if !still_away {
            return;
        }
        self.wait_loaded(&entry).await;
        match due {
            Due::Will(..) => self.send_will(turn, &entry).await,
            Due::SessionExpiry(..) => {
                self.notify_session(Hook::SessionExpired, &entry, Vec::new());
                self.end_session(turn, &entry, "expired").await;
            }
        }
    }

    /// Removes a Session that has no connection: its will goes out, its subscriptions and messages go.
    pub(crate) async fn end_session(
        &self,
        turn: &mut Turn,
        entry: &Arc<Entry>,
        reason: &'static str,
    ) {
        // [MQTT-3.1.2-8]: at the end of the Session at the latest.
        self.send_will(turn, entry).await;
        let (n_subscriptions, ledger) = {
            let mut state = entry.state.lock();
            state.is_deleted = true;
            state.control = None;
            self.timers.cancel(&std::mem::take(&mut state.timers));
            let subscriptions: Vec<_> = state.subscriptions.keys().cloned().collect();
            for filter in &subscriptions {
                state.unsubscribe(filter);
                self.router
                    .unsubscribe(filter.share_name(), filter.filter(), &entry.session);
            }
            (subscriptions.len(), state.ledger.take())
        };
        self.sessions.remove(entry);
        let now = crate::now();
        let (n_queued, lost) = {
            let mut sending = entry.session.0.sending();
            (sending.n_queued(), sending.drain())
        };
        entry.session.0.receiving().drain();
        if let Some(ledger) = ledger {
            ledger.push(Change::SessionEnded(ledger.session));
        }
        for message in lost {
            let publish = message.as_publish(now);
            self.notify_dropped(
                &publish,
                message.source,
                message.sender.as_ref(),
                Some(&entry.session),
                DropReason::SessionEnded,
                None,
            );
        }
        let n_subscriptions = i64::try_from(n_subscriptions).unwrap_or(i64::MAX);
        self.notify_session(
            Hook::SessionDeleted,
            entry,
            vec![
                (Field::Reason, reason.into()),
                (
                    Field::NQueued,
                    i64::try_from(n_queued).unwrap_or(i64::MAX).into(),
                ),
                (Field::NSubscriptions, n_subscriptions.into()),
            ],
        );
    }

    /// A notice about a Session.
    pub(crate) fn notify_session(&self, hook: Hook, entry: &Entry, fields: Vec<(Field, Owned)>) {
        if !self.hooks.listens(hook) {
            return;
        }
        let (client, expiry, n_subscriptions) = {
            let state = entry.state.lock();
            (
                state.client.clone(),
                state.session_expiry_interval,
                state.subscriptions.len(),
            )
        };
        let session = &entry.session.0;
        let n_queued = session.sending().n_queued();
        let client =
            client.unwrap_or_else(|| Arc::new(ClientInfo::named(session.client_id().clone())));
        self.notify_client(hook, session, &client, || {
            let mut all = vec![
                (Field::SessionExpiryInterval, i64::from(expiry).into()),
                (
                    Field::NQueued,
                    i64::try_from(n_queued).unwrap_or(i64::MAX).into(),
                ),
                (
                    Field::NSubscriptions,
                    i64::try_from(n_subscriptions).unwrap_or(i64::MAX).into(),
                ),
            ];
            all.extend(fields);
            all
        });
    }
}
