"""How often somebody may call: by the name of their token, by their address, and with no good token."""

import asyncio
import ipaddress
import math
import time
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from adapters.http.problems import problem
from adapters.http.settings import HttpSettings
from bot.errors import ConfigurationError
from bot.model import Caller

log = structlog.get_logger()

REDIS_WITHIN = 0.25
"""Seconds that Redis may take for one step; then this process counts for itself."""

AWAY_FOR = 5.0
"""Seconds until Redis is asked again that did not answer."""

TOO_OFTEN = "You call too often. Wait for as many seconds as Retry-After says."


class RateLimits:
    """Counts calls in sliding windows. What it is asked returns the refusal, if the call is one too many."""

    def __init__(self, settings: HttpSettings) -> None:
        from limits import parse  # now, and not while the first request waits
        from limits.aio.storage import MemoryStorage
        from limits.aio.strategies import SlidingWindowCounterRateLimiter

        def rate(written: str | None) -> Any:
            return None if written in (None, "0") else parse(written)

        self._hops = settings.forwarded_hops
        self._of_caller = rate(settings.rate_limit)
        self._of_address = rate(settings.rate_limit_address)
        self._of_failures = rate(settings.rate_limit_failed)
        self._here: Any = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = _in_redis(settings)
        self._away_until = 0.0

    async def address(self, scope: Scope) -> Response | None:
        """Count a request of an address."""
        return await self._count(self._of_address, "address", address_of(scope, self._hops))

    async def caller(self, caller: Caller) -> Response | None:
        """Count a request of somebody who is known."""
        return await self._count(self._of_caller, "caller", caller.name)

    async def failure(self, scope: Scope) -> Response | None:
        """Count a request with no good token. Nobody else at that address is kept out by it: many may share one, and
        a token cannot be guessed."""
        return await self._count(self._of_failures, "failed", address_of(scope, self._hops))

    async def _count(self, rate: Any, kind: str, who: str) -> Response | None:
        if rate is None or not who:
            return None
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return await asyncio.to_thread(self._count_in_redis, rate, kind, who)
            except Exception as exc:  # whatever it is: calls go on, and are counted here
                self._away_until = time.monotonic() + AWAY_FOR
                log.warning("limits.redis_away", error=type(exc).__name__)
        if await self._here.hit(rate, kind, who):
            return None
        return _refusal((await self._here.get_window_stats(rate, kind, who)).reset_time)

    def _count_in_redis(self, rate: Any, kind: str, who: str) -> Response | None:
        if self._shared.hit(rate, kind, who):
            return None
        return _refusal(self._shared.get_window_stats(rate, kind, who).reset_time)


def _in_redis(settings: HttpSettings) -> Any:
    if settings.rate_limit_url is None:
        return None
    from limits.errors import ConfigurationError as Lacking
    from limits.storage import RedisStorage
    from limits.strategies import SlidingWindowCounterRateLimiter

    waits: Any = {"socket_timeout": REDIS_WITHIN, "socket_connect_timeout": REDIS_WITHIN}
    url = settings.rate_limit_url.get_secret_value()
    try:
        storage = RedisStorage(url, key_prefix="firstline", **waits)
    except Lacking:
        raise ConfigurationError("RATE_LIMIT_URL: needs a package: pip install 'firstline[queue]'") from None
    return SlidingWindowCounterRateLimiter(storage)


def _refusal(free_at: float) -> Response:
    answer = problem(429, TOO_OFTEN)
    answer.headers["Retry-After"] = str(max(1, math.ceil(free_at - time.time())))
    return answer


def address_of(scope: Scope, hops: int) -> str:
    """Return whose address a request comes from, of IPv6 the network (/64: one customer of a provider has all of it).

    Behind `hops` proxies of ours the last but that many of X-Forwarded-For is what the outermost of them has seen; all
    before it anybody can write. Empty: there is none to be had.
    """
    peer = scope["client"][0] if scope.get("client") else ""
    if hops:
        seen = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
        peer = seen[-hops].strip() if len(seen) >= hops else peer
    try:
        address = ipaddress.ip_address(peer.strip("[]").partition("%")[0])
    except ValueError:
        return str(scope["client"][0]) if scope.get("client") else ""
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)
