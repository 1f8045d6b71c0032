//! The task that owns the socket: reads and writes, keeps alive, ends.
//!
//! One loop for both directions. What the packets mean is `state`'s; here is only when something may be read,
//! written or taken from the handle's queue.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hookmq_mqtt::codec::{self, Frame};
use hookmq_mqtt::{ConnAck, Disconnect, Packet, ProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use crate::client::{Answer, Request};
use crate::error::{ClientError, Lost, Refusal};
use crate::event::Event;
use crate::options::ConnectOptions;
use crate::state::State;

/// Room for one read of the socket.
const READ_BYTES: usize = 64 * 1024;

/// A connection whose CONNACK said Success.
pub(crate) struct Opened {
    stream: TcpStream,
    input: BytesMut,
    pub(crate) connack: ConnAck,
}

/// Makes the TCP connection and exchanges CONNECT and CONNACK.
pub(crate) async fn open(options: &ConnectOptions) -> Result<Opened, ClientError> {
    let unreachable = |error: io::Error| ClientError::Unreachable {
        host: options.host.clone(),
        port: options.port,
        error: Arc::new(error),
    };
    let mut stream = TcpStream::connect((options.host.as_str(), options.port))
        .await
        .map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;

    let version = options.connect.version;
    let mut output = BytesMut::new();
    codec::encode(
        &Packet::Connect(Box::new(options.connect.clone())),
        version,
        &mut output,
    )?;
    stream
        .write_all(&output)
        .await
        .map_err(|error| Lost::Io(Arc::new(error)))?;

    let mut input = BytesMut::with_capacity(READ_BYTES);
    let frame = loop {
        match next_frame(&mut input, options.maximum_packet_size())? {
            Some(frame) => break frame,
            None => match stream.read_buf(&mut input).await {
                Ok(0) => return Err(Lost::Closed.into()),
                Ok(_) => {}
                Err(error) => return Err(Lost::Io(Arc::new(error)).into()),
            },
        }
    };
    // A server that does not speak 5.0 says so in the shape of 3.1.1, which has no properties.
    let answered = if frame.len() == 4 {
        ProtocolVersion::V311
    } else {
        version
    };
    match codec::decode(&frame, answered).map_err(Lost::Malformed)? {
        Packet::ConnAck(connack) if connack.reason.is_error() => {
            Err(ClientError::Refused(Refusal::from(connack)))
        }
        Packet::ConnAck(connack) => Ok(Opened {
            stream,
            input,
            connack,
        }),
        Packet::Auth(_) => Err(Lost::Protocol("AUTH was not asked for").into()),
        _ => Err(Lost::Protocol("the first packet is not CONNACK").into()),
    }
}

/// Serves the connection until it ends, then tells everybody why.
pub(crate) async fn run(
    opened: Opened,
    options: ConnectOptions,
    mut requests: mpsc::Receiver<Request>,
    events: mpsc::Sender<Event>,
) {
    let mut state = State::new(&options.connect, &opened.connack);
    let keep_alive = opened
        .connack
        .properties
        .as_ref()
        .and_then(|properties| properties.server_keep_alive)
        .unwrap_or(options.connect.keep_alive);
    let (reader, writer) = opened.stream.into_split();
    let mut connection = Connection {
        reader,
        writer,
        input: opened.input,
        maximum_packet_size: options.maximum_packet_size(),
        outbox_bytes: options.outbox_bytes,
        answer_timeout: options.answer_timeout,
        pinger: Pinger::new(Duration::from_secs(keep_alive.into())),
        broken: None,
    };
    let lost = connection.drive(&mut state, &mut requests, &events).await;
    tracing::debug!(%lost, "connection ended");
    requests.close();
    state.fail_all(&lost);
    while let Ok(request) = requests.try_recv() {
        State::fail(request, lost.clone().into());
    }
    // Nobody may be listening any more.
    let _ = events.send(Event::Lost(lost)).await;
}

struct Connection {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    input: BytesMut,
    maximum_packet_size: u32,
    outbox_bytes: usize,
    answer_timeout: Duration,
    pinger: Pinger,
    /// Writing failed. What the server said before is still read.
    broken: Option<io::Error>,
}

/// What ends one turn of the loop.
enum Turn {
    Read(io::Result<usize>),
    Written(io::Result<usize>),
    Request(Option<Request>),
    Timer,
    Room,
}

impl Connection {
    async fn drive(
        &mut self,
        state: &mut State,
        requests: &mut mpsc::Receiver<Request>,
        events: &mpsc::Sender<Event>,
    ) -> Lost {
        // A PUBLISH that waits for the server's Receive Maximum; those behind it wait too, in order.
        let mut waiting: Option<Request> = None;
        loop {
            let stalled = match self.take_frames(state, events) {
                Ok(stalled) => stalled,
                Err(lost) => {
                    self.complain(&lost, state).await;
                    return lost;
                }
            };
            if let Some(request) = waiting.take() {
                waiting = state.request(request);
            }
            let takes = waiting.is_none() && state.outbox.len() < self.outbox_bytes;
            let writes = !state.outbox.is_empty() && self.broken.is_none();
            if !stalled && self.input.capacity() - self.input.len() < READ_BYTES / 2 {
                self.input.reserve(READ_BYTES);
            }
            let turn = tokio::select! {
                read = self.reader.read_buf(&mut self.input), if !stalled => Turn::Read(read),
                written = self.writer.write_buf(&mut state.outbox), if writes => Turn::Written(written),
                request = requests.recv(), if takes => Turn::Request(request),
                () = tokio::time::sleep_until(self.pinger.deadline()), if self.pinger.is_on() => Turn::Timer,
                _ = events.reserve(), if stalled => Turn::Room,
            };
            match turn {
                Turn::Room => {}
                Turn::Read(Ok(0)) => return self.broken.take().map_or(Lost::Closed, io_lost),
                Turn::Read(Ok(_)) => self.pinger.heard(),
                Turn::Read(Err(error)) => return io_lost(self.broken.take().unwrap_or(error)),
                Turn::Written(Ok(_)) => self.pinger.sent(),
                Turn::Written(Err(error)) => {
                    state.outbox.clear();
                    self.broken = Some(error);
                }
                Turn::Request(Some(Request::Disconnect(disconnect, answer))) => {
                    return self.leave(state, disconnect, Some(answer)).await;
                }
                Turn::Request(Some(request)) => waiting = state.request(request),
                Turn::Request(None) => {
                    return self.leave(state, Disconnect::default(), None).await;
                }
                // What lies unread in the socket may well be the answer.
                Turn::Timer if self.pinger.is_waiting() && !stalled => return Lost::Silent,
                Turn::Timer => {
                    state.ping();
                    self.pinger.pinged(self.answer_timeout);
                }
            }
        }
    }

    /// Handles every whole packet read; true if the events are full and a message has to wait.
    fn take_frames(
        &mut self,
        state: &mut State,
        events: &mpsc::Sender<Event>,
    ) -> Result<bool, Lost> {
        loop {
            let is_publish = self.input.first().is_some_and(|first| first >> 4 == 3);
            let permit = match events.try_reserve() {
                Ok(permit) => Some(permit),
                Err(TrySendError::Full(())) if is_publish => return Ok(true),
                // Nobody wants the messages, or it is none.
                Err(_) => None,
            };
            let Some(frame) = next_frame(&mut self.input, self.maximum_packet_size)? else {
                return Ok(false);
            };
            if let (Some(message), Some(permit)) = (state.handle(&frame)?, permit) {
                permit.send(Event::Message(message));
            }
        }
    }

    /// DISCONNECT after all that is to be written.
    async fn leave(
        &mut self,
        state: &mut State,
        disconnect: Disconnect,
        answer: Option<Answer<()>>,
    ) -> Lost {
        let left = match state.say(&Packet::Disconnect(disconnect)) {
            Ok(()) => self.flush(state).await,
            Err(error) => Err(error),
        };
        if let Some(answer) = answer {
            // The caller may have stopped waiting.
            let _ = answer.send(left);
        }
        Lost::Left
    }

    /// Tells a 5.0 server what it did wrong [MQTT-4.13.1-1].
    async fn complain(&mut self, lost: &Lost, state: &mut State) {
        let reason = match lost {
            Lost::Malformed(error) => error.reason_code(),
            Lost::Protocol(_) => hookmq_mqtt::ReasonCode::ProtocolError,
            _ => return,
        };
        if state.version().is_v5()
            && state
                .say(&Packet::Disconnect(Disconnect::new(reason)))
                .is_ok()
        {
            // The connection ends anyway.
            let _ = self.flush(state).await;
        }
    }

    async fn flush(&mut self, state: &mut State) -> Result<(), ClientError> {
        let write = async {
            self.writer.write_all_buf(&mut state.outbox).await?;
            self.writer.shutdown().await
        };
        match tokio::time::timeout(self.answer_timeout, write).await {
            Ok(written) => written.map_err(|error| io_lost(error).into()),
            Err(_) => Err(ClientError::Timeout),
        }
    }
}

/// When to send PINGREQ, and how long to wait for an answer.
struct Pinger {
    /// Zero is off.
    keep_alive: Duration,
    deadline: Instant,
    waiting: bool,
}

impl Pinger {
    fn new(keep_alive: Duration) -> Self {
        Self {
            keep_alive,
            deadline: Instant::now() + keep_alive,
            waiting: false,
        }
    }

    fn is_on(&self) -> bool {
        !self.keep_alive.is_zero()
    }

    fn is_waiting(&self) -> bool {
        self.waiting
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Something came, which is as good as a PINGRESP.
    fn heard(&mut self) {
        if self.waiting {
            self.waiting = false;
            self.deadline = Instant::now() + self.keep_alive;
        }
    }

    /// Something went out, so that no PINGREQ is due for a while [MQTT-3.1.2-20].
    fn sent(&mut self) {
        if !self.waiting {
            self.deadline = Instant::now() + self.keep_alive;
        }
    }

    fn pinged(&mut self, answer_timeout: Duration) {
        self.waiting = true;
        self.deadline = Instant::now() + answer_timeout;
    }
}

/// Cuts the next whole packet off `input`.
fn next_frame(input: &mut BytesMut, maximum_packet_size: u32) -> Result<Option<Bytes>, Lost> {
    match codec::frame(input, maximum_packet_size).map_err(Lost::Malformed)? {
        Frame::Complete(n_bytes) => Ok(Some(input.split_to(n_bytes).freeze())),
        Frame::Incomplete(n_bytes) => {
            // Not all at once: the length is only a promise.
            let missing = n_bytes.saturating_sub(input.len());
            input.reserve(missing.min(READ_BYTES));
            Ok(None)
        }
    }
}

fn io_lost(error: io::Error) -> Lost {
    Lost::Io(Arc::new(error))
}
