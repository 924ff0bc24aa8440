"""A bound on the whole of a call to the world outside. A read time-out is none: an answer that drips in never
meets it."""

import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")

IDLE = 10.0
"""Seconds that a thread waits for another call: starting one costs more than most mails."""

Calls = queue.SimpleQueue[Callable[[], None]]
_idle: deque[Calls] = deque()


class DeadlinePassed(Exception):
    """Raised when the call has not returned in time. It goes on by itself and its outcome is unknown."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises, if it does so in time; else raise DeadlinePassed.

    The call runs in another thread: nothing else can be left behind when it hangs.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as exc:
            result.set_exception(exc)

    context = copy_context()
    _thread().put(lambda: context.run(run))
    try:
        return result.result(seconds)
    except TimeoutError:
        if result.done():  # just now: its own time-out, or its answer
            return result.result()
        raise DeadlinePassed(f"no answer within {seconds:g} s") from None


def _thread() -> Calls:
    """Find a thread that has nothing to do, or start one; return where it takes its calls from."""
    try:
        return _idle.pop()
    except IndexError:
        calls: Calls = queue.SimpleQueue()
        threading.Thread(target=_work, args=(calls,), daemon=True, name="within").start()
        return calls


def _work(calls: Calls) -> None:
    while True:
        try:
            call = calls.get(timeout=IDLE)
        except queue.Empty:
            try:
                _idle.remove(calls)
            except ValueError:  # somebody has just found us, and is about to call
                continue
            return
        call()
        del call  # or what it holds would be kept while we wait
        _idle.append(calls)
