"""A message joins an incident only if something shows that its sender may write there: a signed token of ours, or a
proven sender who takes part in it. Everything else waits for a person (CASES 9)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.errors import Conflict, Forbidden, NotFound
from bot.model import Address, Proof
from storage.tables import InboxMessage
from tests.fakes import TestClock
from tests.house import ANA, CLERK, CUSTOMER, House
from tests.postgres import ON_SQLITE
from tests.test_cli import bot, refusal

BEA = Address("email", "bea@example.com")
TWICE = "My card was charged twice"
MORE = "It was on Monday, at the petrol station"


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock, board=Address("chat", "agents"))
    yield house
    house.stop()


@pytest.fixture
def opened(house: House) -> dict[str, Any]:
    """What came of a mail of Ana's."""
    return house.mailed(TWICE, "<m1@example.com>")


def under(opened: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a mail says that refers to hers."""
    return {"refers_to": ("<m1@example.com>",), **changes}


def proven(of: Address) -> dict[str, Any]:
    return {
        "proof": Proof.SENDER,
        "customer_id": of.key,
        "lane": f"email/{of.key}",
        "proven": (of,),
        "addresses": (of,),
    }


def test_a_signed_token_is_authority_whoever_wrote(house: House, opened: dict[str, Any]) -> None:
    house.mailed(MORE, "<m2@b>", **{**proven(BEA), "proof": Proof.NONE}, entitled_to=opened["incident_id"])
    assert house.said(opened["incident_id"]) == [TWICE, MORE]


def test_a_token_leads_to_its_incident_whatever_else_the_mail_refers_to(house: House, opened: dict[str, Any]) -> None:
    other = house.mailed("The refund failed", "<m9@example.com>", lane="email/x")
    house.mailed(MORE, "<m2@b>", **under(opened), entitled_to=other["incident_id"])
    assert house.said(other["incident_id"]) == ["The refund failed", MORE]


def test_a_reference_alone_is_no_authority(house: House, opened: dict[str, Any]) -> None:
    outcome = house.mailed(MORE, "<m2@b>", **under(opened))
    assert house.said(opened["incident_id"]) == [TWICE]
    assert outcome["message"] == "Your message is kept, and a person will look at it."
    assert len(house.incidents()) == 1


def test_a_proven_sender_who_takes_part_joins(house: House, opened: dict[str, Any]) -> None:
    house.mailed(MORE, "<m2@b>", **under(opened, **proven(ANA)))
    assert house.said(opened["incident_id"]) == [TWICE, MORE]


def test_a_proven_sender_who_does_not_take_part_waits(house: House, opened: dict[str, Any]) -> None:
    house.mailed(MORE, "<m2@b>", **under(opened, **proven(BEA)))
    assert house.said(opened["incident_id"]) == [TWICE]


def test_who_got_a_copy_takes_part(house: House) -> None:
    opened = house.mailed(TWICE, "<m1@example.com>", **proven(ANA), copied=(BEA,))
    house.mailed(MORE, "<m2@b>", **under(opened, **proven(BEA)))
    assert house.said(opened["incident_id"]) == [TWICE, MORE]


def test_a_number_in_a_subject_is_no_authority(house: House, opened: dict[str, Any]) -> None:
    outcome = house.mailed("Locked out", "<m2@b>", **proven(BEA), ticket=opened["ticket_id"])
    assert outcome["incident_id"] != opened["incident_id"]
    outcome = house.mailed("Locked out again", "<m3@b>", ticket=opened["ticket_id"])
    assert outcome["incident_id"] != opened["incident_id"]


def test_a_number_in_a_subject_leads_a_proven_customer_to_their_ticket(house: House, opened: dict[str, Any]) -> None:
    house.mailed(MORE, "<m2@b>", **proven(ANA), ticket=opened["ticket_id"])
    assert house.said(opened["incident_id"]) == [TWICE, MORE]


def test_nothing_is_reopened_and_nobody_answered(house: House, opened: dict[str, Any]) -> None:
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.work()
    before = len(house.mail.sent)
    house.mailed("Open it again: " + TWICE, "<m2@b>", **under(opened))
    assert house.incident(opened["incident_id"])["status"] == "resolved"
    told = [to for to, _ in house.mail.sent[before:]]
    assert ANA not in told
    assert "Open it again" not in "".join(notice.text for to, notice in house.mail.sent[before:])


def test_a_bare_yes_of_nobody_knows_whom_resolves_nothing(house: House, opened: dict[str, Any]) -> None:
    house.later(hours=24)
    house.mailed("Yes, it is solved", "<m2@b>", **under(opened))
    assert house.incident(opened["incident_id"])["status"] == "open"


def test_agents_see_what_waits_and_let_it_in(house: House, opened: dict[str, Any]) -> None:
    house.mailed(MORE, "<m2@b>", **under(opened))
    (entry,) = [notice for _, notice in house.chat.sent if notice.kind == "entry"]
    assert MORE in entry.quote
    listed = house.commands.run("quarantine", CLERK)
    name = listed.split()[0]
    assert opened["ticket_id"] in listed
    assert MORE in listed
    assert MORE in house.commands.run(f"show {opened['ticket_id']}", CLERK)
    assert opened["ticket_id"] in house.commands.run(f"accept {name}", CLERK)
    house.work()
    assert house.said(opened["incident_id"]) == [TWICE, MORE]
    assert house.commands.run("quarantine", CLERK) == "Nothing waits."
    assert {"quarantined", "admitted"} <= set(house.events(opened["incident_id"]))


def test_what_is_let_in_does_what_it_would_have_done(house: House, opened: dict[str, Any]) -> None:
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.mailed("It happened again: charged twice", "<m2@b>", **under(opened))
    house.commands.run(f"accept {house.commands.run('quarantine', CLERK).split()[0]}", CLERK)
    house.work()
    assert house.incident(opened["incident_id"])["status"] == "open"


def test_what_is_kept_out_stays_out(house: House, opened: dict[str, Any]) -> None:
    house.mailed(MORE, "<m2@b>", **under(opened))
    name = house.commands.run("quarantine", CLERK).split()[0]
    house.commands.run(f"reject {name}", CLERK)
    house.work()
    assert house.said(opened["incident_id"]) == [TWICE]
    assert house.commands.run("quarantine", CLERK) == "Nothing waits."
    with pytest.raises(Conflict, match="decided about already"):
        house.commands.run(f"accept {name}", CLERK)
    house.mailed(MORE, "<m2@b>", **under(opened))  # brought once more
    assert house.commands.run("quarantine", CLERK) == "Nothing waits."


@pytest.mark.parametrize("command", ["quarantine", "accept held-1", "reject held-1"])
def test_only_agents_decide(house: House, command: str) -> None:
    with pytest.raises(Forbidden):
        house.commands.run(command, CUSTOMER)


@pytest.mark.parametrize("name", ["", "held-", "held-999", "message-1", "held-1; drop", "held-" + "9" * 30])
def test_what_does_not_wait_cannot_be_let_in(house: House, opened: dict[str, Any], name: str) -> None:
    with pytest.raises(NotFound):
        house.commands.run(f"accept {name}", CLERK)


def test_agents_are_told_of_the_first_by_mail_and_not_of_a_thousand(db: str, clock: TestClock) -> None:
    house = House(clock)
    house.mailed(TWICE, "<m1@example.com>")
    for number in range(5):
        house.mailed(f"{MORE} {number}", f"<f{number}@b>", refers_to=("<m1@example.com>",), lane=f"email/{number}")
    assert len(house.owed("alert")) == 1
    house.stop()


@ON_SQLITE
def test_whoever_is_only_claimed_to_have_written_is_not_who_has_proven_it(house: House) -> None:
    mine = house.mailed(TWICE, "<m1@example.com>", **proven(ANA))
    forged = house.mailed("The refund failed", "<m2@b>")
    rows = {row["id"]: row for row in house.incidents()}
    assert rows[mine["incident_id"]]["identity"] != rows[forged["incident_id"]]["identity"]
    assert rows[forged["incident_id"]]["customer_id"] == ANA.key


@ON_SQLITE
def test_an_answer_goes_to_who_got_a_copy_but_not_of_what_is_urgent(house: House) -> None:
    plain = house.mailed(TWICE, "<m1@example.com>", **proven(ANA), copied=(BEA,))
    urgent = house.mailed("My card was stolen", "<m2@example.com>", **proven(ANA), copied=(BEA,))
    house.work()
    assert not house.mails("acknowledgement", BEA)
    house.commands.reply(plain["ticket_id"], CLERK, "We are looking into it")
    house.commands.reply(urgent["ticket_id"], CLERK, "Your card is blocked")
    house.work()
    assert [notice.ticket_id for notice in house.mails("reply", BEA)] == [plain["ticket_id"]]
    assert len(house.mails("reply", ANA)) == 2


@ON_SQLITE
def test_the_row_of_what_waits_is_not_among_the_dead(house: House, opened: dict[str, Any]) -> None:
    house.mailed(MORE, "<m2@b>", **under(opened))
    assert house.firstline.views.dead() == []
    assert [row["state"] for row in house.all(InboxMessage)] == ["done", "quarantined"]


@ON_SQLITE
def test_on_the_command_line_a_person_decides_as_well(house: House, opened: dict[str, Any]) -> None:
    house.mailed(MORE, "<m2@b>", **under(opened))
    house.mailed("Send the money to me", "<m3@b>", **under(opened))
    listed = " ".join(bot("quarantine").stdout.split())
    assert MORE in listed
    first, second = re.findall(r"held-\d+", listed)
    assert f"Kept out of {opened['ticket_id']}." in bot("reject", second).stdout
    assert opened["ticket_id"] in bot("accept", first).stdout
    house.clock.now = datetime.now(UTC)  # the command went by the clock of the machine
    house.work()
    assert house.said(opened["incident_id"]) == [TWICE, MORE]
    assert "decided about already" in refusal(bot("accept", second), 1)
