"""What every trigger answers: the port between planning and the families of triggers (S4.1)."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from trioarm.core.triggers.zones import Zone


@runtime_checkable
class Trigger(Protocol):
    """A pure, strictly monotone rule over instants (int microseconds since 1970 UTC).

    Every call is bounded in work and says `None` for "never" instead of looping. Values are frozen, compare by
    what they mean, and hash.
    """

    def next_after(self, instant: int) -> int | None:
        """Return the first occurrence later than `instant`, or None when there is none up to the year 9999."""

    def previous_before(self, instant: int) -> int | None:
        """Return the last occurrence earlier than `instant`, or None when there is none."""

    def count(self, after: int, until: int) -> int:
        """Return how many occurrences lie in `(after, until]`."""

    def shift_at(self, instant: int) -> int:
        """Return nominal local time minus actual local time of the occurrence at `instant`, in microseconds.

        Zero except where a gap moved a local time: an occurrence meant for 02:15 that runs at 03:00 answers minus
        45 minutes. Where a gap collapses several nominal times onto one instant, the latest of them counts. Planning
        orders equal instants by it (S4.4); preview marks them.
        """

    def describe(self) -> str:
        """Return the rule in plain English, without a full stop: `every day at 02:30 in Europe/Prague`."""


def own_zone(trigger: object) -> Zone | None:
    """Return the zone that the local times of a trigger, or of spans, are in; None where they have none."""
    zone = getattr(trigger, "zone", None)  # a protocol would ask ten times as long, for every occurrence of a preview
    return zone if isinstance(zone, Zone) else None
