//! The handle of a connection: requests go out, their answers come back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hookmq_mqtt::{
    AckProperties, ConnAck, Disconnect, ProtocolVersion, QoS, ReasonCode, SubAck, Subscribe,
    SubscribeEntry, SubscriptionIdentifier, TopicFilter, TopicName, UnsubAck, Unsubscribe,
    UserProperties,
};
use tokio::sync::{mpsc, oneshot};

use crate::connection;
use crate::error::{ClientError, Lost, Refusal};
use crate::event::Events;
use crate::message::Message;
use crate::options::ConnectOptions;

/// A connected client. Cheap to clone; when the last clone is dropped the connection is closed with a DISCONNECT.
///
/// Requests of one handle go out in their order. QoS 1 and 2 wait while the server's Receive Maximum is used up.
#[derive(Debug, Clone)]
pub struct Client {
    requests: mpsc::Sender<Request>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connack: ConnAck,
    client_id: String,
    version: ProtocolVersion,
    answer_timeout: Duration,
}

/// What the connection's task is asked for.
#[derive(Debug)]
pub(crate) enum Request {
    Publish(Message, Answer<Published>),
    /// The Packet Identifier is set by the task.
    Subscribe(Subscribe, Answer<SubAck>),
    /// The Packet Identifier is set by the task.
    Unsubscribe(Unsubscribe, Answer<UnsubAck>),
    Disconnect(Disconnect, Answer<()>),
}

pub(crate) type Answer<T> = oneshot::Sender<Result<T, ClientError>>;

/// What the server answered to a PUBLISH.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// `Success` or `NoMatchingSubscribers`. QoS 0, which has no answer, is `Success` once it is in the outbox.
    pub reason: ReasonCode,
    /// What else the answer said; `None` if nothing.
    pub properties: Option<Box<AckProperties>>,
}

/// The answer to a message on its way; a future. Dropping it does not recall the message.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<Published, ClientError>>);

impl Future for Receipt {
    type Output = Result<Published, ClientError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(Lost::Closed.into())))
    }
}

impl Client {
    /// Connects and waits for CONNACK.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`], [`ClientError::Timeout`], [`ClientError::Refused`] with what CONNACK says,
    /// [`ClientError::Lost`] if the server closes instead, [`ClientError::Encode`] if the options cannot be said.
    pub async fn connect(options: ConnectOptions) -> Result<(Self, Events), ClientError> {
        let opened = tokio::time::timeout(options.answer_timeout, connection::open(&options))
            .await
            .map_err(|_| ClientError::Timeout)??;
        let assigned = opened
            .connack
            .properties
            .as_ref()
            .and_then(|it| it.assigned_client_identifier.clone());
        let shared = Shared {
            client_id: assigned.unwrap_or_else(|| options.connect.client_id.clone()),
            version: options.connect.version,
            connack: opened.connack.clone(),
            answer_timeout: options.answer_timeout,
        };
        let (requests, to_do) = mpsc::channel(options.queue.max(1));
        let (events, queue) = mpsc::channel(options.queue.max(1));
        tokio::spawn(connection::run(opened, options, to_do, events));
        Ok((
            Self {
                requests,
                shared: Arc::new(shared),
            },
            Events { queue },
        ))
    }

    /// What the server answered to CONNECT.
    #[must_use]
    pub fn connack(&self) -> &ConnAck {
        &self.shared.connack
    }

    /// The name of the session: the assigned Client Identifier if there is one, else that of the options.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.shared.client_id
    }

    /// The version spoken.
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.shared.version
    }

    /// True until the connection has ended.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.requests.is_closed()
    }

    /// Publishes and waits for the answer: none for QoS 0, PUBACK for QoS 1, PUBCOMP for QoS 2.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the server's reason; otherwise the message was not sent or its answer was lost.
    pub async fn publish(&self, message: Message) -> Result<Published, ClientError> {
        self.send(message).await?.await
    }

    /// Hands a message over and returns as soon as it is in the queue; the receipt is the answer to come.
    ///
    /// # Errors
    /// If the topic is not a Topic Name or the connection has ended.
    pub async fn send(&self, message: Message) -> Result<Receipt, ClientError> {
        TopicName::check(&message.topic).map_err(|error| ClientError::Topic {
            topic: message.topic.clone(),
            error,
        })?;
        let (answer, receipt) = oneshot::channel();
        self.request(Request::Publish(message, answer)).await?;
        Ok(Receipt(receipt))
    }

    /// Subscribes to one filter without options.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with what SUBACK says, and as [`Self::subscribe`].
    pub async fn subscribe_to(&self, topic_filter: &str, qos: QoS) -> Result<QoS, ClientError> {
        let entry = SubscribeEntry {
            topic_filter: topic_filter.to_owned(),
            options: qos.into(),
        };
        let suback = self.subscribe(vec![entry], None).await?;
        match suback.reasons.first() {
            Some(ReasonCode::Success) => Ok(QoS::AtMostOnce),
            Some(ReasonCode::GrantedQoS1) => Ok(QoS::AtLeastOnce),
            Some(ReasonCode::GrantedQoS2) => Ok(QoS::ExactlyOnce),
            Some(reason) => Err(ClientError::Refused(Refusal::new(
                *reason,
                suback.reason_string,
            ))),
            None => Err(Lost::Protocol("SUBACK without a reason code").into()),
        }
    }

    /// Subscribes and waits for SUBACK, which has one Reason Code for each entry, also when some are refused.
    ///
    /// # Errors
    /// If a filter is not a Topic Filter, the packet cannot be written, or the connection ends.
    pub async fn subscribe(
        &self,
        subscriptions: Vec<SubscribeEntry>,
        subscription_identifier: Option<SubscriptionIdentifier>,
    ) -> Result<SubAck, ClientError> {
        for entry in &subscriptions {
            check_filter(&entry.topic_filter)?;
        }
        let subscribe = Subscribe {
            packet_identifier: hookmq_mqtt::PacketIdentifier::FIRST,
            subscription_identifier,
            user_properties: UserProperties::new(),
            subscriptions,
        };
        let (answer, suback) = oneshot::channel();
        self.request(Request::Subscribe(subscribe, answer)).await?;
        suback.await.unwrap_or(Err(Lost::Closed.into()))
    }

    /// Unsubscribes and waits for UNSUBACK. 3.1.1 has no Reason Codes there.
    ///
    /// # Errors
    /// As [`Self::subscribe`].
    pub async fn unsubscribe(&self, topic_filters: Vec<String>) -> Result<UnsubAck, ClientError> {
        for topic_filter in &topic_filters {
            check_filter(topic_filter)?;
        }
        let unsubscribe = Unsubscribe {
            packet_identifier: hookmq_mqtt::PacketIdentifier::FIRST,
            topic_filters,
            user_properties: UserProperties::new(),
        };
        let (answer, unsuback) = oneshot::channel();
        self.request(Request::Unsubscribe(unsubscribe, answer))
            .await?;
        unsuback.await.unwrap_or(Err(Lost::Closed.into()))
    }

    /// Normal disconnection, after what was asked for before is written.
    ///
    /// # Errors
    /// If the connection ended before, or does not take the packet in time.
    pub async fn disconnect(&self) -> Result<(), ClientError> {
        self.disconnect_with(Disconnect::new(ReasonCode::Success))
            .await
    }

    /// Disconnects with a reason, for example `DisconnectWithWillMessage`. 3.1.1 does not send the reason.
    ///
    /// # Errors
    /// As [`Self::disconnect`].
    pub async fn disconnect_with(&self, disconnect: Disconnect) -> Result<(), ClientError> {
        let leave = async {
            let (answer, done) = oneshot::channel();
            self.request(Request::Disconnect(disconnect, answer))
                .await?;
            done.await.unwrap_or(Err(Lost::Closed.into()))
        };
        tokio::time::timeout(self.shared.answer_timeout, leave)
            .await
            .unwrap_or(Err(ClientError::Timeout))
    }

    async fn request(&self, request: Request) -> Result<(), ClientError> {
        self.requests
            .send(request)
            .await
            .map_err(|_| Lost::Closed.into())
    }
}

fn check_filter(text: &str) -> Result<(), ClientError> {
    match TopicFilter::parse(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(ClientError::Topic {
            topic: text.to_owned(),
            error,
        }),
    }
}
