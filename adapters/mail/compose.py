"""Turns a notice into the bytes of a mail: plain text and HTML, headers that nobody can inject into."""

import hashlib
import re
from binascii import b2a_qp
from collections.abc import Iterator
from datetime import UTC, datetime
from email.encoders import encode_base64
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import Compat32
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.mail.plain import plain
from adapters.mail.sealed import Audience, Tokens
from adapters.mail.subject import answering
from bot.model import TO_AGENTS, Notice, NoticeKind

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"
RIGHT_TO_LEFT = frozenset({"ar", "he", "fa", "ur"})
BY_PEOPLE = frozenset({NoticeKind.REPLY})
"""Notices whose words a person has written to the reader; all others are automatic mail."""

IDS = frozenset({"Message-ID", "In-Reply-To", "References"})
MOST_REFERENCES = 30
FIRST_REFERENCES = 10
IDENTIFIER = re.compile(r"(?=.{5,500}$)(?!.*=\?)<[!-;=?-~]+@[!-;=?-~]+>")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
LINE_ENDS = re.compile(r"\r\n?|[\n\x0b\x0c\x85\u2028\u2029]")
NOT_IN_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
NAME_AND_ADDRESS = re.compile(r"(?P<name>[^<>]*)<(?P<addr>[^<>]*)>")
LOCAL_PART = re.compile(r"[^\s\x00-\x20\x7f-\x9f\"(),:;<>@\[\]\\\ud800-\udfff]{1,64}")
LONGEST_KEY = 100
LONGEST_HEADER = 300  # Outlook takes 255 characters of a subject: a customer's own is not cut, or it is another thread
PREVIEW = 140
"""How much a list of mails shows of one, beside its subject, at most."""

SAFE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


class Wire(Compat32):
    """The line ends of SMTP, and ids as other programs write them: each whole, and each on one line, the first on that
    of the header's name. The standard library would begin a new line before an id that is long, and some servers do not
    find it there."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name in IDS:
            return f"{name}: {value.replace(' ', f'{self.linesep} ')}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


WIRE = Wire(linesep="\r\n", max_line_length=78)


def compose(
    notice: Notice,
    to: str,
    sender: str,
    at: datetime | None = None,
    tokens: Tokens | None = None,
    plus: bool = False,
) -> bytes:
    """Return the mail as bytes with CRLF line ends (RFC 5322), ready for DATA or a file.

    `to` is a bare address, `sender` an address with or without a name, `at` the Date (aware; now, if not given). A
    notice that is composed again keeps its Message-ID, which `tokens` sign. With `plus` an answer goes to an address
    that names the incident. Raises ValueError if `to` or `sender` is no mail address.

    What a person has written, an agent's answer, has no mark of automatic mail: RFC 3834, 5 keeps Auto-Submitted for
    mail that no person has sent, and the reader's note that they are away until Monday is of use to the agent (Zammad
    and FreeScout do the same). Such a note is known for what it is when it comes in.
    """
    recipient = addr_spec(to)
    mail = MIMEMultipart("alternative", boundary=_boundary(notice.key))
    mail["From"] = _mailbox(*split_sender(sender))
    if tokens is not None and plus and notice.incident_id:
        mail["Reply-To"] = _reply_to(notice, sender, tokens)
    mail["To"] = _raw(recipient)
    mail["Subject"] = _text_header(subject(notice), "Subject")
    mail["Date"] = format_datetime((at or datetime.now(UTC)).astimezone(UTC))
    mail["Message-ID"] = message_id(notice, sender, tokens)
    for name, value in (*_thread(notice), *_automatic(notice)):
        mail[name] = value
    mail["X-Firstline-Notice"] = safe_key(notice.key)  # for people: the Message-ID tells them nothing
    if notice.ticket_id:
        mail["X-Firstline-Ticket"] = _text_header(notice.ticket_id, "X-Firstline-Ticket")
    mail.attach(_part("plain", plain(notice), flowed=True))
    mail.attach(_part("html", html(notice)))
    return mail.as_bytes(policy=WIRE)


def is_automatic(notice: Notice) -> bool:
    """Whether no person has written it."""
    return notice.kind not in BY_PEOPLE


def subject(notice: Notice) -> str:
    """Return the subject: that of an answer to the customer's own mail, if there is one; agents read ours."""
    topic = "" if notice.kind in TO_AGENTS else one_line(notice.topic)
    return answering(topic, notice.ticket_id) or notice.subject


def audience(notice: Notice) -> Audience:
    """Return whose mail it is."""
    return "agents" if notice.kind in TO_AGENTS else "customer"


def html(notice: Notice) -> str:
    """Return the notice as an HTML page in which every part of the notice is escaped."""
    language = notice.language.lower()
    right_to_left = language.split("-")[0] in RIGHT_TO_LEFT
    return _template().render(
        notice=notice,
        direction="rtl" if right_to_left else "ltr",
        start="right" if right_to_left else "left",
        preview=one_line(notice.lead or notice.greeting)[:PREVIEW],
        links=[action for action in notice.actions if action.url],
    )


def message_id(notice: Notice, sender: str, tokens: Tokens | None = None) -> str:
    """Return the notice's Message-ID, in its angle brackets: the same however often it is sent."""
    domain = split_sender(sender)[1].rpartition("@")[2]
    if tokens is not None:
        return tokens.message_id(notice.key, notice.incident_id, audience(notice), domain)
    return f"<{safe_key(notice.key)}@{domain}>"


def safe_key(key: str) -> str:
    """Return the key in letters, digits, `-`, `_` and single dots: fit for a Message-ID (RFC 5322 dot-atom) and for a
    file name.

    A key that had to be changed gets a digest, so that two keys never become one.
    """
    if len(key) <= LONGEST_KEY and SAFE.fullmatch(key):
        return key
    return f"{re.sub(r'[^A-Za-z0-9_-]', '-', key)[:64]}-{_digest(key)[:16]}"


def addr_spec(address: str) -> str:
    """Return the address with its domain in ASCII (IDNA 2008). Raises ValueError, which does not repeat the address.

    Quoted local parts and address literals are not taken: nobody has them, and every one of their characters is a risk.
    """
    local, _, domain = address.strip().rpartition("@")
    domain = domain if domain.isascii() else _idna(domain)
    if not LOCAL_PART.fullmatch(local) or not DOMAIN.fullmatch(domain):
        raise ValueError("that is not a mail address")
    return f"{local}@{domain}"


def split_sender(sender: str) -> tuple[str, str]:
    """Split `Name <address>` or a bare address into name ("" if there is none) and address. Raises ValueError."""
    match = NAME_AND_ADDRESS.fullmatch(sender.strip())
    name, address = (match["name"], match["addr"]) if match else ("", sender)
    return one_line(name).strip('"').strip(), addr_spec(address)


def one_line(text: str) -> str:
    """Return the text as one line: control characters, line ends and lone surrogates collapsed into spaces."""
    return " ".join(CONTROLS.sub(" ", text).split())


def _thread(notice: Notice) -> Iterator[tuple[str, str]]:
    """Yield the headers by which mail programs put a mail into its thread (RFC 5322, 3.6.4). An id that is none is left
    out: whatever a customer's program has written as its own goes into our header."""
    references = list(dict.fromkeys(filter(IDENTIFIER.fullmatch, notice.references)))
    answered = notice.answers if IDENTIFIER.fullmatch(notice.answers) else "".join(references[-1:])
    if not answered:
        return
    if answered not in references:
        references.append(answered)
    if len(references) > MOST_REFERENCES:
        references[FIRST_REFERENCES : FIRST_REFERENCES - MOST_REFERENCES] = []
    yield "In-Reply-To", answered
    yield "References", " ".join(references)


def _automatic(notice: Notice) -> Iterator[tuple[str, str]]:
    """Yield the headers that keep other automatons from answering. RFC 3834, 5: `auto-replied` is what answers a mail
    directly. The other two are for Exchange and for what is older than that RFC."""
    if is_automatic(notice):
        yield "Auto-Submitted", "auto-replied" if IDENTIFIER.fullmatch(notice.answers) else "auto-generated"
        yield "X-Auto-Response-Suppress", "All"
        yield "Precedence", "auto_reply"


def _reply_to(notice: Notice, sender: str, tokens: Tokens) -> str:
    name, address = split_sender(sender)
    return _mailbox(name, tokens.reply_address(address, notice.incident_id, audience(notice)))


def _mailbox(name: str, address: str) -> str:
    if not name:
        return _raw(address)
    if name.isascii() and "=?" not in name:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{_raw(address)}>'
    return f"{_unfolded(Header(name, 'utf-8', header_name='From'))} <{_raw(address)}>"


def _raw(address: str) -> str:
    """Write an internationalised address as bare UTF-8 (RFC 6532); an encoded word is not allowed inside an address."""
    return address.encode().decode("ascii", "surrogateescape")


def _text_header(text: str, name: str) -> str:
    text = one_line(text)
    text = text if len(text) <= LONGEST_HEADER else f"{text[: LONGEST_HEADER - 1]}…"
    # "=?" in plain letters would be decoded by the reader's program into something that we did not check.
    plain = text.isascii() and "=?" not in text and all(len(word) < 60 for word in text.split())
    return _unfolded(Header(text, "us-ascii" if plain else "utf-8", header_name=name))


def _unfolded(header: Header) -> str:
    """Write the encoded words (75 characters each, at most) on one line; the whole mail's policy folds it."""
    return header.encode(linesep="")


def _part(subtype: str, text: str, flowed: bool = False) -> MIMENonMultipart:
    """Encode a text part in quoted-printable or, if that is shorter (other scripts than Latin), in base64.

    `MIMEText` would do it in pure Python; this is the same in C.
    """
    data = "".join(f"{line}\r\n" for line in LINE_ENDS.split(NOT_IN_TEXT.sub("", text))).encode()
    part = MIMENonMultipart("text", subtype, charset="utf-8")
    if flowed:
        part.set_param("format", "flowed")
    quoted = b2a_qp(data)
    if len(quoted) <= len(data) * 4 / 3:
        part["Content-Transfer-Encoding"] = "quoted-printable"
        part.set_payload(quoted.decode("ascii"))
    else:
        part.set_payload(data)
        encode_base64(part)
    return part


def _boundary(key: str) -> str:
    """RFC 2045, 6.7: "=_" occurs in neither encoding of a part, so whatever the customer wrote, it is no boundary."""
    return f"=_{_digest(key)[:32]}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _idna(domain: str) -> str:
    import idna

    # Not the codec of the standard library: IDNA 2003 sends mail for straße.example to strasse.example, somebody else.
    return idna.encode(domain, uts46=True).decode("ascii")  # idna.IDNAError is a ValueError


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("notice.html")
