//! CONNECT: who may come in, on which terms, and to which Session.

mod answering;
mod preparing;

use std::sync::Arc;
use std::time::SystemTime;

use hookmq_mqtt::packet::{ConnAck, Connect};
use hookmq_mqtt::property::UserProperties;
use hookmq_mqtt::{ClientId, ProtocolVersion, QoS, ReasonCode};
use hookmq_plugin_api::{Field, Hook};
use parking_lot::Mutex;

use self::answering::refusal;
use super::sessions::{Control, DisconnectType, Entry, Kick, StandingWill, State};
use super::{Inner, Turn};
use crate::client::ClientInfo;
use crate::event::UserPairs;
use crate::event::connection::{ConnectDraft, SessionDraft, Terms, owned_pairs};
use crate::hook::{Chain, Decision, Scope};
use crate::message::Source;
use crate::session::sending::Peer;
use crate::session::{Session, SessionRef};
use crate::store::Durability;
use crate::store::journal::Ticket;

/// Where a connection comes from.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    pub(crate) listener: Arc<str>,
    pub(crate) endpoint: String,
    pub(crate) allow_anonymous: bool,
    /// What acknowledgements to its clients promise, if the listener says so.
    pub(crate) durability: Option<Durability>,
}

/// A client that is in.
pub(crate) struct Connected {
    pub(crate) entry: Arc<Entry>,
    pub(crate) client: Arc<ClientInfo>,
    pub(crate) control: Arc<Control>,
    pub(crate) connack: ConnAck,
    /// Highest QoS that it may publish with.
    pub(crate) maximum_qos: QoS,
    /// What acknowledgements to it promise.
    pub(crate) durability: Durability,
    /// CONNACK waits for this.
    pub(crate) ticket: Ticket,
}

impl Inner {
    /// Judges a CONNECT and attaches the client to its Session. An `Err` is the refusing CONNACK.
    pub(crate) async fn connect(
        &self,
        chain: &Chain,
        turn: &mut Turn,
        connect: &Connect,
        gateway: &Gateway,
    ) -> Result<Connected, ConnAck> {
        if *self.stopping.borrow() {
            return Err(ConnAck::new(false, ReasonCode::ServerShuttingDown));
        }
        let assigned = self.check(connect)?;
        let terms = self
            .validate(
                chain,
                connect,
                gateway,
                assigned.as_deref().unwrap_or(&connect.client_id),
            )
            .await?;
        let keep_alive = self.keep_alive(terms.keep_alive);
        let client = Arc::new(ClientInfo {
            client_id: ClientId::from(terms.client_id.as_str()),
            username: terms.username.clone(),
            endpoint: gateway.endpoint.clone(),
            listener: Arc::clone(&gateway.listener),
            version: connect.version,
            keep_alive,
            request_problem_information: connect.request_problem_information,
            connected_at: SystemTime::now(),
        });
        let mut will = self.standing_will(connect)?;
        // From here on, one CONNECT per Client Identifier at a time.
        let _gate = self.sessions.gate(&client.client_id).lock().await;
        let existing = self.take_over(&client).await;
        let mut draft = self.session_draft(connect, &client, &terms, existing.as_ref());
        self.prepare(chain, &client, &mut draft).await?;
        if let (Some(standing), Some(delay)) = (&mut will, draft.will_delay_interval) {
            Arc::make_mut(&mut standing.will).delay_interval = delay;
        }
        let durability = gateway.durability.unwrap_or(self.storage.durability);
        let (entry, session_present) = self
            .session_for(turn, connect, &client, existing, &draft, durability)
            .await?;
        let (entry, control, ticket) = self.attach(connect, &client, &terms, &draft, will, entry);
        let connack = self.connack(connect, &client, &terms, &draft, session_present, assigned);
        self.tell_connected(connect, &entry, &client, session_present, &draft);
        Ok(Connected {
            entry,
            client,
            control,
            connack,
            durability,
            ticket,
            maximum_qos: terms.maximum_qos.min(self.session_settings.maximum_qos),
        })
    }

    /// What needs no plugin to be refused; gives the Client Identifier that the broker assigns [MQTT-3.1.3-6].
    fn check(&self, connect: &Connect) -> Result<Option<String>, ConnAck> {
        let settings = &self.session_settings;
        let refuse = |reason| {
            Err(refusal(
                connect.version,
                reason,
                None,
                UserProperties::new(),
            ))
        };
        if connect.client_id.len() > settings.maximum_client_id_bytes {
            return refuse(ReasonCode::ClientIdentifierNotValid);
        }
        if connect.authentication_method.is_some() {
            // Enhanced authentication needs a plugin that answers `exchange_auth`, which this version does not ask [MQTT-4.12.0-1].
            return refuse(ReasonCode::BadAuthenticationMethod);
        }
        if let Some(will) = &connect.will {
            if will.qos > settings.maximum_qos {
                return refuse(ReasonCode::QoSNotSupported); // [MQTT-3.2.2-12]
            }
            if will.retain && !settings.retain_available {
                return refuse(ReasonCode::RetainNotSupported); // [MQTT-3.2.2-13]
            }
            if settings.check_topic(&will.topic).is_err() {
                return refuse(ReasonCode::TopicNameInvalid);
            }
        }
        if !connect.client_id.is_empty() {
            return Ok(None);
        }
        // [v3 MQTT-3.1.3-8]
        if connect.version == ProtocolVersion::V311 && !connect.clean_start {
            return refuse(ReasonCode::ClientIdentifierNotValid);
        }
        Ok(Some(format!(
            "hookmq-{:016x}{:08x}",
            fastrand::u64(..),
            fastrand::u32(..)
        )))
    }

    /// `validate_connection`, or the listener's own setting where nobody listens.
    async fn validate(
        &self,
        chain: &Chain,
        connect: &Connect,
        gateway: &Gateway,
        client_id: &str,
    ) -> Result<Terms, ConnAck> {
        let settings = &self.session_settings;
        let terms = Terms {
            client_id: client_id.to_owned(),
            username: connect.username.clone(),
            keep_alive: connect.keep_alive,
            session_expiry_interval: self.session_expiry_interval(connect),
            receive_maximum: connect
                .receive_maximum
                .map_or(u16::MAX, std::num::NonZeroU16::get),
            maximum_packet_size: connect.maximum_packet_size.map(std::num::NonZeroU32::get),
            topic_alias_maximum: connect.topic_alias_maximum,
            maximum_qos: settings.maximum_qos,
            response_information: None,
            response_user_properties: UserProperties::new(),
            reason_string: None,
            authentication_data: None,
        };
        if !chain.listens(Hook::ValidateConnection) {
            if gateway.allow_anonymous {
                return Ok(terms);
            }
            tracing::info!(
                client_id,
                endpoint = gateway.endpoint,
                "refused: no plugin answers validate_connection and the listener does not allow anonymous clients"
            );
            self.stats.refused();
            return Err(refusal(
                connect.version,
                ReasonCode::NotAuthorized,
                None,
                UserProperties::new(),
            ));
        }
        let mut draft = ConnectDraft {
            connect,
            endpoint: &gateway.endpoint,
            listener: &gateway.listener,
            settings,
            terms,
            pairs: UserPairs(connect.user_properties.as_ref()),
        };
        let scope = Scope {
            client_id,
            listener: &gateway.listener,
            ..Scope::BROKER
        };
        let decision = if chain.awaits(Hook::ValidateConnection) {
            chain
                .gate_awaiting(Hook::ValidateConnection, &scope, &mut draft)
                .await
        } else {
            chain.gate(Hook::ValidateConnection, &scope, &mut draft)
        };
        match self.with_default(decision, Hook::ValidateConnection, Source::Client) {
            Decision::Pass | Decision::Accept => Ok(draft.terms),
            Decision::Drop(explained)
            | Decision::Consume(explained)
            | Decision::Deny(explained)
            | Decision::Disconnect(explained) => {
                tracing::info!(
                    client_id,
                    endpoint = gateway.endpoint,
                    username = connect.username.as_deref().unwrap_or_default(),
                    "refused: {explained}"
                );
                self.stats.refused();
                Err(self.refused_connack(connect.version, &explained))
            }
        }
    }

    /// Ends another connection of the same client and gives the Session, if there is one [MQTT-3.1.4-3].
    async fn take_over(&self, client: &ClientInfo) -> Option<Arc<Entry>> {
        let entry = self.sessions.get(&client.client_id)?;
        let control = entry.state.lock().control.clone();
        if let Some(control) = control {
            control.kick(Kick {
                reason: ReasonCode::SessionTakenOver,
                reason_string: None,
                server_reference: None,
                kind: DisconnectType::Takeover,
            });
            control.wait_gone().await;
            self.notify_session(
                Hook::SessionTakenOver,
                &entry,
                vec![(Field::Endpoint, client.endpoint.as_str().into())],
            );
        }
        // It may have ended with its connection.
        let entry = self.sessions.get(&client.client_id)?;
        self.wait_loaded(&entry).await;
        Some(entry)
    }

    /// The Session to attach to: the existing one, or a new one [MQTT-3.1.2-4, MQTT-3.1.2-5, MQTT-3.1.2-6].
    async fn session_for(
        &self,
        turn: &mut Turn,
        connect: &Connect,
        client: &Arc<ClientInfo>,
        existing: Option<Arc<Entry>>,
        draft: &SessionDraft<'_>,
        durability: Durability,
    ) -> Result<(Arc<Entry>, bool), ConnAck> {
        let survives = |entry: &Entry| {
            if let Some(ledger) = entry.session.0.ledger() {
                ledger.set_durability(durability);
            } else if let Some(ledger) = self.ledger_for(draft.session_expiry_interval, durability)
            {
                entry.state.lock().survive(ledger.clone());
                entry.session.0.survive(ledger);
            }
        };
        if let Some(entry) = existing {
            if !connect.clean_start {
                self.cancel_will(&entry);
                survives(&entry);
                self.seed(&entry, draft);
                return Ok((entry, true));
            }
            self.end_session(turn, &entry, "clean_start").await;
        }
        if self.sessions.len() >= self.session_settings.maximum_sessions {
            tracing::warn!(client_id = %client.client_id, "refused: maximum_sessions = {}", self.session_settings.maximum_sessions);
            return Err(refusal(
                connect.version,
                ReasonCode::QuotaExceeded,
                None,
                UserProperties::new(),
            ));
        }
        let session = SessionRef(Arc::new(Session::new(
            client.client_id.clone(),
            &self.session_settings,
            &self.budget,
        )));
        let entry = Arc::new(Entry {
            session,
            state: Mutex::new(State::default()),
        });
        survives(&entry);
        self.sessions.insert(Arc::clone(&entry));
        self.seed(&entry, draft);
        Ok((entry, false))
    }

    fn attach(
        &self,
        connect: &Connect,
        client: &Arc<ClientInfo>,
        terms: &Terms,
        draft: &SessionDraft<'_>,
        will: Option<StandingWill>,
        entry: Arc<Entry>,
    ) -> (Arc<Entry>, Arc<Control>, Ticket) {
        let control = Arc::new(Control::new(entry.session.clone()));
        let ticket = {
            let mut state = entry.state.lock();
            state.client = Some(Arc::clone(client));
            state.control = Some(Arc::clone(&control));
            state.epoch = self.next_epoch();
            self.timers.cancel(&std::mem::take(&mut state.timers));
            state.session_expiry_interval = draft.session_expiry_interval;
            state.will = will;
            state.away_since = None;
            self.tell_session(&entry, &state)
        };
        let session = &entry.session.0;
        session.set_client(Arc::clone(client));
        session.receiving().attach();
        let peer = Peer {
            version: connect.version,
            receive_maximum: terms.receive_maximum,
            maximum_packet_size: terms.maximum_packet_size.unwrap_or(u32::MAX),
            topic_alias_maximum: terms.topic_alias_maximum,
        };
        let now = crate::now();
        let lost = session
            .sending()
            .attach(peer, self.hooks.listens(Hook::InterceptDelivery), now);
        for lost in &lost {
            self.notify_lost(&entry.session, lost, now);
        }
        session.set_connected(true);
        self.sessions.count_connected(true);
        (entry, control, ticket)
    }

    fn tell_connected(
        &self,
        connect: &Connect,
        entry: &Arc<Entry>,
        client: &Arc<ClientInfo>,
        session_present: bool,
        draft: &SessionDraft<'_>,
    ) {
        let hook = if session_present {
            Hook::SessionResumed
        } else {
            Hook::SessionCreated
        };
        // What waited when the client came; some of it is on its way already.
        let n_queued = draft.n_queued + draft.messages.len();
        let n_queued = i64::try_from(n_queued).unwrap_or(i64::MAX);
        self.notify_session(hook, entry, vec![(Field::NQueued, n_queued.into())]);
        self.notify_client(Hook::ClientConnected, &entry.session.0, client, || {
            vec![
                (Field::SessionPresent, session_present.into()),
                (Field::CleanStart, connect.clean_start.into()),
                (Field::KeepAlive, i64::from(client.keep_alive).into()),
                (
                    Field::SessionExpiryInterval,
                    i64::from(draft.session_expiry_interval).into(),
                ),
                (
                    Field::UserProperties,
                    hookmq_plugin_api::Value::Pairs(&owned_pairs(connect)).to_owned(),
                ),
            ]
        });
    }

    /// The Will Message, if the whole broker's limit has room for it.
    fn standing_will(&self, connect: &Connect) -> Result<Option<StandingWill>, ConnAck> {
        let Some(will) = &connect.will else {
            return Ok(None);
        };
        let standing = StandingWill::new(&self.budget, (**will).clone());
        standing.map(Some).ok_or_else(|| {
            let why = "no room for the Will Message";
            refusal(
                connect.version,
                ReasonCode::QuotaExceeded,
                Some(why),
                UserProperties::new(),
            )
        })
    }

    /// Keep Alive in force [MQTT-3.2.2-21].
    fn keep_alive(&self, asked: u16) -> u16 {
        match self.session_settings.maximum_keep_alive {
            Some(maximum) if asked == 0 || asked > maximum => maximum,
            _ => asked,
        }
    }

    /// What the client asks for: Clean Session 0 of 3.1.1 keeps the Session as long as the broker does.
    fn session_expiry_interval(&self, connect: &Connect) -> u32 {
        match (connect.version, connect.clean_start) {
            (ProtocolVersion::V311, true) => 0,
            (ProtocolVersion::V311, false) => self.session_settings.maximum_session_expiry_interval,
            (ProtocolVersion::V5, _) => connect.session_expiry_interval.unwrap_or(0),
        }
    }
}
