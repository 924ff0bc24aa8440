"""What people press and fill in in Slack: buttons, menus, forms and shortcuts."""

import json

import pytest

from bot.model import Address, Category
from tests.slack_house import (
    Slack,
    api,
    backend,
    card_of,
    house,
    impatient,
    payload,
    press,
    resolved_by,
    slack,
    view_of,
)

__all__ = ["api", "backend", "house", "impatient", "slack"]

# --- buttons


def test_a_customer_says_by_button_that_it_is_solved(slack: Slack) -> None:
    slack.take("message")
    press(slack, "button_of_a_customer", INCIDENT=slack.only()["id"])
    assert slack.only()["status"] == "resolved"
    assert resolved_by(slack.house) == ["T1/U1"]


def test_a_customer_says_by_button_that_it_is_not_solved(slack: Slack) -> None:
    slack.take("message")
    press(slack, "button_of_a_customer", "not_solved", INCIDENT=slack.only()["id"])
    assert slack.only()["status"] == "open"
    assert "not_solved" in slack.house.events(slack.only()["id"])
    assert slack.told() == ["It stays open, and the agents know."]


def test_a_customer_rates_by_button(slack: Slack) -> None:
    slack.take("message")
    slack.command(slack.only()["ticket_id"])
    press(slack, "button_of_a_customer", "rate-5", INCIDENT=slack.only()["id"])
    assert "rated" in slack.house.events(slack.only()["id"])


def test_somebody_elses_button_is_not_pressed(slack: Slack) -> None:
    slack.take("message")
    press(slack, "button_of_a_customer", user="U5", INCIDENT=slack.only()["id"])
    assert slack.only()["status"] == "open"
    assert slack.told() == ["Only the person who reported this, or an agent, can answer it."]


def test_a_button_that_is_pressed_twice_solves_once_and_says_that_it_is_settled(slack: Slack) -> None:
    slack.take("message")
    for _ in range(2):
        press(slack, "button_of_a_customer", INCIDENT=slack.only()["id"])
    assert slack.house.events(slack.only()["id"]).count("resolved") == 1
    (says,) = slack.told()
    assert "settled" in says


def test_a_button_from_before_the_incident_was_reopened_is_too_late(slack: Slack) -> None:
    slack.take("message")
    ticket = slack.only()["ticket_id"]
    slack.command(ticket)
    slack.house.later(hours=30)
    slack.command(f"reopen {ticket}", command="/ticket")
    press(slack, "button_of_a_customer", **{"INCIDENT": slack.only()["id"], "1795435300.000500": "1795700000.000500"})
    assert slack.only()["status"] == "open"
    assert slack.told() == [f"This question is settled: {ticket} is open now."]


def test_a_button_of_another_turn_is_too_late(slack: Slack) -> None:
    slack.take("message")
    press(slack, "button_of_a_customer", **{"INCIDENT:": f"{slack.only()['id']}:2"})
    assert slack.only()["status"] == "open"


def test_a_button_that_leads_nowhere_says_so(slack: Slack) -> None:
    press(slack, "button_of_a_customer")
    assert slack.told() == ["This button leads nowhere any more. Write here instead."]
    assert slack.stored() == 0


def test_a_button_in_a_direct_message_leads_to_its_incident(slack: Slack) -> None:
    slack.take("message_im")
    body = payload("button_of_a_customer", INCIDENT=slack.only()["id"])
    body["container"] = {"type": "message", "message_ts": "1795435200.000500", "channel_id": "D1"}
    del body["message"]["thread_ts"]
    slack.act(body)
    slack.house.work()
    assert slack.only()["status"] == "resolved"


def test_an_agent_takes_an_incident_by_its_card(slack: Slack) -> None:
    press(slack, "button_of_a_card", TICKET=card_of(slack))
    assert slack.only()["assignee"] == "T1/UAGENT"


def test_an_agent_resolves_and_reopens_by_the_card(slack: Slack) -> None:
    ticket = card_of(slack)
    press(slack, "button_of_a_card", "resolve", TICKET=ticket)
    assert slack.only()["status"] == "resolved"
    press(slack, "button_of_a_card", "reopen", TICKET=ticket)
    assert slack.only()["status"] == "open"


def test_an_agent_says_by_the_menu_what_it_is_about(slack: Slack) -> None:
    press(slack, "menu_of_a_card", TICKET=card_of(slack))
    assert slack.only()["classification"] == Category.REFUND_REQUEST


@pytest.mark.parametrize("action", ["assign", "resolve", "reopen", "reply"])
def test_a_card_is_for_agents(slack: Slack, action: str) -> None:
    press(slack, "button_of_a_card", action, "U5", TICKET=card_of(slack))
    assert (slack.only()["status"], slack.only()["assignee"]) == ("open", None)
    assert slack.told() == [f"{action} is for agents, and you are not one of them."]
    assert slack.api.called("views.open") == []


def test_a_button_that_nobody_knows_is_acknowledged(slack: Slack) -> None:
    press(slack, "button_of_a_card", "a_link")
    assert slack.told() == []


def test_what_slack_does_not_tell_a_person_is_no_failure(slack: Slack) -> None:
    slack.api.refuse("chat.postEphemeral", "user_not_in_channel")
    press(slack, "button_of_a_customer")


# --- forms and shortcuts


def test_an_agent_writes_to_the_customer_by_the_form(slack: Slack) -> None:
    ticket = card_of(slack)
    press(slack, "button_of_a_card", "reply", TICKET=ticket)
    (opened,) = slack.api.called("views.open")
    assert json.loads(view_of(opened)["private_metadata"]) == {"ticket": ticket}
    for _ in range(2):
        assert slack.act(payload("form_of_a_reply", TICKET=ticket)).text == ""
    slack.house.work()
    assert [notice.lead for _, notice in slack.house.chat.sent if notice.kind == "reply"] == [
        "Your money is on its way."
    ]
    assert slack.house.said(slack.only()["id"], "agent") == ["Your money is on its way."]


def test_what_is_wrong_with_a_reply_is_told_in_the_form(slack: Slack) -> None:
    answer = slack.act(payload("form_of_a_reply", TICKET="TKT-0")).json()
    assert answer["response_action"] == "errors"
    assert "TKT-0" in answer["errors"]["text"]


def test_who_is_no_agent_sends_no_reply(slack: Slack) -> None:
    body = payload("form_of_a_reply", TICKET=card_of(slack))
    body["user"]["id"] = "U5"
    assert "for agents" in slack.act(body).json()["errors"]["text"]
    assert slack.house.said(slack.only()["id"], "agent") == []


def test_a_form_that_slack_does_not_open_is_told_of(slack: Slack) -> None:
    ticket = card_of(slack)
    slack.api.refuse("views.open", "expired_trigger_id")
    press(slack, "button_of_a_card", "reply", TICKET=ticket)
    assert slack.told() == ["Slack did not open the form. Try again."]


def test_a_problem_is_reported_by_the_form(slack: Slack) -> None:
    slack.act(payload("global_shortcut"))
    (opened,) = slack.api.called("views.open")
    assert view_of(opened)["callback_id"] == "report_incident"
    for _ in range(2):
        assert slack.act(payload("form_of_a_report")).text == ""
    slack.house.work()
    assert slack.only()["customer_id"] == "T1/U1"
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/D1")]
    assert len(slack.house.mails("acknowledgement")) == 1


@pytest.mark.parametrize(("field", "value"), [("text", "  "), ("email", "ana@example.com, bea@example.com")])
def test_what_is_wrong_with_a_report_is_told_at_its_field(slack: Slack, field: str, value: str) -> None:
    body = payload("form_of_a_report")
    body["view"]["state"]["values"][field][field]["value"] = value
    assert list(slack.act(body).json()["errors"]) == [field]
    assert slack.stored() == 0


def test_the_category_of_a_report_is_told_to_the_classifier(slack: Slack) -> None:
    body = payload("form_of_a_report")
    body["view"]["state"]["values"]["category"]["category"]["selected_option"] = {"value": "refund_request"}
    slack.act(body)
    slack.house.work()
    assert slack.only()["message"] == "Refund request: My card was charged twice"


def test_a_message_becomes_its_authors_ticket_by_the_shortcut(slack: Slack) -> None:
    for _ in range(2):
        assert slack.act(payload("message_shortcut")).status_code == 200
        slack.house.work()
    assert slack.only()["customer_id"] == "T1/U1"
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/C5/1795348800.000100")]
    assert slack.told() == [
        "It is taken down; the ticket number comes in its thread.",
        "This message is with us already.",
    ]


def test_a_message_between_two_people_is_answered_in_its_authors_chat_with_us(slack: Slack) -> None:
    body = payload("message_shortcut")
    body["channel"] = {"id": "D7", "name": "directmessage"}
    slack.act(body)
    slack.house.work()
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/D1")]


def test_a_bots_message_becomes_no_ticket(slack: Slack) -> None:
    body = payload("message_shortcut")
    body["message"]["bot_id"] = "B7"
    slack.act(body)
    assert slack.told() == ["Only what a person wrote can become a ticket."]
    assert slack.stored() == 0


def test_a_thread_is_resolved_by_the_shortcut(slack: Slack) -> None:
    slack.take("message")
    body = {**payload("message_shortcut"), "callback_id": "resolve_ticket", "channel": {"id": "C1"}}
    slack.act(body)
    assert slack.told() == [f"{slack.only()['ticket_id']} is resolved."]


def test_a_thread_that_nobody_knows_is_not_resolved(slack: Slack) -> None:
    slack.act({**payload("message_shortcut"), "callback_id": "resolve_ticket"})
    assert slack.told() == ["No ticket is known for this thread. Name it: /resolve TKT-x"]
