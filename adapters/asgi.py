"""What adapters share that have routes of their own: reading a body, and awaiting what other threads complete."""

import asyncio
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from starlette.requests import Request

T = TypeVar("T")


async def read(request: "Request", largest: int) -> bytes | None:
    """Read the body; None if it turns out larger than so many bytes. Raises starlette's ClientDisconnect."""
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > largest:
            return None
    return b"".join(parts)


class Bridge:
    """Carries results of concurrent futures into one event loop. Make it inside that loop.

    `asyncio.wrap_future` wakes the loop once for every future, with a system call each; a group commit completes dozens
    at once, and here they share one wake-up.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[tuple[Future[Any], asyncio.Future[Any]]] = deque()
        self._woken = False

    async def result(self, future: "Future[T]") -> T:
        """Wait for a future's result, without holding a thread. Raises what it raises; cancelled, it cancels it."""
        waiter: asyncio.Future[T] = self._loop.create_future()
        future.add_done_callback(lambda done: self._arrive(done, waiter))
        try:
            return await waiter
        finally:
            future.cancel()

    def _arrive(self, future: "Future[Any]", waiter: "asyncio.Future[Any]") -> None:
        """Runs in the thread that completed the future. Two threads at once may both wake the loop; none forgets to."""
        self._arrived.append((future, waiter))
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._pass_on)

    def _pass_on(self) -> None:
        self._woken = False
        while self._arrived:
            future, waiter = self._arrived.popleft()
            if waiter.done():  # whoever waited has gone
                continue
            error = None if future.cancelled() else future.exception()
            if future.cancelled():
                waiter.cancel()
            elif error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(future.result())
