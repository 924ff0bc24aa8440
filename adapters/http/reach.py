"""Which incidents a caller reaches."""

from bot.errors import NotFound
from bot.model import Caller, IncidentDetails, Received, Role
from bot.ports import Views


def find(views: Views, name: str, caller: Caller) -> IncidentDetails | Received:
    """Find an incident that the caller may see: an agent every one, a reporter what they reported themselves. Raises
    NotFound, for somebody else's with the words for one that does not exist."""
    if caller.may(Role.AGENT):
        return views.incident(name)
    unknown = NotFound(f"No incident goes by {name[:64]!r}.")
    try:
        found = views.incident(name)
    except NotFound:
        raise unknown from None  # its own words may be the numbers of other people's tickets
    reporter = found.reporter if isinstance(found, Received) else found.incident.reporter
    if reporter != caller.name:
        raise unknown
    return found
