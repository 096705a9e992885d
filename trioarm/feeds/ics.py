"""ICS: the text of a calendar, read into the events of a window (RFC 5545).

Whatever the text is, there are events in the end, or one line that says where it is wrong; and the end is near: size,
events, recurrences and time are bounded. What is not about time is not looked at.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

import attrs

from trioarm.core.errors import CalendarUnavailable, InvalidCalendar
from trioarm.core.instants import DAY, EARLIEST, LATEST, render_instant
from trioarm.core.triggers.calendar import EVENTS_MAX, Events
from trioarm.core.triggers.zones import find_zone
from trioarm.feeds.patience import TIME_S_MAX, Patience
from trioarm.links.threads import Thread

SIZE_MAX: Final = 8 * 1024 * 1024  # bytes of a text: ten years of a busy office
BACK: Final = 30 * DAY  # how far back events are looked for, so that an end after downtime is not missed
AHEAD: Final = 400 * DAY  # how far ahead: next year's holiday can be planned for
EXTRA: Final = ("icalendar", "dateutil")  # what `trioarm[calendar]` brings


@attrs.frozen(slots=True, kw_only=True)
class Asked:
    """What is wanted of a calendar.

    Args:
        name: of the calendar (S2.4).
        timezone: where its days are, and its times that name no zone.
        start: instant from which on events are looked for.
        end: instant up to which.

    Raises:
        InvalidTrigger: there is no such zone.
    """

    name: str
    timezone: str = attrs.field(validator=lambda _, __, value: find_zone(value))
    start: int
    end: int

    @classmethod
    def around(cls, name: str, timezone: str, now: int) -> Asked:
        """Return what is usually wanted at an instant: 30 days back, 400 ahead, whole days.

        Whole days make everything that is read in one day the same, so that a refresh changes nothing (S5.6).
        """
        today = now // DAY * DAY
        start, end = max(today - BACK, EARLIEST + 3 * DAY), min(today + AHEAD, LATEST - 3 * DAY)
        return cls(name=name, timezone=timezone, start=start, end=end)


def read_calendar(content: bytes | str, asked: Asked, patience: Patience | None = None) -> Events:
    """Return the events of a calendar that lie at least partly in a window, those left out that were cancelled.

    Args:
        content: of an ICS file or feed.
        asked: which events.
        patience: how long that may take; half a minute if not given.

    Raises:
        InvalidCalendar: it is none, or has too much of something; one line, with the line of the text if there is one.
        CalendarUnavailable: the libraries are not installed.
    """
    if len(content) > SIZE_MAX:
        raise too_large(len(content))
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        raise CalendarUnavailable(f"calendars need {names}: python -m pip install 'trioarm[calendar]'")
    from trioarm.feeds.content import read_content
    from trioarm.feeds.places import Known, Places
    from trioarm.feeds.series import Window, group, read_event, spans_of

    patience = patience or Patience()
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    components, zones = read_content(text, patience)
    places = Places(Known(find_zone(asked.timezone)), zones)
    events = []
    for component in components:
        patience.ask()
        events.append(read_event(component, places))
    found: set[tuple[int, int]] = set()
    for series in group(events):
        for span in spans_of(series, Window(asked.start, asked.end), patience):
            found.add(span)
            if len(found) > EVENTS_MAX:
                until = f"{render_instant(asked.start)} and {render_instant(asked.end)}"
                raise InvalidCalendar(f"more than {EVENTS_MAX} events between {until}: give a smaller calendar")
    return Events(asked.name, found, asked.end)


async def read_events(content: bytes | str, asked: Asked, thread: Thread, *, time_s: float = TIME_S_MAX) -> Events:
    """Return what `read_calendar` returns, read in a thread.

    Args:
        content: of an ICS file or feed.
        asked: which events.
        thread: in which calendars are read, one at a time.
        time_s: how long reading may take, from when its turn has come.

    Raises:
        InvalidCalendar: it is none, or has too much of something.
        CalendarUnavailable: the libraries are not installed.

    Cancellation: soon; the thread has ended then.
    """
    patience = Patience(time_s)

    def read() -> Events:
        return read_calendar(content, asked, patience)

    return await thread.run_or(patience.interrupt, read)


def too_large(size: int | None = None) -> InvalidCalendar:
    """Return the error of a text that is not even looked at."""
    found = "more bytes than that" if size is None else f"{size} bytes"
    return InvalidCalendar(f"a calendar has at most {SIZE_MAX} bytes, and this one has {found}: give a smaller one")
