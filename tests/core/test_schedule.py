from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import HOUR, MINUTE, NOW, SECOND, a_record, a_schedule
from trioarm.core.errors import InvalidInstant, InvalidSchedule
from trioarm.core.instants import as_datetime
from trioarm.core.record import Pause, ScheduleState, StoredSchedule
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.schedule import TAGS_MAX, Delivery, Misfire, Overlap, Schedule, check_name
from trioarm.core.triggers import After, Every, Once


def test_the_defaults_are_what_a_careful_operator_would_choose() -> None:
    """A schedule that says nothing runs at least once, late only the newest, never over itself."""
    schedule = Schedule("nightly", Every(60), handler="work")
    assert (schedule.misfire, schedule.overlap, schedule.delivery) == (
        Misfire.LATEST,
        Overlap.SKIP,
        Delivery.AT_LEAST_ONCE,
    )
    assert (schedule.priority, schedule.args, schedule.tags, schedule.enabled) == (5, {}, (), True)
    assert schedule.precedence == 0
    unset = (schedule.tolerance_s, schedule.misfire_window_s, schedule.timeout_s, schedule.retry, schedule.max_runs)
    assert unset == (None,) * 5
    assert (schedule.lane, schedule.supersede, schedule.owner, schedule.start_at, schedule.end_at) == (
        None,
        False,
        None,
        None,
        None,
    )


@pytest.mark.parametrize("name", ["a", "0", "arm-night", "file/arm.night_2", "a" * 63])
def test_names_that_are_names(name: str) -> None:
    """A small letter or digit, and up to 62 more with dots, dashes, underlines and slashes (S2.4)."""
    assert check_name(name, "schedule") == name
    assert a_schedule(name).name == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a\n", "ä", "a" * 64, "a@b", ".a", None, 7])
def test_names_that_are_none(name: Any) -> None:
    """Anything else is refused, and the message shows the rule."""
    with pytest.raises(InvalidSchedule, match="starts with a small letter or digit"):
        a_schedule(name)


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ({"handler": ""}, "no name of a handler"),
        ({"handler": "x" * 256}, "no name of a handler"),
        ({"handler": None}, "no name of a handler"),
        ({"priority": -1}, "priority is -1: it must lie between 0 and 9"),
        ({"priority": 10}, "priority is 10"),
        ({"precedence": 1000, "supersede": True, "lane": "a"}, "precedence is 1000: it must lie between 0 and 999"),
        ({"precedence": "high", "supersede": True, "lane": "a"}, "precedence is 'high': it must be a whole number"),
        ({"precedence": 1}, "precedence has no meaning without supersede: leave one of the two out"),
        ({"lane": "My House"}, "lane 'My House'"),
        ({"supersede": True}, "supersede needs a lane"),
        ({"max_runs": 0}, "max_runs is 0: it must be at least 1"),
        ({"max_runs": 2.0}, r"max_runs is 2\.0: it must be a whole number, such as 5"),
        ({"max_runs": True}, "max_runs is True: it must be a whole number"),
        ({"max_runs": "3"}, "max_runs is '3': it must be a whole number"),
        ({"max_runs": -(10**5000)}, "max_runs is that number: it must be at least 1"),
        ({"priority": 5.0}, r"priority is 5\.0: it must be a whole number"),
        ({"priority": "high"}, "priority is 'high': it must be a whole number"),
        ({"priority": False}, "priority is False: it must be a whole number"),
        ({"priority": None}, "priority is None: it must be a whole number"),
        ({"tolerance_s": "5m"}, "tolerance_s is '5m': it must be a number of seconds, such as 90.0"),
        ({"misfire_window_s": True}, "misfire_window_s is True: it must be a number of seconds"),
        ({"timeout_s": "x" * 99}, r"timeout_s is 'xxx[x]+\.\.\.: it must be a number of seconds"),
        ({"timeout_s": [1]}, r"timeout_s is \[1\]: it must be a number of seconds"),
        ({"start_at": NOW, "end_at": NOW - 1}, "end lies before start"),
        ({"tolerance_s": -1.0}, "tolerance_s is -1.0: it must lie between 0 and 86400"),
        ({"tolerance_s": 86401.0}, "tolerance_s"),
        ({"tolerance_s": float("nan")}, "tolerance_s is nan"),
        ({"misfire_window_s": -0.5}, "misfire_window_s"),
        ({"misfire_window_s": 367 * 86400.0}, "misfire_window_s"),
        ({"timeout_s": 0.0}, "timeout_s is 0.0: it must lie between 0.001"),
        ({"timeout_s": float("inf")}, "timeout_s is inf"),
        ({"misfire": "sometimes"}, "misfire 'sometimes': it is one of latest, each, skip"),
        ({"overlap": "maybe"}, "overlap 'maybe': it is one of skip, buffer_one, buffer_latest,"),
        ({"delivery": "exactly_once"}, "delivery 'exactly_once': it is one of at_least_once, at_most_once"),
        ({"args": [1]}, "must be a mapping"),
        ({"args": {"a": {1}}}, r"args\.a: a set cannot be kept"),
        ({"tags": "night"}, "give a list of words, such as"),
        ({"tags": ["Night"]}, "tag 'Night'"),
        ({"tags": [f"t{n}" for n in range(TAGS_MAX + 1)]}, "33 tags: at most 32"),
    ],
)
def test_a_value_outside_its_bounds_is_refused(policies: dict[str, Any], message: str) -> None:
    """A schedule that exists is valid: the refusal names the field, the value and what would be right."""
    with pytest.raises(InvalidSchedule, match=message):
        a_schedule(**policies)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"max_retries": -1}, "max_retries is -1"),
        ({"max_retries": 1001}, "max_retries is 1001: it must lie between 0 and 1000"),
        ({"max_retries": 2.5}, r"max_retries is 2\.5: it must be a whole number"),
        ({"max_retries": "3"}, "max_retries is '3': it must be a whole number"),
        ({"max_retries": True}, "max_retries is True: it must be a whole number"),
        ({"max_retries": None}, "max_retries is None: it must be a whole number"),
        ({"base_s": "1s"}, "retry base_s is '1s': it must be a number of seconds"),
        ({"base_s": None}, "retry base_s is None: it must be a number of seconds"),
        ({"max_s": True}, "retry max_s is True: it must be a number of seconds"),
        ({"factor": "2"}, r"retry factor is '2': it must be a number, such as 2\.0"),
        ({"base_s": -1.0}, "retry base_s"),
        ({"max_s": float("nan")}, "retry max_s"),
        ({"factor": 0.9}, "retry factor is 0.9: it must lie between 1 and 100"),
        ({"factor": 101.0}, "retry factor"),
    ],
)
def test_a_retry_policy_is_bounded(policy: dict[str, Any], message: str) -> None:
    """Delays do not shrink from attempt to attempt and end within a year."""
    with pytest.raises(InvalidSchedule, match=message):
        RetryPolicy(**policy)


def test_the_bounds_themselves_are_allowed() -> None:
    """The least and the greatest value of each policy are valid."""
    least = a_schedule(priority=0, tolerance_s=0.0, misfire_window_s=0.0, timeout_s=0.001, max_runs=1)
    most = a_schedule(priority=9, tolerance_s=86400.0, misfire_window_s=366 * 86400.0, timeout_s=366 * 86400.0)
    assert least.timeout_s == 0.001
    assert most.priority == 9
    assert a_schedule(start_at=NOW, end_at=NOW).start_at == NOW
    assert RetryPolicy(0, 0.0, 0.0, 1.0).factor == 1.0


def test_words_become_members() -> None:
    """Policies may be given as the words that configuration files use."""
    schedule = a_schedule(misfire="each", overlap="allow", delivery="at_most_once", tags=iter(["a", "b"]))
    assert schedule.misfire is Misfire.EACH
    assert schedule.overlap is Overlap.ALLOW
    assert schedule.delivery is Delivery.AT_MOST_ONCE
    assert schedule.tags == ("a", "b")
    assert (
        a_schedule(misfire=Misfire.SKIP, overlap=Overlap.SKIP, delivery=Delivery.AT_LEAST_ONCE).misfire is Misfire.SKIP
    )


def test_instants_need_an_offset() -> None:
    """Start and end take aware datetimes or instants; naive ones are refused."""
    assert a_schedule(start_at=datetime(2026, 11, 23, 22, tzinfo=UTC), end_at=NOW + 1).start_at == NOW
    for field in ("start_at", "end_at"):
        with pytest.raises(InvalidInstant, match="no UTC offset"):
            a_schedule(**{field: datetime(2026, 11, 23, 22)})  # noqa: DTZ001


def test_args_are_a_copy() -> None:
    """A later change of the caller's mapping changes no schedule, and equal definitions are equal (S5.6)."""
    args: dict[str, Any] = {"modes": ["away"]}
    schedule = a_schedule(args=args)
    args["modes"].append("night")
    assert schedule.args == {"modes": ["away"]}
    assert schedule == a_schedule(args={"modes": ["away"]})
    assert schedule != a_schedule(args={"modes": []})


def test_a_schedule_does_not_change() -> None:
    """It is a value: a change is another schedule."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        a_schedule().priority = 9  # type: ignore[misc]


@given(st.integers(-3, 20), st.none() | st.integers(-2, 18), st.none() | st.integers(-2, 18))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_next_occurrence_lies_between_start_and_end(after: int, start: int | None, end: int | None) -> None:
    """It is the trigger's first one after the instant and not before the start, and none after the end."""
    if start is not None and end is not None and end < start:
        start, end = end, start
    start_at, end_at = (None if n is None else NOW + n * MINUTE // 2 for n in (start, end))
    schedule = a_schedule(start_at=start_at, end_at=end_at)
    expected = [
        at
        for at in range(NOW - 9 * MINUTE, NOW + 19 * MINUTE, MINUTE)
        if at > NOW + after * MINUTE // 2 and (start_at is None or at >= start_at)
    ]
    found = schedule.next_after(NOW + after * MINUTE // 2, schedule.trigger)
    assert found == (expected[0] if end_at is None or expected[0] <= end_at else None)


def test_a_schedule_without_occurrences_has_no_next_one() -> None:
    """A single instant that is over never comes again."""
    schedule = a_schedule(trigger=Once(NOW))
    assert schedule.next_after(NOW, schedule.trigger) is None
    assert schedule.next_after(NOW - 1, schedule.trigger) == NOW


def test_a_record_anchors_its_trigger() -> None:
    """A fixed delay counts from the record's anchor; other triggers are used as they are."""
    record = a_record(a_schedule(trigger=After(3600)), anchor_at=NOW)
    assert record.trigger == Once(NOW + HOUR)
    assert a_record().trigger == Every(60)
    assert (record.state, record.pause, record.removed, record.runs) == (ScheduleState.ACTIVE, None, False, 0)


def test_a_fixed_delay_begins_with_its_schedule() -> None:
    """A delay that is over before the start has its occurrence at the start; one that ends later keeps its own."""
    early = a_schedule(trigger=After(60), start_at=NOW + HOUR)
    assert early.anchored(NOW) == Once(NOW + HOUR)
    assert early.anchored(NOW + HOUR) == Once(NOW + HOUR + MINUTE)
    assert early.anchored(NOW + HOUR - MINUTE) == Once(NOW + HOUR)
    assert a_record(early, anchor_at=NOW).next_due_at == NOW + HOUR
    over = a_schedule(trigger=Once(NOW), start_at=NOW + HOUR)
    assert over.next_after(NOW - 1, over.anchored(NOW)) is None


@given(st.integers(1, 10_000), st.none() | st.integers(-9_000, 9_000), st.none() | st.integers(0, 9_000))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_fixed_delay_has_one_occurrence(delay_s: int, start_s: int | None, lasts_s: int | None) -> None:
    """Whatever its bounds: the later one of anchor plus delay and start, unless the end lies before."""
    start_at = None if start_s is None else NOW + start_s * SECOND
    end_at = None if lasts_s is None else (NOW if start_at is None else start_at) + lasts_s * SECOND
    schedule = a_schedule(trigger=After(delay_s), start_at=start_at, end_at=end_at)
    expected = max(NOW + delay_s * SECOND, NOW if start_at is None else start_at)
    found = schedule.next_after(NOW, schedule.anchored(NOW))
    assert found == (expected if end_at is None or expected <= end_at else None)
    assert schedule.next_after(expected, schedule.anchored(NOW)) is None


def test_what_people_see_of_a_schedule_is_a_copy() -> None:
    """It shows when the schedule is due next only while it is active, and does not change with the record."""
    record = a_record(runs=3)
    shown = StoredSchedule.of(record)
    assert (shown.name, shown.schedule, shown.revision, shown.runs) == ("nightly", record.schedule, 1, 3)
    assert (shown.state, shown.next_due_at, shown.pause) == (ScheduleState.ACTIVE, as_datetime(NOW), None)
    record.state, record.pause = ScheduleState.PAUSED, Pause("somebody", "holiday", NOW)
    paused = StoredSchedule.of(record)
    assert (paused.state, paused.next_due_at, paused.pause) == (ScheduleState.PAUSED, None, record.pause)
    assert shown.state is ScheduleState.ACTIVE
    record.state, record.next_due_at = ScheduleState.ACTIVE, None
    assert StoredSchedule.of(record).next_due_at is None
