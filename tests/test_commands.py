"""What agents and customers may do, in the words in which they do it."""

from collections.abc import Iterator
from typing import Any

import pytest

from bot.commands import LONGEST_NOTE, LONGEST_REPLY, TABLE
from bot.errors import Conflict, FirstlineError, Forbidden, NotFound, NotUnderstood, Undeliverable
from bot.model import Address, Caller, Role
from storage.tables import Event, Message
from tests.fakes import TestClock
from tests.house import AGENTS, CLERK, CUSTOMER, House
from tests.postgres import ON_SQLITE

TWICE = "My card was charged twice"
EVA = Caller("eva", Role.AGENT)


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.stop()


@pytest.fixture
def ticket(house: House) -> str:
    return str(house.write(TWICE, "k-1")["ticket_id"])


def only(house: House) -> dict[str, Any]:
    (incident,) = house.incidents()
    return incident


def texts(house: House, direction: str) -> list[str]:
    return [row["text"] for row in house.all(Message) if row["direction"] == direction]


def test_every_command_answers_in_one_exact_sentence(house: House, ticket: str) -> None:
    said = [
        house.commands.run(line.replace("TKT", ticket), CLERK)
        for line in (
            "assign TKT",
            "assign TKT eva",
            "note TKT she called",
            "category TKT fraud report",
            "reply TKT We are on it.",
            "resolve TKT refunded",
            "reopen TKT",
        )
    ]
    assert said == [
        f"{ticket} is assigned to clerk.",
        f"{ticket} is assigned to eva.",
        f"Noted on {ticket}; the customer does not see it.",
        f"{ticket} is fraud_report now (urgent).",
        f"Your reply to {ticket} goes out by email.",
        f"{ticket} is resolved.",
        f"{ticket} is open again.",
    ]
    assert f"{ticket}  open, opened 2026-11-22 12:00 UTC, fraud_report, urgent, assigned to eva" == house.commands.run(
        f"status {ticket}", CLERK
    )


def test_a_reply_goes_to_the_customer_and_a_note_does_not(house: House, ticket: str) -> None:
    house.commands.reply(ticket, CLERK, "Please tell us the shop.")
    house.commands.note(ticket, CLERK, "sounds like a known case")
    house.work()
    assert [notice.lead for notice in house.mails("reply")] == ["Please tell us the shop."]
    assert all("known case" not in notice.text for _, notice in house.mail.sent)
    assert (texts(house, "agent"), texts(house, "note")) == (["Please tell us the shop."], ["sounds like a known case"])


def test_a_reply_that_is_sent_again_under_its_key_goes_out_once(house: House, ticket: str) -> None:
    for _ in range(3):
        house.commands.reply(ticket, CLERK, "Hello", key="r-1")
    house.commands.reply(ticket, EVA, "Hello", key="r-1")
    house.work()
    assert len(house.mails("reply")) == 2


def test_one_key_serves_for_each_ticket(house: House, ticket: str) -> None:
    other = house.write("It failed", "k-2")["ticket_id"]
    for name in (ticket, other):
        house.commands.reply(name, CLERK, "Hello", key="r-1")
    assert texts(house, "agent") == ["Hello", "Hello"]
    with pytest.raises(Conflict, match="with another text"):
        house.commands.reply(ticket, CLERK, "Good bye", key="r-1")


def test_a_note_that_is_too_long_is_cut_with_a_mark_and_a_reply_is_refused(house: House, ticket: str) -> None:
    house.commands.note(ticket, CLERK, "n" * 3000)
    (note,) = texts(house, "note")
    assert (len(note), note[-1]) == (LONGEST_NOTE, "…")
    with pytest.raises(NotUnderstood, match=f"1 to {LONGEST_REPLY} characters"):
        house.commands.reply(ticket, CLERK, "r" * (LONGEST_REPLY + 1))


@pytest.mark.parametrize("command", ["note", "reply", "resolve"])
def test_control_characters_are_dropped_and_card_numbers_masked(house: House, ticket: str, command: str) -> None:
    house.commands.run(f"{command} {ticket} his card\x1b[31m\x00 4111 1111 1111 1111", CLERK)
    everything = str([house.all(table) for table in (Message, Event)])
    assert "4111 1111" not in everything
    assert "his card[31m [card …1111]" in everything


@pytest.mark.parametrize("line", ["", "  ", "frobnicate", "Frobnicate TKT-1", "resolv TKT-1", "\x00"])
def test_an_unknown_command_is_answered_with_all_that_there_are(house: House, line: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        house.commands.run(line, CLERK)
    assert all(command.usage in str(refused.value) for command in TABLE.values())


def test_help_tells_a_customer_what_a_customer_may(house: House) -> None:
    assert "resolve" in house.commands.run("help", CLERK)
    mine = house.commands.run("help", CUSTOMER)
    assert "status" in mine
    assert "resolve" not in mine


@pytest.mark.parametrize("name", [name for name, command in TABLE.items() if command.role is Role.AGENT])
def test_nobody_but_an_agent_gets_a_command_run_and_the_attempt_is_kept(house: House, ticket: str, name: str) -> None:
    before = only(house)
    with pytest.raises(Forbidden, match=f"{name} is for agents"):
        house.commands.run(f"{name} {ticket} other", CUSTOMER)
    assert only(house) == before
    (attempt,) = [event for event in house.all(Event) if event["name"] == "refused"]
    assert (attempt["actor"], attempt["after"]) == ("C-1042", f"{name} {ticket} other")


@pytest.mark.parametrize("name", [name for name, command in TABLE.items() if "TKT-x" in command.usage])
def test_a_command_without_its_ticket_says_how_it_is_written(house: House, name: str) -> None:
    with pytest.raises(NotUnderstood, match="Which ticket"):
        house.commands.run(name, CLERK)


@ON_SQLITE
@pytest.mark.parametrize(
    "line", ["resolve nothing", "resolve TKT-", "status 1234", "status %%%%", "status TKT-____", "reply TKT-\n x"]
)
def test_what_is_not_there_is_said_not_to_be(house: House, ticket: str, line: str) -> None:
    with pytest.raises(NotFound, match=r"^No incident goes by '[^']*'\.$"):
        house.commands.run(line, CLERK)


def test_an_ambiguous_beginning_names_those_that_it_may_be(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from bot import tickets

    numbers = iter(["TKT-aaaa1111", "TKT-aaaa2222"])
    monkeypatch.setattr(tickets, "local_number", lambda: next(numbers))
    for key in ("k-1", "k-2"):
        house.write(TWICE, key)
    with pytest.raises(NotFound, match="Did you mean TKT-aaaa1111 or TKT-aaaa2222"):
        house.commands.status("aaaa", CLERK)
    assert house.commands.status("AAAA1", CLERK).ticket_id == "TKT-aaaa1111"
    with pytest.raises(NotFound, match="No incident goes by 'aaa'"):
        house.commands.status("aaa", CLERK)


def test_lists_are_of_what_is_open_of_ones_own_or_of_a_category(house: House) -> None:
    one, two, three = (
        house.write(text, f"k-{number}")["ticket_id"] for number, text in enumerate((TWICE, "It failed", "stolen"))
    )
    house.commands.assign(two, CLERK)
    house.commands.resolve(one, CLERK)

    def listed(which: str) -> set[str]:
        return {incident.ticket_id for incident in house.commands.list(CLERK, which)}

    assert listed("") == listed("open") == {two, three}
    assert listed("mine") == {two}
    assert listed("fraud_report") == {three}
    assert house.commands.run("list refund_request", CLERK) == "There are none."
    with pytest.raises(NotUnderstood, match="list what"):
        house.commands.list(CLERK, "everything")


def test_what_becomes_urgent_by_an_agents_word_is_told_to_all(house: House, ticket: str) -> None:
    house.commands.category(ticket, CLERK, "account_locked")
    house.work()
    assert len(house.mails("alert", AGENTS)) == 1
    assert (only(house)["classified_by"], only(house)["confidence"]) == ("clerk", None)


def test_what_is_done_already_is_said_to_be(house: House, ticket: str) -> None:
    with pytest.raises(Conflict, match="is open already"):
        house.commands.reopen(ticket, CLERK)
    house.commands.category(ticket, CLERK, "duplicate_payment")  # a person confirms what a classifier said
    with pytest.raises(Conflict, match="is duplicate_payment already"):
        house.commands.category(ticket, CLERK, "duplicate_payment")


def test_a_category_that_is_confirmed_stays_the_classifiers_with_its_confidence(house: House, ticket: str) -> None:
    house.commands.category(ticket, CLERK, "duplicate_payment")
    incident = only(house)
    assert (incident["classified_by"], incident["confidence"], incident["reviewed_by"]) == ("words", 0.95, "clerk")
    assert house.events(incident["id"])[-1] == "category_confirmed"


def test_a_customer_who_is_not_known_has_no_tickets(house: House, ticket: str) -> None:
    stranger = Caller("x", Role.CUSTOMER, Address("chat", "nobody"))
    assert house.commands.run("list", stranger) == "There are none."
    with pytest.raises(NotFound, match="No ticket of yours"):
        house.commands.run(f"status {ticket}", stranger)


def test_a_resolution_is_asked_about_once_and_the_answer_is_kept(house: House, ticket: str) -> None:
    from storage.tables import Rating

    incident_id = only(house)["id"]
    for score in ("4", "५"):
        house.commands.resolve(ticket, CLERK)
        house.work()
        house.answer(incident_id, "2")
        house.answer(incident_id, score)
        house.commands.reopen(ticket, CLERK)
    assert [(row["resolution"], row["score"]) for row in house.all(Rating)] == [(1, 4), (2, 5)]
    assert len(house.mails("resolved")) == 2
    figures = house.firstline.views.stats()
    assert (figures["ratings"], figures["mean_rating"]) == (2, 4.5)


@ON_SQLITE
def test_no_line_however_odd_is_more_than_a_clear_refusal(house: House, ticket: str) -> None:
    for line in (f"resolve\n{ticket}", "status " + "x" * 20_000, "note " + "\u202e" * 50, "list \ud800", "/" * 99):
        try:
            answer = house.commands.run(line, CLERK)
        except FirstlineError as exc:
            answer = str(exc)
        assert 0 < len(answer) < 2000


def test_an_agent_is_shown_what_was_said_and_done_and_what_did_not_arrive(house: House, ticket: str) -> None:
    house.commands.note(ticket, EVA, "She called.")
    house.mail.failures = [Undeliverable("there is no such mailbox")]
    house.commands.reply(ticket, EVA, "Which shop\nwas it?")
    house.work()
    lines = house.commands.run(f"show {ticket}", CLERK).splitlines()
    assert lines[:4] == [
        f"{ticket}  open, opened 2026-11-22 12:00 UTC",
        "duplicate_payment, 95% by words, normal, assigned to nobody",
        "Customer: C-1042, answered by email",
        f"> {TWICE}",
    ]
    assert "11-22 12:00  eva  note: She called." in lines
    assert "11-22 12:00  eva  agent: Which shop was it?" in lines
    assert lines[-1] == "! reply by email: failed (there is no such mailbox)"


def test_what_is_shown_of_a_long_story_fits_a_chat(house: House, ticket: str) -> None:
    for number in range(40):
        house.commands.note(ticket, EVA, f"{number} " + "long " * 300)
    shown = house.commands.run(f"show {ticket}", CLERK)
    assert len(shown) <= 3000
    assert "earlier lines" in shown


def test_a_customer_is_shown_nothing_by_it(house: House, ticket: str) -> None:
    with pytest.raises(Forbidden):
        house.commands.run(f"show {ticket}", CUSTOMER)
