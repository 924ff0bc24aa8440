"""Forgetting a customer, and handing out all that is kept of one (GDPR articles 15, 17 and 20)."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import structlog

from bot import board
from bot.commands import known_customer, refuse
from bot.errors import Conflict, NotFound
from bot.model import TO_AGENTS, Address, Caller, MessageKind, Proof, Role, claimed, tidy
from bot.ports import Clock
from bot.reach import MAIL
from storage import (
    attachments,
    codes,
    customers,
    database,
    follow_ups,
    incidents,
    notifications,
    privacy,
    reach,
    repetitions,
    reviews,
    search,
    state,
)
from storage.database import Row
from storage.privacy import FORGOTTEN
from storage.tables import utc_text

log = structlog.get_logger()

SOMEBODY_ELSE = "(somebody else)"
"""What an export shows of others."""

FIGURES = frozenset(
    {
        "opened", "reopened", "category", "category_confirmed", "reclassified", "assigned", "rated", "linked",
        "desk_closed", "desk_reopened",
    }
)  # fmt: skip
"""Lines of the audit trail whose before and after are numbers, names of agents and the like. All others may quote."""

STATES = frozenset({"open", "resolved"})

TEXTS = ("mail/confirmation/",)
"""How the keys begin under which channels keep texts for operators, which may name anybody."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done. `closed` counts incidents that were open, `cancelled` texts that waited to be sent, `follow_ups`
    looks that were to come, `sent` texts that had gone out to the customer; all other numbers what was erased.
    `revisions` are earlier texts of messages, `files` what came with messages, `deliveries` messages as they came in,
    `events` lines of the audit trail. `tickets` names those that the desk has. `scrubbed`: the database's files hold
    none of it any more."""

    customer_id: str
    identities: int
    incidents: int
    closed: int
    messages: int
    revisions: int
    files: int
    deliveries: int
    notifications: int
    cancelled: int
    follow_ups: int
    events: int
    sent: int
    tickets: tuple[str, ...]
    scrubbed: bool = True


@dataclass(frozen=True, slots=True)
class Privacy:
    """What a person may ask of us about themselves; for administrators alone. A customer goes by their id, or by the
    one name that a channel or an incident knows them by."""

    clock: Clock
    boards: tuple[Address, ...] = ()

    def forget(self, customer: str, caller: Caller) -> Forgotten:
        """Erase a person from everything that is kept, in one transaction; the figures stay. What waits to be sent to
        them is cancelled, and what is open is closed without a word.

        Raises Forbidden, NotFound, or Conflict: they are forgotten already, or something of theirs is still to be
        handled, or in hand. The text says what to do.
        """
        self._allow(caller, "forget")
        with database.transaction():
            privacy.overwrite()
            known = _customer(customer)
            held = _hold(known["id"])
            person, now = _Person.read(known), self.clock()
            _check(person, held, now)
            reach.drop(person.addresses | person.mails)
            done = _Erasure(person, caller, now, privacy.alias()).run()
            repetitions.clear()  # answers of the last day may be about them
            for row in person.incidents:
                board.show(self.boards, row["id"], (), now)
        log.info("customer.forgotten", customer=done.customer_id, incidents=done.incidents)
        if privacy.scrub():
            return done
        log.warning("customer.not_scrubbed", customer=done.customer_id)
        return replace(done, scrubbed=False)

    def export(self, customer: str, caller: Caller) -> dict[str, Any]:
        """Return everything that is kept about a person, ready to be written as JSON; times are UTC (ISO 8601). What
        others wrote is not in it. That it was asked for is kept in the audit trail. Raises Forbidden, NotFound."""
        self._allow(caller, "export")
        with database.transaction():
            known = _customer(customer)
            if known["forgotten_at"] is not None and not _has_more(known["id"]):
                raise NotFound(f"This customer was forgotten at {known['forgotten_at']:%Y-%m-%d %H:%M} UTC.")
            customers.record(known["id"], self.clock(), caller.name, "exported")
            return _document(_Person.read(known))

    def _allow(self, caller: Caller, command: str) -> None:
        """What was asked is not kept: it names a person."""
        if not caller.may(Role.ADMIN):
            refuse(caller, command, "", self.clock(), "administrators")


# --- who it is


def _customer(name: str) -> Row:
    """Find a customer's row; of one who turned out to be another, the other's. Raises NotFound."""
    row = customers.get(_id(tidy(name)))
    assert row is not None
    return row if row["merged_into"] is None else customers.get(row["merged_into"]) or row


def _id(name: str) -> str:
    """Find a customer's id. Nobody is taken for another because one channel alone has their name for a key."""
    if customers.get(name) is not None:
        return name
    found = privacy.called(name) | {row["customer"] for row in customers.named(name)}
    if len(found) > 1:
        raise NotFound(f"More than one customer goes by {name[:64]!r}. Write which: {' or '.join(sorted(found))}.")
    return found.pop() if found else known_customer(name)


def _identity_ids(customer_id: str) -> list[int]:
    return [row["id"] for row in customers.identities(customer_id)]


def _hold(customer_id: str) -> set[str]:
    """Keep all others from a person's incidents until the transaction ends; return which these are."""
    identity_ids = _identity_ids(customer_id)
    ids = {row["id"] for row in incidents.of_identities(identity_ids)}
    ids |= {row["incident"] for row in privacy.written(identity_ids)}
    privacy.hold(ids, identity_ids)
    return ids


def _has_more(customer_id: str) -> bool:
    """Whether somebody who was forgotten has written since, under what they were known by before."""
    identities = customers.identities(customer_id)
    texts = privacy.written([row["id"] for row in identities])
    return any(not row["external_id"].startswith("forgotten-") for row in identities) or any(
        row["text"] not in (FORGOTTEN, "") for row in texts
    )


def _check(person: "_Person", held: set[str], now: datetime) -> None:
    """Raise Conflict if a person cannot be forgotten now."""
    customer = person.customer
    if customer["forgotten_at"] is not None and not _has_more(customer["id"]):
        raise Conflict(f"This customer was forgotten at {customer['forgotten_at']:%Y-%m-%d %H:%M} UTC already.")
    new = [row for row in person.accepted if row["state"] == "new"]
    if new:
        raise Conflict(
            f"{len(new)} message(s) of this customer are not handled yet. Let a worker handle them (bot worker), "
            "then ask again."
        )
    waiting = [row["lane"] for row in (*person.notifications, *person.jobs) if row["due_at"] is not None]
    if privacy.busy(waiting, now) or not {row["id"] for row in person.incidents} <= held:
        raise Conflict("A worker has something of this customer in hand. Ask again in a minute.")


@dataclass(frozen=True, slots=True)
class _Person:
    """All that is kept of a customer. `incidents` are those that they opened, `visited` those of others in which they
    took part; `written` is what they wrote on either, `accepted` how it came in; `notifications` are all texts on the
    former, and what went to them on the latter."""

    customer: Row
    identities: Sequence[Row]
    incidents: Sequence[Row]
    visited: Sequence[Row]
    written: Sequence[Row]
    accepted: Sequence[Row]
    notifications: Sequence[Row]
    jobs: Sequence[Row]

    @classmethod
    def read(cls, customer: Row) -> "_Person":
        identities = customers.identities(customer["id"])
        identity_ids = [row["id"] for row in identities]
        own_ids = [row["id"] for row in incidents.of_identities(identity_ids)]
        written = privacy.written(identity_ids)
        accepted = _accepted(identities, written, own_ids)
        mails = _mails(identities)
        copies = [row for row in privacy.copies(mails, own_ids) if row["kind"] not in TO_AGENTS]
        elsewhere = {row["incident"] for row in (*written, *copies)} | {_went_to(row) for row in accepted}
        elsewhere |= privacy.takes_part(mails)
        return cls(
            customer=customer,
            identities=identities,
            incidents=privacy.incidents(own_ids),
            visited=privacy.incidents(elsewhere - {*own_ids, ""}),
            written=written,
            accepted=accepted,
            notifications=[row for incident_id in own_ids for row in notifications.of_incident(incident_id)] + copies,
            jobs=privacy.jobs(own_ids),
        )

    @property
    def identity_ids(self) -> frozenset[int]:
        return frozenset(row["id"] for row in self.identities)

    @property
    def names(self) -> frozenset[str]:
        """What channels and incidents call them."""
        names = {row["external_id"] for row in self.identities} | {row["customer_id"] for row in self.incidents}
        names |= {row["author"] for row in self.written} | {_said(row, "customer_id") for row in self.accepted}
        return frozenset(names - {"", FORGOTTEN})

    @property
    def mails(self) -> frozenset[str]:
        """Their mail addresses."""
        return _mails(self.identities)

    @property
    def addresses(self) -> frozenset[str]:
        """Where they were written to."""
        keys = {to["key"] for row in self.incidents for to in row["addresses"]}
        keys |= {to["key"] for row in self.accepted for to in row["payload"].get("addresses", ())}
        return frozenset(keys - {"", FORGOTTEN})

    def wrote(self, message: Row) -> bool:
        """Whether a message is theirs; on an incident of theirs, also one of which nobody knows whose it is."""
        if message["direction"] != "customer":
            return False
        return message["identity"] is None or message["identity"] in self.identity_ids

    def is_of_another(self, message: Row) -> bool:
        return message["direction"] == "customer" and not self.wrote(message)

    def names_on(self, incident: Row) -> frozenset[str]:
        """What they are called on an incident, unless somebody else there is called the same."""
        others = {row["author"] for row in incidents.messages(incident["id"]) if self.is_of_another(row)}
        if incident["identity"] not in self.identity_ids:
            others.add(incident["customer_id"])
        return self.names - others


def _mails(identities: Sequence[Row]) -> frozenset[str]:
    names = (row["external_id"] for row in identities if row["channel"] == MAIL)
    return frozenset(name.removeprefix(claimed("")) for name in names if "@" in name)


def _accepted(identities: Sequence[Row], written: Sequence[Row], incident_ids: Sequence[str]) -> list[Row]:
    """List the messages that they sent us, as they came in: also presses of buttons, and what was given up."""
    keys = {(row["channel"], row["external_id"]) for row in identities}
    said = {(row["channel"], row["external_id"]) for row in written}
    own = set(incident_ids)
    names = {part for _, name in keys for part in _parts(name)}
    return [
        row
        for row in privacy.accepted(names, said, incident_ids)
        if row["incident_id"] in own
        or (row["channel"], row["external_id"]) in said
        or (row["channel"] == "web" and _said(row, "thread") in own)
        or _is_on(row, own)
        or not keys.isdisjoint(_proven_by(row))
    ]


def _is_on(row: Row, incident_ids: Collection[str]) -> bool:
    """Whether a message came to one of these incidents of which nobody knows whose it is: one that waits for a person,
    or that a person kept out; or the report that a text did not arrive."""
    is_nobodys = _said(row, "proof") == Proof.NONE
    return is_nobodys and (row["quarantined_on"] in incident_ids or _said(row, "entitled_to") in incident_ids)


def _parts(name: str) -> set[str]:
    """The names that a message may bear whose identity is this: with and without the caller of the API before it, and
    also if it is only claimed."""
    return {name, name.removeprefix(claimed("")), *(name[found.end() :] for found in re.finditer(":", name))} - {""}


def _proven_by(row: Row) -> list[tuple[str, str]]:
    """Say who sent a message, as `InboundMessage.identity` and `proven` do, whichever version stored it; or may have,
    where that is only claimed."""
    name, reporter = _said(row, "customer_id"), _said(row, "reporter")
    proven = [(to["channel"], to["key"]) for to in row["payload"].get("proven", ())]
    if _said(row, "proof") == Proof.NONE:
        proven.append((row["channel"], claimed(name)))
    return [(row["channel"], f"{reporter}:{name}" if reporter else name), *proven]


def _said(row: Row, name: str) -> str:
    return str(row["payload"].get(name, ""))


def _went_to(row: Row) -> str:
    """The incident that a message was put on; empty if there is none."""
    return str((row["outcome"] or {}).get("incident_id", ""))


# --- forgetting


@dataclass(frozen=True)
class _Erasure:
    """Erases a person. Inside the transaction, in the order of the locks.

    `name` is what their incidents call them from now on: nobody else's name, because a message that still comes for one
    of these incidents goes by it, and two who were forgotten must not become one customer.
    """

    person: _Person
    caller: Caller
    now: datetime
    name: str

    def run(self) -> Forgotten:
        person, now = self.person, self.now
        waiting = sum(row["due_at"] is not None for row in person.notifications)
        tickets = _tickets(person)
        for job in person.jobs:
            privacy.erase_job(job)
        cancelled = sum(follow_ups.cancel(row["id"], now) for row in person.incidents)
        events = self._events()
        closed = sum(self._incident(row) for row in person.incidents)
        messages, revisions, files = self._messages()
        self._aliases()
        for row in person.accepted:
            revisions += self._delivery(row)
        for row in person.notifications:
            privacy.erase_notification(row, row["kind"] in TO_AGENTS)
        to_them = [row for row in person.notifications if row["kind"] not in TO_AGENTS]
        privacy.drop_lanes(row["lane"] for row in (*person.accepted, *to_them))
        for identity_id in person.identity_ids:
            privacy.erase_identity(identity_id)
        privacy.mark_forgotten(person.customer["id"], now)
        for row in privacy.code_mails(codes.drop(list(person.identity_ids))):
            privacy.erase_notification(row, to_agents=False)
        privacy.leave(person.mails)
        self._mentions()
        customers.record(person.customer["id"], now, self.caller.name, "forgotten")
        return Forgotten(
            customer_id=person.customer["id"],
            identities=len(person.identities),
            incidents=len(person.incidents),
            closed=closed,
            messages=messages,
            revisions=revisions,
            files=files,
            deliveries=len(person.accepted),
            notifications=len(person.notifications),
            cancelled=waiting,
            follow_ups=cancelled,
            events=events,
            sent=sum(row["status"] in SENT for row in to_them),
            tickets=tickets,
        )

    def _incident(self, row: Row) -> bool:
        """Erase an incident of theirs; close it if it is open, and say whether it was."""
        last_opened = max(self.now, row["last_opened_at"])
        closed = incidents.resolve(row["id"], self.now, "forgotten", last_opened)
        if closed:
            incidents.record(row["id"], self.now, self.caller.name, "resolved", before="open")
        by_them = row["resolved_by"] in self.person.names
        resolved_by = "forgotten" if closed else FORGOTTEN if by_them else row["resolved_by"]
        privacy.erase_incident(row["id"], self.name, resolved_by)
        return closed

    def _messages(self) -> tuple[int, int, int]:
        """Erase what they wrote, and all that we wrote on their incidents; return how many messages, earlier texts and
        files these were. What others wrote stays."""
        on_theirs = [message for row in self.person.incidents for message in incidents.messages(row["id"])]
        theirs = {row["id"]: row for row in on_theirs if not self.person.is_of_another(row)}
        theirs.update({row["id"]: row for row in self.person.written})
        erased = [privacy.erase_message(row) for row in theirs.values()]
        search.index({row["incident"] for row in theirs.values()} | {row["id"] for row in self.person.incidents})
        return len(theirs), sum(texts for texts, _ in erased), sum(files for _, files in erased)

    def _delivery(self, row: Row) -> int:
        """Erase a message as it came in, and what it says of one that never came; return how many texts those were."""
        privacy.erase_accepted(row)
        about = _said(row, "about")
        if _said(row, "kind") not in (MessageKind.EDIT, MessageKind.DELETE) or not about:
            return 0
        if incidents.message(row["channel"], about) is not None:  # then it is somebody else's: theirs have new names
            return 0
        return privacy.erase_revisions(row["channel"], about, privacy.alias())

    def _events(self) -> int:
        """Erase their name from the audit trail, and what is told of them there; return how many lines that were."""
        changed = 0
        for row in self.person.incidents:
            names = self.person.names_on(row)
            changed += sum(_erase_event(event, names, texts=True) for event in incidents.events(row["id"]))
        for row in self.person.visited:
            names = self.person.names_on(row)
            changed += sum(
                _erase_event(event, names, texts=_mentions(self._about, event["before"], event["after"]))
                for event in incidents.events(row["id"])
            )
            if row["resolved_by"] in names:
                privacy.erase_resolver(row["id"])
        return changed + self._refusals()

    def _refusals(self) -> int:
        """Erase the commands that they, or others about them, were not allowed to give."""
        person = self.person
        tickets = {name for row in person.incidents for name in (row["id"], row["ticket_id"])}
        about = _any_of({*person.names, *person.addresses, *tickets})
        lines = privacy.loose_events()
        return sum(
            _erase_event(event, person.names, texts=True)
            for event in lines
            if event["actor"] in person.names or about.search(event["after"] or "")
        )

    @cached_property
    def _about(self) -> re.Pattern[str]:
        return _any_of({*self.person.names, *self.person.mails})

    def _mentions(self) -> None:
        """Erase what agents and operators were told of them elsewhere."""
        told = [one for row in self.person.visited for one in notifications.of_incident(row["id"])]
        for row in (*told, *privacy.news()):
            if row["kind"] in TO_AGENTS and _mentions(self._about, row["message"]):
                privacy.erase_notification(row, to_agents=True)
        for beginning in TEXTS:
            for key, text in state.beginning(beginning).items():
                if _mentions(self._about, text):
                    state.drop(key)

    def _aliases(self) -> None:
        """Let nothing of theirs lead to a conversation; where others talk as well, what is not theirs still does."""
        person = self.person
        mentions = _any_of({*person.names, *person.addresses})
        sent = {(row["channel"], row["provider_id"]) for row in person.notifications if row["provider_id"]}
        sent |= {(row["channel"], row["external_id"]) for row in (*person.written, *person.accepted)}
        for conversation in sorted({row["conversation"] for row in person.incidents}):
            shared = privacy.is_shared(conversation, person.identity_ids)
            found = privacy.aliases(conversation)
            privacy.drop_aliases(row["id"] for row in found if not shared or mentions.search(row["key"]))
        for channel, key in sorted(sent):
            privacy.drop_alias(channel, key)


SENT = frozenset({"sent", "simulated", "sending", "uncertain"})
"""States of a text that may have gone out."""


def _erase_event(event: Row, names: Iterable[str], texts: bool) -> bool:
    """Erase a name from a line of the audit trail and (`texts`) what it quotes; say whether there was something."""
    changes: dict[str, str | None] = {}
    if event["actor"] in names:
        changes["actor"] = FORGOTTEN
    if (texts or changes) and event["name"] not in FIGURES:
        quoted = [name for name in ("before", "after") if event[name] is not None and event[name] not in STATES]
        changes.update(dict.fromkeys(quoted, FORGOTTEN))
    if changes:
        privacy.erase_event(event, changes)
    return bool(changes)


def _mentions(about: re.Pattern[str], *texts: str | None) -> bool:
    return any(about.search(text or "") for text in texts)


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of these where it stands for itself; nothing, if there are none."""
    found = "|".join(re.escape(word) for word in sorted(words))
    return re.compile(rf"(?<!\w)(?:{found})(?!\w)" if found else r"(?!)", re.IGNORECASE)


def _tickets(person: _Person) -> tuple[str, ...]:
    """Name the tickets that the desk has, or may have made without telling us."""
    asked = {row["lane"].rpartition("/")[2] for row in person.jobs if row["kind"] == "link"}
    named = [row["external_ticket_id"] for row in person.incidents if row["external_ticket_id"]]
    unknown = [row["id"] for row in person.incidents if not row["external_ticket_id"] and row["id"] in asked]
    return (*named, *(f"that of incident {incident_id}, if there is one" for incident_id in unknown))


# --- handing out


def _document(person: _Person) -> dict[str, Any]:
    return {
        "customer": {
            **_pick(person.customer, "id", "created_at"),
            "also_known_as": privacy.merged_into(person.customer["id"]),
        },
        "identities": [_pick(row, "channel", "external_id", "first_seen_at") for row in person.identities],
        "incidents": [_incident(person, row) for row in person.incidents],
        "took_part_in": [_visit(person, row) for row in person.visited],
        "deliveries": [_pick(row, *DELIVERY) for row in person.accepted],
        "events": [_pick(row, *EVENT) for row in customers.events(person.customer["id"])],
    }


INCIDENT = (
    "id", "ticket_id", "external_ticket_id", "customer_id", "channel", "reporter", "language", "status", "subject",
    "message",
    "classification", "confidence", "reason", "classified_by", "assignee", "addresses", "chat", "conversation",
    "continues", "created_at", "last_opened_at", "openings", "touched_at", "resolved_at", "resolved_by", "resolutions",
    "reminder_sent",
)  # fmt: skip
MESSAGE = ("written_at", "direction", "author", "text", "whole", "channel", "external_id", "edited_at", "deleted_at")
FILE = ("id", "name", "media_type", "size", "state", "reason", "created_at", "kept_at")
REVISION = ("written_at", "text", "deleted")
EVENT = ("at", "actor", "name", "before", "after")
NOTIFICATION = ("kind", "channel", "recipient", "message", "status", "delivery", "attempts", "error", "provider_id",
                "created_at", "due_at", "sent_at")  # fmt: skip
RATING = ("resolution", "score", "rated_at")
FOLLOW_UP = ("kind", "opened_at", "due_at", "state", "done_at")
REVIEW = ("text", "predicted", "confidence", "classified_by", "decided", "decided_at")
DELIVERY = ("channel", "external_id", "received_at", "state", "error", "payload", "outcome")


def _incident(person: _Person, row: Row) -> dict[str, Any]:
    said = incidents.messages(row["id"])
    others = {message["author"] for message in said if person.is_of_another(message)} - person.names
    owed = [one for one in person.notifications if one["incident"] == row["id"] and one["kind"] not in TO_AGENTS]
    shown = {**row, "resolved_by": _unless(others, row["resolved_by"])}
    return {
        **_pick(shown, *INCIDENT),
        "timeline": [_message(person, message) for message in said],
        "events": [_event(event, others) for event in incidents.events(row["id"])],
        "notifications": [_pick(one, *NOTIFICATION) for one in owed],
        "ratings": [_pick(one, *RATING) for one in incidents.ratings(row["id"])],
        "follow_ups": [_pick(one, *FOLLOW_UP) for one in privacy.follow_ups(row["id"])],
        "reviews": [_pick(one, *REVIEW) for one in reviews.of_incident(row["id"])],
    }


def _visit(person: _Person, row: Row) -> dict[str, Any]:
    """What they did on an incident of somebody else."""
    names = person.names_on(row)
    done = [event for event in incidents.events(row["id"]) if event["actor"] in names]
    return {
        **_pick(row, "id", "ticket_id"),
        "timeline": [_message(person, message) for message in person.written if message["incident"] == row["id"]],
        "events": [_pick(event, *EVENT) for event in done],
    }


def _message(person: _Person, row: Row) -> dict[str, Any]:
    if person.is_of_another(row):
        return {**_pick(row, "written_at", "direction"), "author": SOMEBODY_ELSE, "text": SOMEBODY_ELSE}
    earlier = incidents.revisions(row["channel"], row["external_id"])
    files = attachments.of_message(row["channel"], row["external_id"])
    return {
        **_pick(row, *MESSAGE),
        "revisions": [_pick(revision, *REVISION) for revision in earlier],
        "files": [_pick(file, *FILE) for file in files],
    }


def _event(row: Row, others: Collection[str]) -> dict[str, Any]:
    return {**_pick(row, *EVENT), "actor": _unless(others, row["actor"])}


def _unless(others: Collection[str], name: str | None) -> str | None:
    return name if name is None or name not in others else SOMEBODY_ELSE


def _pick(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Take these columns of a row, times as text."""
    return {name: utc_text(row[name]) if isinstance(row[name], datetime) else row[name] for name in names}
