//! Number 34: what is huge or odd passes every runtime as it passes none, or is refused by all alike.

use std::time::Instant;

use hookmq_mqtt::UserProperties;

use super::built::Runtime;
use super::bystander::Bystander;
use super::lab::Lab;
use super::peer::{PATIENCE, Peer, Received};
use super::report::{Section, mib};
use crate::Outcome;

/// A message that no plugin hopes for.
struct Odd {
    name: &'static str,
    topic: String,
    payload: Vec<u8>,
    properties: UserProperties,
}

/// What became of it: the answer's code, and what the subscriber had of it.
#[derive(PartialEq)]
struct Fate {
    code: u8,
    arrived: Option<Received>,
}

/// Sends each message through no plugin and through each runtime, `rounds` times.
///
/// # Errors
/// When there is nothing to try it on.
pub(super) fn run(rounds: usize) -> Outcome<Section> {
    let mut section = Section::new("sizes", 1024);
    let mut lab = Lab::new("sizes")?;
    lab.section(
        "[session]\nmaximum_packet_size = \"20MiB\"\nmaximum_topic_bytes = \"65535B\"\nmaximum_topic_levels = 70000\noutbox_bytes = \"64MiB\"\n",
    );
    for runtime in Runtime::ALL {
        lab.put(&runtime.file(), &runtime.bytes('a')?)?;
        let memory = if runtime == Runtime::Native {
            ""
        } else {
            "\nmemory = \"256MiB\""
        };
        lab.plugin(
            runtime.word(),
            &runtime.file(),
            &format!(
                "{}\nclients = [\"sender-{}\"]\ntimeout = \"20s\"\ngrants = [\"publish\"]{memory}",
                runtime.config(),
                runtime.word()
            ),
        );
    }
    let broker = lab.start()?;
    let mut bystander = Bystander::start(broker.address())?;
    let mut subscriber = broker.client("sizes-s")?;
    subscriber.subscribe("echo/#")?;
    let odds = all()?;
    let mut expected = Vec::new();
    for odd in &odds {
        let fate = fate(&mut broker.client("sender-none")?, &mut subscriber, odd)?;
        let intact = fate
            .arrived
            .as_ref()
            .is_some_and(|arrived| is_same(arrived, odd));
        let words = if intact {
            "passed intact"
        } else {
            "did not arrive as it was"
        };
        section.row(34, "none", odd.name, intact, words);
        expected.push(fate);
    }
    let (mut memory, mut calls) = (Vec::new(), Vec::new());
    bystander.watch()?;
    for round in 0..rounds {
        memory.push(mib(broker.rss_now()));
        if round == 1 {
            section.rss_first = Some(broker.rss_now());
        }
        for (odd, expected) in odds.iter().zip(&expected) {
            for runtime in Runtime::ALL {
                let started = Instant::now();
                let mut sender = broker.client(&format!("sender-{}", runtime.word()))?;
                let fate = fate(&mut sender, &mut subscriber, odd)?;
                let took = started.elapsed();
                calls.push((odd, took));
                let is_good = fate == *expected;
                if round > 0 && is_good {
                    continue;
                }
                section.row(
                    34,
                    runtime.word(),
                    odd.name,
                    is_good,
                    match (&fate.arrived, is_good) {
                        (_, true) => format!("as without a plugin, {} ms", took.as_millis()),
                        (Some(_), false) => format!("arrived otherwise, {:#04x}", fate.code),
                        (None, false) => format!("did not arrive, {:#04x}", fate.code),
                    },
                );
            }
        }
    }
    bystander.rest()?;
    section.rss = Some(broker.rss());
    section.row(
        34,
        "all",
        "memory before each round",
        true,
        memory.join(", "),
    );
    // The same messages past all plugins; what these took of the processors is taken here.
    bystander.beside(|| {
        for (odd, took) in &calls {
            let started = Instant::now();
            fate(&mut broker.client("sender-none")?, &mut subscriber, odd)?;
            while started.elapsed() < *took {
                std::hint::spin_loop();
            }
        }
        Ok(())
    })?;
    section.delays = Some(bystander.stop()?);
    section.is_alive = broker.is_alive();
    broker.stop()?;
    Ok(section)
}

fn fate(sender: &mut Peer, subscriber: &mut Peer, odd: &Odd) -> Outcome<Fate> {
    let code = sender
        .publish_with(&odd.topic, &odd.payload, &odd.properties)?
        .code;
    // A second one says that the first will not come any more.
    sender.publish("echo/end", b"")?;
    let mut arrived = None;
    loop {
        match subscriber.message(Instant::now() + PATIENCE)? {
            Some(message) if message.topic == "echo/end" => return Ok(Fate { code, arrived }),
            Some(message) => arrived = Some(message),
            None => return Err(format!("{}: nothing comes any more", odd.name).into()),
        }
    }
}

fn is_same(arrived: &Received, odd: &Odd) -> bool {
    arrived.topic == odd.topic
        && arrived.payload == odd.payload
        && arrived
            .properties
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .eq(odd.properties.iter())
}

fn all() -> Outcome<Vec<Odd>> {
    let odd = |name: &'static str, topic: &str, payload: Vec<u8>| Odd {
        name,
        topic: format!("echo/{topic}"),
        payload,
        properties: UserProperties::new(),
    };
    let with =
        |name: &'static str, pairs: &mut dyn Iterator<Item = (String, String)>| -> Outcome<Odd> {
            let mut odd = odd(name, "properties", b"x".to_vec());
            for (key, value) in pairs {
                odd.properties.push(&key, &value)?;
            }
            Ok(odd)
        };
    let mut every_byte: Vec<u8> = (0..=255).collect();
    every_byte.extend_from_slice(b"\xff\xfe\xc0\x80\xed\xa0\x80\xf5");
    Ok(vec![
        odd("payload of 16 MiB", "large", vec![0xa5; 16 << 20]),
        odd("payload of nothing", "empty", Vec::new()),
        odd("payload that is no text, with NUL", "bytes", every_byte),
        odd("topic of 65 535 bytes", &"t".repeat(65_530), b"x".to_vec()),
        odd("topic of 32 000 levels", &"/".repeat(32_000), b"x".to_vec()),
        odd(
            "topic of odd characters",
            "\u{202e}\u{feff}\u{10ffff}e\u{301}\u{1f469}\u{200d}\u{1f467}%s%n",
            b"x".to_vec(),
        ),
        with(
            "1 000 user properties",
            &mut (0..1_000).map(|at| (format!("n{at}"), "v".into())),
        )?,
        with(
            "10 000 user properties",
            &mut (0..10_000).map(|at| (format!("n{at}"), "v".into())),
        )?,
        with(
            "user property of 65 535 bytes",
            &mut [("n".repeat(65_535), "v".repeat(65_535))].into_iter(),
        )?,
        with(
            "user properties of one name, empty ones",
            &mut (0..100).map(|_| (String::new(), String::new())),
        )?,
    ])
}
