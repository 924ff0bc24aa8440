"""The route to which Slack brings what there is: signed requests, acknowledged when they are committed."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import structlog
from slack_sdk.signature import SignatureVerifier
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adapters.asgi import Bridge, read
from bot.errors import NotCommitted
from bot.model import InboundMessage
from bot.ports import Intake

if TYPE_CHECKING:
    from slack_bolt import App

LARGEST: Final = 1_000_000
"""Bytes of a request. Slack's largest hold a message of 40,000 characters, twice."""

log = structlog.get_logger()


AtOnce = Callable[[dict[str, Any]], InboundMessage | None]
"""Returns the customer's message that an event is, if that can be told by itself."""


class Door:
    """Looks at the signature before anything else. What is a customer's message at first sight goes into the intake,
    and holds no thread while it is being committed; all else goes through Slack's library, in a thread."""

    def __init__(self, app: "App", at_once: AtOnce | None, intake: Intake, secret: str) -> None:
        self._app = app
        self._at_once = at_once
        self._intake = intake
        self._verifier = SignatureVerifier(secret)
        self._bridge: Bridge | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request. Plain ASGI: Starlette's wrapping of a function costs as much as reading an event."""
        answer = await self._take(Request(scope, receive))
        await answer(scope, receive, send)

    async def _take(self, request: Request) -> Response:
        """Answer 401 to who is not Slack, 413 and 400 to what is none of its requests, 500 to what is not committed."""
        try:
            body = await read(request, LARGEST)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads this: the caller has gone
        if body is None:
            return Response("The body is too large.", 413)
        if not self._is_signed(request, body):
            return Response("The signature is wrong, or too old.", 401)
        event = None if self._at_once is None else _event(request, body)
        message = None if event is None or self._at_once is None else self._at_once(event)
        return await (self._dispatch(request, body) if message is None else self._commit(message))

    async def _commit(self, message: InboundMessage) -> Response:
        if self._bridge is None:
            self._bridge = Bridge()
        try:
            await self._bridge.result(self._intake.submit(message).committed)
        except NotCommitted as exc:
            log.warning("slack.not_taken", error=str(exc))
            return Response(status_code=500)
        return Response()

    async def _dispatch(self, request: Request, body: bytes) -> Response:
        from slack_bolt.adapter.starlette.handler import to_bolt_request, to_starlette_response

        try:
            asked = to_bolt_request(request, body)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return Response("The body is none of Slack's.", 400)
        return to_starlette_response(await run_in_threadpool(self._app.dispatch, asked))

    def _is_signed(self, request: Request, body: bytes) -> bool:
        """Whether Slack signed this within the last five minutes."""
        headers = request.headers
        try:
            return self._verifier.is_valid(
                body, headers.get("x-slack-request-timestamp"), headers.get("x-slack-signature")
            )
        except (ValueError, TypeError):  # no number, or letters that no signature has
            return False


def _event(request: Request, body: bytes) -> dict[str, Any] | None:
    """Return what Slack tells of; None for anything else that it asks."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return None
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and isinstance(told.get("event"), dict) else None
