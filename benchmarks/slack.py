"""Signed events of Slack through our endpoint, each committed before the 200, against a Bolt app that does nothing with
them behind Bolt's own ASGI adapter.

    python benchmarks/slack.py [rounds] [seconds a burst]

`bot web` alone (SQLite, durable; masking, inbox row and lane in the path), 32 connections; both check the
signature. Every event has an id of its own, and each that was answered 200 must be in the inbox.
"""

import itertools
import json
import sqlite3
import sys
import time
from pathlib import Path

from bolt import SECRET
from harness import BOT, ROOT, Burst, Figures, folder, load, process, read_until
from slack_sdk.signature import SignatureVerifier

sys.path.insert(0, str(ROOT))
from tests.slack_api import TOKEN, SlackApi

CONNECTIONS = 32
VERIFIER = SignatureVerifier(SECRET)


def get(number: int) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def event(number: int) -> bytes:
    """The request by which Slack tells of the n-th message in a support channel."""
    ts = f"{1_795_348_800 + number // 1_000_000}.{number % 1_000_000:06}"
    body = json.dumps(
        {
            "token": "unused",
            "team_id": "T1",
            "context_team_id": "T1",
            "context_enterprise_id": None,
            "api_app_id": "A1",
            "event": {
                "type": "message",
                "channel": "C1",
                "channel_type": "channel",
                "user": f"U{number % 1000}",
                "team": "T1",
                "text": f"My card was charged twice for order {number}, please help",
                "ts": ts,
                "event_ts": ts,
                "client_msg_id": f"0a1b2c3d-0000-4000-8000-{number:012}",
            },
            "type": "event_callback",
            "event_id": f"Ev{number}",
            "event_time": 1_795_348_800,
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": "T1",
                    "user_id": "UBOT",
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
            "event_context": "4-abc",
        }
    )
    at = str(int(time.time()))
    signature = VERIFIER.generate_signature(timestamp=at, body=body)
    return (
        "POST /slack/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-Slack-Request-Timestamp: {at}\r\nX-Slack-Signature: {signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def shown(name: str, burst: Burst) -> str:
    return f"{name} {burst.rate:6.0f}/s, {burst.cpu_each * 1e6:4.0f} us CPU each"


def main(rounds: int = 12, seconds: float = 1.5) -> bool:
    with folder() as name, SlackApi("C1") as api:
        place = Path(name)
        settings = {
            "PORT": "0",
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": "sqlite:///incidents.db",
            "SLACK_BOT_TOKEN": TOKEN,
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_SUPPORT_CHANNELS": "C1",
            "SLACK_API_URL": api.url,
        }
        with process([BOT, "migrate"], place, settings) as migrating:
            migrating.wait()
        beside = Path(__file__).parent
        with (
            process([BOT, "web"], place, settings) as ours,
            process([sys.executable, str(beside / "bolt.py")], place, {}) as bolt,
            process([sys.executable, str(beside / "bare.py")], place, {}) as bare,
        ):
            our_port = int(read_until(ours, "curl").split("/api")[0].rpartition(":")[2])
            ports = [int(read_until(other, "ready").rpartition(":")[2]) for other in (bolt, bare)]
            contenders = [(our_port, ours.pid), (ports[0], bolt.pid), (ports[1], bare.pid)]
            return compare(contenders, place / "incidents.db", rounds, seconds)


def compare(contenders: list[tuple[int, int]], database: Path, rounds: int, seconds: float) -> bool:
    numbers, taken = itertools.count(1), 0
    to_bolt, to_bare = Figures("events a second: ours / Bolt's, which keeps none"), Figures("events: ours / bare GET")
    cpu = Figures("server CPU an event: ours / Bolt's")
    (our_port, our_pid), (bolt_port, bolt_pid), (bare_port, bare_pid) = contenders
    for number in range(rounds + 1):
        ours = load(our_port, event, CONNECTIONS, seconds, numbers, our_pid)
        bolt = load(bolt_port, event, CONNECTIONS, seconds, numbers, bolt_pid)
        bare = load(bare_port, get, CONNECTIONS, seconds, numbers, bare_pid)
        assert ours.failures + bolt.failures == 0, f"{ours.failures} and {bolt.failures} events were refused"
        taken += ours.requests
        if number:  # the first round warms up
            to_bolt.values.append(ours.rate / bolt.rate)
            cpu.values.append(ours.cpu_each / bolt.cpu_each)
            to_bare.values.append(ours.rate / bare.rate)
            shows = (shown("ours", ours), shown("Bolt", bolt), shown("bare", bare))
            print(f"round {number:2}: {' | '.join(shows)}", flush=True)
    with sqlite3.connect(database) as connection:
        (kept,) = connection.execute("SELECT COUNT(*) FROM inbox").fetchone()
    print(f"{kept} of {taken} events that were answered 200 are in the inbox")
    to_bare.say()
    cpu.say()
    return to_bolt.say("at least 0.8", lambda ratio: ratio >= 0.8) and kept == taken


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(not main(*(int(value) if index == 0 else float(value) for index, value in enumerate(arguments))))
