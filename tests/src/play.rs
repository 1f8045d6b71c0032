//! Holds a conversation with a broker and says where it went otherwise.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use crate::flow::{Flow, Version};
use crate::step::{Action, Compare, Field, Step, Template, Text};
use crate::target::{Stream, Target};
use crate::wire::{self, Received, Value};

/// How long, by the real clock, an answer may take before the conversation has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the real clock is looked at.
const TICK: Duration = Duration::from_millis(2);

/// How much of what was said a failure shows.
const SHOWN: usize = 24;

/// Holds the conversation in one version.
///
/// # Errors
/// The line that failed, what was expected and what came, and what had been said before.
pub fn play(flow: &Flow, version: Version, target: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(Target::has_virtual_time(target))
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let clock = Clock::start();
        let target = Target::start(target, &flow.settings, &clock).await?;
        let mut player = Player {
            version,
            target: &target,
            clock: &clock,
            connections: BTreeMap::new(),
            caught: HashMap::new(),
            last_id: 1000,
            last_publisher: None,
            said: Vec::new(),
        };
        let mut outcome = Ok(());
        for step in flow
            .steps
            .iter()
            .filter(|step| step.only.is_none_or(|only| only == version))
        {
            outcome = player
                .step(step)
                .await
                .map_err(|what| player.report(flow, step, &what));
            if outcome.is_err() {
                break;
            }
        }
        outcome
    })
}

/// The real clock, also for a runtime whose own clock stands still.
///
/// While its thread lives, the virtual clock moves only when a conversation says `advance`.
#[derive(Debug)]
pub struct Clock {
    ticks: watch::Receiver<()>,
}

impl Clock {
    fn start() -> Self {
        let (sender, ticks) = watch::channel(());
        tokio::task::spawn_blocking(move || {
            // The channel of the pause is never sent on: waiting for it is the pause.
            let (_silent, pause) = std::sync::mpsc::sync_channel::<()>(0);
            while sender.send(()).is_ok() {
                let _ = pause.recv_timeout(TICK);
            }
        });
        Self { ticks }
    }

    /// Ends when this much real time has passed.
    pub async fn pass(&self, time: Duration) {
        let begin = Instant::now();
        let mut ticks = self.ticks.clone();
        while begin.elapsed() < time && ticks.changed().await.is_ok() {}
    }
}

struct Connection {
    version: Version,
    stream: Stream,
    /// What CONNECT allowed the broker to send at once.
    maximum_packet_size: usize,
    buffer: Vec<u8>,
    /// Packets that came while another one was waited for.
    waiting: VecDeque<Received>,
    /// What the broker's Topic Aliases stand for.
    aliases: HashMap<u64, Value>,
}

/// What comes next on a connection.
enum Next {
    Packet(Received),
    Closed,
}

struct Player<'a> {
    version: Version,
    target: &'a Target,
    clock: &'a Clock,
    connections: BTreeMap<String, Connection>,
    caught: HashMap<String, Value>,
    last_id: u64,
    /// Who sent the last PUBLISH or PUBREL: only what the broker has taken from it can reach anybody.
    last_publisher: Option<String>,
    said: Vec<String>,
}

impl Player<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match &step.action {
            Action::Send(name, template) => self.send(name, template).await,
            Action::Raw(name, bytes) => {
                self.last_publisher = None;
                self.say(name, '>', &format!("raw {bytes:02x?}"));
                self.send_bytes(name, bytes).await
            }
            Action::Expect(name, template) => match self.next(name).await? {
                Next::Packet(received) => self.check(template, &received),
                // Saying why before closing is no MUST, and others leave it out (section 4.13 of MQTT 5.0).
                Next::Closed if says_why(template) && !self.target.is_ours() => Ok(()),
                Next::Closed => Err(format!(
                    "{name} was closed, expected {}",
                    show_template(template)
                )),
            },
            Action::Closed(name) => {
                let outcome = self.next(name).await?;
                match outcome {
                    Next::Closed => drop(self.connections.remove(name)),
                    Next::Packet(received) => {
                        return Err(format!("not closed: {}", show(&received)));
                    }
                }
                Ok(())
            }
            Action::Nothing(name) => self.nothing(name).await,
            Action::Drop(name) => {
                self.say(name, '!', "drop");
                self.connections
                    .remove(name)
                    .map(drop)
                    .ok_or_else(|| format!("{name} is not connected"))
            }
            Action::Connects(name, template) => {
                self.send(name, template).await?;
                let received = self.packet(name).await?;
                let accepted = Field {
                    key: "reason".to_owned(),
                    compare: Compare::Equal,
                    value: Text::Word("0".to_owned()),
                };
                self.check(
                    &Template {
                        packet: "CONNACK",
                        fields: vec![accepted],
                    },
                    &received,
                )
            }
            Action::Subscribes(name, template) => self.subscribe(name, template).await,
            Action::Publishes(name, template) => self.publish(name, template).await,
            Action::Receives(names, template) => self.receive(names, template).await,
            Action::Unordered(members) => self.unordered(members).await,
            Action::Advance(time) => {
                self.target.advance(*time, self.clock).await;
                Ok(())
            }
            Action::Stop => self.target.begin_stop(),
            Action::Differ(one, other) => match (self.caught.get(one), self.caught.get(other)) {
                (Some(a), Some(b)) if a != b => Ok(()),
                (a, b) => Err(format!("${one} is {a:?} and ${other} is {b:?}")),
            },
        }
    }

    fn say(&mut self, name: &str, direction: char, what: &str) {
        let what: String = what.chars().take(300).collect();
        self.said.push(format!("{name}{direction} {what}"));
    }

    fn report(&self, flow: &Flow, step: &Step, what: &str) -> String {
        let from = self.said.len().saturating_sub(SHOWN);
        let said = self.said[from..].join("\n    ");
        format!(
            "{}.toml:{} ({}): {what}\n  was said:\n    {said}",
            flow.chapter,
            step.line,
            self.version.name()
        )
    }

    /// Puts caught values in, and what is assumed when a line leaves it out.
    fn complete(&self, name: &str, template: &Template) -> Template {
        let mut template = template.clone();
        for field in &mut template.fields {
            if let Text::Variable(variable) = &field.value {
                match self.caught.get(variable) {
                    Some(Value::Number(number)) => field.value = Text::Word(number.to_string()),
                    Some(Value::Bytes(bytes)) => field.value = Text::Bytes(bytes.clone()),
                    _ => {}
                }
            }
        }
        if template.packet == "CONNECT"
            && !template.fields.iter().any(|field| field.key == "client_id")
        {
            let value = Text::Word(name.to_lowercase());
            template.fields.push(Field {
                key: "client_id".to_owned(),
                compare: Compare::Equal,
                value,
            });
        }
        template
    }

    async fn send(&mut self, name: &str, template: &Template) -> Result<(), String> {
        let mut template = self.complete(name, template);
        let version = match template.fields.iter().position(|field| field.key == "as") {
            Some(at) => match template.fields.remove(at).value {
                Text::Word(word) => Version::from_name(&word)
                    .ok_or_else(|| format!("there is no version {word}"))?,
                _ => return Err("as=3.1.1 or as=5".to_owned()),
            },
            None => self
                .connections
                .get(name)
                .map_or(self.version, |connection| connection.version),
        };
        let bytes = wire::write(&template, version)?;
        if matches!(template.packet, "PUBLISH" | "PUBREL") {
            self.last_publisher = Some(name.to_owned());
        }
        self.say(name, '>', &show_template(&template));
        self.send_bytes(name, &bytes).await?;
        if let Some(connection) = self.connections.get_mut(name) {
            connection.version = version;
            if let Some(field) = template
                .fields
                .iter()
                .find(|field| field.key == "maximum_packet_size")
            {
                connection.maximum_packet_size =
                    usize::try_from(wire::number(&field.value)?).unwrap_or(usize::MAX);
            }
        }
        Ok(())
    }

    async fn send_number(
        &mut self,
        name: &str,
        packet: &'static str,
        id: u64,
    ) -> Result<(), String> {
        let id = Field {
            key: "id".to_owned(),
            compare: Compare::Equal,
            value: Text::Word(id.to_string()),
        };
        self.send(
            name,
            &Template {
                packet,
                fields: vec![id],
            },
        )
        .await
    }

    async fn send_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        if !self.connections.contains_key(name) {
            let stream = self.target.connect().await?;
            let connection = Connection {
                version: self.version,
                stream,
                maximum_packet_size: usize::MAX,
                buffer: Vec::new(),
                waiting: VecDeque::new(),
                aliases: HashMap::new(),
            };
            self.connections.insert(name.to_owned(), connection);
        }
        let connection = self.connections.get_mut(name).ok_or("just inserted")?;
        // A broker may have closed already; what it said before that is still to be read.
        let _ = connection.stream.write_all(bytes).await;
        Ok(())
    }

    /// The next packet or the end of the connection.
    async fn next(&mut self, name: &str) -> Result<Next, String> {
        let connection = self
            .connections
            .get_mut(name)
            .ok_or_else(|| format!("{name} is not connected"))?;
        if let Some(received) = connection.waiting.pop_front() {
            return Ok(Next::Packet(received));
        }
        self.read(name).await
    }

    /// As [`Self::next`], but what came earlier and was put aside stays there.
    async fn read(&mut self, name: &str) -> Result<Next, String> {
        let connection = self
            .connections
            .get_mut(name)
            .ok_or_else(|| format!("{name} is not connected"))?;
        let patience = self.clock.pass(PATIENCE);
        tokio::pin!(patience);
        loop {
            if let Some((length, mut received)) =
                wire::read(&connection.buffer, connection.version)?
            {
                connection.buffer.drain(..length);
                // [MQTT-3.1.2-24]; 0 is no limit but an error of the client.
                let allowed = connection.maximum_packet_size;
                if allowed > 0 && length > allowed && self.target.is_ours() {
                    return Err(format!(
                        "{length} bytes are more than the client allowed: {}",
                        show(&received)
                    ));
                }
                let shown = show(&received);
                resolve_alias(&mut received, &mut connection.aliases)?;
                self.say(name, '<', &shown);
                return Ok(Next::Packet(received));
            }
            let read = tokio::select! {
                read = connection.stream.read_buf(&mut connection.buffer) => read,
                () = &mut patience => return Err(format!("nothing came within {PATIENCE:?}")),
            };
            // A reset is as much an end as an orderly one: the broker may close with bytes unread.
            if matches!(read, Ok(0) | Err(_)) {
                if !connection.buffer.is_empty() {
                    return Err(format!(
                        "closed in the middle of a packet: {:02x?}",
                        connection.buffer
                    ));
                }
                self.say(name, '<', "closed");
                return Ok(Next::Closed);
            }
        }
    }

    async fn packet(&mut self, name: &str) -> Result<Received, String> {
        match self.next(name).await? {
            Next::Packet(received) => Ok(received),
            Next::Closed => Err(format!("{name} was closed")),
        }
    }

    /// The packet of this name and identifier; others that come before it are kept for later lines.
    async fn answer(
        &mut self,
        name: &str,
        packet: &str,
        id: Option<u64>,
    ) -> Result<Received, String> {
        let fits = |received: &Received| {
            received.packet == packet && (id.is_none() || identifier(received) == id)
        };
        if let Some(connection) = self.connections.get_mut(name)
            && let Some(at) = connection.waiting.iter().position(fits)
            && let Some(received) = connection.waiting.remove(at)
        {
            return Ok(received);
        }
        loop {
            match self.read(name).await? {
                Next::Packet(received) if fits(&received) => return Ok(received),
                Next::Packet(received) if received.packet == "DISCONNECT" => {
                    return Err(show(&received));
                }
                Next::Packet(received) => {
                    let connection = self.connections.get_mut(name).ok_or("just read from")?;
                    connection.waiting.push_back(received);
                }
                Next::Closed => return Err(format!("{name} was closed before {packet}")),
            }
        }
    }

    /// Returns when the broker has handled everything that was sent on this connection.
    async fn barrier(&mut self, name: &str) -> Result<(), String> {
        self.send_bytes(name, &[0xC0, 0x00]).await?;
        self.answer(name, "PINGRESP", None).await.map(drop)
    }

    async fn nothing(&mut self, name: &str) -> Result<(), String> {
        if let Some(publisher) = self.last_publisher.clone()
            && publisher != name
            && self.connections.contains_key(&publisher)
        {
            self.barrier(&publisher).await?;
        }
        self.barrier(name).await?;
        match self
            .connections
            .get(name)
            .and_then(|connection| connection.waiting.front())
        {
            Some(received) => Err(format!("something came: {}", show(received))),
            None => Ok(()),
        }
    }

    fn with_id(&mut self, template: &Template) -> (Template, u64) {
        let mut template = template.clone();
        self.last_id += 1;
        let value = Text::Word(self.last_id.to_string());
        template.fields.push(Field {
            key: "id".to_owned(),
            compare: Compare::Equal,
            value,
        });
        (template, self.last_id)
    }

    async fn subscribe(&mut self, name: &str, template: &Template) -> Result<(), String> {
        let (template, id) = self.with_id(template);
        self.send(name, &template).await?;
        let received = self.answer(name, "SUBACK", Some(id)).await?;
        match field(&received, "reasons") {
            Some(Value::Numbers(reasons)) if reasons.iter().all(|reason| *reason < 0x80) => Ok(()),
            _ => Err(format!("not subscribed: {}", show(&received))),
        }
    }

    async fn publish(&mut self, name: &str, template: &Template) -> Result<(), String> {
        let qos = match template.fields.iter().find(|field| field.key == "qos") {
            Some(field) => wire::number(&field.value)?,
            None => 0,
        };
        if qos == 0 {
            self.send(name, template).await?;
            return self.barrier(name).await;
        }
        let (template, id) = self.with_id(template);
        self.send(name, &template).await?;
        let first = self
            .answer(name, if qos == 1 { "PUBACK" } else { "PUBREC" }, Some(id))
            .await?;
        if field(&first, "reason").is_some_and(|reason| *reason >= Value::Number(0x80)) {
            return Err(format!("not published: {}", show(&first)));
        }
        if qos == 2 {
            self.send_number(name, "PUBREL", id).await?;
            self.answer(name, "PUBCOMP", Some(id)).await?;
        }
        Ok(())
    }

    async fn receive(&mut self, names: &[String], template: &Template) -> Result<(), String> {
        let name = match names {
            [only] => only,
            _ => self.chosen(names).await?,
        };
        let received = self.packet(name).await?;
        self.check(template, &received)?;
        let Some(id) = identifier(&received) else {
            return Ok(());
        };
        if field(&received, "qos") == Some(&Value::Number(1)) {
            return self.send_number(name, "PUBACK", id).await;
        }
        self.send_number(name, "PUBREC", id).await?;
        self.answer(name, "PUBREL", Some(id)).await?;
        self.send_number(name, "PUBCOMP", id).await
    }

    /// The one of these connections that something came on.
    async fn chosen<'n>(&mut self, names: &'n [String]) -> Result<&'n String, String> {
        if let Some(publisher) = self
            .last_publisher
            .clone()
            .filter(|publisher| self.connections.contains_key(publisher))
        {
            self.barrier(&publisher).await?;
        }
        let mut chosen = Vec::new();
        for name in names {
            self.barrier(name).await?;
            if self
                .connections
                .get(name)
                .is_some_and(|connection| !connection.waiting.is_empty())
            {
                chosen.push(name);
            }
        }
        match chosen[..] {
            [one] => Ok(one),
            _ => Err(format!(
                "something came on {chosen:?}, not on exactly one of {names:?}"
            )),
        }
    }

    async fn unordered(&mut self, members: &[(String, Template, usize)]) -> Result<(), String> {
        let mut left: Vec<_> = members.iter().collect();
        while let Some((name, ..)) = left.first() {
            let received = self.packet(name).await?;
            let fits = left.iter().position(|(of, template, _)| {
                of == name && self.compare(template, &received).is_ok()
            });
            let at =
                fits.ok_or_else(|| format!("none of the lines left expects {}", show(&received)))?;
            let (_, template, _) = left.remove(at);
            self.check(template, &received)?;
        }
        Ok(())
    }

    /// Compares and, if all is as expected, catches the values that have names.
    fn check(&mut self, template: &Template, received: &Received) -> Result<(), String> {
        let caught = self.compare(template, received)?;
        self.caught.extend(caught);
        Ok(())
    }

    fn compare(
        &self,
        template: &Template,
        received: &Received,
    ) -> Result<HashMap<String, Value>, String> {
        let mut caught = HashMap::new();
        let wrong = |what: &str| {
            Err(format!(
                "{what}: expected {}, got {}",
                show_template(template),
                show(received)
            ))
        };
        if template.packet != received.packet {
            return wrong("another packet");
        }
        for expected in &template.fields {
            let key = if expected.key.is_empty() {
                "topic"
            } else {
                expected.key.as_str()
            };
            let values: Vec<&Value> = received
                .fields
                .iter()
                .filter(|(of, _)| *of == key)
                .map(|(_, value)| value)
                .collect();
            match (expected.compare, &expected.value) {
                (Compare::Absent, _) if values.is_empty() => {}
                (Compare::Absent, _) => return wrong(&format!("{key} is there")),
                (Compare::Equal, Text::Variable(name)) => {
                    let Some(value) = values.first() else {
                        return wrong(&format!("{key} is missing"));
                    };
                    if self
                        .caught
                        .get(name)
                        .or_else(|| caught.get(name))
                        .is_some_and(|known| known != *value)
                    {
                        return wrong(&format!("{key} is not ${name}"));
                    }
                    caught.insert(name.clone(), (*value).clone());
                }
                (Compare::Equal, _)
                    if matches!(key, "user_property" | "subscription_identifier") =>
                {
                    let all = template
                        .fields
                        .iter()
                        .filter(|field| field.key == key)
                        .map(|field| &field.value);
                    let mut all: Vec<Value> = all
                        .map(|text| like(values.first().copied(), text))
                        .collect::<Result<_, _>>()?;
                    let mut values: Vec<Value> = values.into_iter().cloned().collect();
                    if key == "subscription_identifier" {
                        // Their order is not significant [MQTT-3.3.4-4].
                        let number = |value: &Value| {
                            if let Value::Number(number) = value {
                                *number
                            } else {
                                0
                            }
                        };
                        all.sort_by_key(number);
                        values.sort_by_key(number);
                    }
                    if all != values {
                        return wrong(key);
                    }
                }
                (compare, text) => {
                    let Some(value) = values.first() else {
                        return wrong(&format!("{key} is missing"));
                    };
                    let text = match text {
                        Text::Variable(name) => self
                            .caught
                            .get(name)
                            .cloned()
                            .ok_or_else(|| format!("${name} was not caught"))?,
                        text => like(Some(value), text)?,
                    };
                    let holds = match (compare, *value, &text) {
                        (Compare::Equal, value, text) => value == text,
                        (Compare::NotEqual, value, text) => value != text,
                        (Compare::AtMost, Value::Number(value), Value::Number(text)) => {
                            value <= text
                        }
                        (Compare::AtLeast, Value::Number(value), Value::Number(text)) => {
                            value >= text
                        }
                        _ => false,
                    };
                    if !holds {
                        return wrong(key);
                    }
                }
            }
        }
        Ok(caught)
    }
}

/// Whether the packet does no more than explain a close that follows.
fn says_why(template: &Template) -> bool {
    let reason = template
        .fields
        .iter()
        .find(|field| field.key == "reason")
        .map(|field| wire::number(&field.value));
    matches!(
        (template.packet, reason),
        ("DISCONNECT", _) | ("CONNACK", Some(Ok(0x80..)))
    )
}

/// Puts the Topic Name in that a Topic Alias stands for; what was sent stays as `sent_topic`.
fn resolve_alias(received: &mut Received, aliases: &mut HashMap<u64, Value>) -> Result<(), String> {
    let Some(at) = received.fields.iter().position(|(key, _)| *key == "topic") else {
        return Ok(());
    };
    let sent = received.fields[at].1.clone();
    if let Some(Value::Number(alias)) = field(received, "topic_alias").cloned() {
        if sent == Value::Bytes(Vec::new()) {
            let known = aliases
                .get(&alias)
                .ok_or_else(|| format!("topic alias {alias} was never set"))?;
            received.fields[at].1 = known.clone();
        } else {
            aliases.insert(alias, sent.clone());
        }
    }
    received.fields.push(("sent_topic", sent));
    Ok(())
}

/// What is written, read the way the value that came is.
fn like(value: Option<&Value>, text: &Text) -> Result<Value, String> {
    match value {
        Some(Value::Bytes(_)) => wire::bytes(text).map(Value::Bytes),
        Some(Value::Numbers(_)) => {
            let Text::Word(word) = text else {
                return Err(format!("{text:?} is no list of Reason Codes"));
            };
            let numbers = word
                .split(',')
                .map(|name| wire::number(&Text::Word(name.to_owned())));
            numbers.collect::<Result<_, _>>().map(Value::Numbers)
        }
        Some(Value::Number(_)) | None => wire::number(text)
            .map(Value::Number)
            .or_else(|_| wire::bytes(text).map(Value::Bytes)),
    }
}

fn field<'r>(received: &'r Received, key: &str) -> Option<&'r Value> {
    received
        .fields
        .iter()
        .find(|(of, _)| *of == key)
        .map(|(_, value)| value)
}

fn identifier(received: &Received) -> Option<u64> {
    match field(received, "id") {
        Some(Value::Number(id)) => Some(*id),
        _ => None,
    }
}

fn show(received: &Received) -> String {
    let fields = received.fields.iter().map(|(key, value)| match value {
        Value::Number(number) if *key == "reason" => format!(" reason={}", reason(*number)),
        Value::Number(number) => format!(" {key}={number}"),
        Value::Bytes(bytes) => format!(" {key}=\"{}\"", bytes.escape_ascii()),
        Value::Numbers(reasons) => format!(
            " {key}={}",
            reasons
                .iter()
                .map(|n| reason(*n))
                .collect::<Vec<_>>()
                .join(",")
        ),
    });
    received.packet.to_owned() + &fields.collect::<String>()
}

fn reason(number: u64) -> String {
    let known = u8::try_from(number)
        .ok()
        .and_then(hookmq_mqtt::ReasonCode::from_u8);
    known.map_or_else(
        || format!("{number:#04x}"),
        |reason| reason.name().to_owned(),
    )
}

fn show_template(template: &Template) -> String {
    let fields = template.fields.iter().map(|field| {
        let operator = match field.compare {
            Compare::Equal => "=",
            Compare::NotEqual => "!=",
            Compare::AtMost => "<=",
            Compare::AtLeast => ">=",
            Compare::Absent => return format!(" !{}", field.key),
        };
        let value = match &field.value {
            Text::Word(word) => word.clone(),
            Text::Bytes(bytes) => format!("\"{}\"", bytes.escape_ascii()),
            Text::Variable(name) => format!("${name}"),
        };
        if field.key.is_empty() {
            format!(" {value}")
        } else {
            format!(" {}{operator}{value}", field.key)
        }
    });
    template.packet.to_owned() + &fields.collect::<String>()
}
