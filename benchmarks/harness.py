"""What the benchmarks share: a load over HTTP, processes on cores of their own, ratios with quartiles.

Server and load run on different cores. Two contenders take turns in short bursts, so that both see the same weather;
the figure is the median of the rounds' ratios. A wide spread is said, not hidden.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
BOT = str(Path(sys.executable).with_name("bot"))
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
NOISY = 0.35
"""Interquartile range over median from which a run says that it was too noisy to tell."""


@dataclass(frozen=True)
class Burst:
    """What one burst measured: requests, seconds, latencies in seconds, and the server's CPU seconds."""

    requests: int
    seconds: float
    latencies: list[float]
    cpu: float = 0.0
    failures: int = 0

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def p99(self) -> float:
        return percentile(self.latencies, 0.99)

    @property
    def cpu_each(self) -> float:
        return self.cpu / max(self.requests, 1)


@dataclass
class Figures:
    """The ratios of one figure, a round each."""

    name: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def say(self, bar: str = "", holds: Callable[[float], bool] | None = None, unit: str = "") -> bool:
        """Print the median with its quartiles, and whether it meets the bar."""
        low, _, high = statistics.quantiles(self.values, n=4)
        verdict = "" if holds is None else ("  ok" if holds(self.median) else "  MISSED")
        noise = "  (noisy: do not trust it)" if (high - low) > NOISY * abs(self.median) else ""
        wanted = f"  bar: {bar}" if bar else ""
        print(f"{self.name:<52} {self.median:8.2f}{unit} [{low:.2f} .. {high:.2f}]{wanted}{verdict}{noise}", flush=True)
        return holds is None or holds(self.median)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


@contextmanager
def process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], core: int | None = SERVER_CORE
) -> Iterator[subprocess.Popen[str]]:
    """Run a command on one core (None: on any) until the block ends."""
    pinned = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
    running = subprocess.Popen(
        list(command),
        cwd=folder,
        env={**plain_environment(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=pinned,
    )
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        if running.stdout is not None:
            running.stdout.close()


def plain_environment() -> dict[str, str]:
    keep = ("PATH", "HOME", "LANG", "TMPDIR")
    return {"PYTHONPATH": str(ROOT), **{name: os.environ[name] for name in keep if name in os.environ}}


def read_until(running: subprocess.Popen[str], mark: str) -> str:
    """Return the first line that a process prints with this mark in it."""
    assert running.stdout is not None
    for line in running.stdout:
        if mark in line:
            return line
    raise SystemExit(f"{running.args} ended before it was ready")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and all its threads so far, in seconds (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process, in megabytes (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


class _Connection(asyncio.Protocol):
    """Sends requests over one connection, one after the other. Light, for it shares its core with 63 others."""

    def __init__(self, build: Callable[[int], bytes], until: float, numbers: Iterator[int], to: list[float]) -> None:
        self._build, self._until, self._numbers, self._to = build, until, numbers, to
        self._next: int | None = None
        self._began = 0.0
        self._missing = 0
        self._head = b""
        self.failed = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._more():
            self._send()
        else:
            transport.close()

    def _more(self) -> bool:
        self._next = next(self._numbers, None)
        return self._next is not None

    def _send(self) -> None:
        assert self._next is not None
        request = self._build(self._next)
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            head, mark, rest = self._head.partition(b"\r\n\r\n")
            if not mark:
                return
            self._head = b""
            self.failed += not head.startswith(b"HTTP/1.1 2")
            self._missing = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]) - len(rest)
        if self._missing == 0:
            self._answered()

    def _answered(self) -> None:
        now = time.perf_counter()
        self._to.append(now - self._began)
        if now < self._until and self._more():
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None) if exc is None else self.done.set_exception(exc)


def load(
    port: int, build: Callable[[int], bytes], connections: int, seconds: float, numbers: Iterator[int], pid: int = 0
) -> Burst:
    """Send requests over so many connections, for so long or until the numbers end. `build` makes the n-th request's
    bytes; `pid` is whose CPU to measure."""
    os.sched_setaffinity(0, {LOAD_CORE})
    latencies: list[float] = []

    async def run() -> int:
        until = time.perf_counter() + seconds
        loop = asyncio.get_running_loop()
        made = [
            (await loop.create_connection(lambda: _Connection(build, until, numbers, latencies), "127.0.0.1", port))[1]
            for _ in range(connections)
        ]
        await asyncio.gather(*(connection.done for connection in made))
        return sum(connection.failed for connection in made)

    before = cpu_seconds(pid) if pid else 0.0
    began = time.perf_counter()
    failures = asyncio.run(run())
    elapsed = time.perf_counter() - began
    cpu = cpu_seconds(pid) - before if pid else 0.0
    return Burst(len(latencies), elapsed, latencies, cpu, failures)


def post(body: bytes, headers: str = "") -> bytes:
    return (
        f"POST /api/incidents HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def message(number: int) -> bytes:
    """The request that sends the n-th customer's message and does not wait for its incident."""
    body = {
        "customer_id": f"C-{number}",
        "message": f"My card was charged twice for order {number}, please help",
        "channel": "email",
        "email": f"customer{number}@example.com",
    }
    return post(json.dumps(body).encode(), "Prefer: respond-async\r\n")


def folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="firstline-bench-")
