"""Telegram out: texts into chats, under messages in groups, and into the agents' group, where each incident has a topic
with its card.

Telegram takes no idempotency key and shows bots no history: what may have arrived can only be sent once more.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import structlog

from adapters.telegram import keys
from adapters.telegram.api import BotApi, Moved, Refused
from adapters.telegram.keys import Place
from adapters.telegram.render import INSIDE, Part, keyboard, parts, topic_name
from adapters.telegram.settings import TelegramSettings
from bot.errors import CannotTell, DeliveryFailed, Uncertain, Undeliverable
from bot.model import Address, Notice, NoticeKind, Sent
from bot.ports import Sender, State

OVERALL: Final = 1 / 30
EACH_CHAT: Final = 1.0
EACH_GROUP: Final = 3.0
"""Seconds between two messages (core.telegram.org/bots/faq, "My bot is hitting limits"): of a bot, in a chat, and in a
group, which takes 20 a minute."""

TOPIC_GONE: Final = re.compile(r"thread not found|topic_deleted|topic_id_invalid|topic not found")
TOPIC_CLOSED: Final = "topic_closed"
SAME_AS_BEFORE: Final = "message is not modified"
CARD_GONE: Final = re.compile(r"message to edit not found|message can't be edited|message_id_invalid")
NO_TOPICS: Final = "make the agents' group one with topics, and the bot an administrator who may manage them"

log = structlog.get_logger()


class TopicGone(Undeliverable):
    """Raised when the topic into which something was to be put is not there any more."""


class TelegramSender(Sender):
    """The sending half of the channel.

    In `state` is kept: `telegram/topic/INCIDENT` its topic in the agents' group, `telegram/topic-of/CHAT/TOPIC` the
    other way round, `telegram/card/INCIDENT` its card's message; `telegram/about/MESSAGE`, for a text of ours in a
    group, or one of several parts, its incident and the first part, by which the core knows it; `telegram/parts/NOTICE`
    how far a text of several parts has got; `telegram/moved/CHAT` what a group has become.
    """

    name = "telegram"
    simulated = False

    def __init__(self, settings: TelegramSettings, state: State, api: BotApi) -> None:
        self.deadline = settings.telegram_deadline.total_seconds()
        self._group = settings.telegram_agents_group
        self._state = state
        self._api = api
        self._topics_are_missing = False

    def paces(self, to: Address) -> Mapping[str, float]:
        """Name what this address's texts share with others, with the seconds between two of them."""
        try:
            chat = keys.parse(to.key).chat
        except ValueError:
            return {}
        return {self.name: OVERALL, f"{self.name}/{chat}": EACH_CHAT if chat > 0 else EACH_GROUP}

    def send(self, to: Address, notice: Notice) -> Sent:
        """Send the notice, or change the card, and return the name of its first message. Raises TryLater, Undeliverable
        or Uncertain; none of their texts holds a word of the notice."""
        until = time.monotonic() + self.deadline
        try:
            place = keys.parse(to.key)
        except ValueError as exc:
            raise Undeliverable(str(exc)) from None
        place = replace(place, chat=self._moved(place.chat))
        try:
            return self._put(place, notice, until)
        except Moved as exc:
            self._state.put(f"telegram/moved/{place.chat}", str(exc.to))
            return self._put(replace(place, chat=exc.to, message=None), notice, until)

    def find(self, to: Address, notice: Notice) -> Sent | None:
        """None for what changes a card: that may be repeated. Raises CannotTell for everything else."""
        if notice.kind is NoticeKind.CARD and self._state.get(_card_key(notice)) is not None:
            return None
        raise CannotTell("Telegram shows a bot nothing of what it has sent", repeats=1)

    def close(self) -> None:
        self._api.close()

    def _put(self, place: Place, notice: Notice, until: float) -> Sent:
        if place.chat == self._group and place.topic is None and notice.kind in INSIDE:
            return Sent(self._put_inside(place, notice, until))
        answered = keys.number_of(notice.answers, place.chat)
        return Sent(self._say(replace(place, message=answered or place.message), notice, until))

    # --- in the agents' group

    def _put_inside(self, group: Place, notice: Notice, until: float) -> str:
        """Put a notice into its incident's topic; if that was deleted, into a new one."""
        known = self._state.get(f"telegram/topic/{notice.incident_id}")
        if known is not None:
            try:
                return self._in_topic(replace(group, topic=int(known)), notice, until)
            except TopicGone:
                self._state.drop(_card_key(notice))
                self._state.drop(f"telegram/topic/{notice.incident_id}")
        return self._in_topic(self._new_topic(group, notice, until), notice, until)

    def _new_topic(self, group: Place, notice: Notice, until: float) -> Place:
        """Make a topic for an incident; where the group has none, everything goes into the group itself."""
        try:
            made = self._call("createForumTopic", {"chat_id": group.chat, "name": topic_name(notice)}, until)
        except Refused as exc:
            if not self._topics_are_missing:
                log.warning("telegram.topic_not_made", reason=str(exc), remedy=NO_TOPICS)
            self._topics_are_missing = True
            return group
        topic = _number(made, "message_thread_id")
        self._state.put(f"telegram/topic-of/{group.chat}/{topic}", notice.incident_id)
        self._state.put(f"telegram/topic/{notice.incident_id}", str(topic))
        return replace(group, topic=topic)

    def _in_topic(self, place: Place, notice: Notice, until: float) -> str:
        if notice.kind is not NoticeKind.CARD:
            return self._say(place, notice, until)
        known = self._state.get(_card_key(notice))
        if known is not None and self._change(place, int(known), notice, until):
            return keys.message(self._api.bot, place.chat, int(known))
        said = self._say(place, notice, until)
        number = keys.number_of(said, place.chat)
        self._state.put(_card_key(notice), str(number))
        if place.topic is not None:
            self._quietly("pinChatMessage", {"message_id": number, "disable_notification": True}, place, until)
        return said

    def _change(self, place: Place, card: int, notice: Notice, until: float) -> bool:
        """Change a card; return whether it is there."""
        part = parts(notice)[0]
        try:
            self._as_html("editMessageText", {"message_id": card, **_with(keyboard(notice))}, place, part, until)
        except Refused as exc:
            if CARD_GONE.search(exc.why):
                return False
            if SAME_AS_BEFORE not in exc.why:
                raise
        return True

    # --- saying something

    def _say(self, place: Place, notice: Notice, until: float) -> str:
        """Send the parts of a notice that were not sent before, and return the name of the first."""
        written = parts(notice)
        kept = f"telegram/parts/{notice.key}"
        sent = (self._state.get(kept) or "").split() if len(written) > 1 else []
        for part in written[len(sent) :]:
            buttons = keyboard(notice) if part is written[-1] else None
            more = {**_answering(place), **_with(buttons)} if not sent else _with(buttons)
            answer = self._as_html("sendMessage", more, place, part, until)
            sent.append(keys.message(self._api.bot, place.chat, _number(answer, "message_id")))
            if len(written) > 1 or place.chat < 0:
                self._state.put(f"telegram/about/{sent[-1]}", f"{notice.incident_id} {sent[0]}")
            if len(written) > 1:
                self._state.put(kept, " ".join(sent))
        if len(written) > 1:
            self._state.drop(kept)
        return sent[0]

    def _as_html(self, method: str, more: Mapping[str, Any], place: Place, part: Part, until: float) -> Any:
        """Send or change a text; as plain text, if Telegram cannot read our marks."""
        parameters = {**_at(place, method), **more, "link_preview_options": {"is_disabled": True}}
        try:
            return self._call(method, {**parameters, "text": part.html, "parse_mode": "HTML"}, until)
        except Refused as exc:
            if "parse entities" in exc.why:
                log.warning("telegram.marks_refused", method=method)
                return self._call(method, {**parameters, "text": part.plain}, until)
            if place.topic is not None and TOPIC_CLOSED in exc.why:
                self._call("reopenForumTopic", _at(place, "sendMessage"), until)
                return self._call(method, {**parameters, "text": part.html, "parse_mode": "HTML"}, until)
            if place.topic is not None and TOPIC_GONE.search(exc.why):
                raise TopicGone(f"the topic is not there any more: {exc}") from None
            raise

    def _quietly(self, method: str, more: Mapping[str, Any], place: Place, until: float) -> None:
        """Do what is nice to have. Never raises: the text is there, and must not be repeated."""
        try:
            self._call(method, {"chat_id": place.chat, **more}, until)
        except DeliveryFailed as exc:
            log.warning("telegram.call_failed", method=method, reason=str(exc))

    def _call(self, method: str, parameters: Mapping[str, Any], until: float) -> Any:
        return self._api.call(method, parameters, until - time.monotonic())

    def _moved(self, chat: int) -> int:
        """What a group has become: only the old ones, whose ids are not yet -100…, ever become another."""
        known = self._state.get(f"telegram/moved/{chat}") if -(10**12) < chat < 0 else None
        return chat if known is None else int(known)


def _at(place: Place, method: str) -> dict[str, Any]:
    topic = {} if place.topic is None or method == "editMessageText" else {"message_thread_id": place.topic}
    return {"chat_id": place.chat, **topic}


def _answering(place: Place) -> dict[str, Any]:
    """Have it be an answer to the customer's message, also if that is deleted meanwhile."""
    if place.message is None:
        return {}
    return {"reply_parameters": {"message_id": place.message, "allow_sending_without_reply": True}}


def _number(answer: Any, name: str) -> int:
    """Read a number of an answer."""
    number = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(number, int):
        raise Uncertain("Telegram took it, but did not say under which number")
    return number


def _with(buttons: Mapping[str, Any] | None) -> dict[str, Any]:
    return {} if buttons is None else {"reply_markup": buttons}


def _card_key(notice: Notice) -> str:
    return f"telegram/card/{notice.incident_id}"
