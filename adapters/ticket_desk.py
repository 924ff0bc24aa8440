"""The external ticket system, over plain REST calls: a POST opens a ticket, a PATCH closes or reopens it."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from bot.errors import ConfigurationError, TryLater, Undeliverable
from bot.model import Switch
from bot.ports import Clock, TicketDesk
from bot.settings import Duration, FromEnvironment

if TYPE_CHECKING:
    import requests

ANSWER_LIMIT: Final = 64 * 1024
"""Bytes of an answer that are read."""

ID_LIMIT: Final = 64
"""Characters of a desk's id."""

LONGEST_WAIT: Final = 3600
"""Seconds that a desk may ask us to wait."""

CONNECT_WITHIN: Final = 3.05
"""Seconds; a little more than a multiple of 3, TCP's first retransmission, as the documentation of requests advises."""

CONNECTIONS: Final = 32
"""Connections that are kept open at most."""

PASSING: Final = {408, 409, 425, 429}
"""Refusals that are about now and not about the ticket (RFC 9110, RFC 8470, RFC 6585). 409: the first request with this
key is still being worked on (draft-ietf-httpapi-idempotency-key-header, section 2.7)."""

ID: Final = "{id}"
"""Where the id of the ticket goes in TICKET_UPDATE_URL."""

UNKNOWN: Final = "does not know the ticket"
UNCHANGEABLE: Final = "cannot change tickets at this address; set TICKET_UPDATE_URL to the one that does"

Result = TypeVar("Result")
Authorise = Callable[["requests.PreparedRequest"], "requests.PreparedRequest"]


class TicketDeskSettings(FromEnvironment):
    """Where tickets are opened, closed and reopened. Without an address there is no external desk."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    ticket_api_url: SecretStr | None = Field(default=None, description="Address that opens a ticket on POST.")
    ticket_update_url: SecretStr | None = Field(
        default=None,
        description="Address that changes a ticket on PATCH, `{id}` being its id. Not set: TICKET_API_URL and /{id}.",
    )
    ticket_api_token: SecretStr | None = Field(default=None, description="Sent to the ticket desk as a bearer token.")
    ticket_id_field: str = Field(
        default="id", pattern=r"^[^.]+(\.[^.]+)*$", description="Where the answer holds the id, such as ticket.number."
    )
    ticket_timeout: Duration = Field(
        default=timedelta(seconds=3), gt=timedelta(0), description="How long the ticket desk may take to answer."
    )

    @field_validator("ticket_api_url")
    @classmethod
    def _is_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check(value.get_secret_value())
        return value

    @field_validator("ticket_update_url")
    @classmethod
    def _is_an_address_of_one_ticket(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_update(value.get_secret_value())
        return value


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What one kind of request goes to. `where` names it in errors, `setting` is the variable to look at, `refusals`
    says what certain statuses mean here."""

    method: str
    url: str = field(repr=False)
    where: str
    setting: str
    authorise: Authorise
    refusals: Mapping[int, str]


class RestDesk:
    """A `TicketDesk` that sends JSON and reads an id. Safe to call from many threads, which share its connections.

    Every request carries an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), so a desk that honours it does
    the same thing once however often it is asked; that is why every unclear outcome is a TryLater here.
    """

    def __init__(self, settings: TicketDeskSettings, clock: Clock = lambda: datetime.now(UTC)) -> None:
        if settings.ticket_api_url is None:
            raise ConfigurationError("TICKET_API_URL is not set: there is no ticket desk to talk to.")
        opens, token = settings.ticket_api_url.get_secret_value(), settings.ticket_api_token
        given = settings.ticket_update_url
        changes = given.get_secret_value() if given else _below(opens)
        self._opens = _endpoint("POST", opens, "TICKET_API_URL", token, {})
        self._changes = _endpoint(
            "PATCH",
            changes,
            "TICKET_UPDATE_URL",
            token,
            {404: UNKNOWN, 410: UNKNOWN, 405: UNCHANGEABLE, 501: UNCHANGEABLE},
        )
        self._id_path = settings.ticket_id_field.split(".")
        self._within = settings.ticket_timeout.total_seconds()
        self._clock = clock
        self._session = _session(is_loopback=urlsplit(opens).hostname in {"127.0.0.1", "::1", "localhost"})
        # At DEBUG, and in a WARNING about odd headers, it writes whole addresses, which may hold credentials.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    def open(self, incident_id: str, category: str, message: str) -> str:
        """Open a ticket and return the desk's id of it: 1 to 64 printable characters.

        Raises TryLater if the desk cannot be reached, is busy, or answers without an id; Undeliverable if it refuses.
        Takes at most about three times TICKET_TIMEOUT: for connecting, for the first and for the last byte.
        """
        ticket = {"incident_id": incident_id, "category": category, "message": message}
        return self._call(self._opens, self._opens.url, incident_id, ticket, self._opened)

    def update(self, external_id: str, status: str, note: str, key: str) -> None:
        """Set the status, `open` or `closed`, of the ticket that has this id at the desk. Any 2xx will do.

        Raises TryLater if the desk cannot be reached or is busy; Undeliverable if it does not know the ticket, cannot
        change tickets, or refuses. Takes at most about twice TICKET_TIMEOUT.
        """
        if external_id in {"", ".", ".."}:  # such a segment is dropped on the way, and another address is asked
            raise Undeliverable("the desk's id of this ticket cannot be put into an address")
        url = self._changes.url.replace(ID, quote(external_id, safe=""))
        self._call(self._changes, url, key, {"status": status, "note": note}, self._changed)

    def _call(
        self, to: Endpoint, url: str, key: str, body: dict[str, str], read: "Callable[[requests.Response], Result]"
    ) -> Result:
        """Ask once, and return what `read` makes of the answer."""
        import requests
        import urllib3

        try:
            with self._send(to, url, key, body) as got:
                return read(got)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            # Not "from exc": these texts hold the address with its path and query.
            reason = f"{to.where} did not answer ({type(exc).__name__})"
        raise TryLater(reason)

    def _send(self, to: Endpoint, url: str, key: str, body: dict[str, str]) -> "requests.Response":
        return self._session.request(
            to.method,
            url,
            data=json.dumps({name: _sendable(value) for name, value in body.items()}),
            headers={"Idempotency-Key": key},
            auth=to.authorise,
            timeout=(min(CONNECT_WITHIN, self._within), self._within),
            allow_redirects=False,
            stream=True,
        )

    def _opened(self, response: "requests.Response") -> str:
        if response.status_code != 409:  # see `_read_id`
            self._raise_for_status(self._opens, response)
        return self._read_id(response)

    def _changed(self, response: "requests.Response") -> None:
        self._raise_for_status(self._changes, response)

    def _raise_for_status(self, of: Endpoint, response: "requests.Response") -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            # Following would send what a person wrote, and the token, somewhere else. It is a matter of settings,
            # and the request can be made once they are right: so not Undeliverable.
            raise TryLater(f"{of.where} redirects ({status}); set {of.setting} to the address behind it")
        if status in of.refusals:
            raise Undeliverable(f"{of.where} answered {status}: it {of.refusals[status]}")
        if 400 <= status < 500 and status not in PASSING:
            raise Undeliverable(f"{of.where} refused the ticket ({status})")
        wait = _seconds(response.headers.get("Retry-After"), self._clock())
        raise TryLater(f"{of.where} answered {status}", wait)

    def _read_id(self, response: "requests.Response") -> str:
        """The id in the answer. A 409 with an id names the ticket that exists already; one without is for later, as
        `PASSING` says."""
        found = _at(self._id_path, _json(_body(response, time.monotonic() + self._within)))
        ticket = str(found).strip() if isinstance(found, str | int) and not isinstance(found, bool) else ""
        if ticket and len(ticket) <= ID_LIMIT and ticket.isprintable():
            return ticket
        raise TryLater(f"{self._opens.where} answered without an id ({response.status_code})")


def desk(settings: TicketDeskSettings) -> TicketDesk | None:
    """Build the desk, or None if TICKET_API_URL is not set. Calls nobody yet."""
    return RestDesk(settings) if settings.ticket_api_url else None


def desks() -> list[TicketDesk]:
    """Read the settings and return the desk that they name, if they do."""
    found = desk(TicketDeskSettings.read())
    return [] if found is None else [found]


def switches() -> list[Switch]:
    """Say where ticket numbers come from."""
    settings = TicketDeskSettings.read()
    if settings.ticket_api_url is None:
        return [Switch("ticket desk", False, "numbers are our own; TICKET_API_URL asks a desk for them")]
    return [Switch("ticket desk", True, urlsplit(settings.ticket_api_url.get_secret_value()).hostname or "")]


def _check(address: str) -> None:
    """Raise ValueError, without the address in it, unless one can post to it."""
    try:
        url = urlsplit(address)
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("must be an address such as https://desk.example/api/tickets")


def _check_update(address: str) -> None:
    """Raise ValueError, without the address in it, unless one can put an id into it and send to it."""
    _check(address)
    url = urlsplit(address)
    if ID in url.netloc or ID not in url.path + url.query:
        raise ValueError(f"must hold {ID} in its path or query, as in https://desk.example/api/tickets/{ID}")


def _below(address: str) -> str:
    """The address of one ticket, where all are at `address`: its path, a slash and the id; no query."""
    url = urlsplit(address)
    return urlunsplit(url._replace(path=f"{url.path.rstrip('/')}/{ID}", query="", fragment=""))


def _endpoint(
    method: str, address: str, setting: str, token: SecretStr | None, refusals: Mapping[int, str]
) -> Endpoint:
    """Take the credentials out of the address: they go into a header."""
    url = urlsplit(address)
    host = url.netloc.rpartition("@")[2]
    return Endpoint(
        method=method,
        url=urlunsplit(url._replace(netloc=host, fragment="")),
        where=f"The ticket desk at {url.scheme}://{host}",
        setting=setting,
        authorise=_authorise(token, url.username, url.password),
        refusals=refusals,
    )


def _session(is_loopback: bool) -> "requests.Session":
    """A session that many threads may share: it keeps no cookies, and nothing else in it changes.

    It follows the environment's proxy and certificate variables, which a company's network may need, except on this
    machine's loopback, which no proxy can reach.
    """
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.trust_env = not is_loopback
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update(
        {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": "firstline",
        }
    )
    connections = HTTPAdapter(pool_connections=2, pool_maxsize=CONNECTIONS, max_retries=0)
    session.mount("https://", connections)
    session.mount("http://", connections)
    return session


def _authorise(token: SecretStr | None, user: str | None, password: str | None) -> Authorise:
    """The token if there is one, else what the address holds, else nothing. Always something callable: without it,
    requests would look for the host in ~/.netrc and send what it finds there."""
    if token is None and user is not None:
        from requests.auth import HTTPBasicAuth

        return HTTPBasicAuth(unquote(user).encode(), unquote(password or "").encode())

    def bearer(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        return request

    return bearer


def _sendable(text: str) -> str:
    """Half a surrogate pair is no Unicode text, and JSON parsers choke on it."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _body(response: "requests.Response", deadline: float) -> bytes:
    """Read the answer as it arrives, at most 64 KB of it, until `deadline` (on the monotonic clock)."""
    body = b""
    while chunk := response.raw.read1(ANSWER_LIMIT, decode_content=True):
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise ValueError("too large")
        if time.monotonic() > deadline:
            raise TimeoutError("too slow")
    return body


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _at(path: list[str], value: Any) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110, section 10.2.3), as 0 to 3,600 seconds from `now`; None if there
    is none that can be read."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), LONGEST_WAIT))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return min(max(wait.total_seconds(), 0.0), float(LONGEST_WAIT))
