"""Checks DKIM signatures (RFC 6376) with dkimpy, and keeps from it what would lead it astray or keep it busy."""

import re
import time
from collections.abc import Callable, Iterator
from itertools import islice
from logging import CRITICAL, Logger

import structlog

from adapters.mail.compose import DOMAIN

Dns = Callable[[str, float], bytes | None]
"""Takes a name and how many seconds the answer may take. Returns its TXT record, joined; None if there is none. Raises
whatever it likes if nobody can tell just now."""

DEADLINE = 5.0  # seconds, for all of the DNS
MOST_TRIED = 3
SMALLEST_KEY = 1024  # bits: RFC 8301, 3.2
LONGEST_RECORD = 1500  # bytes: a key of 8192 bits fits; one of 60,000 would take minutes
LONGEST_SIGNATURE = 4000  # bytes, and no more than 80 blanks in a row: dkimpy's patterns go back and forth over them
BLANKS = bytes.maketrans(b"\t\r\n\v\f", b"     ")
SILENT = Logger("dkimpy", CRITICAL + 1)  # dkimpy logs at the level of an error what a stranger wrote

log = structlog.get_logger()


def signed_for(domain: str, raw: bytes, signatures: list[bytes], dns: Dns | None) -> bool:
    """Return whether one of the signatures is good, covers From and the whole body, and speaks for this domain.

    `signatures` are the values of all DKIM-Signature headers of the mail, in their order. False where dkimpy is not
    installed. Never raises for what is in the mail or in the DNS.
    """
    try:
        import dkim
    except ImportError:
        return False

    keys = _Keys(domain, dns or txt)
    verifiers: dict[bool, dkim.DKIM] = {}
    for place, relaxed in islice(_candidates(domain, signatures), MOST_TRIED):
        try:
            if relaxed not in verifiers:
                mail = _relaxed(raw) if relaxed else raw
                verifiers[relaxed] = dkim.DKIM(mail, logger=SILENT, minkey=SMALLEST_KEY)
            if verifiers[relaxed].verify(place, dnsfunc=keys):
                return True
        except Exception as exc:  # dkimpy's own family, but also IndexError, ValueError, NameError and those of the DNS
            log.debug("dkim.not_verified", error=type(exc).__name__)
    return False


def aligned(signer: str, domain: str) -> bool:
    """Return whether a signature of `signer` speaks for mail from `domain`: itself, or a domain below it.

    DMARC's relaxed alignment needs the list of public suffixes, because it takes also the domain above and beside it.
    This needs none: who signs for what is below has it in their hands anyway, for they delegate it. Those who host
    others below their own domain and sign for them with it are not told apart, unless their key says t=s.
    """
    return signer == domain or ("." in signer and domain.endswith(f".{signer}"))


def txt(name: str, seconds: float) -> bytes | None:
    """Look up a TXT record; None if there is none. Raises dns.exception.DNSException if nobody could tell in time."""
    import dns.resolver

    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=seconds, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return None
    return b"".join(answer[0].strings)


class _Keys:
    """The DNS as dkimpy asks it, within the deadline of all questions together."""

    def __init__(self, domain: str, dns: Dns) -> None:
        self._domain = domain
        self._dns = dns
        self._until = time.monotonic() + DEADLINE

    def __call__(self, name: bytes, timeout: float = DEADLINE) -> bytes | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the DNS took too long")
        record = self._dns(name.decode("ascii").rstrip("."), left)
        signer = name.decode("ascii").rstrip(".").lower().partition("._domainkey.")[2]
        return record if record and self._counts(record, signer) else None

    def _counts(self, record: bytes, signer: str) -> bool:
        """RFC 6376, 3.6.1: t=y is a key under test, which proves no more than none; t=s is for no domain below."""
        if len(record) > LONGEST_RECORD:
            return False
        tags = _tags(record)
        flags, hashes = tags.get(b"t", b"").split(b":"), tags.get(b"h", b"sha256").split(b":")
        strict = b"s" in [flag.strip() for flag in flags] and signer != self._domain
        under_test = b"y" in [flag.strip() for flag in flags]
        return not strict and not under_test and b"sha256" in [name.strip() for name in hashes]


def _candidates(domain: str, signatures: list[bytes]) -> Iterator[tuple[int, bool]]:
    """Choose, before anybody asks the DNS, the signatures that could prove something: their place, and whether white
    space in the body is relaxed."""
    from dkim.util import InvalidTagValueList

    for place, signature in enumerate(signatures):
        try:
            tags = {} if _would_take_long(signature) else _tags(signature)
        except InvalidTagValueList:
            continue
        if _could_prove(domain, tags):
            yield place, tags.get(b"c", b"").lower().partition(b"/")[2].strip() == b"relaxed"


def _could_prove(domain: str, tags: dict[bytes, bytes]) -> bool:
    """SHA-1 is broken (RFC 8301, 3.1), and with l= anybody may go on writing below what was signed."""
    signer = tags.get(b"d", b"").decode("ascii", "replace").lower()
    selector = tags.get(b"s", b"").decode("ascii", "replace")
    return (
        tags.get(b"a") == b"rsa-sha256"
        and b"l" not in tags
        and b"from" in re.split(rb"\s*:\s*", tags.get(b"h", b"").lower())
        and DOMAIN.fullmatch(signer) is not None
        and DOMAIN.fullmatch(selector) is not None
        and aligned(signer, domain)
    )


def _tags(written: bytes) -> dict[bytes, bytes]:
    from dkim.util import parse_tag_value

    read: Callable[[bytes], dict[bytes, bytes]] = parse_tag_value
    return read(written)


def _would_take_long(signature: bytes) -> bool:
    return len(signature) > LONGEST_SIGNATURE or b" " * 81 in signature.translate(BLANKS)


def _relaxed(raw: bytes) -> bytes:
    """Do to the body what "relaxed" does to white space (RFC 6376, 3.4.4), which done twice is the same as done once.

    dkimpy looks for the white space at line ends in a time that grows with the square of a run's length: a megabyte of
    blanks would keep it busy for days.
    """
    end = re.search(rb"\r?\n\r?\n", raw)
    if end is None:
        return raw
    body = re.sub(rb"[ \t]+", b" ", raw[end.end() :])
    return raw[: end.end()] + body.replace(b" \r\n", b"\r\n").replace(b" \n", b"\n")
