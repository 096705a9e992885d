"""Forms of limits: `on` and `not_on` beside any trigger, short for an `intersect` or an `exclude` with spans.

A limit is what a member with spans is, `{ days = "workday", country = "CZ" }` or `{ during = "school" }`, or days of
the week alone. What is written back is the long form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, TypeAlias

import attrs

from trioarm.core.forms import calendar
from trioarm.core.forms.family import DEPTH_MAX, Around, zone
from trioarm.core.forms.spans import KEY, read_spans
from trioarm.core.reading import Table
from trioarm.core.triggers import Exclude, Intersect, Trigger
from trioarm.core.triggers.algebra import Member
from trioarm.core.triggers.spans import Spans

ReadKind: TypeAlias = Callable[[Table, Around], Trigger | None]

_LIMITS: Final[dict[str, Callable[[Iterable[Member]], Trigger]]] = {"on": Intersect, "not_on": Exclude}


def read_limited(table: Table, around: Around, read_kind: ReadKind) -> Trigger | None:
    """Read a trigger, and the days it is limited to or kept out of; None, and a problem, where one is wrong."""
    given = [key for key in _LIMITS if key in table]
    inside = attrs.evolve(around, depth=around.depth + len(given))
    if given and inside.depth > DEPTH_MAX:
        table.problems.add(table.at(given[0]), f"lies inside {DEPTH_MAX} others: say it more simply")
        table.knows(*table.tree)
        return None
    trigger = read_kind(table, inside)
    with suppress(ValueError):  # that is said where the trigger is read
        inside = attrs.evolve(inside, timezone=zone(table.tree.get("timezone", around.timezone)))
    table.knows(*_LIMITS)
    for key in given:
        days = _read_days(table, key, inside)
        trigger = None if trigger is None or days is None else _limit(table, key, trigger, days)
    return trigger


def _read_days(table: Table, key: str, around: Around) -> Spans | None:
    tree = table.tree[key]
    days = Table(tree if isinstance(tree, Mapping) else {KEY: tree}, table.at(key), table.problems)
    found = calendar.read_spans(days, around) if calendar.SPANS_KEY in days else read_spans(days, around)
    days.close()
    return found


def _limit(table: Table, key: str, trigger: Trigger, days: Spans) -> Trigger | None:
    return table.take(key, lambda _: _LIMITS[key]([trigger, days]), None)
