//! The arguments of `hookmq bench`, and what each scenario takes where they say nothing.

use clap::{Args, ValueEnum};
use hookmq_mqtt::{ProtocolVersion, QoS};

/// Puts load on any broker and says what it cost.
///
/// Exit codes: 0 when everything sent arrived, in order; 1 when something was lost or the broker could not be reached;
/// 64 for arguments that make no sense.
#[derive(Debug, Clone, Args)]
pub(crate) struct BenchArgs {
    /// What to measure; several are measured one after the other
    #[arg(value_enum, default_values_t = [Scenario::P2p])]
    pub(crate) scenarios: Vec<Scenario>,

    /// Address of the broker
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,

    /// Port of the broker
    #[arg(short, long, default_value_t = 1883)]
    pub(crate) port: u16,

    /// Process of the broker, to read its CPU time and memory from (Linux)
    #[arg(long, conflicts_with_all = ["spawn", "peer"])]
    pub(crate) pid: Option<u32>,

    /// Start the broker with this command, read its CPU time, and end it afterwards
    #[arg(long, value_name = "COMMAND", conflicts_with = "peer")]
    pub(crate) spawn: Option<String>,

    /// Compare brokers in interleaved rounds, each freshly started; give it once per broker, the first is the measure
    #[arg(long, value_name = "NAME=PORT:COMMAND")]
    pub(crate) peer: Vec<super::compare::Peer>,

    /// Rounds of a comparison
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,

    /// CPU core for the started broker (needs taskset)
    #[arg(long, value_name = "CORE")]
    pub(crate) pin_broker: Option<u32>,

    /// CPU core for the load generator (needs taskset)
    #[arg(long, value_name = "CORE")]
    pub(crate) pin_self: Option<u32>,

    /// QoS of publishing and of delivery
    #[arg(short, long, value_parser = crate::cli::client::parse_qos, default_value = "0")]
    pub(crate) qos: QoS,

    /// Protocol version: 3.1.1 or 5
    #[arg(long, value_parser = crate::cli::client::parse_version, default_value = "3.1.1")]
    pub(crate) protocol: ProtocolVersion,

    /// Sessions outlive their connections by an hour, so that a broker with a store keeps what they get (with --protocol 5)
    #[arg(long)]
    pub(crate) persistent: bool,

    /// Bytes of payload, at least 16
    #[arg(long, default_value_t = 64)]
    pub(crate) payload: usize,

    /// Publishers [default: 10; fan-out 1; many 500]
    #[arg(long)]
    pub(crate) publishers: Option<usize>,

    /// Subscribers of fan-out [default: 100]
    #[arg(long)]
    pub(crate) subscribers: Option<usize>,

    /// Messages under way per publisher, written in halves [default: 100; many 1]
    #[arg(short, long)]
    pub(crate) window: Option<usize>,

    /// Messages per second of latency
    #[arg(long, default_value_t = 5_000)]
    pub(crate) rate: u64,

    /// Connections of connect
    #[arg(long, default_value_t = 10_000)]
    pub(crate) connections: usize,

    /// Filters held in subscriptions
    #[arg(long, default_value_t = 10_000)]
    pub(crate) filters: usize,

    /// Seconds measured
    #[arg(short, long, default_value_t = 2.0)]
    pub(crate) seconds: f64,

    /// Seconds of load before measuring
    #[arg(long, default_value_t = 0.5)]
    pub(crate) warmup: f64,

    /// One JSON object per line instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Each publisher has a topic and a subscriber of its own
    P2p,
    /// Many publishers, one subscriber
    FanIn,
    /// One publisher, many subscribers
    FanOut,
    /// As p2p, with hundreds of publishers that write single messages
    Many,
    /// Delay at a fixed rate, from the time at which a message was due
    Latency,
    /// Connections made per second, and the memory of an idle one
    Connect,
    /// As p2p, while many filters with wildcards are held
    Subscriptions,
}

impl Scenario {
    /// The name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P2p => "p2p",
            Self::FanIn => "fan-in",
            Self::FanOut => "fan-out",
            Self::Many => "many",
            Self::Latency => "latency",
            Self::Connect => "connect",
            Self::Subscriptions => "subscriptions",
        }
    }
}

impl BenchArgs {
    /// The scenario with what distinguishes this run: `p2p-q1-64-v5`.
    pub(crate) fn title(&self, scenario: Scenario) -> String {
        let name = scenario.name();
        let version = match (self.protocol.is_v5(), self.persistent) {
            (_, true) => "-v5-persistent",
            (true, false) => "-v5",
            (false, false) => "",
        };
        match scenario {
            Scenario::Connect => format!("{name}-{}{version}", self.connections),
            Scenario::Subscriptions => format!(
                "{name}-{}-q{}-{}{version}",
                self.filters, self.qos, self.payload
            ),
            _ => format!("{name}-q{}-{}{version}", self.qos, self.payload),
        }
    }
}
