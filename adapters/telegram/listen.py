"""Telegram in: an update, brought to our webhook or fetched by us, is committed before Telegram is told "received"."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from adapters.asgi import Bridge
from adapters.telegram.acts import CUSTOMERS, Acts
from adapters.telegram.api import BotApi, Taken
from adapters.telegram.look import look
from adapters.telegram.settings import TelegramSettings
from adapters.telegram.translate import Json, Watch
from bot.errors import ConfigurationError, DeliveryFailed, NotCommitted
from bot.model import Accepted
from bot.ports import Core, Routes

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PATH: Final = "/telegram/events"
LARGEST: Final = 1_000_000
"""Bytes of a request; an update has a few thousand."""

UPDATES: Final = ("message", "edited_message", "callback_query", "my_chat_member")
AT_ONCE: Final = 40
"""Connections by which Telegram may bring updates at once; those of one chat come one after the other all the same."""

LANGUAGES: Final = ("es", "de", "fr", "pt", "hi", "ar")
"""In which the commands are explained; in English to everybody else."""

POLL: Final = 25
"""Seconds that Telegram waits for the next update before it says that there is none."""

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between two attempts at something that failed."""

TRIES: Final = 5
"""How often an update is tried that makes us stumble, before the others may go on without it."""

SECRET_HEADER: Final = b"x-telegram-bot-api-secret-token"

log = structlog.get_logger()


class Webhook:
    """What stands at our address: takes one update, and answers when it is committed. It is plain ASGI, because each
    update comes through here: Starlette's wrapping of a function costs as much as all that is done here. `secret` is
    what Telegram sends along."""

    def __init__(self, acts: Acts, secret: str) -> None:
        from starlette.responses import Response

        self._acts = acts
        self._bridge: Bridge | None = None
        self._secret = secret.encode()
        self._received, self._not_taken = Response(), Response(status_code=500)
        self._wrong_secret = Response("The secret is wrong.", 401)
        self._too_large = Response("The body is too large.", 413)
        self._no_update = Response("The body is none of Telegram's.", 400)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        given = next((value for name, value in scope["headers"] if name == SECRET_HEADER), b"")
        if not hmac.compare_digest(given, self._secret):
            answer = self._wrong_secret
        elif (body := await _read(receive)) is None:
            answer = self._too_large
        elif (update := _parsed(body)) is None:
            answer = self._no_update
        else:
            answer = self._received if await self._taken(update) else self._not_taken
        await answer(scope, receive, send)

    async def _taken(self, update: Json) -> bool:
        """Whether an update is committed, or done; else Telegram brings it again."""
        try:
            message = self._acts.quick(update)
            if message is not None:
                self._bridge = self._bridge or Bridge()
                await self._bridge.result(self._acts.core.intake.submit(message).committed)
            else:
                from starlette.concurrency import run_in_threadpool

                await run_in_threadpool(self._acts.hear, update)
        except NotCommitted as exc:  # whoever raised it has logged why
            log.warning("telegram.not_taken", error=str(exc))
            return False
        except Exception as exc:
            log.error("telegram.not_handled", error=type(exc).__name__, exc_info=exc)
            return False
        return True


class TelegramListener:
    """The listening half of the channel. Where there is a public address, Telegram brings updates to
    POST /telegram/events; else we go and fetch them (long polling)."""

    def __init__(self, settings: TelegramSettings, public_url: str | None, api: BotApi) -> None:
        if public_url is not None and settings.telegram_webhook_secret is None:
            raise ConfigurationError(
                "TELEGRAM_WEBHOOK_SECRET is not set, and PUBLIC_URL is: without it nobody can tell what comes from "
                "Telegram. Make one up, of 32 letters and digits; Telegram is told it."
            )
        self._settings = settings
        self._url = public_url
        self._api = api
        self._stop = threading.Event()
        self._asking: Future[Any] | None = None

    @contextmanager
    def listening(self, core: Core, web: Routes) -> Iterator[None]:
        """While entered, accept what comes from Telegram."""
        self._stop.clear()
        acts = self._acts(core)
        if self._url is not None:
            assert self._settings.telegram_webhook_secret is not None
            secret = self._settings.telegram_webhook_secret.get_secret_value()
            web.add_route(PATH, Webhook(acts, secret), ["POST"])
        thread = threading.Thread(target=self._run, args=(acts,), name="telegram", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            if self._asking is not None:
                self._asking.cancel()
            thread.join(self._settings.telegram_deadline.total_seconds())

    def _acts(self, core: Core) -> Acts:
        settings, bot = self._settings, self._api.bot
        name = core.state.get(f"telegram/name/{bot}") or ""  # until Telegram tells it anew
        watch = Watch(bot, name, settings.telegram_agents_group)
        return Acts(core, self._api, settings.agents, watch, settings.telegram_timeout.total_seconds())

    # --- setting up, and polling

    def _run(self, acts: Acts) -> None:
        """Set up; then, without a public address, fetch updates until we stop."""
        if not self._until_done(lambda: self._set_up(acts)) or self._url is not None:
            return
        offset: int | None = None
        stumbled: dict[int, int] = {}

        def step() -> None:
            nonlocal offset
            offset = self._take(acts, self._fetch(offset), offset, stumbled)

        while not self._stop.is_set():
            self._until_done(step)

    def _until_done(self, act: Callable[[], None]) -> bool:
        """Try until it succeeds, with pauses; return False if we stop before."""
        pause = SHORTEST_PAUSE
        while not self._stop.is_set():
            try:
                act()
                return True
            except CancelledError:
                return False
            except Taken as exc:
                log.error("telegram.conflict", again_in=pause, remedy=str(exc))
                self._forget_webhook()
            except DeliveryFailed as exc:
                log.warning("telegram.not_connected", reason=str(exc), again_in=pause)
                pause = max(pause, min(getattr(exc, "retry_after", None) or 0, LONGEST_PAUSE))
            except Exception as exc:
                log.error("telegram.not_handled", error=type(exc).__name__, exc_info=exc, again_in=pause)
            self._stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return False

    def _set_up(self, acts: Acts) -> None:
        """Ask Telegram who we are, and tell it where we are and what our commands are."""
        me = self._call("getMe", {})
        name = str(me.get("username") or "")
        acts.core.state.put(f"telegram/name/{self._api.bot}", name)
        acts.watch = replace(acts.watch, username=name)
        if self._url is None:
            self._call("deleteWebhook", {})
        else:
            self._set_webhook(self._url)
        try:
            self._tell_commands(acts.core)
        except DeliveryFailed as exc:  # a menu that is not shown is no reason to hear nobody
            log.warning("telegram.call_failed", method="setMyCommands", reason=str(exc))
        log.info("telegram.connected", username=name, by="polling" if self._url is None else "webhook")
        for found in look(self._settings, self._url, self._api):
            if not found.well:
                log.warning("telegram.not_well", found=found.says, remedy=found.remedy)

    def _set_webhook(self, url: str) -> None:
        assert self._settings.telegram_webhook_secret is not None
        self._call(
            "setWebhook",
            {
                "url": f"{url}{PATH}",
                "secret_token": self._settings.telegram_webhook_secret.get_secret_value(),
                "allowed_updates": list(UPDATES),
                "max_connections": AT_ONCE,
            },
        )

    def _forget_webhook(self) -> None:
        """Somebody else may have set one: while there is, Telegram gives us nothing."""
        if self._url is None:
            try:
                self._call("deleteWebhook", {})
            except (DeliveryFailed, CancelledError) as exc:
                log.warning("telegram.call_failed", method="deleteWebhook", reason=str(exc))

    def _tell_commands(self, core: Core) -> None:
        """Have each language's menu of commands shown; nothing is asked of Telegram if it is that of the last start."""
        menus = {language: _menu(core, language) for language in ("", *LANGUAGES)}
        digest = hashlib.sha256(json.dumps(menus).encode()).hexdigest()
        if core.state.get(f"telegram/commands/{self._api.bot}") != digest:
            for language, menu in menus.items():
                self._call("setMyCommands", {"commands": menu, **({"language_code": language} if language else {})})
            core.state.put(f"telegram/commands/{self._api.bot}", digest)

    def _fetch(self, offset: int | None) -> list[Json]:
        asked: dict[str, Any] = {"timeout": POLL, "allowed_updates": list(UPDATES)}
        began = time.monotonic()
        found = self._call("getUpdates", asked if offset is None else {**asked, "offset": offset}, POLL)
        if not found and time.monotonic() - began < SHORTEST_PAUSE:  # who answers does not wait, so we do
            self._stop.wait(SHORTEST_PAUSE)
        return [update for update in found if isinstance(update, dict) and isinstance(update.get("update_id"), int)]

    def _take(self, acts: Acts, updates: list[Json], offset: int | None, stumbled: dict[int, int]) -> int | None:
        """Do what updates say, and return from which on Telegram is to give us more: behind all that are committed.
        What is only to be committed goes into one commit."""
        under_way: list[tuple[int, Future[Accepted] | None]] = []
        failure: Exception | None = None
        for update in updates:
            number = int(update["update_id"])
            try:
                message = acts.quick(update)
                if message is None:
                    acts.hear(update)
                under_way.append((number, None if message is None else acts.core.intake.submit(message).committed))
            except Exception as exc:
                stumbled[number] = stumbled.get(number, 0) + 1
                if isinstance(exc, NotCommitted) or stumbled[number] < TRIES:
                    failure = exc
                    break
                log.error("telegram.update_skipped", update=number, error=type(exc).__name__, exc_info=exc)
                under_way.append((number, None))
        for number, committed in under_way:
            if committed is not None:
                try:
                    committed.result()
                except NotCommitted as exc:
                    failure = exc
                    break
            offset = number + 1
            stumbled.pop(number, None)
        if failure is not None:
            self._failed_at(offset, failure)
        return offset

    def _failed_at(self, offset: int | None, failure: Exception) -> None:
        log.error("telegram.not_taken", offset=offset, error=type(failure).__name__, exc_info=failure)
        self._stop.wait(SHORTEST_PAUSE)

    def _call(self, method: str, parameters: Mapping[str, Any], wait: float = 0) -> Any:
        """Call Telegram so that stopping ends it. `wait`: for how many seconds it is told to say nothing."""
        within = wait + self._settings.telegram_deadline.total_seconds()
        self._asking = self._api.begin(
            method, parameters, within, wait + self._settings.telegram_timeout.total_seconds()
        )
        if self._stop.is_set():
            self._asking.cancel()
        return self._asking.result()


def _menu(core: Core, language: str) -> list[dict[str, str]]:
    return [{"command": name, "description": core.words(f"chat.command_{name}", language)} for name in CUSTOMERS]


async def _read(receive: "Receive") -> bytes | None:
    """Read the body; None if it is larger than any of Telegram's, or breaks off."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += bytes(message.get("body", b""))
        if len(body) > LARGEST:
            return None
        if not message.get("more_body", False):
            return body


def _parsed(body: bytes) -> Json | None:
    try:
        update = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return update if isinstance(update, dict) and isinstance(update.get("update_id"), int) else None
