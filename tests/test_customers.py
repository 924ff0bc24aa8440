"""Who a customer is: what a channel proves joins, what somebody claims does not; and joining by hand."""

from collections.abc import Iterator
from typing import Any

import pytest

from bot.errors import Conflict, Forbidden, NotFound
from bot.model import Address, Caller, Role
from storage import customers, database
from storage.tables import Customer, Event, Identity
from tests.fakes import TestClock
from tests.house import ANA, CLERK, House
from tests.postgres import ON_SQLITE
from tests.test_cli import bot, refusal


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.stop()


def owner(channel: str, name: str) -> str:
    """The customer to whom an identity belongs."""
    with database.session():
        row = customers.identity(channel, name)
    assert row is not None
    return str(row["customer"])


def three(house: House) -> list[str]:
    """Three customers, a, b and c; return their ids."""
    for name in "abc":
        house.write("a failed payment", f"k-{name}", customer_id=name, addresses=())
    return [owner("web", f"shop:{name}") for name in "abc"]


# --- by what a channel proves


def test_an_address_that_somebody_claims_joins_nobody(house: House) -> None:
    house.write("a failed payment", "k-1", customer_id="C-1", addresses=(ANA,))
    house.write("a refund please", "k-2", customer_id="C-2", addresses=(ANA,))
    house.chats("hello", "m-1", addresses=(ANA,), proven=(ANA,))
    owners = {owner("web", "shop:C-1"), owner("web", "shop:C-2"), owner("chat", "u-7")}
    assert len(owners) == 3


def test_a_name_that_two_callers_of_the_api_use_is_two_customers(house: House) -> None:
    house.write("a failed payment", "k-1", reporter="shop")
    house.write("a failed payment", "k-2", reporter="bank")
    assert owner("web", "shop:C-1042") != owner("web", "bank:C-1042")


def test_one_address_that_two_channels_prove_is_one_customer(house: House) -> None:
    house.write("a failed payment", "k-1", proven=(ANA,))
    house.chats("hello", "m-1", proven=(ANA,))
    assert owner("web", "shop:C-1042") == owner("chat", "u-7") == owner("email", ANA.key)
    assert len(house.all(Customer)) == 1


def test_who_proves_an_address_later_is_joined_then_and_the_trail_says_so(house: House) -> None:
    house.write("a failed payment", "k-1", proven=(ANA,))
    house.chats("hello", "m-1")
    before = {row["external_id"]: row["customer"] for row in house.all(Identity)}
    assert before["u-7"] != before["shop:C-1042"]
    house.chats("it is me", "m-2", proven=(ANA,))
    assert owner("web", "shop:C-1042") == owner("chat", "u-7") == owner("email", ANA.key) == before["u-7"]
    (event,) = [row for row in house.all(Event) if row["name"] == "merged"]
    assert (event["customer"], event["actor"], event["after"]) == (
        before["u-7"],
        "proven by the channel",
        before["shop:C-1042"],
    )


def test_the_same_name_on_two_channels_proves_nothing(house: House) -> None:
    house.write("hello", "k-1", customer_id="u-7", reporter="")
    house.chats("hello", "m-1")
    assert owner("web", "u-7") != owner("chat", "u-7")


# --- by hand


def test_two_customers_are_joined_and_the_trail_says_by_whom(house: House) -> None:
    a, b, c = three(house)
    house.commands.merge(a, b, CLERK)
    assert [owner("web", f"shop:{name}") for name in "abc"] == [b, b, c]
    (event,) = house.all(Event)[-1:]
    assert (event["customer"], event["actor"], event["name"], event["after"]) == (b, "clerk", "merged", a)


def test_a_join_survives_the_next_one(house: House) -> None:
    a, b, c = three(house)
    house.commands.merge(a, b, CLERK)
    house.commands.merge(b, c, CLERK)
    assert {owner("web", f"shop:{name}") for name in "abc"} == {c}
    assert {row["id"]: row["merged_into"] for row in house.all(Customer)} == {a: c, b: c, c: None}


def test_a_customer_may_be_named_as_one_channel_knows_them(house: House) -> None:
    a, b, _ = three(house)
    house.commands.merge("shop:a", "shop:b", CLERK)
    assert owner("web", "shop:a") == b != a


def test_who_is_the_same_customer_already_is_not_joined_again(house: House) -> None:
    a, b, _ = three(house)
    with pytest.raises(Conflict, match="the same customer already"):
        house.commands.merge(a, a, CLERK)
    house.commands.merge(a, b, CLERK)
    with pytest.raises(Conflict, match="the same customer already"):
        house.commands.merge(a, b, CLERK)


def test_a_name_that_nobody_or_more_than_one_has_joins_nobody(house: House) -> None:
    a, _, _ = three(house)
    house.chats("hello", "m-1", customer_id="both")
    house.write("hello", "k-1", customer_id="both", reporter="")
    with pytest.raises(NotFound, match="No customer goes by 'nobody'"):
        house.commands.merge("nobody", a, CLERK)
    with pytest.raises(NotFound, match="More than one customer goes by 'both'"):
        house.commands.merge(a, "both", CLERK)
    assert [row["merged_into"] for row in house.all(Customer)] == [None] * 5


def test_a_customer_joins_nobody(house: House) -> None:
    a, b, _ = three(house)
    with pytest.raises(Forbidden):
        house.commands.merge(a, b, Caller("a", Role.CUSTOMER, Address("web", "shop:a")))
    assert owner("web", "shop:a") == a


def test_who_was_joined_sees_the_incidents_of_both(house: House) -> None:
    a, b, _ = three(house)
    caller = Caller("a", Role.CUSTOMER, Address("web", "shop:a"))
    assert len(house.commands.list(caller)) == 1
    house.commands.merge(a, b, CLERK)
    assert len(house.commands.list(caller)) == 2


@ON_SQLITE
def test_on_the_command_line_two_customers_are_joined_by_an_administrator(house: House) -> None:
    a, b, _ = three(house)
    done = bot("customers", "merge", a, "shop:b")
    assert (done.returncode, " ".join(done.stdout.split())) == (0, f"{a} and shop:b are one customer.")
    event: Any = house.all(Event)[-1]
    assert (event["actor"], event["customer"], event["after"]) == ("command line", b, a)
    assert refusal(bot("customers", "merge", a, b), 1) == "bot: These are the same customer already.\n"
    assert "No customer goes by 'nobody'" in refusal(bot("customers", "merge", a, "nobody"), 1)


def test_whoever_is_merged_already_stands_for_the_one_they_became(house: House) -> None:
    a, b, c = three(house)
    house.write("a failed payment", "k-d", customer_id="d", addresses=())
    house.commands.merge(a, b, CLERK)
    house.commands.merge(b, c, CLERK)
    house.commands.merge("shop:d", b, CLERK)
    assert {owner("web", f"shop:{name}") for name in "abcd"} == {c}
    with pytest.raises(Conflict, match="same customer already"):
        house.commands.merge(c, a, CLERK)


def test_nobody_is_joined_with_somebody_who_was_forgotten(house: House) -> None:
    a, b, _ = three(house)
    house.firstline.privacy.forget(a, Caller("admin", Role.ADMIN))
    for one, other in ((a, b), (b, a)):
        with pytest.raises(Conflict, match="was forgotten"):
            house.commands.merge(one, other, CLERK)
