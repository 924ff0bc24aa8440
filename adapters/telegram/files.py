"""Fetching the files of a customer's message. The bot's token is a part of their address, so no address is told."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from adapters.telegram.api import Refused
from adapters.telegram.settings import TelegramSettings
from bot.errors import TooLarge, TryLater, Undeliverable
from bot.model import Fetched

if TYPE_CHECKING:
    import requests

CHUNK: Final = 64 * 1024
LARGEST: Final = 20_000_000
"""Bytes that Telegram hands out to bots (core.telegram.org/bots/api, "getFile")."""

PATH: Final = re.compile(r"(?!.*\.\.)[\w][\w./ -]{0,500}")
LONGEST_WAIT: Final = 3600


class TelegramFiles:
    """Fetches files by their file_id. `call` is BotApi.call. Safe to call from many threads."""

    def __init__(self, settings: TelegramSettings, call: Callable[[str, Mapping[str, Any], float], Any]) -> None:
        assert settings.telegram_bot_token is not None
        self.deadline = settings.telegram_file_deadline.total_seconds()
        self._step = settings.telegram_timeout.total_seconds()
        self._root = f"{settings.telegram_api_url}/file/bot"
        self._token = settings.telegram_bot_token
        self._call = call
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # at DEBUG it writes whole addresses

    def fetch(self, ref: str, most: int) -> Fetched:
        """Get a file, of at most this many bytes. Raises TooLarge, Undeliverable or TryLater, without the token."""
        until = time.monotonic() + self.deadline
        try:
            told = self._call("getFile", {"file_id": ref}, min(self._step, self.deadline))
        except Refused as exc:
            if "too big" in str(exc).lower():
                raise TooLarge(f"Telegram hands out no more than {LARGEST // 1_000_000} MB.") from None
            raise
        path = str((told if isinstance(told, dict) else {}).get("file_path") or "")
        if not PATH.fullmatch(path):
            raise Undeliverable("Telegram does not say where it lies.")
        try:
            return self._download(path, most, until)
        except (TryLater, Undeliverable):
            raise
        except Exception as exc:
            reason = f"Telegram did not send the file ({type(exc).__name__})"  # their texts hold the address
        raise TryLater(reason)

    def _download(self, path: str, most: int, until: float) -> Fetched:
        import requests

        with closing(requests.Session()) as session:
            session.trust_env = False  # no ~/.netrc, and no proxy that would see the token
            answer = session.get(
                f"{self._root}{self._token.get_secret_value()}/{path}",
                timeout=self._step,
                allow_redirects=False,
                stream=True,
            )
            with closing(answer):
                _raise_for_status(answer)
                body = bytearray()
                for chunk in answer.iter_content(CHUNK):
                    body += chunk
                    if len(body) > most:
                        raise TooLarge("It is larger than it may be.")
                    if time.monotonic() > until:
                        raise TryLater("Telegram took too long for this file (TELEGRAM_FILE_DEADLINE)")
        return Fetched(bytes(body), answer.headers.get("Content-Type", "").partition(";")[0].strip().lower())


def _raise_for_status(answer: "requests.Response") -> None:
    status = answer.status_code
    if status == 200:
        return
    if status == 429 or status >= 500:
        value = answer.headers.get("Retry-After", "")
        wait = float(min(int(value), LONGEST_WAIT)) if re.fullmatch(r"[0-9]{1,9}", value) else None
        raise TryLater(f"Telegram answered {status}", wait)
    raise Undeliverable(f"It is not there any more: Telegram answered {status}.")
