"""The HTTP channel and the JSON API, under /api; problem details for whatever goes wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.http import problems
from adapters.http.agents import add_commands
from adapters.http.auth import Authentication, Keys, Revocations, too_low
from adapters.http.files import add_files
from adapters.http.guard import Guard, with_cors
from adapters.http.health import Watch, add_health
from adapters.http.intake import PostIncident, json_only
from adapters.http.limits import RateLimits
from adapters.http.links import link_routes
from adapters.http.lists import add_lists
from adapters.http.messages import CONVERSATION
from adapters.http.openapi import allowed, document
from adapters.http.operators import add_operators
from adapters.http.repeated import Repeated
from adapters.http.settings import HttpSettings
from adapters.http.shown import Created, Done, Stored
from bot.errors import Forbidden
from bot.model import Role
from bot.ports import Answers, Commands, Intake, Pages, Repetitions, Tokens, Views


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
    repetitions: Repetitions
    unavailable: tuple[type[Exception], ...]
    metrics: Callable[[], bytes]

    @property
    def watch(self) -> Watch:
        return Watch(self.views, self.tokens, self.metrics, self.unavailable)


def create(core: Core, settings: HttpSettings, webhooks: Sequence[Route] = (), is_secure: bool = False) -> ASGIApp:
    """Build the web application: the guard, the hot route, and everything else behind it. With keys, every caller needs
    a token; but for `webhooks`, the channels' own routes, which see to it themselves who calls. `is_secure`: others
    reach us by TLS alone.

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
            Everything(Repeated(create_api(core, settings), core.repetitions, settings.max_body, core.unavailable)),
        ]
    )
    keys = Keys.of(settings) if settings.keys else None
    paths = frozenset(route.path for route in webhooks)
    limits = RateLimits(settings) if keys is not None else None
    known = Authentication(routes, keys, Revocations(core.tokens.revoked), paths, limits)
    return Guard(
        with_cors(known, settings.origins),
        settings.max_body,
        any_host=keys is not None,
        webhooks=paths,
        origins=settings.origins,
        is_secure=is_secure,
    )


class Everything(BaseRoute):
    """Takes every request that comes to it, whatever stands in its path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return Match.FULL, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


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
        dependencies=[Depends(json_only)],
        generate_unique_id_function=lambda route: route.name,
        telemetry={"operation_spans": False, "logs": False},
    )
    problems.install(app, core.unavailable, lambda path: allowed(app, path))
    app.add_exception_handler(Forbidden, _no_agent)
    add_lists(app, core.views)
    add_files(app, core.views)
    add_commands(app, core.commands)
    add_operators(app, core.views, core.commands, core.tokens, Keys.of(settings) if settings.keys else None)
    add_health(app, core.watch)
    document(app, secured=bool(settings.keys), answers=(Stored, Created, Done))
    return app


def _no_agent(request: Request, exc: Exception) -> Response:
    """Answer whom the core has refused a command."""
    assert isinstance(exc, Forbidden)
    answer = problems.refused(exc)
    answer.headers.update(too_low(Role.AGENT))
    return answer
