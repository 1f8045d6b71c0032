"""What the Python drivers share: the scenarios' frame, and one line of JSON for each check.

A driver makes one `Checks`, marks its functions with `@checks.scenario(...)`, and ends with `checks.main()`.
Every scenario gets a `Case`: the broker's address, the version of the protocol, topics and Client Identifiers
that nobody else uses, and a stack of things to close when it is over, however it ends.
"""

import argparse
import contextlib
import functools
import json
import secrets
import signal
import sys
import time
import traceback

BOTH = ("3.1.1", "5.0")
V5 = ("5.0",)

# One condition is waited for this long; a whole scenario may take that long.
WAIT_SECONDS = 10
SCENARIO_SECONDS = 40


class Skip(Exception):
    """The client has no means to try this."""


class ClientHangs(Exception):
    """The client hangs by a fault of its own: the scenario says nothing about the broker, and starts anew, once."""


class Case:
    def __init__(self, host, port, version, scenario):
        self.host = host
        self.port = port
        self.version = version
        self.v5 = version == "5.0"
        self.open = contextlib.ExitStack()
        self._prefix = f"foreign/{secrets.token_hex(4)}/{scenario}"

    def topic(self, name):
        return f"{self._prefix}/{name}"

    def client_id(self, name):
        return self.topic(name).replace("/", "-")


def wait_until(condition, what, seconds=WAIT_SECONDS):
    """Asks again and again, with a short pause, until the condition holds; returns what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return found


def equal(found, wanted, what):
    assert found == wanted, f"{what}: wanted {shorten(wanted)}, got {shorten(found)}"


def shorten(value):
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}..."


class Checks:
    def __init__(self):
        self._scenarios = []

    def scenario(self, versions):
        def enter(function):
            # A trailing underscore keeps a scenario from hiding a helper of its name.
            self._scenarios.append((function.__name__.rstrip("_"), versions, function))
            return function

        return enter

    def main(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("--host", required=True)
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--scenario")
        arguments = parser.parse_args()
        signal.signal(signal.SIGALRM, _out_of_time)
        for version in BOTH:
            for name, versions, function in self._scenarios:
                if version in versions and arguments.scenario in (None, name):
                    new_case = functools.partial(Case, arguments.host, arguments.port, version, name)
                    _check(new_case(), name, function) or _check(new_case(), name, function, is_last=True)


def _check(case, name, function, is_last=False):
    """False if it says nothing and shall start anew."""
    started = time.monotonic()
    verdict, detail = "pass", ""
    signal.alarm(SCENARIO_SECONDS)
    try:
        with case.open:
            function(case)
            signal.alarm(0)
    except Skip as skip:
        verdict, detail = "skip", str(skip)
    except Exception as error:
        if isinstance(error, ClientHangs) and not is_last:
            print(f"{name}: {error}; once more", file=sys.stderr)
            return False
        at = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in at if frame.name == name] or at
        verdict, detail = "fail", f"{type(error).__name__}: {error} (line {own[-1].lineno})"
        traceback.print_exc(file=sys.stderr)
    finally:
        signal.alarm(0)
    milliseconds = int((time.monotonic() - started) * 1000)
    line = {"scenario": name, "version": case.version, "verdict": verdict, "milliseconds": milliseconds, "detail": detail}
    print(json.dumps(line), flush=True)
    return True


def _out_of_time(_signal, _frame):
    raise TimeoutError(f"not over after {SCENARIO_SECONDS} s")
