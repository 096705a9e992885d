"""What exceptions make of schedules: nothing twice, nothing lost, and nothing outside of their days (A4.3)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.arming.premises import AWAY, DISARMED, NIGHT, a_partition, arming, the_premises
from trioarm.arming.compile import engine_schedules
from trioarm.arming.exceptions.days import bounds
from trioarm.arming.exceptions.kept import Book
from trioarm.arming.model import Effect, ExceptionRule, Premises, Target
from trioarm.core.instants import DAY, HOUR, MINUTE, parse_instant
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import After, Cron, Intersect, Once, Weekly
from trioarm.core.triggers.day_calendars import DayCalendar, calendar_spans

PRAGUE = "Europe/Prague"
EVERY_DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
START = parse_instant("2026-12-20T12:00:00+01:00")
WORKDAYS = calendar_spans("workday", DayCalendar("CZ"), PRAGUE)
FREE = calendar_spans("day_off", DayCalendar("CZ"), PRAGUE)
NIGHTS = Weekly(EVERY_DAY, "22:30", PRAGUE)
HOUSE = the_premises(
    arming("night", NIGHT, NIGHTS, tags=("evening",)),
    arming("work", DISARMED, Intersect([Cron("30 6 * * *", PRAGUE), WORKDAYS])),
    arming("free", DISARMED, Intersect([Cron("0 9 * * *", PRAGUE), FREE])),
)


def a_rule(effect: Effect = Effect.SKIP, days: str = "2026-12-21", **fields: Any) -> ExceptionRule:
    """Return an exception of the whole site, for one day unless said otherwise."""
    begins, _, ends = days.partition("..")
    return ExceptionRule(
        **{"on": "site/home", "begins": begins, "ends": ends or begins, "effect": effect, "author": "anna", **fields}
    )


def local(day: int, time: str) -> int:
    """Return an instant of December 2026 in Prague."""
    return parse_instant(f"2026-12-{day:02}T{time}:00+01:00")


def done(schedules: list[Schedule], after: int, until: int) -> list[tuple[int, str, str]]:
    """Return what is done in `(after, until]`: when, by which schedule, and what becomes of the house."""
    found = []
    for schedule in schedules:
        at = None if schedule.handler != "arm" else schedule.next_after(after, schedule.trigger)
        while at is not None and at <= until:
            found.append((at, schedule.name, str(schedule.args["target"])))
            at = schedule.next_after(at, schedule.trigger)
    return sorted(found)


class Said(Book):
    """A book in which everything counts as soon as it is said."""

    def added(self, rule: ExceptionRule, now: int, *, declared: bool = False) -> Said:
        """Return the book with one more, which counts."""
        book = super().added(rule, now).settled(now)
        return Said(following=book.following, kept=book.kept)

    def taken_back(self, number: int, now: int) -> Said:
        """Return the book in which one holds no longer."""
        book = self.ended([number]).settled(now)
        return Said(following=book.following, kept=book.kept)


def excepted(book: Book, premises: Premises = HOUSE) -> list[Schedule]:
    """Return the schedules that an engine runs under the exceptions of a book."""
    return engine_schedules(attrs.evolve(premises, exceptions=book.kept))


def on(day: int, *rules: ExceptionRule, premises: Premises = HOUSE) -> list[tuple[int, str, str]]:
    """Return what is done on a day of December 2026 under exceptions that were said at the start."""
    book = Said()
    for rule in rules:
        book = book.added(rule, START)
    return done(excepted(book, premises), local(day, "00:00") - 1, local(day, "23:59"))


EARLY, LATE = (a_rule(Effect.REPLACE, on="tag/evening", at=at) for at in ("20:00", "23:30"))


class TestWhatTheyDo:
    """Each kind, for a day."""

    def test_skip(self) -> None:
        """Nothing of the day, and all of the next."""
        assert on(21, a_rule()) == []
        assert len(on(22, a_rule())) == 2

    def test_another_time(self) -> None:
        """Of the schedules with a tag; the others stay."""
        rule = a_rule(Effect.REPLACE, at="20:00", on="tag/evening")
        assert on(21, rule) == [
            (local(21, "06:30"), "work/house", "disarmed"),
            (local(21, "20:00"), "night/house/e1", "armed_night"),
        ]

    def test_another_target(self) -> None:
        """At the same time, of one schedule."""
        rule = a_rule(Effect.REPLACE, target=AWAY, on="schedule/night")
        assert on(21, rule)[1:] == [(local(21, "22:30"), "night/house/e1", "armed_away")]

    def test_both(self) -> None:
        """Another time and another target."""
        rule = a_rule(Effect.REPLACE, target=AWAY, at="23:00", on="schedule/night")
        assert on(21, rule)[1:] == [(local(21, "23:00"), "night/house/e1", "armed_away")]

    def test_a_workday_as_a_holiday(self) -> None:
        """What is done on workdays is not, and what is done on days off is; what knows no calendar stays."""
        assert on(21, a_rule(Effect.HOLIDAY)) == [
            (local(21, "09:00"), "free/house/e1", "disarmed"),
            (local(21, "22:30"), "night/house", "armed_night"),
        ]

    def test_a_holiday_as_a_workday(self) -> None:
        """24 December is a holiday in CZ."""
        assert on(24, a_rule(Effect.WORKDAY, "2026-12-24"))[0] == (local(24, "06:30"), "work/house/e1", "disarmed")
        assert len(on(24, a_rule(Effect.WORKDAY, "2026-12-24"))) == 2

    def test_the_evening_before_a_holiday(self) -> None:
        """Whether it is one depends on the next day: the day ahead of the first is concerned, too."""
        eves = Intersect([Cron("0 23 * * *", PRAGUE), calendar_spans("before_holiday", DayCalendar("CZ"), PRAGUE)])
        premises = the_premises(arming("eve", NIGHT, eves))
        assert on(20, a_rule(Effect.HOLIDAY), premises=premises) == [
            (local(20, "23:00"), "eve/house/e1", "armed_night")
        ]

    def test_a_vacation(self) -> None:
        """It arms when it begins, and nothing of the timetable is done until it is over."""
        rule = a_rule(Effect.VACATION, "2026-12-21T10:00..2026-12-23T18:00")
        assert [name for _, name, _ in on(21, rule)] == ["work/house", "vacation/house/e1"]
        assert on(21, rule)[1] == (local(21, "10:00"), "vacation/house/e1", "armed_vacation")
        assert on(22, rule) == []
        assert on(23, rule) == [(local(23, "22:30"), "night/house", "armed_night")]

    def test_nothing_is_moved_into_a_vacation(self) -> None:
        """A disarm that somebody moved must not open the house that others left."""
        vacation = a_rule(Effect.VACATION, "2026-12-21T10:00..2026-12-23T18:00")
        moved = a_rule(Effect.REPLACE, at="11:00", on="schedule/work")
        assert [name for _, name, _ in on(21, vacation, moved)] == ["vacation/house/e1"]

    def test_it_warns_of_what_stands_in(self) -> None:
        """And no more of what is left out."""
        premises = the_premises(arming("night", NIGHT, NIGHTS, warn_s=(900.0,)))
        book = Said().added(a_rule(Effect.REPLACE, at="20:00"), START)
        warnings = [one for one in excepted(book, premises) if one.handler == "warn"]
        assert {one.name: one.trigger.next_after(START + 12 * HOUR) for one in warnings} == {
            "night/house/warn-15m": local(22, "22:15"),
            "night/house/e1/warn-15m": local(21, "19:45"),
        }
        disarming = Said().added(a_rule(Effect.REPLACE, target=DISARMED), START)
        assert [one.name for one in excepted(disarming, premises)][1:] == ["night/house/warn-15m", "night/house/e1"]

    def test_the_hour_that_does_not_exist(self) -> None:
        """A time that clocks skip happens right after the gap, as everywhere."""
        book = Said().added(a_rule(Effect.REPLACE, "2026-03-29", at="02:30", on="schedule/night"), 0)
        night = local(1, "00:00") - 300 * DAY
        [found] = [at for at, name, _ in done(excepted(book), night, START) if name == "night/house/e1"]
        assert found == parse_instant("2026-03-29T03:00:00+02:00")

    def test_what_cannot_be_excepted_stays(self) -> None:
        """A fixed delay; a disarm where schedules may not; a name that is as long as it may be gets another."""
        delay = the_premises(arming("delay", NIGHT, After(60.0)))
        assert excepted(Said().added(a_rule(), START), delay) == excepted(Book(), delay)
        shut = the_premises(arming("night", NIGHT, NIGHTS), partitions=(a_partition(allow_disarm=False),))
        rule = a_rule(Effect.REPLACE, target=DISARMED)
        assert excepted(Said().added(rule, START), shut) == excepted(Book(), shut)
        long = the_premises(arming("n" * 57, NIGHT, NIGHTS))
        [_, name] = [one.name for one in excepted(Said().added(a_rule(Effect.REPLACE, at="20:00"), START), long)]
        assert len(name) == 63
        assert name.endswith("/e1")


class TestWhoWins:
    """Where several concern the same."""

    def test_the_more_specific_then_the_newer(self) -> None:
        """A schedule before a tag before a site; a vacation before all."""
        site = a_rule(Effect.REPLACE, at="20:00")
        tag = a_rule(Effect.REPLACE, at="21:00", on="tag/evening")
        schedule = a_rule(Effect.REPLACE, at="21:30", on="schedule/night")
        assert on(21, schedule, tag, site)[-1] == (local(21, "21:30"), "night/house/e1", "armed_night")
        assert on(21, tag, site)[-1] == (local(21, "21:00"), "night/house/e1", "armed_night")
        newer = a_rule(Effect.REPLACE, at="19:00", on="schedule/night")
        assert on(21, schedule, newer)[-1] == (local(21, "19:00"), "night/house/e2", "armed_night")
        vacation = a_rule(Effect.VACATION, "2026-12-21..2026-12-22")
        assert [name for _, name, _ in on(21, vacation, schedule)] == ["vacation/house/e1"]

    def test_one_that_is_taken_back_gives_way_to_the_other(self) -> None:
        """As if it had never been, if nothing has come of it."""
        book = Said().added(a_rule(Effect.REPLACE, on="tag/evening", at="23:00"), START)
        book = book.added(a_rule(on="schedule/night"), START).taken_back(2, local(21, "22:00"))
        assert done(excepted(book), local(21, "12:00"), local(21, "23:59")) == [
            (local(21, "23:00"), "night/house/e1", "armed_night")
        ]


class TestWhatIsOverStays:
    """An exception changes nothing that has come."""

    def test_a_time_that_is_over_moves_nothing(self) -> None:
        """At 21:00 nobody can have the house armed at 20:00: it is armed as ever."""
        book = Said().added(a_rule(Effect.REPLACE, on="tag/evening", at="20:00"), local(21, "21:00"))
        assert done(excepted(book), local(21, "12:00"), local(21, "23:59")) == [
            (local(21, "22:30"), "night/house", "armed_night")
        ]

    def test_what_was_moved_is_not_done_again(self) -> None:
        """Armed at 20:00 instead, then taken back: not once more at 22:30."""
        book = Said().added(EARLY, START).taken_back(1, local(21, "21:00"))
        assert [name for _, name, _ in done(excepted(book), local(21, "12:00"), local(22, "00:00"))] == [
            "night/house/e1"
        ]

    def test_what_was_moved_to_later_still_comes(self) -> None:
        """Moved from 22:30 to 23:30, and taken back at 23:00: it is armed at 23:30, not never."""
        book = Said().added(LATE, START).taken_back(1, local(21, "23:00"))
        assert done(excepted(book), local(21, "12:00"), local(22, "00:00")) == [
            (local(21, "23:30"), "night/house/e1", "armed_night")
        ]

    def test_what_nobody_did_meanwhile_is_done_as_ever(self) -> None:
        """Skipped while its other time passed, then not skipped: its own time is the one that is left."""
        book = Said().added(a_rule(Effect.REPLACE, on="tag/evening", at="20:00"), START)
        book = book.added(a_rule(on="schedule/night"), local(21, "19:00")).taken_back(2, local(21, "21:00"))
        assert done(excepted(book), local(21, "12:00"), local(22, "00:00")) == [
            (local(21, "22:30"), "night/house", "armed_night")
        ]

    def test_a_day_of_another_kind_that_has_begun(self) -> None:
        """Once something has come that would not have, or the other way round, the day stays what it is."""
        said = Said().added(a_rule(Effect.HOLIDAY), local(21, "08:00"))  # disarmed at 06:30 already
        assert [name for _, name, _ in done(excepted(said), local(21, "00:00"), local(21, "12:00"))] == ["work/house"]
        assert [name for _, name, _ in done(excepted(said), local(21, "12:00"), local(22, "12:00"))] == [
            "night/house",
            "work/house",
        ]
        taken_back = Said().added(a_rule(Effect.HOLIDAY), START).taken_back(1, local(21, "08:00"))
        found = done(excepted(taken_back), local(21, "00:00"), local(21, "12:00"))
        assert [name for _, name, _ in found] == ["free/house/e1"]

    def test_a_vacation_that_begins_in_the_past_arms_nothing(self) -> None:
        """Nobody is locked in who is packing still."""
        book = Said().added(a_rule(Effect.VACATION, "2026-12-21..2026-12-23"), local(21, "08:00"))
        assert done(excepted(book), local(21, "07:00"), local(23, "23:59")) == []
        early = Said().added(a_rule(Effect.VACATION, "2026-12-21..2026-12-23"), START).taken_back(1, START + HOUR)
        assert excepted(early) == excepted(Said())


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, ExceptionRule | int]]:
    """Draw what people say, and take back, over three days: at every quarter of an hour."""
    kinds: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
        [
            {"effect": Effect.SKIP},
            {"effect": Effect.REPLACE, "at": "20:00"},
            {"effect": Effect.REPLACE, "at": "23:30"},
            {"effect": Effect.REPLACE, "at": "03:00", "target": AWAY},
            {"effect": Effect.REPLACE, "target": AWAY},
        ]
    )
    found: list[tuple[int, ExceptionRule | int]] = []
    moments = sorted(draw(st.lists(st.integers(0, 3 * 96), min_size=1, max_size=7)))
    for count, quarter in enumerate(moments, start=1):
        at = START + quarter * 15 * MINUTE
        if draw(st.booleans()) and any(isinstance(one, ExceptionRule) for _, one in found):
            found.append((at, draw(st.integers(1, count))))
            continue
        first = date(2026, 12, draw(st.integers(20, 23)))
        last = first + timedelta(days=draw(st.integers(0, 1)))
        on = draw(st.sampled_from(["site/home", "tag/evening", "schedule/night"]))
        found.append((at, a_rule(days=f"{first}..{last}", on=on, **draw(kinds))))
    return found


@settings(max_examples=300, deadline=None)
@given(history=histories())
def test_nothing_is_done_twice_and_nothing_is_lost(history: list[tuple[int, ExceptionRule | int]]) -> None:
    """Whatever is said and taken back at whatever moment: each night has its arm once, unless somebody skipped it."""
    book, before, found = Said(), START, list[tuple[int, str, str]]()
    for at, what in [*history, (START + 5 * DAY, 0)]:
        found += done(excepted(book), before, at)
        if isinstance(what, ExceptionRule):
            book = book.added(what, at)
        elif any(one.number == what and one.ended_at is None for one in book.kept):
            book = book.taken_back(what, at)
        before = at
    armed = [(at, target) for at, name, target in found if name.startswith("night/")]
    assert done(excepted(book), START, before) == sorted(found), "what is looked back at is not what was done"
    for day in range(20, 25):
        night = local(day, "22:30")
        times = [at for at, _ in armed if local(day, "00:00") <= at < local(day + 1, "00:00")]
        concerning = [one for one in book.kept if (span := bounds(one.rule, PRAGUE))[0] <= night < span[1]]
        assert len(times) <= 1
        if not times:
            assert any(one.rule.effect is Effect.SKIP for one in concerning)
        if not concerning:
            assert [at for at, target in armed if target == Target.ARMED_NIGHT and at == night] == [night]


def test_a_schedule_of_one_instant() -> None:
    """Left out, it is still there, so that it is not begun anew when the exception is forgotten."""
    premises = the_premises(arming("once", NIGHT, Once(local(21, "22:30"))))
    assert on(21, a_rule(), premises=premises) == []
    [schedule] = excepted(Said().added(a_rule(), START), premises)
    assert schedule.name == "once/house"
