"""What must be seen to by a person: messages in quarantine, work that was given up; and, for administrators, tokens."""

import hashlib
from datetime import timedelta
from enum import Enum
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from adapters.http.auth import NAME, Admin, Agent, Keys, Reporter
from adapters.http.shown import IncidentOut, Said
from bot.errors import Conflict
from bot.model import Role
from bot.ports import Commands, Held, Tokens, Views

LONGEST = 365 * 24 * 3600
"""Seconds for which a token may hold."""


class HeldOut(BaseModel):
    """A message that may not be from the customer, and waits for a person."""

    name: str
    incident_id: str
    ticket_id: str
    claims_to_be: str
    channel: str
    subject: str
    text: str
    received_at: AwareDatetime

    @classmethod
    def of(cls, held: Held, ticket_id: str) -> "HeldOut":
        said = held.message
        return cls(
            name=held.name,
            incident_id=held.incident_id,
            ticket_id=ticket_id,
            claims_to_be=said.customer_id,
            channel=said.channel,
            subject=said.subject,
            text=said.text,
            received_at=held.received_at,
        )


class DeadOut(BaseModel):
    """A piece of work that was given up."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    lane: str
    state: str
    attempts: int
    error: str | None
    incident_id: str | None


class TokenOut(BaseModel):
    """What is known of a token that was given out."""

    model_config = ConfigDict(from_attributes=True)

    jti: str
    name: str
    role: Literal["reporter", "agent", "admin"]
    issued_at: AwareDatetime
    expires_at: AwareDatetime
    revoked_at: AwareDatetime | None


class NewToken(BaseModel):
    """Who is to have a token, what they may do, and for how many seconds it holds. Without a name it gets one of its
    own."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"role": "reporter", "name": "shop", "seconds": 2592000}]}
    )

    role: Literal["reporter", "agent", "admin"]
    name: str = Field("", pattern=f"^({NAME.pattern})?$")
    seconds: int = Field(30 * 24 * 3600, ge=1, le=LONGEST)


class TokenMade(TokenOut):
    """A token that was just made. It is kept nowhere: whoever loses it makes another."""

    token: str


def add_operators(app: FastAPI, views: Views, do: Commands, tokens: Tokens, keys: Keys | None) -> None:
    """Add the paths. `keys` sign tokens; None: nobody needs one."""
    _add_quarantine(app, do)
    _add_dead(app, views, do)
    _add_tokens(app, tokens, keys)


def _add_quarantine(app: FastAPI, do: Commands) -> None:
    tags: list[str | Enum] = ["quarantine"]

    @app.get("/api/quarantine", summary="List what may not be from the customer, the oldest first", tags=tags)
    def list_quarantine(caller: Agent) -> list[HeldOut]:
        return [HeldOut.of(held, incident.ticket_id) for held, incident in do.quarantined(caller)]

    @app.post("/api/quarantine/{held}/accept", summary="Let such a message join its incident", tags=tags)
    def accept(held: str, caller: Reporter) -> IncidentOut:
        return IncidentOut.of(do.admit(held, caller))

    @app.post("/api/quarantine/{held}/reject", summary="Keep it out for good", tags=tags)
    def reject(held: str, caller: Reporter) -> IncidentOut:
        return IncidentOut.of(do.reject(held, caller))


def _add_dead(app: FastAPI, views: Views, do: Commands) -> None:
    tags: list[str | Enum] = ["dead"]

    @app.get("/api/dead", summary="List what was given up", tags=tags)
    def list_dead(caller: Agent, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[DeadOut]:
        return [DeadOut.model_validate(one) for one in views.dead(limit)]

    @app.get("/api/dead/{dead}", summary="Show all that is known of one of them", tags=tags)
    def show_dead(dead: str, caller: Agent) -> dict[str, Any]:
        return dict(views.dead_one(dead))

    @app.post("/api/dead/{dead}/retry", summary="Try it again, with all its attempts ahead of it", tags=tags)
    def retry(dead: str, caller: Agent) -> Said:
        do.retry(dead)
        return Said(message=f"{dead} is back in its lane.")


def _add_tokens(app: FastAPI, tokens: Tokens, keys: Keys | None) -> None:
    tags: list[str | Enum] = ["tokens"]

    @app.get("/api/tokens", summary="List the tokens that were given out, the youngest first", tags=tags)
    def list_tokens(caller: Admin) -> list[TokenOut]:
        return [TokenOut.model_validate(issued) for issued in tokens.listed()]

    @app.post("/api/tokens", summary="Make a token", tags=tags, status_code=201)
    def issue_token(
        caller: Admin, body: NewToken, idempotency_key: Annotated[str, Header(include_in_schema=False)] = ""
    ) -> TokenMade:
        if keys is None:
            raise Conflict("Nobody needs a token as long as JWT_KEYS is not set.")
        jti = _jti(caller.name, idempotency_key) if idempotency_key else ""
        token, issued = tokens.issue(keys, Role(body.role), timedelta(seconds=body.seconds), body.name, jti)
        return TokenMade(**TokenOut.model_validate(issued).model_dump(), token=token)

    @app.delete("/api/tokens/{jti}", summary="Take a token back: within 5 seconds nobody takes it any more", tags=tags)
    def revoke_token(jti: str, caller: Admin) -> TokenOut:
        return TokenOut.model_validate(tokens.revoke(jti))


def _jti(caller: str, key: str) -> str:
    """The id of the token that was asked for with an Idempotency-Key: the same for every repetition, so that the token
    itself need not be kept to be answered again."""
    return hashlib.sha256(f"{caller}:{key}".encode()).hexdigest()[:14]
