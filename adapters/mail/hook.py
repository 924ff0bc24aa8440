"""What the ways in over HTTP have in common: a request is let in, its body read, its mail taken, and what went wrong
answered."""

import asyncio
import hmac
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import structlog

from adapters.asgi import read
from adapters.mail.parsed import Envelope
from adapters.mail.ways import Door
from bot.errors import NotCommitted

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

AT_ONCE: Final = 8
"""Requests of one route that are being read or taken: their bodies are in memory."""

READ_WITHIN: Final = 60.0
"""Seconds that a body may take to arrive."""

TIMES: Final = 3
"""How many times larger than a mail a body may be that has it encoded, with other things beside it."""

LONGEST_ADDRESS: Final = 320
NOT_NOW: Final = "The mail is not stored. Bring it again."

Json = dict[str, Any]
Headers = Mapping[str, str]

log = structlog.get_logger()


class Refused(Exception):
    """Raised when a request is not taken. The text is answered, and logged; it has nothing of the request."""

    def __init__(self, status: int, says: str, **headers: str) -> None:
        super().__init__(says)
        self.status = status
        self.headers = headers


class Hook:
    """One way in. `too_large` is the status by which it is told that a mail will never be taken, `largest` the size of
    the largest body, in bytes."""

    name = ""
    paths: tuple[str, ...] = ()
    too_large = 413

    def __init__(self, door: Door, most: int) -> None:
        self._door = door
        self._most = most
        self._present = 0
        self.largest = TIMES * most

    def admit(self, headers: Headers) -> None:
        """Look at the headers, before anything else is read. Raises Refused."""

    def handle(self, headers: Headers, body: bytes) -> Json:
        """Take the mail of a request, and return what is answered. May block. Raises Refused or NotCommitted."""
        raise NotImplementedError

    def take(self, raw: bytes, envelope: Envelope) -> Json:
        """Have a mail taken. Raises Refused or NotCommitted."""
        if len(raw) > self._most:
            raise Refused(self.too_large, f"The mail is larger than {self._most} bytes.")
        taken = self._door.take(raw, envelope)
        return {"status": "duplicate" if taken.duplicate else "taken", "detail": taken.says}

    async def post(self, request: "Request") -> "Response":
        """The endpoint."""
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import ClientDisconnect
        from starlette.responses import JSONResponse

        self._present += 1
        try:
            self.admit(request.headers)
            return JSONResponse(await run_in_threadpool(self.handle, request.headers, await self._body(request)))
        except Refused as exc:
            log.warning("mail.refused", by=self.name, status=exc.status, reason=str(exc))
            return _problem(exc.status, str(exc), exc.headers)
        except NotCommitted as exc:  # whoever raised it has logged why
            log.warning("mail.not_taken", by=self.name, error=str(exc))
            return _problem(503, NOT_NOW, {"Retry-After": "5"})
        except ClientDisconnect:
            return _problem(400, "The body ended early.")  # nobody reads this: the caller has gone
        except Exception as exc:
            log.error("mail.not_handled", by=self.name, error=type(exc).__name__, exc_info=exc)
            return _problem(500, NOT_NOW)
        finally:
            self._present -= 1

    async def _body(self, request: "Request") -> bytes:
        if self._present > AT_ONCE:
            raise Refused(503, "Too many at once. Bring it again.", **{"Retry-After": "5"})
        try:
            async with asyncio.timeout(READ_WITHIN):
                body = await read(request, self.largest)
        except TimeoutError:
            raise Refused(408, "The body did not arrive in time.") from None
        if body is None:
            raise Refused(self.too_large, f"The body is larger than {self.largest} bytes.")
        return body


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> "Response":
    """Problem details (RFC 9457)."""
    from starlette.responses import JSONResponse

    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, "application/problem+json")


def media_type(headers: Headers) -> str:
    """Return the media type of a body, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def addresses(written: str) -> tuple[str, ...]:
    """Return the addresses of a list with commas, without their angle brackets."""
    found = (part.strip().strip("<>").strip() for part in written.split(","))
    return tuple(dict.fromkeys(one for one in found if one and one.isprintable() and len(one) <= LONGEST_ADDRESS))


def sender_of(written: str) -> str | None:
    """Return the sender of an envelope: empty for <>, None if it is no address."""
    return "" if written.strip() in ("", "<>") else next(iter(addresses(written)), None)


def is_secret(given: str, secret: str) -> bool:
    """Whether this is the secret; how long it takes to say so tells nothing of it."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())
