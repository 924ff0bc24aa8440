"""Two at once on PostgreSQL, step by step: at one point of somebody's way another is let in, and goes as far as they
come. Nobody waits in a circle, nothing is done twice, and the desk hears of changes in the order in which they were
made; also of those that waited while the database was brought up to date."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playhouse.migrations import Runner
from structlog.testing import capture_logs

from bot import outbox, routing, views
from bot.errors import Conflict
from bot.model import Address
from storage import conversations, database, incidents, jobs, lanes, notifications
from storage.migrate import FOLDER, migrate
from storage.tables import Job
from tests.fakes import NOON, Fuse, MoodyDesk, TestClock
from tests.house import AGENTS, ANA, CLERK, House
from tests.postgres import ON_POSTGRESQL, Server
from tests.test_migration import AT, fill, insert

TWICE = "My card was charged twice"
LONGEST_WAIT = 30.0
"""Seconds until a test gives up."""


class Race:
    """Lets others in at points of the way that the test's own thread takes."""

    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch, logged: list[MutableMapping[str, Any]]) -> None:
        self._server = server
        self._monkeypatch = monkeypatch
        self._logged = logged
        self._me = threading.get_ident()
        self._pool = ThreadPoolExecutor(4)
        self._missed: list[str] = []
        self._others: list[Future[Any]] = []

    def let_in(
        self, call: Callable[[], Any], after: tuple[Any, str], where: Callable[..., bool] = lambda *_: True
    ) -> None:
        """Once this thread has called `after` (a module, and the name of a function there), with arguments of which
        `where` is true, for the first time: begin `call` beside it, and go on when that has ended, or waits for what
        somebody has locked."""
        module, name = after
        real = getattr(module, name)
        point = f"{module.__name__}.{name}, {len(self._missed) + 1}"
        self._missed.append(point)

        def reached(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            if threading.get_ident() == self._me and point in self._missed and where(*args):
                self._missed.remove(point)
                self._begin(call)
            return result

        self._monkeypatch.setattr(module, name, reached)

    def _begin(self, call: Callable[[], Any]) -> None:
        other = self._pool.submit(call)
        self._others.append(other)
        last = time.monotonic() + LONGEST_WAIT
        while not other.done() and not self._somebody_waits():
            assert time.monotonic() < last
            time.sleep(0.005)

    def _somebody_waits(self) -> bool:
        name = database.database.obj.database
        blocked = f"datname = '{name}' AND cardinality(pg_blocking_pids(pid)) > 0"
        return bool(self._server.execute(f"SELECT 1 FROM pg_stat_activity WHERE {blocked}"))

    def finish(self) -> None:
        """Wait for all that were let in. Raises what one of them raised; and fails if somebody was not let in, or if a
        piece of work failed and is to be tried again."""
        for other in self._others:
            other.result(LONGEST_WAIT)
        assert self._missed == []
        assert [line for line in self._logged if "exc_info" in line] == []

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture
def race(db: str, postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Race]:
    with capture_logs() as logged:
        race = Race(postgresql, monkeypatch, logged)
        yield race
        race.close()


@pytest.fixture
def tickets() -> MoodyDesk:
    return MoodyDesk(lambda number: f"D-{number}", Fuse())


@pytest.fixture
def house(db: str, clock: TestClock, tickets: MoodyDesk) -> Iterator[House]:
    house = House(clock, desk=tickets)
    yield house
    house.stop()


# --- waiting in a circle


@ON_POSTGRESQL
def test_who_resolves_while_the_reminder_is_being_taken_up_gets_no_error_and_it_is_not_sent(
    house: House, race: Race
) -> None:
    opened = house.write(TWICE, "k-1")
    house.clock.forward(hours=24)
    house.firstline.follow_ups.work()
    race.let_in(lambda: house.firstline.lanes.run(f"out/{ANA}"), after=(notifications, "cancel_reminders"))
    house.commands.resolve(opened["ticket_id"], CLERK)
    race.finish()
    house.work()
    assert house.owed("reminder")[0]["status"] == "cancelled"
    assert (house.mails("reminder"), len(house.mails("resolved"))) == ([], 1)


@ON_POSTGRESQL
def test_who_replies_while_the_reminder_is_being_taken_up_gets_no_error_and_it_is_not_sent(
    house: House, race: Race
) -> None:
    opened = house.write(TWICE, "k-1")
    house.clock.forward(hours=24)
    house.firstline.follow_ups.work()
    race.let_in(lambda: house.firstline.lanes.run(f"out/{ANA}"), after=(notifications, "cancel_reminders"))
    house.commands.reply(opened["ticket_id"], CLERK, "We are on it.")
    race.finish()
    house.work()
    assert house.owed("reminder")[0]["status"] == "cancelled"
    assert (house.mails("reminder"), len(house.mails("reply"))) == ([], 1)


@ON_POSTGRESQL
def test_an_agent_who_resolves_while_the_customer_presses_solved_is_told_that_it_is_done(
    house: House, race: Race
) -> None:
    opened = house.write(TWICE, "k-1")

    def resolve() -> None:
        with pytest.raises(Conflict, match=r"was resolved by C-1042"):
            house.commands.resolve(opened["ticket_id"], CLERK)

    race.let_in(resolve, after=(lanes, "hold"))
    assert house.press(opened["incident_id"], "solved", "p-1")["status"] == "resolved"
    race.finish()
    assert house.incident(opened["incident_id"])["resolutions"] == 1


@ON_POSTGRESQL
def test_a_customer_who_presses_solved_while_an_agent_resolves_comes_too_late(house: House, race: Race) -> None:
    opened = house.write(TWICE, "k-1")
    race.let_in(lambda: house.press(opened["incident_id"], "solved", "p-1"), after=(jobs, "add"))
    house.commands.resolve(opened["ticket_id"], CLERK)
    race.finish()
    assert house.incident(opened["incident_id"])["resolved_by"] == "clerk"
    assert house.incident(opened["incident_id"])["resolutions"] == 1


@ON_POSTGRESQL
def test_an_urgent_incident_may_be_opened_while_reminders_are_stored(house: House, race: Race) -> None:
    zoe = Address("email", "zoe@example.com")  # her lane comes behind that of the agents
    house.write(TWICE, "k-1", addresses=(zoe,))
    house.clock.forward(hours=24)
    house.accept("My card was stolen", "k-2", addresses=(zoe,))
    race.let_in(house.firstline.follow_ups.work, after=(outbox, "tell"))
    house.work()
    race.finish()
    house.work()
    assert len(house.mails("reminder", zoe)) == len(house.mails("agent_reminder", AGENTS)) == 1
    assert len(house.mails("acknowledgement", zoe)) == 2
    assert len(house.mails("alert", AGENTS)) == 1


@ON_POSTGRESQL
def test_a_lane_that_comes_into_being_while_two_hold_its_incident_has_neither_wait_in_a_circle(
    house: House, race: Race
) -> None:
    incident_id = house.write(TWICE, "k-1")["incident_id"]

    def wake() -> None:
        with database.transaction():
            lanes.wake({f"job/{incident_id}": NOON})

    def hold_and_wake() -> None:
        with database.transaction():
            lanes.hold(incident_id)
            wake()

    race.let_in(wake, after=(lanes, "execute"), where=lambda sql, *_: "FROM lanes" in sql)
    race.let_in(hold_and_wake, after=(lanes, "execute"), where=lambda sql, *_: "FROM incidents" in sql)
    hold_and_wake()
    race.finish()


# --- twice


@ON_POSTGRESQL
def test_a_reply_that_is_repeated_under_its_key_at_the_same_moment_is_one(house: House, race: Race) -> None:
    opened = house.write(TWICE, "k-1")
    reply = partial(house.commands.reply, opened["ticket_id"], CLERK, "We are on it.", "key-1")
    race.let_in(reply, after=(incidents, "message"))
    reply()
    race.finish()
    house.work()
    assert house.said(opened["incident_id"], "agent") == ["We are on it."]
    assert len(house.mails("reply")) == 1


@ON_POSTGRESQL
@pytest.mark.parametrize("point", [(routing, "confirm"), (conversations, "add")], ids=["found none", "claimed it"])
def test_two_first_messages_of_one_thread_in_two_lanes_are_one_incident(
    house: House, race: Race, point: tuple[Any, str]
) -> None:
    for number in (1, 2):
        where = {"channel": "chat", "thread": "t-1", "lane": f"chat/{number}", "customer_id": f"u-{number}"}
        house.accept(f"{TWICE}, {number}", f"m-{number}", **where)
    race.let_in(lambda: house.firstline.lanes.run("in/chat/2"), after=point)
    house.firstline.lanes.run("in/chat/1")
    race.finish()
    (incident,) = house.incidents()
    assert sorted(house.said(incident["id"])) == [f"{TWICE}, 1", f"{TWICE}, 2"]


# --- what the desk is told


@ON_POSTGRESQL
def test_the_desk_is_told_of_a_reopening_that_was_begun_before_two_other_changes(
    house: House, race: Race, tickets: MoodyDesk
) -> None:
    name = house.write(TWICE, "k-1")["ticket_id"]
    house.commands.resolve(name, CLERK)
    house.work()

    def reopen_and_resolve() -> None:
        house.commands.reopen(name, CLERK)
        house.commands.resolve(name, CLERK)

    race.let_in(reopen_and_resolve, after=(views, "known"))
    assert house.commands.reopen(name, CLERK).status == "open"
    race.finish()
    house.work()
    assert [row["dedupe"].partition("/")[0] for row in house.all(Job)] == ["close", "reopen", "close", "reopen"]
    assert tickets.statuses == {"D-1": "open"}


@ON_POSTGRESQL
def test_a_closing_that_was_begun_before_a_reopening_does_not_come_after_it_at_the_desk(
    house: House, race: Race, tickets: MoodyDesk
) -> None:
    opened = house.write(TWICE, "k-1")
    house.commands.resolve(opened["ticket_id"], CLERK)
    house.work()
    race.let_in(lambda: house.commands.reopen(opened["ticket_id"], CLERK), after=(jobs, "insert"))
    with pytest.raises(Conflict, match="was resolved by clerk"):
        house.commands.resolve(opened["ticket_id"], CLERK)
    race.finish()
    house.work()
    assert house.incident(opened["incident_id"])["status"] == "open"
    assert tickets.statuses == {"D-1": "open"}


@pytest.fixture
def migrated(database_url: str, tmp_path: Path, clock: TestClock, tickets: MoodyDesk) -> Iterator[House]:
    """A house on a database of the first version that was brought up to date while an incident waited for its
    ticket."""
    folder = tmp_path / "first"
    folder.mkdir()
    shutil.copy(FOLDER / "0001_the_spine.py", folder)
    database.connect(database_url)
    with database.transaction():
        Runner(database.database.obj, str(folder)).up()
        fill()
        lane = "job/link/i-1"
        insert(
            "jobs", lane=lane, kind="link", payload="{}", dedupe=lane, state="new", due_at=AT, attempts=0,
            created_at=AT,
        )  # fmt: skip
        insert("lanes", key=lane, due_at=AT)
    migrate()
    house = House(clock, desk=tickets)
    yield house
    house.stop()
    database.disconnect()


def test_what_is_resolved_while_its_ticket_of_the_first_version_waits_is_closed_at_the_desk(
    migrated: House, tickets: MoodyDesk
) -> None:
    migrated.commands.resolve("i-1", CLERK)
    migrated.work()
    assert tickets.statuses[tickets.tickets["i-1"]] == "closed"
