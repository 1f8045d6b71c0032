//! What `pub` and `sub` have in common: whom to connect to, as whom, and how failures are said.

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use hookmq_client::{Client, ClientError, ConnectOptions, Events, Lost};
use hookmq_mqtt::{ProtocolVersion, QoS, TopicName, Will};

use super::{EXIT_FAILED, EXIT_USAGE};

/// Where to connect, and as whom.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("will").args(["will_topic"]).multiple(true))]
pub(super) struct ConnectArguments {
    /// Address of the broker
    #[arg(long, default_value = "127.0.0.1", help_heading = "Connection")]
    host: String,
    /// Port of the broker
    #[arg(short, long, default_value_t = 1883, help_heading = "Connection")]
    port: u16,
    /// Client identifier; without one the broker chooses
    #[arg(
        short,
        long,
        default_value = "",
        hide_default_value = true,
        help_heading = "Connection"
    )]
    id: String,
    /// User name
    #[arg(short, long, help_heading = "Connection")]
    username: Option<String>,
    /// Password
    #[arg(short = 'P', long, help_heading = "Connection")]
    password: Option<String>,
    /// Protocol version: 3.1.1 or 5
    #[arg(long, value_parser = parse_version, default_value = "5", help_heading = "Connection")]
    protocol: ProtocolVersion,
    /// Seconds between signs of life; 0 for none
    #[arg(short, long, default_value_t = 60, help_heading = "Connection")]
    keep_alive: u16,
    /// Topic of the message that the broker publishes if the connection is lost
    #[arg(long, value_name = "TOPIC", help_heading = "Connection")]
    will_topic: Option<String>,
    /// Its payload
    #[arg(
        long,
        value_name = "TEXT",
        requires = "will",
        default_value = "",
        hide_default_value = true,
        help_heading = "Connection"
    )]
    will_payload: String,
    /// Its QoS
    #[arg(long, value_parser = parse_qos, requires = "will", default_value = "0", help_heading = "Connection")]
    will_qos: QoS,
    /// Whether it is retained
    #[arg(long, requires = "will", help_heading = "Connection")]
    will_retain: bool,
}

/// Why a command ended, said once, with its exit code.
#[derive(Debug)]
pub(super) enum Failure {
    /// The arguments make no sense together: 64.
    Usage(String),
    /// Refused or lost: 1.
    Failed(String),
}

impl Failure {
    /// Says it on stderr.
    pub(super) fn exit(self) -> ExitCode {
        let (text, code) = match self {
            Self::Usage(text) => (text, EXIT_USAGE),
            Self::Failed(text) => (text, EXIT_FAILED),
        };
        eprintln!("{text}");
        ExitCode::from(code)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Topic { .. } => Self::Usage(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        Self::Failed(lost.to_string())
    }
}

impl ConnectArguments {
    /// The options that they mean; `pub` and `sub` add their own.
    pub(super) fn options(&self) -> Result<ConnectOptions, Failure> {
        let mut options = ConnectOptions::new(&self.host, self.port);
        let connect = &mut options.connect;
        connect.version = self.protocol;
        connect.client_id.clone_from(&self.id);
        connect.username.clone_from(&self.username);
        connect.password = self.password.clone().map(Into::into);
        connect.keep_alive = self.keep_alive;
        if let Some(topic) = &self.will_topic {
            let topic = TopicName::parse(topic)
                .map_err(|error| Failure::Usage(format!("--will-topic {topic:?}: {error}")))?;
            let mut will = Will::new(topic, self.will_payload.clone().into());
            will.qos = self.will_qos;
            will.retain = self.will_retain;
            connect.will = Some(Box::new(will));
        }
        Ok(options)
    }

    pub(super) fn version(&self) -> ProtocolVersion {
        self.protocol
    }
}

/// Connects, and says whose refusal it is.
pub(super) async fn connect(options: ConnectOptions) -> Result<(Client, Events), Failure> {
    Client::connect(options).await.map_err(|error| match error {
        ClientError::Refused(refusal) => Failure::Failed(format!("connection refused: {refusal}")),
        other => other.into(),
    })
}

/// Runs a command's future on a runtime of one thread.
pub(super) fn block_on(future: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Failure::Failed(error.to_string()).exit(),
    };
    match runtime.block_on(future) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}

/// `0`, `1` or `2`.
pub(super) fn parse_qos(text: &str) -> Result<QoS, String> {
    let number = text.parse::<u8>().ok().and_then(QoS::from_u8);
    number.ok_or_else(|| "QoS is 0, 1 or 2".to_owned())
}

/// `3.1.1` or `5`, and what people write for them.
pub(super) fn parse_version(text: &str) -> Result<ProtocolVersion, String> {
    match text {
        "3.1.1" | "311" | "3" | "4" => Ok(ProtocolVersion::V311),
        "5" | "5.0" | "50" => Ok(ProtocolVersion::V5),
        _ => Err("versions are 3.1.1 and 5".to_owned()),
    }
}

/// `name=value`; the value may have further `=`.
pub(super) fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a property is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
