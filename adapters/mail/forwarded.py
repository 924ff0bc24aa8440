"""Mails that were passed on: by a colleague, by hand, or by a mailbox that asks whether it may."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from adapters.mail import block, headers
from adapters.mail.parse import parse
from adapters.mail.parsed import Mail, Mailbox, Unreadable
from adapters.mail.phrases import DATE, FROM, MESSAGE_ID, SUBJECT
from adapters.mail.written import Kind, Page, written

MARKS_ABOVE = 3
"""How many lines a program puts above its header block: a rule, a sentence."""

PLAIN = r"[^\s<>\[\]()@]{1,64}@[^\s<>\[\]()@]{1,255}"
LINK_IN_LINK = re.compile(rf"<?\[?({PLAIN})\]?\s?[<(]mailto:[^<>()]{{1,320}}[>)]>?", re.IGNORECASE)
MAILTO = re.compile(r"[\[<]\s*mailto:\s*([^\[\]<>\s]+)\s*[\]>]", re.IGNORECASE)
ZONE = re.compile(r"[+-]\d\d:?\d\d\b|\b(?:GMT|UTC|Z)\b", re.IGNORECASE)
ZONE_IN_WORDS = re.compile(r"\(?\b(?:GMT|UTC)\s?([+-])(\d{1,2})(?::?(\d\d))?\)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Original:
    """A mail inside another. Nothing in it is proven: it is what the forwarder's mail says.

    `text` is all that it says; `comment` is what the forwarder wrote above it. `date` is aware, None if its zone is not
    told; `message_id` is in its angle brackets, empty if it is not known.
    """

    sender: Mailbox
    subject: str
    text: str
    date: datetime | None
    comment: str
    message_id: str = ""


def original(mail: Mail) -> Original | None:
    """Return the mail that somebody forwarded with this one: an attached mail, or one under a header block.

    Only the first block counts, and only if nothing above it is quoted: what is further down was answered or forwarded
    before. None if there is none, or if it names no address: Outlook writes "From: Ann Smith" for people of its own
    house, and nobody can be told by that who it was.
    """
    return _attached(mail) or _under_a_block(mail.text)


def _attached(mail: Mail) -> Original | None:
    if not mail.forwarded:
        return None
    try:
        inner = parse(mail.forwarded)
    except Unreadable:
        return None
    if not inner.sender.address:
        return None
    comment = written(mail.text)
    return Original(inner.sender, inner.subject, inner.text, inner.date, comment, inner.message_id)


def _under_a_block(text: str) -> Original | None:
    page = Page.of(text)
    start = next((piece.start for piece in page.pieces if piece.kind in (Kind.HISTORY, Kind.FORWARD)), None)
    if start is None or any(piece.kind is Kind.INTRODUCTION and piece.start < start for piece in page.pieces):
        return None
    comment = Page.of(page.above(start)).said()
    return _read(page, start, comment) or _read(Page.of(_unquoted(page.below(start))), 0, comment)


def _read(page: Page, start: int, comment: str) -> Original | None:
    """Read the mail under the block that begins with this line, or some below it."""
    for at in range(start, min(start + MARKS_ABOVE + 1, len(page.lines))):
        found = block.read(page.lines, at, marked=at > start)
        if found is not None:
            return _original(found, page.below(found.end), comment)
    return None


def _original(found: block.Headers, text: str, comment: str) -> Original | None:
    sender = mailbox(found.fields[FROM])
    if not sender.address:
        return None
    subject = headers.text(found.fields.get(SUBJECT, "").encode("utf-8", "replace"))
    if all(row.startswith(">") for row in text.split("\n") if row.strip()):
        text = _unquoted(text)
    ids = headers.ids(found.fields.get(MESSAGE_ID, ""))
    return Original(sender, subject, text.strip(), moment(found.fields.get(DATE, "")), comment, "".join(ids[:1]))


def _unquoted(text: str) -> str:
    """Take one ">" off every row: Apple Mail forwards a plain text like that."""
    return "\n".join(row[1:].removeprefix(" ") if row.startswith(">") else row for row in text.split("\n"))


def mailbox(written_so: str) -> Mailbox:
    """Read a From line of a header block, which was written for people: `Ann <a@b> [mailto:a@b]`."""
    plain = MAILTO.sub(r"<\1>", LINK_IN_LINK.sub(r"<\1>", written_so[:1000]))
    nobody = Mailbox("", "")
    return next(iter(headers.addresses([plain.encode("utf-8", "replace")])), nobody)


def moment(written_so: str) -> datetime | None:
    """Read the date of a header block, if it has a zone; None if it has none, or cannot be read."""
    text = ZONE_IN_WORDS.sub(_as_offset, written_so[:100]).replace(" at ", " ")
    if ZONE.search(text) is None:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = read(text.strip())
        except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
            continue
        return at.astimezone(UTC) if at.tzinfo is not None else None
    return None


def _as_offset(match: re.Match[str]) -> str:
    sign, hours, minutes = match.groups()
    return f"{sign}{int(hours):02}{minutes or '00'}"


# --- mailboxes that ask whether they may forward to us


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A mailbox asks whether it may forward to us. `provider` is "Gmail", "Zoho" or "Microsoft"; `mailbox` is who wants
    to forward, empty if that is not told; one of `code` and `link` may be empty. Only the sender's address was looked
    at here: whoever acts on it proves the sender first."""

    provider: str
    mailbox: str
    code: str
    link: str


@dataclass(frozen=True, slots=True)
class _Provider:
    """Who sends, and what a link and a code of theirs look like: that is the same in all languages."""

    name: str
    sender: re.Pattern[str]
    link: re.Pattern[str]
    code: re.Pattern[str]


REST = r"[^\s<>\"')\]]{0,300}"
"""What follows in a link."""

ZOHO = r"(?:[a-z0-9-]{1,30}\.){0,3}zoho(?:mail|accounts)?\.(?:com|eu|in|com\.au|jp|com\.cn|sa)"

PROVIDERS = (
    # "(#123456789) Gmail Forwarding Confirmation - Receive Mail from ann@gmail.com"; with a house's name for Gmail in
    # Workspace. The second link, .../uf-..., is to refuse.
    _Provider(
        "Gmail",
        re.compile(r"forwarding-noreply@google\.com"),
        re.compile(rf"https://(?:mail-settings|mail)\.google\.com/mail/(?:u/\d+/)?vf-{REST}"),
        re.compile(r"(?<![\w#/.-])\(?#?(\d{6,12})\b"),
    ),
    # https://www.zoho.com/mail/help/email-forwarding.html: a link, behind which Zoho asks for the password. People have
    # addresses there, too.
    _Provider(
        "Zoho",
        re.compile(rf"[^@]*no-?reply[^@]*@{ZOHO}"),
        re.compile(rf"https://{ZOHO}/{REST}(?:forward|verif|confirm){REST}", re.IGNORECASE),
        re.compile(r"(?!)"),
    ),
    # How Microsoft proves that an address is somebody's: a code.
    _Provider(
        "Microsoft",
        re.compile(r"account-security-noreply@accountprotection\.microsoft\.com"),
        re.compile(rf"https://account\.(?:live|microsoft)\.com/{REST}(?:verif|confirm){REST}", re.IGNORECASE),
        re.compile(r"(?<![\w#/.-])(\d{4,8})\b"),
    ),
)
URL = re.compile(r"https?://\S+")
ADDRESS = re.compile(r"[\w.+*-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
LOOKED_AT = 20_000


def confirmation(mail: Mail) -> Confirmation | None:
    """Return what this mail asks if it is one with which a mailbox asks whether it may forward to us."""
    for provider in PROVIDERS:
        if provider.sender.fullmatch(mail.sender.address.lower()):
            return _confirmation(provider, mail)
    return None


def _confirmation(provider: _Provider, mail: Mail) -> Confirmation | None:
    text = mail.text[:LOOKED_AT]
    plain = f"{mail.subject}\n{URL.sub(' ', text)}"
    link = provider.link.search(text)
    code = provider.code.search(plain)
    if link is None and code is None:
        return None
    return Confirmation(
        provider.name,
        _asking(plain, mail),
        code[1] if code is not None else "",
        link[0].rstrip(".,;") if link is not None else "",
    )


def _asking(plain: str, mail: Mail) -> str:
    """Return the first address in the mail that is neither its sender's nor its recipients'."""
    known = {mailbox.address.lower() for mailbox in (mail.sender, *mail.to, *mail.cc)}
    known |= {address.lower() for address in mail.headers.get("delivered-to", ())}
    return next((found for found in ADDRESS.findall(plain) if found.lower() not in known), "")
