"""What Twilio tells us of, as messages for the core: pure functions from the fields of a webhook to InboundMessage
(twilio.com/docs/messaging/guides/webhook-request)."""

import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from adapters.twilio import keys
from adapters.twilio.api import OPTED_OUT, OUTSIDE_WINDOW, meaning
from adapters.twilio.files import ref_of
from bot.model import Address, Attachment, InboundMessage, MessageKind, Proof

Fields = Mapping[str, str]

SID: Final = re.compile(r"[A-Za-z0-9]{1,64}")
STOP: Final = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke"})
START: Final = frozenset({"start", "unstop"})
AGAIN: Final = START | {"yes"}
"""What Twilio takes for a wish to hear nothing more, and for taking that back (twilio.com/docs/messaging/tutorials/
advanced-opt-out): a message of this one word. "Yes" is one only to whom nothing may be sent."""

AROUND: Final = " \t\n.!\"'“”"
BUTTON: Final = re.compile(r"solved|not_solved|rate-[1-5]")
COMMAND: Final = re.compile(
    r"/?(?P<name>help|info|status|list|close)(?:\s+(?P<ticket>TKT-[A-Z0-9-]{1,32}))?"
    r"|/?(?P<own>email|code)\s+(?P<rest>[^\s@]+@[^\s@]+|[0-9]{6})",
    re.IGNORECASE,
)
"""What is a command, as all of a message: what our own texts and our help ask people to write."""

FRESH: Final = re.compile(r"/new(?:\s+(?P<text>.+))?", re.IGNORECASE | re.DOTALL)
MOST_FILES: Final = 20

PERMANENT: Final = frozenset({OPTED_OUT, 21211, 21614, 30004, 30005, 30006, 63003, 63015, 63024})
"""Errors after which nothing arrives at the number until somebody writes from it. Not 30003: a telephone that is
switched off will be switched on again."""

STATES: Final = {
    "accepted": "queued",
    "scheduled": "queued",
    "queued": "queued",
    "sending": "sending",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "undelivered",
    "failed": "failed",
    "canceled": "failed",
}
"""Twilio's words for what became of a text, and ours."""


@dataclass(frozen=True, slots=True)
class Post:
    """A message that somebody wrote to us. `who` is where it came from, `ours` the number that it was written to;
    `answers` is the SID of the text of ours that it answers, if it says so; `button` the action that it presses;
    `opt_out` how Twilio itself took it (STOP, START, HELP), if it did."""

    sid: str
    who: Address
    ours: str
    text: str
    files: tuple[Attachment, ...] = ()
    answers: str = ""
    button: str = ""
    opt_out: str = ""

    @classmethod
    def of(cls, fields: Fields, root: str) -> Self | None:
        """Read a message; None for one that no telephone has sent: a machine with a short code, say. `root`: where our
        account is in Twilio's API."""
        sid, who = fields.get("MessageSid", ""), keys.parsed(fields.get("From", ""))
        if who is None or not SID.fullmatch(sid):
            return None
        payload = fields.get("ButtonPayload", "")
        answers = fields.get("OriginalRepliedMessageSid", "")
        return cls(
            sid=sid,
            who=who,
            ours=fields.get("To", "").removeprefix(keys.PREFIX)[:32],
            text=_words(fields),
            files=tuple(_files(fields, root)),
            answers=answers if SID.fullmatch(answers) else "",
            button=payload if BUTTON.fullmatch(payload) else "",
            opt_out=fields.get("OptOutType", "").strip().upper(),
        )

    @property
    def word(self) -> str:
        """Its one word, if it has no more, in lower case."""
        word = self.text.strip(AROUND).lower()
        return word if word.isalpha() and not self.files else ""

    @property
    def said(self) -> str:
        """Its words, and the names of its files."""
        return "\n".join([*([self.text] if self.text else []), *(f"[{file.name}]" for file in self.files)])


@dataclass(frozen=True, slots=True)
class Report:
    """What Twilio says became of a text of ours: its `state`, and the number of its error (0: none). `incident_id` and
    `about` are what we had it say of which text."""

    sid: str
    to: Address
    state: str
    code: int
    incident_id: str
    about: str

    @classmethod
    def of(cls, fields: Fields, query: Fields) -> Self | None:
        """Read a report; None for one of a text that is none of ours, or that says nothing new to us."""
        to, sid = keys.parsed(fields.get("To", "")), fields.get("MessageSid", "")
        state = STATES.get(fields.get("MessageStatus", "") or fields.get("SmsStatus", ""))
        incident_id, about = query.get("incident", ""), query.get("text", "")
        if to is None or state is None or not SID.fullmatch(sid) or not re.fullmatch("[0-9a-f]{32}", about):
            return None
        code = fields.get("ErrorCode", "")
        return cls(sid, to, state, int(code) if re.fullmatch("[0-9]{1,6}", code) else 0, incident_id[:64], about)

    @property
    def failed(self) -> bool:
        return self.state in ("undelivered", "failed")

    @property
    def outside_window(self) -> bool:
        """Whether the text could have gone out as a template."""
        return self.code == OUTSIDE_WINDOW and self.to.channel == "whatsapp"


def opened(post: Post, now: datetime, refers_to: str, fresh: bool = False) -> InboundMessage:
    """Make a customer's message of a post. `refers_to`: the text of ours that it answers, as far as is known; `fresh`:
    it is another problem than all before. Twilio tells no time."""
    return InboundMessage(
        channel=post.who.channel,
        external_id=post.sid,
        lane=_lane(post),
        customer_id=post.who.key,
        text=post.said,
        answer_on=post.who.channel,
        addresses=(post.who,),
        refers_to=(refers_to,) if refers_to and not fresh else (),
        private=True,
        fresh=fresh,
        written_at=now,
        attachments=post.files,
    )


def pressed(post: Post, now: datetime, refers_to: str) -> InboundMessage:
    """A button of a template that somebody pressed."""
    return InboundMessage(
        channel=post.who.channel,
        external_id=post.sid,
        lane=_lane(post),
        customer_id=post.who.key,
        text=post.button,
        answer_on=post.who.channel,
        addresses=(post.who,),
        kind=MessageKind.ACTION,
        refers_to=(refers_to,) if refers_to else (),
        private=True,
        written_at=now,
    )


def returned(report: Report) -> InboundMessage:
    """The report that a text of ours did not arrive."""
    channel, number = report.to.channel, report.to.key
    return InboundMessage(
        channel=channel,
        external_id=f"{report.sid}:failed",
        lane=f"{channel}/returned/{number}",
        customer_id=number,
        text=meaning(report.code),
        answer_on=channel,
        kind=MessageKind.BOUNCE,
        about=report.about,
        automatic=True,
        proof=Proof.SENDER,
        entitled_to=report.incident_id,
        permanent=report.code in PERMANENT,
        again=report.outside_window,
    )


def _lane(post: Post) -> str:
    return f"{post.who.channel}/{post.ours}/{post.who.key}"


def _words(fields: Fields) -> str:
    """The text of a message, and in words what it has of a place."""
    said = [fields.get("Body", "").strip() or fields.get("ButtonText", "").strip()]
    if fields.get("Latitude") and fields.get("Longitude"):
        parts = [fields.get(name, "").strip() for name in ("Latitude", "Longitude", "Label", "Address")]
        said.append(f"[location: {', '.join(part for part in parts if part)}]")
    return "\n".join(part for part in said if part)


def _files(fields: Fields, root: str) -> Iterator[Attachment]:
    """The files of a message. Twilio tells no names: they are called by what they are."""
    number = fields.get("NumMedia", "0")
    for place in range(min(int(number), MOST_FILES) if number.isdecimal() else 0):
        url = fields.get(f"MediaUrl{place}", "")
        if url:
            media_type = fields.get(f"MediaContentType{place}", "").partition(";")[0].strip().lower()[:100]
            yield Attachment(_name(media_type, place), media_type, None, ref_of(url, root))


def _name(media_type: str, place: int) -> str:
    kind, _, form = media_type.partition("/")
    kind = {"image": "photo", "audio": "voice message", "video": "video"}.get(kind, "file")
    if form in ("vcard", "x-vcard"):
        kind = "contact"
    number = f" {place + 1}" if place else ""
    return f"{kind}{number}{mimetypes.guess_extension(media_type) or ''}"
