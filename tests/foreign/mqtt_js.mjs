// MQTT.js against the broker. The scenarios are those of scenarios.txt.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import mqtt from "mqtt";

const WAIT_MS = 10_000;
const SCENARIO_MS = 40_000;
const BOTH = ["3.1.1", "5.0"];
const V5 = ["5.0"];

/** What came, in order, and whoever waits for the next. */
class Queue {
  #items = [];
  #waiting = [];

  put(item) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#items.push(item);
  }

  get length() {
    return this.#items.length;
  }

  async next(what) {
    if (this.#items.length > 0) return this.#items.shift();
    return within(WAIT_MS, `no ${what}`, new Promise((resolve) => this.#waiting.push(resolve)));
  }
}

async function within(milliseconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${milliseconds / 1000} s`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again, with a short pause, until the condition holds. */
async function waitUntil(condition, what) {
  const deadline = Date.now() + WAIT_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `not within ${WAIT_MS / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** One client, connected, with what it received in a queue. */
class Peer {
  messages = new Queue();
  disconnects = new Queue();
  closed = new Queue();

  static async connect(testCase, { clientId, clean = true, expiry = 0, will } = {}) {
    const peer = new Peer();
    peer.testCase = testCase;
    const v5 = testCase.v5;
    peer.client = mqtt.connect({
      host: testCase.host,
      port: testCase.port,
      protocolVersion: v5 ? 5 : 4,
      clientId: clientId ?? testCase.clientId(randomBytes(3).toString("hex")),
      clean,
      keepalive: 30,
      reconnectPeriod: 0,
      resubscribe: false,
      connectTimeout: WAIT_MS,
      ...(v5 ? { properties: { sessionExpiryInterval: expiry } } : {}),
      ...(will ? { will } : {}),
    });
    testCase.peers.push(peer);
    peer.client.on("message", (topic, payload, packet) => peer.messages.put({ ...packet, topic, payload }));
    peer.client.on("disconnect", (packet) => peer.disconnects.put(packet));
    peer.client.on("close", () => peer.closed.put(true));
    const connected = new Queue();
    peer.client.on("connect", (packet) => connected.put(packet));
    peer.client.on("error", (error) => connected.put(error));
    const answer = await connected.next("CONNACK");
    if (answer instanceof Error) throw answer;
    peer.connack = answer;
    return peer;
  }

  async subscribe(filter, qos = 0, options = {}) {
    const granted = await within(WAIT_MS, "no SUBACK", this.client.subscribeAsync(filter, { qos, ...options }));
    assert.deepEqual(granted.map((one) => one.qos), [qos], "granted");
  }

  async unsubscribe(filter) {
    await within(WAIT_MS, "no UNSUBACK", this.client.unsubscribeAsync(filter));
  }

  async publish(topic, payload, { qos = 1, ...more } = {}) {
    await within(WAIT_MS, `no acknowledgement at QoS ${qos}`, this.client.publishAsync(topic, payload, { qos, ...more }));
  }

  next() {
    return this.messages.next("message");
  }

  /** The next messages have these payloads; they are returned. */
  async expect(...payloads) {
    const found = [];
    while (found.length < payloads.length) found.push(await this.next());
    assert.deepEqual(found.map((message) => message.payload.toString()), payloads.map(String));
    return found;
  }

  /** What is published now is the next that comes, so nothing else was under way. */
  async expectNothingBefore(publisher, topic) {
    await publisher.publish(topic, "the end");
    await this.expect("the end");
  }

  async leave() {
    await within(WAIT_MS, "no end", this.client.endAsync());
  }

  async breakConnection() {
    this.client.stream.destroy();
    await this.closed.next("close");
  }
}

const scenarios = [];

function scenario(name, versions, run) {
  scenarios.push({ name, versions, run });
}

scenario("connect", BOTH, async (it) => {
  const peer = await it.peer();
  assert.equal(peer.connack.sessionPresent, false);
  await peer.leave();
  const nameless = await it.peer({ clientId: "" });
  if (it.v5) assert.ok(nameless.connack.properties?.assignedClientIdentifier, "no assigned Client Identifier");
  await nameless.subscribe(it.topic("a"));
});

for (const qos of [0, 1, 2]) {
  scenario(`qos${qos}`, BOTH, async (it) => {
    const [receiver, sender] = [await it.peer(), await it.peer()];
    await receiver.subscribe(it.topic("a"), qos);
    const payloads = ["one", "", "zwei ü 二", Buffer.from([...Array(256).keys()])];
    for (const payload of payloads) await sender.publish(it.topic("a"), payload, { qos });
    for (const payload of payloads) {
      const message = await receiver.next();
      assert.deepEqual(message.payload, Buffer.from(payload));
      assert.deepEqual([message.qos, message.retain, message.dup], [qos, false, false]);
    }
    await receiver.publish(it.topic("a"), "to itself", { qos });
    await receiver.expect("to itself");
    await receiver.expectNothingBefore(sender, it.topic("a"));
  });
}

scenario("downgrade", BOTH, async (it) => {
  const [receiver, sender] = [await it.peer(), await it.peer()];
  await receiver.subscribe(it.topic("a"), 1);
  await sender.publish(it.topic("a"), "two", { qos: 2 });
  await sender.publish(it.topic("a"), "nought", { qos: 0 });
  const found = await receiver.expect("two", "nought");
  assert.deepEqual(found.map((message) => message.qos), [1, 0]);
});

scenario("order", BOTH, async (it) => {
  const [receiver, sender] = [await it.peer(), await it.peer()];
  await receiver.subscribe(it.topic("#"), 2);
  for (const qos of [1, 2]) {
    const wanted = Array.from({ length: 300 }, (_, n) => `${qos}.${n}`);
    // The client does not keep to the broker's Receive Maximum by itself, so ten are under way at once.
    for (let first = 0; first < wanted.length; first += 10) {
      const some = wanted.slice(first, first + 10);
      await Promise.all(some.map((payload) => sender.publish(it.topic("a"), payload, { qos })));
    }
    await receiver.expect(...wanted);
  }
  await receiver.expectNothingBefore(sender, it.topic("a"));
});

scenario("large", BOTH, async (it) => {
  const [receiver, sender] = [await it.peer(), await it.peer()];
  await receiver.subscribe(it.topic("a"), 2);
  const payload = Buffer.from(Array.from({ length: 200_000 }, (_, n) => (n * n) % 251));
  for (const qos of [0, 1, 2]) {
    await sender.publish(it.topic("a"), payload, { qos });
    assert.ok(payload.equals((await receiver.next()).payload), `harmed at QoS ${qos}`);
  }
});

scenario("wildcards", BOTH, async (it) => {
  const [plus, rest, sender] = [await it.peer(), await it.peer(), await it.peer()];
  await plus.subscribe(it.topic("w/+/x"), 1);
  await rest.subscribe(it.topic("w/#"), 1);
  for (const level of ["w", "w/a", "w/a/x", "w/a/b/x", "w//x", "v/a/x", "w/b/x"]) {
    await sender.publish(it.topic(level), level);
  }
  await plus.expect("w/a/x", "w//x", "w/b/x");
  await rest.expect("w", "w/a", "w/a/x", "w/a/b/x", "w//x", "w/b/x");
  await plus.expectNothingBefore(sender, it.topic("w/z/x"));
  await rest.expect("the end");
});

scenario("unsubscribe", BOTH, async (it) => {
  const [receiver, sender] = [await it.peer(), await it.peer()];
  await receiver.subscribe(it.topic("a"), 1);
  await receiver.subscribe(it.topic("b"), 1);
  await receiver.unsubscribe(it.topic("a"));
  await sender.publish(it.topic("a"), "unwanted");
  await receiver.expectNothingBefore(sender, it.topic("b"));
});

scenario("retained", BOTH, async (it) => {
  const [sender, early] = [await it.peer(), await it.peer()];
  await early.subscribe(it.topic("#"), 1);
  await sender.publish(it.topic("a"), "old", { retain: true });
  await sender.publish(it.topic("a"), "kept", { retain: true });
  const live = await early.expect("old", "kept");
  assert.deepEqual(live.map((message) => message.retain), [false, false]);
  const late = await it.peer();
  await late.subscribe(it.topic("#"), 1);
  const [replay] = await late.expect("kept");
  assert.deepEqual([replay.retain, replay.qos], [true, 1]);
  await sender.publish(it.topic("a"), "", { retain: true });
  await early.expect("");
  const last = await it.peer();
  await last.subscribe(it.topic("#"), 1);
  await last.expectNothingBefore(sender, it.topic("b"));
});

scenario("will", BOTH, async (it) => {
  const watcher = await it.peer();
  await watcher.subscribe(it.topic("#"), 1);
  const lost = await it.peer({ will: { topic: it.topic("will"), payload: "gone", qos: 1, retain: false } });
  await lost.breakConnection();
  assert.equal((await watcher.expect("gone"))[0].qos, 1);
  const polite = await it.peer({ will: { topic: it.topic("will"), payload: "not gone", qos: 1, retain: false } });
  await polite.leave();
  await watcher.expectNothingBefore(watcher, it.topic("a"));
  const kept = await it.peer({ will: { topic: it.topic("kept"), payload: "for all", qos: 1, retain: true } });
  await kept.breakConnection();
  await watcher.expect("for all");
  const late = await it.peer();
  await late.subscribe(it.topic("kept"), 1);
  assert.ok((await late.expect("for all"))[0].retain);
  await watcher.publish(it.topic("kept"), "", { retain: true });
});

scenario("takeover", BOTH, async (it) => {
  const watcher = await it.peer();
  await watcher.subscribe(it.topic("will"), 1);
  const clientId = it.clientId("same");
  const first = await it.peer({ clientId, will: { topic: it.topic("will"), payload: "thrown off", qos: 1, retain: false } });
  const second = await it.peer({ clientId });
  await first.closed.next("close");
  await watcher.expect("thrown off");
  if (it.v5) assert.equal((await first.disconnects.next("DISCONNECT")).reasonCode, 0x8e);
  await second.subscribe(it.topic("a"), 1);
  await watcher.publish(it.topic("a"), "to the second");
  await second.expect("to the second");
});

scenario("session", BOTH, async (it) => {
  const sender = await it.peer();
  const mode = { clientId: it.clientId("stays"), clean: false, expiry: 300 };
  const away = await it.peer(mode);
  assert.equal(away.connack.sessionPresent, false);
  await away.subscribe(it.topic("a"), 2);
  await away.leave();
  for (const [payload, qos] of [["1 a", 1], ["2 a", 2], ["1 b", 1], ["2 b", 2]]) {
    await sender.publish(it.topic("a"), payload, { qos });
  }
  const back = await it.peer(mode);
  assert.equal(back.connack.sessionPresent, true);
  // The client hands out a QoS 2 message at PUBREL, so only those of one QoS have an order among themselves.
  const found = [];
  while (found.length < 4) found.push(await back.next());
  found.sort((one, other) => one.qos - other.qos);
  assert.deepEqual(found.map((m) => `${m.qos}: ${m.payload}`), ["1: 1 a", "1: 1 b", "2: 2 a", "2: 2 b"]);
  await back.expectNothingBefore(sender, it.topic("a"));
  await back.leave();
  const again = await it.peer(mode);
  assert.equal(again.connack.sessionPresent, true);
  await again.expectNothingBefore(sender, it.topic("a"));
});

scenario("clean_start", BOTH, async (it) => {
  const sender = await it.peer();
  const mode = { clientId: it.clientId("stays"), expiry: 300 };
  const away = await it.peer({ ...mode, clean: false });
  await away.subscribe(it.topic("a"), 1);
  await away.leave();
  await sender.publish(it.topic("a"), "lost");
  const fresh = await it.peer({ ...mode, clean: true });
  assert.equal(fresh.connack.sessionPresent, false);
  await fresh.subscribe(it.topic("b"), 1);
  await sender.publish(it.topic("a"), "not subscribed");
  await fresh.expectNothingBefore(sender, it.topic("b"));
});

scenario("properties", V5, async (it) => {
  const [receiver, sender] = [await it.peer(), await it.peer()];
  await receiver.subscribe(it.topic("a"), 2);
  const properties = {
    payloadFormatIndicator: true,
    contentType: "application/json",
    responseTopic: it.topic("answer"),
    correlationData: Buffer.from([0, 255, 32, 105, 100]),
    userProperties: { b: ["1", "1"], a: "2", "ü": "二" },
  };
  for (const qos of [0, 1, 2]) {
    await sender.publish(it.topic("a"), "{}", { qos, properties });
    const found = (await receiver.next()).properties;
    for (const [name, value] of Object.entries(properties)) {
      // User properties come as an object without a prototype.
      const plain = name === "userProperties" ? { ...found[name] } : found[name];
      assert.deepEqual(plain, value, name);
    }
  }
});

scenario("expiry", V5, async (it) => {
  const sender = await it.peer();
  const mode = { clientId: it.clientId("stays"), clean: false, expiry: 300 };
  const away = await it.peer(mode);
  await away.subscribe(it.topic("a"), 1);
  await away.leave();
  const expiring = (messageExpiryInterval) => ({ properties: { messageExpiryInterval } });
  await sender.publish(it.topic("a"), "short", expiring(1));
  await sender.publish(it.topic("a"), "long", expiring(100));
  await sender.publish(it.topic("clock"), "ticking", { retain: true, ...expiring(2) });
  await waitUntil(async () => {
    const watcher = await it.peer();
    await watcher.subscribe(it.topic("clock"), 1);
    await sender.publish(it.topic("clock"), "the end");
    const ticking = (await watcher.next()).payload.toString() === "ticking";
    await watcher.leave();
    return !ticking;
  }, "the retained message expires");
  const back = await it.peer(mode);
  const [long] = await back.expect("long");
  const left = long.properties.messageExpiryInterval;
  assert.ok(left >= 90 && left < 100, `${left} s are left of 100 s`);
  await back.expectNothingBefore(sender, it.topic("a"));
});

scenario("will_delay", V5, async (it) => {
  const watcher = await it.peer();
  await watcher.subscribe(it.topic("#"), 1);
  const doomed = (name, willDelayInterval) => {
    const will = { topic: it.topic(name), payload: name, qos: 1, retain: false, properties: { willDelayInterval } };
    return it.peer({ clientId: it.clientId(name), clean: false, expiry: 60, will });
  };
  const [returning, gone] = [await doomed("returning", 1), await doomed("gone", 2)];
  const started = Date.now();
  await gone.breakConnection();
  await returning.breakConnection();
  await watcher.expectNothingBefore(watcher, it.topic("a"));
  const back = await it.peer({ clientId: it.clientId("returning"), clean: false, expiry: 60 });
  assert.equal(back.connack.sessionPresent, true);
  // The will that was to come first does not come at all.
  await watcher.expect("gone");
  const took = Date.now() - started;
  assert.ok(took >= 1800 && took < 5000, `a delay of 2 s took ${took} ms`);
});

scenario("shared", V5, async (it) => {
  const [members, sender] = [[await it.peer(), await it.peer()], await it.peer()];
  for (const [number, member] of members.entries()) {
    await member.subscribe(`$share/group/${it.topic("a")}`, 1);
    await member.subscribe(it.topic(`own${number}`), 1);
  }
  const wanted = Array.from({ length: 60 }, (_, n) => `${n}`);
  for (const payload of wanted) await sender.publish(it.topic("a"), payload);
  await waitUntil(() => members[0].messages.length + members[1].messages.length >= 60, "all messages");
  const got = [];
  for (const [number, member] of members.entries()) {
    // A message of its own goes the same way as a doubled one would, and comes after it.
    await sender.publish(it.topic(`own${number}`), "the end");
    const part = [];
    for (let message = await member.next(); message.payload.toString() !== "the end"; message = await member.next()) {
      part.push(message.payload.toString());
    }
    got.push(part);
  }
  assert.deepEqual(got.flat().sort(), [...wanted].sort());
  assert.ok(got[0].length > 0 && got[1].length > 0, `one member got everything: ${got.map((part) => part.length)}`);
});

scenario("options", V5, async (it) => {
  const [loner, sender] = [await it.peer(), await it.peer()];
  await loner.subscribe(it.topic("a"), 1, { nl: true });
  await loner.publish(it.topic("a"), "own");
  await loner.expectNothingBefore(sender, it.topic("a"));

  const asPublished = await it.peer();
  await asPublished.subscribe(it.topic("r"), 1, { rap: true });
  await sender.publish(it.topic("r"), "kept", { retain: true });
  assert.ok((await asPublished.expect("kept"))[0].retain, "RETAIN was not as published");

  const [always, ifNew, never] = [0, 1, 2];
  const reader = await it.peer();
  await reader.subscribe(it.topic("r"), 1, { rh: never });
  await reader.expectNothingBefore(sender, it.topic("r"));
  await reader.unsubscribe(it.topic("r"));
  await reader.subscribe(it.topic("r"), 1, { rh: ifNew });
  await reader.expect("kept");
  await reader.subscribe(it.topic("r"), 1, { rh: ifNew });
  await reader.expectNothingBefore(sender, it.topic("r"));
  await reader.subscribe(it.topic("r"), 1, { rh: always });
  await reader.expect("kept");
  await sender.publish(it.topic("r"), "", { retain: true });
});

scenario("topic_alias", V5, async (it) => {
  const [receiver, sender] = [await it.peer(), await it.peer()];
  assert.ok(sender.connack.properties?.topicAliasMaximum >= 1, "the broker grants no Topic Alias");
  await receiver.subscribe(it.topic("#"), 1);
  const properties = { topicAlias: 1 };
  await sender.publish(it.topic("a"), "named", { properties });
  await sender.publish("", "by alias", { properties });
  await sender.publish(it.topic("b"), "renamed", { properties });
  await sender.publish("", "by alias again", { properties });
  const found = await receiver.expect("named", "by alias", "renamed", "by alias again");
  assert.deepEqual(found.map((message) => message.topic), ["a", "a", "b", "b"].map(it.topic));
});

async function check({ host, port, version, name, run }) {
  const prefix = `foreign/${randomBytes(4).toString("hex")}/${name}`;
  const topic = (part) => `${prefix}/${part}`;
  const it = { host, port, v5: version === "5.0", topic, clientId: (part) => topic(part).replaceAll("/", "-"), peers: [] };
  it.peer = (options) => Peer.connect(it, options);
  const started = performance.now();
  const said = { scenario: name, version, verdict: "pass" };
  try {
    await within(SCENARIO_MS, "not over", run(it));
  } catch (error) {
    said.verdict = "fail";
    said.detail = `${error.message}`.slice(0, 600);
    console.error(error.stack);
  }
  for (const peer of it.peers) peer.client.end(true);
  said.milliseconds = Math.round(performance.now() - started);
  console.log(JSON.stringify(said));
}

// An error that the client throws out of its own event handlers fails the scenario at hand, not those after it.
process.on("uncaughtException", (error) => console.error(error.stack));

const { values } = parseArgs({ options: { host: { type: "string" }, port: { type: "string" }, scenario: { type: "string" } } });
for (const version of BOTH) {
  for (const { name, versions, run } of scenarios) {
    if (versions.includes(version) && (values.scenario ?? name) === name) {
      await check({ host: values.host, port: Number(values.port), version, name, run });
    }
  }
}
process.exit(0);
