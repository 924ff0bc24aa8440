"""The app's home in Slack: what agents and customers see there, and what its buttons do."""

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View
from starlette.applications import Starlette

from adapters.slack import acts, manifest
from adapters.slack.home import LISTED, QUOTE, home_of_agent, home_of_customer, named_in
from adapters.slack.listen import SlackListener
from bot import telemetry
from bot.model import Category, Incident, Workload
from storage import dialect
from storage.tables import InboxMessage
from tests.door import Door
from tests.fakes import NOON, RecordingSender, TestClock
from tests.house import House
from tests.slack_api import TOKEN, SlackApi
from tests.slack_house import SECRET, Slack, core_of, event, locked, payload, settings, view_of

NASTY = "<!channel> <@U123> <!subteam^S1> <https://evil.example|your bank> & <!date^0^{date}|x>"
LONG = {
    "emoji": "😀" * 20_000,
    "ampersands": "&<>" * 13_334,
    "one word": "x" * 40_000,
    "Arabic": "فتحنا لكم التذكرة \u202e" * 2_000,
    "lines": "a\n" * 20_000,
}
NAMES = {"T1/U1": "Ana", "T1/UAGENT": "Clara"}
ONE = Incident(
    id="01900000-0000-7000-8000-000000000001",
    ticket_id="TKT-98042a72",
    external_ticket_id="EXT-7",
    customer_id="T1/U1",
    channel="slack",
    message="My card was charged twice",
    category=Category.DUPLICATE_PAYMENT,
    confidence=0.8125,
    reason="it says twice",
    classified_by="some-model",
    status="open",
    created_at=NOON - timedelta(hours=3),
    last_opened_at=NOON - timedelta(hours=3),
)
URGENT = replace(ONE, ticket_id="TKT-2", category=Category.FRAUD_REPORT, assignee="T1/UAGENT")


@pytest.fixture
def backend() -> str:
    """Nothing in here depends on the kind of the database."""
    return "sqlite"


# --- what it looks like


def work(*others: Incident, own: tuple[Incident, ...] = (), more: int = 0) -> Workload:
    shown = (*own, *others)
    urgent = sum(incident.priority == "urgent" for incident in shown)
    return Workload(own, others, len(shown) + more, urgent, len(own))


def texts(value: Any) -> list[str]:
    """Every text in a view that is shown."""
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for each in value.values() for text in texts(each)]
    return []


def shown(view: dict[str, Any]) -> str:
    return "\n".join(texts(view["blocks"]))


def header(view: dict[str, Any]) -> str:
    return next(str(block["text"]["text"]) for block in view["blocks"] if block["type"] == "header")


def buttons(view: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [block["elements"] for block in view["blocks"] if block["type"] == "actions"]
    return [(button["action_id"], button["value"]) for row in rows for button in row]


def tickets(view: dict[str, Any]) -> list[str]:
    """The tickets of a view, in order."""
    return re.findall(r"^\*(TKT-[\w-]+)\*", shown(view), re.MULTILINE)


def assert_slack_takes(view: dict[str, Any]) -> None:
    """Slack's own models find nothing wrong, and nothing in it pings or is a link: of what stands in angle brackets
    there are times alone."""
    View(**view).to_dict()
    for block in Block.parse_all(view["blocks"]):
        block.to_dict()
    assert len(view["blocks"]) <= 100
    assert set(re.findall("<.", shown(view))) <= {"<!"}
    assert re.findall(r"<![^d]|<!d(?!ate\^\d+\^\{date_short_pretty\} at \{time\}\|[\d :-]+ UTC>)", shown(view)) == []


def test_an_agent_sees_what_an_incident_is_whose_it_is_and_what_was_written() -> None:
    view = home_of_agent(work(URGENT), NAMES, NOON)
    assert "*TKT-2* · *URGENT* · Fraud report · 3 hours old" in shown(view)
    assert "\u2068Ana\u2069 (T1/U1) · open, assigned to \u2068Clara\u2069 (T1/UAGENT)" in shown(view)
    assert "> My card was charged twice" in shown(view)


def test_whose_name_is_not_known_is_called_by_their_key() -> None:
    view = home_of_agent(work(ONE), {}, NOON)
    assert "\nT1/U1 · open, assigned to nobody\n" in shown(view)


def test_who_takes_the_name_of_somebody_in_slack_is_not_called_by_theirs() -> None:
    by_api = [replace(ONE, channel="web", reporter="shop"), replace(ONE, reporter="shop")]
    assert named_in(work(*by_api, URGENT)) == {"T1/U1", "T1/UAGENT"}
    assert named_in(work(*by_api)) == set()
    assert "Ana" not in shown(home_of_agent(work(*by_api), NAMES, NOON))


def test_what_is_an_agents_own_comes_first_and_all_is_counted() -> None:
    view = home_of_agent(work(ONE, own=(URGENT,), more=30), NAMES, NOON)
    assert header(view) == "1 assigned to you · 32 open · 1 urgent"
    assert tickets(view) == ["TKT-2", "TKT-98042a72"]
    assert "30 more wait behind these." in shown(view)


def test_each_incident_has_the_buttons_of_the_card() -> None:
    three = [(name, ONE.ticket_id) for name in ("assign", "reply", "resolve")]
    assert buttons(home_of_agent(work(ONE), NAMES, NOON)) == three


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=-5), "1 minute old"),
        (timedelta(minutes=59), "59 minutes old"),
        (timedelta(hours=1), "1 hour old"),
        (timedelta(hours=47), "47 hours old"),
        (timedelta(days=12), "12 days old"),
    ],
)
def test_an_age_is_told_in_words(age: timedelta, words: str) -> None:
    assert words in shown(home_of_agent(work(replace(ONE, created_at=NOON - age)), {}, NOON))


def test_what_was_opened_again_says_since_when() -> None:
    again = replace(ONE, openings=2, last_opened_at=NOON)
    at = f"<!date^{int(NOON.timestamp())}^{{date_short_pretty}} at {{time}}|2026-11-22 12:00 UTC>"
    assert f"open again since {at}, assigned to nobody" in shown(home_of_agent(work(again), {}, NOON))
    assert f"*open* again since {at}" in shown(home_of_customer([again], NOON))


def test_an_agent_with_nothing_to_do_is_told_what_comes_here() -> None:
    assert "Nothing is open." in shown(home_of_agent(work(), {}, NOON))
    assert "Nothing is assigned to you." in shown(home_of_agent(work(ONE), {}, NOON))
    assert "Everything that is open is yours." in shown(home_of_agent(work(own=(URGENT,)), {}, NOON))


def test_a_customer_sees_how_their_tickets_stand() -> None:
    solved = replace(ONE, ticket_id="TKT-3", status="resolved", resolved_at=NOON, message="Where is my refund?")
    view = home_of_customer([ONE, solved], NOON)
    assert header(view) == "Your tickets: 1 open"
    assert tickets(view) == ["TKT-98042a72", "TKT-3"]
    assert re.search(r"\*TKT-98042a72\* · \*open\* since <!date\S+ at .*09:00 UTC>\n> My card was", shown(view))
    assert re.search(r"\*TKT-3\* · \*solved\* since <!date\S+ at .*12:00 UTC>\n> Where is my", shown(view))
    assert buttons(view) == [("report", "report")]


def test_a_customer_sees_nothing_that_is_decided_inside() -> None:
    said = json.dumps(home_of_customer([URGENT], NOON), ensure_ascii=False).lower()
    inside = "urgent", "normal", "fraud", "assign", "uagent", "0.8", "says twice", "some-model", "ext-7", "t1/u1"
    assert [word for word in inside if word in said] == []
    assert URGENT.id not in said


def test_a_customer_with_no_ticket_is_told_how_to_get_one() -> None:
    view = home_of_customer([], NOON)
    assert "Press *Report a problem*" in shown(view)
    assert buttons(view) == [("report", "report")]


def test_a_customer_is_told_that_older_tickets_are_not_shown() -> None:
    many = [replace(ONE, ticket_id=f"TKT-{number}") for number in range(LISTED + 1)]
    assert len(tickets(home_of_customer(many, NOON))) == LISTED
    assert "Older tickets" in shown(home_of_customer(many, NOON))
    assert "Older tickets" not in shown(home_of_customer(many[:LISTED], NOON))


def test_what_is_to_be_said_stands_at_the_top() -> None:
    for view in (
        home_of_agent(work(ONE), {}, NOON, "No <!here> & now."),
        home_of_customer([], NOON, "No <!here> & now."),
    ):
        assert view["blocks"][0]["text"]["text"].endswith("No &lt;!here&gt; &amp; now.")
        assert_slack_takes(view)


def test_what_was_taken_back_is_not_shown() -> None:
    for view in (
        home_of_agent(work(replace(ONE, message="")), {}, NOON),
        home_of_customer([replace(ONE, message="")], NOON),
    ):
        assert ">" not in re.sub("<!date[^>]*>", "", shown(view))


@pytest.mark.parametrize("text", [NASTY, *LONG.values()], ids=["mentions", *LONG])
def test_the_fullest_home_is_one_that_slack_takes_and_pings_nobody(text: str) -> None:
    full = replace(ONE, message=text, ticket_id=text[:36], customer_id=text, assignee=text, openings=2)
    lists = (full,) * LISTED, (replace(full, customer_id="T1/U1"),) * LISTED
    names = dict.fromkeys(named_in(work(*lists[0], own=lists[1])), text[:80])
    for view in (
        home_of_agent(work(*lists[0], own=lists[1], more=10**6), names, NOON, text),
        home_of_customer([full] * (LISTED + 1), NOON, text),
    ):
        assert_slack_takes(view)
        assert len(json.dumps(view)) < 250_000


def test_a_long_text_is_cut_with_a_mark() -> None:
    (quote,) = re.findall("> (.*)", shown(home_of_customer([replace(ONE, message="word " * 9000)], NOON)))
    assert QUOTE - 10 < len(quote) <= QUOTE
    assert quote.endswith("…")


# --- over HTTP


@pytest.fixture
def api() -> Iterator[SlackApi]:
    with SlackApi("C1", "D1", "C9") as api:
        api.chats = {"U1": "D1", "UAGENT": "D2"}
        api.answers |= {"chat.postEphemeral": {}, "usergroups.users.list": {"users": ["UAGENT", "UEVA"]}}
        api.answers["users.info"] = {"user": {"team_id": "T1", "profile": {"display_name": "Ana"}}}
        yield api


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a Slack on a busy machine, but not long for another process's transaction."""
    monkeypatch.setattr(dialect, "BUSY_TIMEOUT", 0.1)
    monkeypatch.setattr(acts, "BRIEF", 20)
    monkeypatch.setattr(acts, "WAIT_FOR_NAMES", 20)


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock, chat=RecordingSender("slack"))
    yield house
    house.stop()


@pytest.fixture
def slack(house: House, api: SlackApi, door: Door) -> Iterator[Slack]:
    door.app = Starlette()
    with SlackListener(settings(api)).listening(core_of(house), door.app):
        yield Slack(door.url, api, house)


def opens(slack: Slack, user: str, **changes: Any) -> dict[str, Any]:
    """Have somebody open the home, and return what they see."""
    assert slack.event(event("app_home_opened", user=user, **changes)).status_code == 200
    return slack.api.homes.get(user, {})


def press(slack: Slack, action: str, ticket: str = "", user: str = "UAGENT") -> dict[str, Any]:
    """Have somebody press a button in their home, and return what they see then."""
    body = payload("button_of_the_home", TICKET=ticket)
    body["actions"][0]["action_id"] = action
    body["user"]["id"] = user
    assert slack.act(body).status_code == 200
    slack.house.work()
    return slack.api.homes[user]


def top(view: dict[str, Any]) -> str:
    return str(view["blocks"][0]["text"]["text"])


@pytest.fixture
def ticket(slack: Slack) -> str:
    """That of an incident that U1 has reported."""
    slack.take("message")
    return str(slack.only()["ticket_id"])


def test_an_agent_opens_the_home_and_sees_what_is_open(slack: Slack, ticket: str) -> None:
    view = opens(slack, "UAGENT")
    assert header(view) == "0 assigned to you · 1 open · 0 urgent"
    assert "\u2068Ana\u2069 (T1/U1)" in shown(view)
    assert buttons(view) == [(name, ticket) for name in ("assign", "reply", "resolve")]


def test_a_customer_opens_the_home_and_sees_their_own_alone(slack: Slack, ticket: str) -> None:
    slack.take("message", user="U2", ts="1795348860.000700", text="My account is locked")
    slack.house.write("My refund is late", customer_id="T1/U1")
    assert tickets(opens(slack, "U1")) == [ticket]
    assert "locked" not in shown(opens(slack, "U1"))
    assert buttons(opens(slack, "U1")) == [("report", "report")]
    assert "You have reported nothing yet." in shown(opens(slack, "U5"))
    assert slack.api.called("users.info") == []


def test_an_agents_id_in_another_workspace_is_no_agents(slack: Slack, ticket: str) -> None:
    slack.event({**event("app_home_opened"), "team_id": "T2"})
    assert ticket not in shown(slack.api.homes["UAGENT"])


def test_the_other_tab_shows_nothing(slack: Slack) -> None:
    assert opens(slack, "UAGENT", tab="messages") == {}
    assert slack.api.called("views.publish") == []


def test_an_agent_takes_an_incident_in_the_home_and_sees_that_it_is_theirs(slack: Slack, ticket: str) -> None:
    view = press(slack, "assign", ticket)
    assert slack.only()["assignee"] == "T1/UAGENT"
    assert header(view) == "1 assigned to you · 1 open · 0 urgent"
    assert slack.told() == []


def test_an_agent_resolves_in_the_home(slack: Slack, ticket: str) -> None:
    view = press(slack, "resolve", ticket)
    assert slack.only()["status"] == "resolved"
    assert "Nothing is open." in shown(view)
    assert "*solved*" in shown(opens(slack, "U1"))


def test_who_comes_second_reads_in_the_home_who_was_first_until_they_open_it_again(slack: Slack, ticket: str) -> None:
    press(slack, "resolve", ticket, user="UEVA")
    assert f"{ticket} was resolved by T1/UEVA at " in top(press(slack, "resolve", ticket))
    assert slack.told() == []
    assert slack.house.events(slack.only()["id"]).count("resolved") == 1
    assert "was resolved by" not in shown(opens(slack, "UAGENT"))


@pytest.mark.parametrize("action", ["assign", "reply", "resolve"])
def test_who_is_no_agent_any_more_changes_nothing_and_sees_the_home_of_customers(
    slack: Slack, ticket: str, action: str
) -> None:
    view = press(slack, action, ticket, user="U5")
    assert top(view).endswith(f"{action} is for agents, and you are not one of them.")
    assert ticket not in shown(view)
    assert (slack.only()["status"], slack.only()["assignee"]) == ("open", None)
    assert slack.api.called("views.open") == []


def test_a_reply_in_the_home_is_written_in_a_form(slack: Slack, ticket: str) -> None:
    press(slack, "reply", ticket)
    (opened,) = slack.api.called("views.open")
    assert json.loads(view_of(opened)["private_metadata"]) == {"ticket": ticket}


def test_a_form_that_slack_does_not_open_is_told_of_in_the_home(slack: Slack, ticket: str) -> None:
    slack.api.refuse("views.open", "expired_trigger_id", times=2)
    assert top(press(slack, "reply", ticket)).endswith("Slack did not open the form. Try again.")
    assert top(press(slack, "report", user="U1")).endswith("Slack did not open the form. Try again.")


def test_a_problem_is_reported_from_the_home_and_stands_there(slack: Slack) -> None:
    opens(slack, "U1")
    press(slack, "report", user="U1")
    (opened,) = slack.api.called("views.open")
    body = payload("form_of_a_report")
    body["view"]["private_metadata"] = view_of(opened)["private_metadata"]
    assert slack.act(body).text == ""
    assert "It is taken down" in top(slack.api.homes["U1"])
    slack.house.work()
    assert tickets(opens(slack, "U1")) == [slack.only()["ticket_id"]]


def test_a_problem_that_is_reported_elsewhere_changes_no_home(slack: Slack) -> None:
    slack.act(payload("form_of_a_report"))
    assert slack.stored() == 1
    assert slack.api.homes == {}


def test_a_button_that_nobody_knows_changes_nothing(slack: Slack, ticket: str) -> None:
    assert header(press(slack, "a_link", ticket)) == "0 assigned to you · 1 open · 0 urgent"
    assert (slack.only()["status"], slack.only()["assignee"]) == ("open", None)


@pytest.mark.parametrize("error", ["not_enabled", "ratelimited", "invalid_auth"])
def test_a_home_that_slack_does_not_show_is_no_failure(slack: Slack, ticket: str, error: str) -> None:
    slack.api.refuse("views.publish", error)
    assert opens(slack, "UAGENT") == {}
    slack.api.drop("views.publish", acts=False)
    slack.act(payload("button_of_the_home", TICKET=ticket))
    assert slack.only()["assignee"] == "T1/UAGENT"


def test_while_names_are_not_to_be_had_the_home_shows_keys(slack: Slack, ticket: str) -> None:
    slack.api.refuse("users.info", "missing_scope")
    assert "\nT1/U1 · open" in shown(opens(slack, "UAGENT"))


def test_a_slack_that_does_not_answer_keeps_nobody_waiting(
    slack: Slack, ticket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "BRIEF", 2)
    monkeypatch.setattr(acts, "WAIT_FOR_NAMES", 0.05)
    slack.api.hang("users.info", acts=False)
    assert "\nT1/U1 · open" in shown(opens(slack, "UAGENT"))
    slack.api.hang("views.publish", acts=False)
    slack.act(payload("button_of_the_home", TICKET=ticket))
    assert slack.only()["assignee"] == "T1/UAGENT"


def test_while_the_database_is_away_the_home_stays_as_it_was(
    slack: Slack, ticket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = opens(slack, "UAGENT")

    def away(*args: object) -> None:
        raise sqlite3.OperationalError("Marmalade")

    monkeypatch.setattr("bot.views.Views.workload", away)
    assert opens(slack, "UAGENT") == before
    assert len(slack.api.called("views.publish")) == 1


def test_what_was_not_done_is_not_acknowledged_in_the_home_either(slack: Slack, ticket: str, tmp_path: Path) -> None:
    with locked(tmp_path):
        assert slack.act(payload("button_of_the_home", TICKET=ticket)).status_code == 500
    assert slack.only()["assignee"] is None


def test_no_text_and_no_token_is_in_the_log(
    slack: Slack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.set_up("DEBUG", "json")
    slack.take("message", text="Marmalade was charged twice")
    slack.api.refuse("views.publish", "not_enabled")
    opens(slack, "UAGENT")
    assert "Marmalade" in shown(opens(slack, "UAGENT"))
    said = capsys.readouterr()
    assert "not_enabled" in said.out + said.err
    for words in ("Marmalade", TOKEN, SECRET):
        assert words not in said.out + said.err + caplog.text
    assert len(slack.house.all(InboxMessage)) == 1


def test_the_manifest_asks_for_the_home() -> None:
    made = manifest.manifest(None)
    assert made["features"]["app_home"]["home_tab_enabled"] is True
    assert "app_home_opened" in made["settings"]["event_subscriptions"]["bot_events"]
