"""Runs one module of the Eclipse Paho interoperability tests and says how each test went.

The module comes from a checkout, in whose interoperability folder this is started; it keeps its settings in globals
that its own main program fills, so they are filled here.

    python3 paho_suite.py client_test5 127.0.0.1 1883 --part subscribe --skip test_basic test_keepalive

It ends with 3 when a test could not be ended; the others are then for another run.
"""

import argparse
import importlib
import json
import logging
import os
import signal
import sys
import time
import traceback
import unittest

# Some tests wait in a loop without an end of its own; the longest honest one takes about twenty seconds.
LIMIT_SECONDS = 60
COULD_NOT_END = 3


class OneLineEach(unittest.TestResult):
    """Says one line of JSON for each test, when it is over."""

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()
        self.warned = False
        signal.signal(signal.SIGALRM, lambda _signal, _frame: self.out_of_time(test))
        signal.alarm(LIMIT_SECONDS)

    def out_of_time(self, test):
        if self.warned:
            # The test swallows every exception and goes on.
            self.say(test, False, f"not over after {LIMIT_SECONDS} s, and could not be ended")
            os._exit(COULD_NOT_END)
        self.warned = True
        signal.alarm(5)
        raise TimeoutError(f"not over after {LIMIT_SECONDS} s")

    def say(self, test, passed, detail=""):
        signal.alarm(0)
        seconds = round(time.monotonic() - getattr(self, "started", time.monotonic()), 1)
        name = test.id().removeprefix("__main__.")
        print(json.dumps({"test": name, "passed": passed, "seconds": seconds, "detail": detail}), flush=True)

    def addSuccess(self, test):
        self.say(test, True)

    def addFailure(self, test, err):
        self.say(test, False, "".join(traceback.format_exception(*err)))

    # Set-up of the whole class fails by this way too.
    addError = addFailure


def await_suback(client_class):
    """Makes `subscribe` return when the SUBACK is there.

    Some tests mean to wait for it and look at the other client's callback; what that other client publishes next then
    comes before the subscription at a broker that serves its clients in parallel.
    """
    send = client_class.subscribe

    def subscribe(self, *arguments, **options):
        callback = getattr(self, "callback", None)
        seen = len(callback.subscribeds) if callback else 0
        packet_identifier = send(self, *arguments, **options)
        deadline = time.monotonic() + 5
        while callback and len(callback.subscribeds) <= seen and time.monotonic() < deadline:
            time.sleep(0.01)
        return packet_identifier

    client_class.subscribe = subscribe


def tests_of(module, part, skip):
    names = unittest.TestLoader().getTestCaseNames(module.Test)
    if hasattr(module.Test, "will_message_test"):
        names.append("will_message_test")  # A test in all but its name.
    return unittest.TestSuite(module.Test(name) for name in names if part in name and name not in skip)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--part", default="")
    parser.add_argument("--skip", nargs="*", default=[])
    arguments = parser.parse_args()
    sys.path.insert(0, os.getcwd())
    module = importlib.import_module(arguments.module)
    module.host, module.port = arguments.host, arguments.port
    module.topics = ("TopicA", "TopicA/B", "Topic/C", "TopicA/C", "/TopicA")
    module.wildtopics = ("TopicA/+", "+/C", "#", "/#", "/+", "+/+", "TopicA/#")
    module.nosubscribe_topics = ("test/nosubscribe",)
    module.topic_prefix = "client_test5/"
    await_suback(module.mqtt_client.Client)
    logging.getLogger().setLevel(logging.ERROR)
    tests_of(module, arguments.part, arguments.skip).run(OneLineEach())
    sys.stdout.flush()
    # The suite leaves threads behind that wait on sockets for ever.
    os._exit(0)


main()
