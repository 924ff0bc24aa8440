"""What watches a process: whether it is alive, whether it can work, and its metrics. A process that serves no API, a
worker or a clock, serves this alone, at METRICS_PORT."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp

from adapters.http import problems
from adapters.http.auth import Agent, Authentication, Keys, Revocations
from adapters.http.guard import Guard
from adapters.http.settings import HttpSettings
from bot.ports import Tokens, Views

AGENTS_ONLY: dict[int | str, dict[str, Any]] = {403: {"description": "This needs the role agent."}}


@dataclass(frozen=True, slots=True)
class Watch:
    """What watching needs of the core. `unavailable`: what the database raises when it does not answer; `metrics`:
    writes the metrics page."""

    views: Views
    tokens: Tokens
    metrics: Callable[[], bytes]
    unavailable: tuple[type[Exception], ...]


def add_health(app: FastAPI, watch: Watch) -> None:
    @app.get("/healthz", summary="Whether the process is alive", tags=["health"])
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", summary="Metrics, in Prometheus' text format", tags=["health"], responses=AGENTS_ONLY)
    def metrics(caller: Agent) -> Response:
        return PlainTextResponse(watch.metrics(), media_type="text/plain; version=1.0.0; charset=utf-8")

    @app.get(
        "/readyz",
        summary="Whether the database answers",
        tags=["health"],
        responses={503: {"description": "It does not."}},
    )
    def readyz() -> Response:
        watch.views.ready()
        return JSONResponse({"status": "ready"})


def create_watched(watch: Watch, settings: HttpSettings) -> ASGIApp:
    """Build the web application of a process that serves no API. With keys, the metrics need a token, as everywhere."""
    app = FastAPI(openapi_url=None, telemetry={"tracing": False, "metrics": False, "logs": False})
    problems.install(app, watch.unavailable)
    add_health(app, watch)
    keys = Keys.of(settings) if settings.keys else None
    known = Authentication(app, keys, Revocations(watch.tokens.revoked), frozenset())
    return Guard(known, settings.max_body, any_host=keys is not None)
