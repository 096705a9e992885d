"""Clocks: the wall clock that says what is due, and the one for tests that follows trio's (S3.2, S3.3)."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from trioarm.core.course import BELIEVED_MAX, ClockStep, Course, Doubt, Reading
from trioarm.core.instants import EARLIEST, LATEST, SECOND, parse_instant, render_instant
from trioarm.engine.kernel_clock import is_synchronised
from trioarm.engine.ports import Clock
from trioarm.engine.timerfd import ExactTimer, Timer

CHECK_INTERVAL_S: Final = 60.0
WRITTEN_AT: Final = parse_instant("2026-01-01T00:00:00Z")  # when this was written: no clock that is right shows less
LOOK_S: Final = 1.0  # between two looks at a clock that is not set yet
_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

STEPS_MAX: Final = 100  # steps that are remembered until somebody is told: a wall clock is not set that often
EARLY_MAX: Final = 3  # naps in a row that the exact timer may end too early before it is no longer trusted
EARLY_BY: Final = 5_000  # microseconds that count as too early; a fake clock is wrong by far more
LEAD: Final = 2_000  # microseconds by which it ends a nap early: a processor that sleeps may take as long to be there
NAPS_PER_LEAD: Final = 4  # a lead is no more than a quarter of its nap, so that many short naps do not make none
TURNS_MAX: Final = 1_000  # of trio's loop while something is almost due: a clock may stand still

_log = logging.getLogger("trioarm.clock")


class SystemClock:
    """The machine's clock. Naps are monotonic, and never longer than `check_interval_s`, whatever the wall clock does.

    Args:
        check_interval_s: the longest nap, in seconds; may be changed while naps are taken.
        open_timer: returns what ends naps exactly; None where the system has no such thing.
    """

    earliest_at = WRITTEN_AT

    def __init__(
        self, check_interval_s: float = CHECK_INTERVAL_S, open_timer: Callable[[], Timer | None] = ExactTimer.open
    ) -> None:
        self.check_interval_s = check_interval_s
        self._open_timer = open_timer
        reading = self._read()
        self._course = Course(reading)
        self._looked_at = reading.wall
        self._steps: deque[ClockStep] = deque(maxlen=STEPS_MAX)
        self._timer: Timer | None = None
        self._nap: trio.CancelScope | None = None
        self._due_at: int | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """End naps to the microsecond where the system can; elsewhere return at once.

        Cancellation: naps end on whole milliseconds from then on.
        """
        self._timer = timer = self._open_timer()
        task_status.started()
        if timer is None:
            return
        early = 0
        try:
            while early < EARLY_MAX:  # a clock that only this process sees as it is (faketime) fools the kernel's timer
                has_gone_off = await timer.wait()
                ahead = 0 if self._due_at is None else self._due_at - self.now()
                early = early + 1 if has_gone_off and ahead > EARLY_BY else 0
                if self._nap is not None:
                    self._nap.cancel()
        finally:
            self._timer = None
            timer.close()

    # What the machine says

    def wall(self) -> int:
        """Return what the clock on the wall shows, in microseconds since 1970 UTC, right or wrong."""
        return time.time_ns() // 1000

    def steady(self) -> int:
        """Return microseconds on a clock that nobody sets and that goes on while the machine is suspended."""
        return time.clock_gettime_ns(_STEADY) // 1000

    def is_synchronised(self) -> bool:
        """Whether somebody keeps the wall clock right, as far as the system knows."""
        return is_synchronised()

    def _read(self) -> Reading:
        return Reading(self.wall(), self.steady())

    # What is believed

    @property
    def doubt(self) -> Doubt | None:
        """Why the wall is not believed; None when it is."""
        return self._course.doubt

    def now(self) -> int:
        """Return what to take for now, in microseconds since 1970 UTC: the wall, unless it is doubted."""
        if self._course.doubt is not None:
            return self._course.now(self._read())
        wall = self.wall()
        if 0 <= wall - self._looked_at <= BELIEVED_MAX:  # as mostly: whatever was done to it, it is believed
            return wall
        return self.look()

    def start(self, written_at: int | None) -> None:
        """Judge the wall by the newest instant at which anything was written, if anything was."""
        reading = self._read()
        self._looked_at = reading.wall
        self._steps.clear()
        self._note(self._course.start(reading, written_at))

    def look(self) -> int:
        """Return what to take for now, after a look at whether the wall clock was set."""
        reading, course = self._read(), self._course
        if (step := course.look(reading, self.is_synchronised)) is not None:
            self._note(step)
        if course.doubt is not None:
            return course.now(reading)
        self._looked_at = reading.wall
        return reading.wall

    def trust(self) -> None:
        """Believe the wall, whatever it did: a person says that it is right."""
        self._note(self._course.trust(self._read()))

    def take_step(self) -> ClockStep | None:
        """Return what the wall clock did and nobody was told yet, the first of several at first."""
        return self._steps.popleft() if self._steps else None

    def _note(self, step: ClockStep | None) -> None:
        if step is not None:
            self._steps.append(step)
            if self._nap is not None:
                self._nap.cancel()  # somebody else than the engine noticed: it has to know

    # Naps

    def nap_until(self, due_at: int | None, *, at_least_s: float = 0.0, exactly: bool = False) -> trio.CancelScope:
        """Return a cancel scope that ends at `due_at`, and in any case after `check_interval_s`."""
        nap_s = self.check_interval_s
        if due_at is not None:
            nap_s = max(0.0, at_least_s, min(nap_s, (due_at - self.now()) / SECOND))
        nap = trio.CancelScope(deadline=trio.current_time() + nap_s)
        if exactly:
            self._nap = nap
            in_time = due_at is not None and at_least_s < nap_s < self.check_interval_s and self.doubt is None
            self._set_timer(due_at if in_time else None)
        return nap

    @property
    def almost_due_at(self) -> int | None:
        """What the last exact nap was for, while that is due within a lead."""
        due_at = self._due_at
        return due_at if due_at is not None and 0 < due_at - self.now() <= LEAD else None

    async def see_out(self) -> None:
        """Wait, awake, until that is due.

        Cancellation: at any checkpoint.
        """
        for _ in range(TURNS_MAX):
            if self.almost_due_at is None:
                return
            await trio.lowlevel.checkpoint()

    def shorten(self, nap: trio.CancelScope, due_at: int | None) -> None:
        """Let a nap that was begun end at `due_at` already, where that is earlier."""
        if due_at is None:
            return
        deadline = trio.current_time() + max(0.0, (due_at - self.now()) / SECOND)
        if deadline < nap.deadline:
            nap.deadline = deadline
            if self.doubt is None:
                self._nap = nap
                self._set_timer(due_at)

    def _set_timer(self, due_at: int | None) -> None:
        """Let the exact timer end the nap at an instant, or only when the wall clock is set."""
        if self._timer is not None:
            self._due_at = due_at
            if due_at is None:
                self._timer.set(LATEST)
            else:
                self._timer.set(due_at - min(LEAD, (due_at - self.now()) // NAPS_PER_LEAD))


class VirtualClock(SystemClock):
    """A wall clock that follows trio's own, so that under `trio.testing.MockClock` a year takes seconds.

    Args:
        start_at: the wall clock, in microseconds since 1970 UTC, when trio's clock shows `trio_start`.
        trio_start: a reading of `trio.current_time()`.
        check_interval_s: the longest nap, in seconds.
        early: whether exact naps end a moment before what they are for is due, as those on Linux do.
    """

    earliest_at = EARLIEST

    def __init__(
        self,
        start_at: int,
        *,
        trio_start: float = 0.0,
        check_interval_s: float = CHECK_INTERVAL_S,
        early: bool = False,
    ) -> None:
        self._offset = start_at - round(trio_start * SECOND)
        self._early = early
        self.synchronised = True
        super().__init__(check_interval_s)

    def wall(self) -> int:
        """Return what the clock on the wall shows, in microseconds since 1970 UTC."""
        return self._offset + round(trio.current_time() * SECOND)

    def steady(self) -> int:
        """Return trio's time in microseconds."""
        return round(trio.current_time() * SECOND)

    def _read(self) -> Reading:
        steady = self.steady()
        return Reading(self._offset + steady, steady)

    def is_synchronised(self) -> bool:
        """Whether a test says that somebody keeps the wall clock right."""
        return self.synchronised

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Return at once: trio's mock clock is exact by itself."""
        task_status.started()

    def nap_until(self, due_at: int | None, *, at_least_s: float = 0.0, exactly: bool = False) -> trio.CancelScope:
        """Return a cancel scope that ends at `due_at`, or a moment before, and in any case after `check_interval_s`."""
        if exactly:
            self._due_at = None
            if self._early and due_at is not None and due_at - self.now() > LEAD:
                self._due_at, due_at = due_at, due_at - LEAD
        return super().nap_until(due_at, at_least_s=at_least_s, exactly=exactly)

    async def see_out(self) -> None:
        """Sleep until what is almost due is due: time stands still while anybody is awake."""
        if (due_at := self.almost_due_at) is not None:
            await trio.sleep((due_at - self.now()) / SECOND)

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back, as an operator or a time server would."""
        self._offset += round(seconds * SECOND)

    def tell(self) -> None:
        """End the nap that is taken, as a kernel does that tells who naps that the wall clock was set."""
        if self._nap is not None:
            self._nap.cancel()


async def wait_until_set(clock: Clock, stop: trio.Event) -> bool:
    """Wait until a clock can be right; return False when `stop` is set before.

    A machine without a clock of its own starts in 1970. What was declared then would seem to have been due for decades,
    and a house would be armed late for a night that never was (S3.3).

    Cancellation: at any checkpoint.
    """
    if clock.now() >= clock.earliest_at:
        return True
    _log.warning("the clock shows %s, which cannot be: nothing is decided until it is set", render_instant(clock.now()))
    while clock.now() < clock.earliest_at:
        with clock.nap_until(clock.now(), at_least_s=LOOK_S):
            await stop.wait()
            return False
        clock.start(None)  # that leap is waited for: it is not judged by its course
    _log.warning("the clock is set: it shows %s", render_instant(clock.now()))
    return True
