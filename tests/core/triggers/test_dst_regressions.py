"""Time-zone cases that broke real schedulers, each named after the public report."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from trioarm.core.instants import DAY, HOUR, MINUTE, SECOND, as_datetime, instant
from trioarm.core.triggers import Cron, Every, Once, Trigger, Weekly


def at(text: str, zone: str, fold: int = 0) -> int:
    return instant(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold))


def shown(trigger: Trigger, zone: str, start: str, end: str) -> list[str]:
    """What the wall clock shows at each occurrence in (start, end], a second pass marked with `*`."""
    found = []
    after, until = at(start, zone), at(end, zone)
    moment = trigger.next_after(after)
    while moment is not None and moment <= until:
        local = as_datetime(moment).astimezone(ZoneInfo(zone))
        found.append(local.strftime("%d %H:%M") + "*" * local.fold)
        moment = trigger.next_after(moment)
    assert trigger.count(after, until) == len(found)
    return found


def test_apscheduler_1021_half_past_every_hour_moves_on_in_the_second_pass() -> None:
    """In the second pass of 03:00 in Helsinki the next half hour is never the same instant again."""
    trigger = Cron("30 * * * *", "Europe/Helsinki")
    assert trigger.next_after(at("2017-10-29 03:45", "Europe/Helsinki", fold=1)) == at(
        "2017-10-29 04:30", "Europe/Helsinki"
    )
    assert shown(trigger, "Europe/Helsinki", "2017-10-29 02:00", "2017-10-29 05:00") == [
        "29 02:30",
        "29 03:30",
        "29 03:30*",
        "29 04:30",
    ]


def test_apscheduler_980_every_second_hour_ends_in_london() -> None:
    """Every second hour across the fold of 01:00 in London runs at 00:00, 02:00 and 04:00, once each."""
    trigger = Cron("0 */2 * * *", "Europe/London")
    assert shown(trigger, "Europe/London", "2024-10-26 23:00", "2024-10-27 05:00") == [
        "27 00:00",
        "27 02:00",
        "27 04:00",
    ]


def test_apscheduler_1059_two_in_the_morning_runs_right_after_the_gap() -> None:
    """02:00 daily in US/Eastern runs at 03:00 on the day that has no 02:00, and at 02:00 around it."""
    trigger = Cron("0 2 * * *", "US/Eastern")
    assert shown(trigger, "US/Eastern", "2013-03-09 00:00", "2013-03-12 00:00") == ["09 02:00", "10 03:00", "11 02:00"]
    assert trigger.shift_at(at("2013-03-10 03:00", "US/Eastern")) == -HOUR


def test_apscheduler_529_monday_midnight_is_not_skipped() -> None:
    """Midnight from Sunday to Thursday in US/Central includes the Monday after the change."""
    trigger = Cron("0 0 * * 0-4", "US/Central")
    assert shown(trigger, "US/Central", "2021-03-12 12:00", "2021-03-16 00:00") == ["14 00:00", "15 00:00", "16 00:00"]


def test_apscheduler_1036_every_seven_seconds_never_sees_a_zone() -> None:
    """Every 7 s goes on evenly across the change in New York."""
    trigger = Every(7)
    moment = at("2025-03-09 01:59:50", "America/New_York")
    for _ in range(5):
        following = trigger.next_after(moment)
        assert following is not None
        assert 0 < following - moment <= 7 * SECOND
        moment = following
    assert trigger.count(moment, moment + 7 * HOUR) == 3600


def test_apscheduler_372_weekly_keeps_its_wall_time() -> None:
    """A weekly time in Brussels shows the same wall time on both sides of the change: one week is an hour shorter."""
    trigger = Weekly(["mon"], "09:00", "Europe/Brussels")
    assert shown(trigger, "Europe/Brussels", "2019-03-24 12:00", "2019-04-02 00:00") == ["25 09:00", "01 09:00"]
    first = at("2019-03-25 09:00", "Europe/Brussels")
    assert trigger.next_after(first) == first + 7 * DAY - HOUR


def test_hangfire_567_every_minute_is_not_silent_for_an_hour() -> None:
    """Every minute in London is every minute, both passes of the fold included."""
    start = at("2016-10-30 00:00", "Europe/London")
    trigger = Cron("* * * * *", "Europe/London")
    assert trigger.count(start, start + 5 * HOUR) == 300
    assert all(trigger.next_after(start + step * MINUTE) == start + (step + 1) * MINUTE for step in range(300))


@pytest.mark.parametrize("expression", ["* * * * *", "0 * * * *", "30 2 * * *", "0 0 * * *", "15,45 1-3 * * *"])
@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/Chicago", "2016-03-13"),  # Hangfire 537
        ("Australia/Adelaide", "2021-04-04"),  # quantum 407
        ("America/Los_Angeles", "2022-11-06"),  # django-celery-beat 604
        ("Australia/Lord_Howe", "2023-10-01"),
        ("Australia/Lord_Howe", "2024-04-07"),
        ("Pacific/Apia", "2011-12-29"),
        ("Africa/Casablanca", "2024-03-10"),
        ("Africa/Casablanca", "2024-04-14"),
        ("Antarctica/Troll", "2024-03-31"),
        ("Antarctica/Troll", "2024-10-27"),
        ("America/Santiago", "2023-09-03"),
        ("America/Santiago", "2024-04-06"),
        ("Africa/Cairo", "2024-04-26"),
        ("Africa/Cairo", "2024-10-31"),
        ("Asia/Kathmandu", "1986-01-01"),
        ("Etc/GMT+5", "2024-03-10"),
    ],
)
def test_no_zone_stops_a_schedule(expression: str, zone: str, day: str) -> None:
    """Occurrences rise strictly, and come back the same way, on a day that ended other schedulers."""
    trigger = Cron(expression, zone)
    start = at(day, zone) - 12 * HOUR
    found = []
    moment = trigger.next_after(start)
    while moment is not None and moment <= start + 3 * DAY:
        assert moment > (found[-1] if found else start)
        found.append(moment)
        moment = trigger.next_after(moment)
    assert found
    assert trigger.count(start, start + 3 * DAY) == len(found)
    assert [trigger.previous_before(moment + 1) for moment in found] == found


def test_django_celery_beat_134_an_afternoon_time_is_not_an_hour_late() -> None:
    """16:04 daily in New York runs at 16:04 on the day of the change too."""
    trigger = Cron("4 16 * * *", "America/New_York")
    assert shown(trigger, "America/New_York", "2025-03-08 00:00", "2025-03-11 00:00") == [
        "08 16:04",
        "09 16:04",
        "10 16:04",
    ]


def test_django_celery_beat_604_every_hour_runs_in_both_passes() -> None:
    """Every hour in Los Angeles follows elapsed time through the repeated hour."""
    trigger = Cron("0 * * * *", "America/Los_Angeles")
    assert shown(trigger, "America/Los_Angeles", "2022-11-06 00:00", "2022-11-06 03:00") == [
        "06 01:00",
        "06 01:00*",
        "06 02:00",
        "06 03:00",
    ]


def test_systemd_13745_half_past_two_and_every_four_hours_is_not_silent_for_a_day() -> None:
    """In Sydney the missing 02:30 runs right after the gap, and 06:30 follows as always."""
    trigger = Cron("30 2-23/4 * * *", "Australia/Sydney")
    assert shown(trigger, "Australia/Sydney", "2019-10-05 20:00", "2019-10-06 12:00") == [
        "05 22:30",
        "06 03:00",
        "06 06:30",
        "06 10:30",
    ]


@pytest.mark.parametrize("zone", ["Europe/Prague", "Europe/Berlin", "Europe/Paris", "America/New_York"])
@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_home_assistant_114521_a_morning_disarm_is_never_an_hour_late(zone: str, year: int) -> None:
    """07:00 on weekdays is 07:00 on every weekday of March and April."""
    trigger = Weekly(["mon", "tue", "wed", "thu", "fri"], "07:00", zone)
    found = shown(trigger, zone, f"{year}-03-01 00:00", f"{year}-04-30 23:59")
    assert {text[3:] for text in found} == {"07:00"}
    assert found == shown(Cron("0 7 * * 1-5", zone), zone, f"{year}-03-01 00:00", f"{year}-04-30 23:59")


def test_home_assistant_114612_a_time_in_the_gap_is_not_lost() -> None:
    """02:00 daily in Prague runs at 03:00 where the gap took it, and tells by how much it was moved."""
    trigger = Weekly(["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "02:00", "Europe/Prague")
    assert shown(trigger, "Europe/Prague", "2026-03-28 00:00", "2026-03-31 00:00") == [
        "28 02:00",
        "29 03:00",
        "30 02:00",
    ]
    assert trigger.shift_at(at("2026-03-29 03:00", "Europe/Prague")) == -HOUR


def test_home_assistant_166783_a_time_in_the_fold_runs_once() -> None:
    """02:30 daily in Prague runs in the first pass of the repeated hour only."""
    trigger = Cron("30 2 * * *", "Europe/Prague")
    assert shown(trigger, "Europe/Prague", "2026-10-24 12:00", "2026-10-27 00:00") == ["25 02:30", "26 02:30"]


def test_apscheduler_1066_a_clock_set_to_2200_costs_no_memory() -> None:
    """What came due in 174 years is counted, not listed."""
    start, end = at("2026-01-01 00:00", "UTC"), at("2200-01-01 00:00", "UTC")
    minutes = (end - start) // MINUTE
    assert Cron("* * * * *", "UTC").count(start, end) == minutes
    assert Every(60).count(start, end) == minutes
    assert Cron("* * * * *", "Europe/Prague").count(start, end) == minutes
    assert Cron("0 12 * * *", "Europe/Prague").count(start, end) == (end - start) // DAY


def test_once_means_one_instant_whatever_the_zone() -> None:
    """A single date in the second pass of a fold is that pass."""
    moment = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Prague"), fold=1)
    assert Once(moment).next_after(0) == at("2026-10-25 01:30", "UTC")


def test_apia_lost_a_day_and_what_was_meant_for_it_runs_once_when_it_ends() -> None:
    """Times meant for 30 December 2011 in Apia collapse onto its end, one occurrence with midnight itself."""
    assert shown(Cron("0 12 * * *", "Pacific/Apia"), "Pacific/Apia", "2011-12-29 00:00", "2012-01-01 00:00") == [
        "29 12:00",
        "31 00:00",
        "31 12:00",
    ]
    midnight = Cron("0 0,6,12 * * *", "Pacific/Apia")
    assert shown(midnight, "Pacific/Apia", "2011-12-29 11:00", "2011-12-31 07:00") == [
        "29 12:00",
        "31 00:00",
        "31 06:00",
    ]
    assert midnight.shift_at(at("2011-12-31 00:00", "Pacific/Apia")) == 0


def test_a_gap_at_midnight_does_not_lose_the_day() -> None:
    """Midnight daily runs at 01:00 where midnight does not exist: Santiago and Cairo."""
    assert shown(Cron("0 0 * * *", "America/Santiago"), "America/Santiago", "2023-09-02 12:00", "2023-09-04 12:00") == [
        "03 01:00",
        "04 00:00",
    ]
    assert shown(Cron("0 0 * * *", "Africa/Cairo"), "Africa/Cairo", "2024-04-25 12:00", "2024-04-27 12:00") == [
        "26 01:00",
        "27 00:00",
    ]
    assert shown(Cron("0 0 * * 5", "Africa/Cairo"), "Africa/Cairo", "2024-04-25 12:00", "2024-04-27 12:00") == [
        "26 01:00"
    ]


def test_lord_howe_moves_by_half_an_hour() -> None:
    """02:15 in Lord Howe's gap of thirty minutes runs at 02:30, a quarter of an hour off."""
    trigger = Cron("15 2 * * *", "Australia/Lord_Howe")
    assert shown(trigger, "Australia/Lord_Howe", "2023-09-30 12:00", "2023-10-02 12:00") == ["01 02:30", "02 02:15"]
    assert trigger.shift_at(at("2023-10-01 02:30", "Australia/Lord_Howe")) == -15 * MINUTE


def test_troll_moves_by_two_hours() -> None:
    """Hourly fixed times that Troll's gap of two hours takes are one occurrence at its end."""
    trigger = Cron("30 0,1,2,3 * * *", "Antarctica/Troll")
    assert shown(trigger, "Antarctica/Troll", "2024-03-31 00:00", "2024-03-31 12:00") == [
        "31 00:30",
        "31 03:00",
        "31 03:30",
    ]
    assert trigger.shift_at(at("2024-03-31 03:00", "Antarctica/Troll")) == -30 * MINUTE


def test_casablanca_changes_twice_around_ramadan() -> None:
    """02:30 daily in Casablanca runs once a day across both changes of 2024."""
    trigger = Cron("30 2 * * *", "Africa/Casablanca")
    found = shown(trigger, "Africa/Casablanca", "2024-03-08 00:00", "2024-04-16 00:00")
    assert len(found) == 39
    assert [text for text in found if not text.endswith("02:30")] == ["14 03:00"]
