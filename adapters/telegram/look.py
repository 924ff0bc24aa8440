"""Whether Telegram knows the bot, reaches us, and lets us do what we need; and what to do if not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapters.telegram.api import BotApi
from adapters.telegram.settings import TelegramSettings
from bot.errors import DeliveryFailed

PRIVACY = (
    "in groups it sees commands, mentions and answers to it, which is all that Firstline needs. To let it see all: "
    "@BotFather, /setprivacy, Disable, and add it to the group again"
)
RIGHTS = "make the bot an administrator of the agents' group, with the rights to manage topics and to pin messages"
TOPICS = "switch on Topics in the settings of the agents' group"
MEMBER = "add the bot to the agents' group; is TELEGRAM_AGENTS_GROUP its id?"
CERTIFICATE = "is PUBLIC_URL this bot's, reachable from everywhere, by https with a certificate that is valid?"
START = "start the bot: it sets the webhook then"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is well, what it is, and what to do if it is not."""

    well: bool
    says: str
    remedy: str = ""


def look(settings: TelegramSettings, public_url: str | None, api: BotApi) -> Iterator[Finding]:
    """Ask Telegram about the bot, the way to it, and the agents' group."""
    within = settings.telegram_timeout.total_seconds()

    def ask(method: str, **parameters: Any) -> dict[str, Any]:
        answer = api.call(method, parameters, within)
        return answer if isinstance(answer, dict) else {}

    try:
        me = ask("getMe")
        yield Finding(True, f"the token is that of @{me.get('username')}")
        sees_all = bool(me.get("can_read_all_group_messages"))
        yield Finding(True, "privacy mode is off: it sees all messages of its groups" if sees_all else PRIVACY)
        yield from _way(ask("getWebhookInfo"), public_url)
    except DeliveryFailed as exc:
        yield Finding(False, str(exc))
        return
    if settings.telegram_agents_group is not None:
        try:
            chat = ask("getChat", chat_id=settings.telegram_agents_group)
            yield Finding(bool(chat.get("is_forum")), f"the agents' group is {chat.get('title')!r}", TOPICS)
            mine = ask("getChatMember", chat_id=settings.telegram_agents_group, user_id=me.get("id"))
            yield Finding(bool(mine.get("can_manage_topics")), "the bot may manage its topics", RIGHTS)
        except DeliveryFailed as exc:
            yield Finding(False, f"the agents' group: {exc}", MEMBER)
    if not settings.agents:
        yield Finding(True, "nobody is an agent on Telegram; TELEGRAM_AGENTS would list their user ids")


def _way(info: dict[str, Any], public_url: str | None) -> Iterator[Finding]:
    """Say how updates come, and what Telegram has against it."""
    if public_url is None:
        set_by_others = bool(info.get("url"))
        yield Finding(
            not set_by_others,
            "a webhook is set, and PUBLIC_URL is not" if set_by_others else "updates are fetched (polling)",
            "start the bot: it takes the webhook away",
        )
        return
    expected = f"{public_url}/telegram/events"
    yield Finding(info.get("url") == expected, f"updates are brought to {info.get('url') or 'nowhere'}", START)
    waiting = info.get("pending_update_count") or 0
    said = str(info.get("last_error_message") or "")[:200]
    if said:
        yield Finding(not waiting, f"Telegram's last error: {said}; {waiting} updates wait", CERTIFICATE)
