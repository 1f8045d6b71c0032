"""paho-mqtt against the broker. The scenarios are those of scenarios.txt."""

import queue
import socket
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from checks import BOTH, V5, WAIT_SECONDS, Checks, equal, wait_until

checks = Checks()


def properties(packet_type, **values):
    made = Properties(packet_type)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Peer:
    """One client, connected, with what it received in a queue."""

    def __init__(self, case, client_id=None, clean=True, expiry=0, will=None):
        self.case = case
        self.messages = queue.Queue()
        self.connected = queue.Queue()
        self.disconnected = queue.Queue()
        self.acknowledged = queue.Queue()
        if client_id is None:
            client_id = case.client_id(f"peer{id(self):x}")
        mode = {} if case.v5 else {"clean_session": clean}
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5 if case.v5 else mqtt.MQTTv311,
            reconnect_on_failure=False,
            **mode,
        )
        self.client.on_connect = lambda _c, _u, flags, reason, props: self.connected.put((flags, reason, props))
        self.client.on_disconnect = lambda _c, _u, _flags, reason, _p: self.disconnected.put(reason)
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        self.client.on_subscribe = lambda _c, _u, mid, reasons, _p: self.acknowledged.put((mid, reasons))
        self.client.on_unsubscribe = lambda _c, _u, mid, reasons, _p: self.acknowledged.put((mid, reasons))
        if will:
            self.client.will_set(**will)
        mode = {}
        if case.v5:
            mode["clean_start"] = clean
            mode["properties"] = properties(PacketTypes.CONNECT, SessionExpiryInterval=expiry)
        case.open.callback(self.leave)
        self.client.connect(case.host, case.port, keepalive=30, **mode)
        self.client.loop_start()
        flags, self.reason, self.properties = self.connected.get(timeout=WAIT_SECONDS)
        assert not self.reason.is_failure, f"refused: {self.reason}"
        self.session_present = flags.session_present

    def subscribe(self, topic_filter, qos=0, **options):
        if self.case.v5:
            _, mid = self.client.subscribe(topic_filter, options=SubscribeOptions(qos=qos, **options))
        else:
            _, mid = self.client.subscribe(topic_filter, qos)
        acknowledged, reasons = self.acknowledged.get(timeout=WAIT_SECONDS)
        equal(acknowledged, mid, "the identifier of SUBACK")
        equal([reason.value for reason in reasons], [qos], "granted")

    def unsubscribe(self, topic_filter):
        _, mid = self.client.unsubscribe(topic_filter)
        equal(self.acknowledged.get(timeout=WAIT_SECONDS)[0], mid, "the identifier of UNSUBACK")

    def publish(self, topic, payload, qos=1, retain=False, **values):
        props = properties(PacketTypes.PUBLISH, **values) if values else None
        sent = self.client.publish(topic, payload, qos, retain, props)
        sent.wait_for_publish(timeout=WAIT_SECONDS)
        assert sent.is_published(), f"{topic} at QoS {qos} was not acknowledged"

    def next(self):
        try:
            return self.messages.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise AssertionError(f"no message within {WAIT_SECONDS} s") from None

    def expect(self, *payloads):
        """The next messages have these payloads; they are returned."""
        found = [self.next() for _ in payloads]
        equal([message.payload for message in found], [p if isinstance(p, bytes) else p.encode() for p in payloads], "payloads")
        return found

    def expect_nothing_before(self, publisher, topic):
        """What is published now is the next that comes, so nothing else was under way."""
        publisher.publish(topic, "the end", qos=1)
        self.expect("the end")

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()

    def break_connection(self):
        self.client.socket().shutdown(socket.SHUT_RDWR)
        self.disconnected.get(timeout=WAIT_SECONDS)


@checks.scenario(BOTH)
def connect(case):
    peer = Peer(case)
    assert not peer.session_present
    peer.client.disconnect()
    equal(peer.disconnected.get(timeout=WAIT_SECONDS).is_failure, False, "left with a failure")
    nameless = Peer(case, client_id="")
    if case.v5:
        assert nameless.properties.AssignedClientIdentifier
    nameless.subscribe(case.topic("a"))


def at_qos(case, qos):
    receiver, sender = Peer(case), Peer(case)
    receiver.subscribe(case.topic("a"), qos)
    payloads = [b"one", b"", "zwei ü 二".encode(), bytes(range(256))]
    for payload in payloads:
        sender.publish(case.topic("a"), payload, qos)
    found = receiver.expect(*payloads)
    equal([message.qos for message in found], [qos] * 4, "QoS")
    assert not any(message.retain or message.dup for message in found)
    receiver.publish(case.topic("a"), "to itself", qos)
    receiver.expect("to itself")
    receiver.expect_nothing_before(sender, case.topic("a"))


@checks.scenario(BOTH)
def qos0(case):
    at_qos(case, 0)


@checks.scenario(BOTH)
def qos1(case):
    at_qos(case, 1)


@checks.scenario(BOTH)
def qos2(case):
    at_qos(case, 2)


@checks.scenario(BOTH)
def downgrade(case):
    receiver, sender = Peer(case), Peer(case)
    receiver.subscribe(case.topic("a"), 1)
    sender.publish(case.topic("a"), "two", 2)
    sender.publish(case.topic("a"), "nought", 0)
    equal([message.qos for message in receiver.expect("two", "nought")], [1, 0], "QoS")


@checks.scenario(BOTH)
def order(case):
    receiver, sender = Peer(case), Peer(case)
    receiver.subscribe(case.topic("#"), 2)
    for qos in (1, 2):
        wanted = [f"{qos}.{n}" for n in range(300)]
        sent = [sender.client.publish(case.topic("a"), payload, qos) for payload in wanted]
        receiver.expect(*wanted)
        for message in sent:
            message.wait_for_publish(timeout=WAIT_SECONDS)
    receiver.expect_nothing_before(sender, case.topic("a"))


@checks.scenario(BOTH)
def large(case):
    receiver, sender = Peer(case), Peer(case)
    receiver.subscribe(case.topic("a"), 2)
    payload = bytes(n * n % 251 for n in range(200_000))
    for qos in (0, 1, 2):
        sender.publish(case.topic("a"), payload, qos)
        assert receiver.next().payload == payload, f"harmed at QoS {qos}"


@checks.scenario(BOTH)
def wildcards(case):
    plus, rest, sender = Peer(case), Peer(case), Peer(case)
    plus.subscribe(case.topic("w/+/x"), 1)
    rest.subscribe(case.topic("w/#"), 1)
    levels = ["w", "w/a", "w/a/x", "w/a/b/x", "w//x", "v/a/x", "w/b/x"]
    for level in levels:
        sender.publish(case.topic(level), level)
    plus.expect("w/a/x", "w//x", "w/b/x")
    rest.expect("w", "w/a", "w/a/x", "w/a/b/x", "w//x", "w/b/x")
    plus.expect_nothing_before(sender, case.topic("w/z/x"))
    rest.expect("the end")


@checks.scenario(BOTH)
def unsubscribe(case):
    receiver, sender = Peer(case), Peer(case)
    receiver.subscribe(case.topic("a"), 1)
    receiver.subscribe(case.topic("b"), 1)
    receiver.unsubscribe(case.topic("a"))
    sender.publish(case.topic("a"), "unwanted")
    receiver.expect_nothing_before(sender, case.topic("b"))


@checks.scenario(BOTH)
def retained(case):
    sender, early = Peer(case), Peer(case)
    early.subscribe(case.topic("#"), 1)
    sender.publish(case.topic("a"), "old", retain=True)
    sender.publish(case.topic("a"), "kept", retain=True)
    equal([message.retain for message in early.expect("old", "kept")], [False, False], "RETAIN of live messages")
    late = Peer(case)
    late.subscribe(case.topic("#"), 1)
    equal([(m.retain, m.qos) for m in late.expect("kept")], [(True, 1)], "RETAIN and QoS of the replay")
    sender.publish(case.topic("a"), "", retain=True)
    early.expect("")
    last = Peer(case)
    last.subscribe(case.topic("#"), 1)
    last.expect_nothing_before(sender, case.topic("b"))


@checks.scenario(BOTH)
def will(case):
    watcher = Peer(case)
    watcher.subscribe(case.topic("#"), 1)
    lost = Peer(case, will={"topic": case.topic("will"), "payload": "gone", "qos": 1})
    lost.break_connection()
    equal([m.qos for m in watcher.expect("gone")], [1], "QoS of the will")
    polite = Peer(case, will={"topic": case.topic("will"), "payload": "not gone", "qos": 1})
    polite.leave()
    watcher.expect_nothing_before(watcher, case.topic("a"))
    kept = Peer(case, will={"topic": case.topic("kept"), "payload": "for all", "qos": 1, "retain": True})
    kept.break_connection()
    watcher.expect("for all")
    late = Peer(case)
    late.subscribe(case.topic("kept"), 1)
    assert late.expect("for all")[0].retain
    watcher.publish(case.topic("kept"), "", retain=True)


@checks.scenario(BOTH)
def takeover(case):
    watcher = Peer(case)
    watcher.subscribe(case.topic("will"), 1)
    first = Peer(case, client_id=case.client_id("same"), will={"topic": case.topic("will"), "payload": "thrown off", "qos": 1})
    second = Peer(case, client_id=case.client_id("same"))
    reason = first.disconnected.get(timeout=WAIT_SECONDS)
    if case.v5:
        equal(reason.value, 0x8E, "the Reason Code")
    watcher.expect("thrown off")
    second.subscribe(case.topic("a"), 1)
    watcher.publish(case.topic("a"), "to the second")
    second.expect("to the second")


@checks.scenario(BOTH)
def session(case):
    sender = Peer(case)
    mode = {"client_id": case.client_id("stays"), "clean": False, "expiry": 300}
    away = Peer(case, **mode)
    assert not away.session_present
    away.subscribe(case.topic("a"), 2)
    away.leave()
    for payload, qos in (("1 a", 1), ("2 a", 2), ("1 b", 1), ("2 b", 2)):
        sender.publish(case.topic("a"), payload, qos)
    back = Peer(case, **mode)
    assert back.session_present
    # The client hands out a QoS 2 message at PUBREL, so only those of one QoS have an order among themselves.
    found = sorted((back.next() for _ in range(4)), key=lambda message: message.qos)
    equal([(m.qos, m.payload) for m in found], [(1, b"1 a"), (1, b"1 b"), (2, b"2 a"), (2, b"2 b")], "QoS and payloads")
    back.expect_nothing_before(sender, case.topic("a"))
    back.leave()
    again = Peer(case, **mode)
    assert again.session_present
    again.expect_nothing_before(sender, case.topic("a"))


@checks.scenario(BOTH)
def clean_start(case):
    sender = Peer(case)
    mode = {"client_id": case.client_id("stays"), "expiry": 300}
    away = Peer(case, clean=False, **mode)
    away.subscribe(case.topic("a"), 1)
    away.leave()
    sender.publish(case.topic("a"), "lost")
    fresh = Peer(case, clean=True, **mode)
    assert not fresh.session_present
    fresh.subscribe(case.topic("b"), 1)
    sender.publish(case.topic("a"), "not subscribed")
    fresh.expect_nothing_before(sender, case.topic("b"))


@checks.scenario(V5)
def properties_(case):
    receiver, sender = Peer(case), Peer(case)
    receiver.subscribe(case.topic("a"), 2)
    pairs = [("b", "1"), ("a", "2"), ("b", "1"), ("ü", "二")]
    for qos in (0, 1, 2):
        sender.publish(
            case.topic("a"),
            "{}",
            qos,
            UserProperty=pairs,
            ContentType="application/json",
            ResponseTopic=case.topic("answer"),
            CorrelationData=b"\x00\xff id",
            PayloadFormatIndicator=1,
        )
        found = receiver.next().properties
        equal(found.UserProperty, pairs, "user properties")
        equal(found.ContentType, "application/json", "content type")
        equal(found.ResponseTopic, case.topic("answer"), "response topic")
        equal(found.CorrelationData, b"\x00\xff id", "correlation data")
        equal(found.PayloadFormatIndicator, 1, "payload format")


@checks.scenario(V5)
def expiry(case):
    sender = Peer(case)
    mode = {"client_id": case.client_id("stays"), "clean": False, "expiry": 300}
    away = Peer(case, **mode)
    away.subscribe(case.topic("a"), 1)
    away.leave()
    sender.publish(case.topic("a"), "short", MessageExpiryInterval=1)
    sender.publish(case.topic("a"), "long", MessageExpiryInterval=100)
    sender.publish(case.topic("clock"), "ticking", retain=True, MessageExpiryInterval=2)

    def clock_has_stopped():
        watcher = Peer(case)
        watcher.subscribe(case.topic("clock"), 1)
        sender.publish(case.topic("clock"), "the end")
        ticking = watcher.next().payload == b"ticking"
        watcher.leave()
        return not ticking

    wait_until(clock_has_stopped, "the retained message expires")
    back = Peer(case, **mode)
    left = back.expect("long")[0].properties.MessageExpiryInterval
    assert 90 <= left < 100, f"{left} s are left of 100 s"
    back.expect_nothing_before(sender, case.topic("a"))


@checks.scenario(V5)
def will_delay(case):
    watcher = Peer(case)
    watcher.subscribe(case.topic("#"), 1)

    def doomed(name, delay):
        props = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=delay)
        last = {"topic": case.topic(name), "payload": name, "qos": 1, "properties": props}
        return Peer(case, client_id=case.client_id(name), clean=False, expiry=60, will=last)

    returning, gone = doomed("returning", 1), doomed("gone", 2)
    started = time.monotonic()
    gone.break_connection()
    returning.break_connection()
    watcher.expect_nothing_before(watcher, case.topic("a"))
    assert Peer(case, client_id=case.client_id("returning"), clean=False, expiry=60).session_present
    # The will that was to come first does not come at all.
    watcher.expect("gone")
    took = time.monotonic() - started
    assert 1.8 <= took < 5, f"a delay of 2 s took {took:.1f} s"


@checks.scenario(V5)
def shared(case):
    members, sender = [Peer(case), Peer(case)], Peer(case)
    got, lock = [[], []], threading.Lock()

    def collect(number):
        def keep(_client, _userdata, message):
            with lock:
                got[number].append(message.payload)

        return keep

    for number, member in enumerate(members):
        member.client.on_message = collect(number)
        member.subscribe("$share/group/" + case.topic("a"), 1)
    wanted = [str(n).encode() for n in range(60)]
    for payload in wanted:
        sender.publish(case.topic("a"), payload)

    def total():
        with lock:
            return len(got[0]) + len(got[1])

    wait_until(lambda: total() >= len(wanted), "all messages")
    # A message of their own goes the same way as a doubled one would, and comes after it.
    for number, member in enumerate(members):
        member.subscribe(case.topic(f"own{number}"), 1)
        sender.publish(case.topic(f"own{number}"), "the end")
    wait_until(lambda: b"the end" in got[0] and b"the end" in got[1], "the end")
    for part in got:
        part.remove(b"the end")
    equal(sorted(got[0] + got[1]), sorted(wanted), "all messages, once")
    assert got[0] and got[1], f"one member got everything: {len(got[0])} and {len(got[1])}"


@checks.scenario(V5)
def options(case):
    loner, sender = Peer(case), Peer(case)
    loner.subscribe(case.topic("a"), 1, noLocal=True)
    loner.publish(case.topic("a"), "own")
    loner.expect_nothing_before(sender, case.topic("a"))

    as_published = Peer(case)
    as_published.subscribe(case.topic("r"), 1, retainAsPublished=True)
    sender.publish(case.topic("r"), "kept", retain=True)
    assert as_published.expect("kept")[0].retain, "RETAIN was not as published"

    reader = Peer(case)
    reader.subscribe(case.topic("r"), 1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
    sender.publish(case.topic("r"), "live")
    reader.expect("live")
    reader.unsubscribe(case.topic("r"))
    for times in (1, 2):
        reader.subscribe(case.topic("r"), 1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        if times == 1:
            reader.expect("kept")
        reader.expect_nothing_before(sender, case.topic("r"))
    reader.subscribe(case.topic("r"), 1, retainHandling=SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE)
    reader.expect("kept")
    sender.publish(case.topic("r"), "", retain=True)


@checks.scenario(V5)
def topic_alias(case):
    receiver, sender = Peer(case), Peer(case)
    assert getattr(sender.properties, "TopicAliasMaximum", 0) >= 1, "the broker grants no Topic Alias"
    receiver.subscribe(case.topic("#"), 1)
    sender.publish(case.topic("a"), "named", TopicAlias=1)
    sender.publish("", "by alias", TopicAlias=1)
    sender.publish(case.topic("b"), "renamed", TopicAlias=1)
    sender.publish("", "by alias again", TopicAlias=1)
    found = receiver.expect("named", "by alias", "renamed", "by alias again")
    equal([m.topic for m in found], [case.topic(name) for name in "aabb"], "topics")


checks.main()
