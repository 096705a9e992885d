"""The desired state of a partition: what its timeline says now (A1.6)."""

from __future__ import annotations

import attrs

from tests.arming.premises import AWAY, DISARMED, EVENING, HOME, NIGHT, a_partition, arming, the_premises
from tests.making import a_record
from trioarm.arming.compile import engine_schedules
from trioarm.arming.model import ArmingSchedule, Target
from trioarm.arming.timeline import desired, next_opening
from trioarm.core.instants import HOUR, SECOND, parse_instant
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Union, Weekly

VACATION = Target.ARMED_VACATION
DAWN = Weekly(["mon"], "05:00", "Europe/Prague")


def compiled(*schedules: ArmingSchedule) -> list[Schedule]:
    """Return the engine schedules of `house` and `garage`."""
    return engine_schedules(the_premises(*schedules, partitions=(a_partition("house"), a_partition("garage"))))


def target_of(schedules: list[Schedule], now: int, partition: str = "house") -> Target | None:
    """Return what a partition should be at `now`."""
    found = desired(schedules, partition, now)
    return None if found is None else found.target


def test_the_last_occurrence_of_the_partition_counts() -> None:
    """Others' occurrences do not, and before the first there is none."""
    schedules = compiled(
        arming("night", NIGHT, 10), arming("away", AWAY, 20, "garage"), arming("morning", DISARMED, 30)
    )
    assert target_of(schedules, EVENING) is None
    assert target_of(schedules, EVENING + 10 * SECOND) is NIGHT
    assert target_of(schedules, EVENING + 29 * SECOND) is NIGHT
    assert target_of(schedules, EVENING + 30 * SECOND) is DISARMED
    assert target_of(schedules, EVENING + HOUR, "garage") is AWAY


def test_equal_instants_are_ordered_as_they_are_planned() -> None:
    """Priority, then what is more specific, then what protects more, then name (A4.4)."""
    nightly = Weekly(["mon"], "23:00:10", "Europe/Prague")
    now = EVENING + HOUR
    assert target_of(compiled(arming("a", HOME, 10, priority=6), arming("b", NIGHT, 10)), now) is HOME
    assert target_of(compiled(arming("a", HOME, 10), arming("b", NIGHT, nightly)), now) is HOME
    assert target_of(compiled(arming("a", NIGHT, nightly), arming("b", HOME, Union([nightly, DAWN]))), now) is NIGHT
    assert target_of(compiled(arming("a", VACATION, nightly), arming("b", AWAY, Union([nightly, DAWN]))), now) is AWAY


def test_local_times_collapsed_by_a_gap_keep_their_order() -> None:
    """02:15 and 02:45 do not exist on that morning; both run at 03:00, and the one meant later counts (S4.4)."""
    schedules = compiled(
        arming("b-first", NIGHT, Weekly(["sun"], "02:15", "Europe/Prague")),
        arming("a-second", HOME, Weekly(["sun"], "02:45", "Europe/Prague")),
    )
    assert target_of(schedules, parse_instant("2026-03-29T01:00:00Z")) is HOME


def test_only_what_is_enabled_and_between_start_and_end_counts() -> None:
    """A schedule that has ended no longer speaks for later instants, but still for its own."""
    night, morning = compiled(arming("night", NIGHT, 10), arming("morning", DISARMED, 30))
    now = EVENING + HOUR
    assert target_of([night, attrs.evolve(morning, enabled=False)], now) is NIGHT
    assert target_of([night, attrs.evolve(morning, end_at=EVENING)], now) is NIGHT
    assert target_of([night, attrs.evolve(morning, start_at=now)], now) is NIGHT
    assert target_of([night, attrs.evolve(morning, end_at=EVENING + HOUR)], now) is DISARMED


def test_the_next_opening_is_the_first_disarm_of_the_partition() -> None:
    """Arms, other partitions and what lies before do not count; what was decided meanwhile does."""
    schedules = compiled(
        arming("night", NIGHT, 50),
        arming("garage", DISARMED, 60, "garage"),
        arming("past", DISARMED, 10),
        arming("late", DISARMED, 3600),
        arming("early", DISARMED, Weekly(["tue"], "00:00", "Europe/Prague")),
    )
    records = [a_record(schedule, key=key, cursor_at=EVENING + 2 * HOUR) for key, schedule in enumerate(schedules)]
    assert next_opening(records, "house", EVENING + 10 * SECOND) == parse_instant("2026-11-23T23:00:00Z")
    assert next_opening(records[:4], "house", EVENING + 10 * SECOND) == EVENING + HOUR
    assert next_opening(records[:4], "house", EVENING + HOUR) is None
    assert next_opening(records, "cabin", EVENING) is None
