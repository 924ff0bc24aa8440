"""What people answer, press and change does what they meant, to the incident that they meant; and what agents write
arrives as they wrote it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.errors import Forbidden, NotFound
from bot.model import Category, Classification, MessageKind, Notice
from bot.pages import Pages
from bot.routing import SURE
from bot.wording import said
from storage.tables import Event, Rating
from tests.fakes import TestClock
from tests.house import AGENTS, CLERK, CUSTOMER, House, by_words
from tests.postgres import ON_SQLITE
from tests.test_migration import house as migrated  # noqa: F401  # a fixture

TWICE = "My card was charged twice"
STOLEN = "My card was stolen"

Furnish = Callable[[Callable[[str], Classification]], House]


@pytest.fixture
def furnish(db: str, clock: TestClock) -> Iterator[Furnish]:
    """What makes a house with this classifier."""
    houses: list[House] = []

    def make(classifier: Callable[[str], Classification]) -> House:
        houses.append(House(clock, classifier=classifier))
        return houses[-1]

    yield make
    for house in houses:
        house.stop()


@pytest.fixture
def house(furnish: Furnish) -> House:
    return furnish(by_words)


# --- a button is about one incident


@pytest.fixture
def continued(house: House) -> tuple[dict[str, Any], dict[str, Any]]:
    """An incident that was resolved after its reminder, and the open one that its conversation goes on in."""
    first = house.write(TWICE, "k-1")
    house.later(hours=24)
    house.commands.resolve(first["ticket_id"], CLERK)
    house.work()
    second = house.answer(first["incident_id"], STOLEN, "k-2")
    assert second["incident_id"] != first["incident_id"]
    return first, second


Continued = tuple[dict[str, Any], dict[str, Any]]


def follow(house: House, notice: Notice, name: str) -> str:
    """Follow a link of a mail, press the button that is there, and return what is said then."""
    url = next(action.url for action in notice.actions if action.name == name)
    message = Pages(house.firstline.life.links, house.clock).message(url.rpartition("/")[2])
    message_id = house.firstline.intake.accept(message).incident_id
    house.work()
    return str(house.outcome(message_id)["message"])


def test_the_link_of_an_old_reminder_does_not_resolve_the_incident_after_it(house: House, continued: Continued) -> None:
    (reminder,) = house.mails("reminder")
    assert follow(house, reminder, "solved") == said("too_late", "en")
    assert house.incident(continued[1]["incident_id"])["status"] == "open"


def test_a_link_that_rates_an_incident_does_not_rate_the_one_after_it(house: House, continued: Continued) -> None:
    second = continued[1]
    house.commands.resolve(second["ticket_id"], CLERK)
    house.work()
    follow(house, house.mails("resolved")[0], "rate-1")
    assert second["incident_id"] not in [row["incident"] for row in house.all(Rating)]


def test_a_button_of_an_incident_that_is_pressed_over_the_api_does_not_resolve_the_one_after_it(
    house: House, continued: Continued
) -> None:
    first, second = continued
    assert house.press(first["incident_id"], "solved", "p-1")["message"] == said("too_late", "en")
    assert house.incident(second["incident_id"])["status"] == "open"


# --- an answer to what was resolved, or to what an agent asked


def test_fraud_that_reopens_what_an_agent_had_resolved_is_told_to_agents(house: House) -> None:
    opened = house.write("Hello, a question", "k-1")
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.clock.forward(hours=1)
    assert house.answer(opened["incident_id"], STOLEN, "k-2")["priority"] == "urgent"
    assert house.incident(opened["incident_id"])["status"] == "open"
    assert len(house.mails("alert", AGENTS)) == 1


def test_a_reopened_incident_that_nobody_looks_at_is_escalated(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.clock.forward(hours=1)
    house.answer(opened["incident_id"], "It was charged again", "k-2")
    house.later(hours=49)
    assert len(house.mails("escalation", AGENTS)) == 1


def test_yes_to_the_question_of_an_agent_does_not_resolve_the_incident(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    house.later(hours=24)
    house.commands.reply(opened["ticket_id"], CLERK, "Is it the card that ends in 4242?")
    house.clock.forward(minutes=5)
    assert house.answer(opened["incident_id"], "Yes", "k-2")["status"] == "open"


def resolved(house: House) -> dict[str, Any]:
    opened = house.write("Something odd", "k-1")
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.clock.forward(hours=1)
    return opened


def sure_of_fraud(confidence: float) -> Callable[[str], Classification]:
    """A classifier that takes whatever comes after the first message for fraud."""
    fraud = Classification(Category.FRAUD_REPORT, confidence, "a word of crime", "model")
    return lambda text: by_words(text) if text == "Something odd" else fraud


@ON_SQLITE
@pytest.mark.parametrize(
    "text",
    [
        "Thanks\nStolen",
        "Thanks Phishing",
        "Thanks, Thieves",
        "Merci Arnaque",
        "Gracias\nRobada",
        "Danke\nDiebstahl",
        "Obrigado Golpe",
        "Grazie\nClonata",
        "Bedankt\nGestolen",
        "Teşekkürler Hirsizlar",
        "Thanks Compromised",
    ],
)
def test_a_crime_after_thanks_is_no_name_where_the_classifier_is_sure_of_it(furnish: Furnish, text: str) -> None:
    house = furnish(sure_of_fraud(SURE))
    opened = resolved(house)
    assert house.answer(opened["incident_id"], text, "k-2")["status"] == "open"
    assert house.incident(opened["incident_id"])["classification"] == "fraud_report"


def test_a_name_after_thanks_stays_one_where_the_classifier_only_guesses(furnish: Furnish) -> None:
    house = furnish(sure_of_fraud(SURE - 0.01))
    opened = resolved(house)
    assert house.answer(opened["incident_id"], "Thanks Ana", "k-2")["status"] == "resolved"


# --- what it is about


def test_a_category_that_an_agent_sets_while_a_message_is_being_classified_stays(furnish: Furnish) -> None:
    def classify(text: str) -> Classification:
        if text == STOLEN:
            house.commands.category(opened["ticket_id"], CLERK, "refund_request")
        return by_words(text)

    house = furnish(classify)
    opened = house.write("Hello", "k-1")
    house.answer(opened["incident_id"], STOLEN, "k-2")
    assert house.incident(opened["incident_id"])["classification"] == "refund_request"


def test_agents_are_told_each_time_that_an_incident_becomes_urgent(house: House) -> None:
    opened = house.write("Hello", "k-1")
    for category in ("fraud_report", "other", "fraud_report"):
        house.commands.category(opened["ticket_id"], CLERK, category)
        house.work()
    assert len(house.mails("alert", AGENTS)) == 2


def test_a_deletion_of_what_is_not_there_asks_no_classifier(furnish: Furnish) -> None:
    asked: list[str] = []

    def classify(text: str) -> Classification:
        asked.append(text)
        return by_words(text)

    house = furnish(classify)
    house.chats("", "d-1", kind=MessageKind.DELETE, about="m-1")
    assert asked == []


# --- edits and deletions


def test_an_edit_that_comes_before_its_original_of_the_same_second_is_what_is_seen(house: House) -> None:
    at = house.clock()
    house.chats("the new text", "e-1", kind=MessageKind.EDIT, about="m-1", written_at=at)
    house.chats("the old text", "m-1", written_at=at)
    (incident,) = house.incidents()
    assert house.said(incident["id"]) == ["the new text"]


def test_what_was_deleted_before_it_came_is_quoted_to_nobody(house: House) -> None:
    house.chats("", "d-1", kind=MessageKind.DELETE, about="m-1")
    house.chats("My card was stolen, and my secret is blue", "m-1")
    told = [notice for _, notice in house.chat.sent + house.mail.sent]
    assert sorted(notice.kind for notice in told) == ["acknowledgement", "alert"]
    assert not [notice for notice in told if "secret" in repr(notice)]


def test_a_message_of_another_channel_cannot_be_named_over_the_api(house: House) -> None:
    opened = house.chats(TWICE, "m-1")
    added = house.answer(opened["incident_id"], "it was 20 euros", "k-2")
    assert house.firstline.views.message(opened["incident_id"], added["message_id"]) == "k-2"
    with pytest.raises(NotFound, match="No message of this incident"):
        house.firstline.views.message(opened["incident_id"], opened["message_id"])


# --- machines


def test_machine_mail_that_opens_an_incident_leaves_no_address_and_no_acknowledgement(house: House) -> None:
    opened = house.write("I am out of office", "k-1", automatic=True)
    assert house.incident(opened["incident_id"])["addresses"] == []
    assert (house.mail.sent, house.said(opened["incident_id"], "bot")) == ([], [])


# --- commands


def test_a_refused_command_is_kept_without_card_numbers(house: House) -> None:
    with pytest.raises(Forbidden):
        house.commands.run("reply TKT-1 my card is 4111 1111 1111 1111", CUSTOMER)
    (event,) = [row for row in house.all(Event) if row["name"] == "refused"]
    assert event["after"].startswith("reply TKT-1 my card is")
    assert "4111 1111" not in event["after"]


def test_a_reply_of_several_lines_keeps_them(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    house.commands.run(f"reply {opened['ticket_id']} Dear Ana,\n\nyour refund is on its way.\nBye", CLERK)
    house.work()
    (reply,) = house.mails("reply")
    assert reply.lead == "Dear Ana,\n\nyour refund is on its way.\nBye"


# --- what waited while the database was brought up to date


def test_a_message_that_waited_is_of_the_customer_that_it_was_of_before(migrated: House) -> None:  # noqa: F811
    migrated.work()
    assert len({row["identity"] for row in migrated.incidents()}) == 1
