"""Slack in: what it tells us of, over HTTP or through a socket of ours, is committed before it is acknowledged."""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import structlog

from adapters.slack import keys
from adapters.slack.acts import Acts, Person, Threads, Web, command_in
from adapters.slack.door import Door
from adapters.slack.installations import Installations, OneToken, Tokens
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

PATH: Final = "/slack/events"

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
        message = self.at_once(body)
        if message is not None:
            self.core.intake.accept(message)
            return
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

    def at_once(self, body: Payload) -> InboundMessage | None:
        """Return the customer's message that an event is, if that can be told by itself: it begins a thread in a
        channel for support, and does not name the bot. That is most of what comes."""
        event = body.get("event") or {}
        if event.get("type") != "message":
            return None
        watch, channel = self._watch(body), event.get("channel")
        if channel not in watch.support or channel == watch.agents:
            return None
        post = Post.of(event, channel, watch.team)
        if post is None or post.root is not None or watch.is_own(post.author) or mentions(post.text, watch.bot):
            return None
        message = opened(post, watch.bot)
        return message if message.text else None

    def show_home(self, body: Payload) -> None:
        """Show somebody who has opened the app's home what stands there."""
        event, home = body.get("event") or {}, self._watch(body).team
        if event.get("tab") == "home" and event.get("user"):
            self.acts.show_home(Person(str(body.get("team_id") or home), str(event["user"]), home))

    def _take(self, event: Payload, message: InboundMessage, watch: Watch) -> None:
        colleague = None if message.private else self._colleague(message, watch)
        if colleague is not None:
            if message.kind is MessageKind.NEW and event.get("type") == "message":  # it comes as a mention, too
                self._note(message.external_id, message.text, colleague, message.thread)
        elif message.kind is MessageKind.NEW or self._is_first(message.about):
            self.core.intake.accept(message)

    def _colleague(self, message: InboundMessage, watch: Watch) -> Person | None:
        """The agent who wrote into a customer's thread, if one did: what agents write there is no customer's answer,
        and reopens nothing."""
        person = _person(message.customer_id, watch.team)
        if message.is_about == message.thread or not self.acts.is_agent(person):
            return None
        found = self.acts.threads.about(message.thread)
        return None if found is None or found.customer_id == message.customer_id else person

    def _take_note(self, event: Payload, post: Post, watch: Watch) -> None:
        """Put what an agent wrote under a card on its incident, inside."""
        if event.get("type") == "message" and post.root is not None and self.acts.threads.card(post.thread):
            self._note(post.key, opened(post, watch.bot).text, _person(post.author, watch.team), post.thread)

    def _note(self, key: str, text: str, person: Person, thread: str) -> None:
        found = self.acts.threads.about(thread)
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
        return _for_team(self.watch, team, str(bot or self.watch.bot))


@lru_cache(maxsize=256)
def _for_team(watch: Watch, team: str, bot: str) -> Watch:
    support = frozenset(name for written in watch.support if (name := in_team(written, team)))
    return replace(watch, team=team, bot=bot, support=support, agents=in_team(watch.agents, team))


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
            web.add_route(PATH, Door(app, ears.at_once if one else None, core.intake, secret).take, ["POST"])
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


def _person(key: str, home: str) -> Person:
    team, _, user = key.partition("/")
    return Person(team, user, home)
