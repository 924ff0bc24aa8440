"""Slack in: what it tells us of, over HTTP or through a socket of ours, is committed before it is acknowledged."""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from adapters.slack import keys
from adapters.slack.acts import Acts, Person, Threads, Web, command_in
from adapters.slack.installations import Installations, OneToken, Tokens
from adapters.slack.manifest import LEAVING
from adapters.slack.rights import Agents
from adapters.slack.settings import SlackSettings, in_team
from adapters.slack.translate import (
    Payload,
    Post,
    Watch,
    escape,
    heard,
    home_of,
    mentions,
    opened,
    plain,
    without_mention,
)
from bot.errors import ConfigurationError, FirstlineError, NotCommitted
from bot.model import InboundMessage, Incident, MessageKind, Received
from bot.ports import Core, Routes

if TYPE_CHECKING:
    from slack_bolt import App
    from slack_bolt.adapter.socket_mode import SocketModeHandler
    from slack_sdk.signature import SignatureVerifier
    from starlette.requests import Request

PATH: Final = "/slack/events"
LARGEST: Final = 1_000_000
"""Bytes of a request. Slack's largest hold a message of 40,000 characters, twice."""

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between two attempts at connecting the socket."""

REMEDY: Final = "SLACK_APP_TOKEN must be an app-level token with the scope connections:write"

WRITE_SOMETHING: Final = "Write what the matter is as well, in the same message."
NOT_HANDLED_YET: Final = "What came before in this thread is not handled yet. Slack sends this again."

log = structlog.get_logger()

_quiet = logging.getLogger("slack_bolt.firstline")
_quiet.setLevel(logging.CRITICAL)  # else the library logs the bodies of requests; errors are logged by `_failed`
_quiet.propagate = False


@dataclass(frozen=True, slots=True)
class Ears:
    """Does what a message in Slack asks for: a command, a note of an agent, or a customer's problem."""

    core: Core
    acts: Acts
    watch: Watch

    def hear(self, body: Payload) -> None:
        """Take in an event `message` or `app_mention`. Raises NotCommitted."""
        event, watch = body.get("event") or {}, self._watch(body)
        post = Post.of(event, event.get("channel"), watch.team)
        if post is not None and watch.is_own(post.author):
            return
        if post is not None and self._is_command(event, post, watch):
            return
        if post is not None and post.place.channel == watch.agents:
            self._take_note(event, post, watch)
            return
        message = heard(event, watch)
        if message is not None:
            self._take(event, message, watch)
        elif post is not None and (post.private or event.get("type") == "app_mention"):  # the bot's name alone
            self._tell(post, WRITE_SOMETHING)

    def _take(self, event: Payload, message: InboundMessage, watch: Watch) -> None:
        colleague = None if message.private else self._colleague(message, watch)
        if colleague is not None:
            if message.kind is MessageKind.NEW and event.get("type") == "message":  # it comes as a mention, too
                self._note(message.external_id, message.text, colleague, message.thread)
        elif message.kind is MessageKind.NEW:
            self.acts.threads.keep(message, self.core.intake.accept(message))
        elif self._is_first(message.about):  # else it was a command, and is no problem for being worded anew
            self.core.intake.accept(message)

    def _colleague(self, message: InboundMessage, watch: Watch) -> Person | None:
        """The agent who wrote into a customer's thread, if one did: what agents write there is no customer's answer,
        and reopens nothing."""
        person = _person(message.customer_id, watch.team)
        if message.is_about == message.thread or not self.acts.is_agent(person):
            return None
        found = self.acts.about(message.thread)
        return None if found is None or found.customer_id == message.customer_id else person

    def _take_note(self, event: Payload, post: Post, watch: Watch) -> None:
        """Put what an agent wrote under a card on its incident, inside."""
        if event.get("type") == "message" and post.root is not None and self.acts.threads.card(post.thread):
            self._note(post.key, opened(post, watch.bot).text, _person(post.author, watch.team), post.thread)

    def _note(self, key: str, text: str, person: Person, thread: str) -> None:
        found = self.acts.about(thread)
        if isinstance(found, Received):
            raise NotCommitted(NOT_HANDLED_YET)
        if isinstance(found, Incident) and self._is_first(key):
            try:
                seen_on = "slack" if self.acts.threads.card(thread) else ""
                self.core.commands.note(found.ticket_id, self.acts.caller(person), text, seen_on)
            except FirstlineError as exc:
                self.acts.web.tell(keys.parse(thread), person.user, str(exc))
            self._remember(key)

    def _is_command(self, event: Payload, post: Post, watch: Watch) -> bool:
        """Whether a post is a command; then it is run. In a channel it comes twice, as a message and as a mention:
        that is run which comes as a mention."""
        mentioned = event.get("type") == "app_mention"
        if not (post.private or mentioned or mentions(post.text, watch.bot)):
            return False
        person = _person(post.author, watch.team)
        line = command_in(
            plain(without_mention(post.text, "" if post.private else watch.bot)),
            lambda: None if post.private else self.acts.ticket(post.thread),
            lambda: self.acts.is_agent(person),
        )
        if line is not None and (post.private or mentioned) and self._is_first(post.key):
            self._tell(post, self.acts.run(line, person, post.place.ts))
            self._remember(post.key)
        return line is not None

    def _tell(self, post: Post, text: str) -> None:
        self.acts.web.tell(replace(post.place, ts=post.root), post.author.partition("/")[2], text)

    def _is_first(self, key: str) -> bool:
        """Whether this is not done yet: Slack sends an event again if it was not answered in time."""
        return self.core.state.get(f"slack/done/{key}") is None

    def _remember(self, key: str) -> None:
        self.core.state.put(f"slack/done/{key}", "1")

    def _watch(self, body: Payload) -> Watch:
        """Complete what we watch with what the event itself says of the app: its workspace, and its user there. Of the
        channels those are left that can be this workspace's."""
        installed = [one for one in body.get("authorizations") or () if isinstance(one, dict)]
        one = installed[0] if installed else {}
        team = home_of(body, self.watch.team)
        bot = one.get("user_id") if one.get("is_bot") else None
        support = frozenset(name for written in self.watch.support if (name := in_team(written, team)))
        agents = in_team(self.watch.agents, team)
        return replace(self.watch, team=team, bot=str(bot or self.watch.bot), support=support, agents=agents)


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
        app = self._app(core)
        if self._settings.slack_app_token is None:
            web.add_route(PATH, self._endpoint(app), ["POST"])
            if isinstance(self._tokens, Installations):
                from adapters.slack import oauth

                oauth.add_routes(web, oauth.flow(self._settings, self._tokens, core.clock))
            yield
        else:
            with _socket(app, self._settings.slack_app_token.get_secret_value()):
                yield

    def _app(self, core: Core) -> "App":
        slack = Web(self._settings, self._tokens)
        one = isinstance(self._tokens, OneToken)
        team, bot = (slack.whoami() if one else None) or ("", "")  # if it cannot be had now, each event says it too
        home = "" if team.startswith("E") else team  # an organisation's app is at home in many workspaces
        agents = Agents(self._settings.agents, slack.members, core.clock)
        threads = Threads(core.state)
        channel = self._settings.slack_agents_channel
        acts = Acts(core, slack, agents, threads, home, channel)
        watch = Watch(home, bot, self._settings.support_channels, channel, threads.knows)
        many = self._tokens if isinstance(self._tokens, Installations) else None
        return _bolt(self._settings, Ears(core, acts, watch), acts, many)

    def _endpoint(self, app: "App") -> Callable[..., Any]:
        from slack_sdk.signature import SignatureVerifier
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import Request
        from starlette.responses import Response

        assert self._settings.slack_signing_secret is not None
        verifier = SignatureVerifier(self._settings.slack_signing_secret.get_secret_value())

        async def events(request: Request) -> Response:
            from slack_bolt.adapter.starlette.handler import to_bolt_request, to_starlette_response

            body = await _read(request)
            if body is None:
                return Response("The body is too large.", 413)
            if not _is_signed(verifier, request, body):
                return Response("The signature is wrong, or too old.", 401)
            try:
                asked = to_bolt_request(request, body)
            except (ValueError, TypeError, AttributeError, RecursionError):
                return Response("The body is none of Slack's.", 400)
            return to_starlette_response(await run_in_threadpool(app.dispatch, asked))

        return events


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
        _serve_many(app, many, ears.core)
    app.event("message")(message)
    app.event("app_mention")(message)
    app.event(everything)(event)
    app.command(everything)(command)
    app.action(everything)(action)
    app.shortcut(everything)(shortcut)
    app.view_submission(everything)(view)
    app.view_closed(everything)(closed)
    app.error(failed)
    return app


def _serve_many(app: "App", many: Installations, core: Core) -> None:
    """Take nothing from where the app is not installed, and forget the tokens of who removes it."""
    from slack_bolt import BoltContext, BoltResponse

    from adapters.slack.oauth import Store

    store = Store(many, core.clock)

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


async def _read(request: "Request") -> bytes | None:
    """Read the body; None if it is larger than any of Slack's."""
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            return None
    return b"".join(parts)


def _is_signed(verifier: "SignatureVerifier", request: "Request", body: bytes) -> bool:
    """Whether Slack signed this within the last five minutes."""
    headers = request.headers
    try:
        return verifier.is_valid(body, headers.get("x-slack-request-timestamp"), headers.get("x-slack-signature"))
    except (ValueError, TypeError):  # no number, or letters that no signature has
        return False


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


def _person(key: str, home: str) -> Person:
    team, _, user = key.partition("/")
    return Person(team, user, home)
