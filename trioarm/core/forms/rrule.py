"""Forms of recurrence rules: `rrule`, a table of rule, start and dates, or the lines of a calendar as one text.

A zone that the lines name is stronger than a default one; `timezone` beside them has to agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

import attrs

from trioarm.core.forms.family import Around, Form, ReadTrigger, civil_form, read_civil
from trioarm.core.reading import Table, show, text
from trioarm.core.triggers import RRule, Trigger
from trioarm.core.triggers.rrule_lines import read_lines, read_start


@attrs.frozen(slots=True)
class _Given:
    rule: str
    start: datetime | None = None
    exdates: tuple[str | date, ...] = ()
    rdates: tuple[str | date, ...] = ()


def _read_rrule(table: Table, key: str, around: Around) -> RRule | None:
    civil = read_civil(table, around)
    if isinstance(table.tree[key], Mapping):
        given = _read_table(table.table(key))
    else:
        given = table.take(key, lambda value: _Given(text(value)), None)
    if given is None:
        return None
    explicit = civil.timezone if "timezone" in table else None

    def build(_: object) -> RRule:
        zone = explicit or (None if read_lines(given.rule).timezone else around.timezone)
        return RRule(
            given.rule,
            zone,
            given.start,
            exdates=given.exdates,
            rdates=given.rdates,
            gap=civil.gap,
            fold=civil.fold,
            dst=civil.dst,
        )

    return table.take(key, build, None)


def _read_table(table: Table | None) -> _Given | None:
    if table is None:
        return None
    rule = table.need("rule", text, 'write it like rule = "FREQ=WEEKLY;BYDAY=MO,WE"')
    start = table.take("start", read_start, None)
    exdates, rdates = table.take("exdates", _dates, ()), table.take("rdates", _dates, ())
    table.close()
    if rule is None or (start is None and "start" in table):
        return None
    return _Given(rule, start, exdates, rdates)


def _dates(value: object) -> tuple[str | date, ...]:
    """Read one local time or several, to be judged where the start is known."""
    return tuple(map(_date, value)) if isinstance(value, list) else (_date(value),)


def _date(value: object) -> str | date:
    if isinstance(value, str | date):
        return value
    raise ValueError(f"{show(value)} is no local time: write it like 2026-11-23T22:30:00")


READERS: Final[dict[str, ReadTrigger]] = {"rrule": _read_rrule}


def write(trigger: Trigger) -> Form | None:
    """Return the form of a trigger of this family; None of another."""
    if not isinstance(trigger, RRule):
        return None
    form: Form = {"rule": trigger.rule, "start": trigger.start.isoformat()}
    if trigger.exdates:
        form["exdates"] = [moment.isoformat() for moment in trigger.exdates]
    if trigger.rdates:
        form["rdates"] = [moment.isoformat() for moment in trigger.rdates]
    return {"rrule": form, **civil_form(trigger.timezone, trigger.gap, trigger.fold, trigger.dst)}
