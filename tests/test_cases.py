"""The hard cases, by number, as the core deals with them; here on `web` and on a chat that stands for all others."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from bot.errors import Conflict, Forbidden, NotFound, TryLater, Uncertain
from bot.model import Address, Attachment, Caller, Role
from storage.tables import Attachment as Row
from storage.tables import Event, Message, Notification
from tests.fakes import NOON, Cupboard, TestClock
from tests.house import AGENTS, ANA, CLERK, CUSTOMER, House

TWICE = "My card was charged twice"


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.stop()


# --- 1: two messages within a second


def test_case_01_a_burst_in_a_private_chat_is_one_incident_with_one_acknowledgement(house: House) -> None:
    for number, text in enumerate(("hello", "my card", TWICE)):
        house.chats(text, f"m-{number}")
        house.clock.forward(seconds=1)
    (incident,) = house.incidents()
    assert house.said(incident["id"]) == ["hello", "my card", TWICE]
    assert [row["kind"] for row in house.all(Notification)] == ["acknowledgement"]


def test_case_01_what_a_burst_is_about_is_what_its_most_urgent_message_says(house: House) -> None:
    house.chats("hello", "m-1")
    house.chats("my card was stolen", "m-2")
    (incident,) = house.incidents()
    assert incident["classification"] == "fraud_report"
    assert len(house.mails("alert", AGENTS)) == 1


def test_case_01_after_the_burst_the_customer_is_told_where_the_message_went(house: House) -> None:
    house.chats(TWICE, "m-1")
    house.clock.forward(minutes=5)
    house.chats("it was 20 euros", "m-2")
    assert [row["kind"] for row in house.all(Notification)] == ["acknowledgement", "added"]


def test_case_01_after_a_long_silence_or_on_demand_it_is_another_incident(house: House) -> None:
    house.chats(TWICE, "m-1")
    house.chats("and my account is locked", "m-2", fresh=True)
    house.clock.forward(hours=5)
    house.chats("I want a refund", "m-3")
    assert len(house.incidents()) == 3


def test_case_01_somebody_else_in_another_chat_has_an_incident_of_their_own(house: House) -> None:
    house.chats(TWICE, "m-1")
    house.chats(TWICE, "m-2", customer_id="u-8", lane="chat/8")
    assert len({row["identity"] for row in house.incidents()}) == 2


def test_case_01_a_message_that_is_delivered_twice_is_one(house: House) -> None:
    first = house.write(TWICE, "k-1")
    assert house.write(TWICE, "k-1") == first
    again = house.answer(first["incident_id"], "it was 20 euros", "k-2")
    assert house.answer(first["incident_id"], "it was 20 euros", "k-2") == again
    assert house.said(first["incident_id"]) == [TWICE, "it was 20 euros"]


# --- 4: an edit


def test_case_04_an_edit_is_a_revision_and_the_first_text_stays(house: House) -> None:
    opened = house.write("My card was charged", "k-1")
    done = house.edit("k-1", "My card was charged by a shop", "e-1")
    assert (done["ticket_id"], len(house.incidents())) == (opened["ticket_id"], 1)
    assert house.said(opened["incident_id"]) == ["My card was charged by a shop"]
    assert texts_of(house, "k-1") == ["My card was charged", "My card was charged by a shop"]
    assert [row["kind"] for row in house.all(Notification)] == ["acknowledgement"]


def test_case_04_an_edit_may_make_it_more_urgent(house: House) -> None:
    opened = house.write("My card is gone", "k-1")
    assert house.edit("k-1", "My card was stolen", "e-1")["classification"] == "fraud_report"
    assert len(house.mails("alert", AGENTS)) == 1
    house.edit("k-1", "My card, it failed", "e-2")
    assert house.incident(opened["incident_id"])["classification"] == "fraud_report"


def test_case_04_once_an_agent_has_acted_an_edit_changes_no_category(house: House) -> None:
    opened = house.write("My card is gone", "k-1")
    house.commands.note(opened["ticket_id"], CLERK, "a typo, I think")
    assert house.edit("k-1", "My card was stolen", "e-1")["classification"] == "other"


def test_case_04_an_edit_of_what_was_never_seen_is_a_new_message(house: House) -> None:
    edited = house.edit("k-1", "My card was charged twice!", "e-1")
    late = house.write(TWICE, "k-1", written_at=NOON - timedelta(minutes=1))
    assert late["ticket_id"] == edited["ticket_id"]
    assert house.said(edited["incident_id"]) == ["My card was charged twice!"]


def texts_of(house: House, external_id: str) -> list[str]:
    from storage import database, incidents

    with database.session():
        return [row["text"] for row in incidents.revisions("web", external_id)]


# --- 6: a deletion (the timeline's other half)


def test_case_06_a_deleted_message_leaves_a_tombstone_and_the_incident_stays(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    house.delete("k-1", "d-1")
    assert house.said(opened["incident_id"]) == ["(deleted by its author)"]
    assert house.incident(opened["incident_id"])["message"] == ""
    house.later(hours=24)
    assert all("twice" not in notice.text for notice in house.mails("reminder"))


def test_case_06_a_deletion_may_come_first(house: House) -> None:
    house.delete("k-1", "d-1")
    assert house.incidents() == []
    opened = house.write(TWICE, "k-1")
    assert house.said(opened["incident_id"]) == ["(deleted by its author)"]


# --- 10: huge or many attachments


def test_case_10_what_is_too_large_is_named_to_the_customer_and_the_incident_is_opened_all_the_same(
    db: str, clock: TestClock
) -> None:
    house = House(clock, files=(Cupboard("chat", a=b"%PDF-1.7", b=b"x" * 50),), max_file=20)
    files = (
        Attachment("bill.html", "text/html", 8, "a"),
        Attachment("lie.pdf", "", 3, "b"),
        Attachment("film.mp4", "", 10**9, "c"),
    )
    house.chats(TWICE, "m-1", attachments=files)
    assert [row["status"] for row in house.incidents()] == ["open"]
    told = [notice.lead for _, notice in house.chat.sent if notice.kind == "files_refused"]
    assert ["film.mp4" in told[0], "lie.pdf" in told[1], "bill" in "".join(told)] == [True, True, False]
    assert next((row["state"], row["media_type"]) for row in house.all(Row)) == ("kept", "application/pdf")
    house.stop()


# --- 11: out of order


def test_case_11_a_parent_that_comes_late_joins_its_childs_incident(house: House) -> None:
    child = house.chats("still nothing", "m-2", private=False, refers_to=("m-1",))
    parent = house.chats(TWICE, "m-1", private=False)
    assert parent["ticket_id"] == child["ticket_id"]


def test_case_11_whatever_the_order_of_delivery_it_is_one_incident(db: str, clock: TestClock) -> None:
    deliveries: list[dict[str, Any]] = [
        {"text": TWICE, "key": "m-1"},
        {"text": "it was 20 euros", "key": "m-2", "refers_to": ("m-1",)},
        {"text": "and on Monday", "key": "m-3", "refers_to": ("m-2", "m-1")},
    ]
    for number, order in enumerate(permutations(deliveries)):
        house = House(clock)
        for delivery in order:
            renamed = {**delivery, "key": f"{number}-{delivery['key']}"}
            renamed["refers_to"] = tuple(f"{number}-{name}" for name in delivery.get("refers_to", ()))
            house.chats(private=False, **renamed)
        house.stop()
        assert len(house.incidents()) == number + 1


def test_case_11_the_timeline_is_in_the_order_in_which_it_was_written(house: House) -> None:
    opened = house.write("second", "k-2", written_at=NOON - timedelta(minutes=1))
    house.answer(opened["incident_id"], "first", "k-1", written_at=NOON - timedelta(minutes=2))
    assert house.said(opened["incident_id"]) == ["first", "second"]


def test_case_11_a_late_resolve_does_not_undo_a_newer_reopening(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    typed_at = house.clock()
    house.clock.forward(minutes=1)
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.clock.forward(minutes=1)
    house.answer(opened["incident_id"], "charged again today")
    with pytest.raises(Conflict, match="was reopened after that"):
        house.commands.run(f"resolve {opened['ticket_id']}", CLERK, at=typed_at)
    assert house.press(opened["incident_id"], "solved", written_at=typed_at)["status"] == "open"


def test_case_11_a_late_yes_does_not_undo_a_newer_reopening(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    house.later(hours=24)
    said_at = house.clock()
    house.clock.forward(minutes=1)
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.commands.reopen(opened["ticket_id"], CLERK)
    house.later(hours=24)
    assert len(house.mails("reminder")) == 2
    assert house.answer(opened["incident_id"], "yes, solved, thanks", written_at=said_at)["status"] == "open"
    assert house.answer(opened["incident_id"], "yes, solved, thanks")["status"] == "resolved"


def test_case_11_an_answer_to_what_is_not_handled_yet_is_in_its_conversation(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    lane = f"web/{opened['incident_id']}"
    first = house.accept("it was 20 euros", "k-2", thread=opened["incident_id"], lane=lane)
    second = house.accept("and on Monday", "k-3", thread=first, lane=lane)
    house.work()
    assert house.outcome(second)["incident_id"] == opened["incident_id"]
    assert len(house.incidents()) == 1


# --- 12: a reply to a resolved incident


def resolved(house: House, text: str = TWICE) -> dict[str, Any]:
    opened = house.write(text, "k-1")
    house.clock.forward(hours=1)
    house.commands.resolve(opened["ticket_id"], CLERK, "refunded")
    house.work()
    return opened


@pytest.mark.parametrize("text", ["Thanks!", "¡Gracias!", "Vielen Dank", "merci beaucoup", "धन्यवाद", "شكرا"])
def test_case_12_thanks_is_recorded_and_reopens_nothing(house: House, text: str) -> None:
    opened = resolved(house)
    house.clock.forward(minutes=5)
    assert house.answer(opened["incident_id"], text)["status"] == "resolved"
    assert text in house.said(opened["incident_id"])
    assert house.mails("reopened") == []


def test_case_12_a_complaint_reopens_it_and_somebody_looks_again(house: House) -> None:
    opened = resolved(house)
    house.clock.forward(days=13)
    again = house.answer(opened["incident_id"], "Thanks, but it was charged again today")
    assert (again["status"], again["ticket_id"]) == ("open", opened["ticket_id"])
    assert len(house.mails("reopened")) == 1
    house.later(hours=24)
    assert len(house.mails("reminder")) == 1


def test_case_12_later_it_is_a_new_incident_that_is_linked_to_the_old_one(house: House) -> None:
    opened = resolved(house)
    house.clock.forward(days=15)
    new = house.answer(opened["incident_id"], "charged again today")
    assert new["ticket_id"] != opened["ticket_id"]
    assert opened["ticket_id"] in new["message"]
    assert house.incident(new["incident_id"])["continues"] == opened["incident_id"]
    house.answer(opened["incident_id"], "are you there?")
    assert "are you there?" in house.said(new["incident_id"])
    assert house.incident(opened["incident_id"])["status"] == "resolved"


def test_case_12_another_matter_is_a_new_incident_at_once(house: House) -> None:
    opened = resolved(house)
    new = house.answer(opened["incident_id"], "Now my account is locked")
    assert new["incident_id"] != opened["incident_id"]
    assert new["classification"] == "account_locked"


def test_case_12_machine_mail_reopens_nothing(house: House) -> None:
    opened = resolved(house)
    out = house.answer(opened["incident_id"], "I am out of office again", automatic=True)
    assert out["status"] == "resolved"


def test_case_12_machine_mail_that_opens_an_incident_is_not_answered(house: House) -> None:
    house.write("My card was stolen", "mail-1", channel="email", automatic=True)
    house.later(hours=24)
    assert {to for to, _ in house.mail.sent} == {AGENTS}


def test_case_12_an_incident_whose_conversation_goes_on_in_another_is_not_reopened(house: House) -> None:
    opened = resolved(house)
    new = house.answer(opened["incident_id"], "Now my account is locked")
    with pytest.raises(Conflict, match=new["ticket_id"]):
        house.commands.reopen(opened["ticket_id"], CLERK)


def test_case_12_the_models_word_counts_where_no_rule_knows_the_thanks(db: str, clock: TestClock) -> None:
    from dataclasses import replace

    from tests.house import by_words

    house = House(clock, classifier=lambda text: replace(by_words(text), thanks="köszönöm" in text))
    opened = resolved(house)
    assert house.answer(opened["incident_id"], "köszönöm szépen")["status"] == "resolved"
    house.stop()


# --- 13: a reply to the follow-up


def test_case_13_the_id_of_the_reminder_leads_to_its_incident(house: House) -> None:
    opened = house.chats(TWICE, "m-1", addresses=(ANA,))
    house.later(hours=24)
    (reminder,) = [row for row in house.owed("reminder")]
    answer = house.write("still broken", "mail-1", channel="email", refers_to=(reminder["provider_id"],))
    assert answer["ticket_id"] == opened["ticket_id"]


def test_case_13_yes_solved_resolves_and_no_does_not(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    assert house.answer(opened["incident_id"], "yes, solved")["status"] == "open"  # nobody had asked
    house.later(hours=24)
    assert house.answer(opened["incident_id"], "no, not solved")["status"] == "open"
    assert house.answer(opened["incident_id"], "Yes, it is solved")["status"] == "resolved"
    assert house.incident(opened["incident_id"])["resolved_by"] == "C-1042"


def test_case_13_the_buttons_of_the_reminder(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    house.later(hours=24)
    (reminder,) = house.mails("reminder")
    assert [action.name for action in reminder.actions] == ["solved", "not_solved"]
    assert house.press(opened["incident_id"], "not_solved")["status"] == "open"
    assert house.press(opened["incident_id"], "solved")["status"] == "resolved"
    assert (
        house.press(opened["incident_id"], "solved@1")["message"]
        == house.press(opened["incident_id"], "solved")["message"]
    )
    assert len(house.mails("resolved")) == 1


def test_case_13_a_resolve_or_an_agents_reply_cancels_the_reminder(house: House) -> None:
    one, other = house.write(TWICE, "k-1"), house.write("It failed", "k-2")
    house.commands.resolve(one["ticket_id"], CLERK)
    house.commands.reply(other["ticket_id"], CLERK, "Please try again now.")
    house.later(hours=30)
    assert house.mails("reminder") == []


def test_case_13_agents_are_told_as_well(house: House) -> None:
    house.write(TWICE, "k-1")
    house.later(hours=24)
    assert len(house.mails("agent_reminder", AGENTS)) == 1
    house.later(hours=24)
    assert len(house.mails("escalation", AGENTS)) == 1


# --- 14: who is written to


@pytest.mark.parametrize("text", ["My card was stolen", "My account is locked", TWICE])
def test_case_14_only_the_requester_is_written_to(house: House, text: str) -> None:
    opened = house.write(text, "k-1")
    somebody = {
        "channel": "email",
        "customer_id": "ben@example.com",
        "addresses": (Address("email", "ben@example.com"),),
    }
    house.write("I saw that too", "mail-2", refers_to=(house.owed("acknowledgement")[0]["provider_id"],), **somebody)
    house.commands.reply(opened["ticket_id"], CLERK, "We are on it.")
    house.commands.resolve(opened["ticket_id"], CLERK, "done")
    house.work()
    assert {to for to, _ in house.mail.sent} <= {ANA, AGENTS}
    assert "I saw that too" in house.said(opened["incident_id"])


def test_case_14_what_is_urgent_is_told_to_agents_at_once_and_not_in_a_subject(house: House) -> None:
    opened = house.write("My card was stolen at Harrods", "k-1")
    (alert,) = house.mails("alert", AGENTS)
    assert opened["ticket_id"] in alert.subject
    assert "Harrods" not in alert.subject
    assert opened["priority"] == "urgent"


# --- 16: a send that may or may not have happened


def test_case_16_where_the_channel_can_tell_it_is_looked_for_before_it_is_repeated(house: House) -> None:
    house.mail.failures, house.mail.arrives_all_the_same = [Uncertain("no answer")], True
    house.write(TWICE, "k-1")
    assert house.owed("acknowledgement")[0]["status"] == "uncertain"
    house.later(seconds=10)
    assert house.owed("acknowledgement")[0]["status"] == "sent"
    assert len(house.mails("acknowledgement")) == 1


def test_case_16_where_it_cannot_it_is_repeated_once_at_most(house: House) -> None:
    house.mail.can_look, house.mail.failures = False, [Uncertain("no answer")] * 5
    house.write(TWICE, "k-1")
    for _ in range(20):
        house.later(minutes=10)
    assert house.owed("acknowledgement")[0]["status"] == "uncertain"
    assert len(house.mail.failures) == 3


def test_case_16_a_resolution_is_told_once_however_often_it_is_put_off(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    house.mail.failures = [TryLater("busy")] * 3
    house.commands.resolve(opened["ticket_id"], CLERK)
    for _ in range(10):
        house.later(minutes=1)
    assert len(house.mails("resolved")) == 1


def test_case_16_a_reminder_of_which_nobody_knows_is_not_sent_in_a_later_opening(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    house.mail.failures = [Uncertain("no answer")]
    house.later(hours=24)
    house.clock.forward(seconds=1)
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.commands.reopen(opened["ticket_id"], CLERK)
    house.later(minutes=10)
    assert house.mails("reminder") == []


# --- 20: commands at once, unknown, ambiguous, forbidden


def test_case_20_the_second_resolve_is_told_who_was_first_and_when(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    house.commands.resolve(opened["ticket_id"], CLERK)
    with pytest.raises(Conflict, match=r"was resolved by clerk at 2026-11-22 12:00 UTC"):
        house.commands.resolve(opened["ticket_id"], Caller("eva", Role.AGENT))
    house.work()
    assert len(house.mails("resolved")) == 1


def test_case_20_unknown_ambiguous_forbidden_and_done_are_told_apart(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    number = opened["ticket_id"]
    before = house.incidents()
    with pytest.raises(NotFound, match=r"No incident goes by 'TKT-zzzz'\."):
        house.commands.run("resolve TKT-zzzz", CLERK)
    with pytest.raises(NotFound, match=f"Did you mean {number}"):
        house.commands.run(f"resolve {number[:9]}", CLERK)
    with pytest.raises(Forbidden, match="resolve is for agents"):
        house.commands.run(f"resolve {number}", CUSTOMER)
    assert house.incidents() == before
    assert house.events(None) == ["refused"]
    assert (
        house.commands.run(f"/Resolve {number.lower().removeprefix('tkt-')} all good", CLERK)
        == f"{number} is resolved."
    )


def test_case_20_a_beginning_will_do_to_look_but_not_to_change(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    assert opened["ticket_id"] in house.commands.run(f"status {opened['ticket_id'][4:9]}", CLERK)
    for command in ("resolve", "reopen", "assign", "reply", "note", "category"):
        with pytest.raises(NotFound, match="Did you mean"):
            house.commands.run(f"{command} {opened['ticket_id'][:9]} other", CLERK)


def test_case_20_a_customer_sees_their_own_alone(house: House) -> None:
    mine = house.chats(TWICE, "m-1")
    others = house.chats(TWICE, "m-2", customer_id="u-8", lane="chat/8")
    me = Caller("u-7", Role.CUSTOMER, Address("chat", "u-7"))
    assert mine["ticket_id"] in house.commands.run(f"status {mine['ticket_id']}", me)
    with pytest.raises(NotFound, match="No ticket of yours"):
        house.commands.run(f"status {others['ticket_id']}", me)
    assert others["ticket_id"] not in house.commands.run("list", me)


def test_case_20_the_audit_trail_says_who_did_what(house: House) -> None:
    opened = house.write(TWICE, "k-1")
    for command in ("assign TKT me", "note TKT hm", "category TKT refund_request", "resolve TKT done", "reopen TKT"):
        house.commands.run(command.replace("TKT", opened["ticket_id"]), CLERK)
    done = [(event["actor"], event["name"]) for event in house.all(Event)]
    assert done == [
        ("web", "opened"),
        ("clerk", "assigned"),
        ("clerk", "category"),
        ("clerk", "resolved"),
        ("clerk", "reopened"),
    ]
    assert [row["direction"] for row in house.all(Message)] == ["customer", "bot", "note", "bot", "bot"]
