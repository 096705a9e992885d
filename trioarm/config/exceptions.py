"""Exceptions that are known beforehand: every `[[exception]]` (A4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Final

import attrs

from trioarm.arming.compile import engine_schedules
from trioarm.arming.conflicts.contradictions import clash
from trioarm.arming.exceptions.days import SCHEDULE, SITE, TAG
from trioarm.arming.exceptions.kept import EXCEPTIONS_MAX
from trioarm.arming.exceptions.rules import check_rule, read_range, read_time
from trioarm.arming.model import Effect, ExceptionRule, InvalidRequest, KeptException, Premises, Target
from trioarm.core.errors import InvalidSchedule
from trioarm.core.reading import Problems, Table, flag, mapping, member, text

_SCOPES: Final = {"site": SITE, "tag": TAG, "schedule": SCHEDULE}
_TREATED: Final = {"holiday": Effect.HOLIDAY, "workday": Effect.WORKDAY}


def read_exceptions(whole: Table, premises: Premises, author: str) -> tuple[ExceptionRule, ...]:
    """Read every `[[exception]]`.

    Args:
        whole: the file.
        premises: what they can concern.
        author: of those that name none.
    """
    found = []
    for index, tree in enumerate(whole.take("exception", _each, [])):
        rule = _read(tree, f"exception[{index}]", premises, author, whole.problems)
        found += [] if rule is None else [rule]
    if found and not whole.problems.lines:
        for index, line in _clashes(found, premises):
            whole.problems.add(f"exception[{index}]", line)
    return tuple(found)


def _clashes(rules: Sequence[ExceptionRule], premises: Premises) -> Iterator[tuple[int, str]]:
    """Yield what exceptions make contradict something, each with its index, as if all held from the beginning."""
    kept = [KeptException(number=index, rule=rule, said_at=0, since_at=0) for index, rule in enumerate(rules)]
    try:
        schedules = engine_schedules(attrs.evolve(premises, exceptions=tuple(kept)))
    except InvalidSchedule:
        return  # it is said of the schedule itself
    for one in kept:
        if (line := clash(schedules, one, premises)) is not None:
            yield one.number, line


def _each(value: object) -> Iterable[object]:
    if not isinstance(value, list):
        raise ValueError("write [[exception]], with two brackets on each side: there can be many")
    if len(value) > EXCEPTIONS_MAX:
        raise ValueError(f"{len(value)} exceptions are too many: at most {EXCEPTIONS_MAX}")
    return value


def _read(tree: object, path: str, premises: Premises, author: str, problems: Problems) -> ExceptionRule | None:
    before = len(problems.lines)
    try:
        table = Table(mapping(tree), path, problems)
    except ValueError as error:
        problems.add(path, str(error))
        return None
    days = table.need("on", _range, 'say when, like on = "2026-12-24..2026-12-27"')
    scope, effect = _read_scope(table), _read_effect(table)
    at, target = table.take("at", lambda value: read_time(text(value)), None), _read_target(table)
    said_by, note = table.take("author", text, author), table.take("note", text, "")
    table.close()
    if days is None or scope is None or effect is None or len(problems.lines) > before:
        return None
    begins, ends = days
    rule = ExceptionRule(
        on=scope, begins=begins, ends=ends, effect=effect, at=at, target=target, author=said_by, note=note
    )
    try:
        check_rule(rule, premises)
    except InvalidRequest as error:
        problems.add(path, str(error))
    return rule


def _range(value: object) -> tuple[str, str]:
    if isinstance(value, date) and not isinstance(value, datetime):  # as TOML writes it
        return value.isoformat(), value.isoformat()
    return read_range(text(value))


def _read_scope(table: Table) -> str | None:
    given = [key for key in _SCOPES if key in table]
    table.knows(*_SCOPES)
    if len(given) != 1:
        table.problems.add(table.path, f"concerns {len(given)} things: give it one of {', '.join(_SCOPES)}")
        return None
    [key] = given
    name = table.take(key, text, None)
    return None if name is None else _SCOPES[key] + name


def _read_effect(table: Table) -> Effect | None:
    effects = [effect for effect in (Effect.SKIP, Effect.VACATION) if table.take(effect.value, flag, False)]
    word = table.take("treat_as", _treated, None)
    effects += [] if word is None else [word]
    if len(effects) > 1:
        table.problems.add(table.path, f"is {' and '.join(effects)} at once: make two of it")
        return None
    return effects[0] if effects else Effect.REPLACE


def _treated(value: object) -> Effect:
    word = text(value)
    if word not in _TREATED:
        raise ValueError(f"{word!r} is no kind of day: write {' or '.join(_TREATED)}")
    return _TREATED[word]


def _read_target(table: Table) -> Target | None:
    return table.take("target", member(Target), None)
