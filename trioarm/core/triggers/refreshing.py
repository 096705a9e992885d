"""Refreshing: of which calendars a trigger knows the events, and the same trigger with newer ones (S5.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import attrs

from trioarm.core.triggers.ahead import Ahead
from trioarm.core.triggers.algebra import Exclude, Intersect, Member, Union
from trioarm.core.triggers.base import Trigger
from trioarm.core.triggers.calendar import Calendar, Events, EventSpans
from trioarm.core.triggers.excepted import Excepted


def events_of(member: Member) -> dict[str, Events]:
    """Return the snapshots that a trigger, or spans, hold of calendars, by name of the calendar."""
    match member:
        case Calendar(events) | EventSpans(events):
            return {events.name: events}
        case Union(members) | Intersect(members) | Exclude(members):
            return {name: events for one in members for name, events in events_of(one).items()}
        case Ahead(of) | Excepted(of):
            return events_of(of)
        case _:
            return {}


def refreshed(trigger: Trigger, known: Mapping[str, Events]) -> Trigger:
    """Return a trigger that is the same but for what it knows of calendars.

    Args:
        known: by name of the calendar; of others it keeps the events it has.
    """
    return cast(Trigger, _refreshed(trigger, known))  # a trigger stays one, and spans stay spans


def _refreshed(member: Member, known: Mapping[str, Events]) -> Member:
    match member:
        case Calendar(events) | EventSpans(events):
            return attrs.evolve(member, events=known.get(events.name, events))
        case Union(members) | Intersect(members) | Exclude(members):
            return attrs.evolve(member, members=[_refreshed(one, known) for one in members])
        case Ahead(of) | Excepted(of):
            return attrs.evolve(member, of=refreshed(of, known))
        case _:
            return member
