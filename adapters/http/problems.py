"""Errors as problem details (RFC 9457): every refusal names what is wrong, and where."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.errors import (
    BadCursor,
    Changed,
    Conflict,
    FirstlineError,
    Forbidden,
    KeyReused,
    NotCommitted,
    NotFound,
    NotUnderstood,
    StillRunning,
)

MEDIA_TYPE = "application/problem+json"


class Field(BaseModel):
    """What is wrong with a field."""

    field: str
    detail: str


class Problem(BaseModel):
    """What is wrong with a request (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Field] = []


AWAY = "The database does not answer. Nothing was changed; try again."

STATUS: dict[type[FirstlineError], int] = {
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Changed: 412,
    BadCursor: 400,
    KeyReused: 422,
    StillRunning: 409,
    NotUnderstood: 422,
    NotCommitted: 503,
}


def problem(status: int, detail: str, errors: Sequence[dict[str, str]] = ()) -> Response:
    """Build an answer. `errors` are {"field", "detail"} pairs."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = list(errors)
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def too_large(largest: int) -> Response:
    return problem(413, f"The body is larger than {largest} bytes.")


def invalid(exc: ValidationError | RequestValidationError) -> Response:
    """Say which fields cannot be used. What was sent is not repeated: it may be private."""
    found = exc.errors()
    if any(error["type"] == "json_invalid" for error in found):
        return problem(400, f"The body is not JSON: {found[0]['msg'].removeprefix('Invalid JSON: ')}.")
    errors = [{"field": _field(error["loc"]), "detail": error["msg"]} for error in found]
    return problem(422, "; ".join(f"{error['field']}: {error['detail']}" for error in errors), errors)


def refused(exc: FirstlineError) -> Response:
    """Say why the core refuses, in its own words."""
    answer = problem(STATUS.get(type(exc), 500), str(exc))
    if isinstance(exc, StillRunning):
        answer.headers["Retry-After"] = "1"
    return answer


def _field(place: Sequence[int | str]) -> str:
    names = [str(part) for part in place if part not in ("body", "query", "path", "header")]
    return ".".join(names) or "body"


def install(
    app: FastAPI, unavailable: tuple[type[Exception], ...], allowed: Callable[[str], str] = lambda path: "GET"
) -> None:
    """Answer every error of this application with problem details. `unavailable`: what the database raises when it is
    locked, full or away; `allowed` names the methods of a path, as `Allow` does."""

    def http_error(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)
        answer = problem(exc.status_code, exc.detail)
        answer.headers.update(exc.headers or {})
        if exc.status_code == 405:
            answer.headers["Allow"] = allowed(request.url.path)
        return answer

    def unusable(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, RequestValidationError)
        return invalid(exc)

    def expected(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, FirstlineError)
        return refused(exc)

    def away(request: Request, exc: Exception) -> Response:
        return problem(503, AWAY)

    def mistake(request: Request, exc: Exception) -> Response:
        return problem(500, "Something went wrong here. It has been logged.")

    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, unusable)
    app.add_exception_handler(FirstlineError, expected)
    for kind in unavailable:
        app.add_exception_handler(kind, away)
    app.add_exception_handler(Exception, mistake)
