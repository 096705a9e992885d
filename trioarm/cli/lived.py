"""The week as it was lived: what was wanted above what was, a mark where they differ, half an hour each (A4.6).

Each character shows what holds in the middle of its half hour: an exit delay is no difference to be looked at."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from trioarm.arming.model import Reported, Target
from trioarm.arming.supervision.report import Day, Report
from trioarm.cli.terminal import Style, paint
from trioarm.cli.week import HOURS, MARKS, MISSING, SLOT, UNKNOWN
from trioarm.core.instants import DAY, as_datetime
from trioarm.core.triggers.civil import Fold, Gap, resolve
from trioarm.core.triggers.zones import Zone

CLOSED: Final = "x"  # wanted by hours, which do not say how
DIFFERS: Final = "!"
ALARM: Final = "*"
_MARKS: Final = {target.value: mark for target, mark in MARKS.items()}


def draw_lived(report: Report, days: Sequence[Day], zones: Mapping[str, Zone], now: int) -> Iterator[str]:
    """Yield the lines of the week of each partition."""
    seen: set[str] = set()
    for name, zone in zones.items():
        own = [day for day in days if day.partition == name]
        yield paint(name, Style.HEADING, sys.stdout)
        yield paint(f"  {as_datetime(own[0].number * DAY):%b %Y}           {HOURS}", Style.FAINT, sys.stdout)
        for day in own:
            slots = list(_slots(day, zone, now))
            wanted = "".join(MISSING if at is None else _wanted(report, name, at) for at in slots)
            was = "".join(MISSING if at is None else _was(report, name, at) for at in slots)
            differs = "".join(map(_differs, wanted, was))
            seen.update(wanted, was, differs)
            yield f"  {as_datetime(day.number * DAY):%a %d}    wanted  {wanted}".rstrip()
            yield f"              was  {was}".rstrip()
            if DIFFERS in differs:
                yield paint(f"                   {differs}".rstrip(), Style.BAD, sys.stdout)
    yield paint("  " + "  ".join(_legend(seen)), Style.FAINT, sys.stdout)


def _slots(day: Day, zone: Zone, now: int) -> Iterator[int | None]:
    """Yield the middle of each half hour of a local day; None where clocks leave it out, or it is to come."""
    for local in range(day.number * DAY, (day.number + 1) * DAY, SLOT):
        found = resolve(zone, local, Gap.SKIP, Fold.FIRST)
        yield found[0] + SLOT // 2 if found and found[0] + SLOT // 2 <= now else None


def _wanted(report: Report, name: str, at: int) -> str:
    target = report.wanted(name, at)
    if target is not None:
        return MARKS[target]
    closed = report.wants_closed(name, at)
    return UNKNOWN if closed is None else CLOSED if closed else MARKS[Target.DISARMED]


def _was(report: Report, name: str, at: int) -> str:
    state = report.histories[name].at(at)
    if state is None:
        return UNKNOWN
    return ALARM if state in (Reported.PENDING, Reported.TRIGGERED) else _MARKS[state.value]


def _differs(wanted: str, was: str) -> str:
    if wanted == was or UNKNOWN in (wanted, was) or (wanted == CLOSED and was != MARKS[Target.DISARMED]):
        return MISSING
    return DIFFERS


def _legend(seen: Iterable[str]) -> Iterator[str]:
    marks = frozenset(seen)
    yield from (f"{mark} {name.replace('_', ' ')}" for name, mark in _MARKS.items() if mark in marks)
    for mark, words in ((CLOSED, "closed"), (ALARM, "in alarm"), (DIFFERS, "not as wanted"), (UNKNOWN, "not known")):
        if mark in marks:
            yield f"{mark} {words}"
