//! Accepts connections, one task for each. A full house and a lack of file descriptors make it wait, never end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::connection;
use crate::broker::Inner;
use crate::broker::connect::Gateway;
use crate::settings::ListenerSettings;

/// A bound listener that does not accept yet.
pub(crate) struct Listener {
    socket: TcpListener,
    settings: ListenerSettings,
}

/// How long accepting rests when the system has no file descriptor left.
const REST: Duration = Duration::from_millis(100);

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
        })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until the broker stops.
    pub(crate) async fn run(self, inner: Arc<Inner>, room: Arc<Semaphore>) {
        let name: Arc<str> = self.settings.name.as_str().into();
        let mut stopping = inner.stopping.subscribe();
        loop {
            let permit = tokio::select! {
                permit = Arc::clone(&room).acquire_owned() => permit,
                _ = stopping.wait_for(|stopping| *stopping) => return,
            };
            // The semaphore is never closed.
            let Ok(permit) = permit else { return };
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stopping.wait_for(|stopping| *stopping) => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if !is_of_one_connection(&error) {
                        tracing::warn!(listener = %name, %error, "accepting rests");
                        tokio::time::sleep(REST).await;
                    }
                    continue;
                }
            };
            let gateway = Gateway {
                listener: Arc::clone(&name),
                endpoint: peer.to_string(),
                allow_anonymous: self.settings.allow_anonymous,
                durability: self.settings.durability,
            };
            let inner = Arc::clone(&inner);
            tokio::spawn(async move {
                if let Err(error) = prepare(&stream) {
                    tracing::debug!(%peer, %error, "the socket went before it began");
                    return;
                }
                connection::run(inner, stream, gateway).await;
                drop(permit);
            });
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
