"""Spans: when the runs of a thousand numbers in a row are due, so that a page in order of decision need not pass over
those that lie far from its range of time (S9.2).

The file keeps a span for each thousand that is complete, and widens it when one of its runs comes due at another
instant; see the triggers in `schema`. What has no span, such as the newest runs, is looked through.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final, TypeAlias

from trioarm.core.queries import RunQuery
from trioarm.repositories.sqlite import questions
from trioarm.repositories.sqlite.schema import SPAN

Piece: TypeAlias = tuple[int, int]
"""The first and the last of numbers in a row."""

EVERYWHERE: Final[Piece] = (1, 2**63 - 1)


def pieces(query: RunQuery, after: int | None, connection: sqlite3.Connection) -> list[Piece]:
    """Return where runs of a range of time may lie, in the order in which a page meets them.

    Args:
        query: in order of decision.
        after: the number of the run that ended the page before; None for the first page.
    """
    first, last = EVERYWHERE
    if after is not None:
        first, last = (first, after - 1) if query.descending else (after + 1, last)
    values = {"from": query.due_from, "until": query.due_until, "first": first - SPAN, "last": last}
    far = (first_id for (first_id,) in connection.execute(questions.FAR_SPANS, values))
    found = list(_between(far, first, last))
    return found[::-1] if query.descending else found


def _between(far: Iterator[int], first: int, last: int) -> Iterator[Piece]:
    """Yield what lies between spans that are passed over."""
    for first_id in far:
        if first < first_id:
            yield first, first_id - 1
        first = first_id + SPAN
    if first <= last:
        yield first, last
