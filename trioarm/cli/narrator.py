"""The narrator: turns a node's events into lines for people, and counts what became of its runs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterable
from typing import Final

from trioarm.cli.logs import logger
from trioarm.cli.outcomes import EXPECTED, HOUSEKEEPING, finished, lateness, never_ran, requeued
from trioarm.core.codec import run_to_json
from trioarm.core.counting import counted, grouped
from trioarm.core.events import (
    ConfigChanged,
    Event,
    ObserverLagged,
    ResultRefused,
    RunDecided,
    RunFinished,
    RunRequeued,
    RunStarted,
    ScheduleChange,
    ScheduleChanged,
)
from trioarm.core.run import Run
from trioarm.core.states import NEVER_RAN, Reason, State, WaitingFor

NAMED_MAX: Final = 10  # schedules named in one line; the rest is counted

KINDS: Final[tuple[type[Event], ...]] = (
    RunDecided,
    RunStarted,
    RunRequeued,
    RunFinished,
    ScheduleChanged,
    ResultRefused,
    ConfigChanged,
    ObserverLagged,
)

_CHANGES: Final = {ScheduleChange.FINISHED: "that was its last occurrence"}


class Narrator:
    """Tells what happens, line by line. Housekeeping is told only when it goes wrong, or at level debug."""

    def __init__(self) -> None:
        self.ended: Counter[State] = Counter()
        self.given_back = 0
        self.lost = 0
        self._log = logger("run")

    async def listen(self, events: AsyncIterable[Event]) -> None:
        """Tell every event until the hub closes."""
        async for event in events:
            self.tell(event)

    def tell(self, event: Event) -> None:
        """Tell one event."""
        match event:
            case RunDecided(run) if run.state in NEVER_RAN:
                self._count(run, run.occurrences)
                self._line(_level(run), f"{run.schedule}  {never_ran(run)}", event, run)
            case RunStarted(run):
                self._line(logging.DEBUG, f"{run.schedule}  running  {lateness(run)}", event, run)
            case RunRequeued(run):
                self._count_given_back(run)
                level = logging.INFO if run.error is None and run.reason is not Reason.LOST else logging.WARNING
                self._line(level, f"{run.schedule}  {requeued(run)}", event, run)
            case RunFinished(run):
                self._count(run, 1)
                self._line(_level(run), f"{run.schedule}  {finished(run)}", event, run)
            case ScheduleChanged(name, change, detail) if change is not ScheduleChange.QUARANTINED:
                level = logging.DEBUG if change is ScheduleChange.PUT else logging.INFO
                text = f"{name}  {_CHANGES.get(change, change)}" + (f": {detail}" if detail else "")
                self._log.log(level, text, kind=_kind(event), schedule=name, change=change.value)
            case ResultRefused(run_id, name, token):
                text = f"{name}  a result came too late and was not kept: the run has been claimed anew"
                self._log.warning(text, kind=_kind(event), schedule=name, run=run_id, token=token)
            case ConfigChanged():
                self._config(event)
            case ObserverLagged(lost):
                self.lost += lost
                self._log.warning(f"{counted(lost, 'event')} came too fast to be logged", kind=_kind(event), lost=lost)
            case _:
                pass  # what is stuck, unwell or quarantined, the library logs itself

    def _config(self, event: ConfigChanged) -> None:
        """Tell what a configuration that was read again changed, a line each, and what it will change later."""
        for setting in event.settings:
            text = f"{setting.key} is {setting.after} now, it was {setting.before}"
            self._log.info(text, kind=_kind(event), key=setting.key, before=setting.before, after=setting.after)
        for what, names in (("added", event.added), ("changed", event.changed), ("removed", event.removed)):
            if names:
                shown = ", ".join(names[:NAMED_MAX]) + (" and more" if len(names) > NAMED_MAX else "")
                self._log.info(f"{counted(len(names), 'schedule')} {what}: {shown}", kind=_kind(event), **{what: names})
        if event.waiting:
            text = f"waits for the next start: {', '.join(event.waiting)}"
            self._log.warning(text, kind=_kind(event), waiting=event.waiting)

    def summary(self) -> str:
        """Return how many runs came to which end."""
        lost = f" ({counted(self.lost, 'event')} not seen)" if self.lost else ""
        if not self.ended and not self.given_back:
            return "no run ended" + lost
        parts = [f"{grouped(self.ended[state])} {state.replace('_', ' ')}" for state in State if self.ended[state]]
        if self.given_back:
            parts.append(f"{grouped(self.given_back)} given back")
        return f"runs: {', '.join(parts)}{lost}"

    def _count(self, run: Run, occurrences: int) -> None:
        if not run.schedule.startswith(HOUSEKEEPING):
            self.ended[run.state] += occurrences

    def _count_given_back(self, run: Run) -> None:
        returned = run.error is None and run.waiting_for is not WaitingFor.SNOOZE and run.reason is not Reason.LOST
        self.given_back += returned and not run.schedule.startswith(HOUSEKEEPING)

    def _line(self, level: int, text: str, event: Event, run: Run) -> None:
        if run.schedule.startswith(HOUSEKEEPING) and (level < logging.WARNING or run.state in NEVER_RAN):
            level = logging.DEBUG  # what of it did not run while the node was down, nobody waits for
        if self._log.isEnabledFor(level):
            self._log.log(level, text, kind=_kind(event), run=run_to_json(run))


def _kind(event: Event) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(event).__name__).lstrip("_")


def _level(run: Run) -> int:
    expected = run.state in EXPECTED or (run.state is State.CANCELLED and run.reason is not Reason.STUCK)
    return logging.INFO if expected else logging.WARNING
