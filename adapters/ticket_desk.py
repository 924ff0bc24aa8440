"""The external ticket system, over a plain REST call: one POST opens a ticket."""

import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
import urllib3
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from bot.errors import ConfigurationError, TryLater, Undeliverable
from bot.model import Switch
from bot.ports import Clock, TicketDesk
from bot.settings import Duration, FromEnvironment

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

PASSING: Final = {408, 425, 429}
"""Refusals that are about now and not about the ticket (RFC 9110, RFC 8470, RFC 6585)."""

Authorise = Callable[[requests.PreparedRequest], requests.PreparedRequest]


class TicketDeskSettings(FromEnvironment):
    """Where tickets are opened. Without an address there is no external desk."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)

    ticket_api_url: SecretStr | None = Field(default=None, description="Address that opens a ticket on POST.")
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


class RestDesk:
    """A `TicketDesk` that posts JSON and reads an id. Safe to call from many threads, which share its connections.

    The incident id goes along as Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), so a desk that honours it
    gives the same ticket however often it is asked; that is why every unclear outcome is a TryLater here.
    """

    def __init__(self, settings: TicketDeskSettings, clock: Clock = lambda: datetime.now(UTC)) -> None:
        if settings.ticket_api_url is None:
            raise ConfigurationError("TICKET_API_URL is not set: there is no ticket desk to talk to.")
        url = urlsplit(settings.ticket_api_url.get_secret_value())
        host = url.netloc.rpartition("@")[2]
        self._url = urlunsplit(url._replace(netloc=host, fragment=""))
        self._where = f"The ticket desk at {url.scheme}://{host}"
        self._id_path = settings.ticket_id_field.split(".")
        self._within = settings.ticket_timeout.total_seconds()
        self._clock = clock
        self._session = _session(is_loopback=url.hostname in {"127.0.0.1", "::1", "localhost"})
        self._session.auth = _authorise(settings.ticket_api_token, url.username, url.password)
        # At DEBUG, and in a WARNING about odd headers, it writes whole addresses, which may hold credentials.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    def open(self, incident_id: str, category: str, message: str) -> str:
        """Open a ticket and return the desk's id of it: 1 to 64 printable characters.

        Raises TryLater if the desk cannot be reached, is busy, or answers without an id; Undeliverable if it refuses.
        Takes at most about three times TICKET_TIMEOUT: for connecting, for the first and for the last byte.
        """
        try:
            with self._post(incident_id, {"incident_id": incident_id, "category": category, "message": message}) as got:
                self._raise_for_status(got)
                return self._read_id(got)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            # Not "from exc": these texts hold the address with its path and query.
            reason = f"{self._where} did not answer ({type(exc).__name__})"
        raise TryLater(reason)

    def _post(self, key: str, ticket: dict[str, str]) -> requests.Response:
        return self._session.post(
            self._url,
            data=json.dumps({name: _sendable(value) for name, value in ticket.items()}),
            headers={"Idempotency-Key": key},
            timeout=(min(CONNECT_WITHIN, self._within), self._within),
            allow_redirects=False,
            stream=True,
        )

    def _raise_for_status(self, response: requests.Response) -> None:
        status = response.status_code
        if 200 <= status < 300 or status == 409:  # 409: see `_read_id`
            return
        if 300 <= status < 400:
            # Following would post the customer's message, and the token, somewhere else. It is a matter of settings,
            # and the ticket can be opened once they are right: so not Undeliverable.
            raise TryLater(f"{self._where} redirects ({status}); set TICKET_API_URL to the address behind it")
        if 400 <= status < 500 and status not in PASSING:
            raise Undeliverable(f"{self._where} refused the ticket ({status})")
        wait = _seconds(response.headers.get("Retry-After"), self._clock())
        raise TryLater(f"{self._where} answered {status}", wait)

    def _read_id(self, response: requests.Response) -> str:
        """The id in the answer. A 409 with an id names the ticket that exists already; one without says that the first
        request with this key is still being worked on (the draft's section 2.7)."""
        found = _at(self._id_path, _json(_body(response, time.monotonic() + self._within)))
        ticket = str(found).strip() if isinstance(found, str | int) and not isinstance(found, bool) else ""
        if ticket and len(ticket) <= ID_LIMIT and ticket.isprintable():
            return ticket
        raise TryLater(f"{self._where} answered without an id ({response.status_code})")


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


def _session(is_loopback: bool) -> requests.Session:
    """A session that many threads may share: it keeps no cookies, and nothing else in it changes.

    It follows the environment's proxy and certificate variables, which a company's network may need, except on this
    machine's loopback, which no proxy can reach.
    """
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
    connections = HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS, max_retries=0)
    session.mount("https://", connections)
    session.mount("http://", connections)
    return session


def _authorise(token: SecretStr | None, user: str | None, password: str | None) -> Authorise:
    """The token if there is one, else what the address holds, else nothing. Always something callable: without it,
    requests would look for the host in ~/.netrc and send what it finds there."""
    if token is None and user is not None:
        return HTTPBasicAuth(unquote(user).encode(), unquote(password or "").encode())

    def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        return request

    return bearer


def _sendable(text: str) -> str:
    """Half a surrogate pair is no Unicode text, and JSON parsers choke on it."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _body(response: requests.Response, deadline: float) -> bytes:
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
