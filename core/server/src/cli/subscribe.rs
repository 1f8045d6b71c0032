//! `hookmq sub`: subscribes and prints what comes.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hookmq_client::{Client, Events};
use hookmq_mqtt::{
    QoS, RetainHandling, SubscribeEntry, SubscriptionIdentifier, SubscriptionOptions, TopicFilter,
};

use super::client::{ConnectArguments, Failure, block_on, connect, parse_qos};
use super::line::Layout;

/// Exit codes: 0 when the count was reached, the time was over without a count, or on Ctrl-C; 1 when refused or lost, or
/// when the time was over before the count; 64 for arguments that make no sense.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done, or interrupted; 1 refused, lost, or --timeout before --count; 64 bad arguments"
)]
pub(super) struct SubscribeArguments {
    /// Filter to subscribe to; may be given several times
    #[arg(short, long = "topic", value_name = "FILTER", required = true)]
    topics: Vec<String>,
    /// The greatest QoS of delivery: 0, 1 or 2
    #[arg(short, long, value_parser = parse_qos, default_value = "0")]
    qos: QoS,
    /// End after so many messages
    #[arg(short = 'C', long, value_name = "N")]
    count: Option<u64>,
    /// End after so many seconds
    #[arg(short = 'W', long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Print the topic before the payload
    #[arg(short, long, conflicts_with_all = ["format", "json"])]
    verbose: bool,
    /// How to print a message: %t topic, %p payload, %q QoS, %r retain, %l bytes of payload, %U user properties, %% a
    /// percent sign, \n and \t
    #[arg(long, conflicts_with = "json")]
    format: Option<String>,
    /// Print each message as one JSON object
    #[arg(long)]
    json: bool,
    /// Do not get own messages back (5.0)
    #[arg(long)]
    no_local: bool,
    /// Keep the retain flag as it was published (5.0)
    #[arg(long)]
    retain_as_published: bool,
    /// When retained messages are sent (5.0)
    #[arg(long, value_enum, default_value_t = Retained::Always)]
    retain_handling: Retained,
    /// Number that comes back with every message (5.0); shown by --json
    #[arg(long, value_name = "NUMBER")]
    subscription_identifier: Option<u32>,
    /// Seconds that the session outlives the connection (5.0)
    #[arg(long, value_name = "SECONDS")]
    session_expiry: Option<u32>,
    /// Forget an earlier session (the default)
    #[arg(long, conflicts_with = "no_clean")]
    clean: bool,
    /// Go on with an earlier session of this --id
    #[arg(long, requires = "id")]
    no_clean: bool,
    #[command(flatten)]
    connection: ConnectArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Retained {
    /// At every subscription
    Always,
    /// Only if the subscription is new
    New,
    /// Never
    Never,
}

impl From<Retained> for RetainHandling {
    fn from(retained: Retained) -> Self {
        match retained {
            Retained::Always => Self::SendAlways,
            Retained::New => Self::SendIfNew,
            Retained::Never => Self::DoNotSend,
        }
    }
}

/// Subscribes; the arguments' documentation has the exit codes.
pub(super) fn run(arguments: SubscribeArguments) -> ExitCode {
    block_on(subscribe(arguments))
}

async fn subscribe(arguments: SubscribeArguments) -> Result<(), Failure> {
    let layout = arguments.layout()?;
    let entries = arguments.entries()?;
    let identifier = arguments.identifier()?;
    let timeout = arguments.timeout()?;
    let mut options = arguments.connection.options()?;
    options.connect.clean_start = !arguments.no_clean;
    options.connect.session_expiry_interval = arguments.session_expiry;
    let end = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let (client, events) = connect(options).await?;
    // Messages of an earlier session may come before SUBACK, so they are read meanwhile.
    let subscribing = ask(&client, entries, identifier);
    let printing = print(events, &layout, arguments.count);
    let printed = tokio::select! {
        printed = async {
            let (asked, printed) = tokio::join!(subscribing, printing);
            // A refusal is the reason for what followed.
            asked.and(printed)
        } => printed,
        () = end => match arguments.count {
            Some(count) => Err(Failure::Failed(format!("fewer than {count} messages in time"))),
            None => Ok(()),
        },
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    if client.is_connected() {
        // What was asked for is done, or was refused.
        let _ = client.disconnect().await;
    }
    printed
}

/// Subscribes and says which filter was refused; the connection is left if none was granted.
async fn ask(
    client: &Client,
    entries: Vec<SubscribeEntry>,
    identifier: Option<SubscriptionIdentifier>,
) -> Result<(), Failure> {
    let filters: Vec<_> = entries
        .iter()
        .map(|entry| entry.topic_filter.clone())
        .collect();
    let suback = client.subscribe(entries, identifier).await?;
    let mut refusals = Vec::new();
    for (filter, reason) in filters.iter().zip(&suback.reasons) {
        if reason.is_error() {
            refusals.push(match &suback.reason_string {
                Some(reason_string) => format!("{filter} refused: {reason}: {reason_string}"),
                None => format!("{filter} refused: {reason}"),
            });
        }
    }
    if refusals.is_empty() {
        return Ok(());
    }
    if refusals.len() < filters.len() {
        // The others are served.
        eprintln!("{}", refusals.join("\n"));
        return Ok(());
    }
    client.disconnect().await?;
    Err(Failure::Failed(refusals.join("\n")))
}

/// Prints messages until there are enough.
async fn print(mut events: Events, layout: &Layout, count: Option<u64>) -> Result<(), Failure> {
    let mut n_printed = 0;
    while count.is_none_or(|count| n_printed < count) {
        let message = events.next_message().await?;
        let mut line = layout.line(&message);
        line.push(b'\n');
        let mut out = io::stdout().lock();
        match out.write_all(&line).and_then(|()| out.flush()) {
            // A reader that has seen enough, as `head` has.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => {
                written.map_err(|error| Failure::Failed(format!("cannot write: {error}")))?
            }
        }
        n_printed += 1;
    }
    Ok(())
}

impl SubscribeArguments {
    fn layout(&self) -> Result<Layout, Failure> {
        let format = match &self.format {
            _ if self.json => return Ok(Layout::json()),
            Some(format) => format,
            None if self.verbose => "%t %p",
            None => "%p",
        };
        Layout::parse(format).map_err(|error| Failure::Usage(format!("--format: {error}")))
    }

    fn entries(&self) -> Result<Vec<SubscribeEntry>, Failure> {
        let options = SubscriptionOptions {
            qos: self.qos,
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            retain_handling: self.retain_handling.into(),
        };
        let is_v5 = self.connection.version().is_v5();
        let needs_v5 = options != self.qos.into()
            || self.subscription_identifier.is_some()
            || self.session_expiry.is_some();
        if needs_v5 && !is_v5 {
            return Err(Failure::Usage(
                "3.1.1 has no such options; use --protocol 5".to_owned(),
            ));
        }
        let entry = |filter: &String| match TopicFilter::parse(filter) {
            Ok(_) => Ok(SubscribeEntry {
                topic_filter: filter.clone(),
                options,
            }),
            Err(error) => Err(Failure::Usage(format!("--topic {filter:?}: {error}"))),
        };
        self.topics.iter().map(entry).collect()
    }

    fn identifier(&self) -> Result<Option<SubscriptionIdentifier>, Failure> {
        let Some(number) = self.subscription_identifier else {
            return Ok(None);
        };
        match SubscriptionIdentifier::new(number) {
            None => Err(Failure::Usage(
                "--subscription-identifier: 1 to 268435455".to_owned(),
            )),
            valid => Ok(valid),
        }
    }

    fn timeout(&self) -> Result<Option<Duration>, Failure> {
        let checked = self.timeout.map(Duration::try_from_secs_f64).transpose();
        checked.map_err(|error| Failure::Usage(format!("--timeout: {error}")))
    }
}
