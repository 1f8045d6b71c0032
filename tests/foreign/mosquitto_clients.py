"""mosquitto_pub and mosquitto_sub against the broker. The scenarios are those of scenarios.txt."""

import pathlib
import queue
import signal
import subprocess
import threading
import time

from checks import BOTH, V5, WAIT_SECONDS, Checks, ClientHangs, equal, wait_until

checks = Checks()


def common(case, program, client_id):
    arguments = [program, "-h", case.host, "-p", str(case.port), "-V", "5" if case.v5 else "311"]
    return arguments + (["-i", client_id] if client_id else [])


class Message:
    """A line that mosquitto_sub was told to write for each message."""

    FORMAT = "MESSAGE\t%q\t%r\t%t\t%x\t%C\t%R\t%D\t%F\t%E\t%P"

    def __init__(self, line):
        fields = line.split("\t")[1:]
        self.qos, self.retain, self.topic = int(fields[0]), fields[1] == "1", fields[2]
        self.payload = bytes.fromhex(fields[3])
        self.content_type, self.response_topic, self.correlation_data = fields[4:7]
        self.payload_format, self.expiry, self.user_properties = fields[7:10]


class Subscriber:
    """A mosquitto_sub that has its SUBACKs, and what it wrote in queues."""

    def __init__(self, case, *topic_filters, qos=1, client_id=None, stays=False, more=()):
        self.messages = queue.Queue()
        self.said = []
        # Into a pipe it would write only when a message comes; stdbuf becomes mosquitto_sub, it is no parent of it.
        arguments = ["stdbuf", "-oL", *common(case, "mosquitto_sub", client_id)]
        arguments += ["-d", "-q", str(qos), "-F", Message.FORMAT, *more]
        for topic_filter in topic_filters:
            arguments += ["-t", topic_filter]
        if stays:
            arguments += ["-c"] + (["-x", "300"] if case.v5 else [])
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )
        case.open.callback(self.kill)
        threading.Thread(target=self._read, daemon=True).start()
        self.wait_for_line("Subscribed (mid:")

    def _read(self):
        for line in self.process.stdout:
            if line.startswith("MESSAGE\t"):
                self.messages.put(Message(line.rstrip("\n")))
            else:
                self.said.append(line)

    def wait_for_line(self, part, times=1):
        def found():
            return sum(part in line for line in list(self.said)) >= times

        def found_or_over():
            return found() or self.process.poll() is not None

        wait_until(found_or_over, f"mosquitto_sub says {part!r} {times} times, it said {self.said}")
        # The last lines may come after the end of the process was seen.
        wait_until(found, f"mosquitto_sub says {part!r} {times} times, it said {self.said}", 1)

    def next(self):
        try:
            return self.messages.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise AssertionError(f"no message within {WAIT_SECONDS} s, the client said {self.said[-4:]}") from None

    def expect(self, *payloads):
        """The next messages have these payloads; they are returned."""
        found = [self.next() for _ in payloads]
        equal([message.payload for message in found], [p if isinstance(p, bytes) else p.encode() for p in payloads], "payloads")
        return found

    def expect_nothing_before(self, case, topic):
        """What is published now is the next that comes, so nothing else was under way."""
        publish(case, topic, "the end")
        self.expect("the end")

    def leave(self):
        """A clean end: mosquitto_sub sends DISCONNECT.

        Its signal handler calls into the library, and waits for ever if the library was just writing a line: known of
        version 2.0, seen with a debugger. That is the client's fault and no answer of the broker's, so the scenario starts anew.
        """
        try:
            self._end(signal.SIGINT)
        except subprocess.TimeoutExpired:
            waits_for = pathlib.Path(f"/proc/{self.process.pid}/wchan").read_text(encoding="ascii")
            self.kill()
            if waits_for.startswith("futex"):
                raise ClientHangs("mosquitto_sub hangs in its own signal handler") from None
            raise

    def kill(self):
        """An abrupt end: the kernel closes the socket."""
        self._end(signal.SIGKILL)

    def _end(self, how):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(timeout=WAIT_SECONDS)


def publish(case, topic, payload, qos=1, retain=False, client_id=None, more=()):
    """One message; or with `-l` in `more`, one for each line of the payload."""
    arguments = common(case, "mosquitto_pub", client_id) + ["-t", topic, "-q", str(qos), *more]
    data = payload if isinstance(payload, bytes) else payload.encode()
    if retain:
        arguments.append("-r")
    if "-l" not in more:
        arguments.append("-s" if data else "-n")
    result = subprocess.run(arguments, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT_SECONDS, check=False)
    said = result.stdout.decode(errors="replace")
    equal(result.returncode, 0, f"exit code of mosquitto_pub, which said {said!r},")
    return said


@checks.scenario(BOTH)
def connect(case):
    publish(case, case.topic("a"), "named", client_id=case.client_id("named"))
    nameless = Subscriber(case, case.topic("a"))
    if case.v5:
        answers = [line for line in nameless.said if "received CONNACK" in line]
        assert answers and "(null)" not in answers[0], f"no assigned Client Identifier: {answers}"
    nameless.leave()
    equal(nameless.process.returncode, 0, "exit code of mosquitto_sub")


def at_qos(case, qos):
    receiver = Subscriber(case, case.topic("a"), qos=qos)
    payloads = [b"one", b"", "zwei ü 二".encode(), bytes(range(256))]
    for payload in payloads:
        publish(case, case.topic("a"), payload, qos)
    found = receiver.expect(*payloads)
    equal([message.qos for message in found], [qos] * 4, "QoS")
    assert not any(message.retain for message in found)
    receiver.expect_nothing_before(case, case.topic("a"))


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
    receiver = Subscriber(case, case.topic("a"), qos=1)
    publish(case, case.topic("a"), "two", 2)
    publish(case, case.topic("a"), "nought", 0)
    equal([message.qos for message in receiver.expect("two", "nought")], [1, 0], "QoS")


@checks.scenario(BOTH)
def order(case):
    receiver = Subscriber(case, case.topic("#"), qos=2)
    for qos in (1, 2):
        wanted = [f"{qos}.{n}" for n in range(300)]
        publish(case, case.topic("a"), "".join(f"{line}\n" for line in wanted), qos, more=["-l"])
        receiver.expect(*wanted)
    receiver.expect_nothing_before(case, case.topic("a"))


@checks.scenario(BOTH)
def large(case):
    receiver = Subscriber(case, case.topic("a"), qos=2)
    payload = bytes(n * n % 251 for n in range(200_000))
    for qos in (0, 1, 2):
        publish(case, case.topic("a"), payload, qos)
        assert receiver.next().payload == payload, f"harmed at QoS {qos}"


@checks.scenario(BOTH)
def wildcards(case):
    plus = Subscriber(case, case.topic("w/+/x"))
    rest = Subscriber(case, case.topic("w/#"))
    for level in ["w", "w/a", "w/a/x", "w/a/b/x", "w//x", "v/a/x", "w/b/x"]:
        publish(case, case.topic(level), level)
    plus.expect("w/a/x", "w//x", "w/b/x")
    rest.expect("w", "w/a", "w/a/x", "w/a/b/x", "w//x", "w/b/x")
    plus.expect_nothing_before(case, case.topic("w/z/x"))
    rest.expect("the end")


@checks.scenario(BOTH)
def unsubscribe(case):
    # mosquitto_sub unsubscribes as soon as it has subscribed, and stays for what is left.
    receiver = Subscriber(case, case.topic("a"), case.topic("b"), more=["-U", case.topic("a")])
    receiver.wait_for_line("received UNSUBACK")
    publish(case, case.topic("a"), "unwanted")
    receiver.expect_nothing_before(case, case.topic("b"))


@checks.scenario(BOTH)
def retained(case):
    early = Subscriber(case, case.topic("#"))
    publish(case, case.topic("a"), "old", retain=True)
    publish(case, case.topic("a"), "kept", retain=True)
    equal([message.retain for message in early.expect("old", "kept")], [False, False], "RETAIN of live messages")
    late = Subscriber(case, case.topic("#"))
    equal([(m.retain, m.qos) for m in late.expect("kept")], [(True, 1)], "RETAIN and QoS of the replay")
    publish(case, case.topic("a"), "", retain=True)
    early.expect("")
    last = Subscriber(case, case.topic("#"))
    last.expect_nothing_before(case, case.topic("b"))


def will_of(topic, payload, *more):
    return ["--will-topic", topic, "--will-payload", payload, "--will-qos", "1", *more]


@checks.scenario(BOTH)
def will(case):
    watcher = Subscriber(case, case.topic("#"))
    lost = Subscriber(case, case.topic("other"), more=will_of(case.topic("will"), "gone"))
    lost.kill()
    equal([m.qos for m in watcher.expect("gone")], [1], "QoS of the will")
    # With -E, mosquitto_sub leaves when it has its SUBACK.
    polite = Subscriber(case, case.topic("other"), more=["-E", *will_of(case.topic("will"), "not gone")])
    equal(polite.process.wait(timeout=WAIT_SECONDS), 0, "exit code")
    watcher.expect_nothing_before(case, case.topic("a"))
    kept = Subscriber(case, case.topic("other"), more=will_of(case.topic("kept"), "for all", "--will-retain"))
    kept.kill()
    watcher.expect("for all")
    if case.v5:
        # Interrupted, it asks for its will: DISCONNECT with Reason Code 0x04.
        asking = Subscriber(case, case.topic("other"), more=will_of(case.topic("will"), "as I wish"))
        asking.leave()
        watcher.expect("as I wish")
    late = Subscriber(case, case.topic("kept"))
    assert late.expect("for all")[0].retain
    publish(case, case.topic("kept"), "", retain=True)


@checks.scenario(BOTH)
def takeover(case):
    watcher = Subscriber(case, case.topic("#"))
    same = case.client_id("same")
    first = Subscriber(case, case.topic("other"), client_id=same, more=will_of(case.topic("will"), "thrown off"))
    publish(case, case.topic("a"), "from the second", client_id=same)
    equal(sorted(watcher.next().payload for _ in range(2)), [b"from the second", b"thrown off"], "payloads")
    if case.v5:
        first.wait_for_line("Received DISCONNECT (142)")


@checks.scenario(BOTH)
def session(case):
    mode = {"client_id": case.client_id("stays"), "stays": True, "qos": 2}
    Subscriber(case, case.topic("a"), **mode).leave()
    for payload, qos in (("1 a", 1), ("2 a", 2), ("1 b", 1), ("2 b", 2)):
        publish(case, case.topic("a"), payload, qos)
    back = Subscriber(case, case.topic("a"), **mode)
    # The client hands out a QoS 2 message at PUBREL, so only those of one QoS have an order among themselves.
    found = sorted((back.next() for _ in range(4)), key=lambda message: message.qos)
    equal([(m.qos, m.payload) for m in found], [(1, b"1 a"), (1, b"1 b"), (2, b"2 a"), (2, b"2 b")], "QoS and payloads")
    back.expect_nothing_before(case, case.topic("a"))
    back.leave()
    again = Subscriber(case, case.topic("a"), **mode)
    again.expect_nothing_before(case, case.topic("a"))


@checks.scenario(BOTH)
def clean_start(case):
    same = case.client_id("stays")
    Subscriber(case, case.topic("a"), client_id=same, stays=True).leave()
    publish(case, case.topic("a"), "lost")
    fresh = Subscriber(case, case.topic("b"), client_id=same)
    publish(case, case.topic("a"), "not subscribed")
    fresh.expect_nothing_before(case, case.topic("b"))


def with_properties(**values):
    more = []
    for name, value in values.items():
        more += ["-D", "publish", name.replace("_", "-"), str(value)]
    return more


@checks.scenario(V5)
def properties(case):
    receiver = Subscriber(case, case.topic("a"), qos=2)
    more = with_properties(
        content_type="application/json",
        response_topic=case.topic("answer"),
        correlation_data="an id",
        payload_format_indicator=1,
    )
    for name, value in (("b", "1"), ("a", "2"), ("b", "1"), ("ü", "二")):
        more += ["-D", "publish", "user-property", name, value]
    for qos in (0, 1, 2):
        publish(case, case.topic("a"), "{}", qos, more=more)
        found = receiver.next()
        equal(found.user_properties, "b:1 a:2 b:1 ü:二", "user properties")
        equal(found.content_type, "application/json", "content type")
        equal(found.response_topic, case.topic("answer"), "response topic")
        equal(found.correlation_data, "an id", "correlation data")
        equal(found.payload_format, "1", "payload format")


@checks.scenario(V5)
def expiry(case):
    mode = {"client_id": case.client_id("stays"), "stays": True}
    Subscriber(case, case.topic("a"), **mode).leave()
    publish(case, case.topic("a"), "short", more=with_properties(message_expiry_interval=1))
    publish(case, case.topic("a"), "long", more=with_properties(message_expiry_interval=100))
    publish(case, case.topic("clock"), "ticking", retain=True, more=with_properties(message_expiry_interval=2))

    def clock_has_stopped():
        watcher = Subscriber(case, case.topic("clock"))
        publish(case, case.topic("clock"), "the end")
        ticking = watcher.next().payload == b"ticking"
        # Not asked to leave: the next message may be on its way.
        watcher.kill()
        return not ticking

    wait_until(clock_has_stopped, "the retained message expires")
    back = Subscriber(case, case.topic("a"), **mode)
    left = int(back.expect("long")[0].expiry)
    assert 90 <= left < 100, f"{left} s are left of 100 s"
    back.expect_nothing_before(case, case.topic("a"))


@checks.scenario(V5)
def will_delay(case):
    watcher = Subscriber(case, case.topic("#"))

    def doomed(name, delay):
        more = will_of(case.topic(name), name, "-D", "will", "will-delay-interval", str(delay))
        return Subscriber(case, "elsewhere/" + case.topic(name), client_id=case.client_id(name), stays=True, more=more)

    returning, gone = doomed("returning", 1), doomed("gone", 2)
    started = time.monotonic()
    gone.kill()
    returning.kill()
    watcher.expect_nothing_before(case, case.topic("a"))
    doomed("returning", 1)
    # The will that was to come first does not come at all.
    watcher.expect("gone")
    took = time.monotonic() - started
    assert 1.8 <= took < 5, f"a delay of 2 s took {took:.1f} s"


@checks.scenario(V5)
def shared(case):
    members = [Subscriber(case, "$share/group/" + case.topic("a"), case.topic(f"own{n}")) for n in range(2)]
    wanted = [str(n).encode() for n in range(60)]
    publish(case, case.topic("a"), b"".join(line + b"\n" for line in wanted), more=["-l"])
    # A message of their own goes the same way as a doubled one would, and comes after it.
    wait_until(lambda: sum(member.messages.qsize() for member in members) >= len(wanted), "all messages")
    got = []
    for number, member in enumerate(members):
        publish(case, case.topic(f"own{number}"), "the end")
        got.append(list(iter(lambda member=member: member.next().payload, b"the end")))
    equal(sorted(got[0] + got[1]), sorted(wanted), "all messages, once")
    assert got[0] and got[1], f"one member got everything: {len(got[0])} and {len(got[1])}"


@checks.scenario(V5)
def options(case):
    # Of the three options this mosquitto_sub has one; the other clients show them all.
    as_published = Subscriber(case, case.topic("r"), more=["--retain-as-published"])
    publish(case, case.topic("r"), "kept", retain=True)
    assert as_published.expect("kept")[0].retain, "RETAIN was not as published"
    publish(case, case.topic("r"), "", retain=True)


@checks.scenario(V5)
def topic_alias(case):
    receiver = Subscriber(case, case.topic("#"))
    # With -l, mosquitto_pub names the topic once and goes on by alias.
    said = publish(case, case.topic("a"), "one\ntwo\nthree\n", more=["-d", "-l", *with_properties(topic_alias=1)])
    assert said.count("'(null)'") + said.count("''") >= 2, f"the client named the topic each time: {said}"
    found = receiver.expect("one", "two", "three")
    equal([m.topic for m in found], [case.topic("a")] * 3, "topics")


checks.main()
