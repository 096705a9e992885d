"""The Open Cron Pattern Specification, 1.0 (final) to 1.4 (drafts), rule by rule, and where trioarm deviates.

Its sections are named as in github.com/open-source-cron/ocps. Deviations, each with its reason, are the last class.
"""

from __future__ import annotations

import pytest

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import parse_instant, render_instant
from trioarm.core.triggers import Cron


def runs(expression: str, start: str, count: int, timezone: str = "UTC") -> list[str]:
    """The next occurrences after a start, in UTC, to the second."""
    trigger, at, found = Cron(expression, timezone), parse_instant(start), []
    for _ in range(count):
        following = trigger.next_after(at)
        assert following is not None
        found.append(render_instant(following))
        at = following
    return found


def same(one: str, other: str) -> bool:
    return Cron(one)._times == Cron(other)._times


class TestBaseline:
    """OCPS 1.0: five fields."""

    def test_white_space_around_and_between_does_not_matter(self) -> None:
        """4.1: blanks and tabs separate, however many."""
        assert same("  15\t10   1 10  * ", "15 10 1 10 *")

    @pytest.mark.parametrize(
        "expression",
        ["0 0 0 * *", "60 * * * *", "* 24 * * *", "* * 32 * *", "* * * 13 *", "* * * 0 *", "* * * * 8", "-1 * * * *"],
    )
    def test_values_outside_their_field_are_refused(self, expression: str) -> None:
        """4.2, 6.2: a number beyond its bounds is an error of the text."""
        with pytest.raises(InvalidTrigger):
            Cron(expression)

    def test_names_have_any_case_and_sunday_two_numbers(self) -> None:
        """4.2: JAN is jan; 0 and 7 are Sunday."""
        assert same("0 0 * JAN Fri", "0 0 * jan fri")
        assert same("0 0 * * 7", "0 0 * * 0")
        assert same("0 0 * * sun", "0 0 * * 0")

    @pytest.mark.parametrize("expression", ["5;10 * * * *", "a * * * *", "* * * * mon!", "0 0 1.5 * *", "_ * * * *"])
    def test_other_characters_are_refused(self, expression: str) -> None:
        """4.1, 4.3: only what the specification lists."""
        with pytest.raises(InvalidTrigger):
            Cron(expression)

    def test_a_step_belongs_to_the_range_before_it(self) -> None:
        """5, 5.1: lists are split first, then ranges, then steps count from the lowest value."""
        assert same("5-59/15 * * * *", "5,20,35,50 * * * *")
        assert same("*/15 0-4,8-12 * JAN-MAR,DEC MON-FRI", "0,15,30,45 0,1,2,3,4,8,9,10,11,12 * 1,2,3,12 1,2,3,4,5")

    def test_two_restricted_day_fields_are_or(self) -> None:
        """6.1: noon on the first, and on every Monday."""
        assert runs("0 12 1 * MON", "2026-06-29T13:00:00Z", 3) == [
            "2026-07-01T12:00:00Z",
            "2026-07-06T12:00:00Z",
            "2026-07-13T12:00:00Z",
        ]

    @pytest.mark.parametrize("expression", ["*/0 * * * *", "0-10/0 * * * *"])
    def test_a_step_of_zero_is_refused(self, expression: str) -> None:
        """6.2: it has no meaning."""
        with pytest.raises(InvalidTrigger, match="step 0"):
            Cron(expression)


class TestNicknames:
    """OCPS 1.1: predefined schedules, in any case."""

    @pytest.mark.parametrize(
        ("nickname", "expression"),
        [
            ("@yearly", "0 0 1 1 *"),
            ("@annually", "0 0 1 1 *"),
            ("@monthly", "0 0 1 * *"),
            ("@weekly", "0 0 * * 0"),
            ("@daily", "0 0 * * *"),
            ("@midnight", "0 0 * * *"),
            ("@HOURLY", "0 * * * *"),
        ],
    )
    def test_a_nickname_is_its_pattern(self, nickname: str, expression: str) -> None:
        """3.1: one means the other."""
        assert same(nickname, expression)

    def test_reboot_is_recognised_and_refused_for_what_it_is(self) -> None:
        """3.2: no error of the text, but clearly not supported."""
        with pytest.raises(InvalidTrigger, match="'@reboot' is understood but not supported"):
            Cron("@reboot")


class TestSeconds:
    """OCPS 1.2: six fields, seconds first."""

    def test_seconds_come_first_and_are_zero_where_they_are_not_given(self) -> None:
        """3.1: a pattern of five fields still means second 0."""
        assert runs("30 0 12 * * *", "2026-01-01T00:00:00Z", 1) == ["2026-01-01T12:00:30Z"]
        assert same("0 0 12 * * *", "0 12 * * *")
        assert same("@daily", "0 0 0 * * *")


class TestCalendar:
    """OCPS 1.3: L, # and W."""

    def test_l_is_the_last_day_of_the_month(self) -> None:
        """3.1: of 28, 29, 30 or 31."""
        assert runs("0 0 L * *", "2028-01-01T00:00:00Z", 4) == [
            "2028-01-31T00:00:00Z",
            "2028-02-29T00:00:00Z",
            "2028-03-31T00:00:00Z",
            "2028-04-30T00:00:00Z",
        ]

    def test_l_behind_a_weekday_is_its_last_one(self) -> None:
        """3.1: with or without the hash."""
        assert same("0 0 * * 5L", "0 0 * * FRI#L")
        assert runs("0 0 * * 5L", "2026-05-01T00:00:00Z", 2) == ["2026-05-29T00:00:00Z", "2026-06-26T00:00:00Z"]

    def test_a_hash_counts_weekdays_of_the_month(self) -> None:
        """3.2: from 1 to 5; a month of four has no fifth."""
        assert runs("0 0 * * 2#3", "2026-06-01T00:00:00Z", 2) == ["2026-06-16T00:00:00Z", "2026-07-21T00:00:00Z"]
        assert runs("0 0 * * MON#1", "2026-06-02T00:00:00Z", 1) == ["2026-07-06T00:00:00Z"]
        assert runs("0 0 * * fri#5", "2026-06-01T00:00:00Z", 1) == ["2026-07-31T00:00:00Z"]

    @pytest.mark.parametrize("nth", ["0", "6", "12", "-1", "x", ""])
    def test_other_places_are_refused(self, nth: str) -> None:
        """3.2: there is no sixth Friday."""
        with pytest.raises(InvalidTrigger):
            Cron(f"0 0 * * fri#{nth}")

    @pytest.mark.parametrize(
        ("month", "day"),
        [("2026-04", "15"), ("2026-08", "14"), ("2026-11", "16")],  # a Wednesday, a Saturday, a Sunday
    )
    def test_w_is_the_nearest_workday(self, month: str, day: str) -> None:
        """3.3: Saturday gives way to Friday, Sunday to Monday."""
        assert runs("0 12 15W * *", f"{month}-01T00:00:00Z", 1) == [f"{month}-{day}T12:00:00Z"]

    @pytest.mark.parametrize("days", ["1-15W", "1W-15", "*W", "W", "15W/2"])
    def test_w_is_for_a_single_day(self, days: str) -> None:
        """3.3: not for a range."""
        with pytest.raises(InvalidTrigger, match="day-of-month"):
            Cron(f"0 0 {days} * *")


class TestLogic:
    """OCPS 1.4: AND and OR, the question mark, clocks that are changed."""

    def test_plus_is_and(self) -> None:
        """4.1.2: the first only where it is a Monday."""
        assert runs("0 12 1 * +MON", "2026-01-01T00:00:00Z", 1) == ["2026-06-01T12:00:00Z"]

    @pytest.mark.parametrize(
        "expression", ["+0 12 1 * MON", "0 +12 1 * MON", "0 12 +1 * MON", "0 12 1 +1 MON", "0 12 1 * MON,+FRI"]
    )
    def test_plus_is_refused_anywhere_else(self, expression: str) -> None:
        """4.1.2: only the very beginning of day-of-week."""
        with pytest.raises(InvalidTrigger, match=r"\+ begins day-of-week, such as \+fri"):
            Cron(expression)

    def test_a_question_mark_is_a_star_in_the_two_day_fields(self) -> None:
        """4.2: and nothing else."""
        assert same("0 0 ? * MON", "0 0 * * MON")
        assert same("0 0 1 * ?", "0 0 1 * *")
        for expression in ("? 0 * * *", "0 ? * * *", "0 0 * ? *", "? 0 0 * * *", "0 0 0 * * * ?"):
            with pytest.raises(InvalidTrigger, match=r"\? stands alone, in day-of-month or day-of-week"):
                Cron(expression)

    def test_what_a_fold_repeats_runs_once_first(self) -> None:
        """4.3.1: the first of the two passes."""
        assert runs("30 2 * * *", "2026-10-24T12:00:00Z", 2, "Europe/Prague") == [
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z",
        ]


class TestDeviations:
    """Where trioarm does otherwise, and why."""

    def test_a_range_may_wrap(self) -> None:
        """1.0, 6.2 refuses it; people write fri-mon and 22-2, and mean it."""
        assert same("0 22-2 * * fri-mon", "0 22,23,0,1,2 * * 5,6,0,1")

    def test_a_star_with_a_step_is_a_star_to_the_day_fields(self) -> None:
        """1.0, 6.1 knows only the bare star; Vixie's and Debian's cron look at the first character, and so do we."""
        assert runs("0 12 */13 * fri", "2026-02-01T00:00:00Z", 1) == ["2026-02-27T12:00:00Z"]

    def test_an_impossible_date_is_refused_at_once(self) -> None:
        """1.0, 6.2 wants it parsed and refused when asked; what never runs is better found early."""
        with pytest.raises(InvalidTrigger, match="never happens"):
            Cron("0 0 31 2 *")

    def test_a_gap_is_not_skipped_by_a_fixed_time(self) -> None:
        """1.4, 4.3.1 recommends to skip; an alarm that is not armed once a year is worse than one armed at 03:00."""
        assert runs("30 2 * * *", "2026-03-28T12:00:00Z", 1, "Europe/Prague") == ["2026-03-29T01:00:00Z"]

    def test_w_may_stand_in_a_list(self) -> None:
        """1.3, 3.3 refuses lists; each item is a day of its own, so nothing is ambiguous."""
        assert runs("0 0 1W,15W * *", "2026-08-01T00:00:00Z", 2) == ["2026-08-03T00:00:00Z", "2026-08-14T00:00:00Z"]

    def test_more_is_understood(self) -> None:
        """A field of years, days before the last, the last workday, long names, a/n, any white space."""
        assert runs("0 0 0 L-1 1 ? 2030", "2026-01-01T00:00:00Z", 1) == ["2030-01-30T00:00:00Z"]
        assert runs("0 0 LW * *", "2026-05-01T00:00:00Z", 1) == ["2026-05-29T00:00:00Z"]
        assert same("10/20 0 * january Monday", "10,30,50 0 * jan mon")
        assert same("0\n0 * *\r\n*", "0 0 * * *")

    def test_a_step_beyond_its_field_is_refused(self) -> None:
        """1.0 is silent; */90 minutes is a mistake that would run every hour."""
        with pytest.raises(InvalidTrigger, match="step 90"):
            Cron("*/90 * * * *")
