"""Calls to Twilio's REST API, over plain requests.

An error of Twilio's is told by its number and what it means, never in its own words: those may hold what was sent.
"""

import json
import logging
import re
import threading
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final

from adapters.twilio.settings import TwilioSettings
from bot.errors import Blocked, ConfigurationError, DeliveryFailed, TryLater, Uncertain, Undeliverable

if TYPE_CHECKING:
    import requests

ANSWER_LIMIT: Final = 512 * 1024
"""Bytes of an answer that are read."""

LONGEST_WAIT: Final = 3600
"""Seconds that Twilio may ask us to wait."""

CONNECTIONS: Final = 32
WRONG_KEYS: Final = "it does not know us; are TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN of one account, and right?"
URL: Final = "is TWILIO_API_URL right, and may this machine go there?"

OPTED_OUT: Final = 21610
OUTSIDE_WINDOW: Final = 63016
TOO_MANY: Final = frozenset({20429, 14107, 21611, 30001, 63018, 63038})
NOT_REACHED: Final = frozenset({OPTED_OUT, 63003, 63015})
"""The person has stopped us, or is not there; it is not about this text."""

MEANINGS: Final[Mapping[int, str]] = {
    20003: WRONG_KEYS,
    21211: "this is no telephone number",
    21408: "the account may not send to this country; allow it in the console (Messaging, Geo permissions)",
    21606: "what it is sent from is not of this account, or takes no texts; see TWILIO_SMS_FROM",
    21610: "the customer has opted out (STOP)",
    21612: "it cannot be sent there from TWILIO_SMS_FROM",
    21614: "this is no number of a mobile telephone",
    21617: "the text is too long",
    21656: "the template takes other variables than {{1}} and {{2}}",
    21703: "the Messaging Service has no number",
    30003: "the telephone cannot be reached now",
    30004: "the customer has blocked our number",
    30005: "there is no such telephone",
    30006: "it is a landline, or its carrier cannot be reached",
    30007: "a carrier's filter took it for spam",
    30008: "the carrier did not say why",
    30034: "the number is not registered for A2P 10DLC",
    63003: "there is nobody on WhatsApp with this number",
    63007: "TWILIO_WHATSAPP_FROM is no WhatsApp sender of this account",
    63013: "it is against WhatsApp's policy",
    63015: "the customer has not joined the sandbox",
    63016: "more than 24 hours after their last message WhatsApp takes templates only",
    63024: "this is no number that WhatsApp sends to",
}
"""What Twilio's errors mean (twilio.com/docs/api/errors)."""


class Refused(Undeliverable):
    """Raised when Twilio refuses a text for good. `code` is the number of its error, 0 if it told none."""

    def __init__(self, code: int, status: int) -> None:
        super().__init__(f"Twilio refused it: {meaning(code, status)}")
        self.code = code


def meaning(code: int, status: int = 0) -> str:
    """Say what an error of Twilio's is, with its number."""
    if not code:
        return f"it answered {status}" if status else "it did not say why"
    return f"{MEANINGS.get(code, f'see twilio.com/docs/api/errors/{code}')} ({code})"


class TwilioApi:
    """Asks Twilio for one account. Safe to call from many threads, which share its connections."""

    def __init__(self, settings: TwilioSettings) -> None:
        if settings.twilio_account_sid is None or settings.twilio_auth_token is None:
            raise ConfigurationError(
                "TWILIO_ACCOUNT_SID or TWILIO_AUTH_TOKEN is not set: the Twilio console shows both."
            )
        self.root = f"{settings.twilio_api_url}/2010-04-01/Accounts/{settings.twilio_account_sid}"
        self._sid = settings.twilio_account_sid
        self._token = settings.twilio_auth_token
        self._step = settings.twilio_timeout.total_seconds()
        self._opening = threading.Lock()
        self._session: requests.Session | None = None
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # at DEBUG it writes whole addresses

    def create(self, form: Mapping[str, str], until: float) -> str:
        """Send a message, by `until` on the monotonic clock, and return its SID. Raises TryLater, Uncertain, Blocked or
        Refused."""
        answer = self._ask("POST", "/Messages.json", until, data=dict(form))
        sid = answer.get("sid")
        if not isinstance(sid, str) or not re.fullmatch(r"[A-Za-z0-9]{1,64}", sid):
            raise Uncertain("Twilio took it, but did not say under which name")
        return sid

    def get(self, path: str, until: float, **query: str) -> Mapping[str, Any]:
        """Ask something of the account (`path` below it, empty for the account itself). Raises TryLater or Refused."""
        try:
            return self._ask("GET", f"{path}.json", until, params=query)
        except Uncertain as exc:
            failure = TryLater(str(exc))
        raise failure

    def download(self, url: str, known: bool) -> "requests.Response":
        """Begin to fetch a file; with our credentials only if `known` to be at Twilio's own API. Raises what requests
        raises, whose texts hold the address."""
        return self._open().get(
            url, auth=self._auth if known else _nobody, timeout=self._step, allow_redirects=False, stream=True
        )

    def close(self) -> None:
        with self._opening:
            if self._session is not None:
                self._session.close()

    @property
    def _auth(self) -> tuple[str, str]:
        return self._sid, self._token.get_secret_value()

    def _open(self) -> "requests.Session":
        with self._opening:
            if self._session is None:
                self._session = _session()
            return self._session

    def _ask(self, method: str, path: str, until: float, **what: Any) -> Mapping[str, Any]:
        import requests
        import urllib3

        left = until - time.monotonic()
        if left <= 0:
            raise TryLater("Twilio answered too slowly, and the time for this text was used up (TWILIO_DEADLINE)")
        within = min(self._step, left)
        failure: DeliveryFailed
        try:
            answer = self._open().request(
                method, self.root + path, auth=self._auth, timeout=within, allow_redirects=False, stream=True, **what
            )
            with answer:
                body = _body(answer, until)
        except requests.RequestException as exc:
            failure = _unanswered(exc)  # not "from exc": its text holds the address
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            failure = Uncertain(f"Twilio's answer broke off ({type(exc).__name__})")
        else:
            return _read(answer, body)
        raise failure


def _session() -> "requests.Session":
    """A session that many threads may share: it keeps no cookies, and asks no proxy and no ~/.netrc."""
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "firstline"})
    connections = HTTPAdapter(pool_connections=2, pool_maxsize=CONNECTIONS, max_retries=0)
    session.mount("https://", connections)
    session.mount("http://", connections)
    return session


def _nobody(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    return request


def _body(answer: "requests.Response", until: float) -> bytes:
    """Read the answer as it arrives, until then. Raises ValueError for one that is too large."""
    body = b""
    while chunk := answer.raw.read1(ANSWER_LIMIT, decode_content=True):
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise ValueError("too large")
        if time.monotonic() > until:
            raise TimeoutError("too slow")
    return body


def _unanswered(exc: "requests.RequestException") -> DeliveryFailed:
    """Say what it means that no answer came: before a connection stands, nothing was asked."""
    import requests
    import urllib3

    reason = exc.args[0] if exc.args else None
    reason = getattr(reason, "reason", reason)
    never = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.SSLError)
    if isinstance(exc, requests.ConnectTimeout | requests.exceptions.SSLError) or isinstance(reason, never):
        return TryLater(f"Twilio cannot be reached ({type(exc).__name__}); {URL}")
    return Uncertain(f"Twilio did not answer in time, or broke off ({type(exc).__name__})")


def _read(answer: "requests.Response", body: bytes) -> Mapping[str, Any]:
    """Read Twilio's answer. Raises TryLater, Uncertain, Blocked or Refused."""
    status, said = answer.status_code, _json(body)
    if 200 <= status < 300 and said is not None:
        return said
    if 200 <= status < 300:
        raise Uncertain("the answer is none of Twilio's; is TWILIO_API_URL right?")
    code = said.get("code") if said is not None else None
    code = code if isinstance(code, int) else 0
    if status == 429 or code in TOO_MANY:
        raise TryLater("Twilio asks us to wait", _seconds(answer.headers.get("Retry-After")))
    if (
        status in (401, 403) and code not in NOT_REACHED
    ):  # a matter of settings: the text can be sent once they are right
        raise TryLater(f"Twilio answered {status}: {WRONG_KEYS}")
    if status < 400 or status >= 500:
        raise TryLater(f"Twilio answered {status}; {URL}" if status < 400 else f"Twilio answered {status}")
    if code in NOT_REACHED:
        raise Blocked(meaning(code))
    raise Refused(code, status)


def _json(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _seconds(retry_after: str | None) -> float | None:
    text = (retry_after or "").strip()
    return float(min(int(text), LONGEST_WAIT)) if re.fullmatch(r"[0-9]{1,9}", text) else None
