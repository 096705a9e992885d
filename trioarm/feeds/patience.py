"""Patience: how long the reading of one calendar may take, and how somebody else ends it (S6.7).

Whoever reads asks now and then whether to go on. What a library does between two questions is bounded where it is
called.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from trioarm.core.errors import InvalidCalendar

TIME_S_MAX: Final = 30.0  # twenty times what the largest honest calendar takes on a small machine


class Patience:
    """Time for one calendar, from now on.

    Args:
        time_s: how long.
        clock: seconds of any steady clock.
    """

    def __init__(self, time_s: float = TIME_S_MAX, clock: Callable[[], float] = time.monotonic) -> None:
        self._time_s = time_s
        self._clock = clock
        self._end = clock() + time_s
        self._interrupted = False

    def interrupt(self) -> None:
        """Let the next question be answered with no; may be called from another thread."""
        self._interrupted = True

    def ask(self) -> None:
        """Go on if there is time.

        Raises:
            InvalidCalendar: there is none, or nobody waits any more.
        """
        if self._interrupted:
            raise InvalidCalendar("nobody waits for the calendar any more")
        if self._clock() > self._end:
            raise InvalidCalendar(f"the calendar takes longer than {self._time_s:g} s to read: give a smaller one")
