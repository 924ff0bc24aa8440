"""Slack in: what it tells us of, over HTTP or through a socket of ours, is committed before it is acknowledged."""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog

from adapters.slack.acts import Acts, Threads, Web
from adapters.slack.door import Door
from adapters.slack.ears import Ears
from adapters.slack.installations import Installations, OneToken, Tokens
from adapters.slack.rights import Agents
from adapters.slack.settings import SlackSettings
from adapters.slack.translate import Watch, escape
from bot.errors import ConfigurationError, NotCommitted
from bot.ports import Core, Routes

if TYPE_CHECKING:
    from slack_bolt import App
    from slack_bolt.adapter.socket_mode import SocketModeHandler

PATH: Final = "/slack/events"

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between two attempts at connecting the socket."""

REMEDY: Final = "SLACK_APP_TOKEN must be an app-level token with the scope connections:write"

log = structlog.get_logger()

_quiet = logging.getLogger("slack_bolt.firstline")
_quiet.setLevel(logging.CRITICAL)  # else the library logs the bodies of requests; errors are logged by `_failed`
_quiet.propagate = False


class SlackListener:
    """The listening half of the channel. With SLACK_APP_TOKEN it goes and gets what there is (Socket Mode), else Slack
    brings it to POST /slack/events, signed."""

    def __init__(self, settings: SlackSettings, tokens: Tokens | None = None) -> None:
        self._tokens = tokens or OneToken.set_in(settings)
        if settings.slack_app_token is None and settings.slack_signing_secret is None:
            raise ConfigurationError(
                "SLACK_SIGNING_SECRET is not set: without it nobody can tell what comes from Slack. Take it from the "
                "app's page Basic Information; or set SLACK_APP_TOKEN, for Socket Mode."
            )
        self._settings = settings

    @contextmanager
    def listening(self, core: Core, web: Routes) -> Iterator[None]:
        """While entered, accept what comes from Slack."""
        ears, app = self._app(core)
        if self._settings.slack_app_token is None:
            assert self._settings.slack_signing_secret is not None
            secret = self._settings.slack_signing_secret.get_secret_value()
            one = isinstance(self._tokens, OneToken)
            web.add_route(PATH, Door(app, ears.at_once if one else None, core.intake, secret), ["POST"])
            if isinstance(self._tokens, Installations):
                from adapters.slack import oauth

                oauth.add_routes(web, oauth.flow(self._settings, self._tokens, core.clock))
            yield
        else:
            with _socket(app, self._settings.slack_app_token.get_secret_value()):
                yield

    def _app(self, core: Core) -> "tuple[Ears, App]":
        slack = Web(self._settings, self._tokens)
        one = isinstance(self._tokens, OneToken)
        team, bot = (slack.whoami() if one else None) or ("", "")  # if it cannot be had now, each event says it too
        home = "" if team.startswith("E") else team  # an organisation's app is at home in many workspaces
        agents = Agents(self._settings.agents, slack.members, core.clock)
        threads = Threads(core)
        channel = self._settings.slack_agents_channel
        acts = Acts(core, slack, agents, threads, home, channel)
        watch = Watch(home, bot, self._settings.support_channels, channel, threads.knows)
        ears = Ears(core, acts, watch)
        many = self._tokens if isinstance(self._tokens, Installations) else None
        return ears, _bolt(self._settings, ears, acts, many)


def _bolt(settings: SlackSettings, ears: Ears, acts: Acts, many: Installations | None) -> "App":
    """Join the listeners to Slack's library. What we do not know is acknowledged, else Slack would switch us off.
    `many`: where the app is installed, if that may be in several workspaces."""
    from slack_bolt import Ack, App, BoltResponse
    from slack_bolt.authorization import AuthorizeResult
    from slack_sdk import WebClient

    token = "" if settings.slack_bot_token is None else settings.slack_bot_token.get_secret_value()
    within = max(1, round(settings.slack_timeout.total_seconds()))
    client = WebClient(token, settings.slack_api_url, within, ssl=acts.web.tls, retry_handlers=[], logger=_quiet)
    app = App(
        name="firstline",
        logger=_quiet,
        client=client,
        signing_secret="",  # the endpoint looks at signatures, before anything is parsed
        request_verification_enabled=False,
        token_verification_enabled=False,
        authorize=lambda team_id, enterprise_id: AuthorizeResult(  # else each process would ask Slack before it listens
            enterprise_id=enterprise_id, team_id=team_id, bot_token=token
        ),
        process_before_response=True,  # else Slack is told "received" before anything is committed
    )
    everything = re.compile(".*")

    def command(ack: Ack, body: dict[str, Any]) -> None:
        says = escape(acts.command(body))
        ack(text=says, response_type="ephemeral") if says else ack()

    def view(ack: Ack, body: dict[str, Any]) -> None:
        wrong = acts.submit(body)
        ack(response_action="errors", errors=wrong) if wrong else ack()

    def action(ack: Ack, body: dict[str, Any]) -> None:
        acts.press(body)
        ack()

    def shortcut(ack: Ack, body: dict[str, Any]) -> None:
        acts.shortcut(body)
        ack()

    def message(body: dict[str, Any]) -> None:
        ears.hear(body)

    def home(body: dict[str, Any]) -> None:
        ears.show_home(body)

    def event() -> None:
        """Nothing is done for it."""

    def closed(ack: Ack) -> None:
        ack()

    def failed(error: Exception) -> BoltResponse:
        if isinstance(error, NotCommitted):  # whoever raised it has logged why
            log.warning("slack.not_taken", error=str(error))
        else:
            log.error("slack.not_handled", error=type(error).__name__, exc_info=error)
        return BoltResponse(status=500, body="")

    if many is not None:
        from adapters.slack import oauth

        oauth.serve_many(app, many, ears.core.clock)
    app.event("message")(message)
    app.event("app_mention")(message)
    app.event("app_home_opened")(home)
    app.event(everything)(event)
    app.command(everything)(command)
    app.action(everything)(action)
    app.shortcut(everything)(shortcut)
    app.view_submission(everything)(view)
    app.view_closed(everything)(closed)
    app.error(failed)
    return app


@contextmanager
def _socket(app: "App", token: str) -> Iterator[None]:
    """While entered, a socket to Slack is open, or is being tried for: Slack may be away when we start."""
    from slack_bolt.adapter.socket_mode import SocketModeHandler

    handler = SocketModeHandler(app, token, logger=_quiet)
    handler.client.on_error_listeners.append(lambda exc: log.warning("slack.socket_broke", error=type(exc).__name__))
    stop = threading.Event()
    thread = threading.Thread(target=_connect, args=(handler, stop), name="slack-connect", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        _close(handler)


def _close(handler: "SocketModeHandler") -> None:
    """Close the socket. If Slack hangs up at the same moment the library finds nothing to close, and stops half-way;
    the second time it knows."""
    try:
        handler.close()  # type: ignore[no-untyped-call]
    except AttributeError:
        handler.close()  # type: ignore[no-untyped-call]


def _connect(handler: "SocketModeHandler", stop: threading.Event) -> None:
    """Connect; once that has succeeded, the library reconnects by itself."""
    pause = SHORTEST_PAUSE
    while not stop.is_set():
        try:
            handler.client.connect_to_new_endpoint(force=True)
        except Exception as exc:
            log.warning("slack.socket_not_connected", error=type(exc).__name__, again_in=pause, remedy=REMEDY)
        if handler.client.is_connected():
            log.info("slack.socket_connected")
            return
        stop.wait(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
