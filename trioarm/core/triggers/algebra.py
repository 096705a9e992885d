"""The algebra of triggers: union, intersect, exclude (S4.2).

Members are triggers; what a trigger is limited to, or kept out of, may also be spans, such as all working days.
Instants are exact: two triggers have one in common only where they mean the same microsecond.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol, TypeAlias

import attrs

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import DAY
from trioarm.core.triggers.ahead import Ahead
from trioarm.core.triggers.base import Trigger, own_zone
from trioarm.core.triggers.calendar import Calendar, EventSpans
from trioarm.core.triggers.elapsed import After
from trioarm.core.triggers.spans import Spans
from trioarm.core.triggers.zones import Zone, find_zone

MEMBERS_MAX: Final = 64  # of one trigger: each is asked for every instant
LEAPS_MAX: Final = 20_000  # instants tried for one that all allow; then there is taken to be none
PROBES: Final = tuple(number * (3_650 + 150) * DAY for number in range(10))  # from where a definition looks for one,
PROBE_LEAPS: Final = 300  # trying so many from each, in all seasons: what has none near any of them never happens
COUNTED_MAX: Final = 10_000  # instants that a count looks at one by one, where arithmetic cannot tell: under a second

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

    def ends(self, instant: int) -> int | None:
        """Return the first instant not earlier than `instant` that is not allowed."""
        return self.spans.outside_from(instant)


@attrs.frozen(slots=True)
class _Outside:
    """Allows what lies outside spans."""

    spans: Spans

    def forward(self, instant: int) -> int | None:
        return self.spans.outside_from(instant)

    def backward(self, instant: int) -> int | None:
        return self.spans.outside_until(instant)

    def ends(self, instant: int) -> int | None:
        """Return the first instant not earlier than `instant` that is not allowed."""
        return self.spans.inside_from(instant)


def _has(trigger: Trigger, instant: int) -> bool:
    return trigger.next_after(instant - 1) == instant


def _is_passing(member: Member) -> bool:
    """Whether a member knows a calendar: what it does not have today it may have after the next refresh."""
    if isinstance(member, _Combined):
        return any(map(_is_passing, member.members))
    if isinstance(member, Ahead):
        return _is_passing(member.of)
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


@attrs.define(slots=True, eq=False)
class Looks:
    """How many instants a count may still look at, with all that is combined in what it counts."""

    left: int = COUNTED_MAX

    def take(self, members: int) -> bool:
        """Look at one instant in each of so many members; False when that would be too many."""
        self.left -= members
        return self.left >= 0


def tally(trigger: Trigger, after: int, until: int, looks: Looks) -> tuple[int, bool]:
    """Return how many occurrences lie in `(after, until]`, and whether they may be more.

    They may where more than `COUNTED_MAX` of several members might coincide: nobody steps through a year of seconds.
    """
    if isinstance(trigger, _Combined):
        return trigger.tally(after, until, looks)
    return trigger.count(after, until), False


class _Combined(ABC):
    """What the three have in common: how they count, and that they see local time as their first member with a zone."""

    __slots__ = ()
    members: tuple[Member, ...]
    _triggers: tuple[Trigger, ...]

    @abstractmethod
    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant` (S4.1)."""

    @abstractmethod
    def tally(self, after: int, until: int, looks: Looks) -> tuple[int, bool]:
        """Return how many occurrences lie in `(after, until]`, and whether they may be more."""

    def count(self, after: int, until: int) -> int:
        """Return how many occurrences lie in `(after, until]`; at least so many where `tally` says they may be more.

        By arithmetic, but for members that may coincide: of those that have fewer, each instant is looked at.
        """
        return self.tally(after, until, Looks())[0]

    @property
    def zone(self) -> Zone:
        """The zone of the first member that has one; else UTC."""
        zones = (own_zone(member) for member in self.members)
        return next((zone for zone in zones if zone is not None), find_zone("UTC"))

    def shift_at(self, instant: int) -> int:
        """Return nominal minus actual local time in microseconds: the latest of the members that mean the instant."""
        return max((trigger.shift_at(instant) for trigger in self._triggers if _has(trigger, instant)), default=0)


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

    def tally(self, after: int, until: int, looks: Looks) -> tuple[int, bool]:
        """Return how many occurrences lie in `(after, until]`, and whether they may be more.

        All of the member that has most, and those of the others that it does not have.
        """
        tallies = {member: tally(member, after, until, looks) for member in self.members}
        busiest = max(tallies, key=lambda member: tallies[member][0])
        total, may_be_more = tallies[busiest]
        others = [member for member, (count, _) in tallies.items() if member is not busiest and count]
        at = after
        while looks.take(len(others)):
            found = [nearest for member in others if (nearest := member.next_after(at)) is not None]
            at = min(found, default=until + 1)
            if at > until:
                return total, may_be_more
            total += not _has(busiest, at)
        return total, True

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

    def tally(self, after: int, until: int, looks: Looks) -> tuple[int, bool]:
        """Return how many occurrences lie in `(after, until]`, and whether they may be more.

        Few are looked at one by one. Of many, whole stretches are counted, and what is excluded in them taken off.
        """
        yielding = [limit.trigger for limit in self._limits if isinstance(limit, _At)]
        counts = [tally(trigger, after, until, looks)[0] for trigger in yielding]
        fewest = yielding[counts.index(min(counts))]
        if len(yielding) > 1 or min(counts) * len(self._limits) <= looks.left:
            return self._step(fewest, after, until, looks)
        total, may_be_more, reached = 0, False, after
        for start, end in self._stretches(after, until, looks):
            count, more = tally(fewest, start - 1, end, looks)
            total, may_be_more, reached = total + count, may_be_more or more, end
        excluded = tuple(limit.trigger for limit in self._limits if isinstance(limit, _NotAt))
        taken, all_taken = self._excluded(fewest, excluded, (after, reached), looks)
        return max(0, total - taken), may_be_more or not all_taken or self._goes_on(reached, until)

    def _step(self, fewest: Trigger, after: int, until: int, looks: Looks) -> tuple[int, bool]:
        """Count the occurrences of a trigger that all limits allow, one by one."""
        total, at = 0, fewest.next_after(after)
        while at is not None and at <= until:
            if not looks.take(len(self._limits)):
                return total, True
            total += self._allows(at)
            at = fewest.next_after(at)
        return total, False

    def _allows(self, instant: int) -> bool:
        return all(limit.forward(instant) == instant for limit in self._limits)

    def _stretches(self, after: int, until: int, looks: Looks) -> Iterator[tuple[int, int]]:
        """Yield the stretches of `(after, until]` that lie in all spans, by their first and last instants."""
        spans = [limit for limit in self._limits if isinstance(limit, _Inside | _Outside)]
        end: int | None = after + 1
        while looks.take(len(self._limits)):
            start = None if end is None else _first(spans, end)
            if start is None or start > until:
                return
            end = min((at for limit in spans if (at := limit.ends(start)) is not None), default=None)
            yield start, until if end is None else min(end - 1, until)

    def _excluded(
        self, from_: Trigger, triggers: Sequence[Trigger], within: tuple[int, int], looks: Looks
    ) -> tuple[int, bool]:
        """Return how many occurrences triggers take off from one, at most, and whether it is no guess."""
        spans = [limit for limit in self._limits if isinstance(limit, _Inside | _Outside)]
        (at, until), total = within, 0
        while triggers and looks.take(len(triggers)):
            found = [nearest for trigger in triggers if (nearest := trigger.next_after(at)) is not None]
            nearest = min(found, default=until + 1)
            if nearest > until:
                return total, True
            at = nearest
            total += _has(from_, at) and all(limit.forward(at) == at for limit in spans)
        rest = [tally(trigger, at, until, looks) for trigger in triggers]
        return (until if any(more for _, more in rest) else total + sum(count for count, _ in rest)), not triggers

    def _goes_on(self, reached: int, until: int) -> bool:
        """Whether something is left that was not counted: there were more stretches than are gone through."""
        at = self.next_after(reached) if reached < until else None
        return at is not None and at <= until

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
