//! Accepts connections, one task for each. A full house and a lack of file descriptors make it wait, never end; both make the oldest
//! connection go that has not said CONNECT.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection;
use super::rate::Rate;
use crate::broker::Inner;
use crate::broker::connect::Gateway;
use crate::broker::handshakes::Handshakes;
use crate::settings::ListenerSettings;

/// A bound listener that does not accept yet.
pub(crate) struct Listener {
    socket: TcpListener,
    settings: ListenerSettings,
    pub(crate) handshakes: Arc<Handshakes>,
}

/// How long accepting rests when the system has no file descriptor left,
const REST: Duration = Duration::from_millis(100);
/// and until who was asked to go has gone.
const MOMENT: Duration = Duration::from_millis(5);

impl Listener {
    pub(crate) fn bind(settings: &ListenerSettings) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(settings.bind);
        let socket =
            socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&settings.bind.into())?;
        socket.listen(4096)?;
        Ok(Self {
            socket: TcpListener::from_std(socket.into())?,
            settings: settings.clone(),
            handshakes: Arc::new(Handshakes::new(settings.maximum_handshakes.max(1))),
        })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until the broker stops.
    pub(crate) async fn run(self, inner: Arc<Inner>, room: Arc<Semaphore>) {
        let mut stopping = inner.stopping.subscribe();
        let serving = self.serve(&inner, &room);
        tokio::select! {
            () = serving => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }

    async fn serve(self, inner: &Arc<Inner>, room: &Arc<Semaphore>) {
        let name: Arc<str> = self.settings.name.as_str().into();
        let per_second = self.settings.maximum_connect_rate;
        let mut rate = per_second.map(|n| Rate::new(n.max(1), crate::now()));
        let mut is_resting = false;
        loop {
            if let Some(rate) = &mut rate {
                while let Err(wait) = rate.take(crate::now()) {
                    tokio::time::sleep(wait).await;
                }
            }
            let (stream, peer) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    // Said once, however long it takes.
                    if !std::mem::replace(&mut is_resting, true) {
                        tracing::warn!(listener = %name, %error, "accepting rests");
                    }
                    let has_made_room = self.handshakes.evict_silent(crate::now());
                    tokio::time::sleep(if has_made_room { MOMENT } else { REST }).await;
                    continue;
                }
            };
            if std::mem::take(&mut is_resting) {
                tracing::info!(listener = %name, "accepting goes on");
            }
            let permit = self.permit(room).await;
            let gateway = Gateway {
                listener: Arc::clone(&name),
                endpoint: peer.to_string(),
                allow_anonymous: self.settings.allow_anonymous,
                durability: self.settings.durability,
            };
            let inner = Arc::clone(inner);
            let handshake = self.handshakes.enter(crate::now());
            tokio::spawn(async move {
                if let Err(error) = prepare(&stream) {
                    tracing::debug!(%peer, %error, "the socket went before it began");
                    return;
                }
                connection::run(inner, stream, gateway, Some(handshake)).await;
                drop(permit);
            });
        }
    }

    /// Room for one more connection. Who has said nothing for a while gives way to who may.
    async fn permit(&self, room: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(permit) = Arc::clone(room).try_acquire_owned() {
                return Some(permit);
            }
            let has_made_room = self.handshakes.evict_silent(crate::now());
            let wait = if has_made_room { MOMENT } else { REST };
            let acquired = Arc::clone(room).acquire_owned();
            if let Ok(permit) = tokio::time::timeout(wait, acquired).await {
                // The semaphore is never closed.
                return permit.ok();
            }
        }
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}

/// Errors of accept(2) that belong to the connection that went, not to the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
    )
}
