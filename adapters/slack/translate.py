"""What Slack tells us of, as messages for the core: pure functions from payloads to InboundMessage."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Self

from adapters.slack import files, keys
from adapters.slack.keys import Place
from bot.model import Address, Attachment, InboundMessage, MessageKind

Payload = Mapping[str, Any]

WRITTEN: Final = frozenset({None, "file_share", "thread_broadcast", "me_message"})
"""Subtypes of what a person wrote (docs.slack.dev, "message event"). All others are Slack's own, or a bot's."""

_ID = re.compile(r"[A-Z][A-Z0-9]{0,31}")
_TS = re.compile(r"[0-9]{1,10}\.[0-9]{1,9}")
_MARK = re.compile(r"<([@#!][^<>]*|[A-Za-z][A-Za-z0-9+.-]{0,30}:[^<>]*)>")
_FIRST_MENTION = re.compile(r"\s*<@[^<>]*>[\s:,]*")
_FRESH = re.compile(r"\s*(?:/new\b|new:)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Watch:
    """Which messages are for us. `team` is the workspace that the app is installed in, `bot` the app's own user there
    (empty: not known), `support` the channels in which every message is a customer's, `agents` the one in which none
    is. `knows` tells whether a thread's key is that of a conversation of ours."""

    team: str
    bot: str = ""
    support: frozenset[str] = frozenset()
    agents: str | None = None
    knows: Callable[[str], bool] = lambda thread: False

    def is_own(self, author: str) -> bool:
        """Whether a post's author is the app itself: a post that does not say which bot's it is may still be its."""
        return bool(self.bot) and author.partition("/")[2] == self.bot


@dataclass(frozen=True, slots=True)
class Post:
    """A message of Slack's: where it stands, in which thread (`root`; None: in none), who wrote it, and what, as Slack
    writes it."""

    place: Place
    root: str | None
    author: str
    text: str
    files: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    @classmethod
    def of(cls, message: Payload, channel: object, team: str) -> Self | None:
        """Read a message; None for what is a bot's, or lacks what makes a message. Its author may belong to another
        workspace than the app does (Slack Connect)."""
        ts, user = message.get("ts"), message.get("user")
        is_bots = message.get("bot_id") or message.get("subtype") not in WRITTEN
        if is_bots or not _is_id(user) or not _is_id(channel) or not _is_ts(ts):
            return None
        root = message.get("thread_ts")
        return cls(
            place=Place(team, str(channel), str(ts)),
            root=root if _is_ts(root) else None,
            author=keys.person(_team(message, team), str(user)),
            text=str(message.get("text") or ""),
            files=tuple(_names(message.get("files"))),
            attachments=files.attachments(message.get("files"), team),
        )

    @property
    def chat(self) -> str:
        return f"{self.place.team}/{self.place.channel}"

    @property
    def key(self) -> str:
        return keys.key(self.place)

    @property
    def thread(self) -> str:
        """The key of the thread that it stands in, or begins."""
        return f"{self.chat}/{self.root or self.place.ts}"

    @property
    def private(self) -> bool:
        """Whether it stands in a direct message to the app."""
        return self.place.channel.startswith("D")


def home_of(body: Payload, known: str = "") -> str:
    """Return the workspace in which the app was called upon. `known`: the only one that it is installed in. A message
    of ours says whose it is; who presses its button may be of another workspace (Slack Connect)."""
    installed = [one for one in body.get("authorizations") or () if isinstance(one, dict)]
    told = installed[0].get("team_id") if installed else None
    if told and "view" not in body:  # an event: most of what comes
        return str(told)
    view, message, team = (_part(body, name) for name in ("view", "message", "team"))
    ours = message.get("team") if body.get("type") == "block_actions" else None
    said = (team.get("id"), body.get("team_id"), _part(body, "user").get("team_id"))
    found = (view.get("app_installed_team_id"), told, known, ours, *said)
    return str(next((one for one in found if one), ""))


def _part(body: Payload, name: str) -> Payload:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def heard(event: Payload, watch: Watch) -> InboundMessage | None:
    """Translate an event `message` or `app_mention`; None if it is not for us, or nobody wrote it."""
    match event.get("subtype"):
        case "message_changed":
            return _changed(event, watch)
        case "message_deleted":
            return _deleted(event, watch)
    post = Post.of(event, event.get("channel"), watch.team)
    if post is None or not _is_taken(post, watch, event.get("type") == "app_mention"):
        return None
    message = opened(post, watch.bot)
    return message if message.text else None


def opened(post: Post, bot: str = "") -> InboundMessage:
    """Make a customer's message of a post, wherever it stands."""
    text, fresh = _said(post, bot)
    return _inbound(post, text=text, fresh=fresh)


def _changed(event: Payload, watch: Watch) -> InboundMessage | None:
    """An edit; or a deletion: of a message with answers a tombstone is left. Slack reports as a change also what is
    none of the author's, such as the preview of a link."""
    now, before = event.get("message") or {}, event.get("previous_message") or {}
    if now.get("subtype") == "tombstone":
        return _deleted({**event, "deleted_ts": now.get("ts")}, watch)
    post, old = (Post.of(message, event.get("channel"), watch.team) for message in (now, {**now, **before}))
    if post is None or old is None or not (_is_taken(post, watch) or _is_taken(old, watch)):
        return None
    text, _ = _said(post, watch.bot)
    edited = (now.get("edited") or {}).get("ts")
    if not text or (text == _said(old, watch.bot)[0] if before else not edited):
        return None
    edited = edited if _is_ts(edited) else event.get("event_ts") or event.get("ts")
    return replace(
        _inbound(post, at=edited),
        external_id=f"{post.key}/edit/{edited}",
        text=text,
        kind=MessageKind.EDIT,
        about=post.key,
    )


def _deleted(event: Payload, watch: Watch) -> InboundMessage | None:
    before = {**(event.get("previous_message") or {}), "ts": event.get("deleted_ts")}
    post = Post.of(before, event.get("channel"), watch.team)
    if post is None or not _is_taken(post, watch):
        return None
    at = event.get("event_ts") or event.get("ts")
    return replace(_inbound(post, at=at), external_id=f"{post.key}/deleted", kind=MessageKind.DELETE, about=post.key)


def pressed(name: str, holder: Place, root: str | None, author: str, at: str) -> InboundMessage:
    """A button of a message of ours (`holder`, in the thread `root`) that somebody pressed at the time `at`. `name` is
    the action's, as the core wants it."""
    post = Post(holder, root, author, "")
    return replace(
        _inbound(post, at=at),
        external_id=f"{post.key}/pressed/{at}/{author}",
        text=name,
        kind=MessageKind.ACTION,
        refers_to=(post.key,),
    )


def reported(author: str, chat: Place, delivery: str, text: str, more: tuple[Address, ...] = ()) -> InboundMessage:
    """A problem that somebody reported by a form or by a command: another one than all before. It is answered in the
    direct message `chat`, and at the addresses `more`."""
    key = keys.key(replace(chat, ts=None))
    return InboundMessage(
        channel="slack",
        external_id=f"{key}/{delivery}",
        lane=f"slack/{key}",
        customer_id=author,
        text=text,
        answer_on="slack",
        addresses=(Address("slack", key), *more),
        private=True,
        fresh=True,
    )


def _inbound(post: Post, at: object = None, text: str = "", fresh: bool = False) -> InboundMessage:
    """What all messages about a post have in common. `at`: the time of it, if not the post's own."""
    chat, thread, private = post.chat, post.thread, post.private
    in_thread = not private or post.root is not None
    return InboundMessage(
        channel="slack",
        external_id=post.key,
        lane=f"slack/{chat if private else thread}",
        customer_id=post.author,
        text=text,
        answer_on="slack",
        addresses=(Address("slack", thread if in_thread else chat),),
        thread=thread if in_thread else "",
        private=private,
        fresh=fresh,
        written_at=when(at if _is_ts(at) else post.place.ts),
        attachments=post.attachments,
    )


def _is_taken(post: Post, watch: Watch, mentioned: bool = False) -> bool:
    """Whether a post is a customer's: in a direct message, in a channel for support, to the bot by name, or in a thread
    that is a conversation already. In the agents' channel none is."""
    channel = post.place.channel
    if channel == watch.agents or watch.is_own(post.author):
        return False
    if post.private or mentioned or channel in watch.support or mentions(post.text, watch.bot):
        return True
    return post.root is not None and watch.knows(post.thread)


def mentions(text: str, bot: str) -> bool:
    """Whether a text, as Slack writes it, has the bot's name in it."""
    return bool(bot) and (f"<@{bot}>" in text or f"<@{bot}|" in text)


def without_mention(text: str, bot: str) -> str:
    """Take the bot's name out of a text; a mention at its beginning, if that is not known."""
    if not bot:
        first = _FIRST_MENTION.match(text)
        return text if first is None else text[first.end() :]
    if f"<@{bot}" not in text:
        return text.strip()
    around = re.split(rf"<@{re.escape(bot)}(?:\|[^<>]*)?>[:,]?", text)
    return " ".join(part.strip(" ") for part in around).strip()


def plain(text: str) -> str:
    """Turn Slack's writing into plain text: links, mentions, and the three characters that it escapes
    (docs.slack.dev, "Formatting message text")."""
    if "<" in text:
        text = _MARK.sub(_in_words, text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def escape(text: str) -> str:
    """Write a text so that Slack shows it as it is, and nothing in it is a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def when(ts: object) -> datetime | None:
    """Read a time of Slack's."""
    return datetime.fromtimestamp(float(str(ts)), UTC) if _is_ts(ts) else None


def _in_words(mark: re.Match[str]) -> str:
    target, _, label = mark[1].partition("|")
    kind = target[0]
    if kind in "@#":
        return kind + (label.lstrip(kind) or target[1:])
    if kind == "!":
        return label or f"@{target[1:].partition('^')[0]}"
    address = re.sub(r"^(?:mailto|tel):", "", target)
    return address if not label or address.rstrip("/").endswith(label.rstrip("/")) else f"{label} ({address})"


def _said(post: Post, bot: str) -> tuple[str, bool]:
    """The words of a post as plain text, with the names of its files, and whether it says that this is another
    problem."""
    text = post.text if post.private else without_mention(post.text, bot)
    start = _FRESH.match(text) if post.private else None
    words = plain(text if start is None else text[start.end() :])
    return "\n".join([*([words] if words else []), *(f"[{name}]" for name in post.files)]), start is not None


def _team(message: Payload, home: str) -> str:
    """The workspace of a message's author. In an organisation Slack may name that instead (E…)."""
    named = [str(message[name]) for name in ("user_team", "team", "source_team") if _is_id(message.get(name))]
    return next((team for team in named if team.startswith("T")), [*named, home][0])


def _names(files: object) -> list[str]:
    listed = files if isinstance(files, list) else []
    return [str(file.get("name") or "file")[:255] for file in listed if isinstance(file, dict)]


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _is_ts(value: object) -> bool:
    return isinstance(value, str) and _TS.fullmatch(value) is not None
