"""What is otherwise for a while: a trigger without some stretches, and what lies in them alone, make up the whole."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidInstant, InvalidSchedule, InvalidTrigger
from trioarm.core.forms import Around, read_trigger, write_trigger
from trioarm.core.instants import DAY, HOUR, LATEST, MINUTE, SECOND, parse_instant
from trioarm.core.reading import Problems, Table
from trioarm.core.triggers import (
    After,
    Calendar,
    Cron,
    Events,
    Every,
    Excepted,
    Once,
    Stretch,
    Trigger,
    Weekly,
    own_zone,
)
from trioarm.core.triggers.excepted import STRETCHES_MAX, WHY_LENGTH_MAX
from trioarm.core.triggers.refreshing import events_of, refreshed

NIGHT = parse_instant("2026-10-20T21:30:00Z")
NIGHTLY = Weekly(["mon", "tue", "wed", "sun"], "22:30", "Europe/Prague")
INNER = st.sampled_from([NIGHTLY, Cron("*/7 2 * * *", "Europe/Prague"), Every(1800.0), Once(NIGHT)])
GUESTS = Stretch(NIGHT, NIGHT + DAY, "guests")


@st.composite
def stretches(draw: st.DrawFn) -> list[Stretch]:
    """Draw stretches of two weeks that do not overlap, some of which touch."""
    ends = sorted(draw(st.sets(st.integers(-7 * 48, 7 * 48), min_size=2, max_size=9)))
    kept = draw(st.lists(st.booleans(), min_size=len(ends) - 1, max_size=len(ends) - 1))
    pairs = [pair for pair, keep in zip(pairwise(ends), kept, strict=True) if keep]
    half = 30 * MINUTE
    return [Stretch(NIGHT + one * half, NIGHT + two * half, "so") for one, two in pairs or [(ends[0], ends[1])]]


@settings(max_examples=200, deadline=None)
@given(inner=INNER, among=stretches(), at=st.integers(-8 * DAY, 8 * DAY))
def test_both_parts_make_up_the_whole(inner: Trigger, among: list[Stretch], at: int) -> None:
    """Forwards, backwards and counted: every occurrence is in one of the two, on its side."""
    at += NIGHT
    out, within = Excepted(inner, among), Excepted(inner, among, inside=True)
    end = NIGHT + 9 * DAY
    whole: list[int] = []
    following = inner.next_after(at)
    while following is not None and following <= end:
        whole.append(following)
        following = inner.next_after(following)
    inside = [one for one in whole if any(each.start <= one < each.end for each in among)]
    for trigger, expected in ((out, [one for one in whole if one not in inside]), (within, inside)):
        forwards, following = [], trigger.next_after(at)
        while following is not None and following <= end:
            forwards.append(following)
            following = trigger.next_after(following)
        assert forwards == expected
        assert trigger.count(at, end) == len(expected)
        backwards, earlier = [], trigger.previous_before(end + 1)
        while earlier is not None and earlier > at:
            backwards.append(earlier)
            earlier = trigger.previous_before(earlier)
        assert backwards[::-1] == expected
        assert [trigger.shift_at(one) for one in expected] == [inner.shift_at(one) for one in expected]


def test_what_is_inside_is_found_backwards() -> None:
    """The last one in a stretch; before the stretch there is none."""
    within = Excepted(NIGHTLY, [GUESTS], inside=True)
    assert within.previous_before(NIGHT + 10 * DAY) == parse_instant("2026-10-21T20:30:00Z")
    assert within.previous_before(NIGHT) is None


def test_it_says_what_is_otherwise_and_why() -> None:
    """In its words, and of the occurrence that people expect and will not see."""
    out = Excepted(NIGHTLY, [GUESTS])
    assert out.describe() == "mon to wed and sun at 22:30 in Europe/Prague, but for guests"
    assert Excepted(NIGHTLY, [GUESTS], inside=True).describe().endswith(", only by guests")
    many = [Stretch(NIGHT + day * DAY, NIGHT + day * DAY + HOUR, f"reason {day}") for day in range(5)]
    assert Excepted(NIGHTLY, many).describe().endswith("but for reason 0 and reason 1 and reason 2 and 2 more")
    tuesday = parse_instant("2026-10-20T22:30:00+02:00")
    around = Excepted(NIGHTLY, [Stretch(tuesday, tuesday + SECOND, "guests")])
    assert around.left_out(tuesday - SECOND) == (tuesday, "guests")
    assert around.left_out(tuesday) is None
    assert Excepted(NIGHTLY, [Stretch(tuesday, tuesday + SECOND, "guests")], inside=True).left_out(0) is None
    assert Excepted(Once(tuesday), [GUESTS]).left_out(tuesday) is None
    assert own_zone(out) == own_zone(NIGHTLY)
    assert own_zone(Excepted(Every(60.0), [GUESTS])) is None


def test_nothing_may_be_left_of_it() -> None:
    """What somebody leaves out comes back when it is over; a rule without occurrences would be refused."""
    none = Excepted(Once(NIGHT), [GUESTS])
    assert (none.next_after(0), none.previous_before(LATEST), none.count(0, LATEST)) == (None, None, 0)
    assert Excepted(Once(NIGHT), [GUESTS], inside=True).next_after(0) == NIGHT


def test_it_knows_the_calendars_of_the_other_one() -> None:
    """And takes newer ones over."""
    events = Events("school", [(NIGHT, NIGHT + HOUR)], NIGHT + DAY)
    trigger = Excepted(Calendar(events), [GUESTS])
    assert events_of(trigger) == {"school": events}
    newer = attrs.evolve(events, spans=())
    assert refreshed(trigger, {"school": newer}) == Excepted(Calendar(newer), [GUESTS])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Excepted(After(60.0), [GUESTS]), "excepted: a fixed delay depends on the run before"),
        (lambda: Excepted(NIGHTLY, []), "excepted: 0 stretches, but there are 1 to 1000"),
        (lambda: Excepted(NIGHTLY, [GUESTS] * (STRETCHES_MAX + 1)), "excepted: 1001 stretches"),
        (lambda: Excepted(NIGHTLY, [GUESTS, GUESTS]), "excepted: two stretches overlap"),
        (lambda: Stretch(NIGHT, NIGHT, "x"), "a stretch ends later than it begins"),
        (lambda: Stretch(NIGHT, NIGHT + 1, ""), "a stretch says why it is one"),
        (lambda: Stretch(NIGHT, NIGHT + 1, "x" * (WHY_LENGTH_MAX + 1)), "a stretch says why it is one"),
    ],
)
def test_what_cannot_be_is_refused(make: Any, message: str) -> None:
    """Each with its reason."""
    with pytest.raises(InvalidTrigger, match=message):
        make()
    with pytest.raises(InvalidInstant):
        Stretch(NIGHT, 10**30, "x")


TIMES = {"from": "2026-10-20T21:30:00Z", "until": "2026-10-21T21:30:00Z"}
WHOLE = {"of": {"every": "1h"}, "stretches": [{**TIMES, "why": "guests"}]}


@pytest.mark.parametrize("inside", [False, True])
def test_its_form_comes_back(inside: bool) -> None:
    """What is written is read as the same."""
    trigger = Excepted(NIGHTLY, [GUESTS], inside=inside)
    problems = Problems(lambda lines: InvalidSchedule("\n".join(lines)))
    table = Table(write_trigger(trigger), "schedule", problems)
    assert read_trigger(table, Around()) == trigger
    table.close()
    problems.settle()


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        ({"excepted": 5}, ["schedule.excepted: 5 is no table"]),
        ({"excepted": {"of": {"every": "1h"}}}, ["schedule.excepted.stretches: is missing: say from when"]),
        ({"excepted": {"stretches": WHOLE["stretches"]}}, ["schedule.excepted.of: is missing: say of what"]),
        ({"excepted": {**WHOLE, "x": 1}}, ["schedule.excepted.x: unknown key"]),
        ({"excepted": {**WHOLE, "of": 7}}, ["schedule.excepted.of: 7 is no table"]),
        ({"excepted": {**WHOLE, "of": {"after": "1h"}}}, ["schedule.excepted: excepted: a fixed delay depends"]),
        ({"excepted": {**WHOLE, "stretches": [TIMES]}}, ["schedule.excepted.stretches[0].why: is missing: say why"]),
        ({"excepted": {**WHOLE, "stretches": [{**TIMES, "why": 5}]}},
         ["schedule.excepted.stretches[0].why: is a text of 1 to"]),
        ({"excepted": {**WHOLE, "stretches": [{**TIMES, "until": TIMES["from"], "why": "x"}]}},
         ["schedule.excepted.stretches: a stretch ends later than it begins"]),
        ({"excepted": WHOLE, "gap": "skip"}, ["schedule.gap: what is excepted has its own gap: say it there"]),
    ],
)  # fmt: skip
def test_what_is_written_wrongly_is_named(form: dict[str, Any], lines: list[str]) -> None:
    """Each mistake where it lies, and nothing is guessed."""
    problems = Problems(lambda lines: InvalidSchedule("\n".join(lines)))
    table = Table(form, "schedule", problems)
    read_trigger(table, Around())
    table.close()
    assert len(problems.lines) == len(lines), problems.lines
    for line, begins in zip(problems.lines, lines, strict=True):
        assert line.startswith(begins), line
