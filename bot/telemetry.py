"""Logging: named events with values, and a redactor as the last step before anything is written.

An event's name is `subject.what_happened`, past tense; the steps of a message's way are the names in `WAY`.
"""

import logging
import re
import sys
import threading
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from typing import Any, TextIO
from urllib.parse import quote

import structlog

WAY = (
    "message.accepted",
    "message.classified",
    "ticket.created",
    "incident.opened",
    "notification.handed_over",
    "notification.sent",
    "follow_up.claimed",
    "reminder.stored",
)

_UUID = r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])"
_DAY = r"(?<!\d)(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)"
_TIME = r"(?:[T ][0-2]\d:[0-5]\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-][01]\d:?[0-5]\d)?)?"
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IP = rf"(?<![\d.+]){_BYTE}(?:\.{_BYTE}){{3}}(?![\d.])(?::\d{{1,5}}(?!\d))?"

_WORDS = re.compile(
    # user:password@ in an address, as RFC 3986 has it, or with an @ or / that ought to have been encoded
    r"(?P<credentials>(?<=://)(?:[^\s/@]{1,256}@){1,4}"
    r"|(?<=://)[^\s/:@\[]{1,128}:(?!\d{1,5}[/?#])[^\s@]{1,256}@(?:[^\s/@]{1,256}@){0,3})"
    r"|(?P<mail>(?:\w[\w.!#$%&'*+^`{|}~-]{0,63}|\"[^\"\s@][^\"\n@]{0,62}\")"
    r"(?:@|%40)(?:[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}|\[[\w.:]{1,64}\]))"
    # harmless, and to be read: ids, times, IP addresses with port, fractions, ticket numbers, words of hex digits
    rf"|(?P<kept>{_UUID}|{_DAY}{_TIME}|{_IP}|(?<![\d.+])0\.\d{{1,20}}(?![\d.])"
    r"|(?<![0-9A-Za-z])TKT-[0-9A-Za-z-]{1,32}(?![0-9A-Za-z-])"
    r"|(?<![0-9A-Za-z%+])(?=\d{0,63}[a-f])[0-9a-f]{8,64}(?![0-9A-Za-z]))"
    r"|(?P<hook>(?<=hooks\.slack\.com)/(?:services|workflows|triggers)/[^\s\"'<>]{1,512})"
    r"|(?P<token>xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|AIza[\w-]{20,}|ya29\.[\w-]{16,}|AQ\.[\w-]{20,}"
    rf"|(?<!\d)\d{{6,12}}(?::|%3[Aa])(?!{_UUID})[\w-]{{30,}}"
    r"|(?:(?<![\w-])eyJ[\w-]{8,}|eyJ[\w-]{8,128}+)\.[\w-]{8,}(?:\.[\w-]*)?|(?i:\bbearer)\s{1,8}[\w.~+/=-]{8,}"
    r"|(?i:\bbasic)\s{1,8}(?=[a-z]{0,64}[A-Z0-9+/=])[A-Za-z0-9+/]{6,}={0,2})"
    # name=value or "name": "value" where the name says that the value is secret
    r"|(?P<name>(?i:[?&](?:key|sig|code|auth)|pass(?:word|wd)|secret|token|signature|api[_-]?key)"
    r"(?:=[\"']?|[\"']\s{0,4}:\s{0,4}[\"']))(?P<secret>[^\s&#\"'<>,;)}\]]{1,512})"
    # as written in any country; an address, a date or an id after it is none of it
    rf"|(?P<number>(?:\+[ (]?\d(?:[ .()\u00a0\u2011-]{{0,2}}(?!{_DAY}|{_IP}|{_UUID})\d){{6,30}}"
    rf"|\(?\d(?:[ .()\u00a0\u2011-]{{0,2}}(?!{_DAY}|{_IP}|{_UUID})\d){{8,30}}))"
)
_PLAIN_WORD = re.compile(r"[a-z_.]{0,63}")
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_LINE_ENDS = {ord("\n"): "\\n", 0x2028: "\\n", 0x2029: "\\n"}
_QUIET = {
    "httpx": "WARNING",
    "urllib3": "WARNING",
    "apscheduler": "WARNING",
    "uvicorn": "WARNING",
    "peewee": "WARNING",
    "mail.log": "ERROR",  # aiosmtpd's: below that it repeats what clients say
}
_SAFE = frozenset({"timestamp", "level"})
_DEEPEST = 8

_writing = threading.Lock()
_secrets: frozenset[str] = frozenset()
_hidden: re.Pattern[str] | None = None

Event = MutableMapping[str, Any]


def hide(secrets: Iterable[str]) -> None:
    """Never let these texts appear in a log line, nor as they look within a URL. Shorter ones than 6 characters are
    passed over: they would black out ordinary words."""
    long_enough = {secret for secret in secrets if len(secret) >= 6}
    _remember(_secrets | long_enough | {quote(secret, safe="", errors="replace") for secret in long_enough})


def forget_secrets() -> None:
    """Undo `hide`."""
    _remember(frozenset())


def _remember(secrets: frozenset[str]) -> None:
    """The longest come first: where one is the beginning of another, the whole of that one has to go."""
    global _secrets, _hidden
    _secrets = secrets
    _hidden = (
        re.compile("|".join(re.escape(each) for each in sorted(secrets, key=len, reverse=True))) if secrets else None
    )


def redact_text(text: str) -> str:
    """Replace secrets, mail addresses, phone numbers and card numbers by what kind of thing they are. Ids, times, IP
    addresses and ticket numbers stay. Takes time in proportion to the length of the text."""
    if _hidden is not None:
        text = _hidden.sub("[secret]", text)
    if _PLAIN_WORD.fullmatch(text):  # most values are, and need not be looked through
        return text
    return _WORDS.sub(_name, text).translate(_CONTROL)


def _name(match: re.Match[str]) -> str:
    kind = match.lastgroup
    return match[0] if kind == "kept" else f"{match['name'] or ''}[{kind}]"


def redact(logger: Any, method: str, event: Event) -> Event:
    """Structlog's last processor before the renderer: redact every text, however deep. An event keeps to its line."""
    for key, value in event.items():
        if key not in _SAFE:
            event[key] = _redacted(value, _DEEPEST)
    event["event"] = str(event.get("event", "")).translate(_LINE_ENDS)
    return event


def _redacted(value: Any, depth: int) -> Any:
    match value:
        case str():
            return redact_text(str(value))
        case bool() | float() | None:
            return value
        case int() if abs(value) < 10**18:
            return value
        case dict() if depth:
            return {redact_text(_shown(key)): _redacted(item, depth - 1) for key, item in value.items()}
        case list() | tuple() if depth:
            return [_redacted(item, depth - 1) for item in value]
        case _:
            return redact_text(_shown(value))


def _shown(value: Any) -> str:
    """Say what a value is. One that cannot say so itself must not keep the event from being written."""
    try:
        return value if isinstance(value, str) else repr(value)
    except Exception as exc:
        return f"<{type(value).__name__}, whose repr failed: {type(exc).__name__}>"


class _Lines:
    """Writes lines to stderr. One that cannot be written (the disk is full, whoever read it has gone) is lost: it must
    not end the thread that had something to say."""

    def __init__(self, stderr: TextIO) -> None:
        self._stderr = stderr

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError), _writing:
            self._stderr.write(f"{line}\n")
            self._stderr.flush()

    debug = info = warning = error = msg


def set_up(level: str = "INFO", style: str = "console") -> None:
    """Write our events and those of the libraries to stderr, in one form. `style`: console or json."""
    stderr = sys.stderr
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=26,
            sort_keys=False,
            exception_formatter=structlog.dev.plain_traceback,  # the others show the variables of each frame
        )
    )
    first: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = [structlog.processors.format_exc_info, redact, renderer]
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=lambda *args: _Lines(stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=[remove_meta, *last]))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)
