"""What people may do to an incident, in one table for every channel and for the command line.

Each change is one conditional UPDATE in its transaction, and the row count decides: of two who resolve at once, one
does. A text goes out to a customer only by `reply` and `resolve`; what agents write among themselves stays inside.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

import structlog
from peewee import IntegrityError

from bot import outbox, own, quarantine, reach, reviews, views, wording
from bot.board import Line, What
from bot.errors import Changed, Conflict, Forbidden, NotFound, NotUnderstood
from bot.ids import new_id
from bot.language import ENGLISH
from bot.life import Life, current
from bot.masking import mask
from bot.model import Caller, Category, Classification, Incident, IncidentDetails, IncidentFilter, Role, tidy
from bot.ports import Clock, Dispatcher
from bot.summary import summary
from storage import customers, database, dead, follow_ups, incidents, lanes, notifications

log = structlog.get_logger()

LONGEST_NOTE = 2000
LONGEST_REPLY = 10_000
LISTED = 20
"""Incidents that `list` shows."""

NOBODY = frozenset({"nobody", "none", "-"})


@dataclass(frozen=True, slots=True)
class Command:
    """A line of the table. `usage` is what a person types, `does` what it does, `role` who may."""

    usage: str
    does: str
    role: Role
    run: Callable[["Commands", Caller, str, datetime | None], str]


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands. `caller` is who gives one; all raise Forbidden for a caller who may not, and NotFound for a name
    that is not exactly one incident's id or ticket number. `versions`: which of the incident's the change is meant for
    (see `views.version_of`; none: whatever it is); all raise Changed if it is not one of these any more."""

    clock: Clock
    dispatcher: Dispatcher
    life: Life

    def run(self, line: str, caller: Caller, at: datetime | None = None) -> str:
        """Run a command as a person types it, and return the answer. `at` is when they typed it, by the platform's
        clock. Raises NotUnderstood with the list of all that there are, and what the command raises."""
        name, rest = _split(tidy(line))
        command = TABLE.get(name.lower())
        if command is None:
            unknown = wording.own("no_command", _language(caller), command=repr(name[:32]))
            raise NotUnderstood(f"{unknown}\n{manual(caller)}" if name else manual(caller))
        if not caller.may(command.role):
            self._refuse(caller, name.lower(), rest)
        return command.run(self, caller, rest, at)

    def resolve(
        self, name: str, caller: Caller, note: str = "", at: datetime | None = None, versions: Collection[str] = ()
    ) -> Incident:
        """Resolve an incident: its customer is told, with the note, and nobody is reminded of it. Raises Conflict if it
        is resolved already (the text says by whom and when), or was reopened after `at`."""
        with self._changing(name, caller, "resolve", versions) as change:
            incident, now = change.incident, change.now
            note = _note(note)
            change.lanes += self.life.resolve(incident, caller.name, note, now, at or now)
            incidents.touch(incident.id, now)
            change.tell("resolved", note)
        log.info("incident.resolved", incident_id=incident.id, ticket_id=incident.ticket_id)
        return change.incident

    def reopen(self, name: str, caller: Caller, versions: Collection[str] = ()) -> Incident:
        """Open a resolved incident again, and look at it again in a day. Raises Conflict if it is open, or if its
        conversation goes on in another one that is."""
        try:
            with self._changing(name, caller, "reopen", versions) as change:
                change.lanes += self.life.reopen(change.incident, caller.name, change.now)
                incidents.touch(change.incident.id, change.now)
                change.tell("reopened")
        except IntegrityError:  # another incident of its conversation was opened at this very moment
            raise Conflict(f"The conversation of {change.incident.ticket_id} goes on in another ticket.") from None
        return change.incident

    def assign(self, name: str, caller: Caller, who: str = "me", versions: Collection[str] = ()) -> Incident:
        """Give an incident to an agent (`me`: the caller), or to nobody."""
        who = tidy(who)[:64]
        to = None if who.lower() in NOBODY else caller.name if who.lower() in ("", "me") else who
        with self._changing(name, caller, "assign", versions) as change:
            incidents.touch(change.incident.id, change.now)
            incidents.assign(change.incident.id, to)
            change.record("assigned", before=change.incident.assignee, after=to)
            change.tell("assigned", to or "nobody")
        return change.incident

    def reply(self, name: str, caller: Caller, text: str, key: str = "", versions: Collection[str] = ()) -> Incident:
        """Write to the customer, at every address of theirs. What was to come of follow-ups is cancelled: somebody is
        at it. With a `key`, a repetition is recognised and sends nothing."""
        text = mask(tidy(text))
        if not text or len(text) > LONGEST_REPLY:
            raise NotUnderstood(f"A reply has 1 to {LONGEST_REPLY} characters: reply TKT-x text")
        with self._changing(name, caller, "reply", versions) as change:
            incident, now = change.incident, change.now
            message_id = f"{incident.id}:{caller.name}:{key}" if key else new_id()
            said = incidents.message(incident.channel, message_id)
            if said is not None and said["text"] != text:
                raise Conflict("This key was used before on this ticket, with another text.")
            if said is None:
                follow_ups.cancel(incident.id, now)
                incidents.touch(incident.id, now)
                incidents.say([_said(incident, "agent", caller.name, text, message_id, now)])
                change.lanes += outbox.tell(
                    incident, lambda to: wording.reply(incident, to, message_id, text), now, said=True
                )
                copies = [(to, wording.reply(incident, to, message_id, text)) for to in reach.copies(incident)]
                change.lanes += outbox.owe(copies, now)
                notifications.cancel_reminders(incident.id)
                change.record("replied")
                change.tell("replied", text)
        return change.incident

    def note(
        self, name: str, caller: Caller, text: str, seen_on: str = "", key: str = "", versions: Collection[str] = ()
    ) -> Incident:
        """Write a note for agents. It never goes out. `seen_on` is the channel on whose board it was written, if it was
        written on one. With a `key`, a repetition is recognised and writes nothing."""
        text = _note(text)
        if not text:
            raise NotUnderstood("A note needs a text: note TKT-x text")
        with self._changing(name, caller, "note", versions) as change:
            incident = change.incident
            message_id = f"{incident.id}:{caller.name}:{key}" if key else new_id()
            if incidents.message(incident.channel, message_id) is None:
                incidents.touch(incident.id, change.now)
                incidents.say([_said(incident, "note", caller.name, text, message_id, change.now)])
                change.tell("noted", text, seen_on)
        return change.incident

    def category(self, name: str, caller: Caller, category: str, versions: Collection[str] = ()) -> Incident:
        """Say what an incident is about, or confirm what a classifier said; agents are told of one that becomes urgent
        by it. Raises Conflict if a person has said the same before."""
        known = {other.value: other for other in Category}
        chosen = known.get(tidy(category).lower().replace(" ", "_"))
        if chosen is None:
            raise NotUnderstood(f"There is no category {category[:32]!r}. There are: {', '.join(known)}.")
        with self._changing(name, caller, "category", versions) as change:
            incident = change.incident
            if incident.category == chosen and incident.reviewed_by is not None:
                raise Conflict(f"{incident.ticket_id} is {chosen} already.")
            incidents.touch(incident.id, change.now)
            incidents.review(incident.id, caller.name)
            reviews.keep(incident, chosen, caller.name, change.now)
            if incident.category == chosen:
                change.record("category_confirmed", after=chosen)
                change.tell("confirmed", wording.category_word(chosen, "en"))
            else:
                said = Classification(chosen, None, "Set by a person.", caller.name)
                change.lanes += self.life.reclassify(incident, said, caller.name, change.now)
                change.tell("category", wording.category_word(chosen, "en"))
        return change.incident

    def quarantined(self, caller: Caller) -> "list[tuple[quarantine.Held, Incident]]":
        """List the messages that wait until somebody lets them join their incidents, the oldest first."""
        self._allow(caller, Role.AGENT, "quarantine")
        with database.session():
            return [(held, current(held.incident_id)) for held in quarantine.of()]

    def admit(self, name: str, caller: Caller) -> Incident:
        """Let a quarantined message join its incident. Raises Conflict if somebody has decided about it before."""
        self._allow(caller, Role.AGENT, "accept", name)
        with database.transaction():
            incident, lane = quarantine.admit(tidy(name), caller.name, self.clock())
            woken = self.life.show(incident.id, self.clock(), Line("admitted", caller.name, tidy(name)))
        for one in (lane, *woken):
            self.dispatcher.wake(one)
        return incident

    def reject(self, name: str, caller: Caller) -> Incident:
        """Keep a quarantined message out for good. Raises Conflict if somebody has decided about it before."""
        self._allow(caller, Role.AGENT, "reject", name)
        with database.transaction():
            incident = quarantine.reject(tidy(name), caller.name, self.clock())
            woken = self.life.show(incident.id, self.clock(), Line("rejected", caller.name, tidy(name)))
        for one in woken:
            self.dispatcher.wake(one)
        return incident

    def show(self, name: str, caller: Caller) -> IncidentDetails:
        """Look at everything about an incident."""
        self._allow(caller, Role.AGENT, "show", name)
        with database.session():
            return views.details(views.known(name))

    def status(self, name: str, caller: Caller) -> Incident:
        """Look at an incident; a customer at their own alone."""
        with database.session():
            if caller.may(Role.AGENT):
                return Incident.of(views.known(name))
            return own.one(caller, name)

    def list(self, caller: Caller, which: str = "") -> "list[Incident]":
        """List open incidents: all, `mine`, or of one category; for a customer their own. The youngest first."""
        with database.session():
            if not caller.may(Role.AGENT):
                return [Incident.of(row) for row in own.all_of(caller)][:LISTED]
            which = tidy(which).lower()
            if which not in ("", "open", "mine", *Category):
                raise NotUnderstood("list what? list [open|mine|category]; the categories are " + ", ".join(Category))
            assignee = caller.name if which == "mine" else None
            category = which if which in list(Category) else None
            what = IncidentFilter(status="open", assignee=assignee, category=category)
            return [Incident.of(row) for row in views.page(what, None, LISTED)]

    def merge(self, customer: str, into: str, caller: Caller) -> None:
        """Join two customers who are one person. Raises NotFound or Conflict."""
        self._allow(caller, Role.AGENT, "customers merge")
        with database.transaction():
            now = self.clock()
            one, other = known_customer(customer), known_customer(into)
            for customer_id in (one, other):
                row = customers.get(customer_id)
                if row is not None and row["forgotten_at"] is not None:
                    raise Conflict(f"The customer {customer_id} was forgotten and cannot be joined with another.")
            if one == other or not customers.merge(one, other):
                raise Conflict("These are the same customer already.")
            customers.record(other, now, caller.name, "merged", one)

    def retry(self, name: str) -> None:
        """Put what was given up back into its lane, with all its attempts ahead of it. Raises NotFound."""
        with database.transaction():
            lane = dead.retry(name, self.clock())
        if lane is None:
            raise NotFound(f"Nothing dead goes by {name[:64]!r}; see `bot dead list`.")
        self.dispatcher.wake(lane)

    @contextmanager
    def _changing(self, name: str, caller: Caller, command: str, versions: Collection[str]) -> "Iterator[_Change]":
        """A transaction that changes the incident of this exact name; afterwards the change has the incident as it is
        then, and the lanes are woken."""
        self._allow(caller, Role.AGENT, command, name)
        with database.transaction():
            incident_id = views.known(name, exact=True)["id"]
            lanes.hold(incident_id)
            if versions and views.version_of(incident_id) not in versions:
                raise Changed("The incident has changed since you looked at it. Look again.")
            incident = current(incident_id)
            change = _Change(incident, caller, self.clock(), [], [])
            yield change
            if change.lines:
                change.lanes += self.life.show(incident.id, change.now, *change.lines)
            change.incident = current(incident.id)
        for lane in change.lanes:
            self.dispatcher.wake(lane)

    def _allow(self, caller: Caller, role: Role, command: str, rest: str = "") -> None:
        if not caller.may(role):
            self._refuse(caller, command, rest)

    def _refuse(self, caller: Caller, command: str, rest: str) -> None:
        refuse(caller, command, rest, self.clock())


@dataclass(slots=True)
class _Change:
    incident: Incident
    caller: Caller
    now: datetime
    lanes: list[str]
    lines: list[Line]

    def tell(self, what: What, text: str = "", seen_on: str = "") -> None:
        """Have the boards say what was done."""
        self.lines.append(Line(what, self.caller.name, text, seen_on))

    def record(self, name: str, before: str | None = None, after: str | None = None) -> None:
        incidents.record(self.incident.id, self.now, self.caller.name, name, before=before, after=after)


def _said(
    incident: Incident, direction: str, author: str, text: str, external_id: str, now: datetime
) -> dict[str, Any]:
    return {
        "incident": incident.id,
        "channel": incident.channel,
        "external_id": external_id,
        "direction": direction,
        "author": author,
        "text": text,
        "created_at": now,
        "written_at": now,
    }


def _note(text: str) -> str:
    """Tidy a note, mask it, and cut it, with a mark, where it is too long."""
    text = mask(tidy(text))
    return text if len(text) <= LONGEST_NOTE else f"{text[: LONGEST_NOTE - 1]}…"


def refuse(caller: Caller, command: str, rest: str, now: datetime, whose: str = "agents") -> NoReturn:
    """Keep an attempt at a command in the audit trail, and raise Forbidden. `whose`: for whom the command is."""
    with database.transaction():
        incidents.record(None, now, caller.name, "refused", after=mask(f"{command} {rest}".strip())[:200])
    log.warning("command.refused", command=command, caller=caller.name)
    raise Forbidden(f"{command} is for {whose}, and you are not one of them.")


def known_customer(name: str) -> str:
    """Find a customer by their id, or by the name that one channel alone knows. Raises NotFound."""
    row = customers.get(name)
    if row is not None:
        return str(row["merged_into"] or name)
    found = {row["customer"] for row in customers.named(name)}
    if len(found) != 1:
        said = "More than one customer goes" if found else "No customer goes"
        raise NotFound(f"{said} by {name[:64]!r}. Write the customer's id: bot show TKT-x tells it.")
    return str(found.pop())


def _split(line: str) -> tuple[str, str]:
    name, rest = [*line.lstrip("/").split(maxsplit=1), "", ""][:2]
    return name, rest.strip()


# --- the table


def _resolve(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    ticket, note = _split(rest)
    return f"{do.resolve(_needed(ticket, 'resolve'), caller, note, at).ticket_id} is resolved."


def _reopen(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    return f"{do.reopen(_needed(_split(rest)[0], 'reopen'), caller).ticket_id} is open again."


def _assign(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    ticket, who = _split(rest)
    incident = do.assign(_needed(ticket, "assign"), caller, who)
    return f"{incident.ticket_id} is assigned to {incident.assignee or 'nobody'}."


def _reply(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    ticket, text = _split(rest)
    incident = do.reply(_needed(ticket, "reply"), caller, text)
    ways = " and ".join(to.channel for to in incident.addresses) or "the conversation on the web"
    return f"Your reply to {incident.ticket_id} goes out by {ways}."


def _write_note(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    ticket, text = _split(rest)
    return f"Noted on {do.note(_needed(ticket, 'note'), caller, text).ticket_id}; the customer does not see it."


def _category(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    ticket, name = _split(rest)
    incident = do.category(_needed(ticket, "category"), caller, name)
    return f"{incident.ticket_id} is {incident.category} now ({incident.priority})."


def _status(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    if not rest and caller.customer is not None and not caller.may(Role.AGENT):
        return own.standing(caller, LISTED)
    return line_of(do.status(_needed(_split(rest)[0], "status"), caller), caller)


def _show(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    return summary(do.show(_needed(_split(rest)[0], "show"), caller))


def _quarantine(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    return "\n".join(quarantine.line(*found) for found in do.quarantined(caller)) or "Nothing waits."


def _accept(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    return f"Let in: it is put on {do.admit(_split(rest)[0], caller).ticket_id}."


def _reject(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    return f"Kept out of {do.reject(_split(rest)[0], caller).ticket_id}."


def _list(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    found = do.list(caller, rest)
    return "\n".join(line_of(incident, caller) for incident in found) or wording.own("none", _language(caller))


def _help(do: Commands, caller: Caller, rest: str, at: datetime | None) -> str:
    return manual(caller)


def _needed(ticket: str, command: str) -> str:
    if not ticket:
        raise NotUnderstood(f"Which ticket? {TABLE[command].usage}")
    return ticket


def line_of(incident: Incident, caller: Caller) -> str:
    """Say in one line how an incident stands; what agents decide among themselves is for agents."""
    if not caller.may(Role.AGENT):
        return own.line(incident, caller.language or incident.language)
    resolved = "" if incident.resolved_at is None else f" since {incident.resolved_at:%Y-%m-%d %H:%M} UTC"
    line = f"{incident.ticket_id}  {incident.status}{resolved}, opened {incident.created_at:%Y-%m-%d %H:%M} UTC"
    return f"{line}, {incident.category}, {incident.priority}, assigned to {incident.assignee or 'nobody'}"


def manual(caller: Caller) -> str:
    """List the commands that this caller may give."""
    mine = {name: command for name, command in TABLE.items() if caller.may(command.role)}
    if caller.may(Role.AGENT):
        return "\n".join(f"{command.usage} - {command.does}" for command in mine.values())
    language = _language(caller)
    return "\n".join(f"{command.usage} - {wording.command_does(name, language)}" for name, command in mine.items())


def _language(caller: Caller) -> str:
    """Agents are answered in English, customers in their language."""
    return ENGLISH if caller.may(Role.AGENT) else own.language_of(caller)


TABLE: Mapping[str, Command] = {
    "resolve": Command("resolve TKT-x [note]", "resolve; the customer is told, with the note", Role.AGENT, _resolve),
    "reopen": Command("reopen TKT-x", "open again", Role.AGENT, _reopen),
    "assign": Command("assign TKT-x [who|me|nobody]", "give to an agent", Role.AGENT, _assign),
    "reply": Command("reply TKT-x text", "write to the customer", Role.AGENT, _reply),
    "note": Command("note TKT-x text", "write a note that stays inside", Role.AGENT, _write_note),
    "category": Command("category TKT-x name", "say what it is about, or confirm it", Role.AGENT, _category),
    "show": Command("show TKT-x", "look at one, with what was said and done", Role.AGENT, _show),
    "status": Command("status [TKT-x]", "look at one; a customer: at all that are open", Role.CUSTOMER, _status),
    "list": Command("list [open|mine|category]", "list what is open", Role.CUSTOMER, _list),
    "quarantine": Command("quarantine", "list what may not be from a customer", Role.AGENT, _quarantine),
    "accept": Command("accept held-x", "let such a message in", Role.AGENT, _accept),
    "reject": Command("reject held-x", "keep it out", Role.AGENT, _reject),
    "close": Command("close [TKT-x]", "say that your own ticket is solved", Role.CUSTOMER, own.close),
    "email": Command("email ADDRESS", "have our texts by mail, too; a code is sent there", Role.CUSTOMER, own.email),
    "code": Command("code 123456", "give that code back: then the address is yours", Role.CUSTOMER, own.code),
    "help": Command("help", "this list", Role.CUSTOMER, _help),
}
