"""Files that customers share in Slack: what a message tells of them, and fetching them.

The bot's token goes to Slack alone: to the hosts that Slack keeps files at, and to where SLACK_API_URL is (a gateway).
What lies anywhere else is not fetched, and nobody is followed there.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from pydantic import SecretStr

from adapters.slack.settings import SlackSettings
from bot.errors import ConfigurationError, TooLarge, TryLater, Undeliverable
from bot.model import Attachment, Fetched

if TYPE_CHECKING:
    import requests

SLACKS: Final = ("slack.com", "slack-files.com")
"""Where Slack keeps files: these hosts, and those below them."""

CHUNK: Final = 64 * 1024
HOPS: Final = 5
"""Redirects that are followed."""

LARGEST_ANSWER: Final = 1_000_000
"""Bytes of an answer of the Web API."""

LONGEST_WAIT: Final = 3600
"""Seconds that Slack may ask us to wait."""

SCOPE: Final = "give the app the scope files:read, and install it again"

GONE: Final = {
    "tombstone": "Its owner has deleted it.",
    "hidden_by_limit": "Slack hides it: the workspace has reached its limit of files.",
}
"""Modes of files that cannot be had (docs.slack.dev, "File object")."""

NOT_THERE: Final = frozenset({"file_not_found", "file_deleted", "access_denied", "not_visible"})
"""Errors of files.info after which it need not be asked again."""

NO_GRANT: Final = frozenset({"missing_scope", "no_permission", "not_authed", "invalid_auth", "token_revoked"})

TokenOf = Callable[[str], SecretStr | None]
"""Returns the bot's token for a workspace."""


# --- what a message tells


def attachments(files: object, team: str) -> tuple[Attachment, ...]:
    """Read the files of a message in the workspace `team`."""
    listed = files if isinstance(files, list) else []
    return tuple(_attachment(file, team) for file in listed if isinstance(file, dict))


def _attachment(file: Mapping[str, Any], team: str) -> Attachment:
    size, kind = file.get("size"), str(file.get("mimetype") or "")
    known = isinstance(size, int) and not isinstance(size, bool) and size > 0
    return Attachment(str(file.get("name") or "file"), kind[:100], size if known else None, _ref(file, kind, team))


def _ref(file: Mapping[str, Any], kind: str, team: str) -> str:
    """What `fetch` needs: the file's id and workspace, its address without secrets, whether it says to be a web page
    (else a web page is a door to log in at), and why it cannot be had, if so."""
    gone = str(file.get("mode") or "")
    asks_first = file.get("file_access") == "check_file_info"
    ref = {
        "file": str(file.get("id") or ""),
        "team": team,
        "url": "" if asks_first else _without_secrets(file.get("url_private_download") or file.get("url_private")),
        "html": kind == "text/html",
        "gone": gone if gone in GONE else "",
    }
    return json.dumps({name: value for name, value in ref.items() if value})


def _without_secrets(url: object) -> str:
    """Drop from an address what lets whoever has it in; it is stored."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        return ""
    query = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name not in ("t", "token", "pub_secret") and not value.startswith("xox")
    ]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))[:2000]


# --- fetching


@dataclass(frozen=True, slots=True)
class _Task:
    """One file that is being fetched. `until` is when it must be here, on the monotonic clock."""

    file: str
    token: str = field(repr=False)
    html: bool
    most: int
    until: float

    def check(self) -> None:
        """Raise TryLater when the time is up."""
        _ = self.left

    @property
    def left(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TryLater("Slack took too long for this file (SLACK_FILE_DEADLINE)")
        return left


class SlackFiles:
    """Fetches files from Slack. Safe to call from many threads. `token` returns a workspace's."""

    def __init__(self, settings: SlackSettings, token: TokenOf) -> None:
        self.deadline = settings.slack_file_deadline.total_seconds()
        self._step = settings.slack_timeout.total_seconds()
        self._api = settings.slack_api_url
        self._token = token
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # at DEBUG it writes whole addresses, with files' names

    def fetch(self, ref: str, most: int) -> Fetched:
        """Get a file, of at most this many bytes. Raises TooLarge, Undeliverable or TryLater, without secrets."""
        told = json.loads(ref)
        try:
            token = self._token(told.get("team", ""))
        except ConfigurationError as exc:
            raise TryLater(str(exc)) from None
        if token is None:
            raise TryLater("there is no token for the workspace of this file")
        if gone := told.get("gone"):
            raise Undeliverable(GONE.get(gone, "It is not there any more."))
        until = time.monotonic() + self.deadline
        task = _Task(told.get("file", ""), token.get_secret_value(), bool(told.get("html")), most, until)
        with closing(_session()) as session:
            try:
                return self._download(session, task, told.get("url") or self._look_up(session, task))
            except Exception as exc:
                if isinstance(exc, TryLater | Undeliverable):
                    raise
                reason = f"Slack did not send the file ({type(exc).__name__})"  # their texts hold whole addresses
        raise TryLater(reason)

    def _look_up(self, session: "requests.Session", task: _Task) -> str:
        """Ask where a file lies of which Slack told no more than its id (Slack Connect, `check_file_info`)."""
        answer = self._ask(session, task)
        if answer.get("ok") is not True:
            error = str(answer.get("error") or "")
            if error in NOT_THERE:
                raise Undeliverable(f"Slack does not give it to us ({error}).")
            if error in NO_GRANT:
                raise TryLater(f"Slack refused to tell of the file ({error}): {SCOPE}")
            raise TryLater("Slack did not tell where the file lies")
        file = answer.get("file")
        file = file if isinstance(file, dict) else {}
        if file.get("mode") in GONE:
            raise Undeliverable(GONE[file["mode"]])
        url = file.get("url_private_download") or file.get("url_private")
        if not isinstance(url, str):
            raise Undeliverable("Slack does not say where it lies.")
        return url

    def _ask(self, session: "requests.Session", task: _Task) -> Mapping[str, Any]:
        answer = session.post(
            f"{self._api}files.info",
            data={"file": task.file},
            auth=_bearer(task.token),
            timeout=min(self._step, task.left),
            allow_redirects=False,
            stream=True,
        )
        with closing(answer):
            if answer.status_code == 429 or answer.status_code >= 500:
                raise TryLater(f"Slack answered {answer.status_code}", _wait(answer))
            body = json.loads(b"".join(_chunks(answer, LARGEST_ANSWER, task)))
        return body if isinstance(body, dict) else {}

    def _download(self, session: "requests.Session", task: _Task, url: str) -> Fetched:
        first = url
        for _ in range(HOPS + 1):
            self._check(url, is_first=url == first)
            answer = session.get(
                url,
                auth=_bearer(task.token),
                timeout=min(self._step, task.left),
                allow_redirects=False,
                stream=True,
            )
            with closing(answer):
                if 300 <= answer.status_code < 400 and "Location" in answer.headers:
                    url = urljoin(url, answer.headers["Location"])
                    continue
                return self._read(answer, task, was_led_away=url != first)
        raise TryLater("Slack leads round in a circle")

    def _read(self, answer: "requests.Response", task: _Task, was_led_away: bool) -> Fetched:
        _raise_for_status(answer)
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == "text/html" and (was_led_away or not task.html):
            raise TryLater(f"Slack asks to log in instead of sending the file: {SCOPE}")
        length = answer.headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and int(length[:18]) > task.most:
            raise TooLarge("It is larger than it may be.")
        return Fetched(b"".join(_chunks(answer, task.most, task)), kind)

    def _check(self, url: str, is_first: bool) -> None:
        """Raise Undeliverable unless the token may go there."""
        parts = _split(url)
        if parts is not None and (_is_slacks(parts) or _origin(parts) == _origin(urlsplit(self._api))):
            return
        host = "" if parts is None else parts.hostname or ""
        named = f" ({host})" if re.fullmatch(r"[a-z0-9.-]{1,253}", host) else ""
        if is_first:
            raise Undeliverable(f"It does not lie at Slack{named}, and is fetched from nowhere else.")
        raise Undeliverable(f"Slack leads to somewhere else{named}, and nobody is followed there.")


def _session() -> "requests.Session":
    """One that keeps no cookies, and tries nothing again. Proxies are those of the environment."""
    import requests

    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"Accept-Encoding": "identity", "User-Agent": "firstline"})
    return session


def _bearer(token: str) -> "Callable[[requests.PreparedRequest], requests.PreparedRequest]":
    """Something callable: else requests would look for the host in ~/.netrc, and send what it finds there."""

    def authorise(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorise


def _split(url: str) -> SplitResult | None:
    """Take an address apart; None for one that another reader could take apart in another way."""
    try:
        parts = urlsplit(url)
        usable = re.fullmatch(r"[!-\[\]-~]+", url) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return None
    return parts if usable and parts.hostname else None


def _is_slacks(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    at_slack = any(host == name or host.endswith(f".{name}") for name in SLACKS)
    return at_slack and parts.scheme == "https" and parts.port in (None, 443)


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _chunks(answer: "requests.Response", most: int, task: _Task) -> Iterator[bytes]:
    """Read an answer as it arrives. Raises TooLarge if it is longer than `most` bytes, whatever it says of itself."""
    size = 0
    while chunk := answer.raw.read1(CHUNK, decode_content=True):
        size += len(chunk)
        if size > most:
            raise TooLarge("It is larger than it may be.")
        task.check()
        yield chunk
    told = answer.headers.get("Content-Length", "")
    if told.isascii() and told.isdigit() and size < int(told[:18]) and "Content-Encoding" not in answer.headers:
        raise TryLater("Slack broke off before the end of the file")


def _raise_for_status(answer: "requests.Response") -> None:
    status = answer.status_code
    if status == 200:
        return
    if status == 429 or status >= 500 or status == 408:
        raise TryLater(f"Slack answered {status}", _wait(answer))
    if status in (401, 403):
        raise TryLater(f"Slack answered {status}: {SCOPE}")
    if status in (404, 410):
        raise Undeliverable(f"It is not there any more: Slack answered {status}.")
    raise Undeliverable(f"Slack answered {status}.")


def _wait(answer: "requests.Response") -> float | None:
    """The seconds of Retry-After (RFC 9110 section 10.2.3); Slack never gives a date."""
    value = answer.headers.get("Retry-After", "")
    return float(min(int(value), LONGEST_WAIT)) if re.fullmatch(r"[0-9]{1,9}", value) else None
