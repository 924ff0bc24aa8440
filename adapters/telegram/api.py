"""Calls to Telegram: the one asynchronous file. One thread of its own has the one event loop, and in it the one Bot.

The token is part of every URL. So no text of the library's, nor any traceback of it, leaves this file: what is raised
here is in our words, or in Telegram's own after a look at them.
"""

import asyncio
import logging
import os
import re
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from adapters.telegram.settings import TelegramSettings
from bot.errors import Blocked, ConfigurationError, DeliveryFailed, TryLater, Uncertain, Undeliverable

if TYPE_CHECKING:
    import telegram

CONNECTIONS: Final = 64
LONGEST_WAIT: Final = 3600
"""Seconds that Telegram may ask us to wait."""

LONGEST_REASON: Final = 200

TOKEN: Final = "set TELEGRAM_BOT_TOKEN to the token that @BotFather shows for this bot"
URL: Final = "is TELEGRAM_API_URL right, and may this machine go there?"
NOT_TELEGRAMS: Final = "the answer is none of Telegram's; is TELEGRAM_API_URL right?"
TAKEN: Final = (
    "another process asks for this bot's updates: stop it, or give each its own bot; several processes need the "
    "webhook (PUBLIC_URL)"
)


class Refused(Undeliverable):
    """Raised when Telegram refuses a request for good. `why` is what it says, in lower case."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Telegram refused it: {why}")
        self.why = why.lower()


class Moved(Undeliverable):
    """Raised when a group has become another one, of the id `to`."""

    def __init__(self, to: int) -> None:
        super().__init__("the group has become a supergroup, with another id")
        self.to = to


class Taken(TryLater):
    """Raised when somebody else receives this bot's updates."""


class BotApi:
    """Calls the Bot API. `call` is for any thread; the loop's thread begins with the first call."""

    def __init__(self, settings: TelegramSettings) -> None:
        if settings.telegram_bot_token is None:
            raise ConfigurationError("TELEGRAM_BOT_TOKEN is not set: @BotFather gives one for a new bot.")
        self.bot = settings.bot_id
        self._token = settings.telegram_bot_token
        self._url = settings.telegram_api_url
        self._step = settings.telegram_timeout.total_seconds()
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def call(self, method: str, parameters: Mapping[str, Any], within: float) -> Any:
        """Call a method once, within so many seconds in all, and return its result as Telegram's JSON. Raises TryLater,
        Undeliverable (Refused, Moved) or Uncertain."""
        return self.begin(method, parameters, within, self._step).result()

    def begin(self, method: str, parameters: Mapping[str, Any], within: float, step: float) -> "Future[Any]":
        """The same without waiting: cancelling the future ends the call. `step`: how long Telegram may be silent."""
        return asyncio.run_coroutine_threadsafe(self._ask(method, parameters, within, step), self._running())

    def close(self) -> None:
        """End the connections, and the thread."""
        with self._starting:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._end(), loop).result(self._step)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(self._step)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(self._loop,), name="telegram-calls", daemon=True)
                self._thread.start()
            return self._loop

    async def _ask(self, method: str, parameters: Mapping[str, Any], within: float, step: float) -> Any:
        from telegram.error import TelegramError

        failure: DeliveryFailed
        if within <= 0:
            raise TryLater("Telegram answered too slowly, and the time for this text was used up (TELEGRAM_DEADLINE)")
        try:
            async with asyncio.timeout(within):
                return await self._bot.ask(method, parameters, min(step, within))
        except TimeoutError:
            failure = Uncertain("Telegram did not answer in time (TELEGRAM_DEADLINE)")
        except TelegramError as exc:
            failure = self._meaning(exc)
        except (
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ):  # the library took it for Telegram's, and it is not
            failure = Uncertain(NOT_TELEGRAMS)
        raise failure

    @cached_property
    def _bot(self) -> Any:
        return _plain_bot()(self._token.get_secret_value(), f"{self._url}/bot", self._step)

    async def _end(self) -> None:
        if "_bot" in self.__dict__:
            await self._bot.shutdown()
            del self.__dict__["_bot"]

    def _meaning(self, exc: "telegram.error.TelegramError") -> DeliveryFailed:
        """Say what an error of the library's means. The order matters: BadRequest is a NetworkError to it."""
        from telegram import error

        match exc:
            case error.RetryAfter():
                return TryLater("Telegram asks us to wait", _seconds(exc.retry_after))
            case error.Forbidden():
                return Blocked(f"Telegram refused it: {self._said(exc)}")
            case error.ChatMigrated():
                return Moved(exc.new_chat_id)
            case error.BadRequest():
                return Refused(self._said(exc))
            case error.InvalidToken():
                return TryLater(f"Telegram does not know this bot; {TOKEN}")
            case error.Conflict():
                return Taken(TAKEN)
            case error.NetworkError():
                return self._broken(exc)
        return Uncertain(NOT_TELEGRAMS)

    def _broken(self, exc: "telegram.error.NetworkError") -> DeliveryFailed:
        """Say what it means that no answer came, or none of Telegram's."""
        import httpx

        cause = exc.__cause__
        if isinstance(cause, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol):
            return TryLater(f"Telegram cannot be reached ({type(cause).__name__}); {URL}")
        if "too many requests" in exc.message.lower():
            return TryLater("Telegram asks us to wait")
        return Uncertain(f"Telegram gave no answer that can be read ({type(cause or exc).__name__})")

    def _said(self, exc: "telegram.error.TelegramError") -> str:
        """What Telegram says, as far as it may be kept: without the token, and without what was to be sent."""
        text = " ".join(exc.message.replace(self._token.get_secret_value(), "…").split())
        if "parse entities" in text.lower():
            return "can't parse entities"
        return re.sub(r"^(?:Bad Request|Forbidden): ", "", text)[:LONGEST_REASON]


def _plain_bot() -> type[Any]:
    """Return the library's Bot with one method more. It is defined in here: the library is imported only if needed."""
    os.environ["PTB_TIMEDELTA"] = "1"  # else the library warns whenever it is told to wait
    import httpx
    import telegram
    from telegram.request import HTTPXRequest

    for name in ("telegram", "httpx", "httpcore"):  # they log URLs, which have the token in them, and whole texts
        logging.getLogger(name).setLevel(logging.CRITICAL)

    class PlainBot(telegram.Bot):
        """A Bot whose answers stay as Telegram gives them: what it does not know of must not keep an update away."""

        def __init__(self, token: str, url: str, step: float) -> None:
            tls = httpx.create_ssl_context() if url.startswith("https:") else False  # takes long, so once for both

            def ways(number: int) -> HTTPXRequest:
                return HTTPXRequest(number, step, step, step, 1.0, httpx_kwargs={"verify": tls})

            super().__init__(token, base_url=url, request=ways(CONNECTIONS), get_updates_request=ways(2))

        async def ask(self, method: str, parameters: Mapping[str, Any], step: float) -> Any:
            return await self._post(method, dict(parameters), read_timeout=step)

        async def shutdown(self) -> None:
            for request in self._request:
                await request.shutdown()

    return PlainBot


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(_all_of(left))
    finally:
        loop.close()


async def _all_of(tasks: "set[asyncio.Task[Any]]") -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


def _seconds(wait: object) -> float:
    seconds = wait.total_seconds() if isinstance(wait, timedelta) else float(str(wait))
    return min(max(seconds, 0.0), float(LONGEST_WAIT))
