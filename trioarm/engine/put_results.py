"""What became of schedules that were put: one result for each, in order, made when somebody reads it.

Of a million that were added, few are ever looked at: so many values would be kept for the garbage collector alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, overload

import attrs

from trioarm.core.schedule import Schedule


class PutOutcome(StrEnum):
    """What became of one schedule of a bulk put."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


CHANGING: Final = (PutOutcome.ADDED, PutOutcome.CHANGED)


@attrs.frozen(slots=True)
class PutResult:
    """The result for one schedule of a bulk put.

    Args:
        name: of the schedule.
        outcome: what became of it.
        error: why it was refused; None otherwise.
    """

    name: str
    outcome: PutOutcome
    error: str | None = None


@attrs.define(slots=True, eq=False)
class Became:
    """What became of some of them.

    Args:
        outcomes: of each, in order.
        errors: why some were refused, by their place, which begins at 0.
    """

    outcomes: list[PutOutcome]
    errors: dict[int, str]

    def note(self, outcome: PutOutcome, error: str | None) -> None:
        """Note what became of the next one."""
        if error is not None:
            self.errors[len(self.outcomes)] = error
        self.outcomes.append(outcome)

    def add(self, others: Became) -> None:
        """Note what became of those that follow."""
        count = len(self.outcomes)
        self.errors.update((count + place, error) for place, error in others.errors.items())
        self.outcomes += others.outcomes

    def correct(self, places: Sequence[int], again: Became) -> None:
        """Take over what became of those at some places, by themselves."""
        for place, outcome in zip(places, again.outcomes, strict=True):
            self.outcomes[place] = outcome
            self.errors.pop(place, None)
        self.errors.update((places[place], error) for place, error in again.errors.items())


class PutResults(Sequence[PutResult]):
    """The results for the schedules of a bulk put, in order. They equal any sequence of the same results.

    Args:
        schedules: those put.
        became: what became of them.
    """

    __slots__ = ("_became", "_schedules")
    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __init__(self, schedules: Sequence[Schedule], became: Became) -> None:
        self._schedules = schedules
        self._became = became

    @overload
    def __getitem__(self, place: int) -> PutResult: ...

    @overload
    def __getitem__(self, place: slice) -> list[PutResult]: ...

    def __getitem__(self, place: int | slice) -> PutResult | list[PutResult]:
        """Return the result at a place, or those of a slice."""
        places = range(len(self._schedules))[place]
        if isinstance(places, int):
            return PutResult(
                self._schedules[places].name, self._became.outcomes[places], self._became.errors.get(places)
            )
        return [self[one] for one in places]

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self._schedules)

    def __eq__(self, other: object) -> bool:
        """Whether these are the same results."""
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    def __repr__(self) -> str:
        """Show the results."""
        return repr(list(self))
