"""What the kernel knows of the wall clock: whether somebody keeps it right (S3.3)."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_SIZE: Final = 512  # of `struct timex` and to spare: it is 208 bytes where a long has 64 bits
_ERROR: Final = 5  # TIME_ERROR: what adjtimex returns while nobody steers the clock


def is_synchronised() -> bool:
    """Return whether the kernel calls the wall clock synchronised; where it cannot be asked, take it for that."""
    if not sys.platform.startswith("linux"):
        return True
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "adjtimex"):
        return True
    state: int = libc.adjtimex(ctypes.create_string_buffer(_SIZE))  # zeroed: it asks, and sets nothing
    return 0 <= state != _ERROR
