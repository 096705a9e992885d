"""Trigger forms: how triggers are written in a mapping, in scheduler.toml and everywhere else.

The key says which kind: `once`, `every`, `after`, `weekly` or `cron`. Those of local time share `timezone`, `gap`,
`fold` and `dst`, which stand beside that key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import attrs

from trioarm.core.errors import InvalidSchedule
from trioarm.core.instants import instant, parse_duration, render_duration, render_instant
from trioarm.core.jsonable import Json
from trioarm.core.reading import Table, flag, listed, member, moment, seconds, text
from trioarm.core.triggers import After, Cron, Every, Once, Trigger, Weekly
from trioarm.core.triggers.civil import Fold, Gap
from trioarm.core.triggers.zones import zone_name

TRIGGERS: Final = ("once", "every", "after", "weekly", "cron")
TRIGGERS_LATER: Final = ("monthly", "yearly", "rrule", "sun", "calendar", "union", "intersect", "exclude")
CIVIL: Final = ("timezone", "gap", "fold", "dst")  # what only triggers of local time understand

_MONDAY, _NOON = ("mon",), ("12:00",)  # stand in for one half of a weekly trigger while the other is judged


def read_trigger(table: Table, *, timezone: str, dst: bool) -> Trigger | None:
    """Read the trigger of a schedule out of its table; None, and a problem, when there is none.

    Args:
        table: of the schedule.
        timezone: of a trigger of local time that names none.
        dst: whether it follows daylight saving where it does not say (S4.5).
    """
    table.knows(*TRIGGERS)
    for key in TRIGGERS_LATER:
        table.refuse(key, f"{key} is not available yet; there is {', '.join(TRIGGERS)}")
    given = [key for key in (*TRIGGERS, *TRIGGERS_LATER) if key in table]
    match given:
        case []:
            table.problems.add(table.path, f"says nothing of when: give it one of {', '.join(TRIGGERS)}")
        case ["weekly"]:
            return _read_weekly(table, _read_civil(table, timezone, dst))
        case ["cron"]:
            return _read_cron(table, _read_civil(table, timezone, dst))
        case [("once" | "every" | "after") as key]:
            return _read_elapsed(table, key)
        case [_]:
            pass
        case _:
            table.problems.add(table.path, f"{' and '.join(given)} are given: a schedule has one trigger")
    table.knows(*CIVIL)
    return None


def _read_elapsed(table: Table, key: str) -> Trigger | None:
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


@attrs.frozen(slots=True)
class _Civil:
    """What a schedule says of local time."""

    timezone: str
    gap: Gap | None
    fold: Fold | None
    dst: bool


def _read_civil(table: Table, timezone: str, dst: bool) -> _Civil:
    return _Civil(
        timezone=table.take("timezone", zone, timezone),
        gap=table.take("gap", member(Gap), None),
        fold=table.take("fold", member(Fold), None),
        dst=table.take("dst", flag, dst),
    )


def _read_cron(table: Table, civil: _Civil) -> Cron | None:
    cron = table.take("cron", lambda value: Cron(text(value)), None)
    if cron is None:
        return None
    return Cron(cron.expression, civil.timezone, gap=civil.gap, fold=civil.fold, dst=civil.dst)


def _read_weekly(table: Table, civil: _Civil) -> Weekly | None:
    weekly = table.table("weekly")
    if weekly is None:
        return None
    days = weekly.need("days", lambda value: Weekly(_texts(value), _NOON).days, 'write them like days = ["mon", "tue"]')
    at = weekly.need("at", lambda value: Weekly(_MONDAY, _texts(value)).at, 'write it like at = "22:30"')
    weekly.close()
    if days is None or at is None:
        return None
    gap, fold = civil.gap or Gap.RUN_AFTER, civil.fold or Fold.FIRST
    return Weekly(days, at, civil.timezone, gap=gap, fold=fold, dst=civil.dst)


def zone(value: object) -> str:
    """Read the name of a time zone."""
    return zone_name(text(value))


def _texts(value: object) -> list[str]:
    return [value] if isinstance(value, str) else listed(text)(value)


def write_trigger(trigger: Trigger) -> dict[str, Json]:
    """Return the keys that say when: what `read_trigger` reads back as an equal trigger.

    Raises:
        InvalidSchedule: the trigger is none of ours.
    """
    match trigger:
        case Once(at):
            return {"once": render_instant(at)}
        case Every(period_s, anchor=0):
            return {"every": write_duration(period_s)}
        case Every(period_s, anchor=anchor):
            return {"every": {"period": write_duration(period_s), "anchor": render_instant(anchor)}}
        case After(delay_s):
            return {"after": write_duration(delay_s)}
        case Weekly(days, at):
            weekly: dict[str, Json] = {"days": [*days], "at": at[0] if len(at) == 1 else [*at]}
            return {"weekly": weekly, **_civil_form(trigger.timezone, trigger.gap, trigger.fold, trigger.dst)}
        case Cron(expression):
            return {"cron": expression, **_civil_form(trigger.timezone, trigger.gap, trigger.fold, trigger.dst)}
        case _:
            raise InvalidSchedule(f"a {type(trigger).__name__} is no trigger that can be written down")


def _civil_form(timezone: str, gap: Gap | None, fold: Fold | None, dst: bool) -> dict[str, Json]:
    form: dict[str, Json] = {"timezone": timezone}
    if gap is not None:
        form["gap"] = gap.value
    if fold is not None:
        form["fold"] = fold.value
    if not dst:
        form["dst"] = False
    return form


def write_duration(value_s: float | None) -> str | float | None:
    """Write a duration as text where that says exactly the same, else as a number of seconds."""
    if value_s is None:
        return None
    written = render_duration(value_s)
    return written if parse_duration(written) == value_s else value_s


def write_instant(value: datetime | int | None) -> str | None:
    """Write an instant in UTC with `Z`."""
    return None if value is None else render_instant(instant(value))
