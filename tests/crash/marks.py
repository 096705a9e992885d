"""Where a process is: a few bytes in a file that is mapped into memory, and outlive whoever wrote them.

Writing one costs no system call, so that nothing about the process changes by being watched.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path


class Act(IntEnum):
    """What a repository is doing: a byte each, not zero while it does."""

    OPEN = 0
    READ = 1
    DECIDE = 2
    CLAIM = 3
    START = 4
    FINISH = 5
    WRITE = 6
    JOIN = 7
    RENEW = 8


HELD = len(Act)  # the byte that counts runs claimed and not yet recorded
RUNNING = HELD + 1  # and the one that counts handlers at work
SIZE = RUNNING + 1


class Marks:
    """The bytes of one process.

    Args:
        path: of the file; it is made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        with path.open("ab") as file:
            file.truncate(SIZE)
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), SIZE)

    def clear(self) -> None:
        """Forget what the process before did."""
        self._bytes[:] = bytes(SIZE)

    @contextmanager
    def doing(self, act: Act) -> Iterator[None]:
        """Say that the process does something, for as long as it does."""
        self._bytes[act] += 1
        try:
            yield
        finally:
            self._bytes[act] -= 1

    def add(self, place: int, count: int) -> None:
        """Count runs or handlers, as far as a byte goes."""
        self._bytes[place] = min(255, max(0, self._bytes[place] + count))

    def acts(self) -> list[Act]:
        """Return what was going on."""
        return [act for act in Act if self._bytes[act]]

    def work(self) -> str:
        """Return how far the runs of the process had come."""
        if self._bytes[RUNNING]:
            return "running"
        return "claimed" if self._bytes[HELD] else "idle"
