"""A real SMTP server on loopback, for tests: keeps what it takes."""

import socket
import threading
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller


class Mailbox:
    """Takes every mail. A context manager."""

    def __init__(self) -> None:
        self._mails: list[EmailMessage] = []
        self._letters: list[tuple[str, str, bytes]] = []
        self._lock = threading.Lock()
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        with self._lock:
            self._mails.append(mail)  # type: ignore[arg-type]
            self._letters += [(envelope.mail_from or "", to, envelope.content) for to in envelope.rcpt_tos]
        return "250 OK"

    def mails(self) -> list[EmailMessage]:
        with self._lock:
            return list(self._mails)

    def letters(self) -> list[tuple[str, str, bytes]]:
        """The same as they came: the envelope's sender, its recipient, and the bytes."""
        with self._lock:
            return list(self._letters)

    def by_notice(self, part: str = "") -> dict[str, EmailMessage]:
        """The mails of the notices that have this part in their key, each once, however often it came."""
        return {mail["Message-ID"]: mail for mail in self.mails() if part in mail["X-Firstline-Notice"]}

    def environment(self) -> dict[str, str]:
        """The settings that make Firstline send here."""
        return {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(self.port), "SMTP_TLS": "none"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], seconds: float = 20, why: str = "") -> None:
    """Wait until the condition holds; fail after so many seconds."""
    last = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < last, why or f"not within {seconds} s"
        time.sleep(0.05)
