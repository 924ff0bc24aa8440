"""Tokens of the API that were given out, and those that were taken back. Never the tokens themselves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from storage.database import Row, first, insert, rows
from storage.tables import Token


def issue(values: Mapping[str, Any]) -> None:
    """Remember that a token was given out."""
    insert(Token, [values])


def revoke(jti: str, at: datetime) -> bool:
    """Take a token back; False if there is none of this id, or it was taken back before."""
    changed = Token.update(revoked_at=at).where((Token.jti == jti) & Token.revoked_at.is_null())
    return bool(changed.execute())


def find(jti: str) -> Row | None:
    return first(Token.select().where(Token.jti == jti))


def revoked(since: datetime) -> set[str]:
    """Return the ids of those that were taken back and had not expired by then."""
    found: Any = Token.select(Token.jti).where(Token.revoked_at.is_null(False) & (Token.expires_at > since))
    return {jti for (jti,) in found.tuples()}


def listed() -> list[Row]:
    """List all, the youngest first."""
    return rows(Token.select().order_by(Token.issued_at.desc(), Token.jti))
