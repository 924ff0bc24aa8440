"""Firstline with other people's Twilio, in a process of its own: from the first SMS to the rating; and killed."""

import signal
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.mailbox import free_port, wait_until
from tests.process import Process
from tests.twilio_api import ACCOUNT, ANA, BEA, SHOP, SHOP_WHATSAPP, TOKEN
from tests.twilio_emulator import Emulator

WROTE = "My card was charged twice for Marmalade"


@dataclass(frozen=True)
class Shop:
    """A bot that Twilio brings everything to, and its folder."""

    twilio: Emulator
    bot: Process
    folder: Path

    def rows(self, query: str, *values: str) -> list[dict[str, Any]]:
        return rows(self.folder, query, *values)


def settings(twilio: Emulator, port: int) -> dict[str, str]:
    return {
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LEASE": "1s",
        "BURST": "0s",
        "TWILIO_API_URL": twilio.url,
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_SMS_FROM": SHOP,
        "TWILIO_WHATSAPP_FROM": SHOP_WHATSAPP,
        "TWILIO_DEADLINE": "2s",
    }


def rows(folder: Path, query: str, *values: str) -> list[dict[str, Any]]:
    connection = sqlite3.connect(folder / "incidents.db", timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(query, values).fetchall()]
    finally:
        connection.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder, port = tmp_path_factory.mktemp("bot"), free_port()
    with (
        Emulator(f"http://127.0.0.1:{port}") as twilio,
        Process(folder, {**settings(twilio, port), "FOLLOW_UP_AFTER": "2s"}) as bot,
    ):
        yield Shop(twilio, bot.wait_up(), folder)
        assert bot.terminate() == 0
        said = "".join(bot.output)
        assert "Traceback" not in said
        for secret in (TOKEN, "Marmalade", ANA, BEA):
            assert secret not in said


@pytest.mark.parametrize("name", ["sms", "whatsapp"])
def test_from_the_first_message_to_the_rating(shop: Shop, name: str) -> None:
    def texts() -> list[str]:
        return [str(one["body"]) for one in shop.twilio.sent(name)]

    shop.twilio.say(WROTE, name)
    wait_until(lambda: len(texts()) == 1, why="no answer came")
    (incident,) = shop.rows("SELECT * FROM incidents WHERE channel = ?", name)
    assert (incident["message"], incident["customer_id"]) == (WROTE, ANA)
    assert incident["ticket_id"] in texts()[0]
    ours = "SELECT status, delivery, provider_id FROM notifications WHERE kind = 'acknowledgement' AND incident_id = ?"
    sid = shop.twilio.sent(name)[0]["sid"]
    shop.twilio.became(sid, "delivered")
    known = [{"status": "sent", "delivery": "delivered", "provider_id": sid}]
    wait_until(lambda: shop.rows(ours, incident["id"]) == known)
    wait_until(lambda: len(texts()) == 2, why="no reminder came")
    assert "still open" in texts()[1]
    shop.twilio.say("yes", name)
    wait_until(lambda: len(texts()) == 3, why="it was not solved")
    assert "Your request is solved." in texts()[2]
    shop.twilio.say("4", name)
    rating = "SELECT score FROM ratings WHERE incident_id = ?"
    wait_until(lambda: shop.rows(rating, incident["id"]) == [{"score": 4}])
    assert len(shop.rows("SELECT id FROM incidents WHERE channel = ?", name)) == 1


def test_after_stop_nothing_goes_out_and_after_start_it_does(shop: Shop) -> None:
    owed = "SELECT status FROM notifications WHERE recipient = ? AND kind = 'acknowledgement'"
    shop.twilio.say("STOP", who=BEA)
    shop.twilio.say(WROTE, who=BEA)
    wait_until(lambda: shop.rows(owed, BEA) == [{"status": "failed"}])
    assert shop.twilio.sent(who=BEA) == []
    shop.twilio.say("START", who=BEA)
    shop.twilio.say("/new It was charged on Monday, too", who=BEA)
    wait_until(lambda: shop.twilio.sent(who=BEA))


def test_what_another_account_signs_is_refused_and_nothing_of_it_is_kept(shop: Shop) -> None:
    with Emulator(shop.bot.url, token="the token of another account") as other:
        taken = "SELECT id FROM inbox ORDER BY id"
        before = shop.rows(taken)
        other.say(WROTE)
        other.say(WROTE, "whatsapp")
        wait_until(lambda: "".join(shop.bot.output).count("twilio.wrong_signature") == 2)
    assert requests.post(f"{shop.bot.url}/twilio/sms", {"Body": WROTE}, timeout=10).status_code == 403
    assert shop.rows(taken) == before


def test_a_bot_that_is_killed_between_sending_and_noting_it_looks_and_does_not_send_again(tmp_path: Path) -> None:
    port = free_port()
    with Emulator(f"http://127.0.0.1:{port}") as twilio:
        with Process(tmp_path, settings(twilio, port), at="notification.handed_over") as doomed:
            doomed.wait_up()
            twilio.say(WROTE)
            assert doomed.wait_dead() == -signal.SIGKILL
        assert rows(tmp_path, "SELECT status FROM notifications") == [{"status": "sending"}]
        (posted,) = twilio.sent()
        with Process(tmp_path, settings(twilio, port)) as second:
            second.wait_up()
            sent = [{"status": "sent", "provider_id": posted["sid"], "attempts": 1}]
            query = "SELECT status, provider_id, attempts FROM notifications"
            wait_until(lambda: rows(tmp_path, query) == sent)
            assert second.terminate() == 0
        assert [one["sid"] for one in twilio.sent()] == [posted["sid"]]
