"""Forms: how triggers are written in a mapping, in scheduler.toml and everywhere else.

The key says which kind. Each module here is one family of triggers and both ways of its form: what `read_trigger`
reads, `write_trigger` writes. Triggers of local time share `timezone`, `gap`, `fold` and `dst`, beside the key.
"""

from __future__ import annotations

from typing import Final

from trioarm.core.errors import InvalidSchedule
from trioarm.core.forms import ahead, algebra, calendar, elapsed, excepted, limits, rrule, spans, sun, timetables
from trioarm.core.forms.family import CIVIL, Around, Form, ReadTrigger
from trioarm.core.reading import Table
from trioarm.core.triggers import Trigger
from trioarm.core.triggers.algebra import Member
from trioarm.core.triggers.calendar import EventSpans

_FAMILIES: Final = (elapsed, timetables, rrule, sun, calendar)


def _read_member(table: Table, around: Around) -> Member | None:
    if calendar.SPANS_KEY in table:
        return calendar.read_spans(table, around)
    return spans.read_spans(table, around) if spans.is_spans(table) else read_trigger(table, around)


def _write_member(member: Member) -> Form:
    if isinstance(member, EventSpans):
        return calendar.write_spans(member)
    return write_trigger(member) if isinstance(member, Trigger) else spans.write_spans(member)


_READERS: Final[dict[str, ReadTrigger]] = {
    **{key: read for family in _FAMILIES for key, read in family.READERS.items()},
    **algebra.readers(_read_member),
    ahead.KEY: ahead.reader(lambda table, around: read_trigger(table, around)),
    excepted.KEY: excepted.reader(lambda table, around: read_trigger(table, around)),
}
TRIGGERS: Final = tuple(_READERS)
FOR_PEOPLE: Final = tuple(key for key in TRIGGERS if key not in (ahead.KEY, excepted.KEY))  # those come of others

_ELSEWHERE: Final = {  # what other schedulers call it
    "daily": 'say it as cron = "30 22 * * *", which is every day at 22:30',
    "hourly": 'say it as every = "1h", or as cron = "0 * * * *" for each full hour',
    "interval": 'say it as every = "5m"',
    "date": 'say it as once = "2030-01-31T22:30:00+01:00"',
}


def read_trigger(table: Table, around: Around) -> Trigger | None:
    """Read the trigger of a table that its caller closes; None, and a problem, when there is none.

    Args:
        table: of a schedule, or of a member of another trigger.
        around: what holds where the table says nothing.
    """
    return limits.read_limited(table, around, _read_kind)


def _read_kind(table: Table, around: Around) -> Trigger | None:
    table.knows(*TRIGGERS)
    given = [key for key in TRIGGERS if key in table]
    match given:
        case []:
            meant = [key for key in _ELSEWHERE if key in table]
            for key in meant:
                table.refuse(key, _ELSEWHERE[key])
            if not meant:
                table.problems.add(table.path, f"says nothing of when: give it one of {', '.join(FOR_PEOPLE)}")
        case [key]:
            return _READERS[key](table, key, around)
        case _:
            table.problems.add(table.path, f"{' and '.join(given)} are given: a schedule has one trigger")
    table.knows(*CIVIL)
    return None


def write_trigger(trigger: Trigger) -> Form:
    """Return the keys that say when: what `read_trigger` reads back as an equal trigger.

    Raises:
        InvalidSchedule: the trigger is none of ours.
    """
    forms = (form for family in _FAMILIES if (form := family.write(trigger)) is not None)
    form = next(forms, None) or algebra.write(trigger, _write_member)
    form = form or ahead.write(trigger, write_trigger) or excepted.write(trigger, write_trigger)
    if form is not None:
        return form
    raise InvalidSchedule(f"a {type(trigger).__name__} is no trigger that can be written down")


__all__ = ["CIVIL", "FOR_PEOPLE", "TRIGGERS", "Around", "read_trigger", "write_trigger"]
