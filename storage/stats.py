"""The figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import fn

from storage.database import execute, literally
from storage.dead import given_up
from storage.lanes import QUEUES
from storage.tables import FollowUp, InboxMessage, Lane, from_utc_text


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of now; `queue`: of which one (see `storage.lanes`), if of one."""

    name: str
    value: float
    queue: str | None = None


def counts() -> dict[str, Any]:
    """Incidents in all and by status, category and channel; notifications by status; messages not handled yet;
    customers' ratings."""
    lines = _tallies()
    counted = [line for line in lines if line.subject == "incident"]
    confident, rated = sum(line.measured for line in counted), _sum(lines, "rating")
    scores = sum(line.amount for line in lines if line.subject == "rating")
    finished = _by([line for line in lines if line.subject == "notification"], "status")
    return {
        "total": _sum(lines, "incident"),
        "by_status": _by(counted, "status"),
        "by_category": _by(counted, "category"),
        "by_channel": _by(counted, "channel"),
        "mean_confidence": sum(line.amount for line in counted) / confident if confident else None,
        "notifications": _added(finished, _waiting_texts()),
        "waiting_messages": InboxMessage.select().where(InboxMessage.due_at.is_null(False)).count(),
        "dead_messages": _number(InboxMessage, literally(InboxMessage.state, "dead")),
        "reminders_due": FollowUp.select().where(FollowUp.due_at.is_null(False)).count(),
        "ratings": rated,
        "mean_rating": scores / rated if rated else None,
        "reminders_sent": sum(line.reminded for line in counted),
    }


@dataclass(frozen=True, slots=True)
class Tally:
    """So many more or fewer of something; `amount` is what those that are `measured` come to."""

    subject: str
    status: str
    category: str
    channel: str
    number: int
    measured: int
    amount: float
    reminded: int


_COLUMNS = "subject, status, category, channel, number, measured, amount, reminded"
_ADDED = "SUM(number), SUM(measured), SUM(amount), SUM(reminded)"


def _tallies() -> list[Tally]:
    """Add up what was counted."""
    of_one_kind = "subject, status, category, channel"
    found = execute(f"SELECT {of_one_kind}, {_ADDED} FROM tallies GROUP BY {of_one_kind} ORDER BY {of_one_kind}")
    return [_tally(*row) for row in found.fetchall()]


def _tally(subject: str, status: str, category: str, channel: str, *figures: Any) -> Tally:
    number, measured, amount, reminded = figures
    return Tally(subject, status, category, channel, int(number), int(measured), float(amount), int(reminded))


def _sum(lines: Sequence[Tally], subject: str) -> int:
    return sum(line.number for line in lines if line.subject == subject)


def _by(lines: Sequence[Tally], column: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for line in lines:
        found[getattr(line, column)] += line.number
    return {name: found[name] for name in sorted(found) if found[name]}


def _waiting_texts() -> dict[str, int]:
    found = execute("SELECT status, COUNT(*) FROM notifications WHERE due_at IS NOT NULL GROUP BY status")
    return dict(found.fetchall())


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}


MANY = 256
"""Lines of the tallies that are not worth adding up."""


AT_ONCE = 5000
"""Lines that are added up in one transaction: on SQLite others wait for it."""


def add_up(at_once: int = AT_ONCE) -> int:
    """Replace the lines of the tallies by their sums, within a transaction; return how many there were. Two may do this
    at once: each line is deleted by one of them."""
    (number,) = execute("SELECT COUNT(*) FROM tallies").fetchone()
    if number < MANY:
        return 0
    taken = execute(
        f"DELETE FROM tallies WHERE id < (SELECT MIN(id) FROM tallies) + ? RETURNING {_COLUMNS}", (at_once,)
    ).fetchall()
    sums: dict[tuple[str, ...], list[float]] = {}
    for row in taken:
        so_far = sums.setdefault(tuple(row[:4]), [0, 0, 0, 0])
        sums[tuple(row[:4])] = [total + more for total, more in zip(so_far, row[4:], strict=True)]
    for kind, (count, measured, amount, reminded) in sorted(sums.items()):
        if count or measured or reminded:
            marks = ", ".join("?" * 8)
            values = (*kind, int(count), int(measured), amount, int(reminded))
            execute(f"INSERT INTO tallies ({_COLUMNS}) VALUES ({marks})", values)
    return len(taken)


def standing(now: datetime) -> list[Figure]:
    """What waits, is due or was given up right now; how late the latest of it is, in seconds."""
    figures = [Figure("follow_ups_waiting", _number(FollowUp, FollowUp.due_at.is_null(False)))]
    late = FollowUp.select(fn.MIN(FollowUp.due_at)).where(FollowUp.due_at.is_null(False)).scalar()
    figures.append(Figure("follow_ups_due", _number(FollowUp, FollowUp.due_at <= now)))
    figures.append(Figure("follow_ups_late_seconds", _age(late, now)))
    figures.append(Figure("messages_quarantined", _number(InboxMessage, literally(InboxMessage.state, "quarantined"))))
    for queue, table in QUEUES.items():
        oldest = Lane.select(fn.MIN(Lane.due_at)).where(Lane.key.startswith(f"{queue}/")).scalar()
        figures.append(Figure("work_waiting", _number(table, table.due_at.is_null(False)), queue))
        figures.append(Figure("work_late_seconds", _age(oldest, now), queue))
        figures.append(Figure("work_given_up", _number(table, given_up(table)), queue))
    return figures


def _number(table: Any, which: Any) -> int:
    return int(table.select().where(which).count())


def _age(due_at: datetime | None, now: datetime) -> float:
    return 0.0 if due_at is None else max(0.0, (now - due_at).total_seconds())


def times_to_resolve() -> list[tuple[datetime, datetime]]:
    """Return (opened, resolved) of the 1,000 incidents that were resolved last: enough for a median that means
    something."""
    found = execute(
        "SELECT created_at, resolved_at FROM incidents WHERE resolved_at IS NOT NULL "
        "ORDER BY resolved_at DESC LIMIT 1000"
    )
    return [(from_utc_text(opened), from_utc_text(resolved)) for opened, resolved in found.fetchall()]
