//! `cargo xtask faults`: a disk that is full, fails to write, fails to sync or is read-only while the broker runs, and then works again.
//!
//! Meanwhile nothing is acknowledged that is to survive, everything else goes on, and the log says so; afterwards what waited is
//! acknowledged by the same broker, and a kill finds all of it kept.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hookmq_mqtt::{
    Ack, Packet, PacketIdentifier, ProtocolVersion, Publish, PublishProperties, QoS, ReasonCode,
    decode,
};
use indicatif::{ProgressBar, ProgressStyle};

use super::content::{Kind, Name};
use super::kill::{Durability, sections};
use super::lab::{self, Broker, Lab, PATIENCE};
use super::power::build_shim;
use super::stock::{greet, leave, subscribe};
use super::wire::{LOOK, Next, Wire};
use crate::Outcome;
use crate::process::target_dir;

const V3: ProtocolVersion = ProtocolVersion::V311;
const V5: ProtocolVersion = ProtocolVersion::V5;

/// What does not depend on the disk is answered within this.
const PROMPT: Duration = Duration::from_secs(1);
/// Afterwards all that waited is acknowledged within this.
const MENDED: Duration = Duration::from_secs(20);

/// What the shim does, by the number that it knows it by.
const FAULTS: [(&str, u8); 4] = [
    ("the disk is full", 1),
    ("writing fails (EIO)", 2),
    ("syncing fails (EIO)", 3),
    ("the disk is read-only", 4),
];

/// What `cargo xtask faults` takes.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// How many seconds each fault lasts.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Take the broker as it was built before.
    #[arg(long)]
    built: bool,
}

impl Arguments {
    /// Short faults, for a broker that was built before.
    pub(super) const fn quick() -> Self {
        Self {
            seconds: 1,
            built: true,
        }
    }
}

/// What came of one fault.
#[derive(Default)]
struct Came {
    withheld: usize,
    n_prompt: usize,
    slowest: Duration,
    mended: Duration,
    kept: usize,
    flaws: Vec<String>,
}

/// A publisher whose messages are to survive.
struct Publisher {
    number: usize,
    wire: Wire,
    qos: QoS,
    next: u64,
    /// Not acknowledged yet, by identifier.
    waiting: BTreeMap<PacketIdentifier, Name>,
    acknowledged: Vec<Name>,
    pings: usize,
}

/// Two clients whose messages need no disk.
struct Others {
    publisher: Wire,
    subscriber: Wire,
    n: u64,
}

/// Tries each fault and prints what came of it.
///
/// # Errors
/// When anything was acknowledged that was not kept, or did not go on.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let binary = if arguments.built {
        target_dir().join("debug/hookmq")
    } else {
        lab::build()?
    };
    let shim = build_shim()?;
    let fails_for = Duration::from_secs(arguments.seconds);
    let bar = ProgressBar::new(FAULTS.len() as u64).with_style(ProgressStyle::with_template(
        "{bar:30} {pos}/{len} faults, {elapsed}  {msg}",
    )?);
    let mut flaws = Vec::new();
    let mut rows = Vec::new();
    for (name, code) in FAULTS {
        bar.set_message(name);
        let mut came = Came::default();
        if let Err(failure) = try_one(&binary, &shim, code, fails_for, &mut came) {
            came.flaws.push(failure.to_string());
        }
        rows.push(format!(
            "  {name:<22} withheld {}, meanwhile {} answers to others, the slowest after {:.0} ms; acknowledged {:.1} s after it worked again, kept {}",
            came.withheld,
            came.n_prompt,
            came.slowest.as_secs_f64() * 1e3,
            came.mended.as_secs_f64(),
            came.kept
        ));
        flaws.extend(came.flaws.iter().map(|flaw| format!("{name}: {flaw}")));
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("faults: {} kinds\n{}", FAULTS.len(), rows.join("\n"));
    if flaws.is_empty() {
        return Ok(());
    }
    Err(format!("{} flaws\n{}", flaws.len(), flaws.join("\n")).into())
}

fn try_one(binary: &Path, shim: &Path, code: u8, fails_for: Duration, came: &mut Came) -> Outcome {
    let rule = "\n[[storage.topic]]\nfilter = \"free/#\"\ndurability = \"none\"\n";
    let sections = format!("{}{rule}", sections(Durability::Disk));
    let mut lab = Lab::new("faults", binary, &sections)?;
    let folder = fs::canonicalize(lab.folder())?;
    let control_path = folder.join("control");
    fs::write(&control_path, [0; 4096])?;
    let control = File::options().write(true).open(&control_path)?;
    let value = |path: &Path| path.to_string_lossy().into_owned();
    let between = vec![
        ("LD_PRELOAD".to_owned(), value(shim)),
        ("HOOKMQ_SHIM_ROOT".to_owned(), value(&folder.join("data"))),
        ("HOOKMQ_SHIM_CONTROL".to_owned(), value(&control_path)),
    ];
    let broker = lab.start(&between)?;
    broker.listens(PATIENCE)?;
    let address = broker.address;

    let mut keeper = Wire::connect(address, V5)?;
    greet(&mut keeper, "keeper", false)?;
    keeper.put(&subscribe("load/#", QoS::ExactlyOnce))?;
    await_suback(&mut keeper, PATIENCE)?.ok_or("no SUBACK")?;
    leave(&mut keeper)?;
    let mut publishers = [
        Publisher::connect(address, 0, V5, QoS::AtLeastOnce)?,
        Publisher::connect(address, 1, V3, QoS::ExactlyOnce)?,
    ];
    let mut others = Others::connect(address)?;
    for publisher in &mut publishers {
        publisher.publish(10)?;
    }
    settle(&mut publishers, PATIENCE)?;
    others.prompt(came)?;

    control.write_all_at(&[code], 0)?;
    for publisher in &mut publishers {
        publisher.publish(10)?;
    }
    let before: usize = publishers.iter().map(|one| one.acknowledged.len()).sum();
    let mut late = late_comer(address)?;
    let until = Instant::now() + fails_for;
    while Instant::now() < until {
        others.prompt(came)?;
        for publisher in &mut publishers {
            let took = publisher.ping()?;
            came.n_prompt += 1;
            came.slowest = came.slowest.max(took);
        }
    }
    let now: usize = publishers.iter().map(|one| one.acknowledged.len()).sum();
    came.withheld = publishers.iter().map(|one| one.waiting.len()).sum();
    if now > before {
        came.flaws.push(format!(
            "{} messages acknowledged that could not be kept",
            now - before
        ));
    }
    if await_suback(&mut late, Duration::ZERO)?.is_some() {
        came.flaws
            .push("SUBACK for a subscription that could not be kept".to_owned());
    }
    if came.slowest > PROMPT {
        came.flaws
            .push(format!("others wait for up to {:?}", came.slowest));
    }
    let is_alarm = |line: &lab::Line| line.level == "ERROR" && line.words.contains("store");
    if !broker.lines().iter().any(is_alarm) {
        came.flaws.push("the log has no alarm".to_owned());
    }

    control.write_all_at(&[0], 0)?;
    let mended = Instant::now();
    settle(&mut publishers, MENDED)?;
    came.mended = mended.elapsed();
    await_suback(&mut late, MENDED)?.ok_or("SUBACK never comes")?;
    leave(&mut late)?;
    for publisher in &mut publishers {
        publisher.publish(5)?;
    }
    settle(&mut publishers, PATIENCE)?;
    if let Some(status) = broker.ended() {
        return Err(format!("the broker ended ({status}): {}", broker.words()).into());
    }
    broker.kill();
    broker.wait()?;
    look_for_panic(&broker, came);

    let broker = lab.start(&between)?;
    broker.listens(PATIENCE)?;
    let expected: Vec<Name> = publishers
        .iter()
        .flat_map(|publisher| publisher.acknowledged.iter().copied())
        .collect();
    came.kept = take_all(address, "keeper", &expected, &mut came.flaws)?;
    // The last ones were published after its SUBACK.
    let last: Vec<Name> = publishers
        .iter()
        .flat_map(|publisher| publisher.acknowledged.iter().rev().take(5).copied())
        .collect();
    take_all(address, "late", &last, &mut came.flaws)?;
    broker.stop()?;
    look_for_panic(&broker, came);
    Ok(())
}

fn look_for_panic(broker: &Broker, came: &mut Came) {
    let panics = broker
        .lines()
        .into_iter()
        .filter(|line| line.level == "PANIC");
    came.flaws.extend(panics.map(|line| line.words));
}

/// One who subscribes while the disk fails; CONNACK may have to wait as well.
fn late_comer(address: SocketAddr) -> Outcome<Wire> {
    let mut wire = Wire::connect(address, V5)?;
    let mut connect = hookmq_mqtt::Connect::new(V5, "late");
    connect.clean_start = false;
    connect.session_expiry_interval = Some(3600);
    wire.put(&Packet::Connect(Box::new(connect)))?;
    wire.put(&subscribe("load/#", QoS::ExactlyOnce))?;
    wire.flush();
    Ok(wire)
}

fn await_suback(wire: &mut Wire, limit: Duration) -> Outcome<Option<()>> {
    wire.wait(Instant::now() + limit, |packet| {
        matches!(packet, Packet::SubAck(_)).then_some(())
    })
}

/// Waits until all that was published is acknowledged.
fn settle(publishers: &mut [Publisher], limit: Duration) -> Outcome {
    let deadline = Instant::now() + limit;
    while publishers.iter().any(|one| !one.waiting.is_empty()) {
        for publisher in &mut *publishers {
            publisher.read()?;
        }
        if Instant::now() > deadline {
            let waiting: usize = publishers.iter().map(|one| one.waiting.len()).sum();
            return Err(format!("{waiting} messages are not acknowledged within {limit:?}").into());
        }
        thread::park_timeout(LOOK);
    }
    Ok(())
}

/// Takes a Session's queue: everything that it must have, none of it twice; how much that was.
fn take_all(
    address: SocketAddr,
    client_id: &str,
    expected: &[Name],
    flaws: &mut Vec<String>,
) -> Outcome<usize> {
    let mut wire = Wire::connect(address, V5)?;
    if !greet(&mut wire, client_id, false)? {
        flaws.push(format!("the session of {client_id} is gone"));
        return Ok(0);
    }
    let mut got: BTreeMap<Name, usize> = BTreeMap::new();
    let mut deadline = Instant::now() + PATIENCE;
    let mut is_whole = false;
    loop {
        let came = wire.wait(deadline, |packet| match packet {
            Packet::Publish(publish) => {
                let name = Name::of(publish.topic, publish.payload);
                Some((name, publish.qos, publish.packet_identifier, false))
            }
            Packet::PubRel(ack) => {
                Some((None, QoS::ExactlyOnce, Some(ack.packet_identifier), true))
            }
            _ => None,
        })?;
        let Some((name, qos, identifier, is_release)) = came else {
            break;
        };
        if let Some(identifier) = identifier {
            let ack = Ack::new(identifier, ReasonCode::Success);
            wire.put(&match (qos, is_release) {
                (_, true) => Packet::PubComp(ack),
                (QoS::ExactlyOnce, _) => Packet::PubRec(ack),
                _ => Packet::PubAck(ack),
            })?;
        }
        match name {
            Some(name) => *got.entry(name).or_default() += 1,
            None if is_release => {}
            None => flaws.push(format!("{client_id} got what nobody sent")),
        }
        // A moment more, for what comes twice.
        if !is_whole && expected.iter().all(|name| got.contains_key(name)) {
            is_whole = true;
            deadline = Instant::now() + Duration::from_millis(300);
        }
    }
    let missing: Vec<&Name> = expected
        .iter()
        .filter(|name| !got.contains_key(name))
        .collect();
    if let Some(first) = missing.first() {
        flaws.push(format!(
            "{client_id} never got {} acknowledged messages, {first} among them",
            missing.len()
        ));
    }
    if let Some((name, n)) = got.iter().find(|(name, n)| name.publisher == 1 && **n > 1) {
        flaws.push(format!("{client_id} got {name} (QoS 2) {n} times"));
    }
    leave(&mut wire)?;
    Ok(expected.len() - missing.len())
}

impl Publisher {
    fn connect(
        address: SocketAddr,
        number: usize,
        version: ProtocolVersion,
        qos: QoS,
    ) -> Outcome<Self> {
        let mut wire = Wire::connect(address, version)?;
        greet(&mut wire, &format!("publisher-{number}"), false)?;
        Ok(Self {
            number,
            wire,
            qos,
            next: 0,
            waiting: BTreeMap::new(),
            acknowledged: Vec::new(),
            pings: 0,
        })
    }

    fn publish(&mut self, n_messages: usize) -> Outcome {
        for _ in 0..n_messages {
            let name = loop {
                let name = Name {
                    run: 1,
                    publisher: self.number,
                    number: self.next,
                };
                self.next += 1;
                if name.kind() == Kind::Load {
                    break name;
                }
            };
            let identifier = u16::try_from(self.next)
                .ok()
                .and_then(PacketIdentifier::new);
            let identifier = identifier.ok_or("too many messages")?;
            self.waiting.insert(identifier, name);
            put_message(
                &mut self.wire,
                self.qos,
                &name.topic(),
                &name.payload(),
                Some(identifier),
            )?;
        }
        self.wire.flush();
        Ok(())
    }

    fn read(&mut self) -> Outcome {
        loop {
            self.wire.flush();
            let bytes = match self.wire.next()? {
                Next::Packet(bytes) => bytes,
                Next::Nothing => return Ok(()),
                Next::Ended => return Err("a publisher is thrown out".into()),
            };
            match decode(&bytes, self.wire.version())? {
                Packet::PubAck(ack) => self.acknowledged(&ack),
                Packet::PubRec(ack) => {
                    self.acknowledged(&ack);
                    let release = Ack::new(ack.packet_identifier, ReasonCode::Success);
                    self.wire.put(&Packet::PubRel(release))?;
                }
                Packet::PingResp => self.pings += 1,
                Packet::PubComp(_) => {}
                other => return Err(format!("unexpected {other:?}").into()),
            }
        }
    }

    fn acknowledged(&mut self, ack: &Ack) {
        self.acknowledged
            .extend(self.waiting.remove(&ack.packet_identifier));
    }

    /// How long PINGRESP takes.
    fn ping(&mut self) -> Outcome<Duration> {
        let began = Instant::now();
        let pings = self.pings;
        self.wire.put(&Packet::PingReq)?;
        while self.pings == pings {
            self.read()?;
            if began.elapsed() > PROMPT * 5 {
                return Err("PINGREQ is not answered while acknowledgements wait".into());
            }
            thread::park_timeout(LOOK);
        }
        Ok(began.elapsed())
    }
}

impl Others {
    fn connect(address: SocketAddr) -> Outcome<Self> {
        let mut publisher = Wire::connect(address, V5)?;
        greet(&mut publisher, "other-publisher", true)?;
        let mut subscriber = Wire::connect(address, V5)?;
        greet(&mut subscriber, "other-subscriber", true)?;
        for filter in ["free/#", "load-not-kept/#"] {
            subscriber.put(&subscribe(filter, QoS::AtLeastOnce))?;
            await_suback(&mut subscriber, PATIENCE)?.ok_or("no SUBACK")?;
        }
        Ok(Self {
            publisher,
            subscriber,
            n: 0,
        })
    }

    /// QoS 0, QoS 1 by the rule, QoS 1 to nobody who survives: each is answered and arrives at once.
    fn prompt(&mut self, came: &mut Came) -> Outcome {
        for (topic, qos) in [
            ("free/0", QoS::AtMostOnce),
            ("load-not-kept/0", QoS::AtMostOnce),
            ("free/1", QoS::AtLeastOnce),
            ("load-not-kept/1", QoS::AtLeastOnce),
        ] {
            let began = Instant::now();
            let deadline = began + PROMPT * 5;
            self.n += 1;
            let payload = format!("other {}", self.n);
            let identifier = (qos != QoS::AtMostOnce).then_some(PacketIdentifier::FIRST);
            put_message(
                &mut self.publisher,
                qos,
                topic,
                payload.as_bytes(),
                identifier,
            )?;
            if identifier.is_some() {
                let acknowledged = self.publisher.wait(deadline, |packet| {
                    matches!(packet, Packet::PubAck(_)).then_some(())
                })?;
                acknowledged.ok_or_else(|| format!("no PUBACK at {topic}, which needs no disk"))?;
            } else {
                self.publisher.flush();
            }
            let came_with = self.subscriber.wait(deadline, |packet| match packet {
                Packet::Publish(publish) if publish.payload == payload.as_bytes() => {
                    Some(publish.packet_identifier)
                }
                _ => None,
            })?;
            let identifier = came_with
                .ok_or_else(|| format!("nothing arrives at {topic}, which needs no disk"))?;
            if let Some(identifier) = identifier {
                let ack = Ack::new(identifier, ReasonCode::Success);
                self.subscriber.put(&Packet::PubAck(ack))?;
                self.subscriber.flush();
            }
            came.n_prompt += 1;
            came.slowest = came.slowest.max(began.elapsed());
        }
        Ok(())
    }
}

fn put_message(
    wire: &mut Wire,
    qos: QoS,
    topic: &str,
    payload: &[u8],
    packet_identifier: Option<PacketIdentifier>,
) -> Outcome {
    wire.put(&Packet::Publish(Publish {
        dup: false,
        qos,
        retain: false,
        topic,
        packet_identifier,
        payload,
        properties: PublishProperties::default(),
    }))
}
