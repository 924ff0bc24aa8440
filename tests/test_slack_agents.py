"""Agents at work in Slack, from the customer's message to the card that says resolved: all of it over HTTP, both ways,
with Slack's API on loopback."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette

from adapters.slack.channel import SlackChannel
from bot.model import Address, Category, Classification
from bot.state import State
from tests.door import Door
from tests.fakes import TestClock
from tests.house import CLERK, House, by_words
from tests.slack_api import Message
from tests.slack_house import Slack, Workspace, api, backend, core_of, event, impatient, payload, settings

__all__ = ["api", "backend", "impatient"]

WROTE = "My card was charged twice"
NASTY = "<!channel> <@U123> <https://evil.example|your bank> twice & &lt;!here&gt;"


def doubtful(text: str) -> Classification:
    return Classification(Category.OTHER, 0.4, "", "local") if "hm" in text else by_words(text)


@pytest.fixture
def house(impatient: None, db: str, clock: TestClock, api: Workspace) -> Iterator[House]:
    api.answers["users.info"] = {"user": {"team_id": "T1", "profile": {"display_name": "Eva"}}}
    house = House(clock, chat=SlackChannel(settings(api), State()), classifier=doubtful)
    yield house
    house.stop()


class Office(Slack):
    """A workspace in which the bot writes as well."""

    def customer_writes(self, text: str = WROTE, thread: str | None = None) -> str:
        """Write in the support channel, or in a thread there; return the message's ts."""
        ts = self.api.say("C1", text, thread)
        changes = {"ts": ts, "event_ts": ts, "text": text, **({} if thread is None else {"thread_ts": thread})}
        self.take("message", **changes)
        return ts

    @property
    def cards(self) -> list[Message]:
        return [message for message in self.api.posted("C9") if message.thread_ts is None]

    def under(self, card: Message) -> list[str]:
        """The timeline under a card, as plain text without its first line, which names the ticket."""
        told = [message for message in self.api.posted("C9") if message.thread_ts == card.ts]
        return [message.text.partition("\n")[2] for message in told]

    def press(self, card: Message, action: str, user: str = "UAGENT", **more: Any) -> None:
        """Press the button of a card, with the value that it has."""
        (button,) = [each for each in elements(card) if each["action_id"] == action]
        body = payload("button_of_a_card", **{"1795348802.000500": card.ts, "TICKET": button.get("value", "")})
        body["user"]["id"] = user
        body["actions"][0] |= {"action_id": action, "type": button["type"], **more}
        assert self.act(body).status_code == 200
        self.house.work()

    def types_under(self, card: Message, text: str, user: str = "UAGENT") -> None:
        ts = self.api.say("C9", text, card.ts)
        changes = {"channel": "C9", "ts": ts, "event_ts": ts, "thread_ts": card.ts, "user": user, "text": text}
        assert self.event(event("message_reply", **changes)).status_code == 200
        self.house.work()


def elements(message: Message) -> list[dict[str, Any]]:
    return [each for block in message.blocks if block["type"] == "actions" for each in block["elements"]]


def head(card: Message) -> str:
    return str(card.blocks[0]["text"]["text"])


@pytest.fixture
def office(house: House, api: Workspace, door: Door) -> Iterator[Office]:
    door.app = Starlette()
    with house.chat.listening(core_of(house), door.app):
        yield Office(door.url, api, house)


def test_a_message_is_answered_in_its_thread_and_becomes_a_card(office: Office) -> None:
    ts = office.customer_writes()
    ticket = office.only()["ticket_id"]
    [answer] = office.api.posted("C1")
    [card] = office.cards
    assert (answer.thread_ts, ticket in answer.text) == (ts, True)
    assert office.api.message("C1", ts).reactions == {"eyes"}
    assert head(card) == f"🟢 {ticket} · normal · open"
    assert "Eva (T1/U1)" in repr(card.blocks)
    assert "Duplicate payment (95%)" in repr(card.blocks)
    assert WROTE in repr(card.blocks)
    assert [each["action_id"] for each in elements(card)] == ["assign", "reply", "resolve", "category"]


def test_the_whole_life_of_an_incident_from_slack(office: Office) -> None:
    ts = office.customer_writes()
    ticket = office.only()["ticket_id"]
    [card] = office.cards
    office.press(card, "assign")
    office.types_under(card, "I call her")
    office.customer_writes("It was on Monday", ts)
    assert office.command(f"{ticket} fixed it") == f"{ticket} is resolved."
    office.house.work()
    said = office.api.posted("C1")
    assert [message.thread_ts for message in said] == [ts, ts]
    assert "fixed it" in said[1].text
    assert office.api.message("C1", ts).reactions == {"eyes", "white_check_mark"}
    assert office.cards == [card]
    assert head(card) == f"✅ {ticket} · normal · resolved"
    assert [each["action_id"] for each in elements(card)] == ["reopen", "category"]
    told = office.under(card)
    assert told == [
        "Assigned.\nAssigned to: Eva (T1/UAGENT)\nBy: Eva (T1/UAGENT)",
        "The customer wrote:\nBy: Eva (T1/U1)\nIt was on Monday",
        "Resolved.\nBy: Eva (T1/UAGENT)\nfixed it",
    ]
    assert office.house.said(office.only()["id"], "note") == ["I call her"]  # and it is not repeated under the card


def test_the_customer_is_answered_by_the_form_that_a_button_opens(office: Office) -> None:
    ts = office.customer_writes()
    [card] = office.cards
    office.press(card, "reply")
    (opened,) = office.api.called("views.open")
    assert opened["trigger_id"]
    body = payload("form_of_a_reply", TICKET=office.only()["ticket_id"])
    assert office.act(body).status_code == 200
    office.house.work()
    text = body["view"]["state"]["values"]["text"]["text"]["value"]
    answer = office.api.posted("C1")[-1]
    assert (answer.thread_ts, text in answer.text) == (ts, True)
    assert text in office.under(card)[-1]


def test_a_category_that_nobody_is_sure_of_is_confirmed_by_a_button(office: Office) -> None:
    office.customer_writes("hm")
    [card] = office.cards
    assert "confirm or change the category" in repr(card.blocks)
    office.press(card, "category-other")
    assert office.only()["reviewed_by"] == "T1/UAGENT"
    assert "confirm or change" not in repr(card.blocks)
    assert [each["action_id"] for each in elements(card)] == ["assign", "reply", "resolve", "category"]
    assert office.under(card) == ["The category was confirmed: General request\nBy: Eva (T1/UAGENT)"]


def test_a_category_is_changed_by_the_menu_and_may_make_the_incident_urgent(office: Office) -> None:
    office.customer_writes("hm")
    [card] = office.cards
    ticket = office.only()["ticket_id"]
    office.press(card, "category", selected_option={"value": f"{ticket}:fraud_report"})
    assert head(card) == f"🚨 {ticket} · urgent · open"
    assert "The category is now: Fraud report\nBy: Eva (T1/UAGENT)" in office.under(card)


def test_a_button_of_a_card_is_for_agents(office: Office) -> None:
    office.customer_writes()
    [card] = office.cards
    office.press(card, "resolve", user="U5")
    assert office.only()["status"] == "open"
    assert office.told() == ["resolve is for agents, and you are not one of them."]


def test_what_nobody_has_touched_is_seen_in_the_channel_too(office: Office) -> None:
    office.customer_writes()
    office.house.later(hours=49)
    told = [message for message in office.api.posted("C9") if message.thread_ts == office.cards[0].ts]
    assert [message.broadcast for message in told] == [True, True]
    assert "no agent has touched it" in told[1].text


def test_an_answer_that_did_not_reach_the_customer_is_told_under_the_card(office: Office) -> None:
    office.customer_writes()
    [card] = office.cards
    office.api.refuse("chat.postMessage", "is_archived")
    office.house.commands.reply(office.only()["ticket_id"], CLERK, "We are on it.")
    office.house.work()
    assert any("This did not reach the customer: reply by slack" in line for line in office.under(card))


def test_nothing_that_a_customer_writes_pings_anybody_on_the_board(office: Office) -> None:
    ts = office.customer_writes(NASTY)
    office.customer_writes(NASTY, ts)
    [card] = office.cards
    seen = repr([message.blocks for message in office.api.posted("C9")]) + repr(office.under(card))
    assert "<!channel>" not in seen
    assert "<@U123>" not in seen
    assert "<https" not in seen


def test_the_longest_message_fits_the_card_and_what_stands_below_it(office: Office) -> None:
    longest = "😀 שלום <&> " * 3600
    ts = office.customer_writes(longest[:40_000])
    office.customer_writes(longest[:40_000], ts)
    [card] = office.cards  # the API refuses what Slack's own models refuse
    assert len(office.under(card)) == 1


def test_the_agents_channel_is_a_board_of_whichever_workspace_it_is(api: Workspace) -> None:
    assert SlackChannel(settings(api), State()).board == Address("slack", "T/C9")
