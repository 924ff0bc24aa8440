"""Encrypting what must not be readable for whoever gets hold of the database: files of customers, tokens of others."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from bot.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_PLAIN, _SEALED = b"\x00", b"\x01"
"""The first byte of what is kept says which it is, so that a key can be set (or added) later."""


@dataclass(frozen=True)
class Seal:
    """Closes and opens. `keys` are those of DATA_KEY: the first closes, all open; with none, what is closed stays
    readable. Each is a text of at least 32 bytes, of whose SHA-256 a Fernet key is made
    (github.com/fernet/spec: AES-128-CBC with HMAC-SHA256)."""

    keys: tuple[str, ...] = field(default=(), repr=False)

    def close(self, data: bytes) -> bytes:
        """Return what may be kept."""
        return _SEALED + self._fernet.encrypt(data) if self.keys else _PLAIN + data

    def open(self, kept: bytes) -> bytes:
        """Return what was closed. Raises ConfigurationError if none of the keys opens it."""
        kept = bytes(kept)
        if kept[:1] == _PLAIN:
            return kept[1:]
        from cryptography.fernet import InvalidToken

        try:
            return bytes(self._fernet.decrypt(kept[1:])) if self.keys else self._refuse()
        except InvalidToken:
            return self._refuse()

    def _refuse(self) -> bytes:
        raise ConfigurationError(
            "DATA_KEY is not the key with which this was encrypted. Set it as it was, or add the old one behind the "
            "new one, with a comma between them."
        )

    @cached_property
    def _fernet(self) -> "MultiFernet":
        from cryptography.fernet import Fernet, MultiFernet

        return MultiFernet([Fernet(_derived(key)) for key in self.keys])


class Envelope:
    """Hides a short text from whoever carries it, and shows whether it is one of ours. `key` is asked for the secret of
    this installation when that is first needed."""

    def __init__(self, key: Callable[[], str]) -> None:
        self._key = key

    @cached_property
    def _seal(self) -> Seal:
        return Seal((f"envelope/{self._key()}",))

    def close(self, text: str) -> str:
        return base64.b64encode(self._seal.close(text.encode())).decode()

    def open(self, text: str) -> str:
        """Return what was closed. Raises if it was not closed by this installation."""
        kept = base64.b64decode(text)
        if kept[:1] != _SEALED:
            raise ValueError("this was never closed")
        return self._seal.open(kept).decode()


def _derived(key: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())
