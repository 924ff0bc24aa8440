"""The HTTP channel and the JSON API, under /api; problem details for whatever goes wrong."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Annotated, Any, Literal, Self

from fastapi import Body, FastAPI, Header, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp

from adapters.http import problems
from adapters.http.auth import Agent, Authentication, Keys, Reporter, Revocations, require, too_low
from adapters.http.files import add_files
from adapters.http.guard import Guard
from adapters.http.health import AGENTS_ONLY, Watch, add_health
from adapters.http.intake import LONGEST_KEY, PostIncident
from adapters.http.links import link_routes
from adapters.http.messages import CONVERSATION
from adapters.http.openapi import document
from adapters.http.reach import find
from adapters.http.settings import HttpSettings
from bot.errors import Forbidden
from bot.model import Caller, Category, Incident, IncidentDetails, NotificationView, Received, Role, TimelineEntry
from bot.ports import Answers, Commands, Intake, Pages, Tokens, Views


class Shown(BaseModel):
    """What everybody sees of an incident who sees it at all."""

    incident_id: str = Field(validation_alias="id")
    ticket_id: str
    customer_id: str
    channel: str
    message: str
    classification: str = Field(validation_alias="category")
    confidence: float | None
    priority: Literal["urgent", "normal"]
    status: Literal["open", "resolved"]
    created_at: AwareDatetime
    resolved_at: AwareDatetime | None
    language: str
    reporter: str
    conversation: str
    continues: str | None

    @classmethod
    def of(cls, incident: Incident, **more: Any) -> Self:
        return cls.model_validate({**asdict(incident), "priority": incident.priority, **more})


class ReportedOut(Shown):
    """An incident as its reporter sees it: with what was said between customer and house."""

    timeline: list[TimelineEntry]


class IncidentOut(Shown):
    """An incident as agents see it."""

    external_ticket_id: str | None
    reason: str
    classified_by: str
    assignee: str | None
    resolved_by: str | None
    reminder_sent: bool
    openings: int
    resolutions: int


class DetailsOut(IncidentOut):
    """An incident as agents see it, with its history."""

    timeline: list[TimelineEntry]
    notifications: list[NotificationView]


class ReceivedOut(BaseModel):
    """A message that is stored and not handled yet."""

    incident_id: str
    status: Literal["received"]
    received_at: AwareDatetime


class Stored(BaseModel):
    """The receipt for a message that will be handled. Its id is the incident's as well, if it opens one."""

    incident_id: str
    message_id: str
    status: Literal["received"]
    message: str


class Created(BaseModel):
    """The answer to a message: its id, what came of it in words, and its incident as it is now."""

    message_id: str
    message: str
    incident_id: str
    ticket_id: str
    status: Literal["open", "resolved"]
    classification: str
    confidence: float | None
    priority: Literal["urgent", "normal"]


class Done(BaseModel):
    """The answer to a change or a button. What it was about may have no incident yet: then only the first two."""

    message_id: str
    message: str
    incident_id: str | None = None
    ticket_id: str | None = None
    status: Literal["open", "resolved"] | None = None
    classification: str | None = None
    confidence: float | None = None
    priority: Literal["urgent", "normal"] | None = None


class Note(BaseModel):
    note: str = Field("", max_length=20_000, description="Why, or how. The customer is told.")


class Assignee(BaseModel):
    to: str = Field("me", max_length=64, description="Whom to: a name, `me` or `nobody`.")


class Text(BaseModel):
    text: str = Field(min_length=1, max_length=20_000)


class Chosen(BaseModel):
    category: Category


class Said(BaseModel):
    """A command's answer, for people."""

    message: str


@dataclass(frozen=True, slots=True)
class Core:
    """What the web application needs of the core. `unavailable`: what the database raises when it does not answer;
    `metrics`: writes the metrics page."""

    intake: Intake
    answers: Answers
    views: Views
    commands: Commands
    tokens: Tokens
    pages: Pages
    unavailable: tuple[type[Exception], ...]
    metrics: Callable[[], bytes]

    @property
    def watch(self) -> Watch:
        return Watch(self.views, self.tokens, self.metrics, self.unavailable)


def create(core: Core, settings: HttpSettings, webhooks: Sequence[Route] = ()) -> ASGIApp:
    """Build the web application: the guard, the hot route, and everything else behind it. With keys, every caller needs
    a token; but for `webhooks`, the channels' own routes, which see to it themselves who calls.

    The hot route stands before FastAPI, whose ten layers cost more than all that it does itself.
    """
    needs = (core.intake, core.answers, settings.response_wait.total_seconds(), settings.max_body)
    post = PostIncident(*needs)
    routes = Router(
        [
            post.route(),
            *webhooks,
            *(door(*needs, core.views, core.unavailable).route() for door in CONVERSATION),
            *link_routes(post, core.pages, core.unavailable),
            Mount("", app=create_api(core, settings)),
        ]
    )
    keys = Keys.of(settings) if settings.keys else None
    paths = frozenset(route.path for route in webhooks)
    known = Authentication(routes, keys, Revocations(core.tokens.revoked), paths)
    return Guard(known, settings.max_body, any_host=keys is not None, webhooks=paths)


class Collected:
    """Takes down the routes that channels ask for, for `create`."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def add_route(self, path: str, endpoint: Callable[..., Any], methods: list[str]) -> None:
        self.routes.append(Route(path, endpoint, methods=methods))


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
    app.add_exception_handler(Forbidden, _no_agent)
    _add_reads(app, core)
    add_files(app, core.views, {**AGENTS_ONLY, **_UNKNOWN})
    _add_commands(app, core)
    add_health(app, core.watch)
    document(app, secured=bool(settings.keys), answers=(Stored, Created, Done))
    return app


def _no_agent(request: Request, exc: Exception) -> Response:
    """Answer whom the core has refused a command."""
    assert isinstance(exc, Forbidden)
    answer = problems.refused(exc)
    answer.headers.update(too_low(Role.AGENT))
    return answer


Described = dict[int | str, dict[str, Any]]

_UNKNOWN: Described = {404: {"description": "There is no such incident."}}
_COMMAND: Described = {
    **AGENTS_ONLY,
    **_UNKNOWN,
    409: {"description": "The incident is not in a state for this; the answer says why."},
}


def _add_reads(app: FastAPI, core: Core) -> None:
    @app.get("/api/incidents", summary="List the youngest incidents", tags=["incidents"], responses=AGENTS_ONLY)
    def list_incidents(
        caller: Agent,
        status: Literal["open", "resolved"] | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> list[IncidentOut]:
        return [IncidentOut.of(incident) for incident in core.views.incidents(limit, status)]

    @app.get(
        "/api/incidents/{name}",
        summary="Show an incident, by its id or ticket id",
        tags=["incidents"],
        responses=_UNKNOWN,
    )
    def show_incident(name: str, caller: Reporter) -> DetailsOut | ReportedOut | ReceivedOut:
        found = find(core.views, name, caller)
        if isinstance(found, Received):
            return ReceivedOut(incident_id=found.incident_id, status="received", received_at=found.received_at)
        return _details(found, caller)

    @app.get("/api/stats", summary="Count", tags=["figures"], responses=AGENTS_ONLY)
    def stats(caller: Agent) -> dict[str, Any]:
        return core.views.stats()


def _details(found: IncidentDetails, caller: Caller) -> DetailsOut | ReportedOut:
    """Show an incident with its history; to one who is no agent, what was said between customer and house."""
    if caller.may(Role.AGENT):
        return DetailsOut.of(found.incident, timeline=found.timeline, notifications=found.notifications)
    said = [_signed(entry) for entry in found.timeline if entry.what in ("customer", "agent", "bot")]
    return ReportedOut.of(found.incident, timeline=said)


def _signed(entry: TimelineEntry) -> TimelineEntry:
    """Keep the agents' names inside, and what a mail quotes."""
    return replace(entry, who="agent" if entry.what == "agent" else entry.who, whole="")


def _add_commands(app: FastAPI, core: Core) -> None:
    """One path for each of the agents' commands, and one for what a person types.

    The core refuses them to everybody else, not the route: it keeps the attempt in the audit trail.
    """
    do = core.commands
    tags: list[str | Enum] = ["agents"]

    @app.post(
        "/api/incidents/{name}/resolve",
        summary="Resolve: the customer is told, with the note",
        tags=tags,
        responses=_COMMAND,
    )
    def resolve(name: str, caller: Reporter, body: Annotated[Note | None, Body()] = None) -> IncidentOut:
        return IncidentOut.of(do.resolve(name, caller, body.note if body else ""))

    @app.post("/api/incidents/{name}/reopen", summary="Open again", tags=tags, responses=_COMMAND)
    def reopen(name: str, caller: Reporter) -> IncidentOut:
        return IncidentOut.of(do.reopen(name, caller))

    @app.post("/api/incidents/{name}/assign", summary="Give to an agent", tags=tags, responses=_COMMAND)
    def assign(name: str, caller: Reporter, body: Annotated[Assignee | None, Body()] = None) -> IncidentOut:
        return IncidentOut.of(do.assign(name, caller, body.to if body else "me"))

    @app.post("/api/incidents/{name}/reply", summary="Write to the customer", tags=tags, responses=_COMMAND)
    def reply(
        name: str,
        caller: Reporter,
        body: Text,
        idempotency_key: Annotated[
            str, Header(min_length=1, max_length=LONGEST_KEY, description="With the same key and text it is sent once.")
        ] = "",
    ) -> IncidentOut:
        return IncidentOut.of(do.reply(name, caller, body.text, idempotency_key))

    @app.post("/api/incidents/{name}/notes", summary="Write a note for agents", tags=tags, responses=_COMMAND)
    def note(name: str, caller: Reporter, body: Text) -> IncidentOut:
        return IncidentOut.of(do.note(name, caller, body.text))

    @app.post("/api/incidents/{name}/category", summary="Say what it is about", tags=tags, responses=_COMMAND)
    def category(name: str, caller: Reporter, body: Chosen) -> IncidentOut:
        return IncidentOut.of(do.category(name, caller, body.category))

    @app.post("/api/commands", summary="Run a command as a person types it", tags=tags, responses=_COMMAND)
    def command(caller: Reporter, body: Text) -> Said:
        said = do.run(body.text, caller)
        require(caller, Role.AGENT)  # what the core lets customers ask in their chats, it lets nobody ask here
        return Said(message=said)
