"""Logging: named events with values, and a redactor as the last step before anything is written.

An event's name is `subject.what_happened`, past tense; the steps of a message's way are the names in `WAY`.
"""

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any

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

_PRIVATE = re.compile(
    r"(?P<mail>[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8})"
    r"|(?P<credentials>(?<=://)[^/\s@]{1,256}@)"
    r"|(?P<token>\b(?:xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|AIza[\w-]{20,}|\d{6,12}:[\w-]{30,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|(?i:bearer|basic)\s+[\w.~+/=-]{8,}))"
    r"|(?P<number>\+?\d(?:[ .-]?\d){8,18}\b)"
)
_QUIET = {"httpx": "WARNING", "urllib3": "WARNING", "apscheduler": "WARNING", "uvicorn": "WARNING", "peewee": "WARNING"}
_secrets: set[str] = set()

Event = MutableMapping[str, Any]


def hide(secrets: Iterable[str]) -> None:
    """Never let these texts appear in a log line. Shorter ones than 6 characters are passed over: they would black out
    ordinary words."""
    _secrets.update(secret for secret in secrets if len(secret) >= 6)


def forget_secrets() -> None:
    """Undo `hide`."""
    _secrets.clear()


def redact_text(text: str) -> str:
    """Replace secrets, mail addresses, phone numbers and card numbers by what kind of thing they are."""
    for secret in _secrets:
        text = text.replace(secret, "[secret]")
    return _PRIVATE.sub(lambda match: f"[{match.lastgroup}]", text)


def redact(logger: Any, method: str, event: Event) -> Event:
    """Structlog's last processor before the renderer: redact every text, however deep."""
    for key, value in event.items():
        if key not in _SAFE:
            event[key] = _redacted(value)
    return event


_SAFE = frozenset({"timestamp", "level", "incident_id"})


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return redact_text(value)
        case bool() | int() | float() | None:
            return value
        case dict():
            return {key: _redacted(item) for key, item in value.items()}
        case list() | tuple():
            return [_redacted(item) for item in value]
        case _:
            return redact_text(repr(value))


def set_up(level: str = "INFO", style: str = "console") -> None:
    """Write our events and those of the libraries to stderr, in one form. `style`: console or json."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=26, sort_keys=False)
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
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=[remove_meta, *last]))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)
