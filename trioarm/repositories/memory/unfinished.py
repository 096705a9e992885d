"""Runs with steps to go, by schedule: nearly always one, so that one is kept without a list around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trioarm.core.run import RunRecord


class Unfinished:
    """Unfinished runs by the key of their schedule."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[int, RunRecord | list[RunRecord]] = {}

    def __contains__(self, key: int) -> bool:
        """Whether a schedule has any."""
        return key in self._by_key

    def __iter__(self) -> Iterator[RunRecord]:
        """Iterate over all of them."""
        for held in self._by_key.values():
            if isinstance(held, RunRecord):
                yield held
            else:
                yield from held

    def of(self, key: int) -> Sequence[RunRecord]:
        """Return those of a schedule."""
        held = self._by_key.get(key)
        if held is None:
            return ()
        return (held,) if isinstance(held, RunRecord) else held

    def add(self, run: RunRecord) -> None:
        """Add a run."""
        held = self._by_key.setdefault(run.schedule.key, run)
        if held is run:
            return
        if isinstance(held, RunRecord):
            self._by_key[run.schedule.key] = [held, run]
        else:
            held.append(run)

    def remove(self, run: RunRecord) -> None:
        """Remove a run that was added."""
        key = run.schedule.key
        held = self._by_key[key]
        if isinstance(held, list):
            held.remove(run)
            if held:
                return
        del self._by_key[key]
