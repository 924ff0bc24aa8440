"""What stands in the app's home in Slack: to an agent what there is to do, to anybody else their own tickets. Pure
functions from what the core says to the view that Slack shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.slack.blocks import (
    HEADER,
    LABEL,
    QUOTED,
    SECTION,
    Block,
    _button,
    _context,
    _pieces,
    _plain,
    _section,
    _short,
)
from bot.model import Incident, Workload

LISTED: Final = 20
"""Incidents of a list. Slack takes 100 blocks in a view, of 250 kB in all; an agent's home has two lists with two for
each."""

QUOTE: Final = 300
LOOKED_AT: Final = 2000
"""Characters of a text that are read at all: there may be 40 texts of 40,000 in a home."""

NAME: Final = 80

BUTTONS: Final = (("assign", "Assign to me"), ("reply", "Reply"), ("resolve", "Resolve"))
"""Those of the agents' card, by which all is done that a home is for."""

REPORT: Final = "report"
"""The button that opens the form."""

NOTHING_OF_YOURS: Final = "Nothing is assigned to you. *Assign to me*, at an incident below, makes it yours."
NOTHING_OPEN: Final = "Nothing is open. What customers write to us stands here, with what is urgent at the top."
NO_OTHERS: Final = "Everything that is open is yours."
NOTHING_REPORTED: Final = (
    "You have reported nothing yet. Is something wrong? Press *Report a problem*, or write to me under *Messages*."
)

View = dict[str, Any]
Names = Mapping[str, str]
"""What people are called, by their keys."""


def home_of_agent(work: Workload, names: Names, now: datetime, says: str = "") -> View:
    """The home of an agent. `says` is what became of the button that was pressed last."""
    counts = f"{work.number_own} assigned to you · {work.number_open} open · {work.number_urgent} urgent"
    blocks = [*_said(says), _header(counts), _as_of(now)]
    if not work.number_open:
        return _view([*blocks, _section(NOTHING_OPEN)])
    number_of_others = work.number_open - work.number_own
    blocks += _list("Assigned to you", work.own, work.number_own, NOTHING_OF_YOURS, names, now)
    blocks += _list("Open", work.others, number_of_others, NO_OTHERS, names, now)
    return _view(blocks)


def home_of_customer(found: Sequence[Incident], now: datetime, says: str = "") -> View:
    """The home of anybody else: how what they reported stands, and nothing that is decided inside. Of `found`, the
    youngest first, LISTED are shown."""
    number_open = sum(incident.status == "open" for incident in found[:LISTED])
    title = f"Your tickets: {number_open} open" if found else "Your tickets"
    report = {"type": "actions", "elements": [_button(REPORT, "Report a problem", REPORT)]}
    blocks = [*_said(says), _header(title), _as_of(now), report]
    blocks += [_of_customer(incident) for incident in found[:LISTED]] or [_section(NOTHING_REPORTED)]
    if len(found) > LISTED:
        blocks.append(_context([f"Older tickets than these {LISTED} are not shown."]))
    return _view(blocks)


def named_in(work: Workload) -> set[str]:
    """Everybody who is named in an agent's home."""
    shown = (*work.own, *work.others)
    customers = {incident.customer_id for incident in shown if _is_from_slack(incident)}
    return customers | {incident.assignee for incident in shown if incident.assignee}


def _view(blocks: list[Block]) -> View:
    return {"type": "home", "blocks": blocks}


def _said(says: str) -> list[Block]:
    """What is to be said before all else."""
    return [_section(f":information_source: {_short(says, SECTION // 2)}"), {"type": "divider"}] if says else []


def _header(text: str) -> Block:
    return {"type": "header", "text": _plain(text, HEADER)}


def _as_of(now: datetime) -> Block:
    return _context([f"As it stood {_time(now)}. Opening this tab looks again."])


def _list(title: str, shown: Sequence[Incident], number: int, nothing: str, names: Names, now: datetime) -> list[Block]:
    blocks: list[Block] = [{"type": "divider"}, _section(f"*{title}*" if number else f"*{title}*\n{nothing}")]
    for incident in shown:
        blocks += [_of_agent(incident, names, now), _buttons(incident)]
    if number > len(shown):
        blocks.append(_context([f"{number - len(shown)} more wait behind these. `/ticket list` lists the youngest."]))
    return blocks


def _of_agent(incident: Incident, names: Names, now: datetime) -> Block:
    """An incident in three lines: what it is, whose it is and how it stands, what the customer wrote."""
    is_about = incident.category.replace("_", " ").capitalize()
    priority = "*URGENT*" if incident.priority == "urgent" else incident.priority
    head = f"*{_ticket(incident)}* · {priority} · {is_about} · {_age(now - incident.created_at)} old"
    assigned = f"assigned to {_who(incident.assignee, names)}" if incident.assignee else "assigned to nobody"
    again = f" again since {_time(incident.last_opened_at)}" if _is_reopened(incident) else ""
    customer = _who(incident.customer_id, names if _is_from_slack(incident) else {})
    status = f"{customer} · {incident.status}{again}, {assigned}"
    return _section("\n".join([head, status, *_quote(incident)]))


def _of_customer(incident: Incident) -> Block:
    """A ticket as its customer sees it: nothing is read here but what they wrote themselves, and whether it is
    solved."""
    if incident.status == "resolved":
        state = f"*solved* since {_time(incident.resolved_at)}"
    else:
        state = "*open* again since" if _is_reopened(incident) else "*open* since"
        state += f" {_time(incident.last_opened_at or incident.created_at)}"
    return _section("\n".join([f"*{_ticket(incident)}* · {state}", *_quote(incident)]))


def _buttons(incident: Incident) -> Block:
    elements = [_button(name, label, incident.ticket_id) for name, label in BUTTONS]
    return {"type": "actions", "elements": elements}


def _ticket(incident: Incident) -> str:
    return _short(incident.ticket_id, LABEL)


def _who(person: str, names: Names) -> str:
    """A person's name and key. The isolate keeps a name that is written from right to left from turning round what
    stands beside it (UAX #9)."""
    key = _short(" ".join(person[:LOOKED_AT].split()), NAME)
    return f"\u2068{_short(names[person], NAME)}\u2069 ({key})" if person in names else key


def _quote(incident: Incident) -> list[str]:
    """The beginning of what the customer wrote, behind a bar; nothing if they have taken it back."""
    return [f"> {piece}" for piece in _pieces(incident.message[:LOOKED_AT], QUOTE, QUOTE, QUOTED)]


def _is_from_slack(incident: Incident) -> bool:
    """Whether Slack says who the customer is: whoever brings an incident by the API may write there what they like."""
    return incident.channel == "slack" and not incident.reporter


def _is_reopened(incident: Incident) -> bool:
    return incident.openings > 1


def _time(at: datetime | None) -> str:
    """A time as the clock of whoever looks shows it (docs.slack.dev, "Formatting message text"). It is ours: no word
    of anybody's is in it."""
    if at is None:
        return "some time"
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def _age(time: timedelta) -> str:
    """A length of time in words, in minutes, hours, or (from two days on) days."""
    minutes = max(1, round(time.total_seconds() / 60))
    if minutes < 60:
        return _counted(minutes, "minute")
    return _counted(round(minutes / 60), "hour") if minutes < 2 * 1440 else _counted(round(minutes / 1440), "day")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
