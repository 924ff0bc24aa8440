"""Installing the app in workspaces: Slack's library leads people through it, and what it brings is kept by us."""

import hashlib
import logging
import math
import secrets
import ssl
from collections.abc import Callable
from datetime import datetime
from logging import Logger
from typing import Any, Final

import structlog
from slack_bolt import App, BoltContext, BoltRequest, BoltResponse
from slack_bolt.adapter.starlette.handler import to_bolt_request, to_starlette_response
from slack_bolt.error import BoltError
from slack_bolt.oauth import OAuthFlow
from slack_bolt.oauth.oauth_settings import OAuthSettings
from slack_sdk import WebClient
from slack_sdk.oauth import InstallationStore, OAuthStateStore
from slack_sdk.oauth.installation_store.models import Bot, Installation
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from adapters.slack.installations import INSTALL, REDIRECT, Installations
from adapters.slack.manifest import LEAVING, SCOPES
from adapters.slack.settings import SlackSettings
from adapters.slack.translate import home_of
from bot.ports import Clock, Routes, State

HOLDS_FOR: Final = 600
"""Seconds in which an installation that was begun must be finished."""

MOST: Final = 1000
"""Installations that may be under way: anybody can begin one."""

NOT_NOW: Final = "This does not work at the moment. Begin again in a few minutes: {}"

log = structlog.get_logger()

_quiet = logging.getLogger("slack_bolt.firstline.oauth")
_quiet.setLevel(logging.CRITICAL)  # else the library logs codes and answers
_quiet.propagate = False


class Store(InstallationStore):
    """Keeps installations for Slack's library. An organisation's is kept under the organisation's id, any other under
    the workspace's."""

    def __init__(self, installations: Installations, clock: Clock) -> None:
        self._installations = installations
        self._clock = clock

    @property
    def logger(self) -> Logger:
        return _quiet

    def save(self, installation: Installation) -> None:
        where = _where(installation.enterprise_id, installation.team_id, installation.is_enterprise_install)
        if not where or not installation.bot_token:
            raise BoltError("Slack named no workspace, or gave no token")
        installation.installed_at = self._clock().timestamp()
        self._installations.keep(where, str(installation.user_id), _written(installation))

    def find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        found = self.find_installation(
            enterprise_id=enterprise_id, team_id=team_id, is_enterprise_install=is_enterprise_install
        )
        return None if found is None else found.to_bot()

    def find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        where = _where(enterprise_id, team_id, is_enterprise_install)
        of_all = user_id is None
        kept = self._installations.newest(where) if of_all else self._installations.by(where, str(user_id))
        return None if kept is None else Installation(**kept)

    def delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        self._installations.drop(_where(enterprise_id, team_id))

    def delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        self._installations.drop_installers(_where(enterprise_id, team_id), user_id)

    def delete_all(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        self.delete_installation(enterprise_id=enterprise_id, team_id=team_id)
        self.delete_bot(enterprise_id=enterprise_id, team_id=team_id)

    def is_older(self, enterprise_id: str | None, team_id: str | None, than: object) -> bool:
        """Whether what is installed was installed before this time (in seconds, as Slack says it). Slack may tell of a
        removal late, when the app is installed again already."""
        found = self.find_installation(enterprise_id=enterprise_id, team_id=team_id)
        return found is None or not isinstance(than, int) or int(found.installed_at) <= than


class States(OAuthStateStore):
    """What tells that somebody who comes back from Slack began here: good for once, and for ten minutes. Only its hash
    is kept."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    @property
    def logger(self) -> Logger:
        return _quiet

    def issue(self, *args: Any, **kwargs: Any) -> str:
        now = self._now()
        pending = self._state.all("slack/oauth-state/")
        old = [key for key, until in pending.items() if float(until) <= now]
        if len(pending) - len(old) >= MOST:
            raise BoltError("too many installations are under way")
        for key in old:
            self._state.drop(key)
        issued = secrets.token_urlsafe(32)
        self._state.put(_state_key(issued), str(now + HOLDS_FOR))
        return issued

    def consume(self, state: str) -> bool:
        key = _state_key(state)
        until = self._state.get(key)
        return until is not None and self._state.drop(key) and float(until) > self._now()

    def _now(self) -> float:
        return self._clock().timestamp()


def flow(settings: SlackSettings, installations: Installations, clock: Clock) -> OAuthFlow:
    """Return what leads people through an installation."""
    assert settings.slack_client_secret is not None
    client = WebClient(
        base_url=settings.slack_api_url,
        timeout=math.ceil(settings.slack_timeout.total_seconds()),
        ssl=ssl.create_default_context() if settings.slack_api_url.startswith("https:") else None,
        retry_handlers=[],
        logger=_quiet,
    )
    return OAuthFlow(
        client=client,
        logger=_quiet,
        settings=OAuthSettings(
            client_id=settings.slack_client_id,
            client_secret=settings.slack_client_secret.get_secret_value(),
            scopes=SCOPES,
            user_scopes=[],
            redirect_uri=f"{installations.public_url}{REDIRECT}",
            install_path=INSTALL,
            redirect_uri_path=REDIRECT,
            install_page_rendering_enabled=False,  # Slack has a page of its own, and theirs loads a picture from afar
            installation_store=Store(installations, clock),
            state_store=States(installations.state, clock),
            state_expiration_seconds=HOLDS_FOR,
            logger=_quiet,
        ),
    )


def add_routes(web: Routes, flow: OAuthFlow) -> None:
    """Serve the two addresses of an installation."""

    async def install(request: Request) -> Response:
        return await _answer(flow.handle_installation, BoltRequest(body="", query={}, headers={}), flow)

    async def redirect(request: Request) -> Response:
        return await _answer(flow.handle_callback, to_bolt_request(request, b""), flow)

    web.add_route(INSTALL, install, ["GET"])
    web.add_route(REDIRECT, redirect, ["GET"])


async def _answer(handle: Callable[[BoltRequest], BoltResponse], asked: BoltRequest, flow: OAuthFlow) -> Response:
    """Handle a request aside, as it asks the database, and Slack."""
    try:
        answer = to_starlette_response(await run_in_threadpool(handle, asked))
    except Exception as exc:  # the library lets through whatever sockets and JSON raise; texts may hold what was sent
        log.warning("slack.not_installed", error=type(exc).__name__)
        answer = PlainTextResponse(NOT_NOW.format(flow.install_path), 503)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _where(enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False) -> str:
    """The id of the workspace, or of the organisation if it is that which the app is installed in."""
    return str((enterprise_id if is_enterprise_install or not team_id else team_id) or "")


def _written(installation: Installation) -> dict[str, Any]:
    """What an installation brought, as JSON can have it; the library reads times in this form."""
    told = installation.to_dict_for_copying()
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()}


def _state_key(state: str) -> str:
    return f"slack/oauth-state/{hashlib.sha256(state.encode()).hexdigest()}"


def serve_many(app: App, many: Installations, clock: Clock) -> None:
    """Take nothing from where the app is not installed, and forget the tokens of who removes it."""
    store = Store(many, clock)

    def admit(body: dict[str, Any], context: BoltContext, next: Callable[[], BoltResponse]) -> BoltResponse:
        leaves = (body.get("event") or {}).get("type") in LEAVING
        team = home_of(body)
        if leaves or many.admit(team, context.enterprise_id):
            return next()
        log.warning("slack.not_taken", error="the app is not installed there", team=team, remedy=many.remedy)
        return BoltResponse(status=200, body="")

    def removed(body: dict[str, Any], context: BoltContext) -> None:
        event = body.get("event") or {}
        whole = context.is_enterprise_install or not context.team_id
        where = {"enterprise_id": context.enterprise_id, "team_id": None if whole else context.team_id}
        if not store.is_older(**where, than=body.get("event_time")):
            log.info("slack.removal_passed_over", reason="it was installed again since", team=context.team_id)
            return
        revoked = event.get("tokens") or {}
        if event.get("type") == "app_uninstalled" or revoked.get("bot"):
            store.delete_all(**where)
        for user in revoked.get("oauth") or ():
            store.delete_installation(**where, user_id=str(user))

    app.middleware(admit)
    for name in LEAVING:
        app.event(name)(removed)
