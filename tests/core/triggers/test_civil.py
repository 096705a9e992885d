from __future__ import annotations

import pickle
from copy import deepcopy
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import HOUR, MINUTE, instant, parse_instant
from trioarm.core.triggers import Cron, Weekly
from trioarm.core.triggers.civil import Fold, Gap, resolve
from trioarm.core.triggers.zones import changes_around, find_zone

EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def local(text: str) -> int:
    return instant(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (Gap.RUN_AFTER, ["2026-03-29T01:00:00Z"]),
        (Gap.SHIFT, ["2026-03-29T01:30:00Z"]),
        (Gap.SKIP, []),
    ],
)
def test_a_local_time_in_a_gap_follows_its_policy(gap: Gap, expected: list[str]) -> None:
    """02:30 in Prague's gap runs at its end, as if there were no gap, or not at all."""
    found = resolve(find_zone("Europe/Prague"), local("2026-03-29T02:30"), gap, Fold.FIRST)
    assert list(found) == [parse_instant(text) for text in expected]


@pytest.mark.parametrize(
    ("fold", "expected"),
    [
        (Fold.FIRST, ["2026-10-25T00:30:00Z"]),
        (Fold.SECOND, ["2026-10-25T01:30:00Z"]),
        (Fold.BOTH, ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
    ],
)
def test_a_local_time_in_a_fold_follows_its_policy(fold: Fold, expected: list[str]) -> None:
    """02:30 in Prague's fold runs in the first pass, the second, or both."""
    found = resolve(find_zone("Europe/Prague"), local("2026-10-25T02:30"), Gap.RUN_AFTER, fold)
    assert list(found) == [parse_instant(text) for text in expected]


def test_without_daylight_saving_there_is_neither_gap_nor_fold() -> None:
    """Summer's local times are standard time, and the missing and the repeated hour are ordinary."""
    zone = find_zone("Europe/Prague", dst=False)
    for text in ("2026-03-29T02:30", "2026-07-01T12:00", "2026-10-25T02:30"):
        assert resolve(zone, local(text), Gap.SKIP, Fold.BOTH) == (local(text) - HOUR,)
        assert zone.to_local(local(text) - HOUR) == local(text)
    assert resolve(find_zone("Europe/Dublin", dst=False), local("2026-07-01T12:00"), Gap.SKIP, Fold.BOTH) == (
        local("2026-07-01T12:00"),
    )


def test_without_daylight_saving_clocks_are_put_right_at_new_year_only() -> None:
    """A zone that took another standard time during a year takes it from the next new year on."""
    zone = find_zone("Asia/Kathmandu", dst=False)  # +05:30 until 1986, +05:45 from then
    new_year = parse_instant("1985-12-31T18:30:00Z")
    assert zone.to_local(new_year - 1) == local("1986-01-01T00:00") - 1
    assert zone.to_local(new_year) == local("1986-01-01T00:15")
    assert resolve(zone, local("1986-01-01T00:05"), Gap.RUN_AFTER, Fold.FIRST) == (new_year,)


def test_the_shift_of_an_occurrence_is_the_latest_time_that_a_gap_moved_there() -> None:
    """02:15 and 02:45 collapse onto 03:00; 02:45 counts, unless 03:00 itself is meant as well."""
    end_of_gap = parse_instant("2026-03-29T01:00:00Z")
    assert Weekly(EVERY_DAY, ["02:15", "02:45"], "Europe/Prague").shift_at(end_of_gap) == -15 * MINUTE
    assert Weekly(EVERY_DAY, ["02:15", "03:00"], "Europe/Prague").shift_at(end_of_gap) == 0
    assert Weekly(EVERY_DAY, ["02:15"], "Europe/Prague").shift_at(end_of_gap + MINUTE) == 0


def test_a_shifted_occurrence_says_by_how_much() -> None:
    """Under `shift` each time of the gap is an hour off, except where the shown time is meant as well."""
    at = parse_instant("2026-03-29T01:30:00Z")  # shows 03:30
    assert Weekly(EVERY_DAY, "02:30", "Europe/Prague", gap=Gap.SHIFT).shift_at(at) == -HOUR
    assert Weekly(EVERY_DAY, ["02:30", "03:30"], "Europe/Prague", gap=Gap.SHIFT).shift_at(at) == 0
    assert Weekly(EVERY_DAY, "02:30", "Europe/Prague", gap=Gap.SHIFT).shift_at(at + MINUTE) == 0


def test_shifted_times_interleave_with_those_after_the_gap() -> None:
    """Under `shift` 02:30 runs between 03:00 and 04:00 of the clock after the gap, in both directions."""
    trigger = Weekly(["sun"], ["02:30", "03:00", "04:00"], "Europe/Prague", gap=Gap.SHIFT)
    shown = [parse_instant(f"2026-03-29T{utc}:00Z") for utc in ("01:00", "01:30", "02:00")]
    assert [trigger.next_after(at - 1) for at in shown] == shown
    assert [trigger.next_after(at) for at in shown[:2]] == shown[1:]
    assert [trigger.previous_before(at + 1) for at in shown] == shown
    assert [trigger.previous_before(at) for at in shown[1:]] == shown[:2]
    assert trigger.count(shown[0] - 1, shown[2]) == 3


def test_what_is_no_occurrence_has_no_shift() -> None:
    """The silent pass of a fold and any other instant answer zero."""
    trigger = Cron("30 2 * * *", "Europe/Prague")
    assert trigger.shift_at(parse_instant("2026-10-25T01:30:00Z")) == 0
    assert trigger.shift_at(parse_instant("2026-07-01T00:30:00Z")) == 0
    assert trigger.shift_at(parse_instant("2026-07-01T00:31:00Z")) == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Europe/Pargue", "time zone 'Europe/Pargue' is unknown: did you mean Europe/Prague?"),
        ("europe/prague", "did you mean Europe/Prague?"),
        ("Prague", "did you mean Europe/Prague?"),
        ("", "time zone '' is unknown: write one like Europe/Prague"),
        ("../etc/passwd", "is unknown"),
        ("/etc/passwd", "is unknown"),
        ("Europe", "is unknown"),
        ("a\0b", "is unknown"),
        ("\ud800", "is unknown"),
        ("two\nlines", "is unknown"),
        ("x" * 5000, "is unknown"),
        (None, "time zone None is no text"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_nearest_name(name: str, message: str) -> None:
    """Whatever is wrong with a zone's name, the answer is one line."""
    with pytest.raises(InvalidTrigger) as info:
        find_zone(name)
    assert message in str(info.value)
    assert "\n" not in str(info.value)
    assert len(str(info.value)) < 150


@pytest.mark.parametrize("name", ["America/Boa_Vista", "Asia/Gaza", "Africa/Tunis", "Europe/Vienna", "Europe/Riga"])
def test_no_change_of_offset_is_overlooked(name: str) -> None:
    """Offsets agree with the tz database every few hours, in the zones that kept an offset for days only."""
    zone, info = find_zone(name), ZoneInfo(name)
    for year in (1943, 1944, 1945, 2000, 2040, 2054):
        for hour in range(0, 366 * 24, 5):
            at = parse_instant(f"{year}-01-01T00:00:00Z") + hour * HOUR
            offset = datetime.fromtimestamp(at // 1_000_000, info).utcoffset()
            assert offset is not None
            assert zone.to_local(at) - at == offset.total_seconds() * 1_000_000


def test_values_survive_copying_and_pickling() -> None:
    """A trigger that went to another process or was copied is the same trigger."""
    trigger = Cron("30 2 * * *", "Europe/Prague")
    for other in (deepcopy(trigger), pickle.loads(pickle.dumps(trigger))):
        assert other == trigger
        assert hash(other) == hash(trigger)
        assert other.next_after(0) == trigger.next_after(0)


def test_changes_are_searched_once_and_kept_within_a_bound() -> None:
    """The cache of eras has a limit."""
    limit = changes_around.cache_parameters()["maxsize"]
    assert limit is not None
    assert limit <= 4096
