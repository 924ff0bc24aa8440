"""Less memory for the same work, where the C library is glibc."""

import ctypes
import sys

M_ARENA_MAX = -8
"""malloc.h; mallopt(3)."""


def share_one_arena() -> None:
    """Have all threads take memory from one arena. Each has one of its own otherwise, and what it gives back stays
    there: dozens of megabytes, for a parallelism that Python's own lock does not allow. Before the first thread."""
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    except (OSError, AttributeError):  # another C library
        return
