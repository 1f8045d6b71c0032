//! Takes a client out of the broker, however its connection's task ends: in peace, by a panic, or dropped in the middle by whoever
//! embeds the broker.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::end::End;
use super::packets::Protocol;
use crate::broker::disconnect::Ended;
use crate::broker::sessions::{Control, Entry, GoneAtEnd};
use crate::broker::{Inner, Turn};
use crate::client::ClientInfo;

/// See the module. Made when the client is in.
pub(crate) struct Leaving(Option<Box<Departure>>);

struct Departure {
    inner: Arc<Inner>,
    entry: Arc<Entry>,
    client: Arc<ClientInfo>,
    control: Arc<Control>,
}

impl Leaving {
    pub(crate) fn new(protocol: &Protocol) -> Self {
        Self(Some(Box::new(Departure {
            inner: Arc::clone(&protocol.inner),
            entry: Arc::clone(&protocol.entry),
            client: Arc::clone(&protocol.client),
            control: Arc::clone(&protocol.control),
        })))
    }

    /// The usual end. It goes on to its end even if nobody waits for it any more.
    pub(crate) async fn end(mut self, turn: Turn, ended: Ended) {
        if let Some(departure) = self.0.take() {
            departure.detach();
            // A panic in it was told where it happened; the connection is gone all the same.
            let _ = tokio::spawn(departure.run(turn, ended)).await;
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let Some(departure) = self.0.take() else {
            return;
        };
        // Without a runtime the whole broker has ended.
        if let Ok(runtime) = Handle::try_current() {
            departure.detach();
            let turn = Turn::new(&departure.inner);
            runtime.spawn(departure.run(turn, End::lost().ended));
        }
    }
}

impl Departure {
    /// At once: what is published from here on waits for the client's next connection.
    fn detach(&self) {
        let session = &self.entry.session.0;
        session.set_connected(false);
        session.sending().detach();
    }

    async fn run(self: Box<Self>, mut turn: Turn, ended: Ended) {
        let _gone = GoneAtEnd(Arc::clone(&self.control));
        self.inner
            .disconnected(&mut turn, &self.entry, &self.client, &self.control, ended)
            .await;
        turn.wake();
    }
}
