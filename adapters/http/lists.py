"""Looking at incidents: one, a page of them, their audit trail, all of them as a file."""

import csv
import io
import itertools
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Header, Query
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from adapters.http.auth import Agent, Reporter
from adapters.http.reach import find
from adapters.http.shown import DetailsOut, IncidentOut, ReceivedOut, ReportedOut, details
from bot.errors import NotFound
from bot.model import Category, Incident, IncidentFilter, Received
from bot.ports import Views


class EventOut(BaseModel):
    """A line of the audit trail."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": 12,
                    "at": "2026-11-23T23:09:00.120032Z",
                    "actor": "ana",
                    "name": "assigned",
                    "before": None,
                    "after": "ana",
                }
            ]
        },
    )

    id: int
    at: AwareDatetime
    actor: str
    name: str
    before: str | None
    after: str | None


def _written(value: object) -> object:
    """Take a time as RFC 3339 writes it, and no number of seconds."""
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d[Tt ]", value, re.ASCII):
        raise PydanticCustomError("time", "must be a time such as 2026-11-23T00:00:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written)]


def wanted(
    caller: Agent,
    status: Literal["open", "resolved"] | None = None,
    category: Category | None = None,
    channel: Annotated[str | None, Query(min_length=1, max_length=32)] = None,
    assignee: Annotated[
        str | None, Query(min_length=1, max_length=64, description="A name, `me`, or `nobody`.")
    ] = None,
    priority: Literal["urgent", "normal"] | None = None,
    unsure: Annotated[bool | None, Query(description="Whether a person should confirm or change the category.")] = None,
    created_from: Annotated[Moment | None, Query(description="The first moment, such as 2026-11-23T00:00:00Z.")] = None,
    created_to: Annotated[Moment | None, Query(description="The moment after the last.")] = None,
    q: Annotated[str | None, Query(min_length=1, max_length=200, description="Words to search for.")] = None,
) -> IncidentFilter:
    """Read which incidents are meant."""
    return IncidentFilter(
        status=status,
        category=category,
        channel=channel,
        assignee={"me": caller.name, "nobody": ""}.get(assignee, assignee) if assignee else None,
        priority=priority,
        unsure=unsure,
        created_from=created_from,
        created_to=created_to,
        text=q,
    )


Wanted = Annotated[IncidentFilter, Depends(wanted)]
After = Annotated[
    str | None, Query(min_length=1, max_length=200, description="Where the page before ended; `Link` says it.")
]
LINK: dict[str, Any] = {
    "Link": {
        "description": 'The next page, if there is one: `<…>; rel="next"` (RFC 8288).',
        "schema": {"type": "string"},
    }
}
ETAG: dict[str, Any] = {
    "ETag": {
        "description": "The version of the incident; of a message that waits to be handled there is none.",
        "schema": {"type": "string"},
    }
}


def add_lists(app: FastAPI, views: Views) -> None:
    """Add the paths."""

    @app.get(
        "/api/incidents",
        summary="List incidents, the youngest first",
        tags=["incidents"],
        responses={200: {"headers": LINK}},
    )
    def list_incidents(
        request: Request,
        response: Response,
        what: Wanted,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> list[IncidentOut]:
        page = views.find(what, after, limit)
        _link(request, response, page.next)
        return [IncidentOut.of(incident) for incident in page.incidents]

    @app.get(
        "/api/incidents/{name}",
        summary="Show an incident, by its id or ticket id",
        tags=["incidents"],
        response_model=DetailsOut | ReportedOut | ReceivedOut,
        responses={200: {"headers": ETAG}, 304: {"description": "It is still the version of If-None-Match."}},
    )
    def show_incident(
        name: str,
        caller: Reporter,
        response: Response,
        if_none_match: Annotated[str | None, Header(description="The `ETag` of what you have.")] = None,
    ) -> Any:
        version = _version(views, name)  # before it is read: what changes meanwhile is read again, not missed
        found = find(views, name, caller)
        if isinstance(found, Received):
            return ReceivedOut(incident_id=found.incident_id, status="received", received_at=found.received_at)
        tag = {"ETag": f'"{version}"', "Vary": "Authorization"} if version else {}
        if version and _matches(if_none_match, version):
            return Response(status_code=304, headers=tag)
        response.headers.update(tag)
        return details(found, caller)

    @app.get(
        "/api/incidents/{name}/events",
        summary="The audit trail of an incident, the oldest line first",
        tags=["incidents"],
        responses={200: {"headers": LINK}},
    )
    def list_events(
        name: str,
        caller: Agent,
        request: Request,
        response: Response,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> list[EventOut]:
        page = views.history(name, after, limit)
        _link(request, response, page.next)
        return [EventOut.model_validate(event) for event in page.events]

    @app.get(
        "/api/export/incidents.csv",
        summary="All incidents, or those of a filter, as CSV (RFC 4180)",
        tags=["figures"],
        response_class=Response,
        responses={200: {"description": "A row each.", "content": {"text/csv": {"schema": {"type": "string"}}}}},
    )
    def export_csv(what: Wanted) -> Response:
        return _download(_begun(_csv(views.every(what))), "text/csv", "incidents.csv")

    @app.get(
        "/api/export/incidents.jsonl",
        summary="All incidents, or those of a filter, as JSON, a line each",
        tags=["figures"],
        response_class=Response,
        responses={
            200: {"description": "A line each.", "content": {"application/jsonl": {"schema": {"type": "string"}}}}
        },
    )
    def export_jsonl(what: Wanted) -> Response:
        lines = (f"{IncidentOut.of(incident).model_dump_json()}\n" for incident in views.every(what))
        return _download(_begun(lines), "application/jsonl", "incidents.jsonl")

    @app.get("/api/stats", summary="Count", tags=["figures"])
    def stats(caller: Agent) -> dict[str, Any]:
        return views.stats()

    @app.get("/api/reviews", summary="How right the classifiers were, by what agents decided", tags=["figures"])
    def review_report(caller: Agent) -> dict[str, Any]:
        return views.reviews()


def _link(request: Request, response: Response, following: str | None) -> None:
    """Say where the next page is: at this path, so that it is right behind every proxy."""
    if following is not None:
        asked = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
        query = urlencode([*asked, ("after", following)])
        response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'


def _version(views: Views, name: str) -> str | None:
    try:
        return views.version(name)
    except NotFound:
        return None


def _matches(tags: str | None, version: str) -> bool:
    """Whether `If-None-Match` names this version (RFC 9110 section 13.1.2: weakly)."""
    return tags is not None and (tags.strip() == "*" or version in re.findall('"([^"]*)"', tags))


# --- as a file

DANGEROUS = tuple("=+-@\t\r\n＝＋－＠")
"""How a cell begins that a spreadsheet takes for a formula (OWASP, CSV injection)."""


def _csv(found: Iterator[Incident]) -> Iterator[str]:
    yield _row(IncidentOut.model_fields)
    for incident in found:
        yield _row(_cell(value) for value in IncidentOut.of(incident).model_dump(mode="json").values())


def _row(cells: Any) -> str:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(cells)
    return written.getvalue()


def _cell(value: Any) -> str:
    """Write a value; a text that a spreadsheet would run stands behind an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(DANGEROUS) else text


def _begun(parts: Iterator[str]) -> Iterator[str]:
    """Read the first part at once: what is wrong is said before the answer begins."""
    return itertools.chain(list(itertools.islice(parts, 2)), parts)


def _download(parts: Iterator[str], media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_gathered(parts), media_type=media_type, headers=headers)


def _gathered(parts: Iterator[str]) -> Iterator[str]:
    """Join small parts: each that is sent costs a change of threads."""
    while some := "".join(itertools.islice(parts, 200)):
        yield some
