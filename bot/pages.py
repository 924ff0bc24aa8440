"""What somebody sees who follows a link of a mail: a question first, and nothing happens before it is answered."""

from dataclasses import dataclass

from bot import ports, wording
from bot.errors import Forbidden, NotFound
from bot.life import RATINGS, current
from bot.links import Links
from bot.model import InboundMessage, Incident, MessageKind, Page, Pressed
from bot.ports import Clock
from storage import database


@dataclass(frozen=True, slots=True)
class Pages(ports.Pages):
    links: Links
    clock: Clock

    def ask(self, token: str) -> Page:
        """Return the page that asks whether it is meant; or, without a button, that says that this is over. Raises
        Forbidden if the link is not ours, or too old."""
        pressed, incident = self._read(token)
        language = incident.language
        if _is_over(pressed, incident):
            return Page(incident.ticket_id, wording.said("too_late", language), "", language)
        question = wording.question("rate" if pressed.action in RATINGS else "solved", language)
        return Page(incident.ticket_id, question, wording.action_label(pressed.action, language), language)

    def message(self, token: str) -> InboundMessage:
        """Return what to accept when it is meant. Raises Forbidden."""
        pressed, incident = self._read(token)
        return InboundMessage(
            channel="web",
            external_id=_delivery(pressed),
            lane=f"web/{incident.conversation}",
            customer_id=incident.customer_id,
            text=f"{pressed.action}@{pressed.turn}",
            answer_on=incident.channel,
            kind=MessageKind.ACTION,
            thread=incident.id,
            reporter=incident.reporter,
        )

    def _read(self, token: str) -> tuple[Pressed, Incident]:
        pressed = self.links.read(token, self.clock())
        try:
            with database.session():
                return pressed, current(pressed.incident_id)
        except NotFound:
            raise Forbidden("This link leads nowhere any more. Answer the mail instead.") from None


def _is_over(pressed: Pressed, incident: Incident) -> bool:
    """Whether the incident was resolved or opened again since the link was made."""
    if pressed.action in RATINGS:
        return incident.status == "open" or pressed.turn != incident.resolutions
    return pressed.turn != incident.openings


def _delivery(pressed: Pressed) -> str:
    """Name what can happen once in a turn, so that somebody who clicks twice gets the first answer twice, and is not
    told that they come too late. No caller of the API has a slash in their name."""
    return f"a/{pressed.incident_id}/{pressed.action}/{pressed.turn}" if pressed.action == "solved" else ""
