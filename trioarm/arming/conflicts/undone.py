"""Conflicts: what is foreseen for a partition and undone soon after, which nobody can have meant (A4.4). Pure.

Of commands at one instant one counts (`precedence`), and schedules that meet always are refused (`contradictions`);
this is about opposite actions shortly one after the other, which are carried out, and are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from trioarm.arming.model import Target
from trioarm.core.diff import first_records
from trioarm.core.forecast import Foreseen, preview
from trioarm.core.instants import DAY, MINUTE, SECOND, render_duration
from trioarm.core.planning import PlanRules
from trioarm.core.schedule import Schedule
from trioarm.core.states import State

SOON: Final = 30 * MINUTE
WEEK: Final = 8 * DAY  # a week of whole local days, from wherever in the first one
LOOKED_AT_MAX: Final = 10_000  # occurrences: more of them in a week nobody means


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


def undone_soon(schedules: Iterable[Schedule], now: int, rules: PlanRules) -> Iterator[str]:
    """Yield in words what schedules will undo so soon within a week, each once.

    Args:
        schedules: of the engine; those that arm nothing do not matter.
        now: microseconds since 1970 UTC.
        rules: the node's.
    """
    records = first_records((one for one in schedules if "target" in one.args), now)
    told = set()
    for item, conflict in islice(with_conflicts(preview(records, now, now + WEEK, rules)), LOOKED_AT_MAX):
        if conflict is not None and (item.schedule.name, conflict) not in told:
            told.add((item.schedule.name, conflict))
            does = f"makes {item.schedule.args['partition']} {item.schedule.args['target']}"
            yield f"{item.schedule.name} {does}, {conflict}: next {item.local_at:%Y-%m-%d %H:%M}"


def _undone(before: Foreseen, item: Foreseen) -> str | None:
    target, targets = before.schedule.args["target"], {before.schedule.args["target"], item.schedule.args["target"]}
    apart = item.due_at - before.due_at
    if len(targets) < 2 or Target.DISARMED not in targets or apart > SOON:
        return None
    when = f"only {render_duration(apart / SECOND)} after" if apart else "at the same instant as"
    return f"{when} {before.schedule.name} makes it {target}"
