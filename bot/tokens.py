"""Giving out tokens of the API, and taking them back."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.errors import Conflict, FirstlineError, KeyReused, NotFound
from bot.model import Caller, Role, tidy
from bot.ports import Clock, Signer
from storage import database, tokens

LONGEST = timedelta(days=365)

MARGIN = timedelta(minutes=1)
"""Time after its end in which a token may still be taken, because clocks differ."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What is known of a token that was given out. `jti` names it; `name` is whom it was given to."""

    jti: str
    name: str
    role: Role
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Issued":
        return cls(
            jti=row["jti"],
            name=row["subject"],
            role=Role(row["role"]),
            issued_at=row["issued_at"],
            expires_at=row["expires_at"],
            revoked_at=row["revoked_at"],
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of the API."""

    clock: Clock

    def issue(
        self, signer: Signer, role: Role, lifetime: timedelta, name: str = "", jti: str = ""
    ) -> tuple[str, Issued]:
        """Return a new token and what is kept of it. Without a name it gets one of its own, so that two callers who
        have none do not see each other's incidents. With a `jti` of one that is there, that one is signed again: this
        is a repetition. Raises FirstlineError for a name or a length that cannot be, KeyReused for a repetition that
        asks for something else."""
        if not timedelta(seconds=1) <= lifetime <= LONGEST:
            raise FirstlineError(f"A token holds for a second at least and for {LONGEST.days} days at most.")
        jti = jti or secrets.token_hex(7)
        now = self.clock().replace(microsecond=0)  # its times are whole seconds (RFC 7519 section 2)
        issued = Issued(jti, name or f"{role}-{jti[:8]}", role, now, (now + lifetime).replace(microsecond=0))
        token = signer.sign(Caller(issued.name, role), jti, now, issued.expires_at)
        with database.transaction():
            row = tokens.find(jti)
            if row is not None:
                return _again(signer, Issued.of(row), issued)
            tokens.issue(
                {
                    "jti": jti,
                    "subject": issued.name,
                    "role": role.value,
                    "issued_at": now,
                    "expires_at": issued.expires_at,
                }
            )
        return token, issued

    def revoke(self, jti: str) -> Issued:
        """Take a token back. Raises NotFound, or Conflict if that was done before (the text says when)."""
        jti = tidy(jti)
        with database.transaction():
            revoked = tokens.revoke(jti, self.clock())
            row = tokens.find(jti)
        if row is None:
            raise NotFound(f"No token has the id {jti[:64]!r}; see `bot token list`.")
        if not revoked:
            raise Conflict(f"{row['jti']} was revoked at {row['revoked_at']:%Y-%m-%d %H:%M:%S} UTC already.")
        return Issued.of(row)

    def revoked(self) -> set[str]:
        """Return the ids of all that were taken back and would hold otherwise."""
        with database.session():
            return tokens.revoked(self.clock() - MARGIN)

    def listed(self) -> list[Issued]:
        """List all, the youngest first."""
        with database.session():
            return [Issued.of(row) for row in tokens.listed()]


def _again(signer: Signer, first: Issued, asked: Issued) -> tuple[str, Issued]:
    """Sign a token that was given out before: a signature is made of what is kept, and is not kept itself."""
    same = (first.name, first.role, first.expires_at - first.issued_at)
    if same != (asked.name, asked.role, asked.expires_at - asked.issued_at):
        raise KeyReused("Idempotency-Key: it was used before, for another token.")
    token = signer.sign(Caller(first.name, first.role), first.jti, first.issued_at, first.expires_at)
    return token, first
