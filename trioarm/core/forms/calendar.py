"""Forms of calendars: `calendar`, occurrences at events, and `during`, the time of events.

Where a person names a calendar, its events come from what is around. Where a trigger is kept they are written beside
the name, each as `start/end`, so that it can be read without the calendar.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trioarm.core.forms.family import CIVIL, Around, Form, ReadTrigger
from trioarm.core.forms.scalars import write_duration
from trioarm.core.instants import render_instant
from trioarm.core.reading import TEXT_MAX, Table, listed, member, moment, seconds, show, suggest, text
from trioarm.core.triggers.base import Trigger
from trioarm.core.triggers.calendar import EVENTS_MAX, Calendar, Edge, Events, EventSpans

KEY: Final = "calendar"
SPANS_KEY: Final = "during"

_NOTHING: Final = Events("nothing", (), 0)  # stands in for the events while the rest of a trigger is judged
_NAME_IT: Final = 'write it like name = "school"'
_SAY_UNTIL: Final = "say up to when the events are known, or leave them out, too"


def _read_calendar(table: Table, key: str, around: Around) -> Calendar | None:
    for policy in CIVIL:
        table.refuse(policy, f"{key} has instants, which no time zone changes: leave {policy} out")
    if not isinstance(table.tree[key], Mapping):
        return table.take(key, lambda value: Calendar(_known(value, around)), None)
    inner = table.table(key)
    if inner is None:
        return None
    edge = inner.take("edge", member(Edge), Edge.START)
    offset_s = inner.take("offset", lambda value: Calendar(_NOTHING, offset_s=_signed(value)).offset_s, 0.0)
    events = read_events(inner, around)
    inner.close()
    return None if events is None else Calendar(events, edge=edge, offset_s=offset_s)


READERS: Final[dict[str, ReadTrigger]] = {KEY: _read_calendar}


def read_spans(table: Table, around: Around) -> EventSpans | None:
    """Read the events of a table that its caller closes, such as `{ during = "school" }`."""
    if not isinstance(table.tree[SPANS_KEY], Mapping):
        return table.take(SPANS_KEY, lambda value: EventSpans(_known(value, around)), None)
    inner = table.table(SPANS_KEY)
    if inner is None:
        return None
    events = read_events(inner, around)
    inner.close()
    return None if events is None else EventSpans(events)


def read_events(table: Table, around: Around) -> Events | None:
    """Read the events of a table that its caller closes: named, or written down."""
    if "events" not in table and "known_until" not in table:
        return table.need("name", lambda value: _known(value, around), _NAME_IT)
    name = table.need("name", lambda value: Events(text(value), (), 0).name, _NAME_IT)
    spans = table.need("events", _events, 'write them like events = ["2026-01-02T08:00:00Z/2026-01-02T15:00:00Z"]')
    known_until = table.need("known_until", moment, _SAY_UNTIL)
    if name is None or spans is None or known_until is None:
        return None
    return Events(name, spans, known_until)


def _events(value: object) -> tuple[tuple[int, int], ...]:
    if isinstance(value, list) and len(value) > EVENTS_MAX:
        raise ValueError(f"{len(value)} events are too many: at most {EVENTS_MAX}")
    return Events("events", listed(_span)(value), 0).spans


def _span(value: object) -> tuple[int, int]:
    start, slash, end = text(value)[: 2 * TEXT_MAX].partition("/")
    if not slash:
        raise ValueError(f"{show(value)} is no event: write it like 2026-01-02T08:00:00Z/2026-01-02T15:00:00Z")
    return moment(start), moment(end)


def _known(value: object, around: Around) -> Events:
    name = text(value)
    if name in around.feeds:
        return around.feeds[name]
    if name in around.calendars:
        hint = f'write {{ days = "holiday", calendar = "{name}" }}'
        raise ValueError(f"calendar {show(name)} has days, not events: {hint}")
    raise ValueError(f"there is no calendar {show(name)}{suggest(name, around.feeds)}")


def _signed(value: object) -> float:
    """Read a duration that may lie before: `-15m`."""
    if isinstance(value, str) and value.startswith("-"):
        return -seconds(value[1:])
    return seconds(value)


def write(trigger: Trigger) -> Form | None:
    """Return the form of a trigger of this family; None of another."""
    match trigger:
        case Calendar(events):
            form = write_events(events)
            if trigger.edge is not Edge.START:
                form["edge"] = trigger.edge.value
            if trigger.offset_s:
                form["offset"] = _write_signed(trigger.offset_s)
            return {KEY: form}
        case _:
            return None


def write_spans(spans: EventSpans) -> Form:
    """Return the form that `read_spans` reads back as equal spans."""
    return {SPANS_KEY: write_events(spans.events)}


def _write_signed(value_s: float) -> str | float | None:
    written = write_duration(abs(value_s))
    if value_s > 0:
        return written
    return f"-{written}" if isinstance(written, str) else value_s


def write_events(events: Events) -> Form:
    """Return the form that `read_events` reads back as equal events."""
    return {
        "name": events.name,
        "events": [f"{render_instant(start)}/{render_instant(end)}" for start, end in events.spans],
        "known_until": render_instant(events.known_until),
    }
