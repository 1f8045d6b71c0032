//! A broker in process, and clients that speak its codec. What they say and what they receive becomes one line each.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use hookmq_broker::hook::Registration;
use hookmq_broker::{Broker, BrokerSettings, Handle};
use hookmq_mqtt::packet::Connect;
use hookmq_mqtt::{Frame, Packet, ProtocolVersion, codec};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// The play of one trial.
pub struct Stage {
    /// The broker.
    pub handle: Handle,
    clients: Vec<Client>,
    lines: Vec<String>,
    plugins: Vec<Registration>,
    n_dialled: u16,
}

struct Client {
    name: String,
    version: ProtocolVersion,
    stream: DuplexStream,
    inbound: BytesMut,
    has_ended: bool,
}

impl Stage {
    /// Starts the broker with these plugins.
    pub(crate) async fn start(settings: BrokerSettings, plugins: Vec<Registration>) -> Self {
        let broker = plugins
            .iter()
            .cloned()
            .fold(Broker::new(settings), Broker::plugin);
        Self {
            handle: broker.start().await.expect("a free port is bound"),
            clients: Vec::new(),
            lines: Vec::new(),
            plugins,
            n_dialled: 0,
        }
    }

    /// The same plugins once more, as after a reload that changed nothing.
    pub(crate) fn reload(&mut self) {
        let generation = self.handle.swap(self.plugins.clone());
        self.lines.push(format!("generation {generation}"));
    }

    /// The address of the first listener.
    pub(crate) fn bound(&self) -> Option<SocketAddr> {
        self.handle.local_addrs().first().copied()
    }

    /// A connection under this name says CONNECT.
    pub(crate) async fn enters(&mut self, name: &str, connect: Connect) {
        let (stream, theirs) = tokio::io::duplex(1 << 20);
        let handle = self.handle.clone();
        self.n_dialled += 1;
        let endpoint = format!("192.0.2.7:{}", 50_000 + self.n_dialled);
        tokio::spawn(async move { handle.serve(theirs, "lan", &endpoint, true).await });
        self.clients.push(Client {
            name: name.to_owned(),
            version: connect.version,
            stream,
            inbound: BytesMut::new(),
            has_ended: false,
        });
        self.says(name, Packet::Connect(Box::new(connect))).await;
    }

    /// The newest connection of this name sends a packet.
    pub(crate) async fn says(&mut self, name: &str, packet: Packet<'_>) {
        let client = self.client(name);
        let mut bytes = BytesMut::new();
        codec::encode(&packet, client.version, &mut bytes).expect("a packet that can be said");
        let is_taken = client.stream.write_all(&bytes).await.is_ok();
        let mark = if is_taken { '>' } else { '!' };
        self.lines.push(format!("{name} {mark} {packet:.300}"));
        self.settle().await;
    }

    /// The newest connection of this name is lost without a word.
    pub(crate) async fn loses(&mut self, name: &str) {
        let at = self.place(name);
        let client = self.clients.remove(at);
        drop(client.stream);
        self.lines.push(format!("{name} is lost"));
        self.settle().await;
    }

    /// Time passes.
    pub(crate) async fn waits(&mut self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.lines.push(format!("{seconds} s later"));
        self.settle().await;
    }

    /// Everything happens that can happen, and everybody writes down what came.
    pub(crate) async fn settle(&mut self) {
        // The clock stands still until nothing is left to do.
        tokio::time::sleep(Duration::from_millis(1)).await;
        for client in &mut self.clients {
            while !client.has_ended {
                let read = client.stream.read_buf(&mut client.inbound);
                match tokio::time::timeout(Duration::from_millis(1), read).await {
                    Ok(Ok(0) | Err(_)) => client.has_ended = true,
                    Ok(Ok(_)) => {}
                    Err(_) => break,
                }
                client.take(&mut self.lines);
                if client.has_ended {
                    self.lines.push(format!("{} < end", client.name));
                }
            }
        }
    }

    /// Asks the broker to stop, and gives all lines.
    pub(crate) async fn ends(&mut self) -> Vec<String> {
        self.handle.stop().await;
        self.settle().await;
        std::mem::take(&mut self.lines)
    }

    fn place(&self, name: &str) -> usize {
        self.clients
            .iter()
            .rposition(|client| client.name == name)
            .expect("it has entered")
    }

    fn client(&mut self, name: &str) -> &mut Client {
        let at = self.place(name);
        &mut self.clients[at]
    }
}

impl Client {
    /// Whole packets become lines.
    fn take(&mut self, lines: &mut Vec<String>) {
        while let Frame::Complete(len) =
            codec::frame(&self.inbound, u32::MAX).expect("the broker writes packets")
        {
            let packet = codec::decode(&self.inbound[..len], self.version)
                .expect("the broker writes valid packets");
            lines.push(format!("{} < {packet}", self.name));
            self.inbound.advance(len);
        }
    }
}
