"""The progress writer: keeps how far handlers say they are, the latest of each at most once a second (S2.3)."""

from __future__ import annotations

from typing import Final

import trio

from trioarm.core.changes import Change, Progressed, Verdict
from trioarm.engine.attempt import Attempt
from trioarm.engine.ports import Clock, ScheduleRepository

PROGRESS_EVERY_S: Final = 1.0  # between two writes: what a crash may take away, and what the disk is asked for


class ProgressWriter:
    """Writes what attempts say while they last; what is not written when one ends is written with its outcome.

    What waits here is bounded by the runs the node may hold.

    Args:
        repository: where it is kept.
        clock: for the pause between two writes.
    """

    def __init__(self, repository: ScheduleRepository, clock: Clock) -> None:
        self._repository = repository
        self._clock = clock
        self._waiting: dict[int, Attempt] = {}
        self._wake = trio.Event()

    def progressed(self, attempt: Attempt) -> None:
        """Note that an attempt said something new."""
        if not self._waiting:
            self._wake.set()
        self._waiting[attempt.run.run_id] = attempt

    async def run(self) -> None:
        """Write until cancelled.

        Cancellation: what is not written yet is for the outcomes of the attempts.
        """
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            await self._write()
            with self._clock.nap_until(self._clock.now(), at_least_s=PROGRESS_EVERY_S):
                await trio.sleep_forever()

    async def _write(self) -> None:
        said = [
            (attempt, attempt.progress, attempt.progress.value)
            for attempt in self._waiting.values()
            if attempt.outcome is None and attempt.progress is not None and not attempt.progress.kept
        ]
        self._waiting.clear()
        now = self._clock.now()
        steps = [Progressed(attempt.run, attempt.token, value, now) for attempt, _, value in said]
        verdicts = await self._repository.commit([Change(steps=(step,)) for step in steps])
        for (attempt, progress, value), verdict in zip(said, verdicts, strict=True):
            if verdict is Verdict.DONE:
                progress.written(value)
            elif verdict is Verdict.UNKNOWN and attempt.outcome is None:
                self.progressed(attempt)  # the store is in trouble: try again
