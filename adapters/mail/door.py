"""Where all mail comes in, whichever way it came: read, translated, and committed with its bytes."""

import hashlib
from dataclasses import dataclass

import structlog

from adapters.mail.automatic import Bounced, bounces
from adapters.mail.forwarded import Confirmation, confirmation
from adapters.mail.parse import parse
from adapters.mail.parsed import Envelope, Mail, Unreadable
from adapters.mail.translate import CHANNEL, Reader, named
from adapters.mail.trust import proves_sender
from adapters.mail.ways import Taken
from adapters.mail.written import written
from bot.errors import FirstlineError, NotCommitted
from bot.model import Accepted, Caller, InboundMessage, MessageKind, Proof, Role
from bot.ports import Core

MOST_NAMED = 10
"""Files of an agent's answer that its note names."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class MailDoor:
    """Takes mail in. `authserv_id` is the name of the server whose word on senders counts. `verp`: whether our mails
    name a signed address for reports; then no report that came another way stops an address."""

    core: Core
    reader: Reader
    authserv_id: str | None
    verp: bool = False

    def is_ours(self, address: str) -> bool:
        """Whether mail to this address is for us."""
        return self.reader.own(address)

    def take(self, raw: bytes, envelope: Envelope) -> Taken:
        """Commit a mail and return what became of it; of which no message can be made, that becomes a dead letter.
        Raises NotCommitted."""
        try:
            return self._take(raw, envelope)
        except NotCommitted:
            raise
        except Unreadable as exc:
            return self._lay_aside(raw, str(exc))
        except Exception as exc:
            log.exception("mail.not_understood", source=envelope.source)
            return self._lay_aside(raw, f"a mistake of ours: {type(exc).__name__}")

    def retry(self, number: int) -> Taken:
        """Take a dead letter once more. Raises NotFound, Unreadable, NotCommitted."""
        _, raw = self.core.originals.dead(CHANNEL, number)
        taken = self._take(raw, Envelope(source="dead letters"))
        self.core.originals.revived(number)
        return taken

    def _take(self, raw: bytes, envelope: Envelope) -> Taken:
        mail = parse(raw)
        returned = bounces(mail, envelope, self.reader.tokens)
        if returned:
            return self._returned(mail, returned, raw)
        proven = proves_sender(mail, raw, self.authserv_id)
        asked = confirmation(mail)
        if asked is not None:
            return self._confirm(mail, asked, proven)
        if proven and mail.sender.key in self.reader.agents:
            taken = self._noted(mail, envelope)
            if taken is not None:
                return taken
        message = self.reader.message(mail, envelope, proven, self.core.clock())
        return _taken(self._accept(message, raw))

    def _accept(self, message: InboundMessage, raw: bytes) -> Accepted:
        """Commit a message. Two mails that say different things under one Message-ID are two."""
        receipt = self.core.intake.accept(message, raw)
        if receipt.duplicate and receipt.fingerprint != message.fingerprint:
            other = named(message, f"{message.external_id}#{message.fingerprint[:16]}")
            receipt = self.core.intake.accept(other, raw)
        return receipt

    def _returned(self, mail: Mail, returned: tuple[Bounced, ...], raw: bytes) -> Taken:
        """Commit what a delivery report says of texts of ours."""
        duplicate = True
        for number, one in enumerate(returned):
            name = f"{mail.message_id or mail.digest}/{number}"
            report = InboundMessage(
                channel=CHANNEL,
                external_id=name,
                lane=f"{CHANNEL}/returned/{one.recipient}",
                customer_id=one.recipient,
                text=one.says,
                answer_on=CHANNEL,
                fingerprint=mail.digest,
                kind=MessageKind.BOUNCE,
                about="" if one.late else one.digest,  # of what may still arrive nothing is said
                automatic=True,
                proof=Proof.NONE,
                entitled_to=one.incident_id,
                permanent=one.permanent and (one.by_address or not self.verp),
            )
            duplicate &= self._accept(report, raw).duplicate
        return Taken("a report of what did not arrive", duplicate)

    def _confirm(self, mail: Mail, asked: Confirmation, proven: bool) -> Taken:
        """Show operators a provider's question whether mail may be forwarded to us. Whether it is the provider's own,
        they are told."""
        lines = [
            f"{asked.provider} asks whether mail for {asked.mailbox or 'a mailbox'} may be forwarded to us.",
            f"Confirmation code: {asked.code}" if asked.code else "",
            f"To confirm, open {asked.link}" if asked.link else "",
            "" if proven else "Nothing proves that this mail is the provider's: do not confirm what nobody has set up.",
        ]
        text = "\n".join(line for line in lines if line)
        log.warning("mail.forwarding_to_confirm", provider=asked.provider)
        self.core.state.put(f"mail/confirmation/{mail.digest[:16]}", f"{self.core.clock().isoformat()}\n{text}")
        self.core.operators.tell(f"confirmation-{mail.digest[:16]}", "Confirm that mail is forwarded to us", text)
        return Taken("a forwarding confirmation, shown to operators")

    def _noted(self, mail: Mail, envelope: Envelope) -> Taken | None:
        """What an agent answers to a text for agents is a note on its incident. Of what an agent's machine answers none
        is made: a note says that somebody is at it. Raises Unreadable."""
        token = next(self.reader.sealed(mail, envelope, "agents"), None)
        if token is None or self.reader.is_automatic(mail, envelope):
            return None
        names = ", ".join(part.name for part in mail.parts[:MOST_NAMED])
        text = "\n\n".join(
            filter(None, (written(mail.text), f"(With files, kept in the mail: {names})" if names else ""))
        )
        try:
            self.core.commands.note(token.incident_id, Caller(mail.sender.key, Role.AGENT), text, key=mail.digest)
        except FirstlineError as exc:
            raise Unreadable(f"an agent's answer of which no note can be made: {exc}") from exc
        return Taken("a note on a ticket")

    def _lay_aside(self, raw: bytes, why: str) -> Taken:
        name = f"dead:{hashlib.sha256(raw).hexdigest()}"
        try:
            new = self.core.originals.lay_aside(CHANNEL, name, raw, why)
        except Exception as exc:
            raise NotCommitted("The mail could not be stored. Send it again.") from exc
        log.warning("mail.laid_aside", reason=why, duplicate=not new)
        return Taken(f"laid aside: {why}", duplicate=not new)


def _taken(receipt: Accepted) -> Taken:
    return Taken(f"{'taken before' if receipt.duplicate else 'taken'} as {receipt.incident_id}", receipt.duplicate)
