"""Updates of Telegram's webhook that are committed and acknowledged, against python-telegram-bot's `process_update`
with an empty handler behind the same web server, which stores nothing.

    python benchmarks/telegram.py [rounds] [seconds a burst]

`bot web` alone (SQLite, durable), 64 connections.
"""

import itertools
import json
import os
import sys
from pathlib import Path

from harness import BOT, CORES, Burst, Figures, folder, load, process, read_until

CONNECTIONS = 64
SECRET = "s3cret-of-the-webhook"


def update(number: int) -> bytes:
    """The n-th message, of one of a thousand people, as Telegram's webhook brings it."""
    person = {"id": 1000 + number % 1000, "is_bot": False, "first_name": "Ana", "language_code": "en"}
    text = f"My card was charged twice for order {number}, please help"
    message = {
        "message_id": number + 1,
        "from": person,
        "chat": {"id": person["id"], "first_name": "Ana", "type": "private"},
        "date": 1795348800,
        "text": text,
    }
    body = json.dumps({"update_id": number + 1, "message": message}).encode()
    return (
        f"POST /telegram/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-Telegram-Bot-Api-Secret-Token: {SECRET}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def shown(name: str, burst: Burst) -> str:
    return f"{name} {burst.rate:6.0f}/s, p99 {burst.p99 * 1e3:5.1f} ms, {burst.cpu_each * 1e6:4.0f} us CPU each"


def main(rounds: int = 12, seconds: float = 1.5) -> bool:
    with folder() as name:
        place = Path(name)
        settings = {
            "PORT": "0",
            "LOG_LEVEL": "ERROR",
            "DATABASE_URL": "sqlite:///incidents.db",
            "PUBLIC_URL": "http://127.0.0.1",
            "TELEGRAM_BOT_TOKEN": "4242424:AAbcdefghijklmnopqrstuvwxyz012345678",
            "TELEGRAM_WEBHOOK_SECRET": SECRET,
            "TELEGRAM_API_URL": "http://127.0.0.1:9",  # nobody is there, and nobody need be
        }
        bare = [
            sys.executable,
            "-P",
            str(Path(__file__).with_name("telegram_bare.py")),
        ]  # else it would import this file
        with process([BOT, "migrate"], place, settings) as migrating:
            migrating.wait()
        with process([BOT, "web"], place, settings) as ours, process(bare, place, {}) as theirs:
            our_port = int(read_until(ours, "curl").split("/api")[0].rpartition(":")[2])
            their_port = int(read_until(theirs, "ready").rpartition(":")[2])
            return compare((our_port, ours.pid), (their_port, theirs.pid), rounds, seconds)


def compare(our: tuple[int, int], their: tuple[int, int], rounds: int, seconds: float) -> bool:
    numbers = itertools.count()
    rates = Figures("rate: committed / process_update, nothing stored")
    cpu = Figures("server CPU an update: ours / theirs")
    for number in range(rounds + 1):
        theirs = load(their[0], update, CONNECTIONS, seconds, numbers, their[1])
        ours = load(our[0], update, CONNECTIONS, seconds, numbers, our[1])
        assert not ours.failures, f"{ours.failures} updates were refused"
        assert not theirs.failures, f"{theirs.failures} updates were refused by the yardstick"
        if number:  # the first round warms up
            rates.values.append(ours.rate / theirs.rate)
            cpu.values.append(ours.cpu_each / theirs.cpu_each)
            print(f"round {number:2}: {shown('ours', ours)} | {shown('theirs', theirs)}", flush=True)
    print(f"load {os.getloadavg()[0]:.1f} on {len(CORES)} cores")
    return all([rates.say("at least 1.0", lambda ratio: ratio >= 1.0), cpu.say()])


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*(int(value) if index == 0 else float(value) for index, value in enumerate(arguments)))
