"""What is refused before anything is looked at."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.http.problems import problem, too_large
from adapters.http.settings import LOOPBACK

TRACE = frozenset({b"traceparent", b"tracestate", b"baggage"})
"""The headers of W3C Trace Context and Baggage."""


class Guard:
    """Stands before the application. Refuses

    - a `Host` that is not a name of this machine's loopback (421, RFC 9110 section 15.5.20): a page of another site may
      have pointed its own name at 127.0.0.1, to reach us through a browser. Not so where every caller needs a token
      (`any_host`), which such a page has not;
    - a request that a page of another site sends (`Origin`, RFC 6454): a browser lets it post without asking us first;
    - a body that is declared larger than `max_body` bytes. One that turns out larger is stopped by the framework, which
      would answer this case as well, but not with problem details.

    Not so at the paths of `webhooks`, which platforms call from elsewhere, and sign.

    From all it takes the trace that a caller claims to belong to: anybody could write into anybody's.
    """

    def __init__(
        self, app: ASGIApp, max_body: int, any_host: bool = False, webhooks: frozenset[str] = frozenset()
    ) -> None:
        self._app = app
        self._max_body = max_body
        self._any_host = any_host
        self._webhooks = webhooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and scope["path"] not in self._webhooks
        refusal = self._refusal(Headers(scope=scope)) if is_ours else None
        await (refusal or self._app)(_untraced(scope), receive, send)

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
        authority = origin.partition("://")[2].lower()
        if self._any_host:
            return not authority or [authority] != [host.lower() for host in hosts]
        return hostname(authority) not in LOOPBACK


def _untraced(scope: Scope) -> Scope:
    if scope["type"] != "http" or not any(name in TRACE for name, _ in scope["headers"]):
        return scope
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name not in TRACE]}


def hostname(host: str) -> str:
    """Return the name in a Host header (RFC 9110 section 7.2), without port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
