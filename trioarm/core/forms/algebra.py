"""Forms of the algebra: `union`, `intersect`, `exclude`, each a list of triggers, each written as it always is.

`timezone` and `dst` beside the list hold for every member that says nothing else. A member of the last two may also be
`days`, which yield no instants of their own: see `spans`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import attrs

from trioarm.core.forms.family import Around, Form, ReadTrigger, zone
from trioarm.core.reading import Table, flag, listed, mapping
from trioarm.core.triggers import Exclude, Intersect, Trigger, Union
from trioarm.core.triggers.algebra import Member

ReadMember: TypeAlias = Callable[[Table, Around], Member | None]
WriteMember: TypeAlias = Callable[[Member], Form]

_KINDS: Final[dict[str, Callable[[Iterable[Member]], Trigger]]] = {
    "union": Union,
    "intersect": Intersect,
    "exclude": Exclude,
}


def readers(read_member: ReadMember) -> dict[str, ReadTrigger]:
    """Return how each kind is read, given how any member is."""

    def read(table: Table, key: str, around: Around) -> Trigger | None:
        inside = attrs.evolve(
            around.deeper(),
            timezone=table.take("timezone", zone, around.timezone),
            dst=table.take("dst", flag, around.dst),
        )
        for policy in ("gap", "fold"):
            table.refuse(policy, f"each member of {key} has its own {policy}: say it there")
        if inside.is_too_deep(table, key):
            return None
        trees = table.take(key, listed(mapping), None)
        if trees is None:
            return None
        members = []
        for index, tree in enumerate(trees):
            one = Table(tree, f"{table.at(key)}[{index}]", table.problems)
            members.append(read_member(one, inside))
            one.close()
        known = [member for member in members if member is not None]
        return table.take(key, lambda _: _KINDS[key](known), None) if len(known) == len(members) else None

    return dict.fromkeys(_KINDS, read)


def write(trigger: Trigger, write_member: WriteMember) -> Form | None:
    """Return the form of a trigger of this family; None of another."""
    match trigger:
        case Union(members) | Intersect(members) | Exclude(members):
            return {type(trigger).__name__.lower(): [write_member(member) for member in members]}
        case _:
            return None
