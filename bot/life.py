"""The changes of an incident's life, whoever makes them: an agent's command, a customer's message, a button.

Each runs inside the caller's transaction and returns the lanes to wake after it. The order of the statements is that of
the locks (storage/lanes.py): the desk's job, the follow-ups, the incident, then what we owe.
"""

from dataclasses import dataclass
from datetime import datetime

from bot import board, outbox, wording
from bot.board import Line, What
from bot.errors import Conflict, NotFound
from bot.ids import new_id
from bot.links import Links
from bot.model import Classification, Incident, urgency
from bot.policy import Policy
from storage import follow_ups, incidents, jobs, notifications

ON_BOARDS = frozenset({"opened", "quarantined"})

RATINGS = ("rate-1", "rate-2", "rate-3", "rate-4", "rate-5")


@dataclass(frozen=True, slots=True)
class Life:
    policy: Policy
    links: Links

    def arm(self, incident_id: str, now: datetime) -> None:
        """Have somebody look again: to remind, and, if there is anybody to tell, to escalate."""
        due = {"reminder": now + self.policy.follow_up_after}
        if self.policy.agents:
            due["escalation"] = now + self.policy.escalate_after
        follow_ups.schedule(incident_id, now, due)

    def alert(self, incident: Incident, why: str, now: datetime) -> list[str]:
        """Tell the agents, at once, of what cannot wait. What is `ON_BOARDS` they see there."""
        agents = self.policy.agents_without_board if why.partition("-")[0] in ON_BOARDS else self.policy.agents
        return outbox.tell_agents(agents, lambda to: wording.alert(incident, to, why), now)

    def show(self, incident_id: str, now: datetime, *lines: Line) -> list[str]:
        """Bring the boards up to date: the incident as it is now, and these lines of its timeline. Last of all changes
        of the transaction."""
        return board.show(self.policy.boards, incident_id, lines, now)

    def resolve(self, incident: Incident, actor: str, note: str, now: datetime, said_at: datetime) -> list[str]:
        """Resolve an incident, tell its customer and ask them how it was, and close it at the desk. `said_at` is when
        the actor said so: who had not seen a later reopening does not undo it. Raises Conflict."""
        lanes = _tell_desk(incident, "close", incident.resolutions + 1, note, now)
        follow_ups.cancel(incident.id, now)
        if not incidents.resolve(incident.id, now, actor, said_at):
            raise Conflict(_why_not_resolved(current(incident.id)))
        resolved = current(incident.id)
        incidents.record(resolved.id, now, actor, "resolved", before="open", after=note or None)
        actions = self.links.actions(resolved, RATINGS, resolved.resolutions, now)
        lanes += outbox.tell(
            resolved, lambda to: wording.resolved(resolved, to, note, actions, self.policy.reopen_within), now
        )
        notifications.cancel_reminders(incident.id)  # last of all: a sender may have their lane
        return lanes

    def reopen(self, incident: Incident, actor: str, now: datetime, tell: bool = True) -> list[str]:
        """Open a resolved incident again, `tell` its customer, and look again in a day. Raises Conflict if it is open,
        or if another incident of its conversation is."""
        others = [row for row in incidents.of_conversation(incident.conversation) if row["status"] == "open"]
        if others and others[0]["id"] != incident.id:
            raise Conflict(
                f"The conversation of {incident.ticket_id} goes on in {others[0]['ticket_id']}, which is open."
            )
        lanes = _tell_desk(incident, "reopen", incident.openings + 1, "", now)
        if not incidents.reopen(incident.id, now):
            raise Conflict(f"{incident.ticket_id} is open already.")
        self.arm(incident.id, now)
        opened = current(incident.id)
        incidents.record(opened.id, now, actor, "reopened", before="resolved", after="open")
        if tell:
            lanes += outbox.tell(opened, lambda to: wording.reopened(opened, to, self.policy.follow_up_after), now)
        if opened.priority == "urgent":
            lanes += self.alert(opened, f"reopened-{opened.openings}", now)
        return lanes

    def undelivered(self, incident_id: str, what: What, text: str, now: datetime) -> None:
        """Have the boards say what did not reach a customer, or may not have; `text` says what it was, and why."""
        self.show(incident_id, now, Line(what, "Firstline", text))

    def reclassify(self, incident: Incident, said: Classification, actor: str, now: datetime) -> list[str]:
        """Replace what an incident is taken to be about; agents are told of one that becomes urgent by it, and is
        open."""
        incidents.classify(incident.id, said.category, said.confidence, said.reason, said.classified_by)
        name = "category" if said.category != incident.category else "reclassified"
        incidents.record(incident.id, now, actor, name, before=incident.category, after=said.category)
        changed = current(incident.id)
        becomes_urgent = urgency(changed.category) == 2 and urgency(incident.category) < 2
        is_open = changed.status == "open"
        return self.alert(changed, f"category-{new_id()}", now) if becomes_urgent and is_open else []


def current(incident_id: str) -> Incident:
    """Read an incident as it is now. Raises NotFound."""
    row = incidents.get(incident_id)
    if row is None:
        raise NotFound(f"No incident goes by {incident_id[:64]!r}.")
    return Incident.of(row)


def _tell_desk(incident: Incident, kind: str, number: int, note: str, now: datetime) -> list[str]:
    """Owe the desk the change, if it has the ticket or is going to have it."""
    if incident.external_ticket_id is None and not jobs.owed(incident.id):
        return []
    return [jobs.add(kind, incident.id, number, {"note": note}, now, now)]


def _why_not_resolved(incident: Incident) -> str:
    if incident.status == "open":
        return f"{incident.ticket_id} was reopened after that; look at it again."
    return f"{incident.ticket_id} was resolved by {incident.resolved_by} at {incident.resolved_at:%Y-%m-%d %H:%M} UTC."
