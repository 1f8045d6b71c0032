//! One Network Connection: the task that reads, writes and watches the clock for one client.
//!
//! A turn reads what the socket has (up to 64 KiB), handles every whole packet in it, wakes the Sessions that it touched once each,
//! and writes once. An idle connection holds no buffer. The transport is anything that reads and writes; TCP today.

mod output;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use hookmq_mqtt::codec::{self, Frame};
use hookmq_mqtt::{Packet, ProtocolVersion, ReasonCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::end::End;
use super::leaving::Leaving;
use super::opening::introduce;
use super::outbound::Unlearned;
use super::pace::Pace;
use super::packets::{Flow, Protocol, Way};
use crate::broker::Inner;
use crate::broker::connect::Gateway;
use crate::broker::handshakes::Handshake;
use crate::broker::sessions::{DisconnectType, Kick};
use crate::store::journal::{Asked, Ticket};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// How long a publisher is not read from while the whole broker's limit of queued bytes is nearly reached.
const REST: Duration = Duration::from_millis(20);
/// How long the last words to a client may take.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Serves one connection from its first byte to its last.
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Unpin + Send>(
    inner: Arc<Inner>,
    stream: S,
    gateway: Gateway,
    handshake: Option<Handshake>,
) {
    // Boxed, both of them, so that an idle connection's task does not carry the room that CONNECT needed.
    let Some(mut connection) = Box::pin(open(inner, stream, gateway, handshake)).await else {
        return;
    };
    let leaving = Leaving::new(&connection.protocol);
    let end = connection.serve().await;
    let left = Box::pin(connection.close(end, leaving)).await;
    if let Some(stream) = left {
        let _ = tokio::time::timeout(FAREWELL, Box::pin(linger(stream))).await;
    }
}

/// Reads on until the client closes: closing on a client that still sends would reset the connection, and take the DISCONNECT that
/// says why out of its hands.
async fn linger<S: AsyncRead + Unpin>(mut stream: S) {
    let mut ignored = [0; 1024];
    while matches!(stream.read(&mut ignored).await, Ok(n) if n > 0) {}
}

/// Lets the client in, or not.
async fn open<S: AsyncRead + AsyncWrite + Unpin + Send>(
    inner: Arc<Inner>,
    mut stream: S,
    gateway: Gateway,
    handshake: Option<Handshake>,
) -> Option<Box<Connection<S>>> {
    let (protocol, inbound, connack, opening) =
        introduce(&inner, &mut stream, &gateway, handshake).await?;
    if *inner.stopping.borrow() {
        // It came in while the others were sent away.
        protocol.control.kick(Kick::shutting_down());
    }
    Some(Box::new(Connection::new(
        protocol, stream, inbound, connack, opening,
    )))
}

/// What the sans-waiting part of a turn could not do itself.
enum Step {
    /// A packet that may await.
    Packet(BytesMut),
    /// Others have their turn, then it goes on.
    Rest,
    /// The connection ends.
    End(Box<End>),
}

struct Connection<S> {
    protocol: Protocol,
    stream: S,
    /// Bytes received and not yet handled: part of a packet, or what came behind one that awaits.
    inbound: BytesMut,
    /// Packets that plugins are to be asked about before they are written.
    unasked: BytesMut,
    /// Bytes on their way to the socket.
    write: BytesMut,
    pace: Pace,
    /// Topic Aliases that plugins kept from the client.
    unlearned: Unlearned,
    /// The last packet of the client came before this.
    last_packet: Instant,
    /// One and a half times Keep Alive [MQTT-3.1.2-22].
    patience: Option<Duration>,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
    /// Nothing is read before its end.
    rest: Option<Pin<Box<tokio::time::Sleep>>>,
    /// CONNACK, which comes before anything else, waits for the store.
    opening: Ticket,
    asked: Asked,
    /// Something waited for the store when it was last looked at.
    looks_again: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    fn new(
        protocol: Protocol,
        stream: S,
        inbound: BytesMut,
        connack: BytesMut,
        opening: Ticket,
    ) -> Self {
        let keep_alive = protocol.client.keep_alive;
        let patience =
            (keep_alive > 0).then(|| Duration::from_millis(u64::from(keep_alive) * 1500));
        Self {
            protocol,
            stream,
            inbound,
            unasked: BytesMut::new(),
            // Plugins were asked about it already.
            write: connack,
            pace: Pace::default(),
            unlearned: Unlearned::default(),
            last_packet: crate::now(),
            patience,
            rest: None,
            timer: patience.map(|patience| Box::pin(tokio::time::sleep(patience))),
            opening,
            asked: Asked::default(),
            looks_again: false,
        }
    }

    /// Turns, until the connection ends.
    async fn serve(&mut self) -> Box<End> {
        // What waited in the Session goes out with CONNACK.
        self.protocol.entry.session.0.mark_output();
        loop {
            match poll_fn(|context| self.poll_turn(context)).await {
                Step::Packet(frame) => {
                    let handled = Box::pin(self.handle_awaiting(frame)).await;
                    self.protocol.end_turn();
                    if let Err(end) = handled {
                        return end;
                    }
                    // Whether it waited or not, it took its time.
                    self.pace.step();
                }
                Step::Rest => {}
                Step::End(end) => return end,
            }
            self.let_others_on().await;
        }
    }

    /// Rests when a turn is over; a time limit around it can end it there.
    async fn let_others_on(&mut self) {
        if self.pace.is_spent() {
            tokio::task::yield_now().await;
            self.pace.reset();
        }
    }

    /// One packet that may await; a kick cuts it short.
    async fn handle_awaiting(&mut self, frame: BytesMut) -> Result<(), Box<End>> {
        let control = Arc::clone(&self.protocol.control);
        let chain = self.protocol.inner.hooks.chain();
        let handled = self.protocol.handle_awaiting(&chain, &frame, crate::now());
        tokio::select! {
            biased;
            kick = control.wait_kicked() => Err(End::kicked(kick)),
            handled = handled => handled,
        }
    }

    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        if let Some(kick) = self.protocol.control.kicked() {
            return Poll::Ready(Step::End(End::kicked(kick)));
        }
        loop {
            if let Err(end) = self.poll_output(context) {
                return Poll::Ready(Step::End(end));
            }
            // A client that does not read is not listened to: its answers would pile up.
            let protocol = &self.protocol;
            let n_waiting = self.write.len()
                + self.unasked.len()
                + protocol.replies.len()
                + protocol.promises.len();
            if n_waiting >= protocol.inner.session_settings.outbox_bytes {
                break;
            }
            // Nor is one that waits for a store which has to catch up.
            if self.store_is_full(context) {
                // Who is not read from cannot be found silent.
                self.last_packet = crate::now();
                break;
            }
            if self.is_resting(context) {
                break;
            }
            match self.poll_input(context) {
                Poll::Ready(Ok(Some(step))) => {
                    self.protocol.end_turn();
                    return Poll::Ready(step);
                }
                Poll::Ready(Ok(None)) => self.protocol.end_turn(),
                Poll::Ready(Err(end)) => {
                    self.protocol.end_turn();
                    return Poll::Ready(Step::End(end));
                }
                Poll::Pending => break,
            }
            if self.pace.is_spent() {
                break;
            }
        }
        if self.pace.is_spent() {
            return Poll::Ready(Step::Rest);
        }
        self.pace.reset();
        self.poll_timer(context)
    }

    /// Steps 1 and 2: reads once and handles every whole packet. `Ok(None)`: look again.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Step>, Box<End>>> {
        // What came behind a packet that had to wait.
        if !self.inbound.is_empty() {
            let bytes = std::mem::take(&mut self.inbound);
            let (used, step) = self.handle(&bytes)?;
            self.keep(bytes, used);
            if step.is_some() {
                return Poll::Ready(Ok(step));
            }
            if used > 0 {
                return Poll::Ready(Ok(None));
            }
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => return Poll::Ready(Err(End::lost())),
                Ok(()) => {}
                Err(error) => {
                    tracing::debug!(client_id = %self.protocol.client.client_id, %error, "lost");
                    return Poll::Ready(Err(End::lost()));
                }
            }
            let filled = buffer.filled();
            if self.inbound.is_empty() {
                let (used, step) = self.handle(filled)?;
                if let Some(rest) = filled.get(used..).filter(|rest| !rest.is_empty()) {
                    self.inbound.extend_from_slice(rest);
                }
                return Poll::Ready(Ok(step));
            }
            self.inbound.extend_from_slice(filled);
            let bytes = std::mem::take(&mut self.inbound);
            let (used, step) = self.handle(&bytes)?;
            self.keep(bytes, used);
            Poll::Ready(Ok(step))
        })
    }

    fn keep(&mut self, mut bytes: BytesMut, used: usize) {
        bytes.advance(used);
        if !bytes.is_empty() {
            self.inbound = bytes;
        }
    }

    /// Handles whole packets from the front, as many as a turn has time for; gives how many bytes are done with.
    fn handle(&mut self, bytes: &[u8]) -> Result<(usize, Option<Step>), Box<End>> {
        let now = crate::now();
        let chain = self.protocol.inner.hooks.chain();
        let maximum = self.protocol.inner.session_settings.maximum_packet_size;
        let way = Way::of(&chain);
        let is_slowed = self.protocol.inner.slows_publishers();
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let Frame::Complete(len) = codec::frame(rest, maximum)? else {
                break;
            };
            let Some(frame) = rest.get(..len) else { break };
            used += len;
            self.last_packet = now;
            if is_slowed && self.rest.is_none() && is_acknowledged_publish(frame) {
                self.rest = Some(Box::pin(tokio::time::sleep(REST)));
            }
            if let Flow::Await(frame) = self.protocol.handle(&chain, way, frame, now)? {
                return Ok((used, Some(Step::Packet(frame))));
            }
            if self.pace.quick_step() {
                break;
            }
        }
        Ok((used, None))
    }

    /// Whether this client is not read from until the store has caught up; then the task is woken when it has.
    fn store_is_full(&mut self, context: &Context<'_>) -> bool {
        let Some(journal) = self.protocol.inner.journal.get() else {
            return false;
        };
        // Who waits for nothing has added little, and goes on.
        if !journal.is_full() || !self.waits_for_store() {
            return false;
        }
        journal.wake_me(context, &mut self.asked);
        journal.is_full()
    }

    /// Whether it is a publisher's turn to rest; then the task is woken when it is over.
    fn is_resting(&mut self, context: &mut Context<'_>) -> bool {
        let is_resting = self
            .rest
            .as_mut()
            .is_some_and(|rest| rest.as_mut().poll(context).is_pending());
        if !is_resting {
            self.rest = None;
        }
        is_resting
    }

    /// Keep Alive: one timer that is only set anew when it rings [MQTT-3.1.2-22].
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        let (Some(timer), Some(patience)) = (&mut self.timer, self.patience) else {
            return Poll::Pending;
        };
        while timer.as_mut().poll(context).is_ready() {
            let due = self.last_packet + patience;
            if due <= crate::now() {
                let end =
                    End::by_broker(ReasonCode::KeepAliveTimeout, DisconnectType::NotClean, None);
                return Poll::Ready(Step::End(end));
            }
            // A client that only pings needs no memory of its topics.
            self.protocol.turn.forget_routes();
            timer.as_mut().reset(due.into());
        }
        Poll::Pending
    }

    /// The last words, then the broker's side of the end. Gives the stream back if the client was told something.
    async fn close(mut self: Box<Self>, end: Box<End>, leaving: Leaving) -> Option<S> {
        let client = Arc::clone(&self.protocol.client);
        let told = tokio::time::timeout(FAREWELL, self.farewell(&end)).await;
        if end.ended.kind == DisconnectType::NotClean {
            tracing::info!(client_id = %client.client_id, endpoint = client.endpoint, reason = end.ended.reason.name(), why = end.ended.reason_string.as_deref().unwrap_or_default(), "disconnected");
        }
        let Self {
            protocol, stream, ..
        } = *self;
        // A client that was told something gets the time to read it; any other socket closes now.
        let left = (end.disconnect.is_some() && matches!(told, Ok(Ok(())))).then_some(stream);
        leaving.end(protocol.turn, end.ended).await;
        left
    }

    /// What is encoded already goes out when the broker ends the connection in peace; DISCONNECT tells an MQTT 5 client why
    /// [MQTT-3.14.0-1].
    async fn farewell(&mut self, end: &End) -> std::io::Result<()> {
        let Some(disconnect) = &end.disconnect else {
            return Ok(());
        };
        if end.ended.reason == ReasonCode::ServerShuttingDown && !self.protocol.promises.is_empty()
        {
            let inner = Arc::clone(&self.protocol.inner);
            if let Some(journal) = inner.journal.get() {
                journal.wait(journal.tail()).await;
            }
        }
        self.protocol.keep_promises();
        if !self.protocol.replies.is_empty() {
            let mut replies = std::mem::take(&mut self.protocol.replies);
            self.admit(&mut replies);
        }
        if end.ended.reason == ReasonCode::ServerShuttingDown {
            while self.take_outbox() {
                self.let_others_on().await;
            }
        }
        if self.protocol.client.version == ProtocolVersion::V5 {
            let mut last = disconnect.clone();
            if !self.protocol.client.request_problem_information {
                last.reason_string = None;
            }
            // [MQTT-3.14.2-3], [MQTT-3.14.2-4]
            let len = codec::packet_len(&Packet::Disconnect(last.clone()), ProtocolVersion::V5);
            if !len.is_ok_and(|len| len <= self.protocol.maximum_packet_size) {
                last.reason_string = None;
                last.user_properties = hookmq_mqtt::UserProperties::new();
            }
            let mut bytes = BytesMut::new();
            if codec::encode(&Packet::Disconnect(last), ProtocolVersion::V5, &mut bytes).is_ok() {
                self.admit(&mut bytes);
            }
        }
        while !self.unasked.is_empty() {
            self.let_others_on().await;
            self.admit_unasked();
        }
        let write = std::mem::take(&mut self.write);
        self.stream.write_all(&write).await?;
        self.stream.shutdown().await
    }
}

/// Whether a packet is a PUBLISH with QoS 1 or 2.
fn is_acknowledged_publish(frame: &[u8]) -> bool {
    frame
        .first()
        .is_some_and(|first| first >> 4 == 3 && first & 0b110 != 0)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    /// What an idle connection keeps: the task's own state and the boxed connection, without the Session.
    #[test]
    fn an_idle_connection_is_small() {
        fn size<F>(_: fn(Arc<Inner>, TcpStream, Gateway, Option<Handshake>) -> F) -> usize {
            size_of::<F>()
        }
        let task = size(run::<TcpStream>);
        let connection = size_of::<Connection<TcpStream>>();
        assert!(task + connection <= 1024, "{task} + {connection} bytes");
    }
}
