"""Incidents a second, from the POST to the mail in the mail server's hands, against the plain design.

    python benchmarks/pipeline.py [rounds] [messages a burst]

Local model, a ticket desk and an SMTP server on loopback, 64 connections. Then the same with a model of 500 ms, a desk
of 200 ms and an SMTP server of 300 ms, against what that set-up could do at most.
"""

import itertools
import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import BOT, LOAD_CORE, Burst, Figures, folder, load, message, percentile, process, read_until

CONNECTIONS = 64
WORKERS, MAIL_CONNECTIONS = 16, 8
SMTP, DESK, MODEL = 0.3, 0.2, 0.5
HERE = Path(__file__).parent
QUIET = {"PORT": "0", "LOG_LEVEL": "WARNING"}


@dataclass
class Outside:
    """The world outside, running."""

    smtp: int
    http: int

    def settings(self, model: bool) -> dict[str, str]:
        found = {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.smtp),
            "SMTP_TLS": "none",
            "TICKET_API_URL": f"http://127.0.0.1:{self.http}/tickets",
        }
        gemini = {"GEMINI_API_KEY": "none", "GEMINI_BASE_URL": f"http://127.0.0.1:{self.http}"}
        return {**found, **gemini} if model else found

    def taken(self) -> tuple[int, float]:
        """How many mails were taken, and when the last one was."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/mails", timeout=10) as answer:
            found = json.load(answer)
        return found["taken"], found["last"]


@contextmanager
def outside(*delays: float) -> Iterator[Outside]:
    command = [sys.executable, str(HERE / "outside.py"), *map(str, delays)]
    with process(command, HERE, {}, core=LOAD_CORE) as running:
        _, smtp, http = read_until(running, "ready").split()
        yield Outside(int(smtp), int(http))


@contextmanager
def bot(settings: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Run Firstline; gives port and process id."""
    with folder() as name, process([BOT, "run"], Path(name), {**QUIET, **settings}) as running:
        yield int(read_until(running, "curl").split("/api")[0].rpartition(":")[2]), running.pid


@contextmanager
def plain(settings: dict[str, str]) -> Iterator[tuple[int, int]]:
    command = [sys.executable, str(HERE / "plain.py")]
    with folder() as name, process(command, Path(name), settings) as running:
        yield int(read_until(running, "ready").rpartition(":")[2]), running.pid


def burst(world: Outside, port: int, pid: int, messages: int, first: int) -> tuple[Burst, float]:
    """Send so many messages and wait for their mails; return the load's figures and the incidents a second."""
    before, _ = world.taken()
    began = time.monotonic()
    sent = load(port, message, CONNECTIONS, 600, iter(range(first, first + messages)), pid)
    assert not sent.failures, f"{sent.failures} messages were refused"
    while (now := world.taken())[0] < before + messages:
        assert time.monotonic() - began < 300, f"{now[0] - before} of {messages} mails came"
        time.sleep(0.02)
    return sent, messages / (now[1] - began)


def compare(rounds: int, messages: int) -> bool:
    rate = Figures("incidents a second, to the mail: Firstline / plain")
    tail = Figures("p99 of the acknowledgement: Firstline / plain")
    numbers = itertools.count(0, messages)
    with outside() as world:
        settings = world.settings(model=False)
        with bot(settings) as ours, plain(settings) as other:
            for number in range(rounds + 1):
                theirs, their_rate = burst(world, *other, messages // 3, next(numbers))
                mine, my_rate = burst(world, *ours, messages, next(numbers))
                if number:
                    rate.values.append(my_rate / their_rate)
                    tail.values.append(mine.p99 / theirs.p99)
                    print(
                        f"round {number:2}: Firstline {my_rate:5.0f}/s, p99 {mine.p99 * 1e3:6.1f} ms"
                        f" | plain {their_rate:5.0f}/s, p99 {theirs.p99 * 1e3:6.0f} ms",
                        flush=True,
                    )
    return all(
        [
            rate.say("at least 3; 5 is the goal", lambda ratio: ratio >= 3),
            tail.say("at most 0.05", lambda ratio: ratio <= 0.05),
        ]
    )


def with_delays(rounds: int) -> bool:
    """Slow neighbours must neither slow down the acknowledgement nor keep workers idle."""
    ceiling = min(WORKERS / (MODEL + DESK + SMTP), MAIL_CONNECTIONS / SMTP)
    tail = Figures("p99 of the acknowledgement: slow neighbours / quick ones")
    share = Figures(f"incidents a second / the ceiling of {ceiling:.0f}")
    messages = 256  # long enough that filling and emptying the line does not count for much
    with (
        outside() as quick,
        outside(SMTP, DESK, MODEL) as slow,
        bot(quick.settings(model=True)) as unhindered,
        bot(slow.settings(model=True)) as hindered,
    ):
        for number in range(rounds + 1):
            first = number * 2 * messages
            fast, _ = burst(quick, *unhindered, messages, first)
            late, rate = burst(slow, *hindered, messages, first + messages)
            if number:
                tail.values.append(late.p99 / fast.p99)
                share.values.append(rate / ceiling)
                print(
                    f"round {number:2}: slow {rate:5.1f}/s, p50 {percentile(late.latencies, 0.5) * 1e3:5.1f} ms, "
                    f"p99 {late.p99 * 1e3:5.1f} ms | quick p99 {fast.p99 * 1e3:5.1f} ms",
                    flush=True,
                )
    return all(
        [
            tail.say("at most 1.5", lambda ratio: ratio <= 1.5),
            share.say("at least 0.8", lambda ratio: ratio >= 0.8),
        ]
    )


if __name__ == "__main__":
    arguments = [int(value) for value in sys.argv[1:]]
    compare(*(arguments or [10, 600]))
    with_delays(arguments[0] if arguments else 10)
