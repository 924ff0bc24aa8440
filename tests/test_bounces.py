"""A text that came back: its notification says so, agents are told, and nothing more goes to an address that does not
exist."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from bot.model import Address, MessageKind, Proof
from storage import database
from storage.tables import Notification, Unreachable
from tests.fakes import TestClock
from tests.house import ANA, CLERK, House

TWICE = "My card was charged twice"
BOARD = Address("chat", "agents")


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock, board=BOARD)
    yield house
    house.stop()


def returns(house: House, opened: dict[str, Any], key: str = "<b1@mx>/0", **changes: Any) -> None:
    """Have a report come in that the acknowledgement did not arrive."""
    ack = next(row for row in house.owed("acknowledgement") if row["incident"] == opened["incident_id"])
    values: dict[str, Any] = {
        "channel": "email",
        "customer_id": ANA.key,
        "lane": f"email/returned/{ANA.key}",
        "addresses": (),
        "kind": MessageKind.BOUNCE,
        "about": hashlib.sha256(ack["dedupe"].encode()).hexdigest()[:10],
        "entitled_to": opened["incident_id"],
        "automatic": True,
        "proof": Proof.NONE,
        "permanent": True,
        "reporter": "",
        **changes,
    }
    house.write("5.1.1 no such user", key, **values)


def test_the_notification_says_that_it_came_back_and_agents_are_told(house: House) -> None:
    opened = house.mailed(TWICE, "<m1@b>")
    returns(house, opened)
    (ack,) = house.owed("acknowledgement")
    assert (ack["status"], ack["error"]) == ("failed", "it came back: 5.1.1 no such user")
    assert any("5.1.1 no such user" in notice.text for to, notice in house.chat.sent if to == BOARD)


def test_a_report_that_comes_twice_says_it_once(house: House) -> None:
    opened = house.mailed(TWICE, "<m1@b>")
    returns(house, opened)
    told = len(house.chat.sent)
    returns(house, opened)
    returns(house, opened, "<b2@mx>/0")
    assert len(house.chat.sent) == told


def test_a_report_that_is_quicker_than_our_own_note_waits_for_it(house: House) -> None:
    opened = house.mailed(TWICE, "<m1@b>")
    with database.transaction():
        database.execute("UPDATE notifications SET status = 'sending' WHERE kind = 'acknowledgement'")
    with pytest.raises(KeyError):  # it has no outcome yet
        returns(house, opened)
    assert house.owed("acknowledgement")[0]["status"] == "sending"
    with database.transaction():
        database.execute("UPDATE notifications SET status = 'sent' WHERE kind = 'acknowledgement'")
    house.later(seconds=5)
    assert house.owed("acknowledgement")[0]["status"] == "failed"


def test_a_text_that_its_sender_knows_another_way_for_is_sent_again_once(house: House) -> None:
    opened = house.mailed(TWICE, "<m1@b>")
    for key in ("<b1@mx>/0", "<b1@mx>/0"):
        returns(house, opened, key, again=True, permanent=False)
    assert [row["status"] for row in house.owed("acknowledgement")] == ["sent"]
    assert len(house.mails("acknowledgement")) == 2
    assert house.all(Unreachable) == []


def test_nothing_more_goes_to_an_address_that_does_not_exist_until_somebody_writes_from_it(house: House) -> None:
    opened = house.mailed(TWICE, "<m1@b>")
    returns(house, opened)
    assert [(row["channel"], row["key"]) for row in house.all(Unreachable)] == [("email", ANA.key)]
    house.commands.reply(opened["ticket_id"], CLERK, "We are looking into it")
    house.work()
    assert house.mails("reply") == []
    house.mailed("The refund failed", "<m2@b>")
    assert house.all(Unreachable) == []


def test_what_may_arrive_another_time_stops_nothing(house: House) -> None:
    opened = house.mailed(TWICE, "<m1@b>")
    returns(house, opened, permanent=False)
    assert house.all(Unreachable) == []
    house.commands.reply(opened["ticket_id"], CLERK, "We are looking into it")
    house.work()
    assert len(house.mails("reply")) == 1


def test_a_report_of_a_text_that_nobody_knows_changes_nothing(house: House) -> None:
    opened = house.mailed(TWICE, "<m1@b>")
    returns(house, opened, about="0123456789")
    returns(house, opened, "<b2@mx>/0", about="")
    assert house.all(Unreachable) == []
    assert [row["status"] for row in house.all(Notification) if row["kind"] == "acknowledgement"] == ["sent"]
    assert len(house.incidents()) == 1


def test_the_address_that_is_stopped_is_where_the_text_went_whatever_the_report_says(house: House) -> None:
    opened = house.mailed(TWICE, "<m1@b>")
    returns(house, opened, customer_id="somebody@else.example")
    assert [row["key"] for row in house.all(Unreachable)] == [ANA.key]
