"""Telegram in, over real HTTP, brought to our webhook and fetched by polling: what becomes of what people do."""

import json
import logging
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from adapters.telegram import listen
from adapters.telegram.listen import LARGEST, UPDATES, TelegramListener
from bot import reach
from bot.commands import TABLE, Commands
from bot.errors import ConfigurationError
from bot.language import LANGUAGES
from bot.model import Address
from storage import database, dialect
from tests.door import Door
from tests.fakes import CLERK, TestClock
from tests.telegram_api import ANA, BEN, BOARD, BOT, GROUP, KIM, NAME, SECRET, TelegramApi
from tests.telegram_house import MODES, Telegram, configured, on_telegram, wait_for


@pytest.fixture
def backend() -> str:
    """Nothing in here depends on the kind of the database."""
    return "sqlite"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for another process's transaction."""
    monkeypatch.setattr(dialect, "BUSY_TIMEOUT", 0.1)


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    with TelegramApi() as api:
        yield api


@pytest.fixture(params=MODES)
def telegram(request: pytest.FixtureRequest, db: str, api: TelegramApi, clock: TestClock, door: Door) -> Any:
    with on_telegram(api, clock, door, request.param) as telegram:
        yield telegram


@pytest.fixture
def webhook(db: str, api: TelegramApi, clock: TestClock, door: Door) -> Iterator[Telegram]:
    with on_telegram(api, clock, door, "webhook") as telegram:
        yield telegram


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """While entered, the database takes nothing; what is logged of it is not shown, which would take seconds."""
    other = sqlite3.connect(folder / "incidents.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with structlog.testing.capture_logs():
            yield
    finally:
        other.execute("ROLLBACK")
        other.close()


# --- private chats


def test_a_message_opens_an_incident_and_is_answered_with_its_ticket(telegram: Telegram) -> None:
    update = telegram.say("My card was charged twice")
    incident = telegram.only()
    assert (incident["customer_id"], incident["message"]) == (str(ANA), "My card was charged twice")
    said = telegram.api.last()
    assert incident["ticket_id"] in said.text
    assert said.answers == update["message"]["message_id"]


def test_a_second_message_joins_what_is_open(webhook: Telegram) -> None:
    webhook.say("My card was charged twice")
    webhook.say("It was on Monday")
    assert webhook.house.said(webhook.only()["id"]) == ["My card was charged twice", "It was on Monday"]
    assert len(webhook.api.said) == 1


def test_an_answer_to_one_of_our_texts_finds_its_incident(webhook: Telegram) -> None:
    webhook.say("My card was charged twice")
    first = webhook.api.last()
    webhook.say("/new My refund is late")
    webhook.say("it was 20 euros", **webhook.api.answers(first))
    one, other = webhook.house.incidents()
    assert webhook.house.said(one["id"]) == ["My card was charged twice", "it was 20 euros"]
    assert webhook.house.said(other["id"]) == ["My refund is late"]


def test_an_update_that_comes_twice_is_one_message(telegram: Telegram) -> None:
    update = telegram.say("My card was charged twice")
    telegram.api.again(update)
    telegram.take()
    assert telegram.stored() == 1
    assert len(telegram.api.said) == 1


def test_an_edit_is_a_revision_and_never_a_second_incident(telegram: Telegram) -> None:
    update = telegram.say("My card was charged")
    telegram.api.edit(update, "My card was charged twice")
    telegram.take()
    telegram.api.edit(update, "My card was charged twice, help")
    telegram.take()
    assert telegram.only()["message"] == "My card was charged twice, help"
    assert len(telegram.api.said) == 1


def test_two_edits_within_a_second_are_two(webhook: Telegram) -> None:
    update = webhook.say("one")
    at = int(time.time())
    webhook.api.edit(update, "two", at)
    webhook.api.edit(update, "three", at)
    webhook.take()
    assert webhook.only()["message"] == "three"


def test_an_edit_of_what_was_never_seen_is_a_new_message(webhook: Telegram) -> None:
    unseen = {"update_id": 1, "message": webhook.api.message("My card was charged")}
    webhook.api.edit(unseen, "My card was charged twice")
    webhook.take()
    assert webhook.only()["message"] == "My card was charged twice"


def test_an_album_is_one_incident_with_one_answer(telegram: Telegram) -> None:
    photo = {"photo": [{"file_id": "small", "width": 90}, {"file_id": "large", "width": 900}]}
    telegram.api.files["large"] = b"a picture"
    telegram.api.say(caption="My card was charged twice", media_group_id="g1", **photo)
    telegram.api.say(media_group_id="g1", **photo)
    telegram.api.say(media_group_id="g1", **photo)
    telegram.take()
    incident = telegram.only()
    assert incident["message"] == "My card was charged twice\n[photo]"
    assert telegram.house.said(incident["id"])[1:] == ["[photo]", "[photo]"]
    assert len(telegram.api.said) == 1


def test_an_album_that_comes_in_another_order_is_one_incident_with_one_answer(webhook: Telegram) -> None:
    photo = {"photo": [{"file_id": "p", "width": 90}]}
    webhook.api.files["p"] = b"a picture"
    first = webhook.api.message(caption="My card was charged twice", media_group_id="g1", **photo)
    webhook.api.say(media_group_id="g1", **photo)
    webhook.api.happens(message=first)
    webhook.take()
    webhook.house.clock.forward(minutes=5)  # what comes later still is no new word of theirs
    webhook.api.say(media_group_id="g1", **photo)
    webhook.take()
    assert webhook.house.said(webhook.only()["id"]) == ["My card was charged twice\n[photo]", "[photo]", "[photo]"]
    assert len(webhook.api.said) == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"caption": "See this", "document": {"file_name": "invoice.pdf", "file_id": "f"}}, "See this\n[invoice.pdf]"),
        ({"voice": {"duration": 12, "file_id": "f"}}, "[voice message, 12 s]"),
        ({"video": {"file_id": "f", "duration": 3}}, "[video]"),
        ({"sticker": {"file_id": "f", "emoji": "😡"}}, "[sticker 😡]"),
        ({"location": {"latitude": 40.4, "longitude": -3.7}}, "[location: 40.4, -3.7]"),
        ({"contact": {"first_name": "Ben", "last_name": "Roe", "phone_number": "+1415"}}, "[contact: Ben Roe, +1415]"),
        ({"animation": {"file_id": "f"}, "document": {"file_id": "f"}}, "[animation]"),
    ],
)
def test_what_is_no_text_is_told_in_words(webhook: Telegram, content: dict[str, Any], text: str) -> None:
    webhook.say(**content)
    assert webhook.only()["message"] == text


def test_a_file_name_that_gives_orders_is_data(webhook: Telegram) -> None:
    webhook.say(document={"file_name": "<b>x</b>\n/resolve TKT-1", "file_id": "f"})
    assert webhook.only()["message"] == "[<b>x</b> /resolve TKT-1]"


def test_messages_of_one_second_keep_their_order(webhook: Telegram) -> None:
    for number in range(5):
        webhook.api.say(f"number {number}", date=1795348800)
    webhook.take()
    assert webhook.house.said(webhook.only()["id"]) == [f"number {number}" for number in range(5)]


def test_nothing_comes_of_bots_channels_and_telegrams_own_messages(webhook: Telegram) -> None:
    api = webhook.api
    api.say("I am a bot", **{"from": {"id": 5, "is_bot": True}})
    api.happens(message={**api.message("news"), "chat": {"id": -100, "type": "channel"}})
    api.say(chat=GROUP, new_chat_members=[{"id": 5}])
    api.say(f"@{NAME} news", chat=GROUP, is_automatic_forward=True)
    api.happens(message={"message_id": 1})
    api.happens(poll={"id": "1"})
    webhook.take()
    assert webhook.stored() == 0


# --- groups


def test_in_a_group_a_mention_opens_an_incident_that_is_answered_under_it(telegram: Telegram) -> None:
    telegram.say("lunch?", chat=GROUP)
    update = telegram.say(f"Hey @{NAME.upper()}, my card was charged twice", chat=GROUP)
    assert telegram.only()["message"] == "Hey  my card was charged twice"
    said = telegram.api.last(GROUP)
    assert (said.answers, said.topic) == (update["message"]["message_id"], None)


def test_another_bots_name_that_begins_like_ours_is_not_ours(webhook: Telegram) -> None:
    webhook.say(f"@{NAME}2 and me@{NAME} are others", chat=GROUP)
    assert webhook.stored() == 0


def test_in_a_group_an_answer_to_our_text_joins_and_one_to_others_does_not(webhook: Telegram) -> None:
    webhook.say(f"@{NAME} my card was charged twice", chat=GROUP)
    said = webhook.api.last(GROUP)
    webhook.say("it was on Monday", chat=GROUP, **webhook.api.answers(said))
    webhook.say("same here", chat=GROUP, reply_to_message=webhook.api.message("lunch?", BEN, GROUP))
    assert webhook.house.said(webhook.only()["id"]) == ["my card was charged twice", "it was on Monday"]


def test_two_people_in_a_group_have_two_incidents(webhook: Telegram) -> None:
    webhook.say("/ticket my card was charged twice", chat=GROUP)
    webhook.say(f"/ticket@{NAME} my refund is late", BEN, GROUP)
    webhook.say("/ticket@another_bot nothing for us", BEN, GROUP)
    assert [incident["customer_id"] for incident in webhook.house.incidents()] == [str(ANA), str(BEN)]


def test_an_edit_of_what_stood_behind_a_command_is_a_revision(webhook: Telegram) -> None:
    update = webhook.say("/ticket my card was charged", chat=GROUP)
    webhook.api.edit(update, "/ticket my card was charged twice")
    webhook.take()
    asked = webhook.say("/status")
    webhook.api.edit(asked, "my status is bad")
    webhook.take()
    assert webhook.only()["message"] == "my card was charged twice"


def test_ticket_as_an_answer_makes_one_of_somebodys_message(webhook: Telegram) -> None:
    before = webhook.api.message("My card was charged twice", BEN, GROUP)
    webhook.say("/ticket", ANA, GROUP, reply_to_message=before)
    assert webhook.only()["customer_id"] == str(BEN)
    assert webhook.api.last(GROUP).answers == before["message_id"]


def test_a_topic_has_its_own_answers(webhook: Telegram) -> None:
    webhook.api.topics[GROUP, 5] = "Billing"
    webhook.say(f"@{NAME} my card was charged twice", chat=GROUP, message_thread_id=5)
    assert webhook.api.last(GROUP).topic == 5
    assert webhook.api.called("sendMessage")[-1]["message_thread_id"] == 5


def test_in_a_topic_that_we_made_not_everything_is_an_answer_to_us(webhook: Telegram) -> None:
    webhook.api.topics[GROUP, 5] = "Billing"
    begins = {"message_id": 5, "from": {"id": BOT, "is_bot": True}, "forum_topic_created": {"name": "Billing"}}
    webhook.say("lunch?", chat=GROUP, message_thread_id=5, reply_to_message=begins)
    assert webhook.stored() == 0


def test_a_thread_without_topics_is_no_topic(webhook: Telegram) -> None:
    webhook.say(f"@{NAME} charged twice", chat=GROUP, message_thread_id=9, is_topic_message=False)
    assert "message_thread_id" not in webhook.api.called("sendMessage")[-1]


def test_an_agent_who_answers_in_a_customers_group_leaves_a_note(webhook: Telegram) -> None:
    webhook.say(f"@{NAME} my card was charged twice", chat=GROUP)
    webhook.say("looks like order 7", KIM, GROUP, **webhook.api.answers(webhook.api.last(GROUP)))
    assert webhook.house.said(webhook.only()["id"], "note") == ["looks like order 7"]


# --- commands


def test_start_says_what_the_bot_does_in_the_users_language(webhook: Telegram) -> None:
    german = {"from": {"id": ANA, "is_bot": False, "language_code": "de"}}
    webhook.say("/start", **german)
    assert "Ticketnummer" in webhook.api.last().text
    assert webhook.stored() == 0


def test_new_asks_and_the_answer_is_another_problem(webhook: Telegram) -> None:
    webhook.say("My card was charged twice")
    webhook.say("/new")
    asked = webhook.api.last()
    assert webhook.api.called("sendMessage")[-1]["reply_markup"]["force_reply"] is True
    webhook.say("My refund is late", **webhook.api.answers(asked))
    assert [each["message"] for each in webhook.house.incidents()] == [
        "My card was charged twice",
        "My refund is late",
    ]


def test_email_asks_for_the_address_and_the_answer_is_the_command(webhook: Telegram) -> None:
    asked: list[str] = []
    run = Commands.run

    def listening(self: Commands, line: str, *more: Any) -> str:
        asked.append(line)
        return "We have sent a code." if line.startswith("email") else run(self, line, *more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Commands, "run", listening)
        webhook.say("/email")
        webhook.say("ana@example.com", **webhook.api.answers(webhook.api.last()))
        webhook.say("/email ana@example.org")
    assert asked == ["email ana@example.com", "email ana@example.org"]
    assert webhook.api.texts()[-1] == "We have sent a code."
    assert webhook.stored() == 0


def test_status_shows_a_customers_own_and_nobody_elses(webhook: Telegram) -> None:
    webhook.say("My card was charged twice")
    ticket = webhook.only()["ticket_id"]
    webhook.say("/status")
    assert webhook.api.last().text.startswith(f"{ticket}  open")
    webhook.say(f"/status {ticket}", BEN)
    assert "No ticket of yours" in webhook.api.last(BEN).text


def test_close_resolves_the_one_that_is_open(webhook: Telegram) -> None:
    webhook.say("My card was charged twice")
    webhook.say("/close")
    assert webhook.only()["status"] == "resolved"
    webhook.say("/close")
    assert webhook.api.last().text == "You have no open ticket."


def test_a_customer_of_another_language_closes_the_only_one_that_is_open(webhook: Telegram) -> None:
    webhook.say("Buenos días, me han cobrado dos veces la misma compra con mi tarjeta, twice")
    assert webhook.only()["language"] == "es"
    webhook.say("/close")
    assert webhook.only()["status"] == "resolved"


def test_close_asks_which_if_there_are_several_and_takes_nobody_elses(webhook: Telegram) -> None:
    webhook.say("My card was charged twice")
    webhook.say("/new My refund is late")
    one, other = webhook.house.incidents()
    webhook.say("/close")
    assert all(each["ticket_id"] in webhook.api.last().text for each in (one, other))
    webhook.say(f"/close {one['ticket_id']}", BEN)
    webhook.say(f"/close {other['ticket_id']}")
    assert [each["status"] for each in webhook.house.incidents()] == ["open", "resolved"]


def test_a_customer_may_not_give_an_agents_command(webhook: Telegram) -> None:
    webhook.say("My card was charged twice")
    webhook.say(f"/resolve {webhook.only()['ticket_id']}")
    assert "is for agents" in webhook.api.last().text
    assert webhook.only()["status"] == "open"


def test_an_agent_resolves_and_replies_from_anywhere_once(telegram: Telegram) -> None:
    telegram.say("My card was charged twice")
    ticket = telegram.only()["ticket_id"]
    update = telegram.say(f"/reply {ticket} we look into it", KIM)
    telegram.api.again(update)
    telegram.take()
    assert [text for text in telegram.api.texts() if "we look into it" in text] == [telegram.api.last().text]
    telegram.say(f"/resolve {ticket} refunded", KIM)
    assert telegram.only()["status"] == "resolved"
    assert "refunded" in telegram.api.last().text


def test_a_command_that_there_is_not_is_answered_with_those_that_there_are(webhook: Telegram) -> None:
    webhook.say("/frobnicate")
    assert "There is no command 'frobnicate'" in webhook.api.last().text
    webhook.say("/frobnicate", chat=GROUP)
    assert not webhook.api.texts(GROUP)


def test_the_menu_of_commands_is_told_once_in_every_language(webhook: Telegram) -> None:
    assert set(webhook.api.commands) == {"", *LANGUAGES} - {"en"}
    assert {"command": "close", "description": "Ein gelöstes Ticket schließen"} in webhook.api.commands["de"]


# --- buttons


def reminded(telegram: Telegram) -> str:
    telegram.say("My card was charged twice")
    telegram.house.later(hours=25)
    return str(telegram.only()["id"])


def test_solved_resolves_and_a_rating_is_kept(telegram: Telegram) -> None:
    incident_id = reminded(telegram)
    assert telegram.press("Yes, it is solved") == "Thank you for telling us. Your ticket is solved."
    assert telegram.only()["status"] == "resolved"
    assert telegram.press("4") == "Thank you for your rating."
    assert "rated" in telegram.house.events(incident_id)
    assert not telegram.api.last().buttons


def test_not_solved_tells_the_agents(webhook: Telegram) -> None:
    incident_id = reminded(webhook)
    webhook.press("No, not yet")
    assert webhook.only()["status"] == "open"
    assert "not_solved" in webhook.house.events(incident_id)


def test_a_button_is_for_who_reported_it(webhook: Telegram) -> None:
    reminded(webhook)
    assert "Only the person" in webhook.press("Yes, it is solved", BEN)
    assert webhook.only()["status"] == "open"


def test_a_late_button_changes_nothing(webhook: Telegram) -> None:
    reminded(webhook)
    reminder = webhook.api.last()
    buttons = list(reminder.buttons)
    webhook.say(f"/resolve {webhook.only()['ticket_id']}", KIM)
    reminder.buttons = buttons
    assert "earlier state" in webhook.press("Yes, it is solved", said=reminder)
    webhook.say("it happened again, charged twice", **webhook.api.answers(webhook.api.last()))
    assert webhook.only()["status"] == "open"
    reminder.buttons = buttons
    assert "earlier state" in webhook.press("Yes, it is solved", said=reminder, date=0)
    assert webhook.only()["status"] == "open"


def test_a_rating_of_an_earlier_resolution_is_too_late(webhook: Telegram) -> None:
    webhook.say("My card was charged twice")
    ticket = webhook.only()["ticket_id"]
    webhook.say(f"/resolve {ticket}", KIM)
    first, buttons = webhook.api.last(), list(webhook.api.last().buttons)
    webhook.say(f"/reopen {ticket}", KIM)
    webhook.say(f"/resolve {ticket}", KIM)
    first.buttons = buttons
    assert "earlier state" in webhook.press("1", said=first)
    assert "rated" not in webhook.house.events(webhook.only()["id"])


def test_a_button_that_comes_twice_is_pressed_once(webhook: Telegram) -> None:
    reminded(webhook)
    update = webhook.api.press("Yes, it is solved")
    webhook.take()
    webhook.api.again(update)
    webhook.take()
    assert webhook.house.events(webhook.only()["id"]).count("resolved") == 1


@pytest.mark.parametrize("data", ["solved:nothing:", "x", "", "solved:" + "é" * 40])
def test_a_button_that_leads_nowhere_says_so(webhook: Telegram, data: str) -> None:
    query = {"id": "1", "from": {"id": ANA, "is_bot": False}, "data": data}
    webhook.api.happens(callback_query={**query, "message": webhook.api.message("x")})
    webhook.take()
    assert "leads nowhere" in webhook.api.told[-1]


# --- the agents' group


def inside(telegram: Telegram) -> tuple[str, int]:
    """An incident that has a topic in the agents' group: its id, and the topic."""
    telegram.say("My card was charged twice")
    incident_id = str(telegram.only()["id"])
    state = telegram.house.chat._state  # type: ignore[attr-defined]
    telegram.api.topics[BOARD, 50] = "the incident"
    state.put(f"telegram/topic/{incident_id}", "50")
    state.put(f"telegram/topic-of/{BOARD}/50", incident_id)
    return incident_id, 50


def test_in_a_topic_commands_are_about_its_incident(telegram: Telegram) -> None:
    incident_id, topic = inside(telegram)
    telegram.say("/reply we look into it", KIM, BOARD, message_thread_id=topic)
    assert "we look into it" in telegram.api.last(ANA).text
    telegram.say(f"/assign@{NAME}", KIM, BOARD, message_thread_id=topic)
    assert telegram.only()["assignee"] == f"telegram/{KIM}"
    telegram.say("/resolve refunded", KIM, BOARD, message_thread_id=topic)
    assert telegram.only()["status"] == "resolved"
    assert telegram.api.last(BOARD).topic == topic
    assert incident_id == telegram.only()["id"]


def test_every_command_of_agents_is_one_in_their_group(webhook: Telegram) -> None:
    inside(webhook)
    for name in set(TABLE) - {"close", "email", "code"}:
        before = len(webhook.api.said)
        webhook.say(f"/{name}", KIM, BOARD)
        assert len(webhook.api.said) > before, name


def test_what_an_agent_writes_in_a_topic_is_a_note(webhook: Telegram) -> None:
    incident_id, topic = inside(webhook)
    update = webhook.say("the shop was down", KIM, BOARD, message_thread_id=topic)
    webhook.api.again(update)
    webhook.take()
    assert webhook.house.said(incident_id, "note") == ["the shop was down"]
    assert len(webhook.house.incidents()) == 1


def test_in_the_agents_group_nobody_is_a_customer_and_only_listed_ids_are_agents(webhook: Telegram) -> None:
    incident_id, topic = inside(webhook)
    webhook.say(f"@{NAME} my card was charged twice", BEN, BOARD)
    webhook.say("a remark", BEN, BOARD, message_thread_id=topic)
    webhook.say("/resolve", BEN, BOARD, message_thread_id=topic)
    assert "is for agents" in webhook.api.last(BOARD).text or "Which ticket" in webhook.api.last(BOARD).text
    assert webhook.only()["status"] == "open"
    assert webhook.house.said(incident_id, "note") == []


# --- a mail address


def test_a_customer_adds_a_mail_address_by_a_button_and_the_code_that_is_sent_there(webhook: Telegram) -> None:
    webhook.say("My card was charged twice")
    assert "email name@example.com" in webhook.press("Add an email address")
    webhook.say("email ana@example.com")
    (mail,) = [notice for to, notice in webhook.house.mail.sent if to == Address("email", "ana@example.com")]
    (code,) = re.findall(r"\b[0-9]{6}\b", mail.text)
    webhook.say(f"code {code}")
    assert {"channel": "email", "key": "ana@example.com"} in webhook.only()["addresses"]
    webhook.house.commands.reply(webhook.only()["ticket_id"], CLERK, "We are on it.")
    webhook.house.settle()
    assert "We are on it." in webhook.house.mail.sent[-1][1].text


# --- the board


def test_an_incident_is_a_topic_with_its_card_that_an_agents_button_changes(
    db: str, api: TelegramApi, clock: TestClock, door: Door
) -> None:
    with on_telegram(api, clock, door, "webhook", board=True) as telegram:
        telegram.say("My card was charged twice")
        (card,) = [said for said in api.said if said.chat == BOARD]
        assert "open" in card.text
        telegram.press("Resolve", KIM, said=card)
        assert telegram.only()["status"] == "resolved"
        assert "resolved" in card.text
        told = [said for said in api.said if said.chat == BOARD and said is not card]
        assert [said.topic for said in told] == [card.topic]
        assert "Resolved." in told[0].text
        assert "is solved" in api.texts(ANA)[-1]


# --- who blocks us


def test_who_blocks_the_bot_is_marked_until_they_come_back(webhook: Telegram) -> None:
    for status, marked in (("kicked", {Address("telegram", str(ANA))}), ("member", set())):
        webhook.api.happens(
            my_chat_member={
                "chat": webhook.api.chat(ANA),
                "from": {"id": ANA},
                "new_chat_member": {"status": status, "user": {"id": BOT}},
            }
        )
        webhook.take()
        with database.session():
            assert reach.lost([Address("telegram", str(ANA))]) == marked


# --- the webhook


def test_telegram_is_told_where_we_are_and_what_we_want(webhook: Telegram, door: Door) -> None:
    (said,) = webhook.api.called("setWebhook")
    assert said["url"] == f"{door.url}/telegram/events"
    assert said["secret_token"] == SECRET
    assert tuple(said["allowed_updates"]) == UPDATES


@pytest.mark.parametrize("secret", ["", "wrong", SECRET + "x", SECRET[:-1]])
def test_who_does_not_know_the_secret_is_refused(webhook: Telegram, secret: str) -> None:
    update = webhook.api.say("My card was charged twice")
    assert webhook.api.deliver(update, secret=secret) == 401
    assert webhook.stored() == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"{}", b'{"update_id":"x"}', b"\xff", b"[" * 100_000])
def test_what_is_no_update_is_refused(webhook: Telegram, body: bytes) -> None:
    assert webhook.api.deliver({}, body=body) == 400


def test_what_is_larger_than_any_update_is_refused(webhook: Telegram) -> None:
    assert webhook.api.deliver({}, body=b" " * (LARGEST + 1)) == 413


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"message_id": "x"},
        {"message_id": 1, "chat": [], "from": {}, "date": 1},
        {"message_id": 1, "chat": {"id": ANA, "type": "private"}, "from": {"id": 1}, "date": 1, "photo": ["x", 3]},
        {"message_id": 1, "chat": {"id": ANA, "type": "private"}, "from": {"id": 1}, "date": 10**30, "text": 7},
    ],
)
def test_a_message_of_a_strange_shape_is_taken_as_far_as_it_goes(webhook: Telegram, message: dict[str, Any]) -> None:
    webhook.api.happens(message=message)
    webhook.api.happens(edited_message=message)
    webhook.take()


def test_a_message_that_cannot_be_committed_is_refused_and_comes_again(webhook: Telegram, tmp_path: Path) -> None:
    webhook.api.say("My card was charged twice")
    with locked(tmp_path):
        assert webhook.arrive() == [500]
    webhook.take()
    assert webhook.only()["message"] == "My card was charged twice"


def test_a_command_that_cannot_be_done_now_comes_again(webhook: Telegram, tmp_path: Path) -> None:
    webhook.say("My card was charged twice")
    webhook.api.say(f"/resolve {webhook.only()['ticket_id']}", KIM)
    with locked(tmp_path):
        assert webhook.arrive() == [500]
    webhook.take()
    assert webhook.only()["status"] == "resolved"


def test_without_a_secret_there_is_no_webhook(api: TelegramApi) -> None:
    settings = configured(api, telegram_webhook_secret=None)
    with pytest.raises(ConfigurationError, match="TELEGRAM_WEBHOOK_SECRET is not set"):
        TelegramListener(settings, "https://support.shop.example", None)  # type: ignore[arg-type]


# --- polling


@pytest.fixture
def polling(db: str, api: TelegramApi, clock: TestClock, door: Door) -> Iterator[Telegram]:
    with on_telegram(api, clock, door, "polling") as telegram:
        yield telegram


def test_the_offset_moves_only_after_the_commit(polling: Telegram, tmp_path: Path) -> None:
    with locked(tmp_path):
        update = polling.api.say("My card was charged twice")
        asked = len(polling.api.called("getUpdates"))
        wait_for(lambda: len(polling.api.called("getUpdates")) > asked + 1)
        assert polling.api.waiting == [update]
    polling.take()
    assert polling.only()["message"] == "My card was charged twice"
    assert polling.api.called("getUpdates")[-1]["offset"] == update["update_id"] + 1


def test_a_webhook_that_somebody_set_is_taken_away(db: str, api: TelegramApi, clock: TestClock, door: Door) -> None:
    api.webhook = {"url": "https://elsewhere.example"}
    with on_telegram(api, clock, door, "polling") as telegram:
        telegram.say("My card was charged twice")
        assert telegram.only()


def test_a_conflict_is_explained_and_overcome(polling: Telegram) -> None:
    with structlog.testing.capture_logs() as logged:
        polling.api.webhook = {"url": "https://elsewhere.example"}
        polling.api.say("wake up")
        polling.take()
    (conflict, *_) = [entry for entry in logged if entry["event"] == "telegram.conflict"]
    assert "another process asks for this bot's updates" in conflict["remedy"]
    assert polling.only()


def test_who_answers_at_once_that_there_is_nothing_is_not_asked_without_end(
    polling: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "SHORTEST_PAUSE", 0.2)
    polling.api.answer_with("getUpdates", json.dumps({"ok": True, "result": []}).encode(), times=1000)
    polling.api.happens(poll={"id": "1"})
    before = len(polling.api.called("getUpdates"))
    time.sleep(0.5)
    assert len(polling.api.called("getUpdates")) - before < 10


def test_asking_goes_on_after_errors_of_every_kind(polling: Telegram) -> None:
    api = polling.api
    api.refuse("getUpdates", 409, "Conflict: terminated by other getUpdates request")
    api.refuse("getUpdates", 429, "Too Many Requests: retry after 0", retry_after=0.01)
    api.refuse("getUpdates", 502, "Bad Gateway")
    api.answer_with("getUpdates", b"<html>")
    api.answer_with("getUpdates", json.dumps({"ok": True, "result": ["x", {"update_id": "y"}]}).encode())
    api.drop("getUpdates", acts=False)
    api.say("My card was charged twice")
    polling.take()
    assert polling.only()


def test_an_update_that_makes_us_stumble_is_given_up_and_the_next_is_taken(
    polling: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(self: object, query: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(listen.Acts, "_press", stumble)
    with structlog.testing.capture_logs() as logged:
        update = polling.api.happens(callback_query={"id": "1"})
        polling.api.say("My card was charged twice")
        polling.take()
    assert polling.only()
    assert [each["update"] for each in logged if each["event"] == "telegram.update_skipped"] == [update["update_id"]]


def test_telegram_may_be_away_when_we_start(db: str, api: TelegramApi, clock: TestClock, door: Door) -> None:
    api.refuse("getMe", 502, "Bad Gateway", times=2)
    with on_telegram(api, clock, door, "polling") as telegram:
        telegram.say("My card was charged twice")
        assert telegram.only()


def test_stopping_does_not_wait_for_the_end_of_a_poll(db: str, api: TelegramApi, clock: TestClock, door: Door) -> None:
    with on_telegram(api, clock, door, "polling"):
        wait_for(lambda: api.called("getUpdates"))
        began = time.monotonic()
    assert time.monotonic() - began < listen.POLL / 2


# --- what never gets out


def test_the_token_is_in_nothing_that_a_failing_run_says(
    db: str, api: TelegramApi, clock: TestClock, door: Door, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from bot import telemetry
    from tests.telegram_api import TOKEN

    telemetry.set_up("DEBUG", "json")
    api.refuse("getMe", 401, f"Unauthorized: {TOKEN}")
    api.drop("getMe", acts=False)
    with on_telegram(api, clock, door, "polling") as telegram:
        for misbehave in (
            lambda: api.refuse("sendMessage", 400, f"Bad Request: /bot{TOKEN}/sendMessage is wrong"),
            lambda: api.answer_with("sendMessage", f"<html>/bot{TOKEN}</html>".encode(), 500),
            lambda: api.drop("sendMessage", acts=False),
            lambda: api.answer_with("sendMessage", b"[]"),
            lambda: api.refuse("sendMessage", 403, f"Forbidden: {TOKEN}"),
        ):
            misbehave()
            telegram.say("/new My card was charged twice")
            telegram.house.later(seconds=30)
            telegram.house.later(seconds=30)
    logging.getLogger("telegram").warning("the end")
    out, err = capfd.readouterr()
    assert "telegram.not_connected" in err
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("incidents.db*"))
    assert "notifications" in kept.decode("latin-1")
    secret = TOKEN.partition(":")[2]
    assert secret not in out + err
    assert secret.encode() not in kept
