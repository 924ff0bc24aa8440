"""What people tell the bot to do in Slack: commands, and what agents write in threads."""

import re

import pytest

from adapters.slack.acts import command_in
from bot.model import Address, Caller, Role
from tests.house import House
from tests.slack_api import SlackApi
from tests.slack_house import (
    LATER,
    Slack,
    api,
    backend,
    card_of,
    core_of,
    house,
    impatient,
    payload,
    resolved_by,
    settings,
    slack,
    view_of,
)

__all__ = ["api", "backend", "house", "impatient", "slack"]

# --- commands


def test_an_agent_resolves_by_command(slack: Slack) -> None:
    slack.take("message")
    ticket = slack.only()["ticket_id"]
    assert slack.command(f"{ticket} refunded") == f"{ticket} is resolved."
    assert resolved_by(slack.house) == ["T1/UAGENT"]


def test_the_second_to_resolve_is_told_who_was_first(slack: Slack) -> None:
    slack.take("message")
    ticket = slack.only()["ticket_id"]
    slack.command(ticket)
    assert "T1/UAGENT" in slack.command(ticket)


def test_who_is_no_agent_resolves_nothing_and_is_told_so(slack: Slack) -> None:
    slack.take("message")
    says = slack.command(slack.only()["ticket_id"], user_id="U1")
    assert says == "resolve is for agents, and you are not one of them."
    assert slack.only()["status"] == "open"


def test_an_agents_id_in_another_workspace_is_no_agents(slack: Slack) -> None:
    slack.take("message")
    assert "for agents" in slack.command(slack.only()["ticket_id"], team_id="T2")
    assert slack.only()["status"] == "open"


def test_an_unknown_number_is_told_exactly_and_pings_nobody(slack: Slack) -> None:
    assert "'&lt;!channel&gt;'" in slack.command("&lt;!channel&gt;")


def test_what_is_told_to_one_person_pings_nobody(slack: Slack) -> None:
    slack.take("message")
    line = f"<@UBOT> assign {slack.only()['ticket_id']} &lt;!here&gt;"
    slack.take("app_mention", user="UAGENT", text=line, ts=LATER)
    assert slack.told() == [f"{slack.only()['ticket_id']} is assigned to &lt;!here&gt;."]


def test_a_command_without_a_ticket_says_how_it_is_written(slack: Slack) -> None:
    assert slack.command("") == "Which ticket? resolve TKT-x [note]"


@pytest.mark.parametrize("text", ["", "help"])
def test_the_general_command_lists_what_there_is(slack: Slack, text: str) -> None:
    says = slack.command(text, command="/ticket")
    assert "status [TKT-x]" in says
    assert "resolve TKT-x" in says


def test_a_customer_is_shown_the_commands_of_customers(slack: Slack) -> None:
    says = slack.command("help", command="/ticket", user_id="U1")
    assert "status [TKT-x]" in says
    assert "resolve TKT-x" not in says


def test_a_customer_lists_their_own_tickets(slack: Slack) -> None:
    slack.take("message")
    assert slack.only()["ticket_id"] in slack.command("list", command="/ticket", user_id="U1")
    assert slack.command("list", command="/ticket", user_id="U2") == "There are none."


def test_an_unknown_command_is_told_so(slack: Slack) -> None:
    assert "There is no command" in slack.command("explode", command="/ticket")


def test_another_problem_by_command_is_answered_in_the_direct_message(slack: Slack) -> None:
    assert "direct message" in slack.command("my refund is late", command="/new", user_id="U1")
    slack.house.work()
    assert slack.only()["message"] == "my refund is late"
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/D1")]


def test_a_report_is_taken_also_while_slack_does_not_say_which_chat_is_theirs(slack: Slack) -> None:
    slack.api.refuse("conversations.open", "internal_error")
    slack.command("my refund is late", command="/new", user_id="U1")
    slack.house.work()
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/U1")]


def test_another_problem_without_a_word_opens_the_form(slack: Slack) -> None:
    assert slack.command("", command="/new") == ""
    (opened,) = slack.api.called("views.open")
    assert view_of(opened)["callback_id"] == "report_incident"


def test_an_agent_resolves_by_calling_the_bot_with_a_number(slack: Slack) -> None:
    slack.take("message")
    ticket = slack.only()["ticket_id"]
    for name in ("message", "app_mention"):
        slack.take(name, user="UAGENT", text=f"<@UBOT> resolve {ticket} refunded", channel="C5", ts=LATER)
    assert resolved_by(slack.house) == ["T1/UAGENT"]
    assert slack.told() == [f"{ticket} is resolved."]
    assert slack.stored() == 1


def test_a_command_in_the_thread_needs_no_number(slack: Slack) -> None:
    slack.take("message")
    thread = {"thread_ts": "1795348800.000100", "ts": LATER, "user": "UAGENT"}
    for name in ("app_mention", "message"):
        slack.take(name, text="<@UBOT> resolve refunded by hand", **thread)
    assert resolved_by(slack.house) == ["T1/UAGENT"]
    assert slack.stored() == 1


def test_a_command_that_slack_sends_again_is_run_once(slack: Slack) -> None:
    slack.take("message")
    ticket = slack.only()["ticket_id"]
    for _ in range(2):
        slack.take("app_mention", user="UAGENT", text=f"<@UBOT> resolve {ticket}", ts=LATER)
    assert slack.told() == [f"{ticket} is resolved."]


def test_a_command_that_is_worded_anew_is_no_customers_problem(slack: Slack) -> None:
    slack.take("app_mention", text="<@UBOT> resolve TKT-0")
    body = payload("message_changed")
    body["event"]["previous_message"]["text"] = "<@UBOT> resolve TKT-0"
    body["event"]["message"]["text"] = "<@UBOT> resolve TKT-1"
    assert slack.event(body).status_code == 200
    assert slack.stored() == 0


def test_a_command_in_the_thread_is_about_what_the_thread_is_about_now(slack: Slack) -> None:
    slack.take("message")
    slack.command(slack.only()["ticket_id"])
    slack.house.work()
    slack.house.later(days=20)
    slack.take("message_reply", text="My account is locked")
    first, second = slack.house.incidents()
    assert first["status"] == "resolved"
    thread = {"thread_ts": "1795348800.000100", "ts": "1797076900.000100", "user": "UAGENT"}
    slack.take("app_mention", text="<@UBOT> resolve", **thread)
    assert slack.told() == [f"{second['ticket_id']} is resolved."]


def test_a_customer_in_a_direct_message_asks_how_it_stands(slack: Slack) -> None:
    slack.take("message_im")
    ticket = slack.only()["ticket_id"]
    slack.take("message_im", ts=LATER, text=f"status {ticket}")
    assert slack.told()[0].startswith(f"{ticket}  open")
    assert slack.stored() == 1


def test_a_customer_who_begins_with_the_word_of_a_command_is_a_customer(slack: Slack) -> None:
    slack.take("app_mention", text="<@UBOT> resolve my double charge please")
    assert slack.only()["message"] == "resolve my double charge please"


@pytest.mark.parametrize(
    ("text", "ticket", "agent", "line"),
    [
        ("resolve TKT-1", None, False, "resolve TKT-1"),
        ("/Resolve tkt-1 done", None, True, "resolve tkt-1 done"),
        ("resolve", "TKT-7", True, "resolve TKT-7"),
        ("resolve", "TKT-7", False, "resolve TKT-7"),
        ("resolve", None, True, None),
        ("note called her", "TKT-7", True, "note TKT-7 called her"),
        ("note called her", "TKT-7", False, None),
        ("reply  two  words", "TKT-7", True, "reply TKT-7 two  words"),
        ("list", None, False, "list"),
        ("list mine", None, True, "list mine"),
        ("list of what was charged twice", None, False, None),
        ("help", None, False, "help"),
        ("status", None, False, "status"),
        ("status", "TKT-7", False, "status TKT-7"),
        ("close", None, False, "close"),
        ("close", "TKT-7", False, "close TKT-7"),
        ("close my account please", "TKT-7", False, None),
        ("Email ana@example.com", None, False, "email ana@example.com"),
        ("email me at ana@example.com", None, False, None),
        ("code 123456", None, False, "code 123456"),
        ("code 1234567", None, False, None),
        ("help me", None, True, None),
        ("", "TKT-7", True, None),
        ("/", "TKT-7", True, None),
        ("my card was charged twice", "TKT-7", True, None),
    ],
)
def test_a_text_is_a_command_only_if_it_can_be_nothing_else(
    text: str, ticket: str | None, agent: bool, line: str | None
) -> None:
    assert command_in(text, lambda: ticket, lambda: agent) == line


# --- agents in threads


def test_what_an_agent_writes_into_a_customers_thread_is_a_note_and_reopens_nothing(slack: Slack) -> None:
    slack.take("message")
    slack.command(slack.only()["ticket_id"])
    slack.take("message_reply", user="UAGENT", text="I have sent the money back")
    assert slack.only()["status"] == "resolved"
    assert slack.house.said(slack.only()["id"], "note") == ["I have sent the money back"]
    assert slack.stored() == 1


def test_an_agents_note_that_names_the_bot_comes_twice_and_is_one_note(slack: Slack) -> None:
    slack.take("message")
    thread = {"thread_ts": "1795348800.000100", "ts": LATER, "user": "UAGENT"}
    slack.take("app_mention", text="<@UBOT> I have sent it", **thread)
    assert slack.house.said(slack.only()["id"], "note") == []  # both may come at the same moment: one of them counts
    slack.take("message", text="<@UBOT> I have sent it", **thread)
    assert slack.house.said(slack.only()["id"], "note") == ["I have sent it"]


def test_an_agents_edit_in_a_customers_thread_opens_nothing(slack: Slack) -> None:
    slack.take("message")
    slack.take("message_reply", user="UAGENT", text="I have sent it")
    body = payload("message_changed")
    for message in (body["event"]["message"], body["event"]["previous_message"]):
        message |= {"user": "UAGENT", "ts": "1795348860.000200", "thread_ts": "1795348800.000100"}
    assert slack.event(body).status_code == 200
    slack.house.work()
    assert slack.house.said(slack.only()["id"]) == ["My card was charged twice"]


def test_an_agent_who_reports_a_problem_is_a_customer(slack: Slack) -> None:
    slack.take("message", user="UAGENT")
    slack.take("message_reply", user="UAGENT")
    assert slack.house.said(slack.only()["id"]) == ["My card was charged twice", "It was on Monday"]


UNDER_THE_CARD = {"channel": "C9", "thread_ts": "1795348802.000500", "ts": LATER}


def test_what_an_agent_writes_under_a_card_is_a_note(slack: Slack) -> None:
    card_of(slack)
    for _ in range(2):
        slack.take("message_reply", user="UAGENT", text="I call her", **UNDER_THE_CARD)
    assert slack.house.said(slack.only()["id"], "note") == ["I call her"]
    assert slack.stored() == 1


def test_a_command_under_a_card_is_about_its_incident(slack: Slack) -> None:
    ticket = card_of(slack)
    for name in ("message_reply", "app_mention"):
        slack.take(name, user="UAGENT", text="<@UBOT> reply The money is back", **UNDER_THE_CARD)
    assert slack.house.said(slack.only()["id"], "agent") == ["The money is back"]
    assert slack.house.said(slack.only()["id"], "note") == []
    assert ticket in slack.told()[0]


def test_who_is_no_agent_notes_nothing_and_is_told_so(slack: Slack) -> None:
    card_of(slack)
    slack.take("message_reply", user="U5", text="I call her", **UNDER_THE_CARD)
    assert slack.house.said(slack.only()["id"], "note") == []
    assert slack.told() == ["note is for agents, and you are not one of them."]


def test_what_agents_write_among_themselves_is_no_customers_problem(slack: Slack) -> None:
    slack.take("message", channel="C9")
    slack.take("message_reply", channel="C9")
    slack.take("app_mention", channel="C9")
    assert slack.stored() == 0


def test_an_agent_is_an_agent_to_the_core_and_anybody_else_a_customer(house: House, api: SlackApi) -> None:
    from adapters.slack.acts import Acts, Person, Threads, Web
    from adapters.slack.rights import Agents

    core = core_of(house)
    acts = Acts(core, Web(settings(api)), Agents(frozenset({"U1"}), lambda group: [], core.clock), Threads(core.state))
    assert acts.caller(Person("T1", "U1", "T1")) == Caller("T1/U1", Role.AGENT)
    assert acts.caller(Person("T1", "U2", "T1")) == Caller("T1/U2", Role.CUSTOMER, Address("slack", "T1/U2"))


def test_a_customer_proves_a_mail_address_in_a_direct_message(slack: Slack) -> None:
    slack.take("message_im")
    slack.take("message_im", text="email ana@example.com", ts="1795348900.000100")
    (mail,) = [notice for to, notice in slack.house.mail.sent if to == Address("email", "ana@example.com")]
    (code,) = re.findall(r"\b[0-9]{6}\b", mail.text)
    slack.take("message_im", text=f"code {code}", ts="1795348901.000100")
    assert {"channel": "email", "key": "ana@example.com"} in slack.only()["addresses"]
    assert slack.stored() == 1
