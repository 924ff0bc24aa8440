"""Firstline on a folder of mails, for mail.py: prints how many became incidents and were answered, in how many seconds,
and the peak of its memory.

    python benchmarks/mail_ours.py FOLDER WORKSPACE

All parts are those that `bot run` joins; the settings come from the environment. A mail is done when its incident, its
file and its acknowledgement are.
"""

import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

READERS = 16


def main() -> None:
    folder, workspace = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    os.chdir(workspace)
    from adapters.mail.channel import MailChannel
    from adapters.mail.parsed import Envelope
    from bot import telemetry
    from bot.app import Firstline, World, open_database
    from bot.memory import share_one_arena
    from bot.settings import Settings
    from storage import database

    share_one_arena()
    settings = Settings.read()
    telemetry.set_up("WARNING", "json")
    world = World.from_environment(settings)
    open_database(settings, migrating=True)
    firstline = Firstline(settings, world)
    (channel,) = [one for one in world.channels if isinstance(one, MailChannel)]

    def waits() -> bool:
        with database.session():
            return any(
                database.execute(f"SELECT 1 FROM {table} WHERE due_at IS NOT NULL LIMIT 1").fetchone()
                for table in ("inbox", "jobs", "notifications")
            )

    with firstline.accepting(), firstline.working():
        door = channel.door(firstline.core)
        began, busy = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(READERS) as readers:
            list(readers.map(lambda path: door.take(path.read_bytes(), Envelope()), sorted(folder.iterdir())))
        committed = time.perf_counter() - began
        while waits():
            time.sleep(0.005)
        seconds, busy = time.perf_counter() - began, time.process_time() - busy
    with database.session():
        (done,) = database.execute("SELECT COUNT(*) FROM incidents").fetchone()
        (kept,) = database.execute("SELECT COUNT(*) FROM attachments WHERE state = 'kept'").fetchone()
        (sent,) = database.execute("SELECT COUNT(*) FROM notifications WHERE status = 'sent'").fetchone()
    database.disconnect()
    figures = {"done": done, "kept": kept, "sent": sent}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({**figures, "committed": committed, "seconds": seconds, "cpu": busy, "peak_kb": peak}))


main()
