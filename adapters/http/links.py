"""The pages behind the links of a mail. Opening one changes nothing: programs open every link of a mail."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from adapters.http.intake import STORED, Door
from bot.errors import Forbidden, NotCommitted
from bot.model import InboundMessage, Page
from bot.ports import Pages

if TYPE_CHECKING:
    from jinja2 import Template

PATH = "/a/{token}"
TEMPLATE = Path(__file__).parent / "templates" / "page.html"
RIGHT_TO_LEFT = frozenset({"ar", "he", "fa", "ur"})
NOT_NOW = "This cannot be done just now. Please try again in a minute."

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # the address is the authority; and `no-referrer` would hide our own Origin
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def link_routes(door: Door, pages: Pages, unavailable: tuple[type[Exception], ...]) -> list[Route]:
    """Return the routes; what is pressed goes in through `door`. `unavailable`: what the database raises when it does
    not answer."""

    away: tuple[type[Exception], ...] = (NotCommitted, *unavailable)

    def look(token: str, wanted: bool) -> tuple[Page, InboundMessage | None]:
        page = pages.ask(token)
        return page, pages.message(token) if wanted and page.button else None

    async def follow(request: Request) -> Response:
        try:
            page, message = await run_in_threadpool(look, request.path_params["token"], request.method == "POST")
            if message is None:
                return _page(200, page.question, page, page.button)
            _, outcome = await door.take_in(message)
        except Forbidden as exc:
            return _page(403, str(exc))
        except away:
            return _page(503, NOT_NOW)
        return _page(202, STORED) if outcome is None else _page(200, outcome["message"], page)

    return [Route(PATH, follow, methods=["GET", "POST"])]


def _page(status: int, text: str, about: Page | None = None, button: str = "") -> Response:
    """Show a text, which is English if it is not `about` a ticket."""
    language = "en" if about is None else about.language
    page = _template().render(
        language=language,
        direction="rtl" if language in RIGHT_TO_LEFT else "ltr",
        ticket_id="" if about is None else about.ticket_id,
        text=text,
        button=button,
    )
    return HTMLResponse(page, status, {**HEADERS, **({"Retry-After": "60"} if status == 503 else {})})


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined)
    return environment.get_template(TEMPLATE.name)
