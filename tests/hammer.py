"""A worker process for test_concurrency.py, and what it leaves behind.

python -m tests.hammer URL LEASE     works on all lanes with four threads until it is stopped or killed
"""

import os
import random
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta

from peewee import AutoField, IntegerField, TextField

from adapters.dispatch import Threads
from bot.lanes import Lanes, Lease
from storage import database, jobs, lanes
from storage.tables import Job, Table

THREADS = 4


class Blow(Table):
    """What a piece of work did, written in the transaction that ended it; the numbers tell the order."""

    id = AutoField()
    lane = TextField()
    number = IntegerField()
    process = IntegerField()

    class Meta:
        table_name = "blows"


def add_job(name: str, number: int) -> None:
    """Put piece of work `number` into the lane job/test/`name`."""
    now = datetime.now(UTC)
    lane = f"job/test/{name}"
    row = {"lane": lane, "kind": "test", "payload": {"n": number}, "dedupe": f"{name}-{number}"}
    with database.transaction():
        database.insert(Job, [{**row, "due_at": now, "created_at": now}])
        lanes.wake({lane: now})


def handle(lease: Lease) -> None:
    """Take a moment, then end the piece, and leave a blow in the same transaction."""
    threading.Event().wait(random.uniform(0, 0.004))
    with lease.finishing():
        jobs.done(lease.row["id"])
        blow = {"lane": lease.lane, "number": lease.row["payload"]["n"], "process": os.getpid()}
        database.insert(Blow, [blow])


def work(url: str, lease: timedelta) -> None:
    """What `Firstline.working` does, with a handler of our own."""
    database.connect(url)
    process = Lanes({"job": handle}, lambda: datetime.now(UTC), lease, attempts=5)
    pool = Threads(process.run, THREADS)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    background = [
        threading.Thread(target=process.keep_alive, daemon=True),
        threading.Thread(target=process.look_out, args=(pool,), daemon=True),
    ]
    for thread in background:
        thread.start()
    pool.start()
    print("working", flush=True)
    stop.wait()
    process.stop()
    pool.stop(10)
    for thread in background:
        thread.join(5)
    database.disconnect()


if __name__ == "__main__":
    work(sys.argv[1], timedelta(seconds=float(sys.argv[2])))
