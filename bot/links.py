"""Signed links for mails: an action on one incident, at one turn of its life, for some time.

A link is authority over nothing but its own action; it is followed to a page that asks, so that a program which opens
every link of a mail does nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot import wording
from bot.errors import Forbidden
from bot.model import Action, Incident, Pressed

AUDIENCE = "firstline-link"
VALID = timedelta(days=30)
CLAIMS = ["exp", "sub", "aud", "act", "turn"]
LONGEST = 1024
"""Characters of a link that are looked at; ours have 300 at most."""


@dataclass(frozen=True, slots=True)
class Links:
    """Writes and reads links. `base` is the address of the HTTP side as customers see it, without a slash at the end;
    without a key there are no links, only the names of the actions."""

    base: str = ""
    key: str = ""

    def actions(self, incident: Incident, names: Sequence[str], turn: int, now: datetime) -> tuple[Action, ...]:
        """Return what the reader of a notice can do, with a link for each."""
        return tuple(
            Action(name, wording.action_label(name, incident.language), self._url(incident.id, name, turn, now))
            for name in names
        )

    def _url(self, incident_id: str, name: str, turn: int, now: datetime) -> str:
        if not self.key:
            return ""
        import jwt

        claims = {"sub": incident_id, "act": name, "turn": turn, "aud": AUDIENCE, "exp": int((now + VALID).timestamp())}
        return f"{self.base}/a/{jwt.encode(claims, self.key, 'HS256')}"

    def read(self, token: str, now: datetime) -> Pressed:
        """Return what a link asks for. Raises Forbidden if it is not ours, or too old."""
        import jwt

        foreign = Forbidden("This link is not one of ours. Answer the mail instead.")
        if not self.key or len(token) > LONGEST:
            raise foreign
        options: Any = {"require": CLAIMS, "verify_exp": False}  # that goes by our clock, not by the library's
        try:
            claims = jwt.decode(token, self.key, ["HS256"], audience=AUDIENCE, options=options)
        except (jwt.InvalidTokenError, ValueError):
            raise foreign from None
        if claims["exp"] < now.timestamp():
            raise Forbidden("This link is too old. Answer the mail instead.")
        return Pressed(claims["sub"], claims["act"], claims["turn"])
