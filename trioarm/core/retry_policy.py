"""How a failed attempt is followed by another: after which errors, how often, after what delay, and until when (S6.4).

Errors are meant by the names of their classes, so that a policy can be written in a file and kept in a store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

import attrs

from trioarm.core.bounds import DURATION_S_MAX, SECONDS, check_number, check_seconds, check_whole, show
from trioarm.core.errors import InvalidSchedule

RETRIES_MAX: Final = 1000  # more is no retry, but a schedule
FACTOR_MAX: Final = 100
ERRORS_MAX: Final = 32  # names in one list: who means more means a base of them
ERROR_LENGTH_MAX: Final = 255  # characters of one name, its module included
PER_ERROR_MAX: Final = 16


class Strategy(StrEnum):
    """How the delays between attempts follow each other."""

    EXPONENTIAL = "exponential"  # each grows by the factor; spread over its upper half
    CONSTANT = "constant"  # each is the base, exactly
    DECORRELATED = "decorrelated"  # each by chance, between the base and the factor times the one before


def error_name(value: str) -> str:
    """Return the name of a class of exceptions, as `Class` or `module.Class`.

    Raises:
        ValueError: it is no such name.
    """
    if 0 < len(value) <= ERROR_LENGTH_MAX and all(part.isidentifier() for part in value.split(".")):
        return value
    raise ValueError(f"{show(value)} is no class of errors: write it like ValueError or ssl.SSLError")


def _error_names(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise InvalidSchedule(f"retry errors {show(value)}: give a list of names, such as [{value!r}]")
    names = tuple(value)
    if len(names) > ERRORS_MAX:
        raise InvalidSchedule(f"retry names {len(names)} errors in one list: at most {ERRORS_MAX}")
    for name in names:
        if not isinstance(name, str):
            raise InvalidSchedule(f"retry error {show(name)}: name its class, such as 'ValueError'")
        try:
            error_name(name)
        except ValueError as error:
            raise InvalidSchedule(f"retry error {error}") from None
    return names


def strategy_named(value: str) -> Strategy:
    """Return the strategy of that name.

    Raises:
        InvalidSchedule: there is none.
    """
    try:
        return Strategy(value)
    except ValueError as error:
        raise InvalidSchedule(f"retry strategy {show(value)}: it is one of {', '.join(Strategy)}") from error


def _optional_strategy(value: str | None) -> Strategy | None:
    return None if value is None else strategy_named(value)


def _check_delays(said: str, base_s: object, max_s: object, factor: object) -> None:
    check_number(f"{said} base_s is", base_s, 0, DURATION_S_MAX, SECONDS)
    check_number(f"{said} max_s is", max_s, 0, DURATION_S_MAX, SECONDS)
    check_number(f"{said} factor is", factor, 1, FACTOR_MAX, "a number, such as 2.0")


@attrs.frozen(slots=True)
class ErrorPolicy:
    """What holds for some errors instead of what holds for all; None for what the policy says.

    Args:
        on: the names of these errors.
        max_retries: how many attempts may follow the first, whatever the others failed with.
        base_s: as in `RetryPolicy`; likewise `max_s`, `factor` and `strategy`.
    """

    on: tuple[str, ...] = attrs.field(converter=_error_names)
    max_retries: int | None = None
    base_s: float | None = None
    max_s: float | None = None
    factor: float | None = None
    strategy: Strategy | None = attrs.field(default=None, converter=_optional_strategy)

    def __attrs_post_init__(self) -> None:
        if not self.on:
            raise InvalidSchedule("retry per_error: name the errors that it is for")
        if self.max_retries is not None:
            check_whole("max_retries is", self.max_retries, 0, RETRIES_MAX)
        plain = RetryPolicy()
        _check_delays(
            "retry per_error",
            plain.base_s if self.base_s is None else self.base_s,
            plain.max_s if self.max_s is None else self.max_s,
            plain.factor if self.factor is None else self.factor,
        )


def _several(value: Iterable[ErrorPolicy]) -> tuple[ErrorPolicy, ...]:
    several = tuple(value)
    if len(several) > PER_ERROR_MAX:
        raise InvalidSchedule(f"retry per_error has {len(several)} entries: at most {PER_ERROR_MAX}")
    for one in several:
        if not isinstance(one, ErrorPolicy):
            raise InvalidSchedule(f"retry per_error {show(one)}: give a list of ErrorPolicy")
    return several


@attrs.frozen(slots=True)
class RetryPolicy:
    """When a failed attempt is followed by another (S6.4).

    An error is named by its class or one of its bases, as `Class` or `module.Class`. An attempt that took longer than
    its timeout is a `TimeoutError`, and worth another unless `never` says otherwise.

    Args:
        max_retries: how many attempts may follow the first, 0 to 1000.
        base_s: delay before the second attempt, in seconds.
        max_s: the longest delay, in seconds; applied before jitter.
        factor: by how much each delay exceeds the one before, 1 to 100.
        strategy: how delays follow each other.
        on: errors that are worth another attempt; empty for all.
        never: errors that are not, whatever else is said of them.
        max_age_s: no attempt begins later than so long after the occurrence was due, in seconds; None for no end.
        per_error: what holds for some errors instead; the first that names the error counts.
    """

    max_retries: int = 3
    base_s: float = 1.0
    max_s: float = 30.0
    factor: float = 2.0
    strategy: Strategy = attrs.field(default=Strategy.EXPONENTIAL, converter=strategy_named)
    on: tuple[str, ...] = attrs.field(default=(), converter=_error_names)
    never: tuple[str, ...] = attrs.field(default=(), converter=_error_names)
    max_age_s: float | None = None
    per_error: tuple[ErrorPolicy, ...] = attrs.field(default=(), converter=_several)

    def __attrs_post_init__(self) -> None:
        check_whole("max_retries is", self.max_retries, 0, RETRIES_MAX)
        _check_delays("retry", self.base_s, self.max_s, self.factor)
        check_seconds("retry max_age_s", self.max_age_s, 0, DURATION_S_MAX)

    @property
    def is_advanced(self) -> bool:
        """Whether it asks for more than plain exponential delays, the same for every error."""
        return self.strategy is not Strategy.EXPONENTIAL or bool(self.per_error)

    @property
    def plain(self) -> RetryPolicy:
        """The policy without what is advanced about it."""
        if not self.is_advanced:
            return self
        return attrs.evolve(self, strategy=Strategy.EXPONENTIAL, per_error=())

    def allows(self, kinds: Collection[str]) -> bool:
        """Whether an error is worth another attempt.

        Args:
            kinds: the names of its classes; none for an attempt that a handler itself wants to be made again.
        """
        if any(name in kinds for name in self.never):
            return False
        return not self.on or not kinds or any(name in kinds for name in self.on)

    def of(self, kinds: Collection[str]) -> RetryPolicy:
        """Return what holds for an error of these classes."""
        for rule in self.per_error:
            if any(name in kinds for name in rule.on):
                return self.with_rule(rule)
        return self

    def with_rule(self, rule: ErrorPolicy) -> RetryPolicy:
        """Return what holds for the errors of a rule."""
        return attrs.evolve(
            self,
            max_retries=self.max_retries if rule.max_retries is None else rule.max_retries,
            base_s=self.base_s if rule.base_s is None else rule.base_s,
            max_s=self.max_s if rule.max_s is None else rule.max_s,
            factor=self.factor if rule.factor is None else rule.factor,
            strategy=rule.strategy or self.strategy,
        )
