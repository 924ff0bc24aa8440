"""Which token is for which workspace: SLACK_BOT_TOKEN for the only one, or with SLACK_CLIENT_ID that of the workspace's
installation, which is kept encrypted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import structlog
from pydantic import SecretStr

from adapters.slack.settings import SlackSettings
from bot.errors import ConfigurationError
from bot.ports import State
from bot.settings import Settings

INSTALL: Final = "/slack/install"
REDIRECT: Final = "/slack/oauth_redirect"

TOKEN: Final = "set SLACK_BOT_TOKEN to the token of an app that is installed in this workspace"

log = structlog.get_logger()


class Tokens(Protocol):
    """Knows the bot's token of each workspace. `remedy` says what to do where there is none, or a wrong one."""

    @property
    def remedy(self) -> str: ...

    def of(self, team: str) -> SecretStr | None:
        """Return the token for a workspace. Raises ConfigurationError if DATA_KEY does not open it."""

    def all(self) -> dict[str, SecretStr]:
        """Return all tokens, each by its workspace (empty: whichever it is of)."""


@dataclass(frozen=True, slots=True)
class OneToken:
    """SLACK_BOT_TOKEN, whatever its workspace is called."""

    token: SecretStr
    remedy: str = TOKEN

    @classmethod
    def set_in(cls, settings: SlackSettings) -> Self:
        """Raises ConfigurationError if it is not set."""
        if settings.slack_bot_token is None:
            raise ConfigurationError(f"SLACK_BOT_TOKEN is not set: {TOKEN} (its page OAuth & Permissions shows it).")
        return cls(settings.slack_bot_token)

    def of(self, team: str) -> SecretStr | None:
        return self.token

    def all(self) -> dict[str, SecretStr]:
        return {"": self.token}


class Installations:
    """Where the app is installed: in workspaces (T…), and in whole organisations (E…), whose workspaces share a token.

    What the newest installation brought is kept as `slack/installed/T1`, what each person who installed it brought as
    `slack/installer/T1/U1`, and which organisation lets us into a workspace as `slack/organisation-of/T1`.
    """

    def __init__(self, state: State, public_url: str) -> None:
        self.state = state
        self.public_url = public_url

    @property
    def remedy(self) -> str:
        return f"install the app again at {self.public_url}{INSTALL}"

    def of(self, team: str) -> SecretStr | None:
        kept = self.newest(team)
        if kept is None and (organisation := self.state.get(f"slack/organisation-of/{team}")):
            kept = self.newest(organisation)
        return None if kept is None else SecretStr(str(kept["bot_token"]))

    def all(self) -> dict[str, SecretStr]:
        beginning = "slack/installed/"
        found = {key.removeprefix(beginning): key for key in self.state.all(beginning)}
        return {team: token for team in found if (token := self.of(team)) is not None}

    def admit(self, team: str, organisation: str | None) -> bool:
        """Whether the app is installed in a workspace, or in its organisation; that is remembered, for who writes to
        the workspace later does not know it."""
        if team and self.of(team) is not None:
            return True
        if not organisation or self.of(organisation) is None:
            return False
        if team:
            self.state.put(f"slack/organisation-of/{team}", organisation)
        return True

    # --- what an installation brought, by the id of its workspace or organisation

    def keep(self, where: str, user: str, brought: Mapping[str, Any]) -> None:
        written = json.dumps(brought)
        self.state.put_secret(f"slack/installer/{where}/{user}", written)
        self.state.put_secret(f"slack/installed/{where}", written)
        log.info("slack.installed", team=where)

    def newest(self, where: str) -> dict[str, Any] | None:
        return self._read(f"slack/installed/{where}")

    def by(self, where: str, user: str) -> dict[str, Any] | None:
        return self._read(f"slack/installer/{where}/{user}")

    def drop(self, where: str) -> None:
        """Forget the token."""
        self.state.drop(f"slack/installed/{where}")
        log.info("slack.uninstalled", team=where)

    def drop_installers(self, where: str, user: str | None = None) -> None:
        """Forget what this person brought, or everybody."""
        beginning = f"slack/installer/{where}/"
        for key in self.state.all(beginning) if user is None else (f"{beginning}{user}",):
            self.state.drop(key)

    def _read(self, key: str) -> dict[str, Any] | None:
        kept = self.state.get_secret(key)
        found: dict[str, Any] | None = None if kept is None else json.loads(kept)
        return found


def tokens(settings: SlackSettings, core: Settings, state: State) -> Tokens:
    """Return what knows the tokens. Raises ConfigurationError for what is missing, or does not go together."""
    if settings.slack_client_id is None:
        return OneToken.set_in(settings)
    if settings.slack_bot_token is not None:
        raise ConfigurationError(
            "SLACK_CLIENT_ID and SLACK_BOT_TOKEN are both set: with SLACK_CLIENT_ID each workspace has a token of its "
            "own. Take SLACK_BOT_TOKEN out, and install the app at PUBLIC_URL/slack/install; or take out "
            "SLACK_CLIENT_ID, for one workspace."
        )
    if settings.slack_app_token is not None:
        raise ConfigurationError(
            "SLACK_CLIENT_ID and SLACK_APP_TOKEN are both set: several workspaces are served over HTTP alone. Take "
            "SLACK_APP_TOKEN out."
        )
    if missing := [text for is_missing, text in _needs(settings, core) if is_missing]:
        raise ConfigurationError(missing[0])
    return Installations(state, core.public_url or "")


def _needs(settings: SlackSettings, core: Settings) -> list[tuple[bool, str]]:
    """What SLACK_CLIENT_ID needs, and the text for each that is missing."""
    page = "the app's page Basic Information shows it"
    without_team = sorted(name for name in settings.named if "/" not in name)
    return [
        (settings.slack_client_secret is None, f"SLACK_CLIENT_SECRET is not set, and SLACK_CLIENT_ID is: {page}."),
        (settings.slack_signing_secret is None, f"SLACK_SIGNING_SECRET is not set, and SLACK_CLIENT_ID is: {page}."),
        (
            not (core.public_url or "").startswith("https://"),
            "PUBLIC_URL is not set to an https address, and with SLACK_CLIENT_ID people install the app there. Set it "
            "to one such as https://support.shop.example.",
        ),
        (
            not core.seal.keys,
            "DATA_KEY is not set, and with SLACK_CLIENT_ID the tokens of workspaces are kept, encrypted with it. Set "
            "32 bytes or more.",
        ),
        (
            bool(without_team),
            f"With SLACK_CLIENT_ID each id in SLACK_SUPPORT_CHANNELS, SLACK_AGENTS_CHANNEL and SLACK_AGENTS must name "
            f"its workspace, such as T0123/C0123: {', '.join(without_team)} does not.",
        ),
    ]
