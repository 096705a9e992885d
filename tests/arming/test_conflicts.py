"""Opposite actions shortly one after the other are told; everything else is not."""

from __future__ import annotations

import pytest

from tests.arming.houses import EVERY_DAY, PRAGUE
from tests.arming.premises import DISARMED, NIGHT, arming, the_premises
from trioarm.arming.compile import engine_schedules
from trioarm.arming.conflicts.undone import undone_soon, with_conflicts
from trioarm.core.forecast import Foreseen, local_time
from trioarm.core.instants import DAY, MINUTE, parse_instant
from trioarm.core.planning import PlanRules
from trioarm.core.schedule import Schedule
from trioarm.core.states import State
from trioarm.core.triggers import Once, Weekly
from trioarm.core.triggers.zones import find_zone

AT = parse_instant("2026-11-23T22:00:00Z")


def foreseen(
    name: str, target: str | None, minutes: int, *, state: State = State.PENDING, at: str = "house"
) -> Foreseen:
    """One occurrence, so many minutes later."""
    due_at = AT + minutes * MINUTE
    args = {} if target is None else {"partition": at, "target": target}
    schedule = Schedule(name, Once(due_at), handler="arm", args=args)  # type: ignore[arg-type]
    return Foreseen(schedule, due_at, due_at, local_time(due_at, find_zone("UTC")), "UTC", None, state, None)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0, "at the same instant as night makes it armed_night"), (12, "only 12m after night makes it armed_night")],
)
def test_a_disarm_soon_after_an_arm_is_a_conflict(minutes: int, said: str) -> None:
    """It names what is undone; and an arm soon after a disarm likewise."""
    items = [foreseen("night", "armed_night", 0), foreseen("morning", "disarmed", minutes)]
    assert [conflict for _, conflict in with_conflicts(items)] == [None, said]
    items = [foreseen("morning", "disarmed", 0), foreseen("night", "armed_night", 30)]
    assert [conflict for _, conflict in with_conflicts(items)] == [None, "only 30m after morning makes it disarmed"]


@pytest.mark.parametrize(
    "second",
    [
        foreseen("late", "disarmed", 31),
        foreseen("other", "armed_away", 5),
        foreseen("same", "armed_night", 5),
        foreseen("garage", "disarmed", 5, at="garage"),
        foreseen("skipped", "disarmed", 5, state=State.SKIPPED),
        foreseen("report", None, 5),
    ],
)
def test_what_is_late_alike_elsewhere_or_not_carried_out_is_none(second: Foreseen) -> None:
    """Half an hour is meant; another way of being armed, too; another partition has nothing to do with it."""
    items = [foreseen("night", "armed_night", 0), second]
    assert list(with_conflicts(items)) == [(items[0], None), (second, None)]


def test_what_is_undone_within_a_week_is_told_once() -> None:
    """With what does it, when it comes next, and what it undoes; what arms nothing is no part of it."""
    day = (AT // DAY) * DAY
    schedules = engine_schedules(
        the_premises(
            arming("night", NIGHT, Weekly(EVERY_DAY, "22:30", PRAGUE)),
            arming("dog", DISARMED, Weekly(["thu", "fri"], "22:45", PRAGUE)),
            arming("up", DISARMED, Weekly(EVERY_DAY, "06:30", PRAGUE)),
        )
    )
    schedules.append(Schedule("backup", Weekly(EVERY_DAY, "22:31", PRAGUE), handler="log"))
    assert list(undone_soon(schedules, day, PlanRules())) == [
        "dog/house makes house disarmed, only 15m after night/house makes it armed_night: next 2026-11-26 22:45"
    ]
    assert list(undone_soon(schedules[:1] + schedules[2:], day, PlanRules())) == []
