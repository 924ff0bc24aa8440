"""The HTTP channel and the JSON API, under /api; problem details for whatever goes wrong."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Annotated, Any, Literal

from fastapi import Body, FastAPI, Header, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp

from adapters.http import problems
from adapters.http.auth import Agent, Authentication, Keys, Reporter, Revocations
from adapters.http.guard import Guard
from adapters.http.intake import LONGEST_KEY, PostIncident
from adapters.http.links import link_routes
from adapters.http.messages import DeleteMessage, PostAction, PostMessage, PutMessage
from adapters.http.openapi import document
from adapters.http.reach import find
from adapters.http.settings import HttpSettings
from bot.model import Caller, Category, Incident, IncidentDetails, Received, Role
from bot.ports import Answers, Commands, Intake, Pages, Tokens, Views


class IncidentOut(BaseModel):
    """An incident."""

    incident_id: str
    ticket_id: str
    external_ticket_id: str | None
    customer_id: str
    channel: str
    message: str
    classification: str
    confidence: float | None
    reason: str
    classified_by: str
    status: Literal["open", "resolved"]
    assignee: str | None
    created_at: AwareDatetime
    resolved_at: AwareDatetime | None
    resolved_by: str | None
    reminder_sent: bool
    reporter: str
    priority: str
    language: str
    conversation: str
    continues: str | None
    openings: int
    resolutions: int

    @classmethod
    def of(cls, incident: Incident) -> "IncidentOut":
        values = asdict(incident)
        named = {name: values[name] for name in cls.model_fields if name in values}
        return cls(incident_id=incident.id, classification=incident.category, priority=incident.priority, **named)


class DetailsOut(IncidentOut):
    """An incident with its history."""

    timeline: list[dict[str, Any]]
    notifications: list[dict[str, Any]]


class ReceivedOut(BaseModel):
    """A message that is stored and not handled yet."""

    incident_id: str
    status: Literal["received"]
    received_at: AwareDatetime


class Created(BaseModel):
    """The answer to a message."""

    incident_id: str
    ticket_id: str
    status: str
    classification: str
    confidence: float | None
    priority: Literal["urgent", "normal"]
    message_id: str
    message: str


class Note(BaseModel):
    note: str = Field("", max_length=20_000, description="Why, or how. The customer is told.")


class Assignee(BaseModel):
    to: str = Field("me", max_length=64, description="Whom to: a name, `me` or `nobody`.")


class Text(BaseModel):
    text: str = Field(min_length=1, max_length=20_000)


class Chosen(BaseModel):
    category: Category


@dataclass(frozen=True, slots=True)
class Core:
    """What the web application needs of the core. `unavailable`: what the database raises when it does not
    answer; `metrics`: writes the metrics page."""

    intake: Intake
    answers: Answers
    views: Views
    commands: Commands
    tokens: Tokens
    pages: Pages
    unavailable: tuple[type[Exception], ...]
    metrics: Callable[[], bytes]


def create(core: Core, settings: HttpSettings) -> ASGIApp:
    """Build the web application: the guard, the hot route, and everything else behind it. With keys, every caller needs
    a token.

    The hot route stands before FastAPI, whose ten layers cost more than all that it does itself.
    """
    needs = (core.intake, core.answers, settings.response_wait.total_seconds(), settings.max_body)
    post = PostIncident(*needs)
    routes = Router(
        [
            Route("/api/incidents", post.__call__, methods=["POST"]),
            *_conversation(*needs, core.views),
            *link_routes(post, core.pages),
            Mount("", app=create_api(core, settings)),
        ]
    )
    keys = Keys.of(settings) if settings.keys else None
    known = Authentication(routes, keys, Revocations(core.tokens.revoked))
    return Guard(known, settings.max_body, any_host=keys is not None)


def _conversation(*needs: Any) -> list[Route]:
    """What a customer does in a conversation that is there."""
    message = "/api/incidents/{name}/messages/{message_id}"
    return [
        Route("/api/incidents/{name}/messages", PostMessage(*needs).__call__, methods=["POST"]),
        Route(message, PutMessage(*needs).__call__, methods=["PUT"]),
        Route(message, DeleteMessage(*needs).__call__, methods=["DELETE"]),
        Route("/api/incidents/{name}/actions", PostAction(*needs).__call__, methods=["POST"]),
    ]


def create_api(core: Core, settings: HttpSettings) -> FastAPI:
    """Build the part that FastAPI serves."""
    app = FastAPI(
        title="Firstline",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        max_body_size=settings.max_body,
        telemetry={"operation_spans": False, "logs": False},
    )
    problems.install(app, core.unavailable)
    _add_reads(app, core)
    _add_commands(app, core)
    _add_health(app, core)
    document(app, secured=bool(settings.keys), answers=(Created,))
    return app


_AGENTS_ONLY: dict[int | str, dict[str, Any]] = {403: {"description": "This needs the role agent."}}


def _add_reads(app: FastAPI, core: Core) -> None:
    @app.get("/api/incidents", summary="List the youngest incidents", tags=["incidents"], responses=_AGENTS_ONLY)
    def list_incidents(
        caller: Agent,
        status: Literal["open", "resolved"] | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> list[IncidentOut]:
        return [IncidentOut.of(incident) for incident in core.views.incidents(limit, status)]

    @app.get("/api/incidents/{name}", summary="Show an incident, by its id or ticket id", tags=["incidents"])
    def show_incident(name: str, caller: Reporter) -> DetailsOut | ReceivedOut:
        found = find(core.views, name, caller)
        if isinstance(found, Received):
            return ReceivedOut(incident_id=found.incident_id, status="received", received_at=found.received_at)
        return _details(found, caller)

    @app.get("/api/stats", summary="Count", tags=["figures"], responses=_AGENTS_ONLY)
    def stats(caller: Agent) -> dict[str, Any]:
        return core.views.stats()


def _details(found: IncidentDetails, caller: Caller) -> DetailsOut:
    """Show an incident with its history; to one who is no agent, only what was said between customer and house."""
    shown = IncidentOut.of(found.incident).model_dump()
    if caller.may(Role.AGENT):
        return DetailsOut(
            **shown,
            timeline=[asdict(entry) for entry in found.timeline],
            notifications=[asdict(notification) for notification in found.notifications],
        )
    said = [asdict(entry) for entry in found.timeline if entry.what in ("customer", "agent", "bot")]
    return DetailsOut(**{**shown, "assignee": None, "resolved_by": None}, timeline=said, notifications=[])


def _add_commands(app: FastAPI, core: Core) -> None:
    """One path for each of the agents' commands, and one for what a person types."""
    do = core.commands
    tags: list[str | Enum] = ["agents"]

    @app.post(
        "/api/incidents/{name}/resolve",
        summary="Resolve: the customer is told, with the note",
        tags=tags,
        responses={**_AGENTS_ONLY, 409: {"description": "It is resolved already; the answer says by whom and when."}},
    )
    def resolve(name: str, caller: Agent, body: Annotated[Note | None, Body()] = None) -> IncidentOut:
        return IncidentOut.of(do.resolve(name, caller, body.note if body else ""))

    @app.post("/api/incidents/{name}/reopen", summary="Open again", tags=tags, responses=_AGENTS_ONLY)
    def reopen(name: str, caller: Agent) -> IncidentOut:
        return IncidentOut.of(do.reopen(name, caller))

    @app.post("/api/incidents/{name}/assign", summary="Give to an agent", tags=tags, responses=_AGENTS_ONLY)
    def assign(name: str, caller: Agent, body: Annotated[Assignee | None, Body()] = None) -> IncidentOut:
        return IncidentOut.of(do.assign(name, caller, body.to if body else "me"))

    @app.post("/api/incidents/{name}/reply", summary="Write to the customer", tags=tags, responses=_AGENTS_ONLY)
    def reply(
        name: str, caller: Agent, body: Text, idempotency_key: Annotated[str, Header(max_length=LONGEST_KEY)] = ""
    ) -> IncidentOut:
        return IncidentOut.of(do.reply(name, caller, body.text, idempotency_key))

    @app.post("/api/incidents/{name}/notes", summary="Write a note for agents", tags=tags, responses=_AGENTS_ONLY)
    def note(name: str, caller: Agent, body: Text) -> IncidentOut:
        return IncidentOut.of(do.note(name, caller, body.text))

    @app.post("/api/incidents/{name}/category", summary="Say what it is about", tags=tags, responses=_AGENTS_ONLY)
    def category(name: str, caller: Agent, body: Chosen) -> IncidentOut:
        return IncidentOut.of(do.category(name, caller, body.category))

    @app.post("/api/commands", summary="Run a command as a person types it", tags=tags, responses=_AGENTS_ONLY)
    def command(caller: Agent, body: Text) -> dict[str, str]:
        return {"message": do.run(body.text, caller)}


def _add_health(app: FastAPI, core: Core) -> None:
    @app.get("/healthz", summary="Whether the process is alive", tags=["health"])
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", summary="Metrics, in Prometheus' text format", tags=["health"], responses=_AGENTS_ONLY)
    def metrics(caller: Agent) -> Response:
        return PlainTextResponse(core.metrics(), media_type="text/plain; version=1.0.0; charset=utf-8")

    @app.get("/readyz", summary="Whether the database answers", tags=["health"])
    def readyz() -> Response:
        core.views.ready()
        return JSONResponse({"status": "ready"})
