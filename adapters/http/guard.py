"""What is refused before anything is looked at."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.http.problems import problem, too_large
from adapters.http.settings import LOOPBACK

TRACE = frozenset({b"traceparent", b"tracestate", b"baggage"})
"""The headers of W3C Trace Context and Baggage."""


SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""What stands in every answer, unless it says otherwise itself. The hot route has no more than it needs: four of these
would cost 7 % of it."""

OF_READS = ((b"referrer-policy", b"no-referrer"), (b"cache-control", b"no-store"))
"""What stands in the answers to all but POST besides: those are not cached anyway (RFC 9110 section 9.3.3), and no page
is shown that could name where it came from."""

TLS_ALONE = (b"strict-transport-security", b"max-age=31536000")
"""For a year a browser reaches us by TLS alone (RFC 6797)."""


class Guard:
    """Stands before the application. Refuses

    - a `Host` that is not a name of this machine's loopback (421, RFC 9110 section 15.5.20): a page of another site may
      have pointed its own name at 127.0.0.1, to reach us through a browser. Not so where every caller needs a token
      (`any_host`), which such a page has not;
    - a request that a page of another site sends (`Origin`, RFC 6454): a browser lets it post without asking us first;
    - a body that is declared larger than `max_body` bytes. One that turns out larger is stopped by the framework, which
      would answer this case as well, but not with problem details.

    Not so at the paths of `webhooks`, which platforms call from elsewhere, and sign.

    Pages of `origins` may ask all the same. To every answer it adds what keeps browsers from misusing it; if
    `is_secure`, also that others reach us by TLS alone. From all it takes the trace that a caller claims to belong to:
    anybody could write into anybody's.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body: int,
        any_host: bool = False,
        webhooks: frozenset[str] = frozenset(),
        origins: frozenset[str] = frozenset(),
        is_secure: bool = False,
    ) -> None:
        self._app = app
        self._origins = origins
        self._of_posts = (*SAFE, TLS_ALONE) if is_secure else SAFE
        self._of_reads = (*self._of_posts, *OF_READS)
        self._max_body = max_body
        self._any_host = any_host
        self._webhooks = webhooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        added = self._of_posts if scope.get("method") == "POST" else self._of_reads
        is_ours = scope["type"] == "http" and scope["path"] not in self._webhooks
        refusal = self._refusal(Headers(scope=scope)) if is_ours else None

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in added if pair[0] not in said)]
            await send(message)

        await (refusal or self._app)(_untraced(scope), receive, safely)

    def _refusal(self, headers: Headers) -> Response | None:
        hosts = headers.getlist("host")
        if not self._any_host and (len(hosts) != 1 or hostname(hosts[0]) not in LOOPBACK):
            return problem(421, "Firstline answers only requests to 127.0.0.1 or localhost.")
        if any(self._is_foreign(origin, hosts) for origin in headers.getlist("origin")):
            return problem(403, "Firstline takes nothing from pages of other sites.")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._max_body:
            return too_large(self._max_body)
        return None

    def _is_foreign(self, origin: str, hosts: Sequence[str]) -> bool:
        """Whether a page is not one of ours: not on this machine, or, under any name, not on the one asked for."""
        if origin in self._origins:
            return False
        authority = origin.partition("://")[2].lower()
        if self._any_host:
            return not authority or [authority] != [host.lower() for host in hosts]
        return hostname(authority) not in LOOPBACK


def with_cors(app: ASGIApp, origins: frozenset[str]) -> ASGIApp:
    """Let browsers know that pages of these sites may read what is answered (the Fetch standard's CORS)."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=sorted(origins),
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Prefer"],
        expose_headers=["ETag", "Link", "Location", "Retry-After", "WWW-Authenticate"],
    )


def _untraced(scope: Scope) -> Scope:
    if scope["type"] != "http" or not any(name in TRACE for name, _ in scope["headers"]):
        return scope
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name not in TRACE]}


def hostname(host: str) -> str:
    """Return the name in a Host header (RFC 9110 section 7.2), without port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
