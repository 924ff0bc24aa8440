"""Whether the address in From is proven: by what our own receiving server says of the mail, or by its signature.

What is proven is the domain: that it stands behind the mail, and so behind the part before the @, for which it alone
answers. SPF by itself proves nothing here, for it is about the envelope; it counts where DMARC passed with it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import structlog

from adapters.mail.compose import addr_spec
from adapters.mail.dkim_verify import Dns, aligned, signed_for
from adapters.mail.parsed import Mail

MOST_HEADERS = 200_000  # bytes
FIELD = re.compile(rb"([!-9;-~]+):(.*)", re.DOTALL)
# What signatures of large providers do not cover, and what a second one of would be read by one program and not by the
# other: whoever changed a signed mail on its way would do it by these.
ONCE = (b"from", b"sender", b"reply-to", b"subject", b"message-id", b"content-type", b"content-transfer-encoding")
ADDRESS = r"[^<>\s@,;:]+@[^<>\s@,;:]+"
AUTHOR = re.compile(rf"\s*(?:[^<>@,;:]*<\s*({ADDRESS})\s*>|({ADDRESS}))\s*")
MOST_RESULTS = 50

log = structlog.get_logger()


def proves_sender(mail: Mail, raw: bytes, authserv_id: str | None, dns: Dns | None = None) -> bool:
    """Return whether the mail is from whom its From says.

    `authserv_id` is the name by which our own receiver signs its Authentication-Results (RFC 8601). Only the first of
    those headers is looked at: receivers prepend theirs, so that everything below may have come with the mail. If it
    is of our receiver and says DMARC failed, that stands. If it decides nothing, the DKIM signatures are checked here,
    where dkimpy is installed; the answers of the DNS (`dns`) may take 5 s in all. Never raises.
    """
    try:
        fields = _fields(raw)
        domain = _author(mail, fields)
        told = _told(fields, authserv_id, domain) if authserv_id else None
        if told is not None:
            return told
        signatures = fields.get(b"dkim-signature", [])
        return bool(signatures) and signed_for(domain, raw, signatures, dns)
    except Exception as exc:  # a hostile mail finds another way to fail than those that one can think of
        log.debug("mail.not_proven", error=type(exc).__name__)
        return False


@dataclass(frozen=True, slots=True)
class _Result:
    method: str
    result: str
    properties: dict[str, list[str]]

    def domain(self, name: str) -> str:
        """Return the domain in a property, or nothing if it is not there or is there twice."""
        found = self.properties.get(name, [])
        return found[0].rpartition("@")[2].rstrip(".") if len(found) == 1 else ""


def _fields(raw: bytes) -> dict[bytes, list[bytes]]:
    """Read the headers as they came: what was decoded may have "; dmarc=pass" in it, which was an encoded word.

    Raises ValueError where programs would disagree on what the headers are: lines that are none, bare CR, NUL.
    """
    head, blank, _ = re.sub(rb"\r\n", b"\n", raw[:MOST_HEADERS]).partition(b"\n\n")
    if b"\r" in head or b"\0" in head or (not blank and len(raw) > MOST_HEADERS):
        raise ValueError("these headers can be read in two ways")
    fields = defaultdict(list)
    for line in re.split(rb"\n(?![ \t])", head.rstrip(b"\n")):
        field = FIELD.fullmatch(line)
        if field is not None:
            fields[field[1].lower()].append(field[2])
        elif fields or not line.startswith(b"From "):  # the first line may be that of an mbox
            raise ValueError("there is a line among the headers that is none")
    return fields


def _author(mail: Mail, fields: dict[bytes, list[bytes]]) -> str:
    """Return the domain of the one address in the one From. Raises ValueError if there is not just one."""
    if any(len(fields.get(name, ())) > 1 for name in ONCE) or len(mail.headers.get("from", ())) != 1:
        raise ValueError("a header that stands once stands there twice")
    found = AUTHOR.fullmatch(_flat(fields[b"from"][0], "A-Za-z0-9"))
    address = addr_spec(found[1] or found[2]) if found else ""
    if not address or address.lower() != mail.sender.address.lower():
        raise ValueError("From does not name just the one sender")
    return address.lower().rpartition("@")[2]


def _told(fields: dict[bytes, list[bytes]], authserv_id: str, domain: str) -> bool | None:
    """Return what our receiver says of From, or None if it says nothing of it, or says nothing at all."""
    headers = fields.get(b"authentication-results", [])
    results = list(_results(headers[0], authserv_id)) if headers else []
    by_dmarc = [result for result in results if result.method == "dmarc"]
    if len(by_dmarc) > 1 or any(result.result == "fail" for result in by_dmarc):
        return False  # there is one From, and one verdict: two are the work of somebody who got text into the header
    if by_dmarc and by_dmarc[0].result == "pass" and by_dmarc[0].properties.get("header.from"):
        return by_dmarc[0].domain("header.from") == domain
    passed = (result for result in results if (result.method, result.result) == ("dkim", "pass"))
    return True if any(_speaks_for(result, domain) for result in passed) else None


def _speaks_for(result: _Result, domain: str) -> bool:
    """Gmail tells i= and not d=; the domain in i= is d= or is below it, so that what is below i= is below d=, too."""
    told = "header.d" if "header.d" in result.properties else "header.i"
    return aligned(result.domain(told), domain)


def _results(header: bytes, authserv_id: str) -> Iterator[_Result]:
    """Read an Authentication-Results (RFC 8601, 2.2): nothing, if it is not of this server. Raises ValueError."""
    who, *told = _flat(header, "A-Za-z0-9.@_+-").lower().split(";")
    if who.split() not in ([authserv_id.lower()], [authserv_id.lower(), "1"]):
        return
    for one in islice(told, MOST_RESULTS):
        first, *rest = re.sub(r"\s*=\s*", "=", one).split() or [""]
        method, _, result = first.partition("=")
        properties = defaultdict(list)
        for word in rest:
            name, _, value = word.partition("=")
            properties[name].append(value)
        yield _Result(method.partition("/")[0], result, properties)


def _flat(header: bytes, kept: str) -> str:
    """Return a structured header without its comments and quotation marks (RFC 5322, 3.2.2 and 3.2.4); of what was
    quoted, each character but those `kept` is a question mark. Raises ValueError if one of them does not end."""
    flat, quoted, depth = [], False, 0
    characters = iter(header.decode("utf-8", "replace"))
    for character in characters:
        if character == "\\" and (quoted or depth):
            character = next(characters, "")
            flat.append("" if depth else "?")
        elif quoted and character != '"':
            flat.append(character if re.match(f"[{kept}]", character) else "?")
        elif character == '"' and not depth:
            quoted = not quoted
        elif character == "(" or (character == ")" and depth):
            depth += 1 if character == "(" else -1
            flat.append(" ")
        elif not depth:
            flat.append(character)
    if quoted or depth:
        raise ValueError("a comment or a quotation does not end")
    return "".join(flat)
