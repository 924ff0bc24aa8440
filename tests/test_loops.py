"""Mail that answers mail ends by itself, also where no header says that a machine is at it (CASES 2)."""

from collections.abc import Iterator
from typing import Any

import pytest

from bot.loops import MOST
from bot.model import Address
from tests.fakes import TestClock
from tests.house import ANA, CLERK, House

TWICE = "My card was charged twice"


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.stop()


def acknowledged(house: House, to: Address = ANA) -> int:
    return len(house.mails("acknowledgement", to))


def test_whoever_writes_new_mails_for_ever_is_answered_ten_times_in_three_hours(house: House) -> None:
    for number in range(200):
        house.mailed(f"{TWICE}, number {number}", f"<m{number}@b>")
        house.clock.forward(seconds=30)
    assert acknowledged(house) == MOST
    assert len(house.incidents()) == 200  # each is kept, and a person can answer it


def test_after_three_hours_they_are_answered_again(house: House) -> None:
    for number in range(MOST + 1):
        house.mailed(f"{TWICE}, number {number}", f"<m{number}@b>")
    house.clock.forward(minutes=181)
    house.mailed("The refund failed", "<late@b>")
    assert acknowledged(house) == MOST + 1


def test_others_are_answered_meanwhile(house: House) -> None:
    bea = Address("email", "bea@example.com")
    for number in range(MOST + 1):
        house.mailed(f"{TWICE}, number {number}", f"<m{number}@b>")
    house.mailed(TWICE, "<bea@b>", customer_id=bea.key, lane=f"email/{bea.key}", addresses=(bea,))
    assert acknowledged(house, bea) == 1


def test_the_same_again_is_not_answered(house: House) -> None:
    for number in range(5):
        house.mailed("I am away until Monday.", f"<m{number}@b>")
    assert acknowledged(house) == 1


def test_what_is_reopened_by_the_same_again_is_opened_without_a_word(house: House) -> None:
    opened = house.mailed(TWICE, "<m1@b>")
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.mailed(TWICE, "<m2@b>", entitled_to=opened["incident_id"])
    assert house.incident(opened["incident_id"])["status"] == "open"
    assert house.mails("reopened") == []


def test_a_machine_that_says_so_is_put_on_the_incident_and_never_answered(house: House) -> None:
    opened = house.mailed(TWICE, "<m1@b>")
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.work()
    before = len(house.mail.sent)
    for number in range(20):
        away: dict[str, Any] = {"automatic": True, "entitled_to": opened["incident_id"], "addresses": ()}
        house.mailed(f"I am away {number}", f"<away{number}@b>", **away)
    assert house.incident(opened["incident_id"])["status"] == "resolved"
    assert len(house.said(opened["incident_id"])) == 21
    assert len(house.mail.sent) == before


def test_what_people_post_over_the_api_is_answered_as_often_as_they_post(house: House) -> None:
    for number in range(MOST + 5):
        house.write(f"{TWICE}, number {number}", f"k{number}")
    assert acknowledged(house) == MOST + 5
