"""Telling: which alerts a channel has to tell of now, and in how many messages. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from trioarm.core.alerts import Alert, AlertState, Severity
from trioarm.core.instants import MINUTE, microseconds
from trioarm.notify.message import Told
from trioarm.notify.model import SEVERITIES, ChannelSettings, Limit

AGAIN_AFTER_REFUSAL: Final = 15 * MINUTE  # what was refused is refused the next minute, too
AT_ONCE_MAX: Final = 20  # messages of one run: what takes longest is bounded by it


@attrs.frozen(slots=True, kw_only=True)
class Record:
    """What one channel has told of one alert, as it is kept.

    Args:
        times: messages delivered that told of it while it was open.
        first_at: when the first was; None for none.
        last_at: when the last was.
        refused_at: when the other side last did not want it; None if it was delivered since, or always.
        refused: why not.
        over_at: when it was told that it is over.
    """

    times: int = 0
    first_at: int | None = None
    last_at: int | None = None
    refused_at: int | None = None
    refused: str = ""
    over_at: int | None = None


NOTHING: Final = Record()


def due(settings: ChannelSettings, name: str, alert: Alert, record: Record, now: int) -> Told | None:
    """Return what a channel has to tell of an alert now; None for nothing.

    A clock that was set back lets it tell too early, never too late.
    """
    if not settings.wants(alert) or settings.waits(alert.severity, now):
        return None
    if record.refused_at is not None and 0 <= now - record.refused_at < AGAIN_AFTER_REFUSAL:
        return None
    if alert.state is AlertState.OPEN:
        return Told(name, alert, record.times + 1) if _is_time(settings, alert, record, now) else None
    is_over = alert.resolved is not None and alert.severity is not Severity.NOTICE
    untold = record.times > 0 and record.over_at is None
    return Told(name, alert, record.times, over=True) if settings.over and is_over and untold else None


def _is_time(settings: ChannelSettings, alert: Alert, record: Record, now: int) -> bool:
    """Return whether an open alert is to be told, for the first time or again."""
    if record.last_at is None:
        since, pause_s = alert.raised_at, settings.after_s
    elif settings.repeat is None or record.times >= settings.repeat.most or alert.severity is Severity.NOTICE:
        return False
    else:
        since, pause_s = record.last_at, settings.repeat.every_s
    return not 0 <= now - since < microseconds(pause_s)


def room(limit: Limit, sent: Iterable[int], now: int) -> int:
    """Return how many messages a channel may send now.

    Args:
        sent: when it sent the last ones.
    """
    lately = sum(0 <= now - at < microseconds(limit.per_s) for at in sent)
    return max(0, limit.messages - lately)


def grouped(dues: Sequence[Told], room: int) -> list[Sequence[Told]]:
    """Return what is told in which message: the most urgent first; what there is no room for goes into the last one."""
    ordered = sorted(dues, key=lambda told: (-SEVERITIES.index(told.alert.severity), told.alert.raised_at, told.id))
    room = min(room, AT_ONCE_MAX)
    if room <= 0 or not ordered:
        return []
    alone = len(ordered) if len(ordered) <= room else room - 1
    rest = ordered[alone:]
    return [*([told] for told in ordered[:alone]), *([rest] if rest else [])]


def delivered(record: Record, told: Told, now: int) -> Record:
    """Return what is kept once a message has arrived that told of something."""
    if told.over:
        return attrs.evolve(record, over_at=now, refused_at=None, refused="")
    first_at = now if record.first_at is None else record.first_at
    return attrs.evolve(record, times=told.times, first_at=first_at, last_at=now, refused_at=None, refused="")


def refused(record: Record, why: str, now: int) -> Record:
    """Return what is kept once the other side did not want a message."""
    return attrs.evolve(record, refused_at=now, refused=why)
