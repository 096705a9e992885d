"""How many schedules owners have."""

from __future__ import annotations

from collections import Counter

from trioarm.core.changes import Change
from trioarm.core.schedule import Schedule


class Owned:
    """Schedules per owner; of those that nobody owns, there is no count."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def of(self, owner: str) -> int:
        """Return how many an owner has."""
        return self._counts[owner]

    def allow(self, change: Change) -> bool:
        """Whether no owner would have more schedules than it may."""
        return all(self._counts[quota.owner] + quota.added <= quota.most for quota in change.quotas)

    def add(self, schedule: Schedule) -> None:
        """Count a schedule that was put."""
        if schedule.owner is not None:
            self._counts[schedule.owner] += 1

    def remove(self, schedule: Schedule) -> None:
        """Count a schedule no more that was removed, or has another definition now."""
        if schedule.owner is not None:
            self._counts[schedule.owner] -= 1
            if not self._counts[schedule.owner]:
                del self._counts[schedule.owner]
