"""The real process in other people's Slack (tests/slack_emulator.py): by HTTP and by socket, killed, and told twice."""

import queue
import signal
import sqlite3
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.mailbox import wait_until
from tests.process import Process
from tests.slack_emulator import BOT_TOKEN, Emulator, Form, OverHttp, OverSocket, Subscriber, Way
from tests.slack_house import APP_TOKEN, SECRET

QUICK = {"LEASE": "1s", "SLACK_TIMEOUT": "2s", "SLACK_DEADLINE": "2s"}
"""No long wait for what a dead process held."""

WROTE = "My card was charged twice for Marmalade"
CORRECTED = "My card was charged thrice for Marmalade"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


class Desk:
    """A bot at work, and Slack as it reaches it: `way`."""

    def __init__(self, way: Way, folder: Path) -> None:
        self.way = way
        self.slack = way.emulator
        self.folder = folder

    def rows(self, query: str, *values: str) -> list[Any]:
        return rows(self.folder, query, *values)

    def incident_of(self, ts: str) -> dict[str, Any]:
        """Wait until the message has been answered in its thread, and return the one incident that it opened."""
        wait_until(lambda: self.slack.replies(ts), why="no answer came")
        return only_incident(self.folder, self.slack, ts)


def rows(folder: Path, query: str, *values: str) -> list[Any]:
    connection = sqlite3.connect(folder / "incidents.db", timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def only_incident(folder: Path, slack: Emulator, ts: str) -> dict[str, Any]:
    found = rows(
        folder,
        "SELECT i.* FROM incidents i JOIN messages m ON m.incident_id = i.id WHERE m.external_id = ?",
        f"{slack.team}/{slack.channel}/{ts}",
    )
    assert len(found) == 1
    return dict(found[0])


@pytest.fixture(scope="module", params=[OverHttp, OverSocket], ids=["http", "socket"])
def desk(
    request: pytest.FixtureRequest, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("bot")
    with (
        request.param(emulator) as way,
        Process(folder, {**way.settings, "SLACK_AGENTS_CHANNEL": emulator.board}) as process,
    ):
        way.join(process.wait_up())
        yield Desk(way, folder)
        assert process.terminate() == 0
        assert "Traceback" not in "".join(process.output)
        for secret in BOT_TOKEN, SECRET, APP_TOKEN, "Marmalade":
            assert secret not in "".join(process.output)


def test_what_a_person_writes_becomes_an_incident_and_is_answered_in_its_thread(desk: Desk) -> None:
    ts = desk.slack.say(WROTE)
    incident = desk.incident_of(ts)
    assert (incident["message"], incident["classification"]) == (WROTE, "duplicate_payment")
    wait_until(lambda: desk.slack.reactions(ts) == {"eyes"})
    (reply,) = desk.slack.replies(ts)
    assert incident["ticket_id"] in reply["text"]
    assert reply["thread_ts"] == ts
    assert incident["customer_id"] == f"{desk.slack.team}/{desk.slack.ana}"


def test_a_reply_in_the_thread_belongs_to_it_and_what_the_bot_writes_does_not(desk: Desk) -> None:
    ts = desk.slack.say(WROTE)
    incident = desk.incident_of(ts)
    desk.slack.say("It was on Monday", root=ts)
    query = "SELECT direction, text FROM messages WHERE incident_id = ? AND direction <> 'bot' ORDER BY written_at"
    wait_until(lambda: len(desk.rows(query, incident["id"])) == 2)
    assert [tuple(row) for row in desk.rows(query, incident["id"])] == [
        ("customer", WROTE),
        ("customer", "It was on Monday"),
    ]
    assert desk.rows("SELECT * FROM inbox WHERE payload LIKE '%UBOT%'") == []


def test_an_edit_is_another_text_of_the_same_message(desk: Desk) -> None:
    ts = desk.slack.say(WROTE)
    incident = desk.incident_of(ts)
    desk.slack.edit(ts, CORRECTED)
    wait_until(lambda: only_incident(desk.folder, desk.slack, ts)["message"] == CORRECTED)
    assert len(desk.slack.replies(ts)) == 1
    assert desk.rows("SELECT * FROM events WHERE incident_id = ? AND name = 'edited'", incident["id"])


def test_a_deleted_message_is_hidden_and_its_incident_stays(desk: Desk) -> None:
    ts = desk.slack.say(WROTE)
    incident = desk.incident_of(ts)
    desk.slack.delete(ts)
    wait_until(lambda: only_incident(desk.folder, desk.slack, ts)["message"] == "")
    assert only_incident(desk.folder, desk.slack, ts)["id"] == incident["id"]


def test_an_agent_resolves_by_command_and_the_thread_says_so_and_nobody_looks_again(desk: Desk) -> None:
    ts = desk.slack.say(WROTE)
    incident = desk.incident_of(ts)
    assert desk.way.command(f"{incident['ticket_id']} fixed it") == f"{incident['ticket_id']} is resolved."
    wait_until(lambda: len(desk.slack.replies(ts)) == 2)
    assert "fixed it" in desk.slack.replies(ts)[-1]["text"]
    wait_until(lambda: "white_check_mark" in desk.slack.reactions(ts))
    assert only_incident(desk.folder, desk.slack, ts)["resolved_by"] == f"{desk.slack.team}/{desk.slack.clara}"
    states = desk.rows("SELECT state, due_at FROM follow_ups WHERE incident_id = ?", incident["id"])
    assert states
    assert [row["due_at"] for row in states if row["due_at"] is not None] == []


def test_agents_see_the_incident_as_a_card_that_changes_with_it(desk: Desk) -> None:
    ts = desk.slack.say(WROTE)
    ticket = desk.incident_of(ts)["ticket_id"]
    wait_until(lambda: desk.slack.card(ticket))
    card = desk.slack.card(ticket)
    assert WROTE in str(card["blocks"])
    assert f"{ticket} · normal · open" in str(card["blocks"])
    desk.slack.say("It was on Monday", root=ts)
    wait_until(lambda: any("It was on Monday" in line for line in desk.slack.timeline(card)))
    desk.way.command(f"{ticket} fixed it")
    wait_until(lambda: f"{ticket} · normal · resolved" in str(desk.slack.card(ticket)["blocks"]))
    assert desk.slack.card(ticket)["ts"] == card["ts"]
    wait_until(lambda: any("fixed it" in line for line in desk.slack.timeline(card)))


def test_who_reports_by_the_form_is_answered_in_the_chat_and_by_mail_until_it_is_resolved(desk: Desk) -> None:
    address = f"{desk.way.__class__.__name__.lower()}@example.com"
    desk.way.submit(Form("My refund is late", address))
    wait_until(lambda: len(mails(desk.folder, address)) == 1)
    (told,) = mails(desk.folder, address)
    ticket = told["Subject"].split("[")[1].split("]")[0]
    wait_until(lambda: any(ticket in message["text"] for message in desk.slack.chat()))
    desk.way.command(f"{ticket} fixed it")
    wait_until(lambda: len(mails(desk.folder, address)) == 2)
    texts = [mail.get_body(("plain",)).get_content() for mail in mails(desk.folder, address)]  # type: ignore[union-attr]
    assert sum("fixed it" in text for text in texts) == 1


def mails(folder: Path, to: str) -> list[Any]:
    """The mails to an address: without a provider they are files."""
    read = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in folder.glob("outbox/*.eml")]
    return [mail for mail in read if mail["To"] == to]


def test_the_scopes_of_our_manifest_were_enough_for_all_of_this_and_others_are_refused(desk: Desk) -> None:
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    asked = {"channel": desk.slack.channel}
    refused = requests.post(f"{desk.slack.api_url}conversations.join", asked, headers=headers, timeout=10).json()
    assert refused["error"] == "missing_scope"


# --- killed, and told again


@pytest.fixture
def told(emulator: Emulator) -> Iterator[queue.Queue[dict[str, Any]]]:
    """What the emulator tells of, while no bot hears it."""
    events: queue.Queue[dict[str, Any]] = queue.Queue()
    with Subscriber(events.put) as subscriber:
        emulator.tell(subscriber.url)
        yield events


def test_an_event_that_comes_three_times_to_a_bot_that_is_killed_twice_is_one_incident_and_one_answer(
    emulator: Emulator, told: queue.Queue[dict[str, Any]], tmp_path: Path
) -> None:
    """First it dies before anything is committed, then after that and before it has said so."""
    slack = OverHttp(emulator)
    environment = {**slack.settings, **QUICK}
    ts = emulator.say(WROTE)
    event = told.get(timeout=10)
    with Process(tmp_path, environment) as first:
        slack.reach(first.wait_up())
        first.freeze()
        with pytest.raises(requests.ReadTimeout):
            slack.deliver(event, seconds=0.2)
        first.kill()
    with Process(tmp_path, environment, at="message.accepted") as second:
        slack.reach(second.wait_up())
        assert rows(tmp_path, "SELECT * FROM inbox") == []
        with pytest.raises(requests.ConnectionError):
            slack.deliver(event, attempt=1)
        assert second.wait_dead() == -signal.SIGKILL
    assert len(rows(tmp_path, "SELECT * FROM inbox")) == 1
    with Process(tmp_path, environment) as third:
        slack.join(third.wait_up())
        for attempt in (2, 3):
            assert slack.deliver(event, attempt).status_code == 200
        wait_until(lambda: sent(tmp_path) == [("acknowledgement", "sent", 1)])
        assert third.terminate() == 0
    assert len(emulator.replies(ts)) == 1
    assert len(rows(tmp_path, "SELECT * FROM incidents")) == 1


def test_a_bot_that_is_killed_between_posting_and_noting_it_looks_and_does_not_post_again(
    emulator: Emulator, tmp_path: Path
) -> None:
    slack = OverHttp(emulator)
    environment = {**slack.settings, **QUICK}
    with Process(tmp_path, environment, at="notification.handed_over") as doomed:
        slack.join(doomed.wait_up())
        ts = emulator.say(WROTE)
        assert doomed.wait_dead() == -signal.SIGKILL
    assert sent(tmp_path) == [("acknowledgement", "sending", 1)]
    (posted,) = emulator.replies(ts)
    with Process(tmp_path, environment) as second:
        slack.join(second.wait_up())
        wait_until(lambda: sent(tmp_path) == [("acknowledgement", "sent", 1)])
        assert second.terminate() == 0
        assert '"notification.looked_for"' in "".join(second.output)
    assert [reply["ts"] for reply in emulator.replies(ts)] == [posted["ts"]]
    (row,) = rows(tmp_path, "SELECT provider_id FROM notifications")
    assert row["provider_id"] == f"{emulator.team}/{emulator.channel}/{posted['ts']}"


def sent(folder: Path) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows(folder, "SELECT kind, status, attempts FROM notifications")]


def test_by_socket_nothing_is_lost_and_nothing_doubled_whatever_is_cut_off(emulator: Emulator, tmp_path: Path) -> None:
    """An envelope to a bot that stands still is sent again, and taken twice when it goes on; then Slack has the bot
    connect anew; then the bot dies after the commit, and before it acknowledges."""
    written = []
    with OverSocket(emulator, patience=0.5) as slack:
        environment = {**slack.settings, **QUICK}
        with Process(tmp_path, environment) as first:
            slack.join(first.wait_up())
            first.freeze()
            written.append(emulator.say(WROTE))
            wait_until(lambda: slack.socket.attempts >= 2)
            first.thaw()
            wait_until(lambda: emulator.replies(written[0]))
            slack.socket.disconnect()
            written.append(emulator.say(WROTE))
            wait_until(lambda: emulator.replies(written[1]))
            slack.wait_idle()
            first.kill()
        with Process(tmp_path, environment, at="message.accepted") as second:
            slack.join(second.wait_up())
            written.append(emulator.say(WROTE))
            assert second.wait_dead() == -signal.SIGKILL
        with Process(tmp_path, environment) as third:
            third.wait_up()
            wait_until(lambda: emulator.replies(written[2]))
            slack.wait_idle()
            wait_until(lambda: sent(tmp_path) == [("acknowledgement", "sent", 1)] * 3)  # one may have been in hand
            assert third.terminate() == 0
    assert [len(emulator.replies(ts)) for ts in written] == [1, 1, 1]
    assert len(rows(tmp_path, "SELECT * FROM incidents")) == 3
