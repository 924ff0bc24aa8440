"""What Telegram tells us of, as messages for the core: pure functions from an update's JSON to InboundMessage.

Telegram does not tell bots of deletions, and gives times in whole seconds; a message's number puts those of one second
in order.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from adapters.telegram import keys
from adapters.telegram.keys import Place
from bot.model import Address, Attachment, InboundMessage, MessageKind

Json = Mapping[str, Any]

COMMAND: Final = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{1,64}))?(?:\s+(.*))?", re.DOTALL)

OWN: Final = re.compile(r"(email|code)\s+([0-9]{6}|[^\s@]+@[^\s@]+)", re.IGNORECASE)
"""What our own texts ask a customer to write, without a slash."""

UNNAMED: Final = {"photo": "photo", "sticker": "sticker", "voice": "voice message", "video_note": "video message"}
FILES: Final = ("document", "audio", "video", "animation", "voice", "video_note", "sticker")
LONGEST_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class Watch:
    """Which messages are for us: the bot's user id, its name (empty: not known yet), and the agents' group, in which
    nothing is a customer's."""

    bot: int
    username: str = ""
    agents_group: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A message that begins with a slash: the command's name, and what stands behind it."""

    name: str
    rest: str


@dataclass(frozen=True, slots=True)
class File:
    """A file of a message: what people see of it, and what it takes to fetch it (`ref` is Telegram's file_id; its size
    in bytes, 0 if not told)."""

    label: str
    name: str
    media_type: str
    size: int
    ref: str

    @property
    def attachment(self) -> Attachment:
        return Attachment(self.name or self.label, self.media_type, self.size or None, self.ref)


@dataclass(frozen=True, slots=True)
class Post:
    """A message that a person wrote. `answers` is the number of the message that it answers, `to_bot` whether that is
    one of ours; `album` names the album that it is a part of."""

    bot: int
    place: Place
    private: bool
    number: int
    author: int
    text: str
    files: tuple[File, ...]
    date: int
    language: str = ""
    answers: int | None = None
    to_bot: bool = False
    album: str = ""

    @classmethod
    def of(cls, message: Any, bot: int) -> Self | None:
        """Read a message; None for what is a bot's, a channel's, or Telegram's own."""
        if not isinstance(message, dict):
            return None
        chat, author = _part(message, "chat"), _part(message, "from")
        number, date = message.get("message_id"), message.get("date")
        known = isinstance(chat.get("id"), int) and isinstance(author.get("id"), int)
        if not known or not isinstance(number, int) or not isinstance(date, int):
            return None
        if author.get("is_bot") or message.get("is_automatic_forward") or chat.get("type") == "channel":
            return None
        topic = message.get("message_thread_id") if message.get("is_topic_message") else None
        before = _answered(message)
        return cls(
            bot=bot,
            place=Place(chat["id"], topic if isinstance(topic, int) else None),
            private=chat.get("type") == "private",
            number=number,
            author=author["id"],
            text=_words(message),
            files=files(message),
            date=date,
            language=str(author.get("language_code") or "")[:2].lower(),
            answers=before.get("message_id"),
            to_bot=_part(before, "from").get("id") == bot,
            album=str(message.get("media_group_id") or "")[:64],
        )

    @property
    def key(self) -> str:
        return keys.message(self.bot, self.place.chat, self.number)

    @property
    def answered_key(self) -> str:
        return "" if self.answers is None else keys.message(self.bot, self.place.chat, self.answers)

    @property
    def said(self) -> str:
        """Its words, and the names of its files."""
        return "\n".join([*([self.text] if self.text else []), *(f"[{file.label}]" for file in self.files)])

    @property
    def where(self) -> Place:
        """Where it is answered: in a private chat just there, in a group under the message."""
        return self.place if self.private else replace(self.place, message=self.number)


def command(post: Post, watch: Watch) -> Command | None:
    """Read the command that a message is; None for any other text, and for what another bot is told."""
    asked = OWN.fullmatch(post.text.strip()) if post.private else None
    if asked is not None:
        return Command(asked[1].lower(), asked[2])
    found = COMMAND.fullmatch(post.text)
    if found is None or (found[2] and found[2].lower() != watch.username.lower()):
        return None
    return Command(found[1].lower(), (found[3] or "").strip())


def is_for_us(post: Post, watch: Watch) -> bool:
    """Whether a message is a customer's: in a private chat, to the bot by name, or an answer to one of its texts."""
    if post.place.chat == watch.agents_group:
        return False
    return post.private or post.to_bot or mentions(post.text, watch)


def opened(post: Post, watch: Watch, fresh: bool = False) -> InboundMessage:
    """Make a customer's message of a post. `fresh`: it is another problem than all before."""
    text = post.said if post.private else replace(post, text=_without_mention(post.text, watch)).said
    named = [post.answered_key, f"{post.bot}:{post.place.chat}:album:{post.album}" if post.album else ""]
    in_topic = post.private and post.place.topic is not None
    to = keys.address(post.where)
    return InboundMessage(
        channel="telegram",
        external_id=post.key,
        lane=f"telegram/{keys.address(post.place)}",
        customer_id=str(post.author),
        text=text,
        answer_on="telegram",
        addresses=(Address("telegram", to),),
        thread=to if in_topic else "",
        refers_to=() if fresh else tuple(name for name in named if name),
        private=post.private,
        fresh=fresh,
        written_at=_written(post.date, post.number),
        attachments=tuple(file.attachment for file in post.files),
    )


def edited(post: Post, update_id: object, edit_date: object, watch: Watch) -> InboundMessage:
    """Make the new text of a message of a post that was edited."""
    at = edit_date if isinstance(edit_date, int) else post.date
    return replace(
        opened(post, watch),
        external_id=f"{post.key}:edit:{at}:{update_id}",
        kind=MessageKind.EDIT,
        about=post.key,
        attachments=(),
        written_at=_when(at) + timedelta(microseconds=999_999),
    )


def pressed(name: str, delivery: str, author: int, holder: Place, key: str, private: bool) -> InboundMessage:
    """A button of a message of ours (`key`, in `holder`) that somebody pressed. `name` is the action's, as the core
    wants it."""
    to = keys.address(holder)
    return InboundMessage(
        channel="telegram",
        external_id=f"pressed:{delivery}",
        lane=f"telegram/{keys.address(replace(holder, message=None))}",
        customer_id=str(author),
        text=name,
        answer_on="telegram",
        addresses=(Address("telegram", to),),
        kind=MessageKind.ACTION,
        refers_to=(key,) if key else (),
        private=private,
    )


def mentions(text: str, watch: Watch) -> bool:
    """Whether a text has the bot's name in it."""
    return bool(watch.username) and _mention(watch.username).search(text) is not None


def files(message: Json) -> tuple[File, ...]:
    """Name the files of a message: one, or of a photo its largest size."""
    found = []
    photos = [size for size in message.get("photo") or () if isinstance(size, dict)]
    if photos:
        found.append(_file("photo", max(photos, key=lambda size: int(size.get("width") or 0))))
    for kind in FILES:
        one = message.get(kind)
        if isinstance(one, dict) and not (kind == "document" and "animation" in message):  # those come as both
            found.append(_file(kind, one))
    return tuple(found)


def _file(kind: str, one: Json) -> File:
    name = " ".join(str(one.get("file_name") or "").split())[:LONGEST_NAME]
    label = name or UNNAMED.get(kind, kind)
    if kind in ("voice", "audio", "video_note") and not name:
        label += f", {int(one.get('duration') or 0)} s"
    if kind == "sticker" and one.get("emoji"):
        label += f" {str(one['emoji'])[:8]}"
    media_type = str(one.get("mime_type") or ("image/jpeg" if kind == "photo" else ""))[:100]
    return File(label, name, media_type, int(one.get("file_size") or 0), str(one.get("file_id") or ""))


def _words(message: Json) -> str:
    """The text of a message, or its caption, and in words what it has of a place or a person."""
    said = [str(message.get("text") or message.get("caption") or "")]
    venue, contact = _part(message, "venue"), _part(message, "contact")
    place = _part(message, "location") or _part(venue, "location")
    if venue:
        said.append(f"[place: {venue.get('title', '')}, {venue.get('address', '')}]")
    if place:
        said.append(f"[location: {place.get('latitude')}, {place.get('longitude')}]")
    if contact:
        name = " ".join(str(contact[part]) for part in ("first_name", "last_name") if contact.get(part))
        said.append(f"[contact: {name}, {contact.get('phone_number', '')}]")
    return "\n".join(part for part in said if part)


def _answered(message: Json) -> Json:
    """The message that this one answers. In a topic, what answers nothing counts as an answer to its beginning."""
    before = _part(message, "reply_to_message")
    begins = "forum_topic_created" in before or (
        bool(message.get("is_topic_message")) and before.get("message_id") == message.get("message_thread_id")
    )
    return {} if begins else before


def _without_mention(text: str, watch: Watch) -> str:
    if not watch.username:
        return text.strip()
    return _mention(watch.username).sub("", text).strip(" ,:\n")


def _mention(username: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w@])@{re.escape(username)}(?!\w)[:,]?", re.IGNORECASE)


def _part(of: Json, name: str) -> Json:
    part = of.get(name)
    return part if isinstance(part, dict) else {}


def _when(seconds: int) -> datetime:
    return datetime.fromtimestamp(min(max(seconds, 0), 253_402_300_000), UTC)


def _written(date: int, number: int) -> datetime:
    return _when(date) + timedelta(microseconds=number % 900_000)
