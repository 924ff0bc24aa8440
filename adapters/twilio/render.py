"""What a notice looks like as an SMS, as a WhatsApp message, and in a template of WhatsApp's."""

import json
import re
from dataclasses import replace
from typing import Final

from adapters.twilio.segments import LONGEST, economical, fitted, segments, units
from bot.model import Notice, NoticeKind, tidy

REST: Final = {
    "en": "This is not all: write here to get the rest of {ticket}.",
    "es": "Falta una parte: responda a este mensaje para recibir el resto de {ticket}.",
    "de": "Das ist nicht alles: Antworten Sie hier, dann kommt der Rest von {ticket}.",
    "fr": "Ce n'est pas tout : répondez ici pour recevoir la suite de {ticket}.",
    "pt": "Falta uma parte: responda aqui para receber o resto de {ticket}.",
    "hi": "यह पूरा संदेश नहीं है: {ticket} का शेष भाग पाने के लिए यहाँ लिखें।",
    "ar": "هذه ليست الرسالة كاملة: اكتب هنا لتصلك بقية {ticket}.",
}
"""What stands where a text was cut, by language."""

LONGEST_VARIABLE: Final = 900
"""Characters of a template's variable; the whole may have 1,024 (developers.facebook.com, "Message templates")."""


def sms(notice: Notice, most: int) -> str:
    """Write a notice as an SMS of at most so many segments, with the ticket's number in it. If it is too long, the
    greeting goes first."""
    whole = _line(_parts(notice), " ", notice)
    if segments(economical(whole)) > most and notice.lead.strip():
        whole = _line(_parts(replace(notice, greeting="")), " ", notice)
    return _short(whole, most, _rest(notice))


def whatsapp(notice: Notice) -> str:
    """Write a notice as a message on WhatsApp. A reminder has the customer's own words in it: they may be a day old."""
    parts = _parts(notice)
    if notice.kind is NoticeKind.REMINDER and notice.quote:
        parts.insert(-1, "\n".join(f"> {line}" for line in tidy(notice.quote).splitlines()))
    return fitted(_line(parts, "\n\n", notice), lambda text: units(text) <= LONGEST, _rest(notice))


def answer(text: str, channel: str, most: int) -> str:
    """Write the answer to a command: an SMS has at most so many segments."""
    return _short(text, most, "...") if channel == "sms" else fitted(text, lambda text: units(text) <= LONGEST, "...")


def variables(notice: Notice) -> str:
    """Write what a template takes: {{1}} is the ticket's number, {{2}} what there is to say, in one line."""
    said = " ".join(" ".join((tidy(notice.greeting), tidy(notice.lead))).split())
    said = fitted(said, lambda text: len(text) <= LONGEST_VARIABLE, "…")
    return json.dumps({"1": notice.ticket_id or "-", "2": said or notice.subject}, ensure_ascii=False)


def _short(text: str, most: int, tail: str) -> str:
    return fitted(economical(text), lambda text: segments(text) <= most and units(text) <= LONGEST, tail)


def _parts(notice: Notice) -> list[str]:
    return [tidy(part) for part in (notice.greeting, notice.lead, notice.closing) if part.strip()]


def _line(parts: list[str], between: str, notice: Notice) -> str:
    """Join the parts. A text that does not name its ticket, such as what an agent writes, has its number before it."""
    words = between.join(parts) or notice.subject
    if between == " ":
        words = re.sub(r"\n{2,}", "\n", words)
    named = not notice.ticket_id or notice.ticket_id in words[:LONGEST]
    return words if named else f"{notice.ticket_id}: {words}"


def _rest(notice: Notice) -> str:
    """End a text that was cut. Plain dots: one sign for three would cost an SMS half of its room."""
    says = REST.get(notice.language, REST["en"])
    return f"... {says.format(ticket=notice.ticket_id)}" if notice.ticket_id else "..."
