"""Sending what we owe. A notification's row is the job; nothing is sent but from one.

pending → sending → sent | simulated        it arrived, as far as anybody can know
                  → pending                 not now: again later, until the attempts are used up → failed
                  → failed                  never; who has blocked us there, or cannot be told it there, gets it by mail
                  → uncertain               it may have arrived: look (`Sender.find`) before anything is repeated
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog

from bot import measure, reach, wording
from bot.deadline import DeadlinePassed, within
from bot.errors import Blocked, CannotTell, Elsewhere, TryLater, Uncertain, Undeliverable
from bot.lanes import Lease, asked_to_wait, backoff, describe
from bot.measure import step
from bot.model import TO_CUSTOMERS, Address, Incident, Notice, NoticeKind, Sent
from bot.pacing import turn
from bot.ports import Paced, Sender, Threaded
from storage import conversations, database, incidents, notifications, paces

log = structlog.get_logger()

MARGIN = 1.0
"""Seconds beyond a sender's own deadline: it knows better than we do what to make of the end of it."""

LOOK_AFTER = timedelta(seconds=5)
"""How long after an unknown outcome to look: a platform may need a moment to show what it has taken."""


CODE_HOLDS = timedelta(minutes=15)
"""How long a code is good that proves a mail address."""


def owe(owed: Iterable[tuple[Address, Notice]], now: datetime) -> list[str]:
    """Store what we owe, inside the caller's transaction, and return the lanes to wake after it."""
    rows = [_row(to, notice, now) for to, notice in owed]
    notifications.owe(rows)
    return [row["lane"] for row in rows]


def tell(incident: Incident, write: Callable[[Address], Notice], now: datetime, said: bool = False) -> list[str]:
    """Owe a text to every address of an incident's customer at which we are not blocked (see `reach`), and put it on
    the timeline (unless it was `said` there already); inside the caller's transaction. `write` words it for an address.
    Return the lanes to wake."""
    owed = [(to, write(to)) for to in reach.places(incident, reach.lost(incident.addresses), now)]
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
        "incident": notice.incident_id or None,
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
        self._threaded = {name for name, sender in senders.items() if isinstance(sender, Threaded)}
        self._paced = {name: sender for name, sender in senders.items() if isinstance(sender, Paced)}

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
        row, to, _ = _read(lease)
        with lease.fenced() as now:
            stale = _is_stale(row, now)
            if stale:
                notifications.cancel(row)
            paced = self._paced.get(sender.name)
            waits = not stale and paced is not None and not _may_go(row, paced.paces(to), now)
            settles_at = now + timedelta(seconds=sender.deadline + 2 * MARGIN)
            begun = not stale and not waits and notifications.mark_sending(row, settles_at)
            references = _thread(row) if begun and sender.name in self._threaded else ()
        _, _, notice = _read(lease)  # a card may have been rewritten meanwhile
        if not begun:
            with lease.finishing():
                log.info("notification.paced" if waits else "notification.cancelled", **_names(row))
            return
        try:
            with step("send", channel=row["channel"], kind=row["kind"]):
                whole = replace(notice, references=references)
                sent = within(sender.deadline + MARGIN, lambda: sender.send(to, whole))
        except TryLater as exc:
            self._later(lease, exc)
        except Elsewhere as exc:
            self._elsewhere(lease, exc, now)
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

    def _elsewhere(self, lease: Lease, exc: Elsewhere, now: datetime) -> None:
        """Mark the address, if we are blocked there, and tell the customer by mail. In a transaction of its own, before
        the end of the piece: whoever has this lane must wait for no other. Should we die in between, all of it is done
        once more, and changes nothing."""
        row, to, notice = _read(lease)
        with database.transaction():
            if isinstance(exc, Blocked):
                reach.lose(to, str(exc), now, row["incident"])
            if notice.kind in TO_CUSTOMERS:
                _tell_by_mail(row["incident"], to, notice, now)
        self._give_up(lease, str(exc))

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
        if row["kind"] in TO_CUSTOMERS:
            self._undelivered(row["incident"], what, f"{row['kind']} by {row['channel']} ({why})", now)

    def _look_again(self, lease: Lease, exc: Exception) -> None:
        row = lease.row
        attempts = row["attempts"] + 1
        with lease.finishing() as now:
            later = None if attempts >= self._attempts else now + backoff(attempts)
            notifications.mark_uncertain(row, later, describe(exc), attempts=1)
        log.warning("notification.not_found_out", reason=describe(exc), **_names(row))


def _tell_by_mail(incident_id: str, blocked: Address, notice: Notice, now: datetime) -> None:
    """Owe a text that cannot be told at one address to a mail address that has not been told it; unless another has
    been, or is going to be. The look-out finds the lane."""
    row = incidents.get(incident_id)
    assert row is not None
    incident, text = Incident.of(row), notice.key.rpartition(".")[0]
    found = {wording.key_at(text, to): to for to in reach.mails(incident, blocked)}
    told = notifications.statuses(list(found))
    new = [key for key in found if key not in told]
    if new and not any(status not in ("failed", "cancelled") for status in told.values()):
        to = found[new[0]]
        owe([(to, replace(notice, key=new[0]))], now)
        incidents.record(incident.id, now, blocked.channel, "told_instead", before=str(blocked), after=str(to))


def _is_stale(row: Mapping[str, Any], now: datetime) -> bool:
    """Whether a text is worth nothing any more."""
    return bool(row["kind"] == NoticeKind.CODE and now - row["created_at"] >= CODE_HOLDS)


def _may_go(row: dict[str, Any], pauses: Mapping[str, float], now: datetime) -> bool:
    """Whether a text may go now, by the pace of its platform; else it is due when it may."""
    if not pauses:
        return True
    mine = turn(pauses, paces.hold(pauses), row["booked"], row["due_at"], now)
    if mine.times:
        paces.move(mine.times)
    if mine.goes_at is not None:
        notifications.book(row, mine.goes_at, mine.booked)
    return mine.goes_at is None


def _thread(row: dict[str, Any]) -> tuple[str, ...]:
    """Name what was written before a text in its thread."""
    if row["incident"] is None:
        return ()
    return tuple(notifications.thread(row, with_customers=row["kind"] in TO_CUSTOMERS))


def _read(lease: Lease) -> tuple[dict[str, Any], Address, Notice]:
    """Read what is to be sent; its key is the row's, also after its text was rewritten."""
    row = lease.row
    return row, Address(row["channel"], row["recipient"]), Notice.from_json({**row["notice"], "key": row["dedupe"]})


def count(row: Mapping[str, Any], outcome: str) -> None:
    measure.notifications.labels(row["channel"], row["kind"], outcome).inc()


def _names(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"incident_id": row["incident"], "kind": row["kind"], "channel": row["channel"]}
