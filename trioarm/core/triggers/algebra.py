"""The algebra of triggers: union, intersect, exclude (S4.2).

Members are triggers; what a trigger is limited to, or kept out of, may also be spans, such as all working days.
Instants are exact: two triggers have one in common only where they mean the same microsecond.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, Self, TypeAlias

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import DAY
from trioarm.core.triggers.base import Trigger, own_zone
from trioarm.core.triggers.calendar import Calendar, EventSpans
from trioarm.core.triggers.elapsed import After
from trioarm.core.triggers.spans import Spans
from trioarm.core.triggers.zones import Zone, find_zone

MEMBERS_MAX: Final = 64  # of one trigger: each is asked for every instant
LEAPS_MAX: Final = 20_000  # instants tried for one that all allow; then there is taken to be none
PROBES: Final = tuple(number * (3_650 + 150) * DAY for number in range(10))  # from where a definition looks for one,
PROBE_LEAPS: Final = 300  # trying so many from each, in all seasons: what has none near any of them never happens

Member: TypeAlias = Trigger | Spans


class _Limit(Protocol):
    """What one member allows: the nearest instant, the given one included, or None when there is none."""

    def forward(self, instant: int) -> int | None:
        """Return the first allowed instant not earlier than `instant`."""

    def backward(self, instant: int) -> int | None:
        """Return the last allowed instant not later than `instant`."""


@attrs.frozen(slots=True)
class _At:
    """Allows the occurrences of a trigger."""

    trigger: Trigger

    def forward(self, instant: int) -> int | None:
        return self.trigger.next_after(instant - 1)

    def backward(self, instant: int) -> int | None:
        return self.trigger.previous_before(instant + 1)


@attrs.frozen(slots=True)
class _NotAt:
    """Allows everything but the occurrences of a trigger: one of them gives way to the very next microsecond."""

    trigger: Trigger

    def forward(self, instant: int) -> int | None:
        return instant + _has(self.trigger, instant)

    def backward(self, instant: int) -> int | None:
        return instant - _has(self.trigger, instant)


@attrs.frozen(slots=True)
class _Inside:
    """Allows what lies in spans."""

    spans: Spans

    def forward(self, instant: int) -> int | None:
        return self.spans.inside_from(instant)

    def backward(self, instant: int) -> int | None:
        return self.spans.inside_until(instant)


@attrs.frozen(slots=True)
class _Outside:
    """Allows what lies outside spans."""

    spans: Spans

    def forward(self, instant: int) -> int | None:
        return self.spans.outside_from(instant)

    def backward(self, instant: int) -> int | None:
        return self.spans.outside_until(instant)


def _has(trigger: Trigger, instant: int) -> bool:
    return trigger.next_after(instant - 1) == instant


def _is_passing(member: Member) -> bool:
    """Whether a member knows a calendar: what it does not have today it may have after the next refresh."""
    if isinstance(member, _Combined):
        return any(map(_is_passing, member.members))
    return isinstance(member, Calendar | EventSpans)


def _first(limits: Sequence[_Limit], instant: int, leaps: int = LEAPS_MAX) -> int | None:
    """Return the first instant not earlier than `instant` that all allow: the one from which nobody moves on."""
    for _ in range(leaps):
        reached = instant
        for limit in limits:
            allowed = limit.forward(reached)
            if allowed is None:
                return None
            reached = allowed
        if reached == instant:
            return instant
        instant = reached
    return None


def _last(limits: Sequence[_Limit], instant: int) -> int | None:
    """Return the last instant not later than `instant` that all allow."""
    for _ in range(LEAPS_MAX):
        reached = instant
        for limit in limits:
            allowed = limit.backward(reached)
            if allowed is None:
                return None
            reached = allowed
        if reached == instant:
            return instant
        instant = reached
    return None


def _checked(kind: str, members: Iterable[Member]) -> tuple[Member, ...]:
    checked = tuple(members)
    if not 2 <= len(checked) <= MEMBERS_MAX:
        raise InvalidTrigger(f"{kind} of {len(checked)}: give it 2 to {MEMBERS_MAX} members")
    if any(isinstance(member, After) for member in checked):
        raise InvalidTrigger(f"{kind}: a fixed delay depends on when runs end, so it cannot be combined")
    return checked


def _union_of(members: Iterable[Member]) -> tuple[Trigger, ...]:
    checked = _checked("union", members)
    triggers = [member for member in checked if isinstance(member, Trigger)]
    if len(triggers) < len(checked):
        raise InvalidTrigger("union: days alone yield no instants: intersect a trigger with them")
    return tuple(triggers)


def _intersection_of(members: Iterable[Member]) -> tuple[Member, ...]:
    checked = _checked("intersect", members)
    if not any(isinstance(member, Trigger) for member in checked):
        raise InvalidTrigger("intersect: days alone yield no instants: add a trigger, such as weekly")
    return checked


def _exclusion_of(members: Iterable[Member]) -> tuple[Member, ...]:
    checked = _checked("exclude", members)
    if not isinstance(checked[0], Trigger):
        raise InvalidTrigger("exclude: days alone yield no instants: begin with a trigger, such as weekly")
    return checked


class _Combined(ABC):
    """What the three have in common: they count by stepping and see local time as their first member with a zone."""

    __slots__ = ()
    members: tuple[Member, ...]
    _triggers: tuple[Trigger, ...]

    @abstractmethod
    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant` (S4.1)."""

    def count(self, after: int, until: int) -> int:
        """Return how many occurrences lie in `(after, until]`, in time linear in them: members may coincide."""
        count = 0
        at = self.next_after(after)
        while at is not None and at <= until:
            count += 1
            at = self.next_after(at)
        return count

    @property
    def zone(self) -> Zone:
        """The zone of the first member that has one; else UTC."""
        zones = (own_zone(member) for member in self.members)
        return next((zone for zone in zones if zone is not None), find_zone("UTC"))

    def shift_at(self, instant: int) -> int:
        """Return nominal minus actual local time in microseconds: the latest of the members that mean the instant."""
        return max((trigger.shift_at(instant) for trigger in self._triggers if _has(trigger, instant)), default=0)

    def anchored(self, anchor_at: int) -> Self:
        """Return the trigger itself: no member depends on runs."""
        return self


@attrs.frozen(slots=True, weakref_slot=False)
class Union(_Combined):
    """Every instant of any of its members (S4.2).

    Args:
        members: 2 to 64 triggers, no fixed delay among them.

    Raises:
        InvalidTrigger: they are too few or too many, or one is none that can be combined.
    """

    members: tuple[Trigger, ...] = attrs.field(converter=_union_of)
    _triggers: tuple[Trigger, ...] = attrs.field(init=False, eq=False, repr=False)

    @_triggers.default
    def _who_yields(self) -> tuple[Trigger, ...]:
        return self.members

    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant` (S4.1)."""
        found = [at for member in self.members if (at := member.next_after(instant)) is not None]
        return min(found, default=None)

    def previous_before(self, instant: int) -> int | None:
        """Return the last occurrence earlier than `instant` (S4.1)."""
        found = [at for member in self.members if (at := member.previous_before(instant)) is not None]
        return max(found, default=None)

    def describe(self) -> str:
        """Return the rule in plain English, such as `every day at 06:00 in UTC, or sat at 09:00 in UTC`."""
        return ", or ".join(member.describe() for member in self.members)


class Limited(_Combined):
    """A trigger of which only what all limits allow is left."""

    __slots__ = ()
    _limits: tuple[_Limit, ...]

    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant` (S4.1)."""
        return _first(self._limits, instant + 1)

    def previous_before(self, instant: int) -> int | None:
        """Return the last occurrence earlier than `instant` (S4.1)."""
        return _last(self._limits, instant - 1)

    def left_out(self, instant: int) -> tuple[int, str] | None:
        """Return the next instant that its first trigger yields, and which member does not allow it, in words.

        None when it is allowed, or nothing follows.
        """
        at = self._triggers[0].next_after(instant)
        if at is None:
            return None
        against = (one for limit, one in zip(self._limits, self.members, strict=True) if limit.forward(at) != at)
        return next(((at, _in_words(member, 1)) for member in against), None)

    def _refuse_never(self, kind: str) -> None:
        if any(map(_is_passing, self.members)):
            return
        if all(_first(self._limits, start, PROBE_LEAPS) is None for start in PROBES):
            tried = len(PROBES) * PROBE_LEAPS
            raise InvalidTrigger(f"{kind} never happens: of {tried} instants tried, its members allow none")


@attrs.frozen(slots=True, weakref_slot=False)
class Intersect(Limited):
    """The instants that all its members have in common, and that lie inside its spans (S4.2).

    Args:
        members: 2 to 64 triggers and spans, at least one a trigger, none a fixed delay.

    Raises:
        InvalidTrigger: they are too few or too many, one is none that can be combined, or they have nothing in common.
    """

    members: tuple[Member, ...] = attrs.field(converter=_intersection_of)
    _triggers: tuple[Trigger, ...] = attrs.field(init=False, eq=False, repr=False)
    _limits: tuple[_Limit, ...] = attrs.field(init=False, eq=False, repr=False)

    @_triggers.default
    def _who_yields(self) -> tuple[Trigger, ...]:
        return tuple(member for member in self.members if isinstance(member, Trigger))

    @_limits.default
    def _order(self) -> tuple[_Limit, ...]:
        return tuple(_At(member) if isinstance(member, Trigger) else _Inside(member) for member in self.members)

    def __attrs_post_init__(self) -> None:
        self._refuse_never("intersect")

    def describe(self) -> str:
        """Return the rule in plain English, such as `every day at 06:00 in UTC, only on working days in CZ`."""
        return ", only ".join(_in_words(member, rank) for rank, member in enumerate(self.members))


@attrs.frozen(slots=True, weakref_slot=False)
class Exclude(Limited):
    """The instants of its first member that none of the others has, and that lie outside their spans (S4.2).

    Args:
        members: a trigger, then 1 to 63 triggers and spans to keep out of; none a fixed delay.

    Raises:
        InvalidTrigger: they are too few or too many, one is none that can be combined, or nothing is left.
    """

    members: tuple[Member, ...] = attrs.field(converter=_exclusion_of)
    _triggers: tuple[Trigger, ...] = attrs.field(init=False, eq=False, repr=False)
    _limits: tuple[_Limit, ...] = attrs.field(init=False, eq=False, repr=False)

    @_triggers.default
    def _who_yields(self) -> tuple[Trigger, ...]:
        return tuple(member for member in self.members[:1] if isinstance(member, Trigger))

    @_limits.default
    def _order(self) -> tuple[_Limit, ...]:
        out = (_NotAt(one) if isinstance(one, Trigger) else _Outside(one) for one in self.members[1:])
        return (*map(_At, self._triggers), *out)

    def __attrs_post_init__(self) -> None:
        self._refuse_never("exclude")

    def describe(self) -> str:
        """Return the rule in plain English, such as `every day at 06:00 in UTC, except on holidays in CZ`."""
        return ", except ".join(_in_words(member, rank) for rank, member in enumerate(self.members))


def _in_words(member: Member, rank: int) -> str:
    return f"when also {member.describe()}" if rank and isinstance(member, Trigger) else member.describe()
