"""The pages behind the links of a mail. Opening one changes nothing: programs open every link of a mail."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from adapters.http.bridge import Bridge
from adapters.http.intake import PostIncident
from bot.errors import FirstlineError
from bot.ports import Pages

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = Path(__file__).parent / "templates" / "page.html"
RIGHT_TO_LEFT = frozenset({"ar", "he", "fa", "ur"})

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # the address is the authority; and `no-referrer` would hide our own Origin
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def link_routes(door: PostIncident, pages: Pages) -> list[Route]:
    """Return the routes; what is pressed goes in through `door`."""

    async def ask(request: Request) -> Response:
        try:
            page = await run_in_threadpool(pages.ask, request.path_params["token"])
        except FirstlineError as exc:
            return _refused(exc)
        return _page(200, page.language, page.ticket_id, page.question, page.button)

    async def press(request: Request) -> Response:
        token = request.path_params["token"]
        try:
            page = await run_in_threadpool(pages.ask, token)
            message = await run_in_threadpool(pages.message, token)
        except FirstlineError as exc:
            return _refused(exc)
        done = await door.outcome(message, Bridge())
        if done is None:
            return _page(503, "en", "", "This could not be stored just now. Please try again.", "")
        return _page(200, page.language, page.ticket_id, str(done["message"]), "")

    return [Route("/a/{token}", ask, methods=["GET"]), Route("/a/{token}", press, methods=["POST"])]


def _refused(exc: FirstlineError) -> Response:
    return _page(403, "en", "", str(exc), "")


def _page(status: int, language: str, ticket_id: str, text: str, button: str) -> Response:
    direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
    page = _template().render(language=language, direction=direction, ticket_id=ticket_id, text=text, button=button)
    return HTMLResponse(page, status, HEADERS)


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined)
    return environment.get_template(TEMPLATE.name)
