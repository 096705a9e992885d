"""From declared arming schedules to what the engine runs (A1.5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arming.premises import DISARMED, NIGHT, a_partition, arming, the_premises
from trioarm.arming.compile import attempt_s, engine_schedules
from trioarm.arming.model import VirtualPanel
from trioarm.core.errors import InvalidSchedule
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.retrying import backoff_s
from trioarm.core.schedule import Delivery
from trioarm.core.triggers import Weekly


def test_one_schedule_per_partition_each_in_its_own_superseding_lane() -> None:
    """Name, lane and arguments follow the partition; trigger, tags and owner the parent."""
    trigger = Weekly(["mon"], "22:30", "Europe/Prague")
    premises = the_premises(
        arming("weeknight", NIGHT, trigger, "house", "garage", tags=["winter"], owner="file:scheduler.toml"),
        partitions=(a_partition("house"), a_partition("garage")),
    )
    house, garage = engine_schedules(premises)
    assert (house.name, garage.name) == ("weeknight/house", "weeknight/garage")
    assert (house.lane, garage.lane) == ("partition/house", "partition/garage")
    assert house.supersede
    assert garage.args == {"partition": "garage", "target": "armed_night"}
    assert (house.handler, house.trigger, house.tags, house.owner) == (
        "arm",
        trigger,
        ("winter",),
        "file:scheduler.toml",
    )


@pytest.mark.parametrize(
    ("policies", "late_disarm_s", "tolerance_s", "window_s"),
    [
        ({}, 900.0, 300.0, 900.0),
        ({"tolerance_s": 1800}, 900.0, 900.0, 900.0),
        ({"misfire_window_s": 7200}, 900.0, 300.0, 900.0),
        ({}, 0.0, 60.0, 60.0),
    ],
)
def test_a_disarm_is_never_later_than_its_limit(
    policies: dict[str, Any], late_disarm_s: float, tolerance_s: float, window_s: float
) -> None:
    """Neither tolerance nor misfire window reach beyond what A2.3 allows."""
    (schedule,) = engine_schedules(
        the_premises(arming("morning", DISARMED, 0, **policies), late_disarm_s=late_disarm_s)
    )
    assert (schedule.tolerance_s, schedule.misfire_window_s) == (tolerance_s, window_s)


def test_an_arm_applies_for_a_day_and_keeps_its_tolerance() -> None:
    """Late arms are made up for until the next opening, at most 24 hours (A2.3)."""
    (schedule,) = engine_schedules(the_premises(arming("night", NIGHT, 0, tolerance_s=120, misfire_window_s=60)))
    assert (schedule.tolerance_s, schedule.misfire_window_s) == (120, 86400)


def test_an_attempt_has_time_for_every_send() -> None:
    """The timeout exceeds three exit delays with their confirmations and gaps; a longer one stays."""
    partition = a_partition(panel=VirtualPanel(exit_delay_s=120), confirm_s=40, min_gap_s=10)
    (schedule,) = engine_schedules(the_premises(arming("night", NIGHT, 0, timeout_s=5), partitions=(partition,)))
    assert schedule.timeout_s == attempt_s(partition)
    assert attempt_s(partition) > 3 * (120 + 40 + 10)
    (schedule,) = engine_schedules(the_premises(arming("night", NIGHT, 0, timeout_s=9999), partitions=(partition,)))
    assert schedule.timeout_s == 9999


def test_retries_last_longer_than_an_arm_applies() -> None:
    """Even with the shortest delays a run outwaits an unreachable panel for a day; a person's own policy stays."""
    (schedule,) = engine_schedules(the_premises(arming("night", NIGHT, 0)))
    policy = schedule.retry
    assert policy is not None
    assert sum(backoff_s(policy, attempt, 0.0) for attempt in range(1, policy.max_retries + 1)) > 86400
    own = RetryPolicy(max_retries=1)
    (schedule,) = engine_schedules(the_premises(arming("night", NIGHT, 0, retry=own)))
    assert schedule.retry == own


def test_priorities_rise_above_ordinary_ones_and_keep_their_order() -> None:
    """Who is more urgent among arming schedules stays so (S4.4)."""

    def compiled(*priorities: int) -> list[int]:
        schedules = [arming(f"s{index}", NIGHT, index, priority=value) for index, value in enumerate(priorities)]
        return [schedule.priority for schedule in engine_schedules(the_premises(*schedules))]

    assert compiled(5) == [7]
    assert compiled(0, 5, 7) == [2, 7, 9]
    assert compiled(5, 9) == [7, 9]


def test_priorities_that_end_up_equal_keep_their_order_all_the_same() -> None:
    """Whatever stands beside them, each becomes the same, and the precedence knows what was said (A4.4)."""
    said = [arming(f"s{value}", NIGHT, 0, priority=value) for value in range(10)]
    together = engine_schedules(the_premises(*said))
    alone = [schedule for one in said for schedule in engine_schedules(the_premises(one))]
    assert together == alone
    order = [(schedule.priority, schedule.precedence) for schedule in together]
    assert order == sorted({*order})


@pytest.mark.parametrize(("schedule", "partition"), [("n" * 60, "house"), ("n", "p" * 60)])
def test_a_name_that_becomes_too_long_is_refused_clearly(schedule: str, partition: str) -> None:
    """The message shows the name that would come of it and the limit, for schedule and lane."""
    premises = the_premises(arming(schedule, NIGHT, 0, partition), partitions=(a_partition(partition),))
    with pytest.raises(InvalidSchedule, match="longer than 63 characters"):
        engine_schedules(premises)


def test_an_unknown_partition_is_refused() -> None:
    """Nothing is scheduled for what is not there."""
    with pytest.raises(InvalidSchedule, match="there is no partition 'attic'"):
        engine_schedules(the_premises(arming("night", NIGHT, 0, "attic")))


def test_disarming_needs_leave() -> None:
    """Scheduled disarming is off until the partition allows it (A2.4)."""
    premises = the_premises(arming("morning", DISARMED, 0), partitions=(a_partition(allow_disarm=False),))
    with pytest.raises(InvalidSchedule, match="allow_disarm"):
        engine_schedules(premises)


def test_arming_at_most_once_is_refused() -> None:
    """It reads before it sends and comes back after a warning or a crash: the policy would only lose arms."""
    premises = the_premises(arming("night", NIGHT, 0, delivery=Delivery.AT_MOST_ONCE))
    with pytest.raises(InvalidSchedule, match=r"night: arming .* at least once: remove delivery"):
        engine_schedules(premises)


def test_what_arms_is_never_paused_because_it_failed() -> None:
    """That would leave the house as it is, night after night: each failure has its own alert."""
    premises = the_premises(arming("night", NIGHT, 0, pause_after_failures=3))
    with pytest.raises(InvalidSchedule, match=r"^night: what arms is not paused .*: remove pause_after_failures$"):
        engine_schedules(premises)


def test_what_is_on_time_for_the_node_is_on_time_for_a_disarm() -> None:
    """The node's tolerance counts where the schedule is silent, never beyond what A2.3 allows."""
    for on_time_s, tolerance_s in ((120.0, 120.0), (1800.0, 900.0)):
        (schedule,) = engine_schedules(the_premises(arming("morning", DISARMED, 0), on_time_s=on_time_s))
        assert schedule.tolerance_s == tolerance_s
