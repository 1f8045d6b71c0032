//! The two kinds of connection that make load: publishers that keep a window full, subscribers that count and answer.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use hookmq_mqtt::ProtocolVersion;
use tokio::net::TcpStream;

use super::flow::{Flow, Totals, add};
use super::wire::{Input, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Ring, put_answer};

/// How long a publisher waits for a window that does not move.
const STALLED: Duration = Duration::from_secs(1);

/// Room for one read.
const READ_BYTES: usize = 256 * 1024;

/// Reads the answers of a publisher's QoS 1 and 2 messages.
pub(super) struct Answers {
    input: Input,
    /// PUBREL packets to be written.
    pub(super) out: Vec<u8>,
    /// Messages answered for good.
    pub(super) n_done: u32,
}

impl Answers {
    pub(super) fn new() -> Self {
        Self {
            input: Input::new(16 * 1024),
            out: Vec::new(),
            n_done: 0,
        }
    }

    /// Reads what there is.
    pub(super) fn read(&mut self, stream: &TcpStream, totals: &Totals) -> io::Result<()> {
        if !self.input.fill(stream)? {
            return Ok(());
        }
        while let Some(frame) = self.input.next() {
            let refused = frame.is_refusal();
            match (frame.packet_type(), frame.identifier()) {
                (PUBREC, Some(identifier)) if !refused => {
                    put_answer(&mut self.out, PUBREL, identifier)
                }
                (PUBACK | PUBCOMP | PUBREC, Some(_)) => {
                    self.n_done = self.n_done.wrapping_add(1);
                    if refused {
                        add(&totals.refused, 1);
                    }
                }
                _ => {
                    return Err(io::Error::other(
                        "the broker ended the connection or sent something else",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Keeps a flow's window full until the run is stopped, then waits for the answers.
pub(super) async fn publish(
    stream: &TcpStream,
    mut ring: Ring,
    flow: &Flow,
    totals: &Totals,
    answered: bool,
    n_receivers: u64,
) -> io::Result<()> {
    let mut answers = Answers::new();
    let mut unsent = 0..0;
    let mut sent_halves = 0;
    loop {
        let done = if answered {
            answers.n_done / flow.half
        } else {
            sent_halves
        };
        let under_way = sent_halves - flow.received().min(done).min(sent_halves);
        let window_open = under_way < flow.n_halves;
        if unsent.is_empty() && window_open && !totals.stopped.get() {
            unsent = ring.next(flow.half as usize, 0);
            sent_halves += 1;
            add(&totals.expected, u64::from(flow.half) * n_receivers);
        }
        // PUBREL goes between two halves, never into the middle of a packet.
        if unsent.is_empty() && !answers.out.is_empty() {
            match stream.try_write(&answers.out) {
                Ok(n_bytes) => drop(answers.out.drain(..n_bytes)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if !unsent.is_empty() {
            match stream.try_write(ring.bytes(unsent.clone())) {
                Ok(n_bytes) => {
                    unsent.start += n_bytes;
                    if unsent.is_empty() && (!answered || window_open) {
                        continue;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        let writes = !unsent.is_empty() || !answers.out.is_empty();
        tokio::select! {
            ready = stream.readable() => {
                ready?;
                answers.read(stream, totals)?;
            }
            ready = stream.writable(), if writes => ready?,
            () = flow.moved.notified() => {}
            () = tokio::time::sleep(STALLED), if !writes => flow.give_up(sent_halves),
        }
    }
}

/// What a subscriber looks at besides counting.
pub(super) struct Watch {
    /// The zero of all due times.
    pub(super) epoch: Instant,
    /// Delays in nanoseconds; only of messages that were due from `from_ns` on.
    pub(super) delays: Histogram<u64>,
    pub(super) from_ns: u64,
}

/// Counts and answers every message; never ends by itself.
pub(super) async fn subscribe(
    stream: &TcpStream,
    version: ProtocolVersion,
    receiver: usize,
    flows: &[Rc<Flow>],
    totals: &Totals,
    watch: Option<&std::cell::RefCell<Watch>>,
) -> io::Result<()> {
    let mut input = Input::new(READ_BYTES);
    let mut out = Vec::new();
    // The sequence number that comes next, by publisher.
    let next: Vec<Cell<u32>> = flows.iter().map(|_| Cell::new(0)).collect();
    loop {
        if out.is_empty() {
            stream.readable().await?;
        } else {
            let ready = stream
                .ready(tokio::io::Interest::READABLE | tokio::io::Interest::WRITABLE)
                .await?;
            if ready.is_writable() {
                write(stream, &mut out)?;
            }
        }
        if !input.fill(stream)? {
            continue;
        }
        let now_ns = watch.map(|watch| nanoseconds(watch.borrow().epoch.elapsed()));
        let mut n_received = 0;
        while let Some(frame) = input.next() {
            match frame.packet_type() {
                PUBLISH => {
                    let Some((identifier, stamp)) = frame.publish(version) else {
                        return Err(io::Error::other("a message of somebody else"));
                    };
                    n_received += 1;
                    if let Some(next) = next.get(stamp.publisher as usize) {
                        if stamp.sequence < next.get() {
                            add(&totals.disordered, 1);
                        }
                        next.set(stamp.sequence + 1);
                    }
                    if let Some(flow) = flows.get(stamp.publisher as usize) {
                        flow.note(receiver, stamp.sequence);
                    }
                    if let (Some(watch), Some(now_ns)) = (watch, now_ns) {
                        let mut watch = watch.borrow_mut();
                        if stamp.due_ns >= watch.from_ns {
                            watch
                                .delays
                                .saturating_record(now_ns.saturating_sub(stamp.due_ns));
                        }
                    }
                    if let Some(identifier) = identifier {
                        let answer = if frame.qos() == 1 { PUBACK } else { PUBREC };
                        put_answer(&mut out, answer, identifier);
                    }
                }
                PUBREL => {
                    if let Some(identifier) = frame.identifier() {
                        put_answer(&mut out, PUBCOMP, identifier);
                    }
                }
                _ => {
                    return Err(io::Error::other(
                        "the broker ended the connection or sent something else",
                    ));
                }
            }
        }
        add(&totals.received, n_received);
        if !out.is_empty() {
            write(stream, &mut out)?;
        }
    }
}

/// Writes what the socket takes.
pub(super) fn write(stream: &TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    match stream.try_write(out) {
        Ok(n_bytes) => {
            out.drain(..n_bytes);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

/// Nanoseconds as a number; 584 years at most.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
