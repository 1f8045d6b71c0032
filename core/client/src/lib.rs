//! A small MQTT client, 3.1.1 and 5.0, over TCP and tokio.
//!
//! ```text
//! options      who connects, where, with which CONNECT        connection   the task that owns the socket
//! client       the handle: publish, subscribe, disconnect     state        identifiers and answers awaited
//! event        what arrives: messages, and the end            helper       reconnects and subscribes again
//! ```
//!
//! A [`Client`] is one Network Connection: when it ends, everything unanswered fails with the same [`Lost`], and
//! nothing is sent again. [`ClientHelper`] is the one that stays.
//!
//! ```
//! use hookmq_client::{Client, ConnectOptions, Event, Message};
//! use hookmq_mqtt::QoS;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let (client, mut events) = Client::connect(ConnectOptions::new("127.0.0.1", 1883)).await?;
//! client.subscribe_to("room/+/temperature", QoS::AtLeastOnce).await?;
//! client.publish(Message::new("room/1/temperature", "21.5").qos(QoS::AtLeastOnce)).await?;
//! if let Some(Event::Message(message)) = events.next().await {
//!     assert_eq!(message.topic, "room/1/temperature");
//! }
//! client.disconnect().await?;
//! # Ok(())
//! # }
//! ```

mod client;
mod connection;
mod error;
mod event;
mod helper;
mod message;
mod options;
mod state;

pub use client::{Client, Published, Receipt};
pub use error::{ClientError, Lost, Refusal};
pub use event::{Event, Events};
pub use helper::ClientHelper;
pub use message::{Message, MessageProperties};
pub use options::ConnectOptions;
