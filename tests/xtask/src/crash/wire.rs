//! One connection to the broker that never blocks: packets out, packets in.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use hookmq_mqtt::{Frame, Packet, ProtocolVersion, decode, encode, encode_publish, frame};

use crate::Outcome;

/// The largest packet of the standard.
const LARGEST: u32 = 268_435_460;
/// Between two looks at something that is waited for.
pub(crate) const LOOK: Duration = Duration::from_micros(300);

/// See the module.
pub(crate) struct Wire {
    stream: TcpStream,
    version: ProtocolVersion,
    input: BytesMut,
    output: BytesMut,
    is_over: bool,
}

/// What [`Wire::next`] found.
pub(crate) enum Next {
    /// A whole packet.
    Packet(Vec<u8>),
    /// Not yet.
    Nothing,
    /// The connection is over, and everything that came before its end was read.
    Ended,
}

impl Wire {
    /// Connects. On loopback this is done or refused at once.
    ///
    /// # Errors
    /// When nobody listens.
    pub(crate) fn connect(
        address: SocketAddr,
        version: ProtocolVersion,
    ) -> Result<Self, std::io::Error> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            version,
            input: BytesMut::new(),
            output: BytesMut::new(),
            is_over: false,
        })
    }

    /// The version that is spoken.
    pub(super) const fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Adds a packet to what goes out.
    ///
    /// # Errors
    /// When it is none that MQTT can say.
    pub(crate) fn put(&mut self, packet: &Packet<'_>) -> Outcome {
        match packet {
            Packet::Publish(publish) => encode_publish(publish, self.version, &mut self.output)?,
            other => encode(other, self.version, &mut self.output)?,
        }
        Ok(())
    }

    /// Sends what was put, as far as the socket takes it.
    pub(crate) fn flush(&mut self) {
        while !self.output.is_empty() && !self.is_over {
            match self.stream.write(&self.output) {
                Ok(n) => self.output.advance(n),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // What the broker said before it ended is still read.
                Err(_) => self.output.clear(),
            }
        }
    }

    /// The next packet.
    ///
    /// # Errors
    /// When the bytes are no packet.
    pub(crate) fn next(&mut self) -> Outcome<Next> {
        loop {
            if let Frame::Complete(len) = frame(&self.input, LARGEST)? {
                return Ok(Next::Packet(self.input.split_to(len).to_vec()));
            }
            if self.is_over {
                return Ok(Next::Ended);
            }
            let mut chunk = [0; 16 << 10];
            match self.stream.read(&mut chunk) {
                Ok(0) => self.is_over = true,
                Ok(n) => self
                    .input
                    .extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Next::Nothing),
                Err(_) => self.is_over = true,
            }
        }
    }

    /// Sends what was put and waits for the first packet that `is_it` makes something of; `None` if none comes by then.
    ///
    /// # Errors
    /// When the connection ends first, or as [`Wire::next`].
    pub(crate) fn wait<T>(
        &mut self,
        deadline: Instant,
        mut is_it: impl FnMut(&Packet<'_>) -> Option<T>,
    ) -> Outcome<Option<T>> {
        loop {
            self.flush();
            match self.next()? {
                Next::Packet(bytes) => {
                    let packet = decode(&bytes, self.version)?;
                    if let Some(found) = is_it(&packet) {
                        return Ok(Some(found));
                    }
                    if let Packet::Disconnect(disconnect) = packet {
                        return Err(
                            format!("the broker said DISCONNECT {:?}", disconnect.reason).into(),
                        );
                    }
                }
                Next::Nothing if Instant::now() >= deadline => return Ok(None),
                Next::Nothing => thread::park_timeout(LOOK),
                Next::Ended => return Err("the broker ended the connection".into()),
            }
        }
    }
}
