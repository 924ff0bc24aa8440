"""Lists, search and figures with many incidents, under load, against a bare GET on the same uvicorn.

    python benchmarks/api.py [incidents] [rounds] [seconds a burst] [connections]

`bot web` on a database of 100,000 incidents (fixed seed; PostgreSQL, then SQLite). Each round asks for everything in
turn, with the same number of connections; the figure is the p95 of an answer against that of the bare GET.
"""

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import BOT, ROOT, Figures, folder, load, percentile, process, read_until

sys.path.insert(0, str(ROOT))
from bot.model import IncidentFilter
from bot.views import Views
from storage import database, stats
from storage.migrate import migrate
from tests import many
from tests.postgres import find_binaries, private_server

BAR = 60
"""A bare GET does nothing; a page of 50 incidents is 40 KB of JSON that is made for each answer."""


def get(path: str) -> Callable[[int], bytes]:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    return lambda number: request


def deep(number: int) -> str:
    """The cursor nine tenths of the way down."""
    after: str | None = None
    for _ in range(max(1, number * 9 // 10_000)):
        after = Views().find(IncidentFilter(), after, 1000).next
    return after or ""


def fill(url: str, number: int) -> dict[str, Callable[[int], bytes]]:
    """Make the database, and return what is asked of it, by name."""
    database.connect(url)
    migrate()
    began = time.monotonic()
    ids = many.fill(number)
    with database.transaction():
        stats.add_up(at_once=10**9)  # as the clock does
    with database.session():
        database.execute("VACUUM ANALYZE" if url.startswith("postgresql") else "ANALYZE")
    asked = {
        "list": "?limit=50",
        "filtered list": "?status=open&assignee=agent-3&limit=50",
        "filtered by what fits most": "?status=resolved&priority=normal&limit=50",
        "deep page": f"?limit=50&after={deep(number)}",
        "search, one of a thousand": f"?q={many.RARE}&limit=50",
        "search, one of three, and open": "?q=money+card&status=open&limit=50",
        "search, how a word begins": "?q=mon&limit=50",
        "search, an address": "?q=c77@example.com",
        "an incident": f"/{ids[number // 2]}",
    }
    database.disconnect()
    print(f"{number} incidents, made in {time.monotonic() - began:.0f} s", flush=True)
    return {**{name: get(f"/api/incidents{path}") for name, path in asked.items()}, "figures": get("/api/stats")}


@contextmanager
def databases(place: Path) -> Iterator[dict[str, str]]:
    """The URLs of an empty database of each kind that is to be had."""
    sqlite = {"SQLite": f"sqlite:///{place}/incidents.db"}
    if find_binaries() is None:
        yield sqlite
        return
    with private_server(durable=True) as server:
        yield {"PostgreSQL": server.url(server.create(migrated=False)), **sqlite}


def compare(url: str, asked: dict[str, Callable[[int], bytes]], rounds: int, seconds: float, connections: int) -> bool:
    """Ask for all of it in turn, and say how the answers compare with the bare GET's."""
    settings = {"PORT": "0", "LOG_LEVEL": "WARNING", "DATABASE_URL": url}
    figures = {name: Figures(f"p95: {name} / bare GET") for name in asked}
    times: dict[str, list[float]] = {}
    with (
        folder() as name,
        process([BOT, "web"], Path(name), settings) as ours,
        process([sys.executable, str(Path(__file__).with_name("bare.py"))], Path(name), {}) as bare,
    ):
        port = int(read_until(ours, "curl").split("/api")[0].rpartition(":")[2])
        bare_port = int(read_until(bare, "ready").rpartition(":")[2])
        for number in range(rounds + 1):
            yardstick = load(bare_port, get("/"), connections, seconds, itertools.count())
            for what, build in asked.items():
                burst = load(port, build, connections, seconds, itertools.count())
                assert not burst.failures, f"{what}: {burst.failures} of {burst.requests} failed"
                if number:
                    ratio = percentile(burst.latencies, 0.95) / percentile(yardstick.latencies, 0.95)
                    figures[what].values.append(ratio)
                    times.setdefault(what, []).append(percentile(burst.latencies, 0.95))
            if number:
                times.setdefault("bare", []).append(percentile(yardstick.latencies, 0.95))
    print(" | ".join(f"{what} {percentile(found, 0.5) * 1e3:.1f} ms" for what, found in times.items()), flush=True)
    return all([figure.say(f"at most {BAR}", lambda ratio: ratio <= BAR) for figure in figures.values()])


def main(number: int = 100_000, rounds: int = 5, seconds: float = 1.0, connections: int = 8) -> bool:
    held = []
    with folder() as place, databases(Path(place)) as urls:
        for kind, url in urls.items():
            print(f"-- {kind}", flush=True)
            held.append(compare(url, fill(url, number), rounds, seconds, connections))
    return all(held)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*(float(value) if index == 2 else int(value) for index, value in enumerate(arguments)))
