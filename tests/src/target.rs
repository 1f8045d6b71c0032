//! The broker that a conversation is held with: our own, started for it alone inside the test, or another one.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookmq_broker::hook::Registration;
use hookmq_broker::settings::{BrokerSettings, ListenerSettings, QueueFull};
use hookmq_broker::{Broker, Handle};
use hookmq_mqtt::QoS;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::play::Clock;
use crate::rules::Rules;

/// How long another broker may take to listen.
const START: Duration = Duration::from_secs(10);

/// Real time in which tasks that can run have run: nothing but memory lies between a conversation and our broker.
const SETTLE: Duration = Duration::from_millis(4);

/// Bytes on their way in one direction of a connection without a socket.
const WIRE_BYTES: usize = 1 << 20;

/// Names the broker in the environment: `127.0.0.1:1883` for one that runs, or a command with `{port}` in it that is
/// started anew for each conversation, such as `mosquitto -p {port}`. Without it, our own broker inside the test.
pub const VARIABLE: &str = "HOOKMQ_TEST_TARGET";

/// What bytes are read from and written to.
pub type Stream = Box<dyn Transport>;

/// Anything that bytes are read from and written to.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// The broker of one conversation.
#[derive(Debug)]
pub struct Target(Kind);

#[derive(Debug)]
enum Kind {
    Ours(TestBroker),
    Other(SocketAddr, Option<Child>),
}

impl Target {
    /// What the environment names; empty for our own broker.
    #[must_use]
    pub fn named() -> String {
        std::env::var(VARIABLE).unwrap_or_default()
    }

    /// Whether `advance` moves a virtual clock, so that waiting costs nothing.
    #[must_use]
    pub const fn has_virtual_time(target: &str) -> bool {
        target.is_empty()
    }

    /// Starts or finds the broker.
    ///
    /// # Errors
    /// A sentence about what could not be started, or which setting is unknown.
    pub async fn start(
        target: &str,
        settings: &BTreeMap<String, toml::Value>,
        clock: &Clock,
    ) -> Result<Self, String> {
        if target.is_empty() {
            return Ok(Self(Kind::Ours(TestBroker::start(settings).await?)));
        }
        if let Ok(address) = target.parse() {
            return Ok(Self(Kind::Other(address, None)));
        }
        let (address, child) = spawn(target, clock).await?;
        Ok(Self(Kind::Other(address, Some(child))))
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// What the system says.
    pub async fn connect(&self) -> Result<Stream, String> {
        let address = match &self.0 {
            Kind::Ours(broker) if !broker.tcp => return Ok(broker.connect()),
            Kind::Ours(broker) => broker.address()?,
            Kind::Other(address, _) => *address,
        };
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| error.to_string())?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        Ok(Box::new(stream))
    }

    /// Whether it is our own broker, which says more than a broker must.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self.0, Kind::Ours(_))
    }

    /// Lets time pass.
    pub async fn advance(&self, time: Duration, clock: &Clock) {
        if self.is_ours() {
            // What happened before shall count from before.
            clock.pass(SETTLE).await;
            tokio::time::advance(time).await;
            clock.pass(SETTLE).await;
        } else {
            clock.pass(time).await;
        }
    }

    /// Tells our own broker to stop.
    ///
    /// # Errors
    /// For a broker that is not ours.
    pub fn begin_stop(&self) -> Result<(), String> {
        let Kind::Ours(broker) = &self.0 else {
            return Err("only our own broker can be told to stop".to_owned());
        };
        let handle = broker.handle.clone();
        tokio::spawn(async move { handle.stop().await });
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Kind::Other(_, Some(child)) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn spawn(target: &str, clock: &Clock) -> Result<(SocketAddr, Child), String> {
    let free =
        std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let address = free.local_addr().map_err(|error| error.to_string())?;
    drop(free);
    let command = target.replace("{port}", &address.port().to_string());
    let mut words = command.split_whitespace();
    let mut child = Command::new(words.next().unwrap_or_default())
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{command}: {error}"))?;
    let begin = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        if begin.elapsed() > START {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{command} does not listen"));
        }
        clock.pass(Duration::from_millis(1)).await;
    }
    Ok((address, child))
}

/// Our own broker inside the test. Connections are memory, unless `transport = "tcp"` asks for its listener.
pub struct TestBroker {
    handle: Handle,
    tcp: bool,
    allow_anonymous: bool,
}

impl std::fmt::Debug for TestBroker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("TestBroker")
            .field("addresses", &self.handle.local_addrs())
            .finish_non_exhaustive()
    }
}

impl TestBroker {
    /// Starts one with the defaults but for these settings, on a free port.
    ///
    /// # Errors
    /// A setting that is unknown or wrong, or a port that could not be bound.
    pub async fn start(settings: &BTreeMap<String, toml::Value>) -> Result<Self, String> {
        let mut broker = BrokerSettings::default();
        let (mut tcp, mut allow_anonymous, mut rules) = (false, true, false);
        for (key, value) in settings {
            let wrong = || format!("the setting {key} cannot be {value}");
            match key.as_str() {
                "transport" => tcp = value.as_str() == Some("tcp"),
                "allow_anonymous" => allow_anonymous = value.as_bool().ok_or_else(wrong)?,
                "rules" => rules = value.as_bool().ok_or_else(wrong)?,
                _ => set(&mut broker, key, value).ok_or_else(wrong)?,
            }
        }
        let mut listener = ListenerSettings::new("test", (Ipv4Addr::LOCALHOST, 0).into());
        listener.allow_anonymous = allow_anonymous;
        broker.listeners = vec![listener];
        let mut broker = Broker::new(broker);
        if rules {
            broker = broker.plugin(Registration::new(
                "rules",
                "embedded",
                Arc::new(Rules::default()),
            ));
        }
        let handle = broker.start().await.map_err(|error| error.to_string())?;
        Ok(Self {
            handle,
            tcp,
            allow_anonymous,
        })
    }

    /// A connection without a socket.
    #[must_use]
    pub fn connect(&self) -> Stream {
        let (ours, theirs) = tokio::io::duplex(WIRE_BYTES);
        let (handle, allow_anonymous) = (self.handle.clone(), self.allow_anonymous);
        tokio::spawn(async move {
            handle
                .serve(theirs, "test", "127.0.0.1:1", allow_anonymous)
                .await
        });
        Box::new(ours)
    }

    /// The address of its listener.
    ///
    /// # Errors
    /// Never, as it always has one.
    pub fn address(&self) -> Result<SocketAddr, String> {
        self.handle
            .local_addrs()
            .first()
            .copied()
            .ok_or_else(|| "no listener".to_owned())
    }
}

/// One setting by its name; `None` if there is no such setting or the value does not fit.
fn set(broker: &mut BrokerSettings, key: &str, value: &toml::Value) -> Option<()> {
    let number = value.as_integer();
    let session = &mut broker.session;
    match key {
        "maximum_sessions" => session.maximum_sessions = usize::try_from(number?).ok()?,
        "maximum_session_expiry_interval" => {
            session.maximum_session_expiry_interval = u32::try_from(number?).ok()?
        }
        "maximum_inflight" => session.maximum_inflight = u16::try_from(number?).ok()?,
        "maximum_queued_messages" => {
            session.maximum_queued_messages = usize::try_from(number?).ok()?
        }
        "maximum_queued_bytes" => session.maximum_queued_bytes = usize::try_from(number?).ok()?,
        "queue_full" => {
            session.queue_full = match value.as_str()? {
                "drop_oldest" => QueueFull::DropOldest,
                "drop_newest" => QueueFull::DropNewest,
                "disconnect" => QueueFull::Disconnect,
                _ => return None,
            }
        }
        "queue_qos0_offline" => session.queue_qos0_offline = value.as_bool()?,
        "receive_maximum" => session.receive_maximum = u16::try_from(number?).ok()?,
        "maximum_packet_size" => session.maximum_packet_size = u32::try_from(number?).ok()?,
        "topic_alias_maximum" => session.topic_alias_maximum = u16::try_from(number?).ok()?,
        "outbound_topic_alias_maximum" => {
            session.outbound_topic_alias_maximum = u16::try_from(number?).ok()?
        }
        "maximum_keep_alive" => session.maximum_keep_alive = Some(u16::try_from(number?).ok()?),
        "maximum_client_id_bytes" => {
            session.maximum_client_id_bytes = usize::try_from(number?).ok()?
        }
        "maximum_topic_bytes" => session.maximum_topic_bytes = usize::try_from(number?).ok()?,
        "maximum_topic_levels" => session.maximum_topic_levels = usize::try_from(number?).ok()?,
        "maximum_subscriptions" => session.maximum_subscriptions = usize::try_from(number?).ok()?,
        "maximum_qos" => session.maximum_qos = QoS::try_from(u8::try_from(number?).ok()?).ok()?,
        "retain_available" => session.retain_available = value.as_bool()?,
        "maximum_retained" => broker.retained.n_messages = usize::try_from(number?).ok()?,
        "tell_reasons" => broker.tell_reasons = value.as_bool()?,
        _ => return None,
    }
    Some(())
}
