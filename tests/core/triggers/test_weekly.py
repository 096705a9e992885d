from __future__ import annotations

import pytest

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import parse_instant, render_instant
from trioarm.core.triggers import Weekly
from trioarm.core.triggers.civil import Fold, Gap


def test_days_and_times_are_kept_in_one_spelling() -> None:
    """However days and times are written, equal rules are equal triggers."""
    trigger = Weekly(["Sunday", "MON", "mon", " tue "], ["22:30", "6:05:00", "06:05"], "Europe/Prague")
    assert (trigger.days, trigger.at) == (("mon", "tue", "sun"), ("06:05", "22:30"))
    assert trigger == Weekly(["mon", "tue", "sun"], ("06:05", "22:30"), "Europe/Prague")
    assert hash(trigger) == hash(Weekly(["mon", "tue", "sun"], ["06:05", "22:30"], "Europe/Prague"))
    assert trigger != Weekly(["mon", "tue", "sun"], ["06:05", "22:30"], "Europe/Vienna")


def test_a_lone_day_or_time_needs_no_list() -> None:
    """A text is one day or one time, not a list of letters."""
    assert Weekly("fri", "12:00:30").next_after(parse_instant("2026-11-23T00:00:00Z")) == parse_instant(
        "2026-11-27T12:00:30Z"
    )


def test_policies_may_be_words() -> None:
    """A policy is understood as the word that configuration uses."""
    trigger = Weekly(["sun"], "02:30", "Europe/Prague", gap=Gap("skip"), fold=Fold("both"))
    day = parse_instant("2026-10-25T00:00:00Z")
    assert render_instant(trigger.next_after(day) or 0) == "2026-10-25T00:30:00Z"
    assert trigger.count(day, parse_instant("2026-10-25T12:00:00Z")) == 2
    gap = parse_instant("2026-03-29T00:00:00Z")
    assert trigger.count(gap, parse_instant("2026-03-29T12:00:00Z")) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], "12:00"), r"days must be one or more texts: write them like \[\"mon\", \"tue\"\]"),
        ((["mon"], []), "at must be one or more texts"),
        (([1], "12:00"), "days must be one or more texts"),
        ((["mon"], 1230), "at must be one or more texts"),
        ((["someday"], "12:00"), "'someday' is no day of the week: write mon, tue"),
        ((["mon"], "24:00"), "'24:00' is no time of day: write it like 22:30 or 22:30:15"),
        ((["mon"], "12:60"), "no time of day"),
        ((["mon"], "12:00:60"), "no time of day"),
        ((["mon"], "noon"), "'noon' is no time of day"),
        ((["mon"], "١٢:٠٠"), "no time of day"),
        ((["mon"], ["12:00"] * 1441), "1441 times a day are too many: at most 1440"),
        ((["mon"], "12:00", "Mars/Olympus"), "time zone 'Mars/Olympus' is unknown"),
    ],
)
def test_what_is_not_understood_is_refused(arguments: tuple[object, ...], message: str) -> None:
    """The message quotes the text and shows what would be right."""
    with pytest.raises(InvalidTrigger, match=message):
        Weekly(*arguments)


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        (
            Weekly(["mon", "tue", "wed", "thu", "sun"], "22:30", "Europe/Prague"),
            "mon to thu and sun at 22:30 in Europe/Prague",
        ),
        (Weekly(["sat", "sun"], ["06:30", "22:30:15"]), "sat and sun at 06:30 and 22:30:15 in UTC"),
        (
            Weekly(["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "07:00", "Europe/Prague", dst=False),
            "every day at 07:00 in Europe/Prague without daylight saving",
        ),
        (
            Weekly(["mon"], [f"{hour:02}:{hour:02}" for hour in range(9)]),
            "mon at 00:00, 01:01, 02:02, 03:03, 04:04 and 4 more times in UTC",
        ),
    ],
)
def test_a_weekly_trigger_reads_as_english(trigger: Weekly, text: str) -> None:
    """Days come first, neighbours as a range, then times, then the zone."""
    assert trigger.describe() == text
