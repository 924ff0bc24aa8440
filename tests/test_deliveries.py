"""What a platform says became of a text after it had taken it."""

from collections.abc import Iterator
from typing import Any

import pytest

from bot.bounces import digest
from bot.deliveries import Deliveries
from tests.fakes import TestClock
from tests.house import House

TWICE = "My card was charged twice"


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.stop()


def ack(house: House) -> dict[str, Any]:
    (row,) = house.owed("acknowledgement")
    return row


@pytest.mark.parametrize(
    ("told", "known"),
    [
        (["queued", "sending", "sent", "delivered", "read"], "read"),
        (["sent", "queued"], "sent"),
        (["read", "delivered", "sent"], "read"),
        (["sent", "undelivered", "sent", "delivered", "failed"], "undelivered"),
        (["delivered", "failed", "undelivered"], "delivered"),
        (["failed", "queued"], "failed"),
    ],
)
def test_the_furthest_that_a_text_came_is_known_and_the_end_is_the_end(
    house: House, told: list[str], known: str
) -> None:
    house.write(TWICE, "k1")
    row = ack(house)
    for state in told:
        Deliveries().told(row["incident"], "email", digest(row["dedupe"])[:32], state)
    assert ack(house)["delivery"] == known
    assert {**ack(house), "delivery": None} == row


def test_what_is_told_twice_is_told_once(house: House) -> None:
    house.write(TWICE, "k1")
    row = ack(house)
    said = [Deliveries().told(row["incident"], "email", digest(row["dedupe"]), "sent") for _ in range(2)]
    assert said == [True, False]


@pytest.mark.parametrize("other", ["incident", "channel", "text", "nothing"])
def test_what_is_told_of_another_text_changes_none(house: House, other: str) -> None:
    house.write(TWICE, "k1")
    row = ack(house)
    incident = "another" if other == "incident" else row["incident"]
    channel = "sms" if other == "channel" else "email"
    about = {"text": "0" * 32, "nothing": ""}.get(other, digest(row["dedupe"]))
    assert not Deliveries().told(incident, channel, about, "sent")
    assert ack(house) == row


def test_people_see_it(house: House) -> None:
    opened = house.write(TWICE, "k1")
    row = ack(house)
    Deliveries().told(row["incident"], "email", digest(row["dedupe"]), "read")
    details: Any = house.firstline.views.incident(opened["ticket_id"])
    assert [one.delivery for one in details.notifications if one.kind == "acknowledgement"] == ["read"]
