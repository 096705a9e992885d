"""The chain of a journal: every entry is sealed together with the one before it, so that a change shows (A5.1).

It shows what was changed, removed or put in between. Whoever can write the file can seal everything anew: that shows
only beside a seal that was kept elsewhere, and so does what is cut off at the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from trioarm.core.jsonable import write_json
from trioarm.core.queries import JournalEntry

NOTHING: Final = ""  # in the place of the seal before the first


def seal(before: str, namespace: str, seq: int, at: int, text: str) -> str:
    """Return the seal of an entry: SHA-256 in 64 hexadecimal digits.

    Args:
        before: the seal of the entry before; `NOTHING` for the first.
        namespace: of the journal.
        seq: the entry's number.
        at: when it happened; microseconds since 1970 UTC.
        text: of its body, as it is kept.
    """
    return hashlib.sha256(f"{before}\n{namespace}\n{seq}\n{at}\n{text}".encode(errors="surrogatepass")).hexdigest()


@attrs.define
class Chain:
    """A journal that is looked at entry by entry, in their order.

    Args:
        whole: whether it begins with the first entry of all; else the one it begins with is taken as it is: what was
            before is forgotten.
        last: the entry that was looked at last.
    """

    whole: bool
    last: JournalEntry | None = attrs.field(default=None, init=False)

    def broken_at(self, entry: JournalEntry) -> str | None:
        """Return what is wrong with the next entry, in one line; None for nothing."""
        before, number = (NOTHING, 0) if self.last is None else (self.last.seal, self.last.seq)
        begins = self.last is None and not self.whole and entry.seq != 1
        self.last = entry
        if begins:
            return None
        if entry.seq != number + 1:
            return f"journal {entry.namespace}: entry {entry.seq} follows {number}: what was between is gone"
        if entry.seal != seal(before, entry.namespace, entry.seq, entry.at, write_json(entry.body)):
            return f"journal {entry.namespace}: entry {entry.seq} is not what it was when it was written"
        return None


def broken_links(entries: Iterable[JournalEntry], *, whole: bool) -> Iterator[str]:
    """Yield what is wrong with the entries of a journal, all that are kept, a line each."""
    return filter(None, map(Chain(whole).broken_at, entries))
