"""Follow-ups: the rows, and APScheduler's view of them.

APScheduler's own stores keep a second copy of what is due: a job more than a second late is dropped, two processes on
one store fire twice, and a job that was submitted when the process died is lost. So this job store *is* the rows.
"""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.job import Job
from apscheduler.jobstores.base import BaseJobStore
from apscheduler.triggers.date import DateTrigger
from peewee import fn

from storage.database import Row, database, execute, first, insert, rows, session
from storage.dialect import skip_locked
from storage.tables import FollowUp, utc_text

LOOK_AT_LEAST_EVERY = timedelta(seconds=30)
"""A jump of the system clock wakes no sleeping thread, and another process may insert rows: so look."""
LOOK_AT_MOST_EVERY = timedelta(seconds=0.5)


def schedule(incident_id: str, opened_at: datetime, due: Mapping[str, datetime]) -> None:
    """Have somebody look at an incident; `due` says when, by kind: reminder, escalation."""
    insert(
        FollowUp,
        [
            {"incident": incident_id, "kind": kind, "opened_at": opened_at, "due_at": due_at}
            for kind, due_at in due.items()
        ],
    )


def cancel(incident_id: str, at: datetime) -> int:
    """Cancel what is still to come for this incident; return how many that were."""
    waiting = (FollowUp.incident == incident_id) & FollowUp.due_at.is_null(False)
    return int(FollowUp.update(due_at=None, state="cancelled", done_at=at).where(waiting).execute())


@dataclass(frozen=True, slots=True)
class Claimed:
    """A follow-up that is due, and ours until the transaction ends."""

    id: int
    incident_id: str
    kind: str


def claim(now: datetime, limit: int) -> list[Claimed]:
    """Take due follow-ups, the oldest first. Call inside a transaction and `settle` them in it: until it ends they are
    nobody else's, and if it fails they are due as before."""
    due = execute(
        "SELECT id, incident_id, kind FROM follow_ups WHERE due_at IS NOT NULL AND due_at <= ? "
        "ORDER BY due_at, id LIMIT ?" + skip_locked(database),
        (utc_text(now), limit),
    )
    return [Claimed(*row) for row in due.fetchall()]


def settle(row_ids: Sequence[int], state: str, at: datetime) -> None:
    """End follow-ups that were claimed: reminded, escalated, or nothing_to_do."""
    if row_ids:
        FollowUp.update(due_at=None, state=state, done_at=at).where(FollowUp.id.in_(list(row_ids))).execute()


def put_off(row_ids: Sequence[int], due_at: datetime) -> None:
    """Have follow-ups that were claimed wait until then."""
    if row_ids:
        FollowUp.update(due_at=due_at).where(FollowUp.id.in_(list(row_ids))).execute()


def mark_reminded(incident_ids: Sequence[str]) -> set[str]:
    """Set `reminder_sent` on those of these incidents that are open, and return which those are."""
    if not incident_ids:
        return set()
    marks = ", ".join("?" for _ in incident_ids)
    changed = execute(
        f"UPDATE incidents SET reminder_sent = ? WHERE status = 'open' AND id IN ({marks}) RETURNING id",
        (True, *incident_ids),
    )
    return {incident_id for (incident_id,) in changed.fetchall()}


def untouched(incident_ids: Sequence[str]) -> set[str]:
    """Return which of these incidents are open and no agent has acted on."""
    if not incident_ids:
        return set()
    marks = ", ".join("?" for _ in incident_ids)
    found = execute(
        "SELECT id FROM incidents WHERE status = 'open' AND touched_at IS NULL AND assignee IS NULL "
        f"AND id IN ({marks})",
        list(incident_ids),
    )
    return {incident_id for (incident_id,) in found.fetchall()}


def next_due() -> datetime | None:
    due_at: datetime | None = FollowUp.select(fn.MIN(FollowUp.due_at)).where(FollowUp.due_at.is_null(False)).scalar()
    return due_at


class FollowUpJobStore(BaseJobStore):  # type: ignore[misc]  # APScheduler 3 has no types
    """Shows the follow-up rows to an APScheduler 3 scheduler.

    `work` is called, in the scheduler's executor, when at least one row is due by `clock`; it handles all of them. The
    store leases nothing: that work is database writes only, claimed in its own transaction. `look_every`: with rows
    that are due this long after they are inserted, looking this often finds every one before it is due.
    """

    def __init__(
        self,
        work: Callable[[], None],
        clock: Callable[[], datetime],
        look_every: timedelta = LOOK_AT_LEAST_EVERY,
    ) -> None:
        super().__init__()
        self._look_every = min(look_every, LOOK_AT_LEAST_EVERY)
        self._work = work
        self._clock = clock
        self._running = threading.Lock()

    def get_due_jobs(self, now: datetime) -> list[Job]:
        with session():
            due_at = next_due()
        if self._running.locked() or due_at is None or due_at > self._clock():
            return []
        return [self._job("follow-ups", self._run, now)]

    def _run(self) -> None:
        """Do the work, unless it is being done here. It counts as running from here on, and not from when it is handed
        out: what the executor refuses would run for ever."""
        if not self._running.acquire(blocking=False):
            return
        try:
            self._work()
        finally:
            self._running.release()

    def get_next_run_time(self) -> datetime | None:
        """Say when to look again. Never raises: an exception here ends the scheduler's thread, and nobody notices."""
        real_now = datetime.now(UTC)
        try:
            with session():
                due_at = next_due()
        except Exception:  # the pool's own among them, which is no PeeweeException
            due_at = None
        wait = self._look_every if due_at is None else due_at - self._clock()
        return real_now + max(min(wait, self._look_every), LOOK_AT_MOST_EVERY)

    def get_all_jobs(self) -> list[Job]:
        with session():
            waiting = rows(FollowUp.select().where(FollowUp.due_at.is_null(False)).order_by(FollowUp.due_at))
        return [self._of(row) for row in waiting]

    def lookup_job(self, job_id: str) -> Job | None:
        number = re.fullmatch("follow-up-([0-9]{1,18})", job_id)
        if number is None:
            return None
        with session():
            row = first(FollowUp.select().where(FollowUp.due_at.is_null(False) & (FollowUp.id == int(number[1]))))
        return None if row is None else self._of(row)

    def _of(self, row: Row) -> Job:
        return self._job(f"follow-up-{row['id']}", self._run, row["due_at"])

    def _job(self, job_id: str, function: Callable[[], None], run_at: datetime) -> Job:
        job = Job(
            self._scheduler,
            id=job_id,
            name=job_id,
            func=function,
            args=(),
            kwargs={},
            trigger=DateTrigger(run_at),
            executor="default",
            misfire_grace_time=None,  # after days of downtime each follow-up still fires ...
            coalesce=True,  # ... once
            max_instances=2,  # the executor counts one as running a little longer than it runs
            next_run_time=run_at,
        )
        job._jobstore_alias = self._alias
        return job

    def add_job(self, job: Job) -> None:
        raise NotImplementedError("a follow-up is inserted with its incident, in one transaction: see `schedule`")

    def update_job(self, job: Job) -> None:
        """Nothing: the scheduler calls this right after it submitted a job, which is too early to forget it."""

    def remove_job(self, job_id: str) -> None:
        """Nothing, for the same reason."""

    def remove_all_jobs(self) -> None:
        raise NotImplementedError("follow-ups belong to their incidents")
