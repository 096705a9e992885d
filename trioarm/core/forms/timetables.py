"""Forms of timetables: `weekly` and `cron`, days and times of day in a zone."""

from __future__ import annotations

from typing import Final

from trioarm.core.forms.family import Around, Form, ReadTrigger, civil_form, one_or_all, read_civil, texts
from trioarm.core.reading import Table, text
from trioarm.core.triggers import Cron, Fold, Gap, Trigger, Weekly

_MONDAY, _NOON = ("mon",), ("12:00",)  # stand in for one half of a weekly trigger while the other is judged


def _read_cron(table: Table, key: str, around: Around) -> Cron | None:
    civil = read_civil(table, around)
    cron = table.take(key, lambda value: Cron(text(value)), None)
    if cron is None:
        return None
    return Cron(cron.expression, civil.timezone, gap=civil.gap, fold=civil.fold, dst=civil.dst)


def _read_weekly(table: Table, key: str, around: Around) -> Weekly | None:
    civil = read_civil(table, around)
    weekly = table.table(key)
    if weekly is None:
        return None
    days = weekly.need("days", lambda value: Weekly(texts(value), _NOON).days, 'write them like days = ["mon", "tue"]')
    at = weekly.need("at", lambda value: Weekly(_MONDAY, texts(value)).at, 'write it like at = "22:30"')
    weekly.close()
    if days is None or at is None:
        return None
    gap, fold = civil.gap or Gap.RUN_AFTER, civil.fold or Fold.FIRST
    return Weekly(days, at, civil.timezone, gap=gap, fold=fold, dst=civil.dst)


READERS: Final[dict[str, ReadTrigger]] = {"weekly": _read_weekly, "cron": _read_cron}


def write(trigger: Trigger) -> Form | None:
    """Return the form of a trigger of this family; None of another."""
    match trigger:
        case Weekly(days, at):
            civil = civil_form(trigger.timezone, trigger.gap, trigger.fold, trigger.dst)
            return {"weekly": {"days": [*days], "at": one_or_all(at)}, **civil}
        case Cron(expression):
            return {"cron": expression, **civil_form(trigger.timezone, trigger.gap, trigger.fold, trigger.dst)}
        case _:
            return None
