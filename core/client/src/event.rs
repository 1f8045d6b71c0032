//! What a connection tells its owner.

use tokio::sync::mpsc;

use crate::error::Lost;
use crate::message::Message;

/// Something happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A message came. It is acknowledged once it lies in the queue.
    Message(Message),
    /// The connection ended; nothing comes after this.
    Lost(Lost),
}

/// The events of one connection, in their order. Dropping it lets messages go unread.
#[derive(Debug)]
pub struct Events {
    pub(crate) queue: mpsc::Receiver<Event>,
}

impl Events {
    /// The next event; `None` after [`Event::Lost`]. Safe to be cancelled.
    pub async fn next(&mut self) -> Option<Event> {
        self.queue.recv().await
    }

    /// The next message; the end of the connection is an error.
    ///
    /// # Errors
    /// Why the connection ended.
    pub async fn next_message(&mut self) -> Result<Message, Lost> {
        match self.next().await {
            Some(Event::Message(message)) => Ok(message),
            Some(Event::Lost(lost)) => Err(lost),
            None => Err(Lost::Closed),
        }
    }
}
