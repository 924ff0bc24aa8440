"""`Idempotency-Key` for what agents do (draft-ietf-httpapi-idempotency-key-header): the same request is done once, and
answered with the same answer. What customers send has the inbox for that."""

import json
import re
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.asgi import read
from adapters.http.auth import caller_of
from adapters.http.intake import KEY, fingerprint, unusable_key
from adapters.http.problems import AWAY, problem, refused, too_large
from bot.errors import FirstlineError
from bot.model import Kept
from bot.ports import Repetitions

log = structlog.get_logger()

ANEW = frozenset({401, 403, 404, 405, 408, 412, 413, 415, 428, 429})
"""Statuses that are not kept: nothing was done, and it may be, when the caller has put right what was wrong."""

ITSELF = frozenset({"/api/tokens"})
"""What knows repetitions by itself: no answer is kept that holds a secret."""


class Repeated:
    """Stands before the application. `unavailable`: what the database raises when it does not answer."""

    def __init__(
        self, app: ASGIApp, repetitions: Repetitions, max_body: int, unavailable: tuple[type[Exception], ...]
    ) -> None:
        self._app = app
        self._repetitions = repetitions
        self._max_body = max_body
        self._unavailable = unavailable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        keys = Headers(scope=scope).getlist("idempotency-key") if is_post else []
        if not keys:
            await self._app(scope, receive, send)
        elif len(keys) != 1 or not re.fullmatch(KEY, keys[0]):
            await unusable_key()(scope, receive, send)
        elif scope["path"] in ITSELF:
            await self._app(scope, receive, send)
        else:
            answer = await self._answer(scope, receive, keys[0])
            await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, given: str) -> Response:
        request = Request(scope, receive)
        try:
            body = await read(request, self._max_body)
        except ClientDisconnect:
            return problem(400, "The body ended early.")
        if body is None:
            return too_large(self._max_body)
        key = f"{caller_of(request).name}:{given}"
        try:
            kept = await run_in_threadpool(self._repetitions.begin, key, _fingerprint(request, body))
        except FirstlineError as exc:
            return refused(exc)
        except self._unavailable:
            return problem(503, AWAY)
        return _again(kept) if kept is not None else await self._first(scope, key, body)

    async def _first(self, scope: Scope, key: str, body: bytes) -> Response:
        answer: Kept | None = None
        try:
            answer = await _ask(self._app, scope, body)
        finally:
            keep = answer is not None and answer.status < 500 and answer.status not in ANEW
            with suppress(*self._unavailable):  # then a repetition is done again after a minute; commands bear that
                await run_in_threadpool(self._repetitions.end, key, answer if keep else None)
        return _again(answer)


async def _ask(app: ASGIApp, scope: Scope, body: bytes) -> Kept:
    """Have a request answered, and return the answer instead of sending it."""
    parts: list[bytes] = []
    start: dict[str, Any] = {}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except Exception:
        if not start:
            raise
        log.exception("http.failed")  # it is answered already: 500
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    return Kept(start["status"], headers, b"".join(parts).decode())


def _again(kept: Kept) -> Response:
    headers = {name: value for name, value in kept.headers.items() if name != "content-length"}
    return Response(kept.body, kept.status, headers)


def _fingerprint(request: Request, body: bytes) -> str:
    """Return the same for the same request, however its JSON is written."""
    try:
        said = json.loads(body) if body else None
    except (ValueError, RecursionError):
        said = body.hex()
    return fingerprint([request.method, request.url.path, request.url.query, said])
