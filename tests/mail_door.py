"""Who takes the mail, for tests of the ways in: keeps it in a list."""

import hashlib
import threading

from adapters.mail.parsed import Envelope
from adapters.mail.ways import Door, Taken
from bot.errors import NotCommitted


class TakingDoor(Door):
    """Takes all mail, and knows what it has had before. `ours` are its addresses. `failures` are raised, one by one,
    instead of taking a mail. While `gate` is not set, whoever brings a mail waits; `waiting` is set once one does."""

    def __init__(self, *ours: str) -> None:
        self._guard = threading.Lock()
        self.begin(*ours)

    def begin(self, *ours: str) -> None:
        """Forget everything."""
        self.ours = frozenset(ours or ("support@example.com",))
        self.failures: list[Exception] = []
        self.mails: list[tuple[bytes, Envelope]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Event()
        self._seen: set[bytes] = set()

    def take(self, raw: bytes, envelope: Envelope) -> Taken:
        self.waiting.set()
        assert self.gate.wait(20)
        with self._guard:
            if self.failures:
                raise self.failures.pop(0)
            digest = hashlib.sha256(raw).digest()
            if digest in self._seen:
                return Taken("known already", duplicate=True)
            self._seen.add(digest)
            self.mails.append((raw, envelope))
        return Taken(f"mail {len(self.mails)} taken")

    def is_ours(self, address: str) -> bool:
        local, _, domain = address.lower().rpartition("@")
        return f"{local.partition('+')[0]}@{domain}" in self.ours

    @property
    def raw(self) -> bytes:
        """The one mail that was taken."""
        ((raw, _),) = self.mails
        return raw

    @property
    def envelope(self) -> Envelope:
        """Its envelope."""
        ((_, envelope),) = self.mails
        return envelope


AWAY = NotCommitted("the database is locked")
