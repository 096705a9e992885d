"""The course of the wall clock: which of its steps are believed, and what to take for now until they are (S3.3).

Two clocks are read together: the one on the wall, which anybody may set, and a steady one, which nobody can. As long as
both go on alike the wall is right. It knows nothing of schedules: what follows from a step is `correcting`'s business.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import attrs

from trioarm.core.instants import DAY, HOUR, SECOND

STEP_MIN: Final = SECOND  # what is less is a clock that is being steered, and is followed without a word
BACKWARD_MAX: Final = 3 * HOUR  # what is more, backwards, is a correction
BELIEVED_MAX: Final = DAY  # what is more, either way, is not believed at once
KEPT_COURSE: Final = 60 * SECOND  # for how long a clock that is not believed has to go on steadily


class StepKind(StrEnum):
    """What the wall clock did."""

    FORWARD = "forward"  # up to a day, or believed since: downtime of that length
    BACKWARD = "backward"  # up to three hours: nothing is due until it has caught up
    CORRECTION = "correction"  # back by more: what was decided later than now never came due
    DOUBTED = "doubted"  # more than a day, or behind what was written: not believed yet
    RETURNED = "returned"  # what was not believed is over: it is back on its course


@attrs.frozen(slots=True)
class Reading:
    """Both clocks, read together, in microseconds.

    Args:
        wall: since 1970 UTC.
        steady: since any moment, on a clock that nobody sets and that goes on while the machine is suspended.
    """

    wall: int
    steady: int


@attrs.frozen(slots=True)
class ClockStep:
    """What the wall clock did, and by how many microseconds; negative for backwards."""

    kind: StepKind
    by: int


@attrs.frozen(slots=True)
class Doubt:
    """A step that is not believed yet.

    Args:
        by: how far the wall is from its course, in microseconds.
        since: the steady clock's reading when it was set last.
        behind: it was behind what was written when it was first looked at; catching up with that ends the doubt.
    """

    by: int
    since: int
    behind: bool = False


class Course:
    """The course of one wall clock.

    Args:
        reading: at first; it is believed.
    """

    def __init__(self, reading: Reading) -> None:
        self._believed = reading
        self.doubt: Doubt | None = None

    def now(self, reading: Reading) -> int:
        """Return what to take for now: the wall, or while that is doubted where its course would have brought it."""
        return reading.wall if self.doubt is None else self._expected(reading)

    def start(self, reading: Reading, written_at: int | None) -> ClockStep | None:
        """Begin anew, and judge the clock by the newest instant that anything was written at, if anything was."""
        self._believed, self.doubt = reading, None
        if written_at is None or reading.wall - written_at > -STEP_MIN:
            return None
        by = reading.wall - written_at
        self._believed = Reading(written_at, reading.steady)
        self.doubt = Doubt(by, reading.steady, behind=True)
        return ClockStep(StepKind.DOUBTED, by)

    def look(self, reading: Reading, synchronised: Callable[[], bool]) -> ClockStep | None:
        """Return what the wall clock did since the last look; None when it kept its course, or is doubted as before.

        Args:
            reading: now.
            synchronised: whether somebody who should know says that the wall is right; asked when it matters.
        """
        by = reading.wall - self._expected(reading)
        doubt = self.doubt
        if doubt is None:
            if abs(by) < STEP_MIN:
                self._believed = reading
                return None
            if abs(by) <= BELIEVED_MAX:
                return self._believe(reading, by)
            self.doubt = Doubt(by, reading.steady)
            return ClockStep(StepKind.DOUBTED, by)
        if by > -STEP_MIN if doubt.behind else abs(by) < STEP_MIN:
            self._believed, self.doubt = reading, None
            return ClockStep(StepKind.RETURNED, by)
        if not doubt.behind and abs(by) <= BELIEVED_MAX:
            return self._believe(reading, by)
        if abs(by - doubt.by) >= STEP_MIN:
            self.doubt = attrs.evolve(doubt, by=by, since=reading.steady)
        elif reading.steady - doubt.since >= KEPT_COURSE and synchronised():
            return self._believe(reading, by)
        return None

    def trust(self, reading: Reading) -> ClockStep | None:
        """Believe the wall because a person says so; None when it is believed already."""
        return None if self.doubt is None else self._believe(reading, reading.wall - self._expected(reading))

    def _believe(self, reading: Reading, by: int) -> ClockStep:
        self._believed, self.doubt = reading, None
        if by >= 0:
            return ClockStep(StepKind.FORWARD, by)
        return ClockStep(StepKind.BACKWARD if by >= -BACKWARD_MAX else StepKind.CORRECTION, by)

    def _expected(self, reading: Reading) -> int:
        return self._believed.wall + reading.steady - self._believed.steady
