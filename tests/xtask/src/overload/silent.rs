//! Ten thousand sockets that say nothing, or one byte a second, and come again when they are closed. How long a newcomer waits.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::host::Host;
use super::link::Link;
use super::{Figure, Scale, Verdict, mib, ms, p99};
use crate::Outcome;

/// Newcomers, one after the other,
const NEWCOMERS: usize = 100;
/// and how long it is from one to the next.
const BETWEEN: Duration = Duration::from_millis(50);

/// Plays it: as shipped, with fewer sockets without CONNECT, and with fewer connections than there are silent sockets.
///
/// # Errors
/// When the broker ends.
pub(super) async fn play(binary: &Path, scale: Scale) -> Outcome<Vec<Figure>> {
    let n_sockets = scale.of(10_000);
    let few = n_sockets / 10;
    let mut figures = Vec::new();
    for (name, listener, sections) in [
        ("as shipped", String::new(), String::new()),
        (
            "a tenth may be without CONNECT",
            format!("maximum_handshakes = {few}"),
            String::new(),
        ),
        (
            "room for a tenth of them",
            String::new(),
            format!("[limits]\nmaximum_connections = {few}\n"),
        ),
    ] {
        let host = Host::start(binary, &listener, &sections)?;
        let rss = host.rss();
        let (open, mut n_open) = watch::channel(0);
        let silent = tokio::spawn(be_silent(host.address, n_sockets, open));
        n_open.wait_for(|n| *n >= n_sockets).await?;
        let mut waits = Vec::new();
        let mut n_refused = 0;
        for n in 0..NEWCOMERS {
            tokio::time::sleep(BETWEEN).await;
            let begun = Instant::now();
            match Link::connect(host.address, &format!("newcomer{n}")).await {
                Ok(_) => waits.push(begun.elapsed()),
                Err(_) => n_refused += 1,
            }
        }
        let grown = host.rss().saturating_sub(rss);
        silent.abort();
        if !listener.is_empty() {
            host.says("load is high: 100 % of listener.maximum_handshakes")
                .await?;
            host.says("load is low again").await?;
        }
        host.stop()?;
        let longest = waits.iter().max().copied().unwrap_or_default();
        figures.extend([
            Figure::new(
                format!("{name}: a newcomer waits, longest"),
                ms(longest),
                Verdict::Timed(longest < Duration::from_secs(1), "< 1 s"),
            ),
            Figure::new(format!("{name}: p99"), ms(p99(&mut waits)), Verdict::Shown),
            Figure::new(
                format!("{name}: memory grows by"),
                mib(grown),
                Verdict::Shown,
            ),
            Figure::new(
                format!("{name}: newcomers turned away"),
                n_refused,
                Verdict::Firm(n_refused == 0, "none"),
            ),
        ]);
    }
    Ok(figures)
}

/// A socket, and how many bytes it has said.
struct Silent {
    stream: TcpStream,
    n_said: usize,
}

impl Silent {
    async fn open(address: SocketAddr) -> Outcome<Self> {
        Ok(Self {
            stream: TcpStream::connect(address).await?,
            n_said: 0,
        })
    }

    fn is_closed(&self) -> bool {
        match self.stream.try_read(&mut [0]) {
            Ok(_) => true,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    /// The next byte of a CONNECT that is 127 bytes long.
    fn say_one(&mut self) {
        let byte = *[0x10, 0x7F].get(self.n_said).unwrap_or(&0);
        // It may be closed by now.
        self.n_said += self.stream.try_write(&[byte]).unwrap_or_default();
    }
}

/// Opens sockets and keeps them open; every other one says a byte a second. One that is closed is opened again.
async fn be_silent(address: SocketAddr, n: usize, open: watch::Sender<usize>) -> Outcome {
    let mut sockets = Vec::with_capacity(n);
    for n in 1..=n {
        sockets.push(Silent::open(address).await?);
        open.send_replace(n);
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        for (n, socket) in sockets.iter_mut().enumerate() {
            if socket.is_closed() {
                *socket = Silent::open(address).await?;
            } else if n % 2 == 0 {
                socket.say_one();
            }
            if n % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
    }
}
