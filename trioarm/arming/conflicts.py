"""Conflicts: what is foreseen for a partition and undone soon after, which nobody can have meant (A4.4). Pure.

Contradictions at one instant are refused where schedules are declared, or one of them is superseded; this is about
opposite actions shortly one after the other, which are carried out, and are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from trioarm.arming.model import Target
from trioarm.core.forecast import Foreseen
from trioarm.core.instants import MINUTE, SECOND, render_duration
from trioarm.core.states import State

SOON: Final = 30 * MINUTE


def with_conflicts(items: Iterable[Foreseen]) -> Iterator[tuple[Foreseen, str | None]]:
    """Yield what is foreseen, in order, each with what it undoes so soon; None for most.

    Only what is carried out counts: what is skipped, missed or superseded undoes nothing.
    """
    latest: dict[str, Foreseen] = {}
    for item in items:
        partition = item.schedule.args.get("partition")
        if not isinstance(partition, str) or item.decision is not State.PENDING:
            yield item, None
            continue
        before = latest.get(partition)
        latest[partition] = item
        yield item, None if before is None else _undone(before, item)


def _undone(before: Foreseen, item: Foreseen) -> str | None:
    target, targets = before.schedule.args["target"], {before.schedule.args["target"], item.schedule.args["target"]}
    apart = item.due_at - before.due_at
    if len(targets) < 2 or Target.DISARMED not in targets or apart > SOON:
        return None
    when = f"only {render_duration(apart / SECOND)} after" if apart else "at the same instant as"
    return f"{when} {before.schedule.name} makes it {target}"
