"""What a mail says, in the core's words."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.mail.automatic import is_automatic
from adapters.mail.forwarded import Original, original
from adapters.mail.parse import parse
from adapters.mail.parsed import Envelope, Mail, Mailbox, Unreadable
from adapters.mail.sealed import Sealed, Tokens
from adapters.mail.written import written
from bot.model import Address, Attachment, InboundMessage, Proof

CHANNEL = "email"
TICKET = re.compile(r"\[(TKT-[A-Za-z0-9-]{1,32})\]")
MOST_REFERENCES = 30
MOST_COPIES = 20
LONGEST_TEXT = 50_000
"""Characters of what somebody wrote that are read as such; all of it is kept beside that."""
DELIVERED_TO = ("delivered-to", "x-original-to", "envelope-to", "x-forwarded-to")
"""What servers write down on the way: to whom they gave it."""


@dataclass(frozen=True, slots=True)
class Own:
    """Our own addresses (in lower case), and whether mail to support+anything@ arrives at support@."""

    addresses: frozenset[str]
    plus: bool

    def __call__(self, address: str) -> bool:
        """Whether an address is one of ours."""
        local, _, domain = address.strip().lower().rpartition("@")
        base = local.partition("+")[0] if self.plus else local
        return f"{base}@{domain}" in self.addresses


@dataclass(frozen=True, slots=True)
class Reader:
    """Makes messages of mails. `agents` are the addresses of those who may bring a customer's mail by hand."""

    own: Own
    agents: frozenset[str]
    tokens: Tokens

    def message(self, mail: Mail, envelope: Envelope, proven: bool, now: datetime) -> InboundMessage:
        """Return what a mail says. `proven`: whether its sender is who it says."""
        brought = original(mail) if proven and mail.sender.key in self.agents else None
        if brought is not None and not self._is_answer(mail, brought):
            return self._brought(mail, brought, now)
        automatic = self.is_automatic(mail, envelope)
        sender = mail.sender.key
        text = _cut(written(mail.text) or _passed_on(mail))
        return InboundMessage(
            channel=CHANNEL,
            external_id=_name(mail),
            lane=f"{CHANNEL}/{sender or _name(mail)}",
            customer_id=sender or "(no address)",
            text=text,
            answer_on=CHANNEL,
            addresses=() if automatic else self._answer_to(mail),
            fingerprint=mail.digest,
            refers_to=_references(mail),
            automatic=automatic,
            written_at=_written_at(mail.date, now),
            proven=(Address(CHANNEL, sender),) if proven else (),
            attachments=_files(mail, _name(mail)),
            proof=Proof.SENDER if proven else Proof.NONE,
            entitled_to=next((found.incident_id for found in self.sealed(mail, envelope, "customer")), ""),
            ticket=_ticket(mail.subject),
            subject=mail.subject,
            whole=mail.text if mail.text.strip() != text else "",
            copied=self._copied(mail) if proven and not automatic else (),
        )

    def is_automatic(self, mail: Mail, envelope: Envelope) -> bool:
        """Whether a machine sent a mail, or it is one of ours that has come back, under whichever name."""
        return is_automatic(mail, envelope, self.own) or self.tokens.read_message_id(mail.message_id) is not None

    def sealed(self, mail: Mail, envelope: Envelope, audience: str) -> Iterator[Sealed]:
        """Find the tokens of ours that a mail brings back, of those that we gave to this audience: in the addresses
        that it went to, then in what it refers to, the nearest first."""
        found = [self.tokens.read_address(address) for address in _went_to(mail, envelope)]
        found += [self.tokens.read_message_id(name) for name in _references(mail)]
        for one in found:
            if one is not None and one.incident_id and one.audience == audience and one.kind != "bounce":
                yield one

    def _is_answer(self, mail: Mail, brought: Original) -> bool:
        """Whether a mail answers the one in it, and passes it on to nobody: Outlook writes both in the same way."""
        return self.own(brought.sender.address) or brought.sender.key in {box.key for box in (*mail.to, *mail.cc)}

    def _brought(self, mail: Mail, brought: Original, now: datetime) -> InboundMessage:
        """Of a mail that an agent has forwarded by hand, what the customer wrote: on the agent's word."""
        customer, agent = brought.sender.key, mail.sender.key
        text = _cut(written(brought.text))
        return InboundMessage(
            channel=CHANNEL,
            external_id=_name(mail),
            lane=f"{CHANNEL}/{customer}",
            customer_id=customer,
            text=text,
            answer_on=CHANNEL,
            addresses=(Address(CHANNEL, customer),),
            fingerprint=mail.digest,
            refers_to=(brought.message_id,) if brought.message_id else (),
            written_at=_written_at(brought.date, now),
            attachments=_files(mail, _name(mail)),
            proof=Proof.NONE,
            ticket=_ticket(brought.subject),
            subject=brought.subject,
            whole=mail.text if mail.text.strip() != text else "",
            forwarded_by=agent,
        )

    def _answer_to(self, mail: Mail) -> tuple[Address, ...]:
        """Where the sender wants the answer: at the first address of Reply-To that is not ours, else at their own."""
        wanted = [box.key for box in (*mail.reply_to, mail.sender) if box.address]
        return tuple(Address(CHANNEL, address) for address in wanted if not self.own(address))[:1]

    def _copied(self, mail: Mail) -> tuple[Address, ...]:
        """Who else got it: all others, but for us."""
        others = dict.fromkeys(box.key for box in (*mail.to, *mail.cc) if box.address)
        sender = mail.sender.key
        found = [address for address in others if address != sender and not self.own(address)]
        return tuple(Address(CHANNEL, address) for address in found[:MOST_COPIES])


def named(message: InboundMessage, name: str) -> InboundMessage:
    """Return the message under another id, by which its files are found as well."""
    files = [replace(file, ref=_ref(int(file.ref.partition(" ")[0]), name)) for file in message.attachments]
    return replace(message, external_id=name, attachments=tuple(files))


def file_of(ref: str) -> tuple[int, str]:
    """Return the number of the part, and the id of the message, that a file's `ref` names."""
    number, _, name = ref.partition(" ")
    return int(number), name


def _ref(number: int, name: str) -> str:
    return f"{number} {name}"


def _name(mail: Mail) -> str:
    """The id of a mail; one that has none is named by what it says."""
    return mail.message_id or f"sha256:{mail.digest}"


def _files(mail: Mail, name: str) -> tuple[Attachment, ...]:
    return tuple(Attachment(part.name, part.media_type, part.size, _ref(part.index, name)) for part in mail.parts)


def _passed_on(mail: Mail) -> str:
    """What stands in the mail that is attached to one which says nothing itself."""
    if not mail.forwarded or mail.text.strip():
        return ""
    try:
        return written(parse(mail.forwarded).text)
    except Unreadable:
        return ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _references(mail: Mail) -> tuple[str, ...]:
    """What a mail refers to, the nearest first."""
    return tuple(dict.fromkeys((*mail.in_reply_to, *reversed(mail.references))))[:MOST_REFERENCES]


def _went_to(mail: Mail, envelope: Envelope) -> Iterable[str]:
    boxes: tuple[Mailbox, ...] = (*mail.to, *mail.cc)
    told = (address.strip(" <>") for name in DELIVERED_TO for address in mail.headers.get(name, ()))
    return (*envelope.recipients, *(box.address for box in boxes), *told)


def _ticket(subject: str) -> str:
    found = TICKET.search(subject)
    return found[1] if found else ""


def _written_at(date: datetime | None, now: datetime) -> datetime | None:
    """When a mail was written, by its sender's clock, which may be wrong: never later than now."""
    return None if date is None or date > now else date
