from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidInstant, InvalidTrigger
from trioarm.core.instants import EARLIEST, LATEST, SECOND, instant, microseconds
from trioarm.core.triggers import After, Every, Once

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

instants = st.integers(EARLIEST, LATEST)
periods = st.floats(0.001, 1e6)


def test_once_happens_once() -> None:
    """A single date is next until it is reached, and previous after it."""
    at = instant(NOON)
    trigger = Once(NOON)
    assert trigger == Once(at)
    assert (trigger.next_after(at - 1), trigger.next_after(at)) == (at, None)
    assert (trigger.previous_before(at), trigger.previous_before(at + 1)) == (None, at)
    assert (trigger.count(at - 1, at), trigger.count(at, at + 1)) == (1, 0)
    assert trigger.shift_at(at) == 0
    assert trigger.describe() == "once at 2026-11-23T12:00:00Z"


def test_once_refuses_a_naive_datetime() -> None:
    """A datetime without an offset names no instant."""
    with pytest.raises(InvalidInstant, match="has no UTC offset"):
        Once(datetime(2026, 11, 23, 12))  # noqa: DTZ001 - naive on purpose


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_once_refuses_what_utc_cannot_show(at: str) -> None:
    """An instant lies in the years 1 to 9999 in UTC, whatever year its own zone shows."""
    with pytest.raises(InvalidInstant, match="outside the years 1 to 9999"):
        Once(datetime.fromisoformat(at))


@settings(max_examples=100, deadline=None)
@given(period_s=periods, anchor=instants, at=instants, steps=st.integers(0, 50))
def test_every_is_a_grid(period_s: float, anchor: int, at: int, steps: int) -> None:
    """Each occurrence follows the one before by the period, forwards, backwards and counted, and the anchor is one."""
    trigger, period = Every(period_s, anchor=anchor), microseconds(period_s)
    following = trigger.next_after(at)
    if following is None:
        assert at > LATEST - period
        return
    assert at < following <= at + period
    assert (following - anchor) % period == 0
    assert trigger.previous_before(following + 1) == following
    assert trigger.count(at, following) == 1
    end = min(following + steps * period, LATEST)
    assert trigger.count(at, end) == 1 + (end - following) // period


@settings(max_examples=100, deadline=None)
@given(period_s=periods, anchor=instants, far=st.integers(-30, 30))
def test_the_same_grid_is_the_same_trigger(period_s: float, anchor: int, far: int) -> None:
    """Any point of a grid may be its anchor; a restart or another spelling changes nothing."""
    other = min(max(anchor + far * microseconds(period_s), EARLIEST), LATEST)
    moved = Every(period_s, anchor=anchor) == Every(period_s, anchor=other)
    assert moved == ((other - anchor) % microseconds(period_s) == 0)


def test_every_counts_from_1970_by_default() -> None:
    """Without an anchor, every hour is the full hour in UTC."""
    assert Every(3600).next_after(instant(NOON) + 1) == instant(NOON) + 3600 * SECOND
    assert Every(3600) == Every(3600.0, anchor=datetime(2000, 1, 1, tzinfo=UTC))
    assert hash(Every(3600)) == hash(Every(3600, anchor=instant(NOON)))


def test_every_ends_with_the_years() -> None:
    """Nothing happens outside the years 1 to 9999, and asking outside them is answered at their edge."""
    trigger = Every(60)
    assert trigger.next_after(LATEST) is None
    assert trigger.previous_before(EARLIEST) is None
    assert trigger.next_after(-(10**30)) == EARLIEST
    assert trigger.previous_before(10**30) == LATEST + 1 - 60 * SECOND
    assert trigger.count(10, 10) == trigger.count(10**30, 10**31) == trigger.count(100, 0) == 0
    assert trigger.count(-(10**30), 10**30) == (LATEST + 1 - EARLIEST) // (60 * SECOND)


def test_every_depends_on_no_zone() -> None:
    """A grid has no gaps to fall into."""
    assert Every(10).shift_at(0) == 0


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        (Every(10), "every 10 s"),
        (Every(5400), "every 1 h 30 min"),
        (Every(0.25), "every 250 ms"),
        (Every(86_400 * 2 + 1e-6), "every 2 d 1 us"),
        (Every(60, anchor=datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC)), "every 1 min counted from 2026-01-01T00:00:07Z"),
        (After(300), "5 min after the previous run ends"),
    ],
)
def test_rates_read_as_english(trigger: Every | After, text: str) -> None:
    """A rate describes itself with the units a person would use."""
    assert trigger.describe() == text


@pytest.mark.parametrize(
    "period",
    [
        0,
        -1,
        float("nan"),
        float("inf"),
        0.0009,
        1e12,
        True,
        "10",
        None,
        pytest.param(10**5000, id="huge"),
        "x" * 99,
        [1],
    ],
)
@pytest.mark.parametrize("kind", [Every, After])
def test_a_period_outside_its_bounds_is_refused_in_one_line(kind: type[Every] | type[After], period: object) -> None:
    """Zero, negative, endless, or no number at all: the message says what would be right."""
    with pytest.raises(InvalidTrigger, match=r"^[^\n]{,60} is no duration in seconds from 0\.001 to 316224000") as info:
        kind(period)
    assert len(str(info.value)) < 140


def test_after_waits_for_the_end_of_a_run() -> None:
    """A fixed delay has no occurrences of its own; anchored it is the one instant that follows."""
    trigger = After(90)
    assert trigger.next_after(0) is None
    assert trigger.previous_before(LATEST) is None
    assert trigger.count(EARLIEST, LATEST) == 0
    assert trigger.shift_at(0) == 0
    assert trigger.anchored(1_000) == Once(1_000 + 90 * SECOND)


def test_after_ends_with_the_years() -> None:
    """A delay that would end after the year 9999 never does."""
    trigger = After(90)
    assert trigger.anchored(LATEST - SECOND) is trigger
