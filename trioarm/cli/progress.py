"""Progress of long work: on a terminal a line that changes, elsewhere nothing, because nobody watches."""

from __future__ import annotations

import sys
import time
from typing import Final

EVERY_S: Final = 0.1  # between two changes of the line: more often is no use to an eye
CLEAR: Final = "\r\033[K"


class ProgressLine:
    """Shows on stderr how far work has come; `with` it, and the line is gone at the end."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._last = 0.0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._shown:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show what is being done.

        Args:
            what: in a few words.
            done: how much of it is done.
            total: how much there is; 0 when nobody knows.
        """
        now = time.monotonic()
        if self._shown and now - self._last >= EVERY_S:
            self._last = now
            far = f" {done * 100 // total} %" if total else ""
            sys.stderr.write(f"{CLEAR}{what}{far}")
            sys.stderr.flush()
