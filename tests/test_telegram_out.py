"""Telegram out, against a small real Telegram: what its answers and silences mean to us, and what people see."""

import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram import keys
from adapters.telegram.api import BotApi
from adapters.telegram.keys import Place
from adapters.telegram.look import look
from adapters.telegram.render import LONGEST, Span, _split, keyboard, parts, read_button, units
from adapters.telegram.send import TelegramSender
from bot.errors import CannotTell, ConfigurationError, DeliveryFailed, TryLater, Uncertain, Undeliverable
from bot.ids import new_id
from bot.model import Action, Address, Notice, NoticeKind
from bot.ports import Sender
from tests.mailbox import free_port
from tests.telegram_api import ANA, BOARD, BOT, GROUP, TOKEN, TelegramApi
from tests.telegram_house import configured
from tests.test_slack_out import Kept

SECRET_WORDS = "charged twice at the flower shop"
CHAT = Address("telegram", str(ANA))
INSIDE = Address("telegram", str(BOARD))
SHORT = timedelta(milliseconds=200)


class Remembered(Kept):
    def drop(self, key: str) -> None:
        self.pop(key, None)


def notice(kind: NoticeKind = NoticeKind.ADDED, what: str = "", incident_id: str = "", **changes: Any) -> Notice:
    incident_id = incident_id or new_id()
    written = Notice(
        key=f"{incident_id}.{what or kind}.telegram-0a1b2c3d",
        kind=kind,
        incident_id=incident_id,
        ticket_id="TKT-98042a72",
        subject="[TKT-98042a72] A subject",
        greeting="Thank you.",
        lead="We have added this to ticket TKT-98042a72.",
        facts=(("Status", "open"), ("Incident", incident_id)),
        quote=f"I was {SECRET_WORDS}",
        closing="Bye.",
    )
    return replace(written, **changes)


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    with TelegramApi() as api:
        yield api


@pytest.fixture
def state() -> Remembered:
    return Remembered()


def sender(api: TelegramApi, state: Remembered, **settings: Any) -> TelegramSender:
    values = configured(api, **settings)
    return TelegramSender(values, state, BotApi(values))  # type: ignore[arg-type]


@pytest.fixture
def telegram(api: TelegramApi, state: Remembered) -> Iterator[TelegramSender]:
    telegram = sender(api, state)
    yield telegram
    telegram.close()


@pytest.fixture
def hasty(api: TelegramApi, state: Remembered) -> Iterator[TelegramSender]:
    """One that does not wait for long."""
    telegram = sender(api, state, telegram_timeout=SHORT, telegram_deadline=timedelta(milliseconds=400))
    yield telegram
    telegram.close()


def failure_of(act: Callable[[], object]) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        act()
    return caught.value


# --- saying


def test_a_text_arrives_and_is_named(api: TelegramApi, telegram: TelegramSender) -> None:
    sent = telegram.send(CHAT, notice())
    assert sent.provider_id == keys.message(BOT, ANA, api.last().number)
    assert api.last().text == "Thank you.\n\nWe have added this to ticket TKT-98042a72.\n\nStatus: open\n\nBye."
    assert api.last().marks == []


def test_it_answers_the_customers_message(api: TelegramApi, telegram: TelegramSender) -> None:
    telegram.send(CHAT, notice(answers=f"{BOT}:{ANA}:12"))
    assert api.last().answers == 12


def test_a_message_of_another_chat_or_channel_is_not_answered(api: TelegramApi, telegram: TelegramSender) -> None:
    telegram.send(CHAT, notice(answers=f"{BOT}:78:12"))
    telegram.send(CHAT, notice(answers="T1/C1/1690000000.000100"))
    assert [one.answers for one in api.said] == [None, None]


def test_a_deleted_original_keeps_no_answer_away(api: TelegramApi, telegram: TelegramSender) -> None:
    api.gone.add((ANA, 12))
    telegram.send(CHAT, notice(answers=f"{BOT}:{ANA}:12"))
    assert api.last().answers is None


def test_in_a_topic_of_a_group_it_stays_there(api: TelegramApi, telegram: TelegramSender) -> None:
    api.topics[GROUP, 5] = "Billing"
    telegram.send(Address("telegram", f"{GROUP}/5/12"), notice())
    telegram.send(Address("telegram", f"{GROUP}//13"), notice())
    assert [(one.topic, one.answers) for one in api.said] == [(5, 12), (None, 13)]


def test_nothing_that_people_wrote_is_a_mark(api: TelegramApi, telegram: TelegramSender) -> None:
    evil = "<b>bold</b> <a href='https://evil.example'>x</a> & <script> &lt; </blockquote>"
    telegram.send(CHAT, notice(NoticeKind.REMINDER, greeting=evil, quote=evil, facts=((evil, evil),)))
    assert api.last().text.count(evil) == 4
    assert api.last().marks == ["blockquote"]


def test_marks_that_telegram_refuses_are_left_away(api: TelegramApi, telegram: TelegramSender) -> None:
    api.refuse("sendMessage", 400, 'Bad Request: can\'t parse entities: Unsupported start tag "x" at byte offset 3')
    telegram.send(CHAT, notice())
    assert "parse_mode" not in api.called("sendMessage")[-1]
    assert "Thank you." in api.last().text


def test_a_notice_without_words_has_its_subject(api: TelegramApi, telegram: TelegramSender) -> None:
    telegram.send(CHAT, notice(greeting="", lead=" ", closing="", facts=()))
    assert api.last().text == "[TKT-98042a72] A subject"


def test_two_who_send_at_once_share_one_connection_pool(api: TelegramApi, telegram: TelegramSender) -> None:
    with ThreadPoolExecutor(20) as pool:
        sent = list(pool.map(lambda _: telegram.send(CHAT, notice()).provider_id, range(40)))
    assert len(set(sent)) == 40


# --- long texts


LONG = "We looked into it. " * 600


def test_a_long_text_goes_in_parts_of_which_the_last_has_the_buttons(
    api: TelegramApi, telegram: TelegramSender, state: Remembered
) -> None:
    long = notice(NoticeKind.RESOLVED, "resolved-2", lead=LONG, actions=(Action("rate-1", "1"),))
    sent = telegram.send(CHAT, long)
    assert len(api.said) == 3
    assert " ".join("".join(one.text for one in api.said).split()).count("We looked into it.") >= 598
    assert [len(one.buttons) for one in api.said] == [0, 0, 1]
    assert sent.provider_id == keys.message(BOT, ANA, api.said[0].number)
    assert state[f"telegram/about/{keys.message(BOT, ANA, api.said[2].number)}"].endswith(sent.provider_id)


def test_after_a_part_that_failed_only_the_rest_is_sent(api: TelegramApi, telegram: TelegramSender) -> None:
    long = notice(lead=LONG)
    first = parts(long)[0].html
    original = api._send
    calls: list[int] = []

    def third_is_refused(said: dict[str, Any]) -> Any:
        calls.append(1)
        if len(calls) == 2:
            return {
                "ok": False,
                "error_code": 429,
                "description": "Too Many Requests",
                "parameters": {"retry_after": 3},
            }
        return original(said)

    from tests import telegram_api

    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(telegram_api.DEEDS, "sendMessage", lambda self, said: third_is_refused(said))
        assert isinstance(failure_of(lambda: telegram.send(CHAT, long)), TryLater)
        telegram.send(CHAT, long)
    assert len(api.said) == 3
    assert sum(call["text"] == first for call in api.called("sendMessage")) == 1


@given(st.lists(st.tuples(st.text(), st.sampled_from(["", "b", "blockquote"])), max_size=8), st.integers(1, 3000))
def test_parts_fit_and_lose_nothing_but_white_space_at_their_ends(written: list[tuple[str, str]], times: int) -> None:
    spans = [Span(text * (1 + times // (len(text) + 1)), tag) for text, tag in written]
    found = _split(spans)
    assert all(0 < units(part.plain) <= LONGEST for part in found)
    assert all(part.plain.strip() for part in found)
    assert "".join("".join(part.plain for part in found).split()) == "".join(
        "".join(span.text for span in spans).split()
    )


def test_an_emoji_counts_twice_and_is_never_cut(api: TelegramApi, telegram: TelegramSender) -> None:
    telegram.send(CHAT, notice(lead="😡" * 3000))
    assert "".join(one.text for one in api.said).count("😡") == 3000


def test_a_quote_goes_whole_into_the_next_part(api: TelegramApi, telegram: TelegramSender) -> None:
    telegram.send(CHAT, notice(NoticeKind.REMINDER, lead="a " * 1900, quote="b " * 400))
    assert ["blockquote" in one.marks for one in api.said] == [False, True]


# --- buttons


def test_buttons_carry_action_incident_and_turn_in_64_bytes() -> None:
    written = notice(
        NoticeKind.RESOLVED, "resolved-123456", actions=(Action("rate-5", "5"), Action("not_solved", "No, not yet"))
    )
    rows = (keyboard(written) or {})["inline_keyboard"]
    data = [button["callback_data"] for row in rows for button in row]
    assert [read_button(each) for each in data] == [
        ("rate-5", written.incident_id, "123456"),
        ("not_solved", written.incident_id, ""),
    ]
    assert all(len(each.encode()) <= 64 for each in data)


def test_five_digits_stand_in_one_row() -> None:
    rows = (keyboard(notice(actions=tuple(Action(f"rate-{n}", str(n)) for n in range(1, 6)))) or {})["inline_keyboard"]
    assert [len(row) for row in rows] == [5]


# --- the agents' group


def card(incident_id: str, status: str = "open") -> Notice:
    names = ("assign", "reply", "resolve", "category") if status == "open" else ("reopen", "category")
    actions = tuple(Action(name, name.capitalize()) for name in names)
    facts = (("Status", status), ("Priority", "urgent"))
    return notice(NoticeKind.CARD, f"card-{status}", incident_id, facts=facts, actions=actions)


def test_each_incident_has_a_topic_whose_card_is_pinned_and_changed_in_place(
    api: TelegramApi, telegram: TelegramSender
) -> None:
    one, other = new_id(), new_id()
    for incident_id in (one, other):
        telegram.send(INSIDE, card(incident_id))
        telegram.send(INSIDE, notice(NoticeKind.ENTRY, incident_id=incident_id))
    telegram.send(INSIDE, card(one, "resolved"))
    topics = [topic for _, topic in api.topics]
    assert [said.topic for said in api.said] == [topics[0], topics[0], topics[1], topics[1]]
    first = api.said[0]
    assert first.pinned
    assert first.text.startswith("TKT-98042a72 · urgent · resolved")
    assert [button["text"] for button in first.buttons] == ["Reopen"]
    assert [button["text"] for button in api.said[2].buttons] == ["Assign", "Resolve"]


def test_a_card_that_stays_as_it_is_is_well(api: TelegramApi, telegram: TelegramSender) -> None:
    incident_id = new_id()
    assert telegram.send(INSIDE, card(incident_id)) == telegram.send(INSIDE, card(incident_id))
    assert len(api.said) == 1


@pytest.mark.parametrize("kind", [NoticeKind.ALERT, NoticeKind.AGENT_REMINDER, NoticeKind.ESCALATION])
def test_what_agents_must_know_stands_in_the_topic(
    api: TelegramApi, telegram: TelegramSender, kind: NoticeKind
) -> None:
    telegram.send(INSIDE, notice(kind))
    (topic,) = [topic for _, topic in api.topics]
    assert api.last(BOARD).topic == topic
    assert SECRET_WORDS in api.last(BOARD).text


def test_a_deleted_topic_is_made_again_with_a_new_card(api: TelegramApi, telegram: TelegramSender) -> None:
    incident_id = new_id()
    telegram.send(INSIDE, card(incident_id))
    api.topics.clear()
    telegram.send(INSIDE, notice(NoticeKind.ENTRY, incident_id=incident_id))
    telegram.send(INSIDE, card(incident_id))
    assert len(api.topics) == 1
    assert [said.topic for said in api.said][1:] == [topic for _, topic in api.topics] * 2
    assert api.last(BOARD).pinned


def test_a_deleted_card_is_said_again(api: TelegramApi, telegram: TelegramSender) -> None:
    incident_id = new_id()
    telegram.send(INSIDE, card(incident_id))
    api.gone.add((BOARD, api.last(BOARD).number))
    telegram.send(INSIDE, card(incident_id, "resolved"))
    assert len(api.said) == 2


def test_a_closed_topic_is_opened_again(api: TelegramApi, telegram: TelegramSender) -> None:
    incident_id = new_id()
    telegram.send(INSIDE, card(incident_id))
    api.closed.update(topic for _, topic in api.topics)
    telegram.send(INSIDE, notice(NoticeKind.ENTRY, incident_id=incident_id))
    assert len(api.said) == 2


def test_a_group_without_topics_is_told_all_the_same(api: TelegramApi, telegram: TelegramSender) -> None:
    api.forums.clear()
    incident_id = new_id()
    telegram.send(INSIDE, card(incident_id))
    telegram.send(INSIDE, card(incident_id, "resolved"))
    telegram.send(INSIDE, notice(NoticeKind.ALERT, incident_id=incident_id))
    assert [(said.topic, "resolved" in said.text) for said in api.said] == [(None, True), (None, False)]


# --- what can go wrong


@pytest.mark.parametrize(
    ("code", "description", "parameters", "kind"),
    [
        (403, "Forbidden: bot was blocked by the user", {}, Undeliverable),
        (400, "Bad Request: chat not found", {}, Undeliverable),
        (400, "Bad Request: message is too long", {}, Undeliverable),
        (429, "Too Many Requests: retry after 7", {"retry_after": 7}, TryLater),
        (429, "Too Many Requests", {}, TryLater),
        (401, "Unauthorized", {}, TryLater),
        (404, "Not Found", {}, TryLater),
        (502, "Bad Gateway", {}, Uncertain),
        (500, "Internal Server Error", {}, Uncertain),
    ],
)
def test_an_error_is_what_it_means(
    api: TelegramApi,
    telegram: TelegramSender,
    code: int,
    description: str,
    parameters: dict[str, Any],
    kind: type[DeliveryFailed],
) -> None:
    api.refuse("sendMessage", code, description, **parameters)
    failure = failure_of(lambda: telegram.send(CHAT, notice()))
    assert isinstance(failure, kind)
    if parameters:
        assert isinstance(failure, TryLater)
        assert failure.retry_after == 7


def test_a_silence_is_an_unknown_outcome(api: TelegramApi, hasty: TelegramSender) -> None:
    api.hang("sendMessage", acts=True)
    assert isinstance(failure_of(lambda: hasty.send(CHAT, notice())), Uncertain)
    assert len(api.said) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"ok":true}', b'{"ok":true,"result":{}}', b""])
def test_an_answer_that_nobody_can_read_is_an_unknown_outcome(
    api: TelegramApi, telegram: TelegramSender, body: bytes
) -> None:
    api.answer_with("sendMessage", body or b" ", acts=True)
    assert isinstance(failure_of(lambda: telegram.send(CHAT, notice())), Uncertain)


def test_a_connection_that_breaks_is_an_unknown_outcome(api: TelegramApi, telegram: TelegramSender) -> None:
    api.drop("sendMessage", acts=True)
    assert isinstance(failure_of(lambda: telegram.send(CHAT, notice())), Uncertain)


def test_where_nobody_listens_nothing_went_out(api: TelegramApi, state: Remembered) -> None:
    nowhere = sender(api, state, telegram_api_url=f"http://127.0.0.1:{free_port()}")
    failure = failure_of(lambda: nowhere.send(CHAT, notice()))
    nowhere.close()
    assert isinstance(failure, TryLater)
    assert "TELEGRAM_API_URL" in str(failure)


def test_nobody_can_say_what_arrived_so_it_is_repeated_once(telegram: TelegramSender) -> None:
    failure = failure_of(lambda: telegram.find(CHAT, notice()))
    assert isinstance(failure, CannotTell)
    assert failure.repeats == 1


def test_a_card_may_be_changed_again(telegram: TelegramSender) -> None:
    incident_id = new_id()
    telegram.send(INSIDE, card(incident_id))
    assert telegram.find(INSIDE, card(incident_id)) is None


def test_a_group_that_has_become_another_is_followed(
    api: TelegramApi, telegram: TelegramSender, state: Remembered
) -> None:
    old = Address("telegram", "-55//12")
    api.refuse(
        "sendMessage", 400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=GROUP
    )
    telegram.send(old, notice())
    telegram.send(old, notice())
    assert [said.chat for said in api.said] == [GROUP, GROUP]
    assert len(api.called("sendMessage")) == 3


@pytest.mark.parametrize("key", ["", "x", "77;78", "../77", "77/5/12/1", "@name"])
def test_what_is_no_address_is_undeliverable(telegram: TelegramSender, key: str) -> None:
    assert isinstance(failure_of(lambda: telegram.send(Address("telegram", key), notice())), Undeliverable)
    assert telegram.paces(Address("telegram", key)) == {}


@given(st.integers(-(10**15), 10**15), st.none() | st.integers(1, 10**9), st.none() | st.integers(1, 10**9))
def test_an_address_is_read_as_it_was_written(chat: int, topic: int | None, message: int | None) -> None:
    place = Place(chat, topic, message)
    assert keys.parse(keys.address(place)) == place


def test_a_bot_a_chat_and_a_group_have_their_paces(telegram: TelegramSender) -> None:
    assert telegram.paces(CHAT) == {"telegram": 1 / 30, f"telegram/{ANA}": 1.0}
    assert telegram.paces(Address("telegram", f"{GROUP}/5/12"))[f"telegram/{GROUP}"] == 3.0


@pytest.mark.parametrize("name", ["token", "words"])
def test_no_error_holds_the_token_or_a_word_of_the_notice(
    api: TelegramApi, telegram: TelegramSender, name: str
) -> None:
    secret = {"token": TOKEN, "words": SECRET_WORDS}[name]
    api.refuse("sendMessage", 400, f"Bad Request: no /bot{TOKEN}/sendMessage", times=1)
    api.refuse("sendMessage", 400, f"Bad Request: can't parse entities: {SECRET_WORDS}", times=2)
    api.answer_with("sendMessage", f"/bot{TOKEN}/ {SECRET_WORDS}".encode(), 500)
    api.drop("sendMessage", acts=False)
    for _ in range(4):
        failure = failure_of(lambda: telegram.send(CHAT, notice(closing=SECRET_WORDS)))
        said = "".join(traceback.format_exception(failure))
        assert secret.partition(":")[2] not in said if name == "token" else secret not in said


def test_after_the_end_nothing_is_left_running(api: TelegramApi, telegram: TelegramSender) -> None:
    telegram.send(CHAT, notice())
    thread = telegram._api._thread
    assert thread is not None
    telegram.close()
    assert not thread.is_alive()


def test_it_is_a_sender(telegram: TelegramSender) -> None:
    one: Sender = telegram
    assert (one.name, one.simulated, one.deadline) == ("telegram", False, 15.0)


def test_the_library_is_imported_only_when_it_is_needed() -> None:
    program = (
        "import sys; from adapters.telegram import channel, check, listen, acts\n"
        "assert not {'telegram', 'httpx', 'starlette'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# --- setting up


@pytest.mark.parametrize(
    "wrong",
    [
        {"telegram_bot_token": "x"},
        {"telegram_webhook_secret": "with blanks"},
        {"telegram_agents": "@kim"},
        {"telegram_agents_group": "5"},
        {"telegram_api_url": "api.telegram.org"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    from adapters.telegram.settings import TelegramSettings

    for name, value in wrong.items():
        monkeypatch.setenv(name.upper(), value)
    with pytest.raises(ConfigurationError, match=next(iter(wrong)).upper()):
        TelegramSettings.read()


def findings(api: TelegramApi, public_url: str | None = None, **more: Any) -> list[str]:
    """What `bot telegram check` finds wrong, with its remedies."""
    settings = configured(api, **more)
    calls = BotApi(settings)
    try:
        return [f"{one.says}: {one.remedy}" for one in look(settings, public_url, calls) if not one.well]
    finally:
        calls.close()


def test_a_check_finds_nothing_where_all_is_well(api: TelegramApi) -> None:
    assert findings(api) == []
    api.webhook = {"url": "https://bot.example/telegram/events"}
    assert findings(api, "https://bot.example") == []


def test_a_check_says_what_to_do(api: TelegramApi) -> None:
    assert any("start the bot" in one for one in findings(api, "https://bot.example"))
    api.webhook = {"url": "https://bot.example/telegram/events", "last_error_message": "Wrong response: 502"}
    api.say("waits")
    assert any(
        "Wrong response: 502; 1 updates wait: is PUBLIC_URL" in one for one in findings(api, "https://bot.example")
    )
    assert any("takes the webhook away" in one for one in findings(api))
    api.forums.clear()
    assert any("Topics" in one for one in findings(api))
    api.refuse("getMe", 401, "Unauthorized")
    assert any("@BotFather" in one for one in findings(api))
