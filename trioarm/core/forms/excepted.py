"""The form of what is otherwise for a while: `excepted = { of = { weekly = ... }, stretches = [...] }`.

Each stretch is `{ from = INSTANT, until = INSTANT, why = "..." }`; `inside = true` keeps what lies in them alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from trioarm.core.forms.family import CIVIL, Around, Form, ReadTrigger
from trioarm.core.instants import render_instant
from trioarm.core.reading import Table, flag, listed, mapping, moment
from trioarm.core.triggers import Excepted, Stretch, Trigger
from trioarm.core.triggers.excepted import WHY_LENGTH_MAX

KEY: Final = "excepted"

ReadAny: TypeAlias = Callable[[Table, Around], Trigger | None]


def reader(read_any: ReadAny) -> ReadTrigger:
    """Return how it is read, given how any trigger is."""

    def read(table: Table, key: str, around: Around) -> Trigger | None:
        for policy in CIVIL:
            table.refuse(policy, f"what is {key} has its own {policy}: say it there")
        whole, deeper = table.table(key), around.deeper()
        if whole is None or deeper.is_too_deep(table, key):
            return None
        inside = whole.take("inside", flag, False)
        trees = whole.need("stretches", listed(mapping), "say from when until when, and why") or []
        stretches = [_read_stretch(whole, index, tree) for index, tree in enumerate(trees)]
        tree = whole.table("of")
        of = None if tree is None else read_any(tree, deeper)
        if "of" not in whole:
            whole.problems.add(whole.at("of"), 'is missing: say of what, like of = { cron = "0 22 * * *" }')
        if tree is not None:
            tree.close()
        whole.close()
        known = [stretch for stretch in stretches if stretch is not None]
        if of is None or not known or len(known) < len(stretches):
            return None
        return table.take(key, lambda _: Excepted(of, known, inside=inside), None)

    return read


def _read_stretch(whole: Table, index: int, tree: object) -> Stretch | None:
    table = Table(mapping(tree), f"{whole.at('stretches')}[{index}]", whole.problems)
    start = table.need("from", moment, "say when it begins")
    end = table.need("until", moment, "say when it ends")
    why = table.need("why", _text, "say why")
    table.close()
    if start is None or end is None or why is None:
        return None
    return whole.take("stretches", lambda _: Stretch(start, end, why), None)


def _text(value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= WHY_LENGTH_MAX:
        return value
    raise ValueError(f"is a text of 1 to {WHY_LENGTH_MAX} characters")


def write(trigger: Trigger, write_any: Callable[[Trigger], Form]) -> Form | None:
    """Return the form of such a trigger; None of another."""
    match trigger:
        case Excepted(of, stretches):
            form: Form = {
                "of": write_any(of),
                "stretches": [
                    {"from": render_instant(one.start), "until": render_instant(one.end), "why": one.why}
                    for one in stretches
                ],
            }
            return {KEY: form | ({"inside": True} if trigger.inside else {})}
        case _:
            return None
