"""No list, no search, no figure and no step of the pipeline looks through a whole table: what the database says of each
statement that is really run."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from bot import quarantine
from bot.commands import Commands
from bot.model import Address, Caller, Category, IncidentFilter, Role
from bot.views import Views
from storage import conversations, customers, database, dead, inbox, incidents, lanes, search, stats
from storage import notifications as owed
from storage.migrate import migrate
from tests import many
from tests.fakes import NOON
from tests.postgres import Server

NUMBER = 4000
MANY = NUMBER // 2
"""Rows that may be looked at in vain."""
LARGE = {
    *("incidents", "messages", "events", "inbox", "notifications", "follow_ups", "jobs", "conversations"),
    *("customers", "identities", "ratings", "search"),
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """A database with many incidents, and what is known of the spread of its values; gives the incidents' ids."""
    if request.param == "sqlite":
        database.connect(f"sqlite:///{tmp_path_factory.mktemp('full')}/incidents.db")
        migrate()
        ids = many.fill(NUMBER)
        yield ids
        database.disconnect()
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.create(migrated=True)
    database.connect(server.url(name))
    ids = many.fill(NUMBER)
    with database.session():
        database.execute("VACUUM ANALYZE")
    yield ids
    database.disconnect()
    server.drop(name)


def recorded(act: Callable[[], object]) -> list[tuple[str, Any]]:
    """Do something and return the statements that were run for it."""
    db = database.database.obj
    run, seen = db.execute_sql, []

    def note(sql: str, params: Any = None, *rest: Any) -> Any:
        seen.append((sql, params))
        return run(sql, params, *rest)

    db.execute_sql = note
    try:
        act()
    finally:
        del db.execute_sql
    return seen


def looked_through(sql: str, params: Any) -> list[str]:
    """Name the large tables of which a statement reads all, row by row, by its plan; and on PostgreSQL, which says how
    many rows it has looked at, the steps that looked at many in vain."""
    db = database.database.obj
    if not re.match(r"\s*(SELECT|WITH|UPDATE|DELETE|INSERT)", sql):
        return []
    if type(db).__name__ == "SQLite":
        steps = [row[-1] for row in db.execute_sql(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()]
        found = [step for step in steps if step.startswith("SCAN") and " INDEX " not in step]
        return [step for step in found if step.split()[1] in LARGE]
    ran = "EXPLAIN (ANALYZE, TIMING OFF)" if sql.startswith("SELECT") and "FOR UPDATE" not in sql else "EXPLAIN"
    steps = [row[0] for row in db.execute_sql(f"{ran} {sql}", params).fetchall()]
    scanned = [re.search(r"Seq Scan on (\w+)", step) for step in steps]
    in_vain = [re.search(r"Rows Removed by (?:Join )?Filter: (\d+)", step) for step in steps]
    return [
        *(found[0] for found in scanned if found is not None and found[1] in LARGE),
        *(found[0] for found in in_vain if found is not None and int(found[1]) > MANY),
    ]


def looks_through(act: Callable[[], object]) -> list[str]:
    """What an action looks through; it must run statements at all."""
    statements = recorded(act)
    assert statements
    with database.session():
        return [f"{table}: {sql}" for sql, params in statements for table in looked_through(sql, params)]


def within(read: Callable[[], object]) -> Callable[[], object]:
    def act() -> object:
        with database.session():
            return read()

    return act


VIEWS = Views()
FILTERS = [
    {},
    {"status": "open"},
    {"status": "resolved"},
    {"category": Category.OTHER},
    {"channel": "slack"},
    {"assignee": "agent-3"},
    {"assignee": ""},
    {"priority": "urgent"},
    {"priority": "normal"},
    {"unsure": True},
    {"unsure": False},
    {"created_from": NOON - timedelta(days=30), "created_to": NOON - timedelta(days=20)},
    {"status": "open", "assignee": "agent-3", "category": Category.FRAUD_REPORT, "channel": "email"},
    {"text": many.RARE},
    {"text": "money"},
    {"text": "car"},
    {"text": "money -transfer"},
    {"text": '"charged twice"', "status": "open"},
    {"text": "c77@example.com"},
    {"text": "TKT-0a1"},
    {"text": "nothing like this OR xylo"},
]


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
@pytest.mark.parametrize("deep", [False, True], ids=["first page", "deep page"])
def test_no_list_looks_through_a_table(
    full: list[str], wanted: dict[str, Any], deep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = IncidentFilter(**wanted)
    after = VIEWS.find(IncidentFilter(), None, 2000).next if deep else None
    monkeypatch.setattr(search, "LOOKED_AT", 200)
    monkeypatch.setattr(search, "NARROWED", 800)
    assert looks_through(lambda: VIEWS.find(what, after, 50)) == []


def views(ids: list[str]) -> dict[str, Callable[[], object]]:
    """What people and machines ask for all day."""
    one, ticket = ids[-5], f"TKT-{ids[-5][:8]}"
    clerk = Caller("agent-3", Role.AGENT)
    return {
        "incident": lambda: VIEWS.incident(one),
        "by ticket": lambda: VIEWS.incident(ticket),
        "by a beginning": lambda: VIEWS.incident(ticket[:-1].lower()),
        "history": lambda: VIEWS.history(one, None, 50),
        "version": lambda: VIEWS.version(one),
        "workload": lambda: VIEWS.workload("agent-3", 10),
        "own": lambda: VIEWS.own(Address("email", "c77@example.com"), 10),
        "conversation": lambda: VIEWS.conversation("web", one),
        "files": lambda: VIEWS.files(one),
        "dead letters": VIEWS.dead,
        "one dead letter": lambda: VIEWS.dead_one(VIEWS.dead()[0].name),
        "stats": VIEWS.stats,
        "standing": lambda: VIEWS.standing(NOON),
        "quarantined": within(quarantine.of),
        "forgotten work": within(lambda: lanes.wake_forgotten(100)),
        "tallies": within(stats.counts),
        "due lanes": within(lambda: lanes.due(NOON, 100, "in/")),
        "list mine": within(lambda: list_of(clerk, "mine")),
        "list a category": within(lambda: list_of(clerk, "other")),
    }


def first_of(incident_id: str) -> tuple[str, str]:
    (channel,) = database.execute("SELECT channel FROM incidents WHERE id = ?", [incident_id]).fetchone()
    return channel, f"{incident_id}:customer"


def list_of(caller: Caller, which: str) -> object:
    return Commands.list(None, caller, which)  # type: ignore[arg-type]  # reads the database and nothing of its own


def steps(ids: list[str]) -> dict[str, Callable[[], object]]:
    """What is asked for every message."""
    one = ids[-5]
    return {
        "outcomes": lambda: inbox.outcomes([one]),
        "first delivery": lambda: inbox.first_delivery(*first_of(one)),
        "aliases": lambda: conversations.known("web", [one]),
        "incidents of a conversation": lambda: incidents.of_conversation(one),
        "identity": lambda: customers.identity("email", "c77@example.com"),
        "named": lambda: customers.named("c77@example.com"),
        "said before": lambda: incidents.said_before(78, "hello", "x", NOON),
        "last said": lambda: incidents.last_said_by_customer(one, "x"),
        "head of a lane": lambda: [lanes.head(f"{queue}/{one}") for queue in lanes.QUEUES],
        "notifications": lambda: owed.of_incident(one),
        "texts to an address": lambda: owed.count_to("email", "c77@example.com", ["code"], NOON),
        "dead": lambda: dead.everything(10),
    }


@pytest.mark.parametrize("name", list(views(["-" * 36] * 5)))
def test_no_view_looks_through_a_table(full: list[str], name: str) -> None:
    assert looks_through(views(full)[name]) == []


@pytest.mark.parametrize("name", list(steps(["-" * 36] * 5)))
def test_no_step_of_a_message_looks_through_a_table(full: list[str], name: str) -> None:
    assert looks_through(within(steps(full)[name])) == []


def test_a_plan_that_looks_through_a_table_is_noticed(full: list[str]) -> None:
    assert looks_through(within(lambda: database.execute("SELECT * FROM incidents WHERE reason = ?", ["x"])))
