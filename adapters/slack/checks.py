"""What can be wrong with an app in Slack that nobody sees from the outside: its token, its scopes, the channels and the
user groups that the settings name. Looked at in the background when the bot starts, and by `bot slack check`.

Nothing that anybody writes is read, and no token is told of.
"""

import logging
import math
import re
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError

import structlog
from pydantic import SecretStr

from adapters.slack.installations import OneToken, Tokens
from adapters.slack.manifest import SCOPES
from adapters.slack.rights import is_group
from adapters.slack.settings import SlackSettings, in_team

if TYPE_CHECKING:
    from slack_sdk import WebClient

WITHOUT: Final = {
    "app_mentions:read": "nobody can call the bot by its name in a channel",
    "channels:history": "what is written in public channels is not heard",
    "channels:read": "nobody can tell whether the bot is in a public channel",
    "chat:write": "nobody is answered",
    "commands": "/resolve, /ticket, /new and the shortcuts do nothing",
    "files:read": "the files that customers share are not seen",
    "groups:history": "what is written in private channels is not heard",
    "groups:read": "nobody can tell whether the bot is in a private channel",
    "im:history": "what is written to the bot in direct messages is not heard",
    "im:read": "direct messages cannot be looked at",
    "im:write": "who reports by a form or by /new is not answered in a direct message",
    "mpim:history": "what is written in group messages is not heard",
    "reactions:write": "only the 👀 and the ✅ at customers' messages are missed",
    "team:read": "the workspace's name is not known",
    "usergroups:read": "nobody is an agent by a user group of SLACK_AGENTS",
    "users:read": "the names of people are not shown",
}
"""What stops working without a scope of the manifest."""

TOKEN_ELSEWHERE: Final = "name what is in the token's workspace, or serve several with SLACK_CLIENT_ID (docs/slack.md)"
ONCE_MORE: Final = "run it again later: bot slack check"
INSTALL_AGAIN: Final = "install it again (Install App), and set SLACK_BOT_TOKEN to the new token"
ASK_AN_ADMIN: Final = "ask an administrator of the workspace to allow the app"
COPY_THE_TOKEN: Final = "set SLACK_BOT_TOKEN to the Bot User OAuth Token (xoxb-…) of the app's page OAuth & Permissions"
TOKEN: Final = {
    "invalid_auth": f"Slack does not know it: {COPY_THE_TOKEN}",
    "not_authed": COPY_THE_TOKEN,
    "account_inactive": f"the app was removed from the workspace: {INSTALL_AGAIN}",
    "token_revoked": f"it was taken back: {INSTALL_AGAIN}",
    "token_expired": f"switch off the token rotation of the app: {INSTALL_AGAIN}",
    "not_allowed_token_type": COPY_THE_TOKEN,
    "org_login_required": ASK_AN_ADMIN,
    "team_access_not_granted": ASK_AN_ADMIN,
    "ekm_access_denied": ASK_AN_ADMIN,
    "access_denied": ASK_AN_ADMIN,
    "accesslimited": ASK_AN_ADMIN,
}
"""Slack's words for what is wrong with a token, each with its remedy (docs.slack.dev, "auth.test")."""

APP_TOKEN: Final = "make an App-Level Token with the scope connections:write on the app's page Basic Information"
SOCKET: Final = {"missing_scope": f"it lacks a scope: {APP_TOKEN}"}
NOT_NOW: Final = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)

log = structlog.get_logger()

_quiet = logging.getLogger("slack_sdk.firstline")
_quiet.setLevel(logging.CRITICAL)  # else the library logs beginnings of answers at ERROR


class Verdict(StrEnum):
    """What came of a look. `HINT`: it works, and is perhaps not what was meant. `UNKNOWN`: Slack could not be asked."""

    FINE = "✓"
    WRONG = "✗"
    HINT = "!"
    UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, and what to do, unless all is well."""

    verdict: Verdict
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slack answered; `error` is its word for what is wrong, empty if nothing is."""

    data: Mapping[str, Any]
    error: str
    scopes: str | None


class NotAsked(Exception):
    """Raised when Slack could not be asked. Says why."""


class Checks:
    """Looks at what the settings name. Every call takes SLACK_TIMEOUT at most; each is made once."""

    def __init__(self, settings: SlackSettings, public_url: str | None, tokens: Tokens | None = None) -> None:
        self._settings = settings
        self._public_url = public_url
        self._tokens = tokens or OneToken.set_in(settings)
        self._in_many = not isinstance(self._tokens, OneToken)
        self._again = self._tokens.remedy if self._in_many else INSTALL_AGAIN

    def findings(self) -> Iterator[Finding]:
        """Look at one thing after the other."""
        yield from self._hints()
        found = self._tokens.all()
        for team, token in sorted(found.items()):
            yield from self._workspace(f"the installation in {team}" if team else "SLACK_BOT_TOKEN", token)
        if self._in_many:
            yield from self._uninstalled(set(found))
        if self._settings.slack_app_token is not None:
            yield from _asking("SLACK_APP_TOKEN", self._socket(self._settings.slack_app_token))

    def _hints(self) -> Iterator[Finding]:
        if not self._settings.agents:
            yield _hint("SLACK_AGENTS is empty: nobody can /resolve", "set it to user groups (S…) or people (U…)")
        if self._settings.slack_app_token is None and self._public_url is None:
            yield _hint(
                "PUBLIC_URL is not set, and Slack must know where the bot is",
                "set it to the bot's public https address, and make the manifest of it: bot slack manifest",
            )

    def _uninstalled(self, teams: set[str]) -> Iterator[Finding]:
        """Name the workspaces that the settings name, and in which the app is not."""
        named = {name.partition("/")[0] for name in self._settings.named if name.rpartition("/")[2][0] not in "UW"}
        for team in sorted(team for team in named if self._tokens.of(team) is None):
            yield _wrong(f"the app is not installed in {team}, which the settings name", self._tokens.remedy)
        if not teams and not named:
            yield _hint("the app is installed in no workspace yet", self._tokens.remedy)

    def _workspace(self, which: str, token: SecretStr) -> Iterator[Finding]:
        client = self._client(token)
        try:
            who = _ask(client, "auth.test")
        except NotAsked as exc:
            yield _unknown(which, exc)
            return
        if who.error:
            remedy = self._tokens.remedy if self._in_many else TOKEN.get(who.error, COPY_THE_TOKEN)
            yield _wrong(f"{which}: Slack refuses it ({who.error})", remedy)
            return
        if not who.data.get("bot_id"):
            yield _wrong(f"{which} is no bot's token", self._tokens.remedy if self._in_many else COPY_THE_TOKEN)
            return
        name = _printable(who.data.get("user"), "firstline")
        yield _fine(f"{which} is of @{name} in {_workspace_of(who.data)}")
        yield from self._named(client, str(who.data.get("team_id") or ""), name, who.scopes)

    def _named(self, client: "WebClient", team: str, bot: str, scopes: str | None) -> Iterator[Finding]:
        """Look at what the settings name in a workspace."""
        yield from self._scopes(scopes, team)
        told_in, support = self._settings.slack_agents_channel, self._settings.support_channels
        channels = [("SLACK_SUPPORT_CHANNELS", channel) for channel in sorted(support)]
        channels += [] if told_in is None else [("SLACK_AGENTS_CHANNEL", told_in)]
        for setting, written in channels:
            if channel := self._here(written, team):
                shared = setting != "SLACK_AGENTS_CHANNEL"
                yield from _asking(channel, _channel(client, setting, channel, bot, shared))
        for group in self._groups(team):
            yield from _asking(group, _group(client, group))
        if not self._in_many:
            yield from self._elsewhere(team)

    def _elsewhere(self, team: str) -> Iterator[Finding]:
        """Name what the settings name in another workspace than that of the only token."""
        for written in sorted(self._settings.named):
            if written.rpartition("/")[2][0] not in "UW" and self._here(written, team) is None:
                yield _wrong(f"{written} is in another workspace than the token, which is of {team}", TOKEN_ELSEWHERE)

    def _scopes(self, header: str | None, team: str) -> Iterator[Finding]:
        if header is None:
            yield Finding(Verdict.UNKNOWN, "the scopes could not be asked: Slack did not name them", ONCE_MORE)
            return
        granted = {scope.strip() for scope in header.split(",")}
        missing = [scope for scope in SCOPES if scope not in granted and self._needs(scope, team)]
        for scope in missing:
            yield _wrong(
                f"the scope {scope} is missing: {WITHOUT[scope]}",
                f"add it on the app's page OAuth & Permissions (Bot Token Scopes), and {self._again}",
            )
        if not missing:
            yield _fine("it has all the scopes that these settings need")

    def _needs(self, scope: str, team: str) -> bool:
        return scope != "usergroups:read" or bool(self._groups(team))

    def _groups(self, team: str) -> list[str]:
        groups = (self._here(agent, team) for agent in self._settings.agents if is_group(agent))
        return sorted(group for group in groups if group)

    def _here(self, written: str, team: str) -> str | None:
        """Return the id in what is written if it is one of the workspace, or of one of the organisation (E…)."""
        if not team.startswith("E"):
            return in_team(written, team)
        named, _, name = written.rpartition("/")
        return name if not named or self._tokens.of(named) == self._tokens.of(team) else None

    def _socket(self, token: SecretStr) -> Iterator[Finding]:
        answer = _ask(self._client(token), "apps.connections.open")
        if answer.error:
            remedy = SOCKET.get(answer.error, f"is Socket Mode on? If it is, {APP_TOKEN}")
            yield _wrong(f"SLACK_APP_TOKEN: Slack opens no socket for it ({answer.error})", remedy)
        else:
            yield _fine("SLACK_APP_TOKEN opens a socket")

    def _client(self, token: SecretStr) -> "WebClient":
        from slack_sdk import WebClient

        url = self._settings.slack_api_url
        return WebClient(
            token=token.get_secret_value(),
            base_url=url,
            timeout=math.ceil(self._settings.slack_timeout.total_seconds()),
            ssl=ssl.create_default_context() if url.startswith("https:") else None,
            retry_handlers=[],
            logger=_quiet,
        )


def tell(findings: Iterable[Finding]) -> None:
    """Log what is not well, a line for each."""
    for finding in findings:
        match finding.verdict:
            case Verdict.WRONG:
                log.warning("slack.check_failed", what=finding.what, remedy=finding.remedy)
            case Verdict.UNKNOWN:
                log.info("slack.not_checked", what=finding.what)
            case Verdict.HINT:
                log.info("slack.check_hint", what=finding.what, remedy=finding.remedy)


@contextmanager
def looking(look: Callable[[], Iterable[Finding]]) -> Iterator[None]:
    """While entered, look in the background, and log what is not well. Nobody waits for it, at the start or at the
    end."""
    stop = threading.Event()

    def work() -> None:
        try:
            for finding in look():
                if stop.is_set():
                    return
                tell([finding])
        except Exception as exc:
            log.warning("slack.not_checked", what="what the settings name", error=type(exc).__name__)

    thread = threading.Thread(target=work, name="slack-checks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()


def _channel(client: "WebClient", setting: str, channel: str, bot: str, may_be_shared: bool) -> Iterator[Finding]:
    """Look at a channel that `setting` names."""
    answer = _ask(client, "conversations.info", channel=channel)
    told, called = answer.data.get("channel") or {}, f"{setting}: {channel}"
    if answer.error == "channel_not_found":
        yield _wrong(
            f"{called} does not exist, or is private and the bot is not in it",
            f"is the id right (Slack shows it under About)? If it is, type /invite @{bot} in the channel",
        )
    elif answer.error:
        yield _wrong(f"{called} cannot be looked at ({answer.error})", _scope_or(answer, ASK_AN_ADMIN))
    elif told.get("is_archived"):
        yield _wrong(f"{called} is archived", f"unarchive it and invite @{bot} again, or take it out of {setting}")
    elif not told.get("is_member"):
        yield _wrong(f"{called}: the bot is not in it", f"type /invite @{bot} in the channel")
    elif not may_be_shared and (told.get("is_ext_shared") or told.get("is_pending_ext_shared")):
        yield _wrong(
            f"{called} is shared with another organisation, which would read what is for agents alone",
            "set SLACK_AGENTS_CHANNEL to a channel of your own, and start the bot again",
        )
    else:
        yield _fine(f"{called}: the bot is in it")


def _group(client: "WebClient", group: str) -> Iterator[Finding]:
    """Look at a user group of SLACK_AGENTS."""
    answer = _ask(client, "usergroups.users.list", usergroup=group)
    people = answer.data.get("users") or ()
    if answer.error:
        remedy = _scope_or(answer, "set SLACK_AGENTS to the ids (S…) of user groups that exist")
        yield _wrong(f"SLACK_AGENTS: the user group {group} cannot be read ({answer.error})", remedy)
    elif not people:
        yield _wrong(f"SLACK_AGENTS: nobody is in the user group {group}", "add the agents to it in Slack")
    else:
        yield _fine(f"SLACK_AGENTS: the user group {group} has {len(people)} in it")


# --- asking


def _asking(what: str, look: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from look
    except NotAsked as exc:
        yield _unknown(what, exc)


def _ask(client: "WebClient", method: str, **arguments: str) -> Answer:
    """Call a method once. Raises NotAsked."""
    from slack_sdk.errors import SlackApiError

    error = ""
    try:
        response: Any = client.api_call(method, params=arguments)
    except SlackApiError as exc:
        response, error = exc.response, _error(exc.response)
    except URLError as exc:
        raise NotAsked(_why(exc.reason)) from None
    except (OSError, HTTPException, ValueError) as exc:
        raise NotAsked(_why(exc)) from None
    named = [str(value) for name, value in response.headers.items() if name.lower() == "x-oauth-scopes"]
    data = response.data if isinstance(response.data, dict) else {}
    return Answer(data, error, named[0] if named else None)


def _error(response: Any) -> str:
    """Return Slack's word for what is wrong. Raises NotAsked if it is nothing with what was asked for."""
    data = response.data if isinstance(response.data, dict) else {}
    error = str(data.get("error") or "")
    if response.status_code == 429 or error in NOT_NOW:
        raise NotAsked(f"Slack said {error if re.fullmatch('[a-z_]{1,64}', error) else 'to wait'}")
    if response.status_code >= 500:
        raise NotAsked(f"HTTP status {response.status_code}")
    if not re.fullmatch("[a-z_]{1,64}", error):  # the library puts the beginning of what it cannot read here
        raise NotAsked("the answer is none of Slack's; is SLACK_API_URL right?")
    return error


def _why(reason: object) -> str:
    strerror = getattr(reason, "strerror", None)
    return strerror if isinstance(strerror, str) else type(reason).__name__


def _scope_or(answer: Answer, remedy: str) -> str:
    if answer.error != "missing_scope":
        return remedy
    needed = str(answer.data.get("needed") or "")
    named = f" {needed}" if re.fullmatch(r"[a-z:.,_-]{1,200}", needed) else ""
    return f"add the scope{named} to the app, and install it again"


# --- saying


def _workspace_of(who: Mapping[str, Any]) -> str:
    return f"{_printable(who.get('team'), 'a workspace')} ({_printable(who.get('team_id'), 'no id')})"


def _printable(name: object, otherwise: str) -> str:
    """A name that the workspace's owners gave, in one line."""
    words = "".join(letter for letter in name if letter.isprintable())[:80] if isinstance(name, str) else ""
    return words or otherwise


def _fine(what: str) -> Finding:
    return Finding(Verdict.FINE, what)


def _wrong(what: str, remedy: str) -> Finding:
    return Finding(Verdict.WRONG, what, remedy)


def _hint(what: str, remedy: str) -> Finding:
    return Finding(Verdict.HINT, what, remedy)


def _unknown(what: str, exc: NotAsked) -> Finding:
    return Finding(Verdict.UNKNOWN, f"{what} could not be asked: {exc}", ONCE_MORE)
