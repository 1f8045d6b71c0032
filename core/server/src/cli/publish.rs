//! `hookmq pub`: publishes messages and says what the broker thinks of them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use hookmq_client::{Client, Message, Receipt};
use hookmq_mqtt::{PayloadFormat, QoS, ReasonCode, UserProperties};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::client::{ConnectArguments, Failure, block_on, connect, parse_pair, parse_qos};

/// Messages on their way at once.
const UNDER_WAY: usize = 100;

/// Longest line of `--stdin-lines`, in bytes: what MQTT can carry.
const LONGEST_LINE: u64 = 268_435_455;

/// Exit codes: 0 when every message was accepted, 1 when one was refused or the connection was lost, 64 for arguments
/// that make no sense.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every message was accepted; 1 refused or lost; 64 bad arguments"
)]
#[command(group = ArgGroup::new("payload").args(["message", "file", "null_message", "stdin_lines"]).required(true))]
pub(super) struct PublishArguments {
    /// Topic to publish to
    #[arg(short, long)]
    topic: String,
    /// The payload
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Take the payload from a file; - is standard input
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// Without payload; with --retain this clears what was retained
    #[arg(short, long)]
    null_message: bool,
    /// One message for each line of standard input
    #[arg(short = 'l', long)]
    stdin_lines: bool,
    /// How hard it is delivered: 0, 1 or 2
    #[arg(short, long, value_parser = parse_qos, default_value = "0")]
    qos: QoS,
    /// Keep it for later subscribers
    #[arg(short, long)]
    retain: bool,
    /// Publish it so many times
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        conflicts_with = "stdin_lines"
    )]
    repeat: u64,
    /// User property; may be given several times (5.0)
    #[arg(short = 'D', long = "user-property", value_name = "NAME=VALUE", value_parser = parse_pair)]
    user_properties: Vec<(String, String)>,
    /// What the payload is, such as application/json (5.0)
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Where an answer is expected (5.0)
    #[arg(long, value_name = "TOPIC")]
    response_topic: Option<String>,
    /// What the answer shall carry (5.0)
    #[arg(long, value_name = "TEXT")]
    correlation_data: Option<String>,
    /// Seconds after which it is worthless (5.0)
    #[arg(long, value_name = "SECONDS")]
    expiry: Option<u32>,
    /// Say that the payload is UTF-8 text (5.0)
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    connection: ConnectArguments,
}

/// Publishes; the arguments' documentation has the exit codes.
pub(super) fn run(arguments: PublishArguments) -> ExitCode {
    block_on(publish(arguments))
}

async fn publish(arguments: PublishArguments) -> Result<(), Failure> {
    let template = arguments.template()?;
    let options = arguments.connection.options()?;
    // Before the connection, so that a missing file connects nobody.
    let payload = match (&arguments.message, &arguments.file) {
        (Some(message), _) => message.clone().into_bytes(),
        (None, Some(file)) => read(file).await?,
        (None, None) => Vec::new(),
    };
    let (client, _events) = connect(options).await?;
    let mut outcome = Outcome::default();
    if arguments.stdin_lines {
        let mut lines = BufReader::new(tokio::io::stdin());
        loop {
            let mut line = Vec::new();
            let n_bytes = (&mut lines)
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut line)
                .await;
            if n_bytes.map_err(|error| Failure::Failed(format!("standard input: {error}")))? == 0 {
                break;
            }
            if line.ends_with(b"\n") {
                line.pop();
            }
            if line.ends_with(b"\r") {
                line.pop();
            }
            let message = Message {
                payload: line.into(),
                ..template.clone()
            };
            outcome.send(&client, message).await?;
        }
    } else {
        let message = Message {
            payload: payload.into(),
            ..template
        };
        for _ in 0..arguments.repeat {
            outcome.send(&client, message.clone()).await?;
        }
    }
    outcome.finish().await;
    client.disconnect().await?;
    match outcome.n_failed {
        0 => Ok(()),
        1 => Err(Failure::Failed(outcome.first_failure)),
        n => Err(Failure::Failed(format!(
            "{}\n{n} messages failed",
            outcome.first_failure
        ))),
    }
}

/// What became of the messages so far.
#[derive(Default)]
struct Outcome {
    under_way: VecDeque<Receipt>,
    n_failed: u64,
    first_failure: String,
    /// Said once that nobody listens.
    lonely: bool,
}

impl Outcome {
    async fn send(&mut self, client: &Client, message: Message) -> Result<(), Failure> {
        if self.under_way.len() >= UNDER_WAY
            && let Some(receipt) = self.under_way.pop_front()
        {
            self.settle(receipt).await;
        }
        match client.send(message).await {
            Ok(receipt) => self.under_way.push_back(receipt),
            Err(error) => {
                // The first answer that failed knows better why the connection ended.
                self.finish().await;
                let text = if self.n_failed > 0 {
                    std::mem::take(&mut self.first_failure)
                } else {
                    error.to_string()
                };
                return Err(Failure::Failed(text));
            }
        }
        Ok(())
    }

    async fn finish(&mut self) {
        while let Some(receipt) = self.under_way.pop_front() {
            self.settle(receipt).await;
        }
    }

    async fn settle(&mut self, receipt: Receipt) {
        match receipt.await {
            Ok(published) => {
                if published.reason == ReasonCode::NoMatchingSubscribers && !self.lonely {
                    eprintln!(
                        "accepted, but nobody subscribes to it: {}",
                        published.reason
                    );
                    self.lonely = true;
                }
            }
            Err(error) => {
                if self.n_failed == 0 {
                    self.first_failure = error.to_string();
                }
                self.n_failed += 1;
            }
        }
    }
}

impl PublishArguments {
    /// The message without its payload.
    fn template(&self) -> Result<Message, Failure> {
        let mut user_properties = UserProperties::new();
        for (name, value) in &self.user_properties {
            user_properties
                .push(name, value)
                .map_err(|error| Failure::Usage(error.to_string()))?;
        }
        let mut message = Message::new(self.topic.as_str(), "")
            .qos(self.qos)
            .retain(self.retain);
        hookmq_mqtt::TopicName::check(&self.topic)
            .map_err(|error| Failure::Usage(format!("--topic {:?}: {error}", self.topic)))?;
        let properties = &mut message.properties;
        properties.payload_format = self.text.then_some(PayloadFormat::Utf8);
        properties.message_expiry_interval = self.expiry;
        properties.response_topic.clone_from(&self.response_topic);
        properties.correlation_data = self.correlation_data.clone().map(Into::into);
        properties.content_type.clone_from(&self.content_type);
        properties.user_properties = user_properties;
        if !self.connection.version().is_v5() && *properties != Default::default() {
            return Err(Failure::Usage(
                "3.1.1 has no properties; use --protocol 5".to_owned(),
            ));
        }
        Ok(message)
    }
}

async fn read(file: &PathBuf) -> Result<Vec<u8>, Failure> {
    let read = if file.as_os_str() == "-" {
        let mut payload = Vec::new();
        tokio::io::stdin()
            .read_to_end(&mut payload)
            .await
            .map(|_| payload)
    } else {
        std::fs::read(file)
    };
    read.map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))
}
