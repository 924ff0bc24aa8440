"""Telegram with everything at work: two who write at once, and a process that is killed between commit and answer."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import structlog
from starlette.applications import Starlette

from adapters.telegram.channel import TelegramChannel
from bot.app import Firstline, World, utc_now
from bot.settings import Settings
from bot.state import State
from storage import database
from tests.door import open_door
from tests.house import by_words
from tests.mailbox import free_port
from tests.process import Process
from tests.telegram_api import ANA, BEN, BOARD, KIM, SECRET, TOKEN, TelegramApi
from tests.telegram_house import MODES, configured, wait_for


@pytest.fixture
def backend() -> str:
    """Nothing in here depends on the kind of the database."""
    return "sqlite"


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    with TelegramApi() as api:
        yield api


def test_two_who_write_fifty_messages_each_at_once_have_an_incident_each(db: str, api: TelegramApi) -> None:
    write_at_once(api, 50)


@pytest.mark.soak
def test_two_who_write_five_hundred_messages_each_at_once_have_an_incident_each(db: str, api: TelegramApi) -> None:
    began = time.monotonic()
    write_at_once(api, 500)
    print(f"two times 500 messages in {time.monotonic() - began:.1f} s")


def test_agents_are_told_of_what_is_urgent_in_a_topic(db: str, api: TelegramApi) -> None:
    with structlog.testing.capture_logs(), open_door() as door:
        channel = TelegramChannel(configured(api), State(), door.url)
        world = World([channel], [by_words], None, utc_now, [channel])
        firstline = Firstline(Settings(_env_file=None, link_key="k" * 32), world)  # type: ignore[call-arg]
        door.app = app = Starlette()
        with firstline.accepting(), firstline.listening(app), firstline.working():
            wait_for(lambda: api.webhook["url"])
            assert api.deliver(api.say("My card was stolen")) == 200
            wait_for(lambda: api.texts(BOARD))
            (topic,) = [topic for chat, topic in api.topics if chat == BOARD]
            wait_for(lambda: api.texts(ANA))
            assert api.deliver(api.say("/resolve blocked", KIM, BOARD, message_thread_id=topic)) == 200
            wait_for(lambda: "Your request is solved." in api.texts(ANA)[-1])
        channel.close()
    assert {one.topic for one in api.said if one.chat == BOARD} == {topic}
    assert "Priority: urgent" in api.texts(BOARD)[0]
    assert api.texts(BOARD)[-1].endswith("is resolved.")


def write_at_once(api: TelegramApi, number: int) -> None:
    """Have two people write at the same time; Telegram brings the messages of one chat one after the other."""
    said = {
        who: [f"{name} was charged twice, {n}" for n in range(number)] for who, name in ((ANA, "Ana"), (BEN, "Ben"))
    }
    with structlog.testing.capture_logs(), open_door() as door:
        channel = TelegramChannel(configured(api, telegram_agents_group=None), State(), door.url)
        world = World([channel], [by_words], None, utc_now, [channel])
        firstline = Firstline(Settings(_env_file=None, link_key="k" * 32), world)  # type: ignore[call-arg]
        app = Starlette()
        door.app = app
        with firstline.accepting(), firstline.listening(app), firstline.working():
            wait_for(lambda: api.webhook["url"])
            statuses: list[int] = []

            def write(who: int) -> None:
                for text in said[who]:
                    statuses.append(
                        api.deliver({"update_id": who * 10_000 + len(statuses), "message": made[who][text]})
                    )

            made = {who: {text: api.message(text, who) for text in texts} for who, texts in said.items()}
            threads = [threading.Thread(target=write, args=(who,)) for who in said]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert statuses == [200] * 2 * number
            wait_for(lambda: not left(), 60)
        channel.close()
        found = [(int(each.customer_id), each.id) for each in firstline.views.incidents(1000)]
        assert sorted(who for who, _ in found) == [ANA, BEN]
        for who, incident_id in found:
            timeline: Any = firstline.views.incident(incident_id)
            assert [entry.text for entry in timeline.timeline if entry.what == "customer"] == said[who]
            assert len(api.texts(who)) == 1


def left() -> int:
    """How many messages and notices wait."""
    with database.session():
        (waiting,) = database.execute(
            "SELECT (SELECT COUNT(*) FROM inbox WHERE state <> 'done') + (SELECT COUNT(*) FROM notifications "
            "WHERE status IN ('pending', 'sending'))"
        ).fetchone()
    return int(waiting)


@pytest.mark.parametrize("mode", MODES)
def test_killed_between_commit_and_answer_it_has_one_incident_and_one_reply(
    api: TelegramApi, tmp_path: Path, mode: str
) -> None:
    port = free_port()
    settings = {
        "PORT": str(port),
        "DATABASE_URL": f"sqlite:///{tmp_path}/incidents.db",
        "LEASE": "1s",
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": api.url,
        **({"PUBLIC_URL": f"http://127.0.0.1:{port}", "TELEGRAM_WEBHOOK_SECRET": SECRET} if mode == "webhook" else {}),
    }
    with Process(tmp_path, settings, at="message.accepted") as first:
        first.wait_up()
        wait_for(lambda: len(api.commands) == 7)
        update = api.say("My card was charged twice")
        if mode == "webhook":
            with pytest.raises(requests.ConnectionError):
                api.deliver(update)
        assert first.wait_dead() == -9
    with Process(tmp_path, settings) as second:
        second.wait_up()
        if mode == "webhook":
            assert wait_for(lambda: api.bring()) == [200]
        wait_for(lambda: not api.waiting, 20)
        wait_for(api.texts, 20)
        listed = requests.get(f"{second.url}/api/incidents", timeout=10).json()
        second.terminate()
    assert [incident["ticket_id"] in api.last().text for incident in listed] == [True]
    assert len(api.texts()) == 1
    assert TOKEN.partition(":")[2] not in "".join(second.output + first.output)
