"""Where customers can be reached: who blocks us is told by mail, at an address of their own, and each text once."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bot.errors import Blocked, Elsewhere
from bot.model import Address, Caller, Role
from bot.reach import Reach
from storage import database, lanes, notifications, reach
from storage.tables import Event, Notification, Unreachable
from tests.fakes import NOON, TestClock
from tests.house import AGENTS, ANA, CLERK, House
from tests.postgres import ON_POSTGRESQL
from tests.test_races import Race, race  # noqa: F401  # the fixture

TWICE = "My card was charged twice"
CHAT = Address("chat", "7")
BEN = Address("email", "ben@example.com")


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.stop()


def blocked(house: House) -> None:
    """From the next text on, the customer has blocked us in the chat."""
    house.chat.failures = [Blocked("the bot was blocked by the user")] * 99


def regained(house: House) -> None:
    house.chat.failures = []


def trail(house: House, name: str) -> list[tuple[Any, Any, Any]]:
    return [(row["incident"], row["before"], row["after"]) for row in house.all(Event) if row["name"] == name]


def marked(house: House) -> list[str]:
    return [f"{row['channel']}:{row['key']}" for row in house.all(Unreachable)]


def kinds(house: House, to: Address) -> list[str]:
    return [str(notice.kind) for address, notice in house.mail.sent if address == to]


def test_what_cannot_be_told_in_the_chat_goes_to_the_address_that_the_customer_has_proven(house: House) -> None:
    blocked(house)
    opened = house.chats(TWICE, "m-1", proven=(ANA,))
    assert kinds(house, ANA) == ["acknowledgement"]
    assert house.mail.sent[0][1].ticket_id == opened["ticket_id"]
    assert marked(house) == ["chat:7"]
    assert trail(house, "unreachable") == [(opened["incident_id"], "the bot was blocked by the user", "chat:7")]
    assert trail(house, "told_instead") == [(opened["incident_id"], "chat:7", f"email:{ANA.key}")]
    assert [(row["channel"], row["status"]) for row in house.all(Notification)] == [
        ("chat", "failed"),
        ("email", "sent"),
    ]


def test_from_then_on_the_address_is_left_out_and_mail_takes_its_place(house: House) -> None:
    blocked(house)
    opened = house.chats(TWICE, "m-1", proven=(ANA,))
    house.commands.reply(opened["ticket_id"], CLERK, "We are on it.")
    house.work()
    house.later(hours=24)
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.work()
    assert kinds(house, ANA) == ["acknowledgement", "reply", "resolved"]
    assert [row["kind"] for row in house.all(Notification) if row["channel"] == "chat"] == ["acknowledgement"]
    assert trail(house, "left_out") == [(opened["incident_id"], "chat:7", f"email:{ANA.key}")] * 2


def test_the_reminder_goes_by_mail_as_well(house: House) -> None:
    blocked(house)
    house.chats(TWICE, "m-1", proven=(ANA,))
    house.later(hours=24)
    assert kinds(house, ANA) == ["acknowledgement", "reminder"]


def test_a_message_from_there_takes_the_mark_off(house: House) -> None:
    blocked(house)
    opened = house.chats(TWICE, "m-1", proven=(ANA,))
    regained(house)
    house.clock.forward(minutes=5)
    house.chats("it was 20 euros", "m-2")
    assert marked(house) == []
    assert trail(house, "reachable") == [(None, None, "chat:7")]
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.work()
    assert [str(notice.kind) for _, notice in house.chat.sent] == ["added", "resolved"]
    assert kinds(house, ANA) == ["acknowledgement"]


@pytest.mark.parametrize("how", ["new", "edit", "press"])
def test_whatever_comes_from_there_takes_the_mark_off(house: House, how: str) -> None:
    opened = house.chats(TWICE, "m-1")
    Reach(house.clock).lost(CHAT, "blocked")
    where: dict[str, Any] = {
        "channel": "chat", "lane": "chat/7", "customer_id": "u-7", "addresses": (CHAT,), "reporter": "",
    }  # fmt: skip
    if how == "new":
        house.chats("My transfer failed", "m-2", fresh=True)
    elif how == "edit":
        house.edit("m-1", f"{TWICE}!", "m-2", **where)
    else:
        house.write("solved", "m-2", thread="m-1", kind="action", **where)
        assert house.incident(opened["incident_id"])["status"] == "resolved"
    assert marked(house) == []


def test_an_address_that_is_claimed_over_another_channel_keeps_its_mark(house: House) -> None:
    Reach(house.clock).lost(CHAT, "blocked")
    house.write(TWICE, "k-1", addresses=(CHAT,))
    assert marked(house) == ["chat:7"]


def test_a_channel_may_say_what_its_platform_tells_it(house: House) -> None:
    port = Reach(house.clock)
    for _ in range(2):
        port.lost(CHAT, "the user left")
    assert [(row["since"], row["reason"]) for row in house.all(Unreachable)] == [(NOON, "the user left")]
    assert trail(house, "unreachable") == [(None, "the user left", "chat:7")]
    house.chats(TWICE, "m-1", proven=(ANA,), addresses=())
    for _ in range(2):
        port.regained(CHAT)
    assert (marked(house), trail(house, "reachable")) == ([], [(None, None, "chat:7")])


def test_without_a_mail_address_of_their_own_nothing_goes_to_anybody(house: House) -> None:
    house.write(TWICE, "k-1", customer_id="u-7", addresses=(ANA,), reporter="")  # the same name, on another channel
    house.mail.sent.clear()
    blocked(house)
    opened = house.chats("My transfer failed", "m-1")
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.work()
    assert house.mail.sent == []
    assert trail(house, "left_out") == [(opened["incident_id"], "chat:7", "nowhere")]
    assert house.said(opened["incident_id"], "bot") != []  # it stands on the timeline all the same


def test_who_is_told_by_mail_anyway_is_not_told_twice(house: House) -> None:
    blocked(house)
    opened = house.chats(TWICE, "m-1", addresses=(CHAT, ANA))
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.work()
    assert kinds(house, ANA) == ["acknowledgement", "resolved"]
    assert trail(house, "told_instead") == []


def claimed_later(house: House, address: Address) -> None:
    """Let the one incident have another address by now, which nobody has proven, and its first text not be sent yet."""
    (row,) = [row for row in house.all(Notification) if row["channel"] == "chat"]
    with database.transaction():
        addresses = json.dumps([{"channel": to.channel, "key": to.key} for to in (CHAT, address)])
        database.execute("UPDATE incidents SET addresses = ?", (addresses,))
        database.update(Notification, row["id"], {"status": "pending", "due_at": NOON})
        lanes.wake({row["lane"]: NOON})


def test_an_address_of_the_incident_that_was_not_told_comes_before_a_proven_one(house: House) -> None:
    house.chats(TWICE, "m-1", proven=(BEN,))
    claimed_later(house, ANA)
    blocked(house)
    house.work()
    assert (kinds(house, ANA), kinds(house, BEN)) == (["acknowledgement"], [])


@pytest.mark.parametrize("text", ["My card was stolen", "My account is locked"])
@pytest.mark.parametrize("proven", [(), (BEN,)], ids=["none proven", "one proven"])
def test_fraud_and_locked_accounts_are_told_to_nobody_but_the_same_person(
    house: House, text: str, proven: tuple[Address, ...]
) -> None:
    house.chats(text, "m-1", proven=proven)
    claimed_later(house, ANA)
    blocked(house)
    house.work()
    assert (kinds(house, ANA), kinds(house, BEN)) == ([], ["acknowledgement"] * len(proven))


def test_an_address_of_the_incident_that_is_lost_too_is_passed_over(house: House) -> None:
    Reach(house.clock).lost(ANA, "no such mailbox")
    blocked(house)
    house.chats(TWICE, "m-1", addresses=(CHAT, ANA), proven=(BEN,))
    assert (kinds(house, ANA), kinds(house, BEN)) == ([], ["acknowledgement"])


def test_what_cannot_be_told_in_a_chat_is_told_by_mail_and_the_chat_takes_what_comes_next(house: House) -> None:
    house.chat.failures = [Elsewhere("there is no template for it")]
    house.chats(TWICE, "m-1", proven=(ANA,))
    assert (marked(house), kinds(house, ANA)) == ([], ["acknowledgement"])
    house.commands.reply(house.incidents()[0]["ticket_id"], CLERK, "We are on it.")
    house.work()
    assert [notice.kind for to, notice in house.chat.sent if to == CHAT] == ["reply"]
    assert kinds(house, ANA) == ["acknowledgement"]


def test_agents_who_block_us_are_not_told_by_a_customers_mail(house: House) -> None:
    house.mail.failures = [Blocked("left")]
    house.chats("My card was stolen", "m-1", proven=(ANA,))
    assert marked(house) == [f"email:{AGENTS.key}"]
    assert kinds(house, ANA) == []


def test_who_dies_between_the_mark_and_the_end_tells_it_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    class Died(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Died

    blocked(house)
    house.chat.can_look = False
    house.accept(TWICE, "m-1", channel="chat", private=True, lane="chat/7", reporter="", customer_id="u-7",
                 addresses=(CHAT,), proven=(ANA,))  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr(notifications, "mark_failed", die)
        with pytest.raises(Died):
            house.work()
    house.die()
    for _ in range(4):
        house.later(minutes=2)
    assert kinds(house, ANA) == ["acknowledgement"]
    assert [row["status"] for row in house.all(Notification) if row["channel"] == "chat"] == ["failed"]


def test_a_mark_goes_with_the_customer_who_is_forgotten(house: House) -> None:
    blocked(house)
    opened = house.chats(TWICE, "m-1", proven=(ANA,))
    house.firstline.privacy.forget(ANA.key, Caller("admin", Role.ADMIN))
    assert marked(house) == []
    assert "chat:7" not in str([row for row in house.all(Event) if row["incident"] == opened["incident_id"]])


@ON_POSTGRESQL
def test_who_tells_both_addresses_while_one_is_found_to_be_blocked_waits_in_no_circle(
    house: House,
    race: Race,  # noqa: F811
) -> None:
    house.chats(TWICE, "m-1", addresses=(CHAT, Address("email", "a@example.com")), proven=(ANA,))
    opened = house.incidents()[0]
    house.commands.reply(opened["ticket_id"], CLERK, "We are on it.")
    blocked(house)
    race.let_in(lambda: house.commands.resolve(opened["ticket_id"], CLERK), after=(reach, "lose"))
    house.firstline.lanes.run(f"out/{CHAT}")
    race.finish()
    house.clock.forward(seconds=1)
    house.work()
    assert kinds(house, Address("email", "a@example.com")) == ["acknowledgement", "reply", "resolved"]
    assert house.clock.now - NOON < timedelta(minutes=1)
