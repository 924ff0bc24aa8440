"""What comes from Slack, told apart: a customer's problem, an agent's note, a command."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from adapters.slack import keys
from adapters.slack.acts import Acts, Person, command_in
from adapters.slack.settings import in_team
from adapters.slack.translate import (
    Payload,
    Post,
    Watch,
    heard,
    home_of,
    mentions,
    opened,
    plain,
    without_mention,
)
from bot.errors import FirstlineError, NotCommitted
from bot.model import InboundMessage, Incident, MessageKind, Received
from bot.ports import Core

WRITE_SOMETHING: Final = "Write what the matter is as well, in the same message."
NOT_HANDLED_YET: Final = "What came before in this thread is not handled yet. Slack sends this again."


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


def _person(key: str, home: str) -> Person:
    team, _, user = key.partition("/")
    return Person(team, user, home)
