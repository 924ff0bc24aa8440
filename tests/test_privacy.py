"""Forgetting a customer, and handing out all that is kept of one."""

import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.errors import Conflict, Forbidden, NotFound, TryLater
from bot.model import Address, Caller, Classification, MessageKind, Role
from bot.privacy import FIGURES, Forgotten, Privacy
from storage import customers, database, dialect, incidents, lanes, stats, tables
from storage.migrate import migrate
from tests.fakes import NOON, TestClock
from tests.house import CLERK, CUSTOMER, House, by_words
from tests.postgres import ON_POSTGRESQL, ON_SQLITE
from tests.test_cli import bot, refusal

ADMIN = Caller("root", Role.ADMIN)

NAME, MAIL, USER, CHAT = "m-name-ana", "m-mail-ana@example.com", "m-user-ana", "m-chat-ana"
FIRST, EDITED, GUEST = "m-first charged twice", "m-edited charged twice", "m-guest words"
NOTE, REPLY, SOLUTION = "m-note about her", "m-reply to her", "m-solution for her"
KEY, REFERS, PRESS = "m-key", "m-refers@ana.example", "m-press"
MARKERS = [NAME, MAIL, USER, CHAT, FIRST, EDITED, GUEST, NOTE, REPLY, SOLUTION, KEY, REFERS, PRESS]
"""Strings that lead to Ana, each in a column of its own kind."""

BOB = {"customer_id": "bob", "lane": "chat/group", "private": False, "addresses": (Address("chat", "bob"),)}


def quoting(text: str) -> Classification:
    """A classifier that gives the customer's words as its reason."""
    said = by_words(text)
    return Classification(said.category, said.confidence, f"because of {text!r}", said.classified_by)


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock, classifier=quoting)
    yield house
    house.stop()


def web(**changes: Any) -> dict[str, Any]:
    """What is said of a message that Ana sends over the API."""
    to = Address("email", MAIL)
    return {"customer_id": NAME, "addresses": (to,), "proven": (to,), **changes}


def chat(**changes: Any) -> dict[str, Any]:
    """What is said of a message that Ana writes in a chat."""
    proven = (Address("email", MAIL),)
    values = {"customer_id": USER, "lane": f"chat/{CHAT}", "addresses": (Address("chat", CHAT),), "proven": proven}
    return {**values, **changes}


def live(house: House) -> dict[str, str]:
    """Three incidents of Ana's and two of Bob's; return their ids by what they are."""
    resolved = house.chats("my transfer failed", "m-1", **chat())["incident_id"]
    house.commands.note(resolved, CLERK, NOTE)
    house.commands.reply(resolved, CLERK, REPLY)
    house.commands.resolve(resolved, CLERK, SOLUTION)
    house.work()
    house.press(resolved, "rate-5@1", PRESS, customer_id=NAME)

    shared = house.chats("I want a refund", "m-2", **chat(private=False, thread="group/1", lane="chat/group"))
    house.chats("me too, says bob", "b-1", thread="group/1", **BOB)

    visited = house.chats("bob has a locked account", "b-2", thread="group/2", **BOB)
    house.chats(GUEST, "m-3", **chat(private=False, thread="group/2", lane="chat/group"))
    pressed = chat(private=False, thread="group/2", lane="chat/group", kind=MessageKind.ACTION)
    house.chats("not_solved", "m-4", **pressed)
    alone = house.write("bob was charged twice", "b-3", customer_id="bob", addresses=(Address("email", "b@b.example"),))

    house.mail.failures = [TryLater("busy") for _ in range(10)]
    opened = house.write(FIRST, KEY, refers_to=(REFERS,), **web())["incident_id"]
    house.mail.failures = []
    house.edit(KEY, EDITED, "m-5", **web(addresses=()))
    house.commands.note(opened, CLERK, NOTE)
    with pytest.raises(Forbidden):
        house.commands.run(f"resolve TKT-1 {EDITED}", Caller(USER, Role.CUSTOMER))
    return {
        "resolved": resolved,
        "shared": shared["incident_id"],
        "visited": visited["incident_id"],
        "alone": alone["incident_id"],
        "opened": opened,
    }


def ana(name: str = NAME) -> str:
    """The id of the customer whom an incident calls so."""
    with database.session():
        row = database.first(tables.Incident.select().where(tables.Incident.customer_id == name))
        assert row is not None
        identity = database.first(tables.Identity.select().where(tables.Identity.id == row["identity"]))
    assert identity is not None
    return str(identity["customer"])


def forget(house: House, customer: str = NAME) -> Forgotten:
    return house.firstline.privacy.forget(customer, ADMIN)


def contents(house: House) -> dict[str, list[dict[str, Any]]]:
    return {table._meta.table_name: house.all(table) for table in tables.ALL}


def found(house: House, text: str) -> list[str]:
    """Name the columns that hold a text, in whichever case."""
    return [
        f"{table}.{column}"
        for table, rows in contents(house).items()
        for row in rows
        for column, value in row.items()
        if text.lower() in str(value).lower()
    ]


def figures() -> dict[str, Any]:
    with database.session():
        return stats.counts()


def holds(rows: list[dict[str, Any]], **values: Any) -> list[dict[str, Any]]:
    return [row for row in rows if all(row[name] == value for name, value in values.items())]


# --- forgetting


def test_no_table_holds_anything_that_leads_to_somebody_who_was_forgotten(house: House) -> None:
    live(house)
    assert all(found(house, marker) for marker in MARKERS)
    forget(house)
    assert {marker: where for marker in MARKERS if (where := found(house, marker))} == {}


def test_the_figures_stay_when_somebody_is_forgotten(house: House) -> None:
    live(house)
    before = figures()
    done = forget(house)
    after = figures()
    assert before["by_status"] == {"open": 4, "resolved": 1}
    assert after["by_status"] == {"open": 2, "resolved": 3}
    assert done.closed == 2
    moved = before["notifications"].pop("pending") - after["notifications"].pop("pending", 0)
    assert moved == done.cancelled == after["notifications"].pop("cancelled") > 0
    assert before.pop("reminders_due") - after.pop("reminders_due") == done.follow_ups == 4
    assert {**before, "by_status": None} == {**after, "by_status": None}


def test_numbers_times_and_ratings_of_the_incidents_stay(house: House) -> None:
    live(house)
    kept = ("id", "ticket_id", "classification", "confidence", "classified_by", "created_at", "openings", "channel",
            "conversation", "reporter", "assignee", "touched_at", "reminder_sent", "language")  # fmt: skip
    before = [{name: row[name] for name in kept} for row in house.incidents()]
    ratings = house.all(tables.Rating)
    forget(house)
    assert [{name: row[name] for name in kept} for row in house.incidents()] == before
    assert house.all(tables.Rating) == ratings != []


def test_an_open_incident_is_closed_without_a_word(house: House) -> None:
    ids = live(house)
    house.clock.forward(minutes=1)
    owed, sent = len(house.all(tables.Notification)), len(house.mail.sent)
    forget(house)
    incident = house.incident(ids["opened"])
    assert (incident["status"], incident["resolved_by"], incident["resolved_at"]) == (
        "resolved",
        "forgotten",
        NOON + timedelta(minutes=1),
    )
    house.later(days=3)
    assert len(holds(house.all(tables.Notification), incident=ids["opened"], status="pending")) == 0
    about_bob = [
        row for row in house.all(tables.Notification)[owed:] if row["incident"] in (ids["visited"], ids["alone"])
    ]
    assert len(house.all(tables.Notification)) - owed == len(about_bob)
    assert all(to.key not in (MAIL, CHAT) for to, _ in house.mail.sent[sent:])


def test_what_another_customer_has_is_untouched(house: House) -> None:
    ids = live(house)
    before = contents(house)
    forget(house)
    after = contents(house)
    assert holds(after["incidents"], id=ids["alone"]) == holds(before["incidents"], id=ids["alone"])
    assert holds(after["incidents"], id=ids["visited"]) == holds(before["incidents"], id=ids["visited"])
    for table, column in (("messages", "author"), ("identities", "external_id")):
        for name in ("bob", "shop:bob"):
            assert holds(after[table], **{column: name}) == holds(before[table], **{column: name})
    bobs = [row for row in before["inbox"] if row["external_id"].startswith("b-")]
    assert len(bobs) == 3
    assert [row for row in after["inbox"] if row["external_id"].startswith("b-")] == bobs
    for table in ("notifications", "follow_ups", "ratings"):
        for name in ("visited", "alone"):
            assert holds(after[table], incident=ids[name]) == holds(before[table], incident=ids[name])
    assert holds(after["events"], incident=ids["alone"]) == holds(before["events"], incident=ids["alone"])


def test_what_others_wrote_on_an_incident_of_hers_stays(house: House) -> None:
    ids = live(house)
    forget(house)
    assert house.said(ids["shared"]) == ["(forgotten)", "me too, says bob"]


def test_on_an_incident_of_somebody_else_only_her_own_messages_are_erased(house: House) -> None:
    ids = live(house)
    before = house.said(ids["visited"], "bot")
    forget(house)
    assert house.said(ids["visited"]) == ["bob has a locked account", "(forgotten)"]
    assert house.said(ids["visited"], "bot") == before != []
    (event,) = [row for row in house.all(tables.Event) if row["name"] == "not_solved"]
    assert (event["incident"], event["actor"]) == (ids["visited"], "(forgotten)")


def test_in_a_thread_with_others_they_still_write_to_the_same_incident(house: House) -> None:
    ids = live(house)
    forget(house)
    number = len(house.incidents())
    house.chats("bob again", "b-4", thread="group/2", **BOB)
    assert house.said(ids["visited"])[-1] == "bob again"
    assert len(house.incidents()) == number


def test_somebody_of_the_same_name_elsewhere_is_somebody_else(house: House) -> None:
    house.write("a failed payment", "k-1", customer_id="C-1", reporter="shop")
    house.write("a refund please", "k-2", customer_id="C-1", reporter="bank")
    with pytest.raises(NotFound, match="More than one customer goes by 'C-1'") as refused:
        forget(house, "C-1")
    with database.session():
        (shops,) = customers.named("shop:C-1")
    assert shops["customer"] in str(refused.value)
    forget(house, shops["customer"])
    assert [row["message"] for row in house.incidents()] == ["(forgotten)", "a refund please"]
    assert [row["payload"]["text"] for row in house.all(tables.InboxMessage)] == ["(forgotten)", "a refund please"]


def test_a_customer_goes_by_the_id_the_name_on_a_ticket_or_the_one_of_a_channel(house: House) -> None:
    live(house)
    privacy = house.firstline.privacy
    names = [ana(), NAME, USER, MAIL, f"shop:{NAME}", f" {NAME}\n"]
    assert {privacy.export(name, ADMIN)["customer"]["id"] for name in names} == {ana()}
    with pytest.raises(NotFound, match="No customer goes by 'nobody'"):
        privacy.export("nobody", ADMIN)


def test_who_turned_out_to_be_somebody_else_is_forgotten_with_them(house: House) -> None:
    live(house)
    house.write("one more failed payment", "m-9", customer_id="m-other", addresses=())
    other = ana("m-other")
    house.commands.merge(other, ana(), CLERK)
    done = forget(house, other)
    assert done.identities == 4
    assert found(house, "m-other") == []
    assert [row["forgotten_at"] for row in house.all(tables.Customer) if row["id"] in (other, done.customer_id)] == [
        NOON,
        NOON,
    ]


def test_who_was_forgotten_cannot_be_forgotten_again(house: House) -> None:
    live(house)
    done = forget(house)
    with pytest.raises(Conflict, match="forgotten at 2026-11-22 12:00 UTC already"):
        forget(house, done.customer_id)
    with pytest.raises(NotFound):
        forget(house)


def test_what_reached_somebody_at_the_moment_of_being_forgotten_can_be_forgotten_too(house: House) -> None:
    live(house)
    done = forget(house)
    with database.transaction():
        (identity, *_) = customers.identities(done.customer_id)
        late = {"incident": house.incidents()[0]["id"], "identity": identity["id"], "channel": "chat"}
        said = {"external_id": "m-late", "direction": "customer", "author": USER, "text": "m-late"}
        incidents.say([{**late, **said, "created_at": NOON, "written_at": NOON}])
    forget(house, done.customer_id)
    assert found(house, "m-late") + found(house, USER) == []


def test_while_a_message_waits_to_be_handled_nobody_is_forgotten(house: House) -> None:
    live(house)
    house.accept("and another thing", "m-6", **web())
    before = contents(house)
    with pytest.raises(Conflict, match=r"1 message\(s\) of this customer are not handled yet"):
        forget(house)
    assert contents(house) == before
    house.work()
    forget(house)
    assert found(house, NAME) == []


def test_while_a_worker_sends_them_something_nobody_is_forgotten(house: House) -> None:
    live(house)
    lane = f"out/email:{MAIL}"
    with database.transaction():
        assert lanes.lease(lane, "a worker", NOON + timedelta(hours=2), NOON + timedelta(hours=3))
    with pytest.raises(Conflict, match="in hand"):
        forget(house)
    house.clock.forward(hours=3)
    assert forget(house).cancelled > 0


def test_a_message_that_was_given_up_is_erased_and_cannot_be_tried_again(house: House) -> None:
    live(house)
    house.accept("m-dead words", "m-7", **web())
    with database.transaction():
        lanes.bury(tables.InboxMessage, house.all(tables.InboxMessage)[-1]["id"], 3, "cannot read m-dead words")
    assert len(house.firstline.views.dead()) == 1
    forget(house)
    assert found(house, "m-dead") == []
    assert house.firstline.views.dead() == []


def test_a_deletion_of_a_message_that_never_came_is_erased(house: House) -> None:
    live(house)
    house.delete("m-unseen", "m-8", channel="chat", reporter="", **chat(addresses=()))
    assert holds(house.all(tables.Revision), external_id="m-unseen")
    forget(house)
    assert found(house, "m-unseen") == []


def test_a_text_that_a_message_had_stays_with_it_when_it_is_erased(house: House) -> None:
    ids = live(house)
    forget(house)
    with database.session():
        (message,) = [row for row in incidents.messages(ids["opened"]) if row["direction"] == "customer"]
        texts = incidents.revisions(message["channel"], message["external_id"])
    assert [row["text"] for row in texts] == ["(forgotten)", "(forgotten)"]
    assert message["edited_at"] is not None


def test_agents_are_no_longer_told_of_somebody_who_was_forgotten_and_keep_their_address(house: House) -> None:
    house.mail.failures = [TryLater("busy")] * 5
    opened = house.write("my card was stolen", "k-1", **web())["incident_id"]
    forget(house)
    (alert,) = house.owed("alert")
    assert (alert["recipient"], alert["status"], alert["message"]) == (
        "agents@shop.example",
        "cancelled",
        "(forgotten)",
    )
    assert "stolen" not in json.dumps(alert["notice"])
    assert holds(house.all(tables.Notification), incident=opened, status="pending") == []


def test_no_lane_bears_the_address_of_somebody_who_was_forgotten_but_others_texts_wait_on(house: House) -> None:
    house.mail.failures = [TryLater("busy")] * 5
    house.write("a refund please", "k-1", **web())
    house.write("a failed payment", "k-2", customer_id="bob", addresses=(Address("email", MAIL),))
    forget(house)
    lane = f"out/email:{MAIL}"
    assert [row["key"] for row in house.all(tables.Lane)] == [lane]
    assert [row["status"] for row in house.all(tables.Notification)] == ["cancelled", "pending"]
    house.mail.failures = []
    house.later(hours=1)
    assert [notice.quote for _, notice in house.mail.sent] == ["a failed payment"]


def test_who_writes_again_is_a_new_customer_with_a_new_incident(house: House) -> None:
    live(house)
    old = ana()
    forget(house)
    number = len(house.incidents())
    house.chats("hello again", "m-10", **chat())
    house.write("a mail in answer", "m-11", refers_to=(REFERS,), **web())
    assert len(house.incidents()) == number + 2
    assert ana() == ana(USER) != old


def test_a_message_for_a_forgotten_incident_opens_another_and_joins_nobody(house: House) -> None:
    mine = house.write("a failed payment", "k-1", customer_id="C-1", addresses=())["incident_id"]
    other = house.write("a refund please", "k-2", customer_id="C-2", addresses=())["incident_id"]
    forget(house, "C-1")
    forget(house, "C-2")
    names = [house.incident(incident_id)["customer_id"] for incident_id in (mine, other)]
    for incident_id, name in zip((mine, other), names, strict=True):
        assert house.answer(incident_id, "something new", customer_id=name)["incident_id"] not in (mine, other)
    assert len({row["identity"] for row in house.incidents()}) == 4
    assert ana(names[0]) != ana(names[1])


def test_people_see_that_it_was_forgotten(house: House) -> None:
    ids = live(house)
    forget(house)
    details: Any = house.firstline.views.incident(ids["opened"])
    assert details.incident.message == "(forgotten)"
    assert {entry.text for entry in details.timeline if entry.what in ("customer", "bot", "agent", "note")} == {
        "(forgotten)"
    }
    assert {notice.recipient for notice in details.notifications} == {"(forgotten)"}


def test_the_audit_trail_says_who_had_a_customer_forgotten_and_nothing_of_them(house: House) -> None:
    live(house)
    done = forget(house)
    with database.session():
        events = customers.events(done.customer_id)
    assert [(row["actor"], row["name"], row["after"]) for row in events] == [("root", "forgotten", None)]


@pytest.mark.parametrize("command", ["forget", "export"])
def test_only_an_administrator_may(house: House, command: str) -> None:
    live(house)
    before = len(house.all(tables.Event))
    for caller in (CLERK, CUSTOMER):
        with pytest.raises(Forbidden, match=f"{command} is for administrators"):
            getattr(house.firstline.privacy, command)(NAME, caller)
    refused = house.all(tables.Event)[before:]
    assert [(row["actor"], row["name"], row["after"]) for row in refused] == [
        ("clerk", "refused", command),
        (CUSTOMER.name, "refused", command),
    ]
    assert found(house, FIRST)


def test_the_tickets_that_the_desk_has_are_named(house: House) -> None:
    ids = live(house)
    with database.transaction():
        incidents.link(ids["opened"], "4711")
    assert forget(house).tickets == ("4711",)


def test_what_the_desk_was_asked_for_and_has_not_given_is_named_too_and_not_asked_for_again(house: House) -> None:
    class Away:
        def open(self, incident_id: str, category: str, message: str) -> str:
            raise TryLater("away")

        def update(self, external_id: str, status: str, note: str, key: str) -> None:
            raise TryLater("away")

    house.desk = Away()
    house.start()
    opened = house.write(FIRST, KEY, **web())["incident_id"]
    house.commands.resolve(opened, CLERK, SOLUTION)
    with pytest.raises(Conflict):
        house.commands.resolve(opened, CLERK)
    done = forget(house)
    assert done.tickets == (f"that of incident {opened}, if there is one",)
    assert [(row["kind"], row["state"]) for row in house.all(tables.Job)] == [("link", "done"), ("close", "new")]
    assert found(house, SOLUTION) == []


def test_what_the_trail_calls_a_figure_is_kept_and_all_else_is_not(house: House) -> None:
    ids = live(house)
    house.commands.assign(ids["opened"], CLERK, "kim")
    house.commands.category(ids["opened"], CLERK, "refund_request")
    forget(house)
    trail = {row["name"]: (row["before"], row["after"]) for row in house.all(tables.Event)}
    assert trail["assigned"] == (None, "kim")
    assert trail["category"] == ("duplicate_payment", "refund_request")
    resolved = [row for row in house.all(tables.Event) if row["name"] == "resolved" and row["actor"] == "clerk"]
    assert [(row["before"], row["after"]) for row in resolved] == [("open", "(forgotten)")]
    assert "resolved" not in FIGURES


# --- what lies on the disk


def on_disk(folder: Path, text: str) -> dict[str, int]:
    return {path.name: path.read_bytes().count(text.encode()) for path in sorted(folder.glob("incidents.db*"))}


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[None]:
    """SQLite as most people build it: what is deleted stays in the file; and nobody waits long for a lock."""
    monkeypatch.setitem(dialect.SQLITE_PRAGMAS, "secure_delete", "off")
    monkeypatch.setattr(dialect, "BUSY_TIMEOUT", 0.1)
    database.connect(database_url)
    migrate()
    yield
    database.disconnect()


@ON_SQLITE
@pytest.mark.usefixtures("careless")
def test_the_files_of_the_database_hold_nothing_of_somebody_who_was_forgotten(clock: TestClock, tmp_path: Path) -> None:
    house = House(clock, classifier=quoting)
    for number in range(20):  # enough for pages to be split and filled again
        house.write(f"bob was charged twice {'x' * 200 * (number % 5)}", customer_id=f"bob-{number}")
        house.write(f"{FIRST} {'y' * 150 * (number % 7)}", f"{KEY}-{number}", **web())
        house.edit(f"{KEY}-{number}", f"{EDITED} {'z' * 90 * (number % 9)}", f"m-{number}", **web())
    house.stop()
    assert sum(on_disk(tmp_path, FIRST).values()) > 20
    done = forget(house)
    assert done.scrubbed
    assert {marker: on_disk(tmp_path, marker) for marker in MARKERS if any(on_disk(tmp_path, marker).values())} == {}
    assert len(house.incidents()) == 40


@ON_SQLITE
@pytest.mark.usefixtures("careless")
def test_who_reads_meanwhile_keeps_the_files_from_being_cleaned_and_that_is_said(
    clock: TestClock, tmp_path: Path
) -> None:
    house = House(clock)
    house.write(FIRST, KEY, **web())
    house.stop()
    with closing(sqlite3.connect(tmp_path / "incidents.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM incidents").fetchone()
        done = forget(house)
    assert not done.scrubbed
    assert found(house, NAME) == []


@ON_POSTGRESQL
def test_while_somebody_is_being_forgotten_nobody_writes_under_their_identity(house: House, database_url: str) -> None:
    live(house)
    refused: list[type[Exception]] = []

    def clock() -> datetime:
        """Is asked in the middle of it; tries what a worker does that stores a message of hers."""
        with psycopg.connect(database_url, autocommit=True) as beside:
            beside.execute("SET lock_timeout = 50")
            try:
                beside.execute("SELECT 1 FROM identities WHERE external_id = %s FOR KEY SHARE", (USER,))
            except psycopg.Error as exc:
                refused.append(type(exc))
        return NOON

    Privacy(clock).forget(NAME, ADMIN)
    assert refused == [psycopg.errors.LockNotAvailable]


# --- handing out


def test_an_export_holds_all_that_is_kept_of_somebody(house: House) -> None:
    live(house)
    text = json.dumps(house.firstline.privacy.export(NAME, ADMIN), ensure_ascii=False)
    assert [marker for marker in MARKERS if marker not in text] == []


def test_an_export_holds_nothing_that_others_wrote(house: House) -> None:
    ids = live(house)
    document = house.firstline.privacy.export(NAME, ADMIN)
    assert "bob" not in json.dumps(document)
    (shared,) = holds(document["incidents"], id=ids["shared"])
    said = [(entry["author"], entry["text"]) for entry in shared["timeline"] if entry["direction"] == "customer"]
    assert said == [(USER, "I want a refund"), ("(somebody else)", "(somebody else)")]
    (visited,) = document["took_part_in"]
    assert [entry["text"] for entry in visited["timeline"]] == [GUEST]
    assert [event["name"] for event in visited["events"]] == ["not_solved"]


def test_an_export_has_notes_earlier_texts_ratings_and_what_is_to_come(house: House) -> None:
    ids = live(house)
    document = house.firstline.privacy.export(NAME, ADMIN)
    resolved, shared, opened = document["incidents"]
    assert [row["id"] for row in document["incidents"]] == [ids["resolved"], ids["shared"], ids["opened"]]
    assert [entry["text"] for entry in resolved["timeline"] if entry["direction"] == "note"] == [NOTE]
    assert [rating["score"] for rating in resolved["ratings"]] == [5]
    (first,) = [entry for entry in opened["timeline"] if entry["direction"] == "customer"]
    assert (first["text"], [revision["text"] for revision in first["revisions"]]) == (EDITED, [FIRST, EDITED])
    assert [(one["recipient"], one["status"]) for one in opened["notifications"]] == [(MAIL, "pending")]
    assert [one["kind"] for one in shared["follow_ups"]] == ["reminder", "escalation"]
    assert sorted(row["channel"] for row in document["identities"]) == ["chat", "email", "web"]
    assert {row["payload"]["kind"] for row in document["deliveries"] if "kind" in row["payload"]} >= {
        MessageKind.EDIT,
        MessageKind.ACTION,
    }


def test_an_export_shows_no_address_of_agents(house: House) -> None:
    house.write("my card was stolen", "k-1", **web())
    assert house.owed("alert")
    assert "agents@shop.example" not in json.dumps(house.firstline.privacy.export(NAME, ADMIN))


def test_an_export_is_the_same_every_time_but_for_the_trail_of_exports(house: House) -> None:
    live(house)
    first, second = (house.firstline.privacy.export(NAME, ADMIN) for _ in range(2))
    assert [event["name"] for event in second["events"]] == ["exported", "exported"]
    assert list(first) == ["customer", "identities", "incidents", "took_part_in", "deliveries", "events"]
    assert json.dumps({**first, "events": None}) == json.dumps({**second, "events": None})


def test_nothing_can_be_handed_out_of_somebody_who_was_forgotten(house: House) -> None:
    live(house)
    done = forget(house)
    with pytest.raises(NotFound, match="No customer goes by"):
        house.firstline.privacy.export(NAME, ADMIN)
    with pytest.raises(NotFound, match="was forgotten at 2026-11-22 12:00 UTC"):
        house.firstline.privacy.export(done.customer_id, ADMIN)


# --- the command line


@ON_SQLITE
def test_on_the_command_line_a_customer_is_handed_out_and_forgotten(house: House, tmp_path: Path) -> None:
    ids = live(house)
    with database.transaction():
        incidents.link(ids["opened"], "4711")
    printed = bot("export", NAME)
    assert printed.returncode == 0, printed
    assert json.loads(printed.stdout)["customer"]["id"] == ana()
    written = bot("export", NAME, "--to", "ana.json")
    assert f"All that is kept about {ana()} is in ana.json." in written.stdout
    assert stat.S_IMODE(os.stat("ana.json").st_mode) == 0o600
    assert json.loads(Path("ana.json").read_text("utf-8"))["incidents"] == json.loads(printed.stdout)["incidents"]
    assert refusal(bot("export", NAME, "--to", "ana.json"), 1) == (
        "bot: --to: ana.json is there already. Name another file.\n"
    )
    assert "cannot be written (No such file or directory)" in refusal(bot("export", NAME, "--to", "no/ana.json"), 1)

    customer = ana()
    forgotten = bot("forget", NAME)
    said = " ".join(forgotten.stdout.split())
    assert forgotten.returncode == 0, forgotten
    assert f"The customer {customer} is forgotten." in said
    assert "The ticket desk keeps its own copy of 4711; erase them there." in said
    assert "text(s) were sent before and stay where they arrived" in said
    assert "Backups" in said
    assert "of these closed 2" in said
    assert not [marker for marker in MARKERS if marker in forgotten.stdout + forgotten.stderr]
    assert "was forgotten at" in refusal(bot("forget", customer), 1)
    assert refusal(bot("export", NAME), 1).startswith(f"bot: No customer goes by '{NAME}'.")
    assert "(forgotten)" in bot("show", ids["opened"]).stdout
    assert "(forgotten)" in bot("list").stdout
