"""New ids: UUIDs that begin with the time (RFC 9562, version 7)."""

import os
import time
import uuid
from collections import deque

AT_ONCE = 256

_drawn: deque[int] = deque()
os.register_at_fork(after_in_child=_drawn.clear)  # or parent and child would mint the same


def new_id() -> str:
    """Return a new UUID as text: 48 bits of Unix milliseconds, then 74 random bits.

    The time comes first so that new rows lie side by side in every index; with wholly random ids each row of a group
    commit dirties pages of its own, and the commit costs several times as much. The random bits are drawn by the
    hundred: each question to the kernel hands the interpreter to another thread meanwhile.
    """
    try:
        drawn = _drawn.pop()
    except IndexError:
        fresh = os.urandom(10 * AT_ONCE)
        _drawn.extend(int.from_bytes(fresh[start : start + 10]) for start in range(10, len(fresh), 10))
        drawn = int.from_bytes(fresh[:10])
    milliseconds = time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF
    number = milliseconds << 80 | 0x7000 << 64 | (drawn >> 68 & 0xFFF) << 64 | 0b10 << 62 | drawn & (1 << 62) - 1
    return str(uuid.UUID(int=number))
