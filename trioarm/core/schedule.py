"""A schedule: the named pairing of a trigger, a handler with arguments, and policies.

A `Schedule` that exists is valid. It says nothing of the past: cursor, revision and pauses are in its record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

import attrs

from trioarm.core.bounds import DURATION_S_MAX, check_seconds, check_whole
from trioarm.core.errors import InvalidSchedule
from trioarm.core.instants import instant
from trioarm.core.jsonable import Json, as_json
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.triggers import After, Once, Trigger

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._/-]{0,62}")
_is_name: Final = NAME.fullmatch
TAGS_MAX: Final = 32
RESOURCES_MAX: Final = 8
HANDLER_LENGTH_MAX: Final = 255  # `module:qualname` of real programs stays far below
JITTER_S_MAX: Final = 86400.0  # what starts more than a day later is another schedule
PAUSE_AFTER_MAX: Final = 100  # failures in a row: asked of the history each time a run fails
PRECEDENCE_MAX: Final = 999  # three digits: room for whoever ranks schedules by several things at once

NO_ARGS: Final[dict[str, Json]] = {}
PRIORITY: Final = 5
PRECEDENCE: Final = 0

Order: TypeAlias = tuple[int, int, int, int, str]
"""Instant, nominal local time, priority, precedence, name."""


class Misfire(StrEnum):
    """What happens to occurrences noticed later than `tolerance_s` (S5.2)."""

    LATEST = "latest"
    EACH = "each"
    SKIP = "skip"


class Overlap(StrEnum):
    """What happens to an occurrence due while an earlier run of its schedule is unfinished (S5.4)."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    BUFFER_LATEST = "buffer_latest"
    BUFFER_ALL = "buffer_all"
    CANCEL_RUNNING = "cancel_running"
    ALLOW = "allow"

    def __init__(self, value: str) -> None:
        self.keeps_apart: Final = value not in ("skip", "allow")
        """Whether a run waits until no other of its schedule is unfinished."""
        self.only_newest: Final = value in ("buffer_latest", "cancel_running")
        """Whether what came due earlier gives way, so that of several due together only the newest counts."""


class Delivery(StrEnum):
    """How often the handler of one run may be started (S2.2)."""

    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


def check_name(name: str, what: str) -> str:
    """Return `name` when it is a valid name of a schedule, lane or partition (S2.4).

    Raises:
        InvalidSchedule: it is not; the message shows the rule.
    """
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise InvalidSchedule(
            f"{what} {name!r}: a name starts with a small letter or digit "
            "and goes on with up to 62 more of a-z 0-9 . _ / -"
        )
    return name


def _optional_instant(value: datetime | int | None) -> int | None:
    return None if value is None else instant(value)


_E = TypeVar("_E", bound=StrEnum)


def _member(kind: type[_E], value: str) -> _E:
    try:
        return kind(value)
    except ValueError as error:
        raise InvalidSchedule(f"{kind.__name__.lower()} {value!r}: it is one of {', '.join(kind)}") from error


def _misfire(value: str) -> Misfire:
    return value if isinstance(value, Misfire) else _member(Misfire, value)


def as_overlap(value: str) -> Overlap:
    """Return the policy of that name.

    Raises:
        InvalidSchedule: there is none.
    """
    return value if isinstance(value, Overlap) else _member(Overlap, value)


def _delivery(value: str) -> Delivery:
    return value if isinstance(value, Delivery) else _member(Delivery, value)


def checked_args(value: dict[str, Json]) -> dict[str, Json]:
    if value is NO_ARGS:
        return value
    try:
        copy = as_json(value, what="args")
    except ValueError as error:
        raise InvalidSchedule(str(error)) from error
    if not isinstance(copy, dict):
        raise InvalidSchedule(f"args {value!r}: they must be a mapping of names to values")
    return copy


def _tags(value: Iterable[str]) -> tuple[str, ...]:
    return () if value == () else _names(value, "tag", TAGS_MAX)


def _resources(value: Iterable[str]) -> tuple[str, ...]:
    return () if value == () else _names(value, "resource", RESOURCES_MAX)


def _names(value: Iterable[str], what: str, most: int) -> tuple[str, ...]:
    if isinstance(value, str):
        raise InvalidSchedule(f"{what}s {value!r}: give a list of words, such as [{value!r}]")
    names = tuple(value)
    if len(names) > most:
        raise InvalidSchedule(f"{len(names)} {what}s: at most {most}")
    for name in names:
        check_name(name, what)
    return names


@attrs.frozen(slots=True, weakref_slot=False)
class Schedule:
    """What should happen, when, and by which rules. Durations are seconds; None means "what the node is configured to".

    Args:
        name: unique in the repository.
        trigger: the rule that yields its occurrences.
        handler: the registered name of the handler.
        args: handed to the handler; plain JSON.
        tolerance_s: lateness still treated as on time; a second always is.
        misfire: what happens to occurrences noticed later than that.
        misfire_window_s: how old an occurrence may be and still run late.
        overlap: what happens while an earlier run is unfinished.
        lane: runs of one lane never overlap, whatever their schedule.
        supersede: in this lane only the newest of the occurrences due together counts (S5.5); needs a lane.
        timeout_s: how long one attempt may take.
        retry: when a failed attempt is followed by another.
        delivery: how often the handler of one run may be started.
        priority: 0 to 9, where 9 is most urgent (S4.4).
        precedence: 0 to 999; of equal instants and equal priority in a superseding lane the highest counts (S4.4).
        jitter_s: each occurrence may start up to so much later, always by the same for the same one (S4.6).
        start_at: no occurrence before this instant.
        end_at: no occurrence after this instant.
        max_runs: finished after this many runs; what never ran does not count.
        resources: what its runs need beside a worker, by name (S6.5).
        pause_after_failures: paused once so many runs in a row failed or timed out (S5.9); None for never.
        tags: words to filter by.
        owner: who declared it, such as `file:scheduler.toml`.
        enabled: false keeps it stored but paused.

    Raises:
        InvalidSchedule: a value is outside its bounds.
        InvalidInstant: `start_at` or `end_at` is naive.
    """

    name: str
    trigger: Trigger
    handler: str = attrs.field(kw_only=True)
    args: dict[str, Json] = attrs.field(kw_only=True, default=NO_ARGS, converter=checked_args)
    tolerance_s: float | None = attrs.field(kw_only=True, default=None)
    misfire: Misfire = attrs.field(kw_only=True, default=Misfire.LATEST, converter=_misfire)
    misfire_window_s: float | None = attrs.field(kw_only=True, default=None)
    overlap: Overlap = attrs.field(kw_only=True, default=Overlap.SKIP, converter=as_overlap)
    lane: str | None = attrs.field(kw_only=True, default=None)
    supersede: bool = attrs.field(kw_only=True, default=False)
    timeout_s: float | None = attrs.field(kw_only=True, default=None)
    retry: RetryPolicy | None = attrs.field(kw_only=True, default=None)
    delivery: Delivery = attrs.field(kw_only=True, default=Delivery.AT_LEAST_ONCE, converter=_delivery)
    priority: int = attrs.field(kw_only=True, default=PRIORITY)
    precedence: int = attrs.field(kw_only=True, default=PRECEDENCE)
    jitter_s: float | None = attrs.field(kw_only=True, default=None)
    start_at: int | None = attrs.field(kw_only=True, default=None, converter=_optional_instant)
    end_at: int | None = attrs.field(kw_only=True, default=None, converter=_optional_instant)
    max_runs: int | None = attrs.field(kw_only=True, default=None)
    resources: tuple[str, ...] = attrs.field(kw_only=True, default=(), converter=_resources)
    pause_after_failures: int | None = attrs.field(kw_only=True, default=None)
    tags: tuple[str, ...] = attrs.field(kw_only=True, default=(), converter=_tags)
    owner: str | None = attrs.field(kw_only=True, default=None)
    enabled: bool = attrs.field(kw_only=True, default=True)

    def __attrs_post_init__(self) -> None:
        """Check the values: most are the defaults, which need none."""
        if not isinstance(self.name, str) or _is_name(self.name) is None:
            check_name(self.name, "schedule")
        if not isinstance(self.handler, str) or not 0 < len(self.handler) <= HANDLER_LENGTH_MAX:
            raise InvalidSchedule(f"{self.name}: handler {self.handler!r} is no name of a handler")
        if self.priority is not PRIORITY:
            check_whole(f"{self.name}: priority is", self.priority, 0, 9, " (most urgent)")
        if self.lane is not None or self.supersede:
            self._check_lane()
        if self.precedence is not PRECEDENCE:
            self._check_precedence()
        if not (
            self.tolerance_s
            is self.misfire_window_s
            is self.jitter_s
            is self.timeout_s
            is self.max_runs
            is self.pause_after_failures
            is self.end_at
            is None
        ):
            self._check_bounds()

    def _check_lane(self) -> None:
        if self.lane is None:
            raise InvalidSchedule(f"{self.name}: supersede needs a lane: say which runs replace each other")
        check_name(self.lane, f"{self.name}: lane")
        if self.supersede and self.overlap.keeps_apart:
            raise InvalidSchedule(
                f"{self.name}: overlap {self.overlap} has no place in a superseding lane, where older runs give way: "
                "leave one of the two out"
            )

    def _check_precedence(self) -> None:
        check_whole(f"{self.name}: precedence is", self.precedence, 0, PRECEDENCE_MAX)
        if self.precedence and not self.supersede:
            raise InvalidSchedule(f"{self.name}: precedence has no meaning without supersede: leave one of the two out")

    def _check_bounds(self) -> None:
        if self.max_runs is not None:
            check_whole(f"{self.name}: max_runs is", self.max_runs, 1, None)
        if self.pause_after_failures is not None:
            check_whole(f"{self.name}: pause_after_failures is", self.pause_after_failures, 1, PAUSE_AFTER_MAX)
        if self.start_at is not None and self.end_at is not None and self.end_at < self.start_at:
            raise InvalidSchedule(f"{self.name}: end lies before start")
        check_seconds(f"{self.name}: tolerance_s", self.tolerance_s, 0, 86400)
        check_seconds(f"{self.name}: misfire_window_s", self.misfire_window_s, 0, DURATION_S_MAX)
        check_seconds(f"{self.name}: jitter_s", self.jitter_s, 0, JITTER_S_MAX)
        check_seconds(f"{self.name}: timeout_s", self.timeout_s, 0.001, DURATION_S_MAX)

    def anchored(self, anchor_at: int) -> Trigger:
        """Return the trigger to use when the last run ended, or the schedule was put, at `anchor_at`.

        A fixed delay that is over before the schedule's start has its occurrence at the start.
        """
        if not isinstance(self.trigger, After):  # only fixed delays depend on runs
            return self.trigger
        trigger = self.trigger.anchored(anchor_at)
        if self.start_at is None or trigger is self.trigger:
            return trigger
        return Once(self.start_at) if trigger.next_after(self.start_at - 1) is None else trigger

    def next_after(self, instant: int, trigger: Trigger) -> int | None:
        """Return the first occurrence after `instant` between start and end, or None.

        Args:
            instant: microseconds since 1970 UTC.
            trigger: this schedule's trigger, anchored.
        """
        if self.start_at is not None and instant < self.start_at:
            instant = self.start_at - 1
        found = trigger.next_after(instant)
        if found is not None and self.end_at is not None and found > self.end_at:
            return None
        return found

    def order_at(self, instant: int, trigger: Trigger) -> Order:
        """Return what orders an occurrence among those of a superseding lane: the highest counts (S4.4, S5.5).

        Args:
            instant: the occurrence, in microseconds since 1970 UTC.
            trigger: this schedule's trigger, anchored.
        """
        return instant, trigger.shift_at(instant), self.priority, self.precedence, self.name
