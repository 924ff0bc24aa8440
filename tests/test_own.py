"""What customers may do themselves: look at their tickets, close one, and have our texts at a mail address, too."""

import re
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.policy import SMTP as smtp
from typing import Any

import pytest

from adapters.mail.compose import compose
from bot import own
from bot.errors import Conflict, FirstlineError, Forbidden, NotFound, NotUnderstood, TryLater
from bot.language import LANGUAGES
from bot.model import Address, Caller, Role
from bot.outbox import CODE_HOLDS
from storage import codes, customers, database
from storage.tables import Code, Customer, Event, Identity, Notification
from tests.fakes import TestClock
from tests.house import ANA, CLERK, House
from tests.postgres import ON_POSTGRESQL, ON_SQLITE
from tests.test_customers import owner
from tests.test_pacing import at_once
from tests.test_races import Race, race  # noqa: F401  # the fixture

TWICE = "My card was charged twice"
CHAT = Address("chat", "7")
ME = Caller("u-7", Role.CUSTOMER, Address("chat", "u-7"))
BEN = Caller("u-8", Role.CUSTOMER, Address("chat", "u-8"))
BENS: dict[str, Any] = {"customer_id": "u-8", "lane": "chat/8", "addresses": (Address("chat", "8"),)}
SENT = "We have sent a code to {}. It is good for 15 minutes. Write it here: code 123456"


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.stop()


def say(house: House, line: str, caller: Caller = ME) -> str:
    return str(house.commands.run(line, caller))


def answer(house: House, line: str, caller: Caller = ME) -> str:
    """The answer, also if it is a refusal."""
    try:
        return say(house, line, caller)
    except FirstlineError as exc:
        return str(exc)


def last_code(house: House, to: Address = ANA) -> str:
    """The code of the last mail that went to an address."""
    house.work()
    found = re.search(r"\b\d{6}\b", house.mails("code", to)[-1].text)
    assert found
    return found[0]


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def prove(house: House, caller: Caller = ME, address: Address = ANA) -> None:
    say(house, f"email {address.key}", caller)
    say(house, f"code {last_code(house, address)}", caller)


def addresses(house: House, incident_id: str) -> list[str]:
    return [f"{to['channel']}:{to['key']}" for to in house.incident(incident_id)["addresses"]]


# --- looking


def test_status_without_a_number_tells_ones_own_open_tickets(house: House) -> None:
    assert say(house, "status") == "You have no open ticket."
    first = house.chats(TWICE, "m-1")["ticket_id"]
    second = house.chats("It failed", "m-2", fresh=True)["ticket_id"]
    house.chats("hello", "m-3", **BENS)
    assert say(house, "status").splitlines() == [
        f"{number}  open, opened 2026-11-22 12:00 UTC" for number in sorted((first, second), key=by_age(house))
    ]
    house.commands.resolve(first, CLERK)
    assert say(house, "status") == f"{second}  open, opened 2026-11-22 12:00 UTC"
    assert say(house, f"status {first}").startswith(f"{first}  resolved since 2026-11-22")


def by_age(house: House) -> Any:
    rows = sorted(house.incidents(), key=lambda row: row["id"])
    return [row["ticket_id"] for row in rows].index


def test_an_agent_must_say_which_ticket(house: House) -> None:
    for line in ("status", "close"):
        with pytest.raises(NotUnderstood, match="Which ticket"):
            say(house, line, CLERK)


def test_answers_are_in_the_customers_language(house: House) -> None:
    ticket = house.chats("Mir wurde der Betrag auf meiner Karte doppelt abgebucht", "m-1")["ticket_id"]
    assert say(house, "status") == f"{ticket}  offen, angelegt am 2026-11-22 12:00 UTC"
    spanish = Caller("u-7", Role.CUSTOMER, Address("chat", "u-7"), "es")
    assert say(house, "list", spanish) == f"{ticket}  abierto, creado el 2026-11-22 12:00 UTC"
    assert say(house, "close", spanish) == f"{ticket} está resuelto. Gracias por avisarnos."
    assert house.incident(house.incidents()[0]["id"])["status"] == "resolved"


@ON_SQLITE
@pytest.mark.parametrize("language", [*LANGUAGES, "xx"])
def test_every_answer_can_be_given_in_every_language(house: House, language: str) -> None:
    caller = Caller("u-7", Role.CUSTOMER, Address("chat", "u-7"), language)
    lines = ("status", "close", "close TKT-1", "email", "email ana@example.com", "code", "code 123456")
    said = [answer(house, line, caller) for line in lines]
    assert all(said)
    assert (language in ("en", "xx")) == (said[0] == "You have no open ticket.")
    house.work()
    assert house.mails("code")[0].language == ("en" if language == "xx" else language)


# --- closing


def test_a_customer_ends_their_own_ticket_as_if_they_had_pressed_solved(house: House) -> None:
    opened = house.chats(TWICE, "m-1")
    assert say(house, f"close {opened['ticket_id']}") == f"{opened['ticket_id']} is solved. Thank you for telling us."
    house.work()
    incident = house.incident(opened["incident_id"])
    assert (incident["status"], incident["resolved_by"]) == ("resolved", "u-7")
    assert [str(notice.kind) for _, notice in house.chat.sent] == ["acknowledgement", "resolved"]
    house.later(hours=24)
    assert house.owed("reminder") == []
    with pytest.raises(Conflict, match="is solved already"):
        say(house, f"close {opened['ticket_id']}")


def test_without_a_number_it_is_the_youngest_open_one_from_here(house: House) -> None:
    first = house.chats(TWICE, "m-1")["ticket_id"]
    house.clock.forward(minutes=5)
    second = house.chats("It failed", "m-2", fresh=True)["ticket_id"]
    house.clock.forward(minutes=5)
    house.write("a refund please", "k-1", proven=(ANA,))
    house.chats("it is me", "m-3", proven=(ANA,))  # so that the one from the shop is theirs as well
    assert [say(house, "close").split()[0] for _ in range(2)] == [second, first]
    with pytest.raises(NotFound, match="You have no open ticket"):
        say(house, "close")
    assert len([row for row in house.incidents() if row["status"] == "open"]) == 1


def test_nobody_closes_what_is_not_theirs(house: House) -> None:
    ticket = house.chats(TWICE, "m-1", **BENS)["ticket_id"]
    for line, caller in ((f"close {ticket}", ME), (f"close {ticket}", CLERK), ("close", ME)):
        with pytest.raises(NotFound):
            say(house, line, caller)
    assert answer(house, f"close {ticket}") == answer(house, "close TKT-0").replace("TKT-0", ticket)
    assert house.incidents()[0]["status"] == "open"


def test_who_wrote_close_before_it_was_opened_again_closes_nothing(house: House) -> None:
    opened = house.chats(TWICE, "m-1")
    wrote_at = house.clock.now
    house.clock.forward(minutes=1)
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.commands.reopen(opened["ticket_id"], CLERK)
    with pytest.raises(Conflict, match="earlier state"):
        house.commands.run("close", ME, wrote_at)
    assert house.incident(opened["incident_id"])["status"] == "open"


# --- a mail address


def test_an_address_counts_once_its_code_comes_back(house: House) -> None:
    opened = house.chats(TWICE, "m-1")
    assert say(house, "email ana@EXAMPLE.com") == SENT.format("ana@example.com")
    assert addresses(house, opened["incident_id"]) == ["chat:7"]
    assert customers_of_mail() is None
    assert say(house, f"email {last_code(house)}") == (
        "ana@example.com is confirmed. From now on we write to you there, too."
    )
    assert owner("chat", "u-7") == owner("email", ANA.key)
    assert addresses(house, opened["incident_id"]) == ["chat:7", "email:ana@example.com"]
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.work()
    assert len(house.mails("resolved")) == 1
    later = house.chats("It failed", "m-2", fresh=True)
    assert addresses(house, later["incident_id"]) == ["chat:7", "email:ana@example.com"]
    assert addresses(house, house.chats("hello", "m-3", **BENS)["incident_id"]) == ["chat:8"]
    assert "address_added" in house.events(opened["incident_id"])


def customers_of_mail() -> Any:
    with database.session():
        return customers.identity("email", ANA.key)


def test_who_has_no_ticket_yet_can_give_one_too(house: House) -> None:
    prove(house)
    assert owner("chat", "u-7") == owner("email", ANA.key)
    (row,) = house.all(Notification)
    assert (row["incident"], row["status"], row["kind"]) == (None, "sent", "code")
    assert addresses(house, house.chats(TWICE, "m-1")["incident_id"]) == ["chat:7", "email:ana@example.com"]


def test_what_is_kept_of_a_code_tells_nobody_what_it_was(house: House) -> None:
    say(house, "email ana@example.com")
    code = last_code(house)
    everything = str([house.all(table) for table in (Code, Notification, Event, Customer, Identity)])
    assert code not in everything
    assert code not in str(house.firstline.views.dead())


def test_a_code_whose_mail_cannot_be_sent_in_time_is_not_sent_and_not_kept(house: House) -> None:
    house.mail.failures = [TryLater("away", retry_after=1000)]
    say(house, "email ana@example.com")
    house.work()
    house.later(seconds=1001)
    (row,) = house.all(Notification)
    assert (row["status"], row["message"], house.mails("code")) == ("cancelled", "(a code)", [])
    assert not re.search(r"\b\d{6}\b", str(row["notice"]["lead"]))


def test_five_wrong_codes_and_the_right_one_is_worth_nothing(house: House) -> None:
    say(house, "email ana@example.com")
    code = last_code(house)
    said = [answer(house, f"code {another(code)}") for _ in range(5)]
    assert said[:2] == [f"This is not the code. You have {left} more tries." for left in (4, 3)]
    assert said[4] == answer(house, f"code {code}")
    assert said[4] == "No code is good any more. Ask for a new one: email name@example.com"
    assert customers_of_mail() is None


def test_a_code_is_good_for_fifteen_minutes_and_no_longer(house: House) -> None:
    say(house, "email ana@example.com")
    code = last_code(house)
    house.clock.now += CODE_HOLDS
    with pytest.raises(Conflict, match="No code is good any more"):
        say(house, f"code {code}")
    say(house, "email ana@example.com")
    code = last_code(house)
    house.clock.now += CODE_HOLDS - timedelta(seconds=1)
    assert "is confirmed" in say(house, f"code {code}")


def test_a_new_code_makes_the_one_before_worthless(house: House) -> None:
    say(house, "email ana@example.com")
    first = last_code(house)
    say(house, "email ben@example.com")
    second = last_code(house, Address("email", "ben@example.com"))
    if first != second:
        assert "This is not the code" in answer(house, f"code {first}")
    assert say(house, f"code {second}").startswith("ben@example.com is confirmed")
    assert customers_of_mail() is None


def test_a_code_that_is_given_twice_is_answered_twice(house: House) -> None:
    prove(house)
    code = last_code(house)
    assert say(house, f"code {code}") == "ana@example.com is confirmed. We write to you there, too."
    assert len([row for row in house.all(Event) if row["name"] == "email_proven"]) == 1
    with pytest.raises(Conflict, match="is confirmed"):
        say(house, "email ana@example.com")


def test_a_code_is_worth_nothing_to_anybody_else(house: House) -> None:
    say(house, "email ana@example.com")
    code = last_code(house)
    house.chats("hello", "m-1", **BENS)
    assert "No code is good" in answer(house, f"code {code}", BEN)
    assert "is confirmed" in say(house, f"code {code}")


def test_no_more_than_three_mails_an_hour_for_a_customer_and_for_an_address(house: House) -> None:
    limit = "No more than 3 codes are sent within an hour. Please try again later."
    assert [answer(house, f"email {name}@example.com") for name in "abcd"][3] == limit
    house.clock.forward(minutes=59)
    assert answer(house, "email e@example.com") == limit
    assert answer(house, "email A@example.com", BEN) == SENT.format("A@example.com")
    house.clock.forward(minutes=1)
    assert answer(house, "email e@example.com") == SENT.format("e@example.com")
    others = [Caller(f"u-{n}", Role.CUSTOMER, Address("chat", f"u-{n}")) for n in range(20, 24)]
    said = [answer(house, "email ana@example.com", each) for each in others]
    assert (said[:3], said[3]) == ([SENT.format("ana@example.com")] * 3, limit)
    house.work()
    assert len(house.mails("code")) == 3


def test_the_answer_is_the_same_whether_or_not_somebody_has_the_address(house: House) -> None:
    house.write("a refund please", "k-1", proven=(ANA,))
    assert answer(house, "email ana@example.com") == SENT.format("ana@example.com")
    assert answer(house, "email free@example.com") == SENT.format("free@example.com")


def test_whoever_has_proven_the_address_elsewhere_is_the_same_customer(house: House) -> None:
    opened = house.write("a refund please", "k-1", proven=(ANA,))
    house.chats(TWICE, "m-1")
    before = owner("chat", "u-7")
    prove(house)
    assert owner("web", "shop:C-1042") == owner("chat", "u-7") == owner("email", ANA.key) == before
    assert opened["ticket_id"] in say(house, "status")
    (event,) = [row for row in house.all(Event) if row["name"] == "merged"]
    assert event["customer"] == before


@ON_SQLITE
@pytest.mark.parametrize("line", [
    "email", "email ana", "email ana@", "email @example.com", "email ana@localhost", "email a b@example.com",
    "email ana@example.com, ben@example.com", "email ana@-example.com", "email ana@example..com", "email 12345",
    "email <ana@example.com>", "email ana@127.0.0.1", f"email {'a' * 65}@example.com", "email ana@exam\nple.com",
])  # fmt: skip
def test_what_is_no_address_is_said_to_be_none(house: House, line: str) -> None:
    with pytest.raises(NotUnderstood, match="Which email address"):
        say(house, line)
    assert house.all(Code) == []


@pytest.mark.parametrize("written", ["{}", "code {}", "email {}", "/code {}"])
def test_a_code_may_be_written_with_blanks_and_in_the_digits_of_the_language(house: House, written: str) -> None:
    if written == "{}":  # alone it is no command
        with pytest.raises(NotUnderstood):
            say(house, "123456")
        return
    say(house, "email ana@example.com")
    code = last_code(house)
    arabic = "".join(chr(0x660 + int(digit)) for digit in code)
    assert "is confirmed" in say(house, written.format(f"{arabic[:3]} {arabic[3:]}"))


def test_who_is_not_known_by_a_channel_gives_no_address(house: House) -> None:
    for line in ("email ana@example.com", "code 123456"):
        with pytest.raises(Forbidden, match="is for customers"):
            say(house, line, CLERK)
    assert house.all(Code) == []


def test_with_a_customer_who_is_forgotten_goes_what_they_gave(house: House) -> None:
    house.chats(TWICE, "m-1")
    prove(house)
    house.work()
    house.firstline.privacy.forget(ANA.key, Caller("admin", Role.ADMIN))
    everything = str([house.all(table) for table in (Code, Notification, Event, Identity)])
    assert "ana@example.com" not in everything
    assert house.all(Code) == []


def test_old_codes_are_dropped(house: House) -> None:
    say(house, "email ana@example.com")
    house.clock.forward(days=2)
    house.firstline.sweep()
    assert house.all(Code) == []


# --- at once


def test_of_many_guesses_at_once_five_count(house: House) -> None:
    say(house, "email ana@example.com")
    code = last_code(house)
    said: list[str] = []
    at_once([lambda: said.append(answer(house, f"code {another(code)}"))] * 8)
    assert len([each for each in said if "This is not the code" in each]) == 4
    assert "No code is good" in answer(house, f"code {code}")


def test_of_many_who_ask_at_once_no_more_than_three_get_a_mail(house: House) -> None:
    house.chats(TWICE, "m-1")
    at_once([lambda n=n: answer(house, f"email {n}@example.com") for n in "abcdef"])  # type: ignore[misc]
    assert len(house.all(Code)) == len(house.owed("code")) == 3
    callers = [Caller(f"u-{n}", Role.CUSTOMER, Address("chat", f"u-{n}")) for n in range(20, 26)]
    at_once([lambda each=each: answer(house, "email one@example.com", each) for each in callers])  # type: ignore[misc]
    assert len([row for row in house.all(Code) if row["email"] == "one@example.com"]) == 3


def test_a_code_that_is_given_twice_at_once_counts_once(house: House) -> None:
    opened = house.chats(TWICE, "m-1")
    say(house, "email ana@example.com")
    code = last_code(house)
    said: list[str] = []
    at_once([lambda: said.append(answer(house, f"code {code}"))] * 4)
    assert all("is confirmed" in each for each in said)
    assert addresses(house, opened["incident_id"]) == ["chat:7", "email:ana@example.com"]
    assert len([row for row in house.all(Event) if row["name"] == "email_proven"]) == 1


@ON_POSTGRESQL
def test_two_who_prove_each_others_address_at_once_are_one_customer(
    house: House,
    race: Race,  # noqa: F811
) -> None:
    mine, bens = Address("email", "me@example.com"), Address("email", "ben@example.com")
    house.chats(TWICE, "m-1", proven=(mine,))
    house.chats(TWICE, "m-2", proven=(bens,), **BENS)
    say(house, f"email {bens.key}")
    say(house, f"email {mine.key}", BEN)
    to_ben, to_me = last_code(house, bens), last_code(house, mine)
    race.let_in(lambda: say(house, f"code {to_me}", BEN), after=(codes, "use"))
    say(house, f"code {to_ben}")
    race.finish()
    assert owner("chat", "u-7") == owner("chat", "u-8") == owner("email", mine.key) == owner("email", bens.key)
    merged = [row["merged_into"] for row in house.all(Customer)]
    assert sorted(into is None for into in merged) == [False, True]


@ON_POSTGRESQL
def test_an_agent_who_resolves_while_the_address_is_proven_waits_in_no_circle(
    house: House,
    race: Race,  # noqa: F811
) -> None:
    opened = house.chats(TWICE, "m-1")
    say(house, "email ana@example.com")
    code = last_code(house)
    race.let_in(lambda: house.commands.resolve(opened["ticket_id"], CLERK), after=(codes, "youngest"))
    assert "is confirmed" in say(house, f"code {code}")
    race.finish()
    house.work()
    assert len(house.mails("resolved")) == 1


@ON_SQLITE
def test_codes_are_drawn_from_all_there_are(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def lowest(limit: int) -> int:
        asked.append(limit)
        return 7

    monkeypatch.setattr(own.secrets, "randbelow", lowest)
    say(house, "email ana@example.com")
    assert (last_code(house), asked) == ("000007", [10**6])


@ON_SQLITE
def test_the_mail_with_a_code_is_a_whole_mail_without_a_ticket(house: House) -> None:
    say(house, "email ana@example.com")
    code = last_code(house)
    mail = message_from_bytes(compose(house.mails("code")[0], ANA.key, "Firstline <support@shop.example>"), policy=smtp)
    assert (mail["Subject"], mail["X-Firstline-Ticket"]) == ("Confirm your email address", None)
    body: Any = mail
    for part in ("plain", "html"):
        assert code in body.get_body((part,)).get_content()
    assert "[" not in mail["Subject"]


@pytest.mark.parametrize(("language", "told"), [("de", "diese Liste"), ("", "this list"), ("fr", "cette liste")])
def test_help_and_what_is_no_command_are_told_in_the_customers_language(house: House, language: str, told: str) -> None:
    caller = Caller("u-7", Role.CUSTOMER, Address("chat", "u-7"), language)
    assert say(house, "help", caller).endswith(f"help - {told}")
    assert answer(house, "hello", caller).endswith(f"help - {told}")
    assert [line.split()[0] for line in say(house, "help", caller).splitlines()] == [
        "status", "list", "close", "email", "code", "help",
    ]  # fmt: skip
