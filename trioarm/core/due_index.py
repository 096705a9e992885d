"""The due index: a heap of what time alone starts, with one entry per key, lazy deletion and compaction.

Entries handed out by `due` stay live until their key is put again or discarded; one that is not comes back at the next
look, so that a decision which was refused is simply decided again.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush


class DueIndex:
    """A heap ordered by (due_at, rank, key); dead entries are dropped when they surface or outnumber the live ones.

    Args:
        entries: to begin with, as (due_at, rank, key).

    Keys are integers. Every operation is O(log n) amortised, and the heap never holds more than twice the live entries.
    """

    __slots__ = ("_heap", "_lent", "_live")

    def __init__(self, entries: Iterable[tuple[int, int, int]] = ()) -> None:
        self._heap: list[tuple[int, int, int]] = sorted(entries)  # in order it is a heap, too
        self._live: dict[int, tuple[int, int, int]] = {entry[2]: entry for entry in self._heap}
        self._lent: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        """Return how many keys have an entry."""
        return len(self._live)

    @property
    def heap_size(self) -> int:
        """How many entries are held, dead ones included."""
        return len(self._heap) + len(self._lent)

    @property
    def next_due_at(self) -> int | None:
        """The earliest instant of a live entry, or None when there is none."""
        if self._lent:
            self._take_back()
        heap, live = self._heap, self._live
        while heap:
            entry = heap[0]
            if live.get(entry[2]) is entry:
                return entry[0]
            heappop(heap)
        return None

    def due_at(self, key: int) -> int | None:
        """Return the instant of the entry of `key`, or None when it has none."""
        entry = self._live.get(key)
        return None if entry is None else entry[0]

    def put(self, key: int, due_at: int, rank: int = 0) -> None:
        """Set the one entry of `key`; a lower rank comes first among equal instants."""
        entry = (due_at, rank, key)
        self._live[key] = entry
        heappush(self._heap, entry)
        if len(self._heap) + len(self._lent) > 2 * len(self._live):
            self._compact()

    def put_all(self, entries: Iterable[tuple[int, int, int]]) -> None:
        """Set the entries of many keys at once, as (due_at, rank, key)."""
        live, heap = self._live, self._heap
        for entry in entries:
            live[entry[2]] = entry
            heappush(heap, entry)
        if len(heap) + len(self._lent) > 2 * len(live):
            self._compact()

    def discard(self, key: int) -> None:
        """Remove the entry of `key`, if it has one."""
        if self._live.pop(key, None) is not None and len(self._heap) + len(self._lent) > 2 * len(self._live):
            self._compact()

    def due(self, now: int, limit: int) -> list[int]:
        """Return up to `limit` keys due at or before `now`, in order."""
        if self._lent:
            self._take_back()
        heap, live, lent = self._heap, self._live, self._lent
        while heap and len(lent) < limit and heap[0][0] <= now:
            entry = heappop(heap)
            if live.get(entry[2]) is entry:
                lent.append(entry)
        return [entry[2] for entry in lent]

    def shorten(self, keep: int) -> int:
        """Forget all but the `keep` entries that come first, of more than that; return the instant of the next one."""
        self._lent.clear()
        self._heap = sorted(self._live.values())  # in order it is a heap, too
        for _, _, key in self._heap[keep:]:
            del self._live[key]
        first_forgotten = self._heap[keep][0]
        del self._heap[keep:]
        return first_forgotten

    def _take_back(self) -> None:
        for entry in self._lent:
            if self._live.get(entry[2]) is entry:
                heappush(self._heap, entry)
        self._lent.clear()

    def _compact(self) -> None:
        self._lent.clear()
        self._heap = list(self._live.values())
        heapify(self._heap)
