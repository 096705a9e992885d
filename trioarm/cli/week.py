"""The week: who is armed when, a line for each day and partition, as people rather look at than read (A1.6).

Each character is half an hour of local time and shows what the partition is at its beginning, as far as schedules say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import attrs

from trioarm.arming.model import Target
from trioarm.cli.planned import partition_of, target_of
from trioarm.cli.terminal import Style, paint
from trioarm.core.forecast import Foreseen
from trioarm.core.instants import DAY, MINUTE, as_datetime
from trioarm.core.states import State
from trioarm.core.triggers.civil import Fold, Gap, resolve
from trioarm.core.triggers.zones import Zone

SLOT: Final = 30 * MINUTE
DAYS: Final = 7
MARKS: Final = {
    Target.DISARMED: "·",
    Target.ARMED_HOME: "h",
    Target.ARMED_NIGHT: "n",
    Target.ARMED_AWAY: "A",
    Target.ARMED_VACATION: "V",
    Target.ARMED_CUSTOM_BYPASS: "c",
}
UNKNOWN: Final = "?"  # before the first occurrence there ever was
MISSING: Final = " "  # a local time that clocks leave out, or that is over
HOURS: Final = "".join(f"{hour:<6}" for hour in range(0, 24, 3)).rstrip()  # six characters are three hours


@attrs.frozen(slots=True)
class Partition:
    """A partition whose week is drawn.

    Args:
        zone: of its local times.
        at_first: what it is before the first change; None when nobody knows.
        changes: instants and what it becomes then, in order.
    """

    name: str
    zone: Zone
    at_first: Target | None
    changes: Sequence[tuple[int, Target]]

    def at(self, instant: int) -> Target | None:
        """Return what it is at an instant."""
        before = [target for at, target in self.changes if at <= instant]
        return before[-1] if before else self.at_first


def changes_of(items: Iterable[Foreseen], partition: str) -> list[tuple[int, Target]]:
    """Return what foreseen runs make of a partition, and when."""
    return [
        (item.due_at, Target(str(target_of(item.schedule))))
        for item in items
        if item.decision is State.PENDING and partition_of(item.schedule) == partition
    ]


def draw(partitions: Iterable[Partition], start: int) -> Iterator[str]:
    """Yield the lines of a week that begins with the local day of an instant."""
    seen: set[str] = set()
    for partition in partitions:
        yield paint(partition.name, Style.HEADING, sys.stdout)
        first = partition.zone.to_local(start) // DAY
        yield paint(f"  {_date(first):%b %Y}    {HOURS}", Style.FAINT, sys.stdout)
        for day in range(first, first + DAYS):
            marks = "".join(_marks(partition, day, start))
            seen.update(marks)
            yield f"  {_date(day):%a %d}      {marks}"
    yield paint("  " + "  ".join(_legend(seen)), Style.FAINT, sys.stdout)


def _marks(partition: Partition, day: int, start: int) -> Iterator[str]:
    """Yield what a partition is at each half hour of a local day; a blank where clocks leave it out, or it is over."""
    for local in range(day * DAY, (day + 1) * DAY, SLOT):
        found = resolve(partition.zone, local, Gap.SKIP, Fold.FIRST)
        if not found or found[0] + SLOT <= start:
            yield MISSING
        else:
            target = partition.at(max(found[0], start))
            yield UNKNOWN if target is None else MARKS[target]


def _legend(seen: Iterable[str]) -> Iterator[str]:
    marks = frozenset(seen)
    yield from (f"{mark} {target.replace('_', ' ')}" for target, mark in MARKS.items() if mark in marks)
    if UNKNOWN in marks:
        yield f"{UNKNOWN} as it is now"


def _date(day: int) -> datetime:
    return as_datetime(day * DAY)
