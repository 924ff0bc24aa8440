"""What somebody sees who follows a link of a mail: a question first, and nothing happens before it is answered."""

from dataclasses import dataclass

from bot import ports, wording
from bot.errors import Forbidden, NotFound
from bot.life import current
from bot.links import Links
from bot.model import InboundMessage, Incident, MessageKind, Page, Pressed
from bot.ports import Clock
from storage import database


@dataclass(frozen=True, slots=True)
class Pages(ports.Pages):
    links: Links
    clock: Clock

    def ask(self, token: str) -> Page:
        """Return the page that asks whether it is meant. Raises Forbidden if the link is not ours, or too old."""
        pressed, incident = self._read(token)
        question = "rate" if pressed.action.startswith("rate-") else "solved"
        return Page(
            ticket_id=incident.ticket_id,
            question=wording.question(question, incident.language),
            button=wording.action_label(pressed.action, incident.language),
            language=incident.language,
        )

    def message(self, token: str) -> InboundMessage:
        """Return what to accept when it is meant. Raises Forbidden."""
        pressed, incident = self._read(token)
        return InboundMessage(
            channel="web",
            external_id="",
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
