"""What handlers did, told by themselves outside of every database: a line per start and end, appended to one file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

import attrs


@attrs.frozen(slots=True, kw_only=True)
class Line:
    """One line.

    Args:
        what: `boot`, `start`, `end`, `accepted`, `refused`; by the parent `killed`, `halted`, `continued`.
        pid: of which process.
        at: wall clock, microseconds since 1970 UTC.
        run: readable id of the run; empty where there is none.
        attempt: which attempt.
        token: under which token.
    """

    what: str
    pid: int
    at: int
    run: str = ""
    attempt: int = 0
    token: int = 0


class Evidence:
    """The file, open to be appended to: each line is one write, which no other process comes between.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def tell(self, what: str, run: str = "", attempt: int = 0, token: int = 0) -> None:
        """Append a line about this process."""
        self.write(Line(what=what, pid=os.getpid(), at=now(), run=run, attempt=attempt, token=token))

    def write(self, line: Line) -> None:
        """Append a line."""
        os.write(self._fd, (json.dumps(attrs.asdict(line)) + "\n").encode())


def now() -> int:
    """Return the wall clock in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def read(path: Path) -> list[Line]:
    """Return all lines, in order."""
    return [Line(**json.loads(text)) for text in path.read_text().splitlines()] if path.exists() else []


def of(lines: Iterable[Line], what: str) -> list[Line]:
    """Return the lines of one kind."""
    return [line for line in lines if line.what == what]
