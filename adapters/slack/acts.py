"""What people do in Slack besides writing: commands, buttons, menus, shortcuts and forms.

Each answer is for the eyes of one person. Whatever is to be opened in Slack is opened within the request, because the
permission to do so lasts three seconds.
"""

import json
import logging
import math
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import structlog

from adapters.slack import keys
from adapters.slack.home import LISTED, REPORT, View, home_of_agent, home_of_customer, named_in
from adapters.slack.installations import OneToken, Tokens
from adapters.slack.keys import Place
from adapters.slack.people import People
from adapters.slack.rights import Agents
from adapters.slack.settings import SlackSettings, in_team
from adapters.slack.translate import Payload, Post, escape, home_of, opened, plain, pressed, reported, when
from bot.errors import Conflict, FirstlineError, Forbidden, NotCommitted, NotFound, NotUnderstood
from bot.model import Address, Caller, Category, InboundMessage, Incident, IncidentDetails, Received, Role
from bot.ports import Core

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.web import SlackResponse

BRIEF: Final = 1
"""Seconds that a call within a request may take: Slack waits three for all of it."""

WAIT_FOR_NAMES: Final = BRIEF / 2
"""Seconds that a request waits for the names of people; it is not the only thing that it waits for."""

SKEW: Final = timedelta(minutes=1)
"""How far Slack's clock and ours may be apart."""

ON_A_TICKET: Final = frozenset({"resolve", "reopen", "assign", "reply", "note", "category", "show", "status", "close"})
LISTS: Final = frozenset({"", "open", "mine", *Category})

LONGEST_TEXT: Final = 3000
"""Characters that a field of a form may hold (docs.slack.dev, "Plain-text input")."""

OWN: Final = re.compile(r"status|close|email\s+[^\s@]+@[^\s@]+|(?:email|code)\s+[0-9]{6}", re.IGNORECASE)
"""What customers may ask for without the number of a ticket."""

TICKET: Final = re.compile(r"TKT-[A-Za-z0-9-]{1,32}", re.IGNORECASE)
MAIL: Final = re.compile(r"[^@\s,;<>]{1,64}@[^@\s,;<>]{1,190}")

UNKNOWN_THREAD: Final = "No ticket is known for this thread. Name it: /resolve TKT-x"
LEADS_NOWHERE: Final = "This button leads nowhere any more. Write here instead."
NOT_YOURS: Final = "Only the person who reported this, or an agent, can answer it."
NOT_A_PERSONS: Final = "Only what a person wrote can become a ticket."
AGENTS_OWN: Final = "What is written in the agents' channel becomes no ticket."
WITH_US_ALREADY: Final = "This message is with us already."
TAKEN: Final = "It is taken down; the ticket number comes in its thread."
ANSWER_COMES_HERE: Final = "It is taken down; the ticket number comes as a direct message."
WHAT_IS_WRONG: Final = "Write what the matter is behind it, such as: /new My card was charged twice"
CANNOT_OPEN: Final = "Slack did not open the form. Try again."
HOW_TO_ADD_EMAIL: Final = (
    "Write to me in a direct message: email name@example.com. A code is sent there, which you write back to me."
)
DONE: Final = {"not_solved": "It stays open, and the agents know.", "rate": "Thank you for the rating."}

log = structlog.get_logger()

_quiet = logging.getLogger("slack_sdk.firstline")
_quiet.setLevel(logging.CRITICAL)  # else the library logs whole texts at DEBUG, and beginnings of answers at ERROR


class Web:
    """The few calls to Slack that cannot wait for a worker. None of them raises: what fails is logged, without a text,
    and answered None. They are made in one workspace (`team`); `of` returns another's."""

    def __init__(self, settings: SlackSettings, tokens: Tokens | None = None, team: str = "") -> None:
        self._settings = settings
        self._tokens = tokens or OneToken.set_in(settings)
        self._team = team
        self._others: dict[str, Web] = {}

    def of(self, team: str) -> "Web":
        """Return the calls to another workspace; with one token for all there is no other."""
        if isinstance(self._tokens, OneToken) or team == self._team:
            return self
        other = self._others.get(team)
        if other is None:
            other = self._others.setdefault(team, Web(self._settings, self._tokens, team))
            other.tls = self.tls
        return other

    def whoami(self) -> tuple[str, str] | None:
        """Return the workspace that the app is installed in, and its own user there."""
        answer = self._ask("auth.test", self._patience, lambda slack: slack.auth_test())
        return None if answer is None else (str(answer.get("team_id") or ""), str(answer.get("user_id") or ""))

    def members(self, group: str) -> list[str]:
        """Return the people of a user group (S1, or T1/S1). Raises what the library raises, unlike the others."""
        team, _, name = group.rpartition("/")
        slack = self.of(team or self._team)._client(self._patience)
        found = slack.usergroups_users_list(usergroup=name, team_id=team or None)  # an organisation's token asks for it
        return list(found.get("users") or ())

    @cached_property
    def people(self) -> People:
        """What people are called."""
        return People(lambda user: self._client(BRIEF).users_info(user=user).get("user") or {})

    def tell(self, place: Place, user: str, text: str) -> None:
        """Say something that this person alone sees, until they reload."""
        self.of(place.team)._ask(
            "chat.postEphemeral",
            BRIEF,
            lambda slack: slack.chat_postEphemeral(
                channel=place.channel, user=user, thread_ts=place.ts, text=escape(text)
            ),
        )

    def open_form(self, trigger_id: str, form: dict[str, Any]) -> bool:
        """Open a form for the person who has just done something; return whether it was."""
        opened = self._ask("views.open", BRIEF, lambda slack: slack.views_open(trigger_id=trigger_id, view=form))
        return opened is not None

    def publish(self, user: str, view: dict[str, Any]) -> None:
        """Show a view in a person's home of the app."""
        self._ask("views.publish", BRIEF, lambda slack: slack.views_publish(user_id=user, view=view))

    def direct_message(self, user: str) -> str | None:
        """Return the channel of the direct message to a person."""
        answer = self._ask("conversations.open", BRIEF, lambda slack: slack.conversations_open(users=user))
        channel = ((answer or {}).get("channel") or {}).get("id")
        return channel if isinstance(channel, str) else None

    def _ask(self, method: str, within: int, call: "Callable[[WebClient], SlackResponse]") -> Mapping[str, Any] | None:
        try:
            answer = call(self._client(within)).data
        except Exception as exc:  # the library lets through whatever sockets, TLS and JSON raise
            log.warning("slack.call_failed", method=method, reason=_why(exc))
            return None
        return answer if isinstance(answer, dict) else {}

    @property
    def _patience(self) -> int:
        return math.ceil(self._settings.slack_timeout.total_seconds())

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Made once: reading the system's certificates takes long."""
        return ssl.create_default_context()

    def _client(self, within: int) -> "WebClient":
        from slack_sdk import WebClient

        token = self._tokens.of(self._team)
        if token is None:
            raise LookupError("the app is not installed in this workspace")
        return WebClient(
            token=token.get_secret_value(),
            base_url=self._settings.slack_api_url,
            timeout=within,
            ssl=self.tls,
            retry_handlers=[],
            logger=_quiet,
        )


@dataclass(frozen=True, slots=True)
class Threads:
    """What a thread in Slack is about."""

    core: Core

    def card(self, thread: str) -> Incident | None:
        """Return the incident of the card at which a thread begins: the sender keeps which that is."""
        incident_id = self.core.state.get(f"slack/card-of/{thread}")
        found = None if incident_id is None else self.core.views.incident(incident_id)
        return found.incident if isinstance(found, IncidentDetails) else None

    def about(self, thread: str) -> Incident | Received | None:
        """Return the incident that a thread is about, or the message that waits to be handled in it; None for a thread
        that is neither a card's nor a customer's."""
        return self.card(thread) or self.core.views.conversation("slack", thread)

    def knows(self, thread: str) -> bool:
        """Whether a customer's thread is a conversation of ours."""
        return self.core.views.conversation("slack", thread) is not None


@dataclass(frozen=True, slots=True)
class Person:
    """Who did something, and in which workspace (`home`) the app was when they did."""

    team: str
    user: str
    home: str

    @property
    def key(self) -> str:
        return keys.person(self.team, self.user)


@dataclass(frozen=True, slots=True)
class Acts:
    """Does what people ask for. `home` is the workspace that the app is installed in, if Slack has told, and
    `agents_channel` the channel whose messages are no customers'."""

    core: Core
    web: Web
    agents: Agents
    threads: Threads
    home: str = ""
    agents_channel: str | None = None

    # --- commands

    def command(self, body: Payload) -> str:
        """Run a slash command (`/resolve`, `/ticket`, `/new`), and return the answer."""
        name, text = str(body.get("command", "")), plain(str(body.get("text") or ""))
        home = self.home or str(body.get("team_id") or "")
        person = Person(str(body.get("team_id") or home), str(body.get("user_id") or ""), home)
        if name == "/new":
            return self._new(person, text, str(body.get("trigger_id") or ""))
        return self.run(f"resolve {text}" if name == "/resolve" else text, person)

    def run(self, line: str, person: Person, ts: object = None) -> str:
        """Run a command as a person typed it (at `ts`), and return the answer: also why it was not done."""
        try:
            return self.core.commands.run(line, self.caller(person), when(ts))
        except FirstlineError as exc:
            return str(exc)

    def caller(self, person: Person) -> Caller:
        """Say who somebody is to the core."""
        if self.is_agent(person):
            return Caller(person.key, Role.AGENT)
        return Caller(person.key, Role.CUSTOMER, Address("slack", person.key))

    def is_agent(self, person: Person) -> bool:
        return self.agents.include(person.key, person.home)

    def _new(self, person: Person, text: str, trigger_id: str) -> str:
        if not text:
            return "" if self.web.of(person.home).open_form(trigger_id, report_form()) else WHAT_IS_WRONG
        self._report(person, text, f"new-{trigger_id}")
        return ANSWER_COMES_HERE

    def _report(self, person: Person, text: str, delivery: str, more: tuple[Address, ...] = ()) -> None:
        """Take down a problem that is written nowhere in Slack. Should Slack not say which chat is theirs, the text is
        addressed to the person: Slack takes that for the direct message."""
        chat = Place(person.home, self.web.of(person.home).direct_message(person.user) or person.user)
        self.core.intake.accept(reported(person.key, chat, delivery, text, more))

    # --- buttons and menus

    def press(self, body: Payload) -> None:
        """Do what a button or a menu in a message says; the answer, if there is one, is told to who pressed it."""
        person = self.person(body)
        if _is_at_home(body):
            self._press_at_home(body, person)
            return
        for action in body.get("actions") or ():
            holder, root = _holder(body, person.home)
            if holder is None:
                continue
            try:
                says = self._press(str(action.get("action_id")), action, person, holder, root, body)
            except NotCommitted:
                raise
            except FirstlineError as exc:
                says = str(exc)
            if says:
                self.web.tell(replace(holder, ts=root), person.user, says)

    def _press(self, name: str, action: Payload, person: Person, holder: Place, root: str | None, body: Payload) -> str:
        value = str(action.get("value") or "")
        if name == "add_email":
            return HOW_TO_ADD_EMAIL
        if name in ("solved", "not_solved") or re.fullmatch("rate-[1-5]", name):
            turn = self._turn(name, value, person, when(holder.ts))
            at = str(action.get("action_ts") or "")
            self.core.intake.accept(pressed(f"{name}@{turn}", holder, root, person.key, at))
            return DONE.get(name.partition("-")[0], "")
        if name == "category":
            ticket, _, category = str((action.get("selected_option") or {}).get("value") or "").rpartition(":")
            self.core.commands.category(ticket, self.caller(person), category)
        return self._press_on_ticket(name, value, person, str(body.get("trigger_id") or ""))

    def _press_on_ticket(self, name: str, ticket: str, person: Person, trigger_id: str) -> str:
        """Do what an agents' button says, wherever it stands."""
        if name in ("assign", "resolve", "reopen"):
            self.core.commands.run(f"{name} {ticket}", self.caller(person))
        elif name.startswith("category-"):  # the button that confirms it
            self.core.commands.category(ticket, self.caller(person), name.removeprefix("category-"))
        elif name == "reply":
            return self._ask_for_reply(ticket, person, trigger_id)
        return ""

    def _turn(self, name: str, value: str, person: Person, posted_at: Any) -> int:
        """Return the turn of the incident's life that a customer's button is about. The value is `incident:turn`, or
        `incident:` if the sender did not know the turn: then what was posted before the turn began is too late.
        Raises Forbidden, NotFound or Conflict."""
        incident_id, _, written = value.partition(":")
        incident = self._incident(incident_id)
        if incident is None:
            raise NotFound(LEADS_NOWHERE)
        if incident.customer_id != person.key and not self.is_agent(person):
            raise Forbidden(NOT_YOURS)
        rates = name.startswith("rate-")
        turn, since = (
            (incident.resolutions, incident.resolved_at) if rates else (incident.openings, incident.last_opened_at)
        )
        is_of_another = written not in ("", str(turn)) or (
            turn > 1 and since is not None and posted_at is not None and posted_at < since - SKEW
        )
        if incident.status != ("resolved" if rates else "open") or is_of_another:
            raise Conflict(f"This question is settled: {incident.ticket_id} is {incident.status} now.")
        return turn

    def _ask_for_reply(self, ticket: str, person: Person, trigger_id: str) -> str:
        if not self.is_agent(person):
            raise Forbidden("reply is for agents, and you are not one of them.")
        return "" if self.web.of(person.home).open_form(trigger_id, reply_form(ticket)) else CANNOT_OPEN

    # --- the app's home

    def show_home(self, person: Person, says: str = "") -> None:
        """Show a person their home, with what is to be said at its top. Never raises: nothing depends on it, and
        whoever opens it again has it looked at again."""
        try:
            view = self._home(person, says)
        except Exception as exc:  # such as the database's, when it is away
            log.warning("slack.home_not_shown", error=type(exc).__name__)
            return
        self.web.of(person.home).publish(person.user, view)

    def _home(self, person: Person, says: str) -> View:
        views, now = self.core.views, self.core.clock()
        if not self.is_agent(person):
            return home_of_customer(views.own(Address("slack", person.key), LISTED + 1), now, says)
        work = views.workload(person.key, LISTED)
        return home_of_agent(work, self.web.of(person.home).people.names(named_in(work), WAIT_FOR_NAMES), now, says)

    def _press_at_home(self, body: Payload, person: Person) -> None:
        """Do what a button in the home says. There is no message to answer in: the answer stands in the home."""
        says, trigger_id = "", str(body.get("trigger_id") or "")
        for action in body.get("actions") or ():
            name, value = str(action.get("action_id")), str(action.get("value") or "")
            try:
                if name == REPORT:
                    opened = self.web.of(person.home).open_form(trigger_id, report_form(at_home=True))
                    says = "" if opened else CANNOT_OPEN
                else:
                    says = self._press_on_ticket(name, value, person, trigger_id)
            except FirstlineError as exc:
                says = str(exc)
        self.show_home(person, says)

    # --- shortcuts

    def shortcut(self, body: Payload) -> None:
        """Do what a shortcut says; the answer, if there is one, is told to who used it."""
        person, name = self.person(body), body.get("callback_id")
        if name == "report_incident":
            self.web.of(person.home).open_form(str(body.get("trigger_id") or ""), report_form())
            return
        channel = str((body.get("channel") or {}).get("id") or "")
        message = body.get("message") or {}
        root = message.get("thread_ts")
        place = Place(person.home, channel, str(root or message.get("ts")))
        if name == "open_ticket":
            says = self._open_ticket(message, channel, person)
        elif name == "resolve_ticket":
            ticket = self.ticket(keys.key(place))
            says = self.run(f"resolve {ticket}", person) if ticket else UNKNOWN_THREAD
        else:
            return
        self.web.tell(replace(place, ts=root), person.user, says)

    def _open_ticket(self, message: Payload, channel: str, person: Person) -> str:
        if channel == in_team(self.agents_channel, person.home):
            return AGENTS_OWN
        post = Post.of(message, channel, person.home)
        if post is None:
            return NOT_A_PERSONS
        taken = opened(post)
        if not taken.text:
            return NOT_A_PERSONS
        if post.private:
            taken = self._answered_by_us(taken, post)
        accepted = self.core.intake.accept(taken)
        return WITH_US_ALREADY if accepted.duplicate else TAKEN

    def _answered_by_us(self, message: InboundMessage, post: Post) -> InboundMessage:
        """A direct message may be one between two people, in which we cannot write: then the answer goes to the
        author's direct message with us."""
        ours = self.web.of(post.place.team).direct_message(post.author.partition("/")[2])
        if ours in (None, post.place.channel):
            return message
        chat = f"{post.place.team}/{ours}"
        return replace(
            message, lane=f"slack/{chat}", addresses=(Address("slack", chat),), thread="", private=True, fresh=True
        )

    # --- forms

    def submit(self, body: Payload) -> dict[str, str]:
        """Take in what a form says; return what is wrong with it, by the field, or nothing."""
        person, view = self.person(body), body.get("view") or {}
        if view.get("callback_id") == "report_incident":
            return self._submit_report(person, view)
        if view.get("callback_id") == "reply":
            return self._submit_reply(person, view)
        return {}

    def _submit_report(self, person: Person, view: Payload) -> dict[str, str]:
        text, mail = _field(view, "text").strip(), _field(view, "email").strip()
        if not text:
            return {"text": "Write what the matter is."}
        if mail and not MAIL.fullmatch(mail):
            return {"email": "Write one mail address, such as ana@example.com, or none."}
        category = _field(view, "category")
        if category in set(Category):
            text = f"{_in_words(category)}: {text}"
        more = (Address("email", mail),) if mail else ()
        self._report(person, text, str(view.get("id") or ""), more)
        if _kept(view).get("at_home"):
            self.show_home(person, ANSWER_COMES_HERE)
        return {}

    def _submit_reply(self, person: Person, view: Payload) -> dict[str, str]:
        try:
            ticket = _kept(view).get("ticket", "")
            self.core.commands.reply(ticket, self.caller(person), _field(view, "text"), str(view.get("id") or ""))
        except (NotUnderstood, NotFound, Forbidden, Conflict) as exc:
            return {"text": str(exc)}
        return {}

    # --- who and what

    def person(self, body: Payload) -> Person:
        """Say who did something with a button, a shortcut or a form, and where the app was."""
        user, home = body.get("user") or {}, home_of(body, self.home)
        return Person(str(user.get("team_id") or home), str(user.get("id") or ""), home)

    def ticket(self, thread: str) -> str | None:
        """Return the number of the ticket that a thread is about; None if it is not known, or not opened yet."""
        incident = self.threads.about(thread)
        return incident.ticket_id if isinstance(incident, Incident) else None

    def _incident(self, incident_id: str) -> Incident | None:
        found = self._found(incident_id)
        return found.incident if isinstance(found, IncidentDetails) else None

    def _found(self, incident_id: str) -> IncidentDetails | Received | None:
        try:
            return self.core.views.incident(incident_id)
        except NotFound:
            return None


def command_in(text: str, ticket: Callable[[], str | None], agent: Callable[[], bool]) -> str | None:
    """Find the command that a text is; None if it is just a text. A customer may well begin one with "resolve" or
    "list": so a ticket must be named, or be that of the thread (`ticket`); a text behind the latter counts as its
    argument if an agent wrote it."""
    name, rest = [*text.lstrip("/").split(maxsplit=1), "", ""][:2]
    name, rest = name.lower(), rest.strip()
    if name in ("help", "list"):
        return f"{name} {rest}".strip() if (not rest or (name == "list" and rest.lower() in LISTS)) else None
    bare = f"{name} {rest}".strip() if OWN.fullmatch(f"{name} {rest}".strip()) else None
    if name not in ON_A_TICKET:
        return bare
    if TICKET.fullmatch((rest.split(maxsplit=1) or [""])[0]):
        return f"{name} {rest}"
    if rest and not agent():
        return None
    known = ticket()
    return bare if known is None else f"{name} {known} {rest}".strip()


def reply_form(ticket: str) -> dict[str, Any]:
    """The form in which an agent writes to a customer."""
    field = _text_field("text", "Your reply", "It goes to the customer by every way that is known.")
    return _form("reply", "Reply", "Send", [field], {"ticket": ticket})


def report_form(at_home: bool = False) -> dict[str, Any]:
    """The form in which somebody reports a problem. `at_home`: it was opened in the app's home."""
    options = [{"text": _plain(_in_words(name)), "value": name.value} for name in Category]
    menu = {"type": "static_select", "action_id": "category", "placeholder": _plain("Choose"), "options": options}
    mail = {"type": "email_text_input", "action_id": "email"}
    return _form(
        "report_incident",
        "Report an incident",
        "Report",
        [
            _text_field("text", "What is the matter?", "No passwords, and no whole card numbers, please."),
            {"type": "input", "block_id": "category", "optional": True, "label": _plain("About"), "element": menu},
            {
                "type": "input",
                "block_id": "email",
                "optional": True,
                "label": _plain("E-mail"),
                "hint": _plain("Where to confirm it, beside here."),
                "element": mail,
            },
        ],
        {"at_home": "yes"} if at_home else {},
    )


def _form(name: str, title: str, submit: str, blocks: list[dict[str, Any]], keeps: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": name,
        "title": _plain(title),
        "submit": _plain(submit),
        "close": _plain("Cancel"),
        "private_metadata": json.dumps(keeps),
        "blocks": blocks,
    }


def _text_field(name: str, label: str, hint: str) -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": name, "multiline": True, "max_length": LONGEST_TEXT}
    return {"type": "input", "block_id": name, "label": _plain(label), "hint": _plain(hint), "element": element}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def _field(view: Payload, name: str) -> str:
    """What was entered in a field, or chosen."""
    values = (view.get("state") or {}).get("values") or {}
    entered = (values.get(name) or {}).get(name) or {}
    chosen = entered.get("selected_option") or {}
    return str(entered.get("value") or chosen.get("value") or "")


def _kept(view: Payload) -> dict[str, Any]:
    """What a form was given to keep when it was opened."""
    kept = json.loads(str(view.get("private_metadata") or "{}"))
    return kept if isinstance(kept, dict) else {}


def _in_words(category: str) -> str:
    return category.replace("_", " ").capitalize()


def _is_at_home(body: Payload) -> bool:
    """Whether a button stands in the app's home."""
    return (body.get("view") or {}).get("type") == "home"


def _holder(body: Payload, home: str) -> tuple[Place | None, str | None]:
    """The message that a button stands in, and the thread that this is an answer in."""
    container, message = body.get("container") or {}, body.get("message") or {}
    channel = container.get("channel_id") or (body.get("channel") or {}).get("id")
    ts = container.get("message_ts") or message.get("ts")
    root = message.get("thread_ts") or container.get("thread_ts")
    try:
        return keys.parse(f"{home}/{channel}/{ts}"), None if root is None else str(root)
    except ValueError:  # a button in a form
        return None, None


def _why(exc: Exception) -> str:
    """Slack's word for what went wrong, or the kind of the error: its text may hold what was sent."""
    from slack_sdk.errors import SlackApiError

    error = str(exc.response.get("error") or "") if isinstance(exc, SlackApiError) else ""
    return error if re.fullmatch("[a-z_]{1,64}", error) else type(exc).__name__
