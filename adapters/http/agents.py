"""One path for each of the agents' commands, and one for what a person types.

The core refuses them to everybody else, not the route: it keeps the attempt in the audit trail.
"""

import re
from enum import Enum
from typing import Annotated

from fastapi import Body, Depends, FastAPI, Header

from adapters.http.auth import Reporter, require
from adapters.http.shown import Assignee, Chosen, IncidentOut, Line, NewNote, Note, Reply, Said
from bot.model import Role
from bot.ports import Commands


def if_match(
    if_match: Annotated[
        str | None,
        Header(description='The `ETag` of the incident that the change is meant for, such as `"4f5a…"`; else 412.'),
    ] = None,
) -> tuple[str, ...]:
    """Read what versions of an incident a change is meant for (RFC 9110 section 13.1.1); none: whatever it is."""
    if if_match is None or if_match.strip() == "*":
        return ()
    strong = re.findall(r'(?<!W/)"([^"]*)"', if_match)
    return tuple(strong) or ("",)  # what is no strong tag matches nothing


Versions = Annotated[tuple[str, ...], Depends(if_match)]
Key = Annotated[str, Header(include_in_schema=False)]
"""The Idempotency-Key, which is documented and looked at before."""


def add_commands(app: FastAPI, do: Commands) -> None:
    tags: list[str | Enum] = ["agents"]

    @app.post("/api/incidents/{name}/resolve", summary="Resolve: the customer is told, with the note", tags=tags)
    def resolve(
        name: str, caller: Reporter, versions: Versions, body: Annotated[Note | None, Body()] = None
    ) -> IncidentOut:
        return IncidentOut.of(do.resolve(name, caller, body.note if body else "", versions=versions))

    @app.post("/api/incidents/{name}/reopen", summary="Open again", tags=tags)
    def reopen(name: str, caller: Reporter, versions: Versions) -> IncidentOut:
        return IncidentOut.of(do.reopen(name, caller, versions))

    @app.post("/api/incidents/{name}/assign", summary="Give to an agent", tags=tags)
    def assign(
        name: str, caller: Reporter, versions: Versions, body: Annotated[Assignee | None, Body()] = None
    ) -> IncidentOut:
        return IncidentOut.of(do.assign(name, caller, body.to if body else "me", versions))

    @app.post("/api/incidents/{name}/reply", summary="Write to the customer", tags=tags)
    def reply(name: str, caller: Reporter, versions: Versions, body: Reply, idempotency_key: Key = "") -> IncidentOut:
        return IncidentOut.of(do.reply(name, caller, body.text, idempotency_key, versions))

    @app.post("/api/incidents/{name}/notes", summary="Write a note for agents", tags=tags)
    def note(name: str, caller: Reporter, versions: Versions, body: NewNote, idempotency_key: Key = "") -> IncidentOut:
        return IncidentOut.of(do.note(name, caller, body.text, key=idempotency_key, versions=versions))

    @app.post("/api/incidents/{name}/category", summary="Say what it is about, or confirm it", tags=tags)
    def category(name: str, caller: Reporter, versions: Versions, body: Chosen) -> IncidentOut:
        return IncidentOut.of(do.category(name, caller, body.category, versions))

    @app.post("/api/commands", summary="Run a command as a person types it", tags=tags)
    def command(caller: Reporter, body: Line) -> Said:
        said = do.run(body.text, caller)
        require(caller, Role.AGENT)  # what the core lets customers ask in their chats, it lets nobody ask here
        return Said(message=said)
