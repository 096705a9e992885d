"""How an attempt ended, and the four instructions a handler may raise instead of returning (S6.3, S6.4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Final, TypeAlias

import attrs

from trioarm.core.instants import instant
from trioarm.core.jsonable import Json
from trioarm.core.states import Reason

# What may stand against an occurrence that is due: the rest of the reasons are not for a handler to give.
OVERRIDES: Final = frozenset({Reason.PERSON, Reason.HOLD, Reason.CONDITION})
KINDS_MAX: Final = 64  # names kept of the classes of one error: a group may hold thousands


class Retry(Exception):
    """Raised by a handler: this attempt failed, try again. Consumes an attempt.

    Args:
        after_s: seconds until the next attempt; None for the schedule's own backoff.
    """

    def __init__(self, message: str = "", *, after_s: float | None = None) -> None:
        super().__init__(message)
        if after_s is not None and not 0 <= after_s <= 366 * 86400:
            raise ValueError(f"after_s is {after_s!r}: it must lie between 0 and a year")
        self.after_s = after_s


class Discard(Exception):
    """Raised by a handler: this failed and trying again is useless. The message says why."""


class Snooze(Exception):
    """Raised by a handler: not yet. Consumes no attempt; at most 1 000 per run.

    Args:
        until: an aware datetime, or microseconds since 1970 UTC.
    """

    def __init__(self, until: datetime | int, message: str = "") -> None:
        super().__init__(message)
        self.until_at = instant(until)


class Override(Exception):
    """Raised by a handler: somebody else decided otherwise, so nothing was done. That is an end, and no failure.

    Args:
        message: who decided what.
        reason: `person` for what somebody did, `hold` for what somebody asked for beforehand, `condition` for what was
            declared beforehand.
    """

    def __init__(self, message: str = "", *, reason: Reason = Reason.PERSON) -> None:
        super().__init__(message)
        if reason not in OVERRIDES:
            raise ValueError(f"reason is {reason!r}: it must be {' or '.join(sorted(OVERRIDES))}")
        self.reason = reason


@attrs.define(slots=True)
class Ok:
    """The handler returned.

    Args:
        result: what it returned.
        dropped: why the result could not be kept; None when it could.
    """

    result: Json = None
    dropped: str | None = None


@attrs.define(slots=True)
class Failed:
    """The handler raised.

    Args:
        error: one line.
        after_s: the delay the handler asked for; None for the policy's.
        final: whether the handler said that trying again is useless.
        kinds: the names of the error's classes, see `kinds_of`; none where the handler asked for another attempt.
    """

    error: str
    after_s: float | None = None
    final: bool = False
    kinds: tuple[str, ...] = ()


@attrs.define(slots=True)
class TimedOut:
    """The attempt took too long.

    Args:
        error: one line.
        stuck: whether the handler ignored its cancellation; then it is not called again for this run.
    """

    error: str
    stuck: bool = False


@attrs.define(slots=True)
class Stopped:
    """The attempt was cancelled from outside, for a reason that is data."""

    reason: Reason


@attrs.define(slots=True)
class Snoozed:
    """The handler asked to be called later."""

    until_at: int


@attrs.define(slots=True)
class Overridden:
    """The handler did nothing, because somebody else decided otherwise.

    Args:
        text: one line.
    """

    reason: Reason
    text: str


def kinds_of(error: BaseException) -> tuple[str, ...]:
    """Return the names of an error's class and of its bases, each as `Class` and as `module.Class`.

    A group is of the classes of all that it holds, too: what is not worth another attempt is not so in company.
    """
    if not isinstance(error, BaseExceptionGroup):
        return _names_of(type(error))
    return tuple(islice(dict.fromkeys(_names_in(error)), KINDS_MAX))


def _names_in(error: BaseException) -> Iterator[str]:
    yield from _names_of(type(error))
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _names_in(each)


def _names_of(kind: type[BaseException]) -> tuple[str, ...]:
    classes = [one for one in kind.__mro__ if issubclass(one, BaseException)]
    return tuple(name for one in classes for name in (one.__name__, f"{one.__module__}.{one.__qualname__}"))[:KINDS_MAX]


Outcome: TypeAlias = Ok | Failed | TimedOut | Stopped | Snoozed | Overridden
