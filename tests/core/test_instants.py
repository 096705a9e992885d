from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidInstant
from trioarm.core.instants import (
    DAY,
    EARLIEST,
    HOUR,
    LATEST,
    SECOND,
    as_datetime,
    instant,
    localised,
    microseconds,
    parse_duration,
    parse_instant,
    render_duration,
    render_instant,
)

_instants = st.integers(EARLIEST, LATEST)


@given(_instants)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_an_instant_survives_every_form(at: int) -> None:
    """As a datetime and as text, an instant is the same to the microsecond, from the year 1 to the year 9999."""
    assert instant(as_datetime(at)) == at
    assert parse_instant(render_instant(at)) == at
    assert render_instant(at).endswith("Z")


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001
@settings(max_examples=200, deadline=None, derandomize=True)
def test_an_offset_is_taken_off(wall: datetime, minutes: int) -> None:
    """Whatever offset a time is written with, it names the instant in UTC."""
    moment = wall.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = wall.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    assert as_datetime(instant(moment)) == expected
    assert parse_instant(moment.isoformat()) == instant(moment)


def test_what_names_no_instant_is_refused() -> None:
    """Naive times, numbers of the wrong kind and years that no clock shows are refused, and it is said why."""
    with pytest.raises(InvalidInstant, match="has no UTC offset, so it names no instant: give it one"):
        instant(datetime(2026, 1, 1))  # noqa: DTZ001
    for value in (True, 1.5, "now", None):
        with pytest.raises(InvalidInstant, match="is no instant: give an aware datetime"):
            instant(value)  # type: ignore[arg-type]
    for value in (EARLIEST - 1, LATEST + 1):
        with pytest.raises(InvalidInstant, match="lie outside the years 1 to 9999"):
            instant(value)


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z"])
def test_text_that_is_no_time_is_refused(text: str) -> None:
    """The refusal shows how to write one."""
    with pytest.raises(InvalidInstant, match="is no ISO 8601 time: write it like"):
        parse_instant(text)
    with pytest.raises(InvalidInstant, match="2026-01-01 has no UTC offset, so it names no instant: write"):
        parse_instant("2026-01-01")


@given(st.integers(0, 400 * DAY // 1000).map(lambda milliseconds: milliseconds / 1000))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_duration_is_read_back(seconds: float) -> None:
    """Down to the millisecond, what is written is what is read."""
    assert parse_duration(render_duration(seconds)) == pytest.approx(seconds, abs=1e-6)
    assert render_duration(-seconds) == ("-" if seconds else "") + render_duration(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (90, "1m30s"), (0.25, "250ms"), (86400, "1d"), (90061.5, "1d1h1m1s500ms"), (0.000_25, "0.00025s")],
)
def test_a_duration_is_written_as_people_do(seconds: float, text: str) -> None:
    """Units that count nothing are left out; only what has no whole milliseconds is a fraction."""
    assert render_duration(seconds) == text
    assert render_duration(-seconds) == (f"-{text}" if seconds else text)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5m!", "1h,5m", "1.s"])
def test_text_that_is_no_duration_is_refused(text: str) -> None:
    """A number needs its unit, and nothing may stand between or after."""
    with pytest.raises(ValueError, match="is no duration: write it like 90s, 5m, 2h, 1h30m or 1d"):
        parse_duration(text)


def test_microseconds_are_rounded() -> None:
    """A duration that is no number of them is brought to the nearest one; what is infinite has none."""
    assert [microseconds(seconds) for seconds in (1, 0.000_000_6, 3600.0, -1.5)] == [SECOND, 1, HOUR, -1_500_000]
    for seconds in (inf, -inf, nan):
        with pytest.raises(ValueError, match="is no duration"):
            microseconds(seconds)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("due at 2026-11-24T03:01:00Z, late", "due at <1795489260000000>, late"),
        ("2026-11-24T03:01:00.5Z", "<1795489260500000>"),
        ("from 2026-11-24T03:01:00Z/2026-11-24T03:01:00Z", "from <1795489260000000>/<1795489260000000>"),
        ("retry night@2026-11-24T03:01:00Z", "retry night@2026-11-24T03:01:00Z"),
        ("2026-11-24T03:01:00Zulu x2026-11-24T03:01:00Z", "2026-11-24T03:01:00Zulu x2026-11-24T03:01:00Z"),
        ("2026-13-24T03:01:00Z and 2026-11-24", "2026-13-24T03:01:00Z and 2026-11-24"),
    ],
)
def test_instants_in_a_text_are_shown_as_people_read_them(text: str, read: str) -> None:
    """Those of readable ids stay what they are, for they are typed again; and so does what is no instant."""
    assert localised(text, lambda at: f"<{at}>") == read
