"""The agenda: what is to come, as a table by day. Imported only where one is shown: rich takes its time."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trioarm.arming.conflicts.ambiguity import Nights
from trioarm.arming.conflicts.undone import with_conflicts
from trioarm.cli.outcomes import REASONS
from trioarm.cli.planned import does
from trioarm.cli.terminal import coloured
from trioarm.core.forecast import Foreseen, Shift, local_time, zone_of
from trioarm.core.instants import as_datetime
from trioarm.core.states import State

PIPED_WIDTH: Final = 200  # columns where there is no terminal: lines there are read by programs, and stay whole
INDENT: Final = "  "


def agenda(items: Sequence[Foreseen], nights: Nights) -> str:
    """Return occurrences as lines, in order within each day of local time, and nights where they may be mixed up."""
    days: dict[str, list[Foreseen]] = {}
    for item in sorted(items, key=lambda item: (item.local_at.date(), item.due_at)):
        days.setdefault(f"{item.local_at:%a %d %b %Y}", []).append(item)
    rows = {id(item): _row(item, nights.of(item), conflict) for item, conflict in with_conflicts(items)}
    widths = [max(len(row[column]) for row in rows.values()) for column in range(4)]
    console = _console()
    with console.capture() as capture:
        for day, foreseen in days.items():
            console.print(Text(day, "bold"))
            table = Table.grid(padding=(0, 2, 0, 0))
            for width in widths:
                table.add_column(min_width=width, no_wrap=True, overflow="ellipsis")
            table.add_column(overflow="fold")
            for item in foreseen:
                cells = rows[id(item)]
                table.add_row(*(Text(cell, _style(item)) for cell in cells))
            console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").split("\n"))


def _console() -> Console:
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPED_WIDTH
    colours = coloured(sys.stdout)
    return Console(
        file=sys.stdout,
        width=width,
        color_system="standard" if colours else None,
        force_terminal=colours,
        highlight=False,
    )


def _row(item: Foreseen, night: str | None, conflict: str | None) -> tuple[str, str, str, str, str]:
    local, utc = item.local_at, as_datetime(item.due_at)
    elsewhere = f"{utc:%a} " if utc.date() != local.date() else ""
    offset = local.isoformat(timespec="seconds")[len("2026-11-23T22:30:00") :]
    what = _what(item, night, conflict)
    return INDENT + _clock(local), offset, f"{elsewhere}{_clock(utc)}Z", item.schedule.name, what


def _clock(moment: datetime) -> str:
    """Return a time of day as short as it can be said."""
    return moment.time().isoformat("seconds" if moment.second else "minutes")


def _what(item: Foreseen, night: str | None, conflict: str | None) -> str:
    parts = [does(item.schedule)]
    if item.decision is not State.PENDING:
        why = item.exception if item.reason is None else REASONS[item.reason]
        parts.append(f"{item.decision.value}: {why}" if why else item.decision.value)
    elif item.exception is not None:
        parts.append(item.exception)
    if night is not None:
        parts.append(f"in {night}")
    match item.shifted:
        case Shift.GAP:
            parts.append(f"gap: {_meant(item):%H:%M} does not exist, clocks go forward")
        case Shift.FOLD:
            parts.append(f"fold: {_meant(item):%H:%M} comes twice, clocks go back")
    if conflict is not None:
        parts.append(f"conflict: {conflict}")
    return "  ".join(parts)


def _meant(item: Foreseen) -> datetime:
    """Return the local time that was meant, in the schedule's own zone."""
    trigger = item.schedule.trigger
    local = local_time(item.nominal_at, zone_of(trigger)).replace(tzinfo=None)
    return local + timedelta(microseconds=trigger.shift_at(item.nominal_at))


def _style(item: Foreseen) -> str:
    if item.decision is not State.PENDING:
        return "dim"
    return "" if item.shifted is None else "yellow"
