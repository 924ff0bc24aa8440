"""What the ways in ask of whoever takes the mail."""

from dataclasses import dataclass
from typing import Protocol

from adapters.mail.parsed import Envelope


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a mail, once it is committed. `says` is a few words for a log or an answer of SMTP's."""

    says: str
    duplicate: bool = False


class Door(Protocol):
    """Takes mail in. Called by many threads at once."""

    def take(self, raw: bytes, envelope: Envelope) -> Taken:
        """Commit a mail, also one that nobody can read, and return. Raises NotCommitted: then whoever has the mail must
        keep it and bring it again. Raises nothing else."""

    def is_ours(self, address: str) -> bool:
        """Whether mail to this address is for us; also with +anything before the @, where that arrives."""
