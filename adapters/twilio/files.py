"""Fetching the files of a customer's message: from Twilio with our credentials, and from where it sends us without."""

import re
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from adapters.twilio.api import TwilioApi
from adapters.twilio.settings import TwilioSettings
from bot.errors import TooLarge, TryLater, Undeliverable
from bot.model import Fetched

if TYPE_CHECKING:
    import requests

CHUNK: Final = 64 * 1024
LONGEST_WAIT: Final = 3600
REDIRECTS: Final = 3
MEDIA: Final = re.compile(r"/Messages/[A-Za-z0-9]{1,64}/Media/[A-Za-z0-9]{1,64}")
ELSEWHERE: Final = "elsewhere"
"""The ref of a file that does not lie at Twilio's: nobody is asked for it."""


def ref_of(url: str, root: str) -> str:
    """Name a file by its place in our account. `root`: where the account is."""
    path = url.removeprefix(root).partition("?")[0] if url.startswith(root) else ""
    return path if MEDIA.fullmatch(path) else ELSEWHERE


class TwilioFiles:
    """Fetches files by their place in the account. Safe to call from many threads."""

    def __init__(self, settings: TwilioSettings, api: TwilioApi) -> None:
        self.deadline = settings.twilio_file_deadline.total_seconds()
        self._api = api

    def fetch(self, ref: str, most: int) -> Fetched:
        """Get a file, of at most this many bytes. Raises TooLarge, Undeliverable or TryLater, without an address."""
        if not MEDIA.fullmatch(ref):
            raise Undeliverable("It does not lie at Twilio's, and is not fetched from elsewhere.")
        until = time.monotonic() + self.deadline
        try:
            return self._follow(self._api.root + ref, most, until)
        except (TryLater, Undeliverable):
            raise
        except Exception as exc:
            reason = f"Twilio did not send the file ({type(exc).__name__})"  # their texts hold the address
        raise TryLater(reason)

    def _follow(self, url: str, most: int, until: float) -> Fetched:
        """Twilio sends us on to where the file lies. Nobody there gets our credentials, and nothing is fetched less
        safely than from Twilio."""
        scheme = urlsplit(url).scheme
        for hop in range(REDIRECTS + 1):
            with closing(self._api.download(url, known=hop == 0)) as answer:
                if answer.status_code not in (301, 302, 303, 307, 308):
                    return _read(answer, most, until)
                url = urljoin(url, answer.headers.get("Location", ""))
            if urlsplit(url).scheme != scheme:
                raise Undeliverable("Twilio sends us on to where it is not safe to fetch it.")
        raise Undeliverable("Twilio sends us on and on.")


def _read(answer: "requests.Response", most: int, until: float) -> Fetched:
    status = answer.status_code
    if status == 429 or status >= 500:
        value = answer.headers.get("Retry-After", "")
        wait = float(min(int(value), LONGEST_WAIT)) if re.fullmatch(r"[0-9]{1,9}", value) else None
        raise TryLater(f"Twilio answered {status}", wait)
    if status != 200:
        raise Undeliverable(f"It is not there any more: Twilio answered {status}.")
    body = bytearray()
    for chunk in answer.iter_content(CHUNK):
        body += chunk
        if len(body) > most:
            raise TooLarge("It is larger than it may be.")
        if time.monotonic() > until:
            raise TryLater("Twilio took too long for this file (TWILIO_FILE_DEADLINE)")
    return Fetched(bytes(body), answer.headers.get("Content-Type", "").partition(";")[0].strip().lower())
