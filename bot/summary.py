"""An incident in a few lines of plain text, for an agent who asks for it in a chat."""

from bot.model import IncidentDetails, TimelineEntry, tidy

LONGEST = 3000
"""Characters: chats cut what is longer than about 4,000."""

LONGEST_TEXT = 600
LONGEST_LINE = 200
LINES = 12
WAITING = frozenset({"failed", "uncertain"})


def summary(details: IncidentDetails) -> str:
    """Say what an incident is about, how sure that is, what was last said and done, and what did not arrive."""
    incident = details.incident
    said = f"{incident.category}, {_judged(details)}, {incident.priority}, assigned to {incident.assignee or 'nobody'}"
    ways = ", ".join(dict.fromkeys(to.channel for to in incident.addresses)) or "the conversation on the web"
    lines = [
        f"{incident.ticket_id}  {incident.status}, opened {incident.created_at:%Y-%m-%d %H:%M} UTC",
        said,
        f"Customer: {incident.customer_id}, answered by {ways}",
        f"> {_short(incident.message, LONGEST_TEXT)}",
        *_timeline(details.timeline),
        *(
            f"! {owed.kind} by {owed.channel}: {owed.status} ({owed.error})"
            for owed in details.notifications
            if owed.status in WAITING
        ),
    ]
    return _cut("\n".join(lines), LONGEST)


def _judged(details: IncidentDetails) -> str:
    incident = details.incident
    if incident.reviewed_by is not None:
        return f"confirmed by {incident.reviewed_by}"
    sure = "confidence unknown" if incident.confidence is None else f"{incident.confidence:.0%}"
    return f"{sure} by {incident.classified_by}" + (" (please confirm or change)" if incident.unsure else "")


def _timeline(timeline: tuple[TimelineEntry, ...]) -> list[str]:
    """The last lines of what happened after the message that the incident began with."""
    left_out = len(timeline) - LINES
    more = [f"… {left_out} earlier lines"] if left_out > 0 else []
    return more + [_line(entry) for entry in timeline[-LINES:]]


def _line(entry: TimelineEntry) -> str:
    text = _short(entry.text, LONGEST_LINE)
    what = f"{entry.what}: {text}" if text else entry.what
    return f"{entry.at:%m-%d %H:%M}  {entry.who}  {what}"


def _short(text: str, longest: int) -> str:
    return _cut(" ".join(tidy(text).split()), longest)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
