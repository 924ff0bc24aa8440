"""Slack out: texts into threads, direct messages and the agents' channel, where each incident has one card.

Slack takes no idempotency key. What is posted carries its notice's key as metadata, by which it is found again.
"""

import logging
import re
import ssl
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError

import structlog
from pydantic import SecretStr

from adapters.slack import keys
from adapters.slack.blocks import ALARMS, render
from adapters.slack.installations import TOKEN, OneToken, Tokens
from adapters.slack.keys import Place
from adapters.slack.people import People
from adapters.slack.settings import SlackSettings
from bot.errors import CannotTell, ConfigurationError, DeliveryFailed, TryLater, Uncertain, Undeliverable
from bot.model import TO_AGENTS, Address, Notice, NoticeKind, Sent
from bot.ports import Sender, State

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.web import SlackResponse

EVENT: Final = "firstline_notice"

HOME: Final = "T"
"""The workspace, in an address whose writer does not know it: that of the token."""

CHANNEL: Final = re.compile(r"[CDG][A-Z0-9]{1,31}")
TS: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")
"""What a message is called in its channel: the time at which Slack took it."""

PAGE: Final = 200
PAGES: Final = 10
"""How much of a conversation is looked through: messages in a page, and pages."""

BEFORE: Final = 3600
"""Seconds before an incident from which its texts are looked for: our clock need not agree with Slack's."""

LONGEST_WAIT: Final = 3600
"""Seconds that Slack may ask us to wait."""

WAIT_FOR_NAMES: Final = 1.0
"""Seconds that a text for agents waits for the names of those whom it is about."""

REACTIONS: Final = {NoticeKind.ACKNOWLEDGEMENT: "eyes", NoticeKind.RESOLVED: "white_check_mark"}
UNDER_THE_CARD: Final = frozenset(
    {NoticeKind.ENTRY, NoticeKind.ALERT, NoticeKind.AGENT_REMINDER, NoticeKind.ESCALATION}
)

# Slack's own words for what went wrong (docs.slack.dev, "chat.postMessage", "chat.update", "conversations.replies").
ASK_AN_ADMIN: Final = "ask an administrator of the workspace to allow it"
WRONG_SETTINGS: Final = {
    "invalid_auth": TOKEN,
    "not_authed": TOKEN,
    "account_inactive": TOKEN,
    "token_revoked": TOKEN,
    "token_expired": TOKEN,
    "not_allowed_token_type": "set SLACK_BOT_TOKEN to a bot's token, which begins with xoxb-",
    "org_login_required": ASK_AN_ADMIN,
    "team_access_not_granted": ASK_AN_ADMIN,
    "ekm_access_denied": ASK_AN_ADMIN,
    "access_denied": ASK_AN_ADMIN,
    "accesslimited": ASK_AN_ADMIN,
}
INVITE: Final = "invite the bot into the channel: /invite and its name"
OURS: Final = "this is a mistake of Firstline's; please report it"
FOR_GOOD: Final = {
    "channel_not_found": INVITE,
    "not_in_channel": INVITE,
    "is_archived": "the channel is archived; unarchive it, or write to the customer on another channel",
    "no_permission": ASK_AN_ADMIN,
    "restricted_action_thread_locked": "the thread is locked; write to the customer on another channel",
    "messages_tab_disabled": "switch on the Messages Tab of the app's App Home",
    "user_disabled": "the person has left the workspace",
    "user_not_found": "the person has left the workspace",
    "cannot_dm_bot": "a bot cannot be written to",
    "cannot_reply_to_message": "this kind of message has no thread",
    "msg_too_long": OURS,
    "msg_blocks_too_long": OURS,
    "invalid_blocks": OURS,
    "invalid_blocks_format": OURS,
    "invalid_arguments": OURS,
    "no_text": OURS,
    "metadata_too_large": OURS,
}
MESSAGE_GONE: Final = frozenset({"message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed"})
BUSY: Final = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
HALF_DONE: Final = frozenset({"internal_error", "fatal_error"})
"""Of these Slack says that "some aspect of the operation" may have succeeded."""

log = structlog.get_logger()

_quiet = logging.getLogger("slack_sdk.firstline")
_quiet.setLevel(logging.CRITICAL)  # else the library logs whole texts at DEBUG, and beginnings of answers at ERROR

Call = Callable[["WebClient"], "SlackResponse"]


class Gone(Undeliverable):
    """Raised when the message that is to be changed or answered is not there, or is not ours to change."""


class ScopeMissing(TryLater):
    """Raised when the app may not do this before it is given another scope."""


class DoneBefore(Undeliverable):
    """Raised when there is nothing left to do."""


class SlackSender(Sender):
    """The sending half of the channel. It posts to a thread, to a direct message's chat (or to a person, for whom Slack
    finds the chat), or to a channel.

    On a channel (the agents' board) an incident has one card, which is changed in place; what else agents are told of
    the incident goes into the card's thread. Where the cards are is kept in `state`: `slack/card/INCIDENT` names the
    card's message, `slack/card-of/MESSAGE` the incident. Each network step takes at most SLACK_TIMEOUT.
    """

    name = "slack"
    simulated = False

    def __init__(self, settings: SlackSettings, state: State, tokens: Tokens | None = None) -> None:
        self.deadline = settings.slack_deadline.total_seconds()
        self._step = settings.slack_timeout.total_seconds()
        self._tokens = tokens or OneToken.set_in(settings)
        self._url = settings.slack_api_url
        self._state = state
        self._home = ""
        self._scope_is_missing = False
        self._people: dict[str, People] = {}

    def send(self, to: Address, notice: Notice) -> Sent:
        """Post the notice, or change the card, and return the key of the message. Raises TryLater, Undeliverable or
        Uncertain; none of their texts holds a word of the notice."""
        until = time.monotonic() + self.deadline
        place = self._place(to, until)
        card = self._card(place, notice)
        try:
            sent = self._put(card or place, notice, until, changes=card is not None)
        except Gone:
            if card is None:
                raise
            self._state.put(_card_key(notice), "")  # first, so that `find` looks for the next one by its metadata
            sent = self._put(place, notice, until, changes=False)
        self._react(place, notice, until)
        return Sent(sent)

    def find(self, to: Address, notice: Notice) -> Sent | None:
        """Look for the metadata in the conversation. None also for what changes a card: that may be repeated.

        Raises TryLater when Slack cannot be asked now, CannotTell when the conversation cannot be read, or goes on for
        longer than is looked through.
        """
        until = time.monotonic() + self.deadline
        try:
            place = self._place(to, until)
            card = self._card(place, notice)
            if card is not None and notice.kind is NoticeKind.CARD:
                return None
            place = card or self._readable(place, until)
            ts = self._ts_of(notice, place, until)
        except Gone:
            return None
        except Uncertain as exc:
            raise TryLater(str(exc)) from None
        except Undeliverable as exc:
            raise CannotTell(str(exc), repeats=1) from None
        return None if ts is None else Sent(self._posted(place, ts, notice))

    def close(self) -> None:
        """Nothing is held: every call has a connection of its own."""

    def _put(self, place: Place, notice: Notice, until: float, changes: bool) -> str:
        if changes and notice.kind is NoticeKind.CARD:
            self._change(place, notice, until)
            return keys.key(place)
        answer = self._post(place, notice, until)
        channel, ts = str(answer.get("channel")), str(answer.get("ts"))
        if not (CHANNEL.fullmatch(channel) and TS.fullmatch(ts)):
            raise Uncertain("Slack took it, but did not say under which number")
        return self._posted(replace(place, channel=channel), ts, notice)

    def _post(self, place: Place, notice: Notice, until: float) -> Mapping[str, Any]:
        text, blocks = render(self._named(notice, place.team))
        return self._call(
            place.team,
            until,
            lambda slack: slack.chat_postMessage(
                channel=place.channel,
                thread_ts=place.ts,
                reply_broadcast=place.ts is not None and notice.kind in ALARMS,  # else nobody would see it
                text=text,
                blocks=blocks,
                metadata={"event_type": EVENT, "event_payload": {"key": notice.key}},
                parse="none",
                link_names=False,
                unfurl_links=False,
                unfurl_media=False,
            ),
        )

    def _named(self, notice: Notice, team: str) -> Notice:
        """Put the names of people beside their keys, for agents."""
        if notice.kind not in TO_AGENTS:
            return notice
        people = self._people.setdefault(team, People(lambda user: self._profile(team, user)))
        names = people.names([value for _, value in notice.facts], WAIT_FOR_NAMES)
        facts = [(label, f"{names[value]} ({value})" if value in names else value) for label, value in notice.facts]
        return replace(notice, facts=tuple(facts))

    def _profile(self, team: str, user: str) -> Mapping[str, Any]:
        return self._client(self._token(team), self._step).users_info(user=user).get("user") or {}

    def _change(self, card: Place, notice: Notice, until: float) -> None:
        text, blocks = render(self._named(notice, card.team))
        self._call(
            card.team,
            until,
            lambda slack: slack.chat_update(
                channel=card.channel, ts=card.ts or "", text=text, blocks=blocks, parse="none", link_names=False
            ),
        )

    def _react(self, place: Place, notice: Notice, until: float) -> None:
        """Show at the customer's message how it stands. Never raises: the text is there, and must not be repeated."""
        name, ts = REACTIONS.get(notice.kind), place.ts
        if name is None or ts is None:
            return
        try:
            self._call(
                place.team, until, lambda slack: slack.reactions_add(channel=place.channel, timestamp=ts, name=name)
            )
        except DoneBefore:
            pass
        except ScopeMissing as exc:
            if not self._scope_is_missing:
                log.warning("slack.reaction_failed", reason=str(exc))
            self._scope_is_missing = True
        except Exception as exc:
            reason = str(exc) if isinstance(exc, DeliveryFailed) else type(exc).__name__
            log.warning("slack.reaction_failed", reason=reason, incident_id=notice.incident_id)

    # --- where things are

    def _place(self, to: Address, until: float) -> Place:
        try:
            place = keys.parse(to.key)
        except ValueError as exc:
            raise Undeliverable(str(exc)) from None
        return place if place.team != HOME else replace(place, team=self._home or self._ask_for_home(until))

    def _ask_for_home(self, until: float) -> str:
        """Ask which workspace the token is of. Only by its id can what comes from there be matched with a card."""
        try:
            team = self._call(HOME, until, lambda slack: slack.auth_test()).get("team_id")
        except Uncertain as exc:
            raise TryLater(str(exc)) from None
        if not isinstance(team, str):
            raise TryLater("Slack did not say which workspace the token is of; is SLACK_API_URL right?")
        self._home = team
        return team

    def _card(self, board: Place, notice: Notice) -> Place | None:
        """Find the card that this notice changes, or under which it goes."""
        if board.ts is not None or notice.kind not in UNDER_THE_CARD | {NoticeKind.CARD}:
            return None
        known = self._state.get(_card_key(notice))
        card = keys.parse(known) if known else None
        return card if card is not None and replace(card, ts=None) == board else None

    def _posted(self, place: Place, ts: str, notice: Notice) -> str:
        """Return the key of a message, and keep it if it is a card."""
        key = keys.key(replace(place, ts=ts))
        if notice.kind is NoticeKind.CARD:
            self._state.put(f"slack/card-of/{key}", notice.incident_id)
            self._state.put(_card_key(notice), key)
        return key

    # --- looking

    def _readable(self, place: Place, until: float) -> Place:
        """Return the direct message's chat for a person: one can post to a person, but not read them."""
        if CHANNEL.fullmatch(place.channel):
            return place
        opened = self._call(place.team, until, lambda slack: slack.conversations_open(users=place.channel))
        return replace(place, channel=str((opened.get("channel") or {}).get("id")))

    def _ts_of(self, notice: Notice, place: Place, until: float) -> str | None:
        cursor: str | None = None
        for _ in range(PAGES):
            page = self._page(place, _since(notice), cursor, until)
            for message in page.get("messages") or ():
                if _key_of(message) == notice.key:
                    return str(message["ts"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None:
                return None
        raise CannotTell(f"it is not among the {PAGE * PAGES} messages that were looked through", repeats=1)

    def _page(self, place: Place, oldest: str, cursor: str | None, until: float) -> Mapping[str, Any]:
        """Read a page: a thread's from the oldest on, a channel's from the youngest."""
        team, channel, ts = place.team, place.channel, place.ts
        which: dict[str, Any] = {"oldest": oldest, "cursor": cursor, "limit": PAGE, "include_all_metadata": True}
        if ts is not None:
            return self._call(team, until, lambda slack: slack.conversations_replies(channel=channel, ts=ts, **which))
        return self._call(team, until, lambda slack: slack.conversations_history(channel=channel, **which))

    # --- calling

    def _call(self, team: str, until: float, call: Call) -> Mapping[str, Any]:
        """Call Slack once for a workspace, and return its answer. Raises what `DeliveryFailed` has for everything that
        can happen."""
        from slack_sdk.errors import SlackApiError

        failure: DeliveryFailed
        left = until - time.monotonic()
        if left <= 0:
            raise TryLater("Slack answered too slowly, and the time for this text was used up (SLACK_DEADLINE)")
        token = self._token(team)
        try:
            answer = call(self._client(token, min(left, self._step)))
        except SlackApiError as exc:
            failure = _refused(exc.response, self._tokens.remedy)
        except URLError as exc:  # so urllib calls what goes wrong before the last byte of the request is out
            why = _why(exc.reason)
            failure = TryLater(
                f"Slack cannot be reached: {why}; is SLACK_API_URL right, and may this machine go there?"
            )
        except (OSError, HTTPException, ValueError) as exc:
            failure = Uncertain(f"Slack gave no answer that can be read: {_why(exc)}")
        else:
            return answer.data if isinstance(answer.data, dict) else {}
        raise failure

    def _token(self, team: str) -> SecretStr:
        try:
            token = self._tokens.of(team)
        except ConfigurationError as exc:
            raise TryLater(str(exc)) from None
        if token is None:
            raise Undeliverable(f"the app is not installed in the workspace {team}: {self._tokens.remedy}")
        return token

    def _client(self, token: SecretStr, within: float) -> "WebClient":
        from slack_sdk import WebClient

        return WebClient(
            token=token.get_secret_value(),
            base_url=self._url,
            timeout=within,  # type: ignore[arg-type]  # it says int, and hands it to a socket
            ssl=self._tls if self._url.startswith("https:") else None,
            retry_handlers=[],  # the default one posts again after a broken connection
            logger=_quiet,
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made once: to read the system's certificates takes longer than the rest of a call's preparation."""
        return ssl.create_default_context()


def _card_key(notice: Notice) -> str:
    return f"slack/card/{notice.incident_id}"


def _since(notice: Notice) -> str:
    """From when on to look: our incidents' ids begin with the time (RFC 9562, UUID version 7)."""
    try:
        incident = uuid.UUID(notice.incident_id)
    except ValueError:
        return "0"
    return str(max(0, (incident.int >> 80) // 1000 - BEFORE)) if incident.version == 7 else "0"


def _key_of(message: Mapping[str, Any]) -> object:
    metadata = message.get("metadata") or {}
    return (metadata.get("event_payload") or {}).get("key") if metadata.get("event_type") == EVENT else None


# --- what went wrong


def _refused(response: "SlackResponse", remedy: str) -> DeliveryFailed:
    """Say what an answer means that is not "ok". `remedy` is what to do about the token."""
    data: Mapping[str, Any] = response.data if isinstance(response.data, dict) else {}
    error, status = str(data.get("error") or ""), response.status_code
    if status == 429 or error in BUSY:
        return TryLater("Slack asks us to wait", _wait(response.headers))
    if error in HALF_DONE or status >= 500:
        return Uncertain(f"Slack failed: {error if _is_word(error) else f'HTTP status {status}'}")
    if _is_word(error):
        return _meaning(error, data, remedy)
    if status != 200:
        return TryLater(f"HTTP status {status}, which is none of Slack's; is SLACK_API_URL right?")
    return Uncertain("the answer is none of Slack's; is SLACK_API_URL right?")


def _meaning(error: str, data: Mapping[str, Any], about_token: str) -> DeliveryFailed:
    if error == "missing_scope":
        needed = str(data.get("needed") or "")
        scope = f" {needed}" if re.fullmatch(r"[a-z:.,_-]{1,200}", needed) else ""
        return ScopeMissing(f"Slack refused it (missing_scope): add the scope{scope} to the app and install it again")
    if error in MESSAGE_GONE:
        return Gone(f"Slack refused it ({error}): the message is not there any more, or is another app's")
    if error == "already_reacted":
        return DoneBefore("the reaction is there already")
    if error in FOR_GOOD or error.startswith("restricted_action"):
        return Undeliverable(f"Slack refused it ({error}): {FOR_GOOD.get(error, ASK_AN_ADMIN)}")
    remedy = about_token if WRONG_SETTINGS.get(error) == TOKEN else WRONG_SETTINGS.get(error)
    return TryLater(f"Slack refused it ({error}): {remedy}" if remedy else f"Slack refused it ({error})")


def _is_word(error: str) -> bool:
    """Whether it is one of Slack's words; the library puts the beginning of an answer here that it cannot read."""
    return re.fullmatch(r"[a-z_]{1,64}", error) is not None


def _wait(headers: Mapping[str, Any]) -> float | None:
    """The seconds of Retry-After (RFC 9110 section 10.2.3); Slack never gives a date."""
    value = next((str(value) for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(min(int(value), LONGEST_WAIT)) if re.fullmatch(r"[0-9]{1,9}", value) else None


def _why(reason: object) -> str:
    strerror = getattr(reason, "strerror", None)
    return strerror if isinstance(strerror, str) else type(reason).__name__
