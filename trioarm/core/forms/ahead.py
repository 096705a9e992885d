"""The form of what happens ahead: `ahead = { of = { weekly = ... }, by = "15m" }`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from trioarm.core.forms.family import CIVIL, Around, Form, ReadTrigger
from trioarm.core.forms.scalars import write_duration
from trioarm.core.reading import Table, seconds
from trioarm.core.triggers import Ahead, Trigger

KEY: Final = "ahead"

ReadAny: TypeAlias = Callable[[Table, Around], Trigger | None]


def reader(read_any: ReadAny) -> ReadTrigger:
    """Return how it is read, given how any trigger is."""

    def read(table: Table, key: str, around: Around) -> Trigger | None:
        for policy in CIVIL:
            table.refuse(policy, f"what {key} is of has its own {policy}: say it there")
        inside, deeper = table.table(key), around.deeper()
        if inside is None or deeper.is_too_deep(table, key):
            return None
        by_s = inside.need("by", seconds, 'say how far ahead, like by = "15m"')
        tree = inside.table("of")
        of = None if tree is None else read_any(tree, deeper)
        if tree is None and "of" not in inside:
            inside.problems.add(inside.at("of"), 'is missing: say ahead of what, like of = { cron = "0 22 * * *" }')
        if tree is not None:
            tree.close()
        inside.close()
        return None if of is None or by_s is None else table.take(key, lambda _: Ahead(of, by_s), None)

    return read


def write(trigger: Trigger, write_any: Callable[[Trigger], Form]) -> Form | None:
    """Return the form of such a trigger; None of another."""
    match trigger:
        case Ahead(of, by_s):
            return {KEY: {"of": write_any(of), "by": write_duration(by_s)}}
        case _:
            return None
