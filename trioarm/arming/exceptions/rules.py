"""Exceptions as people say them: what is understood, and what is refused in one line that says what to do (A4.3)."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from trioarm.arming.exceptions.days import SCHEDULE, SITE, TAG, bounds, covers, days_of
from trioarm.arming.model import Effect, ExceptionRule, InvalidRequest, Premises, Target
from trioarm.core.bounds import check_author
from trioarm.core.errors import InvalidSchedule, InvalidTrigger
from trioarm.core.reading import show, suggest
from trioarm.core.triggers.daytimes import time_of_day

DAYS_MAX: Final = 366  # of one exception: a longer one is a change of the timetable
NOTE_LENGTH_MAX: Final = 500  # characters; it is said again with everything that is otherwise
AUTHOR_LENGTH_MAX: Final = 100

_RANGE: Final = ".."
_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}))?")
_HINT: Final = "write it like 2026-12-24, or 2026-12-24..2026-12-27, with times like 2026-12-20T10:00 where they matter"


def read_range(text: str) -> tuple[str, str]:
    """Return the beginning and the end that a text names: one date, or two with `..` between them.

    Raises:
        InvalidRequest: it names no such thing.
    """
    first, dots, last = text.partition(_RANGE)
    return _moment(first), _moment(last if dots else first)


def read_time(text: str) -> str:
    """Return a time of day as `20:00`.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        return time_of_day(text)
    except InvalidTrigger as error:
        raise InvalidRequest(str(error)) from None


def _moment(text: str) -> str:
    found = _DAY.fullmatch(text.strip())
    if found is None:
        raise InvalidRequest(f"{show(text)} is no date: {_HINT}")
    try:
        date.fromisoformat(found[1])
        return found[1] if found[2] is None else f"{found[1]}T{time_of_day(found[2])}"
    except (ValueError, InvalidTrigger) as error:
        raise InvalidRequest(f"{show(text)} is no date: {error}") from None


def check_rule(rule: ExceptionRule, premises: Premises) -> None:
    """Refuse an exception that means nothing.

    Raises:
        InvalidRequest: with the reason.
    """
    _check_words(rule)
    _check_scope(rule, premises)
    _check_days(rule)
    _check_effect(rule)
    _check_of_one_sort(rule, premises)
    if rule.target is Target.DISARMED:
        barred = [name for name in partitions_of(rule, premises) if not premises.partitions[name].allow_disarm]
        if barred:
            raise InvalidRequest(
                f"schedules may not disarm {', '.join(barred)}: set allow_disarm = true there if they may"
            )


def partitions_of(rule: ExceptionRule, premises: Premises) -> list[str]:
    """Return the partitions that an exception concerns, in the order of the configuration."""
    if rule.on.startswith(SITE):
        return [name for name, one in premises.partitions.items() if SITE + one.site == rule.on]
    concerned = {
        name
        for arming in premises.schedules
        for name in arming.partitions
        if rule.on in (SCHEDULE + arming.schedule.name, *(TAG + tag for tag in arming.schedule.tags))
    }
    return [name for name in premises.partitions if name in concerned]


def _check_of_one_sort(rule: ExceptionRule, premises: Premises) -> None:
    """Refuse one time, or one target, for what arms and what disarms: nobody wants both to be the same."""
    concerned = {
        arming.schedule.name: arming.target is Target.DISARMED
        for arming in premises.schedules
        for name in arming.partitions
        if covers(rule, arming, premises.partitions[name])
    }
    if rule.effect is Effect.REPLACE and len({*concerned.values()}) > 1:
        opening = ", ".join(name for name, disarms in concerned.items() if disarms)
        raise InvalidRequest(
            f"of {rule.on} some schedules arm and others disarm ({opening}), and one time or target cannot be meant "
            "for both: name a schedule or a tag"
        )


def _check_words(rule: ExceptionRule) -> None:
    if len(rule.author) > AUTHOR_LENGTH_MAX or len(rule.note) > NOTE_LENGTH_MAX:
        raise InvalidRequest(f"a name has at most {AUTHOR_LENGTH_MAX} characters, and a note {NOTE_LENGTH_MAX}")
    try:
        check_author(rule.author, rule.note)
    except InvalidSchedule as error:
        raise InvalidRequest(str(error)) from None


def _check_scope(rule: ExceptionRule, premises: Premises) -> None:
    kind, slash, name = rule.on.partition("/")
    known = {
        SITE: list(premises.sites),
        TAG: sorted({tag for arming in premises.schedules for tag in arming.schedule.tags}),
        SCHEDULE: [arming.schedule.name for arming in premises.schedules],
    }.get(kind + slash)
    if known is None:
        raise InvalidRequest(f"{show(rule.on)} names nothing: write {SITE}NAME, {TAG}NAME or {SCHEDULE}NAME")
    if name not in known:
        what = "schedule that arms has the tag" if kind + slash == TAG else f"{kind} of that name:"
        raise InvalidRequest(f"there is no {what} {show(name)}{suggest(name, known)}")


def _check_days(rule: ExceptionRule) -> None:
    first, last = days_of(rule)
    start, end = bounds(rule, "UTC")
    if end <= start:
        raise InvalidRequest(f"{rule.begins} to {rule.ends} ends before it begins")
    if (last - first).days >= DAYS_MAX:
        raise InvalidRequest(
            f"{rule.begins} to {rule.ends} is longer than {DAYS_MAX} days: change the schedules instead"
        )


def _check_effect(rule: ExceptionRule) -> None:
    effect, timed = rule.effect, "T" in rule.begins + rule.ends
    if effect is Effect.REPLACE and rule.at is None and rule.target is None:
        raise InvalidRequest("say what is otherwise: another time, another target, or nothing at all, which is skip")
    if rule.at is not None and effect is not Effect.REPLACE:
        raise InvalidRequest(f"a time has no meaning beside {effect}: leave one of the two out")
    if rule.target is not None and effect not in (Effect.REPLACE, Effect.VACATION):
        raise InvalidRequest(f"a target has no meaning beside {effect}: leave one of the two out")
    if timed and (rule.at is not None or effect in (Effect.HOLIDAY, Effect.WORKDAY)):
        raise InvalidRequest(f"{rule.begins} to {rule.ends}: here only whole days mean something, so leave times out")
    if effect is not Effect.VACATION:
        return
    if not rule.on.startswith(SITE):
        raise InvalidRequest("a vacation is one of a whole site: name that")
    if rule.target is Target.DISARMED:
        raise InvalidRequest("a vacation that disarms would leave the house open: choose another target")
