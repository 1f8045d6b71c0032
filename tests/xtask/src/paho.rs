//! `cargo xtask paho PATH`: the Eclipse Paho interoperability tests (`client_test.py` for 3.1.1, `client_test5.py` for 5.0)
//! from a checkout of eclipse/paho.mqtt.testing. Nothing of the suite is kept here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use crate::broker::{self, Broker, Settings};
use crate::process::{Running, root};
use crate::{Outcome, setup};

/// The longest that one of the two suites may take. They sleep for about two minutes in all.
const SUITE: Duration = Duration::from_secs(480);

/// The exit code of the driver when a test could not be ended.
const COULD_NOT_END: i32 = 3;

/// Tests that may fail, each with why the standard is on the broker's side.
const DEVIATIONS: [(&str, &str); 1] = [(
    "client_test5.Test.test_subscribe_identifiers",
    "it insists on one merged copy for overlapping subscriptions, where one copy for each is as good [MQTT-3.3.4-2]",
)];

/// What `cargo xtask paho` takes.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// A checkout of eclipse/paho.mqtt.testing.
    path: PathBuf,
    #[command(flatten)]
    broker: broker::Arguments,
    /// Only tests whose name contains this.
    #[arg(long)]
    test: Option<String>,
}

impl Arguments {
    /// The whole suite of a checkout.
    pub(crate) fn of(path: &Path, broker: &broker::Arguments) -> Self {
        Self {
            path: path.to_owned(),
            broker: broker.clone(),
            test: None,
        }
    }
}

/// What the driver says of one test.
#[derive(Deserialize)]
struct Said {
    test: String,
    passed: bool,
    seconds: f64,
    #[serde(default)]
    detail: String,
}

/// Runs both suites, test by test.
///
/// # Errors
/// When the checkout is not one, the broker does not start or stop cleanly, or a test fails that is not listed.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let suite = std::path::absolute(&arguments.path)?.join("interoperability");
    if !suite.join("client_test5.py").is_file() {
        return Err(format!(
            "{} is no checkout of eclipse/paho.mqtt.testing",
            arguments.path.display()
        )
        .into());
    }
    setup::need("python3", &["python3"])?;
    let broker = Broker::start(&arguments.broker, "paho", &settings())?;
    println!("{} listens on {}", broker.name, broker.address);

    let (mut passed, mut failed, mut deviating) = (0_usize, 0_usize, 0_usize);
    for module in ["client_test", "client_test5"] {
        println!("== {module}");
        for said in drive(arguments, &broker, module, &suite)? {
            let reason = DEVIATIONS
                .iter()
                .find(|(name, _)| *name == said.test)
                .map(|(_, reason)| reason);
            match (said.passed, reason) {
                (true, _) => passed += 1,
                (false, Some(reason)) => {
                    deviating += 1;
                    println!("      expected: {reason}");
                }
                (false, None) => failed += 1,
            }
        }
    }
    if let Err(failure) = broker.stop() {
        failed += 1;
        println!("FAIL  the broker: {failure}");
    }
    println!("{deviating} deviating as listed");
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 {
        Ok(())
    } else {
        Err("Paho interoperability: not all tests passed".into())
    }
}

/// What the suite takes for granted: a filter that is refused, and limits low enough to run into.
fn settings() -> Settings {
    let script = root().join("tests/foreign/paho.lua");
    let session = "[session]\nmaximum_keep_alive = \"60s\"\nreceive_maximum = 20\nmaximum_packet_size = \"60KB\"\n";
    Settings {
        hookmq: format!(
            "{session}\n[[plugin]]\nname = \"paho\"\npath = \"{}\"\n",
            script.display()
        ),
        mosquitto: "max_keepalive 60\nmax_inflight_messages 20\n",
    }
}

/// Runs one of the two suites to its end.
fn drive(arguments: &Arguments, broker: &Broker, module: &str, suite: &Path) -> Outcome<Vec<Said>> {
    let deadline = Instant::now() + SUITE;
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(
        "{spinner} {pos} tests, {elapsed}",
    )?);
    bar.enable_steady_tick(Duration::from_millis(250));
    let mut tests: Vec<Said> = Vec::new();
    // A test that cannot be ended takes its process with it; the tests after it get another.
    loop {
        let mut command = Command::new("python3");
        command
            .current_dir(suite)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1");
        command
            .arg(root().join("tests/foreign/paho_suite.py"))
            .arg(module);
        command.args([
            broker.address.ip().to_string(),
            broker.address.port().to_string(),
        ]);
        if let Some(part) = &arguments.test {
            command.args(["--part", part]);
        }
        command
            .arg("--skip")
            .args(tests.iter().filter_map(|said| said.test.rsplit('.').next()));
        let running = Running::start(&mut command)?;
        let mut noise = Vec::new();
        while let Some(line) = running.line(deadline)? {
            let Ok(said) = serde_json::from_str::<Said>(&line) else {
                noise.push(line);
                continue;
            };
            bar.suspend(|| println!("{}", said.report(&noise)));
            bar.inc(1);
            noise.clear();
            tests.push(said);
        }
        let status = running.finish(deadline)?;
        match status.code() {
            Some(0) => break,
            Some(COULD_NOT_END) => {}
            _ => {
                return Err(
                    format!("{module} ended early ({status}):\n{}", noise.join("\n")).into(),
                );
            }
        }
    }
    bar.finish_and_clear();
    Ok(tests)
}

impl Said {
    /// One line; for a failure also what the suite wrote meanwhile, as many tests catch their own failures and print them.
    fn report(&self, noise: &[String]) -> String {
        if self.passed {
            return format!("pass  {}  {:.1} s", self.test, self.seconds);
        }
        let why = format!("{}\n{}", noise.join("\n"), self.detail);
        let mut text = format!("FAIL  {}  {:.1} s", self.test, self.seconds);
        for line in why.lines().filter(|line| !line.trim().is_empty()) {
            text.push_str("\n      ");
            text.push_str(line);
        }
        text
    }
}
