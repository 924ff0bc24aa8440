"""Signed links for mails: an action on one incident, at one turn of its life, for some time.

A link is authority over nothing but its own action; it is followed to a page that asks, so that a program which opens
every link of a mail does nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import wording
from bot.errors import Forbidden
from bot.model import Action, Incident, Pressed

AUDIENCE = "firstline-link"
VALID = timedelta(days=30)


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

        required = ["exp", "sub", "aud", "act", "turn"]
        try:
            claims = jwt.decode(
                token, self.key, ["HS256"], audience=AUDIENCE, options={"require": required, "verify_exp": False}
            )
            pressed = Pressed(str(claims["sub"]), str(claims["act"]), int(claims["turn"]))
        except (jwt.InvalidTokenError, ValueError):
            raise Forbidden("This link is not one of ours. Answer the mail instead.") from None
        if claims["exp"] < now.timestamp():
            raise Forbidden("This link is too old. Answer the mail instead.")
        return pressed
