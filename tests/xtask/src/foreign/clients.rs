//! The foreign clients: how each is installed, at a pinned version, and how its driver is started.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;

use crate::process::{self, cargo, root, target_dir};
use crate::{Outcome, setup};

/// The longest that one installation may take.
const INSTALL: Duration = Duration::from_secs(300);

/// A client, or a pair of them, written elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Client {
    /// `mosquitto_pub` and `mosquitto_sub`, from Debian.
    Mosquitto,
    /// `paho-mqtt`, from PyPI.
    Paho,
    /// `mqtt`, from npm.
    Mqttjs,
    /// `rumqttc`, a Rust crate.
    Rumqttc,
}

impl Client {
    /// Every client, in the order of the report.
    pub(super) const ALL: [Self; 4] = [Self::Mosquitto, Self::Paho, Self::Mqttjs, Self::Rumqttc];

    /// What people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mosquitto => "mosquitto",
            Self::Paho => "paho-mqtt",
            Self::Mqttjs => "MQTT.js",
            Self::Rumqttc => "rumqttc",
        }
    }

    /// Installs or builds it, unless that is done.
    ///
    /// # Errors
    /// When it cannot be had; the message says what to install by hand.
    pub(super) fn prepare(self) -> Outcome {
        match self {
            Self::Mosquitto => {
                setup::need("python3", &["python3"])?;
                setup::need("mosquitto_sub", &["mosquitto-clients"])
            }
            Self::Paho => prepare_venv(),
            Self::Mqttjs => prepare_node_modules(),
            Self::Rumqttc => process::run(cargo().args([
                "build",
                "--package",
                "xtask",
                "--example",
                "foreign-rumqttc",
            ])),
        }
    }

    /// The driver, still without the broker's address.
    pub(super) fn driver(self) -> Command {
        let folder = root().join("tests/foreign");
        let (program, script) = match self {
            Self::Mosquitto => (PathBuf::from("python3"), Some("mosquitto_clients.py")),
            Self::Paho => (venv().join("bin/python"), Some("paho_mqtt.py")),
            Self::Mqttjs => (PathBuf::from("node"), Some("mqtt_js.mjs")),
            Self::Rumqttc => (target_dir().join("debug/examples/foreign-rumqttc"), None),
        };
        let mut command = Command::new(program);
        // Python keeps its byte code out of the source tree, and says each line when it is true.
        command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1");
        command.args(script.map(|script| folder.join(script)));
        command
    }
}

fn venv() -> PathBuf {
    target_dir().join("foreign/venv")
}

fn prepare_venv() -> Outcome {
    let requirements = root().join("tests/foreign/requirements.txt");
    let wanted = fs::read_to_string(&requirements)?;
    // Written last, so a half-done installation is done again, and so is one of other versions.
    let done = venv().join("installed.txt");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    setup::need("python3", &["python3", "python3-venv"])?;
    println!("installing paho-mqtt into {}", venv().display());
    let make = || {
        process::capture(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(venv()),
            INSTALL,
        )
    };
    if make().is_err() {
        // Debian's python3 comes without the means to make one.
        setup::install(&["python3-venv"])?;
        make()?;
    }
    let mut install = Command::new(venv().join("bin/python"));
    install
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(&requirements);
    process::capture(&mut install, INSTALL)?;
    fs::write(done, wanted)?;
    Ok(())
}

fn prepare_node_modules() -> Outcome {
    let folder = root().join("tests/foreign");
    let wanted = fs::read_to_string(folder.join("package-lock.json"))?;
    let done = folder.join("node_modules/installed.json");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    setup::need("node", &["nodejs"])?;
    setup::need("npm", &["npm"])?;
    println!(
        "installing MQTT.js into {}",
        folder.join("node_modules").display()
    );
    let mut install = Command::new("npm");
    install
        .current_dir(&folder)
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    process::capture(&mut install, INSTALL)?;
    fs::write(done, wanted)?;
    Ok(())
}
