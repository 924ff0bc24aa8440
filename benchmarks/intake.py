"""Messages that are committed and acknowledged, against a bare GET on the same uvicorn.

    python benchmarks/intake.py [rounds] [seconds a burst]

`bot web` alone (SQLite, durable; masking, inbox row and lane in the path), 64 connections.
"""

import itertools
import sys
from pathlib import Path

from harness import BOT, Burst, Figures, folder, load, message, percentile, process, read_until

CONNECTIONS = 64


def get(number: int) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def shown(name: str, burst: Burst) -> str:
    return f"{name} {burst.rate:6.0f}/s, p99 {burst.p99 * 1e3:5.1f} ms, {burst.cpu_each * 1e6:4.0f} us CPU each"


def main(rounds: int = 12, seconds: float = 1.5) -> bool:
    with folder() as name:
        place = Path(name)
        settings = {"PORT": "0", "LOG_LEVEL": "WARNING", "DATABASE_URL": "sqlite:///incidents.db"}
        with process([BOT, "migrate"], place, settings) as migrating:
            migrating.wait()
        with (
            process([BOT, "web"], place, settings) as ours,
            process([sys.executable, str(Path(__file__).with_name("bare.py"))], place, {}) as bare,
        ):
            our_port = int(read_until(ours, "curl").split("/api")[0].rpartition(":")[2])
            bare_port = int(read_until(bare, "ready").rpartition(":")[2])
            return compare(our_port, ours.pid, bare_port, bare.pid, rounds, seconds)


def compare(our_port: int, our_pid: int, bare_port: int, bare_pid: int, rounds: int, seconds: float) -> bool:
    numbers = itertools.count()
    rates = Figures("rate: intake / bare GET")
    cpu = Figures("server CPU a request: intake / bare GET")
    tail = Figures("p99 of the acknowledgement / its own median")
    tails = Figures("p99 of the acknowledgement / p99 of the bare GET")
    for number in range(rounds + 1):
        bare = load(bare_port, get, CONNECTIONS, seconds, numbers, bare_pid)
        ours = load(our_port, message, CONNECTIONS, seconds, numbers, our_pid)
        assert not ours.failures, f"{ours.failures} messages were refused"
        if number:  # the first round warms up
            rates.values.append(ours.rate / bare.rate)
            cpu.values.append(ours.cpu_each / bare.cpu_each)
            tail.values.append(ours.p99 / percentile(ours.latencies, 0.5))
            tails.values.append(ours.p99 / bare.p99)
            print(f"round {number:2}: {shown('intake', ours)} | {shown('bare', bare)}", flush=True)
    return all(
        [
            rates.say("at least 0.35", lambda ratio: ratio >= 0.35),
            cpu.say("at most 2.6", lambda ratio: ratio <= 2.6),
            tail.say("at most 2", lambda ratio: ratio <= 2),
            # 64 connections that wait for each answer: at 0.4 of the rate the median itself is 2.5 times the other's
            tails.say("at most 2", lambda ratio: ratio <= 2),
        ]
    )


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*(int(value) if index == 0 else float(value) for index, value in enumerate(arguments)))
