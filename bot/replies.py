"""What a message does to an incident that exists: joins it, reopens it, answers our question, changes an earlier one.

Everything in here runs inside the transaction that ends the message's way (`lease.finishing()`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from bot import files, outbox, reach, routing, wording
from bot.board import Line, What
from bot.customers import identify
from bot.life import Life, current
from bot.model import Classification, InboundMessage, Incident, MessageKind
from bot.ratings import rating
from bot.routing import Move, Place
from storage import database, incidents, participants
from storage.lanes import hold


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a message: what it did, the incident as it is now (None: there is none), the lanes to wake."""

    did: str
    incident: Incident | None
    lanes: list[str]

    @property
    def says(self) -> str:
        """What its sender is told."""
        return wording.said(self.did, "en" if self.incident is None else self.incident.language)


@dataclass(frozen=True, slots=True)
class Replies:
    """What happens to a message that belongs to an incident."""

    life: Life

    def take(
        self,
        message: InboundMessage,
        place: Place,
        move: Move,
        said: Classification | None,
        found: "Mapping[str, files.End]",
        now: datetime,
    ) -> Done:
        """Put a message on its incident and do what `routing.decide` made of it; `found` is what became of those of its
        files that were at hand. Raises Rerouted."""
        routing.confirm(place, message, self.life.policy, now)
        assert place.incident is not None
        incident = current(place.incident.id)
        reach.heard(message, now)
        identity = incident.identity_id if is_ours(message) else identify(message, now)
        incidents.say([on_timeline(incident.id, message, identity, now)])
        routing.lead(incident.conversation, message)
        if not place.guest:
            participants.add(incident.id, ((to.channel, to.key) for to in message.copied))
        catch_up(message, now)
        did, lanes = self._do(move, incident, message, place, said, now)
        if message.attachments:
            lanes += files.take(current(incident.id), message, self.life.policy.files, found, now)
        return self._done(did, incident, lanes, [_seen("wrote", message), *_lines(did, message)], now)

    def _do(
        self,
        move: Move,
        incident: Incident,
        message: InboundMessage,
        place: Place,
        said: Classification | None,
        now: datetime,
    ) -> tuple[str, list[str]]:
        who = message.customer_id
        match move:
            case Move.REOPEN:
                lanes = self.life.reopen(incident, who, now, tell=not message.muted)
                return "reopened", lanes + self._reconsider(current(incident.id), said, now)
            case Move.RESOLVE:
                return "solved_noted", self.life.resolve(incident, who, "", now, now)
            case Move.RATE:
                return "rating_noted", self._rate(incident, rating(message.text), who, now)
            case Move.RECORD:
                return ("message_added" if message.automatic else "thanks_noted"), []
        lanes = []
        if place.joined and not message.unanswered and not self._in_burst(incident, message, now):
            lanes += outbox.tell(incident, lambda to: wording.added(incident, to, message.external_id), now)
        return "message_added", lanes + self._reconsider(incident, said, now)

    def _in_burst(self, incident: Incident, message: InboundMessage, now: datetime) -> bool:
        """Whether the customer wrote something else just before: then nothing more is said."""
        before = incidents.last_said_by_customer(incident.id, but=message.external_id)
        return before is not None and now - before <= self.life.policy.burst

    def _reconsider(self, incident: Incident, said: Classification | None, now: datetime) -> list[str]:
        """Take a text's category for the incident's, upward only, while no agent has acted."""
        if incident.touched_at is None and said is not None and routing.is_more_urgent(incident, said):
            return self.life.reclassify(incident, said, said.classified_by, now)
        return []

    def _rate(self, incident: Incident, score: int | None, who: str, now: datetime) -> list[str]:
        assert score is not None
        incidents.rate(incident.id, incident.resolutions, score, now)
        incidents.record(incident.id, now, who, "rated", after=str(score))
        return []

    def press(self, message: InboundMessage, place: Place, now: datetime) -> Done:
        """Do what a button says: `solved`, `not_solved`, `rate-1` to `rate-5`; or keep the deletion of a message that
        is not here yet. After the name may stand `@` and the turn of the incident's life for which the button was made:
        in another one (a late delivery, an old mail) it changes nothing. Raises Rerouted."""
        if message.kind is MessageKind.DELETE:
            keep_revision(message, now)
            return Done("deleted", None, [])
        routing.confirm(place, message, self.life.policy, now)
        reach.heard(message, now)
        incident = place.incident
        if incident is None or (is_ours(message) and message.thread != incident.id):
            return Done("too_late", incident, [])
        did, lanes = self._press(incident, message, now)
        return self._done(did, incident, lanes, _lines(did, message), now)

    def _done(self, did: str, before: Incident, lanes: list[str], lines: list[Line], now: datetime) -> Done:
        """Show the boards what was done, and what a classifier has changed because of it, if anything was."""
        after = current(before.id)
        if after.category != before.category:
            lines = [*lines, Line("category", after.classified_by, wording.category_word(after.category, "en"))]
        return Done(did, after, lanes + (self.life.show(after.id, now, *lines) if lines else []))

    def _press(self, incident: Incident, message: InboundMessage, now: datetime) -> tuple[str, list[str]]:
        name, _, turn = message.text.partition("@")
        who = message.customer_id
        if name.startswith("rate-") and incident.status == "resolved" and turn in ("", str(incident.resolutions)):
            score = rating(name.removeprefix("rate-"))
            if score is not None:
                return "rating_noted", self._rate(incident, score, who, now)
        elif (
            incident.status == "open"
            and turn in ("", str(incident.openings))
            and not routing.is_late(message, incident)
        ):
            if name == "solved":
                return "solved_noted", self.life.resolve(incident, who, "", now, now)
            if name == "not_solved":
                incidents.record(incident.id, now, who, "not_solved")
                return "not_solved_noted", self.life.alert(incident, f"not_solved-{incident.openings}", now)
        return "too_late", []

    def revise(
        self, message: InboundMessage, original: database.Row, said: Classification | None, now: datetime
    ) -> Done:
        """Give a message that is on a timeline another text, or end it (a deletion). The texts that it had are kept;
        what is seen is the one written last."""
        hold(original["incident"])
        reach.heard(message, now)
        _keep_first_text(original)
        if message.kind is MessageKind.NEW:  # an original that comes after its edit was written before it
            before = original["written_at"] - timedelta(microseconds=1)
            message = replace(message, written_at=min(message.written_at or now, before))
        keep_revision(message, now)
        _show(original)
        did: Literal["edited", "deleted"] = "deleted" if message.kind is MessageKind.DELETE else "edited"
        incidents.record(original["incident"], now, message.customer_id, did)
        incident = current(original["incident"])
        more = self._reconsider(incident, said, now) if incident.status == "open" else []
        return self._done(did, incident, more, [_seen(did, message)], now)


LINES: Mapping[str, What] = {
    "reopened": "reopened",
    "solved_noted": "solved",
    "not_solved_noted": "not_solved",
    "rating_noted": "rated",
}
"""What the boards say of what a message did, beside its text."""


def _lines(did: str, message: InboundMessage) -> list[Line]:
    what = LINES.get(did)
    score = message.text.partition("@")[0].removeprefix("rate-") if did == "rating_noted" else ""
    return [] if what is None else [Line(what, message.customer_id, score)]


def _seen(what: Literal["wrote", "edited", "deleted"], message: InboundMessage) -> Line:
    """What the boards say of a message: what is to be seen of it by now, and never the text of one that is gone."""
    row = incidents.message(message.channel, message.is_about)
    if row is None or row["deleted_at"] is not None:
        return Line("deleted", message.customer_id)
    return Line(what, message.customer_id, row["text"])


def is_ours(message: InboundMessage) -> bool:
    """Whether a message came over our own API, which has looked up whose incident it is."""
    return message.channel == "web" and bool(message.thread)


def on_timeline(incident_id: str, message: InboundMessage, identity: int | None, now: datetime) -> dict[str, Any]:
    """The row of the timeline for what a customer wrote."""
    return {
        "incident": incident_id,
        "channel": message.channel,
        "external_id": message.external_id,
        "direction": "customer",
        "author": message.customer_id,
        "text": message.text,
        "whole": message.whole or None,
        "identity": identity,
        "created_at": now,
        "written_at": message.written_at or now,
    }


def keep_revision(message: InboundMessage, now: datetime) -> None:
    """Store what an edit or a deletion says, also of a message that is not here yet."""
    incidents.revise(
        {
            "channel": message.channel,
            "external_id": message.is_about,
            "text": "" if message.kind is MessageKind.DELETE else message.text,
            "deleted": message.kind is MessageKind.DELETE,
            "written_at": message.written_at or now,
        }
    )


def catch_up(message: InboundMessage, now: datetime) -> None:
    """Hide a message that has just been put on its timeline, if its deletion was here before it."""
    if incidents.has_revisions(message.channel, message.external_id):
        original = incidents.message(message.channel, message.external_id)
        assert original is not None
        _keep_first_text(original)
        _show(original)


def _keep_first_text(original: database.Row) -> None:
    known = incidents.revisions(original["channel"], original["external_id"])
    if all(row["deleted"] for row in known):
        names = ("channel", "external_id", "text", "written_at")
        incidents.revise({**{name: original[name] for name in names}, "deleted": False})


def _show(original: database.Row) -> None:
    """Show a message as its revisions say: the text written last, and nothing once it is deleted; on the incident that
    it opened as well."""
    known = incidents.revisions(original["channel"], original["external_id"])
    texts = [row for row in known if not row["deleted"]]
    gone = next((row["written_at"] for row in known if row["deleted"]), None)
    edited_at = texts[-1]["written_at"] if len(texts) > 1 else None
    incidents.show_as(original, texts[-1]["text"], edited_at, gone)
    if gone is not None:
        files.withdraw(original["channel"], original["external_id"])
    if incidents.first_message(original["incident"]) == original["id"]:
        incidents.reword(original["incident"], texts[-1]["text"] if gone is None else "")
