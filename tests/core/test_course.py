"""The course of the wall clock: which steps are believed, which are not, and what is taken for now meanwhile (S3.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioarm.core.course import BACKWARD_MAX, BELIEVED_MAX, KEPT_COURSE, STEP_MIN, ClockStep, Course, Reading, StepKind
from trioarm.core.instants import DAY, HOUR, MINUTE, SECOND

START = 1_700_000_000 * SECOND
YEAR = 365 * DAY


class Wall:
    """A wall clock and a steady one, to be set and looked at."""

    def __init__(self) -> None:
        self.reading = Reading(START, 5 * HOUR)
        self.course = Course(self.reading)
        self.synchronised = True

    def goes_on(self, for_: int, *, and_is_set_by: int = 0) -> ClockStep | None:
        """Let time pass, and the wall show that and more."""
        self.reading = Reading(self.reading.wall + for_ + and_is_set_by, self.reading.steady + for_)
        return self.course.look(self.reading, lambda: self.synchronised)

    @property
    def now(self) -> int:
        return self.course.now(self.reading)


def test_a_clock_that_goes_on_says_nothing() -> None:
    """However long nobody looks, and while it is steered by less than a second at a time."""
    wall = Wall()
    assert [wall.goes_on(40 * DAY), wall.goes_on(MINUTE, and_is_set_by=STEP_MIN - 1)] == [None, None]
    assert [wall.goes_on(MINUTE, and_is_set_by=1 - STEP_MIN), wall.now] == [None, wall.reading.wall]


@pytest.mark.parametrize(
    ("by", "kind"),
    [
        (STEP_MIN, StepKind.FORWARD),
        (BELIEVED_MAX, StepKind.FORWARD),
        (-STEP_MIN, StepKind.BACKWARD),
        (-BACKWARD_MAX, StepKind.BACKWARD),
        (-BACKWARD_MAX - 1, StepKind.CORRECTION),
        (-BELIEVED_MAX, StepKind.CORRECTION),
    ],
)
def test_a_step_of_up_to_a_day_is_believed_at_once(by: int, kind: StepKind) -> None:
    """Forwards, backwards up to three hours, and as a correction beyond; it is told once."""
    wall = Wall()
    assert wall.goes_on(MINUTE, and_is_set_by=by) == ClockStep(kind, by)
    assert (wall.goes_on(MINUTE), wall.now, wall.course.doubt) == (None, wall.reading.wall, None)


@pytest.mark.parametrize(("by", "kind"), [(10 * YEAR, StepKind.FORWARD), (-10 * YEAR, StepKind.CORRECTION)])
def test_a_step_of_more_is_believed_once_it_has_kept_its_course(by: int, kind: StepKind) -> None:
    """Until then its old course is taken for now; a minute, and somebody who should know, make the difference."""
    wall = Wall()
    assert wall.goes_on(MINUTE, and_is_set_by=by) == ClockStep(StepKind.DOUBTED, by)
    assert wall.now == START + MINUTE
    wall.synchronised = False
    assert wall.goes_on(KEPT_COURSE + HOUR) is None
    wall.synchronised = True
    assert wall.goes_on(0) == ClockStep(kind, by)
    assert wall.now == wall.reading.wall


def test_a_doubted_clock_that_is_set_again_begins_its_minute_anew() -> None:
    """Sixty seconds on one course count, not sixty on several."""
    wall = Wall()
    wall.goes_on(0, and_is_set_by=10 * YEAR)
    assert wall.goes_on(KEPT_COURSE - 1) is None
    assert wall.goes_on(1, and_is_set_by=YEAR) is None
    assert wall.goes_on(KEPT_COURSE - 1) is None
    assert wall.goes_on(1) == ClockStep(StepKind.FORWARD, 11 * YEAR)


@pytest.mark.parametrize(
    ("back", "step"),
    [
        (0, ClockStep(StepKind.RETURNED, 0)),
        (3 * HOUR, ClockStep(StepKind.FORWARD, 3 * HOUR)),
        (-HOUR, ClockStep(StepKind.BACKWARD, -HOUR)),
        (-5 * HOUR, ClockStep(StepKind.CORRECTION, -5 * HOUR)),
    ],
)
def test_a_doubted_clock_that_comes_back_never_was_away(back: int, step: ClockStep) -> None:
    """Ten years and back again: what is left is judged by the course before."""
    wall = Wall()
    wall.goes_on(MINUTE, and_is_set_by=10 * YEAR)
    assert wall.goes_on(MINUTE, and_is_set_by=back - 10 * YEAR) == step
    assert (wall.now, wall.course.doubt) == (wall.reading.wall, None)


def test_a_person_may_end_the_doubt() -> None:
    """What they say is believed at once; of a clock that is believed already it changes nothing."""
    wall = Wall()
    assert wall.course.trust(wall.reading) is None
    wall.goes_on(0, and_is_set_by=10 * YEAR)
    assert wall.course.trust(wall.reading) == ClockStep(StepKind.FORWARD, 10 * YEAR)
    assert wall.goes_on(MINUTE) is None


class TestAtTheStart:
    """A clock is judged by the newest instant that was written."""

    def test_ahead_of_it_is_time_that_has_passed(self) -> None:
        """Nobody can tell how long the machine was off; and a clock is never exact."""
        for written_at in (START, START - 10 * YEAR, START + STEP_MIN - 1, None):
            wall = Wall()
            assert wall.course.start(wall.reading, written_at) is None
            assert wall.now == START

    def test_behind_it_is_doubted_until_it_has_caught_up(self) -> None:
        """However little it is behind; and however far it then is ahead."""
        for and_is_set_by in (MINUTE, 10 * YEAR):
            wall = Wall()
            wall.synchronised = False
            assert wall.course.start(wall.reading, START + MINUTE) == ClockStep(StepKind.DOUBTED, -MINUTE)
            assert (wall.goes_on(2 * HOUR), wall.now) == (None, START + MINUTE + 2 * HOUR)
            step = wall.goes_on(0, and_is_set_by=and_is_set_by)
            assert step == ClockStep(StepKind.RETURNED, and_is_set_by - MINUTE)
            assert wall.now == wall.reading.wall

    def test_or_until_somebody_who_should_know_calls_it_right(self) -> None:
        """Then what was written was wrong, and is corrected."""
        wall = Wall()
        wall.course.start(wall.reading, START + YEAR)
        assert wall.goes_on(KEPT_COURSE) == ClockStep(StepKind.CORRECTION, -YEAR)


@given(steps=st.lists(st.tuples(st.integers(0, 2 * DAY), st.integers(-3 * DAY, 3 * DAY)), max_size=30))
def test_what_is_taken_for_now_never_leaps_unsaid(steps: list[tuple[int, int]]) -> None:
    """Between two looks now goes on by the time that passed, but for steps that are told."""
    wall = Wall()
    for passed, by in steps:
        before = wall.now
        step = wall.goes_on(passed, and_is_set_by=by)
        told = 0 if step is None or step.kind is StepKind.DOUBTED else step.by
        assert abs(wall.now - before - passed - told) < STEP_MIN
