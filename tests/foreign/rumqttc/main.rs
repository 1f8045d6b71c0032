//! rumqttc against the broker. The scenarios are those of `scenarios.txt`; one line of JSON goes out for each check.
#![allow(
    clippy::print_stdout,
    reason = "the checks are reported on standard output"
)]

mod peer;
mod scenarios;

use std::cell::RefCell;
use std::future::Future;
use std::time::{Duration, Instant};

use peer::{Options, Peer};
use serde_json::json;

/// The longest that one scenario may take.
const SCENARIO: Duration = Duration::from_secs(40);

/// What a scenario comes to: nothing, or why it failed.
type Done<T = ()> = Result<T, String>;

/// One scenario in one version: where the broker is, and names that nobody else uses.
struct Case {
    host: String,
    port: u16,
    v5: bool,
    prefix: String,
    peers: RefCell<u32>,
}

impl Case {
    fn topic(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    fn client_id(&self, name: &str) -> String {
        self.topic(name).replace('/', "-")
    }

    /// A client with a name of its own and a clean session.
    async fn peer(&self) -> Done<Peer> {
        let number = self.peers.replace_with(|number| *number + 1);
        self.peer_as(
            &self.client_id(&format!("peer{number}")),
            Options::default(),
        )
        .await
    }

    async fn peer_as(&self, client_id: &str, options: Options) -> Done<Peer> {
        Peer::connect(self, client_id, options).await
    }
}

/// Fails when the two differ.
fn equal<T: PartialEq + std::fmt::Debug>(found: T, wanted: T, what: &str) -> Done {
    if found == wanted {
        Ok(())
    } else {
        Err(shorten(format!("{what}: wanted {wanted:?}, got {found:?}")))
    }
}

/// Fails when the condition does not hold.
fn must(holds: bool, what: &str) -> Done {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn shorten(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(600) {
        text.truncate(end);
    }
    text
}

async fn check(case: &Case, name: &str, version: &str, run: impl Future<Output = Done>) {
    let started = Instant::now();
    let outcome = tokio::time::timeout(SCENARIO, run)
        .await
        .unwrap_or_else(|_| Err(format!("not over after {} s", SCENARIO.as_secs())));
    let milliseconds = started.elapsed().as_millis();
    let (verdict, detail) = match &outcome {
        Ok(()) => ("pass", ""),
        Err(why) => ("fail", why.as_str()),
    };
    if outcome.is_err() {
        eprintln!("{}: {detail}", case.prefix);
    }
    let line = json!({
        "scenario": name, "version": version, "verdict": verdict,
        "milliseconds": u64::try_from(milliseconds).unwrap_or(u64::MAX), "detail": detail,
    });
    println!("{line}");
}

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let host = value("--host").ok_or("--host is missing")?;
    let port = value("--port")
        .and_then(|port| port.parse().ok())
        .ok_or("--port is missing")?;
    let only = value("--scenario");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        for (version, v5) in [("3.1.1", false), ("5.0", true)] {
            for scenario in scenarios::ALL {
                if (scenario.needs_v5 && !v5)
                    || only.as_ref().is_some_and(|only| only != scenario.name)
                {
                    continue;
                }
                let since = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap_or_default();
                let prefix = format!("foreign/{:08x}/{}", since.subsec_nanos(), scenario.name);
                let case = Case {
                    host: host.clone(),
                    port,
                    v5,
                    prefix,
                    peers: RefCell::new(0),
                };
                check(&case, scenario.name, version, (scenario.run)(&case)).await;
            }
        }
        Ok(())
    })
}
