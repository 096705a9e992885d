"""The due index: a heap of what time alone starts, with one entry per key, lazy deletion and compaction.

Entries handed out by `due` stay live until their key is put again or discarded; one that is not comes back at the next
look, so that a decision which was refused is simply decided again.

An entry is one number: the instant, below it the rank, below that the key. Numbers compare in that order, and a million
of them are nothing to the garbage collector.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final

_KEY_BITS: Final = 48
_BITS: Final = _KEY_BITS + 8  # of key and rank: either may be negative, and takes half of what it has room for
_KEY_HALF: Final = 1 << _KEY_BITS - 1
_HALF: Final = 1 << _BITS - 1
_KEY_MASK: Final = (1 << _KEY_BITS) - 1


def _entry(due_at: int, rank: int, key: int) -> int:
    return (due_at << _BITS) + (rank << _KEY_BITS) + key


def _due_at(entry: int) -> int:
    return (entry + _HALF) >> _BITS


def _key(entry: int) -> int:
    return ((entry + _KEY_HALF) & _KEY_MASK) - _KEY_HALF


class DueIndex:
    """A heap ordered by instant, rank and key; dead entries are dropped when they surface or outnumber the live ones.

    Args:
        entries: to begin with, as (due_at, rank, key).

    Keys are integers of up to 47 bits, ranks of up to 6. Every operation is O(log n) amortised, and the heap never
    holds more than twice the live entries.
    """

    __slots__ = ("_heap", "_lent", "_live")

    def __init__(self, entries: Iterable[tuple[int, int, int]] = ()) -> None:
        self._heap = sorted(_entry(*entry) for entry in entries)  # in order it is a heap, too
        self._live = {_key(entry): entry for entry in self._heap}
        self._lent: list[int] = []

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
        self._forget_settled()
        heap, live = self._heap, self._live
        while heap and live.get(_key(heap[0])) is not heap[0]:
            heappop(heap)
        first = min((*heap[:1], *self._lent), default=None)
        return None if first is None else _due_at(first)

    def due_at(self, key: int) -> int | None:
        """Return the instant of the entry of `key`, or None when it has none."""
        entry = self._live.get(key)
        return None if entry is None else _due_at(entry)

    def put(self, key: int, due_at: int, rank: int = 0) -> None:
        """Set the one entry of `key`; a lower rank comes first among equal instants."""
        entry = _entry(due_at, rank, key)
        self._live[key] = entry
        heappush(self._heap, entry)
        if len(self._heap) + len(self._lent) > 2 * len(self._live):
            self._compact()

    def put_all(self, keys: Iterable[int], due_ats: Iterable[int], ranks: Iterable[int]) -> None:
        """Set the entries of many keys at once."""
        live, heap = self._live, self._heap
        for key, due_at, rank in zip(keys, due_ats, ranks, strict=True):
            live[key] = entry = _entry(due_at, rank, key)
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
        return self._hand_out(now, limit)

    def further(self, now: int, limit: int) -> list[int]:
        """Do as `due`, but pass over what was handed out since the last `due` and has not been settled yet."""
        self._forget_settled()
        return self._hand_out(now, limit)

    def _hand_out(self, now: int, limit: int) -> list[int]:
        heap, live, lent = self._heap, self._live, self._lent
        keys: list[int] = []
        beyond = (now << _BITS) + _HALF
        while heap and len(keys) < limit and heap[0] < beyond:
            entry = heappop(heap)
            key = _key(entry)
            if live.get(key) is entry:
                lent.append(entry)
                keys.append(key)
        return keys

    def shorten(self, keep: int) -> int:
        """Forget all but the `keep` entries that come first, of more than that; return the instant of the next one."""
        forgotten = sorted(self._live.values())[keep:]
        for entry in forgotten:
            del self._live[_key(entry)]
        self._compact()
        return _due_at(forgotten[0])

    def _take_back(self) -> None:
        for entry in self._lent:
            if self._live.get(_key(entry)) is entry:
                heappush(self._heap, entry)
        self._lent.clear()

    def _forget_settled(self) -> None:
        live = self._live
        self._lent = [entry for entry in self._lent if live.get(_key(entry)) is entry]

    def _compact(self) -> None:
        self._forget_settled()
        lent = {*self._lent}
        self._heap = [entry for entry in self._live.values() if entry not in lent]
        heapify(self._heap)
