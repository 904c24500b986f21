"""glibc's allocator, told that pictures come and go.

By default it gives every buffer of more than 128 kB back to the kernel and asks for it anew, zeroed page by page: for a
picture of 0.3 MB that is 1 to 2 ms of its way through worker and gateway (`make bench`).
"""

from __future__ import annotations

import ctypes

KEPT_BYTES = 64 << 20
"""Freed memory that stays with the process at most."""
_LARGEST_KEPT = 32 << 20
"""glibc's own limit for `M_MMAP_THRESHOLD` (mallopt(3))."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def keep_buffers() -> None:
    """Let freed buffers be used again; does nothing where the C library is another."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        limits = {_M_ARENA_MAX: 1, _M_TRIM_THRESHOLD: KEPT_BYTES, _M_MMAP_THRESHOLD: _LARGEST_KEPT}
        for parameter, value in limits.items():
            mallopt(parameter, value)
