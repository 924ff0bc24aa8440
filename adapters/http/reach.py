"""Which incidents a caller reaches."""

from bot.errors import NotFound
from bot.model import Caller, Incident, IncidentDetails, Received, Role, tidy
from bot.ports import Views


def find(views: Views, name: str, caller: Caller, whole: bool = False) -> IncidentDetails | Received:
    """Find an incident that the caller may see: an agent every one, a reporter what they reported themselves. Raises
    NotFound, for somebody else's with the words for one that does not exist.

    `whole`: for what changes something, the beginning of a ticket number will not do.
    """
    if caller.may(Role.AGENT):
        return _whole(views.incident(name), name) if whole else views.incident(name)
    unknown = NotFound(f"No incident goes by {name[:64]!r}.")
    try:
        found = views.incident(name)
    except NotFound:
        raise unknown from None  # its own words may be the numbers of other people's tickets
    reporter = found.reporter if isinstance(found, Received) else found.incident.reporter
    if reporter != caller.name:
        raise unknown
    return _whole(found, name) if whole else found


def _whole(found: IncidentDetails | Received, name: str) -> IncidentDetails | Received:
    if isinstance(found, IncidentDetails) and _only_begins(found.incident, name):
        raise NotFound(f"No incident goes by {name[:64]!r}. Did you mean {found.incident.ticket_id}?")
    return found


def _only_begins(incident: Incident, name: str) -> bool:
    number, written = (text.lower().removeprefix("tkt-") for text in (incident.ticket_id, tidy(name)))
    return number.startswith(written) and number != written
