"""The HTTP channel and the JSON API, under /api; problem details for whatever goes wrong."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from fastapi import Body, FastAPI, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp

from adapters.http import problems
from adapters.http.guard import Guard
from adapters.http.intake import CALLER, NewIncident, PostIncident
from adapters.http.settings import HttpSettings
from bot.model import Incident, IncidentDetails, Received
from bot.ports import Answers, Commands, Intake, Views


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

    @classmethod
    def of(cls, incident: Incident) -> "IncidentOut":
        values = asdict(incident)
        return cls(incident_id=values.pop("id"), classification=values.pop("category"), **values)


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
    message: str


class Note(BaseModel):
    note: str = Field("", max_length=2000, description="Why, or how. Kept in the audit trail.")


@dataclass(frozen=True, slots=True)
class Core:
    """What the web application needs of the core. `unavailable`: what the database raises when it does not
    answer; `metrics`: writes the metrics page."""

    intake: Intake
    answers: Answers
    views: Views
    commands: Commands
    unavailable: tuple[type[Exception], ...]
    metrics: Callable[[], bytes]


def create(core: Core, settings: HttpSettings) -> ASGIApp:
    """Build the web application: the guard, the hot route, and everything else behind it.

    The hot route stands before FastAPI, whose ten layers cost more than all that it does itself.
    """
    post = PostIncident(core.intake, core.answers, settings.response_wait.total_seconds(), settings.max_body)
    hot = Route("/api/incidents", post.__call__, methods=["POST"])
    return Guard(Router([hot, Mount("", app=create_api(core, settings))]), settings.max_body)


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
    _document(app)
    return app


def _add_reads(app: FastAPI, core: Core) -> None:
    @app.get("/api/incidents", summary="List the youngest incidents", tags=["incidents"])
    def list_incidents(
        status: Literal["open", "resolved"] | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> list[IncidentOut]:
        return [IncidentOut.of(incident) for incident in core.views.incidents(limit, status)]

    @app.get("/api/incidents/{name}", summary="Show an incident, by its id or ticket id", tags=["incidents"])
    def show_incident(name: str) -> DetailsOut | ReceivedOut:
        found = core.views.incident(name)
        if isinstance(found, Received):
            return ReceivedOut(incident_id=found.incident_id, status="received", received_at=found.received_at)
        return _details(found)

    @app.get("/api/stats", summary="Count", tags=["figures"])
    def stats() -> dict[str, Any]:
        return core.views.stats()


def _details(found: IncidentDetails) -> DetailsOut:
    return DetailsOut(
        **IncidentOut.of(found.incident).model_dump(),
        timeline=[asdict(entry) for entry in found.timeline],
        notifications=[asdict(notification) for notification in found.notifications],
    )


def _add_commands(app: FastAPI, core: Core) -> None:
    @app.post(
        "/api/incidents/{name}/resolve",
        summary="Resolve an incident: nobody will be reminded of it",
        tags=["incidents"],
        responses={409: {"description": "It is resolved already; the answer says by whom and when."}},
    )
    def resolve(name: str, note: Annotated[Note | None, Body()] = None) -> IncidentOut:
        return IncidentOut.of(core.commands.resolve(name, CALLER, note.note if note else ""))


def _add_health(app: FastAPI, core: Core) -> None:
    @app.get("/healthz", summary="Whether the process is alive", tags=["health"])
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", summary="Metrics, in Prometheus' text format", tags=["health"])
    def metrics() -> Response:
        return PlainTextResponse(core.metrics(), media_type="text/plain; version=1.0.0; charset=utf-8")

    @app.get("/readyz", summary="Whether the database answers", tags=["health"])
    def readyz() -> Response:
        core.views.ready()
        return JSONResponse({"status": "ready"})


def _document(app: FastAPI) -> None:
    """Add the hot route to the OpenAPI document by hand; it is no FastAPI endpoint."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            reference = "#/components/schemas/{model}"
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            for model in (NewIncident, Created):
                schemas[model.__name__] = model.model_json_schema(ref_template=reference)
            schema["paths"].setdefault("/api/incidents", {})["post"] = _POST
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _json(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}


_POST: dict[str, Any] = {
    "summary": "Send a customer's message",
    "tags": ["incidents"],
    "operationId": "post_incident",
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "schema": {"type": "string", "maxLength": 255},
            "description": "A repetition with the same key and the same body gets the first answer again.",
        },
        {
            "name": "Prefer",
            "in": "header",
            "schema": {"type": "string"},
            "description": "`respond-async`: answer 202 as soon as the message is stored.",
        },
    ],
    "requestBody": {"required": True, "content": _json("NewIncident")},
    "responses": {
        "201": {"description": "The incident is open.", "content": _json("Created")},
        "202": {"description": "The message is stored, and will be handled.", "content": _json("ReceivedOut")},
        "400": {"description": "The body is not JSON."},
        "409": {"description": "The Idempotency-Key was used before, with another body."},
        "413": {"description": "The body is too large."},
        "415": {"description": "The body is not declared as JSON."},
        "422": {"description": "A field cannot be used; the answer names it."},
        "503": {"description": "The message could not be stored. Send it again."},
    },
}
