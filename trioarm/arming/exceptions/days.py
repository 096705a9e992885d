"""When and whom an exception concerns: dates and times of a site's wall, as instants (A4.3). Pure."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final

from trioarm.arming.model import ArmingSchedule, Effect, ExceptionRule, Partition, Target
from trioarm.core.instants import DAY, MINUTE
from trioarm.core.triggers import Fold, Gap, Weekly
from trioarm.core.triggers.civil import find_timeline

SITE: Final = "site/"
TAG: Final = "tag/"
SCHEDULE: Final = "schedule/"

_EVERY_DAY: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EPOCH: Final = date(1970, 1, 1)


def covers(rule: ExceptionRule, arming: ArmingSchedule, partition: Partition) -> bool:
    """Return whether a rule concerns what a schedule does to a partition, whenever it does."""
    if rule.target is Target.DISARMED and not partition.allow_disarm:
        return False
    if rule.effect is Effect.REPLACE and rule.at is None and rule.target is arming.target:
        return False
    names = {SITE + partition.site, SCHEDULE + arming.schedule.name, *(TAG + tag for tag in arming.schedule.tags)}
    return rule.on in names


def bounds(rule: ExceptionRule, zone: str) -> tuple[int, int]:
    """Return the first instant of a rule in a zone, and the first one after it."""
    begins, ends = _local(rule.begins), _local(rule.ends)
    return _resolve(zone, begins), _resolve(zone, ends if "T" in rule.ends else ends + DAY)


def days_of(rule: ExceptionRule) -> tuple[date, date]:
    """Return the first and the last local date of a rule."""
    return date.fromisoformat(rule.begins[:10]), date.fromisoformat(rule.ends[:10])


def day_at(zone: str, instant: int) -> tuple[int, int]:
    """Return the first instants of the local day that an instant lies in, and of the next one."""
    number = instant // DAY - 1
    while _resolve(zone, (number + 1) * DAY) <= instant:
        number += 1
    return _resolve(zone, number * DAY), _resolve(zone, (number + 1) * DAY)


def daily(at: str, zone: str) -> Weekly:
    """Return a time of every day."""
    return Weekly(_EVERY_DAY, (at,), zone)


def _local(text: str) -> int:
    """Return a local date, or date and time, in microseconds of local time."""
    days = (date.fromisoformat(text[:10]) - _EPOCH).days
    hour, _, minute = text[11:].partition(":")
    return days * DAY + ((int(hour) * 60 + int(minute)) * MINUTE if hour else 0)


@lru_cache(maxsize=4096)
def _resolve(zone: str, local: int) -> int:
    return find_timeline(zone, True, Gap.RUN_AFTER, Fold.FIRST).resolve(local)[0]
