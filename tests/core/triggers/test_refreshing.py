"""What a trigger knows of calendars is found wherever it lies, and nothing else of it changes when it is refreshed."""

from __future__ import annotations

import pytest

from trioarm.core.instants import HOUR
from trioarm.core.triggers import Calendar, Cron, Events, EventSpans, Every, Exclude, Intersect, Trigger, Union
from trioarm.core.triggers.algebra import Member
from trioarm.core.triggers.refreshing import events_of, refreshed

OLD = Events("school", [(0, HOUR)], HOUR)
NEW = Events("school", [(HOUR, 2 * HOUR)], 2 * HOUR)
WORK = Events("work", [(0, HOUR)], HOUR)
DAILY = Cron("0 6 * * *")


def deep(events: Events) -> Trigger:
    """Return a trigger that names a calendar in every way there is, and another one."""
    during: list[Member] = [DAILY, EventSpans(events), EventSpans(WORK)]
    ends = Calendar(events, edge="end", offset_s=-900)
    return Union([Exclude([ends, EventSpans(WORK)]), Intersect(during), Every(60.0)])


@pytest.mark.parametrize(
    ("member", "names"),
    [
        (DAILY, set()),
        (Calendar(OLD), {"school"}),
        (EventSpans(WORK), {"work"}),
        (deep(OLD), {"school", "work"}),
    ],
)
def test_calendars_are_found_wherever_they_lie(member: Member, names: set[str]) -> None:
    """Each by its name, with what is known of it."""
    assert events_of(member).keys() == names
    assert events_of(member).get("school", OLD) == OLD


@pytest.mark.parametrize("make", [deep, Calendar, lambda events: Exclude([DAILY, EventSpans(events)])])
def test_a_refreshed_trigger_is_the_one_that_new_events_make(make: object) -> None:
    """Edges, offsets and other calendars are as before; a calendar of another name changes nothing."""
    assert callable(make)
    assert refreshed(make(OLD), {"school": NEW}) == make(NEW)
    assert refreshed(make(OLD), {"elsewhere": NEW}) == make(OLD)
    assert refreshed(DAILY, {"school": NEW}) is DAILY


def test_a_calendar_that_nobody_has_read_knows_nothing() -> None:
    """And one without any event was read all the same."""
    assert not Events.unread("school").is_read
    assert Events.unread("school").spans == ()
    assert Events("school", [], HOUR).is_read
