"""A day later: still open, a reminder; resolved, nothing. By the clock of a test, and by a scheduler in real time."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from bot import follow_ups as module
from bot import outbox, wording
from bot.follow_ups import FollowUps
from bot.model import Address, Incident, addresses_to_json
from storage import database, follow_ups, incidents, notifications
from storage.follow_ups import FollowUpJobStore
from storage.tables import FollowUp, Notification
from tests.fakes import CLERK, LIFE, NOON, TestClock, WakeList, commands
from tests.house import AGENTS, House
from tests.postgres import ON_SQLITE
from tests.test_storage import values

DAY = timedelta(hours=24)
MAIL, PHONE = Address("email", "ana@example.com"), Address("sms", "+14155552671")


def open_incident(name: str = "i-1", *told: Address, at: datetime = NOON, after: timedelta = DAY) -> None:
    """Open an incident whose customer was told at these addresses, and have it looked at later."""
    row = values(id=name, ticket_id=f"TKT-{name}", created_at=at, addresses=addresses_to_json(told))
    with database.transaction():
        incidents.open(row)
        outbox.owe([(to, wording.acknowledgement(Incident.of(row), to, after)) for to in told], at)
        follow_ups.schedule(name, at, {"reminder": at + after})


def owed(name: str = "i-1") -> list[dict[str, Any]]:
    """The reminders of an incident."""
    with database.session():
        return [row for row in notifications.of_incident(name) if row["kind"] == "reminder"]


def rows() -> list[dict[str, Any]]:
    with database.session():
        return database.rows(FollowUp.select().order_by(FollowUp.id))


def is_reminded(name: str = "i-1") -> bool:
    with database.session():
        row = incidents.get(name)
    assert row is not None
    return bool(row["reminder_sent"])


@pytest.fixture
def wakes() -> WakeList:
    return WakeList()


@pytest.fixture
def due(db: str, clock: TestClock, wakes: WakeList) -> FollowUps:
    return FollowUps(clock, wakes, LIFE)


def test_before_its_time_nothing_happens(due: FollowUps, clock: TestClock) -> None:
    open_incident("i-1", MAIL)
    clock.forward(hours=23, minutes=59)
    due.work()
    assert owed() == []
    assert not is_reminded()


def test_an_open_incident_is_reminded_of_at_the_addresses_of_the_acknowledgement(
    due: FollowUps, clock: TestClock, wakes: WakeList
) -> None:
    open_incident("i-1", MAIL, PHONE)
    clock.forward(hours=24)
    due.work()
    reminders = owed()
    assert [(row["channel"], row["recipient"], row["status"]) for row in reminders] == [
        ("email", "ana@example.com", "pending"),
        ("sms", "+14155552671", "pending"),
    ]
    assert "Ticket TKT-i-1 was opened 24 hours ago" in reminders[0]["message"]
    assert wakes.woken == ["out/email:ana@example.com", "out/sms:+14155552671"]
    assert is_reminded()
    assert [(row["state"], row["due_at"], row["done_at"]) for row in rows()] == [("reminded", None, clock.now)]
    with database.session():
        assert [event["name"] for event in incidents.events("i-1")] == ["reminded"]


def test_it_is_reminded_of_once_however_long_nobody_looked(due: FollowUps, clock: TestClock) -> None:
    open_incident("i-1", MAIL)
    clock.forward(days=9)
    for _ in range(3):
        due.work()
        clock.forward(days=1)
    assert len(owed()) == 1
    assert "9 days ago" in owed()[0]["message"]


def test_who_was_never_written_to_is_not_reminded_either(due: FollowUps, clock: TestClock) -> None:
    open_incident("i-1")
    clock.forward(hours=24)
    due.work()
    assert owed() == []
    assert rows()[0]["state"] == "reminded"


def test_a_resolved_incident_is_left_alone(due: FollowUps, clock: TestClock, wakes: WakeList) -> None:
    open_incident("i-1", MAIL)
    commands(clock).resolve("i-1", CLERK)
    clock.forward(hours=24)
    due.work()
    assert owed() == []
    assert not is_reminded()
    assert rows()[0]["state"] == "cancelled"


def test_one_that_is_resolved_in_the_moment_in_which_it_is_due_is_left_alone(due: FollowUps, clock: TestClock) -> None:
    open_incident("i-1", MAIL)
    with database.transaction():
        incidents.resolve("i-1", NOON, "somebody who forgot the follow-up", NOON)
    clock.forward(hours=24)
    due.work()
    assert owed() == []
    assert rows()[0]["state"] == "nothing_to_do"


def test_resolving_cancels_a_reminder_that_nobody_has_begun_to_send(due: FollowUps, clock: TestClock) -> None:
    open_incident("i-1", MAIL)
    clock.forward(hours=24)
    due.work()
    commands(clock).resolve("TKT-i-1", CLERK)
    assert [(row["status"], row["due_at"]) for row in owed()] == [("cancelled", None)]


def test_500_that_are_due_at_once_are_all_handled(due: FollowUps, clock: TestClock, wakes: WakeList) -> None:
    for number in range(500):
        open_incident(f"i-{number}", Address("email", f"c{number}@example.com"), at=NOON + timedelta(seconds=number))
    clock.forward(hours=25)
    due.work()
    assert {row["state"] for row in rows()} == {"reminded"}
    assert len(set(wakes.woken)) == 500


def test_several_workers_at_once_handle_each_exactly_once(
    due: FollowUps, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 7)
    for number in range(60):
        open_incident(f"i-{number}", Address("email", f"c{number}@example.com"))
    clock.forward(hours=24)
    woken = [WakeList() for _ in range(4)]
    failures: list[BaseException] = []

    def work(wakes: WakeList) -> None:
        try:
            FollowUps(clock, wakes, LIFE).work()
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(wakes,)) for wakes in woken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    lanes = [lane for wakes in woken for lane in wakes.woken]
    assert (len(lanes), len(set(lanes))) == (60, 60)
    assert all(len(owed(f"i-{number}")) == 1 for number in range(60))


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_in_the_middle_leaves_all_due_as_before(
    due: FollowUps, clock: TestClock, wakes: WakeList, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    for number in range(3):
        open_incident(f"i-{number}", MAIL)
    clock.forward(hours=24)
    before, write = rows(), wording.reminder
    calls: list[object] = []

    def fail_at_the_second(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise failure
        return write(*arguments)

    monkeypatch.setattr(wording, "reminder", fail_at_the_second)
    with pytest.raises(failure):
        due.work()
    assert rows() == before
    assert not any(is_reminded(f"i-{number}") or owed(f"i-{number}") for number in range(3))
    assert wakes.woken == []
    due.work()
    assert all(is_reminded(f"i-{number}") and len(owed(f"i-{number}")) == 1 for number in range(3))


# --- in real time


def real_now() -> datetime:
    return datetime.now(UTC)


def soon(seconds: float) -> dict[str, Any]:
    return {"at": real_now(), "after": timedelta(seconds=seconds)}


@contextmanager
def scheduler(work: Callable[[], None] | None = None) -> Iterator[BackgroundScheduler]:
    """A scheduler as the clock process has it, that looks every half second."""
    running = BackgroundScheduler(timezone=UTC, jobstore_retry_interval=0.3)
    follow_up = work or FollowUps(real_now, WakeList(), LIFE).work
    running.add_jobstore(FollowUpJobStore(follow_up, real_now, timedelta(seconds=0.5)))
    running.start()
    try:
        yield running
    finally:
        running.shutdown()


def wait_until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 8
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("apscheduler")
    before, logger.level = logger.level, logging.CRITICAL
    yield
    logger.level = before


def test_the_scheduler_fires_what_is_due_and_shows_one_job_for_each_that_waits(db: str) -> None:
    open_incident("i-1", MAIL, **soon(0.2))
    open_incident("i-2", MAIL, **soon(3600))
    with scheduler() as running:
        assert [job.id for job in running.get_jobs()] == ["follow-up-1", "follow-up-2"]
        assert running.get_jobs()[1].next_run_time == rows()[1]["due_at"]
        assert running.get_job("follow-up-2").name == "follow-up-2"
        wait_until(lambda: owed("i-1"))
        assert [job.id for job in running.get_jobs()] == ["follow-up-2"]
        assert running.get_job("follow-up-1") is None
    assert owed("i-2") == []


@ON_SQLITE
def test_the_scheduler_finds_what_somebody_else_inserted(db: str) -> None:
    with scheduler():
        time.sleep(0.1)
        open_incident("i-1", MAIL, **soon(0))
        wait_until(lambda: owed("i-1"))


@ON_SQLITE
def test_what_was_due_while_nothing_ran_fires_once(db: str) -> None:
    open_incident("i-1", MAIL, at=real_now() - timedelta(days=7))
    with scheduler():
        wait_until(lambda: owed("i-1"))
        time.sleep(0.6)
    assert len(owed("i-1")) == 1


def test_two_schedulers_on_one_database_handle_each_once(db: str) -> None:
    with scheduler(), scheduler():
        for number in range(20):
            open_incident(f"i-{number}", MAIL, **soon(0.2))
        wait_until(lambda: {row["state"] for row in rows()} == {"reminded"})
        time.sleep(0.3)
    with database.session():
        assert Notification.select().where(Notification.kind == "reminder").count() == 20


def rename_table(old: str, new: str) -> None:
    with database.transaction():
        database.execute(f"ALTER TABLE {old} RENAME TO {new}")


def test_a_database_that_raises_for_a_while_does_not_end_the_scheduler(db: str) -> None:
    open_incident("i-1", MAIL, **soon(0.8))
    with scheduler() as running:
        rename_table("follow_ups", "elsewhere")
        time.sleep(1.2)
        rename_table("elsewhere", "follow_ups")
        wait_until(lambda: owed("i-1"))
        assert running._thread.is_alive()


@ON_SQLITE
def test_work_that_fails_or_is_refused_is_begun_again(db: str) -> None:
    open_incident("i-1", MAIL, **soon(0))
    begun: list[str] = []
    work = FollowUps(real_now, WakeList(), LIFE).work

    def fail_at_first() -> None:
        begun.append("")
        if len(begun) == 1:
            raise RuntimeError
        work()

    running = BackgroundScheduler(timezone=UTC)
    running.add_jobstore(FollowUpJobStore(fail_at_first, real_now, timedelta(seconds=0.5)))
    executor = running._create_default_executor()
    submit, refused = executor._do_submit_job, []

    def refuse_at_first(job: Any, run_times: Any) -> None:
        refused.append(job)
        if len(refused) == 1:
            raise RuntimeError("cannot schedule new futures")
        submit(job, run_times)

    executor._do_submit_job = refuse_at_first
    running.add_executor(executor, "default")
    running.start()
    try:
        wait_until(lambda: owed("i-1"))
    finally:
        running.shutdown()
    assert len(begun) == 2


@ON_SQLITE
def test_the_work_is_not_begun_twice_at_once(db: str) -> None:
    open_incident("i-1", MAIL, **soon(0))
    begun, go_on = [], threading.Event()
    with scheduler(lambda: (begun.append(""), go_on.wait(5), FollowUps(real_now, WakeList(), LIFE).work())):  # type: ignore[arg-type, func-returns-value]
        wait_until(lambda: begun)
        time.sleep(1.2)
        assert len(begun) == 1
        go_on.set()
        wait_until(lambda: owed("i-1"))


def test_the_store_forgets_nothing_when_it_is_told_to(db: str, clock: TestClock) -> None:
    open_incident("i-1", MAIL)
    store = FollowUpJobStore(lambda: None, clock)
    store.start(BackgroundScheduler(timezone=UTC), "default")
    before = rows()
    job = store.lookup_job("follow-up-1")
    assert job is not None
    store.update_job(job)
    store.remove_job("follow-up-1")
    for refused in (lambda: store.add_job(job), store.remove_all_jobs):
        with pytest.raises(NotImplementedError):
            refused()
    assert rows() == before
    assert [each.id for each in store.get_all_jobs()] == ["follow-up-1"]


@pytest.mark.parametrize("name", ["follow-ups", "follow-up-2", "follow-up-²", f"follow-up-{'9' * 40}", "", "1"])
def test_the_store_knows_no_job_of_an_odd_name(db: str, clock: TestClock, name: str) -> None:
    open_incident("i-1", MAIL)
    assert FollowUpJobStore(lambda: None, clock).lookup_job(name) is None


def test_the_next_look_is_never_far_off_nor_at_once(db: str, clock: TestClock) -> None:
    store = FollowUpJobStore(lambda: None, clock)

    def wait() -> float:
        at = store.get_next_run_time()
        assert at is not None
        return (at - real_now()).total_seconds()

    assert 29 < wait() <= 30
    open_incident("i-1", MAIL)
    assert 29 < wait() <= 30
    clock.forward(hours=23, minutes=59, seconds=50)
    assert 9 < wait() <= 10
    clock.forward(days=2)
    assert 0 < wait() <= 0.5
    database.disconnect()
    rename_table("follow_ups", "elsewhere")
    assert 29 < wait() <= 30


# --- quiet hours, agents, escalation


@pytest.fixture
def quiet(db: str, clock: TestClock) -> Iterator[House]:
    """A house whose customers sleep from 22:30 to 06:30 in Sydney: that is 11:30 to 19:30 UTC in November."""
    house = House(clock, quiet_hours="22:30-06:30", time_zone="Australia/Sydney")
    yield house
    house.stop()


def test_a_reminder_that_is_due_in_quiet_hours_waits_until_they_end(quiet: House) -> None:
    quiet.write("charged twice", "k-1")
    quiet.later(hours=24)
    quiet.later(hours=7, minutes=29)
    assert quiet.mails("reminder") == []
    quiet.later(minutes=1)
    quiet.later(hours=24)
    assert len(quiet.mails("reminder")) == 1


def test_one_that_is_resolved_in_quiet_hours_is_not_reminded_of_in_the_morning(quiet: House) -> None:
    opened = quiet.write("charged twice", "k-1")
    quiet.later(hours=24)
    quiet.commands.resolve(opened["ticket_id"], CLERK)
    quiet.later(hours=12)
    assert quiet.mails("reminder") == []


def test_agents_are_told_in_quiet_hours_too(quiet: House) -> None:
    quiet.write("my card was stolen", "k-1")
    assert len(quiet.mails("alert", AGENTS)) == 1
    quiet.later(hours=48)
    assert len(quiet.mails("escalation", AGENTS)) == 1


@pytest.mark.parametrize("command", ["assign TKT me", "note TKT looked at it", "category TKT other", "reply TKT hello"])
def test_what_an_agent_has_touched_is_not_escalated(db: str, clock: TestClock, command: str) -> None:
    house = House(clock)
    opened = house.write("charged twice", "k-1")
    house.commands.run(command.replace("TKT", opened["ticket_id"]), CLERK)
    house.later(hours=100)
    assert house.mails("escalation", AGENTS) == []
    house.stop()


def test_an_escalation_goes_to_agents_alone_and_once(db: str, clock: TestClock) -> None:
    house = House(clock)
    house.write("charged twice", "k-1")
    for _ in range(5):
        house.later(hours=24)
    assert len(house.mails("escalation", AGENTS)) == 1
    assert house.mails("escalation") == []
    assert len(house.mails("reminder")) == 1
    house.stop()


def test_without_anybody_to_tell_nothing_is_escalated(due: FollowUps, clock: TestClock) -> None:
    with database.transaction():
        incidents.open(values(id="i-1", ticket_id="TKT-i-1"))
        LIFE.arm("i-1", NOON)
    assert [row["kind"] for row in rows()] == ["reminder"]
