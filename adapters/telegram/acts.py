"""What people do on Telegram: they write, give commands, and press buttons.

Commands and buttons are answered at once, and never twice: an update that comes again because our answer got lost is
known by `telegram/done/…` in the state.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import structlog

from adapters.telegram import keys
from adapters.telegram.api import BotApi
from adapters.telegram.keys import Place
from adapters.telegram.render import LONGEST, cut, read_button
from adapters.telegram.translate import Command, Json, Post, Watch, command, edited, is_for_us, opened, pressed
from bot.errors import DeliveryFailed, FirstlineError, Forbidden, NotCommitted, NotFound
from bot.model import Address, Caller, InboundMessage, Incident, IncidentDetails, Received, Role
from bot.ports import Core

log = structlog.get_logger()

ON_A_TICKET: Final = frozenset({"resolve", "reopen", "assign", "reply", "note", "category", "show", "status"})
AGENTS_ALONE: Final = ON_A_TICKET - {"status"}
CUSTOMERS: Final = ("new", "status", "close", "email", "help")
"""What the menu of commands shows, in this order."""

OURS: Final = frozenset(
    {*ON_A_TICKET, *CUSTOMERS, "code", "show", "start", "ticket", "list", "quarantine", "accept", "reject"}
)
TICKET: Final = re.compile(r"TKT-[A-Za-z0-9-]{1,32}", re.IGNORECASE)
LOOKED_THROUGH: Final = 50
"""Tickets of a customer among which the open ones are looked for."""

ANSWER: Final = 190
"""Characters of what is shown over the chat when a button was pressed; Telegram takes 200."""

SKEW: Final = timedelta(minutes=1)
"""How far Telegram's clock and ours may be apart."""

NOT_HANDLED_YET: Final = "What came before is not handled yet. Telegram sends this again."


@dataclass(slots=True)
class Acts:
    """Does what an update says. `agents` are the user ids of the agents; `watch` is completed when Telegram has told
    the bot's name. `within`: how many seconds an answer of ours may take."""

    core: Core
    api: BotApi
    agents: frozenset[int]
    watch: Watch
    within: float

    def quick(self, update: Json) -> InboundMessage | None:
        """Return the message that an update is, if it takes nothing but to be committed; most do."""
        message = update.get("message")
        post = Post.of(message, self.watch.bot)
        if post is None or not post.private or post.to_bot or not post.said:
            return None
        if post.text.startswith("/") or command(post, self.watch) is not None:
            return None
        return opened(post, self.watch)

    def hear(self, update: Json) -> None:
        """Do what any update says. Raises NotCommitted, and what the database raises: then it must come again."""
        if isinstance(query := update.get("callback_query"), dict):
            self._press(query)
        elif isinstance(member := update.get("my_chat_member"), dict):
            self._met(member)
        elif isinstance(message := update.get("edited_message"), dict):
            self._edit(message, update)
        elif isinstance(message := update.get("message"), dict):
            self._hear(message)

    # --- messages

    def _hear(self, message: Json) -> None:
        post = Post.of(message, self.watch.bot)
        if isinstance(message.get("migrate_to_chat_id"), int) and post is not None:
            self.core.state.put(f"telegram/moved/{post.place.chat}", str(message["migrate_to_chat_id"]))
        if post is None or not post.said:
            return
        given = command(post, self.watch)
        if post.place.chat == self.watch.agents_group:
            self._inside(post, given)
        elif given is not None and (post.private or given.name in OURS):
            self._command(post, given, message)
        elif given is None and is_for_us(post, self.watch):
            self._take(post)

    def _take(self, post: Post, fresh: bool = False) -> None:
        about, first = self._about(post)
        asked = f"telegram/asked/{post.answered_key}"
        for_what = self.core.state.get(asked) if post.to_bot else None
        if for_what == "email":
            self._command(post, Command("email", post.text), {})
            return
        fresh = fresh or for_what == "new"
        if about is not None and not post.private and self._notes_as_colleague(post, about):
            return
        message = opened(post, self.watch, fresh)
        if not message.text:
            self._tell(post, self._words("chat.write_something", post))
            return
        if first and not fresh:
            message = replace(message, refers_to=tuple(dict.fromkeys((first, *message.refers_to))))
        self.core.intake.accept(message)
        if for_what is not None:
            self.core.state.drop(asked)

    def _notes_as_colleague(self, post: Post, about: str) -> bool:
        """Whether an agent wrote under somebody's ticket: that is no customer's answer, and reopens nothing."""
        if post.author not in self.agents:
            return False
        incident = self._incident(about)
        if incident is None or incident.customer_id == str(post.author):
            return False
        self._note(post, incident)
        return True

    def _edit(self, message: Json, update: Json) -> None:
        post = Post.of(message, self.watch.bot)
        is_a_move = "location" in message  # a live location, which is edited every few seconds
        if post is None or not post.said or is_a_move or post.place.chat == self.watch.agents_group:
            return
        given = command(post, self.watch)
        if given is not None:
            is_taken, post = given.name in ("new", "ticket") and bool(given.rest), replace(post, text=given.rest)
        else:
            is_taken = is_for_us(post, self.watch) and self._is_first(post.key)  # else it was a command of before
        if is_taken:
            self.core.intake.accept(edited(post, update.get("update_id"), message.get("edit_date"), self.watch))

    def _met(self, member: Json) -> None:
        """Somebody has blocked the bot or started it again, or a group has removed or added it."""
        chat, now = member.get("chat") or {}, (member.get("new_chat_member") or {}).get("status")
        if isinstance(chat.get("id"), int) and isinstance(now, str):
            address = Address("telegram", str(chat["id"]))
            if now in ("kicked", "left"):
                self.core.reach.lost(address, "the bot was blocked or removed")
            else:
                self.core.reach.regained(address)

    # --- commands

    def _command(self, post: Post, given: Command, message: Json) -> None:
        if given.name in ("new", "ticket"):
            self._new(post, given.rest, message)
        elif given.name == "email" and not given.rest:
            self._ask(post, "email")
        elif self._is_first(post.key):
            says = self._run(post, given)
            self._remember(post.key)
            if says:
                self._tell(post, says)

    def _new(self, post: Post, text: str, message: Json) -> None:
        """Take down another problem: the text of the command, or the message that it answers; else ask for it."""
        before = None if post.to_bot or post.private else Post.of(message.get("reply_to_message"), post.bot)
        if text or post.files:
            self._take(replace(post, text=text, answers=None, to_bot=False), fresh=True)
        elif before is not None and before.said:
            self.core.intake.accept(opened(before, self.watch))
        else:
            self._ask(post, "new")

    def _ask(self, post: Post, for_what: str) -> None:
        """Ask for another problem (`new`) or for a mail address (`email`): the answer to our text is it."""
        asked = self._tell(post, self._words(f"chat.ask_{for_what}", post), force_reply=True)
        if asked:
            self.core.state.put(f"telegram/asked/{asked}", for_what)

    def _run(self, post: Post, given: Command) -> str:
        """Run a command, and return the answer: also why it was not done."""
        caller = self.caller(post.author)
        try:
            if given.name == "start" or (given.name == "help" and not caller.may(Role.AGENT)):
                return self._manual(post)
            if given.name == "close":
                return self._close(post, given.rest)
            if given.name == "status" and not given.rest and self._about(post)[0] is None:
                return self.core.commands.run("list", caller)
            return self.core.commands.run(self._line(given, self._about(post)[0], caller), caller)
        except NotCommitted:
            raise
        except FirstlineError as exc:
            return str(exc)

    def _line(self, given: Command, about: str | None, caller: Caller) -> str:
        """Write a command with the ticket in it that it is about: as named, or that of the place it is written in."""
        if given.name in ON_A_TICKET and about is not None and not TICKET.fullmatch(given.rest.partition(" ")[0]):
            found = self._found(about)
            if isinstance(found, Received):
                raise NotCommitted(NOT_HANDLED_YET)
            if found is not None and (caller.may(Role.AGENT) or given.name not in AGENTS_ALONE):
                return f"{given.name} {found.incident.ticket_id} {given.rest}"
        return f"{given.name} {given.rest}"

    def _manual(self, post: Post) -> str:
        listed = [f"/{name} - {self._words(f'chat.command_{name}', post)}" for name in CUSTOMERS]
        return "\n".join([self._words("chat.start", post), "", *listed])

    def _close(self, post: Post, ticket: str) -> str:
        """Close a ticket of their own, also for who is an agent; ask which, if several are open and none is named."""
        customer = Caller(str(post.author), Role.CUSTOMER, _person(post.author))
        own = [] if ticket else self.core.views.own(_person(post.author), LOOKED_THROUGH)
        if sum(incident.status == "open" for incident in own) > 1:
            return f"{self._words('chat.which', post)}\n{self.core.commands.run('status', customer)}"
        return self.core.commands.run(f"close {ticket}", customer)

    # --- in the agents' group

    def _inside(self, post: Post, given: Command | None) -> None:
        """Run an agent's command in a topic, or keep what they write there as a note. Nothing is a customer's."""
        topic = post.place.topic
        about = None if topic is None else self.core.state.get(f"telegram/topic-of/{post.place.chat}/{topic}")
        if given is not None and given.name in OURS and self._is_first(post.key):
            caller = self.caller(post.author)
            try:
                says = self.core.commands.run(self._line(given, about, caller), caller)
            except NotCommitted:
                raise
            except FirstlineError as exc:
                says = str(exc)
            self._remember(post.key)
            self._tell(post, says)
        elif given is None and about is not None and post.author in self.agents:
            incident = self._incident(about)
            if incident is not None:
                self._note(post, incident)

    def _note(self, post: Post, incident: Incident) -> None:
        if self._is_first(post.key):
            try:
                self.core.commands.note(incident.ticket_id, self.caller(post.author), post.said)
            except FirstlineError as exc:
                self._tell(post, str(exc))
            self._remember(post.key)

    # --- buttons

    def _press(self, query: Json) -> None:
        """Do what a button says, and tell who pressed it what came of it."""
        user, holder = (query.get("from") or {}).get("id"), query.get("message")
        button = read_button(query.get("data"))
        says = self._words("chat.leads_nowhere", query)
        if isinstance(user, int) and isinstance(holder, dict) and button is not None:
            try:
                says = self._do(button, user, holder, query)
            except NotCommitted:
                raise
            except FirstlineError as exc:
                says = str(exc)
        self._call("answerCallbackQuery", {"callback_query_id": str(query.get("id")), "text": says[:ANSWER]})

    def _do(self, button: tuple[str, str, str], user: int, holder: Json, query: Json) -> str:
        name, incident_id, written = button
        if name == "add_email":
            return self._words("own.email_which", query)
        incident = self._incident(incident_id)
        if incident is None:
            raise NotFound(self._words("chat.leads_nowhere", query))
        if name in ("assign", "resolve", "reopen"):
            return self.core.commands.run(f"{name} {incident.ticket_id}", self.caller(user))
        if name.startswith("category-"):  # the button that confirms it
            category = name.removeprefix("category-")
            return self.core.commands.run(f"category {incident.ticket_id} {category}", self.caller(user))
        if name not in ("solved", "not_solved") and not re.fullmatch("rate-[1-5]", name):
            raise NotFound(self._words("chat.leads_nowhere", query))
        if incident.customer_id != str(user) and user not in self.agents:
            raise Forbidden(self._words("chat.not_yours", query))
        turn = _turn(name, written, incident, holder.get("date"))
        if turn is None:
            self._take_buttons_away(holder)
            return self._words("answer.too_late", query)
        place, key, private = self._holder(holder)
        self.core.intake.accept(pressed(f"{name}@{turn}", str(query.get("id")), user, place, key, private))
        self._take_buttons_away(holder)
        answer = "rating" if name.startswith("rate-") else name
        return self.core.words(f"answer.{answer}_noted", incident.language)

    def _holder(self, holder: Json) -> tuple[Place, str, bool]:
        """Where a message of ours stands, by which name the core knows it, and whether that is a private chat."""
        chat = holder.get("chat") or {}
        place = Place(int(chat.get("id") or 0), holder.get("message_thread_id") if _in_topic(holder) else None)
        key = keys.message(self.watch.bot, place.chat, int(holder.get("message_id") or 0))
        return place, self._known_as(key)[1] or key, chat.get("type") == "private"

    def _take_buttons_away(self, holder: Json) -> None:
        chat = (holder.get("chat") or {}).get("id")
        self._call("editMessageReplyMarkup", {"chat_id": chat, "message_id": holder.get("message_id")})

    # --- who, what and where

    def caller(self, user: int) -> Caller:
        """Say who somebody is to the core."""
        if user in self.agents:
            return Caller(f"telegram/{user}", Role.AGENT)
        return Caller(str(user), Role.CUSTOMER, _person(user))

    def _about(self, post: Post) -> tuple[str | None, str]:
        """The incident that the text of ours is about which a message answers, and by which name the core knows it."""
        return self._known_as(post.answered_key) if post.to_bot else (None, "")

    def _known_as(self, key: str) -> tuple[str | None, str]:
        kept = self.core.state.get(f"telegram/about/{key}")
        incident_id, _, first = (kept or "").partition(" ")
        return incident_id or None, first

    def _incident(self, incident_id: str) -> Incident | None:
        found = self._found(incident_id)
        if isinstance(found, Received):
            raise NotCommitted(NOT_HANDLED_YET)
        return None if found is None else found.incident

    def _found(self, incident_id: str) -> IncidentDetails | Received | None:
        try:
            return self.core.views.incident(incident_id)
        except NotFound:
            return None

    def _is_first(self, key: str) -> bool:
        return self.core.state.get(f"telegram/done/{key}") is None

    def _remember(self, key: str) -> None:
        self.core.state.put(f"telegram/done/{key}", "1")

    # --- answering

    def _words(self, name: str, to: "Post | Json") -> str:
        """A sentence in the language of whoever wrote or pressed something."""
        language = to.language if isinstance(to, Post) else str((to.get("from") or {}).get("language_code") or "")
        return self.core.words(name, language[:2])

    def _tell(self, post: Post, text: str, force_reply: bool = False) -> str:
        """Say something where a message was written; return the name of what was said (empty: it was not)."""
        parameters: dict[str, Any] = {"chat_id": post.place.chat, "text": cut(text, LONGEST)}
        if post.place.topic is not None:
            parameters["message_thread_id"] = post.place.topic
        if not post.private or force_reply:
            parameters["reply_parameters"] = {"message_id": post.number, "allow_sending_without_reply": True}
        if force_reply:
            parameters["reply_markup"] = {"force_reply": True, "selective": True}
        said = self._call("sendMessage", parameters)
        return keys.message(self.watch.bot, post.place.chat, said["message_id"]) if said else ""

    def _call(self, method: str, parameters: Mapping[str, Any]) -> Json | None:
        """Call Telegram, and do not raise: an answer that does not come is no reason to do everything once more."""
        try:
            result = self.api.call(method, parameters, self.within)
        except DeliveryFailed as exc:
            log.warning("telegram.call_failed", method=method, reason=str(exc))
            return None
        return result if isinstance(result, dict) else None


def _turn(name: str, written: str, incident: Incident, posted: object) -> int | None:
    """The turn of the incident's life that a button is about; None if that is over. A button that does not say which it
    is of is too late if its message was there before the turn began, or is too old for Telegram to tell (0)."""
    rates = name.startswith("rate-")
    turn, since = (
        (incident.resolutions, incident.resolved_at) if rates else (incident.openings, incident.last_opened_at)
    )
    if incident.status != ("resolved" if rates else "open") or written not in ("", str(turn)):
        return None
    before = turn > 1 and since is not None and isinstance(posted, int) and posted < (since - SKEW).timestamp()
    return None if before and not written else turn


def _in_topic(message: Json) -> bool:
    return bool(message.get("is_topic_message")) and isinstance(message.get("message_thread_id"), int)


def _person(user: int) -> Address:
    return Address("telegram", str(user))
