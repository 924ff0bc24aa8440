"""Sending what we owe. A notification's row is the job; nothing is sent but from one.

pending → sending → sent | simulated        it arrived, as far as anybody can know
                  → pending                 not now: again later, until the attempts are used up → failed
                  → failed                  never
                  → uncertain               it may have arrived: look (`Sender.find`) before anything is repeated
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog

from bot import measure
from bot.deadline import DeadlinePassed, within
from bot.errors import CannotTell, TryLater, Uncertain, Undeliverable
from bot.lanes import Lease, asked_to_wait, backoff, describe
from bot.measure import step
from bot.model import TO_AGENTS, Address, Incident, Notice, Sent
from bot.ports import Sender
from storage import conversations, incidents, notifications

log = structlog.get_logger()

MARGIN = 1.0
"""Seconds beyond a sender's own deadline: it knows better than we do what to make of the end of it."""

LOOK_AFTER = timedelta(seconds=5)
"""How long after an unknown outcome to look: a platform may need a moment to show what it has taken."""


def owe(owed: Iterable[tuple[Address, Notice]], now: datetime) -> list[str]:
    """Store what we owe, inside the caller's transaction, and return the lanes to wake after it."""
    rows = [_row(to, notice, now) for to, notice in owed]
    notifications.owe(rows)
    return [row["lane"] for row in rows]


def tell(incident: Incident, write: Callable[[Address], Notice], now: datetime, said: bool = False) -> list[str]:
    """Owe a text to every address of an incident's customer, and put it on the timeline (unless it was `said` there
    already); inside the caller's transaction. `write` words it for an address. Return the lanes to wake."""
    owed = [(to, write(to)) for to in incident.addresses]
    if not said:
        shown = owed[0][1] if owed else write(Address("web", incident.id))
        incidents.say([on_timeline(incident, shown, now)])
    return owe(owed, now)


def tell_agents(agents: Iterable[Address], write: Callable[[Address], Notice], now: datetime) -> list[str]:
    """Owe a text to everybody who is told of what agents must know. Return the lanes to wake."""
    return owe([(to, write(to)) for to in agents], now)


def on_timeline(incident: Incident, notice: Notice, now: datetime) -> dict[str, Any]:
    """The row of the timeline for a text of ours; it is one text, however many addresses it goes to."""
    return {
        "incident": incident.id,
        "channel": incident.channel,
        "external_id": notice.key.rpartition(".")[0],
        "direction": "bot",
        "author": "Firstline",
        "text": notice.brief,
        "created_at": now,
        "written_at": now,
    }


def lane_of(to: Address) -> str:
    """The lane in which what we owe to an address is sent."""
    return f"out/{to}"


def _row(to: Address, notice: Notice, now: datetime) -> dict[str, Any]:
    return {
        "incident": notice.incident_id,
        "channel": to.channel,
        "recipient": to.key,
        "kind": notice.kind,
        "message": notice.text,
        "notice": notice.to_json(),
        "dedupe": notice.key,
        "lane": lane_of(to),
        "due_at": now,
        "created_at": now,
    }


Undelivered = Literal["not_delivered", "perhaps_delivered"]


class Outbox:
    """Handles the lanes of notifications. `senders` are those of the channels that are on, by name. `undelivered` is
    told, inside the transaction, what did not reach a customer (`not_delivered`) or may not have
    (`perhaps_delivered`): the incident, which of the two, in words what and why, and when."""

    def __init__(
        self,
        senders: Mapping[str, Sender],
        attempts: int,
        undelivered: Callable[[str, Undelivered, str, datetime], None] = lambda *_: None,
    ) -> None:
        self._senders = senders
        self._attempts = attempts
        self._undelivered = undelivered

    def handle(self, lease: Lease) -> None:
        """Take the notification at the head of the lane one step further."""
        row = lease.row
        sender = self._senders.get(row["channel"])
        if sender is None:
            self._give_up(lease, f"no sender for the channel {row['channel']} is switched on")
        elif row["status"] == "pending":
            self._send(lease, sender)
        else:
            self._look(lease, sender)

    def _send(self, lease: Lease, sender: Sender) -> None:
        row = lease.row
        with lease.fenced() as now:
            begun = notifications.mark_sending(row, now + timedelta(seconds=sender.deadline + 2 * MARGIN))
        _, to, notice = _read(lease)
        if not begun:
            with lease.finishing():
                log.info("notification.cancelled", **_names(row))
            return
        try:
            with step("send"):
                sent = within(sender.deadline + MARGIN, lambda: sender.send(to, notice))
        except TryLater as exc:
            self._later(lease, exc)
        except Undeliverable as exc:
            self._give_up(lease, str(exc))
        except Exception as exc:  # Uncertain, DeadlinePassed, or a mistake of ours, anywhere between before and after
            self._uncertain(lease, exc)
        else:
            log.info("notification.handed_over", **_names(row))
            self._sent(lease, sender, sent)

    def _sent(self, lease: Lease, sender: Sender, sent: Sent) -> None:
        row = lease.row
        status = "simulated" if sender.simulated else "sent"
        with lease.finishing() as now:
            notifications.mark_sent(row, status, sent.provider_id, now)
            if sent.provider_id:
                conversations.add_of_incident(row["incident"], row["channel"], sent.provider_id)
        count(row, status)
        log.info("notification.sent", status=status, attempts=row["attempts"], **_names(row))

    def _later(self, lease: Lease, exc: TryLater) -> None:
        row = lease.row
        attempts = row["attempts"]
        if attempts >= self._attempts:
            self._give_up(lease, f"given up after {attempts} attempts: {exc}")
            return
        wait = max(backoff(attempts), asked_to_wait(exc))
        with lease.finishing() as now:
            notifications.mark_pending(row, now + wait, describe(exc))
        count(row, "put_off")
        log.warning("notification.put_off", attempts=attempts, seconds=round(wait.total_seconds()), **_names(row))

    def _give_up(self, lease: Lease, reason: str) -> None:
        row = lease.row
        with lease.finishing() as now:
            notifications.mark_failed(row, reason)
            self._tell(row, "not_delivered", reason, now)
        count(row, "failed")
        log.error("notification.failed", reason=reason, **_names(row))

    def _uncertain(self, lease: Lease, exc: Exception) -> None:
        row = lease.row
        with lease.finishing() as now:
            notifications.mark_uncertain(row, now + LOOK_AFTER, describe(exc))
        unexpected = None if isinstance(exc, Uncertain | DeadlinePassed) else exc
        count(row, "uncertain")
        log.warning("notification.uncertain", reason=describe(exc), exc_info=unexpected, **_names(row))

    def _look(self, lease: Lease, sender: Sender) -> None:
        """Find out about an unknown outcome: of a send that failed half-way, or whose process died."""
        row, to, notice = _read(lease)
        try:
            found = within(sender.deadline + MARGIN, lambda: sender.find(to, notice))
        except CannotTell as exc:
            self._repeat_blindly(lease, exc)
        except (TryLater, DeadlinePassed) as exc:
            self._look_again(lease, exc)
        else:
            log.info("notification.looked_for", found=found is not None, **_names(row))
            if found is not None:
                self._sent(lease, sender, found)
                return
            if row["attempts"] >= self._attempts:
                self._give_up(lease, f"given up after {row['attempts']} attempts, none arrived: {row['error']}")
                return
            with lease.finishing() as now:
                wait = timedelta(0) if row["attempts"] < 2 else backoff(row["attempts"])
                notifications.mark_pending(row, now + wait, "it had not arrived: sent again")

    def _repeat_blindly(self, lease: Lease, exc: CannotTell) -> None:
        row = lease.row
        may_repeat = row["repeats"] < exc.repeats
        with lease.finishing() as now:
            if may_repeat:
                notifications.mark_pending(row, now, f"sent again, it may have arrived: {exc}", repeats=1)
            else:
                notifications.mark_uncertain(row, None, f"nobody can say whether it arrived: {exc}")
                self._tell(row, "perhaps_delivered", str(exc), now)
        log.warning("notification.repeated" if may_repeat else "notification.left_uncertain", **_names(row))

    def _tell(self, row: Mapping[str, Any], what: Undelivered, why: str, now: datetime) -> None:
        if row["kind"] not in TO_AGENTS:
            self._undelivered(row["incident"], what, f"{row['kind']} by {row['channel']} ({why})", now)

    def _look_again(self, lease: Lease, exc: Exception) -> None:
        row = lease.row
        attempts = row["attempts"] + 1
        with lease.finishing() as now:
            later = None if attempts >= self._attempts else now + backoff(attempts)
            notifications.mark_uncertain(row, later, describe(exc), attempts=1)
        log.warning("notification.not_found_out", reason=describe(exc), **_names(row))


def _read(lease: Lease) -> tuple[dict[str, Any], Address, Notice]:
    """Read what is to be sent; its key is the row's, also after its text was rewritten."""
    row = lease.row
    return row, Address(row["channel"], row["recipient"]), Notice.from_json({**row["notice"], "key": row["dedupe"]})


def count(row: Mapping[str, Any], outcome: str) -> None:
    measure.notifications.labels(row["channel"], row["kind"], outcome).inc()


def _names(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"incident_id": row["incident"], "kind": row["kind"], "channel": row["channel"]}
