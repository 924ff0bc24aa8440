"""A bound on the whole of a call to the world outside. A read time-out is none: an answer that drips in never
meets it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


class DeadlinePassed(Exception):
    """Raised when the call has not returned in time. It goes on by itself and its outcome is unknown."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises, if it does so in time; else raise DeadlinePassed.

    The call runs in a thread of its own: nothing else can be left behind when it hangs.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as exc:
            result.set_exception(exc)

    threading.Thread(target=copy_context().run, args=(run,), daemon=True, name="within").start()
    try:
        return result.result(seconds)
    except TimeoutError:
        if result.done():  # just now: its own time-out, or its answer
            return result.result()
        raise DeadlinePassed(f"no answer within {seconds:g} s") from None
