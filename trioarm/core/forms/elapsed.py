"""Forms of elapsed time: `once`, `every`, `after`; an `every` of the calendar is left to `timetables`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trioarm.core.forms.family import CIVIL, Around, Form, ReadTrigger
from trioarm.core.forms.scalars import write_duration
from trioarm.core.forms.timetables import INTERVAL_KEYS, read_interval
from trioarm.core.instants import render_instant
from trioarm.core.reading import Table, moment, seconds
from trioarm.core.triggers import After, Every, Once, Trigger

_GRID_KEYS: Final = ("period", "anchor")


def _read_every(table: Table, key: str, around: Around) -> Trigger | None:
    tree = table.tree[key]
    calendar = [name for name in INTERVAL_KEYS if isinstance(tree, Mapping) and name in tree]
    real = [name for name in _GRID_KEYS if isinstance(tree, Mapping) and name in tree]
    if not calendar:
        return _read_elapsed(table, key, around)
    if not real:
        return read_interval(table, key, around)
    table.knows(*CIVIL)
    right = "period and anchor count real time; days, weeks, months or years with at and start count on the calendar"
    table.problems.add(table.at(key), f"{' and '.join(real)} beside {' and '.join(calendar)}: {right}")
    return None


def _read_elapsed(table: Table, key: str, around: Around) -> Trigger | None:
    for policy in CIVIL:
        table.refuse(policy, f"{key} counts real time and sees no time zone: leave {policy} out, or use weekly or cron")
    if key == "once":
        return table.take(key, lambda value: Once(moment(value)), None)
    if key == "after":
        return table.take(key, lambda value: After(seconds(value)), None)
    if not isinstance(table.tree[key], Mapping):
        return table.take(key, lambda value: Every(seconds(value)), None)
    every = table.table(key)
    if every is None:
        return None
    trigger = every.need("period", lambda value: Every(seconds(value)), 'write it like period = "10s"')
    anchor = every.take("anchor", moment, 0)
    every.close()
    return None if trigger is None else Every(trigger.period_s, anchor=anchor)


READERS: Final[dict[str, ReadTrigger]] = {"once": _read_elapsed, "every": _read_every, "after": _read_elapsed}


def write(trigger: Trigger) -> Form | None:
    """Return the form of a trigger of this family; None of another."""
    match trigger:
        case Once(at):
            return {"once": render_instant(at)}
        case Every(period_s, anchor=0):
            return {"every": write_duration(period_s)}
        case Every(period_s, anchor=anchor):
            return {"every": {"period": write_duration(period_s), "anchor": render_instant(anchor)}}
        case After(delay_s):
            return {"after": write_duration(delay_s)}
        case _:
            return None
